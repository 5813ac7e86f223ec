/* aead.h - the bulk cipher, and nothing else: key set-up, seal, open, hardware test.
 *
 * Two files implement it, aead_openssl.c (libcrypto, faster) and aead_sodium.c; the build takes
 * one. Both answer the same published vectors. Nonce = 4 zero bytes and the 64-bit counter. */
#ifndef P2P_AEAD_H
#define P2P_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AEAD_KEY_LEN 32
#define AEAD_TAG_LEN 16

enum aead_suite { AEAD_AES256_GCM = 1, AEAD_CHACHA20_POLY1305 = 2 };

struct aead; /* one key, ready for use */

bool aead_has_aes(void); /* AES-256-GCM in hardware, here */
struct aead *aead_new(enum aead_suite suite, const uint8_t key[AEAD_KEY_LEN]);
void aead_free(struct aead *a); /* wipes; NULL is legal */
/* Seals len bytes at data in place and writes AEAD_TAG_LEN bytes behind them. Cannot fail. */
void aead_seal(struct aead *a, uint64_t counter, const uint8_t *ad, size_t ad_len, uint8_t *data,
	       size_t len);
/* Opens len bytes (tag included) in place; false and garbage when forged. The plaintext is
 * len - AEAD_TAG_LEN bytes at data. */
bool aead_open(struct aead *a, uint64_t counter, const uint8_t *ad, size_t ad_len, uint8_t *data,
	       size_t len);
/* With a whole 12-byte nonce, for the published vectors. */
void aead_seal_nonce(struct aead *a, const uint8_t nonce[12], const uint8_t *ad, size_t ad_len,
		     uint8_t *data, size_t len);
bool aead_open_nonce(struct aead *a, const uint8_t nonce[12], const uint8_t *ad, size_t ad_len,
		     uint8_t *data, size_t len);

#endif
