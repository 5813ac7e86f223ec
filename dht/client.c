/* client.c - own operations: each is signed once under its number and asked of keepers until one
 * answers with something that verifies, or OP_MAX is over.
 *
 * Retries carry the same bytes (R6, R8), so a keeper that has done it answers the same again. One
 * operation per register (R7): a newer one ends the older with REG_BUSY, and answers are matched
 * by a random request id, so a late one finds nothing. Numbers come from a block whose end is
 * durable before the first of it leaves: after a crash numbers are skipped, never used twice; at a
 * start they begin above the wall clock as well, so that a state directory from a backup does not
 * repeat them either. An answer without a grant that proves it counts as no answer. */
#include "dht/client_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "dht/judge.h"

#define OPS_FIRST 4 /* places made at first */
#define BUSY_DOUBLINGS 5
#define BUSY_SAME 3
#define NUMBER_BLOCK 1000
#define NUMBER_LOW 200 /* left in the block when the next is fetched */
#define NUMBERS_A_SECOND_LOG2 20

/* --- numbers --- */

uint64_t client_number(struct regs *r)
{
	struct client *c = &r->client;
	uint64_t n = c->next++;

	if (c->next + NUMBER_LOW > c->reserved) {
		c->reserved = c->next + NUMBER_BLOCK;
		facts_write(r, FACT_NUMBERS);
	}
	return n;
}

void client_started(struct regs *r, usec_t now)
{
	uint64_t floor = wall_seconds(r->cfg.wall, now) << NUMBERS_A_SECOND_LOG2;

	if (r->client.next < floor)
		r->client.next = floor;
	if (r->client.next == 0)
		r->client.next = 1;
}

/* --- one operation --- */

static void forget(struct client_op *o)
{
	struct client *c = &o->of->client;

	timer_cancel(&o->of->timers, &o->timer);
	for (size_t i = 0; i < c->count; i++)
		if (c->op[i] == o) {
			c->op[i] = c->op[--c->count];
			break;
		}
	if (c->count == 0) {
		free(c->op);
		free(c->load);
		c->op = NULL;
		c->load = NULL;
		c->places = 0;
	}
	free(o->bytes);
	free(o);
}

static void op_add(struct client *c, struct client_op *o)
{
	if (!c->load)
		c->load = client_load_new();
	if (c->count == c->places) {
		c->places = c->places ? 2 * c->places : OPS_FIRST;
		c->op = mem_resize(c->op, c->places * sizeof(struct client_op *));
	}
	c->op[c->count++] = o;
}

static void finish(struct client_op *o, const struct keeper_answer *a)
{
	struct regs *r = o->of;
	struct regs_event e = { .type = REGS_RESULT, .op = o->id, .status = a->status,
				.holder = a->holder, .hint = a->hint, .detail = a->detail,
				.grant = a->grant, .len = a->len };
	bool internal = o->internal;

	forget(o);
	if (internal)
		create_result(r, a->status, a->grant, a->len, r->now);
	else
		regs_tell(r, &e);
}

static void end(struct client_op *o, enum reg_status status)
{
	struct keeper_answer a = { .status = status };

	finish(o, &a);
}

static void arm(struct client_op *o, usec_t next)
{
	o->next = next;
	timer_set(&o->of->timers, &o->timer, usec_min(next, o->deadline));
}

static void send_to(struct client_op *o, const struct pubkey *keeper)
{
	struct regs *r = o->of;
	struct regmsg m = { .type = REGMSG_OPERATION, .request = o->request, .bytes = o->bytes,
			    .len = o->len };
	int at = r->facts.config ? config_member(r->facts.config, keeper) : -1;
	const struct mark *seen =
		at < 0 ? NULL : marks_of(r->client.marks, r->facts.config, (uint8_t)at);
	uint8_t msg[REGMSG_MAX];
	size_t n;

	memcpy(m.nsid, r->nsid, NSID_LEN);
	if (seen)
		m.echo = *seen;
	n = regmsg_write(msg, sizeof(msg), &m);
	assert(n);
	o->waits = true;
	regs_send(r, keeper, msg, n);
}

/* May end the operation: `o` is not to be touched afterwards. */
static void attempt(struct client_op *o, usec_t now)
{
	struct regs *r = o->of;
	const struct pubkey *keeper;
	int rc;

	if (o->number >= r->client.safe && !o->foreign) { /* woken by client_numbers_safe */
		arm(o, USEC_NEVER);
		return;
	}
	keeper = client_next_keeper(o);
	o->sent = now;
	o->tries++;
	arm(o, now + client_patience(o));
	if (!keeper)
		return;
	if (!key_equal(keeper, &r->cfg.self.pub)) {
		send_to(o, keeper);
		return;
	}
	rc = keeper_submit_local(r->keeper, o->request, o->bytes, o->len, now);
	if (rc == -EINVAL)
		end(o, REG_MALFORMED);
}

static void fire(struct timer *t, usec_t now)
{
	struct client_op *o = container_of(t, struct client_op, timer);
	usec_t works = o->waits ? client_keeper_works(o) : 0;
	bool silent = now >= works;

	if (o->waits && silent)
		client_keeper_is_silent(o);
	if (now >= o->deadline)
		end(o, o->busy || !silent ? REG_BUSY : REG_NO_QUORUM);
	else if (silent)
		attempt(o, now);
	else
		arm(o, works);
}

void client_numbers_safe(struct regs *r, usec_t now)
{
	struct client *c = &r->client;

	c->safe = c->writing;
	for (size_t i = 0; i < c->count; i++)
		if (c->op[i]->next == USEC_NEVER && !c->op[i]->foreign &&
		    c->op[i]->number < c->safe)
			arm(c->op[i], now);
}

/* --- answers --- */

/* What an OK must prove: that the register now says what was asked for. */
static bool proves(const struct client_op *o, const struct grant *g)
{
	struct member_payload m;
	struct token_payload t;

	switch (o->verb) {
	case OP_CLAIM:
	case OP_RENEW:
		return g->state == REG_HELD && key_equal(&g->owner, &o->signer) &&
		       g->number == o->number;
	case OP_START: /* may be an earlier one with the same counter and nonce */
		return key_equal(&g->owner, &o->signer);
	case OP_TRANSFER:
		return g->state == REG_HELD && key_equal(&g->owner, &o->heir);
	case OP_RELEASE:
		return g->state != REG_HELD || !key_equal(&g->owner, &o->signer);
	case OP_MEMBER_REVOKE:
		return member_payload_read(&m, g->payload, g->payload_len) && m.revoked;
	case OP_TOKEN_REVOKE:
		return token_payload_read(&t, g->payload, g->payload_len) && t.revoked;
	default:
		return true;
	}
}

static bool is_among_liars(const struct client_op *o)
{
	const struct config *cf = o->of->facts.config;

	return cf && judge_is_hardened(cf);
}

static bool needs_proof(const struct client_op *o)
{
	switch (o->verb) {
	case OP_CLAIM:
	case OP_RENEW:
	case OP_TRANSFER:
		return true;
	case OP_RELEASE:
	case OP_MEMBER_REVOKE:
	case OP_TOKEN_REVOKE:
		return is_among_liars(o);
	default:
		return false;
	}
}

static bool believable(const struct client_op *o, const struct keeper_answer *a)
{
	struct grant g;

	if (a->len && (!facts_verify(o->of, &g, &o->name, a->grant, a->len) ||
		       !regs_believe(o->of, &g, a->grant, a->len)))
		return false;
	if (a->status == REG_OK)
		return a->len ? proves(o, &g) : !needs_proof(o);
	return (a->status != REG_OWNED && a->status != REG_FULL) ||
	       !key_equal(&a->holder, &o->signer);
}

/* Who may lie is not waited for: after BUSY_SAME answers the next one is asked. */
static void busy(struct client_op *o, usec_t now)
{
	unsigned doublings = o->busy < BUSY_DOUBLINGS ? o->busy : BUSY_DOUBLINGS;

	if (++o->busy < BUSY_SAME || !is_among_liars(o))
		o->asked = 0; /* the same keeper again */
	arm(o, now + client_times.busy / 2 + regs_jitter(o->of, client_times.busy << doublings));
}

static void answered(struct client_op *o, const struct keeper_answer *a, usec_t now)
{
	o->waits = false;
	switch (a->status) {
	case REG_BUSY:
		busy(o, now);
		break;
	case REG_NO_QUORUM:
	case REG_OTHER_EPOCH:
		o->busy = 0;
		arm(o, usec_min(o->next, now + client_times.settle));
		break;
	default:
		finish(o, a);
	}
}

static struct client_op *find(const struct client *c, uint64_t request)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->op[i]->request == request)
			return c->op[i];
	return NULL;
}

static bool is_asked_about(const struct client *c, const struct reg_name *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (reg_name_equal(&c->op[i]->name, name))
			return true;
	return false;
}

/* An answer to what was given up counts for nothing (R7), but it tells what has become ours. */
static void tell_stray(struct regs *r, const struct regmsg *m)
{
	struct regs_event e = { .type = REGS_STRAY, .grant = m->bytes, .len = m->len };
	struct grant g;

	if (m->status == REG_OK && m->len && facts_check(r, &g, m->bytes, m->len) &&
	    key_equal(&g.owner, &r->cfg.self.pub) && !is_asked_about(&r->client, &g.name))
		regs_tell(r, &e);
}

/* Refused, by so few that all of them may lie: others are asked before it counts. */
static bool is_liars_word(struct client_op *o, size_t member, enum reg_status status, usec_t now)
{
	if (status == REG_OK || status == REG_BUSY || status == REG_NO_QUORUM ||
	    status == REG_OTHER_EPOCH)
		return false;
	switch (client_refused(&o->refused, o->of->facts.config, member, status)) {
	case REFUSAL_COUNTS:
		return false;
	case REFUSAL_NEW:
		attempt(o, now);
		return true;
	case REFUSAL_REPEATED: /* it was asked again, as others do not answer */
		if (o->last == member)
			o->waits = false;
		break;
	}
	return true;
}

void client_result(struct regs *r, const struct pubkey *from, const struct regmsg *m, usec_t now)
{
	struct keeper_answer a = { .status = m->status, .holder = m->holder, .hint = m->hint,
				   .grant = m->bytes, .len = m->len };
	struct client_op *o = find(&r->client, m->request);
	bool newer = m->config_len && facts_take_config(r, from, m->config, m->config_len);
	int at;

	if (newer)
		r->updated = true;
	at = r->facts.config ? config_member(r->facts.config, from) : -1;
	if (at >= 0 && m->mark.starts)
		marks_note(&r->client.marks, r->facts.config, (uint8_t)at, &m->mark);
	if (!o && at >= 0)
		tell_stray(r, m);
	if (!o || at < 0) {
		drop_add(r->cfg.drops, DROP_UNKNOWN);
		return;
	}
	if (newer && m->status == REG_OTHER_EPOCH) {
		attempt(o, now);
		return;
	}
	if (!believable(o, &a)) {
		drop_add(r->cfg.drops, DROP_SIGNATURE);
		return; /* the next try may reach an honest one */
	}
	client_keeper_answered(o, (size_t)at, a.status, now);
	if (!is_liars_word(o, (size_t)at, a.status, now))
		answered(o, &a, now);
}

void client_local_result(struct regs *r, uint64_t request, const struct keeper_answer *a,
			 usec_t now)
{
	struct client_op *o = find(&r->client, request);

	if (o && believable(o, a))
		answered(o, a, now);
}

/* --- submit --- */

static bool sign(struct client_op *o, const struct client_ask *ask)
{
	struct regs *r = o->of;
	struct reg_op op = *ask->req;
	uint8_t bytes[REG_OP_MAX];

	memcpy(op.nsid, r->nsid, NSID_LEN);
	op.number = o->number;
	op.signer = ask->signer->pub;
	o->len = reg_op_write(bytes, sizeof(bytes), &op, r->cfg.crypto, ask->signer, NULL);
	if (o->len)
		o->bytes = mem_copy(bytes, o->len);
	return o->len > 0;
}

static void cancel_older(struct regs *r, const struct reg_name *name)
{
	struct client *c = &r->client;

	for (size_t i = c->count; i > 0; i--)
		if (reg_name_equal(&c->op[i - 1]->name, name))
			end(c->op[i - 1], REG_BUSY);
}

static struct client_op *op_new(struct regs *r, uint64_t id, const struct reg_op *req, usec_t now)
{
	struct client_op *o = mem_new(sizeof(*o));

	o->of = r;
	o->id = id;
	o->name = req->name;
	o->verb = req->verb;
	o->heir = req->heir;
	o->request = regs_random64(r);
	o->deadline = now + client_times.end;
	timer_init(&o->timer, fire);
	return o;
}

static void op_begin(struct client_op *o, usec_t now)
{
	cancel_older(o->of, &o->name);
	op_add(&o->of->client, o);
	attempt(o, now);
}

int client_submit(struct regs *r, const struct client_ask *ask, usec_t now)
{
	struct client_op *o;

	if (!client_has_room(&r->client, ask->req->verb))
		return -EBUSY;
	o = op_new(r, ask->id, ask->req, now);
	o->internal = ask->internal;
	o->signer = ask->signer->pub;
	o->number = client_number(r);
	if (!sign(o, ask)) {
		free(o);
		return -EINVAL;
	}
	op_begin(o, now);
	return 0;
}

int client_submit_signed(struct regs *r, uint64_t id, const uint8_t *bytes, size_t len, usec_t now)
{
	struct client_op *o;
	struct reg_op op;

	if (!reg_op_read(&op, bytes, len))
		return -EINVAL;
	if (!client_has_room(&r->client, op.verb))
		return -EBUSY;
	o = op_new(r, id, &op, now);
	o->foreign = true;
	o->signer = op.signer;
	o->number = op.number;
	o->bytes = mem_copy(bytes, len);
	o->len = len;
	op_begin(o, now);
	return 0;
}

int client_sign(struct regs *r, struct reg_op *op, uint8_t out[REG_OP_MAX])
{
	size_t len;

	op->number = client_number(r);
	if (op->number >= r->client.safe)
		return -EAGAIN;
	cancel_older(r, &op->name);
	memcpy(op->nsid, r->nsid, NSID_LEN);
	len = reg_op_write(out, REG_OP_MAX, op, r->cfg.crypto, &r->cfg.self, NULL);
	return len ? (int)len : -EINVAL;
}

void client_init(struct regs *r) { r->client = (struct client){ 0 }; }

void client_fini(struct regs *r)
{
	while (r->client.count)
		forget(r->client.op[0]);
	free(r->client.marks);
}
