#include "dht/grant.h"

#include "tests/unit/keeper_ops.h"

/* Three keepers, quorum 2, epoch keys 100... */
static void set_make(struct config *cf)
{
	memset(cf, 0, sizeof(*cf));
	cf->root = kit_key(1).pub;
	cf->era = 1;
	cf->epoch = 1;
	cf->count = 3;
	cf->quorum = 2;
	for (uint32_t i = 0; i < 3; i++)
		cf->members[i].epoch_key = kit_key(100 + i).pub;
}

static size_t grant_make(uint8_t out[GRANT_MAX], struct grant *g, uint8_t signers)
{
	uint8_t sigs[KEEPERS_MAX][SIG_LEN], body[GRANT_MAX];
	struct wr w = wr_of(body, sizeof(body));

	wr_grant_body(&w, g);
	for (uint32_t i = 0; i < KEEPERS_MAX; i++) {
		struct key_pair k = kit_key(100 + i);

		crypto_real.sign(sigs[i], &k, GRANT_LABEL, body, wr_len(&w));
	}
	return grant_write(out, GRANT_MAX, g, signers, (const uint8_t(*)[SIG_LEN])sigs);
}

static struct grant some_grant(void)
{
	struct grant g = { .name = kit_address("10.1.0.9"), .state = REG_HELD, .generation = 4,
			   .owner = kit_key(7).pub, .number = 5, .lease = 60,
			   .payload = (const uint8_t *)"p", .payload_len = 1,
			   .ballot = { 1, 1, 3, 2 }, .beacon = 1000 };

	nsid_of(g.nsid, kit_pub(1));
	return g;
}

static void test_grant_of_a_quorum_is_believed(void)
{
	struct grant g = some_grant(), got;
	struct config cf;
	uint8_t buf[GRANT_MAX];

	set_make(&cf);
	for (uint8_t signers = 1; signers < 8; signers++) {
		size_t len = grant_make(buf, &g, signers);

		CHECK_EQ_INT(grant_verify(&got, buf, len, &cf, &crypto_real),
			     __builtin_popcount(signers) >= 2);
		CHECK(grant_read(&got, buf, len));
	}
	CHECK_EQ_INT(got.generation, 4);
	CHECK(key_equal(&got.owner, &g.owner));
	CHECK_MEM(got.payload, "p", 1);
	CHECK_EQ_INT(grant_end(&got), 1060);
}

static void test_grant_with_any_byte_changed_or_missing_is_refused(void)
{
	struct grant g = some_grant(), got;
	struct config cf;
	uint8_t buf[GRANT_MAX];
	size_t len;

	set_make(&cf);
	len = grant_make(buf, &g, 3);
	for (size_t i = 0; i < len; i++) {
		buf[i] ^= 1;
		CHECK(!grant_verify(&got, buf, len, &cf, &crypto_real));
		buf[i] ^= 1;
		CHECK(!grant_read(&got, buf, i));
	}
	CHECK(grant_verify(&got, buf, len, &cf, &crypto_real));
	buf[len] = 0;
	CHECK(!grant_read(&got, buf, len + 1));
}

static void test_grant_of_another_namespace_epoch_or_signer_is_refused(void)
{
	struct grant g = some_grant(), got;
	struct config cf;
	uint8_t buf[GRANT_MAX];
	size_t len;

	set_make(&cf);
	len = grant_make(buf, &g, 1 | 8); /* one of them is no member */
	CHECK(!grant_verify(&got, buf, len, &cf, &crypto_real));
	len = grant_make(buf, &g, 3);
	cf.epoch = 2;
	CHECK(!grant_verify(&got, buf, len, &cf, &crypto_real));
	cf.epoch = 1;
	cf.era = 0;
	CHECK(!grant_verify(&got, buf, len, &cf, &crypto_real));
	cf.era = 1;
	cf.root = kit_key(2).pub;
	CHECK(!grant_verify(&got, buf, len, &cf, &crypto_real));
}

static void test_grant_signatures_stand_once_and_in_order(void)
{
	struct grant g = some_grant(), got;
	uint8_t buf[GRANT_MAX], swapped[2 * (1 + SIG_LEN)];
	size_t len = grant_make(buf, &g, 3), half = 1 + SIG_LEN;
	uint8_t *sigs = buf + len - 2 * half;

	CHECK(grant_read(&got, buf, len));
	memcpy(swapped, sigs + half, half);
	memcpy(swapped + half, sigs, half);
	memcpy(sigs, swapped, sizeof(swapped));
	CHECK(!grant_read(&got, buf, len));
	memcpy(sigs + half, sigs, half);
	CHECK(!grant_read(&got, buf, len));
	CHECK(!grant_read(&got, buf, grant_make(buf, &g, 0)));
}

static void test_grant_ends_by_kind_and_state(void)
{
	struct member_payload m = { .not_after = 777 };
	uint8_t buf[200];
	struct wr w = wr_of(buf, sizeof(buf));
	struct grant g = some_grant();

	g.state = REG_RELEASED;
	CHECK_EQ_INT(grant_end(&g), 0);
	g.state = REG_HELD;
	g.beacon = UINT64_MAX - 1;
	CHECK(grant_end(&g) == UINT64_MAX);
	wr_member_payload(&w, &m);
	g.name = reg_name_key(REG_MEMBER, g.owner.b, KEY_LEN);
	CHECK_EQ_INT(grant_end(&g), 0);
	g.payload = buf;
	g.payload_len = wr_len(&w);
	CHECK_EQ_INT(grant_end(&g), 777);
	g.name = reg_name_key(REG_REVOCATION, NULL, 0);
	CHECK(grant_end(&g) == UINT64_MAX);
}

static void test_grant_shortened_is_restored_from_what_the_reader_knows(void)
{
	struct grant g = some_grant();
	struct grant_known known = { .name = g.name, .owner = g.owner };
	uint8_t buf[GRANT_MAX], brief[GRANT_MAX], back[GRANT_MAX];
	size_t len = grant_make(buf, &g, 3), brief_len = grant_shorten(brief, sizeof(brief), buf, len);

	memcpy(known.nsid, g.nsid, NSID_LEN);
	CHECK_EQ_INT(brief_len, len - 1 - NSID_LEN - (1 + 2 + 4) - KEY_LEN);
	CHECK_EQ_INT(grant_restore(back, sizeof(back), &known, brief, brief_len), len);
	CHECK_MEM(back, buf, len);
	CHECK_EQ_INT(grant_restore(back, len, &known, brief, brief_len), len);
	CHECK_EQ_INT(grant_restore(back, len - 1, &known, brief, brief_len), 0);
	CHECK_EQ_INT(grant_shorten(back, brief_len - 1, buf, len), 0);
	CHECK_EQ_INT(grant_shorten(back, sizeof(back), buf, len - 1), 0);
	for (size_t i = 0; i < brief_len; i++)
		CHECK_EQ_INT(grant_restore(back, sizeof(back), &known, brief, i), 0);
	brief[brief_len] = 0;
	CHECK_EQ_INT(grant_restore(back, sizeof(back), &known, brief, brief_len + 1), 0);
}

/* What the owner shortened is nobody else's grant, nor for anything else. */
static void test_grant_restored_for_another_owner_name_or_namespace_is_refused(void)
{
	struct grant g = some_grant(), got;
	struct grant_known known = { .name = g.name, .owner = g.owner }, other;
	uint8_t buf[GRANT_MAX], brief[GRANT_MAX];
	struct config cf;
	size_t n;

	set_make(&cf);
	memcpy(known.nsid, g.nsid, NSID_LEN);
	n = grant_shorten(brief, sizeof(brief), buf, grant_make(buf, &g, 3));
	for (int i = 0; i < 4; i++) {
		size_t len;

		other = known;
		if (i == 1)
			other.owner = kit_key(8).pub;
		if (i == 2)
			other.name = kit_address("10.1.0.8");
		if (i == 3)
			other.nsid[0] ^= 1;
		len = grant_restore(buf, sizeof(buf), &other, brief, n);
		CHECK(len);
		CHECK_EQ_INT(grant_verify(&got, buf, len, &cf, &crypto_real), i == 0);
	}
}

static const struct test tests[] = {
	TEST(test_grant_shortened_is_restored_from_what_the_reader_knows),
	TEST(test_grant_restored_for_another_owner_name_or_namespace_is_refused),
	TEST(test_grant_of_a_quorum_is_believed),
	TEST(test_grant_with_any_byte_changed_or_missing_is_refused),
	TEST(test_grant_of_another_namespace_epoch_or_signer_is_refused),
	TEST(test_grant_signatures_stand_once_and_in_order),
	TEST(test_grant_ends_by_kind_and_state),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
