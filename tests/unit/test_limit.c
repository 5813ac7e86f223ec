#include "base/limit.h"

#include "tests/check.h"

/* How many of `tries` pass at one moment. */
static int takes(struct limit *l, int tries, usec_t now)
{
	int n = 0;

	while (tries--)
		n += limit_take(l, now);
	return n;
}

static void test_limit_starts_with_a_full_burst_and_then_refuses(void)
{
	struct limit l;

	limit_init(&l, 10, 5);
	CHECK_EQ_INT(takes(&l, 100, SEC(1)), 5);
}

static void test_limit_refills_at_its_rate(void)
{
	struct limit l;

	limit_init(&l, 10, 5);
	CHECK_EQ_INT(takes(&l, 100, SEC(1)), 5);
	CHECK(!limit_take(&l, SEC(1) + MSEC(99)));
	CHECK(limit_take(&l, SEC(1) + MSEC(100)));
	CHECK(!limit_take(&l, SEC(1) + MSEC(100)));
	CHECK_EQ_INT(takes(&l, 100, SEC(1) + MSEC(400)), 3);
}

static void test_limit_never_holds_more_than_its_burst(void)
{
	struct limit l;

	limit_init(&l, 1000, 5);
	CHECK_EQ_INT(takes(&l, 100, SEC(1)), 5);
	CHECK_EQ_INT(takes(&l, 100, DAYS(10000)), 5);
}

static void test_limit_of_full_size_does_not_overflow_after_a_long_pause(void)
{
	struct limit l;

	limit_init(&l, UINT32_MAX, UINT32_MAX);
	CHECK_EQ_INT(takes(&l, 10, SEC(1)), 10);
	CHECK_EQ_INT(takes(&l, 10, USEC_NEVER - 1), 10);
	CHECK_EQ_INT(l.level, ((uint64_t)UINT32_MAX - 10) * 1000000);
}

static void test_limit_time_that_goes_back_gives_nothing(void)
{
	struct limit l;

	limit_init(&l, 10, 1);
	CHECK(limit_take(&l, SEC(100)));
	CHECK(!limit_take(&l, SEC(50)));
	CHECK(!limit_take(&l, SEC(50)));
}

static void test_limit_of_no_tokens_refuses_everything(void)
{
	struct limit l;

	limit_init(&l, 0, 0);
	CHECK_EQ_INT(takes(&l, 10, DAYS(1)), 0);
}

/* How many of `tries` a bucket of 10 a second, 5 at once, lets through at one moment. */
static int pours(struct bucket *b, int tries, usec_t now)
{
	int n = 0;

	while (tries--)
		n += bucket_take(b, 10, 5, now);
	return n;
}

static void test_bucket_of_zeros_is_full_at_any_time(void)
{
	static const usec_t times[] = { 0, 1, SEC(1), DAYS(10000) };

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct bucket b = { 0 };

		CHECK_EQ_INT(pours(&b, 100, times[i]), 5);
	}
}

static void test_bucket_refills_at_its_rate(void)
{
	struct bucket b = { 0 };

	CHECK_EQ_INT(pours(&b, 100, SEC(1)), 5);
	CHECK_EQ_INT(pours(&b, 100, SEC(1) + MSEC(99)), 0);
	CHECK_EQ_INT(pours(&b, 100, SEC(1) + MSEC(100)), 1);
	CHECK_EQ_INT(pours(&b, 100, SEC(1) + MSEC(400)), 3);
}

static void test_bucket_never_holds_more_than_its_burst(void)
{
	struct bucket b = { 0 };

	CHECK_EQ_INT(pours(&b, 100, SEC(1)), 5);
	CHECK_EQ_INT(pours(&b, 100, DAYS(10000)), 5);
}

static void test_bucket_refusals_cost_nothing(void)
{
	struct bucket b = { 0 };

	CHECK_EQ_INT(pours(&b, 100000, SEC(1)), 5);
	CHECK_EQ_INT(pours(&b, 1, SEC(1) + MSEC(100)), 1);
}

static void test_bucket_time_that_goes_back_gives_nothing(void)
{
	struct bucket b = { 0 };

	CHECK_EQ_INT(pours(&b, 100, SEC(100)), 5);
	CHECK_EQ_INT(pours(&b, 100, SEC(50)), 0);
}

static void test_bucket_of_the_largest_burst_does_not_overflow(void)
{
	struct bucket b = { 0 };

	for (unsigned i = 0; i < 10; i++)
		CHECK(bucket_take(&b, 1, UINT32_MAX, SEC(1)));
	CHECK_EQ_INT(b.full, SEC(11));
}

static const struct test tests[] = {
	TEST(test_limit_starts_with_a_full_burst_and_then_refuses),
	TEST(test_limit_refills_at_its_rate),
	TEST(test_limit_never_holds_more_than_its_burst),
	TEST(test_limit_of_full_size_does_not_overflow_after_a_long_pause),
	TEST(test_limit_time_that_goes_back_gives_nothing),
	TEST(test_limit_of_no_tokens_refuses_everything),
	TEST(test_bucket_of_zeros_is_full_at_any_time),
	TEST(test_bucket_refills_at_its_rate),
	TEST(test_bucket_never_holds_more_than_its_burst),
	TEST(test_bucket_refusals_cost_nothing),
	TEST(test_bucket_time_that_goes_back_gives_nothing),
	TEST(test_bucket_of_the_largest_burst_does_not_overflow),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
