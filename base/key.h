/* key.h - identities, labelled hashes and signatures.
 *
 * A node's identity is one Ed25519 key pair whose public key has its sign bit 0, so that the
 * X25519 form used by handshakes names exactly one Ed25519 key (DESIGN 12.15). The node id is the
 * first 160 bits of BLAKE2b(public key) and serves for distance only: equality is always on the
 * key. Every hash and signature starts with a label of its own, so that bytes made for one purpose
 * never serve another. No function here draws randomness: seeds are handed in. */
#ifndef BASE_KEY_H
#define BASE_KEY_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KEY_LEN 32
#define ID_LEN 20
#define SEED_LEN 32
#define SIG_LEN 64
#define KEY_TEXT_LEN 44 /* base64url of a key without padding, and the final 0 */
#define ID_TEXT_LEN 41	/* hex of an id and the final 0 */

struct pubkey {
	uint8_t b[KEY_LEN];
};

struct node_id {
	uint8_t b[ID_LEN];
};

struct key_pair {
	struct pubkey pub;
	uint8_t secret[64]; /* libsodium's Ed25519 secret key: seed and public key */
};

/* Labelled BLAKE2b, fed piece by piece. Output length: 16 to 64 bytes, given at the start. */
struct hash {
	crypto_generichash_state st;
	size_t len;
};
void hash_begin(struct hash *h, const char *label, size_t out_len);
void hash_add(struct hash *h, const void *data, size_t len);
void hash_end(struct hash *h, void *out);
/* The same in one call. */
void hash_of(void *out, size_t out_len, const char *label, const void *data, size_t len);

/* Every operation on key pairs, so that large simulations may use a checked dummy. What judges or
 * makes keys, signatures and handshakes asks the table that it was given, never the functions. */
struct crypto {
	void (*sign)(uint8_t sig[SIG_LEN], const struct key_pair *k, const char *label,
		     const void *msg, size_t len);
	bool (*verify)(const uint8_t sig[SIG_LEN], const struct pubkey *k, const char *label,
		       const void *msg, size_t len);
	bool (*key_valid)(const struct pubkey *k); /* must be so of what comes from outside */
	bool (*dh_public)(uint8_t out[32], const struct pubkey *k); /* false only if not valid */
	void (*dh_secret)(uint8_t out[32], const struct key_pair *k);
	void (*dh_base)(uint8_t public[32], const uint8_t secret[32]);
	/* False when the result is all zero (a point of low order). */
	bool (*dh)(uint8_t out[32], const uint8_t secret[32], const uint8_t public[32]);
	/* RFC 5869 over HMAC-SHA256, without info: out_len = 32, 64 or 96 bytes from a salt and len
	 * bytes of keying material, a multiple of 8. */
	void (*hkdf)(uint8_t *out, size_t out_len, const uint8_t salt[32], const uint8_t *in,
		     size_t len);
};
extern const struct crypto crypto_real;

/* A key pair from a seed; false if its public key is not of the accepted form (then try another). */
bool key_from_seed(struct key_pair *k, const uint8_t seed[SEED_LEN]);
/* As crypto_real does it. Canonical, of large order, sign bit 0. */
bool key_valid(const struct pubkey *k);
/* Of public keys, so time may tell; asked for by every look through a table. */
static inline bool key_equal(const struct pubkey *a, const struct pubkey *b)
{
	uint64_t x[KEY_LEN / 8], y[KEY_LEN / 8];

	memcpy(x, a->b, KEY_LEN);
	memcpy(y, b->b, KEY_LEN);
	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3];
}
bool key_is_zero(const struct pubkey *k);
int key_compare(const struct pubkey *a, const struct pubkey *b);
/* X25519 forms (RFC 7748). key_dh_public fails only on keys that key_valid refuses. */
bool key_dh_public(uint8_t out[32], const struct pubkey *k);
void key_dh_secret(uint8_t out[32], const struct key_pair *k);
void key_text(char out[KEY_TEXT_LEN], const struct pubkey *k);
bool key_parse(struct pubkey *k, const char *text, const struct crypto *c);

struct node_id id_of(const struct pubkey *k);
static inline bool id_equal(const struct node_id *a, const struct node_id *b)
{
	return memcmp(a->b, b->b, 8) == 0 && memcmp(a->b + 8, b->b + 8, ID_LEN - 8) == 0;
}
void id_text(char out[ID_TEXT_LEN], const struct node_id *id);
/* XOR order: <0 if a is nearer to target than b, 0 if a equals b. */
int id_xor_compare(const struct node_id *target, const struct node_id *a, const struct node_id *b);
/* Number of leading bits that a and b share, 0..160. */
int id_common_bits(const struct node_id *a, const struct node_id *b);
/* Clockwise ring distance from a to b, modulo 2^160. */
struct node_id id_clockwise(const struct node_id *a, const struct node_id *b);
/* Ring order: <0 if a is nearer to target than b on the shorter way round; ties broken by value. */
int id_ring_compare(const struct node_id *target, const struct node_id *a, const struct node_id *b);

#endif
