/* test_ring_life.c - one ring against a script: links that were lost, links because of traffic. */
#include "p2p/ring.h"

#include "tests/unit/ring_script.h"

static void test_a_lost_link_is_tried_again_for_hours_at_its_last_addresses_and_in_turn(void)
{
	struct script s;
	unsigned first[3] = { 0 };

	open_script(&s);
	for (int k = 1; k <= 3; k++)
		up(&s, k);
	for (int k = 1; k <= 3; k++)
		ring_link_down(s.ring, &keys[k], s.now);
	CHECK_EQ_INT(ring_info(s.ring).lost, 3);
	run(&s, MINUTES(5)); /* the ordinary tries are over */
	s.wanted = 0;
	for (int i = 0; i < 120; i++) {
		unsigned before = s.wanted;

		run(&s, SEC(1));
		for (int k = 1; s.wanted > before && k <= 3; k++)
			first[k - 1] += key_equal(&s.last_want.key, &keys[k]);
	}
	CHECK(s.wanted >= 8 && s.wanted <= 13); /* every 9.6 to 14.4 s */
	CHECK(first[0] >= 2 && first[1] >= 2 && first[2] >= 2);
	CHECK(!s.has_agent && s.last_want.addr_count == 1 && s.last_want.once);
	run(&s, HOURS(1));
	s.wanted = 0;
	run(&s, MINUTES(20));
	CHECK(s.wanted >= 16 && s.wanted <= 26); /* now every minute */
	up(&s, 2);
	CHECK_EQ_INT(ring_info(s.ring).lost, 2);
	run(&s, HOURS(24));
	CHECK_EQ_INT(ring_info(s.ring).lost, 0);
	s.wanted = 0;
	run(&s, HOURS(1));
	CHECK_EQ_INT(s.wanted, 0);
	ring_free(s.ring);
}

static void test_not_more_than_32_are_remembered_and_not_who_left_or_was_not_kept(void)
{
	uint8_t leave[] = { MSG_LEAVE, 0 };
	struct script s;
	int idle = nth(30, 14, true);

	open_script(&s);
	for (int k = 1; k < 30; k++)
		up(&s, k);
	CHECK_EQ_INT(ring_role(s.ring, &keys[idle]), RING_NONE);
	ring_link_down(s.ring, &keys[idle], s.now);
	CHECK_EQ_INT(ring_info(s.ring).lost, 0);
	for (int k = 1; k < 30; k++)
		if (k != idle)
			input(&s, k, true, leave, sizeof(leave));
	CHECK_EQ_INT(ring_info(s.ring).lost, 0);
	CHECK_EQ_INT(s.ring->links.count, 0);
	for (int k = 50; k < 150; k++) {
		up(&s, k);
		ring_link_down(s.ring, &keys[k], s.now);
	}
	CHECK_EQ_INT(ring_info(s.ring).lost, LOST_MAX);
	ring_free(s.ring);
}

static void test_eight_messages_in_ten_seconds_make_a_link_and_seven_do_not(void)
{
	struct script s;
	int other = nth(30, 14, true);

	open_script(&s);
	for (int k = 1; k < 30; k++)
		if (k != other)
			up(&s, k);
	run(&s, SEC(15));
	s.wanted = 0;
	for (int i = 0; i < 40; i++) { /* seven in ten seconds */
		ring_traffic(s.ring, &keys[other], s.now);
		run(&s, MSEC(1500));
	}
	CHECK_EQ_INT(s.wanted, 0);
	run(&s, SEC(11));
	for (int i = 0; i < 29; i++)
		ring_traffic(s.ring, &keys[other], s.now);
	CHECK_EQ_INT(s.wanted, 1);
	CHECK(key_equal(&s.last_want.key, &keys[other]) && !s.has_agent);
	up(&s, other);
	CHECK_EQ_INT(ring_role(s.ring, &keys[other]), RING_DEMAND);
	CHECK_EQ_INT(ring_info(s.ring).demand, 1);
	run(&s, SEC(110));
	ring_traffic(s.ring, &keys[other], s.now);
	run(&s, SEC(110));
	CHECK_EQ_INT(ring_role(s.ring, &keys[other]), RING_DEMAND);
	run(&s, SEC(30));
	CHECK_EQ_INT(ring_role(s.ring, &keys[other]), RING_NONE);
	CHECK(s.ring->demand == NULL); /* and no memory is left of it */
	ring_free(s.ring);
}

static void test_a_link_that_is_up_anyway_is_kept_while_there_is_traffic(void)
{
	struct script s;
	int far = nth(30, 14, true);

	open_script(&s);
	for (int k = 1; k < 30; k++)
		up(&s, k);
	for (int i = 0; i < 8; i++)
		ring_traffic(s.ring, &keys[far], s.now);
	CHECK_EQ_INT(ring_role(s.ring, &keys[far]), RING_DEMAND);
	ring_free(s.ring);
}

static void test_forged_sources_of_traffic_cause_a_bounded_number_of_links(void)
{
	struct script s;

	open_script(&s);
	for (int k = 1; k < 20; k++)
		up(&s, k);
	run(&s, SEC(15));
	s.wanted = 0;
	for (int second = 0; second < 100; second++) {
		for (int k = 30; k < 330; k++)
			for (int i = 0; i < 8; i++)
				ring_traffic(s.ring, &keys[k], s.now);
		run(&s, SEC(1));
	}
	CHECK(s.wanted > 10 && s.wanted <= 104);
	for (int k = 30; k < 330; k++)
		up(&s, k);
	for (int k = 30; k < 330; k++)
		for (int i = 0; i < 8; i++)
			ring_traffic(s.ring, &keys[k], s.now);
	run(&s, SEC(40));
	for (int k = 30; k < 330; k++)
		for (int i = 0; i < 8; i++)
			ring_traffic(s.ring, &keys[k], s.now);
	CHECK_EQ_INT(ring_info(s.ring).demand, DEMAND_MAX);
	ring_free(s.ring);
}

static const struct test tests[] = {
	TEST(test_a_lost_link_is_tried_again_for_hours_at_its_last_addresses_and_in_turn),
	TEST(test_not_more_than_32_are_remembered_and_not_who_left_or_was_not_kept),
	TEST(test_eight_messages_in_ten_seconds_make_a_link_and_seven_do_not),
	TEST(test_a_link_that_is_up_anyway_is_kept_while_there_is_traffic),
	TEST(test_forged_sources_of_traffic_cause_a_bounded_number_of_links),
};

int main(void)
{
	return !script_keys() || run_tests(tests, ARRAY_LEN(tests));
}
