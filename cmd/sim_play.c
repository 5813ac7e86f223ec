/* sim_play.c - runs a scenario: hosts join one after the other, steps happen at their times,
 * samples and marks are taken, and in the end everything expected is judged. Everything that
 * happens at a time comes through sim_call, so it is part of the trace. */
#include "cmd/sim_play.h"

#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/sim_whole.h"

#define SWEEP_BEFORE_END SEC(15) /* the last look at every record; lookups take 10 s at most */

usec_t sim_work_from(const struct sim_script *script) { return script->join + script->settle; }

void sim_count_time(struct sim_play *p)
{
	struct sim_stats st = sim_stats(p->s);

	p->tally.node_time += (sim_now(p->s) - p->counted) * p->running;
	p->counted = p->tally.at = sim_now(p->s);
	p->tally.packets = st.sent;
	p->tally.bytes = st.bytes;
	p->tally.events = st.events;
}

/* --- what the world tells --- */

static void on_done(void *ctx, size_t host, uint64_t op, bool ok, unsigned hops)
{
	(void)host;
	sim_work_done(ctx, op, ok, hops);
}

static void on_started(void *ctx, size_t host)
{
	struct sim_play *p = ctx;

	sim_count_time(p);
	p->running++;
	sim_churn_started(p, host);
	sim_work_started(p, host);
}

static void on_fell(void *ctx, size_t host)
{
	struct sim_play *p = ctx;

	(void)host;
	sim_count_time(p);
	p->running--;
}

void sim_begin(struct sim_play *p, size_t host)
{
	if (!sim_actor(p->s, host))
		sim_start(p->s, host);
	if (p->gather)
		sim_gather_join(p, host);
}

/* --- what has its time --- */

static void do_step(struct sim_play *p, uint64_t number)
{
	const struct sim_step *st = &p->script->steps[number];

	sim_step_do(p, st);
	if (st->every &&
	    (st->until == USEC_NEVER || sim_now(p->s) + st->every <= SIM_EPOCH + st->until))
		sim_call(p->s, sim_now(p->s) + st->every, sim_what(SIM_CALL_STEP, number));
}

/* The first start of a host, or another try of a whole node to join. */
static void do_join(struct sim_play *p, uint64_t host)
{
	if (sim_up_since(p->s, host) == 0)
		sim_begin(p, host);
	else if (p->gather)
		sim_gather_join(p, host);
	if (host + 1 == sim_count(p->s) && p->monitors_count == 0)
		sim_check_watch(p, SIM_JOIN);
}

static void do_sample(struct sim_play *p, uint64_t number)
{
	struct sim_tally *before = mem_copy(&p->tally, sizeof(p->tally));

	(void)number;
	sim_count_time(p);
	sim_check_sample(p);
	sim_report_sample(p, &p->samples[p->samples_count - 1], before);
	free(before);
	sim_call(p->s, sim_now(p->s) + p->script->sample, sim_what(SIM_CALL_SAMPLE, 0));
}

static void do_mark(struct sim_play *p, uint64_t number)
{
	struct sim_window *w = &p->windows[number];
	struct sim_tally **to = w->before ? &w->after : &w->before;

	sim_count_time(p);
	*to = mem_copy(&p->tally, sizeof(p->tally));
	if (to == &w->before && w->until < p->end)
		sim_call(p->s, w->until, sim_what(SIM_CALL_MARK, number));
}

static void do_watch(struct sim_play *p, uint64_t number)
{
	(void)number;
	sim_check_look(p);
}

static void do_gather(struct sim_play *p, uint64_t number)
{
	(void)number;
	sim_gather_look(p);
}

static void do_sweep(struct sim_play *p, uint64_t number)
{
	(void)number;
	sim_work_sweep(p);
}

static void on_call(void *ctx, uint64_t what)
{
	static void (*const calls[])(struct sim_play * p, uint64_t number) = {
		[SIM_CALL_STEP] = do_step,
		[SIM_CALL_JOIN] = do_join,
		[SIM_CALL_SAMPLE] = do_sample,
		[SIM_CALL_MARK] = do_mark,
		[SIM_CALL_WATCH] = do_watch,
		[SIM_CALL_FALL] = sim_churn_fall,
		[SIM_CALL_RISE] = sim_churn_rise,
		[SIM_CALL_OP] = sim_work_late,
		[SIM_CALL_REPUBLISH] = sim_work_republish,
		[SIM_CALL_GATHER] = do_gather,
		[SIM_CALL_SWEEP] = do_sweep,
	};

	calls[what >> SIM_CALL_KIND](ctx, what & ((1ull << SIM_CALL_KIND) - 1));
}

/* --- before and after --- */

static void add_window(struct sim_play *p, size_t expect, usec_t from, usec_t until)
{
	if (p->windows_count == SIM_WINDOWS_MAX)
		return;
	p->windows[p->windows_count] = (struct sim_window){ .expect = expect,
							    .from = SIM_EPOCH + from,
							    .until = SIM_EPOCH + until };
	sim_call(p->s, SIM_EPOCH + from, sim_what(SIM_CALL_MARK, p->windows_count++));
}

static void plan_windows(struct sim_play *p)
{
	const struct sim_script *sc = p->script;

	for (size_t i = 0; i < sc->expects_count; i++) {
		const struct sim_expect *e = &sc->expects[i];

		if (sim_figure_names[e->figure].whole_run)
			continue;
		if (!e->within)
			add_window(p, i,
				   e->from == USEC_NEVER ? usec_min(sim_work_from(sc), sc->run / 2)
							 : e->from,
				   e->until == USEC_NEVER ? sc->run : e->until);
		else if (e->fault == SIM_JOIN)
			add_window(p, i, sc->join, sc->join + e->within);
		for (size_t k = 0; e->within && k < sc->steps_count; k++)
			if (sc->steps[k].verb == e->fault)
				add_window(p, i, sc->steps[k].at, sc->steps[k].at + e->within);
	}
}

/* Windows begin before what happens at the same instant; links are made before anybody joins. */
static void plan(struct sim_play *p)
{
	const struct sim_script *sc = p->script;
	size_t n = sim_count(p->s);

	plan_windows(p);
	for (size_t i = 0; i < sc->steps_count; i++)
		if (sc->steps[i].at == 0)
			sim_step_do(p, &sc->steps[i]);
		else
			sim_call(p->s, SIM_EPOCH + sc->steps[i].at, sim_what(SIM_CALL_STEP, i));
	for (size_t i = 0; i < n; i++)
		sim_call(p->s, SIM_EPOCH + 1 + sc->join * i / n, sim_what(SIM_CALL_JOIN, i));
	sim_call(p->s, SIM_EPOCH + sc->sample, sim_what(SIM_CALL_SAMPLE, 0));
	if (sc->run > sim_work_from(sc) + 2 * SWEEP_BEFORE_END)
		sim_call(p->s, p->end - SWEEP_BEFORE_END, sim_what(SIM_CALL_SWEEP, 0));
}

static struct sim_play *play_new(const struct sim_script *script, const struct sim_options *o)
{
	struct sim_setup setup = { .seed = o->seed,
				   .nodes = script->nodes,
				   .dummy_crypto = script->dummy,
				   .actors = script->light ? &sim_light : &sim_whole };
	struct sim_play *p = mem_new(sizeof(*p));
	struct sim_hooks hooks = { p, on_done, on_started, on_fell, on_call };

	p->script = script;
	p->s = sim_new(&setup);
	p->end = SIM_EPOCH + script->run;
	p->counted = SIM_EPOCH;
	p->json = o->json;
	p->memory = NAN;
	p->chosen = mem_new(script->nodes * sizeof(*p->chosen));
	p->fallen = mem_new(script->nodes * sizeof(*p->fallen));
	sim_set_hooks(p->s, &hooks);
	sim_set_net(p->s, &(struct sim_net){ .delay = MSEC(20), .jitter = MSEC(2), .spread = 80 });
	sim_work_init(p);
	sim_check_init(p);
	if (!script->light)
		sim_gather_init(p);
	return p;
}

static void play_free(struct sim_play *p)
{
	sim_free(p->s);
	sim_work_fini(p);
	sim_check_fini(p);
	if (p->gather)
		sim_gather_fini(p);
	for (size_t i = 0; i < p->windows_count; i++) {
		free(p->windows[i].before);
		free(p->windows[i].after);
	}
	free(p->chosen);
	free(p->fallen);
	free(p);
}

static size_t count_joined(struct sim_play *p)
{
	size_t joined = 0;

	for (size_t i = 0; i < sim_count(p->s); i++) {
		struct sim_facts f = { 0 };

		if (sim_actor(p->s, i) && !p->gather)
			sim_ops(p->s)->facts(sim_actor(p->s, i), &f, sim_host_now(p->s, i));
		joined += p->gather ? sim_gather_ready(p, i) : f.ring.links > 0;
	}
	return joined;
}

static double allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return (double)m.uordblks + (double)m.hblkhd;
}

int sim_play(const struct sim_script *script, const struct sim_options *o)
{
	double before = allocated();
	struct sim_play *p = play_new(script, o);
	bool ok;

	plan(p);
	sim_run(p->s, p->end);
	sim_count_time(p);
	sim_check_sample(p);
	p->joined = count_joined(p);
	sim_trim(p->s); /* events of livelier times are no part of any node */
	for (size_t i = 0; i < script->expects_count; i++)
		if (o->memory || script->expects[i].figure == SIM_MEMORY)
			p->memory = (allocated() - before) / (double)script->nodes;
	ok = sim_report_end(p, o);
	play_free(p);
	return ok ? 0 : 1;
}
