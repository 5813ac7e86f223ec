/* key.c - see key.h. A label is hashed first, with its length byte before it, so that no label is
 * the beginning of another; signatures are made over a 64-byte labelled hash of the message. */
#include "base/key.h"

#include <assert.h>
#include <string.h>

_Static_assert(KEY_TEXT_LEN ==
		       sodium_base64_ENCODED_LEN(KEY_LEN, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
	       "text length of a key");

void hash_begin(struct hash *h, const char *label, size_t out_len)
{
	size_t n = strlen(label);
	uint8_t len = (uint8_t)n;

	assert(n > 0 && n <= UINT8_MAX);
	assert(out_len >= crypto_generichash_BYTES_MIN && out_len <= crypto_generichash_BYTES_MAX);
	h->len = out_len;
	crypto_generichash_init(&h->st, NULL, 0, out_len);
	hash_add(h, &len, 1);
	hash_add(h, label, n);
}

void hash_add(struct hash *h, const void *data, size_t len)
{
	if (len)
		crypto_generichash_update(&h->st, data, len);
}

void hash_end(struct hash *h, void *out)
{
	crypto_generichash_final(&h->st, out, h->len);
	sodium_memzero(h, sizeof(*h)); /* it may have been fed a secret */
}

void hash_of(void *out, size_t out_len, const char *label, const void *data, size_t len)
{
	struct hash h;

	hash_begin(&h, label, out_len);
	hash_add(&h, data, len);
	hash_end(&h, out);
}

static void real_sign(uint8_t sig[SIG_LEN], const struct key_pair *k, const char *label,
		      const void *msg, size_t len)
{
	uint8_t digest[64];

	hash_of(digest, sizeof(digest), label, msg, len);
	crypto_sign_detached(sig, NULL, digest, sizeof(digest), k->secret);
}

static bool real_verify(const uint8_t sig[SIG_LEN], const struct pubkey *k, const char *label,
			const void *msg, size_t len)
{
	uint8_t digest[64];

	hash_of(digest, sizeof(digest), label, msg, len);
	return crypto_sign_verify_detached(sig, digest, sizeof(digest), k->b) == 0;
}

static void real_dh_base(uint8_t public[32], const uint8_t secret[32])
{
	crypto_scalarmult_curve25519_base(public, secret);
}

static bool real_dh(uint8_t out[32], const uint8_t secret[32], const uint8_t public[32])
{
	/* libsodium refuses zero results too; the rule is ours and does not lean on that. */
	return crypto_scalarmult_curve25519(out, secret, public) == 0 && !sodium_is_zero(out, 32);
}

/* One HMAC over a previous output (or nothing) and a counter byte. */
static void hkdf_step(uint8_t out[32], const uint8_t key[32], const uint8_t *before, uint8_t count)
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, key, 32);
	if (before)
		crypto_auth_hmacsha256_update(&st, before, 32);
	crypto_auth_hmacsha256_update(&st, &count, 1);
	crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
}

static void real_hkdf(uint8_t *out, size_t out_len, const uint8_t salt[32], const uint8_t *in,
		      size_t len)
{
	crypto_auth_hmacsha256_state st;
	uint8_t key[32];

	assert(out_len % 32 == 0 && out_len <= 96);
	crypto_auth_hmacsha256_init(&st, salt, 32);
	if (len)
		crypto_auth_hmacsha256_update(&st, in, len);
	crypto_auth_hmacsha256_final(&st, key);
	for (size_t at = 0; at < out_len; at += 32)
		hkdf_step(out + at, key, at ? out + at - 32 : NULL, (uint8_t)(at / 32 + 1));
	sodium_memzero(key, sizeof(key));
	sodium_memzero(&st, sizeof(st));
}

const struct crypto crypto_real = {
	.sign = real_sign,
	.verify = real_verify,
	.key_valid = key_valid,
	.dh_public = key_dh_public,
	.dh_secret = key_dh_secret,
	.dh_base = real_dh_base,
	.dh = real_dh,
	.hkdf = real_hkdf,
};
_Static_assert(crypto_scalarmult_curve25519_BYTES == 32, "X25519");

static bool sign_bit(const struct pubkey *k) { return k->b[KEY_LEN - 1] & 0x80; }

bool key_from_seed(struct key_pair *k, const uint8_t seed[SEED_LEN])
{
	_Static_assert(sizeof(k->secret) == crypto_sign_SECRETKEYBYTES, "libsodium's form");
	crypto_sign_seed_keypair(k->pub.b, k->secret, seed);
	return !sign_bit(&k->pub);
}

/* y < p = 2^255 - 19: y of p and above are 0xed or more, then 30 times 0xff, then 0x7f. */
static bool is_canonical(const struct pubkey *k)
{
	size_t i;

	if (k->b[KEY_LEN - 1] != 0x7f || k->b[0] < 0xed)
		return true;
	for (i = 1; i < KEY_LEN - 1 && k->b[i] == 0xff; i++)
		;
	return i < KEY_LEN - 1;
}

bool key_valid(const struct pubkey *k)
{
	/* libsodium: canonical, on the curve, of the main subgroup and so not of small order. */
	return !sign_bit(k) && is_canonical(k) && crypto_core_ed25519_is_valid_point(k->b) == 1;
}

bool key_is_zero(const struct pubkey *k)
{
	static const struct pubkey zero;

	return key_equal(k, &zero);
}

int key_compare(const struct pubkey *a, const struct pubkey *b)
{
	return memcmp(a->b, b->b, KEY_LEN);
}

bool key_dh_public(uint8_t out[32], const struct pubkey *k)
{
	return !sign_bit(k) && crypto_sign_ed25519_pk_to_curve25519(out, k->b) == 0;
}

void key_dh_secret(uint8_t out[32], const struct key_pair *k)
{
	crypto_sign_ed25519_sk_to_curve25519(out, k->secret);
}

void key_text(char out[KEY_TEXT_LEN], const struct pubkey *k)
{
	sodium_bin2base64(out, KEY_TEXT_LEN, k->b, KEY_LEN,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* Read back and compared, because libsodium 1.0.18 takes some bytes over 0x7f for letters: a key
 * has one text only. */
bool key_parse(struct pubkey *k, const char *text, const struct crypto *c)
{
	char again[KEY_TEXT_LEN];
	size_t len = 0;

	memset(k, 0, sizeof(*k));
	if (strlen(text) == KEY_TEXT_LEN - 1 &&
	    sodium_base642bin(k->b, KEY_LEN, text, KEY_TEXT_LEN - 1, NULL, &len, NULL,
			      sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
	    len == KEY_LEN && c->key_valid(k)) {
		key_text(again, k);
		if (strcmp(again, text) == 0)
			return true;
	}
	memset(k, 0, sizeof(*k));
	return false;
}

/* Without a label, and of BLAKE2b's full length: any BLAKE2b-512 tool computes the same id. */
struct node_id id_of(const struct pubkey *k)
{
	struct node_id id;
	uint8_t full[64];

	crypto_generichash(full, sizeof(full), k->b, KEY_LEN, NULL, 0);
	memcpy(id.b, full, ID_LEN);
	return id;
}

void id_text(char out[ID_TEXT_LEN], const struct node_id *id)
{
	sodium_bin2hex(out, ID_TEXT_LEN, id->b, ID_LEN);
}

/* An id as a number of 160 bits, so that most questions are answered by its first word. */
struct words {
	uint64_t high, middle;
	uint32_t low;
};

/* Written out, so that compilers make one instruction of it. */
static uint32_t half_at(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint64_t word_at(const uint8_t *b) { return (uint64_t)half_at(b) << 32 | half_at(b + 4); }

static struct words words_of(const struct node_id *id)
{
	return (struct words){ word_at(id->b), word_at(id->b + 8), half_at(id->b + 16) };
}

static struct words words_xor(const struct words *a, const struct words *b)
{
	return (struct words){ a->high ^ b->high, a->middle ^ b->middle, a->low ^ b->low };
}

static int words_compare(const struct words *a, const struct words *b)
{
	if (a->high != b->high)
		return a->high < b->high ? -1 : 1;
	if (a->middle != b->middle)
		return a->middle < b->middle ? -1 : 1;
	return a->low == b->low ? 0 : a->low < b->low ? -1 : 1;
}

/* b - a, modulo 2^160 */
static struct words words_from(const struct words *a, const struct words *b)
{
	uint64_t borrow = b->low < a->low, middle = b->middle - a->middle;

	return (struct words){ b->high - a->high - (b->middle < a->middle || middle < borrow),
			       middle - borrow, b->low - a->low };
}

int id_xor_compare(const struct node_id *target, const struct node_id *a, const struct node_id *b)
{
	struct words t = words_of(target), x = words_of(a), y = words_of(b);

	x = words_xor(&t, &x);
	y = words_xor(&t, &y);
	return words_compare(&x, &y);
}

int id_common_bits(const struct node_id *a, const struct node_id *b)
{
	int bits = 0;

	for (size_t i = 0; i < ID_LEN; i++, bits += 8) {
		unsigned d = a->b[i] ^ b->b[i];

		if (!d)
			continue;
		for (; !(d & 0x80); d <<= 1)
			bits++;
		break;
	}
	return bits;
}

struct node_id id_clockwise(const struct node_id *a, const struct node_id *b)
{
	struct words x = words_of(a), y = words_of(b), d = words_from(&x, &y);
	/* A number's own bytes read that way are the number whose bytes are to be written. */
	uint64_t high = word_at((const uint8_t *)&d.high), middle = word_at((const uint8_t *)&d.middle);
	uint32_t low = half_at((const uint8_t *)&d.low);
	struct node_id id;

	memcpy(id.b, &high, 8);
	memcpy(id.b + 8, &middle, 8);
	memcpy(id.b + 16, &low, 4);
	return id;
}

/* The shorter of the two ways round. */
static struct words ring_distance(const struct words *a, const struct words *b)
{
	struct words there = words_from(a, b), back = words_from(b, a);

	return words_compare(&there, &back) <= 0 ? there : back;
}

int id_ring_compare(const struct node_id *target, const struct node_id *a, const struct node_id *b)
{
	struct words t = words_of(target), x = words_of(a), y = words_of(b);
	struct words dx = ring_distance(&t, &x), dy = ring_distance(&t, &y);
	int c = words_compare(&dx, &dy);

	return c ? c : words_compare(&x, &y);
}
