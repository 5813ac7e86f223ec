/* publish.h - our own records, kept alive at the nodes nearest to their keys. */
#ifndef DHT_PUBLISH_H
#define DHT_PUBLISH_H

#include "base/limit.h"
#include "dht/lookup.h"
#include "dht/store.h"

#define PUBLISH_LOOKUPS_MAX 8       /* at once */
#define PUBLISH_RATE 8              /* rounds a second */
#define PUBLISH_PUSH_MAX 64         /* records put at once to few contacts */
#define PUBLISH_FEW 2               /* contacts, so few that each gets everything at once */
#define PUBLISH_SETTLE SEC(30)      /* after the first contact a new node's rounds begin, */
#define PUBLISH_SPREAD SEC(150)     /* spread over this */
#define PUBLISH_REPAIR MINUTES(5)   /* between two rounds for lost holders */
#define PUBLISH_RETRY SEC(5)        /* after puts that failed; doubles up to PUBLISH_REPAIR */
#define PUBLISH_EMPTY_LIFE 3600     /* seconds at most that a withdrawal is told */

struct own_record;

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
	struct timer pump, greet;
	struct limit pace;
	struct lookup_ops ops;
	/* The round of a record that was to be passed on: it was, or nobody shows that it was. */
	void (*spread_over)(struct own_record *o, bool ok, usec_t now);
	usec_t settled; /* from when on new records have their round at once */
	size_t looking, withdrawn;
	uint64_t last_seq;
};

void publish_init(struct publisher *p, const uint8_t seed[16]); /* pointers filled in before */
void publish_fini(struct publisher *p);
int publish_put(struct publisher *p, const struct dht_topic *t, struct dht_bytes body,
		uint32_t lifetime, usec_t now);
void publish_withdraw(struct publisher *p, const struct dht_topic *t, usec_t now);
/* A contact is new, or has a new session and may have forgotten everything. */
void publish_contact_up(struct publisher *p, const struct pubkey *key, usec_t now);
/* A contact was forgotten. */
void publish_contact_lost(struct publisher *p, const struct pubkey *key, usec_t now);
/* Whether we started so lately that records have to wait for their rounds. */
bool publish_is_fresh(const struct publisher *p, usec_t now);
/* Somebody has put a checked record of ours from an earlier life here. */
void publish_seen(struct publisher *p, const struct record *r, usec_t now);

#endif
