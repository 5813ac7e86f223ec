/* succession.h - the driver of one change of the keeper set, at the keeper that began it. Private. */
#ifndef DHT_SUCCESSION_H
#define DHT_SUCCESSION_H

#include "dht/keepers.h"

#define SUCCESSION_MAX SEC(600)
#define SUCCESSION_AGAIN MSEC(500)

enum succession_phase { SUCCESSION_STANDS, SUCCESSION_READY, SUCCESSION_FAILED };

struct succession_seat {
	struct keeper entry;
	bool stands;
	uint64_t behind;
	usec_t heard;
};

struct succession {
	const struct crypto *crypto;
	struct keeper_set want;
	struct succession_seat seat[KEEPERS_MAX];
	usec_t begun, next; /* next: the owner's */
};

/* Whether `want` is a set that may follow *now: 0, or -EINVAL. `fresh`: one of its members stands in
 * another incarnation than it has now, so the same nodes are a change. */
int succession_check(struct keeper_set *want, const struct config *present, bool fresh);
struct succession *succession_new(const struct keeper_set *want, const struct crypto *crypto,
				  usec_t now);
/* Only an entry that is certified for the epoch after *present counts. */
void succession_stands(struct succession *s, const struct config *present,
		       const struct keeper *entry, uint64_t behind, usec_t now);
/* STANDS: ask everybody again at s->next. READY: propose succession_body. FAILED: give it up. */
enum succession_phase succession_phase(const struct succession *s, usec_t now);
size_t succession_body(const struct succession *s, const struct config *present, uint8_t *out,
		       size_t size);

#endif
