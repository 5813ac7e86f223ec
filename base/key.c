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

const struct crypto crypto_real = {
	.sign = real_sign,
	.verify = real_verify,
	.key_valid = key_valid,
	.dh_public = key_dh_public,
	.dh_secret = key_dh_secret,
	.dh_base = real_dh_base,
	.dh = real_dh,
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

bool key_equal(const struct pubkey *a, const struct pubkey *b)
{
	return memcmp(a->b, b->b, KEY_LEN) == 0;
}

bool key_is_zero(const struct pubkey *k) { return sodium_is_zero(k->b, KEY_LEN); }

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

bool id_equal(const struct node_id *a, const struct node_id *b)
{
	return memcmp(a->b, b->b, ID_LEN) == 0;
}

void id_text(char out[ID_TEXT_LEN], const struct node_id *id)
{
	sodium_bin2hex(out, ID_TEXT_LEN, id->b, ID_LEN);
}

int id_xor_compare(const struct node_id *target, const struct node_id *a, const struct node_id *b)
{
	for (size_t i = 0; i < ID_LEN; i++) {
		int da = target->b[i] ^ a->b[i], db = target->b[i] ^ b->b[i];

		if (da != db)
			return da - db;
	}
	return 0;
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
	struct node_id d;
	int borrow = 0;

	for (size_t i = ID_LEN; i-- > 0;) {
		int v = b->b[i] - a->b[i] - borrow;

		borrow = v < 0;
		d.b[i] = (uint8_t)v;
	}
	return d;
}

/* The shorter of the two ways round. */
static struct node_id ring_distance(const struct node_id *a, const struct node_id *b)
{
	struct node_id there = id_clockwise(a, b), back = id_clockwise(b, a);

	return memcmp(there.b, back.b, ID_LEN) <= 0 ? there : back;
}

int id_ring_compare(const struct node_id *target, const struct node_id *a, const struct node_id *b)
{
	struct node_id da = ring_distance(target, a), db = ring_distance(target, b);
	int c = memcmp(da.b, db.b, ID_LEN);

	return c ? c : memcmp(a->b, b->b, ID_LEN);
}
