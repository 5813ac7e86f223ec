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

/* --- successors --- */

struct succession {
	struct config before, cf; /* cf: epoch 2, members certified, previous set */
	uint8_t body[CONFIG_BODY_MAX];
	struct config_choice choice;
	uint8_t sigs[KEEPERS_MAX][SIG_LEN];
	uint8_t out[CONFIG_MAX];
	size_t len;
};

static void succession_choose(struct succession *s)
{
	s->choice.body = s->body;
	s->choice.len = config_body_write(s->body, sizeof(s->body), &s->cf);
	CHECK(s->choice.len > 0);
}

static void succession_make(struct succession *s, uint8_t count, uint8_t quorum)
{
	struct key_pair root = kit_key(1);

	memset(s, 0, sizeof(*s));
	config_make(&s->before, count, quorum, 1);
	CHECK(config_genesis(&s->before, &root, &crypto_real));
	config_make(&s->cf, 5, 3, 2);
	memcpy(s->cf.previous, s->before.hash, 32);
	s->choice.ballot = (struct ballot){ .era = 2, .epoch = 1, .counter = 7 };
	succession_choose(s);
}

static void succession_sign(struct succession *s, uint8_t signers)
{
	for (uint32_t i = 0; i < KEEPERS_MAX; i++) {
		struct key_pair k = kit_key(100 + i);

		if (signers & 1u << i)
			config_sign(s->sigs[i], &s->choice, &k, &crypto_real);
	}
}

static bool succession_read(struct succession *s, uint8_t signers)
{
	struct key_pair root = kit_key(1);
	struct config got;

	s->len = config_assemble(s->out, sizeof(s->out), &s->choice, signers, s->sigs);
	CHECK(s->len > 0);
	return config_read(&got, s->out, s->len, &root.pub, &s->before, &crypto_real) &&
	       got.len == s->len && got.body == s->choice.len;
}

static bool succession_good(struct succession *s, uint8_t signers)
{
	succession_sign(s, signers);
	return succession_read(s, signers);
}

static void test_config_successor_needs_a_quorum_of_the_one_before(void)
{
	static const struct {
		uint8_t count, quorum, signers;
		bool good;
	} rows[] = { { 1, 1, 1, 1 },	  { 3, 2, 3, 1 },    { 3, 2, 6, 1 },	{ 3, 2, 7, 1 },
		     { 3, 2, 1, 0 },	  { 3, 2, 4, 0 },    { 3, 2, 1 | 8, 0 }, { 5, 3, 0x15, 1 },
		     { 5, 3, 3, 0 },	  { 5, 4, 0x1e, 1 }, { 5, 4, 0x1c, 0 }, { 7, 6, 0x7e, 1 },
		     { 7, 6, 0x7c, 0 },	  { 7, 4, 0x0f, 1 }, { 7, 4, 0x07, 0 }, { 5, 3, 0x43, 0 } };
	struct succession s;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		succession_make(&s, rows[i].count, rows[i].quorum);
		CHECK_EQ_INT(succession_good(&s, rows[i].signers), rows[i].good);
	}
}

static void test_config_successor_is_proven_by_its_predecessor_alone(void)
{
	struct key_pair root = kit_key(1);
	struct succession s;
	struct config got, other;

	succession_make(&s, 3, 2);
	CHECK(succession_good(&s, 3));
	CHECK(!config_read(&got, s.out, s.len, &root.pub, NULL, &crypto_real));
	CHECK(config_read_unproven(&got, s.out, s.len, &root.pub, &crypto_real));
	CHECK(!config_read_unproven(&got, s.out, s.len, kit_pub(2), &crypto_real));
	CHECK(!config_read_unproven(&got, s.out, s.len - 1, &root.pub, &crypto_real));
	config_make(&other, 3, 3, 1);
	CHECK(config_genesis(&other, &root, &crypto_real));
	CHECK(!config_read(&got, s.out, s.len, &root.pub, &other, &crypto_real));
}

static void test_config_successor_with_any_byte_changed_is_refused(void)
{
	struct key_pair root = kit_key(1);
	struct succession s;
	struct config got;

	succession_make(&s, 3, 2);
	config_make(&s.cf, 1, 1, 2);
	memcpy(s.cf.previous, s.before.hash, 32);
	succession_choose(&s);
	CHECK(succession_good(&s, 5));
	for (size_t i = 0; i < s.len; i++) {
		s.out[i] ^= 1;
		CHECK(!config_read(&got, s.out, s.len, &root.pub, &s.before, &crypto_real));
		s.out[i] ^= 1;
	}
}

/* Two proposers, two bodies, two ballots: what was accepted in none by a quorum proves nothing. */
static void test_config_signatures_of_two_ballots_are_no_proof(void)
{
	struct succession s;

	succession_make(&s, 3, 2);
	succession_sign(&s, 1);
	s.choice.ballot.counter++;
	succession_sign(&s, 2);
	CHECK(!succession_read(&s, 3));
	s.choice.ballot.counter--;
	CHECK(!succession_read(&s, 3));
	CHECK(succession_good(&s, 3));
}

static void test_config_ballot_is_one_of_the_epoch_that_chose(void)
{
	static const struct {
		struct ballot b;
		bool good;
	} rows[] = { { { 2, 1, 1, 2 }, 1 }, { { 2, 1, 1, 3 }, 0 }, { { 2, 2, 1, 0 }, 0 },
		     { { 1, 1, 1, 0 }, 0 }, { { 0, 0, 0, 0 }, 0 } };
	struct succession s;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		succession_make(&s, 3, 2);
		s.choice.ballot = rows[i].b;
		CHECK_EQ_INT(succession_good(&s, 7), rows[i].good);
	}
}

static void test_config_signatures_of_strangers_are_no_proof(void)
{
	struct key_pair stranger = kit_key(77), next = kit_key(200), node = kit_key(10);
	struct key_pair liars[] = { stranger, next, node }; /* next: a member's key of epoch 2 */
	struct succession s;

	for (size_t i = 0; i < ARRAY_LEN(liars); i++) {
		succession_make(&s, 3, 2);
		succession_sign(&s, 3);
		config_sign(s.sigs[0], &s.choice, &liars[i], &crypto_real);
		CHECK(!succession_read(&s, 3));
	}
	succession_make(&s, 3, 2);
	succession_sign(&s, 3);
	CHECK(config_signed(s.sigs[0], &s.choice, &s.before.members[0].epoch_key, &crypto_real));
	CHECK(!config_signed(s.sigs[0], &s.choice, &s.before.members[1].epoch_key, &crypto_real));
	memcpy(s.sigs[1], s.sigs[0], SIG_LEN); /* one member speaks for two */
	CHECK(!succession_read(&s, 3));
}

static bool body_good(struct succession *s)
{
	struct config got;
	bool body, whole;

	succession_choose(s);
	body = config_body_read(&got, s->body, s->choice.len, &s->before, &crypto_real);
	whole = succession_good(s, (uint8_t)((1u << s->before.count) - 1));
	CHECK_EQ_INT(body, whole);
	return body;
}

static void test_config_that_does_not_follow_is_refused_by_acceptors_and_readers(void)
{
	struct succession s;

	succession_make(&s, 3, 2);
	CHECK(body_good(&s));
	config_make(&s.cf, 5, 3, 3); /* skips an epoch */
	memcpy(s.cf.previous, s.before.hash, 32);
	CHECK(!body_good(&s));
	config_make(&s.cf, 5, 3, 1); /* the same epoch again */
	memcpy(s.cf.previous, s.before.hash, 32);
	CHECK(!body_good(&s));
	config_make(&s.cf, 5, 3, 2); /* another history */
	CHECK(!body_good(&s));
	succession_make(&s, 3, 2);
	s.cf.era++; /* certificates of another era as well */
	CHECK(!body_good(&s));
	succession_make(&s, 3, 2);
	s.cf.root = *kit_pub(2);
	CHECK(!body_good(&s));
	succession_make(&s, 3, 2);
	s.cf.members[4] = s.cf.members[3];
	CHECK(!body_good(&s));
	succession_make(&s, 3, 2);
	s.cf.members[4].incarnation++;
	CHECK(!body_good(&s));
}

static void test_config_members_that_share_an_epoch_key_are_refused(void)
{
	struct key_pair node = kit_key(14);
	struct succession s;

	succession_make(&s, 3, 2);
	s.cf.members[4].epoch_key = s.cf.members[3].epoch_key;
	keeper_certify(&s.cf.members[4], &s.cf, &node, &crypto_real);
	CHECK(keeper_certified(&s.cf.members[4], &s.cf, &crypto_real));
	CHECK(!body_good(&s));
}

static void test_config_largest_hardened_sets_fit(void)
{
	struct succession s;
	struct config got;

	succession_make(&s, 7, 6);
	config_make(&s.cf, 7, 6, 2);
	memcpy(s.cf.previous, s.before.hash, 32);
	CHECK(body_good(&s));
	CHECK_EQ_INT(s.choice.len, CONFIG_BODY_MAX);
	CHECK(succession_good(&s, 0x7f));
	CHECK(s.len <= CONFIG_MAX);
	CHECK(config_body_read(&got, s.body, s.choice.len, &s.before, &crypto_real));
	CHECK_EQ_INT(got.quorum, 6);
	CHECK(!config_body_read(&got, s.body, s.choice.len - 1, &s.before, &crypto_real));
	CHECK_EQ_INT(config_assemble(s.out, s.len - 1, &s.choice, 0x7f, s.sigs), 0);
	CHECK_EQ_INT(config_body_write(s.body, s.choice.len - 1, &s.cf), 0);
}

/* The hash names what was chosen, not who happened to prove it. */
static void test_config_hash_is_the_same_under_another_proof(void)
{
	struct key_pair root = kit_key(1);
	struct succession s;
	struct config a, b;

	succession_make(&s, 3, 2);
	CHECK(succession_good(&s, 3));
	CHECK(config_read(&a, s.out, s.len, &root.pub, &s.before, &crypto_real));
	s.choice.ballot.counter++;
	CHECK(succession_good(&s, 6));
	CHECK(config_read(&b, s.out, s.len, &root.pub, &s.before, &crypto_real));
	CHECK_MEM(a.hash, b.hash, 32);
	s.cf.quorum = 4;
	succession_choose(&s);
	CHECK(config_body_read(&b, s.body, s.choice.len, &s.before, &crypto_real));
	CHECK(memcmp(a.hash, b.hash, 32) != 0);
}

static void test_config_root_signs_first_epochs_only(void)
{
	struct key_pair root = kit_key(1);
	struct config cf;

	config_make(&cf, 3, 2, 2);
	CHECK(!config_genesis(&cf, &root, &crypto_real));
	config_make(&cf, 3, 2, 1);
	cf.previous[5] = 1;
	CHECK(!config_genesis(&cf, &root, &crypto_real));
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

/* A liar's promise may bring any payload that a register takes, and its ACCEPTED comes right after. */
static void test_config_choice_that_is_too_long_has_no_signature(void)
{
	static const uint8_t body[REG_PAYLOAD_MAX];
	static const uint8_t sig[SIG_LEN];
	struct config_choice choice = { .body = body, .len = sizeof(body) };

	CHECK(!config_signed(sig, &choice, kit_pub(1), &crypto_real));
	choice.len = CONFIG_BODY_MAX + 1;
	CHECK(!config_signed(sig, &choice, kit_pub(1), &crypto_real));
}

static const struct test tests[] = {
	TEST(test_config_genesis_comes_back_and_knows_its_members),
	TEST(test_config_with_any_byte_changed_or_missing_is_refused),
	TEST(test_config_sizes_without_common_quorums_are_refused),
	TEST(test_config_member_named_twice_or_badly_certified_is_refused),
	TEST(test_config_successor_needs_a_quorum_of_the_one_before),
	TEST(test_config_successor_is_proven_by_its_predecessor_alone),
	TEST(test_config_successor_with_any_byte_changed_is_refused),
	TEST(test_config_signatures_of_two_ballots_are_no_proof),
	TEST(test_config_ballot_is_one_of_the_epoch_that_chose),
	TEST(test_config_signatures_of_strangers_are_no_proof),
	TEST(test_config_that_does_not_follow_is_refused_by_acceptors_and_readers),
	TEST(test_config_members_that_share_an_epoch_key_are_refused),
	TEST(test_config_largest_hardened_sets_fit),
	TEST(test_config_hash_is_the_same_under_another_proof),
	TEST(test_config_root_signs_first_epochs_only),
	TEST(test_config_checkpoint_admits_the_same_or_later),
	TEST(test_config_choice_that_is_too_long_has_no_signature),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
