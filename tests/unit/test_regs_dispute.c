/* test_regs_dispute.c - a node that is shown two owners of one address, both under signatures of a
 * quorum: it believes neither, says so once, and keeps the evidence. */
#include "tests/unit/regs_set.h"

static struct reg_name the_address(void)
{
	struct ip ip = ip_v4(0x0a070105);

	return reg_name_address(&ip);
}

/* Keepers 1 and 2 lie: their epoch keys are those of regs_set.h. */
static size_t forge(struct rw_world *w, uint8_t out[GRANT_MAX], const struct pubkey *owner,
		    uint64_t generation)
{
	struct reg_value v = { .state = REG_HELD, .generation = generation, .owner = *owner,
			       .number = 1, .lease = 3600 };
	uint8_t nsid[NSID_LEN], sigs[KEEPERS_MAX][SIG_LEN], body[GRANT_MAX];
	struct wr b = wr_of(body, sizeof(body));
	struct reg_name name = the_address();
	struct grant g;

	nsid_of(nsid, &w->root.pub);
	g = grant_of(nsid, &name, &v);
	g.ballot = (struct ballot){ 0, 1, 1000, 1 };
	g.beacon = wall_seconds(&w->wall, w->now);
	wr_grant_body(&b, &g);
	for (uint8_t i = 1; i < 3; i++) {
		uint8_t seed[SEED_LEN] = { 99, i };
		struct key_pair key;

		while (!key_from_seed(&key, seed))
			seed[2]++;
		w->crypto->sign(sigs[i], &key, GRANT_LABEL, body, wr_len(&b));
	}
	return grant_write(out, GRANT_MAX, &g, 6, (const uint8_t(*)[SIG_LEN])sigs);
}

static bool check(struct rw_world *w, size_t node, const uint8_t *grant, size_t len)
{
	struct grant g;

	return regs_check(w->node[node].regs, &g, grant, len, w->now);
}

static void test_regs_believe_neither_of_two_owners_and_keep_the_evidence(void)
{
	struct rw_world *w = rw_new_set(3, 3);
	uint8_t first[GRANT_MAX], second[GRANT_MAX], third[GRANT_MAX];
	const struct evidence *e;
	size_t n, m, o;

	rw_join(w, 1, "ada");
	n = forge(w, first, &w->node[3].key.pub, 1);
	m = forge(w, second, &w->node[0].key.pub, 1);
	o = forge(w, third, &w->node[0].key.pub, 2);
	CHECK(n && m && o);
	CHECK(check(w, 3, first, n));
	CHECK(check(w, 3, first, n));
	CHECK_EQ_INT(regs_evidence_count(w->node[3].regs), 0);
	CHECK(!check(w, 3, second, m));
	CHECK_EQ_INT(rw_count(&w->node[3], REGS_DISPUTED), 1);
	CHECK(!check(w, 3, first, n));
	CHECK(!check(w, 3, second, m));
	CHECK_EQ_INT(rw_count(&w->node[3], REGS_DISPUTED), 1);
	CHECK_EQ_INT(regs_evidence_count(w->node[3].regs), 1);
	e = regs_evidence(w->node[3].regs, 0);
	CHECK(e && e->kind == EVIDENCE_OWNERS && e->liars == 2);
	CHECK(e && key_equal(&e->liar[0], &w->node[1].key.pub));
	CHECK(e && e->side[0].len == m && e->side[1].len == n);
	CHECK(check(w, 3, third, o));
	CHECK(!check(w, 3, first, n)); /* an older one, shown again */
	CHECK(check(w, 0, first, n)); /* who has seen less believes more */
	rw_free(w);
}

/* It holds what it was granted itself against what it is shown. */
static void test_regs_hold_shown_grants_against_their_own(void)
{
	struct rw_world *w = rw_new_set(4, 3);
	struct reg_op req = { .name = the_address(), .verb = OP_CLAIM, .lease = 3600 };
	uint8_t forged[GRANT_MAX];

	rw_join(w, 1, "ada");
	CHECK_EQ_INT(rw_do(&w->node[3], &req, NULL, NULL), REG_OK);
	CHECK(!check(w, 3, forged, forge(w, forged, &w->node[0].key.pub, 1)));
	CHECK_EQ_INT(regs_evidence_count(w->node[3].regs), 1);
	rw_free(w);
}

static const struct test tests[] = {
	TEST(test_regs_believe_neither_of_two_owners_and_keep_the_evidence),
	TEST(test_regs_hold_shown_grants_against_their_own),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
