/* test_ring_peer.c - one ring against what peers say: messages, their times, and lies. */
#include "p2p/ring.h"

#include "tests/unit/ring_script.h"

static void test_a_liar_cannot_make_us_contact_more_than_eight_addresses_a_second(void)
{
	struct script s;
	unsigned most = 0;

	open_script(&s);
	for (int k = 1; k < 8; k++)
		up(&s, k);
	for (int round = 0; round < 200; round++) {
		for (int from = 1; from < 8; from++)
			status(&s, from, 0, 8 + (round * 7 + from) * 16 % (KEYS - 24), 16);
		run(&s, MSEC(300));
		CHECK(s.ring->known.count <= RING_CONTACTS_MAX);
	}
	for (unsigned i = 0; i < s.wanted; i++) {
		unsigned sum = 0;

		for (unsigned k = i; k < s.wanted && s.wanted_at[k] < s.wanted_at[i] + SEC(1); k++)
			sum += s.wanted_cost[k];
		most = sum > most ? sum : most;
	}
	CHECK(s.wanted > 20);
	CHECK(most <= WANT_ADDRESSES);
	ring_free(s.ring);
}

static void test_one_informer_fills_a_quarter_of_the_table_and_half_of_the_tries(void)
{
	struct script s;

	open_script(&s);
	up(&s, 1);
	for (int i = 0; i < 15; i++) {
		status(&s, 1, 0, 10 + i * 16, 16);
		s.now += MSEC(200);
	}
	CHECK_EQ_INT(s.ring->known.count, KNOWN_PER_INFORMER);
	run(&s, MSEC(900));
	CHECK(s.wanted <= WANTS_PER_INFORMER);
	ring_free(s.ring);
}

static void test_malformed_messages_change_nothing(void)
{
	uint8_t buf[4096];
	struct script s;
	struct wr w;

	open_script(&s);
	up(&s, 1);
	w = message(buf, sizeof(buf), MSG_STATUS, 0);
	contacts(&w, 2, 2, 2);
	for (size_t len = 0; len < wr_len(&w); len++) {
		input(&s, 1, true, buf, len);
		s.now += MSEC(100);
	}
	wr_u8(&w, 0);
	input(&s, 1, true, buf, wr_len(&w)); /* a byte too many */
	w = message(buf, sizeof(buf), MSG_STATUS, 0);
	contacts(&w, 2, RING_STATUS_MAX + 1, 1);
	s.now += SEC(1);
	input(&s, 1, true, buf, wr_len(&w));
	w = message(buf, sizeof(buf), MSG_STATUS, 0);
	contacts(&w, 2, 1, RING_CONTACT_ADDRS + 1);
	input(&s, 1, true, buf, wr_len(&w));
	w = message(buf, sizeof(buf), MSG_STATUS, 0);
	contacts(&w, 2, 2, 1);
	buf[3 + KEY_LEN - 1] |= 0x80; /* no key of the accepted form */
	input(&s, 1, true, buf, wr_len(&w));
	CHECK_EQ_INT(s.ring->known.count, 0);
	ring_free(s.ring);
}

static void test_who_has_no_link_may_only_find_and_answer(void)
{
	uint8_t buf[256];
	struct script s;
	struct wr w;

	open_script(&s);
	up(&s, 1);
	w = message(buf, sizeof(buf), MSG_STATUS, 0);
	contacts(&w, 2, 2, 1);
	input(&s, 5, false, buf, wr_len(&w));
	input(&s, 5, true, buf, wr_len(&w));
	w = message(buf, sizeof(buf), MSG_LEAVE, 0);
	contacts(&w, 2, 2, 1);
	input(&s, 1, false, buf, wr_len(&w));
	w = message(buf, sizeof(buf), MSG_FOUND, 0);
	wr_u64(&w, 0); /* we asked nothing */
	wr_u8(&w, 0);
	contacts(&w, 2, 2, 1);
	input(&s, 5, false, buf, wr_len(&w));
	CHECK_EQ_INT(s.ring->known.count, 0);
	CHECK_EQ_INT(s.ring->links.count, 1);
	ring_free(s.ring);
}

static void test_an_answer_to_find_is_taken_once_and_its_sender_is_reached_by_the_same_way(void)
{
	struct node_id via = id_of(&keys[1]), me = id_of(&keys[0]);
	uint8_t buf[256], number[8];
	struct script s;
	struct wr w;

	open_script(&s);
	up(&s, 1);
	ring_tick(s.ring, s.now);
	CHECK_EQ_INT(s.routed, 1);
	CHECK(s.nearest && id_equal(&s.last_target, &me) && id_equal(&s.last_via, &via));
	CHECK_EQ_INT(s.len, 10);
	memcpy(number, s.msg + 1, 8);
	w = message(buf, sizeof(buf), MSG_FOUND, 0);
	wr_copy(&w, number, 8);
	wr_u8(&w, 0);
	contacts(&w, 5, 1, 1);
	input(&s, 5, false, buf, wr_len(&w));
	CHECK_EQ_INT(s.ring->known.count, 1);
	ring_tick(s.ring, s.now);
	CHECK_EQ_INT(s.wanted, 1);
	CHECK(key_equal(&s.last_want.key, &keys[5]));
	CHECK(s.has_agent && id_equal(&s.last_agent, &via));
	w = message(buf, sizeof(buf), MSG_FOUND, 0);
	wr_copy(&w, number, 8);
	wr_u8(&w, 0);
	contacts(&w, 6, 1, 1);
	input(&s, 6, false, buf, wr_len(&w));
	CHECK_EQ_INT(s.ring->known.count, 1);
	ring_free(s.ring);
}

/* The node at keys[from] answers the next FIND of this kind. */
static void answer(struct script *s, int which, int from)
{
	const struct query *q = &s->ring->queries[which];
	uint8_t buf[64];
	struct wr w = message(buf, sizeof(buf), MSG_FOUND, 0);

	for (int i = 0; i < 100 && q->until <= s->now; i++)
		run(s, SEC(1));
	wr_u64(&w, q->number);
	wr_u8(&w, 0);
	wr_u8(&w, 0);
	input(s, from, false, buf, wr_len(&w));
}

static void test_an_answer_to_find_passes_a_flood_of_routed_messages(void)
{
	uint8_t buf[256], number[8];
	struct script s;
	struct wr w;

	open_script(&s);
	up(&s, 1);
	ring_tick(s.ring, s.now);
	memcpy(number, s.msg + 1, 8);
	for (unsigned i = 0; i < 1000; i++) {
		w = message(buf, sizeof(buf), MSG_FIND, 0);
		wr_u64(&w, i);
		wr_u8(&w, 0);
		input(&s, 9, false, buf, wr_len(&w));
		w = message(buf, sizeof(buf), MSG_FOUND, 0);
		wr_u64(&w, i);
		wr_u8(&w, 0);
		contacts(&w, 7, 1, 1);
		input(&s, 9, false, buf, wr_len(&w));
	}
	CHECK_EQ_INT(s.ring->known.count, 0);
	w = message(buf, sizeof(buf), MSG_FOUND, 0);
	wr_copy(&w, number, 8);
	wr_u8(&w, 0);
	contacts(&w, 5, 1, 1);
	input(&s, 5, false, buf, wr_len(&w));
	CHECK_EQ_INT(s.ring->known.count, 1);
	ring_free(s.ring);
}

static void test_rounds_of_find_go_on_until_the_neighbour_of_each_side_has_answered(void)
{
	int cw = nth(30, 0, true), ccw = nth(30, 0, false), between = 1;
	struct node_id me = id_of(&keys[0]), last = id_of(&keys[ccw]);
	struct node_id gap = id_clockwise(&last, &me), there;
	struct script s;

	open_script(&s);
	up(&s, cw);
	up(&s, ccw);
	run(&s, MINUTES(3)); /* at 0, 0.5, 1, 2, 4, 8, 16, 32, 62 s and so on: two or three */
	CHECK(s.routed >= 25 && s.routed <= 40);
	CHECK(id_equal(&s.last_via, &last)); /* the last of a round is the counter-clockwise one */
	there = id_clockwise(&last, &s.last_target);
	CHECK(memcmp(there.b, gap.b, ID_LEN) < 0);
	while (between == cw || between == ccw)
		between++;
	answer(&s, QUERY_CW, between);
	CHECK_EQ_INT(s.ring->sure, 0);
	answer(&s, QUERY_CCW, ccw);
	CHECK_EQ_INT(s.ring->sure, SIDE_CCW);
	run(&s, SEC(20));
	answer(&s, QUERY_CW, cw);
	CHECK_EQ_INT(s.ring->sure, SIDE_BOTH);
	run(&s, SEC(40));
	s.routed = 0;
	run(&s, MINUTES(10));
	CHECK(s.routed >= 2 * 1 && s.routed <= 2 * 3); /* every 5 min one side in turn */
	ring_link_down(s.ring, &keys[cw], s.now);
	CHECK_EQ_INT(s.ring->sure, SIDE_CCW);
	s.routed = 0;
	run(&s, MSEC(300));
	CHECK_EQ_INT(s.routed, 1);
	ring_free(s.ring);
}

static void test_find_is_answered_with_ourselves_first_but_not_without_end(void)
{
	uint8_t find[10] = { MSG_FIND, 1, 2, 3, 4, 5, 6, 7, 8, 0 };
	struct node_id seeker = id_of(&keys[9]);
	struct script s;

	open_script(&s);
	s.addresses = RING_CONTACT_ADDRS;
	for (int k = 1; k < 60; k++)
		if (k != 9)
			up(&s, k);
	input(&s, 9, false, find, sizeof(find));
	CHECK_EQ_INT(s.routed, 1);
	CHECK(!s.nearest && id_equal(&s.last_target, &seeker));
	CHECK_EQ_INT(s.msg[0], MSG_FOUND);
	CHECK_MEM(s.msg + 1, find + 1, 8);
	CHECK(s.msg[10] == 1 + 2 * RING_NEAR && s.len <= MESSAGE_MAX);
	CHECK_MEM(s.msg + 11, keys[0].b, KEY_LEN);
	for (int i = 0; i < 500; i++)
		input(&s, 9, false, find, sizeof(find));
	CHECK(s.routed <= 40);
	ring_free(s.ring);
}

static void test_a_loss_in_the_near_set_is_told_within_a_tenth_of_a_second(void)
{
	struct script s;

	open_script(&s);
	for (int k = 1; k < 5; k++)
		up(&s, k);
	run(&s, MINUTES(2));
	s.sent = 0;
	ring_link_down(s.ring, &keys[2], s.now);
	run(&s, MSEC(100));
	CHECK_EQ_INT(s.sent, 3);
	CHECK_EQ_INT(s.status_flags, FLAG_ANSWER);
	ring_free(s.ring);
}

/* Who comes up near is told at once, of those only that it did not name itself; the others are
 * told once, some seconds later; who is far is not told at all. */
static void test_a_new_neighbour_is_told_at_once_and_the_others_later(void)
{
	struct script s;
	int a = nth(50, 0, true), b = nth(50, 1, true), far = nth(50, 24, true);

	open_script(&s);
	up(&s, a);
	run(&s, SEC(30));
	CHECK_EQ_INT(s.types[MSG_STATUS], 0);
	status(&s, a, 0, b, 1);
	up(&s, b);
	run(&s, MSEC(100));
	CHECK_EQ_INT(s.types[MSG_STATUS], 1);
	CHECK(key_equal(&s.last_to, &keys[b]));
	run(&s, MINUTES(2));
	CHECK_EQ_INT(s.types[MSG_STATUS], 1); /* a told us of b */
	for (int i = 2; i < 2 * RING_NEAR + 2; i++)
		up(&s, nth(50, i, i & 1));
	run(&s, SEC(30));
	s.types[MSG_STATUS] = 0;
	up(&s, far);
	run(&s, MINUTES(2));
	CHECK(!ring_keeps(s.ring, &keys[far]));
	CHECK_EQ_INT(s.types[MSG_STATUS], 0);
	ring_free(s.ring);
}

static void test_news_are_told_a_few_seconds_after_they_came_and_seldom(void)
{
	struct script s;

	open_script(&s);
	up(&s, 1);
	run(&s, SEC(30));
	s.types[MSG_STATUS] = 0;
	for (int k = 2; k < 5; k++) { /* one each second: told to 1 together, once */
		up(&s, k);
		run(&s, SEC(1));
	}
	CHECK_EQ_INT(s.types[MSG_STATUS], 3);
	run(&s, SEC(40));
	CHECK(s.types[MSG_STATUS] >= 4 && s.types[MSG_STATUS] <= 3 + 1 + 3);
	s.types[MSG_STATUS] = 0;
	run(&s, MINUTES(7));
	CHECK_EQ_INT(s.types[MSG_STATUS], 4); /* the short ones that heal */
	ring_free(s.ring);
}

static void test_answers_that_are_asked_for_are_given_at_a_bounded_rate(void)
{
	struct script s;

	open_script(&s);
	up(&s, 1);
	run(&s, MINUTES(2));
	s.sent = 0;
	status(&s, 1, FLAG_ANSWER, 2, 0);
	ring_tick(s.ring, s.now);
	CHECK_EQ_INT(s.sent, 1);
	for (int i = 0; i < 100; i++) {
		status(&s, 1, FLAG_ANSWER, 2, 0);
		run(&s, MSEC(100));
	}
	CHECK(s.sent >= 8 && s.sent <= 20);
	ring_free(s.ring);
}

static void test_a_leaver_is_not_wanted_and_its_neighbours_are(void)
{
	uint8_t buf[512];
	struct script s;
	struct wr w = message(buf, sizeof(buf), MSG_LEAVE, 0);

	open_script(&s);
	up(&s, 1);
	up(&s, 2);
	contacts(&w, 3, 1, 1);
	input(&s, 1, true, buf, wr_len(&w));
	CHECK_EQ_INT(s.ring->links.count, 1);
	ring_link_down(s.ring, &keys[1], s.now);
	status(&s, 2, 0, 1, 1);
	run(&s, SEC(5));
	CHECK(s.wanted >= 1);
	CHECK(key_equal(&s.last_want.key, &keys[3]) && !s.has_agent);
	s.sent = 0;
	ring_leave(s.ring, s.now);
	CHECK_EQ_INT(s.sent, 1);
	CHECK_EQ_INT(s.msg[0], MSG_LEAVE);
	ring_free(s.ring);
}

static const struct test tests[] = {
	TEST(test_a_liar_cannot_make_us_contact_more_than_eight_addresses_a_second),
	TEST(test_one_informer_fills_a_quarter_of_the_table_and_half_of_the_tries),
	TEST(test_malformed_messages_change_nothing),
	TEST(test_who_has_no_link_may_only_find_and_answer),
	TEST(test_an_answer_to_find_is_taken_once_and_its_sender_is_reached_by_the_same_way),
	TEST(test_an_answer_to_find_passes_a_flood_of_routed_messages),
	TEST(test_rounds_of_find_go_on_until_the_neighbour_of_each_side_has_answered),
	TEST(test_find_is_answered_with_ourselves_first_but_not_without_end),
	TEST(test_a_loss_in_the_near_set_is_told_within_a_tenth_of_a_second),
	TEST(test_a_new_neighbour_is_told_at_once_and_the_others_later),
	TEST(test_news_are_told_a_few_seconds_after_they_came_and_seldom),
	TEST(test_answers_that_are_asked_for_are_given_at_a_bounded_rate),
	TEST(test_a_leaver_is_not_wanted_and_its_neighbours_are),
};

int main(void)
{
	return !script_keys() || run_tests(tests, ARRAY_LEN(tests));
}
