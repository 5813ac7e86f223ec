/* later.h - work put off to the end of the present call.
 *
 * The ring and the channel must not be re-entered from their callbacks, so what their callbacks
 * ask for waits here, at most LATER_MAX items, and runs when the call that brought it ends. */
#ifndef P2P_LATER_H
#define P2P_LATER_H

#include "p2p/core.h"
#include "p2p/ring.h"

enum later_kind {
	LATER_MESSAGE, /* service, key = peer, body: a message for a service handled inside */
	LATER_RING,    /* key = claimed source, agent, body: a RING message that was routed */
	LATER_ROUTE,   /* to, agent, nearest, body: the ring wants it routed */
	LATER_WANT,    /* contact, agent: the ring wants a session */
};

struct later {
	struct list list;
	enum later_kind kind;
	uint8_t service;
	bool nearest;
	struct pubkey key;
	struct node_id to, agent; /* agent zero = none */
	struct ring_contact contact;
	size_t len;
	uint8_t body[];
};

/* A new item with room for len bytes, queued; NULL and a drop counted when there are too many. */
struct later *later_put(struct p2p *p, enum later_kind kind, const void *body, size_t len);
/* Runs everything, also what is added meanwhile, up to LATER_MAX items; true if some are left. */
bool later_run(struct p2p *p, usec_t now);
void later_clear(struct p2p *p);
/* The ring's env, ending in this queue. */
struct ring_env later_ring_env(struct p2p *p);

#endif
