/* offer.h - the sealed payloads of INIT and RESPONSE. docs/protocol.md 3.1, 3.2. */
#ifndef P2P_OFFER_H
#define P2P_OFFER_H

#include "p2p/handshake.h"

#define OFFER_VERSION 1 /* the only one there is */
#define OFFER_INIT_MIN 62
#define OFFER_RESPONSE_MIN 18
#define OFFER_MAX (OFFER_INIT_MIN + HANDSHAKE_EXT_MAX)

struct offer_init {
	uint32_t start_counter;
	uint64_t boottime;
	struct pubkey node;
	struct handshake_offer offer;
};

void offer_write_init(struct wr *w, const struct offer_init *o);
void offer_write_response(struct wr *w, const struct handshake_offer *o);
/* False: malformed, or no version in common. The node key is not judged here. */
bool offer_read_init(struct rd r, struct offer_init *out);
bool offer_read_response(struct rd r, struct handshake_offer *out);

#endif
