/* client.c - own operations: each is signed once under its number and asked of keepers until one
 * answers with something that verifies, or OP_MAX is over.
 *
 * Retries carry the same bytes (R6, R8), so a keeper that has done it answers the same again. One
 * operation per register (R7): a newer one ends the older with REG_BUSY, and answers are matched
 * by a random request id, so a late one finds nothing. Numbers come from a block whose end is
 * durable before the first of it leaves: after a crash numbers are skipped, never used twice; at a
 * start they begin above the wall clock as well, so that a state directory from a backup does not
 * repeat them either. An answer without a grant that proves it counts as no answer. */
#include "dht/regs_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

#define OPS_FIRST 4 /* places made at first */
#define OP_MAX MSEC(4700) /* the answer, also "no quorum", is there within 5 s */
#define RETRY_FIRST MSEC(300)
#define RETRY_DOUBLINGS 4
#define BUSY_FIRST MSEC(50)
#define BUSY_DOUBLINGS 5
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

/* --- which keeper --- */

const struct pubkey *client_keeper(const struct regs *r, unsigned try)
{
	const struct config *cf = r->facts.config;
	size_t order[KEEPERS_MAX], count = 0;

	if (!r->facts.config)
		return r->trusted_count ? &r->trusted[try % r->trusted_count] : NULL;
	if (regs_judges(r))
		return &r->cfg.self.pub;
	for (int attached = 1; attached >= 0; attached--)
		for (size_t i = 0; i < cf->count; i++) {
			size_t k = (r->client.prefer + i) % cf->count;

			if (!key_equal(&cf->members[k].node, &r->cfg.self.pub) &&
			    (serve_peer(r, &cf->members[k].node) != NULL) == attached)
				order[count++] = k;
		}
	return count ? &cf->members[order[try % count]].node : NULL;
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
		c->op = NULL;
		c->places = 0;
	}
	free(o->bytes);
	free(o);
}

static void op_add(struct client *c, struct client_op *o)
{
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
				.holder = a->holder, .detail = a->detail, .grant = a->grant,
				.len = a->len };
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
	uint8_t msg[REGMSG_MAX];
	size_t n;

	memcpy(m.nsid, r->nsid, NSID_LEN);
	n = regmsg_write(msg, sizeof(msg), &m);
	assert(n);
	regs_send(r, keeper, msg, n);
}

/* May end the operation: `o` is not to be touched afterwards. */
static void attempt(struct client_op *o, usec_t now)
{
	struct regs *r = o->of;
	const struct pubkey *keeper;
	unsigned doublings = o->tries < RETRY_DOUBLINGS ? o->tries : RETRY_DOUBLINGS;
	int rc;

	if (o->number >= r->client.safe) { /* woken by client_numbers_safe */
		arm(o, USEC_NEVER);
		return;
	}
	keeper = client_keeper(r, o->tries++);
	arm(o, now + (RETRY_FIRST << doublings));
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

	if (now >= o->deadline)
		end(o, o->busy ? REG_BUSY : REG_NO_QUORUM);
	else
		attempt(o, now);
}

void client_numbers_safe(struct regs *r, usec_t now)
{
	struct client *c = &r->client;

	c->safe = c->writing;
	for (size_t i = 0; i < c->count; i++)
		if (c->op[i]->next == USEC_NEVER && c->op[i]->number < c->safe)
			arm(c->op[i], now);
}

/* --- answers --- */

/* What an OK must prove: that the register now says what was asked for. */
static bool proves(const struct client_op *o, const struct grant *g)
{
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
	default:
		return true;
	}
}

static bool needs_proof(const struct client_op *o)
{
	return o->verb == OP_CLAIM || o->verb == OP_RENEW || o->verb == OP_TRANSFER;
}

static bool believable(const struct client_op *o, const struct keeper_answer *a)
{
	struct grant g;

	if (a->len && (!facts_verify(o->of, &g, &o->name, a->grant, a->len) ||
		       !regs_believe(o->of, &g, a->grant, a->len)))
		return false;
	if (a->status == REG_OK)
		return a->len ? proves(o, &g) : !needs_proof(o);
	return a->status != REG_OWNED || !key_equal(&a->holder, &o->signer);
}

static void busy(struct client_op *o, usec_t now)
{
	unsigned doublings = o->busy < BUSY_DOUBLINGS ? o->busy : BUSY_DOUBLINGS;

	o->busy++;
	arm(o, now + BUSY_FIRST / 2 + regs_jitter(o->of, BUSY_FIRST << doublings));
}

static void answered(struct client_op *o, const struct keeper_answer *a, usec_t now)
{
	switch (a->status) {
	case REG_BUSY:
		busy(o, now);
		break;
	case REG_NO_QUORUM:
	case REG_OTHER_EPOCH:
		o->busy = 0;
		arm(o, usec_min(o->next, now + RETRY_FIRST));
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

void client_result(struct regs *r, const struct pubkey *from, const struct regmsg *m, usec_t now)
{
	struct keeper_answer a = { .status = m->status, .holder = m->holder, .grant = m->bytes,
				   .len = m->len };
	struct client_op *o = find(&r->client, m->request);
	bool newer = m->config_len && facts_take_config(r, from, m->config, m->config_len);
	int at;

	if (newer)
		r->updated = true;
	at = r->facts.config ? config_member(r->facts.config, from) : -1;
	if (!o || at < 0) {
		drop_add(&r->drops, DROP_UNKNOWN);
		return;
	}
	if (newer && m->status == REG_OTHER_EPOCH) {
		attempt(o, now);
		return;
	}
	if (!believable(o, &a)) {
		drop_add(&r->drops, DROP_SIGNATURE);
		return; /* the next try may reach an honest one */
	}
	r->client.prefer = (size_t)at;
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

int client_submit(struct regs *r, const struct client_ask *ask, usec_t now)
{
	struct client *c = &r->client;
	struct client_op *o;

	if (c->count == REGS_OPS_MAX)
		return -EBUSY;
	o = mem_new(sizeof(*o));
	o->of = r;
	o->id = ask->id;
	o->internal = ask->internal;
	o->name = ask->req->name;
	o->verb = ask->req->verb;
	o->heir = ask->req->heir;
	o->signer = ask->signer->pub;
	o->number = client_number(r);
	o->request = regs_random64(r);
	o->deadline = now + OP_MAX;
	timer_init(&o->timer, fire);
	if (!sign(o, ask)) {
		free(o);
		return -EINVAL;
	}
	cancel_older(r, &o->name);
	op_add(c, o);
	attempt(o, now);
	return 0;
}

void client_init(struct regs *r) { r->client = (struct client){ 0 }; }

void client_fini(struct regs *r)
{
	while (r->client.count)
		forget(r->client.op[0]);
}
