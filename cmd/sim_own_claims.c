/* sim_own_claims.c - `vpnsim claims`: how long claims take, in the world of sim_own_impl.h, against
 * what is promised. Delays are one way; nothing else happens but what is measured. */
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "cmd/sim_own_impl.h"
#include "cmd/sim_own_run.h"

#define MEMBERS 254
#define SETTLE SEC(20)
#define GIVE_UP HOURS(1)
#define SAMPLES 200
#define FULL 1

struct figures {
	struct ow_world *w;
	bool missed;
};

static void begin(struct ow_world *w, size_t set, size_t count, const struct ow_net *net)
{
	ow_reset(w);
	sim_rng_seed(&w->rng, 1 + set);
	sim_audit_clear(w->audit);
	w->processes = 0;
	w->begin = w->now = 2 * OW_BEGIN;
	w->end = USEC_NEVER;
	memset(&w->rules, 0, sizeof(w->rules));
	w->rules.keepers = (uint8_t)(2 * set + 1);
	w->rules.net = *net;
	ow_load(w, set);
	for (size_t i = 0; i < count; i++)
		ow_start(&w->process[i]);
	ow_run(w, w->now + SETTLE);
}

static void want(struct ow_process *p)
{
	leases_want_address(p->leases, NULL, ow_now(p));
	p->leases_touched = true;
	ow_settle(p);
}

static bool has_address(const struct ow_process *p)
{
	struct lease_info i;
	size_t at = 0;

	while (leases_next(p->leases, &at, &i, ow_now(p)))
		if (i.name.kind == REG_ADDRESS && i.left)
			return true;
	return false;
}

static size_t served(const struct ow_world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->processes; i++)
		n += w->process[i].state == OW_RUNS && has_address(&w->process[i]);
	return n;
}

static void tell(struct figures *f, const char *what, double value, double aim)
{
	bool good = value <= aim;

	printf("%-64s %9.3f s (at most %g s)%s\n", what, value, aim, good ? "" : "  MISSED");
	f->missed |= !good;
}

static double until(struct ow_world *w, size_t count, size_t full)
{
	usec_t from = w->now;
	size_t told = 0;

	while ((served(w) < count || told < full) && w->now < from + GIVE_UP) {
		ow_run(w, w->now + MSEC(10));
		told = 0;
		for (size_t i = 0; i < w->processes; i++)
			told += w->process[i].full_at && !has_address(&w->process[i]);
	}
	return (double)(w->now - from) / 1e6;
}

static void all_at_once(struct figures *f)
{
	static const struct ow_net net = { .loss = 10000, .delay = MSEC(50) };

	begin(f->w, 1, 100, &net);
	for (size_t i = 0; i < 100; i++)
		want(&f->w->process[i]);
	tell(f, "100 nodes claim from a /24 at once, 100 ms, 1 % loss", until(f->w, 100, 0), 10);
}

static void range_full(struct figures *f)
{
	static const struct ow_net net = { .delay = MSEC(10) };
	double took;

	begin(f->w, 1, MEMBERS, &net);
	for (size_t i = 0; i < MEMBERS; i++)
		want(&f->w->process[i]);
	took = until(f->w, MEMBERS - FULL, FULL);
	tell(f, "254 nodes claim the 253 addresses of a /24: one is told that it is full", took, 60);
	f->missed |= served(f->w) != MEMBERS - FULL;
}

static int compare(const void *a, const void *b)
{
	const usec_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* One after the other, from the last back: sorted. */
static void one_by_one(struct ow_world *w, usec_t took[SAMPLES])
{
	for (size_t i = 0; i < SAMPLES; i++) {
		struct ow_process *p = &w->process[MEMBERS - 1 - i];
		usec_t from = w->now;

		want(p);
		while (!has_address(p) && w->now < from + MINUTES(2))
			ow_run(w, w->now + MSEC(1));
		took[i] = w->now - from;
		ow_run(w, w->now + MSEC(200));
	}
	qsort(took, SAMPLES, sizeof(*took), compare);
}

static double part(const usec_t took[SAMPLES], unsigned percent)
{
	return (double)took[(SAMPLES - 1) * percent / 100] / 1e6;
}

static void alone(struct figures *f)
{
	static const struct ow_net calm = { .delay = MSEC(20) };
	static const struct ow_net lossy = { .delay = MSEC(20), .loss = 50000 };
	usec_t took[SAMPLES];

	begin(f->w, 1, MEMBERS, &calm);
	one_by_one(f->w, took);
	tell(f, "single claims, 40 ms to and between keepers: median", part(took, 50), 0.125);
	begin(f->w, 1, MEMBERS, &lossy);
	one_by_one(f->w, took);
	tell(f, "single claims, the same with 5 % loss: 99th percentile", part(took, 99), 2);
}

static void keepers_down(struct figures *f, size_t set, const char *what)
{
	static const struct ow_net net = { .delay = MSEC(20) };
	usec_t before[SAMPLES], after[SAMPLES];

	begin(f->w, set, MEMBERS, &net);
	one_by_one(f->w, before);
	begin(f->w, set, MEMBERS, &net);
	for (size_t i = 0; i < set; i++)
		ow_stop(&f->w->process[2 * set - i], false);
	one_by_one(f->w, after);
	tell(f, what, part(after, 100) - part(before, 100), 1);
}

/* One claim after the other while three keepers become five. */
static void while_changing(struct figures *f)
{
	static const struct ow_net net = { .delay = MSEC(20) };
	struct keeper_set set = { .count = 5 };
	struct ow_world *w = f->w;
	usec_t took[SAMPLES];

	begin(w, 1, MEMBERS, &net);
	for (size_t i = 0; i < set.count; i++)
		set.node[i] = w->person[i].pub;
	regs_change_keepers(w->process[0].regs, &set, ow_now(&w->process[0]));
	ow_settle(&w->process[0]);
	one_by_one(w, took);
	tell(f, "single claims while three keepers become five: the longest", part(took, 100), 2);
	f->missed |= regs_keepers(w->process[0].regs)->count != set.count;
}

int sim_claims_main(void)
{
	static const struct ow_sizes size = { .members = MEMBERS, .persons = MEMBERS,
					      .processes = MEMBERS, .lease = 86400 };
	struct figures f = { .w = ow_new(&size, "10.7.0.0/24") };

	if (f.w->wrong[0]) {
		fprintf(stderr, "vpnsim claims: the world cannot be made: %s\n", f.w->wrong);
		return 2;
	}
	all_at_once(&f);
	alone(&f);
	keepers_down(&f, 1, "one of three keepers down: longest single claim, more by");
	keepers_down(&f, 2, "two of five keepers down: longest single claim, more by");
	while_changing(&f);
	range_full(&f);
	ow_free_world(f.w);
	return f.missed;
}
