/* beacon.c - see beacon.h. docs/protocol.md 5.3.
 *
 * A site that is cut from the world finds itself: a node without links says on its LANs "I am
 * here", sealed under the overlay key, and is answered by handshakes only. A beacon proves nothing
 * but that somebody had the overlay key once, so what it can bring about is bounded three times:
 * beacons looked at (in all and by source), attempts (in all and by key), and who answers:
 *
 *   we are alone             we answer whom we hear, as fast as attempts allow
 *   the sender is alone      at once who is nearest to it of all he knows (one node of a ring);
 *                            everybody when the sender is still alone at a later beacon
 *   both have links          who is nearest of all he knows: in one ring nobody, since a node's
 *                            nearest are linked with it; of another ring one; and, an hour after
 *                            hour, one in eight of all others, should that one be elsewhere
 *
 * So a LAN where all start at once sees a few handshakes per node, not one per pair. A replayed
 * beacon costs one attempt, to an address of this LAN, every 5 s at most. */
#include "p2p/beacon.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/wire.h"
#include "p2p/packet.h"

#define HEADER_SIZE 4
#define PLAIN_SIZE 48 /* key 32, port 2, flags 2, zero 12 */
#define SEALED_SIZE (PLAIN_SIZE + crypto_aead_xchacha20poly1305_ietf_ABYTES)
_Static_assert(BEACON_LEN == HEADER_SIZE + BEACON_NONCE_LEN + SEALED_SIZE, "docs/protocol.md 5.3");
_Static_assert(BEACON_NONCE_LEN == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "of the cipher");

#define FLAG_ALONE 1
#define FLAG_LEAF 2

#define GREETINGS 3		/* beacons after a start: at 0..0.3, 1.2..1.8, 3.6..5.4 s */
#define GREETING_FIRST MSEC(300)
#define ALONE_GAP SEC(10)
#define FLAP_GAP SEC(2) /* between beacons of a node whose links come and go */
#define IDLE_GAP HOURS(1)
#define LOOKED_AT_A_SECOND 100
#define SOURCE_A_SECOND 2
#define SOURCE_BURST 20
#define ATTEMPTS_A_SECOND 2
#define ATTEMPTS_BURST 4
#define TRY_AGAIN SEC(5)      /* the same key */
#define STILL_ALONE MSEC(900) /* a beacon that much after the first: nobody took care */
#define SETTLED MINUTES(1)    /* after the start */
#define LOTTERY 8

static void beacon_key(uint8_t key[32], const uint8_t *overlay_key)
{
	hash_of(key, 32, "vpnd beacon", overlay_key, 32);
}

void beacon_write(uint8_t out[BEACON_LEN], const struct beacon *b, const uint8_t overlay_key[32],
		  const uint8_t nonce[BEACON_NONCE_LEN])
{
	uint8_t plain[PLAIN_SIZE] = { 0 }, key[32], sealed[SEALED_SIZE];
	struct wr p = wr_of(plain, sizeof(plain)), w = wr_of(out, BEACON_LEN);

	wr_copy(&p, b->key.b, KEY_LEN);
	wr_u16(&p, b->port);
	wr_u16(&p, (uint16_t)((b->alone ? FLAG_ALONE : 0) | (b->leaf ? FLAG_LEAF : 0)));
	packet_write_type(&w, PACKET_BEACON);
	beacon_key(key, overlay_key);
	crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, plain, sizeof(plain), out,
						   HEADER_SIZE, NULL, nonce, key);
	sodium_memzero(key, sizeof(key));
	wr_copy(&w, nonce, BEACON_NONCE_LEN);
	wr_copy(&w, sealed, sizeof(sealed));
	assert(wr_ok(&p) && wr_ok(&w) && wr_len(&w) == BEACON_LEN);
}

bool beacon_read(struct beacon *out, const uint8_t *pkt, size_t len, const uint8_t overlay_key[32])
{
	struct rd r = rd_of(pkt, len), p;
	uint8_t plain[PLAIN_SIZE], key[32], nonce[BEACON_NONCE_LEN], sealed[SEALED_SIZE];
	uint16_t flags;
	bool ok;

	if (!packet_read_type(&r, PACKET_BEACON))
		return false;
	rd_copy(&r, nonce, sizeof(nonce));
	rd_copy(&r, sealed, sizeof(sealed));
	if (!rd_done(&r))
		return false;
	beacon_key(key, overlay_key);
	ok = crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed, SEALED_SIZE, pkt,
							HEADER_SIZE, nonce, key) == 0;
	sodium_memzero(key, sizeof(key));
	if (!ok)
		return false;
	p = rd_of(plain, sizeof(plain)); /* what follows the flags is for later versions */
	rd_copy(&p, out->key.b, KEY_LEN);
	out->port = rd_u16(&p);
	flags = rd_u16(&p);
	out->alone = flags & FLAG_ALONE;
	out->leaf = flags & FLAG_LEAF;
	return rd_ok(&p) && out->port && !key_is_zero(&out->key);
}

static usec_t later_of(usec_t a, usec_t b)
{
	return a > b ? a : b;
}

/* t +-20 %. */
static usec_t jittered(usec_t t, uint32_t draw)
{
	return t - t / 5 + (t * 2 / 5) * (draw >> 16) / 65536;
}

void beacons_init(struct beacons *bs, uint32_t draw, usec_t now)
{
	*bs = (struct beacons){ .started = now, .sent = now, .draw = draw, .greetings = GREETINGS,
				.alone = true };
	bs->next = now + draw % GREETING_FIRST;
	limit_init(&bs->all, LOOKED_AT_A_SECOND, LOOKED_AT_A_SECOND);
	limit_init(&bs->attempts, ATTEMPTS_A_SECOND, ATTEMPTS_BURST);
	for (size_t i = 0; i < BEACON_SOURCES; i++)
		limit_init(&bs->sources[i], SOURCE_A_SECOND, SOURCE_BURST);
	for (size_t i = 0; i < BEACON_HEARD; i++)
		bs->heard[i].alone_at = bs->heard[i].tried = USEC_NEVER;
}

static usec_t gap(const struct beacons *bs)
{
	static const usec_t greeting[GREETINGS] = { [2] = MSEC(1500), [1] = SEC(3) };

	if (bs->greetings)
		return greeting[bs->greetings];
	return bs->alone ? ALONE_GAP : IDLE_GAP;
}

bool beacons_due(struct beacons *bs, bool alone, usec_t now)
{
	if (alone && !bs->alone && !bs->greetings) /* links of a dead hub are lost by all at once */
		bs->next = later_of(now, bs->sent + FLAP_GAP) + bs->draw % SEC(1);
	else if (!alone && bs->alone && !bs->greetings)
		bs->next = bs->sent + jittered(IDLE_GAP, bs->draw);
	bs->alone = alone;
	return now >= bs->next;
}

void beacons_sent(struct beacons *bs, uint32_t draw, usec_t now)
{
	bs->greetings -= bs->greetings ? 1 : 0;
	bs->sent = now;
	bs->draw = draw;
	bs->next = now + jittered(gap(bs), draw);
}

usec_t beacons_deadline(const struct beacons *bs)
{
	return bs->next;
}

void beacons_hurry(struct beacons *bs, usec_t now)
{
	usec_t at = later_of(now, bs->sent + ALONE_GAP) + bs->draw % SEC(1);

	bs->next = usec_min(bs->next, at);
}

bool beacons_admit(struct beacons *bs, const struct ip *from, usec_t now)
{
	uint8_t h[16];

	/* The own bucket first: a flood from one source leaves the common one to the others. */
	hash_of(h, sizeof(h), "vpnd beacon source", from->b, sizeof(from->b));
	return limit_take(&bs->sources[h[0] % BEACON_SOURCES], now) && limit_take(&bs->all, now);
}

static struct beacon_heard *place_of(struct beacons *bs, const struct pubkey *key)
{
	struct beacon_heard *h = &bs->heard[key->b[0] % BEACON_HEARD];

	if (!key_equal(&h->key, key))
		*h = (struct beacon_heard){ *key, USEC_NEVER, USEC_NEVER };
	return h;
}

/* `chance`: what is decided when nothing speaks for it. */
static bool is_for_us(const struct beacon *b, const struct beacon_view *v, bool chance)
{
	if ((b->leaf && (v->leaf || !b->alone)) || (v->leaf && !v->alone))
		return false; /* a leaf has one link, and nothing to offer */
	return v->alone || v->nearest || chance;
}

bool beacons_weigh(struct beacons *bs, const struct beacon *b, const struct beacon_view *v,
		   uint32_t draw, usec_t now)
{
	struct beacon_heard *h = place_of(bs, &b->key);
	bool still_alone = h->alone_at != USEC_NEVER && now >= h->alone_at + STILL_ALONE;
	bool lucky = now >= bs->started + SETTLED && draw % LOTTERY == 0;

	if (!b->alone)
		h->alone_at = USEC_NEVER;
	else if (h->alone_at == USEC_NEVER)
		h->alone_at = now;
	if ((h->tried != USEC_NEVER && now < h->tried + TRY_AGAIN) ||
	    !is_for_us(b, v, b->alone ? still_alone : lucky) || !limit_take(&bs->attempts, now))
		return false;
	h->tried = now;
	return true;
}
