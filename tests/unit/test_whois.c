#include "p2p/whois.h"

#include "tests/check.h"
#include "tests/unit/handshake_kit.h"

static const uint8_t challenge[16] = { 1, 2, 3 }, nonce[24] = { 4 }, nonce_2[24] = { 5 };

struct scene {
	struct kit k;
	struct whois_args args;
	uint8_t request[WHOIS_LEN], answer[WHOIS_LEN];
};

static void scene_init(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	kit_init(&s->k);
	s->args = (struct whois_args){ (const uint8_t (*)[32])s->k.keys, 2, &s->k.bob.pub,
				       nonce_2 };
	whois_create(s->request, s->k.keys[1], nonce, challenge);
}

static bool consume(const struct scene *s, size_t len, struct pubkey *out)
{
	return whois_consume(s->answer, len,
			     &(struct whois_question){ s->k.keys[1], challenge, &crypto_real },
			     out);
}

static void test_whois_tells_the_key(void)
{
	struct pubkey got = { { 0 } };
	struct scene s;

	scene_init(&s);
	CHECK_EQ_INT(s.request[0], 0x44);
	CHECK_EQ_INT(whois_answer(s.answer, s.request, WHOIS_LEN, &s.args), WHOIS_LEN);
	CHECK_EQ_INT(s.answer[0], 0x45);
	CHECK(consume(&s, WHOIS_LEN, &got));
	CHECK(key_equal(&got, &s.k.bob.pub));
	whois_create(s.request, s.k.keys[0], nonce, challenge); /* by each key held */
	CHECK_EQ_INT(whois_answer(s.answer, s.request, WHOIS_LEN, &s.args), WHOIS_LEN);
	CHECK(whois_consume(s.answer, WHOIS_LEN,
			    &(struct whois_question){ s.k.keys[0], challenge, &crypto_real },
			    &got));
}

static void test_whois_stranger_gets_no_answer(void)
{
	uint8_t other[32] = { 0xcc };
	struct scene s;

	scene_init(&s);
	whois_create(s.request, other, nonce, challenge);
	CHECK_EQ_INT(whois_answer(s.answer, s.request, WHOIS_LEN, &s.args), 0);
	s.args.count = 0;
	CHECK_EQ_INT(whois_answer(s.answer, s.request, WHOIS_LEN, &s.args), 0);
	CHECK(sodium_is_zero(s.answer, WHOIS_LEN));
}

static void test_whois_changed_or_cut_request_gets_no_answer(void)
{
	struct scene s;

	scene_init(&s);
	for (size_t i = 0; i < 8 * WHOIS_LEN; i++) {
		s.request[i / 8] ^= (uint8_t)(1 << i % 8);
		CHECK_EQ_INT(whois_answer(s.answer, s.request, WHOIS_LEN, &s.args), 0);
		s.request[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t len = 0; len < WHOIS_LEN; len++)
		CHECK_EQ_INT(whois_answer(s.answer, s.request, len, &s.args), 0);
	CHECK_EQ_INT(whois_answer(s.answer, s.request, WHOIS_LEN, &s.args), WHOIS_LEN);
}

static void test_whois_changed_or_cut_answer_is_refused(void)
{
	struct pubkey got = { { 0 } };
	struct scene s;

	scene_init(&s);
	CHECK(whois_answer(s.answer, s.request, WHOIS_LEN, &s.args));
	for (size_t i = 0; i < 8 * WHOIS_LEN; i++) {
		s.answer[i / 8] ^= (uint8_t)(1 << i % 8);
		CHECK(!consume(&s, WHOIS_LEN, &got));
		s.answer[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t len = 0; len < WHOIS_LEN; len++)
		CHECK(!consume(&s, len, &got));
	CHECK(key_is_zero(&got));
	CHECK(consume(&s, WHOIS_LEN, &got));
}

static void seal_request(struct scene *s, const uint8_t plain[48])
{
	uint8_t key[32];

	hash_of(key, sizeof(key), "vpnd whois", s->k.keys[1], 32);
	memcpy(s->request + 4, nonce, sizeof(nonce));
	crypto_aead_xchacha20poly1305_ietf_encrypt(s->request + 28, NULL, plain, 48, s->request, 4,
						   NULL, nonce, key);
}

static void test_whois_request_that_is_not_padded_with_zeros_gets_no_answer(void)
{
	uint8_t plain[48] = { 1, 2, 3 };
	struct scene s;

	scene_init(&s);
	seal_request(&s, plain);
	CHECK_EQ_INT(whois_answer(s.answer, s.request, WHOIS_LEN, &s.args), WHOIS_LEN);
	for (size_t i = 16; i < sizeof(plain); i++) {
		plain[i] = 1;
		seal_request(&s, plain);
		CHECK_EQ_INT(whois_answer(s.answer, s.request, WHOIS_LEN, &s.args), 0);
		plain[i] = 0;
	}
}

static void test_whois_answer_to_another_question_is_refused(void)
{
	struct pubkey got;
	struct scene s;
	uint8_t other[16] = { 1, 2, 4 };

	scene_init(&s);
	CHECK(whois_answer(s.answer, s.request, WHOIS_LEN, &s.args));
	CHECK(!whois_consume(s.answer, WHOIS_LEN,
			     &(struct whois_question){ s.k.keys[1], other, &crypto_real }, &got));
	CHECK(!whois_consume(s.answer, WHOIS_LEN,
			     &(struct whois_question){ s.k.keys[0], challenge, &crypto_real },
			     &got));
}

static void test_whois_reflected_request_or_answer_is_refused(void)
{
	struct pubkey got;
	struct scene s;

	scene_init(&s);
	CHECK(!whois_consume(s.request, WHOIS_LEN,
			     &(struct whois_question){ s.k.keys[1], challenge, &crypto_real },
			     &got));
	CHECK(whois_answer(s.answer, s.request, WHOIS_LEN, &s.args));
	CHECK_EQ_INT(whois_answer(s.request, s.answer, WHOIS_LEN, &s.args), 0);
	s.answer[0] = 0x44; /* the type is under the seal as well */
	CHECK_EQ_INT(whois_answer(s.request, s.answer, WHOIS_LEN, &s.args), 0);
}

static void test_whois_key_of_a_form_we_refuse_is_refused(void)
{
	struct pubkey bad = { { 0 } }, got = { { 0 } };
	struct scene s;

	scene_init(&s);
	s.args.self = &bad; /* all zero: of small order */
	CHECK(whois_answer(s.answer, s.request, WHOIS_LEN, &s.args));
	CHECK(!consume(&s, WHOIS_LEN, &got));
	bad = s.k.bob.pub;
	bad.b[31] |= 0x80;
	CHECK(whois_answer(s.answer, s.request, WHOIS_LEN, &s.args));
	CHECK(!consume(&s, WHOIS_LEN, &got));
	CHECK(key_is_zero(&got));
}

static const struct test tests[] = {
	TEST(test_whois_tells_the_key),
	TEST(test_whois_stranger_gets_no_answer),
	TEST(test_whois_changed_or_cut_request_gets_no_answer),
	TEST(test_whois_changed_or_cut_answer_is_refused),
	TEST(test_whois_request_that_is_not_padded_with_zeros_gets_no_answer),
	TEST(test_whois_answer_to_another_question_is_refused),
	TEST(test_whois_reflected_request_or_answer_is_refused),
	TEST(test_whois_key_of_a_form_we_refuse_is_refused),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
