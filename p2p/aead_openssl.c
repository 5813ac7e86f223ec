/* aead_openssl.c - see aead.h. libcrypto does the bulk: measured faster than libsodium (DESIGN 8).
 *
 * One EVP context a direction is made when the keys arrive and kept; a packet costs it a new IV
 * and nothing else, so nothing is allocated on a frame's way. A context is state: one thread uses
 * a struct aead at a time; lanes that share a key have one each.
 *
 * With a cipher, a key and lengths that are right, libcrypto can only fail by a bug; the calls
 * that seal end the process then rather than send a packet that is not sealed. */
#include "p2p/aead.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <sodium.h>

#define NONCE_LEN 12

enum { SEAL, OPEN }; /* the places of the contexts */

static void must(int ok)
{
	assert(ok == 1);
	if (ok != 1)
		abort();
}

bool aead_has_aes(void)
{
	/* libcrypto does not tell; libsodium asks the processor for AES and carry-less products. */
	return crypto_aead_aes256gcm_is_available() == 1;
}

static EVP_CIPHER_CTX *context_new(enum aead_suite suite, const uint8_t *key, int encrypt)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

	must(c != NULL);
	must(EVP_CipherInit_ex(c, suite == AEAD_AES256_GCM ? EVP_aes_256_gcm() :
							     EVP_chacha20_poly1305(),
			       NULL, key, NULL, encrypt));
	return c;
}

static void keep(struct aead *a, int which, void *made)
{
	memcpy(a->keys[which], &made, sizeof(made));
}

static EVP_CIPHER_CTX *kept(const struct aead *a, int which)
{
	void *made;

	memcpy(&made, a->keys[which], sizeof(made));
	return made;
}

void aead_init(struct aead *a, enum aead_suite suite, const uint8_t seal_key[AEAD_KEY_LEN],
	       const uint8_t open_key[AEAD_KEY_LEN])
{
	assert(suite == AEAD_AES256_GCM || suite == AEAD_CHACHA20_POLY1305);
	a->suite = suite;
	keep(a, SEAL, context_new(suite, seal_key, 1));
	keep(a, OPEN, context_new(suite, open_key, 0));
}

void aead_fini(struct aead *a)
{
	if (a->suite) {
		EVP_CIPHER_CTX_free(kept(a, SEAL)); /* these cleanse the key schedule */
		EVP_CIPHER_CTX_free(kept(a, OPEN));
	}
	*a = (struct aead){ 0 };
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
	EVP_CIPHER_CTX *c = kept(a, SEAL);
	int n = 0;

	assert(ad_len <= INT_MAX && len <= INT_MAX);
	must(EVP_EncryptInit_ex(c, NULL, NULL, NULL, nonce));
	if (ad_len)
		must(EVP_EncryptUpdate(c, NULL, &n, ad, (int)ad_len));
	if (len)
		must(EVP_EncryptUpdate(c, data, &n, data, (int)len));
	must(EVP_EncryptFinal_ex(c, data + len, &n));
	must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_LEN, data + len));
}

bool aead_open_nonce(const struct aead *a, const uint8_t nonce[12], const uint8_t *ad,
		     size_t ad_len, uint8_t *data, size_t len)
{
	EVP_CIPHER_CTX *c = kept(a, OPEN);
	int n = 0;

	if (len < AEAD_TAG_LEN)
		return false;
	assert(ad_len <= INT_MAX && len <= INT_MAX);
	len -= AEAD_TAG_LEN;
	must(EVP_DecryptInit_ex(c, NULL, NULL, NULL, nonce));
	must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_LEN, data + len));
	if (ad_len)
		must(EVP_DecryptUpdate(c, NULL, &n, ad, (int)ad_len));
	if (len)
		must(EVP_DecryptUpdate(c, data, &n, data, (int)len));
	return EVP_DecryptFinal_ex(c, data + len, &n) == 1;
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
