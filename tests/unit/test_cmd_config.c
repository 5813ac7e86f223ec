/* Options and the configuration file: what is right is taken, what is wrong is named. */
#include "cmd/config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/check.h"

#define ARGS_MAX 12

static char error[CONFIG_ERROR_MAX];
static char file[] = "/tmp/vpnd-conf-XXXXXX";
static struct options o;
static char words[ARGS_MAX][200]; /* argv: may be written to */

static int read_words(const char *const args[])
{
	char *argv[ARGS_MAX + 1] = { words[0] };
	int argc = 1;

	snprintf(words[0], sizeof(words[0]), "vpnd");
	for (; args[argc - 1]; argc++) {
		snprintf(words[argc], sizeof(words[argc]), "%s", args[argc - 1]);
		argv[argc] = words[argc];
	}
	return options_read(&o, argc, argv, error);
}
#define READ(...) read_words((const char *const[]){ __VA_ARGS__, NULL })

static void write_file(const char *text)
{
	FILE *f = fopen(file, "we");

	CHECK(f && fputs(text, f) >= 0);
	if (f)
		fclose(f);
}

/* Reads the file with this text; its first error must say `want`. */
static void check_file_error(const char *text, const char *want)
{
	write_file(text);
	CHECK_EQ_INT(READ("--config", file), -EINVAL);
	CHECK(strstr(error, want) && strncmp(error, file, strlen(file)) == 0);
	if (!strstr(error, want))
		printf("# it says: %s\n", error);
	options_free(&o);
}

static void check_error(const char *want)
{
	CHECK(strstr(error, want) != NULL);
	if (!strstr(error, want))
		printf("# it says: %s\n", error);
	options_free(&o);
}

static void test_config_audit_names_a_file_and_is_not_for_the_configuration_file(void)
{
	CHECK_EQ_INT(READ("--audit", "/tmp/owners"), 0);
	CHECK(o.audit && strcmp(o.audit, "/tmp/owners") == 0);
	options_free(&o);
	CHECK_EQ_INT(READ("--audit", ""), -EINVAL);
	check_error("a file");
	check_file_error("audit = /tmp/owners\n", "unknown option");
}

static void test_config_without_anything_has_the_documented_defaults(void)
{
	CHECK_EQ_INT(READ("--check-config"), 0);
	CHECK(o.check && !o.join && !o.help && o.log_level == LOG_LEVEL_INFO);
	CHECK_EQ_INT(o.listen.port, 24655);
	CHECK_EQ_INT(o.listen.ip.len, 0);
	CHECK(!strcmp(o.state, "/var/lib/vpnd") && !strcmp(o.socket, "/run/vpnd/vpnd.sock"));
	options_free(&o);
}

static void test_config_takes_values_with_and_without_an_equals_sign(void)
{
	CHECK_EQ_INT(READ("--state=/a", "--socket", "/b", "--listen", "192.0.2.1:7", "--log-level",
			  "debug", "--bootstrap", "h:1", "--bootstrap=[2001:db8::1]:2"), 0);
	CHECK(!strcmp(o.state, "/a") && !strcmp(o.socket, "/b"));
	CHECK(o.listen.port == 7 && o.listen.ip.len == 4 && o.log_level == LOG_LEVEL_DEBUG);
	CHECK(o.bootstrap_count == 2 && !strcmp(o.bootstrap[1], "[2001:db8::1]:2"));
	options_free(&o);
}

static void test_config_lan_beacons_are_wanted_unless_told(void)
{
	CHECK_EQ_INT(READ("--check-config"), 0);
	CHECK(!o.no_lan_beacon);
	options_free(&o);
	CHECK_EQ_INT(READ("--no-lan-beacon"), 0);
	CHECK(o.no_lan_beacon);
	options_free(&o);
	CHECK_EQ_INT(READ("--lan-beacon", "no", "--lan-beacon=yes"), 0);
	CHECK(!o.no_lan_beacon);
	options_free(&o);
	CHECK(READ("--lan-beacon", "maybe") < 0);
	CHECK(strstr(error, "yes or no"));
	options_free(&o);
}

static void test_config_ring_is_full_or_leaf_by_word_or_flag(void)
{
	CHECK_EQ_INT(READ("--check-config"), 0);
	CHECK(!o.leaf);
	options_free(&o);
	CHECK_EQ_INT(READ("--leaf"), 0);
	CHECK(o.leaf);
	options_free(&o);
	CHECK_EQ_INT(READ("--ring", "leaf"), 0);
	CHECK(o.leaf);
	options_free(&o);
	write_file("ring = leaf\n");
	CHECK_EQ_INT(READ("--config", file, "--ring=full"), 0);
	CHECK(!o.leaf); /* the command line has the last word */
	options_free(&o);
	check_file_error("ring = tree\n", "full or leaf");
	check_file_error("leaf = yes\n", "unknown option 'leaf'");
	CHECK_EQ_INT(READ("--leaf=yes"), -EINVAL);
	check_error("takes no value");
}

static void test_config_listen_takes_a_port_alone(void)
{
	CHECK_EQ_INT(READ("--listen", ":9"), 0);
	CHECK(o.listen.port == 9 && o.listen.ip.len == 0);
	options_free(&o);
	CHECK_EQ_INT(READ("--listen", "99999"), -EINVAL);
	check_error("ADDR:PORT");
}

static void test_config_unknown_option_names_the_nearest_right_one(void)
{
	CHECK_EQ_INT(READ("--lisen", "1"), -EINVAL);
	check_error("did you mean '--listen'");
	CHECK_EQ_INT(READ("--quite-something-else"), -EINVAL);
	check_error("--help");
	CHECK_EQ_INT(READ("jion"), -EINVAL);
	check_error("did you mean 'join'");
	CHECK_EQ_INT(READ("-x"), -EINVAL);
	check_error("unknown option");
}

static void test_config_options_of_join_are_refused_without_it(void)
{
	CHECK_EQ_INT(READ("--address", "10.0.0.1"), -EINVAL);
	check_error("belong to `vpnd join`");
}

static void test_config_join_takes_its_options_before_and_after_the_word(void)
{
	CHECK_EQ_INT(READ("--address", "10.0.0.1", "join", "-", "--ifname", "vpn7"), 0);
	CHECK(o.join && o.has_address && !strcmp(o.ifname, "vpn7") && !strcmp(o.token, "-"));
	options_free(&o);
}

static void test_config_token_in_argv_is_overwritten_there(void)
{
	CHECK_EQ_INT(READ("join", "vpnd1:secret"), 0);
	CHECK(!strcmp(o.token, "vpnd1:secret"));
	CHECK(!strcmp(words[2], "xxxxxxxxxxxx"));
	options_free(&o);
}

static void test_config_second_token_is_refused_without_repeating_it(void)
{
	CHECK_EQ_INT(READ("join", "a", "--token-file", "f"), -EINVAL);
	check_error("not both");
	CHECK_EQ_INT(READ("join", "a", "b"), -EINVAL);
	check_error("unexpected word");
}

static void test_config_modes_of_later_versions_are_refused_by_name(void)
{
	CHECK_EQ_INT(READ("join", "--mode", "router"), -EINVAL);
	check_error("mode router is not in this version yet");
	CHECK_EQ_INT(READ("join", "--mode", "hybrid"), -EINVAL);
	check_error("mode hybrid is not in this version yet");
	CHECK_EQ_INT(READ("join", "--mode", "interface"), 0);
	options_free(&o);
}

static void test_config_wrong_values_are_refused_with_what_is_right(void)
{
	static const char *const bad[][3] = {
		{ "--log-level", "loud", "error, warn, info or debug" },
		{ "--hostname", "Bad_Name", "a-z, 0-9" },
		{ "--hostname", "-x", "a-z, 0-9" },
		{ "--bootstrap", "nohost", "HOST:PORT" },
		{ "--bootstrap", "h:0", "HOST:PORT" },
		{ "--bootstrap", "2001:db8::1:7", "HOST:PORT" },
		{ "--advertise", ":7", "HOST:PORT" },
		{ "--ifname", "a/b", "interface name" },
		{ "--address", "10.0.0.256", "IPv4" },
		{ "--state", "", "path" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_EQ_INT(READ("join", bad[i][0], bad[i][1]), -EINVAL);
		check_error(bad[i][2]);
	}
	CHECK_EQ_INT(READ("--listen"), -EINVAL);
	check_error("--listen needs a value");
	CHECK_EQ_INT(READ("--check-config=1"), -EINVAL);
	check_error("takes no value");
}

static void test_config_file_is_read_and_the_command_line_has_the_last_word(void)
{
	write_file("# a comment\nstate = /from/file\nlog-level = warn\nbootstrap = a:1\nbootstrap = b:2\n");
	CHECK_EQ_INT(READ("--config", file, "--log-level", "error", "--bootstrap", "c:3"), 0);
	CHECK(!strcmp(o.state, "/from/file") && o.log_level == LOG_LEVEL_ERROR);
	CHECK_EQ_INT(o.bootstrap_count, 3);
	options_free(&o);
}

static void test_config_file_errors_name_file_and_line(void)
{
	check_file_error("state = /x\n\nlisen = 1\n", ":3: unknown option 'lisen'; did you mean 'listen'");
	check_file_error("state\n", ":1: not a line");
	check_file_error("[section]\nstate = /x\n", ":2: sections like [section]");
	check_file_error("log-level = loud\n", ":1: log-level 'loud' is not right");
	check_file_error("token-file = /x\n", ":1: unknown option");
	check_file_error("config = /x\n", ":1: unknown option");
}

static void test_config_file_that_is_named_must_be_there(void)
{
	CHECK_EQ_INT(READ("--config", "/nowhere/vpnd.conf"), -EINVAL);
	check_error("/nowhere/vpnd.conf");
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_config_without_anything_has_the_documented_defaults),
		TEST(test_config_audit_names_a_file_and_is_not_for_the_configuration_file),
		TEST(test_config_takes_values_with_and_without_an_equals_sign),
		TEST(test_config_lan_beacons_are_wanted_unless_told),
	TEST(test_config_ring_is_full_or_leaf_by_word_or_flag),
	TEST(test_config_listen_takes_a_port_alone),
		TEST(test_config_unknown_option_names_the_nearest_right_one),
		TEST(test_config_options_of_join_are_refused_without_it),
		TEST(test_config_join_takes_its_options_before_and_after_the_word),
		TEST(test_config_token_in_argv_is_overwritten_there),
		TEST(test_config_second_token_is_refused_without_repeating_it),
		TEST(test_config_modes_of_later_versions_are_refused_by_name),
		TEST(test_config_wrong_values_are_refused_with_what_is_right),
		TEST(test_config_file_is_read_and_the_command_line_has_the_last_word),
		TEST(test_config_file_errors_name_file_and_line),
		TEST(test_config_file_that_is_named_must_be_there),
	};
	int fd = mkstemp(file), r;

	if (fd < 0)
		return 1;
	close(fd);
	r = run_tests(tests, ARRAY_LEN(tests));
	unlink(file);
	return r;
}
