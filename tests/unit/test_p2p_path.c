/* test_p2p_path.c - path choice, challenges and the policy of silence, without packets. */
#include "p2p/path.h"

#include <sodium.h>

#include "p2p/index.h"
#include "p2p/keepalive.h"
#include "p2p/stamp.h"
#include "tests/check.h"

static const uint8_t fresh[PATH_NONCE_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static struct addr address(unsigned n)
{
	return (struct addr){ .ip = ip_v4(0x0a000000 + n), .port = 1000 };
}

static int proven_path(struct paths *ps, unsigned n, usec_t rtt)
{
	struct addr a = address(n);
	int at = paths_add(ps, &a, 0, true, SEC(1));

	paths_prove(ps, at, rtt, SEC(1));
	return at;
}

static void test_path_better_rtt_wins_only_by_a_margin(void)
{
	struct paths ps;

	paths_init(&ps);
	ps.used = proven_path(&ps, 1, MSEC(40));
	proven_path(&ps, 2, MSEC(35));
	CHECK_EQ_INT(paths_best(&ps), 0);
	proven_path(&ps, 3, MSEC(20));
	CHECK_EQ_INT(paths_best(&ps), 2);
	paths_fini(&ps);
}

static void test_path_unproven_candidate_is_never_chosen(void)
{
	struct paths ps;
	struct addr a = address(1);

	paths_init(&ps);
	CHECK_EQ_INT(paths_add(&ps, &a, 0, true, SEC(1)), 0);
	CHECK_EQ_INT(paths_best(&ps), -1);
	paths_fini(&ps);
}

static void test_path_only_the_right_nonce_proves(void)
{
	struct paths ps;
	struct addr a = address(1);
	uint8_t nonce[PATH_NONCE_LEN];

	paths_init(&ps);
	paths_add(&ps, &a, 0, true, SEC(1));
	paths_challenge(&ps, 0, fresh, nonce, SEC(1));
	nonce[0] ^= 1;
	CHECK_EQ_INT(paths_response(&ps, nonce, SEC(2)), -1);
	nonce[0] ^= 1;
	nonce[7] = 3; /* a try that was not sent */
	CHECK_EQ_INT(paths_response(&ps, nonce, SEC(2)), -1);
	nonce[7] = 200;
	CHECK_EQ_INT(paths_response(&ps, nonce, SEC(2)), -1);
	nonce[7] = 0;
	CHECK_EQ_INT(paths_response(&ps, nonce, SEC(1) + MSEC(30)), 0);
	CHECK_EQ_INT(ps.list[0].rtt, MSEC(30));
	CHECK_EQ_INT(paths_response(&ps, nonce, SEC(2)), -1); /* once */
	paths_fini(&ps);
}

static void test_path_uninvited_address_gets_three_bytes_for_one(void)
{
	struct paths ps;
	struct addr a = address(1);
	uint8_t nonce[PATH_NONCE_LEN];
	usec_t now = SEC(1);

	paths_init(&ps);
	paths_add(&ps, &a, 0, false, now);
	paths_heard(&ps, 0, 31);
	CHECK_EQ_INT(paths_due(&ps, now), -1);
	CHECK(paths_deadline(&ps) == USEC_NEVER);
	paths_heard(&ps, 0, 1);
	CHECK_EQ_INT(paths_due(&ps, now), 0);
	paths_challenge(&ps, 0, fresh, nonce, now);
	CHECK_EQ_INT(paths_due(&ps, now + SEC(1000)), -1);
	paths_fini(&ps);
}

static void test_path_full_table_gives_up_the_hopeless_only(void)
{
	struct paths ps;
	uint8_t nonce[PATH_NONCE_LEN];
	struct addr a = address(100);

	paths_init(&ps);
	for (unsigned i = 0; i < P2P_PATHS_MAX - 1; i++)
		proven_path(&ps, i, MSEC(10));
	CHECK_EQ_INT(paths_add(&ps, &a, 0, true, SEC(1)), P2P_PATHS_MAX - 1);
	a = address(101);
	CHECK_EQ_INT(paths_add(&ps, &a, 0, true, SEC(1)), -1);
	for (int i = 0; i < 4; i++)
		paths_challenge(&ps, P2P_PATHS_MAX - 1, fresh, nonce, SEC(1));
	CHECK_EQ_INT(paths_add(&ps, &a, 0, true, SEC(1)), P2P_PATHS_MAX - 1);
	paths_fini(&ps);
}

/* Whoever copies packets and sends them first, from other addresses, must not fill the table. */
static void test_path_uninvited_addresses_do_not_block_the_table(void)
{
	struct paths ps;
	uint8_t nonce[PATH_NONCE_LEN];
	struct addr a;

	paths_init(&ps);
	for (unsigned i = 0; i < P2P_PATHS_MAX; i++) {
		a = address(i);
		CHECK_EQ_INT(paths_add(&ps, &a, 0, false, SEC(1)), (int)i);
		paths_heard(&ps, (int)i, 40);
		paths_challenge(&ps, (int)i, fresh, nonce, SEC(1));
	}
	a = address(100);
	CHECK_EQ_INT(paths_add(&ps, &a, 0, true, SEC(2)), -1); /* they have a moment to answer */
	CHECK(paths_add(&ps, &a, 0, true, SEC(7)) >= 0);
	a = address(101);
	CHECK(paths_add(&ps, &a, 0, false, SEC(7)) >= 0);
	a = address(100);
	CHECK(paths_find(&ps, &a) >= 0);
	paths_fini(&ps);
}

static void test_path_proven_one_that_falls_silent_is_proven_no_more(void)
{
	struct paths ps;
	uint8_t nonce[PATH_NONCE_LEN];

	paths_init(&ps);
	proven_path(&ps, 1, MSEC(10));
	for (int i = 0; i < PATH_LOST; i++)
		paths_challenge(&ps, 0, fresh, nonce, SEC(1));
	CHECK(ps.list[0].proven);
	paths_challenge(&ps, 0, fresh, nonce, SEC(1));
	CHECK(!ps.list[0].proven);
	paths_fini(&ps);
}

static void test_keepalive_silence_after_sending_escalates(void)
{
	struct keepalive k;
	struct keepalive_marks m;
	usec_t t = SEC(100);

	keepalive_init(&k, &m, KEEPALIVE_FULL, 0, t);
	keepalive_sent(&m, ASKS_ANSWER, t);
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + MSEC(999)), 0);
	CHECK_EQ_INT(keepalive_deadline(&k, &m), t + SEC(1));
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + SEC(1)), NEED_PROBE);
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + SEC(1)), 0); /* told once */
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + SEC(2)), NEED_PROBE | NEED_HANDSHAKE);
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + SEC(3)),
		     NEED_PROBE | NEED_HANDSHAKE | NEED_SWITCH);
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + SEC(15)), NEED_DOWN);
}

static void test_keepalive_hearing_over_the_used_way_ends_the_waiting(void)
{
	struct keepalive k;
	struct keepalive_marks m;
	usec_t t = SEC(100);

	keepalive_init(&k, &m, KEEPALIVE_FULL, 0, t);
	keepalive_sent(&m, ASKS_ANSWER, t);
	keepalive_heard(&m, false, t + MSEC(500)); /* another way: alive, yet ours may be dead */
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + SEC(1)), NEED_PROBE);
	keepalive_heard(&m, true, t + MSEC(1500));
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + SEC(3)), 0);
}

static void test_keepalive_idle_session_says_so_and_a_silent_one_is_probed(void)
{
	struct keepalive k;
	struct keepalive_marks m;
	usec_t t = SEC(100);

	keepalive_init(&k, &m, KEEPALIVE_FULL, 0, t);
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + SEC(15)), NEED_KEEPALIVE);
	keepalive_sent(&m, ASKS_NOTHING, t + SEC(15));
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + SEC(16)), NEED_PROBE);
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + SEC(20)) & NEED_DOWN, 0); /* nothing unanswered */
}

static void test_index_finds_what_was_put_and_not_what_was_taken(void)
{
	struct index x;
	static int items[600];
	uint32_t number = 0;

	index_init(&x);
	for (size_t i = 0; i < 600; i++)
		index_put(&x, number += 16 + (uint32_t)i % 3, &items[i]); /* many collisions */
	number = 0;
	for (size_t i = 0; i < 600; i++) {
		number += 16 + (uint32_t)i % 3;
		CHECK(index_get(&x, number) == &items[i]);
		if (i % 2)
			index_take(&x, number);
	}
	number = 0;
	for (size_t i = 0; i < 600; i++) {
		number += 16 + (uint32_t)i % 3;
		CHECK(index_get(&x, number) == (i % 2 ? NULL : &items[i]));
	}
	CHECK_EQ_INT(x.count, 300);
	CHECK(index_get(&x, 0) == NULL);
	index_fini(&x);
}

static void test_stamps_rise_for_each_key_and_forget_the_oldest(void)
{
	struct stamps st;
	struct pubkey k = { { 0 } }, first = { { 0 } };

	stamps_init(&st);
	CHECK(stamps_is_new(&st, &first, 0, 0));
	stamps_put(&st, &first, 2, 100);
	CHECK(!stamps_is_new(&st, &first, 2, 100));
	CHECK(!stamps_is_new(&st, &first, 1, 500));
	CHECK(stamps_is_new(&st, &first, 2, 101));
	CHECK(stamps_is_new(&st, &first, 3, 0));
	for (unsigned i = 1; i <= STAMPS_MAX; i++) {
		k.b[0] = (uint8_t)i;
		k.b[1] = (uint8_t)(i >> 8);
		stamps_put(&st, &k, 1, 1);
	}
	CHECK_EQ_INT(st.count, STAMPS_MAX);
	CHECK(!stamps_is_new(&st, &k, 1, 1));
	CHECK(stamps_is_new(&st, &first, 2, 100)); /* out */
	stamps_fini(&st);
}

static void test_keepalive_is_the_sign_of_life_that_was_asked_for_if_nothing_else_is(void)
{
	struct keepalive k;
	struct keepalive_marks m;
	usec_t t = SEC(100);

	keepalive_init(&k, &m, KEEPALIVE_FULL, 0, t);
	t += SEC(2);
	keepalive_asked(&k, &m, t);
	CHECK_EQ_INT(keepalive_deadline(&k, &m), t + KEEPALIVE_SIGN);
	keepalive_asked(&k, &m, t + MSEC(30)); /* asking on puts nothing off */
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + KEEPALIVE_SIGN - 1), 0);
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + KEEPALIVE_SIGN), NEED_KEEPALIVE);
	keepalive_sent(&m, ASKS_NOTHING, t + KEEPALIVE_SIGN);
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + SEC(1)), 0); /* one, and it asks for nothing */
	CHECK_EQ_INT(keepalive_doubt_at(&m, 0), USEC_NEVER);
}

static void test_keepalive_sign_of_life_is_whatever_goes_out_in_time(void)
{
	struct keepalive k;
	struct keepalive_marks m;
	usec_t t = SEC(100);

	keepalive_init(&k, &m, KEEPALIVE_FULL, 0, t);
	t += SEC(2);
	keepalive_asked(&k, &m, t);
	keepalive_sent(&m, ASKS_NOTHING, t + MSEC(20));
	CHECK(keepalive_deadline(&k, &m) >= t + SEC(13));
	CHECK_EQ_INT(keepalive_needs(&k, &m, t + KEEPALIVE_SIGN), 0);
	keepalive_asked(&k, &m, t + SEC(3)); /* the next is owed anew */
	CHECK_EQ_INT(keepalive_deadline(&k, &m), t + SEC(3) + KEEPALIVE_SIGN);
	/* Even where the peer is far, it comes well before there is doubt. */
	CHECK(KEEPALIVE_SIGN + MSEC(50) < keepalive_doubt_at(&(struct keepalive_marks){ .owed = 1 },
							   MSEC(50)) - MSEC(50));
}

static void test_path_spare_one_of_a_leaf_is_looked_at_every_ten_minutes(void)
{
	struct paths ps;
	struct addr a = { .ip = ip_v4(0xc0000201), .port = 1 };

	paths_init(&ps);
	ps.of_leaf = true;
	CHECK_EQ_INT(paths_add(&ps, &a, 0, true, SEC(1)), 0);
	paths_prove(&ps, 0, MSEC(10), SEC(2));
	CHECK_EQ_INT(paths_deadline(&ps), SEC(2) + PATH_WARM_LEAF);
	paths_set_active(&ps, true, SEC(3));
	CHECK_EQ_INT(paths_deadline(&ps), SEC(3) + PATH_WARM); /* as any other, with data */
	ps.of_leaf = ps.active = false;
	paths_prove(&ps, 0, MSEC(10), SEC(4));
	CHECK_EQ_INT(paths_deadline(&ps), SEC(4) + PATH_WARM_IDLE);
	paths_fini(&ps);
}

static const struct test tests[] = {
	TEST(test_path_better_rtt_wins_only_by_a_margin),
	TEST(test_path_unproven_candidate_is_never_chosen),
	TEST(test_path_only_the_right_nonce_proves),
	TEST(test_path_uninvited_address_gets_three_bytes_for_one),
	TEST(test_path_full_table_gives_up_the_hopeless_only),
	TEST(test_path_uninvited_addresses_do_not_block_the_table),
	TEST(test_path_proven_one_that_falls_silent_is_proven_no_more),
	TEST(test_path_spare_one_of_a_leaf_is_looked_at_every_ten_minutes),
	TEST(test_keepalive_silence_after_sending_escalates),
	TEST(test_keepalive_hearing_over_the_used_way_ends_the_waiting),
	TEST(test_keepalive_idle_session_says_so_and_a_silent_one_is_probed),
	TEST(test_keepalive_is_the_sign_of_life_that_was_asked_for_if_nothing_else_is),
	TEST(test_keepalive_sign_of_life_is_whatever_goes_out_in_time),
	TEST(test_index_finds_what_was_put_and_not_what_was_taken),
	TEST(test_stamps_rise_for_each_key_and_forget_the_oldest),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
