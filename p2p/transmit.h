/* transmit.h - sealed packets out: over the session's used path, to one address, along the ring. */
#ifndef P2P_TRANSMIT_H
#define P2P_TRANSMIT_H

#include "p2p/core.h"
#include "p2p/session.h"

/* A sealed packet over the way in use. */
void transmit_packet(struct session *s, const uint8_t *pkt, size_t len, usec_t now);
/* One control plaintext (kind byte first), at most CONTROL_PLAIN_MAX. `asks` as in keepalive.h.
 * False when there is no key or way. */
bool transmit_control(struct session *s, const uint8_t *plain, size_t len,
		      enum keepalive_asks asks, usec_t now);
/* Anything to one address, proven or not. */
void transmit_to(struct p2p *p, uint8_t socket, const struct addr *to, const uint8_t *pkt,
		 size_t len);
/* The answer to something that came by `w`; `to` = whose it is. */
void transmit_answer(struct p2p *p, const struct way *w, const struct node_id *to,
		     const uint8_t *pkt, size_t len, usec_t now);
/* A challenge to the path at this place, or along the ring (place -1). */
void transmit_challenge(struct session *s, int place, usec_t now);
void transmit_keepalive(struct session *s, usec_t now);
/* If what just came by `w` asked for a sign of life, and that is not the way in use: what we send
 * anyhow does not go there, so the sign does at once. */
void transmit_sign(struct session *s, const struct way *w, usec_t now);
/* PROBE received: answers a challenge, takes a response. */
void transmit_probe_input(struct session *s, const struct way *w, struct rd r, usec_t now);

#endif
