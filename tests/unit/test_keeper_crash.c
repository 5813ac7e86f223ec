/* test_keeper_crash.c - restarts, kills at every write, several keepers over a bad net. */
#include "dht/keeper.h"

#include "tests/unit/keeper_ops.h"

static void test_keeper_counts_a_lease_anew_after_a_restart(void)
{
	struct pair p = two_members();
	struct reg_op op = { .verb = OP_CLAIM, .name = kit_address("10.1.0.9"), .lease = 1990 };

	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.a)), REG_OK);
	p.t->now += SEC(2000);
	kit_crash(&p.t->keepers[0]);
	p.t->now += SEC(2000);
	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.b)), REG_OWNED);
	p.t->now += SEC(70);
	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.b)), REG_OK);
	kit_free(p.t);
}

static void test_keeper_counts_quotas_again_after_a_restart(void)
{
	struct pair p = two_members();

	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = nth_address(10 + i)),
			     REG_OK);
	kit_crash(&p.t->keepers[0]);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = nth_address(20)), REG_QUOTA);
	kit_free(p.t);
}

static void test_keeper_makes_its_grants_again_after_a_restart(void)
{
	struct pair p = two_members();
	const uint8_t *grant;
	struct grant g;
	size_t n;

	CHECK(keeper_member_grant(p.t->keepers[0].k, &p.a.pub, &grant, p.t->now) > 0);
	kit_crash(&p.t->keepers[0]);
	CHECK_EQ_INT(keeper_member_grant(p.t->keepers[0].k, &p.a.pub, &grant, p.t->now), 0);
	kit_run(p.t, SEC(6));
	n = keeper_member_grant(p.t->keepers[0].k, &p.a.pub, &grant, p.t->now);
	CHECK(n && grant_verify(&g, grant, n, &p.t->config, &crypto_real));
	CHECK_EQ_INT(keeper_revocation_grant(p.t->keepers[0].k, &grant, p.t->now), 0);
	kit_free(p.t);
}

static void test_keeper_that_cannot_write_is_silent_and_recovers(void)
{
	struct pair p = two_members();
	struct reg_op op = { .verb = OP_CLAIM, .name = kit_address("10.1.0.9") };
	uint64_t request;

	p.t->keepers[0].disk_fails = true;
	request = kit_ask(p.t, op, &p.a);
	kit_run(p.t, SEC(4));
	CHECK(!kit_answer_of(p.t, request));
	kit_run(p.t, SEC(2));
	CHECK_EQ_INT(kit_status(kit_answer_of(p.t, request)), REG_NO_QUORUM);
	p.t->keepers[0].disk_fails = false;
	kit_run(p.t, SEC(2)); /* what failed is written again */
	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.b)), REG_OWNED);
	kit_crash(&p.t->keepers[0]);
	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.b)), REG_OWNED);
	CHECK_EQ_INT(KIT_DO(p.t, &p.b, .verb = OP_CLAIM, .name = nth_address(20)), REG_OK);
	kit_free(p.t);
}

static void test_keeper_without_its_epoch_key_is_not_a_keeper(void)
{
	struct pair p = two_members();
	struct kit_keeper *kk = &p.t->keepers[0];
	uint8_t buf[REG_OP_MAX];
	struct reg_op op = { .verb = OP_CLAIM, .name = kit_address("10.1.0.9") };

	CHECK(keeper_is_active(kk->k));
	for (size_t i = 0; i < kk->record_count; i++)
		if (kk->records[i].key[0] == 'e') {
			free(kk->records[i].value);
			kk->records[i] = kk->records[--kk->record_count];
			break;
		}
	kit_crash(kk);
	CHECK(!keeper_is_active(kk->k));
	CHECK_EQ_INT(keeper_submit_local(kk->k, 1, buf, kit_op(p.t, buf, &op, &p.a, NULL),
					 p.t->now), -ENOTCONN);
	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.a)), REG_OTHER_EPOCH);
	kit_free(p.t);
}

static void test_keeper_restores_only_whole_records_of_its_own(void)
{
	struct pair p = two_members();
	struct kit_keeper *kk = &p.t->keepers[0];
	struct keeper_role *k;

	kit_run(p.t, SEC(1));
	k = kk->k;
	kit_keeper_new(kk);
	for (size_t i = 0; i < kk->record_count; i++)
		for (size_t n = 0; n < kk->records[i].len; n++)
			CHECK(!keeper_restore(kk->k, kk->records[i].key, kk->records[i].key_len,
					      kk->records[i].value, n));
	CHECK(!keeper_restore(kk->k, (const uint8_t *)"x", 1, (const uint8_t *)"y", 1));
	CHECK(!keeper_restore(kk->k, (const uint8_t *)"", 0, (const uint8_t *)"y", 1));
	keeper_free(kk->k);
	kk->k = k;
	kit_free(p.t);
}

/* Runs `writes` durable writes, crashes, and says whether the claim had been answered by then. */
static bool claim_until(struct kit *t, const struct key_pair *a, size_t writes)
{
	struct reg_op op = { .verb = OP_CLAIM, .name = kit_address("10.1.0.9") };
	uint64_t request = kit_ask(t, op, a);
	bool answered;

	for (size_t i = 0; i < writes; i++)
		kit_write_one(&t->keepers[0]);
	answered = kit_status(kit_answer_of(t, request)) == REG_OK;
	kit_crash(&t->keepers[0]);
	return answered;
}

static void test_keeper_forgets_no_answer_whenever_it_is_killed(void)
{
	size_t answered = 0;

	for (size_t writes = 0; writes <= 3; writes++) {
		struct pair p = two_members();
		struct reg_op op = { .verb = OP_CLAIM, .name = kit_address("10.1.0.9") };
		bool had = claim_until(p.t, &p.a, writes);
		enum reg_status s = kit_status(kit_do(p.t, op, &p.b));

		CHECK_EQ_INT(s, had ? REG_OWNED : REG_OK);
		answered += had;
		kit_free(p.t);
	}
	CHECK_EQ_INT(answered, 3); /* one write an operation, and a promise of its own needs none */
}

/* Kills the keeper after each write of an enrolment: asked again, the key is in, for one use. */
static void test_keeper_enrolment_survives_a_kill_at_every_write(void)
{
	for (size_t writes = 0; writes <= 5; writes++) {
		struct kit *t = kit_new(1);
		struct key_pair node = kit_key(1), other = kit_key(2), third = kit_key(3);
		struct key_pair token = kit_key(500);

		CHECK_EQ_INT(kit_token_add(t, &token, 2), REG_OK);
		kit_enrol_ask(t, &node, &token);
		for (size_t i = 0; i < writes; i++)
			kit_write_one(&t->keepers[0]);
		kit_crash(&t->keepers[0]);
		CHECK_EQ_INT(kit_status(kit_enrol(t, &node, &token)), REG_OK);
		CHECK_EQ_INT(kit_status(kit_enrol(t, &other, &token)), REG_OK);
		CHECK_EQ_INT(kit_status(kit_enrol(t, &third, &token)), REG_USED_UP);
		kit_free(t);
	}
}

/* ... and of a revocation: once the member is revoked, the restart finishes the list by itself. */
static void test_keeper_revocation_is_finished_after_a_kill_at_any_write(void)
{
	for (size_t writes = 0; writes <= 6; writes++) {
		struct pair p = two_members();
		struct reg_op op = { .verb = OP_MEMBER_REVOKE, .name = kit_member_name(&p.a) };
		struct member_payload m;
		uint64_t request = kit_ask(p.t, op, &p.t->root);
		bool answered;

		for (size_t i = 0; i < writes; i++)
			kit_write_one(&p.t->keepers[0]);
		answered = kit_status(kit_answer_of(p.t, request)) == REG_OK;
		kit_crash(&p.t->keepers[0]);
		kit_run(p.t, SEC(6));
		CHECK(keeper_member(p.t->keepers[0].k, &p.a.pub, &m));
		CHECK_EQ_INT(kit_is_listed(p.t, &p.a), m.revoked);
		CHECK(m.revoked || writes < 2);
		CHECK(!answered || m.revoked);
		kit_free(p.t);
	}
}

static void test_keeper_drops_what_is_not_for_it(void)
{
	struct pair p = two_members();
	struct keeper_role *k = p.t->keepers[0].k;
	struct regmsg m = { .type = REGMSG_PREPARE, .request = 1, .name = kit_address("10.1.0.9"),
			    .ballot = { 0, 1, 99, 0 } };
	uint8_t msg[REGMSG_MAX];
	size_t len;

	kit_run(p.t, SEC(1));
	nsid_of(m.nsid, &p.t->root.pub);
	len = regmsg_write(msg, sizeof(msg), &m);
	keeper_input(k, &p.a.pub, msg, len, p.t->now); /* not a keeper */
	CHECK_EQ_INT(p.t->keepers[0].drops.count[DROP_UNKNOWN], 1);
	for (size_t n = 0; n < len; n++)
		keeper_input(k, &p.a.pub, msg, n, p.t->now);
	CHECK_EQ_INT(p.t->keepers[0].drops.count[DROP_MALFORMED], len);
	msg[1] ^= 1; /* another namespace */
	keeper_input(k, &p.a.pub, msg, len, p.t->now);
	CHECK_EQ_INT(p.t->keepers[0].drops.count[DROP_MALFORMED], len + 1);
	CHECK_EQ_INT(p.t->keepers[0].write_count, 0);
	kit_free(p.t);
}

static void test_keeper_three_agree_over_a_lossy_net(void)
{
	struct kit *t = kit_new(3);
	struct key_pair a = kit_key(1), b = kit_key(2);
	size_t ok = 0;

	CHECK_EQ_INT(kit_member_add(t, &a, RIGHT_ROUTER), REG_OK);
	CHECK_EQ_INT(kit_member_add(t, &b, RIGHT_ROUTER), REG_OK);
	t->loss = 25;
	for (uint32_t i = 0; i < 40; i++) {
		struct reg_op op = { .verb = OP_CLAIM, .name = nth_address(10 + i) }, again = op;
		uint8_t buf[REG_OP_MAX];
		uint64_t ra, rb;
		size_t len = kit_op(t, buf, &op, &a, NULL);
		struct kit_answer *xa, *xb;
		struct grant g;

		ra = kit_ask_bytes(t, i % 3, &a.pub, buf, len);
		len = kit_op(t, buf, &again, &b, NULL);
		rb = kit_ask_bytes(t, (i + 1) % 3, &b.pub, buf, len);
		kit_run(t, SEC(6));
		xa = kit_answer_of(t, ra);
		xb = kit_answer_of(t, rb);
		CHECK(xa && xb);
		CHECK(kit_status(xa) != REG_OK || kit_status(xb) != REG_OK);
		if (kit_status(xa) == REG_OK)
			CHECK(grant_verify(&g, xa->grant, xa->len, &t->config, &crypto_real));
		if (kit_status(xb) == REG_OK)
			CHECK(grant_verify(&g, xb->grant, xb->len, &t->config, &crypto_real));
		ok += kit_status(xa) == REG_OK || kit_status(xb) == REG_OK;
	}
	CHECK(ok >= 38);
	kit_free(t);
}

static void test_keeper_one_of_three_may_be_away_two_may_not(void)
{
	struct kit *t = kit_new(3);
	struct key_pair a = kit_key(1);
	uint64_t request;

	t->keepers[2].is_cut_off = true;
	CHECK_EQ_INT(kit_member_add(t, &a, 0), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_CLAIM, .name = nth_address(10)), REG_OK);
	t->keepers[1].is_cut_off = true;
	request = kit_ask(t, (struct reg_op){ .verb = OP_CLAIM, .name = nth_address(11) }, &a);
	kit_run(t, SEC(5) + MSEC(1));
	CHECK_EQ_INT(kit_status(kit_answer_of(t, request)), REG_NO_QUORUM);
	t->keepers[1].is_cut_off = t->keepers[2].is_cut_off = false;
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_CLAIM, .name = nth_address(11)), REG_OK);
	kit_free(t);
}

static void test_keeper_that_missed_an_enrolment_reads_it_from_the_others(void)
{
	struct kit *t = kit_new(3);
	struct key_pair a = kit_key(1);
	struct reg_op op = { .verb = OP_CLAIM, .name = nth_address(10) };
	struct member_payload m;
	uint8_t buf[REG_OP_MAX];
	uint64_t request;
	size_t len;

	t->keepers[2].is_cut_off = true;
	CHECK_EQ_INT(kit_member_add(t, &a, 0), REG_OK);
	t->keepers[2].is_cut_off = false;
	CHECK(!keeper_member(t->keepers[2].k, &a.pub, &m));
	len = kit_op(t, buf, &op, &a, NULL);
	request = kit_ask_bytes(t, 2, &a.pub, buf, len);
	kit_run(t, SEC(11));
	CHECK_EQ_INT(kit_status(kit_answer_of(t, request)), REG_OK);
	kit_free(t);
}

static void test_keeper_of_three_hears_of_revocations_made_at_another(void)
{
	struct kit *t = kit_new(3);
	struct key_pair a = kit_key(1);
	const uint8_t *grant;
	struct grant g;
	size_t n;

	CHECK_EQ_INT(kit_member_add(t, &a, 0), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &t->root, .verb = OP_MEMBER_REVOKE, .name = kit_member_name(&a)),
		     REG_OK);
	kit_run(t, SEC(10));
	for (size_t i = 0; i < 3; i++) {
		n = keeper_revocation_grant(t->keepers[i].k, &grant, t->now);
		CHECK(n && grant_verify(&g, grant, n, &t->config, &crypto_real));
	}
	kit_free(t);
}

static void test_keeper_of_another_incarnation_is_not_the_keeper(void)
{
	struct pair p = two_members();
	struct kit_keeper *kk = &p.t->keepers[0];

	for (size_t i = 0; i < kk->record_count; i++)
		if (kk->records[i].key[0] == 'k')
			kk->records[i].value[8] ^= 1;
	kit_crash(kk);
	CHECK(!keeper_is_active(kk->k));
	kit_free(p.t);
}

static const struct test tests[] = {
	TEST(test_keeper_counts_a_lease_anew_after_a_restart),
	TEST(test_keeper_counts_quotas_again_after_a_restart),
	TEST(test_keeper_makes_its_grants_again_after_a_restart),
	TEST(test_keeper_that_cannot_write_is_silent_and_recovers),
	TEST(test_keeper_without_its_epoch_key_is_not_a_keeper),
	TEST(test_keeper_restores_only_whole_records_of_its_own),
	TEST(test_keeper_forgets_no_answer_whenever_it_is_killed),
	TEST(test_keeper_enrolment_survives_a_kill_at_every_write),
	TEST(test_keeper_revocation_is_finished_after_a_kill_at_any_write),
	TEST(test_keeper_drops_what_is_not_for_it),
	TEST(test_keeper_three_agree_over_a_lossy_net),
	TEST(test_keeper_one_of_three_may_be_away_two_may_not),
	TEST(test_keeper_that_missed_an_enrolment_reads_it_from_the_others),
	TEST(test_keeper_of_three_hears_of_revocations_made_at_another),
	TEST(test_keeper_of_another_incarnation_is_not_the_keeper),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
