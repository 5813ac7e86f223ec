/* sim_own_crypto.c - see sim_own_crypto.h. Handshakes are not part of this world: DH and HKDF are
 * those of the dummy. */
#include "cmd/sim_own_crypto.h"

#include <string.h>

#include "cmd/sim_crypto.h"
#include "cmd/sim_world.h"

#define SIGN_BIT 0x80

static uint64_t rest(const uint8_t *b, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++)
		v |= (uint64_t)b[i] << 8 * i;
	return v;
}

static uint64_t word_at(const uint8_t *b)
{
	return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
	       (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 |
	       (uint64_t)b[7] << 56;
}

/* Two lanes, so that the multiplications overlap. */
static uint64_t take(uint64_t h, const uint8_t *b, size_t len)
{
	uint64_t other = h ^ len;

	for (; len >= 16; b += 16, len -= 16) {
		h = sim_mix(h, word_at(b));
		other = sim_mix(other, word_at(b + 8));
	}
	for (; len >= 8; b += 8, len -= 8)
		h = sim_mix(h, word_at(b));
	return sim_mix(sim_mix(h, other), rest(b, len));
}

static void make(uint8_t sig[SIG_LEN], const uint8_t *public, const char *label, const void *msg,
		 size_t len)
{
	uint64_t h = take(0x76706e64, public, KEY_LEN);

	h = take(h, (const uint8_t *)label, strlen(label));
	h = take(h, msg, len);
	for (size_t i = 0; i < SIG_LEN; i += 8) {
		h = sim_mix(h, i + 1);
		for (size_t k = 0; k < 8; k++)
			sig[i + k] = (uint8_t)(h >> 8 * k);
	}
}

static void quick_sign(uint8_t sig[SIG_LEN], const struct key_pair *k, const char *label,
		       const void *msg, size_t len)
{
	make(sig, k->secret + SEED_LEN, label, msg, len);
}

static bool quick_verify(const uint8_t sig[SIG_LEN], const struct pubkey *k, const char *label,
			 const void *msg, size_t len)
{
	uint8_t want[SIG_LEN];

	make(want, k->b, label, msg, len);
	return memcmp(want, sig, SIG_LEN) == 0;
}

static bool quick_key_valid(const struct pubkey *k)
{
	return !key_is_zero(k) && !(k->b[KEY_LEN - 1] & SIGN_BIT);
}

static bool quick_dh_public(uint8_t out[32], const struct pubkey *k)
{
	return crypto_dummy.dh_public(out, k);
}

static void quick_dh_secret(uint8_t out[32], const struct key_pair *k)
{
	crypto_dummy.dh_secret(out, k);
}

static void quick_dh_base(uint8_t public[32], const uint8_t secret[32])
{
	crypto_dummy.dh_base(public, secret);
}

static bool quick_dh(uint8_t out[32], const uint8_t secret[32], const uint8_t public[32])
{
	return crypto_dummy.dh(out, secret, public);
}

static void quick_hkdf(uint8_t *out, size_t out_len, const uint8_t salt[32], const uint8_t *in,
		       size_t len)
{
	crypto_dummy.hkdf(out, out_len, salt, in, len);
}

const struct crypto crypto_quick = {
	.sign = quick_sign,
	.verify = quick_verify,
	.key_valid = quick_key_valid,
	.dh_public = quick_dh_public,
	.dh_secret = quick_dh_secret,
	.dh_base = quick_dh_base,
	.dh = quick_dh,
	.hkdf = quick_hkdf,
};
