/* fuzz_handshake.c - the packets of docs/protocol.md 3, given to the two nodes of handshake_kit.h.
 *
 * The two top bits of the first byte choose: 01 (our version) = the input is a packet, and
 * everything that reads packets before a session gets it; 00 and 10 = the rest is the opened
 * payload of an INIT or a RESPONSE, which no fuzzer could seal. What is refused must change
 * nothing; what is accepted must come back the same after it was written and read again. */
#include <assert.h>
#include <string.h>

#include "p2p/offer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/handshake_kit.h"

static void offer_equal(const struct handshake_offer *a, const struct handshake_offer *b)
{
	assert(a->features == b->features && a->instance == b->instance && a->lanes == b->lanes);
	assert(addr_equal(&a->observed, &b->observed));
}

static void payload_init(struct rd r)
{
	struct offer_init a = { 0 }, b = { 0 };
	uint8_t buf[OFFER_MAX];
	struct wr w = wr_of(buf, sizeof(buf));

	if (!offer_read_init(r, &a))
		return;
	offer_write_init(&w, &a);
	assert(wr_ok(&w) && offer_read_init(rd_of(buf, wr_len(&w)), &b));
	offer_equal(&a.offer, &b.offer);
	assert(key_equal(&a.node, &b.node) && a.boottime == b.boottime);
	assert(a.start_counter == b.start_counter);
}

static void payload_response(struct rd r)
{
	struct handshake_offer a = { 0 }, b = { 0 };
	uint8_t buf[OFFER_MAX];
	struct wr w = wr_of(buf, sizeof(buf));

	if (!offer_read_response(r, &a))
		return;
	offer_write_response(&w, &a);
	assert(wr_ok(&w) && offer_read_response(rd_of(buf, wr_len(&w)), &b));
	offer_equal(&a, &b);
}

/* As the responder does: mac1, cookie, then the curve; here each whatever the others say. */
static void packet_to_bob(const struct kit *base, const uint8_t *pkt, size_t len)
{
	static const uint8_t fresh[32] = { 5 }, nonce[24] = { 6 };
	const uint8_t(*keys)[32] = (const uint8_t(*)[32])base->keys;
	struct whois_args args = { keys, 2, &base->bob.pub, nonce };
	struct cookie_query q = { pkt, len, &base->from, fresh };
	struct cookie_args ca = { base->keys[0], &base->bob.pub, nonce };
	struct cookie_jar jar = { .made = KIT_NOW };
	struct handshake_incoming in, before;
	uint8_t out[PACKET_HANDSHAKE_MAX];

	assert(handshake_mac1_match(pkt, len, &base->bob.pub, keys, 2) < 2);
	cookie_check(&jar, &q, KIT_NOW);
	assert(cookie_create(&jar, out, &q, &ca, KIT_NOW) <= len);
	assert(whois_answer(out, pkt, len, &args) <= len);
	memset(&in, 0x77, sizeof(in));
	before = in;
	if (handshake_init_consume(&in, &base->bob, pkt, len))
		assert(handshake_respond(&in, out, &base->respond_args) <= len);
	else
		assert(memcmp(&in, &before, sizeof(in)) == 0);
}

static void packet_to_alice(const struct kit *base, const uint8_t *pkt, size_t len)
{
	static const uint8_t challenge[16] = { 1, 2, 3 };
	struct handshake hs = base->hs;
	struct handshake_result out = { 0 };
	struct pubkey key;
	uint8_t cookie[16];

	handshake_receiver_index(pkt, len);
	handshake_sender_index(pkt, len);
	cookie_consume(&hs, pkt, len, cookie);
	if (whois_consume(pkt, len,
			  &(struct whois_question){ base->keys[1], challenge, &crypto_real }, &key))
		assert(key_valid(&key));
	if (!handshake_response_consume(&hs, &base->alice, pkt, len, &out))
		assert(memcmp(&hs, &base->hs, sizeof(hs)) == 0);
	else
		assert(hs.index == 0 && memcmp(out.send_key, out.receive_key, 32) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct kit kit; /* the same for every input */

	if (!kit.init_len) {
		if (sodium_init() < 0)
			return -1;
		kit_init(&kit);
		kit_make_init(&kit);
	}
	if (len == 0 || data[0] >> 6 == 1) {
		packet_to_bob(&kit, data, len);
		packet_to_alice(&kit, data, len);
	} else if (data[0] >> 6 == 0) {
		payload_init(rd_of(data + 1, len - 1));
	} else {
		payload_response(rd_of(data + 1, len - 1));
	}
	return 0;
}
