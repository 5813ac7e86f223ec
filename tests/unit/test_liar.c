/* test_liar.c - keepers that lie, to an honest rest.
 *
 * Each liar has a keeper of its own, whose words are twisted on their way out, and proposes by
 * itself whatever it likes under any ballot, with operations that accomplices have signed; what
 * others sign for it, it keeps. In a hardened set no two owners may ever hold grants that a receiver
 * would believe, whatever it does; where a majority decides, the receivers' evidence must show it. */
#include "dht/keeper.h"

#include "dht/witness.h"
#include "tests/unit/liar_kit.h"

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

/* It hears an operation before the others, and shows what comes of it, of another time. */
static struct claim heard;
static uint64_t heard_beacon;

static bool lie_of_the_time(struct kit_keeper *kk, const struct pubkey *to, struct regmsg *m)
{
	static uint8_t buf[REG_VALUE_MAX];
	struct wr w = wr_of(buf, sizeof(buf));
	struct reg_value v = value_of(&heard, 1);

	(void)kk, (void)to;
	if (m->type != REGMSG_PROMISE)
		return true;
	wr_reg_value(&w, &v);
	m->accepted = m->ballot;
	m->accepted.counter--;
	m->bytes = buf;
	m->len = wr_len(&w);
	m->beacon = heard_beacon;
	return true;
}

static void test_liar_dates_no_grant(void)
{
	for (uint32_t seed = 1; seed <= 12; seed++) {
		struct kit *t = world(5, 4, 0, seed);
		struct key_pair who = kit_key(1);
		struct reg_name name = kit_address("10.1.0.9");
		const struct kit_answer *a;
		struct grant g;
		uint64_t request;

		members_add(t, &who, 1);
		claim_make(t, &heard, &name, &who);
		heard_beacon = seed & 1 ? UINT64_MAX : 0;
		t->keepers[4].lie = lie_of_the_time;
		request = kit_ask_bytes(t, 0, &who.pub, heard.bytes, heard.len);
		kit_run(t, SEC(8));
		a = kit_answer_of(t, request);
		CHECK_EQ_INT(kit_status(a), REG_OK);
		CHECK(a && grant_read(&g, a->grant, a->len) && g.beacon >= KIT_WALL &&
		      g.beacon < KIT_WALL + 60);
		kit_free(t);
	}
}

/* The renewal comes to the liar first, and its signer hears nothing. */
static void test_liar_shortens_no_lease(void)
{
	struct kit *t = world(5, 4, 1, 3);
	struct key_pair who[2] = { kit_key(1), kit_key(2) };
	struct reg_name name = kit_address("10.1.0.9");
	struct claim renewal = { .op = { .verb = OP_RENEW, .name = name } };
	struct reg_value v;
	struct round *r;

	t->keepers[4].lie = NULL;
	members_add(t, who, 2);
	CHECK_EQ_INT(KIT_DO(t, &who[0], .verb = OP_CLAIM, .name = name), REG_OK);
	t->keepers[4].lie = lie_at_random;
	renewal.len = kit_op(t, renewal.bytes, &renewal.op, &who[0], NULL);
	CHECK(reg_op_read(&renewal.op, renewal.bytes, renewal.len));
	r = liar_round(t, 4, &name, 1000);
	round_claim(r, &renewal, 1);
	v = value_of(&renewal, 1);
	v.lease = 60;
	round_value(r, &v);
	round_say(t, 4, r, 15);
	kit_run(t, SEC(2));
	t->keepers[4].is_cut_off = true;
	t->now += SEC(200);
	CHECK_EQ_INT(KIT_DO(t, &who[1], .verb = OP_CLAIM, .name = name), REG_OWNED);
	kit_free(t);
}

static void claim_hour(struct kit *t, struct claim *c, const struct reg_name *name,
		       const struct key_pair *who)
{
	c->op = (struct reg_op){ .verb = OP_CLAIM, .name = *name, .lease = 3600 };
	c->len = kit_op(t, c->bytes, &c->op, who, NULL);
	CHECK(c->len && reg_op_read(&c->op, c->bytes, c->len));
}

static void round_hour(struct round *r, const struct claim *c)
{
	struct reg_value v = value_of(c, 1);

	round_claim(r, c, 1);
	v.lease = 3600;
	round_value(r, &v);
}

/* What is held, proposed again by the liar with the latest beacon that passes, and then the claim of
 * another as soon as the lease is over by the keepers' reckoning. */
static void test_liar_prolongs_no_lease_by_its_date(void)
{
	static const uint64_t ahead[] = { 10, 59, 120, 599 };

	for (size_t i = 0; i < ARRAY_LEN(ahead); i++) {
		struct kit *t = world(5, 4, 1, 3);
		struct key_pair who[2] = { kit_key(1), kit_key(2) };
		struct reg_name name = kit_address("10.1.0.9");
		uint64_t wall;
		struct claim first;
		struct round *r;
		struct grant g;

		t->keepers[4].lie = NULL;
		members_add(t, who, 2);
		t->keepers[4].lie = lie_at_random;
		claim_hour(t, &first, &name, &who[0]);
		r = liar_round(t, 4, &name, 10);
		round_hour(r, &first);
		r->accept.beacon = wall_seconds(&t->wall, t->now);
		round_say(t, 4, r, 15);
		kit_run(t, SEC(2));
		r = liar_round(t, 4, &name, 20);
		round_hour(r, &first);
		r->accept.beacon = wall_seconds(&t->wall, t->now) + ahead[i];
		round_say(t, 4, r, 15);
		kit_run(t, SEC(2));
		rounds_collect(t);
		t->now += SEC(3600 * 201 / 199 + 65);
		t->keepers[4].is_cut_off = true;
		wall = wall_seconds(&t->wall, t->now);
		CHECK_EQ_INT(KIT_DO(t, &who[1], .verb = OP_CLAIM, .name = name), REG_OK);
		for (size_t b = 0; b < book.count; b++) {
			CHECK(grant_read(&g, book.bytes[b], book.len[b]));
			CHECK(g.beacon + g.lease <= wall);
		}
		kit_free(t);
	}
}

static const struct test tests[] = {
	TEST(test_liar_in_a_majority_set_is_shown_by_two_grants),
	TEST(test_liar_in_a_hardened_set_gets_nothing_signed_twice),
	TEST(test_liar_cannot_make_a_lease_older_than_it_is),
	TEST(test_liar_cannot_date_a_grant_into_the_future),
	TEST(test_liar_cannot_use_up_the_counters),
	TEST(test_liars_in_hardened_sets_never_make_two_owners),
	TEST(test_liar_dates_no_grant),
	TEST(test_liar_shortens_no_lease),
	TEST(test_liar_prolongs_no_lease_by_its_date),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
