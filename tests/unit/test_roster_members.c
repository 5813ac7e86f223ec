/* test_roster_members.c - who may be keeper: how reliable each is, and what is kept of it. */
#include "dht/roster.h"

#include "tests/unit/roster_kit.h"

static void test_roster_the_most_reliable_are_taken(void)
{
	struct roster *r = roster_new(0);
	struct roster_view v = { .count = 1, .quorum = 1, .most = 3, .settled = true };
	struct keeper_set want;
	struct pubkey k;
	usec_t now = 0;
	char text[SET_TEXT];

	v.seat[0] = (struct roster_seat){ .node = key('A'), .reachable = true };
	for (char c = 'A'; c <= 'D'; c++) {
		k = key(c);
		CHECK(roster_admit(r, &k, now));
	}
	for (unsigned minute = 0; minute < 3 * 1440; minute++, now += MINUTES(1)) {
		for (char c = 'A'; c <= 'D'; c++) { /* B is there half, C 90 % of the time */
			k = key(c);
			roster_see(r, &k, true, minute % 40 >= (c == 'B' ? 20 : c == 'C' ? 4 : 0), now);
		}
		roster_tick(r, now);
	}
	now += HOURS(10); /* to have been there long enough: its falls double B's wait */
	CHECK_EQ_INT(roster_decide(r, &v, false, &want, now), ROSTER_GROW);
	text_of(&want, text);
	CHECK(strcmp(text, "ACD2") == 0);
	roster_free(r);
}

static void test_roster_who_comes_and_goes_has_to_prove_itself_longer(void)
{
	struct roster *r = roster_new(0);
	struct roster_view v = { .count = 1, .quorum = 1, .most = 3, .settled = true };
	struct keeper_set want;
	struct pubkey a = key('A'), b = key('B'), c = key('C');
	usec_t now = SEC(1);

	v.seat[0] = (struct roster_seat){ .node = a, .reachable = true };
	roster_admit(r, &a, now);
	roster_admit(r, &b, now);
	roster_admit(r, &c, now);
	for (unsigned i = 0; i < 3; i++, now += MINUTES(12)) { /* three long absences of C */
		roster_see(r, &a, true, true, now);
		roster_see(r, &b, true, true, now);
		roster_see(r, &c, true, true, now);
		roster_tick(r, now);
		roster_see(r, &c, true, false, now);
		roster_tick(r, now + MINUTES(11));
	}
	roster_see(r, &c, true, true, now);
	CHECK_EQ_INT(roster_decide(r, &v, false, &want, now + MINUTES(8) - 1), ROSTER_STAY);
	CHECK_EQ_INT(roster_decide(r, &v, false, &want, now + MINUTES(8)), ROSTER_GROW);
	roster_free(r);
}

static void test_roster_while_nobody_is_there_nothing_counts_against_anybody(void)
{
	struct roster *r = roster_new(0);
	struct roster_view v = { .count = 1, .quorum = 1, .most = 3, .settled = true };
	struct keeper_set want;
	struct pubkey a = key('A'), b = key('B'), c = key('C');

	v.seat[0] = (struct roster_seat){ .node = a, .reachable = true };
	roster_admit(r, &a, 0);
	roster_admit(r, &b, 0);
	roster_admit(r, &c, 0);
	roster_see(r, &a, true, true, SEC(1));
	for (unsigned i = 1; i < 600; i++)
		roster_tick(r, MINUTES(i));
	roster_see(r, &b, true, true, MINUTES(600));
	roster_see(r, &c, true, true, MINUTES(600));
	CHECK_EQ_INT(roster_decide(r, &v, false, &want, MINUTES(601)), ROSTER_GROW);
	roster_free(r);
}

static void test_roster_survives_a_restart_and_refuses_damaged_bytes(void)
{
	struct roster *r = roster_new(0), *again = roster_new(HOURS(3)), *bad = roster_new(0);
	uint8_t bytes[ROSTER_BYTES_MAX + 1];
	struct roster_view v = { .count = 1, .quorum = 1, .most = 3, .settled = true };
	struct candidate was, is;
	struct pubkey a = key('A'), b = key('B');
	size_t at = 0, len;

	v.seat[0].node = a;
	roster_admit(r, &a, 0);
	roster_admit(r, &b, 0);
	for (unsigned i = 0; i < 3000; i++) {
		roster_see(r, &a, true, true, MINUTES(i));
		roster_see(r, &b, true, i % 3 != 0, MINUTES(i));
		roster_tick(r, MINUTES(i));
	}
	len = roster_write(r, bytes, sizeof(bytes));
	CHECK_EQ_INT(len, 2 + 2 * (KEY_LEN + 5));
	CHECK(roster_read(again, bytes, len, HOURS(3)));
	CHECK_EQ_INT(roster_count(again), 2);
	roster_see(again, &b, true, false, HOURS(3));
	CHECK(roster_next(r, &v, &at, &was, MINUTES(3000)));
	at = 0;
	CHECK(roster_next(again, &v, &at, &is, HOURS(3)));
	CHECK(is.percent == was.percent && is.percent > 10 && !is.present);
	for (size_t cut = 0; cut < len; cut++)
		CHECK(!roster_read(bad, bytes, cut, 0));
	CHECK(!roster_read(bad, bytes, len + 1, 0));
	bytes[0]++;
	CHECK(!roster_read(bad, bytes, len, 0));
	CHECK_EQ_INT(roster_count(bad), 0);
	roster_free(r);
	roster_free(again);
	roster_free(bad);
}

static void test_roster_the_table_is_bounded_and_keeps_the_better(void)
{
	struct roster *r = roster_new(0);
	struct pubkey k = { { 0 } };

	for (unsigned i = 0; i < 1000; i++) {
		k.b[0] = (uint8_t)i;
		k.b[1] = (uint8_t)(i >> 8);
		if (roster_admit(r, &k, SEC(i)))
			roster_see(r, &k, true, i < ROSTER_MAX - 1, SEC(i));
	}
	CHECK_EQ_INT(roster_count(r), ROSTER_MAX);
	k.b[0] = 5;
	k.b[1] = 0;
	roster_see(r, &k, true, true, SEC(2000));
	for (unsigned i = 0, found = 0; i < ROSTER_MAX; i++) {
		found += key_equal(roster_node(r, i), &k);
		if (i == ROSTER_MAX - 1)
			CHECK_EQ_INT(found, 1); /* who was there is kept */
	}
	roster_free(r);
}

static void test_roster_who_was_heard_of_counts_for_a_quarter_of_an_hour(void)
{
	struct roster *r = roster_new(0);
	struct pubkey a = key('A'), b = key('B');

	roster_admit(r, &a, 0);
	CHECK(!roster_was_heard(r, &a, SEC(1)));
	roster_heard(r, &a, SEC(1));
	roster_heard(r, &b, SEC(1)); /* nobody knows it */
	CHECK(roster_was_heard(r, &a, SEC(1) + ROSTER_ABSENT - 1));
	CHECK(!roster_was_heard(r, &a, SEC(1) + ROSTER_ABSENT));
	CHECK(!roster_was_heard(r, &b, SEC(2)));
	roster_free(r);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_roster_the_most_reliable_are_taken),
		TEST(test_roster_who_comes_and_goes_has_to_prove_itself_longer),
		TEST(test_roster_while_nobody_is_there_nothing_counts_against_anybody),
		TEST(test_roster_survives_a_restart_and_refuses_damaged_bytes),
		TEST(test_roster_the_table_is_bounded_and_keeps_the_better),
		TEST(test_roster_who_was_heard_of_counts_for_a_quarter_of_an_hour),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
