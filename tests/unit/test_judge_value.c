/* test_judge_value.c - what an acceptor of a hardened set takes, by what it knows itself. */
#include "tests/unit/judge_book.h"

static struct reg_name address(void)
{
	struct ip ip = ip_v4(0x0a010009);

	return reg_name_address(&ip);
}

static void test_judge_takes_a_claim_of_what_is_free_and_nothing_else_made_of_it(void)
{
	struct book *k = book_new();
	struct reg_name name = address();
	struct change_result r;
	struct signed_op s;
	struct change c;
	struct reg_value v;

	sign(k, &s, (struct reg_op){ .verb = OP_CLAIM, .name = name }, &k->a, NULL);
	c = change_of(&s);
	make(k, &r, &c, NULL, 0);
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &r.value, &s), JUDGE_TAKE);
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &r.value, NULL), JUDGE_REFUSE);
	v = r.value;
	v.generation += 1;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &s), JUDGE_REFUSE);
	v = r.value;
	v.owner = k->b.pub;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &s), JUDGE_REFUSE);
	v = r.value;
	v.lease += 1;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &s), JUDGE_REFUSE);
	v.lease = 3600;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &s), JUDGE_REFUSE);
	v = r.value;
	v.state = REG_RELEASED;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &s), JUDGE_REFUSE);
	s.bytes[s.len - 70] ^= 1;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &r.value, &s), JUDGE_REFUSE);
	free(k);
}

static void test_judge_gives_nobody_what_is_leased_by_its_own_clock(void)
{
	struct book *k = book_new();
	struct reg_name name = address();
	struct change_result held, r;
	struct signed_op s, t;
	struct change c, d;

	sign(k, &s, (struct reg_op){ .verb = OP_CLAIM, .name = name, .lease = 1990 }, &k->a, NULL);
	c = change_of(&s);
	make(k, &held, &c, NULL, 0);
	sign(k, &t, (struct reg_op){ .verb = OP_CLAIM, .name = name }, &k->b, NULL);
	d = change_of(&t);
	make(k, &r, &d, &held.value, 2070);
	CHECK_EQ_INT(offer(k, &name, &held.value, 2070, &r.value, &t), JUDGE_TAKE);
	CHECK_EQ_INT(offer(k, &name, &held.value, 2069, &r.value, &t), JUDGE_REFUSE);
	CHECK_EQ_INT(offer(k, &name, &held.value, 0, &r.value, &t), JUDGE_REFUSE);
	free(k);
}

static void test_judge_refuses_what_the_rules_refuse_and_fetches_whom_it_does_not_know(void)
{
	struct book *k = book_new();
	struct reg_name name = address(), need = { 0 };
	struct judge_env env = env_of(k);
	struct change_result r;
	struct signed_op s;
	struct change c;
	struct judge_offer o;

	sign(k, &s, (struct reg_op){ .verb = OP_CLAIM, .name = name }, &k->a, NULL);
	c = change_of(&s);
	make(k, &r, &c, NULL, 0);
	k->status = REG_REFUSED;
	o = (struct judge_offer){ .name = &name, .new = &r.value, .beacon = WALL, .why = s.bytes,
				  .why_len = s.len };
	CHECK_EQ_INT(judge_value(&env, &o, &need), JUDGE_FETCH);
	CHECK(need.kind == REG_MEMBER && memcmp(need.b, k->a.pub.b, KEY_LEN) == 0);
	k->of[0].name = need;
	k->of[0].v = (struct reg_value){ .state = REG_GOVERNED, .generation = 1 };
	k->count = 1;
	CHECK_EQ_INT(judge_value(&env, &o, &need), JUDGE_REFUSE);
	k->status = REG_OK;
	CHECK_EQ_INT(judge_value(&env, &o, &need), JUDGE_TAKE);
	o.beacon = WALL + JUDGE_CLOCKS_APART_HARDENED + 1;
	CHECK_EQ_INT(judge_value(&env, &o, &need), JUDGE_REFUSE);
	free(k);
}

/* As the keepers of era 0 granted it to a, and what stands for that in era 1. */
static struct reg_value shown_make(struct book *k, const struct reg_name *name, uint64_t generation,
				   struct signed_op *why)
{
	struct reg_value v = { .state = REG_HELD, .generation = generation, .owner = k->a.pub,
			       .number = 7, .lease = 3600 };
	uint8_t nsid[NSID_LEN], sigs[KEEPERS_MAX][SIG_LEN] = { { 0 } };
	struct grant g;

	nsid_of(nsid, &k->root.pub);
	g = grant_of(nsid, name, &v);
	g.ballot = (struct ballot){ 0, 3, 9, 1 };
	g.beacon = WALL - 100;
	why->len = grant_write(why->bytes, sizeof(why->bytes), &g, 15, (const uint8_t(*)[SIG_LEN])sigs);
	CHECK(why->len > 0);
	v.generation |= UINT64_C(1) << 32;
	return v;
}

static void test_judge_takes_what_an_earlier_era_granted_and_nothing_else_made_of_it(void)
{
	struct book *k = book_new();
	struct reg_name name = address(), other = name;
	struct signed_op why, newer;
	struct reg_value v = shown_make(k, &name, 5, &why), next = shown_make(k, &name, 6, &newer), bad;

	k->era = 1;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &why), JUDGE_TAKE);
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, NULL), JUDGE_REFUSE);
	other.b[3]++; /* another address */
	CHECK_EQ_INT(offer(k, &other, NULL, 0, &v, &why), JUDGE_REFUSE);
	for (int i = 0; i < 4; i++) {
		bad = v;
		bad.owner = i == 0 ? k->b.pub : v.owner;
		bad.generation += i == 1;
		bad.lease += i == 2;
		bad.number -= i == 3;
		CHECK_EQ_INT(offer(k, &name, NULL, 0, &bad, &why), JUDGE_REFUSE);
	}
	k->shown = JUDGE_REFUSE;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &why), JUDGE_REFUSE);
	k->shown = JUDGE_FETCH;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &why), JUDGE_FETCH);
	k->shown = JUDGE_TAKE;
	CHECK_EQ_INT(offer(k, &name, &v, 0, &next, &newer), JUDGE_TAKE);
	CHECK_EQ_INT(offer(k, &name, &next, 0, &v, &why), JUDGE_REFUSE);
	CHECK_EQ_INT(offer(k, &name, &v, 0, &v, &why), JUDGE_REFUSE);
	free(k);
}

static const struct test tests[] = {
	TEST(test_judge_takes_a_claim_of_what_is_free_and_nothing_else_made_of_it),
	TEST(test_judge_gives_nobody_what_is_leased_by_its_own_clock),
	TEST(test_judge_refuses_what_the_rules_refuse_and_fetches_whom_it_does_not_know),
	TEST(test_judge_takes_what_an_earlier_era_granted_and_nothing_else_made_of_it),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
