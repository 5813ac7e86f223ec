/* acceptor.c - the acceptor of CASPaxos, register by register (rules R3, R9, R12).
 *
 * A message changes the register in memory, the whole register is handed to env.persist, and the
 * answer is made when that write is durable. Any number of writes may be under way. Memory runs
 * ahead of the disk, so an answer is made only if the register still is what the message made it;
 * otherwise a later ballot has won and the answer is a refusal, which needs no durability. A write
 * that fails is never answered: a keeper that cannot write falls silent.
 *
 * An equal ballot is promised again only to the same request: a proposer that lost its memory in a
 * crash draws new request numbers, and so cannot use one ballot for two values.
 *
 * Durable: key 'r', kind, name bytes; value: version 1, promised 17, accepted 17, beacon 8,
 * block(4800) value. */
#include "dht/acceptor.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dht/regs.h"

#define RECORD_VERSION 1
#define RECORD_MAX (1 + 17 + 17 + 8 + 2 + REG_VALUE_MAX)
#define USEC_A_SECOND 1000000

struct write {
	uint64_t op;
	struct cell *cell;
	struct pubkey to;
	uint64_t request;
	struct ballot ballot;
	uint8_t type; /* of the answer: REGMSG_PROMISE or REGMSG_ACCEPTED */
};

void acceptor_init(struct acceptor *a, const struct acceptor_env *env, uint64_t op_base)
{
	uint8_t seed[16];

	memset(a, 0, sizeof(*a));
	a->env = *env;
	a->next_op = op_base;
	env->random(env->ctx, seed, sizeof(seed));
	map_init(&a->cells, offsetof(struct cell, name), sizeof(struct reg_name),
		 REGS_REGISTERS_MAX, seed);
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

static struct cell *cell_make(struct acceptor *a, const struct reg_name *name)
{
	struct cell *c = map_get(&a->cells, name);

	if (c)
		return c;
	c = mem_new(sizeof(*c));
	c->name = *name;
	if (map_put(&a->cells, c) < 0) {
		free(c);
		return NULL;
	}
	return c;
}

static bool value_well_formed(const struct reg_name *name, const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);
	struct reg_value v;

	return rd_reg_value(&r, &v) && rd_done(&r) &&
	       v.payload_len <= reg_payload_max(name->kind);
}

static void cell_set(struct acceptor *a, struct cell *c, const uint8_t *value, size_t len)
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

static size_t record_write(uint8_t out[RECORD_MAX], const struct cell *c)
{
	struct wr w = wr_of(out, RECORD_MAX);

	wr_u8(&w, RECORD_VERSION);
	wr_ballot(&w, &c->promised);
	wr_ballot(&w, &c->accepted);
	wr_u64(&w, c->beacon);
	wr_block(&w, c->value, c->value_len);
	assert(wr_ok(&w));
	return wr_len(&w);
}

/* Every answer that needs this write waits in `writes` under its number. */
static void cell_persist(struct acceptor *a, struct write *wait)
{
	const struct cell *c = wait->cell;
	uint8_t key[2 + REG_NAME_MAX] = { 'r', c->name.kind }, record[RECORD_MAX];
	int err;

	memcpy(key + 2, c->name.b, c->name.len);
	wait->op = a->next_op++;
	err = map_put(&a->writes, wait);
	assert(!err);
	(void)err;
	a->env.persist(a->env.ctx, wait->op, key, (size_t)2 + c->name.len, record,
		       record_write(record, c));
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
static bool refuse(const struct acceptor *a, const struct cell *c, enum reg_status status,
		   struct acceptor_reply *reply)
{
	reply->msg.status = (uint8_t)status;
	if (c)
		reply->msg.ballot = c->promised;
	else
		reply->msg.ballot = (struct ballot){ .era = a->era, .epoch = a->epoch };
	return true;
}

static bool is_of_our_epoch(const struct acceptor *a, const struct ballot *b)
{
	return b->era == a->era && b->epoch == a->epoch && b->proposer < KEEPERS_MAX &&
	       b->counter > 0;
}

bool acceptor_prepare(struct acceptor *a, const struct pubkey *from, const struct regmsg *m,
		      struct acceptor_reply *reply, usec_t now)
{
	struct cell *c = acceptor_cell(a, &m->name);
	int order = c ? ballot_compare(&m->ballot, &c->promised) : 1;

	(void)now;
	reply_begin(a, reply, from, m->request, REGMSG_PROMISE);
	if (!is_of_our_epoch(a, &m->ballot))
		return refuse(a, NULL, REG_OTHER_EPOCH, reply);
	if (order < 0 || (order == 0 && c->request != m->request))
		return refuse(a, c, REG_BUSY, reply);
	if (a->writes.count >= ACCEPTOR_WRITES_MAX)
		return false;
	c = cell_make(a, &m->name);
	if (!c)
		return refuse(a, NULL, REG_FULL, reply);
	c->promised = m->ballot;
	c->request = m->request;
	cell_persist(a, write_new(c, from, m, REGMSG_PROMISE));
	return false;
}

bool acceptor_accept(struct acceptor *a, const struct pubkey *from, const struct regmsg *m,
		     struct acceptor_reply *reply, usec_t now)
{
	struct cell *c = acceptor_cell(a, &m->name);
	usec_t age = m->age < now / USEC_A_SECOND ? m->age * USEC_A_SECOND : now;

	reply_begin(a, reply, from, m->request, REGMSG_ACCEPTED);
	if (!is_of_our_epoch(a, &m->ballot))
		return refuse(a, NULL, REG_OTHER_EPOCH, reply);
	if (c && ballot_compare(&m->ballot, &c->promised) < 0)
		return refuse(a, c, REG_BUSY, reply);
	if (!value_well_formed(&m->name, m->bytes, m->len) || a->writes.count >= ACCEPTOR_WRITES_MAX)
		return false;
	c = cell_make(a, &m->name);
	if (!c)
		return refuse(a, NULL, REG_FULL, reply);
	if (ballot_compare(&m->ballot, &c->accepted) != 0) { /* else a repetition: same value */
		c->promised = c->accepted = m->ballot;
		c->request = m->request;
		c->beacon = m->beacon;
		c->since = now - age;
		cell_set(a, c, m->bytes, m->len);
	}
	cell_persist(a, write_new(c, from, m, REGMSG_ACCEPTED));
	return false;
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

static bool promise_fill(const struct acceptor *a, const struct write *w,
			 struct acceptor_reply *reply, usec_t now)
{
	const struct cell *c = w->cell;

	if (ballot_compare(&c->promised, &w->ballot) != 0 ||
	    ballot_compare(&c->accepted, &w->ballot) >= 0)
		return refuse(a, c, REG_BUSY, reply);
	reply->msg.ballot = c->promised;
	reply->msg.accepted = c->accepted;
	reply->msg.beacon = c->beacon;
	reply->msg.age = c->value ? (now - c->since) / USEC_A_SECOND : 0;
	reply->msg.bytes = c->value;
	reply->msg.len = c->value_len;
	return true;
}

static bool accepted_fill(const struct acceptor *a, const struct write *w,
			  struct acceptor_reply *reply)
{
	const struct cell *c = w->cell;

	if (ballot_compare(&c->accepted, &w->ballot) != 0)
		return refuse(a, c, REG_BUSY, reply);
	reply->msg.ballot = c->accepted;
	grant_sign(a, c, reply->msg.sig);
	return true;
}

bool acceptor_persisted(struct acceptor *a, uint64_t op, int result, struct acceptor_reply *reply,
			usec_t now)
{
	struct write *w = map_take(&a->writes, &op);
	bool answer = w && result >= 0;

	if (answer) {
		reply_begin(a, reply, &w->to, w->request, w->type);
		if (w->type == REGMSG_PROMISE)
			promise_fill(a, w, reply, now);
		else
			accepted_fill(a, w, reply);
	}
	free(w);
	return answer;
}

static bool rd_key(struct rd *r, struct reg_name *name)
{
	uint8_t buf[3 + REG_NAME_MAX];
	struct wr w = wr_of(buf, sizeof(buf));
	struct rd again;

	wr_u8(&w, rd_u8(r));
	wr_block(&w, r->p, rd_left(r));
	if (!wr_ok(&w) || !rd_ok(r))
		return false;
	again = rd_of(buf, wr_len(&w));
	*name = rd_reg_name(&again);
	return rd_done(&again);
}

bool acceptor_restore(struct acceptor *a, const uint8_t *key, size_t key_len, const uint8_t *value,
		      size_t len)
{
	struct rd k = rd_of(key, key_len), r = rd_of(value, len), in;
	bool version = rd_u8(&r) == RECORD_VERSION;
	struct ballot promised = rd_ballot(&r), accepted = rd_ballot(&r);
	uint64_t beacon = rd_u64(&r);
	struct reg_name name;
	struct cell *c;

	in = rd_block(&r, REG_VALUE_MAX);
	if (!rd_done(&r) || !version || !rd_key(&k, &name) ||
	    (rd_left(&in) && !value_well_formed(&name, in.p, rd_left(&in))))
		return false;
	c = cell_make(a, &name);
	if (!c)
		return false;
	c->promised = promised;
	c->accepted = accepted;
	c->beacon = beacon;
	if (rd_left(&in))
		cell_set(a, c, in.p, rd_left(&in));
	return true;
}

void acceptor_started(struct acceptor *a, usec_t now)
{
	struct cell *c;
	size_t at = 0;

	while ((c = map_next(&a->cells, &at)))
		c->since = now;
}
