/* test_judge.c - whom a proposer believes among liars. */
#include "dht/judge.h"

#include "tests/check.h"

#define WALL 1800000000

static struct config set_of(uint8_t count, uint8_t quorum)
{
	return (struct config){ .count = count, .quorum = quorum, .era = 0, .epoch = 1 };
}

static void report(struct judge_panel *p, uint8_t member, uint64_t counter, uint8_t value,
		   uint64_t age)
{
	uint8_t b[4] = { value, value, value, value };
	struct judge_report r = { .accepted = { 0, 1, counter, 0 }, .age = age, .beacon = 5,
				  .value = b, .len = value ? sizeof(b) : 0 };

	judge_panel_add(p, member, &r);
}

/* Value n may come of value n - 1, the first of nothing. */
static bool next_of(void *ctx, const struct judge_report *base, const struct judge_report *value)
{
	++*(unsigned *)ctx;
	return value->value[0] == (base ? base->value[0] + 1 : 1);
}

static struct judge_choice pick(struct judge_panel *p, uint8_t count, uint8_t quorum)
{
	struct config cf = set_of(count, quorum);
	unsigned asked = 0;

	return judge_pick(p, &cf, next_of, &asked);
}

static int value_of(const struct judge_choice *c) { return c->report ? c->report->value[0] : 0; }

static void test_judge_knows_how_many_liars_a_set_endures(void)
{
	static const uint8_t sets[][4] = { /* count, quorum, liars, enough */
		{ 1, 1, 0, 1 }, { 3, 2, 0, 2 }, { 5, 3, 0, 3 }, { 7, 4, 0, 4 },
		{ 5, 4, 1, 3 }, { 7, 5, 1, 4 }, { 7, 6, 2, 4 }, { 4, 3, 0, 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct config cf = set_of(sets[i][0], sets[i][1]);

		CHECK_EQ_INT(judge_liars(&cf), sets[i][2]);
		CHECK_EQ_INT(judge_enough(&cf), sets[i][3]);
	}
}

static void test_judge_majority_believes_the_highest_ballot(void)
{
	struct judge_panel p = { .heard = 0 };
	struct judge_choice c;

	report(&p, 0, 1, 1, 50);
	report(&p, 2, 9, 7, 40);
	report(&p, 1, 0, 0, 0);
	c = pick(&p, 5, 3);
	CHECK_EQ_INT(value_of(&c), 7);
	CHECK_EQ_INT(c.age, 40);
	CHECK(c.sure && !c.unanimous);
	judge_panel_clear(&p);
}

static void test_judge_smallest_age_counts_in_a_majority_set(void)
{
	struct judge_panel p = { .heard = 0 };
	struct judge_choice c;

	report(&p, 0, 3, 1, 50);
	report(&p, 1, 3, 1, 20);
	report(&p, 2, 3, 1, 70);
	c = pick(&p, 5, 3);
	CHECK_EQ_INT(c.age, 20);
	CHECK(c.unanimous);
	judge_panel_clear(&p);
}

static void test_judge_lone_liar_with_a_high_ballot_is_not_believed(void)
{
	struct judge_panel p = { .heard = 0 };
	struct judge_choice c;

	report(&p, 0, 4, 1, 50);
	report(&p, 1, 4, 1, 60);
	report(&p, 2, 4, 1, 70);
	report(&p, 3, UINT64_MAX, 9, 0);
	c = pick(&p, 5, 4);
	CHECK_EQ_INT(value_of(&c), 1);
	CHECK(c.sure && !c.unanimous);
	judge_panel_clear(&p);
}

static void test_judge_liars_move_neither_age_nor_value(void)
{
	struct judge_panel p = { .heard = 0 };
	struct judge_choice c;

	for (uint8_t i = 0; i < 4; i++)
		report(&p, i, 4, 1, 1000 + i);
	report(&p, 4, 4, 1, 0);
	report(&p, 5, 8, 9, 0);
	c = pick(&p, 7, 6);
	CHECK_EQ_INT(value_of(&c), 1);
	CHECK_EQ_INT(c.age, 1000);
	report(&p, 5, 4, 1, 0);
	c = pick(&p, 7, 6);
	CHECK_EQ_INT(c.age, 1000);
	report(&p, 4, 4, 1, UINT64_MAX);
	report(&p, 5, 4, 1, UINT64_MAX);
	c = pick(&p, 7, 6);
	CHECK(c.age >= 1000 && c.age <= 1003);
	judge_panel_clear(&p);
}

/* One that is behind tells the age of what was before, as a liar may: an up-to-date one decides. */
static void test_judge_believes_no_age_of_liars_and_who_is_behind(void)
{
	struct judge_panel p = { .heard = 0 };
	struct judge_choice c;

	report(&p, 0, 4, 1, 5000);
	report(&p, 1, 4, 1, UINT64_MAX);
	report(&p, 2, 9, 1, 20);
	report(&p, 3, 9, 1, 10);
	c = pick(&p, 5, 4);
	CHECK(c.sure && c.age <= 20);
	judge_panel_clear(&p);
}

static void test_judge_takes_the_beacon_that_more_than_liars_tell(void)
{
	static const struct {
		uint64_t beacon[4], expect;
	} rows[] = {
		{ { 5, 5, 5, 5 }, 5 }, { { 5, 5, 5, 99 }, 5 }, { { 5, 5, 9, 9 }, 9 },
		{ { 4, 9, 9, 9 }, 9 }, { { 4, 5, 6, 99 }, 5 },
		{ { 0, 5, 6, 7 }, 5 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct judge_panel p = { .heard = 0 };
		struct judge_choice c;

		for (uint8_t m = 0; m < 4; m++) {
			report(&p, m, 4 + m, 1, 10);
			p.reports[m].beacon = rows[i].beacon[m];
		}
		c = pick(&p, 5, 4);
		CHECK(c.sure);
		CHECK_EQ_INT(c.beacon, rows[i].expect);
		judge_panel_clear(&p);
	}
}

/* The same value was accepted under many ballots. */
static void test_judge_counts_values_and_not_ballots(void)
{
	struct judge_panel p = { .heard = 0 };
	struct judge_choice c;

	report(&p, 0, 4, 1, 50);
	report(&p, 1, 5, 1, 60);
	report(&p, 2, 6, 1, 70);
	report(&p, 3, 1000, 9, 0);
	report(&p, 4, 1000, 9, 0); /* one that was led, and who led it */
	c = pick(&p, 5, 4);
	CHECK(c.sure && !c.unanimous);
	CHECK_EQ_INT(value_of(&c), 1);
	judge_panel_clear(&p);
}

static void test_judge_counts_who_shows_what_it_came_of(void)
{
	struct judge_panel p = { .heard = 0 };
	struct judge_choice c;

	report(&p, 0, 4, 2, 50);
	report(&p, 1, 5, 3, 60);
	report(&p, 2, 4, 2, 70);
	report(&p, 3, 1000, 9, 0);
	c = pick(&p, 5, 4);
	CHECK(c.sure);
	CHECK_EQ_INT(value_of(&c), 3);
	CHECK_EQ_INT(c.age, 0); /* it is just being made */
	judge_panel_clear(&p);
}

static void test_judge_is_not_sure_of_two_against_two(void)
{
	struct judge_panel p = { .heard = 0 };
	struct judge_choice c;

	report(&p, 0, 4, 1, 50);
	report(&p, 1, 4, 1, 60);
	report(&p, 3, 1000, 9, 0);
	report(&p, 4, 1000, 9, 0);
	c = pick(&p, 5, 4);
	CHECK(!c.sure && !c.unanimous && c.age == 0);
	report(&p, 2, 4, 1, 60);
	c = pick(&p, 5, 4);
	CHECK(c.sure);
	CHECK_EQ_INT(value_of(&c), 1);
	judge_panel_clear(&p);
}

/* Not knowing is no word for free. */
static void test_judge_who_does_not_know_backs_nothing(void)
{
	struct judge_panel p = { .heard = 0 };
	struct judge_report unknown = { .accepted = { .proposer = 255 } };
	struct judge_choice c;

	report(&p, 0, 0, 0, 0);
	report(&p, 1, 0, 0, 0);
	judge_panel_add(&p, 2, &unknown);
	judge_panel_add(&p, 3, &unknown);
	c = pick(&p, 5, 4);
	CHECK(!c.sure && !c.report);
	report(&p, 1, 3, 1, 0);
	c = pick(&p, 5, 4);
	CHECK(!c.sure);
	report(&p, 2, 0, 0, 0);
	c = pick(&p, 5, 4);
	CHECK(c.sure);
	CHECK_EQ_INT(value_of(&c), 1);
	judge_panel_clear(&p);
}

static void test_judge_half_written_value_that_is_legal_is_finished(void)
{
	struct judge_panel p = { .heard = 0 };
	struct judge_choice c;

	report(&p, 0, 4, 1, 50);
	report(&p, 1, 4, 1, 60);
	report(&p, 2, 5, 2, 0);
	report(&p, 3, 4, 1, 70);
	c = pick(&p, 5, 4);
	CHECK_EQ_INT(value_of(&c), 2);
	CHECK_EQ_INT(c.age, 0);
	judge_panel_clear(&p);
}

static void test_judge_nothing_sure_is_free_or_a_legal_first_step(void)
{
	struct judge_panel p = { .heard = 0 };
	struct judge_choice c;

	report(&p, 0, 0, 0, 0);
	report(&p, 1, 0, 0, 0);
	report(&p, 2, 0, 0, 0);
	report(&p, 3, 9, 9, 0);
	c = pick(&p, 5, 4);
	CHECK(!c.report && c.sure && !c.unanimous);
	report(&p, 3, 9, 1, 0);
	c = pick(&p, 5, 4);
	CHECK_EQ_INT(value_of(&c), 1);
	report(&p, 3, 0, 0, 0);
	c = pick(&p, 5, 4);
	CHECK(!c.report && c.unanimous);
	judge_panel_clear(&p);
}

/* Everything that a liar may report, against three honest ones with the chosen value. */
static void test_judge_no_report_of_one_liar_hides_what_was_chosen(void)
{
	for (uint64_t counter = 0; counter < 8; counter++)
		for (uint8_t value = 0; value < 6; value++)
			for (uint8_t behind = 0; behind < 2; behind++) {
				struct judge_panel p = { .heard = 0 };
				struct judge_choice c;

				report(&p, 0, 4, 2, 50);
				report(&p, 1, 4, 2, 60);
				report(&p, 2, behind ? 3 : 4, behind ? 1 : 2, 70);
				report(&p, 3, counter, value, 0);
				c = pick(&p, 5, 4);
				CHECK(c.sure);
				CHECK(value_of(&c) == 2 || (value_of(&c) == 3 && counter > 4));
				judge_panel_clear(&p);
			}
}

/* 2 was chosen: three honest ones accepted it, some of whom have 3 by now. Another honest one has
 * missed it, and has nothing, what was before, or what it was led to. The liar says anything. */
static void every_panel(struct judge_panel *p, unsigned n)
{
	static const uint8_t missed[] = { 0, 1, 9 }, lies[] = { 0, 1, 2, 3, 4, 9 };
	static const uint8_t liars_ballot[] = { 1, 20, 200 }, missed_ballot[] = { 2, 100 };

	for (uint8_t i = 0; i < 3; i++, n /= 2)
		report(p, i, n % 2 ? 12 + i : 10 + i, n % 2 ? 3 : 2, 50);
	report(p, 3, missed_ballot[n % 2], missed[n / 2 % 3], 500);
	n /= 6;
	report(p, 4, liars_ballot[n % 3], lies[n / 3 % 6], 900);
}

static void test_judge_is_sure_of_nothing_but_what_came_of_what_was_chosen(void)
{
	for (unsigned n = 0; n < 8 * 6 * 18; n++)
		for (uint8_t without = 0; without <= 5; without++) {
			struct judge_panel p = { .heard = 0 };
			struct judge_choice c;

			every_panel(&p, n);
			p.heard &= (uint8_t)~(1u << without); /* 5: all of them are heard */
			c = pick(&p, 5, 4);
			CHECK(c.sure || without < 4);
			CHECK(!c.sure || (value_of(&c) >= 2 && value_of(&c) <= 4));
			CHECK(!c.sure || c.age <= 50);
			p.heard = 31;
			judge_panel_clear(&p);
		}
}

static void test_judge_sees_two_values_of_one_ballot(void)
{
	struct judge_panel p = { .heard = 0 };
	struct config cf = set_of(5, 4);

	report(&p, 0, 4, 1, 50);
	report(&p, 1, 4, 1, 60);
	CHECK_EQ_INT(judge_equivocator(&p, &cf), -1);
	report(&p, 2, 4, 2, 60);
	CHECK_EQ_INT(judge_equivocator(&p, &cf), 0);
	judge_panel_clear(&p);
}

static void test_judge_counters_have_no_end_within_reach(void)
{
	CHECK(judge_counter_fits(1, 0, 0));
	CHECK(judge_counter_fits(7, 9, 0));
	CHECK(judge_counter_fits(JUDGE_COUNTER_STEP, 0, 0));
	CHECK(!judge_counter_fits(JUDGE_COUNTER_STEP + 1, 0, 0));
	CHECK(!judge_counter_fits(UINT64_MAX, 1000, 1800000000));
	CHECK(judge_counter_fits(UINT64_MAX, UINT64_MAX - 1, 0));
}

/* One leap, however far somebody was led; who repeats steps for ever is overtaken by the clock. */
static void test_judge_counters_end_where_the_clock_is(void)
{
	uint64_t end = 1800000000 * JUDGE_COUNTERS_A_SECOND;

	CHECK(judge_counter_fits(end - 1, 0, 1800000000));
	CHECK(!judge_counter_fits(end, 0, 1800000000));
	CHECK(judge_counter_fits(end, 0, 1800000001));
	CHECK(judge_counter_fits(end + 7, end, 1800000000));
	CHECK(judge_counter_fits(end, 0, UINT64_MAX));
	CHECK(UINT64_MAX / JUDGE_COUNTERS_A_SECOND > UINT64_C(500000) * 365 * 86400);
	CHECK(2 * 5000 * JUDGE_COUNTER_STEP < JUDGE_COUNTERS_A_SECOND); /* two liars' messages */
}

static void test_judge_beacons_are_not_of_the_future(void)
{
	CHECK(judge_beacon_fits(0, WALL));
	CHECK(judge_beacon_fits(WALL + JUDGE_CLOCKS_APART, WALL));
	CHECK(!judge_beacon_fits(WALL + JUDGE_CLOCKS_APART + 1, WALL));
	CHECK(!judge_beacon_fits(UINT64_MAX, WALL));
}

static const struct test tests[] = {
	TEST(test_judge_knows_how_many_liars_a_set_endures),
	TEST(test_judge_majority_believes_the_highest_ballot),
	TEST(test_judge_smallest_age_counts_in_a_majority_set),
	TEST(test_judge_lone_liar_with_a_high_ballot_is_not_believed),
	TEST(test_judge_liars_move_neither_age_nor_value),
	TEST(test_judge_believes_no_age_of_liars_and_who_is_behind),
	TEST(test_judge_takes_the_beacon_that_more_than_liars_tell),
	TEST(test_judge_counts_values_and_not_ballots),
	TEST(test_judge_counts_who_shows_what_it_came_of),
	TEST(test_judge_is_not_sure_of_two_against_two),
	TEST(test_judge_who_does_not_know_backs_nothing),
	TEST(test_judge_half_written_value_that_is_legal_is_finished),
	TEST(test_judge_nothing_sure_is_free_or_a_legal_first_step),
	TEST(test_judge_no_report_of_one_liar_hides_what_was_chosen),
	TEST(test_judge_is_sure_of_nothing_but_what_came_of_what_was_chosen),
	TEST(test_judge_sees_two_values_of_one_ballot),
	TEST(test_judge_counters_have_no_end_within_reach),
	TEST(test_judge_counters_end_where_the_clock_is),
	TEST(test_judge_beacons_are_not_of_the_future),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
