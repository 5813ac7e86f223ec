/* sim_crypto.c - see sim_crypto.h.
 *
 *	secret of a pair	32 bytes nobody reads, then the public key (libsodium's form)
 *	DH secret		public key xor a constant; so whoever shows the one has the other,
 *				and a public that was swapped on the way gives another result
 *	DH			hash of both publics, the smaller first
 *	signature		hash over (public key, label, message)
 *	HKDF			one 64-bit word that takes all in, drawn out again
 *
 * A signature is made with the public half that lies in the secret, a DH with the public that
 * follows from the secret: halves that do not belong together are found out as in reality. */
#include "cmd/sim_crypto.h"

#include <assert.h>
#include <string.h>

#include "base/wire.h"
#include "cmd/sim_world.h"

#define PUBLIC_AT 32   /* of the public key in key_pair.secret */
#define SECRET_XOR 0x5c
#define SIGN_BIT 0x80  /* in the last byte; 0 in valid keys, as in real ones */

static const uint8_t *public_of(const struct key_pair *k)
{
	return k->secret + PUBLIC_AT;
}

static void flip(uint8_t out[32], const uint8_t in[32])
{
	for (size_t i = 0; i < 32; i++)
		out[i] = in[i] ^ SECRET_XOR;
}

static void signature(uint8_t sig[SIG_LEN], const uint8_t public[KEY_LEN], const char *label,
		      const void *msg, size_t len)
{
	struct hash h;

	hash_begin(&h, label, SIG_LEN);
	hash_add(&h, public, KEY_LEN);
	hash_add(&h, msg, len);
	hash_end(&h, sig);
}

static void dummy_sign(uint8_t sig[SIG_LEN], const struct key_pair *k, const char *label,
		       const void *msg, size_t len)
{
	signature(sig, public_of(k), label, msg, len);
}

static bool dummy_verify(const uint8_t sig[SIG_LEN], const struct pubkey *k, const char *label,
			 const void *msg, size_t len)
{
	uint8_t want[SIG_LEN];

	signature(want, k->b, label, msg, len);
	return memcmp(want, sig, sizeof(want)) == 0;
}

static bool dummy_key_valid(const struct pubkey *k)
{
	return !key_is_zero(k) && !(k->b[KEY_LEN - 1] & SIGN_BIT);
}

static bool dummy_dh_public(uint8_t out[32], const struct pubkey *k)
{
	memcpy(out, k->b, KEY_LEN);
	return dummy_key_valid(k);
}

static void dummy_dh_secret(uint8_t out[32], const struct key_pair *k)
{
	flip(out, public_of(k));
}

/* A zero public stands for the points of low order. */
static bool dummy_dh(uint8_t out[32], const uint8_t secret[32], const uint8_t public[32])
{
	uint8_t pair[2][32], own[32];
	bool first;

	flip(own, secret);
	first = memcmp(own, public, 32) < 0;
	memcpy(pair[!first], own, 32);
	memcpy(pair[first], public, 32);
	hash_of(out, 32, "sim dh", pair, sizeof(pair));
	return !sodium_is_zero(public, 32);
}

static void dummy_hkdf(uint8_t *out, size_t out_len, const uint8_t salt[32], const uint8_t *in,
		       size_t len)
{
	struct rd first = rd_of(salt, 32), then = rd_of(in, len);
	struct wr w = wr_of(out, out_len);
	uint64_t mixed = len;

	assert(out_len % 8 == 0 && len % 8 == 0);
	while (rd_left(&first))
		mixed = sim_mix(mixed, rd_u64(&first));
	while (rd_left(&then))
		mixed = sim_mix(mixed, rd_u64(&then));
	for (uint64_t i = 0; wr_len(&w) < out_len; i++)
		wr_u64(&w, mixed = sim_mix(mixed, i));
}

const struct crypto crypto_dummy = {
	.sign = dummy_sign,
	.verify = dummy_verify,
	.key_valid = dummy_key_valid,
	.dh_public = dummy_dh_public,
	.dh_secret = dummy_dh_secret,
	.dh_base = flip,
	.dh = dummy_dh,
	.hkdf = dummy_hkdf,
};

void sim_key_pair(struct key_pair *k, const uint8_t seed[SEED_LEN])
{
	_Static_assert(sizeof(k->secret) == PUBLIC_AT + KEY_LEN, "seed and public key");
	hash_of(k->pub.b, KEY_LEN, "sim key", seed, SEED_LEN);
	k->pub.b[KEY_LEN - 1] &= (uint8_t)~SIGN_BIT;
	memcpy(k->secret, seed, SEED_LEN);
	memcpy(k->secret + PUBLIC_AT, k->pub.b, KEY_LEN);
}
