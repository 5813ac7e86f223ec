/* route.h - ROUTED packets: which link is next, forwarding, delivery, wrapping. 5.2. */
#ifndef P2P_ROUTE_H
#define P2P_ROUTE_H

#include "p2p/core.h"
#include "p2p/session.h"

#define ROUTED_HEAD 97	     /* the kind byte and the fields of 5.2 */
#define ROUTED_BODY_MAX 1500 /* bytes carried */
#define ROUTED_NEAREST 1     /* flag: deliver to the nearest node, not only the exact one */
#define ROUTED_ASKS 2	     /* flag of one hop: the link that gets it owes a sign of life */
#define ROUTED_OF_LEAF 4     /* flag: the source is a leaf, which has one link and wants no other */

struct routed {
	uint8_t hops, flags, service;
	struct node_id to, agent;
	struct pubkey source;
	struct node_id source_agent;
	const uint8_t *body;
	size_t len;
};

/* Ours: source and hops are filled in. 0, -EMSGSIZE, -ENETUNREACH. */
int route_send(struct p2p *p, struct routed *m, usec_t now);
/* From a link; the cursor stands after the kind byte. */
void route_input(struct session *link, struct rd r, usec_t now);
/* At the end of a call, for a session touched in it: what it may not have got goes another way. */
void route_settle(struct session *link, usec_t now);
void route_forget(struct session *link); /* the copies kept for it */
/* Is there any way along the ring to this node just now? */
bool route_exists(const struct p2p *p, const struct session *to);
/* Some direct link of ours, changing with `turn`; zero when there is none. */
struct node_id route_link(const struct p2p *p, unsigned turn);
/* A link of ours that serves `s` as our agent; zero when there is none. */
struct node_id route_agent(const struct p2p *p, const struct session *s);

#endif
