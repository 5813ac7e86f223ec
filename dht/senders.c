/* senders.c - one slot per hash of the key; see senders.h for what happens when two meet in one. */
#include "dht/senders.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/wire.h"

void senders_init(struct senders *s, const uint8_t seed[16])
{
	_Static_assert(sizeof(s->seed) == crypto_shorthash_KEYBYTES, "seed is a SipHash key");
	s->slot = NULL;
	memcpy(s->seed, seed, sizeof(s->seed));
}

void senders_fini(struct senders *s)
{
	free(s->slot);
	s->slot = NULL;
}

bool senders_take(struct senders *s, const struct pubkey *key, usec_t now)
{
	uint8_t h[crypto_shorthash_BYTES];
	struct rd r = rd_of(h, sizeof(h));
	struct sender_slot *slot;
	uint64_t who;

	crypto_shorthash(h, key->b, sizeof(key->b), s->seed);
	who = rd_u64(&r);
	if (!s->slot)
		s->slot = mem_new(SENDERS_SLOTS * sizeof(*s->slot));
	slot = &s->slot[who % SENDERS_SLOTS];
	if (slot->allowance.full < now)
		slot->who = who;
	return bucket_take(&slot->allowance, SENDERS_RATE, SENDERS_RATE, now);
}

bool senders_sweep(struct senders *s, usec_t now)
{
	for (size_t i = 0; s->slot && i < SENDERS_SLOTS; i++)
		if (s->slot[i].allowance.full >= now)
			return false;
	senders_fini(s);
	return true;
}
