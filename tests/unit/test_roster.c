/* test_roster.c - who should be keeper: a table of situations, and what must hold in every world. */
#include "dht/roster.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tests/check.h"

static struct pubkey key(char letter)
{
	struct pubkey k = { { 0 } };

	k.b[0] = (uint8_t)letter;
	return k;
}

/* --- situations ---
 * Members are letters, A the best among equals. "A" is there for a day, "A+5" for 5 minutes only,
 * "A-12" has been away for 12; "A!" has lost its incarnation, "A~" its right. */

#define START DAYS(2)
#define SET_TEXT (KEEPERS_MAX + 4)

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
		m += *m == '!' || *m == '~';
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

static void text_of(const struct keeper_set *w, char out[SET_TEXT])
{
	char set[KEEPERS_MAX + 1] = "";

	for (char c = 'A'; c <= 'Z'; c++)
		for (size_t i = 0; i < w->count; i++)
			if (w->node[i].b[0] == (uint8_t)c)
				set[strlen(set)] = c;
	snprintf(out, SET_TEXT, "%s%u", set, w->quorum);
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

/* --- worlds: members come and go, each keeper has a roster, changes may fail --- */

#define WORLD_MAX 14

struct world {
	uint64_t dice;
	unsigned members, most;
	bool hardened;
	bool up[WORLD_MAX], right[WORLD_MAX];
	unsigned often[WORLD_MAX], rests[WORLD_MAX]; /* minutes up, minutes down, on average */
	struct roster *roster[WORLD_MAX];
	struct keeper_set set;
	usec_t changed;
	unsigned changes, causes; /* long absences and arrivals */
	usec_t since[WORLD_MAX];
	bool counted[WORLD_MAX];
};

static uint32_t dice(struct world *w)
{
	w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(w->dice >> 33);
}

static bool in_set(const struct world *w, unsigned i)
{
	for (size_t k = 0; k < w->set.count; k++)
		if (w->set.node[k].b[0] == 'A' + i)
			return true;
	return false;
}

static void world_check(const struct world *w, const struct keeper_set *want, usec_t now)
{
	unsigned alive = 0, alive_before = 0;

	CHECK(want->count == 1 || want->count == 3 || want->count == 5 || want->count == 7);
	CHECK(want->count <= w->most || want->count < w->set.count);
	CHECK_EQ_INT(want->quorum, roster_quorum(want->count, w->hardened));
	CHECK(now >= w->changed + SEC(60));
	for (size_t i = 0; i < want->count; i++) {
		unsigned at = want->node[i].b[0] - 'A';

		CHECK(at < w->members && w->right[at]);
		alive += at < w->members && w->up[at];
		for (size_t j = 0; j < i; j++)
			CHECK(want->node[i].b[0] != want->node[j].b[0]);
	}
	for (size_t i = 0; i < w->set.count; i++)
		alive_before += w->up[w->set.node[i].b[0] - 'A'];
	CHECK(alive >= want->quorum && alive_before >= w->set.quorum);
}

static void world_keeper(struct world *w, unsigned self, usec_t now)
{
	struct roster_view v = { .count = w->set.count, .quorum = w->set.quorum,
				 .most = (uint8_t)w->most, .hardened = w->hardened,
				 .settled = true };
	struct keeper_set want;

	if (!w->roster[self])
		w->roster[self] = roster_new(now);
	for (unsigned i = 0; i < w->members; i++) {
		struct pubkey k = key((char)('A' + i));

		roster_admit(w->roster[self], &k, now);
		roster_see(w->roster[self], &k, w->right[i], w->up[i], now);
	}
	roster_tick(w->roster[self], now);
	for (uint8_t i = 0; i < v.count; i++) {
		v.seat[i].node = w->set.node[i];
		v.seat[i].reachable = w->up[w->set.node[i].b[0] - 'A'];
		v.self = w->set.node[i].b[0] == 'A' + self ? i : v.self;
	}
	if (roster_decide(w->roster[self], &v, false, &want, now) == ROSTER_STAY)
		return;
	world_check(w, &want, now);
	roster_begun(w->roster[self], &v, &want, now);
	if (dice(w) % 5 == 0)
		return; /* it comes to nothing */
	w->set = want;
	w->changes++;
	w->changed = now;
	for (unsigned i = 0; i < w->members; i++)
		if (w->roster[i])
			roster_changed(w->roster[i], now);
}

/* Its process ends: what is durable is left. */
static void world_restart(struct world *w, unsigned i, usec_t now)
{
	uint8_t bytes[ROSTER_BYTES_MAX];
	size_t len = roster_write(w->roster[i], bytes, sizeof(bytes));

	roster_free(w->roster[i]);
	w->roster[i] = roster_new(now);
	CHECK(roster_read(w->roster[i], bytes, len, now));
}

static void world_turn(struct world *w, usec_t now, usec_t step)
{
	for (unsigned i = 0; i < w->members; i++) {
		uint64_t mean = w->up[i] ? w->often[i] : w->rests[i];

		if (mean && dice(w) % (MINUTES(mean) / step) == 0) {
			w->up[i] = !w->up[i];
			w->since[i] = now;
			w->counted[i] = false;
			if (!w->up[i] && w->roster[i] && dice(w) % 2)
				world_restart(w, i, now);
		}
		if (!w->counted[i] && now >= w->since[i] + (w->up[i] ? SEC(60) : MINUTES(10))) {
			w->counted[i] = true;
			w->causes++;
		}
	}
}

static void world_run(struct world *w, unsigned days)
{
	const usec_t step = SEC(30);

	w->set = (struct keeper_set){ .count = 1, .quorum = 1, .node = { key('A') } };
	for (usec_t now = DAYS(1); now < DAYS(days + 1); now += step) {
		world_turn(w, now, step);
		for (unsigned i = 0; i < w->members; i++)
			if (w->up[i] && in_set(w, i))
				world_keeper(w, i, now);
	}
	for (unsigned i = 0; i < w->members; i++)
		roster_free(w->roster[i]);
}

static void test_roster_in_random_worlds_every_set_is_legal_and_changes_have_causes(void)
{
	unsigned changes = 0, causes = 0;

	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct world w = { .dice = seed, .members = 3 + (unsigned)seed,
				   .most = seed % 3 == 0 ? 3 : seed % 3 == 1 ? 5 : 7,
				   .hardened = seed % 4 == 0 };

		w.members = w.members > WORLD_MAX ? WORLD_MAX : w.members;
		for (unsigned i = 0; i < w.members; i++) {
			w.up[i] = w.right[i] = true;
			w.often[i] = 20 + dice(&w) % 3000;
			w.rests[i] = 1 + dice(&w) % 120;
		}
		world_run(&w, 5);
		CHECK(w.changes <= w.causes + 5);
		changes += w.changes;
		causes += w.causes;
	}
	printf("# %u changes in 40 days, for %u absences and arrivals that lasted\n", changes, causes);
	CHECK(changes < causes / 2);
}

/* Five servers and three laptops that come and go all day: after a while the set stands still. */
static void test_roster_laptops_that_come_and_go_do_not_move_the_set_for_long(void)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct world w = { .dice = 100 + seed, .members = 7, .most = 5 };

		for (unsigned i = 0; i < w.members; i++) {
			w.up[i] = w.right[i] = true;
			w.often[i] = i < 4 ? 0 : 70; /* always, or about an hour at a time */
			w.rests[i] = i < 4 ? 0 : 40;
		}
		world_run(&w, 3);
		printf("# %u changes in 3 days\n", w.changes);
		CHECK(w.changes <= 20);
	}
}

static void test_roster_a_quiet_world_changes_twice_and_never_again(void)
{
	struct world w = { .dice = 7, .members = 5, .most = 5 };

	for (unsigned i = 0; i < w.members; i++)
		w.up[i] = w.right[i] = true;
	world_run(&w, 2);
	CHECK_EQ_INT(w.changes, 2); /* to three, to five */
	CHECK_EQ_INT(w.set.count, 5);
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
		TEST(test_roster_the_most_reliable_are_taken),
		TEST(test_roster_who_comes_and_goes_has_to_prove_itself_longer),
		TEST(test_roster_while_nobody_is_there_nothing_counts_against_anybody),
		TEST(test_roster_candidates_are_told_why_they_wait),
		TEST(test_roster_survives_a_restart_and_refuses_damaged_bytes),
		TEST(test_roster_the_table_is_bounded_and_keeps_the_better),
		TEST(test_roster_who_was_heard_of_counts_for_a_quarter_of_an_hour),
		TEST(test_roster_in_random_worlds_every_set_is_legal_and_changes_have_causes),
		TEST(test_roster_laptops_that_come_and_go_do_not_move_the_set_for_long),
		TEST(test_roster_a_quiet_world_changes_twice_and_never_again),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
