#include "p2p/handshake.h"

#include "p2p/mac.h"
#include "p2p/noise.h"
#include "p2p/offer.h"
#include "tests/check.h"
#include "tests/unit/handshake_kit.h"

static void test_handshake_both_sides_learn_each_other_and_hold_equal_keys(void)
{
	const struct handshake_result *a, *b;
	struct kit k;

	kit_init(&k);
	CHECK(kit_make_response(&k));
	CHECK(kit_accept_response(&k, k.response, k.response_len));
	a = &k.result;
	b = &k.incoming.result;
	CHECK(key_equal(&a->remote, &k.bob.pub));
	CHECK(key_equal(&b->remote, &k.alice.pub));
	CHECK_EQ_INT(a->remote_index, 0x55667788);
	CHECK_EQ_INT(b->remote_index, 0x11223344);
	CHECK_MEM(a->send_key, b->receive_key, 32);
	CHECK_MEM(a->receive_key, b->send_key, 32);
	CHECK(memcmp(a->send_key, a->receive_key, 32) != 0);
	CHECK_MEM(a->transcript, b->transcript, 32);
	CHECK(!sodium_is_zero(a->transcript, 32));
	CHECK_EQ_INT(b->start_counter, 7);
	CHECK_EQ_INT(b->boottime, 123456789);
	CHECK_EQ_INT(a->theirs.features, HANDSHAKE_FEATURE_AES | 0x80000000u);
	CHECK_EQ_INT(a->theirs.instance, 0xbbbb);
	CHECK_EQ_INT(a->theirs.lanes, 4);
	CHECK(addr_equal(&a->theirs.observed, &k.from));
	CHECK_EQ_INT(b->theirs.features, HANDSHAKE_FEATURE_AES);
	CHECK_EQ_INT(b->theirs.instance, 0xaaaa);
	CHECK_EQ_INT(b->theirs.lanes, 2);
	CHECK_EQ_INT(b->theirs.observed.ip.len, 0);
}

static void test_handshake_messages_have_the_documented_sizes(void)
{
	struct kit k;

	kit_init(&k);
	CHECK(kit_make_response(&k));
	CHECK_EQ_INT(k.init_len, 8 + 32 + 48 + 78 + 32);
	CHECK_EQ_INT(k.response_len, 12 + 32 + 34 + (4 + 7) + 32);
	CHECK_EQ_INT(k.init[0], 0x41);
	CHECK_EQ_INT(k.response[0], 0x42);
	addr_parse(&k.respond_args.own.observed, "[2001:db8::1]:65535");
	CHECK(kit_make_response(&k));
	CHECK(k.response_len < k.init_len);
	k.respond_args.own.observed = (struct addr){ 0 };
	CHECK(kit_make_response(&k));
	CHECK_EQ_INT(k.response_len, 110);
	CHECK(kit_accept_response(&k, k.response, k.response_len));
	CHECK_EQ_INT(k.result.theirs.observed.ip.len, 0);
}

static void test_handshake_every_changed_bit_of_an_init_is_refused(void)
{
	static const uint8_t fresh[32] = { 5 };
	struct cookie_jar jar = { .made = KIT_NOW };
	struct cookie_query q;
	uint8_t cookie[16], out[COOKIE_LEN], nonce[24] = { 1 };
	struct cookie_args args;
	struct kit k;

	kit_init(&k);
	kit_make_init(&k);
	q = (struct cookie_query){ k.init, k.init_len, &k.from, fresh };
	args = (struct cookie_args){ k.keys[1], &k.bob.pub, nonce };
	CHECK(cookie_create(&jar, out, &q, &args, KIT_NOW) == COOKIE_LEN);
	CHECK(cookie_consume(&k.hs, out, COOKIE_LEN, cookie));
	k.init_args.cookie = cookie;
	kit_make_init(&k);
	for (size_t i = 0; i < 8 * k.init_len; i += 3) { /* 3: every byte, each bit of some */
		k.init[i / 8] ^= (uint8_t)(1 << i % 8);
		CHECK(!(cookie_check(&jar, &q, KIT_NOW) &&
			kit_accept_init(&k, k.init, k.init_len)));
		/* mac2 counts under load only; nothing else needs it */
		if (i / 8 < k.init_len - MAC_LEN)
			CHECK(!kit_accept_init(&k, k.init, k.init_len));
		k.init[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	CHECK(cookie_check(&jar, &q, KIT_NOW) && kit_accept_init(&k, k.init, k.init_len));
}

static void test_handshake_every_changed_bit_of_a_response_is_refused(void)
{
	struct kit k;

	kit_init(&k);
	CHECK(kit_make_response(&k));
	for (size_t i = 0; i < 8 * k.response_len; i++) {
		k.response[i / 8] ^= (uint8_t)(1 << i % 8);
		CHECK(!kit_accept_response(&k, k.response, k.response_len));
		k.response[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	CHECK(kit_accept_response(&k, k.response, k.response_len));
}

/* Somebody who holds the overlay key repairs mac1 after a change: Noise refuses by itself. */
static void test_handshake_changed_noise_bytes_under_a_good_mac1_are_refused(void)
{
	struct kit k;

	kit_init(&k);
	CHECK(kit_make_response(&k));
	for (size_t i = 8; i < k.init_len - MACS_LEN; i++) {
		k.init[i] ^= 4;
		mac1_of(k.init + k.init_len - MACS_LEN, k.keys[1], &k.bob.pub, k.init,
			k.init_len - MACS_LEN);
		CHECK(!kit_accept_init(&k, k.init, k.init_len));
		k.init[i] ^= 4;
	}
	for (size_t i = 12; i < k.response_len - MACS_LEN; i++) {
		k.response[i] ^= 4;
		mac1_of(k.response + k.response_len - MACS_LEN, k.keys[1], &k.alice.pub,
			k.response, k.response_len - MACS_LEN);
		CHECK(!kit_accept_response(&k, k.response, k.response_len));
		k.response[i] ^= 4;
	}
}

static void test_handshake_truncated_or_longer_messages_are_refused(void)
{
	struct kit k;

	kit_init(&k);
	CHECK(kit_make_response(&k));
	for (size_t len = 0; len <= PACKET_HANDSHAKE_MAX; len++) {
		if (len != k.init_len) {
			CHECK(!kit_accept_init(&k, k.init, len));
			CHECK(!handshake_init_consume(&k.incoming, &k.bob, k.init, len));
		}
		if (len != k.response_len)
			CHECK(!kit_accept_response(&k, k.response, len));
	}
}

static void test_handshake_refused_message_changes_nothing(void)
{
	struct handshake_incoming before;
	struct handshake_result result;
	struct handshake hs;
	struct kit k;

	kit_init(&k);
	CHECK(kit_make_response(&k));
	memset(&k.incoming, 0x33, sizeof(k.incoming));
	memset(&k.result, 0x33, sizeof(k.result));
	before = k.incoming;
	result = k.result;
	hs = k.hs;
	k.init[100] ^= 1;
	CHECK(!handshake_init_consume(&k.incoming, &k.bob, k.init, k.init_len));
	CHECK_MEM(&k.incoming, &before, sizeof(before));
	k.response[50] ^= 1;
	CHECK(!handshake_response_consume(&k.hs, &k.alice, k.response, k.response_len, &k.result));
	CHECK_MEM(&k.result, &result, sizeof(result));
	CHECK_MEM(&k.hs, &hs, sizeof(hs));
	k.response[50] ^= 1;
	CHECK(handshake_response_consume(&k.hs, &k.alice, k.response, k.response_len, &k.result));
}

static void test_handshake_response_is_good_once_and_wipes_the_half(void)
{
	struct kit k;

	kit_init(&k);
	CHECK(kit_make_response(&k));
	CHECK(handshake_response_consume(&k.hs, &k.alice, k.response, k.response_len, &k.result));
	CHECK(sodium_is_zero((const uint8_t *)&k.hs, sizeof(k.hs)));
	CHECK(!handshake_response_consume(&k.hs, &k.alice, k.response, k.response_len, &k.result));
	CHECK(sodium_is_zero(k.incoming.ck, sizeof(k.incoming.ck)));
	CHECK(sodium_is_zero(k.incoming.h, sizeof(k.incoming.h)));
}

/* Everybody can compute the RESPONSE that a half of zeros would open. */
static void test_handshake_response_to_an_empty_half_is_refused(void)
{
	static const uint8_t zero[32] = { 0 }, e[32] = { 9 };
	const size_t header = 12, noise = NOISE_RESPONSE_OVERHEAD + OFFER_RESPONSE_MIN;
	struct handshake half = { .index = 0 };
	uint8_t pkt[PACKET_HANDSHAKE_MAX] = { 0x42, 0, 0, 0, 0, 0, 0, 1 };
	uint8_t plain[OFFER_MAX], e_public[32];
	struct handshake_offer offer = { .lanes = 1 };
	struct wr p = wr_of(plain, sizeof(plain)), w = wr_of(pkt, sizeof(pkt));
	struct noise_self self = { &crypto_real, NULL, NULL, e, e_public, zero };
	struct noise_peer peer;
	struct noise n = { .n = 0 };
	struct kit k;

	kit_init(&k);
	memcpy(peer.s, k.alice.dh_public, 32);
	crypto_real.dh_base(peer.e, zero);
	crypto_real.dh_base(e_public, e);
	offer_write_response(&p, &offer);
	CHECK(noise_response_write(&n, &self, &peer, (struct noise_text){ plain, wr_len(&p) },
				   pkt + header));
	w.p += header + noise;
	mac_append(&w, zero, &k.alice.pub, NULL);
	CHECK(!handshake_response_consume(&half, &k.alice, pkt, wr_len(&w), &k.result));
	half.index = 5; /* it is the index alone that refuses */
	pkt[11] = 5;
	mac1_of(pkt + header + noise, zero, &k.alice.pub, pkt, header + noise);
	CHECK(handshake_response_consume(&half, &k.alice, pkt, wr_len(&w), &k.result));
}

static void test_handshake_wrong_overlay_key_is_refused_by_both(void)
{
	uint8_t other[32] = { 0xee };
	struct kit k;

	kit_init(&k);
	k.init_args.psk = other;
	kit_make_init(&k);
	CHECK_EQ_INT(handshake_mac1_match(k.init, k.init_len, &k.bob.pub,
					  (const uint8_t (*)[32])k.keys, 2), -1);
	kit_init(&k);
	k.respond_args.psk = k.keys[0]; /* one that bob holds too, but not the one of the INIT */
	CHECK(kit_make_response(&k));
	CHECK(!kit_accept_response(&k, k.response, k.response_len));
	/* and with the mac1 repaired it is the psk in Noise that refuses */
	mac1_of(k.response + k.response_len - MACS_LEN, k.keys[1], &k.alice.pub, k.response,
		k.response_len - MACS_LEN);
	CHECK(!kit_accept_response(&k, k.response, k.response_len));
}

static void test_handshake_message_for_another_node_is_refused(void)
{
	struct kit k;

	kit_init(&k);
	CHECK(kit_make_response(&k));
	CHECK_EQ_INT(handshake_mac1_match(k.init, k.init_len, &k.carol.pub,
					  (const uint8_t (*)[32])k.keys, 2), -1);
	CHECK(!handshake_init_consume(&k.incoming, &k.carol, k.init, k.init_len));
	CHECK(!handshake_response_consume(&k.hs, &k.carol, k.response, k.response_len, &k.result));
}

static void test_handshake_mac1_tells_which_overlay_key(void)
{
	uint8_t keys[HANDSHAKE_OVERLAY_KEYS_MAX][32] = { { 0 } };
	struct kit k;

	kit_init(&k);
	CHECK(kit_make_response(&k));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		keys[i][0] = (uint8_t)(i + 1);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		k.init_args.psk = keys[i];
		kit_make_init(&k);
		CHECK_EQ_INT(handshake_mac1_match(k.init, k.init_len, &k.bob.pub,
						  (const uint8_t (*)[32])keys, ARRAY_LEN(keys)), i);
		CHECK_EQ_INT(handshake_mac1_match(k.init, k.init_len, &k.bob.pub,
						  (const uint8_t (*)[32])keys, i), -1);
	}
	CHECK_EQ_INT(handshake_mac1_match(k.response, k.response_len, &k.alice.pub,
					  (const uint8_t (*)[32])k.keys, 2), 1);
	CHECK_EQ_INT(handshake_mac1_match(k.init, k.init_len, &k.bob.pub, NULL, 0), -1);
}

static void test_handshake_low_order_ephemeral_is_refused(void)
{
	static const uint8_t low[3][32] = {
		{ 0 },
		{ 1 },
		{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
		  0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
		  0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 },
	};
	struct kit k;

	kit_init(&k);
	CHECK(kit_make_response(&k));
	for (size_t i = 0; i < ARRAY_LEN(low); i++) {
		memcpy(k.init + 8, low[i], 32);
		memcpy(k.response + 12, low[i], 32);
		mac1_of(k.init + k.init_len - MACS_LEN, k.keys[1], &k.bob.pub, k.init,
			k.init_len - MACS_LEN);
		mac1_of(k.response + k.response_len - MACS_LEN, k.keys[1], &k.alice.pub,
			k.response, k.response_len - MACS_LEN);
		CHECK(!kit_accept_init(&k, k.init, k.init_len));
		CHECK(!kit_accept_response(&k, k.response, k.response_len));
	}
}

static void test_handshake_unusable_remote_key_gives_no_init(void)
{
	struct pubkey bad[3] = { { { 0 } }, { { 1 } }, { { 0 } } };
	struct kit k;

	kit_init(&k);
	bad[2] = k.bob.pub;
	bad[2].b[31] |= 0x80;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		k.init_args.remote = &bad[i];
		kit_make_init(&k);
		CHECK_EQ_INT(k.init_len, 0);
		CHECK(sodium_is_zero((const uint8_t *)&k.hs, sizeof(k.hs)));
	}
}

static void test_handshake_self_of_two_unlike_halves_is_refused(void)
{
	struct handshake_self s;
	struct key_pair pair = kit_pair(1); /* alice */
	struct kit k;

	kit_init(&k);
	CHECK(handshake_self_init(&s, &pair, &crypto_real));
	pair.pub = k.bob.pub;
	CHECK(!handshake_self_init(&s, &pair, &crypto_real));
	CHECK(sodium_is_zero((const uint8_t *)&s, sizeof(s)));
}

/* Carol has the overlay key and her own static key, and says she is alice. */
static void test_handshake_node_key_that_is_not_the_static_is_refused(void)
{
	struct handshake_self liar;
	struct kit k;

	kit_init(&k);
	liar = k.carol;
	liar.pub = k.alice.pub;
	k.init_args.self = &liar;
	kit_make_init(&k);
	CHECK(k.init_len != 0);
	CHECK(!kit_accept_init(&k, k.init, k.init_len));
	k.init_args.self = &k.carol;
	kit_make_init(&k);
	CHECK(kit_accept_init(&k, k.init, k.init_len));
}

/* The other of the two Ed25519 keys with the same X25519 form. */
static void test_handshake_node_key_with_the_other_sign_is_refused(void)
{
	struct handshake_self liar;
	struct kit k;

	kit_init(&k);
	liar = k.alice;
	liar.pub.b[31] |= 0x80;
	k.init_args.self = &liar;
	kit_make_init(&k);
	CHECK(!kit_accept_init(&k, k.init, k.init_len));
}

static void test_handshake_suite_is_the_same_function_on_both_sides(void)
{
	for (unsigned i = 0; i < 4; i++) {
		struct kit k;

		kit_init(&k);
		k.init_args.own.features = i & 1 ? ~0u : ~HANDSHAKE_FEATURE_AES;
		k.respond_args.own.features = i & 2 ? HANDSHAKE_FEATURE_AES : 0;
		CHECK(kit_make_response(&k));
		CHECK(kit_accept_response(&k, k.response, k.response_len));
		CHECK_EQ_INT(k.result.suite, i == 3 ? AEAD_AES256_GCM : AEAD_CHACHA20_POLY1305);
		CHECK_EQ_INT(k.incoming.result.suite, k.result.suite);
		CHECK_MEM(k.result.send_key, k.incoming.result.receive_key, 32);
	}
}

/* Were a feature word to arrive other than it was sent, the keys would not fit. */
static void test_handshake_features_are_bound_into_the_keys(void)
{
	struct kit k;

	for (int bit = 0; bit < 32; bit++) {
		kit_init(&k);
		CHECK(kit_make_response(&k));
		k.hs.own.features ^= 1u << bit;
		CHECK(kit_accept_response(&k, k.response, k.response_len));
		CHECK(memcmp(k.result.send_key, k.incoming.result.receive_key, 32) != 0);
		CHECK(memcmp(k.result.receive_key, k.incoming.result.send_key, 32) != 0);
	}
}

static void test_handshake_zero_or_foreign_index_is_refused(void)
{
	struct kit k;

	kit_init(&k);
	CHECK(kit_make_response(&k));
	memset(k.init + 4, 0, 4);
	CHECK(!handshake_init_consume(&k.incoming, &k.bob, k.init, k.init_len));
	k.hs.index++;
	CHECK(!kit_accept_response(&k, k.response, k.response_len));
	k.hs.index--;
	CHECK(kit_accept_response(&k, k.response, k.response_len));
	memset(k.response + 4, 0, 4);
	mac1_of(k.response + k.response_len - MACS_LEN, k.keys[1], &k.alice.pub, k.response,
		k.response_len - MACS_LEN);
	CHECK(!kit_accept_response(&k, k.response, k.response_len));
}

static void test_handshake_indexes_are_found_by_type_and_length(void)
{
	uint8_t pkt[12] = { 0x41, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 };

	CHECK_EQ_INT(handshake_sender_index(pkt, 12), 0x01020304);
	CHECK_EQ_INT(handshake_sender_index(pkt, 7), 0);
	CHECK_EQ_INT(handshake_receiver_index(pkt, 12), 0);
	pkt[0] = 0x42;
	CHECK_EQ_INT(handshake_sender_index(pkt, 12), 0x01020304);
	CHECK_EQ_INT(handshake_receiver_index(pkt, 12), 0x05060708);
	CHECK_EQ_INT(handshake_receiver_index(pkt, 11), 0);
	pkt[0] = 0x43;
	CHECK_EQ_INT(handshake_receiver_index(pkt, 12), 0x01020304);
	CHECK_EQ_INT(handshake_receiver_index(pkt, 7), 0);
	CHECK_EQ_INT(handshake_sender_index(pkt, 12), 0);
	CHECK_EQ_INT(handshake_receiver_index(pkt, 0), 0);
	pkt[0] = 0x82; /* another version */
	CHECK_EQ_INT(handshake_receiver_index(pkt, 12), 0);
}

static const struct test tests[] = {
	TEST(test_handshake_both_sides_learn_each_other_and_hold_equal_keys),
	TEST(test_handshake_messages_have_the_documented_sizes),
	TEST(test_handshake_every_changed_bit_of_an_init_is_refused),
	TEST(test_handshake_every_changed_bit_of_a_response_is_refused),
	TEST(test_handshake_changed_noise_bytes_under_a_good_mac1_are_refused),
	TEST(test_handshake_truncated_or_longer_messages_are_refused),
	TEST(test_handshake_refused_message_changes_nothing),
	TEST(test_handshake_response_is_good_once_and_wipes_the_half),
	TEST(test_handshake_response_to_an_empty_half_is_refused),
	TEST(test_handshake_wrong_overlay_key_is_refused_by_both),
	TEST(test_handshake_message_for_another_node_is_refused),
	TEST(test_handshake_mac1_tells_which_overlay_key),
	TEST(test_handshake_low_order_ephemeral_is_refused),
	TEST(test_handshake_unusable_remote_key_gives_no_init),
	TEST(test_handshake_self_of_two_unlike_halves_is_refused),
	TEST(test_handshake_node_key_that_is_not_the_static_is_refused),
	TEST(test_handshake_node_key_with_the_other_sign_is_refused),
	TEST(test_handshake_suite_is_the_same_function_on_both_sides),
	TEST(test_handshake_features_are_bound_into_the_keys),
	TEST(test_handshake_zero_or_foreign_index_is_refused),
	TEST(test_handshake_indexes_are_found_by_type_and_length),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
