/* p2p.h - one overlay: sessions with other nodes, their paths, and the ring. Public face.
 *
 * Sans-I/O: bytes, frames and `now` come in; datagrams leave through env.send, and everything the
 * owner must act on leaves as an event through env.event, which copies and queues it and never
 * calls back in. A session is with a key, not with an address; it may run on any path, and over
 * the ring while no direct path is known. Wire formats: docs/protocol.md 2-5. */
#ifndef P2P_P2P_H
#define P2P_P2P_H

#include "base/frame.h"
#include "base/key.h"
#include "base/time.h"
#include "p2p/event.h"
#include "p2p/packet.h"
#include "p2p/setup.h"

struct p2p;
struct p2p_view; /* what the fast path reads: sessions by index and handle */
struct p2p_lane; /* what one worker owns: counters, replay windows, usage marks */

/* Copies config and env. */
struct p2p *p2p_new(const struct p2p_config *cfg, const struct p2p_env *env, usec_t now);
/* Sends CLOSE to everybody and frees. NULL is legal. */
void p2p_free(struct p2p *p, usec_t now);

/* The sans-I/O four. p2p_input takes any datagram; data packets normally go by p2p_open instead. */
void p2p_input(struct p2p *p, uint8_t socket, const struct addr *from, uint8_t *pkt, size_t len,
	       usec_t now);
void p2p_tick(struct p2p *p, usec_t now);
/* A datagram that came from a host of this very LAN, not by the sockets (docs/protocol.md 5.3); the
 * port of `from` counts for nothing. False: not of this overlay, or over a limit. */
bool p2p_lan_input(struct p2p *p, const struct addr *from, const uint8_t *pkt, size_t len,
		   usec_t now);
void p2p_lan_changed(struct p2p *p, usec_t now); /* there is another LAN: greet it */
usec_t p2p_deadline(const struct p2p *p);

/* Keep a link to this node for the sake of the ring; `key` NULL = ask by WHOIS first. At most 32. */
int p2p_bootstrap(struct p2p *p, const struct pubkey *key, const struct addr *addrs, size_t count,
		  usec_t now);
/* Where we may be reached, for ADDRESSES and STATUS. */
void p2p_set_addresses(struct p2p *p, const struct addr *addrs, size_t count, usec_t now);
/* A session with `peer` is wanted now; SESSION_UP follows (at once if there is one already). */
int p2p_connect(struct p2p *p, const struct pubkey *peer, usec_t now);
/* One reliable message. -ENOTCONN without a session, -ENOBUFS when its queue is full. */
int p2p_send(struct p2p *p, const struct pubkey *peer, uint8_t service, const uint8_t *msg,
	     size_t len, usec_t now);
/* The machine may be a restored snapshot: every key is forgotten at once, sessions are made anew. */
void p2p_drop_keys(struct p2p *p, usec_t now);
bool p2p_has_session(const struct p2p *p, const struct pubkey *peer);
/* One unreliable datagram along the ring (or over the session there is), <= P2P_ROUTED_MAX. */
int p2p_route(struct p2p *p, const struct node_id *to, const struct node_id *agent, uint8_t service,
	      const uint8_t *msg, size_t len, usec_t now);
/* The same to whoever, ourselves apart, stands nearest to `target`. */
int p2p_route_nearest(struct p2p *p, const struct node_id *target, const struct node_id *agent,
		      uint8_t service, const uint8_t *msg, size_t len, usec_t now);
/* A link of ours, to be the agent of what should go another way, which changes with `turn`; zero when
 * there is none. */
struct node_id p2p_link(const struct p2p *p, unsigned turn);
/* Where a peer may be found; `agent` has a session with it (NULL: nobody known). The second: who
 * has one with us, for others to be told; zero = nobody. */
int p2p_locate(struct p2p *p, const struct pubkey *peer, const struct addr *addrs, size_t count,
	       const struct node_id *agent, usec_t now);
struct node_id p2p_agent(const struct p2p *p);
/* Where we may be reached: what the owner set, and where peers see us. Returns the count. */
size_t p2p_own_addresses(const struct p2p *p, struct addr out[P2P_ADDRESSES_MAX]);

/* Namespaces: `ns` is the owner's number, below P2P_NAMESPACES_MAX. One or two valid secrets. */
int p2p_namespace_set(struct p2p *p, uint16_t ns, const struct p2p_secret *secrets, size_t count,
		      usec_t now);
void p2p_namespace_del(struct p2p *p, uint16_t ns, usec_t now); /* detaches everybody */
void p2p_namespace_revocation(struct p2p *p, uint16_t ns, uint64_t number);
/* Connect if need be, then attach; ATTACHED or REFUSED follows. */
int p2p_attach(struct p2p *p, uint16_t ns, const struct pubkey *peer, usec_t now);
void p2p_detach(struct p2p *p, uint16_t ns, const struct pubkey *peer, usec_t now);

/* The fast path. Each handles frames[0..n) and sets every verdict:
 * p2p_seal: FRAME_TO_PEER -> FRAME_TO_WIRE, FRAME_ROUTED or DROP (others are left alone);
 * p2p_open: a datagram just received -> FRAME_OPENED (data; ns, session, tag, type set),
 *           FRAME_CONTROL (give it to p2p_input) or DROP. */
const struct p2p_view *p2p_view(const struct p2p *p);
struct p2p_lane *p2p_lane(struct p2p *p, unsigned lane);
void p2p_seal(const struct p2p_view *v, struct p2p_lane *l, struct frame *frames[], size_t n,
	      usec_t now);
void p2p_open(const struct p2p_view *v, struct p2p_lane *l, struct frame *frames[], size_t n,
	      usec_t now);
/* Slow path for FRAME_ROUTED. */
void p2p_send_routed(struct p2p *p, const struct frame *f, usec_t now);

/* Is this packet meant for this overlay? For a node in several: by receiver index, else by mac1. */
bool p2p_claims(const struct p2p *p, const uint8_t *pkt, size_t len);

/* For status. Iterate with *at = 0 until false; p2p/status.h describes what is told. */
struct p2p_peer_info;
bool p2p_peer_next(const struct p2p *p, size_t *at, struct p2p_peer_info *out, usec_t now);

#endif
