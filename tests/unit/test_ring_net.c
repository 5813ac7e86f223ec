/* test_ring_net.c - many rings on a virtual net: joining, loss of nodes, merging. */
#include "tests/unit/ring_check.h"

static void test_rings_of_all_sizes_close_when_nodes_join_one_by_one(void)
{
	static const int sizes[] = { 2, 3, 7, 10, 60 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct net n;

		net_open(&n, sizes[i], 77 + i);
		join_one_by_one(&n, sizes[i], MSEC(500));
		net_run(&n, SEC(5));
		CHECK_EQ_INT(all_gaps(&n, -1), 0);
		net_run(&n, MINUTES(3));
		CHECK_EQ_INT(all_gaps(&n, -1), 0);
		CHECK_EQ_INT(unroutable(&n), 0);
		net_close(&n);
	}
}

static void test_sixty_that_start_at_once_with_random_bootstraps_become_one_ring(void)
{
	struct net n;

	net_open(&n, 60, 4711);
	start_all(&n, 60);
	net_run(&n, SEC(15));
	CHECK_EQ_INT(all_gaps(&n, -1), 0);
	net_run(&n, MINUTES(3));
	CHECK_EQ_INT(all_gaps(&n, -1), 0);
	CHECK_EQ_INT(unroutable(&n), 0);
	net_close(&n);
}

static void test_a_ring_closes_though_a_third_of_the_routed_messages_is_lost(void)
{
	struct net n;

	net_open(&n, 60, 1234);
	n.loss = 333;
	n.open = true;
	start_all(&n, 60);
	net_run(&n, MINUTES(2));
	CHECK_EQ_INT(all_gaps(&n, -1), 0);
	CHECK(n.lost > 100);
	net_close(&n);
}

static void test_the_loss_of_a_fifth_is_repaired(void)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct net n;

		net_open(&n, 60, seed * 1000003);
		join_one_by_one(&n, 60, MSEC(500));
		net_run(&n, MINUTES(2));
		n.open = true;
		for (int i = 0; i < 60 / 5; i++)
			kill_node(&n, i * 5 + (int)draw(&n, 5), SEC(3));
		net_run(&n, SEC(15));
		CHECK_EQ_INT(all_gaps(&n, -1), 0);
		CHECK_EQ_INT(unroutable(&n), 0);
		net_close(&n);
	}
}

/* More neighbours in a row than a node keeps: nobody left knows both edges of the hole. */
static void test_a_hole_wider_than_the_near_set_is_closed(void)
{
	struct net n;

	net_open(&n, 60, 31337);
	join_one_by_one(&n, 60, MSEC(500));
	net_run(&n, MINUTES(3));
	for (int i = 0; i < 3 * RING_NEAR; i++)
		kill_node(&n, n.by_id[20 + i], SEC(3));
	net_run(&n, SEC(15));
	CHECK_EQ_INT(all_gaps(&n, -1), 0);
	CHECK_EQ_INT(unroutable(&n), 0);
	net_close(&n);
}

/* Each half loses half of its neighbours, and has nothing but what it remembers. */
static void part(struct net *n, usec_t within)
{
	n->open = n->parted = true;
	for (int a = 0; a < n->count; a++)
		for (int b = 0; b < a; b++)
			if (n->node[a].half != n->node[b].half && is_linked(n, a, b))
				post(n, CUT, a, b, draw(n, (uint32_t)within), NULL, 0);
	net_run(n, MINUTES(5));
	CHECK_EQ_INT(all_gaps(n, 0), 0);
	CHECK_EQ_INT(all_gaps(n, 1), 0);
	CHECK(all_gaps(n, -1) > 0);
}

static void test_two_halves_become_one_ring_again_by_one_common_link(void)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct net n;

		net_open(&n, 60, seed * 7777);
		join_one_by_one(&n, 60, MSEC(500));
		net_run(&n, MINUTES(1));
		part(&n, 1);
		for (int i = 0; i < 60; i++) /* nobody remembers anybody */
			while (n.node[i].ring->lost_count)
				lost_forget(n.node[i].ring, &n.node[i].ring->lost[0]->key);
		n.open = n.parted = false;
		link_both(&n, 6, 17);
		net_run(&n, SEC(10));
		CHECK_EQ_INT(all_gaps(&n, -1), 0);
		net_run(&n, MINUTES(3));
		CHECK_EQ_INT(all_gaps(&n, -1), 0);
		CHECK_EQ_INT(unroutable(&n), 0);
		net_close(&n);
	}
}

static void test_halves_of_three_hundred_find_each_other_by_the_links_they_lost(void)
{
	struct net n;
	unsigned s;

	net_open(&n, 300, 5);
	join_one_by_one(&n, 300, MSEC(300));
	net_run(&n, MINUTES(3));
	CHECK_EQ_INT(all_gaps(&n, -1), 0);
	part(&n, SEC(20));
	n.parted = false;
	s = until_closed(&n, 60);
	printf("# 300 nodes, healed after 5 min: one ring %u s later\n", s);
	CHECK(s < 40);
	net_run(&n, MINUTES(2));
	CHECK_EQ_INT(all_gaps(&n, -1), 0);
	CHECK_EQ_INT(unroutable(&n), 0);
	for (int i = 0; i < n.count; i++)
		CHECK(ring_info(n.node[i].ring).lost <= 6); /* they were linked again */
	net_close(&n);
}

static void test_a_ring_that_does_not_change_is_quiet(void)
{
	struct net n;

	net_open(&n, 20, 99);
	join_one_by_one(&n, 20, MSEC(500));
	net_run(&n, MINUTES(5));
	n.sent = 0;
	net_run(&n, MINUTES(10));
	/* 6 near links of 20 nodes, every 4 to 6 min for 10 min. */
	CHECK(n.sent >= 20 * 6 * 10 / 6 && n.sent <= 20 * 6 * 10 / 4 + 60);
	net_close(&n);
}

static const struct test tests[] = {
	TEST(test_rings_of_all_sizes_close_when_nodes_join_one_by_one),
	TEST(test_sixty_that_start_at_once_with_random_bootstraps_become_one_ring),
	TEST(test_a_ring_closes_though_a_third_of_the_routed_messages_is_lost),
	TEST(test_the_loss_of_a_fifth_is_repaired),
	TEST(test_a_hole_wider_than_the_near_set_is_closed),
	TEST(test_two_halves_become_one_ring_again_by_one_common_link),
	TEST(test_halves_of_three_hundred_find_each_other_by_the_links_they_lost),
	TEST(test_a_ring_that_does_not_change_is_quiet),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
