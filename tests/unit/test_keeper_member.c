/* test_keeper_member.c - tokens, memberships, revocations, starts. */
#include "dht/keeper.h"

#include "tests/unit/keeper_ops.h"

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
	CHECK(kit_is_listed(t, &node));
	CHECK(!kit_is_listed(t, &heir));
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

		CHECK(kit_is_listed(t, &node));
		CHECK(keeper_member(t->keepers[0].k, &node.pub, &m) && m.revoked);
	}
	CHECK(!kit_is_listed(t, &outside));
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

static const struct test tests[] = {
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
	TEST(test_keeper_of_two_copies_of_a_node_the_newer_start_wins),
	TEST(test_keeper_plain_admin_cannot_unmake_another),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
