/* addresses.h - ADDRESSES: where nodes may be reached. docs/protocol.md 4.7. */
#ifndef P2P_ADDRESSES_H
#define P2P_ADDRESSES_H

#include "p2p/core.h"
#include "p2p/session.h"

void addresses_tell(struct session *s, usec_t now);
/* The first word on a new session: what it cannot know already. */
void addresses_greet(struct session *s, usec_t now);
/* Our owner says which are ours; true when peers are to be told something else than before. */
bool addresses_set(struct p2p *p, const struct addr *addrs, size_t count);
void addresses_tell_all(struct p2p *p, usec_t now);
/* Those of a leaf, if its agent is another one now. */
void addresses_mind_agent(struct p2p *p, usec_t now);
void addresses_input(struct session *s, struct rd r, usec_t now);
/* A peer says that it sees us at `a`. */
void addresses_observed(struct p2p *p, const struct addr *a, usec_t now);
/* Where to tell others that this peer is: proven paths, then what it told. */
size_t addresses_of(const struct session *s, struct addr *out, size_t max);
/* Fit to be challenged: not multicast, not link-local, has a port. */
bool addresses_usable(const struct addr *a);

#endif
