/* sim_own_fault.c - what goes wrong in a schedule: drawn at its beginning, in the order of time.
 *
 * Most faults last for a while that is drawn with them; its end is planned when they begin. What
 * would break the rules that the product states about its owner is not done: one file tree is not
 * put back under a running keeper of a set of one (docs/protocol.md 8; only an era reset helps). */
#include <errno.h>
#include <string.h>

#include "base/list.h"
#include "cmd/sim_own_impl.h"

/* How often each happens, out of their sum. */
static const uint8_t weights[OW_FAULTS] = {
	[OW_PARTITION] = 10, [OW_CRASH] = 8,	    [OW_REBOOT] = 5, [OW_CRASH_AT_WRITE] = 8,
	[OW_DISK_FAILS] = 3, [OW_DISK_HANGS] = 2, [OW_PAUSE] = 10, [OW_SUSPEND] = 5,
	[OW_DISK_BACK] = 3,  [OW_COPY] = 2,	    [OW_REVOKE] = 1, [OW_ENROL] = 1,
	[OW_DISK_LOST] = 1,
};

static uint8_t draw_fault(struct ow_world *w)
{
	uint64_t sum = 0, at;
	uint8_t f = 0;

	for (size_t i = 0; i < OW_FAULTS; i++)
		sum += weights[i];
	for (at = ow_draw(w, sum); at >= weights[f]; f++)
		at -= weights[f];
	return f;
}

/* Short ones are common, a few are long. */
static usec_t draw_span(struct ow_world *w)
{
	usec_t max = ow_draw(w, 3) ? SEC(20) : SEC(160);

	return MSEC(50) + ow_draw(w, max);
}

static void draw_rules(struct ow_world *w)
{
	static const uint8_t keepers[] = { 1, 3, 3, 3, 5 };
	static const uint32_t losses[] = { 0, 10000, 50000, 250000 };
	struct ow_rules *r = &w->rules;

	memset(r, 0, sizeof(*r));
	r->keepers = keepers[ow_draw(w, ARRAY_LEN(keepers))];
	r->people = (uint8_t)(4 + ow_draw(w, 1 + ow_draw(w, 6)));
	if (r->people < r->keepers)
		r->people = r->keepers;
	r->hot = (uint8_t)(2 + ow_draw(w, 3));
	r->span = SEC(150) + ow_draw(w, SEC(100));
	r->hold = SEC(5) + ow_draw(w, SEC(60));
	r->chat = SEC(4) + ow_draw(w, SEC(10));
	r->releases = (uint32_t)ow_draw(w, 600);
	r->transfers = (uint32_t)ow_draw(w, 100);
	r->reads = (uint32_t)ow_draw(w, 300);
	r->names = (uint32_t)ow_draw(w, 300);
	if (ow_draw(w, 2))
		r->on_send = (uint32_t)ow_draw(w, 20000);
	r->net.loss = losses[ow_draw(w, ARRAY_LEN(losses))];
	r->net.doubled = (uint32_t)ow_draw(w, 40000);
	r->net.late = ow_draw(w, 2) ? (uint32_t)ow_draw(w, 60000) : 0;
	r->net.late_max = SEC(60);
	r->net.delay = MSEC(1 + ow_draw(w, 60));
	r->net.jitter = MSEC(1 + ow_draw(w, 60));
}

static void plan(struct ow_world *w, const struct ow_plan *f)
{
	if (w->plan_count < OW_PLAN)
		w->plan[w->plan_count++] = *f;
}

void ow_plan_draw(struct ow_world *w)
{
	size_t n;

	draw_rules(w);
	n = ow_draw(w, 12);
	for (size_t i = 0; i < n; i++) {
		struct ow_plan f = { .at = w->begin + ow_draw(w, w->rules.span),
				      .fault = draw_fault(w), .span = draw_span(w) };

		f.who = (uint8_t)ow_draw(w, w->rules.people);
		f.mask = (uint16_t)sim_rng_next(&w->rng);
		plan(w, &f);
	}
}

/* --- while it runs --- */

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
	for (size_t i = 0; i < w->processes; i++)
		w->process[i].side = f->mask >> i & 1;
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
	p->same_machine = false;
	later(w, f, OW_START);
}

static void crash_at_write(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	(void)w;
	p->disk.dies_in = 1 + f->mask % 16;
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

static bool keeps(const struct ow_world *w, const struct ow_process *p)
{
	return p->person < w->rules.keepers;
}

/* A backup is put back, onto another inode: not the same machine for its leases. */
static void disk_back(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	if (keeps(w, p) || p->state == OW_DEAD)
		return;
	if (!w->old[p->person].count) {
		ow_snapshot_take(w, &w->old[p->person], &p->disk);
		later(w, f, OW_DISK_BACK);
		return;
	}
	ow_stop(p, false);
	ow_disk_load(p, &w->old[p->person]);
	p->same_machine = false;
	later(w, f, OW_START);
}

/* What is left is what the member was told when it joined. */
static void disk_lost(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	if (keeps(w, p) || p->state == OW_DEAD)
		return;
	ow_stop(p, false);
	ow_disk_load(p, &w->base[w->rules.keepers / 2][p->person]);
	p->same_machine = false;
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
	ow_start(p, p->same_machine);
	p->same_machine = true; /* from now on */
}

/* A state directory is copied and started elsewhere. Of the two nobody gives anything back by
 * itself: START decides, and until then they are one owner twice. */
static void copy(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	struct ow_process *q;

	(void)f;
	if (p->state == OW_DEAD || keeps(w, p) || p->quiet || w->processes == OW_PROCESSES)
		return;
	q = ow_process_new(w, p->person);
	ow_snapshot_take(w, &w->old[p->person], &p->disk);
	ow_disk_load(q, &w->old[p->person]);
	ow_snapshot_clear(w, &w->old[p->person]);
	p->quiet = q->quiet = true;
	q->start_counter = p->start_counter;
	ow_start(q, false);
}

static void revoke(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	(void)f;
	if (!keeps(w, p))
		ow_revoke(w, p->person);
}

static void enrol(struct ow_world *w, const struct ow_plan *f, struct ow_process *p)
{
	(void)f, (void)p;
	ow_strangers(w);
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
	[OW_COPY] = copy,	       [OW_CHANGE] = nothing,
	[OW_REVOKE] = revoke,	       [OW_ENROL] = enrol,
};

void ow_fault(struct ow_world *w, const struct ow_plan *planned)
{
	struct ow_plan f = *planned; /* the table may grow */

	ow_trace(w, 0xfa00u + f.fault);
	faults[f.fault](w, &f, &w->process[f.who]);
}

void ow_on_send(struct ow_process *p)
{
	struct ow_world *w = p->w;
	struct ow_plan f = { .who = p->index };

	if (!ow_chance(w, w->rules.on_send) || w->plan_count == OW_PLAN)
		return;
	f.fault = ow_draw(w, 2) ? OW_PAUSE : OW_CRASH;
	f.span = draw_span(w);
	f.at = w->now + ow_draw(w, MSEC(200));
	w->plan[w->plan_count] = f;
	sim_heap_push(&w->heap, f.at, OW_PLANNED, w->plan_count++);
}
