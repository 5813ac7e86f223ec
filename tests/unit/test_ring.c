/* test_ring.c - one ring against a script: next hops, kept links, contacts that are wanted. */
#include "p2p/ring.h"

#include "tests/unit/ring_script.h"

static void check_next_hops(int links)
{
	struct node_id me = id_of(&keys[0]);
	struct script s;

	open_script(&s);
	for (int k = 1; k < links; k++)
		up(&s, k);
	for (int t = 1; t < KEYS; t++) {
		struct node_id to = id_of(&keys[t]), except = id_of(&keys[1 + t % (links - 1)]);
		const struct pubkey *got = ring_next(s.ring, &to, &except, false);
		struct node_id best = me;

		for (int k = 1; k < links; k++) {
			struct node_id id = id_of(&keys[k]);

			if (!id_equal(&id, &except) && id_ring_compare(&to, &id, &best) < 0)
				best = id;
		}
		CHECK_EQ_INT(got == NULL, id_equal(&best, &me));
		if (got) {
			struct node_id id = id_of(got);

			CHECK(id_equal(&id, &best));
		}
	}
	ring_free(s.ring);
}

static void test_the_next_hop_is_the_nearest_link_and_always_nearer_than_we_are(void)
{
	check_next_hops(2);
	check_next_hops(40);
	check_next_hops(SLOTS + 60); /* more than are kept in the array of ids */
}

static void test_the_next_hop_may_be_nobody(void)
{
	struct node_id me = id_of(&keys[0]), other = id_of(&keys[1]);
	struct script s;

	open_script(&s);
	CHECK(ring_next(s.ring, &other, NULL, false) == NULL);
	CHECK(ring_agent(s.ring, 3) == NULL);
	up(&s, 1);
	CHECK(ring_next(s.ring, &me, NULL, false) == NULL);
	CHECK(ring_next(s.ring, &other, &other, false) == NULL);
	CHECK(ring_next(s.ring, &other, NULL, false) != NULL);
	ring_link_down(s.ring, ring_next(s.ring, &other, NULL, false), s.now);
	CHECK(ring_next(s.ring, &other, NULL, false) == NULL);
	ring_free(s.ring);
}

static void test_the_three_nearest_links_a_side_are_kept_and_no_others(void)
{
	struct script s;
	int kept = 0;

	open_script(&s);
	for (int k = 1; k < 50; k++)
		up(&s, k);
	for (int k = 1; k < 50; k++)
		kept += ring_keeps(s.ring, &keys[k]);
	CHECK_EQ_INT(kept, 2 * RING_NEAR);
	for (int i = 0; i < RING_NEAR; i++) {
		CHECK(ring_keeps(s.ring, &keys[nth(50, i, true)]));
		CHECK(ring_keeps(s.ring, &keys[nth(50, i, false)]));
	}
	CHECK(!ring_keeps(s.ring, &keys[60]));
	ring_free(s.ring);
}

static void test_agents_are_the_oldest_links_in_turn(void)
{
	struct script s;

	open_script(&s);
	for (int k = 1; k < 4; k++)
		up(&s, k);
	for (unsigned a = 0; a < 7; a++)
		CHECK(key_equal(ring_agent(s.ring, a), &keys[1 + a % 3]));
	ring_free(s.ring);
}

static void test_a_nearer_contact_is_wanted_by_its_informer_and_a_farther_one_is_not(void)
{
	struct node_id informer;
	struct script s;
	int best = nth(50, 0, true), far = nth(50, 24, true), links = 0;

	open_script(&s);
	for (int k = 1; k < 50; k++)
		if (k != best && k != far) {
			up(&s, k);
			links = k;
		}
	status(&s, links, 0, far, 1);
	run(&s, SEC(3));
	CHECK_EQ_INT(s.wanted, 0);
	status(&s, links, 0, best, 1);
	status(&s, links, 0, links, 1); /* a link, */
	status(&s, links, 0, 0, 1);	/* and we ourselves */
	ring_tick(s.ring, s.now);
	CHECK_EQ_INT(s.wanted, 1);
	CHECK(key_equal(&s.last_want.key, &keys[best]));
	CHECK_EQ_INT(s.last_want.addr_count, 2);
	informer = id_of(&keys[links]);
	CHECK(s.has_agent && id_equal(&s.last_agent, &informer));
	up(&s, best);
	run(&s, MINUTES(1));
	CHECK_EQ_INT(s.wanted, 1);
	CHECK(ring_keeps(s.ring, &keys[best]));
	ring_free(s.ring);
}

static void test_a_contact_that_cannot_be_reached_is_tried_with_growing_pauses_then_forgotten(void)
{
	struct script s;

	open_script(&s);
	up(&s, 1);
	status(&s, 1, 0, 2, 1);
	for (int i = 0; i < 60; i++) {
		run(&s, SEC(1));
		status(&s, 1, 0, 2, 1); /* being mentioned does not help */
	}
	CHECK(s.wanted >= 5 && s.wanted <= WANT_TRIES);
	for (unsigned i = 1; i + 1 < s.wanted; i++)
		CHECK(s.wanted_at[i + 1] - s.wanted_at[i] > s.wanted_at[i] - s.wanted_at[i - 1]);
	run(&s, MINUTES(4));
	CHECK_EQ_INT(s.wanted, WANT_TRIES);
	CHECK_EQ_INT(s.ring->known.count, 0);
	ring_free(s.ring);
}

/* Those who noticed later tell of it for a while; then who tells of it has a link with it. */
static void test_a_neighbour_that_was_lost_is_believed_again_half_a_minute_later(void)
{
	struct script s;
	unsigned before;

	open_script(&s);
	up(&s, 1);
	up(&s, 2);
	run(&s, SEC(20));
	ring_link_down(s.ring, &keys[2], s.now);
	run(&s, SEC(8));
	CHECK(s.wanted >= 2 && s.wanted <= 3); /* one of them may be of ring_lost.c */
	before = s.wanted;
	status(&s, 1, 0, 2, 1);
	ring_tick(s.ring, s.now);
	CHECK_EQ_INT(s.wanted, before);
	run(&s, SEC(25));
	before = s.wanted;
	status(&s, 1, 0, 2, 1);
	ring_tick(s.ring, s.now);
	CHECK_EQ_INT(s.wanted, before + 1);
	ring_free(s.ring);
}

static void test_a_contact_nobody_mentions_is_forgotten_after_two_minutes(void)
{
	struct script s;
	int far = nth(50, 24, true);

	open_script(&s);
	for (int k = 1; k < 50; k++)
		if (k != far)
			up(&s, k);
	status(&s, far == 1 ? 2 : 1, 0, far, 1);
	run(&s, SEC(110));
	CHECK_EQ_INT(s.ring->known.count, 1);
	run(&s, SEC(25));
	CHECK_EQ_INT(s.ring->known.count, 0);
	CHECK_EQ_INT(s.wanted, 0);
	ring_free(s.ring);
}

static const struct test tests[] = {
	TEST(test_the_next_hop_is_the_nearest_link_and_always_nearer_than_we_are),
	TEST(test_the_next_hop_may_be_nobody),
	TEST(test_the_three_nearest_links_a_side_are_kept_and_no_others),
	TEST(test_agents_are_the_oldest_links_in_turn),
	TEST(test_a_nearer_contact_is_wanted_by_its_informer_and_a_farther_one_is_not),
	TEST(test_a_contact_that_cannot_be_reached_is_tried_with_growing_pauses_then_forgotten),
	TEST(test_a_neighbour_that_was_lost_is_believed_again_half_a_minute_later),
	TEST(test_a_contact_nobody_mentions_is_forgotten_after_two_minutes),
};

int main(void)
{
	return !script_keys() || run_tests(tests, ARRAY_LEN(tests));
}
