/* cookie.h - under load a responder answers COOKIE instead of computing. docs/protocol.md 3.4. */
#ifndef P2P_COOKIE_H
#define P2P_COOKIE_H

#include "base/addr.h"
#include "base/time.h"
#include "p2p/handshake.h"

#define COOKIE_LEN 64
struct cookie_jar {
	uint8_t secret[32];
	usec_t made; /* 0 = never */
};
struct cookie_query { /* a received INIT whose mac1 fits */
	const uint8_t *pkt;
	size_t len;
	const struct addr *from;
	const uint8_t *fresh_secret; /* 32 random bytes: the next secret if the jar's is old */
};
struct cookie_args {
	const uint8_t *overlay_key; /* 32: the one whose mac1 fits */
	const struct pubkey *self;
	const uint8_t *nonce; /* 24 random bytes */
};
/* Does its mac2 show a cookie that this jar gave to this address? */
bool cookie_check(struct cookie_jar *j, const struct cookie_query *q, usec_t now);
/* Writes a COOKIE to out (COOKIE_LEN); its length, or 0 when the packet is no INIT. */
size_t cookie_create(struct cookie_jar *j, uint8_t *out, const struct cookie_query *q,
		     const struct cookie_args *a, usec_t now);
/* For the next INIT's args. False, and cookie unchanged, unless it answers the INIT just sent. */
bool cookie_consume(const struct handshake *hs, const uint8_t *pkt, size_t len, uint8_t cookie[16]);

#endif
