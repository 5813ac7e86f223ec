/* sim_own_process.c - one process: registers, leases and fence put together as the daemon does it.
 *
 * Callbacks only queue; ow_settle hands on what was queued, tells the audit what may be used from
 * now on, and wakes the process when its next deadline comes by its own clock. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "cmd/sim_own_crypto.h"
#include "cmd/sim_own_impl.h"

#define PPM 1000000

/* --- clocks --- */

usec_t ow_now(const struct ow_process *p)
{
	usec_t passed = p->w->now - p->clock_from;

	return p->clock_base + passed * (uint64_t)(PPM + p->clock_ppm) / PPM;
}

/* The first moment of the world at which its clock shows `own` or more. */
usec_t ow_common(const struct ow_process *p, usec_t own)
{
	uint64_t rate = (uint64_t)(PPM + p->clock_ppm);

	if (own <= p->clock_base)
		return p->clock_from;
	if (own - p->clock_base > SEC(100000))
		return USEC_NEVER;
	return p->clock_from + ((own - p->clock_base) * PPM + rate - 1) / rate;
}

void ow_clock_draw(struct ow_process *p)
{
	struct ow_world *w = p->w;
	uint64_t true_wall = OW_WALL + w->now / PPM, apart = w->rules.apart;

	p->clock_from = w->now;
	p->clock_base = SEC(10 + ow_draw(w, 100000));
	p->clock_ppm = (int32_t)ow_draw(w, 2 * OW_PPM_MAX + 1) - OW_PPM_MAX;
	p->wall = (struct wall){ true_wall + ow_draw(w, 2 * apart + 1) - apart, p->clock_base };
}

/* --- callbacks --- */

static void env_random(void *ctx, void *out, size_t len)
{
	struct ow_process *p = ctx;

	sim_rng_fill(&p->w->rng, out, len);
}

static void env_send(void *ctx, const struct pubkey *to, uint8_t service, const uint8_t *msg,
		     size_t len)
{
	struct ow_process *p = ctx;

	ow_net_send(p, to, service, msg, len);
}

static void env_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			const uint8_t *value, size_t len)
{
	ow_disk_write(ctx, op, key, key_len, value, len);
}

static void env_event(void *ctx, const struct regs_event *e)
{
	struct ow_process *p = ctx;
	struct ow_event *q = &p->events[p->event_count];

	if (e->type == REGS_UPDATED)
		return;
	assert(p->event_count < ARRAY_LEN(p->events));
	p->event_count++;
	q->e = *e;
	q->grant = e->len ? ow_alloc(&p->w->pool, e->len) : NULL;
	if (e->len)
		memcpy(q->grant, e->grant, e->len);
	q->e.grant = q->grant;
}

static struct ow_waits *waits_find(struct ow_process *p, uint64_t op)
{
	for (size_t i = 0; i < p->waits_count; i++)
		if (p->waits[i].op == op)
			return &p->waits[i];
	return NULL;
}

static void begin(struct ow_process *p, uint64_t op, const struct reg_op *req)
{
	p->waits[p->waits_count++] = (struct ow_waits){ .op = op, .name = req->name,
							 .heir = req->heir, .verb = req->verb };
	audit_invoke(&p->audit, op, req, ow_now(p));
	p->w->operations++;
}

static void undo(struct ow_process *p, uint64_t op, const struct reg_op *req)
{
	struct regs_event none = { .op = op, .status = REG_REFUSED };

	audit_result(&p->audit, &req->name, &none, ow_now(p));
	*waits_find(p, op) = p->waits[--p->waits_count];
}

static int submit(struct ow_process *p, uint64_t op, const struct reg_op *req,
		  const struct key_pair *admin)
{
	int rc;

	if (p->waits_count == OW_OPS)
		return -1;
	begin(p, op, req);
	rc = regs_submit(p->regs, op, req, admin, ow_now(p));
	if (rc < 0)
		undo(p, op, req);
	else
		ow_on_send(p);
	return rc;
}

static int env_submit(void *ctx, uint64_t op, const struct reg_op *req, usec_t now)
{
	(void)now;
	return submit(ctx, op, req, NULL);
}

static int env_sign(void *ctx, struct reg_op *req, uint8_t out[REG_OP_MAX], usec_t now)
{
	struct ow_process *p = ctx;

	return regs_sign(p->regs, req, out, now);
}

static int env_submit_signed(void *ctx, uint64_t op, const uint8_t *bytes, size_t len, usec_t now)
{
	struct ow_process *p = ctx;
	struct reg_op req;
	int rc;

	if (!reg_op_read(&req, bytes, len) || p->waits_count == OW_OPS)
		return -1;
	begin(p, op, &req);
	rc = regs_submit_signed(p->regs, op, bytes, len, now);
	if (rc < 0)
		undo(p, op, &req);
	return rc;
}

static void env_hand(void *ctx, const struct pubkey *to, const struct handover *h)
{
	struct ow_process *p = ctx;
	struct handover copy = *h;

	copy.peer = *to;
	regs_hand(p->regs, &copy, ow_now(p));
}

bool ow_submit(struct ow_process *p, const struct reg_op *req, const struct key_pair *admin)
{
	uint64_t op = ++p->last_op;

	if (submit(p, op, req, admin) < 0)
		return false;
	if (req->verb == OP_START)
		p->start_op = op;
	return true;
}

static void env_lease_event(void *ctx, const struct lease_event *e)
{
	struct ow_process *p = ctx;

	if (e->type == LEASE_FAILED && e->status == REG_FULL)
		p->full_at = p->w->now;
}

/* --- what it did, for the audit --- */

static uint16_t name_word(struct ow_world *w, const struct reg_name *name)
{
	char text[AUDIT_WORD];

	for (size_t i = 0; i < w->name_count; i++)
		if (reg_name_equal(&w->name[i], name))
			return w->name_word[i];
	audit_name_word(text, name);
	if (w->name_count < OW_NAMES) {
		w->name[w->name_count] = *name;
		w->name_word[w->name_count++] = sim_audit_word(w->audit, text);
	}
	return sim_audit_word(w->audit, text);
}

static void env_note(void *ctx, const struct audit_note *n)
{
	struct ow_process *p = ctx;
	struct sim_audit *a = p->w->audit;
	struct audit_fact f = { .at = p->w->now, .id = n->id, .number = n->number,
				.type = (uint8_t)n->type, .verb = n->verb };

	f.node = (uint16_t)(1 + p->w->size.persons + p->index);
	f.until = n->until ? ow_common(p, n->until) : 0;
	if (n->name)
		f.name = name_word(p->w, n->name);
	if (n->peer && !key_is_zero(n->peer))
		f.peer = (uint16_t)(1 + ow_person_of(p->w, n->peer));
	ow_trace(p->w, f.type * 7919u + f.number);
	sim_audit_add(a, &f);
}

/* --- after every call --- */

static void result(struct ow_process *p, const struct ow_event *q)
{
	struct ow_waits *wait = waits_find(p, q->e.op), copy = { 0 };
	struct reg_answer answer = regs_answer(&q->e);

	if (wait) {
		copy = *wait;
		*wait = p->waits[--p->waits_count];
		audit_result(&p->audit, &copy.name, &q->e, ow_now(p));
	}
	p->w->served += p->w->audit->lied_to && q->e.status == REG_OK;
	if (q->e.op & LEASE_OP) {
		p->leases_touched = true;
		leases_result(p->leases, q->e.op, &answer, ow_now(p));
	} else {
		ow_answered(p, &copy, &q->e);
	}
}

static void handed(struct ow_process *p, const struct ow_event *q)
{
	struct handover h = regs_handover(&q->e);

	p->leases_touched = true;
	leases_handover(p->leases, &h, ow_now(p));
}

static void stray(struct ow_process *p, const struct ow_event *q)
{
	p->leases_touched = true;
	leases_stray(p->leases, q->e.grant, q->e.len, ow_now(p));
}

static void hand_over(struct ow_process *p)
{
	for (size_t i = 0; i < p->event_count; i++) {
		struct ow_event q = p->events[i];

		if (q.e.type == REGS_RESULT)
			result(p, &q);
		else if (q.e.type == REGS_HANDOVER)
			handed(p, &q);
		else if (q.e.type == REGS_STRAY)
			stray(p, &q);
		else
			ow_answered(p, NULL, &q.e);
		ow_free(&p->w->pool, q.grant);
	}
	p->event_count = 0;
}

static void arm(struct ow_process *p)
{
	usec_t next = usec_min(regs_deadline(p->regs), leases_deadline(p->leases));

	next = next == USEC_NEVER ? next : ow_common(p, next);
	if (next < p->w->now)
		next = p->w->now;
	if (next >= p->tick_at)
		return; /* the one that is set comes first and sets it anew */
	p->tick_at = next;
	ow_push(p->w, next, OW_TICK, p);
}

void ow_settle(struct ow_process *p)
{
	if (p->state == OW_DEAD)
		return;
	hand_over(p);
	if (p->w->cut.mask)
		ow_cut(p);
	if (p->superseded) {
		ow_stop(p, false);
		return;
	}
	if (p->dies) {
		ow_die(p);
		return;
	}
	if (p->leases_touched) {
		p->leases_touched = false;
		audit_leases(&p->audit, p->leases, ow_now(p));
	}
	arm(p);
}

void ow_tick(struct ow_process *p)
{
	usec_t now = ow_now(p);

	p->tick_at = USEC_NEVER;
	if (regs_deadline(p->regs) <= now)
		regs_tick(p->regs, now);
	if (leases_deadline(p->leases) <= now) {
		p->leases_touched = true;
		leases_tick(p->leases, now);
	}
	ow_settle(p);
}

void ow_input(struct ow_process *p, const struct ow_packet *k)
{
	const struct ow_process *from = &p->w->process[k->from];

	p->heard[from->person] = from->index;
	ow_liar_hears(p, k);
	if (k->service == OW_SERVICE_FRAME)
		ow_frame(p, k);
	else
		regs_input(p->regs, &p->w->person[from->person].pub, true, k->service, k->bytes,
			   k->len, ow_now(p));
	ow_settle(p);
}

/* --- life --- */

static void attach(struct ow_process *p)
{
	struct ow_world *w = p->w;

	for (size_t i = 0; i < w->processes; i++) {
		struct ow_process *q = &w->process[i];

		/* Keepers with each other, everybody with the first two. */
		if (q == p || q->state != OW_RUNS || q->person == p->person ||
		    (q->person >= 2 && p->person >= 2 &&
		     (q->person >= w->rules.keepers || p->person >= w->rules.keepers)))
			continue;
		regs_peer_gone(q->regs, &w->person[p->person].pub, ow_now(q));
		regs_peer_attached(q->regs, &w->person[p->person].pub, ow_now(q));
		regs_peer_attached(p->regs, &w->person[q->person].pub, ow_now(p));
		q->heard[p->person] = p->index;
		ow_settle(q);
	}
}

/* As the daemon does it: when all of its leases were written by this machine. */
static bool is_same_machine(const struct ow_process *p)
{
	for (size_t i = 0; i < p->disk.count; i++)
		if (p->disk.record[i].key[0] == LEASE_KEY && p->disk.record[i].stamp != p->stamp)
			return false;
	return true;
}

static void make(struct ow_process *p)
{
	struct ow_world *w = p->w;
	bool same = is_same_machine(p);
	struct regs_config rc = { .self = w->person[p->person], .root = w->root.pub,
				  .crypto = &crypto_quick, .wall = &p->wall, .log = &p->log,
				  .drops = &p->drops, .same_machine = same,
				  .promises = w->rules.promises };
	struct regs_env re = { p, env_random, env_send, env_persist, env_event };
	struct lease_config lc = { .self = rc.self.pub, .subnet = w->settings.subnet,
				   .lease = w->settings.lease, .same_machine = same,
				   .wall = &p->wall, .log = &p->log };
	struct lease_env le = { p, env_random, env_submit, env_persist, env_lease_event, env_sign,
				env_submit_signed, env_hand };
	uint8_t seed[16] = { 1 };

	nsid_of(lc.nsid, &w->root.pub);
	p->regs = regs_new(&rc, &re, ow_now(p));
	p->leases = leases_new(&lc, &le, ow_now(p));
	fence_init(&p->fence, seed);
}

static void restore(struct ow_process *p)
{
	for (size_t i = 0; i < p->disk.count; i++) {
		const struct ow_record *r = &p->disk.record[i];
		bool ok = r->key[0] == LEASE_KEY ?
				  leases_restore(p->leases, r->key, r->key_len, r->value, r->len,
						 ow_now(p)) :
				  regs_restore(p->regs, r->key, r->key_len, r->value, r->len);

		if (!ok)
			ow_wrong(p->w, "a process cannot read what it wrote");
	}
}

void ow_another_machine(struct ow_process *p)
{
	p->stamp = ++p->w->machines;
}

void ow_start(struct ow_process *p)
{
	if (p->state != OW_DEAD)
		return;
	p->state = OW_RUNS;
	p->life++;
	p->tick_at = USEC_NEVER;
	p->waits_count = p->event_count = p->waiting_count = 0;
	p->start_op = 0;
	p->start_counter++;
	make(p);
	restore(p);
	regs_started(p->regs, ow_now(p));
	leases_started(p->leases, ow_now(p));
	attach(p);
	p->leases_touched = true;
	ow_settle(p);
	ow_work_begin(p);
}

void ow_stop(struct ow_process *p, bool power)
{
	struct ow_world *w = p->w;

	if (p->state == OW_DEAD)
		return;
	audit_died(&p->audit, ow_now(p));
	p->state = OW_DEAD;
	p->life++;
	ow_disk_stop(p, power);
	while (p->waiting_count)
		ow_free(&w->pool, p->waiting[--p->waiting_count]);
	for (size_t i = 0; i < p->event_count; i++)
		ow_free(&w->pool, p->events[i].grant);
	p->event_count = 0;
	leases_free(p->leases);
	regs_free(p->regs);
	fence_fini(&p->fence);
	p->leases = NULL;
	p->regs = NULL;
}

static void log_sink(void *ctx, enum log_level level, const char *line)
{
	const struct ow_process *p = ctx;

	fprintf(stderr, "%11.6f %u.%u %s: %s\n", (double)p->w->now / 1e6, p->person, p->index,
		log_level_text(level), line);
}

struct ow_process *ow_process_new(struct ow_world *w, size_t person)
{
	struct ow_process *p = &w->process[w->processes];

	assert(w->processes < w->size.processes);
	p->w = w;
	p->index = (uint16_t)w->processes++;
	p->person = (uint16_t)person;
	p->state = OW_DEAD;
	p->side = 0;
	p->superseded = p->quiet = p->dies = false;
	p->full_at = 0;
	if (!p->heard)
		p->heard = mem_new(w->size.persons * sizeof(*p->heard));
	p->last_op = p->start_counter = 0;
	p->disk.delay = MSEC(1);
	p->disk.fails = 0;
	p->disk.hangs = false;
	p->log = (struct log){ p, w->tells ? log_sink : NULL, LOG_LEVEL_DEBUG };
	p->audit = (struct audit){ .ctx = p, .note = env_note };
	for (size_t i = 0; i < w->size.persons; i++)
		p->heard[i] = (uint16_t)i;
	ow_another_machine(p);
	ow_clock_draw(p);
	return p;
}

struct ow_process *ow_running(struct ow_world *w, size_t person)
{
	for (size_t i = 0; i < w->processes; i++)
		if (w->process[i].person == person && w->process[i].state == OW_RUNS)
			return &w->process[i];
	return NULL;
}
