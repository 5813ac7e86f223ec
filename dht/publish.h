/* publish.h - our own records, kept alive at the nodes nearest to their keys. */
#ifndef DHT_PUBLISH_H
#define DHT_PUBLISH_H

#include "base/limit.h"
#include "dht/lookup.h"
#include "dht/store.h"

#define PUBLISH_LOOKUPS_MAX 8   /* at once */
#define PUBLISH_RATE 40         /* rounds a second: stays below every receiver's SENDERS_RATE */
#define PUBLISH_PUSH_MAX 64     /* records pushed at once to a contact that came up */
#define PUBLISH_REPLICAS_MAX 32 /* remembered of one record */

struct publisher {
	const struct dht_config *cfg;
	const struct dht_env *env;
	struct rpcs *rpcs;
	struct dht_table *table;
	struct lookups *lookups;
	struct dht_store *store;
	struct timers *timers;
	struct map by_name, by_seq; /* struct own_record */
	struct list due;            /* wait for their round */
	struct timer pump;
	struct limit pace;
	struct lookup_ops ops;
	size_t looking;
	uint64_t last_seq;
};

void publish_init(struct publisher *p, const uint8_t seed[16]); /* pointers filled in before */
void publish_fini(struct publisher *p);
int publish_put(struct publisher *p, const struct dht_topic *t, struct dht_bytes body,
		uint32_t lifetime, usec_t now);
void publish_withdraw(struct publisher *p, const struct dht_topic *t);
/* A contact is new, or has a new session and may have forgotten everything. */
void publish_contact_up(struct publisher *p, const struct pubkey *key, usec_t now);
/* A contact was forgotten. */
void publish_contact_lost(struct publisher *p, const struct pubkey *key, usec_t now);

#endif
