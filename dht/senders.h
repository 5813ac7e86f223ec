/* senders.h - how often each key may ask us: token buckets in a fixed table. */
#ifndef DHT_SENDERS_H
#define DHT_SENDERS_H

#include "base/key.h"
#include "base/limit.h"

#define SENDERS_SLOTS 64
#define SENDERS_RATE 200 /* requests a second and key */

/* Which keys share a slot depends on the seed. A busy slot is shared, an idle one changes hands:
 * the table never grows and a flood costs only those who collide with it. */
struct senders {
	uint8_t seed[16];
	struct {
		uint64_t who;
		struct limit limit;
	} slot[SENDERS_SLOTS];
};

void senders_init(struct senders *s, const uint8_t seed[16]);
bool senders_take(struct senders *s, const struct pubkey *key, usec_t now);

#endif
