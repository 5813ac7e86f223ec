#include "p2p/cookie.h"

#include "p2p/mac.h"
#include "tests/check.h"
#include "tests/unit/handshake_kit.h"

static const uint8_t fresh[32] = { 1, 2, 3 }, fresher[32] = { 4, 5, 6 };
static const uint8_t nonce[24] = { 7 };

struct scene {
	struct kit k;
	struct cookie_jar jar;
	struct cookie_query q;
	struct cookie_args args;
	uint8_t pkt[COOKIE_LEN], cookie[16];
};

static void scene_init(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	kit_init(&s->k);
	kit_make_init(&s->k);
	s->q = (struct cookie_query){ s->k.init, s->k.init_len, &s->k.from, fresh };
	s->args = (struct cookie_args){ s->k.keys[1], &s->k.bob.pub, nonce };
}

/* Alice asks, gets a COOKIE, and asks again with it. */
static void ask_twice(struct scene *s, usec_t now)
{
	CHECK_EQ_INT(cookie_create(&s->jar, s->pkt, &s->q, &s->args, now), COOKIE_LEN);
	CHECK(cookie_consume(&s->k.hs, s->pkt, COOKIE_LEN, s->cookie));
	s->k.init_args.cookie = s->cookie;
	kit_make_init(&s->k);
	s->q.len = s->k.init_len;
}

static void test_cookie_shown_from_the_same_address_is_good(void)
{
	struct scene s;

	scene_init(&s);
	CHECK(!cookie_check(&s.jar, &s.q, KIT_NOW));
	ask_twice(&s, KIT_NOW);
	CHECK(cookie_check(&s.jar, &s.q, KIT_NOW));
	CHECK(kit_accept_init(&s.k, s.k.init, s.k.init_len));
	s.k.init_args.index++; /* the next attempt too: a cookie is good for its life */
	kit_make_init(&s.k);
	CHECK(cookie_check(&s.jar, &s.q, KIT_NOW + SEC(119)));
}

static void test_cookie_from_another_address_or_port_is_refused(void)
{
	static const char *const others[] = { "192.0.2.8:24655", "192.0.2.7:24656",
					      "[::c000:207]:24655" };
	struct scene s;
	struct addr other;

	scene_init(&s);
	ask_twice(&s, KIT_NOW);
	s.q.from = &other;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		CHECK(addr_parse(&other, others[i]));
		CHECK(!cookie_check(&s.jar, &s.q, KIT_NOW));
	}
	s.q.from = &s.k.from;
	CHECK(cookie_check(&s.jar, &s.q, KIT_NOW));
}

static void test_cookie_dies_with_its_secret_after_120_seconds(void)
{
	struct scene s;

	scene_init(&s);
	ask_twice(&s, KIT_NOW);
	s.q.fresh_secret = fresher;
	CHECK(cookie_check(&s.jar, &s.q, KIT_NOW + SEC(120) - 1));
	CHECK(!cookie_check(&s.jar, &s.q, KIT_NOW + SEC(120)));
	CHECK_MEM(s.jar.secret, fresher, 32);
	CHECK(!cookie_check(&s.jar, &s.q, KIT_NOW + SEC(121)));
	ask_twice(&s, KIT_NOW + SEC(121));
	CHECK(cookie_check(&s.jar, &s.q, KIT_NOW + SEC(122)));
	CHECK(!cookie_check(&s.jar, &s.q, KIT_NOW)); /* time that runs backwards */
}

static void test_cookie_jar_works_from_time_zero(void)
{
	struct scene s;

	scene_init(&s);
	ask_twice(&s, 0);
	CHECK(s.jar.made != 0);
	CHECK(cookie_check(&s.jar, &s.q, 1));
}

static void test_cookie_zero_secret_of_a_new_jar_is_never_used(void)
{
	struct cookie_jar zero = { .made = KIT_NOW };
	struct scene s;

	scene_init(&s);
	CHECK(cookie_create(&zero, s.pkt, &s.q, &s.args, KIT_NOW));
	CHECK(cookie_consume(&s.k.hs, s.pkt, COOKIE_LEN, s.cookie));
	s.k.init_args.cookie = s.cookie;
	kit_make_init(&s.k);
	CHECK(cookie_check(&zero, &s.q, KIT_NOW));
	CHECK(!cookie_check(&s.jar, &s.q, KIT_NOW));
	CHECK(!cookie_check(&s.jar, &s.q, KIT_NOW));
}

static void test_cookie_mac2_covers_the_whole_init(void)
{
	struct scene s;

	scene_init(&s);
	ask_twice(&s, KIT_NOW);
	for (size_t i = 0; i < s.k.init_len; i++) {
		s.k.init[i] ^= 0x20;
		CHECK(!cookie_check(&s.jar, &s.q, KIT_NOW));
		s.k.init[i] ^= 0x20;
	}
	for (s.q.len = 0; s.q.len < s.k.init_len; s.q.len++)
		CHECK(!cookie_check(&s.jar, &s.q, KIT_NOW));
}

static void test_cookie_changed_or_cut_reply_is_refused(void)
{
	uint8_t cookie[16] = { 0 };
	struct scene s;

	scene_init(&s);
	CHECK(cookie_create(&s.jar, s.pkt, &s.q, &s.args, KIT_NOW) == COOKIE_LEN);
	CHECK_EQ_INT(s.pkt[0], 0x43);
	for (size_t i = 0; i < 8 * COOKIE_LEN; i++) {
		s.pkt[i / 8] ^= (uint8_t)(1 << i % 8);
		CHECK(!cookie_consume(&s.k.hs, s.pkt, COOKIE_LEN, cookie));
		s.pkt[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t len = 0; len < COOKIE_LEN; len++)
		CHECK(!cookie_consume(&s.k.hs, s.pkt, len, cookie));
	CHECK(sodium_is_zero(cookie, sizeof(cookie)));
	CHECK(cookie_consume(&s.k.hs, s.pkt, COOKIE_LEN, cookie));
}

static void test_cookie_for_another_init_or_of_another_node_is_refused(void)
{
	struct scene s;

	scene_init(&s);
	CHECK(cookie_create(&s.jar, s.pkt, &s.q, &s.args, KIT_NOW) == COOKIE_LEN);
	s.k.hs.mac1[0] ^= 1;
	CHECK(!cookie_consume(&s.k.hs, s.pkt, COOKIE_LEN, s.cookie));
	s.k.hs.mac1[0] ^= 1;
	s.args.self = &s.k.carol.pub;
	CHECK(cookie_create(&s.jar, s.pkt, &s.q, &s.args, KIT_NOW) == COOKIE_LEN);
	CHECK(!cookie_consume(&s.k.hs, s.pkt, COOKIE_LEN, s.cookie));
	s.args.self = &s.k.bob.pub;
	s.args.overlay_key = s.k.keys[0];
	CHECK(cookie_create(&s.jar, s.pkt, &s.q, &s.args, KIT_NOW) == COOKIE_LEN);
	CHECK(!cookie_consume(&s.k.hs, s.pkt, COOKIE_LEN, s.cookie));
	memset(&s.k.hs, 0, sizeof(s.k.hs));
	CHECK(!cookie_consume(&s.k.hs, s.pkt, COOKIE_LEN, s.cookie));
}

/* Everybody can compute the COOKIE that a half of zeros would open. */
static void test_cookie_for_an_empty_half_is_refused(void)
{
	static const uint8_t zero[32] = { 0 }, mac1[MAC_LEN] = { 0 };
	uint8_t pkt[COOKIE_LEN] = { 0x43 }, key[32], cookie[16] = { 8 };
	struct handshake half = { .index = 0 };

	memcpy(pkt + 8, nonce, sizeof(nonce));
	mac_key(key, "vpnd cookie", zero, &half.remote);
	crypto_aead_xchacha20poly1305_ietf_encrypt(pkt + 32, NULL, cookie, sizeof(cookie), mac1,
						   MAC_LEN, NULL, nonce, key);
	CHECK(!cookie_consume(&half, pkt, COOKIE_LEN, cookie));
	half.index = 5; /* it is the index alone that refuses */
	pkt[7] = 5;
	CHECK(cookie_consume(&half, pkt, COOKIE_LEN, cookie));
}

static void test_cookie_answers_an_init_only(void)
{
	struct scene s;

	scene_init(&s);
	CHECK(kit_make_response(&s.k));
	s.q.pkt = s.k.response;
	s.q.len = s.k.response_len;
	CHECK_EQ_INT(cookie_create(&s.jar, s.pkt, &s.q, &s.args, KIT_NOW), 0);
	s.q.pkt = s.k.init;
	s.q.len = COOKIE_LEN - 1;
	CHECK_EQ_INT(cookie_create(&s.jar, s.pkt, &s.q, &s.args, KIT_NOW), 0);
}

static const struct test tests[] = {
	TEST(test_cookie_shown_from_the_same_address_is_good),
	TEST(test_cookie_from_another_address_or_port_is_refused),
	TEST(test_cookie_dies_with_its_secret_after_120_seconds),
	TEST(test_cookie_jar_works_from_time_zero),
	TEST(test_cookie_zero_secret_of_a_new_jar_is_never_used),
	TEST(test_cookie_mac2_covers_the_whole_init),
	TEST(test_cookie_changed_or_cut_reply_is_refused),
	TEST(test_cookie_for_another_init_or_of_another_node_is_refused),
	TEST(test_cookie_for_an_empty_half_is_refused),
	TEST(test_cookie_answers_an_init_only),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
