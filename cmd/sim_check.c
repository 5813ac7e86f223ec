/* sim_check.c - what must be true of all nodes together.
 *
 * The ring: hosts are sorted by id once; a running node is right when the nearest links that it
 * tells are its true neighbours among the running nodes that it can hear. If all are right,
 * following `next` visits everybody exactly once. A node that came up a moment ago may be passed
 * over while it is young, except by a monitor, which waits for the whole ring after a fault.
 * Monitors begin where they last found somebody wrong, so that looking costs little until it is
 * over. */
#include "cmd/sim_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/sim_play.h"

#define WATCH_EVERY MSEC(500)
#define LARGE 20000 /* nodes: looked at half as often */

const char *const sim_gauge_names[SIM_GAUGES] = { "links",   "sessions", "contacts",
						  "records", "timers",   "queued" };

struct place {
	struct node_id id;
	uint32_t host;
};

struct sim_circle {
	struct place *all; /* hosts by id */
	uint32_t *live;    /* those that run now, in this order */
	size_t live_count;
	size_t suspect; /* where the last look found somebody wrong */
	bool watching;
};

static int compare_places(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct node_id));
}

void sim_check_keys_changed(struct sim_play *p)
{
	struct sim_circle *c = p->circle;

	for (size_t i = 0; i < sim_count(p->s); i++)
		c->all[i] =
			(struct place){ id_of(&sim_host_key(sim_host(p->s, i))->pub), (uint32_t)i };
	qsort(c->all, sim_count(p->s), sizeof(*c->all), compare_places);
}

void sim_check_init(struct sim_play *p)
{
	struct sim_circle *c = p->circle = mem_new(sizeof(*c));

	c->all = mem_new(sim_count(p->s) * sizeof(*c->all));
	c->live = mem_new(sim_count(p->s) * sizeof(*c->live));
	sim_check_keys_changed(p);
}

void sim_check_fini(struct sim_play *p)
{
	free(p->circle->all);
	free(p->circle->live);
	free(p->circle);
	free(p->samples);
}

static void find_live(struct sim_play *p)
{
	struct sim_circle *c = p->circle;

	c->live_count = 0;
	for (size_t i = 0; i < sim_count(p->s); i++)
		if (sim_is_awake(p->s, c->all[i].host))
			c->live[c->live_count++] = c->all[i].host;
}

/* Goes round from place `at`, by `step` (1 or all but one), to the host that is told. */
static bool is_neighbour(struct sim_play *p, size_t at, size_t step, const struct pubkey *told,
			 usec_t age)
{
	const struct sim_circle *c = p->circle;
	size_t self = c->live[at], host = sim_find(p->s, told);

	for (size_t i = (at + step) % c->live_count; i != at; i = (i + step) % c->live_count) {
		if (sim_side(p->s, c->live[i]) != sim_side(p->s, self))
			continue;
		if (c->live[i] == host)
			return true;
		if (sim_now(p->s) >= sim_up_since(p->s, c->live[i]) + age)
			return false;
	}
	return true; /* alone */
}

static bool is_right(struct sim_play *p, size_t at, const struct sim_facts *f, usec_t age)
{
	size_t back = p->circle->live_count - 1;

	return is_neighbour(p, at, 1, &f->next, age) &&
	       is_neighbour(p, at, back, &f->previous, age);
}

static void facts_of(struct sim_play *p, size_t host, struct sim_facts *f)
{
	sim_ops(p->s)->facts(sim_actor(p->s, host), f, sim_host_now(p->s, host));
}

static void gauge(struct sim_sample *sample, const struct sim_facts *f)
{
	const size_t values[SIM_GAUGES] = { f->ring.links, f->sessions, f->contacts,
					    f->records,    f->timers,   f->queued };

	for (size_t g = 0; g < SIM_GAUGES; g++) {
		sample->mean[g] += (double)values[g];
		if (values[g] > sample->max[g])
			sample->max[g] = values[g];
	}
	sample->size += (double)f->ring.size;
}

void sim_check_sample(struct sim_play *p)
{
	struct sim_circle *c = p->circle;
	struct sim_sample *sample;

	if (p->samples_count == p->samples_size) {
		p->samples_size = p->samples_size ? 2 * p->samples_size : 64;
		p->samples = mem_resize(p->samples, p->samples_size * sizeof(*p->samples));
	}
	sample = &p->samples[p->samples_count++];
	*sample = (struct sim_sample){ .at = sim_now(p->s) };
	find_live(p);
	sample->running = c->live_count;
	for (size_t i = 0; i < c->live_count; i++) {
		struct sim_facts f;

		facts_of(p, c->live[i], &f);
		gauge(sample, &f);
		if (sim_now(p->s) >= sim_up_since(p->s, c->live[i]) + SIM_GROWN)
			sample->wrong += !is_right(p, i, &f, SIM_GROWN);
	}
	for (size_t g = 0; g < SIM_GAUGES && c->live_count; g++)
		sample->mean[g] /= (double)c->live_count;
	if (c->live_count)
		sample->size /= (double)c->live_count;
}

/* Is everybody that runs in one ring, the youngest too? */
static bool is_one_ring(struct sim_play *p)
{
	struct sim_circle *c = p->circle;

	find_live(p);
	for (size_t i = 0; i < c->live_count; i++) {
		size_t at = (c->suspect + i) % c->live_count;
		struct sim_facts f;

		facts_of(p, c->live[at], &f);
		if (!is_right(p, at, &f, 0)) {
			c->suspect = at;
			return false;
		}
	}
	return true;
}

void sim_check_watch(struct sim_play *p, enum sim_verb fault)
{
	if (p->monitors_count == SIM_MONITORS_MAX)
		return;
	p->monitors[p->monitors_count++] = (struct sim_monitor){ fault, sim_now(p->s), 0 };
	if (!p->circle->watching)
		sim_call(p->s, sim_now(p->s) + WATCH_EVERY, sim_what(SIM_CALL_WATCH, 0));
	p->circle->watching = true;
}

void sim_check_look(struct sim_play *p)
{
	bool one = is_one_ring(p);

	for (size_t i = 0; one && i < p->monitors_count; i++)
		if (!p->monitors[i].done)
			p->monitors[i].done = sim_now(p->s);
	p->circle->watching = !one;
	if (!one)
		sim_call(p->s, sim_now(p->s) + WATCH_EVERY * (sim_count(p->s) > LARGE ? 2 : 1),
			 sim_what(SIM_CALL_WATCH, 0));
}

static double mean_of(const struct sim_play *p, size_t from, size_t until, enum sim_gauge g)
{
	double sum = 0;

	for (size_t i = from; i < until; i++)
		sum += p->samples[i].mean[g];
	return sum / (double)(until - from);
}

/* The last quarter of the samples since the work began against the third: the worst gauge. */
double sim_check_growth(const struct sim_play *p, enum sim_gauge *which)
{
	size_t first = 0, quarter;
	double worst = NAN;

	while (first < p->samples_count &&
	       p->samples[first].at < SIM_EPOCH + sim_work_from(p->script) + SIM_GROWN)
		first++;
	quarter = (p->samples_count - first) / 4;
	for (unsigned g = 0; g < SIM_GAUGES && quarter >= 2; g++) {
		size_t end = p->samples_count;
		double before = mean_of(p, end - 2 * quarter, end - quarter, (enum sim_gauge)g);
		double after = mean_of(p, end - quarter, end, (enum sim_gauge)g);
		double grown = 100 * (after - before) / (before + 4);

		if (isnan(worst) || grown > worst) {
			worst = grown;
			*which = (enum sim_gauge)g;
		}
	}
	return worst;
}
