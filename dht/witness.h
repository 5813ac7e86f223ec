/* witness.h - what a receiver remembers of the grants it has seen, and what it makes of the next.
 *
 * Whoever takes a grant of an address or a name asks here first (regs_check does, for all). Private
 * to dht/. docs/protocol.md 8.11; DESIGN of lying keepers: no generation has two owners. */
#ifndef DHT_WITNESS_H
#define DHT_WITNESS_H

#include "dht/evidence.h"

#define WITNESS_NAMES_MAX 65536 /* remembered, 32 bytes each */

enum witness_word {
	WITNESS_NEW,	  /* a generation above all that were seen, or the first */
	WITNESS_SAME,	  /* as high as any seen, by the same owner */
	WITNESS_OLD,	  /* a higher one was seen */
	WITNESS_DISPUTED, /* another owner was shown for this generation: neither is believed */
	WITNESS_ALARM,	  /* the same, found just now */
};

struct witness;
/* A grant that verifies by *config. */
struct witness_view {
	const struct grant *g;
	const uint8_t *bytes;
	size_t len;
	const struct config *config;
};

struct witness *witness_new(const uint8_t seed[16]);
void witness_free(struct witness *w); /* or NULL */
/* Judges and notes it. Kinds other than addresses and names: always WITNESS_SAME. */
enum witness_word witness_judge(struct witness *w, const struct witness_view *v);
/* What is seen elsewhere than in grants. `liar` or NULL. True: it is kept, and was not before. */
bool witness_report(struct witness *w, enum evidence_kind kind, const struct reg_name *name,
		    uint64_t generation, const struct pubkey *liar);
/* Evidence kept, the oldest first; NULL beyond the last. */
const struct evidence *witness_evidence(const struct witness *w, size_t i);
uint64_t witness_count(const struct witness *w); /* found since the start, kept or not */

#endif
