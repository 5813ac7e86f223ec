/* reports.h - what each source of a change of keepers shows of each register. Private to dht/. */
#ifndef DHT_REPORTS_H
#define DHT_REPORTS_H

#include "dht/copy.h"
#include "dht/entry.h"

/* Room for REGS_REGISTERS_MAX registers as large as addresses and names are. */
#define REPORTS_SOURCE_MAX ((size_t)64 << 20)

/* One value under one ballot, and who shows it; the highest ballot first. */
struct report {
	struct report *next;
	struct ballot accepted;
	uint64_t beacon;  /* wall seconds */
	usec_t since;	  /* its age counts from here, by the youngest word */
	uint16_t sources; /* by slot */
	size_t len;	  /* 0: those do not know */
	uint8_t value[];
};

struct reports_of { /* one register */
	struct reg_name name;
	bool settled; /* what comes later says nothing */
	struct report *first;
};

struct reports {
	struct map regs; /* of struct reports_of */
	size_t kept[COPY_SOURCES_MAX]; /* bytes, for each source */
	usec_t since; /* enough was gathered; 0 = not yet */
};

struct reports *reports_new(const uint8_t seed[16]);
void reports_free(struct reports *r); /* NULL is nothing */
/* Entries of the source in `slot` (below COPY_SOURCES_MAX), of which each takes the place of what it
 * showed of the register before. False: malformed, or more than a keeper can have. */
bool reports_take(struct reports *r, uint8_t slot, struct rd *entries, usec_t now);
void reports_keep(struct reports *r, uint16_t slots); /* forgets what the others have shown */
void reports_settled(struct reports_of *o); /* frees its values */
bool report_same_value(const struct report *a, const struct report *b);

#endif
