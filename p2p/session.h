/* session.h - the session object: keys, paths, channel, attachments, and why it is kept.
 *
 * A session is with a key. It exists before it is up (wanted, or remembered with its addresses)
 * and is up from the first proof of a common key until silence, CLOSE, or a new instance of the
 * peer. All sessions of one overlay are in struct p2p (core.h). */
#ifndef P2P_SESSION_H
#define P2P_SESSION_H

#include "base/limit.h"
#include "base/list.h"
#include "base/timer.h"
#include "p2p/attach.h"
#include "p2p/channel.h"
#include "p2p/keepalive.h"
#include "p2p/path.h"
#include "p2p/replay.h"
#include "p2p/slot.h"
#include "p2p/view.h"

#define SESSION_USE MINUTES(10) /* unused so long and wanted by nobody: closed */
#define SESSION_TRIAL SEC(90)	/* ... one that was never used */
#define SESSION_LEAF MINUTES(15) /* ... by a leaf, though it is attached: SYNC comes in time */
#define ANSWERED_KEPT SEC(20)	/* a responder's key that is never used */
#define PREVIOUS_KEPT SEC(180)	/* after the key that followed it was made */
#define CONTROL_PLAIN_MAX 1650	/* a control plaintext: ROUTED around a data packet */

struct p2p;
struct attempt;
struct way;

/* What others may ask of us, one bucket each. */
enum session_limit {
	LIMIT_INITS,	 /* routed ones that this link delivers */
	LIMIT_QUESTIONS, /* other routed packets that it delivers */
	LIMIT_ADDRESSES, /* from this peer */
	LIMIT_PROPOSALS,
	LIMITS
};

struct session_limits {
	struct bucket of[LIMITS];
};

/* There are many, and most are idle: what only traffic needs is apart, and goes with it. Times of
 * uint32_t are heard_unit. What every packet touches comes first. */
struct session {
	struct p2p *p;
	struct key_slot *previous, *current, *next;
	bool up : 1;
	bool initiator : 1; /* we made it, so we close it when it is not used */
	bool bootstrap : 1;
	bool asked : 1; /* by p2p_connect or p2p_attach: UNREACHABLE is owed */
	bool is_dirty : 1, stale_view : 1;
	bool ring_direct : 1, ring_doubt : 1; /* what the ring was told last */
	bool peer_is_leaf : 1;
	unsigned kind : 2; /* enum p2p_path_kind */
	unsigned agent_turn : 8; /* which of our links is our agent */
	unsigned ring_hops : 6, copies_count : 4;
	uint32_t handle; /* another one at each SESSION_UP; 0 = not up */
	struct paths paths;
	struct peer_use use; /* lane 0's marks */
	struct keepalive keepalive;
	struct session *dirty_next; /* in p->dirty: deadlines to be computed again at the end of the call */
	struct timer timer;
	struct channel channel; /* while up */
	struct node_id id;
	struct pubkey peer;
	struct node_id agent; /* a link of the peer's, as it last told; zero = not known */
	uint32_t up_since, used_at;
	uint32_t made; /* when it was last up; 0 = never */
	uint32_t check; /* when to ask next whether anybody wants it */
	uint64_t instance; /* ours; the peer's is that of the current key */
	struct copy *copies; /* routed packets given to it, until it is heard: route.c */
	struct attempt *attempt; /* NULL = none begun or planned; connect.h */
	struct session_limits *limits; /* NULL = all buckets are full */
	struct attachments *attachments; /* NULL = there was none yet */
};

/* The session of this key, made if need be. NULL = table full, or our own or an invalid key. */
struct session *session_want(struct p2p *p, const struct pubkey *key, usec_t now);
struct session *session_find(const struct p2p *p, const struct pubkey *key);
struct session *session_find_id(const struct p2p *p, const struct node_id *id);
/* Deadlines and view are brought up to date at the end of the present call (session_settle). */
void session_touch(struct session *s);
void session_untouch(struct session *s);
/* Ends it: events, ring, keys, attachments. The object stays, with its addresses. */
void session_down(struct session *s, usec_t now);
void session_close(struct session *s, usec_t now); /* CLOSE, then down */
void session_closed(struct session *s, usec_t now); /* the peer said CLOSE */
/* Frees it; for p2p_free and session_settle. */
void session_free(struct session *s);
void session_settle(struct p2p *p, usec_t now);
void session_tick(struct session *s, usec_t now);
/* Our process stood still from `then` on: a handshake at once if it was wanted then. */
void session_wake(struct session *s, usec_t then, usec_t now);
bool session_is_wanted(const struct session *s, usec_t now);
bool session_has_use(const struct session *s, usec_t now); /* wanted, but not by the ring alone */
/* Kept by us, not merely by the peer: bootstrap, attachment, the ring, our owner's request. */
bool session_is_ours(const struct session *s);

/* A handshake made `slot`. As initiator it is usable at once; as responder when something arrives
 * under it (session_confirm). Both bring the session up, or down and up for a new instance. */
void session_initiated(struct session *s, struct key_slot *slot, usec_t now);
void session_answered(struct session *s, struct key_slot *slot, usec_t now);
void session_confirm(struct session *s, struct key_slot *slot, usec_t now);
/* Looks at paths again: used one, ring, or none. */
void session_choose(struct session *s);
/* Something of this session's was opened; it came by `w`, pkt_len bytes. */
void session_heard(struct session *s, const struct way *w, size_t pkt_len, usec_t now);
/* Is it within this limit? Units and bounds of bucket_take. */
bool session_takes(struct session *s, enum session_limit of, uint32_t per_second, uint32_t burst,
		   usec_t now);
usec_t session_rtt(const struct session *s); /* while up; 0 = unknown */
void session_use(struct session *s, uint8_t service, usec_t now); /* the owner used it */
usec_t session_active_at(const struct session *s); /* last use by data or by the owner */

#endif
