/* whois.c - see whois.h. docs/protocol.md 3.5.
 *
 * For a bootstrap address given without a key. Request and answer have one length (no
 * amplification) and are sealed under the overlay key, so strangers neither ask nor learn. The
 * answerer keeps nothing; the asker recognizes its answer by the 16 bytes it has drawn. Any holder
 * of the overlay key could answer, so the key is a hint where to begin: the handshake decides. */
#include "p2p/whois.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/wire.h"
#include "p2p/handshake.h"

#define HEADER_SIZE 4
#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define CHALLENGE_SIZE 16
#define PLAIN_SIZE (CHALLENGE_SIZE + KEY_LEN)
#define SEALED_SIZE (PLAIN_SIZE + crypto_aead_xchacha20poly1305_ietf_ABYTES)
_Static_assert(WHOIS_LEN == HEADER_SIZE + NONCE_SIZE + SEALED_SIZE, "docs/protocol.md 3.5");

struct whois {
	uint8_t challenge[CHALLENGE_SIZE];
	struct pubkey key;
};

static void whois_key(uint8_t key[32], const uint8_t *overlay_key)
{
	hash_of(key, 32, "vpnd whois", overlay_key, 32);
}

static void whois_write(uint8_t out[WHOIS_LEN], enum packet_type type, const struct whois *m,
			const uint8_t *overlay_key, const uint8_t nonce[24])
{
	uint8_t plain[PLAIN_SIZE], key[32], sealed[SEALED_SIZE];
	struct wr w = wr_of(out, WHOIS_LEN);

	packet_write_type(&w, type);
	memcpy(plain, m->challenge, CHALLENGE_SIZE);
	memcpy(plain + CHALLENGE_SIZE, m->key.b, KEY_LEN);
	whois_key(key, overlay_key);
	crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, plain, sizeof(plain), out,
						   HEADER_SIZE, NULL, nonce, key);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(plain, sizeof(plain));
	wr_copy(&w, nonce, NONCE_SIZE);
	wr_copy(&w, sealed, sizeof(sealed));
	assert(wr_ok(&w) && wr_len(&w) == WHOIS_LEN);
}

static bool whois_read(struct whois *m, enum packet_type type, struct rd r,
		       const uint8_t *overlay_key)
{
	const uint8_t *header = r.p;
	bool ok = packet_read_type(&r, type);
	const uint8_t *nonce = rd_bytes(&r, NONCE_SIZE), *sealed = rd_bytes(&r, SEALED_SIZE);
	uint8_t plain[PLAIN_SIZE] = { 0 }, key[32];
	struct rd p = rd_of(plain, sizeof(plain));

	if (!ok || !rd_done(&r))
		return false;
	whois_key(key, overlay_key);
	ok = crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed, SEALED_SIZE,
							header, HEADER_SIZE, nonce, key) == 0;
	rd_copy(&p, m->challenge, CHALLENGE_SIZE);
	rd_copy(&p, m->key.b, KEY_LEN);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(plain, sizeof(plain));
	return ok;
}

void whois_create(uint8_t out[WHOIS_LEN], const uint8_t *overlay_key, const uint8_t nonce[24],
		  const uint8_t challenge[16])
{
	struct whois m = { .key = { { 0 } } };

	memcpy(m.challenge, challenge, CHALLENGE_SIZE);
	whois_write(out, PACKET_WHOIS, &m, overlay_key, nonce);
}

size_t whois_answer(uint8_t out[WHOIS_LEN], const uint8_t *pkt, size_t len,
		    const struct whois_args *a)
{
	struct whois m;
	size_t i;

	assert(a->count <= HANDSHAKE_OVERLAY_KEYS_MAX);
	for (i = 0; i < a->count; i++)
		if (whois_read(&m, PACKET_WHOIS, rd_of(pkt, len), a->overlay_keys[i]))
			break;
	if (i == a->count || !key_is_zero(&m.key))
		return 0;
	m.key = *a->self;
	whois_write(out, PACKET_WHOIS_ANSWER, &m, a->overlay_keys[i], a->nonce);
	return WHOIS_LEN;
}

bool whois_consume(const uint8_t *pkt, size_t len, const struct whois_question *q,
		   struct pubkey *out)
{
	struct whois m;

	if (!whois_read(&m, PACKET_WHOIS_ANSWER, rd_of(pkt, len), q->overlay_key) ||
	    sodium_memcmp(m.challenge, q->challenge, CHALLENGE_SIZE) != 0 ||
	    !q->crypto->key_valid(&m.key))
		return false;
	*out = m.key;
	return true;
}
