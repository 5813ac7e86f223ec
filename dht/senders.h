/* senders.h - how often each key may ask us. */
#ifndef DHT_SENDERS_H
#define DHT_SENDERS_H

#include "base/key.h"
#include "base/limit.h"

#define SENDERS_SLOTS 32
#define SENDERS_RATE 200 /* requests a second and key, and as many at once */

struct sender_slot {
	uint64_t who;
	struct bucket allowance;
};

/* Which keys share a slot depends on the seed. A busy slot is shared, an idle one changes hands:
 * the table never grows and a flood costs only those who collide with it. */
struct senders {
	uint8_t seed[16];
	struct sender_slot *slot; /* NULL while nobody asks */
};

void senders_init(struct senders *s, const uint8_t seed[16]);
void senders_fini(struct senders *s);
bool senders_take(struct senders *s, const struct pubkey *key, usec_t now);
/* Frees the slots when none is in use; false when some are. */
bool senders_sweep(struct senders *s, usec_t now);

#endif
