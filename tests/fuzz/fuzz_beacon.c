/* fuzz_beacon.c - LAN beacons: the bytes as they are, then sealed, so that the fuzzer gets behind
 * the seal; what is read is written and read the same. */
#include <string.h>

#include "p2p/beacon.h"
#include "p2p/packet.h"
#include "tests/fuzz/fuzz.h"

#define PLAIN_LEN 48

static const uint8_t overlay[32] = { 1, 2, 3 };

static void read_and_write(const uint8_t *pkt, size_t len)
{
	static const uint8_t nonce[BEACON_NONCE_LEN];
	uint8_t again[BEACON_LEN];
	struct beacon a, b;

	if (!beacon_read(&a, pkt, len, overlay))
		return;
	beacon_write(again, &a, overlay, nonce);
	if (!beacon_read(&b, again, BEACON_LEN, overlay) || !key_equal(&a.key, &b.key) ||
	    a.port != b.port || a.alone != b.alone || a.leaf != b.leaf)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t pkt[BEACON_LEN] = { PACKET_VERSION | PACKET_BEACON }, plain[PLAIN_LEN] = { 0 }, key[32];

	read_and_write(data, len);
	if (len)
		memcpy(plain, data, len < PLAIN_LEN ? len : PLAIN_LEN);
	hash_of(key, sizeof(key), "vpnd beacon", overlay, sizeof(overlay));
	crypto_aead_xchacha20poly1305_ietf_encrypt(pkt + 4 + BEACON_NONCE_LEN, NULL, plain,
						   PLAIN_LEN, pkt, 4, NULL, pkt + 4, key);
	read_and_write(pkt, sizeof(pkt));
	return 0;
}
