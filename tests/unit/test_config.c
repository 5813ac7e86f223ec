#include "dht/grant.h"

#include "tests/unit/keeper_ops.h"

static void config_make(struct config *cf, uint8_t count, uint8_t quorum, uint32_t epoch)
{
	memset(cf, 0, sizeof(*cf));
	cf->root = kit_key(1).pub;
	cf->era = 2;
	cf->epoch = epoch;
	cf->count = count;
	cf->quorum = quorum;
	for (uint32_t i = 0; i < count && i < KEEPERS_MAX; i++) {
		struct key_pair node = kit_key(10 + i);

		cf->members[i] = (struct keeper){ .node = node.pub, .incarnation = i,
						  .epoch_key = kit_key(100 * epoch + i).pub };
		keeper_certify(&cf->members[i], cf, &node, &crypto_real);
	}
}

static void test_config_genesis_comes_back_and_knows_its_members(void)
{
	struct key_pair root = kit_key(1);
	struct config cf, got;

	config_make(&cf, 7, 4, 1);
	CHECK(config_genesis(&cf, &root, &crypto_real));
	CHECK(config_read(&got, cf.bytes, cf.len, &root.pub, NULL, &crypto_real));
	CHECK_MEM(got.hash, cf.hash, 32);
	CHECK_EQ_INT(got.len, cf.len);
	CHECK_EQ_INT(got.quorum, 4);
	CHECK_EQ_INT(config_member(&got, kit_pub(16)), 6);
	CHECK_EQ_INT(config_member(&got, kit_pub(17)), -1);
	CHECK(!config_read(&got, cf.bytes, cf.len, kit_pub(2), NULL, &crypto_real));
}

static void test_config_with_any_byte_changed_or_missing_is_refused(void)
{
	struct key_pair root = kit_key(1);
	struct config cf, got;

	config_make(&cf, 1, 1, 1);
	CHECK(config_genesis(&cf, &root, &crypto_real));
	for (size_t i = 0; i < cf.len; i++) {
		cf.room[i] ^= 1;
		CHECK(!config_read(&got, cf.bytes, cf.len, &root.pub, NULL, &crypto_real));
		cf.room[i] ^= 1;
		CHECK(!config_read(&got, cf.bytes, i, &root.pub, NULL, &crypto_real));
	}
	CHECK(!config_read(&got, cf.bytes, cf.len + 1, &root.pub, NULL, &crypto_real));
	CHECK(!config_read(&got, cf.bytes, CONFIG_MAX + 1, &root.pub, NULL, &crypto_real));
}

static void test_config_sizes_without_common_quorums_are_refused(void)
{
	static const struct {
		uint8_t count, quorum;
		bool good;
	} rows[] = { { 0, 0, 0 }, { 1, 0, 0 }, { 1, 1, 1 }, { 1, 2, 0 }, { 2, 2, 0 }, { 2, 1, 0 },
		     { 3, 1, 0 }, { 3, 2, 1 }, { 3, 3, 1 }, { 5, 2, 0 }, { 5, 4, 1 }, { 7, 5, 1 },
		     { 8, 5, 0 } };
	struct key_pair root = kit_key(1);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config cf;

		config_make(&cf, rows[i].count, rows[i].quorum, 1);
		CHECK_EQ_INT(config_genesis(&cf, &root, &crypto_real), rows[i].good);
	}
}

static void test_config_member_named_twice_or_badly_certified_is_refused(void)
{
	struct key_pair root = kit_key(1);
	struct config cf, got;

	config_make(&cf, 3, 2, 1);
	cf.members[2] = cf.members[0];
	CHECK(config_genesis(&cf, &root, &crypto_real));
	CHECK(!config_read(&got, cf.bytes, cf.len, &root.pub, NULL, &crypto_real));
	config_make(&cf, 3, 2, 1);
	cf.members[1].incarnation++; /* certified for another */
	CHECK(config_genesis(&cf, &root, &crypto_real));
	CHECK(!config_read(&got, cf.bytes, cf.len, &root.pub, NULL, &crypto_real));
}

/* Replaces the root's proof by those of members of epoch 1, by their epoch keys. */
static void prove(struct config *cf, const uint8_t *signers, uint8_t count)
{
	size_t body = cf->len - (1 + 1 + SIG_LEN);
	struct wr w = wr_of(cf->room + body, sizeof(cf->room) - body);

	wr_u8(&w, count);
	for (size_t i = 0; i < count; i++) {
		struct key_pair k = kit_key(100 + (uint32_t)signers[i]);
		uint8_t sig[SIG_LEN];

		crypto_real.sign(sig, &k, "vpnd config", cf->bytes, body);
		wr_u8(&w, signers[i]);
		wr_copy(&w, sig, SIG_LEN);
	}
	cf->len = body + wr_len(&w);
}

static void test_config_later_epoch_needs_a_quorum_of_the_one_before(void)
{
	static const struct {
		uint8_t signers[3], count;
		bool good;
	} rows[] = { { { 0, 1 }, 2, 1 }, { { 1, 2 }, 2, 1 }, { { 0, 1, 2 }, 3, 1 }, { { 0 }, 1, 0 },
		     { { 1, 0 }, 2, 0 }, { { 1, 1 }, 2, 0 }, { { 0, 3 }, 2, 0 } };
	struct key_pair root = kit_key(1);
	struct config before, cf, got;

	config_make(&before, 3, 2, 1);
	CHECK(config_genesis(&before, &root, &crypto_real));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		config_make(&cf, 5, 3, 2);
		memcpy(cf.previous, before.hash, 32);
		CHECK(config_genesis(&cf, &root, &crypto_real));
		prove(&cf, rows[i].signers, rows[i].count);
		CHECK_EQ_INT(config_read(&got, cf.bytes, cf.len, &root.pub, &before, &crypto_real),
			     rows[i].good);
		CHECK(!config_read(&got, cf.bytes, cf.len, &root.pub, NULL, &crypto_real));
	}
	config_make(&cf, 5, 3, 3); /* skips an epoch */
	memcpy(cf.previous, before.hash, 32);
	CHECK(config_genesis(&cf, &root, &crypto_real));
	prove(&cf, rows[0].signers, 2);
	CHECK(!config_read(&got, cf.bytes, cf.len, &root.pub, &before, &crypto_real));
	config_make(&cf, 5, 3, 2); /* another history */
	CHECK(config_genesis(&cf, &root, &crypto_real));
	prove(&cf, rows[0].signers, 2);
	CHECK(!config_read(&got, cf.bytes, cf.len, &root.pub, &before, &crypto_real));
}

static void test_config_checkpoint_admits_the_same_or_later(void)
{
	struct config cf = { .era = 1, .epoch = 5, .hash = { 9 } };
	struct checkpoint same = { 1, 5, { 9 } }, other = { 1, 5, { 8 } };

	CHECK(config_matches(&cf, &same));
	CHECK(!config_matches(&cf, &other));
	CHECK(config_matches(&cf, &(struct checkpoint){ 1, 4, { 8 } }));
	CHECK(config_matches(&cf, &(struct checkpoint){ 0, 9, { 8 } }));
	CHECK(!config_matches(&cf, &(struct checkpoint){ 1, 6, { 9 } }));
	CHECK(!config_matches(&cf, &(struct checkpoint){ 2, 0, { 9 } }));
}

static const struct test tests[] = {
	TEST(test_config_genesis_comes_back_and_knows_its_members),
	TEST(test_config_with_any_byte_changed_or_missing_is_refused),
	TEST(test_config_sizes_without_common_quorums_are_refused),
	TEST(test_config_member_named_twice_or_badly_certified_is_refused),
	TEST(test_config_later_epoch_needs_a_quorum_of_the_one_before),
	TEST(test_config_checkpoint_admits_the_same_or_later),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
