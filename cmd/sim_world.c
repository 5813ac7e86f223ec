/* sim_world.c - see sim_world.h. The heap is 4-ary and holds its items by value: what is compared
 * lies side by side. */
#include "cmd/sim_world.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ARITY 4

/* xoshiro256** (Blackman, Vigna 2018), seeded by splitmix64. */
static uint64_t rotl(uint64_t x, int k) { return x << k | x >> (64 - k); }

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

	while (len) {
		uint64_t word = sim_rng_next(r);

		for (size_t i = 0; i < 8 && len; i++, len--)
			*b++ = (uint8_t)(word >> 8 * i);
	}
}

/* log2 by repeated squaring: each square of a number in [1, 2) gives one binary digit. */
uint64_t sim_rng_half_lives(struct sim_rng *r)
{
	uint64_t u = sim_rng_next(r) | 1, whole = 63, x;
	uint64_t digits = 0;

	while (!(u >> whole))
		whole--;
	x = (u << (63 - whole)) >> 32; /* in [2^31, 2^32), standing for [1, 2) */
	for (unsigned i = 0; i < 16; i++) {
		x = x * x >> 31;
		digits = digits << 1 | x >> 32;
		x >>= x >> 32;
	}
	return (64 << 16) - (whole << 16 | digits);
}

static bool before(const struct sim_item *a, const struct sim_item *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void sim_heap_push(struct sim_heap *h, usec_t at, unsigned kind, uint64_t what)
{
	struct sim_item item = { at, h->seq++ * SIM_KINDS + kind, what };
	size_t i = h->count++;

	assert(kind < SIM_KINDS);
	if (h->count > h->size) {
		h->size = h->size ? h->size * 2 : 1024;
		h->v = mem_resize(h->v, h->size * sizeof(*h->v));
	}
	for (; i && before(&item, &h->v[(i - 1) / ARITY]); i = (i - 1) / ARITY)
		h->v[i] = h->v[(i - 1) / ARITY];
	h->v[i] = item;
}

static size_t least_child(const struct sim_heap *h, size_t first)
{
	size_t end = first + ARITY < h->count ? first + ARITY : h->count, least = first;

	for (size_t c = first + 1; c < end; c++)
		if (before(&h->v[c], &h->v[least]))
			least = c;
	return least;
}

struct sim_item sim_heap_pop(struct sim_heap *h)
{
	struct sim_item top, last;
	size_t i = 0;

	assert(h->count);
	top = h->v[0];
	last = h->v[--h->count];
	while (ARITY * i + 1 < h->count) {
		size_t child = least_child(h, ARITY * i + 1);

		if (!before(&h->v[child], &last))
			break;
		h->v[i] = h->v[child];
		i = child;
	}
	h->v[i] = last;
	return top;
}

void sim_heap_fini(struct sim_heap *h)
{
	free(h->v);
	*h = (struct sim_heap){ 0 };
}

uint64_t sim_mix_bytes(uint64_t hash, const uint8_t *b, size_t len)
{
	uint64_t word;

	for (; len >= 8; b += 8, len -= 8) {
		memcpy(&word, b, 8);
		hash = sim_mix(hash, word);
	}
	word = len;
	for (; len; b++, len--)
		word = word << 8 | *b;
	return sim_mix(hash, word);
}
