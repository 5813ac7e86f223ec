/* test_liar.c - keepers that lie, to an honest rest.
 *
 * Each liar has a keeper of its own, whose words are twisted on their way out, and proposes by
 * itself whatever it likes under any ballot, with operations that accomplices have signed; what
 * others sign for it, it keeps. In a hardened set no two owners may ever hold grants that a receiver
 * would believe, whatever it does; where a majority decides, the receivers' evidence must show it. */
#include "dht/keeper.h"

#include "dht/judge.h"
#include "dht/witness.h"
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

static size_t index_of(struct kit *t, const struct pubkey *key)
{
	return (size_t)config_member(&t->config, key);
}

static void book_add(const uint8_t *grant, size_t len)
{
	CHECK(len <= sizeof(book.bytes[0]) && book.count < GRANTS_MAX);
	memcpy(book.bytes[book.count], grant, len);
	book.len[book.count++] = len;
}

/* Signatures of others, for whatever it may be good. */
static void liar_hears(struct kit_keeper *kk, const struct pubkey *from, const struct regmsg *m)
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

static struct round *liar_round(struct kit *t, size_t liar, const struct reg_name *name,
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

static void round_value(struct round *r, const struct reg_value *v)
{
	struct wr w = wr_of(r->value, sizeof(r->value));

	wr_reg_value(&w, v);
	r->accept.bytes = r->value;
	r->accept.len = wr_len(&w);
}

static struct reg_value value_read(const struct round *r)
{
	struct rd in = rd_of(r->accept.bytes, r->accept.len);
	struct reg_value v;

	CHECK(rd_reg_value(&in, &v));
	return v;
}

static void round_say(struct kit *t, size_t liar, struct round *r, uint8_t to)
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
static void round_grant(struct kit *t, struct round *r)
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

static bool lie_at_random(struct kit_keeper *kk, const struct pubkey *to, struct regmsg *m)
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

static struct kit *world(size_t keepers, uint8_t quorum, size_t lying, uint32_t seed)
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

static void claim_make(struct kit *t, struct claim *c, const struct reg_name *name,
		       const struct key_pair *who)
{
	c->op = (struct reg_op){ .verb = OP_CLAIM, .name = *name };
	c->len = kit_op(t, c->bytes, &c->op, who, NULL);
	CHECK(c->len && reg_op_read(&c->op, c->bytes, c->len));
}

static struct reg_value value_of(const struct claim *c, uint64_t generation)
{
	return (struct reg_value){ .state = REG_HELD, .generation = generation,
				   .owner = c->op.signer, .number = c->op.number, .lease = 86400,
				   .proof = c->bytes, .proof_len = c->len };
}

static void round_claim(struct round *r, const struct claim *c, uint64_t generation)
{
	struct reg_value v = value_of(c, generation);

	round_value(r, &v);
	memcpy(r->why, c->bytes, c->len);
	r->accept.why = r->why;
	r->accept.why_len = c->len;
}

/* Nobody gives back or transfers, and nothing ends in these tests: one owner each. */
static size_t owners_of(struct kit *t, const struct reg_name *name)
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

static void answers_collect(struct kit *t)
{
	struct grant g;

	for (size_t i = 0; i < t->answer_count && i < KIT_ANSWERS; i++)
		if (t->answers[i].len &&
		    grant_verify(&g, t->answers[i].grant, t->answers[i].len, &t->config,
				 &crypto_real) &&
		    g.name.kind == REG_ADDRESS)
			book_add(t->answers[i].grant, t->answers[i].len);
}

static void rounds_collect(struct kit *t)
{
	for (size_t i = 0; i < t->count; i++)
		for (size_t r = 0; r < liars[i].rounds; r++)
			round_grant(t, &liars[i].round[r]);
}

static void members_add(struct kit *t, const struct key_pair *who, size_t count)
{
	for (size_t i = 0; i < count; i++)
		CHECK_EQ_INT(kit_member_add(t, &who[i], 0), REG_OK);
}

/* --- what must hold --- */

static void test_liar_in_a_majority_set_is_shown_by_two_grants(void)
{
	struct kit *t = world(3, 2, 1, 1);
	struct key_pair who[2] = { kit_key(1), kit_key(2) };
	struct reg_name name = kit_address("10.1.0.9");
	static const uint8_t seed[16];
	struct witness *w = witness_new(seed);
	const struct evidence *e;
	struct claim evil;
	struct round *r;
	size_t alarms = 0;

	t->keepers[2].lie = NULL;
	members_add(t, who, 2);
	t->keepers[2].lie = lie_at_random;
	CHECK_EQ_INT(KIT_DO(t, &who[0], .verb = OP_CLAIM, .name = name), REG_OK);
	claim_make(t, &evil, &name, &who[1]);
	r = liar_round(t, 2, &name, 1000);
	round_claim(r, &evil, 1);
	round_say(t, 2, r, 2);
	kit_run(t, SEC(5));
	answers_collect(t);
	rounds_collect(t);
	CHECK_EQ_INT(owners_of(t, &name), 2);
	for (size_t i = 0; i < book.count; i++) {
		struct grant g;
		struct witness_view v = { &g, book.bytes[i], book.len[i], &t->config };

		CHECK(grant_read(&g, book.bytes[i], book.len[i]));
		alarms += witness_judge(w, &v) == WITNESS_ALARM;
	}
	CHECK_EQ_INT(alarms, 1);
	e = witness_evidence(w, 0);
	CHECK(e && e->kind == EVIDENCE_OWNERS && reg_name_equal(&e->name, &name));
	witness_free(w);
	kit_free(t);
}

static void test_liar_in_a_hardened_set_gets_nothing_signed_twice(void)
{
	struct kit *t = world(5, 4, 1, 1);
	struct key_pair who[2] = { kit_key(1), kit_key(2) };
	struct reg_name name = kit_address("10.1.0.9");
	struct claim evil;

	t->keepers[4].lie = NULL;
	members_add(t, who, 2);
	t->keepers[4].lie = lie_at_random;
	CHECK_EQ_INT(KIT_DO(t, &who[0], .verb = OP_CLAIM, .name = name), REG_OK);
	claim_make(t, &evil, &name, &who[1]);
	for (uint64_t generation = 1; generation <= 3; generation++) {
		struct round *r = liar_round(t, 4, &name, 1000 * generation);

		round_claim(r, &evil, generation);
		r->accept.age = generation & 1 ? UINT64_MAX : 0;
		round_say(t, 4, r, 15);
		kit_run(t, SEC(5));
	}
	answers_collect(t);
	rounds_collect(t);
	CHECK_EQ_INT(owners_of(t, &name), 1);
	CHECK_EQ_INT(KIT_DO(t, &who[0], .verb = OP_RENEW, .name = name), REG_OK);
	kit_free(t);
}

/* The owner's value proposed again, as if it were old; then the claim of another. */
static void test_liar_cannot_make_a_lease_older_than_it_is(void)
{
	struct kit *t = world(5, 4, 1, 3);
	struct key_pair who[2] = { kit_key(1), kit_key(2) };
	struct reg_name name = kit_address("10.1.0.9");
	struct claim first, evil;
	struct round *r;

	t->keepers[4].lie = NULL;
	members_add(t, who, 2);
	t->keepers[4].lie = lie_at_random;
	claim_make(t, &first, &name, &who[0]);
	r = liar_round(t, 4, &name, 10);
	round_claim(r, &first, 1);
	r->accept.age = UINT64_MAX;
	round_say(t, 4, r, 15);
	kit_run(t, SEC(2));
	r = liar_round(t, 4, &name, 20);
	round_claim(r, &first, 1);
	r->accept.age = 10000000;
	round_say(t, 4, r, 15);
	kit_run(t, SEC(2));
	claim_make(t, &evil, &name, &who[1]);
	r = liar_round(t, 4, &name, 30);
	round_claim(r, &evil, 2);
	round_say(t, 4, r, 15);
	kit_run(t, SEC(2));
	rounds_collect(t);
	CHECK_EQ_INT(owners_of(t, &name), 1);
	kit_free(t);
}

static void test_liar_cannot_date_a_grant_into_the_future(void)
{
	static const size_t sets[][3] = { { 3, 2, 1 }, { 5, 4, 1 } };

	for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
		size_t liar = sets[s][0] - 1;
		struct kit *t = world(sets[s][0], (uint8_t)sets[s][1], 1, 3);
		struct key_pair who[1] = { kit_key(1) };
		struct reg_name name = kit_address("10.1.0.9");
		struct claim c;
		struct round *r;

		t->keepers[liar].lie = NULL;
		members_add(t, who, 1);
		t->keepers[liar].lie = lie_at_random;
		claim_make(t, &c, &name, &who[0]);
		r = liar_round(t, liar, &name, 10);
		round_claim(r, &c, 1);
		r->accept.beacon = KIT_WALL + 86400;
		round_say(t, liar, r, 15);
		kit_run(t, SEC(2));
		rounds_collect(t);
		CHECK_EQ_INT(owners_of(t, &name), 0);
		r = liar_round(t, liar, &name, 20);
		round_claim(r, &c, 1);
		round_say(t, liar, r, 15);
		kit_run(t, SEC(2));
		rounds_collect(t);
		CHECK_EQ_INT(owners_of(t, &name), 1);
		kit_free(t);
	}
}

static void test_liar_cannot_use_up_the_counters(void)
{
	struct kit *t = world(5, 4, 1, 3);
	struct key_pair who[1] = { kit_key(1) };
	struct reg_name name = kit_address("10.1.0.9");
	struct claim c;

	t->keepers[4].lie = NULL;
	members_add(t, who, 1);
	t->keepers[4].lie = lie_at_random;
	claim_make(t, &c, &name, &who[0]);
	for (int i = 0; i < 3; i++) {
		struct round *r = liar_round(t, 4, &name, UINT64_MAX - (uint64_t)i);

		round_claim(r, &c, 1);
		round_say(t, 4, r, 15);
	}
	kit_run(t, SEC(2));
	t->keepers[4].is_cut_off = true;
	CHECK_EQ_INT(KIT_DO(t, &who[0], .verb = OP_CLAIM, .name = name), REG_OK);
	kit_free(t);
}

/* Everything at once, many times: claims of honest clients at honest keepers, a bad net, and liars
 * that propose accomplices' claims to whomever they like under whatever ballot and date. */
static void chaos(size_t keepers, uint8_t quorum, size_t lying, uint32_t seed, size_t *granted)
{
	struct kit *t = world(keepers, quorum, lying, 1);
	struct key_pair who[4] = { kit_key(1), kit_key(2), kit_key(3), kit_key(4) };
	struct reg_name name = kit_address("10.1.0.9");
	struct claim c;

	for (size_t i = keepers - lying; i < keepers; i++)
		t->keepers[i].lie = NULL;
	members_add(t, who, ARRAY_LEN(who));
	for (size_t i = keepers - lying; i < keepers; i++)
		t->keepers[i].lie = lie_at_random;
	t->rng = seed;
	t->loss = kit_draw(t) % 20;
	for (int i = 0; i < 24; i++) {
		size_t at = kit_draw(t) % keepers, who_at = kit_draw(t) % ARRAY_LEN(who);

		claim_make(t, &c, &name, &who[who_at]);
		if (at < keepers - lying) {
			kit_ask_bytes(t, at, &who[who_at].pub, c.bytes, c.len);
		} else {
			struct round *r = liar_round(t, at, &name, 1 + kit_draw(t) % 60);

			round_claim(r, &c, 1 + kit_draw(t) % 3);
			r->accept.age = kit_draw(t) & 1 ? UINT64_MAX : 0;
			r->accept.beacon += kit_draw(t) % 3 ? 0 : kit_draw(t) % 100;
			if (kit_draw(t) % 4 == 0)
				r->accept.why_len = 0;
			round_say(t, at, r, (uint8_t)kit_draw(t));
		}
		kit_run(t, MSEC(kit_draw(t) % 400));
	}
	kit_run(t, SEC(6));
	answers_collect(t);
	rounds_collect(t);
	CHECK(owners_of(t, &name) <= 1);
	*granted += owners_of(t, &name);
	kit_free(t);
}

static void test_liars_in_hardened_sets_never_make_two_owners(void)
{
	size_t granted[2] = { 0 };

	for (uint32_t seed = 1; seed <= 40; seed++)
		chaos(5, 4, 1, seed, &granted[0]);
	for (uint32_t seed = 1; seed <= 15; seed++)
		chaos(7, 6, 2, seed, &granted[1]);
	printf("# granted in %zu of 40 and %zu of 15\n", granted[0], granted[1]);
	CHECK(granted[0] >= 20 && granted[1] >= 5);
}

/* --- noise --- */

static void garbage(struct kit *t, size_t liar, uint8_t *buf, size_t size)
{
	for (int i = 0; i < 400; i++) {
		size_t len = kit_draw(t) % (i % 8 ? 300 : size);
		struct regmsg m = { .type = (uint8_t)(1 + kit_draw(t) % 15), .request = 1 };
		struct wr w = wr_of(buf, size);

		for (size_t b = 0; b < len; b++)
			buf[b] = (uint8_t)kit_draw(t);
		wr_u8(&w, m.type);
		nsid_of(m.nsid, &t->root.pub);
		wr_copy(&w, m.nsid, NSID_LEN);
		len = len > 40 ? len : 40;
		kit_post(&t->keepers[liar], &t->keepers[0].key.pub, buf, len);
		kit_run(t, MSEC(1));
	}
	kit_run(t, SEC(1));
}

static void test_liar_that_talks_garbage_is_counted_and_changes_nothing(void)
{
	struct kit *t = world(3, 2, 1, 3);
	struct key_pair who[1] = { kit_key(1) };
	size_t size = (size_t)60 * 1024;
	uint8_t *buf = mem_new(size);
	uint64_t before;

	t->keepers[2].lie = NULL;
	members_add(t, who, 1);
	kit_run(t, SEC(1));
	before = keeper_drops(t->keepers[0].k)->count[DROP_MALFORMED];
	garbage(t, 2, buf, size);
	CHECK(keeper_drops(t->keepers[0].k)->count[DROP_MALFORMED] > before + 50);
	CHECK_EQ_INT(KIT_DO(t, &who[0], .verb = OP_CLAIM, .name = nth_address(5)), REG_OK);
	free(buf);
	kit_free(t);
}

/* As many questions as fit into a second, about registers that nobody has. */
static void flood(struct kit *t, size_t liar, size_t count)
{
	struct regmsg m = { .type = REGMSG_PREPARE };
	uint8_t msg[REGMSG_MAX];

	nsid_of(m.nsid, &t->root.pub);
	m.ballot = (struct ballot){ t->config.era, t->config.epoch, 7, (uint8_t)liar };
	for (size_t i = 0; i < count; i++) {
		m.request = i;
		m.name = nth_address((uint32_t)(20 + i));
		keeper_input(t->keepers[0].k, &t->keepers[liar].key.pub, msg,
			     regmsg_write(msg, sizeof(msg), &m), t->now);
		while (kit_write_one(&t->keepers[0]))
			;
	}
}

static void test_liar_that_floods_does_not_starve_the_others(void)
{
	struct kit *t = world(3, 2, 1, 3);
	struct key_pair who[1] = { kit_key(1) };
	uint64_t before;
	size_t cells = 0, at = 0;
	struct reg_name name;
	struct reg_value v;

	t->keepers[2].lie = NULL;
	members_add(t, who, 1);
	before = keeper_drops(t->keepers[0].k)->count[DROP_RATE];
	flood(t, 2, 3900);
	t->keepers[2].is_cut_off = true;
	CHECK_EQ_INT(KIT_DO(t, &who[0], .verb = OP_CLAIM, .name = nth_address(5)), REG_OK);
	for (int i = 0; i < 20; i++)
		flood(t, 2, 1000);
	CHECK(keeper_drops(t->keepers[0].k)->count[DROP_RATE] > before + 5000);
	CHECK(t->keepers[0].record_count < 4096);
	CHECK_EQ_INT(KIT_DO(t, &who[0], .verb = OP_CLAIM, .name = nth_address(6)), REG_OK);
	while (keeper_next(t->keepers[0].k, &at, &name, &v))
		cells += name.kind == REG_ADDRESS;
	CHECK_EQ_INT(cells, 2);
	kit_free(t);
}

/* One ballot, two values, to two acceptors: whoever asks both sees it. */
static void test_liar_that_says_different_things_is_seen_by_the_next_proposer(void)
{
	struct kit *t = world(3, 2, 1, 3);
	struct key_pair who[2] = { kit_key(1), kit_key(2) };
	struct reg_name name = kit_address("10.1.0.9");
	struct claim c[2];
	struct round *r;

	t->keepers[2].lie = NULL;
	members_add(t, who, 2);
	t->keepers[2].is_cut_off = false;
	for (size_t i = 0; i < 2; i++) {
		claim_make(t, &c[i], &name, &who[i]);
		r = liar_round(t, 2, &name, 10);
		round_claim(r, &c[i], 1);
		round_say(t, 2, r, (uint8_t)(1u << i));
		kit_run(t, SEC(1));
	}
	t->keepers[2].is_cut_off = true;
	KIT_DO(t, &who[0], .verb = OP_READ, .name = name);
	CHECK(t->keepers[0].caught[EVIDENCE_PROPOSAL] > 0);
	kit_free(t);
}

static const struct test tests[] = {
	TEST(test_liar_in_a_majority_set_is_shown_by_two_grants),
	TEST(test_liar_in_a_hardened_set_gets_nothing_signed_twice),
	TEST(test_liar_cannot_make_a_lease_older_than_it_is),
	TEST(test_liar_cannot_date_a_grant_into_the_future),
	TEST(test_liar_cannot_use_up_the_counters),
	TEST(test_liars_in_hardened_sets_never_make_two_owners),
	TEST(test_liar_that_talks_garbage_is_counted_and_changes_nothing),
	TEST(test_liar_that_floods_does_not_starve_the_others),
	TEST(test_liar_that_says_different_things_is_seen_by_the_next_proposer),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
