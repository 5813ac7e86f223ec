/* test_ring_leaf.c - a leaf's one link, and a ring that has leaves. */
#include "p2p/ring.h"

#include "tests/unit/ring_check.h"
#include "tests/unit/ring_script.h"

static void test_a_leaf_keeps_its_first_link_and_says_what_it_is(void)
{
	struct node_id to = id_of(&keys[50]);
	struct script s;

	open_script_as(&s, RING_LEAF);
	up(&s, 1);
	CHECK_EQ_INT(s.types[MSG_LINK], 1);
	CHECK_EQ_INT(s.link_flags, LINK_LEAF);
	up(&s, 2);
	CHECK_EQ_INT(s.types[MSG_LINK], 2);
	CHECK_EQ_INT(ring_role(s.ring, &keys[1]), RING_UPLINK);
	CHECK_EQ_INT(ring_role(s.ring, &keys[2]), RING_NONE);
	CHECK(key_equal(ring_agent(s.ring, 0), &keys[1]));
	CHECK(key_equal(ring_agent(s.ring, 5), &keys[1]));
	CHECK(ring_next(s.ring, &to, NULL, false) == NULL); /* it forwards for nobody */
	to = id_of(&keys[2]);
	CHECK(key_equal(ring_next(s.ring, &to, NULL, false), &keys[2]));
	run(&s, HOURS(2)); /* and asks nothing but twice an hour for others to link with */
	CHECK_EQ_INT(s.routed, 0);
	CHECK_EQ_INT(s.types[MSG_STATUS], s.sent - 2);
	CHECK(s.sent <= 2 + 5);
	ring_free(s.ring);
}

static void test_a_leaf_whose_uplink_goes_down_takes_what_is_up_or_whom_it_heard_of(void)
{
	struct script s;

	open_script_as(&s, RING_LEAF);
	up(&s, 1);
	up(&s, 2);
	status(&s, 1, 0, 10, 4);
	CHECK_EQ_INT(s.wanted, 0);
	ring_link_down(s.ring, &keys[1], s.now);
	CHECK_EQ_INT(ring_role(s.ring, &keys[2]), RING_UPLINK);
	ring_tick(s.ring, s.now);
	CHECK_EQ_INT(s.wanted, 0);
	ring_link_down(s.ring, &keys[2], s.now);
	ring_tick(s.ring, s.now);
	CHECK_EQ_INT(s.wanted, 1);
	CHECK(!s.has_agent && s.last_want.addr_count > 0);
	run(&s, SEC(10));
	CHECK(s.wanted >= 3 && s.wanted <= 6);
	s.wanted = 0;
	run(&s, MINUTES(10));
	CHECK(s.wanted >= 15 && s.wanted <= 30);
	up(&s, 11);
	CHECK_EQ_INT(ring_role(s.ring, &keys[11]), RING_UPLINK);
	s.wanted = 0;
	run(&s, MINUTES(10));
	CHECK_EQ_INT(s.wanted, 0);
	ring_free(s.ring);
}

static void test_a_refused_leaf_goes_elsewhere(void)
{
	struct script s;

	open_script_as(&s, RING_LEAF);
	up(&s, 1);
	status(&s, 1, 0, 10, 4);
	say_link(&s, 1, LINK_REFUSED);
	CHECK_EQ_INT(ring_role(s.ring, &keys[1]), RING_NONE);
	ring_tick(s.ring, s.now);
	CHECK_EQ_INT(s.wanted, 1);
	up(&s, 10);
	CHECK_EQ_INT(ring_role(s.ring, &keys[10]), RING_UPLINK);
	ring_free(s.ring);
}

static void test_a_leaf_is_no_uplink_of_a_leaf(void)
{
	struct script s;

	open_script_as(&s, RING_LEAF);
	up(&s, 1);
	up(&s, 2);
	say_link(&s, 1, LINK_LEAF);
	CHECK_EQ_INT(ring_role(s.ring, &keys[1]), RING_NONE);
	CHECK_EQ_INT(ring_role(s.ring, &keys[2]), RING_UPLINK);
	ring_free(s.ring);
}

static void test_what_a_leaf_is_told_is_bounded(void)
{
	struct script s;

	open_script_as(&s, RING_LEAF);
	up(&s, 1);
	for (int i = 0; i < 1000; i++) {
		status(&s, 1, FLAG_ANSWER, 10 + i % 300, 16);
		run(&s, MSEC(20));
	}
	CHECK_EQ_INT(ring_info(s.ring).lost, LEAF_CONTACTS);
	CHECK_EQ_INT(ring_info(s.ring).contacts, 0);
	CHECK_EQ_INT(s.types[MSG_STATUS], 0);
	ring_free(s.ring);
}

static void test_a_peer_routes_to_its_leaf_and_never_through_it_nor_tells_of_it(void)
{
	struct script s;
	int leaf = nth(20, 0, true), second = nth(20, 1, true);
	struct node_id id = id_of(&keys[leaf]), beyond = id_of(&keys[second]);

	open_script(&s);
	for (int k = 1; k < 20; k++)
		up(&s, k);
	CHECK_EQ_INT(ring_role(s.ring, &keys[leaf]), RING_IS_NEAR);
	say_link(&s, leaf, LINK_LEAF);
	CHECK_EQ_INT(ring_role(s.ring, &keys[leaf]), RING_OF_LEAF);
	CHECK_EQ_INT(ring_role(s.ring, &keys[nth(20, RING_NEAR, true)]), RING_IS_NEAR);
	CHECK_EQ_INT(ring_info(s.ring).leaves, 1);
	CHECK_EQ_INT(ring_info(s.ring).links, 18);
	CHECK(key_equal(ring_next(s.ring, &id, NULL, false), &keys[leaf]));
	CHECK(!ring_next(s.ring, &id, &id, false) ||
	      !key_equal(ring_next(s.ring, &id, &id, false), &keys[leaf]));
	ring_link_down(s.ring, &keys[second], s.now);
	CHECK(!ring_next(s.ring, &beyond, NULL, false) ||
	      !key_equal(ring_next(s.ring, &beyond, NULL, false), &keys[leaf]));
	run(&s, SEC(5));
	for (int i = 0; i < 50; i++) { /* whatever is told to anybody */
		int asker = 1 + i % 19;

		s.len = 0;
		if (asker == leaf || asker == second)
			continue;
		status(&s, asker, FLAG_ANSWER, 1, 0);
		run(&s, SEC(2));
		for (size_t at = 0; at + KEY_LEN <= s.len; at++)
			CHECK(memcmp(s.msg + at, keys[leaf].b, KEY_LEN) != 0);
	}
	CHECK_EQ_INT(ring_info(s.ring).lost, 1);
	ring_link_down(s.ring, &keys[leaf], s.now);
	CHECK_EQ_INT(ring_info(s.ring).lost, 1); /* it comes back by itself */
	CHECK_EQ_INT(ring_info(s.ring).leaves, 0);
	ring_free(s.ring);
}

static void test_the_sixty_fifth_leaf_is_refused(void)
{
	struct script s;

	open_script(&s);
	for (int k = 1; k <= LEAVES_MAX + 1; k++) {
		up(&s, k);
		say_link(&s, k, LINK_LEAF);
		CHECK_EQ_INT(s.types[MSG_LINK], k > LEAVES_MAX);
	}
	CHECK_EQ_INT(s.link_flags, LINK_REFUSED);
	CHECK_EQ_INT(ring_role(s.ring, &keys[LEAVES_MAX]), RING_OF_LEAF);
	CHECK_EQ_INT(ring_role(s.ring, &keys[LEAVES_MAX + 1]), RING_NONE);
	ring_free(s.ring);
}

static void test_a_ring_with_leaves_closes_without_them_and_a_lost_uplink_is_replaced(void)
{
	struct net n;
	int uplinks = 0;

	net_open(&n, 44, 3);
	n.open = true;
	join_one_by_one(&n, 40, MSEC(300));
	for (int i = 40; i < 44; i++) {
		start_as(&n, i, RING_LEAF);
		link_both(&n, i, i - 40);
	}
	net_run(&n, MINUTES(2));
	CHECK_EQ_INT(all_gaps(&n, -1), 0);
	CHECK_EQ_INT(unroutable(&n), 0);
	for (int i = 40; i < 44; i++) {
		CHECK(is_linked(&n, i, i - 40) && keeps(&n, i, i - 40) && keeps(&n, i - 40, i));
		CHECK_EQ_INT(ring_info(n.node[i].ring).links, 1);
	}
	kill_node(&n, 0, SEC(1));
	net_run(&n, SEC(10));
	for (int b = 1; b < 40; b++)
		uplinks += is_linked(&n, 40, b) && keeps(&n, 40, b) && keeps(&n, b, 40);
	CHECK_EQ_INT(uplinks, 1);
	net_close(&n);
}

static const struct test tests[] = {
	TEST(test_a_leaf_keeps_its_first_link_and_says_what_it_is),
	TEST(test_a_leaf_whose_uplink_goes_down_takes_what_is_up_or_whom_it_heard_of),
	TEST(test_a_refused_leaf_goes_elsewhere),
	TEST(test_a_leaf_is_no_uplink_of_a_leaf),
	TEST(test_what_a_leaf_is_told_is_bounded),
	TEST(test_a_peer_routes_to_its_leaf_and_never_through_it_nor_tells_of_it),
	TEST(test_the_sixty_fifth_leaf_is_refused),
	TEST(test_a_ring_with_leaves_closes_without_them_and_a_lost_uplink_is_replaced),
};

int main(void)
{
	return !script_keys() || run_tests(tests, ARRAY_LEN(tests));
}
