/* ring.h - who should be linked with whom, and where a routed packet goes next. docs/protocol.md 5.
 *
 * The ring knows contacts (keys with addresses) and which of them have sessions; it says which
 * sessions it wants. It keeps RING_NEAR links a side: the nearest nodes clockwise and counter-
 * clockwise. STATUS messages carry a node's near neighbours; whoever learns of a nearer node
 * connects to it. Periodic and jittered, and at once after a neighbour's loss. A joiner asks FIND
 * for its own id through its first link. Its owner is p2p.c. */
#ifndef P2P_RING_H
#define P2P_RING_H

#include "base/addr.h"
#include "base/key.h"
#include "base/time.h"
#include "base/wire.h"

#define RING_NEAR 3	      /* links a side */
#define RING_CONTACTS_MAX 256 /* known, not necessarily linked */
#define RING_CONTACT_ADDRS 3
#define RING_STATUS_MAX 16
#define RING_HOPS 32

struct ring;

struct ring_contact {
	struct pubkey key;
	struct node_id id;
	uint8_t addr_count;
	struct addr addrs[RING_CONTACT_ADDRS];
};

struct ring_env {
	void *ctx;
	void (*random)(void *ctx, void *out, size_t len);
	/* RING message to a linked peer over its session (unreliable is enough). */
	void (*send)(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len);
	/* RING message by ROUTED; to an id, by way of an agent when agent is not NULL. */
	void (*route)(void *ctx, const struct node_id *to, const struct node_id *agent, bool nearest,
		      const uint8_t *msg, size_t len);
	/* A session with this contact is wanted; `agent` knows it (NULL: nobody in particular). */
	void (*want)(void *ctx, const struct ring_contact *c, const struct node_id *agent);
	/* The addresses to tell others about a linked peer (where it was seen); returns the count. */
	size_t (*addresses)(void *ctx, const struct pubkey *peer, struct addr *out, size_t max);
};

struct ring *ring_new(const struct pubkey *self, const struct ring_env *env, usec_t now);
void ring_free(struct ring *r);
void ring_link_up(struct ring *r, const struct pubkey *peer, usec_t now);
void ring_link_down(struct ring *r, const struct pubkey *peer, usec_t now);
/* The linked or routed sender's RING message; from_link false = source unproven, agent as told. */
void ring_input(struct ring *r, const struct pubkey *from, bool from_link,
		const struct node_id *agent, struct rd msg, usec_t now);
void ring_tick(struct ring *r, usec_t now);
usec_t ring_deadline(const struct ring *r);
/* Is this link one the ring keeps (near)? Others may idle out. */
bool ring_keeps(const struct ring *r, const struct pubkey *peer);
/* Graceful leave: tells the neighbours of one another. */
void ring_leave(struct ring *r, usec_t now);

/* Greedy next hop among the links for `to`: the link itself if it is `to`; else the link strictly
 * nearer than we are, excluding `except` (NULL: nobody); NULL when we are the nearest. */
const struct pubkey *ring_next(const struct ring *r, const struct node_id *to,
			       const struct node_id *except);
/* Any link to serve as our agent, changing with `attempt`; NULL when there is none. */
const struct pubkey *ring_agent(const struct ring *r, unsigned attempt);
size_t ring_links(const struct ring *r, struct pubkey *out, size_t max);

#endif
