/* succession_kit.h - keepers that change, in the world of regs_world.h: who is to be keeper, claims
 * that run all the time, and what must never be seen. */
#ifndef TESTS_UNIT_SUCCESSION_KIT_H
#define TESTS_UNIT_SUCCESSION_KIT_H

#include "dht/regs_impl.h"
#include "tests/unit/regs_people.h"

#define SK_NAMES 12
#define SK_OP (UINT64_C(1) << 40) /* operations of the claims that run all the time */

struct sk_name { /* what the clients have been told */
	size_t holder; /* node, NODES_MAX = nobody */
	uint64_t generation;
	usec_t told;
};

struct sk {
	struct rw_world *w;
	struct sk_name name[SK_NAMES];
	bool claims; /* run all the time */
	size_t first; /* of the clients; the last is w->count - 1 */
	struct sk_client {
		size_t name;
		bool releases, runs;
		uint64_t op;
		usec_t since;
	} client[NODES_MAX];
	uint64_t last_op;
	usec_t last_ok, longest; /* pause between two answers that were ok */
	size_t ok, violations;
};

static inline struct reg_name sk_address(size_t i)
{
	struct ip ip = ip_v4(0x0a070000 + 100 + (uint32_t)i);

	return reg_name_address(&ip);
}

/* Whoever knows a public key could sign with it: for runs that are many, not for forgers. */
static inline void sk_sign(uint8_t sig[SIG_LEN], const struct key_pair *k, const char *label,
			   const void *msg, size_t len)
{
	struct hash h;

	hash_begin(&h, label, SIG_LEN);
	hash_add(&h, k->pub.b, KEY_LEN);
	hash_add(&h, msg, len);
	hash_end(&h, sig);
}

static inline bool sk_verify(const uint8_t sig[SIG_LEN], const struct pubkey *k, const char *label,
			     const void *msg, size_t len)
{
	struct key_pair pair = { .pub = *k };
	uint8_t right[SIG_LEN];

	sk_sign(right, &pair, label, msg, len);
	return memcmp(sig, right, SIG_LEN) == 0;
}

static inline bool sk_key_valid(const struct pubkey *k) { return !key_is_zero(k); }

static const struct crypto sk_crypto = { .sign = sk_sign, .verify = sk_verify,
					 .key_valid = sk_key_valid };

/* Routers may ask often: 512 times a minute. */
static inline void sk_router(struct rw_world *w, size_t i)
{
	struct reg_name name = reg_name_key(REG_MEMBER, w->node[i].key.pub.b, KEY_LEN);
	struct reg_op req = { .name = name, .verb = OP_MEMBER_SET };
	struct member_payload m = { .rights = RIGHT_ROUTER | RIGHT_KEEPER };
	uint8_t payload[REG_PAYLOAD_MAX];
	struct wr out = wr_of(payload, sizeof(payload));

	wr_member_payload(&out, &m);
	req.payload = payload;
	req.payload_len = wr_len(&out);
	CHECK_EQ_INT(rw_do(&w->node[0], &req, &w->root, NULL), REG_OK);
}

/* `nodes` members, each attached to all others; the first is the only keeper. */
static inline struct sk *sk_new(uint64_t seed, size_t nodes)
{
	struct sk *s = mem_new(sizeof(*s));
	char host[8];

	s->w = rw_new(seed);
	s->w->crypto = &sk_crypto;
	rw_stop(&s->w->node[0], false);
	rw_start(&s->w->node[0]);
	CHECK(rw_create(s->w));
	CHECK_EQ_INT(rw_token(s->w, 1, (uint16_t)nodes, 3600), REG_OK);
	for (size_t i = 1; i < nodes; i++) {
		snprintf(host, sizeof(host), "n%zu", i);
		rw_join(s->w, 1, host);
		sk_router(s->w, i);
	}
	for (size_t i = 1; i < nodes; i++)
		for (size_t j = 1; j < i; j++)
			rw_attach(&s->w->node[i], &s->w->node[j]);
	for (size_t i = 0; i < SK_NAMES; i++)
		s->name[i].holder = NODES_MAX;
	return s;
}

static inline void sk_free(struct sk *s)
{
	rw_free(s->w);
	free(s);
}

/* --- claims --- */

static inline void sk_ask(struct sk *s, size_t i)
{
	struct sk_client *c = &s->client[i];
	struct reg_op req = { .name = sk_address(c->name), .lease = 7200 };
	struct rw_node *n = &s->w->node[i];

	req.verb = c->releases ? OP_RELEASE : OP_CLAIM;
	if (c->releases && s->name[c->name].holder == i)
		s->name[c->name].holder = NODES_MAX; /* a releaser stops before it asks */
	c->op = SK_OP + ++s->last_op;
	c->since = s->w->now;
	c->runs = regs_submit(n->regs, c->op, &req, NULL, s->w->now) == 0;
}

/* Nobody else may hold it, nor may a generation come twice or go back. */
static inline void sk_told(struct sk *s, size_t i, const struct rw_event *e)
{
	struct sk_client *c = &s->client[i];
	struct sk_name *n = &s->name[c->name];
	struct grant g;

	if (e->e.status == REG_OK && e->e.len && grant_read(&g, e->grant, e->e.len)) {
		/* Of a release another may hear before its signer does. */
		if (!c->releases && (g.generation < n->generation ||
				     (n->holder != NODES_MAX && n->holder != i)))
			s->violations++;
		if (g.generation > n->generation)
			n->generation = g.generation;
		n->told = s->w->now;
		n->holder = c->releases ? n->holder : i;
	}
	if (e->e.status == REG_OK) {
		s->ok++;
		if (s->last_ok && s->w->now - s->last_ok > s->longest)
			s->longest = s->w->now - s->last_ok;
		s->last_ok = s->w->now;
	}
}

static inline void sk_client_run(struct sk *s, size_t i)
{
	struct sk_client *c = &s->client[i];
	struct rw_node *n = &s->w->node[i];
	const struct rw_event *e;

	if (!n->regs || n->dead)
		return;
	e = c->runs ? rw_find(n, REGS_RESULT, c->op) : NULL;
	if (c->runs && !e && s->w->now < c->since + SEC(6))
		return;
	if (e)
		sk_told(s, i, e);
	n->event_count = 0;
	if (!s->claims) {
		c->runs = false;
		return;
	}
	/* What was claimed with success is released next, else another is tried. */
	c->releases = e && e->e.status == REG_OK && !c->releases;
	if (!c->releases)
		c->name = rw_dice(s->w) % SK_NAMES;
	sk_ask(s, i);
}

static inline void sk_run(struct sk *s, usec_t t)
{
	usec_t end = s->w->now + t;

	while (s->w->now < end) {
		rw_run(s->w, MSEC(10));
		for (size_t i = s->first; s->first && i < s->w->count; i++)
			sk_client_run(s, i);
	}
}

/* --- keepers --- */

/* `nodes`: a digit each. */
static inline struct keeper_set sk_set(struct sk *s, const char *nodes)
{
	struct keeper_set set = { .count = (uint8_t)strlen(nodes) };

	for (size_t i = 0; i < set.count; i++)
		set.node[i] = s->w->node[nodes[i] - '0'].key.pub;
	return set;
}

static inline int sk_change(struct sk *s, size_t at, const char *nodes)
{
	struct keeper_set set = sk_set(s, nodes);

	return regs_change_keepers(s->w->node[at].regs, &set, s->w->now);
}

static inline uint32_t sk_epoch(const struct sk *s, size_t at)
{
	const struct config *cf = s->w->node[at].regs ? regs_keepers(s->w->node[at].regs) : NULL;

	return cf ? cf->epoch : 0;
}

/* All of `nodes`, and nobody else, serve as keepers of `epoch`. */
static inline bool sk_is(struct sk *s, uint32_t epoch, const char *nodes)
{
	for (size_t i = 0; i < s->w->count; i++) {
		struct rw_node *n = &s->w->node[i];
		bool named = strchr(nodes, (int)('0' + i)) != NULL;

		if (!n->regs || n->dead || n->cut) {
			if (named)
				return false;
			continue;
		}
		if (regs_is_keeper(n->regs) != named || (named && sk_epoch(s, i) != epoch))
			return false;
	}
	return true;
}

/* Runs until that is so; the time it took, or USEC_NEVER. */
static inline usec_t sk_wait(struct sk *s, uint32_t epoch, const char *nodes, usec_t most)
{
	usec_t since = s->w->now;

	while (s->w->now < since + most) {
		if (sk_is(s, epoch, nodes))
			return s->w->now - since;
		sk_run(s, MSEC(20));
	}
	return USEC_NEVER;
}

#endif
