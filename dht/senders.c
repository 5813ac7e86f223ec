/* senders.c - one slot per hash of the key; see senders.h for what happens when two meet in one. */
#include "dht/senders.h"

#include <string.h>

#include "base/wire.h"

#define IDLE SEC(1)

void senders_init(struct senders *s, const uint8_t seed[16])
{
	_Static_assert(sizeof(s->seed) == crypto_shorthash_KEYBYTES, "seed is a SipHash key");
	memset(s, 0, sizeof(*s));
	memcpy(s->seed, seed, sizeof(s->seed));
}

bool senders_take(struct senders *s, const struct pubkey *key, usec_t now)
{
	uint8_t h[crypto_shorthash_BYTES];
	struct rd r = rd_of(h, sizeof(h));
	uint64_t who;
	size_t i;

	crypto_shorthash(h, key->b, sizeof(key->b), s->seed);
	who = rd_u64(&r);
	i = who % SENDERS_SLOTS;
	if (s->slot[i].who != who && now >= s->slot[i].limit.last + IDLE) {
		limit_init(&s->slot[i].limit, SENDERS_RATE, SENDERS_RATE);
		s->slot[i].who = who;
	}
	if (s->slot[i].limit.per_second == 0)
		limit_init(&s->slot[i].limit, SENDERS_RATE, SENDERS_RATE);
	return limit_take(&s->slot[i].limit, now);
}
