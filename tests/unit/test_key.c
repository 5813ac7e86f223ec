#include "base/key.h"

#include "tests/check.h"

static void from_hex(uint8_t *out, size_t len, const char *hex)
{
	CHECK(sodium_hex2bin(out, len, hex, strlen(hex), NULL, &len, NULL) == 0);
}

static struct pubkey pub_of(const char *hex)
{
	struct pubkey k = { { 0 } };

	from_hex(k.b, KEY_LEN, hex);
	return k;
}

/* RFC 8032, section 7.1, TEST 1 */
#define SEED_1 "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define PUB_1 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
/* TEST SHA(abc): its public key has the sign bit 1 */
#define SEED_SIGNED "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42"
#define PUB_SIGNED "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"

static struct key_pair pair_1(void)
{
	struct key_pair k;
	uint8_t seed[SEED_LEN];

	from_hex(seed, sizeof(seed), SEED_1);
	CHECK(key_from_seed(&k, seed));
	return k;
}

static struct node_id id_with(uint8_t first, uint8_t last)
{
	struct node_id id = { { [0] = first, [ID_LEN - 1] = last } };

	return id;
}

static void test_key_hash_is_blake2b_of_length_byte_label_and_data(void)
{
	uint8_t want[32], got[32];
	struct hash h;

	/* BLAKE2b-256 of 04 "test" "abc" */
	from_hex(want, 32, "fab2ce2e41714f470e0d3b45c762f9dfbbf7dd9ffee82894f266e4cc0646b42a");
	hash_of(got, 32, "test", "abc", 3);
	CHECK_MEM(got, want, 32);
	hash_begin(&h, "test", 32);
	hash_add(&h, "a", 1);
	hash_add(&h, NULL, 0);
	hash_add(&h, "bc", 2);
	hash_end(&h, got);
	CHECK_MEM(got, want, 32);
}

static void test_key_hash_keeps_label_and_data_apart(void)
{
	uint8_t a[32], b[32];

	hash_of(a, 32, "ab", "c", 1);
	hash_of(b, 32, "a", "bc", 2);
	CHECK(memcmp(a, b, 32) != 0);
}

static void test_key_from_seed_matches_rfc_8032(void)
{
	struct key_pair k = pair_1();
	struct pubkey want = pub_of(PUB_1);

	CHECK(key_equal(&k.pub, &want));
	CHECK(key_valid(&k.pub));
}

static void test_key_from_seed_refuses_a_public_key_with_sign_bit(void)
{
	struct pubkey want = pub_of(PUB_SIGNED);
	uint8_t seed[SEED_LEN];
	struct key_pair k;

	from_hex(seed, sizeof(seed), SEED_SIGNED);
	CHECK(!key_from_seed(&k, seed));
	CHECK(key_equal(&k.pub, &want));
	CHECK(!key_valid(&want));
}

static void test_key_valid_refuses_what_is_no_good_point(void)
{
	static const char *const bad[] = {
		/* small order: 0, 1, p - 1, and the two of order 8 with sign bit 0 */
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		/* not canonical: p, p + 1, p + 3 (= 3 on the curve), 2^255 - 1 */
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		/* not on the curve: y = 2 */
		"0200000000000000000000000000000000000000000000000000000000000000",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct pubkey k = pub_of(bad[i]);

		CHECK(!key_valid(&k));
	}
}

static void test_key_of_mixed_order_is_refused(void)
{
	static const uint8_t order_2[32] = {
		0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	};
	struct key_pair good = pair_1();
	struct pubkey k;

	CHECK(crypto_core_ed25519_add(k.b, good.pub.b, order_2) == 0);
	k.b[KEY_LEN - 1] &= 0x7f;
	CHECK(!key_valid(&k));
}

static void test_key_signature_verifies_under_its_own_label_key_and_bytes_only(void)
{
	struct key_pair k = pair_1(), other;
	uint8_t seed[SEED_LEN] = { 2 }, sig[SIG_LEN], again[SIG_LEN];

	while (!key_from_seed(&other, seed))
		seed[1]++;
	crypto_real.sign(sig, &k, "label", "message", 7);
	crypto_real.sign(again, &k, "label", "message", 7);
	CHECK_MEM(sig, again, SIG_LEN);
	CHECK(crypto_real.verify(sig, &k.pub, "label", "message", 7));
	CHECK(!crypto_real.verify(sig, &k.pub, "labem", "message", 7));
	CHECK(!crypto_real.verify(sig, &k.pub, "label", "messagf", 7));
	CHECK(!crypto_real.verify(sig, &k.pub, "label", "message", 6));
	CHECK(!crypto_real.verify(sig, &other.pub, "label", "message", 7));
	for (size_t i = 0; i < SIG_LEN; i++) {
		sig[i] ^= 1;
		CHECK(!crypto_real.verify(sig, &k.pub, "label", "message", 7));
		sig[i] ^= 1;
	}
}

static void test_key_dh_forms_agree_between_two_nodes(void)
{
	struct key_pair a = pair_1(), b;
	uint8_t seed[SEED_LEN] = { 5 }, a_pub[32], b_pub[32], a_sec[32], b_sec[32], s1[32], s2[32];

	while (!key_from_seed(&b, seed))
		seed[1]++;
	CHECK(key_dh_public(a_pub, &a.pub) && key_dh_public(b_pub, &b.pub));
	key_dh_secret(a_sec, &a);
	key_dh_secret(b_sec, &b);
	CHECK(crypto_scalarmult(s1, a_sec, b_pub) == 0);
	CHECK(crypto_scalarmult(s2, b_sec, a_pub) == 0);
	CHECK_MEM(s1, s2, 32);
	CHECK(crypto_scalarmult_base(s1, a_sec) == 0);
	CHECK_MEM(s1, a_pub, 32);
}

static void test_key_dh_public_refuses_small_order_and_sign_bit(void)
{
	struct pubkey one = { { 1 } }, with_sign = pub_of(PUB_SIGNED);
	uint8_t out[32];

	CHECK(!key_dh_public(out, &one));
	CHECK(!key_dh_public(out, &with_sign));
}

static void test_key_text_comes_back(void)
{
	struct pubkey k = pub_of(PUB_1), back;
	char text[KEY_TEXT_LEN];

	key_text(text, &k);
	CHECK(strcmp(text, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo") == 0);
	CHECK(key_parse(&back, text, &crypto_real));
	CHECK(key_equal(&k, &back));
}

static void test_key_bad_texts_are_refused(void)
{
	static const char *const bad[] = {
		"",
		"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUR",
		"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
		"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp", /* bits left over */
		"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", /* the other alphabet */
		" 1qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
		"11qYAYKxCrfVS\2007TyWQHOg7hcvPapiMlrwIaaPcHURo", /* libsodium takes it for _ */
		"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",    /* small order */
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct pubkey k = pub_of(PUB_1);

		CHECK(!key_parse(&k, bad[i], &crypto_real));
		CHECK(key_is_zero(&k));
	}
}

static void test_key_compare_and_zero(void)
{
	struct pubkey a = { { 1 } }, b = { { 2 } }, zero = { { 0 } };

	CHECK(key_compare(&a, &b) < 0 && key_compare(&b, &a) > 0 && key_compare(&a, &a) == 0);
	CHECK(key_is_zero(&zero) && !key_is_zero(&a));
	CHECK(!key_equal(&a, &b));
}

static void test_id_is_the_start_of_blake2b_of_the_key(void)
{
	struct pubkey k = pub_of(PUB_1);
	struct node_id id = id_of(&k);
	char text[ID_TEXT_LEN];

	id_text(text, &id);
	CHECK(strcmp(text, "8019f660f5fbfd410e4af8ea9d7dc8aa5051d37b") == 0);
	CHECK(id_equal(&id, &id));
	CHECK(!id_equal(&id, &(struct node_id){ { 0 } }));
}

static void test_id_xor_order_looks_at_the_highest_differing_bit(void)
{
	struct node_id t = id_with(0x80, 0), near = id_with(0x81, 0xff), far = id_with(0x7f, 0);

	CHECK(id_xor_compare(&t, &near, &far) < 0);
	CHECK(id_xor_compare(&t, &far, &near) > 0);
	CHECK_EQ_INT(id_xor_compare(&t, &near, &near), 0);
}

static void test_id_common_bits_counts_from_the_front(void)
{
	struct node_id a = id_with(0, 0), first = id_with(0x80, 0), sixth = id_with(0x04, 0);
	struct node_id last = id_with(0, 1);

	CHECK_EQ_INT(id_common_bits(&a, &a), 160);
	CHECK_EQ_INT(id_common_bits(&a, &first), 0);
	CHECK_EQ_INT(id_common_bits(&a, &sixth), 5);
	CHECK_EQ_INT(id_common_bits(&a, &last), 159);
}

static void test_id_clockwise_distance_wraps_around(void)
{
	struct node_id zero = id_with(0, 0), one = id_with(0, 1), three = id_with(0, 3), want, d;

	d = id_clockwise(&one, &three);
	want = id_with(0, 2);
	CHECK(id_equal(&d, &want));
	d = id_clockwise(&one, &zero); /* -1: the whole ring but one */
	memset(want.b, 0xff, ID_LEN);
	CHECK(id_equal(&d, &want));
	d = id_clockwise(&three, &three);
	CHECK(id_equal(&d, &zero));
}

static void test_id_ring_order_takes_the_shorter_way_and_breaks_ties_by_value(void)
{
	struct node_id t = id_with(0, 2), before = id_with(0, 1), after = id_with(0, 3), top;

	memset(top.b, 0xff, ID_LEN); /* 3 steps anticlockwise of t */
	CHECK(id_ring_compare(&t, &after, &top) < 0);
	CHECK(id_ring_compare(&t, &top, &(struct node_id){ { [ID_LEN - 1] = 6 } }) < 0);
	CHECK(id_ring_compare(&t, &before, &after) < 0); /* equally far: the smaller value */
	CHECK(id_ring_compare(&t, &after, &before) > 0);
	CHECK_EQ_INT(id_ring_compare(&t, &after, &after), 0);
}

static const struct test tests[] = {
	TEST(test_key_hash_is_blake2b_of_length_byte_label_and_data),
	TEST(test_key_hash_keeps_label_and_data_apart),
	TEST(test_key_from_seed_matches_rfc_8032),
	TEST(test_key_from_seed_refuses_a_public_key_with_sign_bit),
	TEST(test_key_valid_refuses_what_is_no_good_point),
	TEST(test_key_of_mixed_order_is_refused),
	TEST(test_key_signature_verifies_under_its_own_label_key_and_bytes_only),
	TEST(test_key_dh_forms_agree_between_two_nodes),
	TEST(test_key_dh_public_refuses_small_order_and_sign_bit),
	TEST(test_key_text_comes_back),
	TEST(test_key_bad_texts_are_refused),
	TEST(test_key_compare_and_zero),
	TEST(test_id_is_the_start_of_blake2b_of_the_key),
	TEST(test_id_xor_order_looks_at_the_highest_differing_bit),
	TEST(test_id_common_bits_counts_from_the_front),
	TEST(test_id_clockwise_distance_wraps_around),
	TEST(test_id_ring_order_takes_the_shorter_way_and_breaks_ties_by_value),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
