/* test_sim_audit.c - histories of ownership that keep the rules, and one for each way to break
 * them; and the lines they are written in. */
#include <stdlib.h>
#include <unistd.h>

#include "cmd/node_audit.h"
#include "cmd/sim_audit.h"
#include "tests/check.h"

/* The rule that is broken, or "". */
static const char *judge_as(const char *const lines[], const struct sim_audit *how)
{
	static char broken[20];
	char file[] = "/tmp/test_sim_audit.XXXXXX", why[300] = "";
	int fd = mkstemp(file);
	FILE *f = fdopen(fd, "w");
	struct sim_audit a;
	const char *rule;

	for (size_t i = 0; lines[i]; i++)
		fprintf(f, "%s\n", lines[i]);
	fclose(f);
	sim_audit_init(&a);
	a.one_era = how->one_era;
	a.lied_to = how->lied_to;
	a.only_fence = how->only_fence;
	CHECK_EQ_INT(sim_audit_load(&a, file), 0);
	rule = sim_audit_check(&a, why, sizeof(why));
	CHECK((rule != NULL) == (why[0] != 0));
	snprintf(broken, sizeof(broken), "%s", rule ? rule : "");
	sim_audit_fini(&a);
	unlink(file);
	return broken;
}

static const char *judge_of(const char *const lines[], bool one_era)
{
	return judge_as(lines, &(struct sim_audit){ .one_era = one_era });
}

static const char *judge(const char *const lines[]) { return judge_of(lines, false); }

#define JUDGE(...) judge((const char *const[]){ __VA_ARGS__, NULL })
#define GOOD(...) CHECK(strcmp(JUDGE(__VA_ARGS__), "") == 0)
#define BAD(rule, ...) CHECK(strcmp(JUDGE(__VA_ARGS__), rule) == 0)

static void test_audit_owners_one_after_the_other_are_good(void)
{
	GOOD("10 aaaaaaaa hold x 1 100", "100 bbbbbbbb hold x 2 200", "150 bbbbbbbb drop x",
	     "150 aaaaaaaa hold x 3 300");
	GOOD("10 aaaaaaaa hold x 1 100", "20 bbbbbbbb hold y 1 100"); /* two names */
	GOOD("10 aaaaaaaa hold x 1 100", "30 aaaaaaaa die", "30 bbbbbbbb hold x 2 100");
	GOOD("10 aaaaaaaa hold x 1 100", "50 aaaaaaaa hold x 1 60", "70 bbbbbbbb hold x 2 100");
}

static void test_audit_two_owners_at_one_time_are_found(void)
{
	BAD("overlap", "10 aaaaaaaa hold x 1 100", "99 bbbbbbbb hold x 2 200");
	BAD("overlap", "10 aaaaaaaa hold x 1 100", "50 aaaaaaaa hold x 1 160",
	    "120 bbbbbbbb hold x 2 200");
	/* The files of two nodes: what happened first stands second. */
	BAD("overlap", "50 bbbbbbbb hold x 2 200", "60 bbbbbbbb drop x", "10 aaaaaaaa hold x 1 100");
	/* Others between. */
	BAD("overlap", "10 aaaaaaaa hold x 1 900", "20 cccccccc hold y 1 900",
	    "30 bbbbbbbb hold x 2 40");
}

static void test_audit_dropping_one_name_keeps_the_others(void)
{
	BAD("overlap", "10 aaaaaaaa hold x 1 100", "11 aaaaaaaa hold y 1 100", "20 aaaaaaaa drop y",
	    "50 bbbbbbbb hold x 2 200");
	BAD("overlap", "10 aaaaaaaa hold x 1 100", "20 cccccccc die", "50 bbbbbbbb hold x 2 200");
}

static void test_audit_one_owner_that_is_two_processes_is_one_owner(void)
{
	GOOD("10 aaaaaaaa.1 hold x 1 100", "20 aaaaaaaa.2 hold x 1 120");
	/* What such a one does is not judged by overlap: one may give back what the other uses. */
	GOOD("10 aaaaaaaa.1 hold x 1 100", "20 aaaaaaaa.2 hold x 1 120", "50 bbbbbbbb hold x 2 200");
	/* But the second of two lives, one after the other, is. */
	BAD("overlap", "10 aaaaaaaa.1 hold x 1 100", "20 aaaaaaaa.1 die", "30 aaaaaaaa.2 hold x 1 120",
	    "50 bbbbbbbb hold x 2 200");
	/* And what was before there were two. */
	BAD("overlap", "10 aaaaaaaa.1 hold x 1 100", "50 bbbbbbbb hold x 2 200",
	    "60 aaaaaaaa.2 hold x 1 120");
}

static void test_audit_a_generation_with_two_owners_is_found(void)
{
	BAD("chain", "10 aaaaaaaa hold x 1 20", "30 bbbbbbbb hold x 1 40");
	BAD("chain", "1 aaaaaaaa invoke 1 claim x 0", "2 aaaaaaaa ok 1 x 7 aaaaaaaa",
	    "3 bbbbbbbb invoke 1 read x 0", "4 bbbbbbbb ok 1 x 7 bbbbbbbb");
	BAD("chain", "1 cccccccc accept x 3 aaaaaaaa", "2 dddddddd accept x 3 bbbbbbbb");
	GOOD("1 cccccccc accept x 3 aaaaaaaa", "2 dddddddd accept x 3 aaaaaaaa",
	     "3 dddddddd accept y 3 bbbbbbbb");
}

static void test_audit_an_answer_older_than_one_that_was_known_is_found(void)
{
	BAD("chain", "1 aaaaaaaa invoke 1 claim x 0", "2 aaaaaaaa ok 1 x 2 aaaaaaaa",
	    "3 bbbbbbbb invoke 1 read x 0", "4 bbbbbbbb ok 1 x 1 cccccccc");
	/* Released is newer than held, never the other way round. */
	BAD("chain", "1 aaaaaaaa invoke 1 release x 0", "2 aaaaaaaa ok 1 x 2 -",
	    "3 bbbbbbbb invoke 1 read x 0", "4 bbbbbbbb ok 1 x 2 aaaaaaaa");
	/* At the same time both are right. */
	GOOD("1 aaaaaaaa invoke 1 release x 0", "2 bbbbbbbb invoke 1 read x 0",
	     "3 aaaaaaaa ok 1 x 2 -", "4 bbbbbbbb ok 1 x 2 aaaaaaaa");
	/* What ended without a word says nothing. */
	GOOD("1 aaaaaaaa invoke 1 claim x 0", "2 aaaaaaaa info 1", "3 bbbbbbbb invoke 1 read x 0",
	     "4 bbbbbbbb ok 1 x 1 cccccccc");
}

/* In another era, or of a name that was dropped, it would be right. */
static void test_audit_what_was_owned_and_then_unknown_is_found(void)
{
	static const char *const read[] = { "1 aaaaaaaa invoke 1 claim x 0",
					    "2 aaaaaaaa ok 1 x 2 aaaaaaaa",
					    "3 bbbbbbbb invoke 1 read x 0", "4 bbbbbbbb fail 1 8",
					    NULL };
	static const char *const at_once[] = { "1 aaaaaaaa invoke 1 claim x 0",
					       "2 bbbbbbbb invoke 1 read x 0",
					       "3 aaaaaaaa ok 1 x 2 aaaaaaaa",
					       "4 bbbbbbbb fail 1 8", NULL };
	static const char *const renewed[] = { "1 aaaaaaaa invoke 1 release x 0",
					       "2 aaaaaaaa ok 1 x 2 -",
					       "3 bbbbbbbb invoke 1 renew x 0",
					       "4 bbbbbbbb fail 1 8", NULL };

	CHECK(strcmp(judge_of(read, true), "chain") == 0);
	CHECK(strcmp(judge_of(read, false), "") == 0);
	CHECK(strcmp(judge_of(at_once, true), "") == 0);
	CHECK(strcmp(judge_of(renewed, true), "") == 0);
}

static void test_audit_what_nobody_asked_for_is_found(void)
{
	BAD("chain", "1 aaaaaaaa invoke 1 claim x 0", "2 aaaaaaaa ok 1 x 1 aaaaaaaa",
	    "3 bbbbbbbb invoke 1 read x 0", "4 bbbbbbbb ok 1 x 2 bbbbbbbb");
	/* Asked for only afterwards. */
	BAD("chain", "1 aaaaaaaa invoke 1 claim x 0", "2 aaaaaaaa ok 1 x 1 aaaaaaaa",
	    "3 cccccccc invoke 1 read x 0", "4 cccccccc ok 1 x 2 bbbbbbbb",
	    "5 bbbbbbbb invoke 1 claim x 0");
	GOOD("1 aaaaaaaa invoke 1 claim x 0", "2 aaaaaaaa ok 1 x 1 aaaaaaaa",
	     "3 bbbbbbbb invoke 1 claim x 0", "4 bbbbbbbb info 1", "5 cccccccc invoke 1 read x 0",
	     "6 cccccccc ok 1 x 2 bbbbbbbb");
	GOOD("1 aaaaaaaa invoke 1 claim x 0", "2 aaaaaaaa ok 1 x 1 aaaaaaaa",
	     "3 bbbbbbbb invoke 1 transfer x 0", "4 bbbbbbbb ok 1 x 2 bbbbbbbb");
}

static void test_audit_use_of_what_was_not_answered_is_found(void)
{
	BAD("chain", "1 aaaaaaaa invoke 1 claim x 0", "2 aaaaaaaa ok 1 x 1 aaaaaaaa",
	    "3 bbbbbbbb invoke 1 claim x 0", "4 bbbbbbbb info 1", "50 bbbbbbbb hold x 2 90");
	GOOD("1 aaaaaaaa invoke 1 claim x 0", "2 aaaaaaaa ok 1 x 1 aaaaaaaa",
	     "3 bbbbbbbb invoke 1 claim x 0", "4 bbbbbbbb ok 1 x 2 bbbbbbbb",
	     "50 bbbbbbbb hold x 2 90");
}

static void test_audit_a_frame_below_the_fence_is_found(void)
{
	BAD("fence", "1 cccccccc accept x 3 aaaaaaaa", "2 cccccccc accept x 2 bbbbbbbb");
	GOOD("1 cccccccc accept x 3 aaaaaaaa", "2 dddddddd accept x 2 bbbbbbbb"); /* another one */
	GOOD("1 cccccccc accept x 3 aaaaaaaa", "2 cccccccc refuse x 2 bbbbbbbb",
	     "3 cccccccc accept y 1 bbbbbbbb");
	GOOD("1 cccccccc accept x 3 aaaaaaaa", "2 cccccccc die", "3 cccccccc accept x 2 bbbbbbbb");
}

static void test_audit_two_owners_let_in_under_one_generation_are_found(void)
{
	BAD("fence", "1 cccccccc accept x 3 aaaaaaaa", "2 cccccccc accept x 3 bbbbbbbb");
	GOOD("1 cccccccc accept x 3 aaaaaaaa", "2 cccccccc accept x 3 aaaaaaaa",
	     "3 cccccccc accept x 4 bbbbbbbb");
}

/* Where a liar may have anything granted. */
static void test_audit_of_receivers_alone_judges_nothing_else(void)
{
	static const struct sim_audit how = { .only_fence = true };
	static const char *const two[] = { "10 aaaaaaaa hold x 1 100", "20 bbbbbbbb hold x 1 90",
					   "21 cccccccc accept x 1 aaaaaaaa",
					   "22 dddddddd accept x 1 bbbbbbbb", NULL };
	static const char *const both[] = { "21 cccccccc accept x 1 aaaaaaaa",
					    "22 cccccccc accept x 1 bbbbbbbb", NULL };

	CHECK(strcmp(judge_as(two, &how), "") == 0);
	CHECK(strcmp(judge_as(both, &how), "fence") == 0);
}

/* One keeper answers, and may show what was true once; what is used is judged all the same. */
static void test_audit_of_who_was_lied_to_holds_no_answer_against_the_floor(void)
{
	static const struct sim_audit how = { .lied_to = true, .one_era = true };
	static const char *const old[] = { "10 aaaaaaaa invoke 1 claim x 1", "20 aaaaaaaa ok 1 x 5 aaaaaaaa",
					   "30 bbbbbbbb invoke 1 read x 1", "40 bbbbbbbb ok 1 x 4 cccccccc",
					   "50 dddddddd invoke 1 read x 1", "60 dddddddd fail 1 8", NULL };
	static const char *const two[] = { "10 aaaaaaaa hold x 1 100", "20 bbbbbbbb hold x 2 90", NULL };

	CHECK(strcmp(judge_as(old, &how), "") == 0);
	CHECK(strcmp(judge_of(old, true), "chain") == 0);
	CHECK(strcmp(judge_as(two, &how), "overlap") == 0);
}

static void test_audit_lines_are_read_as_they_are_written(void)
{
	static const char *const good[] = {
		"7 aaaaaaaa.1 invoke 3 claim 10.0.0.1 18446744073709551615",
		"7 aaaaaaaa ok 3 web 12 -", "7 aaaaaaaa fail 3 1", "7 aaaaaaaa info 3",
		"7 aaaaaaaa hold fd00::1 2 99", "7 aaaaaaaa drop web", "7 aaaaaaaa die",
		"7 aaaaaaaa accept web 1 bbbbbbbb", "7 aaaaaaaa refuse web 1 bbbbbbbb",
	};
	static const char *const bad[] = {
		"", "7", "7 aaaaaaaa", "x aaaaaaaa die", "7 aaaaaaaa dies", "7 aaaaaaaa die 1",
		"7 aaaaaaaa hold web 1", "7 aaaaaaaa hold web 1 2 3", "7 aaaaaaaa info",
		"7 aaaaaaaa info -3", "7  aaaaaaaa die", "7 aaaaaaaa drop web ",
		"18446744073709551616 aaaaaaaa die",
	};
	struct audit_event e;
	char line[AUDIT_LINE];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		CHECK(audit_read(&e, good[i]));
		CHECK(audit_write(line, sizeof(line), &e));
		CHECK(strcmp(line, good[i]) == 0);
		CHECK(!audit_write(line, strlen(good[i]), &e)); /* no room for its end */
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(!audit_read(&e, bad[i]));
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_audit_owners_one_after_the_other_are_good),
		TEST(test_audit_two_owners_at_one_time_are_found),
		TEST(test_audit_dropping_one_name_keeps_the_others),
		TEST(test_audit_one_owner_that_is_two_processes_is_one_owner),
		TEST(test_audit_a_generation_with_two_owners_is_found),
		TEST(test_audit_an_answer_older_than_one_that_was_known_is_found),
		TEST(test_audit_what_was_owned_and_then_unknown_is_found),
		TEST(test_audit_what_nobody_asked_for_is_found),
		TEST(test_audit_use_of_what_was_not_answered_is_found),
		TEST(test_audit_a_frame_below_the_fence_is_found),
		TEST(test_audit_two_owners_let_in_under_one_generation_are_found),
		TEST(test_audit_of_receivers_alone_judges_nothing_else),
		TEST(test_audit_of_who_was_lied_to_holds_no_answer_against_the_floor),
		TEST(test_audit_lines_are_read_as_they_are_written),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
