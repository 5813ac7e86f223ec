/* test_keeper_rights.c - who may change what, and what members and strangers can make a keeper
 * keep. */
#include "dht/keeper_impl.h"

#include "tests/unit/keeper_ops.h"

static enum reg_status set_rights(struct kit *t, const struct key_pair *admin,
				  const struct key_pair *who, uint32_t rights)
{
	struct member_payload m = { .rights = rights };
	uint8_t buf[300];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_member_payload(&w, &m);
	return KIT_DO(t, admin, .verb = OP_MEMBER_SET, .payload = buf, .payload_len = wr_len(&w),
		      .name = kit_member_name(who));
}

static enum reg_status token_with(struct kit *t, const struct key_pair *admin,
				  const struct key_pair *token, uint32_t rights)
{
	struct token_payload p = { .uses = 9, .expires = KIT_WALL + 3600, .rights = rights };
	uint8_t buf[300];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_token_payload(&w, &p);
	return KIT_DO(t, admin, .verb = OP_TOKEN_CREATE, .payload = buf, .payload_len = wr_len(&w),
		      .name = kit_token_name(token));
}

static uint32_t rights_of(struct kit *t, const struct key_pair *who)
{
	struct member_payload m;

	return keeper_member(t->keepers[0].k, &who->pub, &m) ? m.rights : UINT32_MAX;
}

/* A right that an admin took away does not come back with the token that once gave it. */
static void test_keeper_rights_taken_away_do_not_come_back_with_the_token(void)
{
	struct kit *t = kit_new(1);
	struct key_pair router = kit_key(500), plain = kit_key(501), node = kit_key(1);

	CHECK_EQ_INT(token_with(t, &t->root, &router, RIGHT_ROUTER), REG_OK);
	CHECK_EQ_INT(token_with(t, &t->root, &plain, 0), REG_OK);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &node, &router)), REG_OK);
	CHECK_EQ_INT(rights_of(t, &node), RIGHT_ROUTER);
	CHECK_EQ_INT(set_rights(t, &t->root, &node, 0), REG_OK);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &node, &plain)), REG_OK);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &node, &router)), REG_OK);
	CHECK_EQ_INT(rights_of(t, &node), 0);
	t->now += DAYS(40); /* lapsed: admitted again, with what it had */
	CHECK_EQ_INT(kit_status(kit_enrol(t, &node, &router)), REG_OK);
	CHECK_EQ_INT(rights_of(t, &node), 0);
	CHECK_EQ_INT(KIT_DO(t, &node, .verb = OP_CLAIM, .name = kit_address("10.1.0.9")), REG_OK);
	kit_free(t);
}

static void test_keeper_second_token_adds_its_rights(void)
{
	struct kit *t = kit_new(1);
	struct key_pair router = kit_key(500), plain = kit_key(501), node = kit_key(1);

	CHECK_EQ_INT(token_with(t, &t->root, &router, RIGHT_ROUTER), REG_OK);
	CHECK_EQ_INT(token_with(t, &t->root, &plain, 0), REG_OK);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &node, &plain)), REG_OK);
	CHECK_EQ_INT(set_rights(t, &t->root, &node, RIGHT_RELAY), REG_OK);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &node, &router)), REG_OK);
	CHECK_EQ_INT(rights_of(t, &node), RIGHT_ROUTER | RIGHT_RELAY);
	kit_free(t);
}

static void test_keeper_plain_admin_cannot_revoke_an_admin_by_his_token(void)
{
	static const uint8_t all[] = { 1 };
	struct kit *t = kit_new(1);
	struct key_pair token = kit_key(500), admin = kit_key(1), other = kit_key(2);
	struct reg_op op = { .verb = OP_TOKEN_REVOKE, .name = kit_token_name(&token),
			     .payload = all, .payload_len = 1 };
	struct member_payload m;

	CHECK_EQ_INT(kit_member_add(t, &admin, RIGHT_ADMIN), REG_OK);
	CHECK_EQ_INT(token_with(t, &t->root, &token, RIGHT_ADMIN), REG_OK);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &other, &token)), REG_OK);
	CHECK_EQ_INT(kit_status(kit_do(t, op, &admin)), REG_REFUSED);
	CHECK(keeper_member(t->keepers[0].k, &other.pub, &m) && !m.revoked);
	CHECK_EQ_INT(kit_status(kit_do(t, op, &t->root)), REG_OK);
	CHECK(keeper_member(t->keepers[0].k, &other.pub, &m) && m.revoked);
	kit_free(t);
}

static void test_keeper_plain_admin_cannot_revoke_an_admin_of_the_settings(void)
{
	struct kit *t = kit_new(1);
	struct key_pair admin = kit_key(1), other = kit_key(2);

	CHECK_EQ_INT(kit_member_add(t, &admin, RIGHT_ADMIN), REG_OK);
	CHECK_EQ_INT(kit_member_add(t, &other, 0), REG_OK);
	t->settings.admins[t->settings.admin_count++] = other.pub;
	CHECK_EQ_INT(KIT_DO(t, &admin, .verb = OP_MEMBER_REVOKE, .name = kit_member_name(&other)),
		     REG_REFUSED);
	CHECK_EQ_INT(KIT_DO(t, &t->root, .verb = OP_MEMBER_REVOKE, .name = kit_member_name(&other)),
		     REG_OK);
	kit_free(t);
}

/* The token is revoked with its members while an enrolment is between its two links. */
static void test_keeper_enrolment_under_way_does_not_outrun_the_tokens_revocation(void)
{
	static const uint8_t all[] = { 1 };
	struct kit *t = kit_new(1);
	struct kit_keeper *kk = &t->keepers[0];
	struct key_pair token = kit_key(500), node = kit_key(1);
	struct reg_op op = { .verb = OP_TOKEN_REVOKE, .name = kit_token_name(&token),
			     .payload = all, .payload_len = 1 };
	struct member_payload m;

	CHECK_EQ_INT(kit_token_add(t, &token, 5), REG_OK);
	kit_enrol_ask(t, &node, &token);
	kit_write_one(kk);
	kit_write_one(kk); /* the use is counted */
	kit_ask(t, op, &t->root);
	kk->disk_fails = true;
	kit_write_one(kk); /* the member's first write fails: repeated later */
	kk->disk_fails = false;
	kit_run(t, SEC(16));
	CHECK(!keeper_member(kk->k, &node.pub, &m) || m.revoked);
	kit_free(t);
}

/* Another admin's clock may be a year ahead, and the numbers with it. */
static void test_keeper_revokes_whatever_numbers_other_admins_used(void)
{
	struct kit *t = kit_new(1);
	struct key_pair admin = kit_key(1), node = kit_key(2), token = kit_key(500);
	uint64_t now;

	CHECK_EQ_INT(kit_member_add(t, &admin, RIGHT_ADMIN), REG_OK);
	now = t->number;
	t->number += UINT64_C(1) << 45;
	CHECK_EQ_INT(set_rights(t, &admin, &node, 0), REG_OK);
	CHECK_EQ_INT(token_with(t, &admin, &token, 0), REG_OK);
	t->number = now;
	CHECK_EQ_INT(KIT_DO(t, &t->root, .verb = OP_MEMBER_REVOKE, .name = kit_member_name(&node)),
		     REG_OK);
	CHECK(kit_is_listed(t, &node));
	CHECK_EQ_INT(KIT_DO(t, &t->root, .verb = OP_TOKEN_REVOKE, .name = kit_token_name(&token),
			    .payload = (const uint8_t[]){ 0 }, .payload_len = 1), REG_OK);
	kit_free(t);
}

static void test_keeper_clock_a_year_ahead_forgets_no_revocation(void)
{
	struct pair p = two_members();

	CHECK_EQ_INT(KIT_DO(p.t, &p.t->root, .verb = OP_MEMBER_REVOKE,
			    .name = kit_member_name(&p.a)), REG_OK);
	p.t->wall.base += 365 * 86400;
	CHECK_EQ_INT(KIT_DO(p.t, &p.t->root, .verb = OP_MEMBER_REVOKE,
			    .name = kit_member_name(&p.b)), REG_OK);
	p.t->wall.base -= 365 * 86400;
	CHECK(kit_is_listed(p.t, &p.a) && kit_is_listed(p.t, &p.b));
	kit_free(p.t);
}

/* --- what others can make it keep --- */

static size_t cells(struct kit *t) { return t->keepers[0].k->acceptor.cells.count; }

static void test_keeper_keeps_nothing_about_registers_that_were_never_held(void)
{
	static const enum reg_verb verbs[] = { OP_RENEW, OP_RELEASE, OP_READ, OP_CLAIM };
	struct pair p = two_members();
	size_t before;

	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = nth_address(10 + i)),
			     REG_OK);
	before = cells(p.t);
	p.t->now += HOURS(1);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = verbs[i], .name = nth_address(90 + (uint32_t)i)),
			     verbs[i] == OP_CLAIM ? REG_QUOTA : REG_UNKNOWN);
	CHECK_EQ_INT(KIT_DO(p.t, &p.t->root, .verb = OP_MEMBER_REVOKE,
			    .name = reg_name_key(REG_MEMBER, kit_pub(77)->b, KEY_LEN)), REG_UNKNOWN);
	CHECK_EQ_INT(cells(p.t), before);
	kit_free(p.t);
}

static void test_keeper_bounds_what_one_member_leaves_behind(void)
{
	struct pair p = two_members();
	enum reg_status status = REG_OK;
	char host[16];
	int n = 0;

	for (; n < 200 && status == REG_OK; n++) {
		p.t->now += MINUTES(1);
		snprintf(host, sizeof(host), "n%d", n);
		status = KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = kit_host(host));
		if (status == REG_OK)
			CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_RELEASE, .name = kit_host(host)),
				     REG_OK);
	}
	CHECK_EQ_INT(status, REG_QUOTA);
	p.t->now += MINUTES(1);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = kit_host("n0")), REG_OK);
	CHECK_EQ_INT(KIT_DO(p.t, &p.b, .verb = OP_CLAIM, .name = kit_host("other")), REG_OK);
	kit_free(p.t);
}

static void test_keeper_keeps_no_books_about_strangers(void)
{
	struct pair p = two_members();
	size_t before = p.t->keepers[0].k->quota.books.count;

	for (uint32_t i = 0; i < 100; i++) {
		struct key_pair stranger = kit_key(5000 + i);
		struct reg_op op = { .verb = OP_CLAIM, .name = nth_address(40 + i) };

		kit_ask(p.t, op, &stranger);
	}
	kit_run(p.t, SEC(1));
	CHECK_EQ_INT(p.t->keepers[0].k->quota.books.count, before);
	CHECK_EQ_INT(KIT_DO(p.t, &p.a, .verb = OP_CLAIM, .name = nth_address(41)), REG_OK);
	kit_free(p.t);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_keeper_rights_taken_away_do_not_come_back_with_the_token),
		TEST(test_keeper_second_token_adds_its_rights),
		TEST(test_keeper_plain_admin_cannot_revoke_an_admin_by_his_token),
		TEST(test_keeper_plain_admin_cannot_revoke_an_admin_of_the_settings),
		TEST(test_keeper_enrolment_under_way_does_not_outrun_the_tokens_revocation),
		TEST(test_keeper_revokes_whatever_numbers_other_admins_used),
		TEST(test_keeper_clock_a_year_ahead_forgets_no_revocation),
		TEST(test_keeper_keeps_nothing_about_registers_that_were_never_held),
		TEST(test_keeper_bounds_what_one_member_leaves_behind),
		TEST(test_keeper_keeps_no_books_about_strangers),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
