/* flow.h - the one table of a namespace: address -> owner, session, until when. */
#ifndef VNET_FLOW_H
#define VNET_FLOW_H

#include "base/timer.h"
#include "vnet/held.h"
#include "vnet/vnet.h"

struct peer;
struct flows;

enum flow_state {
	FLOW_ASKING, /* no owner known; VNET_RESOLVE was sent at `asked` */
	FLOW_NOBODY, /* nobody owns it, believed until `until` */
	FLOW_OWNED,  /* owner and generation hold; the binding is stale from `until` on */
};

struct flow {
	/* What the fast path reads. session 0 = the owner has no session now. */
	struct ip ip;
	uint8_t state; /* enum flow_state */
	uint32_t session, tag;
	uint32_t slot; /* index in flows.all and in every lane's marks */
	usec_t until;
	/* The rest is the slow path's. */
	struct flows *table;
	struct peer *owner; /* FLOW_OWNED only */
	uint64_t generation;
	usec_t asked;	    /* last VNET_RESOLVE, 0 = never */
	usec_t refresh;	    /* ask again then if still in use */
	usec_t shown;	    /* first sight, by the peer's own word, since then; 0 = looked up too */
	usec_t seen;	    /* its mark when it was last put to the end of `age` */
	struct ip asker;    /* who asked by ARP or ND and waits for an answer; len 0 = nobody */
	struct held_queue held;
	struct list of_owner, age;
	struct timer timer;
};

/* What a lane notes about flow number `slot`. */
struct flow_mark {
	usec_t used;
	uint64_t packets;
};
struct flow_marks {
	struct flow_mark *of;
	size_t size;
};

struct flows {
	struct flow **slots; /* open addressing, size a power of two, at most half full */
	size_t mask, count;
	uint64_t seed[2];
	struct flow **all; /* by number; free numbers are NULL */
	size_t size;	   /* of all and of the marks */
	struct list age;   /* first = next candidate for eviction */
	struct flow_marks *marks;
	void *ctx;
};

/* The marks belong to the lane and grow with the table. */
void flows_init(struct flows *t, struct flow_marks *marks, const uint64_t seed[2], void *ctx);
void flows_fini(struct flows *t); /* frees the flows too; their timers must be gone */
/* Fast: one multiplication, usually one comparison. NULL when there is none. */
struct flow *flow_find(const struct flows *t, const struct ip *ip);
/* A new flow in state ASKING. The table must not be full and must not have this address. */
struct flow *flow_add(struct flows *t, const struct ip *ip, usec_t now);
void flow_del(struct flow *f); /* frees; holds nothing, has no owner and no timer any more */
/* The flow to drop for a new one when the table is full: the least recently used one of the
 * EXAMINED oldest, those in use since they were last looked at being passed over. */
struct flow *flow_victim(struct flows *t);
struct flow *flow_next(const struct flows *t, size_t *at);

static inline struct flow_mark *flow_mark(const struct flow *f)
{
	return &f->table->marks->of[f->slot];
}

/* Frames may go to (and be accepted from) its session. */
static inline bool flow_is_active(const struct flow *f, usec_t now)
{
	return f->session && f->state == FLOW_OWNED && now < f->until;
}

#endif
