#include "dht/keeper.h"

#include "tests/unit/keeper_kit.h"

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


struct pair {
	struct kit *t;
	struct key_pair a, b;
};

/* One keeper and two members. */
static struct pair two_members(void)
{
	struct pair p = { kit_new(1), kit_key(1), kit_key(2) };

	CHECK_EQ_INT(kit_member_add(p.t, &p.a, 0), REG_OK);
	CHECK_EQ_INT(kit_member_add(p.t, &p.b, 0), REG_OK);
	return p;
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
	CHECK_EQ_INT(KIT_DO(p.t, &p.b, .verb = OP_RENEW, .name = name, .number = 1), REG_OK);
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

static struct reg_name nth_address(uint32_t n)
{
	struct ip ip = ip_v4(0x0a010000 + n);

	return reg_name_address(&ip);
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

static void test_keeper_enrols_by_token_and_grants_the_membership(void)
{
	struct kit *t = kit_new(1);
	struct key_pair node = kit_key(1), token = kit_key(500);
	struct member_payload m;
	struct kit_answer *r;
	struct grant g;

	CHECK_EQ_INT(kit_token_add(t, &token, 1), REG_OK);
	r = kit_enrol(t, &node, &token);
	CHECK_EQ_INT(kit_status(r), REG_OK);
	CHECK(r && grant_verify(&g, r->grant, r->len, &t->config, &crypto_real));
	CHECK(key_equal(&g.owner, &node.pub));
	CHECK(member_payload_read(&m, g.payload, g.payload_len));
	CHECK(strcmp(m.host, "alpha") == 0);
	CHECK(reg_groups_has(&m.groups, "servers"));
	CHECK_EQ_INT(m.not_after, KIT_WALL + 30 * 86400);
	CHECK_EQ_INT(grant_end(&g), m.not_after);
	CHECK_MEM(m.token, kit_token_name(&token).b, 32);
	CHECK_EQ_INT(KIT_DO(t, &node, .verb = OP_CLAIM, .name = kit_address("10.1.0.9")), REG_OK);
	kit_free(t);
}

static void test_keeper_second_enrolment_of_one_key_costs_no_second_use(void)
{
	struct kit *t = kit_new(1);
	struct key_pair node = kit_key(1), other = kit_key(2), token = kit_key(500);
	struct grant g1, g2;
	struct kit_answer *r;

	CHECK_EQ_INT(kit_token_add(t, &token, 1), REG_OK);
	r = kit_enrol(t, &node, &token);
	CHECK(r && grant_read(&g1, r->grant, r->len));
	r = kit_enrol(t, &node, &token);
	CHECK_EQ_INT(kit_status(r), REG_OK);
	CHECK(r && grant_read(&g2, r->grant, r->len));
	CHECK_EQ_INT(g1.generation, g2.generation);
	r = kit_enrol(t, &other, &token);
	CHECK_EQ_INT(kit_status(r), REG_USED_UP);
	CHECK_EQ_INT(r ? r->len : 1, 0);
	kit_free(t);
}

static void test_keeper_token_admits_exactly_its_uses_of_many_at_once(void)
{
	struct kit *t = kit_new(1);
	struct key_pair token = kit_key(500);
	uint64_t requests[50];
	size_t ok = 0, used_up = 0;

	CHECK_EQ_INT(kit_token_add(t, &token, 17), REG_OK);
	for (uint32_t i = 0; i < 50; i++) {
		struct key_pair node = kit_key(100 + i);

		requests[i] = kit_enrol_ask(t, &node, &token);
	}
	kit_run(t, SEC(11));
	for (size_t i = 0; i < 50; i++) {
		enum reg_status s = kit_status(kit_answer_of(t, requests[i]));

		ok += s == REG_OK;
		used_up += s == REG_USED_UP;
	}
	CHECK_EQ_INT(ok, 17);
	CHECK_EQ_INT(used_up, 33);
	kit_free(t);
}

static void test_keeper_refuses_unknown_expired_and_revoked_tokens(void)
{
	static const uint8_t alone[] = { 0 };
	struct kit *t = kit_new(1);
	struct key_pair node = kit_key(1), token = kit_key(500), other = kit_key(501);
	struct kit_answer *r;

	CHECK_EQ_INT(kit_status(kit_enrol(t, &node, &token)), REG_UNKNOWN);
	CHECK_EQ_INT(kit_token_add(t, &token, 5), REG_OK);
	CHECK_EQ_INT(kit_token_add(t, &other, 5), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &node, .verb = OP_TOKEN_REVOKE, .name = kit_token_name(&token),
			    .payload = alone, .payload_len = 1), REG_REFUSED);
	CHECK_EQ_INT(KIT_DO(t, &t->root, .verb = OP_TOKEN_REVOKE, .name = kit_token_name(&token),
			    .payload = alone, .payload_len = 1), REG_OK);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &node, &token)), REG_REVOKED);
	t->now += SEC(3600);
	r = kit_enrol(t, &node, &other);
	CHECK_EQ_INT(kit_status(r), REG_EXPIRED);
	CHECK_EQ_INT(r ? r->detail : 0, KIT_WALL + 3600);
	kit_free(t);
}

static void test_keeper_enrolment_must_be_signed_by_the_session_and_the_token(void)
{
	struct kit *t = kit_new(1);
	struct key_pair node = kit_key(1), thief = kit_key(2), token = kit_key(500);
	struct key_pair wrong = kit_key(501);
	struct reg_op op = { .verb = OP_TOKEN_USE, .name = kit_token_name(&token) };
	uint8_t buf[REG_OP_MAX];
	struct keeper_ask ask = { .from = thief.pub, .request = ++t->request, .op = buf };

	CHECK_EQ_INT(kit_token_add(t, &token, 1), REG_OK);
	ask.request = ++t->request;
	ask.len = kit_op(t, buf, &op, &node, &token);
	keeper_enrol(t->keepers[0].k, &ask, t->now);
	CHECK_EQ_INT(kit_status(kit_answer_of(t, ask.request)), REG_REFUSED);
	ask = (struct keeper_ask){ .from = node.pub, .request = ++t->request, .op = buf };
	op.number = 0;
	ask.len = kit_op(t, buf, &op, &node, &wrong);
	keeper_enrol(t->keepers[0].k, &ask, t->now);
	CHECK_EQ_INT(kit_status(kit_answer_of(t, ask.request)), REG_REFUSED);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &node, &token)), REG_OK);
	kit_free(t);
}

static bool is_listed(struct kit *t, const struct key_pair *k)
{
	struct reg_name name;
	struct reg_value v;
	size_t at = 0;

	while (keeper_next(t->keepers[0].k, &at, &name, &v)) {
		struct revocation_payload p;

		if (name.kind == REG_REVOCATION)
			return revocation_payload_read(&p, v.payload, v.payload_len) &&
			       revocation_has(&p, &k->pub);
	}
	return false;
}

static void test_keeper_revoked_member_is_listed_and_refused_everything(void)
{
	struct kit *t = kit_new(1);
	struct key_pair node = kit_key(1), heir = kit_key(2), token = kit_key(500);
	struct reg_name name = kit_address("10.1.0.9"), own = kit_member_name(&node);

	CHECK_EQ_INT(kit_token_add(t, &token, 5), REG_OK);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &node, &token)), REG_OK);
	CHECK_EQ_INT(kit_member_add(t, &heir, 0), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &node, .verb = OP_CLAIM, .name = name), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &heir, .verb = OP_MEMBER_REVOKE, .name = own), REG_REFUSED);
	CHECK_EQ_INT(KIT_DO(t, &t->root, .verb = OP_MEMBER_REVOKE, .name = own), REG_OK);
	CHECK(is_listed(t, &node));
	CHECK(!is_listed(t, &heir));
	CHECK_EQ_INT(KIT_DO(t, &node, .verb = OP_RENEW, .name = name), REG_REVOKED);
	CHECK_EQ_INT(KIT_DO(t, &node, .verb = OP_TRANSFER, .name = name, .generation = 1,
			    .heir = heir.pub, .deadline = KIT_WALL + 1000), REG_REVOKED);
	CHECK_EQ_INT(KIT_DO(t, &heir, .verb = OP_CLAIM, .name = name), REG_OWNED);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &node, &token)), REG_REVOKED);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &heir, &token)), REG_REVOKED); /* closed with it */
	CHECK_EQ_INT(kit_member_add(t, &node, 0), REG_REVOKED);
	CHECK_EQ_INT(KIT_DO(t, &t->root, .verb = OP_MEMBER_REVOKE, .name = own), REG_OK);
	kit_free(t);
}

static void test_keeper_revocation_counts_for_what_waits_in_a_queue(void)
{
	struct pair p = two_members();
	struct reg_name name = kit_address("10.1.0.9");
	struct reg_op revoke = { .verb = OP_MEMBER_REVOKE, .name = kit_member_name(&p.a) };
	struct reg_op claim = { .verb = OP_CLAIM, .name = name };
	uint64_t late;

	kit_ask(p.t, revoke, &p.t->root);
	late = kit_ask(p.t, claim, &p.a);
	kit_run(p.t, SEC(6));
	CHECK_EQ_INT(kit_status(kit_answer_of(p.t, late)), REG_REVOKED);
	kit_free(p.t);
}

static void test_keeper_token_revocation_may_take_its_members_along(void)
{
	static const uint8_t all[] = { 1 };
	struct kit *t = kit_new(1);
	struct key_pair token = kit_key(500), outside = kit_key(90);

	CHECK_EQ_INT(kit_token_add(t, &token, 5), REG_OK);
	CHECK_EQ_INT(kit_member_add(t, &outside, 0), REG_OK);
	for (uint32_t i = 0; i < 5; i++) {
		struct key_pair node = kit_key(100 + i);

		CHECK_EQ_INT(kit_status(kit_enrol(t, &node, &token)), REG_OK);
	}
	CHECK_EQ_INT(KIT_DO(t, &t->root, .verb = OP_TOKEN_REVOKE, .name = kit_token_name(&token),
			    .payload = all, .payload_len = 1), REG_OK);
	for (uint32_t i = 0; i < 5; i++) {
		struct key_pair node = kit_key(100 + i);
		struct member_payload m;

		CHECK(is_listed(t, &node));
		CHECK(keeper_member(t->keepers[0].k, &node.pub, &m) && m.revoked);
	}
	CHECK(!is_listed(t, &outside));
	kit_free(t);
}

static void test_keeper_does_not_revoke_a_keeper(void)
{
	struct kit *t = kit_new(1);

	CHECK_EQ_INT(kit_member_add(t, &t->keepers[0].key, RIGHTS_ALL), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &t->root, .verb = OP_MEMBER_REVOKE,
			    .name = kit_member_name(&t->keepers[0].key)), REG_REFUSED);
	kit_free(t);
}

static void test_keeper_admin_right_is_the_roots_to_give(void)
{
	struct kit *t = kit_new(1);
	struct key_pair admin = kit_key(1), token = kit_key(500);
	struct member_payload m = { .rights = RIGHT_ADMIN };
	struct token_payload p = { .uses = 1, .expires = KIT_WALL + 9, .rights = RIGHT_RELAY };
	uint8_t buf[300];
	struct wr w = wr_of(buf, sizeof(buf));

	CHECK_EQ_INT(kit_member_add(t, &admin, RIGHT_ADMIN), REG_OK);
	wr_member_payload(&w, &m);
	CHECK_EQ_INT(KIT_DO(t, &admin, .verb = OP_MEMBER_SET, .payload = buf,
			    .payload_len = wr_len(&w), .name = kit_member_name(&token)),
		     REG_REFUSED);
	w = wr_of(buf, sizeof(buf));
	wr_token_payload(&w, &p);
	CHECK_EQ_INT(KIT_DO(t, &admin, .verb = OP_TOKEN_CREATE, .payload = buf,
			    .payload_len = wr_len(&w), .name = kit_token_name(&token)), REG_OK);
	kit_free(t);
}

static void test_keeper_refuses_members_whose_time_is_over_but_renews_them_when_asked(void)
{
	struct pair p = two_members();
	struct keeper_role *k = p.t->keepers[0].k;
	const uint8_t *grant;
	struct grant g;
	size_t n;

	p.t->now += DAYS(30);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = kit_address("10.1.0.9")),
		     REG_EXPIRED);
	keeper_member_grant(k, &p.a.pub, &grant, p.t->now);
	kit_run(p.t, SEC(6));
	n = keeper_member_grant(k, &p.a.pub, &grant, p.t->now);
	CHECK(grant_verify(&g, grant, n, &p.t->config, &crypto_real));
	CHECK(grant_end(&g) > KIT_WALL + 59 * 86400);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = kit_address("10.1.0.9")), REG_OK);
	kit_free(p.t);
}

static void test_keeper_renews_memberships_from_half_their_life(void)
{
	struct pair p = two_members();
	struct keeper_role *k = p.t->keepers[0].k;
	struct member_payload before, after;
	const uint8_t *grant;

	keeper_member(k, &p.a.pub, &before);
	p.t->now += DAYS(14);
	keeper_member_grant(k, &p.a.pub, &grant, p.t->now);
	kit_run(p.t, SEC(6));
	keeper_member(k, &p.a.pub, &after);
	CHECK_EQ_INT(after.serial, before.serial);
	p.t->now += DAYS(1) + SEC(1);
	keeper_member_grant(k, &p.a.pub, &grant, p.t->now);
	kit_run(p.t, SEC(6));
	keeper_member(k, &p.a.pub, &after);
	CHECK_EQ_INT(after.serial, before.serial + 1);
	CHECK(after.not_after > before.not_after);
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

static void test_keeper_of_two_copies_of_a_node_the_newer_start_wins(void)
{
	struct pair p = two_members();
	struct reg_name name = reg_name_key(REG_START, p.a.pub.b, KEY_LEN);
	static const struct {
		uint32_t counter;
		uint8_t nonce;
		enum reg_status status;
	} starts[] = { { 5, 1, REG_OK }, { 5, 1, REG_OK }, { 5, 2, REG_SUPERSEDED },
		       { 4, 1, REG_SUPERSEDED }, { 6, 2, REG_OK }, { 5, 1, REG_SUPERSEDED } };

	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		struct start_payload s = { starts[i].counter, { starts[i].nonce } };
		uint8_t buf[20];
		struct wr w = wr_of(buf, sizeof(buf));
		struct reg_op op = { .verb = OP_START, .name = name, .payload = buf };

		wr_start_payload(&w, &s);
		op.payload_len = wr_len(&w);
		CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.a)), starts[i].status);
		op.number = 0;
		CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.b)), REG_REFUSED);
	}
	kit_free(p.t);
}

static void test_keeper_reading_what_nobody_owns_leaves_no_trace(void)
{
	struct pair p = two_members();

	kit_run(p.t, SEC(1));
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_READ, .name = kit_address("10.1.0.9")),
		     REG_UNKNOWN);
	CHECK_EQ_INT(p.t->keepers[0].record_count, 4); /* e, k, two members */
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
	CHECK_EQ_INT(kit_status(kit_do(p.t, op, &p.b)), REG_OK);
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
	CHECK(!kit_do(p.t, op, &p.a));
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

		CHECK(s == (had ? REG_OWNED : REG_OK) || (!had && s == REG_OWNED && writes >= 2));
		answered += had;
		kit_free(p.t);
	}
	CHECK_EQ_INT(answered, 2);
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
		CHECK_EQ_INT(is_listed(p.t, &p.a), m.revoked);
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
	CHECK_EQ_INT(keeper_drops(k)->count[DROP_UNKNOWN], 1);
	for (size_t n = 0; n < len; n++)
		keeper_input(k, &p.a.pub, msg, n, p.t->now);
	CHECK_EQ_INT(keeper_drops(k)->count[DROP_MALFORMED], len);
	msg[1] ^= 1; /* another namespace */
	keeper_input(k, &p.a.pub, msg, len, p.t->now);
	CHECK_EQ_INT(keeper_drops(k)->count[DROP_MALFORMED], len + 1);
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
	usec_t since;

	t->keepers[2].is_cut_off = true;
	CHECK_EQ_INT(kit_member_add(t, &a, 0), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_CLAIM, .name = nth_address(10)), REG_OK);
	t->keepers[1].is_cut_off = true;
	since = t->now;
	request = kit_ask(t, (struct reg_op){ .verb = OP_CLAIM, .name = nth_address(11) }, &a);
	kit_run(t, SEC(6));
	CHECK_EQ_INT(kit_status(kit_answer_of(t, request)), REG_NO_QUORUM);
	CHECK(t->now - since <= SEC(5) + MSEC(1));
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

static void test_keeper_plain_admin_cannot_unmake_another(void)
{
	struct kit *t = kit_new(1);
	struct key_pair admin = kit_key(1), other = kit_key(2);
	struct member_payload m = { .rights = 0 };
	uint8_t buf[300];
	struct wr w = wr_of(buf, sizeof(buf));

	CHECK_EQ_INT(kit_member_add(t, &admin, RIGHT_ADMIN), REG_OK);
	CHECK_EQ_INT(kit_member_add(t, &other, RIGHT_ADMIN), REG_OK);
	wr_member_payload(&w, &m);
	CHECK_EQ_INT(KIT_DO(t, &admin, .verb = OP_MEMBER_SET, .payload = buf,
			    .payload_len = wr_len(&w), .name = kit_member_name(&other)),
		     REG_REFUSED);
	CHECK_EQ_INT(KIT_DO(t, &admin, .verb = OP_MEMBER_REVOKE, .name = kit_member_name(&other)),
		     REG_REFUSED);
	CHECK_EQ_INT(kit_member_add(t, &other, 0), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &admin, .verb = OP_MEMBER_REVOKE, .name = kit_member_name(&other)),
		     REG_OK);
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
	TEST(test_keeper_grants_a_free_address_to_a_member),
	TEST(test_keeper_refuses_a_taken_address_and_names_its_owner),
	TEST(test_keeper_grants_to_one_of_two_claims_in_flight),
	TEST(test_keeper_gives_a_released_address_to_another_at_once),
	TEST(test_keeper_gives_to_another_only_when_the_lease_is_surely_over),
	TEST(test_keeper_counts_a_lease_anew_after_a_restart),
	TEST(test_keeper_reading_does_not_prolong_a_lease),
	TEST(test_keeper_refuses_an_operation_older_than_the_last),
	TEST(test_keeper_answers_a_repeated_operation_alike),
	TEST(test_keeper_transfer_needs_the_exact_generation_and_is_voided_by_a_renewal),
	TEST(test_keeper_refuses_addresses_that_are_not_for_hosts),
	TEST(test_keeper_holds_hosts_and_routers_to_their_quotas),
	TEST(test_keeper_counts_quotas_again_after_a_restart),
	TEST(test_keeper_slows_a_host_down_to_its_rate),
	TEST(test_keeper_refuses_strangers_and_forged_signatures),
	TEST(test_keeper_refuses_payloads_that_are_not_canonical),
	TEST(test_keeper_enrols_by_token_and_grants_the_membership),
	TEST(test_keeper_second_enrolment_of_one_key_costs_no_second_use),
	TEST(test_keeper_token_admits_exactly_its_uses_of_many_at_once),
	TEST(test_keeper_refuses_unknown_expired_and_revoked_tokens),
	TEST(test_keeper_enrolment_must_be_signed_by_the_session_and_the_token),
	TEST(test_keeper_revoked_member_is_listed_and_refused_everything),
	TEST(test_keeper_revocation_counts_for_what_waits_in_a_queue),
	TEST(test_keeper_token_revocation_may_take_its_members_along),
	TEST(test_keeper_does_not_revoke_a_keeper),
	TEST(test_keeper_admin_right_is_the_roots_to_give),
	TEST(test_keeper_refuses_members_whose_time_is_over_but_renews_them_when_asked),
	TEST(test_keeper_renews_memberships_from_half_their_life),
	TEST(test_keeper_makes_its_grants_again_after_a_restart),
	TEST(test_keeper_of_two_copies_of_a_node_the_newer_start_wins),
	TEST(test_keeper_reading_what_nobody_owns_leaves_no_trace),
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
	TEST(test_keeper_transfers_only_to_members),
	TEST(test_keeper_plain_admin_cannot_unmake_another),
	TEST(test_keeper_of_another_incarnation_is_not_the_keeper),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
