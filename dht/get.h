/* get.h - the lookups that our owner asked for. */
#ifndef DHT_GET_H
#define DHT_GET_H

#include "dht/lookup.h"
#include "dht/store.h"

#define GETS_MAX 64

struct gets {
	const struct dht_config *cfg;
	const struct dht_env *env;
	struct lookups *lookups;
	struct dht_store *store;
	struct lookup_ops ops;
	struct list all;
	size_t count;
};

void gets_init(struct gets *gs); /* pointers filled in before */
void gets_fini(struct gets *gs); /* nobody is told */
int gets_start(struct gets *gs, uint64_t op, const struct dht_topic *t, usec_t now);
void gets_cancel(struct gets *gs, uint64_t op);

#endif
