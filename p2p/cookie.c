/* cookie.c - see cookie.h. docs/protocol.md 3.4.
 *
 * Under load a responder answers a good mac1 with COOKIE instead of curve arithmetic. The cookie is
 * a function of a secret and the source address, so nothing is stored a source; the secret lives
 * COOKIE_LIFE and then every cookie made with it is dead (its owner simply gets the next one). The
 * reply is sealed with the mac1 of the INIT that it answers as associated data: only who sent that
 * INIT, and knows the overlay key, learns the cookie. */
#include "p2p/cookie.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/wire.h"
#include "p2p/mac.h"

#define COOKIE_LIFE SEC(120)
#define COOKIE_SIZE 16
#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define SEALED_SIZE (COOKIE_SIZE + crypto_aead_xchacha20poly1305_ietf_ABYTES)
_Static_assert(COOKIE_LEN == 4 + 4 + NONCE_SIZE + SEALED_SIZE, "docs/protocol.md 3.4");

static bool is_alive(const struct cookie_jar *j, usec_t now)
{
	return j->made != 0 && now >= j->made && now - j->made < COOKIE_LIFE;
}

static void renew(struct cookie_jar *j, const uint8_t fresh[32], usec_t now)
{
	memcpy(j->secret, fresh, sizeof(j->secret));
	j->made = now ? now : 1; /* 0 means never */
}

static void cookie_of(uint8_t out[COOKIE_SIZE], const struct cookie_jar *j, const struct addr *from)
{
	uint8_t buf[1 + 16 + 2];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_addr(&w, from);
	assert(wr_ok(&w));
	crypto_generichash(out, COOKIE_SIZE, buf, wr_len(&w), j->secret, sizeof(j->secret));
}

bool cookie_check(struct cookie_jar *j, const struct cookie_query *q, usec_t now)
{
	uint8_t cookie[COOKIE_SIZE], mac2[MAC_LEN];
	bool ok;

	if (!is_alive(j, now)) {
		renew(j, q->fresh_secret, now);
		return false;
	}
	if (q->len < MACS_LEN)
		return false;
	cookie_of(cookie, j, q->from);
	mac2_of(mac2, cookie, q->pkt, q->len - MAC_LEN);
	ok = mac_equal(mac2, q->pkt + q->len - MAC_LEN);
	sodium_memzero(cookie, sizeof(cookie));
	return ok;
}

static void write_cookie(struct wr *w, uint32_t index, const uint8_t cookie[COOKIE_SIZE],
			 const struct cookie_args *a, const uint8_t mac1[MAC_LEN])
{
	uint8_t key[32], sealed[SEALED_SIZE];

	mac_key(key, "vpnd cookie", a->overlay_key, a->self);
	crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, cookie, COOKIE_SIZE, mac1, MAC_LEN,
						   NULL, a->nonce, key);
	sodium_memzero(key, sizeof(key));
	packet_write_type(w, PACKET_COOKIE);
	wr_u32(w, index);
	wr_copy(w, a->nonce, NONCE_SIZE);
	wr_copy(w, sealed, sizeof(sealed));
	assert(wr_ok(w) && wr_len(w) == COOKIE_LEN);
}

size_t cookie_create(struct cookie_jar *j, uint8_t *out, const struct cookie_query *q,
		     const struct cookie_args *a, usec_t now)
{
	const uint32_t index = handshake_sender_index(q->pkt, q->len);
	struct wr w = wr_of(out, COOKIE_LEN);
	uint8_t cookie[COOKIE_SIZE];

	/* The answer is never longer than the request. */
	if (index == 0 || q->len < COOKIE_LEN || q->pkt[0] != (PACKET_VERSION | PACKET_INIT))
		return 0;
	if (!is_alive(j, now))
		renew(j, q->fresh_secret, now);
	cookie_of(cookie, j, q->from);
	write_cookie(&w, index, cookie, a, q->pkt + q->len - MACS_LEN);
	sodium_memzero(cookie, sizeof(cookie));
	return wr_len(&w);
}

bool cookie_consume(const struct handshake *hs, const uint8_t *pkt, size_t len, uint8_t cookie[16])
{
	struct rd r = rd_of(pkt, len);
	bool ok = packet_read_type(&r, PACKET_COOKIE);
	uint32_t index = rd_u32(&r);
	const uint8_t *nonce = rd_bytes(&r, NONCE_SIZE), *sealed = rd_bytes(&r, SEALED_SIZE);
	uint8_t key[32], got[COOKIE_SIZE];

	if (!ok || !rd_done(&r) || hs->index == 0 || index != hs->index)
		return false;
	mac_key(key, "vpnd cookie", hs->psk, &hs->remote);
	ok = crypto_aead_xchacha20poly1305_ietf_decrypt(got, NULL, NULL, sealed, SEALED_SIZE,
							hs->mac1, MAC_LEN, nonce, key) == 0;
	if (ok)
		memcpy(cookie, got, sizeof(got));
	sodium_memzero(key, sizeof(key));
	sodium_memzero(got, sizeof(got));
	return ok;
}
