/* test_flow.c - the flow table and the fence. */
#include "vnet/flow.h"

#include <stdlib.h>

#include "tests/check.h"
#include "vnet/fence.h"

static const uint64_t seed[2] = { 0x123456789abcdef1, 0xfedcba9876543211 };
static const uint8_t map_seed[16] = { 1, 2, 3 };

static void test_flow_table_agrees_with_a_naive_one(void)
{
	enum { SPACE = 600 };
	struct flow *naive[SPACE] = { NULL };
	struct flow_marks marks = { 0 };
	uint32_t state = 5;
	struct flows t;

	flows_init(&t, &marks, seed, NULL);
	for (int step = 0; step < 20000; step++) {
		uint32_t i = (state = state * 1664525 + 1013904223) >> 8 & 511;
		struct ip ip = ip_v4(0x0a000000 + i);

		CHECK(flow_find(&t, &ip) == naive[i]);
		if (naive[i]) {
			flow_del(naive[i]);
			naive[i] = NULL;
		} else {
			naive[i] = flow_add(&t, &ip, 1);
		}
	}
	for (uint32_t i = 0; i < SPACE; i++) {
		struct ip ip = ip_v4(0x0a000000 + i);

		CHECK(flow_find(&t, &ip) == naive[i]);
	}
	flows_fini(&t);
}

static void test_flow_iteration_meets_each_once_and_marks_are_their_own(void)
{
	struct flow_marks marks = { 0 };
	struct flows t;
	size_t at = 0, n = 0;
	struct flow *f;

	flows_init(&t, &marks, seed, NULL);
	for (uint32_t i = 0; i < 1000; i++) {
		struct ip ip = ip_v4(i);

		flow_mark(flow_add(&t, &ip, 1))->packets = i + 1;
	}
	for (; (f = flow_next(&t, &at)); n++)
		CHECK_EQ_INT(flow_mark(f)->packets, ip_to_v4(&f->ip) + 1);
	CHECK_EQ_INT(n, 1000);
	flows_fini(&t);
}

static void test_flow_victim_is_the_one_not_used(void)
{
	struct flow_marks marks = { 0 };
	struct flow *f[40];
	struct flows t;

	flows_init(&t, &marks, seed, NULL);
	for (uint32_t i = 0; i < 40; i++) {
		struct ip ip = ip_v4(i);

		f[i] = flow_add(&t, &ip, 10);
		flow_mark(f[i])->used = i == 20 ? 10 : 50;
	}
	CHECK(flow_victim(&t) == f[20]);
	flow_del(f[20]);
	for (uint32_t i = 0; i < 40; i++)
		if (i != 20)
			flow_mark(f[i])->used = i == 31 ? 60 : 100;
	CHECK(flow_victim(&t) == f[31]); /* all in use: the least recently */
	flows_fini(&t);
}

static void test_fence_lower_generation_is_refused_for_ever(void)
{
	struct pubkey a = { { 1 } }, b = { { 2 } };
	struct ip ip = ip_v4(1), other = ip_v4(2);
	struct fence f;

	fence_init(&f, map_seed);
	CHECK_EQ_INT(fence_judge(&f, &ip, &a, 5), FENCE_PASS);
	CHECK_EQ_INT(fence_judge(&f, &ip, &a, 5), FENCE_PASS);
	CHECK_EQ_INT(fence_judge(&f, &ip, &a, 4), FENCE_OLD);
	CHECK_EQ_INT(fence_judge(&f, &other, &b, 1), FENCE_PASS);
	CHECK_EQ_INT(fence_judge(&f, &ip, &b, 6), FENCE_PASS);
	CHECK_EQ_INT(fence_judge(&f, &ip, &a, 5), FENCE_OLD);
	fence_fini(&f);
}

static void test_fence_two_owners_of_one_generation_are_both_refused(void)
{
	struct pubkey a = { { 1 } }, b = { { 2 } };
	struct ip ip = ip_v4(1);
	struct fence f;

	fence_init(&f, map_seed);
	CHECK_EQ_INT(fence_judge(&f, &ip, &a, 5), FENCE_PASS);
	CHECK_EQ_INT(fence_judge(&f, &ip, &b, 5), FENCE_CONFLICT);
	CHECK_EQ_INT(fence_judge(&f, &ip, &a, 5), FENCE_CONFLICT);
	CHECK_EQ_INT(fence_judge(&f, &ip, &b, 6), FENCE_PASS);
	fence_fini(&f);
}

static void test_fence_is_bounded_and_forgets_the_oldest(void)
{
	struct pubkey a = { { 1 } };
	struct ip first = ip_v4(0), kept = ip_v4(1);
	struct fence f;

	fence_init(&f, map_seed);
	for (uint32_t i = 0; i <= FENCE_MAX; i++) {
		struct ip ip = ip_v4(i);

		fence_judge(&f, &ip, &a, 5);
	}
	CHECK_EQ_INT(f.by_ip.count, FENCE_MAX);
	CHECK_EQ_INT(fence_judge(&f, &kept, &a, 4), FENCE_OLD);
	CHECK_EQ_INT(fence_judge(&f, &first, &a, 4), FENCE_PASS);
	fence_fini(&f);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_flow_table_agrees_with_a_naive_one),
		TEST(test_flow_iteration_meets_each_once_and_marks_are_their_own),
		TEST(test_flow_victim_is_the_one_not_used),
		TEST(test_fence_lower_generation_is_refused_for_ever),
		TEST(test_fence_two_owners_of_one_generation_are_both_refused),
		TEST(test_fence_is_bounded_and_forgets_the_oldest),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
