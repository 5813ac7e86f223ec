/* sim_light_impl.h - what the files of the light actor share; nobody else includes it.
 *
 *   sim_light.c        the actor: start, stop, time, and what ring and DHT ask of it
 *   sim_light_link.c   links: silence, doubt, keepalives, an end; docs/protocol.md 4.1
 *   sim_light_shake.c  how they are made; docs/protocol.md 3.3
 *   sim_light_route.c  ROUTED; docs/protocol.md 5.2
 *   sim_light_work.c   publish, lookup, send
 *   sim_light_fault.c  how a host misbehaves */
#ifndef CMD_SIM_LIGHT_IMPL_H
#define CMD_SIM_LIGHT_IMPL_H

#include "base/limit.h"
#include "base/list.h"
#include "base/map.h"
#include "cmd/sim_actor.h"
#include "dht/dht.h"

#define LIGHT_HEAD 6	    /* type, receiver index, flags: our stand-in for 16 + 16 bytes */
#define LIGHT_ROUTED_HEAD 115 /* the fields of 5.2, and the source's id, which saves a hash a hop */
#define LIGHT_ROUTED_MAX 1500 /* bytes carried */
#define LIGHT_PACKET_MAX 24576
#define LIGHT_LIE_MAX 1200 /* bytes of a RING message that lies */
#define LIGHT_ANSWERED_KEPT SEC(20) /* who accepted, and hears nothing under it */
#define LIGHT_AGENTS 4	    /* remembered: by way of whom a key last spoke to us */

/* What the real packets take, IPv4 and UDP headers included. */
#define REAL_IP 28
#define REAL_SEALED (REAL_IP + 16 + 16)
#define REAL_REQUEST (REAL_IP + 209)	  /* INIT that tells where it saw us */
#define REAL_ACCEPT (REAL_IP + 121)
#define REAL_KEEPALIVE (REAL_SEALED + 2)
#define REAL_PROBE (REAL_SEALED + 64)	  /* challenge and response alike */
#define REAL_ACK (REAL_SEALED + 13)
#define REAL_SEGMENT (REAL_SEALED + 7)	  /* and the bytes */
#define REAL_SEGMENT_BYTES 1100
#define REAL_ROUTED (REAL_SEALED + 97)	  /* and the bytes */
#define REAL_TOLD (REAL_SEALED + 3)	  /* and the bytes: not acknowledged */

enum light_type { LIGHT_REQUEST = 1, LIGHT_ACCEPT, LIGHT_KEEPALIVE, LIGHT_MESSAGE, LIGHT_ROUTED,
		  LIGHT_CLOSE, LIGHT_TOLD /* a message that may be lost */ };
enum light_service { LIGHT_HANDSHAKE = 1, LIGHT_DHT = 3, LIGHT_RING, LIGHT_SEND, LIGHT_SENT };
enum { LIGHT_NEAREST = 1 };

enum light_state { LINK_ASKING, LINK_ANSWERED, LINK_UP };

struct light_link { /* what every packet needs lies together */
	struct pubkey key;
	uint32_t index, peer_index; /* in packets to us and to it */
	enum light_state state;
	bool initiator, has_addr, by_ring, once, doubt, keeps, peer_keeps;
	uint8_t tries, copies_count;
	uint32_t rtt, idle; /* microseconds */
	struct light_copy *copies; /* of routed packets given to it, until it is heard */
	usec_t heard, sent, asked, waiting, kept;
	struct addr addr;
	struct limit routed;
	struct node_id id;
	struct node_id agent; /* asking: by way of whom */
	usec_t begun, next, again; /* asking: since when; next step; next REQUEST */
};

struct light_slot { /* looked through often: one cache line holds four */
	struct light_link *link;
	usec_t at; /* not after its first deadline */
};

struct light_routed {
	uint8_t hops, flags, service;
	struct node_id to, agent, source_id, source_agent;
	struct pubkey source;
	const uint8_t *body;
	size_t len;
};

struct light {
	struct sim_host *host;
	struct node_id id;
	struct ring *ring;
	struct dht *dht;
	struct wall wall;
	struct drops drops;
	struct map by_key;	  /* struct light_link */
	struct light_slot *slot;  /* by the low half of an index */
	uint32_t slots, generation;
	usec_t links_at;	  /* not after the first deadline of a link */
	usec_t parts_at;	  /* the first deadline of ring and DHT, when nothing is stirred */
	bool stirred;		  /* one of them was called: it may have moved */
	usec_t boot_at;
	unsigned boot_tries, turn;
	struct list later;	  /* what ring and DHT asked to be routed */
	size_t later_count;
	struct list sends, lookups;
	usec_t sends_at;
	struct { struct pubkey key; struct node_id agent; } agents[LIGHT_AGENTS];
	unsigned agent_next;
	usec_t now;
};

/* link */
struct light_link *light_link_find(const struct light *l, const struct pubkey *key);
/* Flags and nothing else. */
void light_link_bare(struct light *l, struct light_link *k, uint8_t flags, size_t real);
void light_link_wake(struct light *l, const struct light_link *k, usec_t at);
/* NULL when there is no room, or the key is our own. */
struct light_link *light_link_new(struct light *l, const struct pubkey *key);
struct light_link *light_link_by_index(const struct light *l, uint32_t index);
void light_link_up(struct light *l, struct light_link *k);
void light_link_answered(struct light *l, struct light_link *k); /* k->asked was, just now */
/* The link that this packet came over, now up and heard; NULL = none. Reads type to flags. */
struct light_link *light_link_input(struct light *l, const struct addr *from, struct rd *r);
/* pkt: payload from LIGHT_HEAD on, len bytes in all; counted as `real` bytes. */
void light_link_send(struct light *l, struct light_link *k, enum light_type type, uint8_t *pkt,
		     size_t len, size_t real);
void light_link_message(struct light *l, struct light_link *k, enum light_service service,
			const uint8_t *msg, size_t len);
/* A RING message that asks for no acknowledgement. */
void light_link_tell(struct light *l, struct light_link *k, const uint8_t *msg, size_t len);
void light_link_lost(struct light *l, struct light_link *k);
void light_link_tick(struct light *l);
void light_link_clear(struct light *l, bool graceful);
/* Sends; in truth the packet takes `real` bytes, IP and UDP included. */
void light_transmit(struct light *l, const struct addr *to, const uint8_t *pkt, size_t len,
		    size_t real);
uint32_t light_random(struct light *l, uint32_t bound);

/* shake */
/* A link with this contact is wanted: no-op when there is one, or one on its way. */
void light_link_want(struct light *l, const struct ring_contact *c, const struct node_id *agent);
/* A handshake packet; `from` NULL: it came routed. */
void light_link_shake(struct light *l, const struct addr *from, struct rd r);
/* An asking link's next step. */
void light_shake_tick(struct light *l, struct light_link *k);

/* route */
void light_route(struct light *l, struct light_routed *m);
/* The same, once the present call into ring or DHT is over. */
void light_route_later(struct light *l, const struct light_routed *m);
void light_route_run(struct light *l);
void light_route_forget(struct light_link *k); /* the copies kept for it */
void light_route_again(struct light *l, struct light_copy *copies); /* frees them */
void light_route_input(struct light *l, struct light_link *from, struct rd r);

/* work */
void light_publish(struct light *l, uint64_t op, uint64_t topic);
void light_lookup(struct light *l, uint64_t op, uint64_t topic);
void light_send(struct light *l, uint64_t op, const struct pubkey *to);
void light_work_settle(struct light *l);
void light_work_event(struct light *l, const struct dht_event *e);
void light_work_delivered(struct light *l, const struct light_routed *m);
void light_work_answered(struct light *l, const struct light_routed *m);
void light_work_tick(struct light *l);
void light_work_clear(struct light *l);

/* fault: true = the message was dealt with by misbehaving. */
bool light_fault_dht(struct light *l, const struct pubkey *from, const uint8_t *msg, size_t len);
/* The message, or what is told instead of it. */
const uint8_t *light_fault_ring(struct light *l, const uint8_t *msg, size_t *len,
				uint8_t lie[LIGHT_LIE_MAX]);
struct light_link *light_fault_hop(struct light *l, struct light_link *right);
/* A DHT message to a key: over the link there is, else along the ring. */
void light_dht_send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len,
		    unsigned way);

#endif
