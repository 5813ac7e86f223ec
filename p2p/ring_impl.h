/* ring_impl.h - what the files of the ring share; nobody else includes it.
 *
 * ring.c          the object, its timers, links coming and going
 * ring_table.c    links and contacts, each sorted by clockwise distance from ourselves
 * ring_want.c     which contacts are to be linked, when, and how often
 * ring_talk.c     STATUS and FIND: when and to whom
 * ring_look.c     LINKS: what we tell; agents
 * ring_reach.c    LINKS: what links told to have for links; next hops
 * ring_size.c     how many nodes there seem to be
 * ring_shortcut.c far links: drawn, claimed, accepted, given up
 * ring_lost.c     links that went down without a word
 * ring_demand.c   links because of traffic
 * ring_leaf.c     a leaf's one link, and our links with leaves
 * ring_write.c    bytes of messages, ring_message.c what arrives
 * ring_point.c    arithmetic on the circle, ring_sample.c the distance of a shortcut */
#ifndef P2P_RING_IMPL_H
#define P2P_RING_IMPL_H

#include "p2p/ring.h"
#include "p2p/ring_point.h"

#define LINKS_MAX 4096
#define LEAVES_MAX 64
#define KNOWN_PER_INFORMER 64
#define KNOWN_FOR MINUTES(2)	/* a contact nobody mentions any more */
#define FAILED_FOR SEC(20) /* how long a contact that failed is not believed, */
#define LEFT_FOR MINUTES(1) /* and one that left */
#define LOST_MAX 32
#define LEAF_CONTACTS 8 /* other nodes that a leaf could link with, as it is told */
#define DEMAND_MAX 16
#define LINKS_PAUSE MINUTES(2) /* before everybody is told of our links again */

#define WANTS_MAX 8 /* in flight */
#define WANTS_PER_INFORMER 4
#define WANT_FLIGHT SEC(3)
#define WANT_TRIES 6
#define LOST_TRIES (WANT_TRIES - 2) /* two more at once, then it is up to ring_lost.c */
#define WANT_ADDRESSES 8 /* contacted in any one second */

#define MESSAGE_MAX 1200 /* bytes of a RING message we write */
#define FLAG_ANSWER 1	 /* STATUS: please answer */
#define FIND_BRIEF 1	 /* FIND: one contact a side is enough */
#define FIND_SHORTCUT 2	 /* FIND: and may I have you for a shortcut? */
#define FOUND_ACCEPTS 1
#define LINK_SHORTCUT 1 /* LINK: you are a shortcut of mine */
#define LINK_REFUSED 2	/* I will not be one of yours, or not your uplink */
#define LINK_LEAF 4	/* I am a leaf */

#define QUERY_FOR SEC(10) /* an answer to FIND is accepted for so long, once */

enum { MSG_STATUS = 1, MSG_FIND, MSG_LEAVE, MSG_FOUND, MSG_LINK, MSG_LINKS, MSG_TYPES };
enum { SIDE_CW = 1, SIDE_CCW = 2, SIDE_BOTH = 3 };

/* Where a node stands: clockwise distance from ourselves, ties by key. First member of both. */
struct place {
	struct node_id cw;
	struct pubkey key;
};

/* Made for size: a node has some twenty of them, a simulation millions. */
struct link {
	struct place at;
	uint32_t serial;      /* order of coming up */
	usec_t status_at, status_sent;
	usec_t input_full;    /* rate of what it sends */
	usec_t traffic_at;    /* of a demand link */
	uint32_t told_serial; /* links with higher serials have not been told to it */
	uint32_t heard_of_by; /* serial of the link that told us of it; 0 = nobody in particular */
	uint8_t slot;	      /* its number in struct reach */
	uint8_t told_count;   /* how many links it told */
	uint8_t drawn; /* a shortcut of ours: size of the ring it was drawn for, size_scale() */
	bool direct : 1, doubt : 1;
	bool ask : 1, news : 1, answer : 1; /* next STATUS: asks; tells news; is an answer */
	bool stranger : 1; /* its ring may not be ours: FIND by way of it */
	bool shortcut : 1, accepted : 1;     /* ours; the peer's */
	bool demand : 1, uplink : 1;
	bool told_links : 1; /* has had LINKS */
	bool leaf : 1;	  /* stands among r->leaves */
	bool refused : 1; /* we refused it */
};

struct known {
	struct place at;
	struct ring_contact c;
	struct node_id informer;
	bool has_informer;
	bool wanted, given_up;
	bool stale;    /* these addresses and this informer were tried and led nowhere */
	bool shortcut; /* wanted though it is far */
	bool lost;     /* was a near link: begins with LOST_TRIES */
	uint8_t tries;
	usec_t heard, flight_until, try_at;
};

struct lost {
	struct pubkey key;
	usec_t at, tried; /* when it was lost, or heard of by a leaf; last try */
	uint8_t addr_count;
	struct addr addrs[];
};

struct demand {
	struct pubkey key;
	usec_t since;  /* start of the count */
	usec_t wanted; /* when a link was asked for, 0 = not yet */
	unsigned count;
};

struct table {
	struct place **v;
	uint32_t *mark; /* first bytes of their keys: a search by key looks at little else */
	size_t count, size, max;
};

/* First 24 bits of the ids of our links and of what they told, each above the slot of the link
 * whose it is, rising; see ring_reach.c. */
struct reach {
	uint32_t *entry;
	struct link **slot;
	uint32_t count;
	uint16_t slots;
};
#define SLOTS 255 /* also: has none */

static inline uint32_t entry_id(uint32_t entry) { return entry >> 8; }

static inline struct link *entry_link(const struct reach *h, size_t i)
{
	return h->slot[h->entry[i] & 0xff];
}

/* A FIND of ours. The answer carries its number and nothing else can be one. */
struct query {
	uint64_t number;
	struct node_id via; /* whoever answered can be reached by way of this link; zero = none */
	usec_t until;
};
enum { QUERY_SELF, QUERY_CW, QUERY_CCW, QUERY_GREETING, QUERY_SHORTCUT, QUERIES };

enum draw { DRAW_NONE, DRAW_ASKED, DRAW_FOUND /* and its link is awaited */ };

struct ring {
	struct pubkey self;
	struct node_id id;
	enum ring_profile profile;
	struct ring_env env;
	struct table links, leaves, known;
	struct reach reach;
	uint32_t serial;
	uint8_t near;  /* links a side */
	uint8_t level; /* ceil(log2 size), sluggish */
	uint64_t size;
	/* want */
	usec_t want_at;
	usec_t address_free[WANT_ADDRESSES]; /* when each share of the rate is free again */
	unsigned address_head;
	/* talk */
	usec_t status_at; /* earliest of the links */
	usec_t find_at;
	unsigned attempt; /* rounds of FIND since the last set-back */
	unsigned sure;	  /* sides whose neighbour answered a FIND aimed between us and it */
	struct query queries[QUERIES];
	usec_t routed_full, find_full, greeting_full; /* rates */
	/* look */
	usec_t links_at, links_sent;
	uint64_t links_sum; /* of the ids last told to all */
	/* shortcuts */
	usec_t shortcut_at, shortcut_changed, first_at;
	usec_t draw_until;
	struct pubkey drawn;
	enum draw draw;
	unsigned misses; /* draws in a row that brought nothing */
	/* lost */
	struct lost **lost;
	uint8_t lost_count;
	usec_t lost_at, lost_latest;
	/* demand, leaf */
	struct demand *demand; /* DEMAND_MAX, or NULL */
	usec_t demand_at, demand_full, leaf_at;
	unsigned leaf_tries;
};

struct ring_message {
	uint8_t type, flags, count;
	uint64_t query;
	struct rd ids; /* of LINKS */
	struct ring_contact contacts[RING_STATUS_MAX];
	const struct pubkey *from;
	const struct node_id *agent;
	struct link *link; /* NULL: by the ring, the source unproven */
};

/* A token bucket in one word, the time at which it will be full: one token each `gap`, at most
 * `burst` in it. */
static inline bool rate_take(usec_t *full, usec_t gap, unsigned burst, usec_t now)
{
	usec_t at = *full > now ? *full : now;

	if (at - now > gap * (burst - 1))
		return false;
	*full = at + gap;
	return true;
}

/* ring_table.c */
void table_init(struct table *t, size_t max);
void table_fini(struct table *t);				     /* frees the items too */
struct place *table_scan(const struct table *t, const struct pubkey *key);
size_t table_position(const struct table *t, const struct place *p); /* first not before p */
struct place *table_find(const struct table *t, const struct place *p);
size_t table_add(struct table *t, struct place *p); /* its index */
struct place *table_take(struct table *t, size_t index);
int place_compare(const struct place *a, const struct place *b);
struct place ring_place(const struct ring *r, const struct pubkey *key);

static inline struct link *link_at(const struct ring *r, size_t i)
{
	return (struct link *)r->links.v[i];
}

static inline struct link *leaf_link_at(const struct ring *r, size_t i)
{
	return (struct link *)r->leaves.v[i];
}

static inline struct known *known_at(const struct ring *r, size_t i)
{
	return (struct known *)r->known.v[i];
}

static inline bool index_is_near(const struct ring *r, size_t i)
{
	return i < r->near || i + r->near >= r->links.count;
}

static inline struct node_id link_id(const struct ring *r, const struct link *l)
{
	return point_add(&r->id, &l->at.cw);
}

/* ring.c */
uint32_t ring_draw(const struct ring *r, uint32_t bound);
usec_t ring_jitter(const struct ring *r, usec_t t); /* t +-20 % */
struct link *ring_link(const struct ring *r, const struct pubkey *key);
size_t ring_link_index(const struct ring *r, const struct link *l); /* of one in r->links */
enum ring_role ring_link_role(const struct ring *r, const struct link *l);
void ring_link_remove(struct ring *r, struct link *l, usec_t now); /* frees it */
void ring_near_changed(struct ring *r, usec_t now); /* other nodes are near than before */

/* ring_want.c */
void want_hear(struct ring *r, const struct ring_contact *c, const struct node_id *informer,
	       usec_t now);
void want_shortcut(struct ring *r, const struct ring_contact *c, const struct node_id *agent,
		   usec_t now);
struct known *want_remember(struct ring *r, const struct pubkey *key, usec_t now);
void want_give_up(struct known *k, usec_t until);
void want_forget(struct ring *r, const struct pubkey *key);
uint32_t want_heard_of_by(const struct ring *r, const struct pubkey *key); /* a serial, or 0 */
void want_run(struct ring *r, usec_t now);

/* ring_talk.c */
void talk_link_up(struct ring *r, struct link *l, size_t index, usec_t now);
void talk_link_down(struct ring *r, size_t index, usec_t now);
void talk_near_changed(struct ring *r, unsigned sides, bool ask, usec_t now);
void talk_answer(struct ring *r, struct link *l, usec_t now);
struct query *talk_query(struct ring *r, uint64_t number, usec_t now); /* NULL: not ours */
void talk_found(struct ring *r, const struct pubkey *from, const struct query *q, usec_t now);
struct query *talk_ask(struct ring *r, int which, const struct link *via, usec_t now);
void talk_status_run(struct ring *r, usec_t now);
void talk_find_run(struct ring *r, usec_t now);

/* ring_look.c */
void look_changed(struct ring *r, usec_t now); /* our links are others, or other ones direct */
void look_run(struct ring *r, usec_t now);

/* ring_reach.c */
void reach_add(struct ring *r, struct link *l);
void reach_remove(struct ring *r, struct link *l);
void reach_hear(struct ring *r, struct link *l, struct rd ids);
size_t reach_position(const struct reach *h, uint32_t id); /* the first entry not below; or count */
uint32_t reach_id(const struct node_id *id);		   /* its first 24 bits */
uint32_t reach_gap(uint32_t a, uint32_t b);		   /* the shorter way, in 2^-24 */

/* ring_size.c */
unsigned size_scale(uint64_t nodes); /* about 8 log2 nodes */
void size_update(struct ring *r, usec_t now);

/* ring_shortcut.c */
size_t shortcut_count(const struct ring *r, bool ours); /* ours, or accepted ones */
size_t shortcut_wanted(const struct ring *r);
bool shortcut_accepts(const struct ring *r, const struct pubkey *from);
void shortcut_changed(struct ring *r, usec_t now); /* the near set, or one went down */
bool shortcut_link_up(struct ring *r, struct link *l, usec_t now); /* was it the one drawn? */
void shortcut_found(struct ring *r, const struct ring_message *m, usec_t now);
void shortcut_hear(struct ring *r, struct link *l, uint8_t flags, usec_t now);
void shortcut_run(struct ring *r, usec_t now);

/* ring_lost.c */
void lost_add(struct ring *r, const struct pubkey *key, const struct addr *addrs, size_t count,
	      usec_t now);
void lost_forget(struct ring *r, const struct pubkey *key);
void lost_try(struct ring *r, usec_t now); /* the one whose turn it is */
void lost_run(struct ring *r, usec_t now);

/* ring_demand.c */
void demand_link_up(struct ring *r, struct link *l, usec_t now);
void demand_run(struct ring *r, usec_t now);

/* ring_leaf.c */
void leaf_link_up(struct ring *r, struct link *l, usec_t now);
void leaf_link_down(struct ring *r, usec_t now);
void leaf_hear(struct ring *r, const struct ring_contact *c, usec_t now);
void leaf_refused(struct ring *r, struct link *l, usec_t now);
void leaf_take(struct ring *r, struct link *l, usec_t now); /* this peer is one */
void leaf_run(struct ring *r, usec_t now);

/* ring_write.c */
/* All near ones a side; of those the ones it was not told yet and did not tell us; one a side. */
enum write_status { WRITE_FULL, WRITE_NEWS, WRITE_BRIEF };
bool message_status(struct ring *r, struct link *to, enum write_status how, uint8_t flags);
void message_find(struct ring *r, const struct node_id *target, const struct query *q,
		  uint8_t flags);
void message_found(struct ring *r, const struct ring_message *find, bool accepts);
void message_leave(struct ring *r);
void message_link(struct ring *r, const struct link *to);
void message_links(struct ring *r, const struct link *to, const struct link *const *told,
		   size_t count);

#endif
