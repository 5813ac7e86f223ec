/* aead_sodium.c - see aead.h. The bulk cipher where there is no libcrypto.
 *
 * AES-256-GCM needs the processor's help in libsodium and is asked for only when aead_has_aes()
 * said so; its key schedules are computed once. Nothing changes after aead_init, so several threads
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

enum { SEAL, OPEN }; /* the places of the keys, or of their schedules */

bool aead_has_aes(void)
{
	return crypto_aead_aes256gcm_is_available() == 1;
}

static crypto_aead_aes256gcm_state *schedule_new(const uint8_t *key)
{
	crypto_aead_aes256gcm_state *state = mem_new(sizeof(*state));

	assert((uintptr_t)state % _Alignof(crypto_aead_aes256gcm_state) == 0);
	crypto_aead_aes256gcm_beforenm(state, key);
	return state;
}

static void schedule_free(crypto_aead_aes256gcm_state *state)
{
	sodium_memzero(state, sizeof(*state));
	free(state);
}

static void keep(struct aead *a, int which, void *made)
{
	memcpy(a->keys[which], &made, sizeof(made));
}

static crypto_aead_aes256gcm_state *kept(const struct aead *a, int which)
{
	void *made;

	memcpy(&made, a->keys[which], sizeof(made));
	return made;
}

void aead_init(struct aead *a, enum aead_suite suite, const uint8_t seal_key[AEAD_KEY_LEN],
	       const uint8_t open_key[AEAD_KEY_LEN])
{
	assert(suite == AEAD_CHACHA20_POLY1305 || (suite == AEAD_AES256_GCM && aead_has_aes()));
	a->suite = suite;
	if (suite == AEAD_AES256_GCM) {
		keep(a, SEAL, schedule_new(seal_key));
		keep(a, OPEN, schedule_new(open_key));
	} else {
		memcpy(a->keys[SEAL], seal_key, AEAD_KEY_LEN);
		memcpy(a->keys[OPEN], open_key, AEAD_KEY_LEN);
	}
}

void aead_fini(struct aead *a)
{
	if (a->suite == AEAD_AES256_GCM) {
		schedule_free(kept(a, SEAL));
		schedule_free(kept(a, OPEN));
	}
	sodium_memzero(a, sizeof(*a));
}

/* The counter nonce: zero bytes, then the header's counter as it stands on the wire. */
static void nonce_of(uint8_t nonce[NONCE_LEN], uint64_t counter)
{
	memset(nonce, 0, NONCE_LEN - 8);
	for (int i = 0; i < 8; i++)
		nonce[NONCE_LEN - 1 - i] = (uint8_t)(counter >> 8 * i);
}

void aead_seal_nonce(const struct aead *a, const uint8_t nonce[12], const uint8_t *ad,
		     size_t ad_len, uint8_t *data, size_t len)
{
	uint8_t *tag = data + len;

	if (a->suite == AEAD_AES256_GCM)
		crypto_aead_aes256gcm_encrypt_detached_afternm(data, tag, NULL, data, len, ad,
							       ad_len, NULL, nonce, kept(a, SEAL));
	else
		crypto_aead_chacha20poly1305_ietf_encrypt_detached(data, tag, NULL, data, len, ad,
								   ad_len, NULL, nonce,
								   a->keys[SEAL]);
}

bool aead_open_nonce(const struct aead *a, const uint8_t nonce[12], const uint8_t *ad,
		     size_t ad_len, uint8_t *data, size_t len)
{
	const uint8_t *tag;

	if (len < AEAD_TAG_LEN)
		return false;
	len -= AEAD_TAG_LEN;
	tag = data + len;
	if (a->suite == AEAD_AES256_GCM)
		return crypto_aead_aes256gcm_decrypt_detached_afternm(
			       data, NULL, data, len, tag, ad, ad_len, nonce,
			       kept(a, OPEN)) == 0;
	return crypto_aead_chacha20poly1305_ietf_decrypt_detached(data, NULL, data, len, tag, ad,
								  ad_len, nonce,
								  a->keys[OPEN]) == 0;
}

void aead_seal(const struct aead *a, uint64_t counter, const uint8_t *ad, size_t ad_len,
	       uint8_t *data, size_t len)
{
	uint8_t nonce[NONCE_LEN];

	nonce_of(nonce, counter);
	aead_seal_nonce(a, nonce, ad, ad_len, data, len);
}

bool aead_open(const struct aead *a, uint64_t counter, const uint8_t *ad, size_t ad_len,
	       uint8_t *data, size_t len)
{
	uint8_t nonce[NONCE_LEN];

	nonce_of(nonce, counter);
	return aead_open_nonce(a, nonce, ad, ad_len, data, len);
}
