/* sim_world.c - see sim_world.h. */
#include "cmd/sim_world.h"

#include <assert.h>
#include <stdbool.h>

#include "base/mem.h"

/* xoshiro256** (Blackman, Vigna 2018), seeded by splitmix64. */
static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

uint64_t sim_rng_next(struct sim_rng *rng)
{
	uint64_t *r = rng->s, out = rotl(r[1] * 5, 7) * 9, t = r[1] << 17;

	r[2] ^= r[0];
	r[3] ^= r[1];
	r[1] ^= r[2];
	r[0] ^= r[3];
	r[2] ^= t;
	r[3] = rotl(r[3], 45);
	return out;
}

void sim_rng_seed(struct sim_rng *r, uint64_t x)
{
	for (size_t i = 0; i < 4; i++) {
		uint64_t z = x += 0x9e3779b97f4a7c15ull;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ z >> 27) * 0x94d049bb133111ebull;
		r->s[i] = z ^ z >> 31;
	}
}

void sim_rng_fill(struct sim_rng *r, void *out, size_t len)
{
	uint8_t *b = out;

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)(sim_rng_next(r) >> 32);
}

static bool before(const struct sim_item *a, const struct sim_item *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void sim_heap_push(struct sim_heap *h, struct sim_item *e)
{
	size_t i = h->count++;

	if (h->count > h->size) {
		h->size = h->size ? h->size * 2 : 1024;
		h->v = mem_resize(h->v, h->size * sizeof(*h->v));
	}
	e->seq = h->seq++;
	for (; i && before(e, h->v[(i - 1) / 2]); i = (i - 1) / 2)
		h->v[i] = h->v[(i - 1) / 2];
	h->v[i] = e;
}

struct sim_item *sim_heap_pop(struct sim_heap *h)
{
	struct sim_item *top, *last;
	size_t i = 0, child;

	assert(h->count);
	top = h->v[0];
	last = h->v[--h->count];
	while ((child = 2 * i + 1) < h->count) {
		if (child + 1 < h->count && before(h->v[child + 1], h->v[child]))
			child++;
		if (!before(h->v[child], last))
			break;
		h->v[i] = h->v[child];
		i = child;
	}
	h->v[i] = last;
	return top;
}
