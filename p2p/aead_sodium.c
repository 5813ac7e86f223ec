/* aead_sodium.c - see aead.h. The bulk cipher where there is no libcrypto.
 *
 * AES-256-GCM needs the processor's help in libsodium and is asked for only when aead_has_aes()
 * said so; its key schedule is computed once. Nothing changes after aead_new, so several threads
 * may share a struct aead of this file (not of the other). */
#include "p2p/aead.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/mem.h"

#define NONCE_LEN 12
_Static_assert(crypto_aead_aes256gcm_NPUBBYTES == NONCE_LEN &&
		       crypto_aead_chacha20poly1305_ietf_NPUBBYTES == NONCE_LEN,
	       "96-bit nonces");

struct aead {
	enum aead_suite suite;
	uint8_t key[AEAD_KEY_LEN]; /* ChaCha20-Poly1305 only */
};

struct aead_aes { /* the same with a key schedule, 512 bytes */
	struct aead head;
	crypto_aead_aes256gcm_state state; /* aligned to 16, as what malloc gives */
};

static crypto_aead_aes256gcm_state *state_of(struct aead *a)
{
	return &((struct aead_aes *)a)->state;
}

static size_t size_of(enum aead_suite suite)
{
	return suite == AEAD_AES256_GCM ? sizeof(struct aead_aes) : sizeof(struct aead);
}

bool aead_has_aes(void)
{
	return crypto_aead_aes256gcm_is_available() == 1;
}

struct aead *aead_new(enum aead_suite suite, const uint8_t key[AEAD_KEY_LEN])
{
	struct aead *a = mem_new(size_of(suite));

	assert((uintptr_t)a % _Alignof(struct aead_aes) == 0);
	assert(suite == AEAD_CHACHA20_POLY1305 || (suite == AEAD_AES256_GCM && aead_has_aes()));
	a->suite = suite;
	if (suite == AEAD_AES256_GCM)
		crypto_aead_aes256gcm_beforenm(state_of(a), key);
	else
		memcpy(a->key, key, sizeof(a->key));
	return a;
}

void aead_free(struct aead *a)
{
	if (!a)
		return;
	sodium_memzero(a, size_of(a->suite));
	free(a);
}

/* The counter nonce: zero bytes, then the header's counter as it stands on the wire. */
static void nonce_of(uint8_t nonce[NONCE_LEN], uint64_t counter)
{
	memset(nonce, 0, NONCE_LEN - 8);
	for (int i = 0; i < 8; i++)
		nonce[NONCE_LEN - 1 - i] = (uint8_t)(counter >> 8 * i);
}

void aead_seal_nonce(struct aead *a, const uint8_t nonce[12], const uint8_t *ad, size_t ad_len,
		     uint8_t *data, size_t len)
{
	uint8_t *tag = data + len;

	if (a->suite == AEAD_AES256_GCM)
		crypto_aead_aes256gcm_encrypt_detached_afternm(data, tag, NULL, data, len, ad,
							       ad_len, NULL, nonce, state_of(a));
	else
		crypto_aead_chacha20poly1305_ietf_encrypt_detached(data, tag, NULL, data, len, ad,
								   ad_len, NULL, nonce, a->key);
}

bool aead_open_nonce(struct aead *a, const uint8_t nonce[12], const uint8_t *ad, size_t ad_len,
		     uint8_t *data, size_t len)
{
	const uint8_t *tag;

	if (len < AEAD_TAG_LEN)
		return false;
	len -= AEAD_TAG_LEN;
	tag = data + len;
	if (a->suite == AEAD_AES256_GCM)
		return crypto_aead_aes256gcm_decrypt_detached_afternm(
			       data, NULL, data, len, tag, ad, ad_len, nonce, state_of(a)) == 0;
	return crypto_aead_chacha20poly1305_ietf_decrypt_detached(data, NULL, data, len, tag, ad,
								  ad_len, nonce, a->key) == 0;
}

void aead_seal(struct aead *a, uint64_t counter, const uint8_t *ad, size_t ad_len, uint8_t *data,
	       size_t len)
{
	uint8_t nonce[NONCE_LEN];

	nonce_of(nonce, counter);
	aead_seal_nonce(a, nonce, ad, ad_len, data, len);
}

bool aead_open(struct aead *a, uint64_t counter, const uint8_t *ad, size_t ad_len, uint8_t *data,
	       size_t len)
{
	uint8_t nonce[NONCE_LEN];

	nonce_of(nonce, counter);
	return aead_open_nonce(a, nonce, ad, ad_len, data, len);
}
