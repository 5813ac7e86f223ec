/* vpnd.c - the daemon's main: options, log, `join`. Everything else is in daemon.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>

#include "cmd/config.h"
#include "cmd/daemon.h"
#include "cmd/join.h"

enum { EXIT_WRONG = 2 }; /* usage; or there was nobody to ask */

struct output {
	bool journal; /* standard error goes to journald: it reads <N> before a line */
};

static void log_sink(void *ctx, enum log_level level, const char *line)
{
	static const char priority[] = { [LOG_LEVEL_ERROR] = '3', [LOG_LEVEL_WARN] = '4',
					 [LOG_LEVEL_INFO] = '6', [LOG_LEVEL_DEBUG] = '7' };
	const struct output *o = ctx;

	if (o->journal)
		fprintf(stderr, "<%c>%s: %s\n", priority[level], log_level_text(level), line);
	else
		fprintf(stderr, "%s: %s\n", log_level_text(level), line);
}

/* Runs the node here, with a namespace to join if there is a token. */
static int run(const struct options *o, const char *token)
{
	struct output out = { getenv("JOURNAL_STREAM") != NULL };
	struct log log = { &out, log_sink, o->log_level };
	char error[DAEMON_ERROR_MAX];
	struct daemon *d;
	struct join j;
	int status;

	if (daemon_start(&d, o, &log, error) < 0) {
		log_error(&log, "%s", error);
		return EXIT_FAILURE;
	}
	if (token)
		join_begin(&j, d, o, token, &log);
	status = daemon_run(d);
	daemon_free(d);
	return status;
}

static int join(const struct options *o)
{
	char token[TOKEN_TEXT_MAX + 2], error[CONFIG_ERROR_MAX];
	int status;

	if (join_read_token(o, token, error) < 0) {
		fprintf(stderr, "vpnd: %s\n", error);
		return EXIT_WRONG;
	}
	status = join_hand_over(o, token);
	if (status < 0)
		status = run(o, token);
	sodium_memzero(token, sizeof(token));
	return status;
}

int main(int argc, char **argv)
{
	char error[CONFIG_ERROR_MAX];
	struct options o;
	int status = EXIT_SUCCESS;

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	if (options_read(&o, argc, argv, error) < 0) {
		fprintf(stderr, "vpnd: %s\n", error);
		status = EXIT_WRONG;
	} else if (o.help) {
		fputs(options_help(), stdout);
	} else if (o.version) {
		puts("vpnd " VPND_VERSION);
	} else if (o.check) {
		puts("options and configuration are right");
	} else {
		status = o.join ? join(&o) : run(&o, NULL);
	}
	options_free(&o);
	return status;
}
