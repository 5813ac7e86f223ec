/* lookup.h - iterative lookups: the nearest nodes to an id, or the records under a name. */
#ifndef DHT_LOOKUP_H
#define DHT_LOOKUP_H

#include "base/list.h"
#include "dht/path.h"
#include "dht/rpc.h"
#include "dht/table.h"

#define LOOKUP_TIME SEC(4)
#define LOOKUP_PATHS 2
#define LOOKUP_PATHS_FROM 8   /* contacts, from which on they make two paths, or wait for the ring */
#define LOOKUP_ASKED_MAX 80   /* keys asked by one lookup */
#define LOOKUP_SLOW_MAX 12    /* asked again and waited for beside the DHT_ALPHA of a path */
#define LOOKUP_AGREE 3        /* givers without news, of two paths, end a GET */
#define LOOKUP_WANTED 6       /* of the nearest of each path that must have answered, at first */
#define LOOKUP_RECORDS_MAX 16 /* distinct signers told of */
#define LOOKUP_CHECKS_MAX 64  /* signatures checked for one lookup */

struct lookup;
struct lookups;

/* What its owner gets to hear; called from lookup_start, rpc_answer and timers. */
struct lookup_ops {
	/* Opens a record and keeps the body for found(); false: it was not sealed for this name.
	 * NULL, like found, in a lookup for nodes. */
	bool (*opens)(void *ctx, struct lookup *l, const struct record *r);
	/* The record just opened is good, and its signer's highest so far. */
	void (*found)(void *ctx, struct lookup *l, const struct record *r);
	/* It is over; l is freed afterwards. */
	void (*done)(void *ctx, struct lookup *l, usec_t now);
	void *ctx;
};

struct found_record {
	struct pubkey signer;
	uint64_t seq;
};

struct lookup {
	struct list in_all;
	struct lookups *all;
	const struct lookup_ops *ops;
	void *owner; /* the owner's own */
	uint64_t tag;
	struct record_name name; /* kind 0: a lookup for nodes */
	uint64_t target;	 /* the place of name.key */
	size_t wanted, confirm;	 /* LOOKUP_WANTED, or as the owner sets them before the start: of */
				 /* the first path; of the other one when there is a ring */
	struct timer timer;
	usec_t end, table_at; /* when the paths from the table start */
	bool has_ring;        /* the first path began at the ring's nearest, */
	bool ring_waits;      /* or still waits for it */
	bool is_thin;         /* it ended with fewer than wanted */
	bool is_astray[LOOKUP_PATHS]; /* a key there did not answer */
	struct pubkey ring;   /* who that was; zero = nobody yet */
	size_t paths, asked, slow, agree, checks;
	struct lookup_path path[LOOKUP_PATHS];
	size_t founds;
	struct found_record found[LOOKUP_RECORDS_MAX];
};

struct lookups {
	struct rpcs *rpcs;
	struct dht_table *table;
	struct timers *timers;
	struct pubkey self;
	const struct crypto *crypto;
	const struct wall *wall;
	struct drops *drops;
	struct list running;
	uint64_t last_tag;
};

void lookup_init(struct lookups *ls); /* after the pointers were filled in */
void lookup_fini(struct lookups *ls); /* nobody is told */
struct lookup *lookup_new(struct lookups *ls, const struct lookup_ops *ops,
			  const struct record_name *name, void *owner);
/* Shows a record to the lookup as if a node had given it: those held here, before the start. True
 * when it is news. */
bool lookup_record(struct lookup *l, const struct record *r, usec_t now);
/* Asks the first nodes. May be over, and l freed, before it returns. */
void lookup_start(struct lookup *l, usec_t now);
/* Ends it silently. */
void lookup_cancel(struct lookup *l);
/* In done: the nearest, nearest first: those that answered, and, if `heard`, those that were only
 * told of. */
size_t lookup_nearest(const struct lookup *l, struct pubkey out[], size_t max, bool heard);

#endif
