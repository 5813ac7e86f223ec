#include "dht/register.h"

#include "dht/regmsg.h"
#include "tests/unit/keeper_ops.h"

static void test_register_names_refuse_what_the_protocol_does_not_allow(void)
{
	static const char *const bad[] = { "", "A", "a_b", "-a", "a-", "a.b", "a b",
		"a123456789012345678901234567890123456789012345678901234567890123" };
	struct reg_name n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(!reg_name_host(&n, bad[i]));
	CHECK(reg_name_host(&n, "a-1"));
	CHECK(reg_name_host(&n, "a12345678901234567890123456789012345678901234567890123456789012"));
	CHECK_EQ_INT(n.len, 63);
}

static void test_register_name_of_wrong_kind_or_length_is_refused(void)
{
	static const struct {
		uint8_t kind, len;
		bool good;
	} rows[] = { { 0, 4, 0 }, { 1, 4, 1 }, { 1, 3, 0 }, { 1, 16, 0 }, { 2, 0, 0 }, { 2, 64, 0 },
		     { 3, 32, 1 }, { 3, 31, 0 }, { 4, 32, 1 }, { 5, 32, 1 }, { 5, 33, 0 },
		     { 6, 0, 1 }, { 6, 1, 0 }, { 7, 4, 0 } };
	uint8_t buf[80] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rd r = rd_of(buf, (size_t)3 + rows[i].len);

		buf[0] = rows[i].kind;
		buf[2] = rows[i].len;
		rd_reg_name(&r);
		CHECK_EQ_INT(rd_done(&r), rows[i].good);
	}
}

static struct reg_op claim_op(void)
{
	struct reg_op op = { .verb = OP_CLAIM, .name = kit_address("10.1.0.9"), .number = 7,
			     .generation = 3, .lease = 100, .deadline = 5,
			     .payload = (const uint8_t *)"xyz", .payload_len = 3 };

	nsid_of(op.nsid, kit_pub(1000));
	return op;
}

static void test_register_operation_comes_back_as_it_was_written(void)
{
	struct key_pair a = kit_key(1);
	struct reg_op op = claim_op(), got;
	uint8_t buf[REG_OP_MAX];
	size_t len = reg_op_write(buf, sizeof(buf), &op, &crypto_real, &a, NULL);

	CHECK(len && reg_op_read(&got, buf, len));
	CHECK(reg_op_verify(&got, buf, len, &crypto_real));
	CHECK(reg_name_equal(&got.name, &op.name));
	CHECK_MEM(got.nsid, op.nsid, NSID_LEN);
	CHECK_EQ_INT(got.verb, OP_CLAIM);
	CHECK_EQ_INT(got.number, 7);
	CHECK_EQ_INT(got.generation, 3);
	CHECK_EQ_INT(got.lease, 100);
	CHECK_EQ_INT(got.deadline, 5);
	CHECK_EQ_INT(got.payload_len, 3);
	CHECK_MEM(got.payload, "xyz", 3);
	CHECK(key_equal(&got.signer, &a.pub));
	CHECK_EQ_INT(reg_op_write(buf, len - 1, &op, &crypto_real, &a, NULL), 0);
}

static void test_register_operation_with_any_byte_changed_is_refused(void)
{
	struct key_pair a = kit_key(1), token = kit_key(2);
	struct reg_op op = { .verb = OP_TOKEN_USE, .number = 1, .name = kit_token_name(&token) };
	struct reg_op got;
	uint8_t buf[REG_OP_MAX];
	size_t len = reg_op_write(buf, sizeof(buf), &op, &crypto_real, &a, &token);

	CHECK(reg_op_read(&got, buf, len) && reg_op_verify(&got, buf, len, &crypto_real));
	for (size_t i = 0; i < len; i++) {
		buf[i] ^= 1;
		CHECK(!reg_op_read(&got, buf, len) || !reg_op_verify(&got, buf, len, &crypto_real));
		buf[i] ^= 1;
	}
	for (size_t n = 0; n < len; n++)
		CHECK(!reg_op_read(&got, buf, n));
	buf[len] = 0;
	CHECK(!reg_op_read(&got, buf, len + 1));
}

static void test_register_operation_form_ties_verb_kind_heir_and_second_key(void)
{
	struct key_pair a = kit_key(1), token = kit_key(2);
	struct pubkey heir = token.pub;
	struct reg_name address = kit_address("10.1.0.9"), member = kit_member_name(&a);
	struct {
		struct reg_op op;
		bool second, good;
	} rows[] = {
		{ { .verb = OP_CLAIM, .name = address }, false, true },
		{ { .verb = OP_CLAIM, .name = member }, false, false },
		{ { .verb = OP_CLAIM, .name = address, .heir = heir }, false, false },
		{ { .verb = OP_CLAIM, .name = address }, true, false },
		{ { .verb = OP_TRANSFER, .name = address, .heir = heir }, false, true },
		{ { .verb = OP_TRANSFER, .name = address }, false, false },
		{ { .verb = OP_TOKEN_USE, .name = kit_token_name(&token) }, true, true },
		{ { .verb = OP_TOKEN_USE, .name = kit_token_name(&token) }, false, false },
		{ { .verb = OP_MEMBER_ENROL, .name = member }, false, false },
		{ { .verb = OP_MEMBER_RENEW, .name = member }, false, false },
		{ { .verb = OP_REVOKE_ADD, .name = reg_name_key(REG_REVOCATION, NULL, 0) }, false,
		  false },
		{ { .verb = OP_READ, .name = member }, false, true },
		{ { .verb = 0, .name = member }, false, false },
		{ { .verb = 6, .name = member }, false, false },
		{ { .verb = 255, .name = member }, false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t buf[REG_OP_MAX];
		size_t len = reg_op_write(buf, sizeof(buf), &rows[i].op, &crypto_real, &a,
					  rows[i].second ? &token : NULL);
		struct reg_op got;

		CHECK_EQ_INT(reg_op_read(&got, buf, len), rows[i].good);
	}
}

static void test_register_owned_payload_over_64_bytes_is_refused(void)
{
	static const uint8_t payload[65];
	struct key_pair a = kit_key(1);
	struct reg_op op = claim_op(), got;
	uint8_t buf[REG_OP_MAX];

	op.payload = payload;
	op.payload_len = 65;
	CHECK(!reg_op_read(&got, buf, reg_op_write(buf, sizeof(buf), &op, &crypto_real, &a, NULL)));
	op.payload_len = 64;
	CHECK(reg_op_read(&got, buf, reg_op_write(buf, sizeof(buf), &op, &crypto_real, &a, NULL)));
}

static void test_register_value_comes_back_and_free_ones_are_never_written(void)
{
	struct reg_value v = { .state = REG_HELD, .generation = 5, .number = 6, .lease = 7,
			       .owner = kit_key(1).pub, .payload = (const uint8_t *)"ab",
			       .payload_len = 2, .proof = (const uint8_t *)"c", .proof_len = 1 };
	uint8_t buf[REG_VALUE_MAX];
	struct wr w = wr_of(buf, sizeof(buf));
	struct reg_value got;
	struct rd r;

	wr_reg_value(&w, &v);
	r = rd_of(buf, wr_len(&w));
	CHECK(rd_reg_value(&r, &got) && rd_done(&r));
	CHECK_EQ_INT(got.generation, 5);
	CHECK_EQ_INT(got.proof_len, 1);
	CHECK_MEM(got.payload, "ab", 2);
	for (size_t n = 0; n < wr_len(&w); n++) {
		r = rd_of(buf, n);
		CHECK(!rd_reg_value(&r, &got));
	}
	for (int state = 0; state < 256; state += 4) { /* 0, 4 and above */
		buf[0] = (uint8_t)state;
		r = rd_of(buf, wr_len(&w));
		CHECK(!rd_reg_value(&r, &got));
	}
}

static void test_register_ballots_compare_field_by_field(void)
{
	static const struct ballot rising[] = { { 0, 0, 0, 0 }, { 0, 0, 0, 1 }, { 0, 0, 1, 0 },
						{ 0, 1, 0, 0 }, { 1, 0, 0, 0 } };

	for (size_t i = 0; i < ARRAY_LEN(rising); i++)
		for (size_t j = 0; j < ARRAY_LEN(rising); j++)
			CHECK_EQ_INT(ballot_compare(&rising[i], &rising[j]), (i > j) - (i < j));
}

static void test_register_messages_come_back_and_refuse_every_other_length(void)
{
	uint8_t out[REGMSG_MAX], again[REGMSG_MAX];

	for (uint8_t type = 1; type < REGMSG_TYPE_COUNT; type++) {
		struct regmsg m = { .type = type, .request = 9, .status = REG_QUOTA,
				    .name = kit_address("10.1.0.9"), .ballot = { 1, 2, 3, 4 },
				    .accepted = { 5, 6, 7, 8 }, .age = 10, .beacon = 11,
				    .bytes = (const uint8_t *)"bytes", .len = 5,
				    .config = (const uint8_t *)"cf", .config_len = 2,
				    .planned_count = 1 };
		bool open = type == REGMSG_OPERATION || type == REGMSG_CELLS; /* to the end */
		size_t len = regmsg_write(out, sizeof(out), &m);
		struct regmsg got;

		CHECK(len && regmsg_read(&got, out, len));
		CHECK_EQ_INT(regmsg_write(again, sizeof(again), &got), len);
		CHECK_MEM(out, again, len);
		for (size_t n = 0; n < len && !open; n++)
			CHECK(!regmsg_read(&got, out, n));
		CHECK(open || !regmsg_read(&got, out, len + 1));
	}
	out[0] = REGMSG_TYPE_COUNT;
	CHECK(!regmsg_read(&(struct regmsg){ 0 }, out, 100));
}

static void test_register_every_status_has_a_text_of_its_own(void)
{
	for (int i = 0; i < REG_STATUS_COUNT; i++)
		for (int j = 0; j < i; j++)
			CHECK(strcmp(reg_status_text((enum reg_status)i),
				     reg_status_text((enum reg_status)j)) != 0);
	CHECK(strcmp(reg_status_text(REG_STATUS_COUNT), "unknown status") == 0);
}

static const struct test tests[] = {
	TEST(test_register_names_refuse_what_the_protocol_does_not_allow),
	TEST(test_register_name_of_wrong_kind_or_length_is_refused),
	TEST(test_register_operation_comes_back_as_it_was_written),
	TEST(test_register_operation_with_any_byte_changed_is_refused),
	TEST(test_register_operation_form_ties_verb_kind_heir_and_second_key),
	TEST(test_register_owned_payload_over_64_bytes_is_refused),
	TEST(test_register_value_comes_back_and_free_ones_are_never_written),
	TEST(test_register_ballots_compare_field_by_field),
	TEST(test_register_messages_come_back_and_refuse_every_other_length),
	TEST(test_register_every_status_has_a_text_of_its_own),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
