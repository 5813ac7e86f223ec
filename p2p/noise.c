/* noise.c - see noise.h. The Noise Protocol Framework, revision 34.
 *
 *	IKpsk2:	<- s
 *		...
 *		-> e, es, s, ss
 *		<- e, ee, se, psk
 *
 * Names follow the specification: MixHash, MixKey, MixKeyAndHash, EncryptAndHash, Split. With a psk
 * in the pattern every `e` is mixed into the key as well (section 9.2). HKDF (section 4.3) is
 * struct crypto's. */
#include "p2p/noise.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

_Static_assert(crypto_hash_sha256_BYTES == NOISE_LEN, "SHA-256");
_Static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == NOISE_TAG_LEN, "ChaChaPoly");

static const char name[] = "Noise_IKpsk2_25519_ChaChaPoly_SHA256";
_Static_assert(sizeof(name) - 1 > NOISE_LEN, "longer than a hash, so it is hashed");

static void cipher_nonce(uint8_t out[12], uint64_t n)
{
	memset(out, 0, 4);
	for (int i = 0; i < 8; i++)
		out[4 + i] = (uint8_t)(n >> 8 * i);
}

void noise_seal(const struct noise_cipher *c, struct noise_text text, uint8_t *out)
{
	uint8_t nonce[12];

	cipher_nonce(nonce, c->n);
	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, text.p, text.len, c->ad.p, c->ad.len,
						  NULL, nonce, c->key);
}

bool noise_open(const struct noise_cipher *c, struct noise_text text, uint8_t *out)
{
	uint8_t nonce[12];

	cipher_nonce(nonce, c->n);
	return text.len >= NOISE_TAG_LEN &&
	       crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, text.p, text.len, c->ad.p,
							 c->ad.len, nonce, c->key) == 0;
}

static void mix_hash(struct noise *n, const void *data, size_t len)
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, n->h, sizeof(n->h));
	crypto_hash_sha256_update(&st, data, len);
	crypto_hash_sha256_final(&st, n->h);
	sodium_memzero(&st, sizeof(st)); /* it may have been fed the psk's share */
}

static void mix_key(struct noise *n, const struct crypto *c, const uint8_t in[32])
{
	uint8_t out[2][32];

	c->hkdf(out[0], sizeof(out), n->ck, in, 32);
	memcpy(n->ck, out[0], 32);
	memcpy(n->k, out[1], 32);
	n->n = 0;
	sodium_memzero(out, sizeof(out));
}

static void mix_key_and_hash(struct noise *n, const struct crypto *c, const uint8_t psk[32])
{
	uint8_t out[3][32];

	c->hkdf(out[0], sizeof(out), n->ck, psk, 32);
	memcpy(n->ck, out[0], 32);
	mix_hash(n, out[1], 32);
	memcpy(n->k, out[2], 32);
	n->n = 0;
	sodium_memzero(out, sizeof(out));
}

/* `e`, sent or received. */
static void mix_e(struct noise *n, const struct crypto *c, const uint8_t e[32])
{
	mix_hash(n, e, 32);
	mix_key(n, c, e);
}

static bool mix_dh(struct noise *n, const struct crypto *c, const uint8_t secret[32],
		   const uint8_t public[32])
{
	uint8_t dh[32];
	bool ok = c->dh(dh, secret, public);

	if (ok)
		mix_key(n, c, dh);
	sodium_memzero(dh, sizeof(dh));
	return ok;
}

static struct noise_cipher cipher_of(struct noise *n)
{
	return (struct noise_cipher){ n->k, n->n++, { n->h, sizeof(n->h) } };
}

static void encrypt_and_hash(struct noise *n, struct noise_text text, uint8_t *out)
{
	struct noise_cipher c = cipher_of(n);

	noise_seal(&c, text, out);
	mix_hash(n, out, text.len + NOISE_TAG_LEN);
}

static bool decrypt_and_hash(struct noise *n, struct noise_text text, uint8_t *out)
{
	struct noise_cipher c = cipher_of(n);

	if (!noise_open(&c, text, out))
		return false;
	mix_hash(n, text.p, text.len);
	return true;
}

void noise_begin(struct noise *n, const void *prologue, size_t len, const uint8_t responder_s[32])
{
	memset(n, 0, sizeof(*n));
	crypto_hash_sha256(n->h, (const uint8_t *)name, sizeof(name) - 1);
	memcpy(n->ck, n->h, sizeof(n->ck));
	mix_hash(n, prologue, len);
	mix_hash(n, responder_s, 32);
}

bool noise_init_write(struct noise *n, const struct noise_self *self, const uint8_t remote_s[32],
		      struct noise_text payload, uint8_t *out)
{
	memcpy(out, self->e_public, 32);
	mix_e(n, self->crypto, self->e_public);
	if (!mix_dh(n, self->crypto, self->e_secret, remote_s))
		return false;
	encrypt_and_hash(n, (struct noise_text){ self->s_public, 32 }, out + 32);
	if (!mix_dh(n, self->crypto, self->s_secret, remote_s))
		return false;
	encrypt_and_hash(n, payload, out + 32 + 32 + NOISE_TAG_LEN);
	return true;
}

bool noise_init_read(struct noise *n, const struct noise_self *self, struct noise_text msg,
		     struct noise_peer *peer, uint8_t *out)
{
	const size_t sealed_s = 32 + NOISE_TAG_LEN, head = 32 + sealed_s;

	if (msg.len < NOISE_INIT_OVERHEAD)
		return false;
	memcpy(peer->e, msg.p, 32);
	mix_e(n, self->crypto, peer->e);
	if (!mix_dh(n, self->crypto, self->s_secret, peer->e) ||
	    !decrypt_and_hash(n, (struct noise_text){ msg.p + 32, sealed_s }, peer->s) ||
	    !mix_dh(n, self->crypto, self->s_secret, peer->s))
		return false;
	return decrypt_and_hash(n, (struct noise_text){ msg.p + head, msg.len - head }, out);
}

bool noise_response_write(struct noise *n, const struct noise_self *self,
			  const struct noise_peer *peer, struct noise_text payload, uint8_t *out)
{
	memcpy(out, self->e_public, 32);
	mix_e(n, self->crypto, self->e_public);
	if (!mix_dh(n, self->crypto, self->e_secret, peer->e) ||
	    !mix_dh(n, self->crypto, self->e_secret, peer->s))
		return false;
	mix_key_and_hash(n, self->crypto, self->psk);
	encrypt_and_hash(n, payload, out + 32);
	return true;
}

bool noise_response_read(struct noise *n, const struct noise_self *self, struct noise_text msg,
			 uint8_t *out)
{
	if (msg.len < NOISE_RESPONSE_OVERHEAD)
		return false;
	mix_e(n, self->crypto, msg.p);
	if (!mix_dh(n, self->crypto, self->e_secret, msg.p) ||
	    !mix_dh(n, self->crypto, self->s_secret, msg.p))
		return false;
	mix_key_and_hash(n, self->crypto, self->psk);
	return decrypt_and_hash(n, (struct noise_text){ msg.p + 32, msg.len - 32 }, out);
}

void noise_split(const struct noise *n, const struct crypto *c, uint8_t initiator[32],
		 uint8_t responder[32])
{
	uint8_t out[2][32];

	c->hkdf(out[0], sizeof(out), n->ck, NULL, 0);
	memcpy(initiator, out[0], 32);
	memcpy(responder, out[1], 32);
	sodium_memzero(out, sizeof(out));
}
