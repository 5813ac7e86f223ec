/* test_keeper.c - who owns what: claims, leases, transfers, quotas, refusals. */
#include "dht/keeper.h"

#include "tests/unit/keeper_ops.h"

static void test_keeper_grants_a_free_address_to_a_member(void)
{
	struct kit *t = kit_new(1);
	struct key_pair a = kit_key(1);
	struct kit_answer *r;
	struct grant g;

	CHECK_EQ_INT(kit_member_add(t, &a, 0), REG_OK);
	r = kit_do(t, (struct reg_op){ .verb = OP_CLAIM, .name = kit_address("10.1.0.9"),
				       .lease = 3600 }, &a);
	CHECK_EQ_INT(kit_status(r), REG_OK);
	CHECK(r && grant_verify(&g, r->grant, r->len, &t->config, &crypto_real));
	CHECK(key_equal(&g.owner, &a.pub));
	CHECK_EQ_INT(g.state, REG_HELD);
	CHECK_EQ_INT(g.generation, 1);
	CHECK_EQ_INT(g.lease, 3600);
	CHECK_EQ_INT(g.beacon, KIT_WALL);
	CHECK_EQ_INT(grant_end(&g), KIT_WALL + 3600);
	kit_free(t);
}

static void test_keeper_refuses_a_taken_address_and_names_its_owner(void)
{
	struct pair p = two_members();
	struct reg_op op = { .verb = OP_CLAIM, .name = kit_address("10.1.0.9") };
	struct kit_answer *r;

	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.a)), REG_OK);
	r = kit_do(p.t, op, &p.b);
	CHECK_EQ_INT(kit_status(r), REG_OWNED);
	CHECK(r && key_equal(&r->holder, &p.a.pub));
	kit_free(p.t);
}

static void test_keeper_grants_to_one_of_two_claims_in_flight(void)
{
	struct pair p = two_members();
	struct reg_op op = { .verb = OP_CLAIM, .name = kit_address("10.1.0.9") };
	uint64_t ra = kit_ask(p.t, op, &p.a), rb = kit_ask(p.t, op, &p.b);

	kit_run(p.t, SEC(6));
	CHECK_EQ_INT(kit_status(kit_answer_of(p.t, ra)), REG_OK);
	CHECK_EQ_INT(kit_status(kit_answer_of(p.t, rb)), REG_OWNED);
	kit_free(p.t);
}

static void test_keeper_gives_a_released_address_to_another_at_once(void)
{
	struct pair p = two_members();
	struct reg_name name = kit_address("10.1.0.9");
	struct kit_answer *r;
	struct grant g;

	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = name), REG_OK);
	r = kit_do(p.t, (struct reg_op){ .verb = OP_RELEASE, .name = name, .generation = 1 }, &p.a);
	CHECK_EQ_INT(kit_status(r), REG_OK);
	CHECK(r && grant_read(&g, r->grant, r->len));
	CHECK_EQ_INT(g.state, REG_RELEASED);
	CHECK_EQ_INT(grant_end(&g), 0);
	r = kit_do(p.t, (struct reg_op){ .verb = OP_CLAIM, .name = name }, &p.b);
	CHECK_EQ_INT(kit_status(r), REG_OK);
	CHECK(r && grant_read(&g, r->grant, r->len));
	CHECK_EQ_INT(g.generation, 2);
	CHECK(key_equal(&g.owner, &p.b.pub));
	kit_free(p.t);
}

static void test_keeper_gives_to_another_only_when_the_lease_is_surely_over(void)
{
	struct pair p = two_members();
	struct reg_op op = { .verb = OP_CLAIM, .name = kit_address("10.1.0.9"), .lease = 1990 };

	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.a)), REG_OK);
	p.t->now += SEC(1990 * 201 / 199 + 60) - 1;
	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.b)), REG_OWNED);
	p.t->now += 1;
	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.b)), REG_OK);
	kit_free(p.t);
}

static void test_keeper_reading_does_not_prolong_a_lease(void)
{
	struct pair p = two_members();
	struct reg_name name = kit_address("10.1.0.9");
	struct kit_answer *r;
	struct grant g;

	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = name, .lease = 1990), REG_OK);
	p.t->now += SEC(2069);
	r = kit_do(p.t, (struct reg_op){ .verb = OP_READ, .name = name }, &p.b);
	CHECK_EQ_INT(kit_status(r), REG_OK);
	CHECK(r && grant_verify(&g, r->grant, r->len, &p.t->config, &crypto_real));
	CHECK_EQ_INT(g.beacon, KIT_WALL);
	p.t->now += SEC(1);
	CHECK_EQ_INT(KIT_DO(p.t, &p.b, .verb = OP_CLAIM, .name = name), REG_OK);
	kit_free(p.t);
}

static void test_keeper_refuses_an_operation_older_than_the_last(void)
{
	struct pair p = two_members();
	struct reg_name name = kit_address("10.1.0.9");

	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = name, .number = 1000), REG_OK);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_RELEASE, .name = name, .number = 1001), REG_OK);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = name, .number = 1000), REG_OLD);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = name, .number = 1001), REG_OLD);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = name, .number = 1002), REG_OK);
	kit_free(p.t);
}

static void test_keeper_answers_a_repeated_operation_alike(void)
{
	struct pair p = two_members();
	struct reg_op op = { .verb = OP_CLAIM, .name = kit_address("10.1.0.9"), .lease = 3600 };
	uint8_t buf[REG_OP_MAX];
	size_t len = kit_op(p.t, buf, &op, &p.a, NULL);
	uint64_t first = kit_ask_bytes(p.t, 0, &p.a.pub, buf, len), again;
	struct grant g1, g2;

	kit_run(p.t, SEC(1));
	p.t->now += SEC(100);
	again = kit_ask_bytes(p.t, 0, &p.a.pub, buf, len);
	kit_run(p.t, SEC(1));
	CHECK_EQ_INT(kit_status(kit_answer_of(p.t, first)), REG_OK);
	CHECK_EQ_INT(kit_status(kit_answer_of(p.t, again)), REG_OK);
	CHECK(grant_read(&g1, kit_answer_of(p.t, first)->grant, kit_answer_of(p.t, first)->len));
	CHECK(grant_read(&g2, kit_answer_of(p.t, again)->grant, kit_answer_of(p.t, again)->len));
	CHECK_EQ_INT(g1.generation, g2.generation);
	CHECK_EQ_INT(g1.beacon, g2.beacon);
	kit_free(p.t);
}

static void test_keeper_transfer_needs_the_exact_generation_and_is_voided_by_a_renewal(void)
{
	struct pair p = two_members();
	struct reg_name name = kit_address("10.1.0.9");
	struct reg_op op = { .verb = OP_TRANSFER, .name = name, .generation = 2, .lease = 600,
			     .heir = p.b.pub, .deadline = KIT_WALL + 100 };
	struct reg_op voided = op, late = op;
	struct kit_answer *r;
	struct grant g;

	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = name, .number = 10), REG_OK);
	op.number = 11;
	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.a)), REG_OLD);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_RENEW, .name = name, .number = 20), REG_OK);
	voided.number = 19;
	voided.generation = 1;
	CHECK_EQ_INT(kit_status(kit_do(p.t, voided, &p.a)), REG_OLD);
	late.number = 21;
	late.generation = 1;
	late.deadline = KIT_WALL - 1;
	CHECK_EQ_INT(kit_status(kit_do(p.t, late, &p.a)), REG_EXPIRED);
	late.deadline = 0;
	CHECK_EQ_INT(kit_status(kit_do(p.t, late, &p.a)), REG_EXPIRED);
	op.number = 22;
	op.generation = 1;
	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.b)), REG_OWNED); /* signed by the heir */
	r = kit_do(p.t, op, &p.a);
	CHECK_EQ_INT(kit_status(r), REG_OK);
	CHECK(r && grant_read(&g, r->grant, r->len));
	CHECK(key_equal(&g.owner, &p.b.pub));
	CHECK_EQ_INT(g.generation, 2);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_RENEW, .name = name), REG_OWNED);
	CHECK_EQ_INT(KIT_DO(p.t, &p.b, .verb = OP_RENEW, .name = name, .number = 1,
			    .generation = 2), REG_OK);
	kit_free(p.t);
}

static void test_keeper_refuses_addresses_that_are_not_for_hosts(void)
{
	static const char *const bad[] = { "10.2.0.9", "10.1.0.0", "10.1.0.1", "10.1.255.255" };
	static const char *const reserved[] = { "dns", "localhost", "wpad" };
	struct pair p = two_members();

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = kit_address(bad[i])),
			     REG_REFUSED);
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = kit_host(reserved[i])),
			     REG_REFUSED);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = kit_address("10.1.0.2")), REG_OK);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = kit_host("dns2")), REG_OK);
	kit_free(p.t);
}

static void test_keeper_holds_hosts_and_routers_to_their_quotas(void)
{
	struct pair p = two_members();
	struct key_pair router = kit_key(3);

	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = nth_address(10 + i)),
			     REG_OK);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = nth_address(20)), REG_QUOTA);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_RENEW, .name = nth_address(10)), REG_OK);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_RELEASE, .name = nth_address(10)), REG_OK);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = nth_address(20)), REG_OK);
	CHECK_EQ_INT(kit_member_add(p.t, &router, RIGHT_ROUTER), REG_OK);
	for (uint32_t i = 0; i < 1024; i++)
		CHECK_EQ_INT(KIT_DO(p.t, &router, .verb = OP_CLAIM, .name = nth_address(100 + i)),
			     REG_OK);
	CHECK_EQ_INT(KIT_DO(p.t, &router, .verb = OP_CLAIM, .name = nth_address(2000)), REG_QUOTA);
	kit_free(p.t);
}

static void test_keeper_slows_a_host_down_to_its_rate(void)
{
	struct pair p = two_members();
	struct reg_name name = kit_address("10.1.0.9");
	size_t ok = 0;

	for (int i = 0; i < 60; i++)
		ok += KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = name) == REG_OK;
	CHECK_EQ_INT(ok, 40);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = name), REG_BUSY);
	CHECK_EQ_INT(KIT_DO(p.t, &p.b, .verb = OP_READ, .name = name), REG_OK);
	p.t->now += SEC(60);
	for (int i = 0; i < 60; i++)
		ok += KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = name) == REG_OK;
	CHECK_EQ_INT(ok, 50);
	kit_free(p.t);
}

static void test_keeper_counts_repetitions_of_what_is_under_way_once(void)
{
	struct pair p = two_members();
	struct reg_name name = kit_address("10.1.0.9");
	struct reg_op op = { .verb = OP_CLAIM, .name = name };
	uint8_t buf[REG_OP_MAX];
	size_t len = kit_op(p.t, buf, &op, &p.a, NULL), ok = 0;
	uint64_t request;

	for (int i = 0; i < 100; i++) {
		request = kit_ask_bytes(p.t, 0, &p.a.pub, buf, len);
		p.t->request--;
	}
	p.t->request++;
	kit_run(p.t, SEC(1));
	CHECK_EQ_INT(kit_status(kit_answer_of(p.t, request)), REG_OK);
	for (int i = 0; i < 50; i++)
		ok += KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = name) == REG_OK;
	CHECK_EQ_INT(ok, 39);
	kit_free(p.t);
}

static void test_keeper_refuses_strangers_and_forged_signatures(void)
{
	struct pair p = two_members();
	struct key_pair stranger = kit_key(50);
	struct reg_op op = { .verb = OP_CLAIM, .name = kit_address("10.1.0.9") };
	uint8_t buf[REG_OP_MAX];
	size_t len;
	uint64_t request;

	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &stranger)), REG_REFUSED);
	len = kit_op(p.t, buf, &op, &p.a, NULL);
	buf[len - KEY_LEN - SIG_LEN - 1] ^= 1;
	request = kit_ask_bytes(p.t, 0, &p.a.pub, buf, len);
	kit_run(p.t, SEC(1));
	CHECK_EQ_INT(kit_status(kit_answer_of(p.t, request)), REG_REFUSED);
	request = kit_ask_bytes(p.t, 0, &p.a.pub, buf, len - 1);
	CHECK_EQ_INT(kit_status(kit_answer_of(p.t, request)), REG_MALFORMED);
	CHECK_EQ_INT(keeper_submit_local(p.t->keepers[0].k, 1, buf, len, p.t->now), -EINVAL);
	kit_free(p.t);
}

static void test_keeper_refuses_payloads_that_are_not_canonical(void)
{
	struct pair p = two_members();
	static const uint8_t payload[] = { 3, 4, 10, 1, 0, 9, 1, 6, 2, 0, 0, 0, 0, 1 };

	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = kit_address("10.1.0.9"),
			    .payload = payload, .payload_len = sizeof(payload)), REG_MALFORMED);
	kit_free(p.t);
}

static void test_keeper_reading_what_nobody_owns_leaves_no_trace(void)
{
	struct pair p = two_members();

	kit_run(p.t, SEC(1));
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_READ, .name = kit_address("10.1.0.9")),
		     REG_UNKNOWN);
	CHECK_EQ_INT(p.t->keepers[0].record_count, 5); /* e, k, i, two members */
	kit_free(p.t);
}

static void test_keeper_transfers_only_to_members(void)
{
	struct pair p = two_members();
	struct reg_name name = kit_address("10.1.0.9");
	struct reg_op op = { .verb = OP_TRANSFER, .name = name, .generation = 1,
			     .heir = kit_key(50).pub, .deadline = KIT_WALL + 100 };

	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = name), REG_OK);
	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.a)), REG_REFUSED);
	CHECK_EQ_INT(KIT_DO(p.t, &p.t->root, .verb = OP_MEMBER_REVOKE,
			    .name = kit_member_name(&p.b)), REG_OK);
	op.heir = p.b.pub;
	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.a)), REG_REVOKED);
	kit_free(p.t);
}

static const struct test tests[] = {
	TEST(test_keeper_grants_a_free_address_to_a_member),
	TEST(test_keeper_refuses_a_taken_address_and_names_its_owner),
	TEST(test_keeper_grants_to_one_of_two_claims_in_flight),
	TEST(test_keeper_gives_a_released_address_to_another_at_once),
	TEST(test_keeper_gives_to_another_only_when_the_lease_is_surely_over),
	TEST(test_keeper_reading_does_not_prolong_a_lease),
	TEST(test_keeper_refuses_an_operation_older_than_the_last),
	TEST(test_keeper_answers_a_repeated_operation_alike),
	TEST(test_keeper_transfer_needs_the_exact_generation_and_is_voided_by_a_renewal),
	TEST(test_keeper_refuses_addresses_that_are_not_for_hosts),
	TEST(test_keeper_holds_hosts_and_routers_to_their_quotas),
	TEST(test_keeper_slows_a_host_down_to_its_rate),
	TEST(test_keeper_counts_repetitions_of_what_is_under_way_once),
	TEST(test_keeper_refuses_strangers_and_forged_signatures),
	TEST(test_keeper_refuses_payloads_that_are_not_canonical),
	TEST(test_keeper_reading_what_nobody_owns_leaves_no_trace),
	TEST(test_keeper_transfers_only_to_members),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
