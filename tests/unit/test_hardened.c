/* test_hardened.c - four of five: what every honest operation gets in a set that believes nobody, and
 * what is refused by name. Lies are told in test_liar.c. */
#include "dht/keeper.h"

#include "tests/unit/keeper_ops.h"

static struct kit *five(void) { return kit_new_set(5, 4); }

static enum reg_status revoke(struct kit *t, const struct key_pair *k)
{
	return KIT_DO(t, &t->root, .verb = OP_MEMBER_REVOKE, .name = kit_member_name(k));
}

static void test_hardened_set_grants_renews_gives_back_and_transfers(void)
{
	struct kit *t = five();
	struct key_pair a = kit_key(1), b = kit_key(2);
	struct reg_name name = kit_address("10.1.0.9"), host = kit_host("db");
	struct reg_op transfer = { .verb = OP_TRANSFER, .name = name, .generation = 1,
				   .heir = b.pub, .deadline = KIT_WALL + 100 };

	CHECK_EQ_INT(kit_member_add(t, &a, 0), REG_OK);
	CHECK_EQ_INT(kit_member_add(t, &b, 0), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_CLAIM, .name = name), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_RENEW, .name = name), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &b, .verb = OP_CLAIM, .name = name), REG_OWNED);
	CHECK_EQ_INT(kit_status(kit_do(t, transfer, &a)), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_RENEW, .name = name), REG_OWNED);
	CHECK_EQ_INT(KIT_DO(t, &b, .verb = OP_RENEW, .name = name, .generation = 2), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &b, .verb = OP_RELEASE, .name = name), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_CLAIM, .name = name), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_CLAIM, .name = host), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &b, .verb = OP_READ, .name = host), REG_OK);
	kit_free(t);
}

static void test_hardened_set_enrols_by_token_and_revokes_with_all_that_follows(void)
{
	struct kit *t = five();
	struct key_pair token = kit_key(500), a = kit_key(1), b = kit_key(2), c = kit_key(3);
	uint8_t all = 1;

	CHECK_EQ_INT(kit_token_add(t, &token, 2), REG_OK);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &a, &token)), REG_OK);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &b, &token)), REG_OK);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &c, &token)), REG_USED_UP);
	CHECK_EQ_INT(KIT_DO(t, &b, .verb = OP_CLAIM, .name = nth_address(9)), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &t->root, .verb = OP_TOKEN_REVOKE, .name = kit_token_name(&token),
			    .payload = &all, .payload_len = 1), REG_OK);
	CHECK(kit_is_listed(t, &a) && kit_is_listed(t, &b));
	CHECK_EQ_INT(KIT_DO(t, &b, .verb = OP_RENEW, .name = nth_address(9)), REG_REVOKED);
	CHECK_EQ_INT(kit_member_add(t, &c, RIGHT_RELAY), REG_OK);
	CHECK_EQ_INT(revoke(t, &c), REG_OK);
	CHECK(kit_is_listed(t, &c));
	CHECK_EQ_INT(revoke(t, &t->keepers[1].key), REG_REFUSED);
	kit_free(t);
}

static void test_hardened_set_revoking_a_member_closes_its_token(void)
{
	struct kit *t = five();
	struct key_pair token = kit_key(500), a = kit_key(1), b = kit_key(2), c = kit_key(3);
	uint8_t all = 1;

	CHECK_EQ_INT(kit_token_add(t, &token, 3), REG_OK);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &a, &token)), REG_OK);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &c, &token)), REG_OK);
	CHECK_EQ_INT(revoke(t, &a), REG_OK);
	CHECK_EQ_INT(kit_status(kit_enrol(t, &b, &token)), REG_REVOKED);
	CHECK_EQ_INT(KIT_DO(t, &c, .verb = OP_CLAIM, .name = nth_address(9)), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &t->root, .verb = OP_TOKEN_REVOKE, .name = kit_token_name(&token),
			    .payload = &all, .payload_len = 1), REG_OK);
	CHECK(kit_is_listed(t, &c));
	kit_free(t);
}

static void test_hardened_set_renews_memberships(void)
{
	struct kit *t = five();
	struct key_pair a = kit_key(1);
	struct member_payload before, after;
	const uint8_t *grant;

	CHECK_EQ_INT(kit_member_add(t, &a, 0), REG_OK);
	CHECK(keeper_member(t->keepers[0].k, &a.pub, &before));
	t->now += HOURS(24 * 20);
	keeper_member_grant(t->keepers[0].k, &a.pub, &grant, t->now);
	kit_run(t, SEC(10));
	CHECK(keeper_member(t->keepers[3].k, &a.pub, &after));
	CHECK(after.not_after > before.not_after && after.serial == before.serial + 1);
	kit_free(t);
}

static void test_hardened_set_counts_start_registers(void)
{
	struct kit *t = five();
	struct key_pair a = kit_key(1), b = kit_key(2);
	uint8_t payload[20] = { 0, 0, 0, 5 };
	struct reg_op op = { .verb = OP_START, .payload = payload, .payload_len = sizeof(payload),
			     .name = reg_name_key(REG_START, a.pub.b, KEY_LEN) };

	CHECK_EQ_INT(kit_member_add(t, &a, 0), REG_OK);
	CHECK_EQ_INT(kit_member_add(t, &b, 0), REG_OK);
	CHECK_EQ_INT(kit_status(kit_do(t, op, &a)), REG_OK);
	payload[3] = 4;
	CHECK_EQ_INT(kit_status(kit_do(t, op, &a)), REG_SUPERSEDED);
	payload[3] = 6;
	CHECK_EQ_INT(kit_status(kit_do(t, op, &b)), REG_REFUSED);
	kit_free(t);
}

/* Whoever was away has missed memberships and registers; it is needed as soon as another goes. */
static void test_hardened_set_takes_back_a_keeper_that_was_away(void)
{
	struct kit *t = five();
	struct key_pair a = kit_key(1), b = kit_key(2);
	enum reg_status s = REG_BUSY;

	CHECK_EQ_INT(kit_member_add(t, &a, 0), REG_OK);
	t->keepers[4].is_cut_off = true;
	CHECK_EQ_INT(kit_member_add(t, &b, 0), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_CLAIM, .name = nth_address(9)), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_RELEASE, .name = nth_address(9)), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &b, .verb = OP_CLAIM, .name = nth_address(9)), REG_OK);
	t->keepers[4].is_cut_off = false;
	t->keepers[3].is_cut_off = true;
	for (int i = 0; i < 3 && s != REG_OK; i++)
		s = KIT_DO(t, &b, .verb = OP_RENEW, .name = nth_address(9));
	CHECK_EQ_INT(s, REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_CLAIM, .name = nth_address(9)), REG_OWNED);
	for (int i = 0; i < 3 && (i == 0 || s != REG_OK); i++)
		s = KIT_DO(t, &b, .verb = OP_CLAIM, .name = nth_address(10));
	CHECK_EQ_INT(s, REG_OK);
	kit_free(t);
}

static void test_hardened_set_gives_what_a_lease_has_left_free(void)
{
	struct kit *t = five();
	struct key_pair a = kit_key(1), b = kit_key(2);
	struct reg_op op = { .verb = OP_CLAIM, .name = nth_address(9), .lease = 1990 };

	CHECK_EQ_INT(kit_member_add(t, &a, 0), REG_OK);
	CHECK_EQ_INT(kit_member_add(t, &b, 0), REG_OK);
	CHECK_EQ_INT(kit_status(kit_do(t, op, &a)), REG_OK);
	for (int i = 0; i < 20; i++) { /* asked about now and then, which prolongs nothing */
		t->now += SEC(80);
		CHECK_EQ_INT(KIT_DO(t, &b, .verb = OP_READ, .name = nth_address(9)), REG_OK);
	}
	CHECK_EQ_INT(kit_status(kit_do(t, op, &b)), REG_OWNED);
	t->now += SEC(200);
	CHECK_EQ_INT(kit_status(kit_do(t, op, &b)), REG_OK);
	kit_free(t);
}

static void test_hardened_set_stands_a_bad_net(void)
{
	size_t good = 0;

	for (uint32_t seed = 1; seed <= 10; seed++) {
		struct kit *t = five();
		struct key_pair a = kit_key(1);

		CHECK_EQ_INT(kit_member_add(t, &a, 0), REG_OK);
		t->rng = seed;
		t->loss = 15;
		for (uint32_t i = 0; i < 4; i++)
			good += KIT_DO(t, &a, .verb = OP_CLAIM, .name = nth_address(9 + i)) == REG_OK;
		kit_free(t);
	}
	CHECK(good >= 36);
}

/* An operation of a key for what is another key's, and those that only keepers make. */
static void test_hardened_set_refuses_foreign_keys_and_derived_operations_by_name(void)
{
	struct kit *t = five();
	struct key_pair a = kit_key(1), b = kit_key(2), stranger = kit_key(9);
	uint8_t buf[REG_OP_MAX];
	struct reg_op op = { .verb = OP_CLAIM, .name = nth_address(9) };
	uint64_t request;
	size_t len;

	CHECK_EQ_INT(kit_member_add(t, &a, 0), REG_OK);
	CHECK_EQ_INT(kit_member_add(t, &b, 0), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_CLAIM, .name = nth_address(9)), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &b, .verb = OP_RELEASE, .name = nth_address(9)), REG_OWNED);
	CHECK_EQ_INT(KIT_DO(t, &stranger, .verb = OP_CLAIM, .name = nth_address(10)), REG_REFUSED);
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_MEMBER_REVOKE, .name = kit_member_name(&b)),
		     REG_REFUSED);
	len = kit_op(t, buf, &op, &a, NULL);
	buf[len - 170] ^= 1; /* the signer: b's name under a's signature */
	request = kit_ask_bytes(t, 0, &b.pub, buf, len);
	kit_run(t, SEC(6));
	CHECK(kit_status(kit_answer_of(t, request)) == REG_REFUSED ||
	      kit_status(kit_answer_of(t, request)) == REG_MALFORMED);
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_CLAIM, .name = nth_address(9), .number = 1), REG_OLD);
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_CLAIM, .name = nth_address(20 + i)), REG_OK);
	CHECK_EQ_INT(KIT_DO(t, &a, .verb = OP_CLAIM, .name = nth_address(30)), REG_QUOTA);
	kit_free(t);
}

static const struct test tests[] = {
	TEST(test_hardened_set_grants_renews_gives_back_and_transfers),
	TEST(test_hardened_set_enrols_by_token_and_revokes_with_all_that_follows),
	TEST(test_hardened_set_revoking_a_member_closes_its_token),
	TEST(test_hardened_set_renews_memberships),
	TEST(test_hardened_set_counts_start_registers),
	TEST(test_hardened_set_takes_back_a_keeper_that_was_away),
	TEST(test_hardened_set_gives_what_a_lease_has_left_free),
	TEST(test_hardened_set_stands_a_bad_net),
	TEST(test_hardened_set_refuses_foreign_keys_and_derived_operations_by_name),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
