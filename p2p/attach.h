/* attach.h - ATTACH: two nodes prove a namespace to each other inside their session. 4.6. */
#ifndef P2P_ATTACH_H
#define P2P_ATTACH_H

#include "base/key.h"
#include "base/time.h"
#include "base/wire.h"
#include "p2p/early.h"

#define ATTACH_GRANT_MAX 4700
#define ATTACH_MESSAGE_MAX (ATTACH_GRANT_MAX + 64)
#define ATTACH_PATIENCE SEC(60) /* for the other side's next message */
#define ATTACH_GRANT_WAIT SEC(30) /* a proposal waits so long for our own grant */

struct p2p;
struct peer_view;
struct session;

enum attach_state {
	ATTACH_WANTED,	 /* by our owner; not proposed yet (no session, or no grant of our own) */
	ATTACH_PROPOSED, /* PROPOSE sent */
	ATTACH_WAITING,	 /* their PROPOSE is good; our own grant is not there yet */
	ATTACH_ACCEPTED, /* ACCEPT sent, CONFIRM awaited */
	ATTACH_UP,
};

struct attachment {
	uint16_t ns;
	enum attach_state state;
	uint32_t id;		  /* of the proposal, ours or theirs */
	uint32_t tag_in, tag_out; /* chosen by us; by them */
	usec_t until, next;	  /* patience ends; look again */
	uint8_t name[32];	  /* ATTACH_WAITING: what ACCEPT will say */
	struct early *early;	  /* ATTACH_ACCEPTED: data that overtook CONFIRM */
};

/* Of one session, from its first attachment on: most have none. */
struct attachments {
	struct attachment *list; /* at most P2P_NAMESPACES_MAX, one for each namespace */
	size_t count;
	struct peer_view *view; /* NULL while none is up: publish.c */
	uint32_t tag_next; /* 24 bits, both */
	uint32_t tag_step; /* an odd step walks through all 2^24 values without repeat */
};

/* Of NULL, which is legal wherever `as` is const: 0. */
static inline size_t attach_count(const struct attachments *as)
{
	return as ? as->count : 0;
}

void attach_clear(struct session *s); /* without its view */
struct attachment *attach_find(const struct attachments *as, uint16_t ns);
/* Is there a revocation number that keepalives of this session should carry? */
bool attach_tells(const struct session *s);

/* Data under a tag of ours: an event, or kept until CONFIRM; else a drop. */
void attach_data(struct session *s, uint8_t type, uint32_t tag, struct rd plain);
void attach_want(struct session *s, uint16_t ns, usec_t now);
/* DETACH to the other side if it is attached; forgets it. No event. */
void attach_drop(struct session *s, uint16_t ns, usec_t now);
void attach_input(struct session *s, struct rd r, usec_t now);
void attach_tick(struct session *s, usec_t now);
usec_t attach_deadline(const struct session *s);

#endif
