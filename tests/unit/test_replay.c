#include "p2p/replay.h"

#include <stdlib.h>

#include "tests/check.h"

#define W REPLAY_BITS_MIN
#define WMAX REPLAY_BITS_MAX

/* A window of the greatest size at which nothing has been seen: where the fixed-size rules hold. */
static void init_wide(struct replay *r)
{
	replay_init(r);
	while (replay_bits(r) < WMAX) {
		uint64_t late = r->top; /* of the next jump: twice the window too old, once */

		CHECK(replay_mark(r, late + 2 * replay_bits(r) - 1));
		CHECK(!replay_mark(r, late));
	}
}

struct step {
	uint64_t count;
	bool good;
};

/* may and mark agree, except where may says "worth opening" of what will widen the window. */
static void run_steps(struct replay *r, uint64_t base, const struct step *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool may = replay_may(r, base + s[i].count);
		bool good = replay_mark(r, base + s[i].count);

		CHECK(may || !good);
		CHECK(replay_bits(r) < WMAX || may == good);
		CHECK(good == s[i].good);
		if (good != s[i].good)
			printf("# step %zu, count %llu\n", i, (unsigned long long)s[i].count);
	}
}

static void test_replay_counts_are_taken_once_in_any_order(void)
{
	static const struct step steps[] = {
		{ 0, true },	      { 1, true },	       { 1, false },
		{ 9, true },	      { 8, true },	       { 7, true },
		{ 7, false },	      { WMAX, true },	       { WMAX - 1, true },
		{ WMAX - 1, false },  { WMAX - 2, true },      { 2, true },
		{ 2, false },	      { WMAX + 16, true },     { 3, false },
		{ WMAX + 16, false }, { 4 * WMAX, true },      { 3 * WMAX + 1, true },
		{ 10, false },	      { 3 * WMAX, false },     { 3 * WMAX - 1, false },
		{ 3 * WMAX + 2, true }, { 3 * WMAX + 1, false }, { 0, false },
	};
	struct replay r;

	init_wide(&r);
	run_steps(&r, r.top, steps, ARRAY_LEN(steps));
	replay_fini(&r);
}

static void test_replay_counts_end_where_the_wire_does(void)
{
	static const struct step steps[] = {
		{ 0, true },
		{ REPLAY_COUNT_END, false },
		{ REPLAY_COUNT_END - 1, true },
		{ REPLAY_COUNT_END, false },
		{ REPLAY_COUNT_END - 1, false },
		{ REPLAY_COUNT_END - 2, true },
		{ REPLAY_COUNT_END + 1, false },
		{ UINT64_MAX, false },
		{ REPLAY_COUNT_END - WMAX, true },
		{ REPLAY_COUNT_END - WMAX, false },
		{ REPLAY_COUNT_END - WMAX - 1, false },
		{ REPLAY_COUNT_END - 3, true },
		{ REPLAY_COUNT_END - 2, false },
		{ 0, false },
	};
	struct replay r;

	init_wide(&r);
	run_steps(&r, 0, steps + 1, ARRAY_LEN(steps) - 1);
	replay_fini(&r);
	replay_init(&r);
	run_steps(&r, 0, steps, 3);
	CHECK(r.top == REPLAY_COUNT_END);
	replay_fini(&r);
}

static void test_replay_widest_window_is_exactly_its_bits(void)
{
	static const struct step steps[] = {
		{ WMAX, true },	  { WMAX - 1, true }, { WMAX, false },	   { 1, true },
		{ 1, false },	  { 0, false },	      { WMAX + 1, true },  { 2, true },
		{ 1, false },	  { 2, false },	      { 2 * WMAX, true },
		{ WMAX + 1, false },
		{ WMAX + 2, true }, { WMAX, false },  { 3 * WMAX + 7, true },
		{ 2 * WMAX + 8, true }, { 2 * WMAX + 7, false },
	};
	struct replay r;

	init_wide(&r);
	CHECK_EQ_INT(replay_bits(&r), WMAX);
	run_steps(&r, r.top, steps, ARRAY_LEN(steps));
	CHECK_EQ_INT(replay_bits(&r), WMAX);
	replay_fini(&r);
}

/* Rising, falling, twice, with the window's edge in each place: sweeps of the widest window. */
static void test_replay_sweeps_over_the_widest_window(void)
{
	struct replay r;
	uint64_t base;

	init_wide(&r);
	base = r.top;
	for (uint64_t i = 1; i < WMAX; i++)
		CHECK(replay_mark(&r, base + i));
	CHECK(replay_mark(&r, base)); /* the oldest place, exactly on the edge */
	CHECK(!replay_mark(&r, base));
	base = r.top + 5;
	for (uint64_t i = 2; i <= WMAX + 1; i++)
		CHECK(replay_mark(&r, base + i));
	CHECK(!replay_mark(&r, base + 1)); /* one beyond the edge, never seen */
	CHECK(!replay_mark(&r, base));
	base = r.top;
	for (uint64_t i = WMAX; i-- > 0;)
		CHECK(replay_mark(&r, base + i));
	for (uint64_t i = 0; i < WMAX; i++)
		CHECK(!replay_may(&r, base + i) && !replay_mark(&r, base + i));
	base = r.top;
	for (uint64_t i = WMAX; i-- > 1;)
		CHECK(replay_mark(&r, base + i));
	CHECK(replay_mark(&r, base + WMAX)); /* moves the edge past the one hole */
	CHECK(!replay_mark(&r, base));
	replay_fini(&r);
}

static void test_replay_jump_forgets_everything_behind(void)
{
	struct replay r;

	init_wide(&r);
	for (uint64_t step = WMAX - 70; step < WMAX + 70; step++) {
		uint64_t top = r.top + step, edge = top + 1 - WMAX;

		CHECK(replay_mark(&r, top));
		CHECK(!replay_mark(&r, edge - 1));
		CHECK(replay_mark(&r, edge + 140));
		CHECK(replay_mark(&r, top - 1));
	}
	replay_fini(&r);
}

/* Every alignment to words, every distance: what stays in the window stays seen, what the jump
 * passes is open. */
static void test_replay_jump_clears_what_it_passes_and_nothing_else(void)
{
	for (uint64_t start = 0; start < 64; start++)
		for (uint64_t jump = 1; jump <= W + 2; jump++) {
			uint64_t old = start + W, edge;
			unsigned wrong = 0;
			struct replay r;

			replay_init(&r);
			for (uint64_t i = 0; i < old; i++)
				wrong += !replay_mark(&r, i);
			wrong += !replay_mark(&r, old + jump - 1);
			edge = old + jump - W;
			for (uint64_t i = edge; i + 1 < old + jump; i++)
				wrong += replay_may(&r, i) != (i >= old);
			CHECK_EQ_INT(wrong, 0);
			replay_fini(&r);
		}
}

static void test_replay_late_packet_widens_and_is_refused(void)
{
	struct replay r;

	replay_init(&r);
	CHECK(replay_mark(&r, 1000));
	CHECK(replay_may(&r, 1001 - 2 * W)); /* worth opening, to learn that the peer sent it */
	CHECK_EQ_INT(replay_bits(&r), W);
	CHECK(!replay_mark(&r, 1001 - 2 * W));
	CHECK_EQ_INT(replay_bits(&r), 2 * W);
	CHECK_EQ_INT(r.wide->floor, 1001 - W);
	CHECK(!replay_mark(&r, 1001 - 2 * W));
	CHECK(!replay_mark(&r, 1001 - W - 1)); /* inside now, but before the former edge */
	CHECK(replay_mark(&r, 1001 - W));
	CHECK(!replay_mark(&r, 1000));
	replay_fini(&r);
}

static void test_replay_too_late_packet_widens_nothing(void)
{
	struct replay r;

	replay_init(&r);
	CHECK(replay_mark(&r, 1000));
	CHECK(!replay_may(&r, 1000 - 2 * W));
	CHECK(!replay_mark(&r, 1000 - 2 * W));
	CHECK(!replay_mark(&r, 0));
	CHECK_EQ_INT(replay_bits(&r), W);
	replay_fini(&r);
}

static void test_replay_widening_stops_at_the_greatest_size(void)
{
	struct replay r;

	init_wide(&r);
	CHECK(replay_mark(&r, r.top + 2 * WMAX));
	CHECK(!replay_may(&r, r.top - WMAX - 1));
	CHECK(!replay_mark(&r, r.top - WMAX - 1));
	CHECK_EQ_INT(replay_bits(&r), WMAX);
	replay_fini(&r);
}

static void test_replay_floor_is_left_behind_as_the_window_moves(void)
{
	struct replay r;

	replay_init(&r);
	CHECK(replay_mark(&r, 1000));
	CHECK(!replay_mark(&r, 1000 - W - 5));
	CHECK(replay_mark(&r, 5000));
	CHECK(replay_mark(&r, 5001 - 2 * W));
	CHECK(!replay_mark(&r, 5001 - 2 * W));
	replay_fini(&r);
}

/* The oracle: everything ever taken, and the rules said plainly. */
static void test_replay_agrees_with_a_plain_list_on_random_orders(void)
{
	enum { SPAN = 60000 };
	uint8_t *seen = calloc(1, SPAN);
	uint64_t top = 0, floor = 0, bits = W, state = 88172645463325252u;
	unsigned good = 0, widened = 0;
	struct replay r;

	replay_init(&r);
	for (int i = 0; seen && i < 200000; i++) {
		uint64_t count, back, edge = top > bits ? top - bits : 0;
		bool want;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		back = state % 64 < 60 ? (state >> 8) % 150 : (state >> 8) % (2 * bits + 40);
		count = top + (state >> 40) % 3 > back ? top + (state >> 40) % 3 - back : 0;
		if (count >= SPAN)
			break;
		want = count >= edge && count >= floor && !seen[count];
		CHECK(replay_may(&r, count) || !want);
		CHECK(replay_mark(&r, count) == want);
		if (want) {
			seen[count] = 1;
			good++;
			if (count >= top)
				top = count + 1;
		} else if (count < edge && bits < WMAX && count + 2 * bits >= top) {
			floor = floor > edge ? floor : edge;
			bits *= 2;
			widened++;
		}
	}
	CHECK(good > 1000);
	CHECK_EQ_INT(widened, 6);
	CHECK_EQ_INT(replay_bits(&r), WMAX);
	replay_fini(&r);
	free(seen);
}

static const struct test tests[] = {
	TEST(test_replay_counts_are_taken_once_in_any_order),
	TEST(test_replay_counts_end_where_the_wire_does),
	TEST(test_replay_widest_window_is_exactly_its_bits),
	TEST(test_replay_sweeps_over_the_widest_window),
	TEST(test_replay_jump_forgets_everything_behind),
	TEST(test_replay_jump_clears_what_it_passes_and_nothing_else),
	TEST(test_replay_late_packet_widens_and_is_refused),
	TEST(test_replay_too_late_packet_widens_nothing),
	TEST(test_replay_widening_stops_at_the_greatest_size),
	TEST(test_replay_floor_is_left_behind_as_the_window_moves),
	TEST(test_replay_agrees_with_a_plain_list_on_random_orders),
};

int main(void)
{
	return run_tests(tests, ARRAY_LEN(tests));
}
