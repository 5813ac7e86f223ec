/* sim_own.c - schedules: what happens next, and one run from its beginning to the verdict.
 *
 * The queue is ordered by (time, sequence). Its items name a process and the life they were meant
 * for; of a process that ended since they mean nothing. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/sim_own_impl.h"

#define SPIN_MAX 20000 /* events at one time */

uint64_t ow_draw(struct ow_world *w, uint64_t below)
{
	return below ? sim_rng_next(&w->rng) % below : 0;
}

bool ow_chance(struct ow_world *w, uint32_t in_a_million)
{
	return in_a_million && sim_rng_next(&w->rng) % 1000000 < in_a_million;
}

void ow_push(struct ow_world *w, usec_t at, enum ow_kind kind, const struct ow_process *p)
{
	if (at < w->end)
		sim_heap_push(&w->heap, at, kind, (uint64_t)p->life << 16 | p->index);
}

void ow_trace(struct ow_world *w, uint64_t word)
{
	w->trace = sim_mix(w->trace, word ^ w->now << 8);
}

void ow_wrong(struct ow_world *w, const char *what)
{
	if (!w->wrong[0])
		snprintf(w->wrong, sizeof(w->wrong), "%s", what);
}

static void written(struct ow_process *p)
{
	uint64_t op;
	int result;

	while (p->state == OW_RUNS && ow_disk_due(p, &op, &result)) {
		ow_trace(p->w, op);
		if (op >> 62 == LEASE_OP >> 62) { /* the highest bit is the keeper's */
			p->leases_touched = true;
			leases_persisted(p->leases, op, result, ow_now(p));
		} else {
			regs_persisted(p->regs, op, result, ow_now(p));
		}
		ow_settle(p);
	}
}

/* Timers or packets first: both happen. */
void ow_wake(struct ow_process *p)
{
	bool first = ow_draw(p->w, 2);

	if (p->state != OW_PAUSED && p->state != OW_ASLEEP)
		return;
	p->state = OW_RUNS;
	p->tick_at = USEC_NEVER;
	if (first)
		ow_tick(p);
	written(p);
	for (size_t i = 0; i < p->waiting_count; i++) {
		struct ow_packet *k = p->waiting[i];

		p->waiting[i] = NULL; /* it may be the end of the process, which frees those left */
		if (p->state == OW_RUNS)
			ow_input(p, k);
		ow_free(&p->w->pool, k);
	}
	p->waiting_count = 0;
	if (p->state == OW_RUNS)
		ow_tick(p);
	if (p->state == OW_RUNS)
		ow_work_begin(p);
}

static void to_process(struct ow_world *w, const struct sim_item *i)
{
	struct ow_process *p = &w->process[i->what & 0xffff];

	if (p->life != (uint32_t)(i->what >> 16))
		return;
	if (sim_item_kind(i) == OW_WAKE) {
		ow_wake(p);
		return;
	}
	if (p->state != OW_RUNS)
		return;
	switch ((enum ow_kind)sim_item_kind(i)) {
	case OW_WRITTEN:
		written(p);
		break;
	case OW_TICK:
		if (p->tick_at == i->at) {
			ow_trace(w, p->index);
			ow_tick(p);
		}
		break;
	case OW_STEP:
		ow_step(p);
		break;
	case OW_GRAB:
		ow_grab(p);
		break;
	case OW_CHAT:
		ow_chat(p);
		break;
	default:
		break;
	}
}

void ow_run(struct ow_world *w, usec_t until)
{
	unsigned spin = 0;

	while (w->heap.count && w->heap.v[0].at < until) {
		struct sim_item i = sim_heap_pop(&w->heap);

		spin = i.at > w->now ? 0 : spin + 1;
		w->now = i.at > w->now ? i.at : w->now;
		if (spin == SPIN_MAX) {
			ow_wrong(w, "a deadline stands in the past and no tick moves it");
			return;
		}
		if (sim_item_kind(&i) == OW_PACKET)
			ow_net_arrive(w, (struct ow_packet *)(uintptr_t)i.what);
		else if (sim_item_kind(&i) == OW_PLANNED)
			ow_fault(w, &w->plan[i.what]);
		else
			to_process(w, &i);
	}
	w->now = until;
}

/* --- one schedule --- */

static void words(struct ow_world *w)
{
	struct sim_audit *a = w->audit;
	char key[AUDIT_WORD];

	for (size_t i = 0; i < w->size.processes; i++) {
		size_t person = i < w->processes ? w->process[i].person : 0;
		struct audit_word *word = &a->word[1 + w->size.persons + i];

		audit_key_word(key, &w->person[person].pub);
		snprintf(word->text, sizeof(word->text), "%.8s.%zu", key, i);
		word->owner = (uint16_t)(1 + person);
	}
}

/* Scripts that make sets of three have none. */
static bool has_liar(const struct ow_world *w)
{
	if (w->liars == OW_LIARS_NONE || w->rules.flavour == OW_QUORUMS ||
	    w->rules.flavour == OW_REINSTALL)
		return false;
	return w->liars == OW_LIARS_ALL || (w->size.hardened && w->index / 8 % 2);
}

static void begin(struct ow_world *w, uint64_t seed, uint64_t index)
{
	w->seed = seed;
	w->index = index;
	w->trace = sim_mix(seed, index);
	w->wrong[0] = 0;
	w->admitted = 0;
	w->revoked = 0;
	w->mistakes = 0;
	w->now = w->begin = OW_BEGIN * 2;
	sim_rng_seed(&w->rng, sim_mix(sim_mix(0x6f776e, seed), index));
	sim_audit_clear(w->audit);
	w->heap.seq = 0;
	w->processes = w->plan_count = 0;
	w->cut.mask = 0;
	w->news = false;
	ow_plan_draw(w);
	w->audit->lied_to = has_liar(w);
	w->audit->only_fence = w->audit->lied_to && !w->size.hardened;
	if (w->audit->lied_to)
		ow_liar_begin(w);
	w->end = w->begin + w->rules.span;
}

static void people(struct ow_world *w)
{
	ow_load(w, w->rules.keepers / 2);
	ow_edge_clocks(w);
	for (size_t i = 0; i < w->rules.people; i++)
		ow_start(&w->process[i]);
}

void ow_reset(struct ow_world *w)
{
	for (size_t i = 0; i < w->processes; i++)
		ow_stop(&w->process[i], false);
	while (w->heap.count) {
		struct sim_item i = sim_heap_pop(&w->heap);

		if (sim_item_kind(&i) == OW_PACKET)
			ow_free(&w->pool, (struct ow_packet *)(uintptr_t)i.what);
	}
}

const char *ow_schedule(struct ow_world *w, uint64_t seed, uint64_t index)
{
	const char *broken;

	begin(w, seed, index);
	people(w);
	for (size_t i = 0; i < w->plan_count; i++)
		sim_heap_push(&w->heap, w->plan[i].at, OW_PLANNED, i);
	ow_run(w, w->end);
	ow_reset(w);
	ow_liar_end(w);
	words(w);
	if (w->wrong[0])
		return "wrong";
	broken = sim_audit_check(w->audit, w->wrong, sizeof(w->wrong));
	return broken;
}

/* --- the world --- */

struct ow_world *ow_new(const struct ow_sizes *size, const char *subnet)
{
	struct ow_world *w = mem_new(sizeof(*w));

	w->size = *size;
	w->process = mem_new(size->processes * sizeof(*w->process));
	w->person = mem_new(size->persons * sizeof(*w->person));
	w->old = mem_new(size->persons * sizeof(*w->old));
	for (size_t set = 0; set < OW_SETS; set++)
		w->base[set] = mem_new(size->persons * sizeof(**w->base));
	w->audit = mem_new(sizeof(*w->audit));
	sim_audit_init(w->audit);
	w->audit->one_era = true;
	w->flavour = OW_FLAVOURS;
	prefix_parse(&w->settings.subnet, subnet);
	ow_people(w);
	for (size_t i = 0; i < size->persons + size->processes; i++) {
		char text[AUDIT_WORD];

		if (i < size->persons)
			audit_key_word(text, &w->person[i].pub);
		else
			snprintf(text, sizeof(text), "process.%zu", i);
		sim_audit_word(w->audit, text);
	}
	ow_make(w);
	ow_reset(w);
	return w;
}

void ow_free_world(struct ow_world *w)
{
	for (size_t i = 0; i < w->size.processes; i++) {
		w->process[i].w = w;
		ow_disk_clear(&w->process[i]);
		free(w->process[i].heard);
	}
	for (size_t i = 0; i < w->size.persons; i++) {
		ow_snapshot_clear(w, &w->old[i]);
		for (size_t set = 0; set < OW_SETS; set++)
			ow_snapshot_clear(w, &w->base[set][i]);
	}
	ow_pool_fini(&w->pool);
	ow_liar_free(w);
	sim_heap_fini(&w->heap);
	sim_audit_fini(w->audit);
	free(w->audit);
	for (size_t set = 0; set < OW_SETS; set++)
		free(w->base[set]);
	free(w->old);
	free(w->person);
	free(w->process);
	free(w);
}
