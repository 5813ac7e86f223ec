/* state.h - inside of struct vnet, for the files of this folder.
 *
 * The way of a frame: fast.c; what it cannot decide comes to vnet.c (dispatch by tables), which
 * hands it to arp.c, ndp.c, names.c, local.c, ping.c, or to resolve.c (find owner and session, hold
 * meanwhile) and guard.c (source of a session's packet not proven). owner.c takes the answers. */
#ifndef VNET_STATE_H
#define VNET_STATE_H

#include "base/limit.h"
#include "vnet/eth.h"
#include "vnet/fence.h"
#include "vnet/flow.h"
#include "vnet/ip.h"
#include "vnet/peer.h"
#include "vnet/vnet.h"

/* Read by the fast path; changed by the control thread between two batches only. With more lanes
 * it is replaced as a whole (copy, change, publish by pointer, free after a grace period). */
struct vnet_view {
	const struct flows *flows;
	struct ip own[VNET_OWN_MAX];
	unsigned own_count;
	uint8_t port_mac[MAC_LEN], proxy_mac[MAC_LEN];
	uint16_t ns, mtu, ping_id;
	uint8_t type_ip;
	bool pinging; /* echo replies with ping_id are ours */
};

struct vnet_lane {
	struct drops drops;
	struct flow_marks marks;
};

struct vnet {
	struct vnet_config cfg;
	struct vnet_env env;
	struct vnet_view view;
	struct vnet_lane lane;
	struct flows flows;
	struct peers peers;
	struct fence fence;
	struct held out, in; /* to a destination; from a session */
	struct timers timers;
	struct limit asks, unreachables, alarms;
	struct list queries; /* names.c, oldest first */
	struct list pings;   /* ping.c, oldest first */
	unsigned query_count, ping_count;
	uint64_t next_op;
	uint16_t ping_seq;
	struct drops *reported; /* what the log has told of; NULL: nothing yet */
	usec_t report_at;
};

static inline void vnet_drop(struct vnet *v, enum drop why)
{
	drop_add(&v->lane.drops, why);
}

bool vnet_is_own(const struct vnet *v, const struct ip *ip);
bool vnet_is_dns(const struct vnet *v, const struct ip *ip);
/* May a remote member own it? In a subnet, not ours, not DNS, not the subnet's edges. */
bool vnet_is_remote(const struct vnet *v, const struct ip *ip);
/* Our first address of this length (4 or 16), NULL while there is none. */
const struct ip *vnet_own_first(const struct vnet *v, uint8_t len);
/* Ethernet around an IP packet from the virtual side, to the port. */
void vnet_to_port(struct vnet *v, const uint8_t *pkt, size_t len);
/* The same for a packet that is still to be built; one that does not fit is not sent. */
void vnet_reply(struct vnet *v, const struct ip_out *o);

/* resolve.c: towards a remote address. */
void resolve_send(struct vnet *v, const struct packet *p, usec_t now);
/* ARP or ND asks for `ip` on behalf of `asker`; answered now, later, or never. */
void resolve_neighbour(struct vnet *v, const struct ip *ip, const struct ip *asker, usec_t now);
void resolve_answer_neighbour(struct vnet *v, const struct ip *ip, const struct ip *asker);
struct flow *resolve_flow_new(struct vnet *v, const struct ip *ip, usec_t now); /* makes room */
void resolve_flow_drop(struct vnet *v, struct flow *f, enum drop why); /* frames held get `why` */
void resolve_attach(struct vnet *v, struct peer *p, usec_t now); /* unless there or just asked */
void resolve_flush(struct vnet *v, struct flow *f, usec_t now);	 /* sends what was held */
void resolve_timer(struct flow *f, usec_t now);			 /* sets it anew */
usec_t resolve_refresh_at(usec_t until, usec_t now); /* USEC_NEVER: it never ends, or has */
void resolve_nobody(struct vnet *v, struct flow *f, usec_t now);

/* guard.c: packets of a session whose source it has not proven to own. */
void guard_hold(struct vnet *v, uint32_t session, const struct packet *p, usec_t now);
void guard_release(struct vnet *v, struct peer *p, usec_t now); /* delivers what is proven now */
void guard_forget(struct vnet *v, struct peer *p);		/* drops what it holds */
void guard_deliver(struct vnet *v, const struct packet *p, usec_t now);

/* arp.c, ndp.c */
void arp_input(struct vnet *v, const uint8_t *frame, size_t len, usec_t now);
void arp_answer(struct vnet *v, const struct ip *ip, const struct ip *asker);
void ndp_input(struct vnet *v, const struct packet *p, usec_t now);
void ndp_answer(struct vnet *v, const struct ip *ip, const struct ip *asker);

/* names.c: the DNS server */
void names_input(struct vnet *v, const struct packet *p, usec_t now);
void names_tick(struct vnet *v, usec_t now);
usec_t names_deadline(const struct vnet *v);
void names_free(struct vnet *v);

/* local.c: what the DNS address says apart from DNS, and unreachables */
void local_echo(struct vnet *v, const struct packet *p, usec_t now);
void local_refuse(struct vnet *v, const struct packet *p, usec_t now);
void local_unreachable(struct vnet *v, const struct packet *p, usec_t now);

/* ping.c */
bool ping_wants(const struct vnet *v, const struct packet *p);
void ping_input(struct vnet *v, const struct packet *p, usec_t now);
void ping_tick(struct vnet *v, usec_t now);
usec_t ping_deadline(const struct vnet *v);
void ping_free(struct vnet *v);

#endif
