/* table.h - whom we know: contacts in k-buckets. Kademlia section 2.2. */
#ifndef DHT_TABLE_H
#define DHT_TABLE_H

#include <stdbool.h>

#include "base/key.h"
#include "base/time.h"
#include "dht/dht.h"

#define TABLE_BUCKETS 32 /* more than any network has levels */
#define TABLE_FAR_MAX 8          /* contacts without a session in a bucket that is not near */
#define TABLE_POOR 4
#define TABLE_FAILS_MAX 2        /* requests in a row without an answer: forgotten */
#define TABLE_CHECK_AFTER MINUTES(10) /* silence after which a newcomer has a contact pinged */

struct contact {
	struct pubkey key;
	uint64_t place; /* see place_of */
	uint32_t seen;  /* last sign of life, seconds */
	uint16_t since; /* minutes, wrapping: when it became a contact or was no suspect any more */
	uint8_t fails;  /* above 0: a suspect */
	bool live : 1;  /* there is a session */
	bool checking : 1; /* a ping decides whether it stays */
};

_Static_assert(sizeof(struct contact) <= 48, "a full table stays small");

struct kbucket;

struct dht_table {
	uint64_t self;
	size_t count;
	uint8_t depth; /* buckets in use: from 0 to depth - 1 */
	struct kbucket *buckets[TABLE_BUCKETS]; /* by leading bits shared with self; made when needed */
};

enum table_result {
	TABLE_KNOWN,   /* it was there */
	TABLE_ADDED,   /* it is new */
	TABLE_FULL,    /* its bucket has no room */
	TABLE_REFUSED, /* ourselves */
};

/* The first 64 bits of an id: distances are compared by these. */
uint64_t place_of_id(const struct node_id *id);
uint64_t place_of(const struct pubkey *key);

void dht_table_init(struct dht_table *t, const struct node_id *self);
void dht_table_fini(struct dht_table *t);
/* A key that answered a request or has a session (live) gave a sign of life. With TABLE_FULL,
 * *check is the contact to ping now, unless it is zero. */
enum table_result dht_table_seen(struct dht_table *t, const struct pubkey *key, bool live,
				 struct pubkey *check, usec_t now);
/* Its session is gone: suspect until it answers. False when it is no contact. */
bool dht_table_down(struct dht_table *t, const struct pubkey *key);
/* A request to it went unanswered. True when it was forgotten. With a session it only is passed
 * over until it is heard again. */
bool dht_table_failed(struct dht_table *t, const struct pubkey *key);
/* False when it was no contact. */
bool dht_table_remove(struct dht_table *t, const struct pubkey *key);
/* Whether a key would become a contact by answering, or a suspect be one again. */
bool dht_table_wants(const struct dht_table *t, const struct pubkey *key);
/* Whether a key belongs to a bucket with fewer than DHT_K contacts in deeper ones. */
bool dht_table_is_near(const struct dht_table *t, const struct pubkey *key);
const struct contact *dht_table_get(const struct dht_table *t, const struct pubkey *key);
/* The nearest to target, nearest first; suspects only when there is nobody else. Returns how many
 * (<= max <= 64). Contacts stay valid until the table changes. */
size_t dht_table_nearest(const struct dht_table *t, uint64_t target, const struct contact *out[],
			 size_t max);
/* The far bucket with fewest contacts, if fewer than TABLE_POOR; else TABLE_BUCKETS. */
size_t dht_table_poor(const struct dht_table *t);
/* Iterates: *at = 0 first; NULL at the end. */
const struct contact *dht_table_next(const struct dht_table *t, size_t *at);
/* Bytes allocated. */
size_t dht_table_size(const struct dht_table *t);

#endif
