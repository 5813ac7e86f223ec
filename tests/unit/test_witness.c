/* test_witness.c - what a receiver makes of the next grant, after those that it has seen. */
#include "dht/witness.h"

#include <stdio.h>

#include "tests/check.h"

struct shown {
	struct grant g;
	uint8_t bytes[GRANT_MAX];
	size_t len;
};

static struct config three(void)
{
	struct config cf = { .era = 0, .epoch = 1, .count = 3, .quorum = 2 };

	for (uint8_t i = 0; i < 3; i++)
		cf.members[i].node.b[0] = (uint8_t)(100 + i);
	return cf;
}

static struct reg_name address(uint32_t n)
{
	struct ip ip = ip_v4(0x0a010000 + n);

	return reg_name_address(&ip);
}

/* A grant of `name` to a key of this number, signed (not really) by these members. */
static void show(struct shown *s, const struct reg_name *name, uint8_t owner, uint64_t generation,
		 uint8_t signers)
{
	static const uint8_t sigs[KEEPERS_MAX][SIG_LEN];

	s->g = (struct grant){ .name = *name, .state = REG_HELD, .generation = generation,
			       .owner = { { owner } }, .number = 1, .lease = 60,
			       .ballot = { 0, 1, generation, 0 } };
	s->len = grant_write(s->bytes, sizeof(s->bytes), &s->g, signers, sigs);
	CHECK(s->len > 0);
}

static enum witness_word judge(struct witness *w, const struct reg_name *name, uint8_t owner,
			       uint64_t generation, uint8_t signers)
{
	struct config cf = three();
	struct shown s;
	struct witness_view v = { &s.g, s.bytes, 0, &cf };

	show(&s, name, owner, generation, signers);
	v.len = s.len;
	return witness_judge(w, &v);
}

static struct witness *make(void)
{
	static const uint8_t seed[16] = { 5 };

	return witness_new(seed);
}

static void test_witness_believes_rising_generations_and_refuses_lower_ones(void)
{
	struct reg_name a = address(5), b = address(6);
	struct witness *w = make();

	CHECK_EQ_INT(judge(w, &a, 1, 7, 3), WITNESS_NEW);
	CHECK_EQ_INT(judge(w, &a, 1, 7, 6), WITNESS_SAME);
	CHECK_EQ_INT(judge(w, &a, 2, 8, 3), WITNESS_NEW);
	CHECK_EQ_INT(judge(w, &a, 1, 7, 3), WITNESS_OLD);
	CHECK_EQ_INT(judge(w, &a, 2, 8, 3), WITNESS_SAME);
	CHECK_EQ_INT(judge(w, &b, 1, 1, 3), WITNESS_NEW);
	CHECK_EQ_INT(witness_count(w), 0);
	witness_free(w);
}

static void test_witness_believes_neither_of_two_owners_of_one_generation(void)
{
	struct reg_name a = address(5);
	struct witness *w = make();

	CHECK_EQ_INT(judge(w, &a, 1, 7, 3), WITNESS_NEW);
	CHECK_EQ_INT(judge(w, &a, 2, 7, 6), WITNESS_ALARM);
	CHECK_EQ_INT(judge(w, &a, 1, 7, 3), WITNESS_DISPUTED);
	CHECK_EQ_INT(judge(w, &a, 2, 7, 6), WITNESS_DISPUTED);
	CHECK_EQ_INT(judge(w, &a, 2, 8, 6), WITNESS_NEW);
	CHECK_EQ_INT(judge(w, &a, 1, 7, 3), WITNESS_OLD);
	witness_free(w);
}

static void test_witness_names_who_signed_both_and_keeps_both_grants(void)
{
	struct reg_name a = address(5);
	const struct evidence *e;
	struct witness *w = make();

	judge(w, &a, 1, 7, 3);
	CHECK(!witness_evidence(w, 0));
	judge(w, &a, 2, 7, 6);
	e = witness_evidence(w, 0);
	CHECK(e && e->kind == EVIDENCE_OWNERS && e->generation == 7);
	CHECK(reg_name_equal(&e->name, &a));
	CHECK_EQ_INT(e->liars, 1);
	CHECK_EQ_INT(e->liar[0].b[0], 101);
	CHECK(e->side[0].grant && e->side[0].owner.b[0] == 2 && !e->side[1].grant);
	judge(w, &a, 2, 7, 6);
	CHECK(!e->side[1].grant);
	judge(w, &a, 1, 7, 3);
	CHECK(e->side[1].grant && e->side[1].owner.b[0] == 1);
	CHECK(!witness_evidence(w, 1));
	CHECK_EQ_INT(witness_count(w), 1);
	witness_free(w);
}

static void test_witness_keeps_bounded_evidence_and_counts_the_rest(void)
{
	struct witness *w = make();

	for (uint32_t i = 0; i < 3 * EVIDENCE_MAX; i++) {
		struct reg_name a = address(i);

		CHECK_EQ_INT(judge(w, &a, 1, 7, 3), WITNESS_NEW);
		CHECK_EQ_INT(judge(w, &a, 2, 7, 3), WITNESS_ALARM);
		CHECK_EQ_INT(judge(w, &a, 1, 7, 3), WITNESS_DISPUTED);
	}
	CHECK(witness_evidence(w, EVIDENCE_MAX - 1) && !witness_evidence(w, EVIDENCE_MAX));
	CHECK_EQ_INT(witness_count(w), 3 * EVIDENCE_MAX);
	witness_free(w);
}

static void test_witness_says_a_report_once(void)
{
	struct pubkey liar = { { 9 } };
	struct reg_name a = address(5);
	struct witness *w = make();

	CHECK(witness_report(w, EVIDENCE_PROPOSAL, &a, 7, &liar));
	CHECK(!witness_report(w, EVIDENCE_PROPOSAL, &a, 7, &liar));
	CHECK(witness_report(w, EVIDENCE_PROPOSAL, &a, 8, NULL));
	CHECK_EQ_INT(witness_count(w), 2);
	CHECK(key_equal(&witness_evidence(w, 0)->liar[0], &liar));
	witness_free(w);
}

/* Far above its bound it forgets some, and is never wrong about those that it knows. */
static void test_witness_is_bounded_and_forgets_only_when_full(void)
{
	struct witness *w = make();
	size_t forgotten = 0;

	for (uint32_t i = 0; i < WITNESS_NAMES_MAX / 2; i++) {
		struct reg_name a = address(i);

		CHECK_EQ_INT(judge(w, &a, 1, 7, 3), WITNESS_NEW);
	}
	for (uint32_t i = 0; i < WITNESS_NAMES_MAX / 2; i++) {
		struct reg_name a = address(i);
		enum witness_word word = judge(w, &a, 1, 6, 3);

		CHECK(word == WITNESS_OLD || word == WITNESS_NEW);
		forgotten += word == WITNESS_NEW;
	}
	CHECK(forgotten < WITNESS_NAMES_MAX / 8);
	witness_free(w);
}

static void test_witness_judges_addresses_and_names_alone(void)
{
	uint8_t key[KEY_LEN] = { 3 };
	struct reg_name m = reg_name_key(REG_TOKEN, key, sizeof(key)), h;
	struct witness *w = make();

	CHECK(reg_name_host(&h, "alpha"));
	CHECK_EQ_INT(judge(w, &m, 1, 7, 3), WITNESS_SAME);
	CHECK_EQ_INT(judge(w, &m, 2, 7, 3), WITNESS_SAME);
	CHECK_EQ_INT(judge(w, &h, 1, 7, 3), WITNESS_NEW);
	CHECK_EQ_INT(judge(w, &h, 2, 7, 3), WITNESS_ALARM);
	witness_free(w);
}

static const struct test tests[] = {
	TEST(test_witness_believes_rising_generations_and_refuses_lower_ones),
	TEST(test_witness_believes_neither_of_two_owners_of_one_generation),
	TEST(test_witness_names_who_signed_both_and_keeps_both_grants),
	TEST(test_witness_keeps_bounded_evidence_and_counts_the_rest),
	TEST(test_witness_says_a_report_once),
	TEST(test_witness_is_bounded_and_forgets_only_when_full),
	TEST(test_witness_judges_addresses_and_names_alone),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
