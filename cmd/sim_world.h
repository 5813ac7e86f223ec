/* sim_world.h - what the simulated world is made of: the seeded generator and the queue of what
 * is to happen, ordered by (time, sequence). */
#ifndef CMD_SIM_WORLD_H
#define CMD_SIM_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

struct sim_rng {
	uint64_t s[4];
};

struct sim_item { /* first member of whatever waits */
	usec_t at;
	uint64_t seq;
};

struct sim_heap { /* of pointers; items belong to the caller; free(v) at the end */
	struct sim_item **v;
	size_t count, size;
	uint64_t seq;
};

void sim_rng_seed(struct sim_rng *r, uint64_t x);
uint64_t sim_rng_next(struct sim_rng *r);
void sim_rng_fill(struct sim_rng *r, void *out, size_t len);
void sim_heap_push(struct sim_heap *h, struct sim_item *e);
struct sim_item *sim_heap_pop(struct sim_heap *h); /* the earliest; not when empty */

#endif
