/* sim_report.c - what a run tells: JSON lines (one per sample, one at the end), a summary for
 * people, and the verdict on everything that was expected. The schema's version is the member
 * "vpnsim". */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "cmd/sim_play.h"

#define SCHEMA 1

#define KINDS_IN_LINE 5

struct kind_sum {
	const char *name;
	uint64_t packets, bytes; /* of IP */
};

static const char *const work_names[SIM_WORKS] = { "publish", "lookup", "send" };

/* JSON has no NAN. */
static void put(FILE *f, const char *name, double x)
{
	if (isnan(x))
		fprintf(f, ",\"%s\":null", name);
	else
		fprintf(f, ",\"%s\":%.10g", name, x);
}

static void put_name(FILE *f, const char *name, const char *text)
{
	fprintf(f, ",\"%s\":\"", name);
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == '"' || *text == '\\')
			fprintf(f, "\\u%04x", (unsigned char)*text);
		else
			fputc(*text, f);
	fputc('"', f);
}

/* "lookup p50" becomes "lookup_p50". */
static void put_figure(FILE *f, enum sim_figure figure, double x)
{
	char name[32];

	snprintf(name, sizeof(name), "%s", sim_figure_names[figure].name);
	for (char *c = name; *c; c++)
		if (*c == ' ')
			*c = '_';
	put(f,
	    figure == SIM_BYTES_RATE     ? "bytes_rate"
	    : figure == SIM_PACKETS_RATE ? "packets_rate"
					 : name,
	    x);
}

static void put_window(FILE *f, const struct sim_tally *before, const struct sim_tally *after)
{
	for (unsigned i = 0; i < SIM_FIGURES; i++)
		if (!sim_figure_names[i].whole_run)
			put_figure(f, (enum sim_figure)i,
				   sim_figure((enum sim_figure)i, before, after));
	for (unsigned w = 0; w < SIM_WORKS; w++)
		fprintf(f, ",\"%ss\":%llu,\"%ss_failed\":%llu", work_names[w],
			(unsigned long long)(after->work[w].started - before->work[w].started),
			work_names[w],
			(unsigned long long)(after->work[w].failed - before->work[w].failed));
}

static void put_sample(FILE *f, const struct sim_sample *at)
{
	put(f, "t", (double)(at->at - SIM_EPOCH) / 1e6);
	fprintf(f, ",\"running\":%zu,\"ring_wrong\":%zu", at->running, at->wrong);
	put(f, "ring_size", at->size);
	for (unsigned g = 0; g < SIM_GAUGES; g++)
		fprintf(f, ",\"%s\":%.6g,\"%s_max\":%zu", sim_gauge_names[g], at->mean[g],
			sim_gauge_names[g], at->max[g]);
}

void sim_report_sample(struct sim_play *p, const struct sim_sample *at,
		       const struct sim_tally *before)
{
	if (!p->json)
		return;
	fprintf(p->json, "{\"vpnsim\":%d,\"type\":\"sample\"", SCHEMA);
	put_sample(p->json, at);
	put_window(p->json, before, &p->tally);
	fputs("}\n", p->json);
	fflush(p->json); /* somebody may be watching */
}

/* --- judging --- */

struct verdict {
	double value; /* NAN: nothing to judge */
	bool ok;
};

static bool compare(const struct sim_expect *e, double x)
{
	if (strcmp(e->op, "<=") == 0)
		return x <= e->value;
	if (strcmp(e->op, ">=") == 0)
		return x >= e->value;
	return strcmp(e->op, "<") == 0 ? x < e->value : x > e->value;
}

static const struct sim_sample *last_sample(const struct sim_play *p)
{
	return &p->samples[p->samples_count - 1];
}

static double whole_run(const struct sim_play *p, enum sim_figure f)
{
	enum sim_gauge which;

	switch (f) {
	case SIM_JOINED:
		return 100 * (double)p->joined / (double)p->script->nodes;
	case SIM_DEGREE_MEAN:
		return last_sample(p)->mean[SIM_DEGREE];
	case SIM_DEGREE_MAX:
		return (double)last_sample(p)->max[SIM_DEGREE];
	case SIM_MEMORY:
		return p->memory;
	case SIM_GROWTH:
		return sim_check_growth(p, &which);
	default:
		return NAN;
	}
}

/* One ring at the end, or within its time of every such fault: the slowest, in seconds. */
static struct verdict judge_ring(const struct sim_play *p, const struct sim_expect *e)
{
	struct verdict v = { NAN, last_sample(p)->wrong == 0 };

	for (size_t i = 0; e->within && i < p->monitors_count; i++) {
		const struct sim_monitor *m = &p->monitors[i];
		double took = m->done ? (double)(m->done - m->at) / 1e6 : INFINITY;

		if (m->verb == e->fault && !(took <= v.value))
			v = (struct verdict){ took, took <= (double)e->within / 1e6 };
	}
	return v;
}

/* The worst window. */
static struct verdict judge(const struct sim_play *p, size_t number)
{
	const struct sim_expect *e = &p->script->expects[number];
	struct verdict v = { NAN, e->preset };

	if (e->figure == SIM_RING)
		return judge_ring(p, e);
	if (sim_figure_names[e->figure].whole_run) {
		v.value = whole_run(p, e->figure);
		v.ok = isnan(v.value) ? e->preset : compare(e, v.value);
		return v;
	}
	for (size_t i = 0; i < p->windows_count; i++) {
		const struct sim_window *w = &p->windows[i];
		double x;

		if (w->expect != number || !w->before)
			continue;
		x = sim_figure(e->figure, w->before, w->after ? w->after : &p->tally);
		if (isnan(v.value) || (!isnan(x) && !compare(e, x)))
			v = (struct verdict){ x, isnan(x) ? e->preset : compare(e, x) };
	}
	return v;
}

/* --- for people --- */

static void print_work(const struct sim_play *p, enum sim_work w)
{
	static const struct sim_tally none;
	const struct sim_hist *h = &p->tally.work[w].time;

	if (!p->tally.work[w].started)
		return;
	printf("%-9s %llu: %llu well, %llu failed, %llu cancelled", work_names[w],
	       (unsigned long long)p->tally.work[w].started,
	       (unsigned long long)p->tally.work[w].ok, (unsigned long long)p->tally.work[w].failed,
	       (unsigned long long)p->tally.work[w].cancelled);
	if (h->count && w != SIM_DO_PUBLISH) /* that ends when the node took it: no time to tell */
		printf("; p50 %.0f ms, p99 %.0f ms",
		       1e3 * sim_hist_share(&none.work[w].time, h, 0.5),
		       1e3 * sim_hist_share(&none.work[w].time, h, 0.99));
	printf("\n");
}

static void print_hops(const struct sim_play *p)
{
	static const struct sim_tally none;
	double mean = sim_hops_mean(&none, &p->tally);

	if (!isnan(mean))
		printf("hops      mean %.2f, p99 %u, most %u\n", mean,
		       sim_hops_share(&none, &p->tally, 0.99), sim_hops_share(&none, &p->tally, 1));
}

static void print_nodes(const struct sim_play *p)
{
	const struct sim_sample *s = last_sample(p);
	enum sim_gauge which = SIM_DEGREE;
	double growth = sim_check_growth(p, &which);

	printf("nodes     %zu run, %zu joined, %zu not beside their neighbours; they guess %.0f\n",
	       s->running, p->joined, s->wrong, s->size);
	printf("a node    ");
	for (unsigned g = 0; g < SIM_GAUGES; g++)
		printf("%s%.1f %s (at most %zu)", g ? ", " : "", s->mean[g], sim_gauge_names[g],
		       s->max[g]);
	printf("\n");
	if (!isnan(growth))
		printf("growth    %.1f %% at most (%s)\n", growth, sim_gauge_names[which]);
	if (!isnan(p->memory))
		printf("memory    %.0f bytes a node\n", p->memory);
}

/* What was sent, by kind: the rest of the sum is of no kind. */
static size_t all_kinds(const struct sim_play *p, struct kind_sum out[P2P_SENT_KINDS + 1])
{
	struct sim_stats st = sim_stats(p->s);
	struct kind_sum other = { "other", st.sent, st.bytes };
	struct p2p_sent sent;
	size_t count = 0;

	sim_sent(p->s, &sent);
	for (unsigned k = 0; k < P2P_SENT_KINDS; k++) {
		if (!sent.packets[k])
			continue;
		out[count++] = (struct kind_sum){ p2p_sent_text((enum p2p_sent_kind)k),
						      sent.packets[k], sent.bytes[k] };
		other.packets -= sent.packets[k];
		other.bytes -= sent.bytes[k];
	}
	if (other.packets)
		out[count++] = other;
	return count;
}

static int more_bytes(const void *a, const void *b)
{
	const struct kind_sum *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void print_kinds(const struct sim_play *p)
{
	struct kind_sum kinds[P2P_SENT_KINDS + 1];
	size_t count = all_kinds(p, kinds);
	double nodes = (double)sim_count(p->s);

	qsort(kinds, count, sizeof(*kinds), more_bytes);
	for (size_t i = 0; i < count; i++)
		printf("%s%s %.1f (%.0f B)%s", i % KINDS_IN_LINE ? " | " : i ? "          " : "sent      ",
		       kinds[i].name, (double)kinds[i].packets / nodes,
		       (double)kinds[i].bytes / nodes,
		       i + 1 == count || i % KINDS_IN_LINE == KINDS_IN_LINE - 1 ? "\n" : "");
}

static void put_kinds(const struct sim_play *p)
{
	struct kind_sum kinds[P2P_SENT_KINDS + 1];
	size_t count = all_kinds(p, kinds);

	fputs(",\"kinds\":{", p->json);
	for (size_t i = 0; i < count; i++)
		fprintf(p->json, "%s\"%s\":{\"packets\":%llu,\"bytes\":%llu}", i ? "," : "",
			kinds[i].name, (unsigned long long)kinds[i].packets,
			(unsigned long long)kinds[i].bytes);
	fputc('}', p->json);
}

static void print_faults(const struct sim_play *p)
{
	for (size_t i = 0; i < p->monitors_count; i++) {
		const struct sim_monitor *m = &p->monitors[i];

		printf("ring      %s at %.1f s: ", sim_verb_name(m->verb),
		       (double)(m->at - SIM_EPOCH) / 1e6);
		if (m->done)
			printf("one ring after %.1f s\n", (double)(m->done - m->at) / 1e6);
		else
			printf("not one ring any more\n");
	}
}

static bool print_checks(const struct sim_play *p)
{
	bool ok = true, spinning = sim_stats(p->s).spinning;

	for (size_t i = 0; i < p->script->expects_count; i++) {
		struct verdict v = judge(p, i);
		char text[160];

		sim_expect_text(&p->script->expects[i], text, sizeof(text));
		printf("%-9s %s", v.ok ? "as it must" : "WRONG", text);
		if (!isnan(v.value))
			printf(": %.6g", v.value);
		printf("\n");
		ok &= v.ok;
	}
	if (spinning)
		printf("WRONG     a node's deadline stood in the past and no tick moved it\n");
	return ok && !spinning;
}

static void print_json_end(const struct sim_play *p, const struct sim_options *o, bool ok)
{
	static const struct sim_tally none;
	FILE *f = p->json;
	size_t shown = 0;

	if (!f)
		return;
	fprintf(f, "{\"vpnsim\":%d,\"type\":\"end\",\"ok\":%s", SCHEMA, ok ? "true" : "false");
	put_name(f, "scenario", p->script->name);
	fprintf(f,
		",\"nodes\":%zu,\"seed\":%llu,\"actors\":\"%s\",\"crypto\":\"%s\",\"joined\":%zu",
		sim_count(p->s), (unsigned long long)o->seed, sim_ops(p->s)->name,
		p->script->dummy ? "dummy" : "real", p->joined);
	put_sample(f, last_sample(p));
	put_window(f, &none, &p->tally);
	fprintf(f, ",\"packets\":%llu,\"bytes\":%llu,\"events\":%llu",
		(unsigned long long)p->tally.packets, (unsigned long long)p->tally.bytes,
		(unsigned long long)p->tally.events);
	put(f, "memory", p->memory);
	put_kinds(p);
	fputs(",\"faults\":[", f);
	for (size_t i = 0; i < p->monitors_count; i++) {
		const struct sim_monitor *m = &p->monitors[i];

		fprintf(f, "%s{\"name\":\"%s\"", i ? "," : "", sim_verb_name(m->verb));
		put(f, "t", (double)(m->at - SIM_EPOCH) / 1e6);
		put(f, "ring_after", m->done ? (double)(m->done - m->at) / 1e6 : NAN);
		fputc('}', f);
	}
	fputs("],\"expect\":[", f);
	for (size_t i = 0; i < p->script->expects_count; i++) {
		struct verdict v = judge(p, i);
		char text[160];

		sim_expect_text(&p->script->expects[i], text, sizeof(text));
		fprintf(f, "%s{\"ok\":%s", shown++ ? "," : "", v.ok ? "true" : "false");
		put_name(f, "text", text);
		put(f, "value", isinf(v.value) ? NAN : v.value);
		fputc('}', f);
	}
	fprintf(f, "],\"trace\":\"%016llx\"}\n", (unsigned long long)sim_trace(p->s));
}

bool sim_report_end(struct sim_play *p, const struct sim_options *o)
{
	struct sim_stats st = sim_stats(p->s);
	bool ok;

	printf("%s: %zu %s nodes, seed %llu, %s crypto, %.1f virtual seconds\n", p->script->name,
	       sim_count(p->s), sim_ops(p->s)->name, (unsigned long long)o->seed,
	       p->script->dummy ? "dummy" : "real", (double)p->script->run / 1e6);
	printf("world     %llu events, %llu packets, %llu lost, %llu bytes; %.1f bytes/s a node\n",
	       (unsigned long long)st.events, (unsigned long long)st.sent,
	       (unsigned long long)st.lost, (unsigned long long)st.bytes,
	       (double)st.bytes * 1e6 / (double)p->tally.node_time);
	print_nodes(p);
	for (unsigned w = 0; w < SIM_WORKS; w++)
		print_work(p, (enum sim_work)w);
	print_hops(p);
	print_kinds(p);
	print_faults(p);
	ok = print_checks(p);
	print_json_end(p, o, ok);
	printf("%s\ntrace %016llx\n", ok ? "as it must be" : "NOT as it must be",
	       (unsigned long long)sim_trace(p->s));
	return ok;
}
