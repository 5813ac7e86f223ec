/* test_sim_script.c - the language of scenarios: what is read, and how wrong things are refused. */
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/sim_script.h"
#include "tests/check.h"

static struct sim_script *fresh(void)
{
	struct sim_script *s = mem_new(sizeof(*s));

	sim_script_init(s, "test");
	return s;
}

static bool reads(struct sim_script *s, const char *line)
{
	char error[SIM_ERROR_LEN] = "";
	bool ok = sim_script_line(s, line, 1, error);

	if (!ok)
		printf("# %s: %s\n", line, error);
	return ok;
}

/* Is the line refused with a sentence that has both parts in it? */
static bool refused(const char *line, const char *part, const char *other)
{
	struct sim_script *s = fresh();
	char error[SIM_ERROR_LEN] = "";
	bool ok = sim_script_line(s, line, 7, error) && sim_script_finish(s, error);

	free(s);
	if (ok || !strstr(error, part) || !strstr(error, other))
		printf("# '%s' gives '%s'\n", line, error);
	return !ok && strstr(error, part) && strstr(error, other);
}

static void test_script_settings_are_read(void)
{
	struct sim_script *s = fresh();

	CHECK(reads(s, "nodes 1000   # as many"));
	CHECK(reads(s, "actors light"));
	CHECK(reads(s, "crypto dummy"));
	CHECK(reads(s, "run 10m"));
	CHECK(reads(s, "\tjoin over 1.5s"));
	CHECK(reads(s, "sample 500ms"));
	CHECK(reads(s, "settle 2h"));
	CHECK(reads(s, "  # nothing"));
	CHECK(reads(s, ""));
	CHECK_EQ_INT(s->nodes, 1000);
	CHECK(s->light && s->dummy);
	CHECK_EQ_INT(s->run, MINUTES(10));
	CHECK_EQ_INT(s->join, MSEC(1500));
	CHECK_EQ_INT(s->sample, MSEC(500));
	CHECK_EQ_INT(s->settle, HOURS(2));
	CHECK_EQ_INT(s->steps_count, 0);
	free(s);
}

static void test_script_a_link_keeps_what_later_lines_do_not_name(void)
{
	struct sim_script *s = fresh();

	CHECK(reads(s, "link delay 20ms jitter 5ms loss 1% duplicate 0.1% reorder 2% spread 50%"));
	CHECK(reads(s, "at 60s link loss 0.25%"));
	CHECK_EQ_INT(s->steps[1].at, SEC(60));
	CHECK_EQ_INT(s->steps[1].net.delay, MSEC(20));
	CHECK_EQ_INT(s->steps[1].net.jitter, MSEC(5));
	CHECK_EQ_INT(s->steps[0].net.loss, 10000);
	CHECK_EQ_INT(s->steps[1].net.loss, 2500);
	CHECK_EQ_INT(s->steps[1].net.duplicate, 1000);
	CHECK_EQ_INT(s->steps[1].net.reorder, 20000);
	CHECK_EQ_INT(s->steps[1].net.spread, 50);
	free(s);
}

static void test_script_faults_are_read(void)
{
	struct sim_script *s = fresh();

	CHECK(reads(s, "at 300s crash 10% disk lost"));
	CHECK(s->steps[0].lost && !s->steps[0].is_count);
	CHECK_EQ_INT(s->steps[0].amount, 100000);
	CHECK(reads(s, "at 310s restart all"));
	CHECK(s->steps[1].all);
	CHECK(reads(s, "at 1s clock 5% rate +2000ppm"));
	CHECK_EQ_INT(s->steps[2].rate, 2000);
	CHECK(reads(s, "at 1s clock 3 step -1h"));
	CHECK_EQ_INT(s->steps[3].step, -3600);
	CHECK(s->steps[3].is_count);
	CHECK(reads(s, "nat 30% symmetric expiry 30s"));
	CHECK_EQ_INT(s->steps[4].kind, SIM_NAT_SYMMETRIC);
	CHECK_EQ_INT(s->steps[4].time, SEC(30));
	CHECK(reads(s, "churn median 10m down 1m graceful 50% from 120s until 200s"));
	CHECK_EQ_INT(s->steps[5].time, MINUTES(10));
	CHECK_EQ_INT(s->steps[5].at, SEC(120));
	CHECK_EQ_INT(s->steps[5].until, SEC(200));
	CHECK(reads(s, "faulty 20% misroutes"));
	CHECK_EQ_INT(s->steps[6].kind, SIM_MISROUTES);
	CHECK(reads(s, "at 9s sleep 2 for 60s"));
	CHECK_EQ_INT(s->steps[7].time, SEC(60));
	free(s);
}

static void test_script_work_repeats_and_has_its_default_times(void)
{
	struct sim_script *s = fresh();
	char error[SIM_ERROR_LEN];

	CHECK(reads(s, "join over 20s"));
	CHECK(reads(s, "publish 100"));
	CHECK(reads(s, "every 1s lookup 10"));
	CHECK(reads(s, "every 100ms send 20 from 90s until 95s"));
	CHECK(sim_script_finish(s, error));
	CHECK_EQ_INT(s->steps[0].at, SEC(50));
	CHECK_EQ_INT(s->steps[1].at, SEC(60));
	CHECK_EQ_INT(s->steps[1].every, SEC(1));
	CHECK_EQ_INT(s->steps[2].at, SEC(90));
	CHECK_EQ_INT(s->steps[2].until, SEC(95));
	free(s);
}

static void test_script_expectations_are_read(void)
{
	struct sim_script *s = fresh();
	const struct sim_expect *e = s->expects;

	CHECK(reads(s, "expect lookup success >= 99.9%"));
	CHECK(e[0].figure == SIM_LOOKUP_SUCCESS && e[0].value > 99.89 &&
	      strcmp(e[0].op, ">=") == 0);
	CHECK(reads(s, "expect ring within 60s of heal"));
	CHECK(e[1].figure == SIM_RING && e[1].within == SEC(60) && e[1].fault == SIM_HEAL);
	CHECK(reads(s, "expect bytes <= 200/s from 600s until 20m"));
	CHECK(e[2].value == 200 && e[2].from == SEC(600) && e[2].until == MINUTES(20));
	CHECK(reads(s, "expect sent <= 50kB within 30s of restart"));
	CHECK(e[3].value == 50000 && e[3].fault == SIM_RESTART);
	CHECK(reads(s, "expect lookup p99 < 1.5s"));
	CHECK(e[4].value == 1.5);
	CHECK(reads(s, "expect hops tail <= 2"));
	CHECK(reads(s, "expect memory <= 64KiB"));
	CHECK(e[6].value == 65536);
	CHECK(reads(s, "expect ring"));
	CHECK_EQ_INT(s->expects_count, 8);
	free(s);
}

static void test_script_wrong_words_are_refused_with_the_right_ones(void)
{
	CHECK(refused("crsh 10%", "'crsh'", "'crash'"));
	CHECK(refused("at 5s heel", "'heel'", "'heal'"));
	CHECK(refused("link delya 5ms", "'delya'", "'delay'"));
	CHECK(refused("nat 10% symetric", "'symetric'", "be symmetric"));
	CHECK(refused("actors lite", "'lite'", "whole, light"));
	CHECK(refused("expect lookup sucess >= 1%", "lookup sucess", "lookup success"));
	CHECK(refused("expect ring within 5s of heel", "'heel'", "heal"));
	CHECK(refused("expect bytes <= 5/s form 5s", "'form'", "from"));
	CHECK(refused("faulty 10% junc", "'junc'", "be junk"));
	CHECK(refused("xyzzyplugh", "no directive", ""));
}

static void test_script_wrong_values_are_refused(void)
{
	CHECK(refused("nodes many", "'many'", "number"));
	CHECK(refused("nodes -5", "'-5'", "number"));
	CHECK(refused("nodes 1", "1 nodes", "200000"));
	CHECK(refused("nodes 200001", "200001", "200000"));
	CHECK(refused("nodes 99999999999999999999", "number", ""));
	CHECK(refused("run 10", "'10'", "10m"));
	CHECK(refused("run 10q", "'10q'", "time"));
	CHECK(refused("run .5s", "time", ""));
	CHECK(refused("run 1e9s", "time", ""));
	CHECK(refused("at 5s crash 101%", "101%", "share"));
	CHECK(refused("at 5s crash", "missing", "crash HOSTS"));
	CHECK(refused("at 5s crash 10% disk", "'disk'", "'lost'"));
	CHECK(refused("at 5s crash 10% 20%", "'20%'", ""));
	CHECK(refused("link loss 100%", "100%", "partition"));
	CHECK(refused("link loss", "'loss' needs a value", ""));
	CHECK(refused("link loss 1% loss 2%", "twice", "loss"));
	CHECK(refused("clock 5% rate 200ppm", "'200ppm'", "+200ppm"));
	CHECK(refused("clock 5%", "rate or a step", ""));
	CHECK(refused("expect hops mean <= 4x", "'4x'", ""));
	CHECK(refused("expect lookup success >= 99", "'99'", "99.9%"));
	CHECK(refused("expect lookup success", "comparison", ""));
	CHECK(refused("expect ring <= 5", "no value", "ring"));
	CHECK(refused("expect ring within 5s", "'of FAULT'", ""));
	CHECK(refused("expect joined >= 5% from 5s", "no window", "joined"));
	CHECK(refused("expect", "figure", ""));
}

static void test_script_what_contradicts_itself_is_refused(void)
{
	CHECK(refused("at 5s nodes 10", "no time", "nodes"));
	CHECK(refused("at 5s", "nothing is said", ""));
	CHECK(refused("crash 10%", "needs a time", "at TIME"));
	CHECK(refused("heal", "needs a time", "heal"));
	CHECK(refused("every 1s heal", "every", "heal"));
	CHECK(refused("every 0s send 5", "1ms", "every"));
	CHECK(refused("at 301s heal", "301", "300"));
	CHECK(refused("every 1s send 1 from 50s until 40s", "before", "from"));
	CHECK(refused("faulty 20% junk", "light", "faulty"));
	CHECK(refused("expect ring within 5s of heal", "heal", "never happens"));
}

static void test_script_the_size_of_everything_is_bounded(void)
{
	struct sim_script *s = fresh();
	char error[SIM_ERROR_LEN], line[600];

	for (size_t i = 0; i < SIM_STEPS_MAX; i++)
		CHECK(reads(s, "at 5s heal"));
	CHECK(!sim_script_line(s, "at 5s heal", 1, error) && strstr(error, "256 steps"));
	for (size_t i = 0; i < SIM_EXPECTS_MAX; i++)
		CHECK(reads(s, "expect ring"));
	CHECK(!sim_script_line(s, "expect ring", 1, error) && strstr(error, "64 expectations"));
	CHECK(sim_script_finish(s,
				error)); /* there is no room for presets, and that is all right */
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	CHECK(!sim_script_line(s, line, 1, error) && strstr(error, "longer"));
	for (size_t i = 0; i < 200; i += 2)
		memcpy(line + i, "a ", 3);
	CHECK(!sim_script_line(s, line, 1, error) && strstr(error, "words"));
	free(s);
}

static void test_script_a_file_error_names_file_and_line(void)
{
	struct sim_script *s = fresh();
	char error[SIM_ERROR_LEN], path[] = "/tmp/test_sim_script_XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	fputs("nodes 10\n\nat 5s partitoin 50%\n", f);
	fclose(f);
	CHECK(!sim_script_load(s, path, error));
	CHECK(strstr(error, path) && strstr(error, ":3: ") && strstr(error, "'partition'"));
	remove(path);
	CHECK(!sim_script_load(s, path, error) && strstr(error, "No such file"));
	free(s);
}

static void test_script_checks_that_nobody_wrote_are_on(void)
{
	struct sim_script *s = fresh();
	char error[SIM_ERROR_LEN];
	bool ring = false, lookups = false;

	CHECK(reads(s, "expect lookup success >= 50%"));
	CHECK(sim_script_finish(s, error));
	for (size_t i = 0; i < s->expects_count; i++) {
		ring |= s->expects[i].figure == SIM_RING;
		lookups |= s->expects[i].figure == SIM_LOOKUP_SUCCESS && s->expects[i].preset;
	}
	CHECK(ring);
	CHECK(!lookups); /* the script has its own */
	free(s);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_script_settings_are_read),
		TEST(test_script_a_link_keeps_what_later_lines_do_not_name),
		TEST(test_script_faults_are_read),
		TEST(test_script_work_repeats_and_has_its_default_times),
		TEST(test_script_expectations_are_read),
		TEST(test_script_wrong_words_are_refused_with_the_right_ones),
		TEST(test_script_wrong_values_are_refused),
		TEST(test_script_what_contradicts_itself_is_refused),
		TEST(test_script_the_size_of_everything_is_bounded),
		TEST(test_script_a_file_error_names_file_and_line),
		TEST(test_script_checks_that_nobody_wrote_are_on),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
