/* setup.h - what an overlay is made from, and its bounds; part of the public face p2p.h. */
#ifndef P2P_SETUP_H
#define P2P_SETUP_H

#include "base/addr.h"
#include "base/drop.h"
#include "base/key.h"
#include "base/log.h"
#include "base/time.h"
#include "p2p/event.h"

#define P2P_MESSAGE_MAX 65536 /* bytes of one control message */
#define P2P_ROUTED_MAX 1400   /* bytes of one routed datagram's body */
#define P2P_SESSIONS_MAX 4096
#define P2P_OVERLAY_KEYS_MAX 4 /* the one to initiate with, and former ones */
#define P2P_ADDRESSES_MAX 12
#define P2P_NAMESPACES_MAX 64
#define P2P_SOCKET_LAN 255 /* of env.send: not to an address, but to every LAN of this host */

struct p2p_env {
	void *ctx;
	void (*send)(void *ctx, uint8_t socket, const struct addr *to, const uint8_t *pkt, size_t len);
	void (*random)(void *ctx, void *out, size_t len);
	void (*event)(void *ctx, const struct p2p_event *e);
	/* Pure questions about membership, answered by the owner without calling back in: */
	bool (*grant_ok)(void *ctx, uint16_t ns, const struct pubkey *peer, const uint8_t *grant,
			 size_t len, usec_t now);
	size_t (*own_grant)(void *ctx, uint16_t ns, uint8_t *out, size_t size); /* 0 = none yet */
};

struct p2p_config {
	struct key_pair self;
	const struct crypto *crypto;
	const struct log *log;
	struct drops *drops; /* the owner's: packets and messages dropped */
	uint32_t start_counter; /* durable, one more at each start; 3.1 */
	uint8_t overlay_keys[P2P_OVERLAY_KEYS_MAX][32];
	uint8_t overlay_key_count; /* the first is used to initiate */
	bool aes; /* AES-256-GCM runs in hardware here */
	bool leaf; /* one link, no duty for the ring */
	uint16_t lan_port; /* our UDP port, for LAN beacons; 0 = there are none */
};

struct p2p_secret {
	uint32_t number;
	uint8_t b[32];
};

#endif
