/* limit.h - token buckets. */
#ifndef BASE_LIMIT_H
#define BASE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

struct limit {
	uint32_t per_second, burst;
	uint64_t level; /* micro-tokens in the bucket */
	usec_t last;
};

static inline void limit_init(struct limit *l, uint32_t per_second, uint32_t burst)
{
	*l = (struct limit){ per_second, burst, (uint64_t)burst * 1000000, 0 };
}

/* True, and one token less, when there is one. */
static inline bool limit_take(struct limit *l, usec_t now)
{
	uint64_t full = (uint64_t)l->burst * 1000000;
	usec_t gone = now > l->last ? now - l->last : 0;

	if (gone > SEC(3600))
		gone = SEC(3600);
	l->last = now;
	l->level += gone * l->per_second;
	if (l->level > full)
		l->level = full;
	if (l->level < 1000000)
		return false;
	l->level -= 1000000;
	return true;
}

/* The same in 8 bytes, for those of which there are many: the owner names the rate at each call, at
 * most 10^6 a second. All zero = full. */
struct bucket {
	usec_t full; /* when it is full again */
};

static inline bool bucket_take(struct bucket *b, uint32_t per_second, uint32_t burst, usec_t now)
{
	usec_t each = 1000000 / per_second, full = b->full > now ? b->full : now;

	if (full + each > now + burst * each)
		return false;
	b->full = full + each;
	return true;
}

#endif
