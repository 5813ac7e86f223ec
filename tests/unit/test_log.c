#include "base/log.h"

#include "tests/check.h"

struct lines {
	int count;
	enum log_level level;
	char last[1024];
};

static void keep(void *ctx, enum log_level level, const char *line)
{
	struct lines *l = ctx;

	l->count++;
	l->level = level;
	snprintf(l->last, sizeof(l->last), "%s", line);
}

static void test_log_lines_above_the_level_are_not_made(void)
{
	struct lines l = { 0 };
	struct log log = { &l, keep, LOG_LEVEL_WARN };

	log_info(&log, "no");
	log_debug(&log, "no");
	CHECK_EQ_INT(l.count, 0);
	log_warn(&log, "yes %d", 3);
	CHECK_EQ_INT(l.count, 1);
	CHECK_EQ_INT(l.level, LOG_LEVEL_WARN);
	CHECK(strcmp(l.last, "yes 3") == 0);
	log_error(&log, "also");
	CHECK_EQ_INT(l.count, 2);
}

static void test_log_control_characters_of_strangers_are_made_harmless(void)
{
	struct lines l = { 0 };
	struct log log = { &l, keep, LOG_LEVEL_INFO };

	log_info(&log, "host %s", "a\nb\x1b[31m\x7f");
	CHECK(strcmp(l.last, "host a?b?[31m?") == 0);
}

static void test_log_too_long_a_line_is_cut(void)
{
	struct lines l = { 0 };
	struct log log = { &l, keep, LOG_LEVEL_INFO };
	char text[2000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	log_info(&log, "%s", text);
	CHECK_EQ_INT(strlen(l.last), 511);
}

static void test_log_without_a_sink_is_silent(void)
{
	struct lines l = { 0 };
	struct log log = { &l, NULL, LOG_LEVEL_DEBUG };

	log_error(&log, "nobody listens");
	log_error(NULL, "nobody listens");
	CHECK_EQ_INT(l.count, 0);
}

static void test_log_levels_parse_from_their_own_texts_only(void)
{
	enum log_level level;

	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		CHECK(log_level_parse(&level, log_level_text((enum log_level)i)));
		CHECK_EQ_INT(level, i);
	}
	CHECK(!log_level_parse(&level, "Warn"));
	CHECK(!log_level_parse(&level, ""));
	CHECK(!log_level_parse(&level, "warning"));
}

static const struct test tests[] = {
	TEST(test_log_lines_above_the_level_are_not_made),
	TEST(test_log_control_characters_of_strangers_are_made_harmless),
	TEST(test_log_too_long_a_line_is_cut),
	TEST(test_log_without_a_sink_is_silent),
	TEST(test_log_levels_parse_from_their_own_texts_only),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
