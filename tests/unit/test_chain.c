#include "dht/chain.h"

#include "tests/unit/chain_kit.h"

#define LAST 9

static struct chain_link link_of(const struct config *cf)
{
	return (struct chain_link){ .config = chain_copy(cf), .proven = true };
}

static void hold(struct chain *ch, const struct config *cf)
{
	struct chain_link l = link_of(cf);

	chain_put(ch, &l);
}

static enum chain_verdict judge(const struct chain_view *v, const struct config *cf)
{
	bool proven;

	return chain_judge(v, cf, &proven, &crypto_real);
}

static void test_chain_first_is_the_one_the_token_names(void)
{
	struct config *made[LAST + 1], *other = chain_genesis(0, 5), *later = chain_genesis(1, 0);
	struct checkpoint cp;
	struct chain_view v = { .trust = &cp };

	chain_make(made, 0, 4);
	cp = chain_checkpoint(made[3]);
	CHECK_EQ_INT(judge(&v, made[3]), CHAIN_NEWEST);
	CHECK_EQ_INT(judge(&v, made[4]), CHAIN_GAP);
	CHECK_EQ_INT(judge(&v, made[2]), CHAIN_BAD);
	CHECK_EQ_INT(judge(&v, made[1]), CHAIN_BAD); /* an old set would be enough for a liar */
	CHECK_EQ_INT(judge(&v, later), CHAIN_NEWEST);
	cp = chain_checkpoint(made[1]);
	CHECK_EQ_INT(judge(&v, other), CHAIN_BAD);
	v.trust = NULL;
	CHECK_EQ_INT(judge(&v, made[1]), CHAIN_NEWEST);
	CHECK_EQ_INT(judge(&v, made[2]), CHAIN_GAP);
	chain_free(made, 4);
	free(other);
	free(later);
}

static void test_chain_grows_by_what_follows(void)
{
	struct config *made[LAST + 1];
	struct chain_view v = { .proven = true };

	chain_make(made, 0, 4);
	v.newest = made[2];
	CHECK_EQ_INT(judge(&v, made[2]), CHAIN_HELD);
	CHECK_EQ_INT(judge(&v, made[3]), CHAIN_NEWEST);
	CHECK_EQ_INT(judge(&v, made[4]), CHAIN_GAP);
	CHECK_EQ_INT(judge(&v, made[1]), CHAIN_OLDER); /* the newest names its hash */
	v.newest = made[4];
	CHECK_EQ_INT(judge(&v, made[3]), CHAIN_OLDER);
	CHECK_EQ_INT(judge(&v, made[2]), CHAIN_GAP_BELOW);
	chain_free(made, 4);
}

static void test_chain_another_history_is_refused(void)
{
	struct config *made[LAST + 1], *liar[LAST + 1];
	struct chain_view v = { .proven = true };

	chain_make(made, 0, 4);
	liar[1] = chain_genesis(0, 1); /* of a root that signs anything */
	for (uint32_t e = 2; e <= 4; e++)
		liar[e] = chain_next(liar[e - 1], 0);
	v.newest = made[2];
	CHECK_EQ_INT(judge(&v, liar[3]), CHAIN_BAD);
	CHECK_EQ_INT(judge(&v, liar[2]), CHAIN_BAD);
	CHECK_EQ_INT(judge(&v, liar[1]), CHAIN_BAD); /* made[2] names another hash */
	CHECK_EQ_INT(judge(&v, liar[4]), CHAIN_GAP);
	chain_free(made, 4);
	chain_free(liar, 4);
}

static void test_chain_of_two_geneses_of_an_era_the_larger_hash_wins(void)
{
	struct config *a = chain_genesis(3, 0), *b = chain_genesis(3, 1);
	struct config *small = memcmp(a->hash, b->hash, 32) < 0 ? a : b, *large = small == a ? b : a;
	struct config *after = chain_next(small, 0);
	struct chain ch = { 0 };
	struct chain_view v = { .newest = small, .proven = true };

	CHECK_EQ_INT(judge(&v, large), CHAIN_ERA);
	v.newest = large;
	CHECK_EQ_INT(judge(&v, small), CHAIN_HELD);
	CHECK_EQ_INT(judge(&v, after), CHAIN_BAD);
	hold(&ch, small); /* it went on since */
	v = (struct chain_view){ .newest = after, .proven = true, .older = &ch };
	CHECK_EQ_INT(judge(&v, large), CHAIN_ERA);
	chain_fini(&ch);
	free(a);
	free(b);
	free(after);
}

static void test_chain_new_era_is_the_roots(void)
{
	struct config *made[LAST + 1], *era[LAST + 1], *older = chain_genesis(0, 0);
	struct chain ch = { 0 };
	struct chain_view v = { .proven = true };

	chain_make(made, 1, 3);
	chain_make(era, 2, 2);
	v.newest = made[2];
	CHECK_EQ_INT(judge(&v, era[1]), CHAIN_NEWEST);
	CHECK_EQ_INT(judge(&v, era[2]), CHAIN_GAP);
	CHECK_EQ_INT(judge(&v, older), CHAIN_OLDER); /* nothing is known of its era */
	hold(&ch, made[3]);
	v = (struct chain_view){ .newest = era[1], .proven = true, .older = &ch };
	CHECK_EQ_INT(judge(&v, made[1]), CHAIN_GAP_BELOW); /* is it that of the era that is known? */
	hold(&ch, made[2]);
	chain_drop(&ch, 1);
	CHECK_EQ_INT(judge(&v, made[3]), CHAIN_OLDER); /* the end of the era, told later */
	CHECK_EQ_INT(judge(&v, made[1]), CHAIN_OLDER);
	CHECK(chain_find(&v, 1, 2) != NULL);
	CHECK(chain_find(&v, 1, 3) == NULL);
	chain_fini(&ch);
	chain_free(made, 3);
	chain_free(era, 2);
	free(older);
}

static void test_chain_two_proven_successors_are_a_fork(void)
{
	struct config *made[LAST + 1], *twin, *after;
	struct chain ch = { 0 };
	struct chain_view v = { .proven = true, .older = &ch };
	struct chain_link rival;

	chain_make(made, 0, 4);
	twin = chain_next(made[2], 1);
	after = chain_next(twin, 0);
	hold(&ch, made[1]);
	hold(&ch, made[2]);
	v.newest = made[3];
	CHECK_EQ_INT(judge(&v, twin), CHAIN_FORK);
	CHECK(!chain_rival(&v));
	rival = link_of(twin);
	rival.rival = true;
	chain_put(&ch, &rival);
	CHECK(chain_rival(&v) != NULL);
	CHECK_EQ_INT(judge(&v, made[4]), CHAIN_BAD); /* nobody knows which one counts */
	CHECK_EQ_INT(judge(&v, after), CHAIN_BAD);
	CHECK(chain_find(&v, 0, 3) == made[3]); /* a rival judges nothing */
	CHECK(chain_after(&v, 0, 2) == made[3]);
	chain_fini(&ch);
	chain_free(made, 4);
	free(twin);
	free(after);
}

/* A token names its hash: whoever shows another with proofs is of another history. */
static void test_chain_a_trusted_hash_stands_against_proofs(void)
{
	struct config *made[LAST + 1], *twin;
	struct chain ch = { 0 };
	struct chain_view v = { .older = &ch };

	chain_make(made, 0, 3);
	twin = chain_next(made[2], 1);
	hold(&ch, made[2]);
	v.newest = made[3];
	CHECK_EQ_INT(judge(&v, twin), CHAIN_BAD);
	CHECK_EQ_INT(judge(&v, made[3]), CHAIN_PROOF);
	chain_fini(&ch);
	chain_free(made, 3);
	free(twin);
}

static void test_chain_links_stand_in_order_and_replace_their_like(void)
{
	static const uint32_t order[] = { 5, 1, 3, 2, 4, 3, 5 };
	struct config *made[LAST + 1];
	struct chain ch = { 0 };
	struct chain_view v = { .older = &ch };

	chain_make(made, 0, 6);
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		hold(&ch, made[order[i]]);
	v.newest = made[6];
	CHECK_EQ_INT(ch.count, 5);
	for (uint32_t e = 1; e <= 5; e++) {
		CHECK_EQ_INT(ch.links[e - 1].config->epoch, e);
		CHECK_EQ_INT(chain_after(&v, 0, e)->epoch, e + 1);
		CHECK_EQ_INT(chain_before(&v, 0, e + 1)->epoch, e);
	}
	CHECK(!chain_after(&v, 0, 6));
	CHECK(!chain_before(&v, 0, 1));
	CHECK(chain_before(&v, 1, 0) == v.newest);
	chain_drop(&ch, 2);
	CHECK(!chain_find(&v, 0, 3));
	CHECK_EQ_INT(chain_after(&v, 0, 2)->epoch, 4);
	chain_fini(&ch);
	chain_free(made, 6);
}

static const struct test tests[] = {
	TEST(test_chain_first_is_the_one_the_token_names),
	TEST(test_chain_grows_by_what_follows),
	TEST(test_chain_another_history_is_refused),
	TEST(test_chain_of_two_geneses_of_an_era_the_larger_hash_wins),
	TEST(test_chain_new_era_is_the_roots),
	TEST(test_chain_two_proven_successors_are_a_fork),
	TEST(test_chain_a_trusted_hash_stands_against_proofs),
	TEST(test_chain_links_stand_in_order_and_replace_their_like),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
