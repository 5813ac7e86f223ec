/* sim_own_fault.c - what goes wrong while a schedule runs. What is drawn stands in sim_own_flavour.c.
 *
 * Most faults last for a while that is drawn with them; its end is planned when they begin. What
 * would break the rules that the product states about its owner is not done: a disk is not put back
 * under a keeper of a set of one (docs/protocol.md 8; only an era reset helps). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "cmd/sim_own_impl.h"

static void later(struct ow_world *w, const struct ow_plan *f, enum ow_fault fault)
{
	struct ow_plan end = *f;

	end.fault = (uint8_t)fault;
	end.at = w->now + f->span;
	if (end.at >= w->end || w->plan_count == OW_PLAN)
		return;
	w->plan[w->plan_count] = end;
	sim_heap_push(&w->heap, end.at, OW_PLANNED, w->plan_count++);
}

static void partition(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	(void)p;
	w->news = f->news;
	for (size_t i = 0; i < w->processes; i++)
		w->process[i].side = f->bridge >> i & 1 ? OW_BRIDGE : f->mask >> i & 1;
	later(w, f, OW_HEAL);
}

static void heal(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	(void)p, (void)f;
	for (size_t i = 0; i < w->processes; i++)
		w->process[i].side = 0;
}

static void crash(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	if (p->state == OW_DEAD)
		return;
	ow_stop(p, false);
	later(w, f, OW_START);
}

/* BOOTTIME begins anew; or it is another machine with the same disk. */
static void reboot(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	if (p->state == OW_DEAD)
		return;
	ow_stop(p, true);
	ow_clock_draw(p);
	ow_another_machine(p);
	later(w, f, OW_START);
}

static void crash_at_write(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	(void)w;
	p->disk.dies_in = 1 + f->mask % 16;
	p->down = f->span;
}

void ow_die(struct ow_process *p)
{
	struct ow_plan f = { .who = (uint8_t)p->index, .span = p->down };

	p->dies = false;
	crash(p->w, &f, p);
}

static void disk_fails(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	p->disk.fails = f->mask & 1 ? -EIO : -ENOSPC;
	later(w, f, OW_DISK_GOOD);
}

static void disk_hangs(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	p->disk.hangs = true;
	later(w, f, OW_DISK_GOOD);
}

static void disk_good(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	(void)f;
	p->disk.fails = 0;
	p->disk.hangs = false;
	if (p->state == OW_RUNS && p->disk.writing)
		ow_push(w, w->now, OW_WRITTEN, p);
}

/* Has it ever judged? 'k' is its incarnation (dht/keeper_store.c). */
static bool keeps(const struct ow_process *p)
{
	for (size_t i = 0; i < p->disk.count; i++)
		if (p->disk.record[i].key[0] == 'k')
			return true;
	return false;
}

/* A backup is put back, onto another inode: not the same machine for its leases. */
static void disk_back(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	if (keeps(p) || p->state == OW_DEAD)
		return;
	if (!w->old[p->person].count) {
		ow_snapshot_take(w, &w->old[p->person], &p->disk);
		later(w, f, OW_DISK_BACK);
		return;
	}
	ow_stop(p, false);
	ow_disk_load(p, &w->old[p->person]);
	ow_another_machine(p);
	later(w, f, OW_START);
}

/* What is left is what the member was told when it joined; nothing that it judged as a keeper. */
static void disk_lost(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	struct ow_disk *d = &p->disk;

	if (p->state == OW_DEAD)
		return;
	ow_stop(p, false);
	ow_disk_load(p, &w->base[w->rules.keepers / 2][p->person]);
	for (size_t i = 0; i < d->count;) {
		if (strchr("cmnsvx", d->record[i].key[0])) {
			i++;
			continue;
		}
		ow_free(&w->pool, d->record[i].value);
		d->record[i] = d->record[--d->count];
	}
	ow_another_machine(p);
	later(w, f, OW_START);
}

static void stand_still(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	if (p->state != OW_RUNS)
		return;
	p->state = f->fault == OW_SUSPEND ? OW_ASLEEP : OW_PAUSED;
	ow_push(w, w->now + f->span, OW_WAKE, p);
}

static void start(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	(void)w, (void)f;
	ow_start(p);
}

static bool gives_back(const struct ow_process *p)
{
	struct lease_info i;
	size_t at = 0;

	while (leases_next(p->leases, &at, &i, ow_now(p)))
		if (i.state == LEASE_LOST || i.state == LEASE_HANDING)
			return true;
	return false;
}

/* A state directory is copied and started elsewhere. Of the two nobody gives anything back by
 * itself: START decides, and until then they are one owner twice. */
static void copy(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	struct ow_process *q;

	(void)f;
	if (p->state == OW_DEAD || keeps(p) || p->quiet || w->processes == w->size.processes ||
	    gives_back(p))
		return;
	q = ow_process_new(w, p->person);
	ow_snapshot_take(w, &w->old[p->person], &p->disk);
	ow_disk_load(q, &w->old[p->person]);
	ow_snapshot_clear(w, &w->old[p->person]);
	p->quiet = q->quiet = true;
	q->start_counter = p->start_counter;
	ow_start(q);
}

static void revoke(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	struct ow_plan again = *f;

	if (keeps(p))
		return;
	ow_revoke(w, p->person);
	again.span = SEC(16);
	later(w, &again, OW_COME_BACK);
}

static void come_back(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	(void)f;
	ow_come_back(w, p->person);
}

/* Any working keeper may begin it. */
static void change_begin(struct ow_world *w, size_t first, struct keeper_set *set)
{
	set->quorum = regs_keeper_quorum(set->count, w->size.hardened);
	for (size_t i = 0; i < w->rules.people; i++) {
		struct ow_process *p = &w->process[(first + i) % w->rules.people];

		if (p->state != OW_RUNS || !regs_is_keeper(p->regs))
			continue;
		if (regs_change_keepers(p->regs, set, ow_now(p)) == 0)
			w->changes++;
		ow_settle(p);
		return;
	}
}

/* The new set is whoever. */
static void change(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	static const uint8_t sizes[] = { 1, 3, 3, 5 };
	struct keeper_set set = { .count = sizes[f->mask % ARRAY_LEN(sizes)] };
	size_t first = ow_draw(w, w->rules.people);

	(void)p;
	if (w->size.hardened)
		set.count = w->rules.keepers == 7 ? 7 : 5; /* what is hardened does not shrink */
	if (set.count > w->rules.people)
		set.count = 3;
	for (size_t i = 0; i < set.count; i++, first++)
		set.node[i] = w->person[first % w->rules.people].pub;
	change_begin(w, f->who, &set);
}

static void change_to(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	struct keeper_set set = { 0 };

	(void)p;
	for (size_t i = 0; i < w->rules.people; i++)
		if (f->mask >> i & 1)
			set.node[set.count++] = w->person[i].pub;
	change_begin(w, 0, &set);
}

static void cut_in_change(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	(void)p;
	w->cut = *f;
}

static void grabs(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	for (size_t i = 0; i < w->rules.people; i++)
		for (size_t k = 0; k < 4; k++) {
			p = &w->process[i];
			ow_push(w, w->now + ow_draw(w, f->span), OW_GRAB, p);
		}
}

void ow_cut_now(struct ow_world *w)
{
	w->cut.fault = OW_PARTITION;
	w->cut.at = w->now + ow_draw(w, w->cut.news ? MSEC(5) : MSEC(300));
	w->plan[w->plan_count] = w->cut;
	sim_heap_push(&w->heap, w->cut.at, OW_PLANNED, w->plan_count++);
	w->cut.mask = 0;
}

void ow_cut(struct ow_process *p)
{
	struct ow_world *w = p->w;
	struct keeper_info info[KEEPERS_MAX];
	size_t n = regs_keeper_infos(p->regs, info, ow_now(p));
	const struct pubkey *self = &w->person[p->person].pub;

	for (size_t i = 0; i < n && !w->cut.news; i++) {
		if (!key_equal(&info[i].node, self) || !info[i].sealed || w->plan_count == OW_PLAN)
			continue;
		ow_cut_now(w);
		return;
	}
}

static void enrol(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	(void)f, (void)p;
	ow_strangers(w);
}

static void lie(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	(void)f, (void)p;
	ow_liar_acts(w);
}

static void nothing(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	(void)w, (void)f, (void)p;
}

static void (*const faults[OW_FAULTS])(struct ow_world *w, const struct ow_plan *f,
					struct ow_process *p) = {
	[OW_PARTITION] = partition,   [OW_HEAL] = heal,
	[OW_CRASH] = crash,	       [OW_REBOOT] = reboot,
	[OW_CRASH_AT_WRITE] = crash_at_write, [OW_DISK_FAILS] = disk_fails,
	[OW_DISK_HANGS] = disk_hangs, [OW_DISK_GOOD] = disk_good,
	[OW_DISK_BACK] = disk_back,   [OW_DISK_LOST] = disk_lost,
	[OW_PAUSE] = stand_still,     [OW_SUSPEND] = stand_still,
	[OW_RESUME] = nothing,	       [OW_START] = start,
	[OW_COPY] = copy,	       [OW_CHANGE] = change,
	[OW_GRABS] = grabs,	       [OW_COME_BACK] = come_back,
	[OW_CHANGE_TO] = change_to,   [OW_CUT_IN_CHANGE] = cut_in_change,
	[OW_REVOKE] = revoke,	       [OW_ENROL] = enrol,
	[OW_LIE] = lie,
};

void ow_fault(struct ow_world *w, const struct ow_plan *planned)
{
	struct ow_plan f = *planned; /* the table may grow */

	ow_trace(w, 0xfa00u + f.fault);
	if (w->tells)
		fprintf(stderr, "%11.6f fault %u: process %u, mask %x, %.3f s\n", (double)w->now / 1e6,
			f.fault, f.who, f.mask, (double)f.span / 1e6);
	faults[f.fault](w, &f, &w->process[f.who]);
}

void ow_on_send(struct ow_process *p)
{
	struct ow_world *w = p->w;
	struct ow_plan f = { .who = (uint8_t)p->index };

	bool still = w->rules.flavour == OW_STILL;

	if (!ow_chance(w, w->rules.on_send) || w->plan_count == OW_PLAN || (still && keeps(p)))
		return;
	f.fault = still || ow_draw(w, 2) ? OW_PAUSE : OW_CRASH;
	f.span = still ? SEC(100) + ow_draw(w, SEC(60)) : ow_span_draw(w);
	f.at = w->now + ow_draw(w, still ? MSEC(60) : MSEC(200));
	w->plan[w->plan_count] = f;
	sim_heap_push(&w->heap, f.at, OW_PLANNED, w->plan_count++);
}
