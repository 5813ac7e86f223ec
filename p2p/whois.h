/* whois.h - which node key answers at an address? docs/protocol.md 3.5. */
#ifndef P2P_WHOIS_H
#define P2P_WHOIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/key.h"
#include "p2p/packet.h"

#define WHOIS_LEN 92
struct whois_args {
	const uint8_t (*overlay_keys)[32];
	size_t count;
	const struct pubkey *self;
	const uint8_t *nonce; /* 24 random bytes */
};
void whois_create(uint8_t out[WHOIS_LEN], const uint8_t *overlay_key, const uint8_t nonce[24],
		  const uint8_t challenge[16]);
/* WHOIS_LEN, or 0 when the request fits none of the keys. */
size_t whois_answer(uint8_t out[WHOIS_LEN], const uint8_t *pkt, size_t len,
		    const struct whois_args *a);
struct whois_question { /* as it was asked */
	const uint8_t *overlay_key, *challenge; /* 32 and 16 bytes */
	const struct crypto *crypto;
};
bool whois_consume(const uint8_t *pkt, size_t len, const struct whois_question *q,
		   struct pubkey *out);

#endif
