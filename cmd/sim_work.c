/* sim_work.c - the workload: records that are published, lookups of them, and packets sent along
 * the ring, by random nodes that have been up for a while.
 *
 * An op is a place in a table and a generation, so that late answers are told from new ones. One
 * that is not answered in time has failed, unless who asked or who was asked for went away
 * meanwhile: that is cancelled and counts neither way. A record once published must be found even
 * while its owner is away; an owner that comes back publishes again. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/sim_play.h"

#define INDEX_BITS 24
#define OPS_MAX (1u << INDEX_BITS)
#define RECORDS_MAX 100000
#define TRIES 64 /* draws for a suitable host */
#define REPUBLISH_AFTER SEC(5)
#define SWEEP_MAX 500

static const usec_t patience[SIM_WORKS] = { SEC(60), SEC(10), SEC(10) };

struct op {
	bool used;
	enum sim_work kind;
	uint32_t generation, next_free;
	uint32_t host, other; /* other: of a send its target, else a record */
	usec_t began;
};

struct record {
	uint32_t owner;
	bool published;
};

struct sim_ops_table {
	struct op *ops;
	uint32_t count, size, free; /* free: first, + 1; 0 = none */
	struct record *records;
	size_t records_count, records_size, published;
};

void sim_work_init(struct sim_play *p) { p->work = mem_new(sizeof(*p->work)); }

void sim_work_fini(struct sim_play *p)
{
	free(p->work->ops);
	free(p->work->records);
	free(p->work);
}

static struct op *op_new(struct sim_ops_table *t, uint64_t *number)
{
	struct op *o;
	uint32_t i;

	if (!t->free) {
		if (t->count == t->size) {
			t->size = t->size ? 2 * t->size : 256;
			assert(t->size <= OPS_MAX);
			t->ops = mem_resize(t->ops, t->size * sizeof(*t->ops));
		}
		t->ops[t->count] = (struct op){ 0 };
		t->free = ++t->count;
	}
	i = t->free - 1;
	o = &t->ops[i];
	t->free = o->next_free;
	o->used = true;
	o->generation++;
	*number = SIM_WORK_BIT | (uint64_t)o->generation << INDEX_BITS | i;
	return o;
}

static struct op *op_find(struct sim_ops_table *t, uint64_t number)
{
	uint32_t i = number & (OPS_MAX - 1), generation = (uint32_t)(number >> INDEX_BITS);

	return i < t->count && t->ops[i].used && t->ops[i].generation == generation ? &t->ops[i]
										    : NULL;
}

static void op_free(struct sim_ops_table *t, struct op *o)
{
	o->used = false;
	o->next_free = t->free;
	t->free = (uint32_t)(o - t->ops) + 1;
}

static bool stayed(struct sim_play *p, size_t host, usec_t since)
{
	return sim_is_awake(p->s, host) && sim_up_since(p->s, host) <= since;
}

static bool is_cancelled(struct sim_play *p, const struct op *o)
{
	if (!stayed(p, o->host, o->began))
		return true;
	return o->kind == SIM_DO_SEND && (!stayed(p, o->other, o->began) ||
					  sim_side(p->s, o->host) != sim_side(p->s, o->other));
}

static void note_success(struct sim_play *p, const struct op *o, unsigned hops)
{
	struct sim_ops_table *t = p->work;

	p->tally.work[o->kind].ok++;
	sim_hist_add(&p->tally.work[o->kind].time, sim_now(p->s) - o->began);
	if (o->kind == SIM_DO_SEND)
		p->tally.hops[hops < SIM_HOPS ? hops : SIM_HOPS - 1]++;
	if (o->kind == SIM_DO_PUBLISH && !t->records[o->other].published) {
		t->records[o->other].published = true;
		t->published++;
	}
}

static void finish(struct sim_play *p, struct op *o, bool ok, unsigned hops)
{
	if (ok)
		note_success(p, o, hops);
	else if (is_cancelled(p, o))
		p->tally.work[o->kind].cancelled++;
	else
		p->tally.work[o->kind].failed++;
	op_free(p->work, o);
}

void sim_work_done(struct sim_play *p, uint64_t op, bool ok, unsigned hops)
{
	struct op *o = op_find(p->work, op);

	if (o)
		finish(p, o, ok, hops);
}

void sim_work_late(struct sim_play *p, uint64_t op)
{
	sim_work_done(p, op | SIM_WORK_BIT, false, 0);
}

static void begin(struct sim_play *p, enum sim_work w, size_t host, size_t other)
{
	const struct sim_actor_ops *ops = sim_ops(p->s);
	void *actor = sim_actor(p->s, host);
	usec_t now = sim_host_now(p->s, host);
	uint64_t number;
	struct op *o = op_new(p->work, &number);

	o->kind = w;
	o->host = (uint32_t)host;
	o->other = (uint32_t)other;
	o->began = sim_now(p->s);
	p->tally.work[w].started++;
	sim_call(p->s, sim_now(p->s) + patience[w], sim_what(SIM_CALL_OP, number & ~SIM_WORK_BIT));
	if (w == SIM_DO_PUBLISH)
		ops->publish(actor, number, other, now);
	else if (w == SIM_DO_LOOKUP)
		ops->lookup(actor, number, other, now);
	else
		ops->send(actor, number, &sim_host_key(sim_host(p->s, other))->pub, now);
	sim_touch(p->s, host);
}

static bool draw_grown(struct sim_play *p, size_t *host)
{
	for (unsigned i = 0; i < TRIES; i++) {
		*host = sim_draw(p->s, (unsigned)sim_count(p->s));
		if (sim_is_awake(p->s, *host) &&
		    sim_now(p->s) >= sim_up_since(p->s, *host) + SIM_GROWN)
			return true;
	}
	return false;
}

static void publish(struct sim_play *p)
{
	struct sim_ops_table *t = p->work;
	size_t host;

	if (t->records_count == RECORDS_MAX || !draw_grown(p, &host))
		return;
	if (t->records_count == t->records_size) {
		t->records_size = t->records_size ? 2 * t->records_size : 64;
		t->records = mem_resize(t->records, t->records_size * sizeof(*t->records));
	}
	t->records[t->records_count] = (struct record){ .owner = (uint32_t)host };
	begin(p, SIM_DO_PUBLISH, host, t->records_count++);
}

static void lookup(struct sim_play *p)
{
	struct sim_ops_table *t = p->work;
	size_t host;

	for (unsigned i = 0; i < TRIES && t->published; i++) {
		size_t record = sim_draw(p->s, (unsigned)t->records_count);

		if (!t->records[record].published || !draw_grown(p, &host) ||
		    t->records[record].owner == host)
			continue;
		begin(p, SIM_DO_LOOKUP, host, record);
		return;
	}
}

static void send(struct sim_play *p)
{
	size_t from, to;

	for (unsigned i = 0; i < TRIES && draw_grown(p, &from); i++)
		if (draw_grown(p, &to) && from != to &&
		    sim_side(p->s, from) == sim_side(p->s, to)) {
			begin(p, SIM_DO_SEND, from, to);
			return;
		}
}

void sim_work_do(struct sim_play *p, enum sim_work w, uint64_t count)
{
	while (count--)
		if (w == SIM_DO_PUBLISH)
			publish(p);
		else if (w == SIM_DO_LOOKUP)
			lookup(p);
		else
			send(p);
}

void sim_work_started(struct sim_play *p, size_t host)
{
	const struct sim_ops_table *t = p->work;

	for (size_t i = 0; i < t->records_count; i++)
		if (t->records[i].owner == host) {
			sim_call(p->s, sim_now(p->s) + REPUBLISH_AFTER,
				 sim_what(SIM_CALL_REPUBLISH, host));
			return;
		}
}

void sim_work_republish(struct sim_play *p, size_t host)
{
	const struct sim_ops_table *t = p->work;

	for (size_t i = 0; sim_is_awake(p->s, host) && i < t->records_count; i++)
		if (t->records[i].owner == host)
			begin(p, SIM_DO_PUBLISH, host, i);
}

void sim_work_sweep(struct sim_play *p)
{
	const struct sim_ops_table *t = p->work;
	size_t host;

	for (size_t i = 0; i < t->records_count && i < SWEEP_MAX; i++)
		if (t->records[i].published && draw_grown(p, &host))
			begin(p, SIM_DO_LOOKUP, host, i);
}
