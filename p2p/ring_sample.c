/* ring_sample.c - see ring_sample.h.
 *
 * With density 1/x every octave [d, 2d) weighs the same, so first an octave is drawn evenly among
 * those between 1/nodes and 1/2. Within it x = d * m with m evenly from [1, 2), taken with
 * probability 1/m: that leaves 1/x exactly. The lowest octave may begin below 1/nodes; what falls
 * there is drawn again from the start. No floating point: equal on all machines, and no base of a
 * logarithm to get wrong (one well-known implementation takes log10 for ln and has no link shorter
 * than a twentieth of a ring of 1000). */
#include "p2p/ring_sample.h"

#include <assert.h>

struct source {
	void (*random)(void *ctx, void *out, size_t len);
	void *ctx;
};

static uint32_t random32(const struct source *s)
{
	uint8_t b[4];

	s->random(s->ctx, b, sizeof(b));
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* m from [1, 2) in 2^-31, with density proportional to 1/m. */
static uint32_t mantissa(const struct source *s)
{
	uint32_t m;

	do {
		m = random32(s) | 0x80000000u;
	} while ((uint64_t)random32(s) * m >= (uint64_t)1 << 63);
	return m;
}

/* How many octaves it takes from 1/2 down to 1/nodes. */
static unsigned octaves(uint64_t nodes)
{
	unsigned n = 1;

	while (n < 62 && (uint64_t)1 << (n + 1) < nodes)
		n++;
	return n;
}

uint64_t ring_sample(void (*random)(void *ctx, void *out, size_t len), void *ctx, uint64_t nodes)
{
	struct source s = { random, ctx };
	uint64_t lowest = UINT64_MAX / nodes, x;
	unsigned count = octaves(nodes);

	assert(nodes >= 4);
	do {
		x = (uint64_t)mantissa(&s) << 32 | random32(&s); /* from the half circle up */
		x >>= 1 + random32(&s) % count;
	} while (x < lowest);
	return x;
}
