/* test_ring_sample.c - the distances of shortcuts, as a distribution: chi-square of their
 * logarithm, which must be even from 1/nodes to 1/2; and samplers with the mistakes that are
 * easily made. */
#include "p2p/ring_sample.h"

#include <math.h>

#include "tests/check.h"

#define BINS 32
#define DRAWS 64000
/* Of 31 degrees of freedom: exceeded once in a thousand; and what no fair sampler ever has. */
#define FAIR 61.1
#define WRONG 300.0

struct source {
	uint64_t state;
};

static void from_source(void *ctx, void *out, size_t len)
{
	struct source *s = ctx;
	uint8_t *b = out;

	for (size_t i = 0; i < len; i++) {
		s->state = s->state * 6364136223846793005u + 1442695040888963407u;
		b[i] = (uint8_t)(s->state >> 56);
	}
}

static double even(struct source *s)
{
	uint32_t v;

	from_source(s, &v, sizeof(v));
	return v / 4294967296.0;
}

static uint64_t of_circle(double part) { return (uint64_t)(part * 18446744073709551616.0); }

static uint64_t ours(struct source *s, uint64_t nodes) { return ring_sample(from_source, s, nodes); }

/* exp(log10(N) * (u - 1)) / 2: "the logarithm" taken to the base of ten where e is meant. */
static uint64_t with_log10(struct source *s, uint64_t nodes)
{
	return of_circle(exp(log10((double)nodes / 2) * (even(s) - 1)) / 2);
}

/* An octave evenly, and evenly within it. */
static uint64_t flat_octaves(struct source *s, uint64_t nodes)
{
	double x;

	do {
		x = (1 + even(s)) * exp2(-2 - floor(even(s) * ceil(log2((double)nodes) - 1)));
	} while (x * (double)nodes < 1);
	return of_circle(x);
}

static double chi_square(uint64_t (*sample)(struct source *s, uint64_t nodes), uint64_t nodes,
			 uint64_t seed)
{
	double lowest = 64 - log2((double)nodes), width = (63 - lowest) / BINS, sum = 0;
	unsigned count[BINS] = { 0 };
	struct source s = { seed };

	for (unsigned i = 0; i < DRAWS; i++) {
		double at = (log2((double)sample(&s, nodes)) - lowest) / width;

		if (at > -0.001 && at < BINS + 0.001)
			count[at < 0 ? 0 : at >= BINS ? BINS - 1 : (unsigned)at]++;
	}
	for (unsigned i = 0; i < BINS; i++) {
		double off = count[i] - (double)DRAWS / BINS;

		sum += off * off * BINS / DRAWS;
	}
	return sum;
}

static void test_the_logarithm_of_the_distance_is_even_in_rings_of_every_size(void)
{
	static const uint64_t sizes[] = { 5, 10, 64, 65, 100, 1000, 4097, 100000, 1u << 30 };
	unsigned worse = 0;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (uint64_t seed = 1; seed <= 5; seed++) {
			double x = chi_square(ours, sizes[i], seed * 7919);

			worse += x > FAIR;
			CHECK(x < 90);
		}
	CHECK(worse <= 1); /* of 45, each with a chance of a thousandth */
}

static void test_a_sampler_with_the_wrong_base_is_rejected(void)
{
	for (uint64_t nodes = 10; nodes <= 100000; nodes *= 10)
		CHECK(chi_square(with_log10, nodes, 1) > WRONG);
}

static void test_a_sampler_that_is_even_within_octaves_is_rejected(void)
{
	for (uint64_t nodes = 64; nodes <= 65536; nodes *= 4)
		CHECK(chi_square(flat_octaves, nodes, 1) > WRONG);
}

static void test_distances_stay_between_one_neighbour_and_half_the_circle(void)
{
	static const uint64_t sizes[] = { 4, 5, 100, 1000000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct source s = { i };
		uint64_t least = UINT64_MAX, most = 0;

		for (int k = 0; k < 20000; k++) {
			uint64_t x = ours(&s, sizes[i]);

			least = x < least ? x : least;
			most = x > most ? x : most;
		}
		CHECK(least >= UINT64_MAX / sizes[i] && least < UINT64_MAX / sizes[i] / 100 * 101);
		CHECK(most < (uint64_t)1 << 63 && most > ((uint64_t)1 << 63) / 100 * 99);
	}
}

static const struct test tests[] = {
	TEST(test_the_logarithm_of_the_distance_is_even_in_rings_of_every_size),
	TEST(test_a_sampler_with_the_wrong_base_is_rejected),
	TEST(test_a_sampler_that_is_even_within_octaves_is_rejected),
	TEST(test_distances_stay_between_one_neighbour_and_half_the_circle),
};

int main(void)
{
	return run_tests(tests, ARRAY_LEN(tests));
}
