/* lease_store.c - a lease on disk, and what its register tells others.
 *
 * Key: 'l', the name. Value: version 1, role 1, flags 1 (1 = being given back, 2 = being transferred
 * away, 4 = a transfer to us that may have been submitted, 8 = any address), generation 8, end of
 * validity 8 (BOOTTIME microseconds), grant block; with flag 2 also over 1 (2 = refused by the heir), heir 32, number 8,
 * deadline 8 (wall seconds), block(512) operation. A record without a grant is a claim that may
 * have reached a keeper. The record is durable before a request leaves, with the validity that
 * the request leaves at worst, so a crash between the two never makes a lease longer. */
#include "dht/lease_impl.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define RECORD_VERSION 1
#define FLAG_RELEASING 1
#define FLAG_AWAY 2
#define FLAG_TAKEN 4
#define FLAG_ANY 8
#define FLAGS_ALL 15
#define TRANSFER_REFUSED 2 /* `over`: the heir said that it did not get it */
#define RECORD_MAX (128 + GRANT_MAX + TRANSFER_OP_MAX)
#define KEY_MAX (1 + 3 + REG_NAME_MAX)

static size_t record_key(uint8_t key[KEY_MAX], const struct reg_name *name)
{
	struct wr w = wr_of(key, KEY_MAX);

	wr_u8(&w, LEASE_KEY);
	wr_reg_name(&w, name);
	assert(wr_ok(&w));
	return wr_len(&w);
}

static uint8_t flags_of(const struct lease *e)
{
	return (uint8_t)((e->releasing ? FLAG_RELEASING : 0) |
			 (lease_is_outgoing(e) ? FLAG_AWAY : 0) | (e->taken ? FLAG_TAKEN : 0) |
			 (e->any ? FLAG_ANY : 0));
}

static void wr_transfer(struct wr *w, const struct transfer *t)
{
	wr_u8(w, t->refused ? TRANSFER_REFUSED : t->over);
	wr_copy(w, t->peer.b, KEY_LEN);
	wr_u64(w, t->number);
	wr_u64(w, t->deadline);
	wr_block(w, t->op, t->len);
}

/* NULL: it does not read. */
static struct transfer *rd_transfer(struct rd *r)
{
	uint8_t over = rd_u8(r);
	struct transfer head = { .over = over, .refused = over == TRANSFER_REFUSED }, *t;
	struct rd op;

	rd_copy(r, head.peer.b, KEY_LEN);
	head.number = rd_u64(r);
	head.deadline = rd_u64(r);
	op = rd_block(r, TRANSFER_OP_MAX);
	if (!rd_ok(r))
		return NULL;
	head.len = rd_left(&op);
	t = mem_new(sizeof(*t) + head.len);
	*t = head;
	memcpy(t->op, op.p, head.len);
	return t;
}

uint64_t lease_store(struct lease *e)
{
	struct leases *l = e->of;
	uint8_t key[KEY_MAX], value[RECORD_MAX];
	struct wr w = wr_of(value, sizeof(value));
	uint64_t op = LEASE_OP | ++l->last_op;

	wr_u8(&w, RECORD_VERSION);
	wr_u8(&w, (uint8_t)e->role);
	wr_u8(&w, flags_of(e));
	wr_u64(&w, e->generation);
	wr_u64(&w, e->end);
	wr_block(&w, e->grant, e->grant_len);
	if (lease_is_outgoing(e))
		wr_transfer(&w, e->transfer);
	assert(wr_ok(&w));
	l->env.persist(l->env.ctx, op, key, record_key(key, &e->name), value, wr_len(&w));
	return op;
}

void lease_erase(struct lease *e)
{
	struct leases *l = e->of;
	uint8_t key[KEY_MAX];

	l->env.persist(l->env.ctx, LEASE_OP | ++l->last_op, key, record_key(key, &e->name), NULL,
		       0);
}

static bool key_read(const uint8_t *key, size_t len, struct reg_name *name)
{
	struct rd r = rd_of(key, len);

	if (rd_u8(&r) != LEASE_KEY)
		return false;
	*name = rd_reg_name(&r);
	return rd_done(&r) && (name->kind == REG_ADDRESS || name->kind == REG_HOST_NAME);
}

static bool grant_is_ours(const struct lease *e, const uint8_t *b, size_t len, struct grant *g)
{
	return grant_read(g, b, len) && reg_name_equal(&g->name, &e->name) &&
	       key_equal(&g->owner, &e->of->cfg.self) && g->state == REG_HELD &&
	       memcmp(g->nsid, e->of->cfg.nsid, NSID_LEN) == 0;
}

static void take_grant(struct lease *e, const struct grant *g, const uint8_t *b, size_t len)
{
	e->grant = mem_copy(b, len);
	e->grant_len = len;
	if (g->payload_len > sizeof(e->payload))
		return;
	e->payload_len = g->payload_len;
	if (g->payload_len)
		memcpy(e->payload, g->payload, g->payload_len);
}

/* What a record says, as if it were in the table; its grant and transfer are the caller's. */
static bool record_read(struct lease *e, struct rd *r, struct rd *grant)
{
	uint8_t version = rd_u8(r), role = rd_u8(r), flags = rd_u8(r);

	e->generation = rd_u64(r);
	e->end = rd_u64(r);
	*grant = rd_block(r, GRANT_MAX);
	if (!rd_ok(r) || version != RECORD_VERSION || role >= ROLE_COUNT || flags > FLAGS_ALL)
		return false;
	e->role = (enum lease_role)role;
	e->releasing = flags & FLAG_RELEASING;
	e->taken = flags & FLAG_TAKEN;
	e->any = flags & FLAG_ANY;
	if (flags & FLAG_AWAY)
		e->transfer = rd_transfer(r);
	return rd_done(r) && !(flags & FLAG_AWAY) == !e->transfer;
}

bool lease_load(struct leases *l, const uint8_t *key, size_t key_len, const uint8_t *value,
		size_t len)
{
	struct rd r = rd_of(value, len), block;
	struct lease probe = { .of = l }, *e = NULL;
	struct grant g;

	if (record_read(&probe, &r, &block) && key_read(key, key_len, &probe.name) &&
	    !lease_find(l, &probe.name) &&
	    (!rd_left(&block) || grant_is_ours(&probe, block.p, rd_left(&block), &g)))
		e = lease_add(l, &probe.name, probe.role);
	if (!e) {
		lease_transfer_drop(&probe);
		return false;
	}
	e->generation = probe.generation;
	e->end = probe.end;
	e->releasing = probe.releasing;
	e->taken = probe.taken;
	e->any = probe.any;
	e->transfer = probe.transfer;
	e->asked = true;
	if (rd_left(&block))
		take_grant(e, &g, block.p, rd_left(&block));
	return true;
}

static const struct lease *held(const struct leases *l, enum lease_role role)
{
	const struct lease *e = lease_current(l, role);

	return e && lease_holding(e) ? e : NULL;
}

static void name_text(const struct reg_name *n, char out[LEASE_HOST_MAX + 1])
{
	size_t len = n->len <= LEASE_HOST_MAX ? n->len : 0;

	memcpy(out, n->b, len);
	out[len] = 0;
}

/* What the register should say now: an address names its host, a name its addresses. */
bool lease_payload(const struct lease *e, uint8_t out[REG_PAYLOAD_OWNED_MAX], size_t *len)
{
	bool address = e->name.kind == REG_ADDRESS;
	const struct lease *other = held(e->of, address ? ROLE_NAME : ROLE_ADDRESS);
	struct wr w = wr_of(out, REG_PAYLOAD_OWNED_MAX);
	struct owned_payload p = { 0 };

	if (address && other)
		name_text(&other->name, p.host);
	if (!address && other) {
		p.v4.len = 4;
		memcpy(p.v4.b, other->name.b, 4);
	}
	if (!address)
		p.v6 = e->of->v6;
	wr_owned_payload(&w, &p);
	*len = wr_ok(&w) ? wr_len(&w) : 0;
	return wr_ok(&w);
}
