/* acceptor.c - the acceptor of CASPaxos, register by register (rules R3, R9, R11, R12).
 *
 * A message changes the register in memory, the whole register is handed to env.persist, and the
 * answer is made when that write is durable. Any number of writes may be under way. Memory runs
 * ahead of the disk, so an answer is made only if the register still is what the message made it;
 * otherwise a later ballot has won and the answer is a refusal, which needs no durability. A write
 * that fails is never answered: a keeper that cannot write falls silent.
 *
 * An equal ballot is promised again only to the same request: a proposer that lost its memory in a
 * crash draws new request numbers, and so cannot use one ballot for two values. The only keeper of a
 * set promises without a write: a promise that a crash undoes was made to itself, and what it had
 * accepted by then is either durable, and so is its ballot, or was never answered.
 *
 * The seal: one register of every epoch is the keepers' own, in it the configuration of the next
 * epoch is chosen. Who accepts a value there votes for nothing else in that epoch any more, at once
 * in memory, and over a restart because the seal follows from the stored cell. A configuration is
 * chosen when a quorum has accepted it, so when a quorum has sealed: whatever was chosen in the epoch
 * had been accepted by one of any quorum of sealed keepers, and nothing more will be.
 *
 * Every change has a position, counted here; it is stored with the cell, so none that was ever shown
 * comes twice in one incarnation. Records: acceptor_store.c. Copies: acceptor_copy.c. Promises that
 * are forgotten: acceptor_floor.c. */
#include "dht/acceptor.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "dht/acceptor_impl.h"
#include "dht/regs.h"

#define USEC_A_SECOND 1000000
#define SUCCESSORS_MAX 16 /* a full table keeps no set from being followed */

void acceptor_init(struct acceptor *a, const struct acceptor_env *env, uint64_t op_base)
{
	uint8_t seed[16];

	memset(a, 0, sizeof(*a));
	a->env = *env;
	a->next_op = op_base;
	list_init(&a->order);
	promises_init(&a->promises);
	env->random(env->ctx, seed, sizeof(seed));
	map_init(&a->cells, offsetof(struct cell, name), sizeof(struct reg_name),
		 REGS_REGISTERS_MAX + SUCCESSORS_MAX, seed);
	map_init(&a->writes, offsetof(struct write, op), sizeof(uint64_t), ACCEPTOR_WRITES_MAX,
		 seed);
}

void acceptor_fini(struct acceptor *a)
{
	struct write *w;
	struct cell *c;
	size_t at = 0;

	while ((c = map_next(&a->cells, &at))) {
		map_take_at(&a->cells, &at);
		free(c->value);
		free(c->grant);
		free(c);
	}
	for (at = 0; (w = map_next(&a->writes, &at));) {
		map_take_at(&a->writes, &at);
		free(w);
	}
	free(a->late);
	free(a->marks);
	map_fini(&a->cells);
	map_fini(&a->writes);
	sodium_memzero(&a->epoch_key, sizeof(a->epoch_key));
}

struct cell *acceptor_cell(const struct acceptor *a, const struct reg_name *name)
{
	return map_get(&a->cells, name);
}

bool cell_value(const struct cell *c, struct reg_value *v)
{
	struct rd r;

	if (!c || !c->value)
		return false;
	r = rd_of(c->value, c->value_len);
	if (!rd_reg_value(&r, v))
		assert(!"only well-formed values are kept");
	return true;
}

struct reg_name acceptor_successor(uint32_t era, uint32_t epoch)
{
	uint8_t b[8];
	struct wr w = wr_of(b, sizeof(b));

	wr_u32(&w, era);
	wr_u32(&w, epoch);
	return reg_name_key(REG_SUCCESSOR, b, sizeof(b));
}

struct cell *cell_make(struct acceptor *a, const struct reg_name *name)
{
	struct cell *c = map_get(&a->cells, name);

	if (c)
		return c;
	if (a->cells.count >= REGS_REGISTERS_MAX && name->kind != REG_SUCCESSOR)
		return NULL;
	c = mem_new(sizeof(*c));
	c->name = *name;
	c->promised = promise_of(a, NULL);
	if (map_put(&a->cells, c) < 0) {
		free(c);
		return NULL;
	}
	list_add_tail(a->order.next, &c->in_order); /* the first: nothing of it was stored yet */
	return c;
}

bool cell_value_fits(const struct reg_name *name, const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);
	struct reg_value v;

	return rd_reg_value(&r, &v) && rd_done(&r) &&
	       v.payload_len <= reg_payload_max(name->kind);
}

void cell_set(struct acceptor *a, struct cell *c, const uint8_t *value, size_t len)
{
	struct reg_value old, new;
	uint8_t *before = c->value;
	bool had = cell_value(c, &old);

	c->value = mem_copy(value, len);
	c->value_len = len;
	cell_value(c, &new);
	a->env.valued(a->env.ctx, c, had ? &old : NULL, &new);
	free(before);
}

static struct write *write_new(struct cell *c, const struct pubkey *from, const struct regmsg *m,
			       uint8_t type)
{
	struct write *w = mem_new(sizeof(*w));

	*w = (struct write){ .cell = c, .to = *from, .request = m->request, .ballot = m->ballot,
			     .type = type };
	return w;
}

static void reply_begin(const struct acceptor *a, struct acceptor_reply *reply,
			const struct pubkey *to, uint64_t request, uint8_t type)
{
	memset(reply, 0, sizeof(*reply));
	reply->to = *to;
	reply->msg.type = type;
	reply->msg.request = request;
	memcpy(reply->msg.nsid, a->nsid, NSID_LEN);
}

/* Refusals carry the ballot that stands in the way: the proposer jumps past it. */
static bool refuse(enum reg_status status, const struct ballot *promised,
		   struct acceptor_reply *reply)
{
	reply->msg.status = (uint8_t)status;
	reply->msg.ballot = *promised;
	return true;
}

static bool refuse_all(const struct acceptor *a, enum reg_status status,
		       struct acceptor_reply *reply)
{
	return refuse(status, &(struct ballot){ .era = a->era, .epoch = a->epoch }, reply);
}

static bool is_of_our_epoch(const struct acceptor *a, const struct regmsg *m)
{
	const struct ballot *b = &m->ballot;
	struct reg_name successor = acceptor_successor(a->era, a->epoch);

	return b->era == a->era && b->epoch == a->epoch && a->epoch && b->proposer < KEEPERS_MAX &&
	       b->counter > 0 &&
	       (m->name.kind != REG_SUCCESSOR || reg_name_equal(&m->name, &successor));
}

/* Of an epoch that is not served here yet: silence, the proposer asks again. */
static bool is_early(const struct acceptor *a, const struct ballot *b)
{
	return b->era != a->era ? b->era > a->era : b->epoch > a->epoch;
}

static bool is_closed(const struct acceptor *a, const struct reg_name *name)
{
	return a->sealed && name->kind != REG_SUCCESSOR && !MUTANT(NO_SEAL);
}

static bool promise_fill(const struct cell *c, const struct ballot *ballot,
			 struct acceptor_reply *reply, usec_t now)
{
	reply->msg.ballot = c->promised;
	if (ballot_compare(&c->promised, ballot) != 0 || ballot_compare(&c->accepted, ballot) >= 0) {
		reply->msg.status = REG_BUSY;
		return true;
	}
	reply->msg.accepted = c->accepted;
	reply->msg.beacon = c->beacon;
	reply->msg.age = c->value ? (now - c->since) / USEC_A_SECOND : 0;
	reply->msg.bytes = c->value;
	reply->msg.len = c->value_len;
	return true;
}

bool acceptor_prepare(struct acceptor *a, const struct pubkey *from, const struct regmsg *m,
		      struct acceptor_reply *reply, usec_t now)
{
	struct cell *c = acceptor_cell(a, &m->name);
	struct ballot promised = promise_of(a, c);
	int order = ballot_compare(&m->ballot, &promised);

	reply_begin(a, reply, from, m->request, REGMSG_PROMISE);
	if (is_early(a, &m->ballot))
		return false;
	if (!is_of_our_epoch(a, m) || is_closed(a, &m->name))
		return refuse_all(a, REG_OTHER_EPOCH, reply);
	if (order < 0 || (order == 0 && (!c || c->request != m->request)))
		return refuse(REG_BUSY, &promised, reply);
	if (a->writes.count >= ACCEPTOR_WRITES_MAX || (!c && promises_are_full(a)))
		return false;
	c = cell_make(a, &m->name);
	if (!c)
		return refuse_all(a, REG_FULL, reply);
	c->promised = m->ballot;
	c->request = m->request;
	if (a->alone) {
		promises_note(a, c);
		promise_fill(c, &m->ballot, reply, now);
		floor_keep(a);
		return true;
	}
	cell_persist(a, write_new(c, from, m, REGMSG_PROMISE));
	return false;
}

/* A successor is judged before it is accepted: nobody can undo a seal. */
static bool may_be_accepted(const struct acceptor *a, const struct regmsg *m)
{
	struct rd r = rd_of(m->bytes, m->len);
	struct reg_value v;

	if (!cell_value_fits(&m->name, m->bytes, m->len))
		return false;
	if (m->name.kind != REG_SUCCESSOR)
		return true;
	return rd_reg_value(&r, &v) && v.proof_len == 0 &&
	       a->env.follows(a->env.ctx, v.payload, v.payload_len);
}

/* What we have, under a new ballot: our own count of its age goes on, whatever is said. */
static bool is_copy(const struct cell *c, const struct regmsg *m)
{
	return c->value && c->beacon == m->beacon && c->value_len == m->len &&
	       memcmp(c->value, m->bytes, m->len) == 0;
}

bool acceptor_accept(struct acceptor *a, const struct pubkey *from, const struct regmsg *m,
		     struct acceptor_reply *reply, usec_t now)
{
	struct cell *c = acceptor_cell(a, &m->name);
	struct ballot promised = promise_of(a, c);
	usec_t age = m->age < now / USEC_A_SECOND ? m->age * USEC_A_SECOND : now;

	reply_begin(a, reply, from, m->request, REGMSG_ACCEPTED);
	if (is_early(a, &m->ballot))
		return false;
	if (!is_of_our_epoch(a, m) || is_closed(a, &m->name))
		return refuse_all(a, REG_OTHER_EPOCH, reply);
	if (ballot_compare(&m->ballot, &promised) < 0 && !MUTANT(IGNORE_PROMISE))
		return refuse(REG_BUSY, &promised, reply);
	if (!may_be_accepted(a, m) || a->writes.count >= ACCEPTOR_WRITES_MAX)
		return false;
	c = cell_make(a, &m->name);
	if (!c)
		return refuse_all(a, REG_FULL, reply);
	if (ballot_compare(&m->ballot, &c->accepted) != 0) { /* else a repetition: same value */
		c->promised = c->accepted = m->ballot;
		c->request = m->request;
		if (!is_copy(c, m))
			c->since = now - age;
		c->beacon = m->beacon;
		cell_set(a, c, m->bytes, m->len);
		a->sealed |= m->name.kind == REG_SUCCESSOR;
	}
	cell_persist(a, write_new(c, from, m, REGMSG_ACCEPTED));
	return false;
}

static void successor_sign(const struct acceptor *a, const struct cell *c, uint8_t sig[SIG_LEN])
{
	struct config_choice choice = { .ballot = c->accepted };
	struct reg_value v;

	cell_value(c, &v);
	choice.body = v.payload;
	choice.len = v.payload_len;
	config_sign(sig, &choice, &a->epoch_key, a->crypto);
}

static void grant_sign(const struct acceptor *a, const struct cell *c, uint8_t sig[SIG_LEN])
{
	uint8_t body[GRANT_MAX];
	struct wr w = wr_of(body, sizeof(body));
	struct reg_value v;
	struct grant g;

	cell_value(c, &v);
	g = grant_of(a->nsid, &c->name, &v);
	g.ballot = c->accepted;
	g.beacon = c->beacon;
	wr_grant_body(&w, &g);
	assert(wr_ok(&w));
	a->crypto->sign(sig, &a->epoch_key, GRANT_LABEL, body, wr_len(&w));
}

static bool accepted_fill(const struct acceptor *a, const struct write *w,
			  struct acceptor_reply *reply)
{
	const struct cell *c = w->cell;

	if (ballot_compare(&c->accepted, &w->ballot) != 0)
		return refuse(REG_BUSY, &c->promised, reply);
	reply->msg.ballot = c->accepted;
	if (c->name.kind == REG_SUCCESSOR)
		successor_sign(a, c, reply->msg.sig);
	else
		grant_sign(a, c, reply->msg.sig);
	return true;
}

static void write_done(struct acceptor *a, const struct write *w)
{
	struct cell *c = w->cell;
	struct reg_name successor = acceptor_successor(a->era, a->epoch);

	c->stored = w->position > c->stored ? w->position : c->stored;
	a->durable = w->position > a->durable ? w->position : a->durable;
	if (w->type == REGMSG_ACCEPTED && reg_name_equal(&c->name, &successor))
		a->sealed_durably = true;
}

static void write_failed(struct acceptor *a, const struct write *w)
{
	if (w->cell->failed || w->cell->position != w->position)
		return;
	w->cell->failed = true;
	a->failed++;
}

/* An epoch that is over is signed for no more: its key is about to go. */
bool acceptor_persisted(struct acceptor *a, uint64_t op, int result, struct acceptor_reply *reply,
			usec_t now)
{
	struct write *w = floor_persisted(a, op, result) ? NULL : map_take(&a->writes, &op);
	bool answer = w && (result >= 0 || MUTANT(LOST_WRITE)) && w->type && w->ballot.era == a->era &&
		      w->ballot.epoch == a->epoch;

	if (!w)
		return false;
	w->cell->writing--;
	if (result >= 0)
		write_done(a, w);
	else
		write_failed(a, w);
	if (answer) {
		reply_begin(a, reply, &w->to, w->request, w->type);
		if (w->type == REGMSG_PROMISE)
			promise_fill(w->cell, &w->ballot, reply, now);
		else
			accepted_fill(a, w, reply);
	}
	free(w);
	floor_keep(a);
	return answer;
}
