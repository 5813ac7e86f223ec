/* sim_own_run.c - `vpnsim ownership`: runs a range of schedules, and remembers how far it came.
 *
 * The state file says first which schedules it is of, then has a line a block, appended and made
 * durable when the block is done:
 *	of sets K liars W flavour F
 *	done FROM COUNT seed S violations V trace T ms M commit C
 * A run that finds lines of its seed skips the blocks they name; of other schedules it refuses the
 * file. Several processes may share one, each with a range of its own.
 *
 * Of every HARD_EVERY schedules one is of a hardened namespace (docs/protocol.md 8.13), a world of its
 * own; in every second of those as many keepers lie as the set endures (sim_own_liar.c). Runs of --sets are of one kind only: the
 * schedule that is the n-th of its kind among all. As traces are sums, the one of all schedules is
 * that of the majorities' and that of the hardened ones together. */
#include "cmd/sim_own_run.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/sim_mutant.h"
#include "cmd/sim_own_impl.h"

#define BAD_USAGE 2
#define OW_LEASE 60 /* seconds, the least */
#define BLOCK 1000
#define HARD_EVERY 8
#define SHOWN_MAX 10 /* violations told in full */

struct run {
	uint64_t schedules, seed, from;
	const char *state, *audit, *commit;
	int fd, flavour, sets, liars;
	struct ow_world *w, *hard;
	uint64_t violations, trace, done, skipped;
};

enum sets { SETS_ALL, SETS_MAJORITY, SETS_HARDENED, SETS_KINDS };
static const char *const sets_names[] = { "all", "majority", "hardened" };

static const char *const liars_names[OW_LIARS_KINDS] = {
	[OW_LIARS_MIXED] = "mixed", [OW_LIARS_NONE] = "none", [OW_LIARS_ALL] = "all"
};

static const char usage[] =
	"usage: vpnsim ownership [options]\n"
	"Schedules of faults over registers, leases and fences, judged for two owners at one time\n"
	"(docs/evidence/ownership.md). Exit status: 0 = nothing found, 1 = something, 2 = bad usage.\n"
	"  --schedules N   so many (1000)           --from N     the first one's index (0)\n"
	"  --seed N        a schedule is named by seed and index (1)\n"
	"  --flavour F     all of one kind; without it they are mixed\n"
	"  --sets KIND     majority or hardened: only those of their kind, counted for themselves\n"
	"  --liars WHERE   none, all, or mixed: in every second schedule of a hardened set (mixed)\n"
	"  --state FILE    notes what was done, and what it notes is not done again\n"
	"  --commit TEXT   what the state file calls this program\n"
	"  --audit FILE    the history of one schedule, or of the last violation\n"
	"  --mutant NAME   with a fault put in on purpose (of make check-mutants only)\n"
	"  --help          this text\n"
	"VPNSIM_LOG=1 in the environment tells faults and logs. Flavours:";

static int bad(const char *what, const char *why)
{
	fprintf(stderr, "vpnsim ownership: %s: %s\n", what, why);
	return BAD_USAGE;
}

static uint64_t milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The index of the n-th of the kind that is wanted. */
static uint64_t index_of(const struct run *r, uint64_t n)
{
	if (r->sets == SETS_HARDENED)
		return n * HARD_EVERY + HARD_EVERY - 1;
	return r->sets == SETS_MAJORITY ? n + n / (HARD_EVERY - 1) : n;
}

static struct ow_world *world_of(const struct run *r, uint64_t index)
{
	return index % HARD_EVERY == HARD_EVERY - 1 ? r->hard : r->w;
}

static void tell(struct run *r, const struct ow_world *w, const char *rule, uint64_t index)
{
	char file[80];
	const char *to = r->audit;

	if (++r->violations > SHOWN_MAX)
		return;
	snprintf(file, sizeof(file), "ownership-%llu-%llu.audit", (unsigned long long)r->seed,
		 (unsigned long long)index);
	to = to ? to : file;
	printf("violation: seed %llu index %llu: %s: %s\n", (unsigned long long)r->seed,
	       (unsigned long long)index, rule, w->wrong);
	if (sim_audit_save(w->audit, to))
		printf("  the history is in %s; again: vpnsim ownership --seed %llu --from %llu "
		       "--schedules 1\n", to, (unsigned long long)r->seed,
		       (unsigned long long)index);
	fflush(stdout);
}

static void one(struct run *r, uint64_t index)
{
	struct ow_world *w = world_of(r, index);
	const char *rule = ow_schedule(w, r->seed, index);

	if (rule)
		tell(r, w, rule, index);
	else if (r->audit && r->schedules == 1)
		sim_audit_save(w->audit, r->audit);
	r->trace += sim_mix(index, w->trace); /* a sum: blocks in any order */
	r->done++;
}

/* --- the state file --- */

static void kind_text(const struct run *r, char out[100])
{
	snprintf(out, 100, "of sets %s liars %s flavour %s\n", sets_names[r->sets],
		 liars_names[r->liars],
		 r->flavour < OW_FLAVOURS ? ow_flavour_names[r->flavour] : "mixed");
}

/* Of these schedules, or new: then it says so. Two that begin at one time may both say it. */
static bool is_of_these(struct run *r)
{
	char kind[100], line[200];
	FILE *f = fopen(r->state, "r");
	bool empty = true, right = true;

	kind_text(r, kind);
	while (f && right && fgets(line, sizeof(line), f)) {
		right = empty || strncmp(line, "of ", 3) == 0 ? strcmp(line, kind) == 0 : true;
		empty = false;
	}
	if (f)
		fclose(f);
	if (empty && write(r->fd, kind, strlen(kind)) != (ssize_t)strlen(kind))
		right = false;
	return right;
}

static bool is_done(struct run *r, uint64_t from, uint64_t count)
{
	FILE *f = r->state ? fopen(r->state, "r") : NULL;
	unsigned long long a, n, seed, violations, trace;
	char line[200];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		if (sscanf(line, "done %llu %llu seed %llu violations %llu trace %llx", &a, &n, &seed,
			   &violations, &trace) == 5 &&
		    a == from && n == count && seed == r->seed) {
			found = true;
			r->violations += violations;
			r->trace += trace;
			r->skipped += count;
		}
	if (f)
		fclose(f);
	return found;
}

static bool note(struct run *r, const struct run *before, uint64_t from, uint64_t ms)
{
	char line[200];
	int n;

	if (!r->state)
		return true;
	n = snprintf(line, sizeof(line),
		     "done %llu %llu seed %llu violations %llu trace %016llx ms %llu commit %.40s\n",
		     (unsigned long long)from, (unsigned long long)(r->done - before->done),
		     (unsigned long long)r->seed,
		     (unsigned long long)(r->violations - before->violations),
		     (unsigned long long)(r->trace - before->trace), (unsigned long long)ms,
		     r->commit);
	return write(r->fd, line, (size_t)n) == n && fsync(r->fd) == 0;
}

static bool block(struct run *r, uint64_t from, uint64_t count)
{
	struct run before = *r;
	uint64_t began = milliseconds();

	if (is_done(r, from, count))
		return true;
	for (uint64_t i = 0; i < count; i++)
		one(r, index_of(r, from + i));
	return note(r, &before, from, milliseconds() - began);
}

static struct ow_world *world_new(const struct run *r, bool hardened)
{
	static const struct ow_sizes size = { .members = 10, .persons = 12, .processes = 16,
					.lease = OW_LEASE };
	struct ow_sizes s = size;
	struct ow_world *w;

	s.hardened = hardened;
	w = ow_new(&s, "10.7.0.0/29");
	w->flavour = r->flavour;
	w->liars = (uint8_t)r->liars;
	w->tells = getenv("VPNSIM_LOG") != NULL;
	return w;
}

static void sums(const struct run *r)
{
	const struct ow_world *w = r->w, *h = r->hard;

	printf("%llu operations, %llu packets, %llu durable writes, %llu changes begun\ntrace %016llx\n",
	       (unsigned long long)(w->operations + h->operations),
	       (unsigned long long)(w->packets + h->packets),
	       (unsigned long long)(w->writes + h->writes),
	       (unsigned long long)(w->changes + h->changes), (unsigned long long)r->trace);
}

static int run(struct run *r)
{
	uint64_t began = milliseconds(), spent, end = r->from + r->schedules;

	r->fd = r->state ? open(r->state, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;
	if (r->state && r->fd < 0)
		return bad(r->state, strerror(errno));
	if (r->state && !is_of_these(r))
		return bad(r->state, "is of other schedules (its first line says of which)");
	r->w = world_new(r, false);
	r->hard = world_new(r, true);
	if (r->w->wrong[0] || r->hard->wrong[0])
		return bad("the world cannot be made",
			   r->w->wrong[0] ? r->w->wrong : r->hard->wrong);
	for (uint64_t i = r->from; i < end; i += BLOCK)
		if (!block(r, i, end - i < BLOCK ? end - i : BLOCK))
			return bad(r->state, "cannot be written");
	spent = milliseconds() - began;
	fprintf(stderr, "%llu ms, %.3f ms a schedule\n", (unsigned long long)spent,
		r->done ? (double)spent / (double)r->done : 0.0);
	printf("ownership: schedules %llu to %llu, seed %llu: %llu run, %llu known, %llu violations\n",
	       (unsigned long long)r->from, (unsigned long long)end - 1, (unsigned long long)r->seed,
	       (unsigned long long)r->done, (unsigned long long)r->skipped,
	       (unsigned long long)r->violations);
	sums(r);
	ow_liar_sums(r->w);
	ow_liar_sums(r->hard);
	ow_free_world(r->w);
	ow_free_world(r->hard);
	if (r->fd >= 0)
		close(r->fd);
	return r->violations ? 1 : 0;
}

static bool number(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

static int set_mutant(const char *name)
{
	mutant_now = sim_mutant_find(name);
	if (mutant_now == MUTANT_NONE) {
		fprintf(stderr, "vpnsim ownership: there is no mutant '%s'; there are:\n", name);
		for (unsigned m = MUTANT_NONE + 1; m < MUTANT_COUNT; m++)
			fprintf(stderr, "  %-18s %s\n", sim_mutant_text((enum mutant)m),
				sim_mutant_what((enum mutant)m));
		return BAD_USAGE;
	}
	return sim_mutants_built ? 0 : bad("--mutant", "this program was built without mutants "
							"(make check-mutants builds them)");
}

enum ow_option { OPT_SCHEDULES, OPT_SEED, OPT_FROM, OPT_STATE, OPT_MUTANT, OPT_AUDIT, OPT_COMMIT,
		 OPT_FLAVOUR, OPT_SETS, OPT_LIARS, OPT_HELP };

static int help(void)
{
	fputs(usage, stdout);
	for (unsigned f = 0; f < OW_FLAVOURS; f++)
		printf(" %s", ow_flavour_names[f]);
	putchar('\n');
	exit(0);
}

static int set_flavour(struct run *r, const char *name)
{
	for (r->flavour = 0; r->flavour < OW_FLAVOURS; r->flavour++)
		if (strcmp(name, ow_flavour_names[r->flavour]) == 0)
			return 0;
	fprintf(stderr, "vpnsim ownership: there is no flavour '%s'; there are:", name);
	for (unsigned f = 0; f < OW_FLAVOURS; f++)
		fprintf(stderr, " %s", ow_flavour_names[f]);
	fputc('\n', stderr);
	return BAD_USAGE;
}

static int set_sets(struct run *r, const char *name)
{
	for (r->sets = 0; r->sets < SETS_KINDS; r->sets++)
		if (strcmp(name, sets_names[r->sets]) == 0)
			return 0;
	return bad("--sets", "all, majority or hardened");
}

static int set_liars(struct run *r, const char *name)
{
	for (r->liars = 0; r->liars < OW_LIARS_KINDS; r->liars++)
		if (strcmp(name, liars_names[r->liars]) == 0)
			return 0;
	return bad("--liars", "mixed, none or all");
}

static int option(struct run *r, int o)
{
	switch (o) {
	case OPT_SCHEDULES:
		return number(optarg, &r->schedules) ? 0 : bad("--schedules", "is no number");
	case OPT_SEED:
		return number(optarg, &r->seed) ? 0 : bad("--seed", "is no number");
	case OPT_FROM:
		return number(optarg, &r->from) ? 0 : bad("--from", "is no number");
	case OPT_STATE:
		r->state = optarg;
		return 0;
	case OPT_MUTANT:
		return set_mutant(optarg);
	case OPT_AUDIT:
		r->audit = optarg;
		return 0;
	case OPT_FLAVOUR:
		return set_flavour(r, optarg);
	case OPT_SETS:
		return set_sets(r, optarg);
	case OPT_LIARS:
		return set_liars(r, optarg);
	case OPT_HELP:
		return help();
	case OPT_COMMIT:
		r->commit = optarg;
		return 0;
	default:
		return BAD_USAGE;
	}
}

int sim_own_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "schedules", required_argument, NULL, OPT_SCHEDULES },
		{ "seed", required_argument, NULL, OPT_SEED },
		{ "from", required_argument, NULL, OPT_FROM },
		{ "state", required_argument, NULL, OPT_STATE },
		{ "mutant", required_argument, NULL, OPT_MUTANT },
		{ "audit", required_argument, NULL, OPT_AUDIT },
		{ "flavour", required_argument, NULL, OPT_FLAVOUR },
		{ "sets", required_argument, NULL, OPT_SETS },
		{ "liars", required_argument, NULL, OPT_LIARS },
		{ "commit", required_argument, NULL, OPT_COMMIT },
		{ "help", no_argument, NULL, OPT_HELP },
		{ NULL, 0, NULL, 0 },
	};
	struct run r = { .schedules = 1000, .seed = 1, .commit = VPND_VERSION, .fd = -1,
			 .flavour = OW_FLAVOURS };
	int o, status;

	optind = 1;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		status = option(&r, o);
		if (status)
			return status;
	}
	if (optind < argc)
		return bad(argv[optind], "is no option");
	return run(&r);
}
