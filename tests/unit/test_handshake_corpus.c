/* The seeds of tests/fuzz/fuzz_handshake.c are made here, of the nodes of handshake_kit.h, and
 * must be in the folder byte by byte: a seed that no longer verifies would test nothing.
 * After a change of the protocol: WRITE_CORPUS=1 and run this once. */
#include <stdlib.h>

#include "p2p/mac.h"
#include "p2p/offer.h"
#include "tests/check.h"
#include "tests/unit/handshake_kit.h"

static void same_file(const char *name, const uint8_t *want, size_t len)
{
	const char *src = getenv("SRCDIR");
	uint8_t got[PACKET_HANDSHAKE_MAX + 1];
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/handshake/%s", src ? src : ".", name);
	f = fopen(path, getenv("WRITE_CORPUS") ? "w+b" : "rb");
	CHECK(f);
	if (!f)
		return;
	if (getenv("WRITE_CORPUS")) {
		CHECK(fwrite(want, 1, len, f) == len);
		rewind(f);
	}
	CHECK_EQ_INT(fread(got, 1, sizeof(got), f), len);
	CHECK_MEM(got, want, len);
	fclose(f);
}

static void test_handshake_corpus_init_and_response_are_current(void)
{
	struct kit k;

	kit_init(&k);
	CHECK(kit_make_response(&k));
	CHECK(kit_accept_response(&k, k.response, k.response_len));
	same_file("init", k.init, k.init_len);
	same_file("response", k.response, k.response_len);
}

static void test_handshake_corpus_cookie_is_current(void)
{
	static const uint8_t fresh[32] = { 5 }, nonce[24] = { 6 };
	struct cookie_jar jar = { .made = KIT_NOW };
	uint8_t pkt[COOKIE_LEN], cookie[16];
	struct cookie_query q;
	struct cookie_args a;
	struct kit k;

	kit_init(&k);
	kit_make_init(&k);
	q = (struct cookie_query){ k.init, k.init_len, &k.from, fresh };
	a = (struct cookie_args){ k.keys[1], &k.bob.pub, nonce };
	CHECK_EQ_INT(cookie_create(&jar, pkt, &q, &a, KIT_NOW), COOKIE_LEN);
	CHECK(cookie_consume(&k.hs, pkt, COOKIE_LEN, cookie));
	same_file("cookie", pkt, COOKIE_LEN);
	k.init_args.cookie = cookie;
	kit_make_init(&k);
	CHECK(cookie_check(&jar, &q, KIT_NOW));
	same_file("init-with-cookie", k.init, k.init_len);
}

static void test_handshake_corpus_whois_is_current(void)
{
	static const uint8_t challenge[16] = { 1, 2, 3 }, nonce[24] = { 6 };
	uint8_t request[WHOIS_LEN], answer[WHOIS_LEN];
	struct whois_args args;
	struct pubkey key;
	struct kit k;

	kit_init(&k);
	args = (struct whois_args){ (const uint8_t (*)[32])k.keys, 2, &k.bob.pub, nonce };
	whois_create(request, k.keys[1], nonce, challenge);
	CHECK_EQ_INT(whois_answer(answer, request, WHOIS_LEN, &args), WHOIS_LEN);
	CHECK(whois_consume(answer, WHOIS_LEN,
			    &(struct whois_question){ k.keys[1], challenge, &crypto_real }, &key));
	same_file("whois", request, WHOIS_LEN);
	same_file("whois-answer", answer, WHOIS_LEN);
}

static void test_handshake_corpus_payloads_are_current(void)
{
	static const uint8_t unknown[] = { 0x12, 0x34, 0, 1, 9 };
	struct handshake_offer got;
	uint8_t buf[1 + OFFER_MAX];
	struct offer_init offer;
	struct wr w;
	struct kit k;

	kit_init(&k);
	offer = (struct offer_init){ 7, 8, k.alice.pub, k.respond_args.own };
	w = wr_of(buf, sizeof(buf));
	wr_u8(&w, 0x00);
	offer_write_init(&w, &offer);
	same_file("payload-init", buf, wr_len(&w));
	w = wr_of(buf, sizeof(buf));
	wr_u8(&w, 0x80);
	offer_write_response(&w, &k.init_args.own);
	w.p -= 2; /* its empty block of extensions */
	wr_block(&w, unknown, sizeof(unknown));
	CHECK(offer_read_response(rd_of(buf + 1, wr_len(&w) - 1), &got));
	same_file("payload-response", buf, wr_len(&w));
}

static const struct test tests[] = {
	TEST(test_handshake_corpus_init_and_response_are_current),
	TEST(test_handshake_corpus_cookie_is_current),
	TEST(test_handshake_corpus_whois_is_current),
	TEST(test_handshake_corpus_payloads_are_current),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
