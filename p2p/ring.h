/* ring.h - who should be linked with whom, and where a routed packet goes next. docs/protocol.md 5.
 *
 * The ring knows contacts (keys with addresses) and which of them have sessions; it says which
 * sessions it wants and which of those there are it keeps, and why:
 *
 *   near      the RING_NEAR nodes next to us on each side (one more above 1000 nodes)
 *   shortcut  far ones: up to log2 N counting both ends, half of them drawn by ourselves from the
 *             harmonic distribution of distance (Symphony, USITS'03); the acceptor may refuse
 *   demand    nodes with which we exchange much routed traffic
 *
 * STATUS tells a node's near neighbours, LINKS the ids of all its links: one hop of lookahead.
 * Repair is periodic, jittered, and at once after a loss; links that were lost without a word are
 * tried again for hours, so the halves of a partition find each other. A leaf has no ring duty:
 * one link, which nobody routes through. Its owner is p2p.c; the simulator owns rings directly. */
#ifndef P2P_RING_H
#define P2P_RING_H

#include "base/addr.h"
#include "base/key.h"
#include "base/time.h"
#include "base/wire.h"

#define RING_NEAR 3	      /* links a side; one more when the ring is large */
#define RING_NEAR_MAX 4
#define RING_LARGE 1000	      /* nodes */
#define RING_SHORTCUTS_MAX 24 /* drawn by ourselves; as many more are accepted at most */
#define RING_CONTACTS_MAX 256 /* known, not necessarily linked */
#define RING_CONTACT_ADDRS 3
#define RING_STATUS_MAX 16
#define RING_TOLD_MAX 64      /* ids in a LINKS message */
#define RING_HOPS 32

struct ring;

enum ring_profile { RING_FULL, RING_LEAF };

struct ring_contact {
	struct pubkey key;
	struct node_id id;
	uint8_t addr_count;
	bool once; /* a long shot: one INIT to each address will do, and none along the ring */
	struct addr addrs[RING_CONTACT_ADDRS];
};

struct ring_env {
	void *ctx;
	void (*random)(void *ctx, void *out, size_t len);
	/* RING message to a linked peer over its session. */
	void (*send)(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len);
	/* RING message by ROUTED; to an id, by way of an agent when agent is not NULL. */
	void (*route)(void *ctx, const struct node_id *to, const struct node_id *agent, bool nearest,
		      const uint8_t *msg, size_t len);
	/* A session with this contact is wanted; `agent` knows it (NULL: nobody in particular). */
	void (*want)(void *ctx, const struct ring_contact *c, const struct node_id *agent);
	/* The addresses to tell others about a linked peer (where it was seen); returns the count. */
	size_t (*addresses)(void *ctx, const struct pubkey *peer, struct addr *out, size_t max);
	/* Is this key of the accepted form? key_valid, but for large simulations. */
	bool (*key_valid)(const struct pubkey *k);
	/* As send, but it may be lost, and is not acknowledged; NULL: send does it. */
	void (*tell)(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len);
};

struct ring *ring_new(const struct pubkey *self, enum ring_profile profile,
		      const struct ring_env *env, usec_t now);
void ring_free(struct ring *r);
void ring_link_up(struct ring *r, const struct pubkey *peer, usec_t now);
void ring_link_down(struct ring *r, const struct pubkey *peer, usec_t now);
/* Facts about a link: `direct` = packets go to it by its own path (true at first; sealed packets
 * are routed over such links only); `doubt` = it owes an answer (false at first): passed over while
 * there is another way. */
void ring_link_state(struct ring *r, const struct pubkey *peer, bool direct, bool doubt);
/* A routed message came from, or an answer went to, this node by the ring: may become a demand
 * link. */
void ring_traffic(struct ring *r, const struct pubkey *peer, usec_t now);
/* The linked or routed sender's RING message; from_link false = source unproven, agent as told. */
void ring_input(struct ring *r, const struct pubkey *from, bool from_link,
		const struct node_id *agent, struct rd msg, usec_t now);
/* A leaf's owner has this link for other reasons: it becomes the uplink in place of the one there
 * is. False when it may not be one. */
bool ring_uplink(struct ring *r, const struct pubkey *peer, usec_t now);
void ring_tick(struct ring *r, usec_t now);
usec_t ring_deadline(const struct ring *r);
/* Graceful leave: tells the neighbours of one another. */
void ring_leave(struct ring *r, usec_t now);

/* Why the ring keeps this link, ours or the peer's reason; RING_NONE: others may let it idle out.
 * RING_OF_LEAF: the peer is a leaf: kept for its sake, never routed through. */
enum ring_role { RING_NONE, RING_IS_NEAR, RING_SHORTCUT, RING_ACCEPTED, RING_DEMAND, RING_OF_LEAF,
		 RING_UPLINK /* a leaf's one link */ };
enum ring_role ring_role(const struct ring *r, const struct pubkey *peer);
const char *ring_role_text(enum ring_role role);
static inline bool ring_keeps(const struct ring *r, const struct pubkey *peer)
{
	return ring_role(r, peer) != RING_NONE;
}

/* Next hop among the links for `to`: the link itself if it is `to`; else, of those strictly nearer
 * than we are (so no packet can circle), the one that is, or has a link that is, nearest; without
 * `except` (NULL: nobody); `direct`: over direct links only. NULL when we are the nearest. */
const struct pubkey *ring_next(const struct ring *r, const struct node_id *to,
			       const struct node_id *except, bool direct);
/* Any link to serve as our agent, changing with `attempt`; NULL when there is none. */
const struct pubkey *ring_agent(const struct ring *r, unsigned attempt);
size_t ring_links(const struct ring *r, struct pubkey *out, size_t max);

struct ring_info {
	uint64_t size;	 /* how many nodes there seem to be */
	size_t links, near, shortcuts, accepted, demand, leaves, contacts, lost;
	size_t shortcuts_wanted;
	bool sure;	 /* both nearest neighbours have answered for the gap between us */
	size_t bytes;	 /* allocated */
};
struct ring_info ring_info(const struct ring *r);

#endif
