/* table.h - whom we know: contacts in k-buckets. Kademlia section 2.2. */
#ifndef DHT_TABLE_H
#define DHT_TABLE_H

#include <stdbool.h>

#include "base/key.h"
#include "base/time.h"
#include "dht/dht.h"

#define TABLE_BUCKETS (8 * ID_LEN)
#define TABLE_SPARES_MAX 8
#define TABLE_FAILS_MAX 2 /* requests in a row without an answer: forgotten, or with a session: */
			  /* passed over until it is heard again */

#define TABLE_CHECK_AFTER MINUTES(1)  /* silence after which a spare has a contact pinged */
#define TABLE_SPARE_STALE MINUTES(10) /* silence after which a spare gives way to another */

struct contact {
	struct pubkey key;
	struct node_id id;
	usec_t seen; /* last sign of life */
	uint8_t fails;
	bool live;     /* there is a session */
	bool checking; /* a ping decides whether a spare takes its place */
};

struct bucket;

struct dht_table {
	struct node_id self;
	size_t count;
	struct bucket
		*buckets[TABLE_BUCKETS]; /* by leading bits shared with self; made when needed */
};

enum table_result {
	TABLE_KNOWN,   /* it was there */
	TABLE_ADDED,   /* it is new */
	TABLE_SPARE,   /* its bucket is full: kept aside, unless there are fresh spares enough */
	TABLE_REFUSED, /* ourselves */
};

void dht_table_init(struct dht_table *t, const struct node_id *self);
void dht_table_fini(struct dht_table *t);
/* A key that answered a request or has a session (live) gave a sign of life. With TABLE_SPARE,
 * *check is the contact to ping now, unless it is zero. */
enum table_result dht_table_seen(struct dht_table *t, const struct pubkey *key, bool live,
				 struct pubkey *check, usec_t now);
/* Its session is gone: suspect until it answers. False when it is no contact. */
bool dht_table_down(struct dht_table *t, const struct pubkey *key);
/* A request to it went unanswered. True when it was forgotten; *instead is then the spare that
 * became a contact, or zero. */
bool dht_table_failed(struct dht_table *t, const struct pubkey *key, struct pubkey *instead);
/* Whether a key that is neither contact nor spare would become one. */
bool dht_table_wants(const struct dht_table *t, const struct pubkey *key, usec_t now);
/* Whether its bucket has room for another contact. */
bool dht_table_has_room(const struct dht_table *t, const struct pubkey *key);
/* Whether it is a contact or a spare. */
bool dht_table_knows(const struct dht_table *t, const struct pubkey *key);
const struct contact *dht_table_get(const struct dht_table *t, const struct pubkey *key);
/* The nearest to target, nearest first, suspects left out. Returns how many (<= max <= 64). */
size_t dht_table_nearest(const struct dht_table *t, const struct node_id *target,
			 const struct contact *out[], size_t max);
/* The number of buckets from 0 to the deepest one in use. */
size_t dht_table_depth(const struct dht_table *t);
/* Bytes allocated. */
size_t dht_table_size(const struct dht_table *t);

#endif
