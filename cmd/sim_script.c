/* sim_script.c - reads scenarios. One directive per line, described by one table: a directive has
 * arguments, an argument is a keyword with a value, a keyword alone, or a value at its place; where
 * the value goes is an offset into the step (or, for settings, into the script). Every error names
 * the word, and the one that was probably meant. */
#include "cmd/sim_script.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"

#define LINE_LEN 512
#define ARGS_MAX 8

enum type {
	TIME,
	SHARE,
	PPM32,
	COUNT,
	AMOUNT,
	RATE,
	STEP,
	NAT_KIND,
	FAULT_KIND,
	ACTORS,
	CRYPTO,
	PERCENT,
	YES
};

struct arg {
	const char *word; /* NULL: the next value without a keyword */
	enum type type;
	size_t at;
	bool needed;
};

struct directive {
	const char *name, *usage;
	int verb;     /* -1: a setting of the script */
	bool repeats; /* `every` makes sense */
	struct arg args[ARGS_MAX];
};

#define IN_STEP(m) offsetof(struct sim_step, m)
#define IN_SCRIPT(m) offsetof(struct sim_script, m)

static const struct directive directives[] = {
	{ "nodes", "nodes COUNT", -1, false, { { NULL, COUNT, IN_SCRIPT(nodes), true } } },
	{ "keepers", "keepers COUNT", -1, false, { { NULL, COUNT, IN_SCRIPT(keepers), true } } },
	{ "actors", "actors whole|light", -1, false, { { NULL, ACTORS, IN_SCRIPT(light), true } } },
	{ "crypto", "crypto real|dummy", -1, false, { { NULL, CRYPTO, IN_SCRIPT(dummy), true } } },
	{ "run", "run TIME", -1, false, { { NULL, TIME, IN_SCRIPT(run), true } } },
	{ "join", "join over TIME", -1, false, { { "over", TIME, IN_SCRIPT(join), true } } },
	{ "settle", "settle TIME", -1, false, { { NULL, TIME, IN_SCRIPT(settle), true } } },
	{ "sample", "sample TIME", -1, false, { { NULL, TIME, IN_SCRIPT(sample), true } } },
	{ "link",
	  "link [delay TIME] [jitter TIME] [spread PERCENT] [loss PERCENT] [duplicate PERCENT] "
	  "[reorder PERCENT]",
	  SIM_LINK,
	  false,
	  { { "delay", TIME, IN_STEP(net.delay), false },
	    { "jitter", TIME, IN_STEP(net.jitter), false },
	    { "spread", PERCENT, IN_STEP(net.spread), false },
	    { "loss", PPM32, IN_STEP(net.loss), false },
	    { "duplicate", PPM32, IN_STEP(net.duplicate), false },
	    { "reorder", PPM32, IN_STEP(net.reorder), false } } },
	{ "disk",
	  "disk [delay TIME] [fail PERCENT]",
	  SIM_DISK,
	  false,
	  { { "delay", TIME, IN_STEP(disk.delay), false },
	    { "fail", PPM32, IN_STEP(disk.fail), false } } },
	{ "nat",
	  "nat HOSTS none|full|restricted|port|symmetric [expiry TIME]",
	  SIM_NAT,
	  false,
	  { { NULL, AMOUNT, 0, true },
	    { NULL, NAT_KIND, IN_STEP(kind), true },
	    { "expiry", TIME, IN_STEP(time), false } } },
	{ "partition", "partition HOSTS", SIM_PARTITION, false, { { NULL, AMOUNT, 0, true } } },
	{ "heal", "heal", SIM_HEAL, false, { { 0 } } },
	{ "crash",
	  "crash HOSTS [disk lost]",
	  SIM_CRASH,
	  true,
	  { { NULL, AMOUNT, 0, true }, { "disk", YES, IN_STEP(lost), false } } },
	{ "stop", "stop HOSTS", SIM_STOP, true, { { NULL, AMOUNT, 0, true } } },
	{ "restart", "restart [all]", SIM_RESTART, true, { { "all", YES, IN_STEP(all), false } } },
	{ "clock",
	  "clock HOSTS [rate +-PPMppm] [step +-TIME]",
	  SIM_CLOCK,
	  true,
	  { { NULL, AMOUNT, 0, true },
	    { "rate", RATE, IN_STEP(rate), false },
	    { "step", STEP, IN_STEP(step), false } } },
	{ "churn",
	  "churn median TIME [down TIME] [graceful PERCENT]",
	  SIM_CHURN,
	  false,
	  { { "median", TIME, IN_STEP(time), true },
	    { "down", TIME, IN_STEP(down), false },
	    { "graceful", SHARE, IN_STEP(graceful), false } } },
	{ "faulty",
	  "faulty HOSTS junk|drops|misroutes|lies",
	  SIM_FAULTY,
	  false,
	  { { NULL, AMOUNT, 0, true }, { NULL, FAULT_KIND, IN_STEP(kind), true } } },
	{ "sleep",
	  "sleep HOSTS for TIME",
	  SIM_SLEEP,
	  true,
	  { { NULL, AMOUNT, 0, true }, { "for", TIME, IN_STEP(time), true } } },
	{ "publish",
	  "publish COUNT",
	  SIM_PUBLISH,
	  true,
	  { { NULL, COUNT, IN_STEP(amount), true } } },
	{ "lookup", "lookup COUNT", SIM_LOOKUP, true, { { NULL, COUNT, IN_STEP(amount), true } } },
	{ "send", "send COUNT", SIM_SEND, true, { { NULL, COUNT, IN_STEP(amount), true } } },
};

static const char *const nat_kinds[] = { "none", "full", "restricted", "port", "symmetric", NULL };
static const char *const fault_kinds[] = { "junk", "drops", "misroutes", "lies", NULL };
static const char *const actor_kinds[] = { "whole", "light", NULL };
static const char *const crypto_kinds[] = { "real", "dummy", NULL };

static bool choose(unsigned *out, const char *w, const char *const *names,
		   char error[SIM_ERROR_LEN])
{
	const char *meant = sim_nearest_word(w, names);
	char all[100];
	size_t at = 0;

	for (*out = 0; names[*out]; ++*out)
		if (strcmp(names[*out], w) == 0)
			return true;
	for (unsigned i = 0; names[i] && at < sizeof(all); i++)
		at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", i ? ", " : "", names[i]);
	return sim_wrong(error, "'%s' is not known here; it may be %s", w, meant ? meant : all);
}

static bool read_signed(int64_t *out, const char *w, const char *unit)
{
	const char *rest;
	usec_t time;
	double x;

	if (*w != '+' && *w != '-')
		return false;
	if (unit) {
		if (!sim_read_number(&x, w + 1, &rest) || strcmp(rest, unit) != 0 || x > 100000)
			return false;
		*out = (int64_t)x;
	} else {
		if (!sim_read_time(&time, w + 1))
			return false;
		*out = (int64_t)(time / SEC(1));
	}
	if (*w == '-')
		*out = -*out;
	return true;
}

static bool read_amount(struct sim_step *st, const char *w)
{
	st->is_count = !strchr(w, '%');
	return st->is_count ? sim_read_count(&st->amount, w) : sim_read_share(&st->amount, w);
}

static bool read_choice(void *to, enum type type, const char *w, char error[SIM_ERROR_LEN])
{
	const char *const *names = type == NAT_KIND     ? nat_kinds
				   : type == FAULT_KIND ? fault_kinds
				   : type == ACTORS     ? actor_kinds
							: crypto_kinds;
	unsigned choice;

	if (!choose(&choice, w, names, error))
		return false;
	if (type == NAT_KIND)
		*(unsigned *)to = choice;
	else if (type == FAULT_KIND)
		*(unsigned *)to = 1u << choice;
	else
		*(bool *)to = choice == 1;
	return true;
}

static bool read_value(void *base, const struct arg *a, const char *w, char error[SIM_ERROR_LEN])
{
	void *to = (char *)base + a->at;
	uint64_t n = 0;
	bool ok;

	switch (a->type) {
	case TIME:
		return sim_read_time(to, w) ||
		       sim_wrong(error, "'%s' is no time; write 20ms, 1.5s, 10m, 2h or 1d", w);
	case SHARE:
		return sim_read_share(to, w) ||
		       sim_wrong(error, "'%s' is no share; write 0%% to 100%%", w);
	case PPM32:
	case PERCENT:
		ok = sim_read_share(&n, w);
		*(unsigned *)to = (unsigned)(a->type == PERCENT ? n / SIM_PERCENT : n);
		return ok || sim_wrong(error, "'%s' is no share; write 0%% to 100%%", w);
	case COUNT:
		return sim_read_count(to, w) || sim_wrong(error, "'%s' is no number", w);
	case AMOUNT:
		return read_amount(base, w) ||
		       sim_wrong(error, "'%s' is neither a share (10%%) nor a number of hosts", w);
	case RATE:
		return read_signed(to, w, "ppm") ||
		       sim_wrong(error, "'%s' is no rate; write +200ppm", w);
	case STEP:
		return read_signed(to, w, NULL) ||
		       sim_wrong(error, "'%s' is no step; write +1h or -30s", w);
	default:
		return read_choice(to, a->type, w, error);
	}
}

static const struct arg *arg_find(const struct directive *d, const char *w, uint32_t have)
{
	for (size_t i = 0; i < ARGS_MAX; i++)
		if (d->args[i].word && strcmp(d->args[i].word, w) == 0)
			return &d->args[i];
	for (size_t i = 0; i < ARGS_MAX; i++)
		if (!d->args[i].word && d->args[i].needed && !(have & 1u << i))
			return &d->args[i];
	return NULL;
}

static bool unknown_word(const struct directive *d, const char *w, char error[SIM_ERROR_LEN])
{
	const char *names[ARGS_MAX + 3] = { 0 }, *meant;
	size_t n = 0;

	for (size_t i = 0; i < ARGS_MAX; i++)
		if (d->args[i].word)
			names[n++] = d->args[i].word;
	if (d->verb >= 0) {
		names[n++] = "from";
		names[n++] = "until";
	}
	meant = sim_nearest_word(w, names);
	if (meant)
		return sim_wrong(error, "'%s' means nothing after '%s'; is it '%s'?", w, d->name,
				 meant);
	return sim_wrong(error, "'%s' means nothing after '%s': %s", w, d->name, d->usage);
}

/* The words behind the directive's name. */
static bool read_args(const struct directive *d, void *base, char **w, size_t count,
		      char error[SIM_ERROR_LEN])
{
	uint32_t have = 0;

	for (size_t i = 0; i < count; i++) {
		const struct arg *a = arg_find(d, w[i], have);
		uint32_t bit = a ? 1u << (a - d->args) : 0;

		if (!a)
			return unknown_word(d, w[i], error);
		if (have & bit)
			return sim_wrong(error, "'%s' is said twice", w[i]);
		have |= bit;
		if (a->type == YES) {
			*(bool *)((char *)base + a->at) = true;
			if (strcmp(a->word, "disk") == 0 &&
			    (++i == count || strcmp(w[i], "lost") != 0))
				return sim_wrong(error, "after 'disk' comes 'lost'");
			continue;
		}
		if (a->word && ++i == count)
			return sim_wrong(error, "'%s' needs a value: %s", a->word, d->usage);
		if (!read_value(base, a, w[i], error))
			return false;
	}
	for (size_t i = 0; i < ARGS_MAX; i++)
		if (d->args[i].needed && !(have & 1u << i))
			return sim_wrong(error, "something is missing: %s", d->usage);
	return true;
}

/* `at T`, `every T` before the directive, `from T`, `until T` at its end. */
static bool read_times(struct sim_step *st, char ***w, size_t *count, char error[SIM_ERROR_LEN])
{
	static const struct arg at = { "at", TIME, IN_STEP(at), false },
				every = { "every", TIME, IN_STEP(every), false },
				until = { "until", TIME, IN_STEP(until), false };

	while (*count >= 2 && (strcmp((*w)[0], "at") == 0 || strcmp((*w)[0], "every") == 0)) {
		if (!read_value(st, (*w)[0][0] == 'a' ? &at : &every, (*w)[1], error))
			return false;
		if ((*w)[0][0] == 'e' && st->every < MSEC(1))
			return sim_wrong(error, "'every' needs at least 1ms");
		*w += 2;
		*count -= 2;
	}
	while (*count >= 3) {
		const char *word = (*w)[*count - 2];
		const struct arg *a = strcmp(word, "from") == 0    ? &at
				      : strcmp(word, "until") == 0 ? &until
								   : NULL;

		if (!a)
			break;
		if (!read_value(st, a, (*w)[*count - 1], error))
			return false;
		*count -= 2;
	}
	return true;
}

static const struct directive *directive_find(const char *w, char error[SIM_ERROR_LEN])
{
	const char *names[ARRAY_LEN(directives) + 4] = { "expect", "at", "every" }, *meant;

	for (size_t i = 0; i < ARRAY_LEN(directives); i++) {
		if (strcmp(directives[i].name, w) == 0)
			return &directives[i];
		names[i + 3] = directives[i].name;
	}
	meant = sim_nearest_word(w, names);
	sim_wrong(error, "'%s' is no directive%s%s%s", w, meant ? "; is it '" : "",
		  meant ? meant : "", meant ? "'?" : "");
	return NULL;
}

static void step_init(struct sim_step *st, const struct sim_script *s, enum sim_verb verb)
{
	*st = (struct sim_step){ .verb = verb, .at = USEC_NEVER, .until = USEC_NEVER };
	st->net = (struct sim_net){ .delay = MSEC(20), .jitter = MSEC(2), .spread = 80 };
	st->disk = (struct sim_disk){ .delay = MSEC(2) };
	st->down = verb == SIM_CHURN ? SEC(30) : 0;
	st->time = verb == SIM_NAT ? SEC(120) : 0;
	/* `link loss 1%` later on changes only the loss. */
	for (size_t i = 0; i < s->steps_count; i++) {
		if (s->steps[i].verb == verb && verb == SIM_LINK)
			st->net = s->steps[i].net;
		if (s->steps[i].verb == verb && verb == SIM_DISK)
			st->disk = s->steps[i].disk;
	}
}

static bool judge_step(const struct directive *d, const struct sim_step *st,
		       char error[SIM_ERROR_LEN])
{
	if (st->every && !d->repeats)
		return sim_wrong(error, "'%s' cannot be repeated with 'every'", d->name);
	if (st->until != USEC_NEVER && st->at != USEC_NEVER && st->until < st->at)
		return sim_wrong(error, "'until' is before 'from'");
	if (st->verb == SIM_CLOCK && !st->rate && !st->step)
		return sim_wrong(error, "the clock needs a rate or a step: %s", d->usage);
	if (st->verb == SIM_CHURN && (st->time < SEC(1) || st->down < MSEC(1)))
		return sim_wrong(error, "sessions under 1s or pauses under 1ms");
	if (st->verb == SIM_NAT && st->time < SEC(1))
		return sim_wrong(error, "a mapping lives at least 1s");
	if (st->net.loss == SIM_MILLION)
		return sim_wrong(error, "a loss of 100%% leaves no network; use 'partition'");
	return true;
}

static bool add_expect(struct sim_script *s, char **w, size_t count, unsigned line,
		       char error[SIM_ERROR_LEN])
{
	struct sim_expect *e = &s->expects[s->expects_count];

	if (s->expects_count == SIM_EXPECTS_MAX)
		return sim_wrong(error, "more than %d expectations", SIM_EXPECTS_MAX);
	if (!sim_expect_read(e, w, count, error))
		return false;
	e->line = line;
	s->expects_count++;
	return true;
}

static bool add_step(struct sim_script *s, const struct directive *d, const struct sim_step *times,
		     char **w, size_t count, char error[SIM_ERROR_LEN])
{
	struct sim_step *st = &s->steps[s->steps_count];

	if (s->steps_count == SIM_STEPS_MAX)
		return sim_wrong(error, "more than %d steps", SIM_STEPS_MAX);
	step_init(st, s, (enum sim_verb)d->verb);
	st->at = times->at;
	st->every = times->every;
	st->until = times->until;
	if (!read_args(d, st, w, count, error) || !judge_step(d, st, error))
		return false;
	s->steps_count++;
	return true;
}

static bool add_line(struct sim_script *s, char **w, size_t count, unsigned line,
		     char error[SIM_ERROR_LEN])
{
	struct sim_step times = { .at = USEC_NEVER, .until = USEC_NEVER };
	const struct directive *d;
	char **first = w;

	if (strcmp(w[0], "expect") == 0)
		return add_expect(s, w + 1, count - 1, line, error);
	if (!read_times(&times, &w, &count, error))
		return false;
	if (!count)
		return sim_wrong(error, "nothing is said to happen then");
	d = directive_find(w[0], error);
	if (!d)
		return false;
	if (d->verb >= 0)
		return add_step(s, d, &times, w + 1, count - 1, error);
	if (w != first)
		return sim_wrong(error, "'%s' holds for the whole run and has no time", d->name);
	return read_args(d, s, w + 1, count - 1, error);
}

bool sim_script_line(struct sim_script *s, const char *line, unsigned number,
		     char error[SIM_ERROR_LEN])
{
	char copy[LINE_LEN], *words[SIM_WORDS_MAX];
	size_t count;

	if (snprintf(copy, sizeof(copy), "%s", line) >= LINE_LEN)
		return sim_wrong(error, "the line is longer than %d characters", LINE_LEN - 1);
	count = sim_words_split(copy, words);
	if (count > SIM_WORDS_MAX)
		return sim_wrong(error, "more than %d words", SIM_WORDS_MAX);
	return count == 0 || add_line(s, words, count, number, error);
}

void sim_script_init(struct sim_script *s, const char *name)
{
	*s = (struct sim_script){ .nodes = 100,
				  .run = USEC_NEVER,
				  .join = USEC_NEVER,
				  .settle = SEC(30),
				  .sample = SEC(10) };
	snprintf(s->name, sizeof(s->name), "%s", name);
}

const char *sim_verb_name(enum sim_verb v)
{
	for (size_t i = 0; i < ARRAY_LEN(directives); i++)
		if (directives[i].verb == (int)v)
			return directives[i].name;
	return "join";
}

void sim_script_help(char *out, size_t size)
{
	size_t at = 0;

	out[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(directives) && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "  %s\n", directives[i].usage);
}

bool sim_script_load(struct sim_script *s, const char *path, char error[SIM_ERROR_LEN])
{
	char line[LINE_LEN + 2], why[SIM_ERROR_LEN];
	unsigned number = 0;
	FILE *f = fopen(path, "r");
	bool ok = f != NULL;

	if (!f)
		return sim_wrong(error, "%s: %s", path, strerror(errno));
	while (ok && fgets(line, sizeof(line), f)) {
		ok = sim_script_line(s, line, ++number, why);
		if (!ok)
			sim_wrong(error, "%.120s:%u: %.160s", path, number, why);
	}
	if (ok && ferror(f))
		ok = sim_wrong(error, "%.120s: %s", path, strerror(errno));
	fclose(f);
	return ok;
}
