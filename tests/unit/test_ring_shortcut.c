/* test_ring_shortcut.c - far links of one ring against a script: drawn, accepted, refused, given
 * up. */
#include "p2p/ring.h"

#include "tests/unit/ring_script.h"

#define LINKED 40 /* keys[1..LINKED) are links; so the ring is of about 40: six shortcuts in all */

static void open_linked(struct script *s)
{
	open_script(s);
	for (int k = 1; k < LINKED; k++)
		up(s, k);
}

/* The i-th of the keys that are no links and would not be near. */
static int far_key(int i)
{
	for (int rank = 15;; rank++) {
		int k = nth(100, rank, true);

		if (k >= LINKED && i-- == 0)
			return k;
	}
}

/* Until the next FIND for a shortcut is out. */
static bool until_asked(struct script *s)
{
	for (int i = 0; i < 900 && s->ring->draw != DRAW_ASKED; i++)
		run(s, MSEC(100));
	return s->ring->draw == DRAW_ASKED;
}

/* keys[from] answers the FIND for a shortcut. */
static void answer(struct script *s, int from, uint8_t flags)
{
	uint8_t buf[256];
	struct wr w = message(buf, sizeof(buf), MSG_FOUND, 0);

	wr_u64(&w, s->ring->queries[QUERY_SHORTCUT].number);
	wr_u8(&w, flags);
	contacts(&w, from, 1, 1);
	input(s, from, false, buf, wr_len(&w));
}

static void test_a_shortcut_is_asked_for_linked_and_claimed(void)
{
	struct script s;

	open_linked(&s);
	CHECK(until_asked(&s));
	CHECK_EQ_INT(s.msg[0], MSG_FIND);
	CHECK_EQ_INT(s.msg[9], FIND_SHORTCUT);
	CHECK(s.nearest);
	s.wanted = 0;
	answer(&s, far_key(0), FOUND_ACCEPTS);
	ring_tick(s.ring, s.now);
	CHECK_EQ_INT(s.wanted, 1);
	CHECK(key_equal(&s.last_want.key, &keys[far_key(0)]));
	CHECK_EQ_INT(s.last_want.addr_count, 1);
	CHECK_EQ_INT(ring_role(s.ring, &keys[far_key(0)]), RING_NONE);
	up(&s, far_key(0));
	CHECK_EQ_INT(ring_role(s.ring, &keys[far_key(0)]), RING_SHORTCUT);
	CHECK(key_equal(&s.last_to, &keys[far_key(0)]));
	CHECK_EQ_INT(s.link_flags, LINK_SHORTCUT);
	CHECK_EQ_INT(ring_info(s.ring).shortcuts, 1);
	ring_free(s.ring);
}

static void test_large_rings_have_two_shortcuts_for_three_doublings(void)
{
	static const struct { uint8_t level; size_t total; } want[] = {
		{ 4, 4 }, { 6, 6 }, { 7, 7 }, { 8, 7 }, { 9, 7 }, { 10, 7 }, { 11, 8 }, { 14, 10 }, { 17, 12 },
	};
	struct script s;

	open_linked(&s);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		s.ring->size = (uint64_t)1 << want[i].level;
		s.ring->level = want[i].level;
		CHECK_EQ_INT(ring_info(s.ring).shortcuts_wanted, want[i].total); /* nobody drew us */
	}
	ring_free(s.ring);
}

static void test_half_of_the_shortcuts_are_drawn_and_more_while_others_claim_too_few(void)
{
	struct script s;
	size_t total;

	open_linked(&s);
	for (int i = 0; i < 20 && until_asked(&s); i++) {
		answer(&s, far_key(i), FOUND_ACCEPTS);
		up(&s, far_key(i));
	}
	total = s.ring->level;
	CHECK(total >= 5 && total <= 7);
	CHECK_EQ_INT(ring_info(s.ring).shortcuts, total); /* nobody claims us */
	for (int k = 1, claimed = 0; k < LINKED && claimed < 4; k++)
		if (ring_role(s.ring, &keys[k]) == RING_NONE) {
			say_link(&s, k, LINK_SHORTCUT);
			CHECK_EQ_INT(ring_role(s.ring, &keys[k]), RING_ACCEPTED);
			claimed++;
		}
	CHECK_EQ_INT(ring_info(s.ring).shortcuts_wanted, (total + 1) / 2);
	run(&s, SEC(25));
	CHECK_EQ_INT(ring_info(s.ring).shortcuts, total); /* not at once after a change */
	run(&s, MINUTES(5));
	CHECK(ring_info(s.ring).shortcuts < total);
	CHECK(ring_info(s.ring).shortcuts >= (total + 1) / 2);
	CHECK_EQ_INT(s.link_flags, 0); /* released by LINK */
	ring_free(s.ring);
}

static void test_refused_draws_are_repeated_thrice_and_then_after_growing_pauses(void)
{
	static const unsigned least[] = { 0, 0, 8, 16, 32, 48, 48 },
			      most[] = { 1, 1, 12, 24, 48, 72, 72 };
	struct script s;

	open_linked(&s);
	CHECK(until_asked(&s));
	for (size_t i = 0; i < ARRAY_LEN(least); i++) {
		usec_t asked = s.now;

		answer(&s, far_key(0), 0);
		CHECK(s.ring->draw == DRAW_NONE);
		CHECK(until_asked(&s));
		CHECK(s.now - asked >= SEC(least[i]));
		CHECK(s.now - asked <= SEC(most[i]) + MSEC(200));
	}
	CHECK_EQ_INT(s.wanted, 0);
	CHECK_EQ_INT(ring_info(s.ring).shortcuts, 0);
	ring_free(s.ring);
}

static void test_one_that_accepts_and_is_not_linked_in_time_is_forgotten(void)
{
	struct script s;

	open_linked(&s);
	CHECK(until_asked(&s));
	answer(&s, far_key(0), FOUND_ACCEPTS);
	CHECK_EQ_INT(ring_info(s.ring).contacts, 1);
	run(&s, SEC(16));
	CHECK(s.wanted >= 1);
	CHECK_EQ_INT(ring_info(s.ring).contacts, 0);
	CHECK(until_asked(&s));
	run(&s, SEC(4)); /* no answer at all */
	CHECK(until_asked(&s));
	up(&s, far_key(0)); /* too late */
	CHECK_EQ_INT(ring_role(s.ring, &keys[far_key(0)]), RING_NONE);
	ring_free(s.ring);
}

static void test_an_acceptor_that_was_overtaken_refuses_and_the_shortcut_is_none(void)
{
	struct script s;

	open_linked(&s);
	CHECK(until_asked(&s));
	answer(&s, far_key(0), FOUND_ACCEPTS);
	up(&s, far_key(0));
	say_link(&s, far_key(0), LINK_REFUSED);
	CHECK_EQ_INT(ring_role(s.ring, &keys[far_key(0)]), RING_NONE);
	CHECK_EQ_INT(s.link_flags, 0);
	CHECK_EQ_INT(ring_info(s.ring).shortcuts, 0);
	CHECK(until_asked(&s)); /* another one */
	ring_free(s.ring);
}

static void test_no_more_shortcuts_are_accepted_than_a_quarter_above_what_a_node_should_have(void)
{
	uint8_t find[10] = { MSG_FIND, 1, 2, 3, 4, 5, 6, 7, 8, FIND_SHORTCUT };
	struct script s;
	size_t refused = 0, most;

	open_linked(&s);
	run(&s, SEC(20));
	most = s.ring->level + s.ring->level / 4u;
	input(&s, 80, false, find, sizeof(find));
	CHECK_EQ_INT(s.msg[0], MSG_FOUND);
	CHECK_EQ_INT(s.msg[9], FOUND_ACCEPTS);
	CHECK_EQ_INT(s.msg[10], 1); /* ourselves, nobody else */
	for (int k = 1; k < LINKED; k++) {
		s.link_flags = 0;
		say_link(&s, k, LINK_SHORTCUT);
		refused += s.link_flags == LINK_REFUSED;
	}
	CHECK_EQ_INT(ring_info(s.ring).accepted, most);
	CHECK_EQ_INT(refused, (size_t)LINKED - 1 - most);
	input(&s, 80, false, find, sizeof(find));
	CHECK_EQ_INT(s.msg[0], MSG_FOUND);
	CHECK_EQ_INT(s.msg[9], 0);
	for (int k = 1; k < LINKED; k++)
		say_link(&s, k, 0); /* all give up */
	CHECK_EQ_INT(ring_info(s.ring).accepted, 0);
	input(&s, 80, false, find, sizeof(find));
	CHECK_EQ_INT(s.msg[9], FOUND_ACCEPTS);
	ring_free(s.ring);
}

static void test_where_everybody_is_near_there_are_no_shortcuts(void)
{
	struct script s;

	open_script(&s);
	for (int k = 1; k <= 2 * RING_NEAR; k++)
		up(&s, k);
	run(&s, MINUTES(10));
	CHECK_EQ_INT(ring_info(s.ring).shortcuts_wanted, 0);
	CHECK_EQ_INT(s.ring->queries[QUERY_SHORTCUT].number, 0);
	CHECK_EQ_INT(ring_info(s.ring).size, 2 * RING_NEAR + 1);
	ring_free(s.ring);
}

static void test_links_with_and_claims_of_near_nodes_stay_near(void)
{
	struct script s;
	int near = nth(LINKED, 0, true);

	open_linked(&s);
	say_link(&s, near, LINK_SHORTCUT);
	CHECK_EQ_INT(ring_role(s.ring, &keys[near]), RING_IS_NEAR);
	CHECK(until_asked(&s));
	answer(&s, near, FOUND_ACCEPTS); /* the point was next to us after all */
	CHECK_EQ_INT(ring_info(s.ring).shortcuts, 0);
	ring_free(s.ring);
}

static void test_a_lost_shortcut_is_replaced(void)
{
	struct script s;

	open_linked(&s);
	CHECK(until_asked(&s));
	answer(&s, far_key(0), FOUND_ACCEPTS);
	up(&s, far_key(0));
	for (int i = 1; i < 20 && until_asked(&s); i++) {
		answer(&s, far_key(i), FOUND_ACCEPTS);
		up(&s, far_key(i));
	}
	ring_link_down(s.ring, &keys[far_key(0)], s.now);
	run(&s, SEC(4));
	CHECK(s.ring->draw == DRAW_ASKED || s.ring->misses);
	ring_free(s.ring);
}

static const struct test tests[] = {
	TEST(test_a_shortcut_is_asked_for_linked_and_claimed),
	TEST(test_large_rings_have_two_shortcuts_for_three_doublings),
	TEST(test_half_of_the_shortcuts_are_drawn_and_more_while_others_claim_too_few),
	TEST(test_refused_draws_are_repeated_thrice_and_then_after_growing_pauses),
	TEST(test_one_that_accepts_and_is_not_linked_in_time_is_forgotten),
	TEST(test_an_acceptor_that_was_overtaken_refuses_and_the_shortcut_is_none),
	TEST(test_no_more_shortcuts_are_accepted_than_a_quarter_above_what_a_node_should_have),
	TEST(test_where_everybody_is_near_there_are_no_shortcuts),
	TEST(test_links_with_and_claims_of_near_nodes_stay_near),
	TEST(test_a_lost_shortcut_is_replaced),
};

int main(void)
{
	return !script_keys() || run_tests(tests, ARRAY_LEN(tests));
}
