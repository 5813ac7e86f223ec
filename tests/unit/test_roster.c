/* test_roster.c - who should be keeper: a table of situations. */
#include "dht/roster.h"

#include <stdlib.h>

#include "tests/unit/roster_kit.h"

/* --- situations ---
 * Members are letters, A the best among equals. "A" is there for a day, "A+5" for 5 minutes only,
 * "A-12" has been away for 12; "A!" has lost its incarnation, "A~" its right,
 * "A^" likewise, 5 minutes ago. */

#define START DAYS(2)

struct situation {
	const char *members, *keepers;
	unsigned most;
	const char *becomes; /* letters and quorum: "ABC2"; "" = nothing changes */
	enum roster_change change;
	char self; /* who decides; 0 = the first keeper */
	bool hardened, hurry, unsettled;
	unsigned waited; /* seconds it has been so already, told once a second */
};

struct scene {
	struct roster *r;
	struct roster_view v;
};

static struct roster_seat *seat(struct scene *s, char letter)
{
	for (size_t i = 0; i < s->v.count; i++)
		if (s->v.seat[i].node.b[0] == (uint8_t)letter)
			return &s->v.seat[i];
	return NULL;
}

/* One member, there or away for `minutes` when it is START. */
static void place(struct scene *s, char letter, bool present, long minutes, char mark)
{
	struct roster_seat *seated = seat(s, letter);
	struct pubkey k = key(letter);

	roster_admit(s->r, &k, SEC(1));
	roster_see(s->r, &k, mark != '~', !present, SEC(1));
	roster_see(s->r, &k, mark != '~', present, START - MINUTES(minutes));
	if (mark == '^')
		roster_see(s->r, &k, false, present, START - MINUTES(5));
	if (!seated)
		return;
	seated->reachable = present;
	seated->lost = mark == '!';
}

static void place_all(struct scene *s, const char *members)
{
	char *end;

	for (const char *m = members; *m;) {
		char letter = *m++;
		long minutes = *m == '+' || *m == '-' ? strtol(m, &end, 10) : 1440;

		if (*m == '+' || *m == '-')
			m = end;
		place(s, letter, minutes > 0, labs(minutes), *m);
		m += *m == '!' || *m == '~' || *m == '^';
		m += strspn(m, " ");
	}
}

static struct scene scene_of(const struct situation *t)
{
	struct scene s = { .r = roster_new(SEC(1)) };

	s.v.most = (uint8_t)t->most;
	s.v.hardened = t->hardened;
	s.v.settled = !t->unsettled;
	for (const char *k = t->keepers; *k; k++) {
		s.v.self = *k == t->self ? s.v.count : s.v.self;
		s.v.seat[s.v.count++].node = key(*k);
	}
	s.v.quorum = roster_quorum(s.v.count, t->hardened);
	place_all(&s, t->members);
	return s;
}

static void run(const struct situation *t, size_t n)
{
	for (size_t i = 0; i < n; i++, t++) {
		struct scene s = scene_of(t);
		struct keeper_set want = { .count = 0 };
		char text[SET_TEXT] = "";
		enum roster_change c;

		for (unsigned k = 0; k < t->waited; k++)
			roster_decide(s.r, &s.v, false, &want, START - SEC(t->waited - k));
		c = roster_decide(s.r, &s.v, t->hurry, &want, START);
		if (c != ROSTER_STAY)
			text_of(&want, text);
		if (c != t->change || strcmp(text, t->becomes) != 0)
			printf("# '%s', keepers %s, most %u: %s %s\n", t->members, t->keepers, t->most,
			       roster_change_text(c), text);
		CHECK_EQ_INT(c, t->change);
		CHECK(strcmp(text, t->becomes) == 0);
		roster_free(s.r);
	}
}
#define RUN(t) run(t, ARRAY_LEN(t))

static void test_roster_one_keeper_grows_to_three_after_a_minute_and_never_to_two(void)
{
	static const struct situation t[] = {
		{ "A", "A", 5, "", .change = ROSTER_STAY },
		{ "A B", "A", 5, "", .change = ROSTER_STAY },
		{ "A B C", "A", 5, "ABC2", .change = ROSTER_GROW },
		{ "A B+1 C+1", "A", 5, "ABC2", .change = ROSTER_GROW },
		{ "A B C-1", "A", 5, "", .change = ROSTER_STAY },
		{ "A B C~", "A", 5, "", .change = ROSTER_STAY },
		{ "A B C", "A", 1, "", .change = ROSTER_STAY },
		{ "A B C", "A", 2, "", .change = ROSTER_STAY }, /* no such setting; still never two */
		{ "A B C", "A", 0, "", .change = ROSTER_STAY }, /* manual */
		{ "A B C", "A", 3, "ABC2", .change = ROSTER_GROW },
		{ "A B C D E F G", "A", 7, "ABC2", .change = ROSTER_GROW }, /* one quick step only */
	};

	RUN(t);
}

static void test_roster_more_than_three_take_half_an_hour(void)
{
	static const struct situation t[] = {
		{ "A B C D E", "ABC", 5, "ABCDE3", .change = ROSTER_GROW },
		{ "A B C D+30 E+30", "ABC", 5, "ABCDE3", .change = ROSTER_GROW },
		{ "A B C D+29 E+40", "ABC", 5, "", .change = ROSTER_STAY },
		{ "A B C D", "ABC", 5, "", .change = ROSTER_STAY }, /* never four */
		{ "A B C D E", "ABC", 3, "", .change = ROSTER_STAY },
		{ "A B C D E F G", "ABC", 5, "ABCDE3", .change = ROSTER_GROW },
		{ "A B C D E F G", "ABC", 7, "ABCDEFG4", .change = ROSTER_GROW },
		{ "A B C D E F", "ABCDE", 7, "", .change = ROSTER_STAY },
		{ "A B C D E F G", "ABCDE", 7, "ABCDEFG4", .change = ROSTER_GROW },
		{ "A B C-1 D E", "ABC", 5, "", .change = ROSTER_STAY }, /* somebody is away: first that */
	};

	RUN(t);
}

static void test_roster_who_is_away_ten_minutes_gives_way_to_a_spare(void)
{
	static const struct situation t[] = {
		{ "A B C-9 D", "ABC", 5, "", .change = ROSTER_STAY },
		{ "A B C-10 D", "ABC", 5, "ABD2", .change = ROSTER_REPLACE },
		{ "A B C-10", "ABC", 5, "", .change = ROSTER_STAY },
		{ "A B C-10 D~", "ABC", 5, "", .change = ROSTER_STAY },
		{ "A B C-10 D-3", "ABC", 5, "", .change = ROSTER_STAY },
		{ "A B C-10 D", "ABC", 0, "", .change = ROSTER_STAY },
		{ "A B C D-20 E-20 F G", "ABCDE", 5, "ABCFG3", .change = ROSTER_REPLACE },
		{ "A B C D-20 E-30 F", "ABCDE", 5, "ABCDF3", .change = ROSTER_REPLACE },
		{ "A B C-20 D", "ABC", 3, "ABD2", .change = ROSTER_REPLACE },
	};

	RUN(t);
}

static void test_roster_without_a_spare_it_shrinks_after_an_hour(void)
{
	static const struct situation t[] = {
		{ "A B C-59", "ABC", 5, "", .change = ROSTER_STAY },
		{ "A B C-60", "ABC", 5, "A1", .change = ROSTER_SHRINK },
		{ "A B C D E-59", "ABCDE", 5, "", .change = ROSTER_STAY },
		{ "A B C D E-60", "ABCDE", 5, "ABC2", .change = ROSTER_SHRINK },
		{ "A B C D-70 E-60", "ABCDE", 5, "ABC2", .change = ROSTER_SHRINK },
		{ "A B C D E-60", "ABCDE", 0, "", .change = ROSTER_STAY },
		{ "A B C D E F G-90", "ABCDEFG", 7, "ABCDE3", .change = ROSTER_SHRINK },
		{ "A B C D E", "ABCDE", 3, "ABC2", .change = ROSTER_SHRINK }, /* the settings say so */
		{ "A B C-2 D E", "ABCDE", 3, "ABD2", .change = ROSTER_SHRINK }, /* who is away goes first */
		{ "A B C D E", "ABCDE", 1, "A1", .change = ROSTER_SHRINK },
	};

	RUN(t);
}

static void test_roster_nothing_changes_without_a_living_quorum(void)
{
	static const struct situation t[] = {
		{ "A B-20 C-20 D E", "ABC", 5, "", .change = ROSTER_STAY },
		{ "A B-90 C-90 D E", "ABC", 5, "", .change = ROSTER_STAY },
		{ "A B C-90 D-90 E-90 F G", "ABCDE", 5, "", .change = ROSTER_STAY },
		{ "A B C D E-20 F", "ABCDE", 5, "ABCDF4", .change = ROSTER_REPLACE, .hardened = true },
		{ "A B C D-20 E-20 F G", "ABCDE", 5, "", .change = ROSTER_STAY, .hardened = true },
		/* A quorum of the new set has to live too. */
		{ "A B C D-5 E-90", "ABCDE", 5, "ABC2", .change = ROSTER_SHRINK },
	};

	RUN(t);
}

static void test_roster_who_lost_the_right_leaves_first_and_at_once(void)
{
	static const struct situation t[] = {
		{ "A B C~ D", "ABC", 5, "ABD2", .change = ROSTER_EXPEL },
		{ "A B C~ D+0", "ABC", 5, "A1", .change = ROSTER_EXPEL }, /* D has just gone */
		{ "A B C^ D", "ABC", 5, "ABD2", .change = ROSTER_EXPEL }, /* since 5 minutes */
		{ "A B C^", "ABC", 5, "", .change = ROSTER_STAY }, /* a spare may turn up */
		{ "A B C^ D-1", "ABC", 5, "", .change = ROSTER_STAY },
		{ "A B C~", "ABC", 5, "A1", .change = ROSTER_EXPEL },
		{ "A B~ C D-20 E F G", "ABCDE", 5, "ACEFG3", .change = ROSTER_EXPEL },
		{ "A~ B", "A", 5, "B1", .change = ROSTER_EXPEL },
		{ "A~", "A", 5, "", .change = ROSTER_STAY }, /* nobody else */
		{ "A~ B C", "ABC", 5, "B1", .change = ROSTER_EXPEL },
		{ "A B C~", "ABC", 0, "", .change = ROSTER_STAY },
	};

	RUN(t);
}

static void test_roster_a_lost_incarnation_is_seated_anew_or_replaced_at_once(void)
{
	static const struct situation t[] = {
		{ "A B C!", "ABC", 5, "ABC2", .change = ROSTER_RESEAT },
		{ "A B C! D", "ABC", 3, "ABC2", .change = ROSTER_RESEAT },
		{ "A B C-2!", "ABC", 5, "", .change = ROSTER_STAY }, /* it may come back as another */
		{ "A B C-2! D", "ABC", 5, "ABD2", .change = ROSTER_REPLACE },
		{ "A B C-61!", "ABC", 5, "A1", .change = ROSTER_SHRINK },
	};

	RUN(t);
}

static void test_roster_a_hardened_set_has_larger_quorums(void)
{
	static const struct situation t[] = {
		{ "A B C D E", "ABC", 5, "ABCDE4", .change = ROSTER_GROW, .hardened = true },
		{ "A B C D E F G", "ABCDE", 7, "ABCDEFG6", .change = ROSTER_GROW, .hardened = true },
		{ "A B C D E F G", "ABCDEFG", 5, "", .change = ROSTER_STAY, .hardened = true },
	};
	struct scene s = scene_of(&(struct situation){ .members = "A B C D E", .keepers = "ABCDE",
						       .most = 5 });
	struct keeper_set want;

	RUN(t);
	s.v.hardened = true; /* the settings have just been changed */
	CHECK_EQ_INT(roster_decide(s.r, &s.v, false, &want, START), ROSTER_RESEAT);
	CHECK(want.count == 5 && want.quorum == 4);
	roster_free(s.r);
	CHECK_EQ_INT(roster_quorum(2, false), 0);
	CHECK_EQ_INT(roster_quorum(4, true), 0);
	CHECK_EQ_INT(roster_quorum(200, true), 0);
}

static void test_roster_the_lowest_that_is_there_acts_and_the_next_a_minute_later(void)
{
	static const struct situation t[] = {
		{ "A B C-20 D", "ABC", 5, "", .change = ROSTER_STAY, .self = 'B' },
		{ "A B C-20 D", "ABC", 5, "", .change = ROSTER_STAY, .self = 'B', .waited = 59 },
		{ "A B C-20 D", "ABC", 5, "ABD2", .change = ROSTER_REPLACE, .self = 'B', .waited = 60 },
		{ "A-20 B C D", "ABC", 5, "BCD2", .change = ROSTER_REPLACE, .self = 'B' },
		{ "A-20 B C D", "ABC", 5, "", .change = ROSTER_STAY, .self = 'C', .waited = 59 },
		{ "A B C D E", "ABC", 5, "ABCDE3", .change = ROSTER_GROW, .self = 'C', .waited = 120 },
		{ "A B C D E", "ABC", 5, "", .change = ROSTER_STAY, .self = 'C', .waited = 119 },
	};

	RUN(t);
}

static void test_roster_nothing_is_begun_while_a_change_is_under_way(void)
{
	static const struct situation t[] = {
		{ "A B C", "A", 5, "", .change = ROSTER_STAY, .unsettled = true },
		{ "A B C", "A", 5, "", .change = ROSTER_STAY, .unsettled = true, .hurry = true },
	};

	RUN(t);
}

static void test_roster_a_person_need_not_wait(void)
{
	static const struct situation t[] = {
		{ "A B+0 C+0", "A", 5, "", .change = ROSTER_STAY },
		{ "A B+1 C+1 D+1 E+1", "A", 5, "ABCDE3", .change = ROSTER_GROW, .hurry = true },
		{ "A B C D+1 E+1", "ABC", 5, "ABCDE3", .change = ROSTER_GROW, .self = 'C', .hurry = true },
		{ "A B-1 C", "A", 5, "", .change = ROSTER_STAY, .hurry = true },
		{ "A B C D+1", "ABC", 5, "", .change = ROSTER_STAY, .hurry = true },
		{ "A B C-1 D+1", "ABC", 5, "ABD2", .change = ROSTER_REPLACE, .hurry = true },
		{ "A B C-1", "ABC", 5, "", .change = ROSTER_STAY, .hurry = true },
	};

	RUN(t);
}

static void test_roster_changes_are_a_minute_apart(void)
{
	struct scene s = scene_of(&(struct situation){ .members = "A B C", .keepers = "A",
						       .most = 5 });
	struct keeper_set want;

	roster_changed(s.r, START - SEC(59));
	CHECK_EQ_INT(roster_decide(s.r, &s.v, false, &want, START), ROSTER_STAY);
	CHECK_EQ_INT(roster_decide(s.r, &s.v, false, &want, START + SEC(1)), ROSTER_GROW);
	roster_free(s.r);
}

static void test_roster_who_does_not_stand_waits_longer_and_others_come_first(void)
{
	struct scene s = scene_of(&(struct situation){ .members = "A B C D", .keepers = "A",
						       .most = 3 });
	struct keeper_set want;
	char text[SET_TEXT];

	CHECK_EQ_INT(roster_decide(s.r, &s.v, false, &want, START), ROSTER_GROW);
	text_of(&want, text);
	CHECK(strcmp(text, "ABC2") == 0);
	roster_begun(s.r, &s.v, &want, START);
	/* A minute later the set is still the same: B or C did not come. */
	CHECK_EQ_INT(roster_decide(s.r, &s.v, false, &want, START + SEC(60)), ROSTER_GROW);
	roster_begun(s.r, &s.v, &want, START + SEC(60));
	CHECK_EQ_INT(roster_decide(s.r, &s.v, false, &want, START + SEC(179)), ROSTER_STAY);
	CHECK_EQ_INT(roster_decide(s.r, &s.v, false, &want, START + SEC(180)), ROSTER_GROW);
	roster_begun(s.r, &s.v, &want, START + SEC(180));
	CHECK_EQ_INT(roster_decide(s.r, &s.v, false, &want, START + SEC(419)), ROSTER_STAY);
	CHECK_EQ_INT(roster_decide(s.r, &s.v, false, &want, START + SEC(420)), ROSTER_GROW);
	roster_free(s.r);
}

static void test_roster_candidates_are_told_why_they_wait(void)
{
	static const struct {
		const char *members, *keepers;
		unsigned most;
		enum candidate_wait wait;
		unsigned left; /* seconds */
	} rows[] = {
		{ "A B C", "A", 5, CANDIDATE_READY, 0 },
		{ "A B", "A", 5, CANDIDATE_PAIR, 0 },
		{ "A B C D", "ABC", 5, CANDIDATE_PAIR, 0 },
		{ "A B-3 C", "A", 5, CANDIDATE_ABSENT, 0 },
		{ "A B C D", "ABC", 3, CANDIDATE_FULL, 0 },
		{ "A B C", "A", 0, CANDIDATE_MANUAL, 0 },
		{ "A B C D+10 E", "ABC", 5, CANDIDATE_PROOF, 20 * 60 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scene s = scene_of(&(struct situation){ .members = rows[i].members,
							       .keepers = rows[i].keepers,
							       .most = rows[i].most });
		struct candidate info;
		size_t at = 0;

		CHECK(roster_next(s.r, &s.v, &at, &info, START));
		CHECK_EQ_INT(info.wait, rows[i].wait);
		CHECK_EQ_INT(info.left / SEC(1), rows[i].left);
		roster_free(s.r);
	}
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_roster_one_keeper_grows_to_three_after_a_minute_and_never_to_two),
		TEST(test_roster_more_than_three_take_half_an_hour),
		TEST(test_roster_who_is_away_ten_minutes_gives_way_to_a_spare),
		TEST(test_roster_without_a_spare_it_shrinks_after_an_hour),
		TEST(test_roster_nothing_changes_without_a_living_quorum),
		TEST(test_roster_who_lost_the_right_leaves_first_and_at_once),
		TEST(test_roster_a_lost_incarnation_is_seated_anew_or_replaced_at_once),
		TEST(test_roster_a_hardened_set_has_larger_quorums),
		TEST(test_roster_the_lowest_that_is_there_acts_and_the_next_a_minute_later),
		TEST(test_roster_nothing_is_begun_while_a_change_is_under_way),
		TEST(test_roster_a_person_need_not_wait),
		TEST(test_roster_changes_are_a_minute_apart),
		TEST(test_roster_who_does_not_stand_waits_longer_and_others_come_first),
		TEST(test_roster_candidates_are_told_why_they_wait),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
