/* handshake.h - Noise_IKpsk2_25519_ChaChaPoly_SHA256 as create/consume pairs. docs/protocol.md 3.
 *
 * A handshake object belongs to the initiator between INIT and RESPONSE; the responder keeps
 * nothing but what `handshake_respond` returns. State is written only when a message has proven
 * good. Randomness is handed in, so vectors can be replayed. */
#ifndef P2P_HANDSHAKE_H
#define P2P_HANDSHAKE_H

#include "base/addr.h"
#include "base/key.h"
#include "base/time.h"
#include "p2p/aead.h"
#include "p2p/packet.h"

#define HANDSHAKE_EXT_MAX 512
#define HANDSHAKE_LANES_MAX 16
#define HANDSHAKE_OVERLAY_KEYS_MAX 16
#define HANDSHAKE_FEATURE_AES 1u /* feature bit 0: AES-256-GCM in hardware */
#define HANDSHAKE_FEATURE_LEAF 2u /* bit 1: a leaf of the ring */

struct handshake_self { /* made once from the identity */
	const struct crypto *crypto;
	struct pubkey pub;
	uint8_t dh_secret[32], dh_public[32];
};

struct handshake_offer { /* what a side says about itself */
	uint32_t features;
	uint64_t instance;
	uint8_t lanes; /* 1..HANDSHAKE_LANES_MAX */
	struct addr observed; /* RESPONSE: where the INIT came from; ip.len 0 = not said */
	uint32_t start_counter; /* RESPONSE: of the process that answers; 0 = not said */
};

struct handshake { /* the initiator's half-done handshake; wipe with sodium_memzero */
	uint8_t ck[32], h[32], psk[32];
	uint8_t e_secret[32], e_public[32];
	struct pubkey remote;
	uint32_t index; /* sender index; 0 = empty, fits nothing */
	uint8_t mac1[16]; /* of the INIT sent, for COOKIE */
	struct handshake_offer own;
};

struct handshake_result {
	struct pubkey remote;
	uint32_t remote_index;
	struct handshake_offer theirs;
	uint32_t start_counter; /* INIT: the rising timestamp */
	uint64_t boottime;
	uint8_t send_key[32], receive_key[32]; /* already bound to version, suite and features */
	uint8_t transcript[32];
	enum aead_suite suite;
};

struct handshake_init_args {
	const struct handshake_self *self;
	const uint8_t *psk;		/* overlay key, 32 */
	const struct pubkey *remote;
	uint32_t index, start_counter; /* index is not 0 */
	uint64_t boottime;
	struct handshake_offer own;
	const uint8_t *cookie; /* 16, or NULL */
	uint8_t ephemeral[32]; /* fresh random */
};

/* False when the pair is not of the accepted form or its halves do not belong together. */
bool handshake_self_init(struct handshake_self *s, const struct key_pair *pair,
			 const struct crypto *crypto);
/* Writes an INIT to out (PACKET_HANDSHAKE_MAX); its length, or 0 if the remote key is unusable. */
size_t handshake_init_create(struct handshake *hs, uint8_t *out,
			     const struct handshake_init_args *a);

struct handshake_respond_args {
	const struct handshake_self *self;
	const uint8_t *psk;
	uint32_t index; /* our sender index, not 0 */
	struct handshake_offer own;
	uint8_t ephemeral[32];
};

/* A consumed INIT, between consume and respond: the owner checks timestamp and collision there. */
struct handshake_incoming {
	uint8_t ck[32], h[32], remote_e[32], remote_s[32];
	struct handshake_result result; /* keys not set yet */
};
/* mac1 and cookie have been looked at. False leaves `in` as it was. */
bool handshake_init_consume(struct handshake_incoming *in, const struct handshake_self *self,
			    const uint8_t *pkt, size_t len);
/* Writes the RESPONSE (PACKET_HANDSHAKE_MAX); fills in->result with keys and transcript and wipes
 * the rest of in, so once only. Its length or 0. The caller wipes in->result. */
size_t handshake_respond(struct handshake_incoming *in, uint8_t *out,
			 const struct handshake_respond_args *a);
/* Looks at mac1 too. True wipes hs (a RESPONSE fits once); false leaves hs and out as they were. */
bool handshake_response_consume(struct handshake *hs, const struct handshake_self *self,
				const uint8_t *pkt, size_t len, struct handshake_result *out);

/* First check, before any curve arithmetic. Which of the keys fits: index or -1. */
int handshake_mac1_match(const uint8_t *pkt, size_t len, const struct pubkey *self,
			 const uint8_t (*overlay_keys)[32], size_t count);
/* Receiver index of a RESPONSE or COOKIE; sender index of an INIT; 0 when too short. */
uint32_t handshake_receiver_index(const uint8_t *pkt, size_t len);
uint32_t handshake_sender_index(const uint8_t *pkt, size_t len);

#endif
