/* ring_impl.h - what the files of the ring share; nobody else includes it.
 *
 * ring.c       the object, its timers, link facts, next hops
 * ring_table.c links and contacts, each sorted by clockwise distance from ourselves
 * ring_want.c  which contacts are to be linked, when, and how often
 * ring_talk.c  STATUS and FIND: when and to whom
 * ring_message.c bytes of messages, and what arrives */
#ifndef P2P_RING_IMPL_H
#define P2P_RING_IMPL_H

#include "base/limit.h"
#include "p2p/ring.h"

#define LINKS_MAX 4096
#define KNOWN_PER_INFORMER 64
#define KNOWN_FOR MINUTES(2)   /* a contact nobody mentions any more */
#define GIVEN_UP_FOR MINUTES(1) /* how long a contact that failed or left is not believed */

#define WANTS_MAX 8	    /* in flight */
#define WANTS_PER_INFORMER 4
#define WANT_FLIGHT SEC(3)
#define WANT_TRIES 6
#define WANT_ADDRESSES 8    /* contacted in any one second */

#define MESSAGE_MAX 1200 /* bytes of a RING message we write */
#define FLAG_ANSWER 1

#define QUERY_FOR SEC(10) /* an answer to FIND is accepted for so long, once */

enum { MSG_STATUS = 1, MSG_FIND = 2, MSG_LEAVE = 3, MSG_FOUND = 4, MSG_TYPES };
enum { SIDE_CW = 1, SIDE_CCW = 2, SIDE_BOTH = 3 };

/* Where a node stands: clockwise distance from ourselves, ties by key. First member of both. */
struct place {
	struct node_id cw;
	struct pubkey key;
};

struct link {
	struct place at;
	struct node_id id;
	uint64_t serial;   /* order of coming up */
	uint64_t told;	   /* mark of the message being written */
	usec_t status_at;  /* next STATUS to it */
	usec_t status_sent;
	bool ask, fresh;   /* next STATUS asks for an answer; is its first */
	struct limit input, answers;
};

struct known {
	struct place at;
	struct ring_contact c;
	struct node_id informer;
	bool has_informer;
	bool wanted, given_up;
	bool stale; /* these addresses and this informer were tried and led nowhere */
	uint8_t tries;
	usec_t heard, flight_until, try_at;
};

struct table {
	struct place **v;
	size_t count, max;
};

/* A FIND of ours. The answer carries its number and nothing else can be one. */
struct query {
	uint64_t number;
	struct node_id via; /* whoever answered can be reached by way of this link */
	unsigned side;	    /* aimed between ourselves and the neighbour of this side; 0 = at us */
	usec_t until;
};
enum { QUERY_SELF, QUERY_CW, QUERY_CCW, QUERY_GREETING, QUERIES };

struct ring {
	struct pubkey self;
	struct node_id id;
	struct ring_env env;
	struct table links, known;
	uint64_t serial, mark;
	/* want */
	usec_t want_at;
	usec_t address_free[WANT_ADDRESSES]; /* when each share of the rate is free again */
	unsigned address_head;
	/* talk */
	usec_t status_at, changed_at; /* earliest of the links; last change of the near set */
	usec_t find_at;
	unsigned attempt;   /* rounds of FIND since the last set-back */
	unsigned sure;	    /* sides whose neighbour answered a FIND aimed between us and it */
	struct query queries[QUERIES];
	struct limit routed, find_answers, greetings;
};

struct ring_message {
	uint8_t type, flags, count;
	uint64_t query;
	struct ring_contact contacts[RING_STATUS_MAX];
	const struct pubkey *from;
	const struct node_id *agent;
	bool from_link;
};

/* ring_table.c */
void table_init(struct table *t, size_t max);
void table_fini(struct table *t); /* frees the items too */
size_t table_position(const struct table *t, const struct place *p); /* first not before p */
struct place *table_find(const struct table *t, const struct place *p);
size_t table_add(struct table *t, struct place *p); /* its index */
struct place *table_take(struct table *t, size_t index);
int place_compare(const struct place *a, const struct place *b);
struct place place_of(const struct ring *r, const struct pubkey *key);

static inline struct link *link_at(const struct ring *r, size_t i)
{
	return (struct link *)r->links.v[i];
}

static inline struct known *known_at(const struct ring *r, size_t i)
{
	return (struct known *)r->known.v[i];
}

static inline bool index_is_near(const struct ring *r, size_t i)
{
	return i < RING_NEAR || i + RING_NEAR >= r->links.count;
}

/* ring.c */
uint32_t ring_draw(const struct ring *r, uint32_t bound);
usec_t ring_jitter(const struct ring *r, usec_t t); /* t +-20 % */
struct link *ring_link(const struct ring *r, const struct pubkey *key);
void ring_link_remove(struct ring *r, struct link *l, usec_t now);

/* ring_want.c */
void want_hear(struct ring *r, const struct ring_contact *c, const struct node_id *informer,
	       usec_t now);
struct known *want_remember(struct ring *r, const struct pubkey *key, usec_t now);
void want_give_up(struct known *k, usec_t now);
void want_forget(struct ring *r, const struct pubkey *key);
void want_run(struct ring *r, usec_t now);

/* ring_talk.c */
void talk_link_up(struct ring *r, struct link *l, size_t index, usec_t now);
void talk_link_down(struct ring *r, size_t index, usec_t now);
void talk_answer(struct ring *r, struct link *l, usec_t now);
struct query *talk_query(struct ring *r, uint64_t number, usec_t now); /* NULL: not ours */
void talk_found(struct ring *r, const struct pubkey *from, unsigned side);
void talk_status_run(struct ring *r, usec_t now);
void talk_find_run(struct ring *r, usec_t now);

/* ring_message.c */
void message_status(struct ring *r, const struct link *to, uint8_t flags);
void message_find(struct ring *r, const struct node_id *target, const struct query *q);
void message_leave(struct ring *r);

#endif
