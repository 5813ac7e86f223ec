#include "p2p/aead.h"

#include "tests/unit/vectors.h"

static enum aead_suite suite; /* of the vectors that run */
static unsigned accepted, refused;

static void one_vector(char *word[])
{
	struct bytes key = bytes_of(word[2]), nonce = bytes_of(word[3]), ad = bytes_of(word[4]);
	struct bytes msg = bytes_of(word[5]), ct = bytes_of(word[6]), tag = bytes_of(word[7]);
	bool valid = strcmp(word[1], "valid") == 0, opened;
	struct aead a;
	struct bytes x;

	CHECK_EQ_INT(key.len, AEAD_KEY_LEN);
	CHECK_EQ_INT(nonce.len, 12);
	CHECK_EQ_INT(tag.len, AEAD_TAG_LEN);
	aead_init(&a, suite, key.b, key.b);
	x = ct;
	memcpy(x.b + x.len, tag.b, AEAD_TAG_LEN);
	opened = aead_open_nonce(&a, nonce.b, ad.b, ad.len, x.b, x.len + AEAD_TAG_LEN);
	CHECK(opened == valid);
	if (opened)
		CHECK_MEM(x.b, msg.b, msg.len);
	x = msg;
	aead_seal_nonce(&a, nonce.b, ad.b, ad.len, x.b, x.len);
	CHECK((memcmp(x.b, ct.b, ct.len) == 0 && memcmp(x.b + x.len, tag.b, AEAD_TAG_LEN) == 0) ==
	      valid);
	accepted += opened;
	refused += !opened;
	aead_fini(&a);
}

static void run_file(enum aead_suite s, const char *name, unsigned valid, unsigned invalid)
{
	FILE *f = vectors_open(name);

	if (!f)
		return;
	suite = s;
	accepted = refused = 0;
	CHECK_EQ_INT(vectors_run(f, 8, one_vector), valid + invalid);
	CHECK_EQ_INT(accepted, valid);
	CHECK_EQ_INT(refused, invalid);
}

static void test_aead_chacha20_poly1305_answers_wycheproof(void)
{
	run_file(AEAD_CHACHA20_POLY1305, "wycheproof-chacha20_poly1305-256.txt", 256, 60);
}

static void test_aead_aes256_gcm_answers_wycheproof(void)
{
	if (aead_has_aes())
		run_file(AEAD_AES256_GCM, "wycheproof-aes_gcm-256.txt", 39, 27);
	else
		printf("# note: no AES in hardware here, its vectors were not run\n");
}

/* Wycheproof, ChaCha20-Poly1305 test 2 (empty message) and 5; AES-GCM test 95. */
static void test_aead_answers_its_own_copies_of_vectors(void)
{
	static const char *const chacha[][8] = {
		{ "2", "valid", "80ba3192c803ce965ea371d5ff073cf0f43b6a2ab576b208426e11409c09b9b0",
		  "4da5bf8dfd5852c1ea12379d", "-", "-", "-", "76acb342cf3166a5b63c0c0ea1383c8d" },
		{ "5", "valid", "46f0254965f769d52bdb4a70b443199f8ef207520d1220c55e4b70f0fda620ee",
		  "ab0dca716ee051d2782f4403", "91ca6c592cbcca53", "51", "c4",
		  "168310ca45b1f7c66cad4e99e43f72b9" },
	};
	static const char *const aes[8] = {
		"95", "valid", "51e4bf2bad92b7aff1a4bc05550ba81df4b96fabf41c12c7b00e60e48db7e152",
		"4f07afedfdc3b6c2361823d3", "-", "be3308f72a2c6aed", "cf332a12fdee800b",
		"602e8d7c4799d62c140c9bb834876b09",
	};

	accepted = 0;
	suite = AEAD_CHACHA20_POLY1305;
	one_vector((char **)chacha[0]);
	one_vector((char **)chacha[1]);
	suite = AEAD_AES256_GCM;
	if (aead_has_aes())
		one_vector((char **)aes);
	CHECK_EQ_INT(accepted, aead_has_aes() ? 3 : 2);
}

/* What both ends have: what one seals with, the other opens with. */
static void for_suites(void (*run)(struct aead *seal, struct aead *open))
{
	static const uint8_t key[AEAD_KEY_LEN] = { 7, 1, 9 }, other[AEAD_KEY_LEN] = { 7, 1, 8 };

	for (int s = AEAD_AES256_GCM; s <= AEAD_CHACHA20_POLY1305; s++) {
		struct aead a, b;

		if (s == AEAD_AES256_GCM && !aead_has_aes())
			continue;
		aead_init(&a, (enum aead_suite)s, key, other);
		aead_init(&b, (enum aead_suite)s, other, key);
		run(&a, &b);
		aead_fini(&a);
		aead_fini(&b);
		CHECK(!a.suite && !b.suite);
	}
}

static void fill(uint8_t *p, size_t len, uint8_t start)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(start + 31 * i);
}

static void every_length(struct aead *seal, struct aead *open)
{
	uint8_t ad[16], plain[1500], buf[1500 + AEAD_TAG_LEN + 1];

	fill(ad, sizeof(ad), 3);
	for (size_t len = 0; len <= 1500; len += len < 70 ? 1 : 143) {
		fill(plain, len, (uint8_t)len);
		memcpy(buf, plain, len);
		buf[len + AEAD_TAG_LEN] = 0x5a;
		aead_seal(seal, len, ad, sizeof(ad), buf, len);
		CHECK(buf[len + AEAD_TAG_LEN] == 0x5a);
		CHECK(len < 16 || memcmp(buf, plain, len) != 0);
		CHECK(aead_open(open, len, ad, sizeof(ad), buf, len + AEAD_TAG_LEN));
		CHECK_MEM(buf, plain, len);
	}
}

static void test_aead_every_length_comes_back_in_place(void)
{
	for_suites(every_length);
}

static void flip_everything(struct aead *seal, struct aead *open)
{
	uint8_t ad[16], plain[40], sealed[56], buf[56];

	fill(ad, sizeof(ad), 1);
	fill(plain, sizeof(plain), 2);
	memcpy(sealed, plain, sizeof(plain));
	aead_seal(seal, 5, ad, sizeof(ad), sealed, sizeof(plain));
	for (size_t i = 0; i < 8 * sizeof(sealed); i++) {
		memcpy(buf, sealed, sizeof(buf));
		buf[i / 8] ^= (uint8_t)(1 << i % 8);
		CHECK(!aead_open(open, 5, ad, sizeof(ad), buf, sizeof(buf)));
	}
	for (size_t i = 0; i < 8 * sizeof(ad); i++) {
		memcpy(buf, sealed, sizeof(buf));
		ad[i / 8] ^= (uint8_t)(1 << i % 8);
		CHECK(!aead_open(open, 5, ad, sizeof(ad), buf, sizeof(buf)));
		ad[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (int i = 0; i < 64; i++) {
		memcpy(buf, sealed, sizeof(buf));
		CHECK(!aead_open(open, 5 ^ UINT64_C(1) << i, ad, sizeof(ad), buf, sizeof(buf)));
	}
	for (size_t len = 0; len < sizeof(sealed); len++) {
		memcpy(buf, sealed, sizeof(buf));
		CHECK(!aead_open(open, 5, ad, sizeof(ad), buf, len));
	}
	memcpy(buf, sealed, sizeof(buf)); /* refusals have left the key as it was */
	CHECK(aead_open(open, 5, ad, sizeof(ad), buf, sizeof(buf)));
	CHECK_MEM(buf, plain, sizeof(plain));
}

static void test_aead_changed_bit_counter_or_length_is_refused(void)
{
	for_suites(flip_everything);
}

static void own_packet(struct aead *one, struct aead *other)
{
	uint8_t buf[8 + AEAD_TAG_LEN] = { 1 };

	(void)other;
	aead_seal(one, 1, NULL, 0, buf, 8);
	CHECK(!aead_open(one, 1, NULL, 0, buf, sizeof(buf)));
}

static void test_aead_a_packet_of_our_own_does_not_open(void)
{
	for_suites(own_packet);
}

static void both_ways(struct aead *one, struct aead *other)
{
	uint8_t a[20 + AEAD_TAG_LEN], b[20 + AEAD_TAG_LEN], plain[20];

	fill(plain, sizeof(plain), 9);
	for (uint64_t n = 0; n < 50; n++) { /* sealing and opening in turn with the same object */
		memcpy(a, plain, sizeof(plain));
		memcpy(b, plain, sizeof(plain));
		aead_seal(one, n, NULL, 0, a, sizeof(plain));
		aead_seal(other, 1000 + n, NULL, 0, b, sizeof(plain));
		CHECK(aead_open(one, 1000 + n, NULL, 0, b, sizeof(b)));
		CHECK(aead_open(other, n, NULL, 0, a, sizeof(a)));
		CHECK_MEM(a, plain, sizeof(plain));
		CHECK_MEM(b, plain, sizeof(plain));
	}
}

static void test_aead_directions_do_not_disturb_one_another(void)
{
	for_suites(both_ways);
}

static void nonce_layout(struct aead *seal, struct aead *open)
{
	static const uint8_t nonce[12] = { 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t buf[8 + AEAD_TAG_LEN] = { 1 };

	aead_seal(seal, UINT64_C(0x0102030405060708), NULL, 0, buf, 8);
	CHECK(aead_open_nonce(open, nonce, NULL, 0, buf, sizeof(buf)));
	CHECK_EQ_INT(buf[0], 1);
}

static void test_aead_nonce_is_four_zero_bytes_and_the_counter_big_endian(void)
{
	for_suites(nonce_layout);
}

static const struct test tests[] = {
	TEST(test_aead_chacha20_poly1305_answers_wycheproof),
	TEST(test_aead_aes256_gcm_answers_wycheproof),
	TEST(test_aead_answers_its_own_copies_of_vectors),
	TEST(test_aead_every_length_comes_back_in_place),
	TEST(test_aead_changed_bit_counter_or_length_is_refused),
	TEST(test_aead_a_packet_of_our_own_does_not_open),
	TEST(test_aead_directions_do_not_disturb_one_another),
	TEST(test_aead_nonce_is_four_zero_bytes_and_the_counter_big_endian),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
