/* mac.c - see mac.h. Keyed BLAKE2b of 16 bytes; keys are labelled hashes of base/key.h. */
#include "p2p/mac.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

_Static_assert(MAC_LEN >= crypto_generichash_BYTES_MIN, "a mac is a short hash");
_Static_assert(MAC_LEN >= crypto_generichash_KEYBYTES_MIN, "a cookie is a key");

void mac_key(uint8_t out[32], const char *label, const uint8_t overlay_key[32],
	     const struct pubkey *node)
{
	struct hash h;

	hash_begin(&h, label, 32);
	hash_add(&h, overlay_key, 32);
	hash_add(&h, node->b, KEY_LEN);
	hash_end(&h, out);
}

void mac1_of(uint8_t out[MAC_LEN], const uint8_t overlay_key[32], const struct pubkey *receiver,
	     const uint8_t *msg, size_t len)
{
	uint8_t key[32];

	mac_key(key, "vpnd mac1", overlay_key, receiver);
	crypto_generichash(out, MAC_LEN, msg, len, key, sizeof(key));
	sodium_memzero(key, sizeof(key));
}

void mac2_of(uint8_t out[MAC_LEN], const uint8_t cookie[16], const uint8_t *msg, size_t len)
{
	crypto_generichash(out, MAC_LEN, msg, len, cookie, 16);
}

bool mac_equal(const uint8_t a[MAC_LEN], const uint8_t b[MAC_LEN])
{
	return sodium_memcmp(a, b, MAC_LEN) == 0;
}

bool mac1_fits(const uint8_t *pkt, size_t len, const uint8_t overlay_key[32],
	       const struct pubkey *receiver)
{
	uint8_t mac1[MAC_LEN];

	assert(len >= MACS_LEN);
	mac1_of(mac1, overlay_key, receiver, pkt, len - MACS_LEN);
	return mac_equal(mac1, pkt + len - MACS_LEN);
}

const uint8_t *mac_append(struct wr *w, const uint8_t overlay_key[32],
			  const struct pubkey *receiver, const uint8_t *cookie)
{
	const size_t len = wr_len(w);
	uint8_t *macs = wr_room(w, MACS_LEN);

	assert(macs);
	mac1_of(macs, overlay_key, receiver, w->start, len);
	if (cookie)
		mac2_of(macs + MAC_LEN, cookie, w->start, len + MAC_LEN);
	else
		memset(macs + MAC_LEN, 0, MAC_LEN);
	return macs;
}
