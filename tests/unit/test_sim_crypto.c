#include "cmd/sim_crypto.h"

#include "p2p/handshake.h"
#include "tests/check.h"

static const struct crypto *const c = &crypto_dummy;

static struct key_pair pair_of(uint8_t number)
{
	uint8_t seed[SEED_LEN] = { number };
	struct key_pair k;

	sim_key_pair(&k, seed);
	return k;
}

static void test_dummy_keys_are_valid_and_all_different(void)
{
	for (int i = 0; i < 256; i++) {
		struct key_pair a = pair_of((uint8_t)i), b = pair_of((uint8_t)(i + 1));

		CHECK(c->key_valid(&a.pub));
		CHECK(!key_equal(&a.pub, &b.pub));
	}
}

static void test_dummy_refuses_a_zero_key_and_one_with_a_sign_bit(void)
{
	struct pubkey zero = { { 0 } }, with_sign = pair_of(1).pub;
	uint8_t out[32];

	with_sign.b[KEY_LEN - 1] |= 0x80;
	CHECK(!c->key_valid(&zero) && !c->key_valid(&with_sign));
	CHECK(!c->dh_public(out, &zero) && !c->dh_public(out, &with_sign));
}

static void test_dummy_signature_is_bound_to_key_label_and_message(void)
{
	struct key_pair a = pair_of(1), b = pair_of(2);
	uint8_t sig[SIG_LEN], other[SIG_LEN], msg[] = "message";

	c->sign(sig, &a, "label", msg, sizeof(msg));
	CHECK(c->verify(sig, &a.pub, "label", msg, sizeof(msg)));
	CHECK(!c->verify(sig, &b.pub, "label", msg, sizeof(msg)));
	CHECK(!c->verify(sig, &a.pub, "labem", msg, sizeof(msg)));
	CHECK(!c->verify(sig, &a.pub, "label", msg, sizeof(msg) - 1));
	c->sign(other, &b, "label", msg, sizeof(msg));
	CHECK(memcmp(sig, other, SIG_LEN) != 0);
	for (size_t i = 0; i < sizeof(msg); i++) {
		msg[i] ^= 1;
		CHECK(!c->verify(sig, &a.pub, "label", msg, sizeof(msg)));
		msg[i] ^= 1;
	}
	for (size_t i = 0; i < SIG_LEN; i++) {
		sig[i] ^= 0x80;
		CHECK(!c->verify(sig, &a.pub, "label", msg, sizeof(msg)));
		sig[i] ^= 0x80;
	}
}

static void test_dummy_signature_of_halves_that_differ_is_refused(void)
{
	struct key_pair mixed = pair_of(1);
	uint8_t sig[SIG_LEN];

	mixed.pub = pair_of(2).pub;
	c->sign(sig, &mixed, "label", "x", 1);
	CHECK(!c->verify(sig, &mixed.pub, "label", "x", 1));
}

static void test_dummy_dh_is_the_same_on_both_sides_and_nowhere_else(void)
{
	struct key_pair pairs[3] = { pair_of(1), pair_of(2), pair_of(3) };
	uint8_t secret[3][32], public[3][32], ab[32], ba[32], ac[32], again[32];

	for (int i = 0; i < 3; i++) {
		c->dh_secret(secret[i], &pairs[i]);
		CHECK(c->dh_public(public[i], &pairs[i].pub));
		c->dh_base(again, secret[i]);
		CHECK_MEM(again, public[i], 32);
	}
	CHECK(c->dh(ab, secret[0], public[1]));
	CHECK(c->dh(ba, secret[1], public[0]));
	CHECK(c->dh(ac, secret[0], public[2]));
	CHECK_MEM(ab, ba, 32);
	CHECK(memcmp(ab, ac, 32) != 0);
}

static void test_dummy_dh_with_zero_is_refused(void)
{
	const uint8_t secret[32] = { 1 }, zero[32] = { 0 };
	uint8_t out[32];

	CHECK(!c->dh(out, secret, zero));
}

static void test_dummy_hkdf_depends_on_every_byte_and_its_outputs_differ(void)
{
	uint8_t salt[32] = { 0 }, in[32] = { 0 }, out[3][32], again[2][32], other[2][32];

	c->hkdf(out[0], sizeof(out), salt, in, sizeof(in));
	CHECK(memcmp(out[0], out[1], 32) != 0 && memcmp(out[1], out[2], 32) != 0 &&
	      memcmp(out[0], out[2], 32) != 0);
	c->hkdf(again[0], sizeof(again), salt, in, sizeof(in));
	CHECK_MEM(again, out, sizeof(again));
	for (size_t i = 0; i < 64; i++) {
		uint8_t *b = i < 32 ? &salt[i] : &in[i - 32];

		*b ^= 0x80;
		c->hkdf(other[0], sizeof(other), salt, in, sizeof(in));
		CHECK(memcmp(other[0], out[0], 32) != 0 && memcmp(other[1], out[1], 32) != 0);
		*b ^= 0x80;
	}
	c->hkdf(other[0], sizeof(other), salt, NULL, 0);
	CHECK(memcmp(other[0], out[0], 32) != 0);
}

static void test_dummy_takes_real_key_pairs_too(void)
{
	uint8_t seed[SEED_LEN] = { 1 }, secret[32], public[32], sig[SIG_LEN];
	struct key_pair k;

	while (!key_from_seed(&k, seed))
		seed[0]++;
	CHECK(c->key_valid(&k.pub));
	c->sign(sig, &k, "label", "x", 1);
	CHECK(c->verify(sig, &k.pub, "label", "x", 1));
	c->dh_secret(secret, &k);
	c->dh_base(public, secret);
	CHECK_MEM(public, k.pub.b, 32);
}

/* --- the handshake over it --- */

struct scene {
	struct handshake_self alice, bob;
	struct handshake hs;
	struct handshake_incoming incoming;
	uint8_t psk[32], init[PACKET_HANDSHAKE_MAX], response[PACKET_HANDSHAKE_MAX];
	size_t init_len, response_len;
};

static void scene_init(struct scene *s)
{
	struct key_pair a = pair_of(1), b = pair_of(2);
	struct handshake_init_args args = { .self = &s->alice, .psk = s->psk, .remote = &b.pub,
					    .index = 5, .start_counter = 1, .own = { .lanes = 1 },
					    .ephemeral = { 1, 2, 3 } };

	memset(s, 0, sizeof(*s));
	CHECK(handshake_self_init(&s->alice, &a, c) && handshake_self_init(&s->bob, &b, c));
	s->init_len = handshake_init_create(&s->hs, s->init, &args);
	CHECK(s->init_len != 0);
}

static bool respond(struct scene *s)
{
	struct handshake_respond_args args = { .self = &s->bob, .psk = s->psk, .index = 6,
					       .own = { .lanes = 1 }, .ephemeral = { 4, 5, 6 } };

	s->response_len = handshake_respond(&s->incoming, s->response, &args);
	return s->response_len != 0;
}

static void test_two_dummies_shake_hands(void)
{
	struct handshake_result got, *theirs;
	struct scene s;

	scene_init(&s);
	theirs = &s.incoming.result;
	CHECK(handshake_init_consume(&s.incoming, &s.bob, s.init, s.init_len));
	CHECK(key_equal(&theirs->remote, &s.alice.pub));
	CHECK(respond(&s));
	CHECK(handshake_response_consume(&s.hs, &s.alice, s.response, s.response_len, &got));
	CHECK_MEM(got.send_key, theirs->receive_key, 32);
	CHECK_MEM(got.receive_key, theirs->send_key, 32);
	CHECK_MEM(got.transcript, theirs->transcript, 32);
}

static void test_two_dummies_refuse_a_flipped_bit_anywhere_in_the_noise_messages(void)
{
	struct handshake_result got;
	struct scene s;

	scene_init(&s);
	for (size_t i = 8; i < s.init_len - 32; i++) { /* behind the header, before the macs */
		s.init[i] ^= 4;
		CHECK(!handshake_init_consume(&s.incoming, &s.bob, s.init, s.init_len));
		s.init[i] ^= 4;
	}
	CHECK(handshake_init_consume(&s.incoming, &s.bob, s.init, s.init_len) && respond(&s));
	for (size_t i = 0; i < s.response_len; i++) {
		s.response[i] ^= 4;
		CHECK(!handshake_response_consume(&s.hs, &s.alice, s.response, s.response_len, &got));
		s.response[i] ^= 4;
	}
	CHECK(handshake_response_consume(&s.hs, &s.alice, s.response, s.response_len, &got));
}

static void test_dummy_handshake_for_another_key_is_refused(void)
{
	struct key_pair other = pair_of(9);
	struct handshake_self carol;
	struct scene s;

	scene_init(&s);
	CHECK(handshake_self_init(&carol, &other, c));
	CHECK(!handshake_init_consume(&s.incoming, &carol, s.init, s.init_len));
}

static void test_self_of_dummy_halves_that_differ_is_refused(void)
{
	struct key_pair mixed = pair_of(1);
	struct handshake_self self;

	mixed.pub = pair_of(2).pub;
	CHECK(!handshake_self_init(&self, &mixed, c));
}

static const struct test tests[] = {
	TEST(test_dummy_keys_are_valid_and_all_different),
	TEST(test_dummy_refuses_a_zero_key_and_one_with_a_sign_bit),
	TEST(test_dummy_signature_is_bound_to_key_label_and_message),
	TEST(test_dummy_signature_of_halves_that_differ_is_refused),
	TEST(test_dummy_dh_is_the_same_on_both_sides_and_nowhere_else),
	TEST(test_dummy_dh_with_zero_is_refused),
	TEST(test_dummy_hkdf_depends_on_every_byte_and_its_outputs_differ),
	TEST(test_dummy_takes_real_key_pairs_too),
	TEST(test_two_dummies_shake_hands),
	TEST(test_two_dummies_refuse_a_flipped_bit_anywhere_in_the_noise_messages),
	TEST(test_dummy_handshake_for_another_key_is_refused),
	TEST(test_self_of_dummy_halves_that_differ_is_refused),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
