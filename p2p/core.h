/* core.h - struct p2p, for the files of p2p/ only: the tables and what is shared around them. */
#ifndef P2P_CORE_H
#define P2P_CORE_H

#include "base/limit.h"
#include "base/list.h"
#include "base/map.h"
#include "base/timer.h"
#include "p2p/boot.h"
#include "p2p/cookie.h"
#include "p2p/handshake.h"
#include "p2p/p2p.h"
#include "p2p/ring.h"
#include "p2p/stamp.h"
#include "p2p/view.h"

#define POLL_GAP MSEC(500)  /* how late the tick may notice what the fast path did */
#define LATER_MAX 256	    /* things put off to the end of the present call */
#define OBSERVED_MAX 4	    /* addresses that peers say they see us at */
#define CHANNELS_BYTES_MAX (64u << 20) /* of all control channels, in both directions */
#define SOURCES 64	    /* token buckets for INITs under load, by hash of the source */

struct beacons;

struct namespace {
	bool set;
	uint8_t secret_count;
	struct p2p_secret secrets[2];
	uint64_t revocation;
	usec_t told; /* last REVOCATION event */
};

/* How a packet came, and so how its answer goes. */
struct way {
	bool routed;
	uint8_t socket;
	struct addr from;	 /* not routed */
	struct pubkey source;	 /* routed: claimed */
	struct node_id agent;	 /* routed: claimed; zero = none */
	uint8_t hops;
	struct session *link;	 /* routed: who delivered it */
};

struct p2p {
	struct p2p_config cfg;
	struct p2p_env env;
	struct handshake_self self;
	struct node_id id;
	usec_t now;	   /* of the present call, for callbacks that are not told */
	uint64_t boottime; /* last one put into an INIT; rises */

	struct map sessions, sessions_by_id;
	struct p2p_view view;
	struct p2p_lane lane;
	uint32_t last_handle;
	size_t channel_bytes; /* as far as settled */
	struct timers timers;
	struct session *dirty, **dirty_end; /* by dirty_next; the end's place */
	struct list later; /* struct later, see later.h */
	size_t later_count;

	struct ring *ring;
	struct stamps stamps;
	struct boots boots;
	struct beacons *beacons; /* NULL = no LAN, see lan.c */
	struct namespace *ns; /* by the number that our owner gave, below ns_count */
	uint16_t ns_count;    /* at most P2P_NAMESPACES_MAX */
	struct node_id told_agent; /* as a leaf: through whom we are reached */
	struct addr *addresses; /* address_count, at most P2P_ADDRESSES_MAX; never NULL */
	size_t address_count;
	struct addr observed[OBSERVED_MAX];
	usec_t observed_at[OBSERVED_MAX];

	struct cookie_jar jar;
	struct limit inits, whois;
	struct bucket *sources; /* SOURCES of them; NULL until the first load */
	struct p2p_sent sent;
	bool closing;
};

static inline void p2p_drop(struct p2p *p, enum drop why)
{
	drop_add(p->cfg.drops, why);
}

static inline void p2p_random(const struct p2p *p, void *out, size_t len)
{
	p->env.random(p->env.ctx, out, len);
}

uint32_t p2p_random32(const struct p2p *p);
void p2p_emit(struct p2p *p, const struct p2p_event *e);
struct handshake_offer p2p_offer(const struct p2p *p, uint64_t instance);
/* A packet of any type, from a socket or out of ROUTED; may be changed in place. dispatch.c */
/* Each call into p2p begins with it. Sessions may go. */
void p2p_enter(struct p2p *p, usec_t now);
void p2p_packet(struct p2p *p, const struct way *w, uint8_t *pkt, size_t len, usec_t now);

#endif
