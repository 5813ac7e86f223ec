/* liar_kit.h - lying keepers for tests: what they hear and keep, what they propose, how they twist
 * their words, and every grant that comes of it. */
#ifndef TESTS_UNIT_LIAR_KIT_H
#define TESTS_UNIT_LIAR_KIT_H

#include "dht/judge.h"
#include "tests/unit/keeper_ops.h"

#define GRANTS_MAX 512

struct book { /* every grant that anybody could show */
	uint8_t bytes[GRANTS_MAX][1200];
	size_t len[GRANTS_MAX];
	size_t count;
};

/* A round of a lying proposer: it does not wait for promises, nor look at them. */
struct round {
	struct regmsg accept;
	uint8_t value[REG_VALUE_MAX], why[REG_OP_MAX];
	uint8_t sigs[KEEPERS_MAX][SIG_LEN];
	uint8_t signers;
};

#define ROUNDS_MAX 16

struct liar {
	struct round round[ROUNDS_MAX];
	size_t rounds;
	uint64_t request;
};

static struct liar liars[KEEPERS_MAX]; /* of the keeper with that index */
static struct book book;

static inline size_t index_of(struct kit *t, const struct pubkey *key)
{
	return (size_t)config_member(&t->config, key);
}

static inline void book_add(const uint8_t *grant, size_t len)
{
	CHECK(len <= sizeof(book.bytes[0]) && book.count < GRANTS_MAX);
	memcpy(book.bytes[book.count], grant, len);
	book.len[book.count++] = len;
}

/* Signatures of others, for whatever it may be good. */
static inline void liar_hears(struct kit_keeper *kk, const struct pubkey *from, const struct regmsg *m)
{
	struct liar *l = &liars[index_of(kk->kit, &kk->key.pub)];
	size_t i = index_of(kk->kit, from);

	if (m->type != REGMSG_ACCEPTED || m->status != REG_OK)
		return;
	for (size_t r = 0; r < l->rounds; r++)
		if (l->round[r].accept.request == m->request) {
			memcpy(l->round[r].sigs[i], m->sig, SIG_LEN);
			l->round[r].signers |= (uint8_t)(1u << i);
		}
}

static inline struct round *liar_round(struct kit *t, size_t liar, const struct reg_name *name,
				uint64_t counter)
{
	struct liar *l = &liars[liar];
	struct round *r = &l->round[l->rounds++ % ROUNDS_MAX];

	l->rounds = l->rounds > ROUNDS_MAX ? ROUNDS_MAX : l->rounds;
	memset(r, 0, sizeof(*r));
	r->accept = (struct regmsg){ .type = REGMSG_ACCEPT, .request = 1000000 + ++l->request,
				     .name = *name, .beacon = KIT_WALL };
	r->accept.ballot = (struct ballot){ t->config.era, t->config.epoch, counter,
					    (uint8_t)liar };
	nsid_of(r->accept.nsid, &t->root.pub);
	return r;
}

static inline void round_value(struct round *r, const struct reg_value *v)
{
	struct wr w = wr_of(r->value, sizeof(r->value));

	wr_reg_value(&w, v);
	r->accept.bytes = r->value;
	r->accept.len = wr_len(&w);
}

static inline struct reg_value value_read(const struct round *r)
{
	struct rd in = rd_of(r->accept.bytes, r->accept.len);
	struct reg_value v;

	CHECK(rd_reg_value(&in, &v));
	return v;
}

static inline void round_say(struct kit *t, size_t liar, struct round *r, uint8_t to)
{
	struct regmsg prepare = r->accept;

	prepare.type = REGMSG_PREPARE;
	for (size_t i = 0; i < t->count; i++)
		if (i != liar && (to & 1u << i)) {
			kit_say(&t->keepers[liar], &t->keepers[i].key.pub, &prepare);
			kit_say(&t->keepers[liar], &t->keepers[i].key.pub, &r->accept);
		}
}

/* What it has been signed, with its own and its accomplices' signatures, as a grant. */
static inline void round_grant(struct kit *t, struct round *r)
{
	uint8_t grant[GRANT_MAX];
	struct reg_value v = value_read(r);
	struct wr w = wr_of(grant, sizeof(grant));
	uint8_t nsid[NSID_LEN];
	struct grant g;
	size_t len;

	nsid_of(nsid, &t->root.pub);
	g = grant_of(nsid, &r->accept.name, &v);
	g.ballot = r->accept.ballot;
	g.beacon = r->accept.beacon;
	wr_grant_body(&w, &g);
	for (size_t i = 0; i < t->count; i++)
		if (t->keepers[i].lie) {
			crypto_real.sign(r->sigs[i], &t->keepers[i].epoch_key, GRANT_LABEL, grant,
					 wr_len(&w));
			r->signers |= (uint8_t)(1u << i);
		}
	if ((size_t)__builtin_popcount(r->signers) < t->config.quorum)
		return;
	len = grant_write(grant, sizeof(grant), &g, r->signers,
			  (const uint8_t(*)[SIG_LEN])r->sigs);
	if (grant_verify(&g, grant, len, &t->config, &crypto_real))
		book_add(grant, len);
}

/* --- twisted words --- */

static inline bool lie_at_random(struct kit_keeper *kk, const struct pubkey *to, struct regmsg *m)
{
	uint32_t dice = kit_draw(kk->kit) % 12;

	(void)to;
	if (dice == 0)
		return false;
	if (m->type == REGMSG_PROMISE && dice < 8) {
		m->age = dice & 1 ? 0 : UINT64_MAX;
		m->accepted.counter += dice == 2 ? 1000 : 0;
		m->len = dice == 3 ? 0 : m->len;
		m->status = dice == 4 ? REG_BUSY : m->status;
		m->ballot.counter = dice == 4 ? UINT64_MAX : m->ballot.counter;
		m->beacon = dice == 5 ? UINT64_MAX : m->beacon;
	} else if (m->type == REGMSG_ACCEPTED && dice < 6) {
		m->sig[dice] ^= 1;
		m->status = dice == 5 ? REG_REFUSED : m->status;
	} else if (m->type == REGMSG_ACCEPT && dice < 9) {
		m->age = dice & 1 ? UINT64_MAX : 0;
		m->beacon += dice == 2 ? 1000000 : 0;
	} else if (m->type == REGMSG_PREPARE && dice < 4) {
		m->ballot.counter += dice == 1 ? JUDGE_COUNTER_STEP : 1000;
	}
	return true;
}

static inline struct kit *world(size_t keepers, uint8_t quorum, size_t lying, uint32_t seed)
{
	struct kit *t = kit_new_set(keepers, quorum);

	memset(liars, 0, sizeof(liars));
	memset(&book, 0, sizeof(book));
	t->rng = seed;
	for (size_t i = 0; i < lying; i++) {
		t->keepers[keepers - 1 - i].lie = lie_at_random;
		t->keepers[keepers - 1 - i].hear = liar_hears;
	}
	return t;
}

struct claim {
	struct reg_op op;
	uint8_t bytes[REG_OP_MAX];
	size_t len;
};

static inline void claim_make(struct kit *t, struct claim *c, const struct reg_name *name,
		       const struct key_pair *who)
{
	c->op = (struct reg_op){ .verb = OP_CLAIM, .name = *name };
	c->len = kit_op(t, c->bytes, &c->op, who, NULL);
	CHECK(c->len && reg_op_read(&c->op, c->bytes, c->len));
}

static inline struct reg_value value_of(const struct claim *c, uint64_t generation)
{
	return (struct reg_value){ .state = REG_HELD, .generation = generation,
				   .owner = c->op.signer, .number = c->op.number, .lease = 86400,
				   .proof = c->bytes, .proof_len = c->len };
}

static inline void round_claim(struct round *r, const struct claim *c, uint64_t generation)
{
	struct reg_value v = value_of(c, generation);

	round_value(r, &v);
	memcpy(r->why, c->bytes, c->len);
	r->accept.why = r->why;
	r->accept.why_len = c->len;
}

/* Nobody gives back or transfers, and nothing ends in these tests: one owner each. */
static inline size_t owners_of(struct kit *t, const struct reg_name *name)
{
	struct pubkey owner[8];
	size_t count = 0;

	for (size_t i = 0; i < book.count; i++) {
		struct grant g;
		size_t j = 0;

		CHECK(grant_verify(&g, book.bytes[i], book.len[i], &t->config, &crypto_real));
		if (!reg_name_equal(&g.name, name) || g.state != REG_HELD)
			continue;
		while (j < count && !key_equal(&owner[j], &g.owner))
			j++;
		if (j == count && count < ARRAY_LEN(owner))
			owner[count++] = g.owner;
	}
	return count;
}

static inline void answers_collect(struct kit *t)
{
	struct grant g;

	for (size_t i = 0; i < t->answer_count && i < KIT_ANSWERS; i++)
		if (t->answers[i].len &&
		    grant_verify(&g, t->answers[i].grant, t->answers[i].len, &t->config,
				 &crypto_real) &&
		    g.name.kind == REG_ADDRESS)
			book_add(t->answers[i].grant, t->answers[i].len);
}

static inline void rounds_collect(struct kit *t)
{
	for (size_t i = 0; i < t->count; i++)
		for (size_t r = 0; r < liars[i].rounds; r++)
			round_grant(t, &liars[i].round[r]);
}

static inline void members_add(struct kit *t, const struct key_pair *who, size_t count)
{
	for (size_t i = 0; i < count; i++)
		CHECK_EQ_INT(kit_member_add(t, &who[i], 0), REG_OK);
}

#endif
