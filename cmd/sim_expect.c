/* sim_expect.c - what a scenario may expect: figures, their units, and the windows they are of.
 *
 *	expect FIGURE [<=|>=|<|> VALUE] [from TIME] [until TIME] [within TIME of FAULT] */
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "cmd/sim_script.h"

const struct sim_figure_name sim_figure_names[SIM_FIGURES] = {
	[SIM_LOOKUP_SUCCESS] = { "lookup success", SIM_SHARE, false },
	[SIM_LOOKUP_P50] = { "lookup p50", SIM_TIME, false },
	[SIM_LOOKUP_P99] = { "lookup p99", SIM_TIME, false },
	[SIM_LOOKUP_MEAN] = { "lookup mean", SIM_TIME, false },
	[SIM_SEND_SUCCESS] = { "send success", SIM_SHARE, false },
	[SIM_SEND_P50] = { "send p50", SIM_TIME, false },
	[SIM_SEND_P99] = { "send p99", SIM_TIME, false },
	[SIM_HOPS_MEAN] = { "hops mean", SIM_NUMBER, false },
	[SIM_HOPS_P99] = { "hops p99", SIM_NUMBER, false },
	[SIM_HOPS_MAX] = { "hops max", SIM_NUMBER, false },
	[SIM_HOPS_TAIL] = { "hops tail", SIM_NUMBER, false },
	[SIM_BYTES_RATE] = { "bytes", SIM_RATE, false },
	[SIM_PACKETS_RATE] = { "packets", SIM_RATE, false },
	[SIM_SENT] = { "sent", SIM_BYTES, false },
	[SIM_JOINED] = { "joined", SIM_SHARE, true },
	[SIM_DEGREE_MEAN] = { "degree mean", SIM_NUMBER, true },
	[SIM_DEGREE_MAX] = { "degree max", SIM_NUMBER, true },
	[SIM_MEMORY] = { "memory", SIM_BYTES, true },
	[SIM_RING] = { "ring", SIM_NOTHING, true },
	[SIM_GROWTH] = { "growth", SIM_SHARE, true },
};

static bool wrong(char error[SIM_ERROR_LEN], const char *what, const char *word, const char *more)
{
	snprintf(error, SIM_ERROR_LEN, "%s '%s'%s%s", what, word, *more ? "; it may be " : "",
		 more);
	return false;
}

/* "lookup success" is two words, "ring" one. */
static size_t read_figure(struct sim_expect *e, char **w, size_t count)
{
	char two[64] = "";

	if (count > 1)
		snprintf(two, sizeof(two), "%.30s %.30s", w[0], w[1]);
	for (size_t i = 0; i < SIM_FIGURES; i++) {
		size_t words = strchr(sim_figure_names[i].name, ' ') ? 2 : 1;

		e->figure = (enum sim_figure)i;
		if (strcmp(words == 2 ? two : w[0], sim_figure_names[i].name) == 0)
			return words;
	}
	return 0;
}

static bool unknown_figure(char **w, size_t count, char error[SIM_ERROR_LEN])
{
	const char *names[SIM_FIGURES + 1] = { 0 }, *meant;
	char two[64];

	for (size_t i = 0; i < SIM_FIGURES; i++)
		names[i] = sim_figure_names[i].name;
	snprintf(two, sizeof(two), "%.30s%s%.30s", w[0], count > 1 ? " " : "",
		 count > 1 ? w[1] : "");
	meant = sim_nearest_word(two, names);
	if (!meant)
		meant = sim_nearest_word(w[0], names);
	return wrong(error, "there is no figure", two, meant ? meant : "");
}

static bool read_bytes(double *out, const char *w)
{
	static const struct {
		const char *name;
		double bytes;
	} units[] = { { "", 1 },     { "B", 1 },      { "kB", 1e3 },
		      { "MB", 1e6 }, { "KiB", 1024 }, { "MiB", 1048576 },
		      { "/s", 1 },   { "B/s", 1 },    { "kB/s", 1e3 } };
	const char *unit;

	if (!sim_read_number(out, w, &unit))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(unit, units[i].name) == 0) {
			*out *= units[i].bytes;
			return true;
		}
	return false;
}

static bool read_expected(struct sim_expect *e, const char *w, char error[SIM_ERROR_LEN])
{
	const char *rest = "";
	uint64_t share;
	usec_t time;

	switch (sim_figure_names[e->figure].unit) {
	case SIM_SHARE:
		e->value = sim_read_share(&share, w) ? (double)share / SIM_PERCENT : -1;
		return e->value >= 0 || wrong(error, "this is no share:", w, "99.9%");
	case SIM_TIME:
		e->value = sim_read_time(&time, w) ? (double)time / 1e6 : -1;
		return e->value >= 0 || wrong(error, "this is no time:", w, "450ms");
	case SIM_BYTES:
		return (read_bytes(&e->value, w) && !strchr(w, '/')) ||
		       wrong(error, "these are no bytes:", w, "50kB");
	case SIM_RATE:
		return read_bytes(&e->value, w) || wrong(error, "this is no rate:", w, "200/s");
	default:
		return (sim_read_number(&e->value, w, &rest) && !*rest) ||
		       wrong(error, "this is no number:", w, "");
	}
}

static bool read_fault(struct sim_expect *e, const char *w, char error[SIM_ERROR_LEN])
{
	const char *names[SIM_VERBS + 1] = { 0 }, *meant;
	size_t n = 0;

	for (unsigned v = SIM_PARTITION; v < SIM_VERBS; v++) {
		if (v >= SIM_PUBLISH && v < SIM_JOIN)
			continue;
		e->fault = (enum sim_verb)v;
		names[n++] = sim_verb_name(e->fault);
		if (strcmp(names[n - 1], w) == 0)
			return true;
	}
	meant = sim_nearest_word(w, names);
	return wrong(error, "nothing that happens is called", w, meant ? meant : "");
}

static bool read_window(struct sim_expect *e, char **w, size_t count, char error[SIM_ERROR_LEN])
{
	static const char *const names[] = { "from", "until", "within", NULL };

	for (size_t i = 0; i < count; i += 2) {
		usec_t *to = strcmp(w[i], "from") == 0     ? &e->from
			     : strcmp(w[i], "until") == 0  ? &e->until
			     : strcmp(w[i], "within") == 0 ? &e->within
							   : NULL;
		const char *meant = sim_nearest_word(w[i], names);

		if (!to)
			return wrong(error, "this is no window:", w[i],
				     meant ? meant : "from, until, within");
		if (i + 1 == count || !sim_read_time(to, w[i + 1]))
			return wrong(error, "a time must follow", w[i], "");
		if (to != &e->within)
			continue;
		if (i + 3 >= count || strcmp(w[i + 2], "of") != 0)
			return wrong(error, "'of FAULT' must follow", w[i + 1], "");
		if (!read_fault(e, w[i + 3], error))
			return false;
		i += 2;
	}
	return true;
}

bool sim_expect_read(struct sim_expect *e, char **w, size_t count, char error[SIM_ERROR_LEN])
{
	static const char *const ops[] = { "<=", ">=", "<", ">" };
	size_t at;

	*e = (struct sim_expect){ .from = USEC_NEVER, .until = USEC_NEVER };
	if (!count)
		return wrong(error, "nothing is expected after", "expect", "a figure");
	at = read_figure(e, w, count);
	if (!at)
		return unknown_figure(w, count, error);
	for (size_t i = 0; at < count && i < ARRAY_LEN(ops) && !e->op[0]; i++)
		if (strcmp(w[at], ops[i]) == 0)
			snprintf(e->op, sizeof(e->op), "%s", ops[i]);
	if (!e->op[0] != (sim_figure_names[e->figure].unit == SIM_NOTHING))
		return wrong(error,
			     e->op[0] ? "no value belongs to"
				      : "a comparison (<= VALUE) must follow",
			     sim_figure_names[e->figure].name, "");
	if (e->op[0]) {
		if (at + 1 >= count)
			return wrong(error, "a value must follow", e->op, "");
		if (!read_expected(e, w[at + 1], error))
			return false;
		at += 2;
	}
	if (!read_window(e, w + at, count - at, error))
		return false;
	if (sim_figure_names[e->figure].whole_run &&
	    (e->from != USEC_NEVER || e->until != USEC_NEVER))
		return wrong(error, "this figure has no window:", sim_figure_names[e->figure].name,
			     "");
	return !sim_figure_names[e->figure].whole_run || !e->within || e->figure == SIM_RING ||
	       wrong(error, "this figure has no window:", sim_figure_names[e->figure].name, "");
}

void sim_expect_text(const struct sim_expect *e, char *out, size_t size)
{
	static const char *const units[] = { "", "%", " s", " bytes", "/s", "" };
	size_t at = (size_t)snprintf(out, size, "%s", sim_figure_names[e->figure].name);

	if (e->op[0] && at < size)
		at += (size_t)snprintf(out + at, size - at, " %s %g%s", e->op, e->value,
				       units[sim_figure_names[e->figure].unit]);
	if (e->from != USEC_NEVER && at < size)
		at += (size_t)snprintf(out + at, size - at, " from %gs", (double)e->from / 1e6);
	if (e->until != USEC_NEVER && at < size)
		at += (size_t)snprintf(out + at, size - at, " until %gs", (double)e->until / 1e6);
	if (e->within && at < size)
		snprintf(out + at, size - at, " within %gs of %s", (double)e->within / 1e6,
			 sim_verb_name(e->fault));
}
