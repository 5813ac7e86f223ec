/* node_query.h - what a node tells about itself; changes nothing. */
#ifndef CMD_NODE_QUERY_H
#define CMD_NODE_QUERY_H

#include "cmd/node.h"
#include "p2p/ring.h"

#define NODE_TROUBLE_MAX 200 /* bytes of a text, with its end */
#define NODE_REFUSED_MAX 208

/* Questions, answered at once. Numbers of namespaces: 0..NODE_NAMESPACES_MAX-1, gaps possible. */
enum node_ns_state { NODE_NS_JOINING, NODE_NS_ENROLLED, NODE_NS_READY, NODE_NS_REFUSED, NODE_NS_OUT };
struct node_ns_info {
	uint16_t ns;
	char name[33], zone[100], ifname[16], host[64];
	char trouble[NODE_TROUBLE_MAX]; /* what is wrong and what to do; "" = nothing */
	char refused[NODE_REFUSED_MAX]; /* a wanted address or name that somebody else owns; "" = none */
	enum node_ns_state state;
	bool creator, keeper;
	struct pubkey root;
	struct prefix subnet, subnet6;
	struct ip v4, v6, dns4;
	uint8_t keepers, quorum;
	uint32_t era, epoch;
	uint64_t revocations, member_until; /* list number; wall seconds */
	size_t attached; /* members with an attached session */
	unsigned overlay;
};
bool node_ns_next(const struct node *n, size_t *at, struct node_ns_info *out, usec_t now);
/* The number of a namespace by name (NULL: the only one) or -1 with *error set to a sentence. */
int node_ns_find(const struct node *n, const char *name, const char **error);
/* Peers of all overlays; out->key and path, and the host name in a namespace where known. */
struct node_peer_info {
	struct p2p_peer_info p2p;
	unsigned overlay;
	char name[64]; /* host name where known */
	struct ip v4;  /* its leased address where known */
	int ns;	       /* the namespace name and v4 are of, or -1 */
};
struct node_cursor {
	size_t a, b;
};
bool node_peer_next(const struct node *n, struct node_cursor *at, struct node_peer_info *out,
		    usec_t now);
bool node_lease_next(const struct node *n, uint16_t ns, size_t *at, struct lease_info *out,
		     usec_t now);
bool node_flow_next(const struct node *n, uint16_t ns, size_t *at, struct vnet_flow_info *out,
		    usec_t now);
const struct regs *node_regs(const struct node *n, uint16_t ns);
const struct config *node_keepers(const struct node *n, uint16_t ns);
/* The host name of a member in a namespace, if known here; "" otherwise. */
void node_member_name(const struct node *n, uint16_t ns, const struct pubkey *key, char out[64]);
/* The ring of an overlay, numbers from 0 with gaps. */
struct node_ring {
	struct ring_info ring;
	struct pubkey next, previous; /* nearest links clockwise and counter-clockwise; zero = none */
	unsigned overlay;
	bool leaf; /* we are one: no duty, one link */
};
bool node_ring_next(const struct node *n, size_t *at, struct node_ring *out, usec_t now);
/* What must not grow without bound, over all overlays and namespaces. */
struct node_counts {
	size_t sessions; /* up */
	size_t contacts, records, published, lookups; /* of the DHT */
	size_t timers;	 /* of the node's own */
	size_t queued;	 /* events, messages, durable writes, lookups */
};
struct node_counts node_counts(const struct node *n, usec_t now);
void node_drops(const struct node *n, struct drops *out);
/* Adds what p2p sent, over all overlays. */
void node_sent(const struct node *n, struct p2p_sent *sum);
const struct pubkey *node_key(const struct node *n);

#endif
