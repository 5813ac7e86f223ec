/* connect.h - handshakes that we begin. docs/protocol.md 3.3. */
#ifndef P2P_CONNECT_H
#define P2P_CONNECT_H

#include "p2p/core.h"
#include "p2p/session.h"

struct held_init;

/* The handshake that we initiate, if any, and the plan for the next. */
struct attempt {
	struct handshake *hs;	 /* NULL = none in progress */
	struct key_slot *slot;	 /* holds its index */
	usec_t sent, started;	 /* of the last INIT; of this round */
	usec_t next;		 /* next INIT or round */
	struct held_init *held; /* the INIT's copy for the ring, until it goes there; or NULL */
	unsigned tries, rounds;
	bool once; /* one INIT to each address, no more */
	bool cookie_set;
	uint8_t cookie[16];
	usec_t cookie_at;
};

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
