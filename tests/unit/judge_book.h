/* judge_book.h - an acceptor of a hardened set that knows so many registers by itself, and what is
 * offered to it. For test_judge_value.c and test_judge_governed.c. */
#ifndef TESTS_UNIT_JUDGE_BOOK_H
#define TESTS_UNIT_JUDGE_BOOK_H

#include <stdlib.h>

#include "dht/judge.h"
#include "dht/token.h"
#include "tests/check.h"

#define WALL 1800000000
#define REGISTERS 8

struct book { /* what this acceptor knows */
	struct {
		struct reg_name name;
		struct reg_value v;
		uint8_t payload[600];
	} of[REGISTERS];
	size_t count;
	struct key_pair root, a, b;
	uint64_t number;
	uint32_t era;
	enum judge_word shown; /* what is thought of a shown grant */
	enum reg_status status; /* of every operation */
};

static inline bool book_value(void *ctx, const struct reg_name *name, struct reg_value *v)
{
	struct book *k = ctx;

	for (size_t i = 0; i < k->count; i++)
		if (reg_name_equal(&k->of[i].name, name)) {
			*v = k->of[i].v;
			return true;
		}
	return false;
}

static inline bool book_member(void *ctx, size_t *at, struct pubkey *key, struct member_payload *m)
{
	struct book *k = ctx;

	while (*at < k->count) {
		size_t i = (*at)++;

		if (k->of[i].name.kind != REG_MEMBER)
			continue;
		memcpy(key->b, k->of[i].name.b, KEY_LEN);
		return member_payload_read(m, k->of[i].v.payload, k->of[i].v.payload_len);
	}
	return false;
}

static inline enum reg_status book_allowed(void *ctx, const struct change *c)
{
	struct book *k = ctx;

	(void)c;
	return k->status;
}

static inline enum reg_status book_room(void *ctx, const struct pubkey *owner, const struct reg_name *name)
{
	(void)ctx, (void)owner, (void)name;
	return REG_OK;
}

static inline void book_prune(void *ctx, struct revocation_payload *list) { (void)ctx, (void)list; }

static inline void book_world(void *ctx, struct change_world *w)
{
	struct book *k = ctx;

	*w = (struct change_world){ .ctx = k, .room = book_room, .prune = book_prune,
				    .root = k->root.pub, .wall = WALL, .lease_max = 86400,
				    .era = k->era };
}

static inline enum judge_word book_shown(void *ctx, struct grant *g, const uint8_t *b, size_t len)
{
	return (void)g, (void)b, (void)len, ((struct book *)ctx)->shown;
}

static inline struct key_pair key_of(uint8_t n)
{
	uint8_t seed[SEED_LEN] = { 7, n };
	struct key_pair k;

	while (!key_from_seed(&k, seed))
		seed[31]++;
	return k;
}

static inline struct book *book_new(void)
{
	struct book *k = calloc(1, sizeof(*k));

	k->root = key_of(1);
	k->a = key_of(2);
	k->b = key_of(3);
	k->status = REG_OK;
	k->shown = JUDGE_TAKE;
	return k;
}

static inline struct judge_env env_of(struct book *k)
{
	struct judge_env e = { .ctx = k, .crypto = &crypto_real, .allowed = book_allowed,
			       .world = book_world, .value = book_value, .member = book_member,
			       .shown = book_shown };

	nsid_of(e.nsid, &k->root.pub);
	return e;
}

struct signed_op {
	struct reg_op op;
	uint8_t bytes[REG_OP_MAX];
	size_t len;
};

static inline void sign(struct book *k, struct signed_op *s, struct reg_op op, const struct key_pair *signer,
		 const struct key_pair *second)
{
	nsid_of(op.nsid, &k->root.pub);
	op.number = op.number ? op.number : ++k->number;
	s->len = reg_op_write(s->bytes, sizeof(s->bytes), &op, &crypto_real, signer, second);
	CHECK(s->len > 0 && reg_op_read(&s->op, s->bytes, s->len));
}

/* What an honest proposer that knows `old` makes of it. */
static inline void make(struct book *k, struct change_result *r, const struct change *c,
		 const struct reg_value *old, uint64_t age)
{
	struct change_world w;

	book_world(k, &w);
	change_apply(r, c, &w, old, age);
	CHECK_EQ_INT(r->status, REG_OK);
}

static inline struct change change_of(const struct signed_op *s)
{
	return (struct change){ .verb = s->op.verb, .name = s->op.name, .op = &s->op,
				.proof = s->bytes, .proof_len = s->len };
}

static inline enum judge_word offer(struct book *k, const struct reg_name *name, const struct reg_value *old,
			     uint64_t age, const struct reg_value *new, const struct signed_op *why)
{
	struct judge_env env = env_of(k);
	struct reg_name need = { 0 };
	struct judge_offer o = { .name = name, .old = old, .age = age, .new = new, .beacon = WALL,
				 .why = why ? why->bytes : NULL, .why_len = why ? why->len : 0 };

	return judge_value(&env, &o, &need);
}

static inline void keep(struct book *k, const struct reg_name *name, const struct reg_value *v)
{
	size_t i = 0;

	while (i < k->count && !reg_name_equal(&k->of[i].name, name))
		i++;
	if (i == k->count)
		k->count++;
	k->of[i].name = *name;
	k->of[i].v = *v;
	CHECK(v->payload_len <= sizeof(k->of[i].payload));
	memmove(k->of[i].payload, v->payload, v->payload_len);
	k->of[i].v.payload = k->of[i].payload;
	k->of[i].v.proof_len = 0;
}

/* As an admin signed it. */
static inline void prove(struct book *k, const struct reg_name *name, const struct signed_op *s)
{
	for (size_t i = 0; i < k->count; i++)
		if (reg_name_equal(&k->of[i].name, name)) {
			k->of[i].v.proof = s->bytes;
			k->of[i].v.proof_len = s->len;
		}
}

static inline struct reg_name member_name(const struct key_pair *k)
{
	return reg_name_key(REG_MEMBER, k->pub.b, KEY_LEN);
}

static inline struct reg_name token_name(const struct key_pair *token)
{
	uint8_t id[32];

	token_id(id, &token->pub);
	return reg_name_key(REG_TOKEN, id, sizeof(id));
}

static inline void keep_token(struct book *k, const struct key_pair *token, struct token_payload *p)
{
	uint8_t payload[600];
	struct reg_name name = token_name(token);
	struct wr w = wr_of(payload, sizeof(payload));
	struct reg_value v = { .state = REG_GOVERNED, .generation = 1, .owner = k->root.pub,
			       .payload = payload };

	p->uses = p->uses ? p->uses : 2;
	p->expires = WALL + 3600;
	wr_token_payload(&w, p);
	v.payload_len = wr_len(&w);
	keep(k, &name, &v);
}

#endif
