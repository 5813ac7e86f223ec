/* sim_fault.c - what a scenario does to the world: links, disks, partitions, crashes, clocks,
 * churn.
 *
 * Hosts are drawn anew for each step. A crash or stop is remembered, so that `restart` brings back
 * who fell; churn looks after its own. */
#include <string.h>

#include "cmd/sim_play.h"

#define HALF_LIFE 65536
#define CHURN_HOST(number) ((number)&0xffffffu)

static size_t amount_of(const struct sim_step *st, size_t of)
{
	uint64_t n = st->is_count ? st->amount : (st->amount * of + SIM_MILLION / 2) / SIM_MILLION;

	return n < of ? (size_t)n : of;
}

/* Draws some of the hosts that run (or of all) to the front of p->chosen. */
static size_t choose(struct sim_play *p, const struct sim_step *st, bool running)
{
	size_t count = 0, want;

	for (size_t i = 0; i < sim_count(p->s); i++)
		if (!running || sim_actor(p->s, i))
			p->chosen[count++] = (uint32_t)i;
	want = amount_of(st, count);
	for (size_t i = 0; i < want; i++) {
		size_t j = i + sim_draw(p->s, (unsigned)(count - i));
		uint32_t t = p->chosen[i];

		p->chosen[i] = p->chosen[j];
		p->chosen[j] = t;
	}
	return want;
}

static void do_link(struct sim_play *p, const struct sim_step *st) { sim_set_net(p->s, &st->net); }

static void do_disk(struct sim_play *p, const struct sim_step *st)
{
	sim_set_disk(p->s, &st->disk);
}

static void do_nat(struct sim_play *p, const struct sim_step *st)
{
	size_t n = choose(p, st, false);

	for (size_t i = 0; i < n; i++)
		if (p->chosen[i] % SIM_GROUP) /* who invites others can be reached */
			sim_set_nat(p->s, p->chosen[i], (enum sim_nat_kind)st->kind, st->time);
}

static void do_partition(struct sim_play *p, const struct sim_step *st)
{
	size_t n = choose(p, st, false);

	for (size_t i = 0; i < n; i++)
		sim_set_side(p->s, p->chosen[i], 1);
}

static void do_heal(struct sim_play *p, const struct sim_step *st)
{
	(void)st;
	for (size_t i = 0; i < sim_count(p->s); i++)
		sim_set_side(p->s, i, 0);
}

static void wipe(struct sim_play *p, size_t host)
{
	sim_wipe(p->s, host);
	if (p->gather)
		sim_gather_forget(p, host);
}

/* Host 0 is the one keeper of the first namespace: without its disk nobody could join any more. */
static bool loses_disk(const struct sim_play *p, const struct sim_step *st, size_t host)
{
	return st->lost && !(p->gather && host == 0);
}

static void do_crash(struct sim_play *p, const struct sim_step *st)
{
	size_t n = choose(p, st, true);

	for (size_t i = 0; i < n; i++) {
		sim_crash(p->s, p->chosen[i]);
		p->fallen[p->chosen[i]] = true;
		if (loses_disk(p, st, p->chosen[i]))
			wipe(p, p->chosen[i]);
	}
	if (st->lost)
		sim_check_keys_changed(p);
}

static void do_stop(struct sim_play *p, const struct sim_step *st)
{
	size_t n = choose(p, st, true);

	for (size_t i = 0; i < n; i++) {
		sim_stop(p->s, p->chosen[i]);
		p->fallen[p->chosen[i]] = true;
	}
}

static void do_restart(struct sim_play *p, const struct sim_step *st)
{
	for (size_t i = 0; st->all && i < sim_count(p->s); i++)
		if (sim_actor(p->s, i)) {
			sim_crash(p->s, i);
			p->fallen[i] = true;
		}
	for (size_t i = 0; i < sim_count(p->s); i++)
		if (p->fallen[i]) {
			p->fallen[i] = false;
			sim_begin(p, i);
		}
}

static void do_clock(struct sim_play *p, const struct sim_step *st)
{
	size_t n = choose(p, st, false);

	for (size_t i = 0; i < n; i++) {
		if (st->rate)
			sim_set_rate(p->s, p->chosen[i], (int)st->rate);
		if (st->step)
			sim_step_wall(p->s, p->chosen[i], st->step);
	}
}

static void do_faulty(struct sim_play *p, const struct sim_step *st)
{
	size_t n = choose(p, st, false);

	for (size_t i = 0; i < n; i++)
		sim_set_faults(p->s, p->chosen[i],
			       sim_host_faults(sim_host(p->s, p->chosen[i])) | st->kind);
}

static void do_sleep(struct sim_play *p, const struct sim_step *st)
{
	size_t n = choose(p, st, true);

	for (size_t i = 0; i < n; i++)
		sim_sleep(p->s, p->chosen[i], sim_now(p->s) + st->time);
}

/* --- churn: exponential sessions and pauses --- */

static usec_t draw_time(struct sim_play *p, usec_t median)
{
	return median / 1000 * sim_draw_half_lives(p->s) / HALF_LIFE * 1000 + 1000;
}

/* The host's number and the lowest bits of when it came up: another life has another mark. */
static uint64_t life_mark(struct sim_play *p, size_t host)
{
	return (uint64_t)(sim_up_since(p->s, host) & 0xffffffffu) << 24 | host;
}

void sim_churn_started(struct sim_play *p, size_t host)
{
	usec_t at = sim_now(p->s) + (p->churn_median ? draw_time(p, p->churn_median) : 0);

	if (p->churn_median && at < p->churn_until)
		sim_call(p->s, at, sim_what(SIM_CALL_FALL, life_mark(p, host)));
}

static void do_churn(struct sim_play *p, const struct sim_step *st)
{
	p->churn_median = st->time;
	p->churn_down = st->down;
	p->churn_graceful = st->graceful;
	p->churn_until = st->until == USEC_NEVER ? USEC_NEVER : SIM_EPOCH + st->until;
	for (size_t i = 0; i < sim_count(p->s); i++)
		if (sim_actor(p->s, i))
			sim_churn_started(p, i);
}

void sim_churn_fall(struct sim_play *p, size_t mark)
{
	size_t host = CHURN_HOST(mark);

	if (!sim_actor(p->s, host) || life_mark(p, host) != mark)
		return;
	if (p->churn_graceful && sim_draw(p->s, SIM_MILLION) < p->churn_graceful)
		sim_stop(p->s, host);
	else
		sim_crash(p->s, host);
	sim_call(p->s, sim_now(p->s) + draw_time(p, p->churn_down), sim_what(SIM_CALL_RISE, host));
}

void sim_churn_rise(struct sim_play *p, size_t host)
{
	if (!sim_actor(p->s, host) && !p->fallen[host])
		sim_begin(p, host);
}

/* --- the table --- */

static void do_publish(struct sim_play *p, const struct sim_step *st)
{
	sim_work_do(p, SIM_DO_PUBLISH, st->amount);
}

static void do_lookup(struct sim_play *p, const struct sim_step *st)
{
	sim_work_do(p, SIM_DO_LOOKUP, st->amount);
}

static void do_send(struct sim_play *p, const struct sim_step *st)
{
	sim_work_do(p, SIM_DO_SEND, st->amount);
}

static const struct {
	void (*run)(struct sim_play *p, const struct sim_step *st);
	bool disturbs; /* the ring is watched from then on */
} verbs[SIM_VERBS] = {
	[SIM_LINK] = { do_link, false },       [SIM_DISK] = { do_disk, false },
	[SIM_NAT] = { do_nat, false },         [SIM_PARTITION] = { do_partition, true },
	[SIM_HEAL] = { do_heal, true },        [SIM_CRASH] = { do_crash, true },
	[SIM_STOP] = { do_stop, true },        [SIM_RESTART] = { do_restart, true },
	[SIM_CLOCK] = { do_clock, false },     [SIM_CHURN] = { do_churn, false },
	[SIM_FAULTY] = { do_faulty, false },   [SIM_SLEEP] = { do_sleep, true },
	[SIM_PUBLISH] = { do_publish, false }, [SIM_LOOKUP] = { do_lookup, false },
	[SIM_SEND] = { do_send, false },
};

void sim_step_do(struct sim_play *p, const struct sim_step *st)
{
	verbs[st->verb].run(p, st);
	if (verbs[st->verb].disturbs)
		sim_check_watch(p, st->verb);
}
