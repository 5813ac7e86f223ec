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

/* A key to seal with and one to open with, ready for use. The memory is its owner's, what is in it is
 * the implementing file's; not to be copied. All zero = no keys. */
struct aead {
	uint8_t keys[2][AEAD_KEY_LEN]; /* or the address of what was made of each */
	uint8_t suite;		       /* enum aead_suite; 0 = no keys */
};

bool aead_has_aes(void); /* AES-256-GCM in hardware, here */
void aead_init(struct aead *a, enum aead_suite suite, const uint8_t seal_key[AEAD_KEY_LEN],
	       const uint8_t open_key[AEAD_KEY_LEN]);
void aead_fini(struct aead *a); /* wipes; without keys it does nothing */
/* Seals len bytes at data in place and writes AEAD_TAG_LEN bytes behind them. Cannot fail. */
void aead_seal(const struct aead *a, uint64_t counter, const uint8_t *ad, size_t ad_len,
	       uint8_t *data, size_t len);
/* Opens len bytes (tag included) in place; false and garbage when forged. The plaintext is
 * len - AEAD_TAG_LEN bytes at data. */
bool aead_open(const struct aead *a, uint64_t counter, const uint8_t *ad, size_t ad_len,
	       uint8_t *data, size_t len);
/* With a whole 12-byte nonce, for the published vectors. */
void aead_seal_nonce(const struct aead *a, const uint8_t nonce[12], const uint8_t *ad,
		     size_t ad_len, uint8_t *data, size_t len);
bool aead_open_nonce(const struct aead *a, const uint8_t nonce[12], const uint8_t *ad,
		     size_t ad_len, uint8_t *data, size_t len);

#endif
