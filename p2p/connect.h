/* connect.h - handshakes that we begin. docs/protocol.md 3.3. */
#ifndef P2P_CONNECT_H
#define P2P_CONNECT_H

#include "p2p/core.h"
#include "p2p/session.h"

/* A handshake is wanted: begins at the next tick unless one is in progress. */
void connect_want(struct session *s, usec_t now);
/* A long shot: one INIT to each address. Nothing if a handshake is in progress or planned. */
void connect_once(struct session *s, usec_t now);
/* Somebody waits for it: the next INIT goes out 5 s after the last at the latest. */
void connect_hurry(struct session *s, usec_t now);
/* No handshake in progress, none planned. */
void connect_stop(struct session *s);
void connect_tick(struct session *s, usec_t now);
usec_t connect_deadline(const struct session *s);
void connect_response(struct p2p *p, const struct way *w, uint8_t *pkt, size_t len, usec_t now);
void connect_cookie(struct p2p *p, const struct way *w, uint8_t *pkt, size_t len, usec_t now);
/* Has our INIT the right of way over theirs, which just came? 3.3, collision. */
bool connect_prevails(const struct session *s, usec_t now);
/* respond.c: their INIT. */
void respond_init(struct p2p *p, const struct way *w, uint8_t *pkt, size_t len, usec_t now);

#endif
