/* store.h - records held for others, and our own. */
#ifndef DHT_STORE_H
#define DHT_STORE_H

#include "base/map.h"
#include "dht/record.h"

struct held_record;

struct dht_store {
	struct map origins; /* struct held_origin by signer; empty while none can have too many */
	struct held_record **all; /* by name */
	size_t count, size; /* of all */
	struct pubkey self; /* whose records no quota refuses */
	void (*random)(void *ctx, void *out, size_t len);
	void *ctx;
};

enum store_result {
	STORE_NEW,   /* stored: first, or higher than what was held */
	STORE_SAME,  /* the very bytes were held */
	STORE_OLDER, /* a higher sequence number, or other bytes with this one, is held */
	STORE_FULL,  /* no room, in all or under this name */
	STORE_QUOTA, /* its signer has too many */
};

void dht_store_init(struct dht_store *s, const uint8_t seed[16]);
void dht_store_fini(struct dht_store *s);
/* Whether the record would be taken, by everything but its signature: ask before checking that. */
enum store_result dht_store_ask(const struct dht_store *s, const struct record *r, uint64_t wall);
/* Takes a checked record (copied). What has expired by `wall` makes room. */
enum store_result dht_store_put(struct dht_store *s, const struct record *r, uint64_t wall);
/* Up to max unexpired records under the name; they stay valid until the store changes. */
size_t dht_store_get(const struct dht_store *s, const struct record_name *name, uint64_t wall,
		     struct record out[], size_t max);
/* The one of this signer, expired or not; false = none. Valid until the store changes. */
bool dht_store_find(const struct dht_store *s, const struct record_name *name,
		    const struct pubkey *signer, struct record *out);
void dht_store_remove(struct dht_store *s, const struct record_name *name,
		      const struct pubkey *signer);
/* Drops what has expired. */
void dht_store_sweep(struct dht_store *s, uint64_t wall);
/* Records of others that have been held for so many minutes or more, and are strays. */
struct store_shed {
	uint16_t minutes;
	bool (*is_stray)(void *ctx, const struct record_name *name);
	void *ctx;
};
void dht_store_shed(struct dht_store *s, const struct store_shed *shed, uint64_t wall);
/* Number i of those held, in the order of names; i < count. */
struct record dht_store_at(const struct dht_store *s, size_t i);
/* Bytes allocated. */
size_t dht_store_size(const struct dht_store *s);

#endif
