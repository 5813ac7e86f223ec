/* sim_world.h - what the simulated world is made of: the seeded generator, the queue of what is to
 * happen, ordered by (time, sequence), and the hash over what happened. */
#ifndef CMD_SIM_WORLD_H
#define CMD_SIM_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

struct sim_rng {
	uint64_t s[4];
};

void sim_rng_seed(struct sim_rng *r, uint64_t x);
uint64_t sim_rng_next(struct sim_rng *r);
void sim_rng_fill(struct sim_rng *r, void *out, size_t len);
/* -log2 of a uniform number in (0, 1], in units of 1/65536: exponential, median 65536. Integers
 * only: the same with every compiler. */
uint64_t sim_rng_half_lives(struct sim_rng *r);

enum { SIM_KINDS = 8 }; /* an item's kind is below this */

struct sim_item {
	usec_t at;
	uint64_t seq;  /* lowest three bits: the kind */
	uint64_t what; /* the pusher's */
};

static inline unsigned sim_item_kind(const struct sim_item *i) { return i->seq % SIM_KINDS; }

struct sim_heap {
	struct sim_item *v;
	size_t count, size;
	uint64_t seq;
};

void sim_heap_push(struct sim_heap *h, usec_t at, unsigned kind, uint64_t what);
struct sim_item sim_heap_pop(struct sim_heap *h); /* the earliest; not when empty */
void sim_heap_fini(struct sim_heap *h);

/* The trace: 64 bits folded over every event. It tells runs apart; it is no defence. */
static inline uint64_t sim_mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

uint64_t sim_mix_bytes(uint64_t hash, const uint8_t *b, size_t len);

#endif
