/* test_chain_life.c - keepers that really change, and those who were not there: joiners with old
 * tokens, sleepers, and a set whose quorum is gone for good. */
#include "tests/unit/succession_kit.h"

static const char *const sets[] = { "012", "123", "234", "345", "345", "3", "345", "456" };

/* From epoch 1, with node 0 alone, to epoch 9: nobody of the first set is a keeper any more. */
static struct sk *moved(uint64_t seed)
{
	static const size_t at[] = { 0, 1, 2, 3, 3, 3, 3, 4 };
	struct sk *s = sk_new(seed, 7);
	uint32_t epoch = 1;

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		if (i && strcmp(sets[i], sets[i - 1]) == 0)
			continue;
		CHECK_EQ_INT(sk_change(s, at[i], sets[i]), 0);
		CHECK(sk_wait(s, ++epoch, sets[i], SEC(30)) != USEC_NEVER);
	}
	CHECK_EQ_INT(epoch, 8);
	return s;
}

static void test_chain_life_old_token_still_admits(void)
{
	struct sk *s = sk_new(41, 7);
	struct checkpoint cp = { .epoch = 1 };
	const struct config *cf = regs_keepers(s->w->node[0].regs);
	struct rw_node *n;

	memcpy(cp.hash, cf->hash, sizeof(cp.hash));
	sk_free(s);
	s = moved(41); /* the same dice, the same genesis */
	CHECK_EQ_INT(rw_token(s->w, 3, 2, 3600), REG_OK);
	n = rw_add(s->w);
	regs_trust(n->regs, &cp, &s->w->node[0].key.pub, 1);
	CHECK_EQ_INT(rw_enrol(n, 3, "late"), REG_OK);
	CHECK_EQ_INT(regs_keepers(n->regs)->epoch, 8);
	sk_free(s);
}

static void test_chain_life_sleeper_finds_the_keepers_of_today(void)
{
	struct sk *s = sk_new(42, 7);
	struct rw_node *n = &s->w->node[6];
	uint32_t epoch = 1;

	rw_stop(n, true);
	for (size_t i = 0; i < 4; i++) {
		CHECK_EQ_INT(sk_change(s, i, sets[i]), 0);
		CHECK(sk_wait(s, ++epoch, sets[i], SEC(30)) != USEC_NEVER);
	}
	rw_start(n);
	CHECK_EQ_INT(regs_keepers(n->regs)->epoch, 1);
	rw_run(s->w, MINUTES(1)); /* its SYNC goes to the keeper it knew */
	CHECK_EQ_INT(regs_keepers(n->regs)->epoch, 5);
	{
		struct reg_op claim = { .name = sk_address(3), .verb = OP_CLAIM };

		CHECK_EQ_INT(rw_do(n, &claim, NULL, NULL), REG_OK);
	}
	sk_free(s);
}

static void test_chain_life_grants_of_all_epochs_are_good(void)
{
	struct sk *s = sk_new(43, 7);
	uint8_t grants[5][GRANT_MAX];
	size_t len[5];
	uint32_t epoch = 1;

	for (size_t i = 0; i < 5; i++) {
		struct reg_op claim = { .name = sk_address(i), .verb = OP_CLAIM };
		const struct rw_event *e;

		CHECK_EQ_INT(regs_submit(s->w->node[6].regs, 500 + i, &claim, NULL, s->w->now), 0);
		rw_run(s->w, SEC(6));
		e = rw_find(&s->w->node[6], REGS_RESULT, 500 + i);
		CHECK(e && e->e.status == REG_OK);
		len[i] = e ? e->e.len : 0;
		memcpy(grants[i], e->grant, len[i]);
		if (i == 4)
			break;
		CHECK_EQ_INT(sk_change(s, i, sets[i]), 0);
		CHECK(sk_wait(s, ++epoch, sets[i], SEC(30)) != USEC_NEVER);
	}
	for (size_t i = 0; i < 5; i++) {
		struct grant g;

		CHECK(regs_check(s->w->node[0].regs, &g, grants[i], len[i], s->w->now));
		CHECK_EQ_INT(g.ballot.epoch, i + 1);
	}
	sk_free(s);
}

static void test_chain_life_era_after_a_lost_quorum(void)
{
	struct sk *s = sk_new(44, 6);
	struct reg_op claim = { .name = sk_address(1), .verb = OP_CLAIM };
	struct rw_node *owner = &s->w->node[5];
	uint8_t grant[GRANT_MAX];
	const struct rw_event *e;
	uint64_t generation;
	struct grant g;
	size_t len;

	CHECK_EQ_INT(sk_change(s, 0, "012"), 0);
	CHECK(sk_wait(s, 2, "012", SEC(30)) != USEC_NEVER);
	CHECK_EQ_INT(regs_submit(owner->regs, 500, &claim, NULL, s->w->now), 0);
	rw_run(s->w, SEC(6));
	e = rw_find(owner, REGS_RESULT, 500);
	CHECK(e && e->e.status == REG_OK);
	len = e ? e->e.len : 0;
	memcpy(grant, e->grant, len);
	CHECK(grant_read(&g, grant, len));
	generation = g.generation;
	rw_stop(&s->w->node[1], true);
	rw_stop(&s->w->node[2], true);
	CHECK_EQ_INT(regs_reset_era(s->w->node[0].regs, &s->w->root, "creator", s->w->now), 0);
	rw_run(s->w, SEC(20));
	CHECK(regs_is_keeper(s->w->node[0].regs));
	for (size_t i = 3; i < 6; i++)
		CHECK_EQ_INT(regs_keepers(s->w->node[i].regs)->era, 1);
	regs_show(owner->regs, grant, len, s->w->now);
	rw_run(s->w, SEC(2));
	claim.verb = OP_RENEW;
	CHECK_EQ_INT(rw_do(owner, &claim, NULL, &g), REG_OK);
	CHECK_EQ_INT(g.ballot.era, 1);
	CHECK_EQ_INT(g.generation, (UINT64_C(1) << 32) + generation);
	CHECK_EQ_INT(sk_change(s, 0, "034"), 0); /* and the new era grows */
	CHECK(sk_wait(s, 2, "034", SEC(30)) != USEC_NEVER);
	rw_start(&s->w->node[1]); /* an old keeper comes back */
	rw_attach(&s->w->node[1], &s->w->node[3]);
	rw_run(s->w, SEC(20));
	CHECK_EQ_INT(regs_keepers(s->w->node[1].regs)->era, 1);
	CHECK(!regs_is_keeper(s->w->node[1].regs));
	sk_free(s);
}

static const struct test tests[] = {
	TEST(test_chain_life_old_token_still_admits),
	TEST(test_chain_life_sleeper_finds_the_keepers_of_today),
	TEST(test_chain_life_grants_of_all_epochs_are_good),
	TEST(test_chain_life_era_after_a_lost_quorum),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
