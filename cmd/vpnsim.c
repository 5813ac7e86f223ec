/* vpnsim.c - runs nodes on a virtual network with virtual time: options, and which scenario. */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "cmd/sim_audit.h"
#include "cmd/sim_own_run.h"
#include "cmd/sim_play.h"
#include "cmd/sim_scenario.h"
#include "cmd/sim_whole.h"

#define HELP_LEN 4096
#define BAD_USAGE 2

struct asked {
	uint64_t nodes, seed, seconds; /* 0 nodes, 0 seconds: the scenario says */
	const char *json, *crypto, *actors;
	bool memory;
};

static const char *const intro =
	"usage: vpnsim [--nodes N] [--seed S] [--seconds T] [--json FILE] [--crypto real|dummy]\n"
	"              [--actors whole|light] [--memory] [SCENARIO]\n"
	"       vpnsim ownership [--schedules N] [--seed S] [--from INDEX] [--flavour F]\n"
	"              [--state FILE] [--commit TEXT] [--audit FILE] [--mutant M]\n"
	"       vpnsim claims\n"
	"       vpnsim --audit [--edn] FILE...\n\n"
	"Runs real nodes on a virtual network with virtual time. Equal seeds give equal runs: the "
	"trace\n"
	"hash in the last line covers every packet, wake-up and durable write.\n\n"
	"SCENARIO is a file (see vpnsim(1) for all of the language), one of the built-in names "
	"below, or\n"
	"nothing: everybody joins, and for 300 s they publish, look up and send a little.\n"
	"Exit status: 0 everything was as expected, 1 a check failed, 2 bad usage or scenario.\n\n"
	"  --nodes N     how many hosts (2 to 200000)\n"
	"  --seed S      of everything random [1]\n"
	"  --seconds T   virtual seconds\n"
	"  --json FILE   figures as JSON lines, '-' for standard output\n"
	"  --crypto C    'dummy' is checked, quick and no security [real]\n"
	"  --actors A    'whole' nodes as vpnd runs them, or 'light': the ring and the DHT alone "
	"[whole]\n"
	"  --memory      measure the memory a node needs\n"
	"VPNSIM_LOG=1 in the environment shows the nodes' logs on standard error.\n\n"
	"A scenario file, one directive a line, # begins a comment:\n"
	"  nodes 300\n"
	"  link delay 20ms jitter 5ms loss 1%\n"
	"  publish 100\n"
	"  every 1s lookup 5\n"
	"  at 120s partition 50%\n"
	"  at 180s heal\n"
	"  expect ring within 60s of heal\n"
	"  expect lookup success >= 99% from 240s\n"
	"Directives; before one that happens stands 'at TIME' or 'every TIME', behind it 'from "
	"TIME' and\n"
	"'until TIME'; HOSTS is a share (10%) or a number:\n";

static void usage(FILE *to)
{
	char lines[HELP_LEN];

	fputs(intro, to);
	sim_script_help(lines, sizeof(lines));
	fputs(lines, to);
	fputs("  expect FIGURE [<=|>=|<|> VALUE] [from TIME] [until TIME] [within TIME of "
	      "DIRECTIVE]\nFigures:",
	      to);
	for (size_t i = 0; i < SIM_FIGURES; i++)
		fprintf(to, "%s%s", i % 6 ? ", " : "\n  ", sim_figure_names[i].name);
	fputs("\n\nBuilt in, of whole nodes:\n", to);
	for (const struct sim_scenario *c = sim_scenarios; c->name; c++)
		fprintf(to, "  %-10s %s (%zu nodes)\n", c->name, c->what, c->nodes);
	for (const struct sim_scenario *c = sim_lease_scenarios; c->name; c++)
		fprintf(to, "  %-10s %s (%zu nodes)\n", c->name, c->what, c->nodes);
}

static const struct sim_scenario *find_builtin(const char *name)
{
	for (const struct sim_scenario *c = sim_scenarios; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	for (const struct sim_scenario *c = sim_lease_scenarios; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static int run_builtin(const struct sim_scenario *c, const struct asked *a)
{
	struct sim_setup setup = { .seed = a->seed,
				   .nodes = a->nodes ? a->nodes : c->nodes,
				   .actors = &sim_whole,
				   .dummy_crypto = a->crypto && strcmp(a->crypto, "dummy") == 0 };
	struct sim *s = sim_new(&setup);
	usec_t began = sim_now(s);
	const char *wrong;
	struct sim_stats st;

	for (size_t i = 0; i < sim_count(s); i++)
		sim_start(s, i);
	wrong = c->run(s);
	st = sim_stats(s);
	if (!wrong && st.spinning)
		wrong = "a node's deadline stood in the past and no tick moved it";
	printf("%s: %zu nodes, seed %llu, %.1f virtual seconds\n", c->name, sim_count(s),
	       (unsigned long long)a->seed, (double)(sim_now(s) - began) / 1e6);
	printf("%llu events, %llu packets sent, %llu lost, %llu bytes, %llu durable writes\n",
	       (unsigned long long)st.events, (unsigned long long)st.sent,
	       (unsigned long long)st.lost, (unsigned long long)st.bytes,
	       (unsigned long long)st.writes);
	printf("%s\ntrace %016llx\n", wrong ? wrong : "as it must be",
	       (unsigned long long)sim_trace(s));
	sim_free(s);
	return wrong ? 1 : 0;
}

static int bad(const char *fmt, const char *what)
{
	fputs("vpnsim: ", stderr);
	fprintf(stderr, fmt, what);
	fputc('\n', stderr);
	return BAD_USAGE;
}

/* Options are stronger than the file. */
static bool apply(struct sim_script *s, const struct asked *a, char error[SIM_ERROR_LEN])
{
	char line[64];

	if (a->nodes)
		s->nodes = a->nodes;
	if (a->seconds)
		s->run = SEC(a->seconds);
	snprintf(line, sizeof(line), "actors %.40s", a->actors ? a->actors : "");
	if (a->actors && !sim_script_line(s, line, 0, error))
		return false;
	snprintf(line, sizeof(line), "crypto %.40s", a->crypto ? a->crypto : "");
	return !a->crypto || sim_script_line(s, line, 0, error);
}

static bool default_scenario(struct sim_script *s, char error[SIM_ERROR_LEN])
{
	static const char *const lines[] = { "publish 50", "every 1s lookup 3", "every 1s send 3" };
	bool ok = true;

	for (size_t i = 0; ok && i < ARRAY_LEN(lines); i++)
		ok = sim_script_line(s, lines[i], (unsigned)i + 1, error);
	return ok;
}

static int run_script(const char *file, const struct asked *a)
{
	struct sim_options o = { .seed = a->seed, .memory = a->memory };
	struct sim_script *s = malloc(sizeof(*s));
	char error[SIM_ERROR_LEN];
	const char *base = file ? strrchr(file, '/') : NULL;
	int result;

	if (!s)
		abort();
	sim_script_init(s, base ? base + 1 : file ? file : "join-and-work");
	if (!(file ? sim_script_load(s, file, error) : default_scenario(s, error)) ||
	    !apply(s, a, error) || !sim_script_finish(s, error)) {
		free(s);
		return bad("%s", error);
	}
	if (a->json)
		o.json = strcmp(a->json, "-") == 0 ? stdout : fopen(a->json, "w");
	if (a->json && !o.json) {
		free(s);
		return bad("%s cannot be written", a->json);
	}
	result = sim_play(s, &o);
	if (o.json && (fflush(o.json) != 0 || (o.json != stdout && fclose(o.json) != 0)))
		result = bad("%s cannot be written", a->json);
	free(s);
	return result;
}

static int unknown(const char *name)
{
	const char *names[64] = { 0 }, *meant;
	size_t n = 0;

	for (const struct sim_scenario *c = sim_scenarios; c->name; c++)
		names[n++] = c->name;
	for (const struct sim_scenario *c = sim_lease_scenarios;
	     c->name && n + 1 < ARRAY_LEN(names); c++)
		names[n++] = c->name;
	meant = sim_nearest_word(name, names);
	fprintf(stderr, "vpnsim: '%s' is neither a file nor a built-in scenario", name);
	fprintf(stderr, meant ? "; is it '%s'?\n" : "; `vpnsim --help` lists them%s\n",
		meant ? meant : "");
	return BAD_USAGE;
}

/* `vpnsim ownership ...` and `vpnsim --audit [--edn] FILE...` have options of their own; -1 = it is
 * none of them. */
static int other_command(int argc, char **argv)
{
	bool edn = argc > 2 && strcmp(argv[2], "--edn") == 0;
	int first = edn ? 3 : 2;

	if (argc < 2 || (strcmp(argv[1], "ownership") != 0 && strcmp(argv[1], "claims") != 0 &&
			 strcmp(argv[1], "--audit") != 0))
		return -1;
	if (sodium_init() < 0)
		return bad("%s does not work", "libsodium");
	if (argv[1][0] == 'o')
		return sim_own_main(argc - 1, argv + 1);
	if (argv[1][0] == 'c')
		return argc == 2 ? sim_claims_main() : bad("'%s' is too much", argv[2]);
	if (argc <= first)
		return bad("%s needs files", "--audit");
	return sim_audit_main(argv + first, (size_t)(argc - first), edn);
}

static int run(const char *name, const struct asked *a)
{
	const struct sim_scenario *c = name ? find_builtin(name) : NULL;
	struct timespec before, after;
	int result;

	if (c && (a->json || a->seconds || a->actors))
		return bad("'%s' is built in and takes only --nodes, --seed and --crypto", name);
	if (!c && name && access(name, F_OK) != 0)
		return unknown(name);
	clock_gettime(CLOCK_MONOTONIC, &before);
	result = c ? run_builtin(c, a) : run_script(name, a);
	clock_gettime(CLOCK_MONOTONIC, &after);
	if (result != BAD_USAGE)
		fprintf(stderr, "%.2f s of real time, %.2f s of one core\n",
			(double)(after.tv_sec - before.tv_sec) +
				(double)(after.tv_nsec - before.tv_nsec) / 1e9,
			(double)clock() / CLOCKS_PER_SEC);
	return result;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "nodes", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 't' },
		{ "json", required_argument, NULL, 'j' },
		{ "crypto", required_argument, NULL, 'c' },
		{ "actors", required_argument, NULL, 'a' },
		{ "memory", no_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct asked a = { .seed = 1 };
	int o = other_command(argc, argv);

	if (o >= 0)
		return o;

	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		uint64_t *number = o == 's'   ? &a.seed
				   : o == 'n' ? &a.nodes
				   : o == 't' ? &a.seconds
					      : NULL;

		if (number && (!sim_read_count(number, optarg) || (o != 's' && *number == 0)))
			return bad("'%s' is no number that makes sense here", optarg);
		a.json = o == 'j' ? optarg : a.json;
		a.crypto = o == 'c' ? optarg : a.crypto;
		a.actors = o == 'a' ? optarg : a.actors;
		a.memory |= o == 'm';
		if (o == 'h' || o == '?') {
			usage(o == 'h' ? stdout : stderr);
			return o == 'h' ? 0 : BAD_USAGE;
		}
	}
	if (a.nodes == 1 || a.nodes > SIM_NODES_MAX)
		return bad("--nodes must be 2 to %s", "200000");
	if (optind + 1 < argc)
		return bad("one scenario at a time; '%s' is too much", argv[optind + 1]);
	if (a.crypto && strcmp(a.crypto, "real") != 0 && strcmp(a.crypto, "dummy") != 0)
		return bad("--crypto is real or dummy, not '%s'", a.crypto);
	if (sodium_init() < 0)
		return bad("%s does not work", "libsodium");
	return run(argv[optind], &a);
}
