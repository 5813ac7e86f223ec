/* vnet.h - one virtual network on one node: its ports, its flows, and what it answers. Public face.
 *
 * A frame from a port or a session either matches a flow (vnet_from_port, vnet_from_session: the
 * fast path, no lookup elsewhere, no allocation, no lock) or is an upcall (vnet_upcall): ARP, ND,
 * DNS, an unknown address. Upcalls ask the owner through events; the answers (vnet_resolved,
 * vnet_peer_up, ...) install flows. A flow is also the receiver's fence: an inner source is
 * accepted only from the session of the key that owns it, never at a lower generation than seen. */
#ifndef VNET_VNET_H
#define VNET_VNET_H

#include "base/frame.h"
#include "base/key.h"
#include "base/log.h"
#include "base/time.h"

#define VNET_FLOWS_MAX 16384
#define VNET_HELD_MAX 16	/* frames waiting per destination */
#define VNET_HELD_TOTAL_MAX 1024
#define VNET_PEERS_MAX 4096
#define VNET_OWN_MAX 16		/* own addresses of an interface-mode port */
#define VNET_QUERIES_MAX 256	/* DNS questions waiting for an answer */
#define VNET_PORT 0		/* the one port of interface mode */

struct vnet;
struct vnet_view; /* what the fast path reads */
struct vnet_lane; /* what one worker owns */

enum vnet_event_type {
	VNET_RESOLVE,	   /* ip: who owns it? -> vnet_resolved */
	VNET_RESOLVE_NAME, /* op, name (a host label of this namespace) -> vnet_name_resolved */
	VNET_RESOLVE_HOST, /* op, ip: its host name? -> vnet_host_resolved */
	VNET_ATTACH,	   /* peer: a session attached to this namespace is wanted */
	VNET_WANT_GRANT,   /* peer, session, ip: it sent from an address it has shown no grant for */
	VNET_PONG,	   /* op, rtt (USEC_NEVER: no answer): result of vnet_ping */
};

struct vnet_event {
	enum vnet_event_type type;
	uint64_t op;
	struct ip ip;
	struct pubkey peer;
	uint32_t session;
	usec_t rtt;
	const char *name; /* valid during the call */
};

struct vnet_env {
	void *ctx;
	void (*random)(void *ctx, void *out, size_t len);
	void (*event)(void *ctx, const struct vnet_event *e); /* copies, never calls back in */
	/* Slow path output; both copy. An Ethernet frame for a port; a packet for an attached peer. */
	void (*to_port)(void *ctx, uint16_t port, const uint8_t *frame, size_t len);
	void (*to_peer)(void *ctx, uint32_t session, uint32_t tag, uint8_t type, const uint8_t *pkt,
			size_t len);
};

struct vnet_config {
	uint16_t ns;	     /* local namespace number, put into frames */
	char name[33], domain[65], host[64];
	struct prefix subnet, subnet6; /* IPv4; derived addresses, /64 */
	struct ip dns4, dns6;	/* the lowest addresses: DNS, answered here */
	uint8_t port_mac[6];	/* MAC of the TAP's kernel side */
	uint16_t mtu;		/* of the port */
	const struct log *log;
	uint8_t type_ip;	/* p2p's packet type for IP packets */
};

struct vnet *vnet_new(const struct vnet_config *cfg, const struct vnet_env *env, usec_t now);
void vnet_free(struct vnet *v);
void vnet_tick(struct vnet *v, usec_t now);
usec_t vnet_deadline(const struct vnet *v);

/* Fast path; frames of this namespace only; every verdict is set.
 * from_port: Ethernet in -> FRAME_TO_PEER (the IP packet; session, tag, type set), UPCALL, DROP.
 * from_session: FRAME_OPENED in -> FRAME_TO_PORT (Ethernet rebuilt in head room), UPCALL, DROP. */
const struct vnet_view *vnet_view(const struct vnet *v);
struct vnet_lane *vnet_lane(struct vnet *v, unsigned lane);
void vnet_from_port(const struct vnet_view *v, struct vnet_lane *l, struct frame *frames[], size_t n,
		    usec_t now);
void vnet_from_session(const struct vnet_view *v, struct vnet_lane *l, struct frame *frames[],
		       size_t n, usec_t now);
/* Slow path for FRAME_UPCALL of either direction (session 0 = from the port). */
void vnet_upcall(struct vnet *v, const struct frame *f, usec_t now);

/* What the owner tells. `until` is BOOTTIME; owner NULL = nobody owns it (cached for 2 s). */
void vnet_resolved(struct vnet *v, const struct ip *ip, const struct pubkey *owner,
		   uint64_t generation, usec_t until, usec_t now);
/* A verified binding shown by the peer itself; false if a higher generation is known. */
bool vnet_bind(struct vnet *v, const struct ip *ip, const struct pubkey *owner, uint64_t generation,
	       usec_t until, usec_t now);
void vnet_peer_up(struct vnet *v, const struct pubkey *peer, uint32_t session, uint32_t tag,
		  usec_t now);
void vnet_peer_down(struct vnet *v, const struct pubkey *peer, usec_t now);
void vnet_peer_forget(struct vnet *v, const struct pubkey *peer, usec_t now); /* and its bindings */
bool vnet_own(struct vnet *v, const struct ip *ip, usec_t now); /* it may be used; false = full */
bool vnet_disown(struct vnet *v, const struct ip *ip, usec_t now); /* not any more; true = it was */
void vnet_set_host(struct vnet *v, const char *host);
struct vnet_name { /* answer to a name; len 0 = none */
	struct ip v4, v6;
};
void vnet_name_resolved(struct vnet *v, uint64_t op, const struct vnet_name *found, usec_t now);
void vnet_host_resolved(struct vnet *v, uint64_t op, const char *host, usec_t now); /* NULL = none */
/* One ICMP echo over the data path from our own address; VNET_PONG follows within 2 s. */
int vnet_ping(struct vnet *v, uint64_t op, const struct ip *to, usec_t now);
/* The addresses of a name that is known without asking: our own, "dns", mechanical ones. */
bool vnet_local_name(const struct vnet *v, const char *host, struct vnet_name *out);

struct vnet_flow_info {
	struct ip ip;
	struct pubkey owner;
	bool has_owner, active; /* active: frames go to `session` */
	uint32_t session;
	uint64_t generation;
	usec_t idle, left; /* since last use; until the binding goes stale */
	uint64_t packets;
};
bool vnet_flow_next(const struct vnet *v, size_t *at, struct vnet_flow_info *out, usec_t now);
const struct drops *vnet_drops(const struct vnet *v);

#endif
