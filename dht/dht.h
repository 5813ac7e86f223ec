/* dht.h - the Kademlia part: signed, expiring, blinded records and nothing else. Public face.
 *
 * A cache and a meeting place: a holder can withhold a record, never forge one, and nothing here
 * decides who owns what (that is dht/regs.h). Contacts are node keys; how a message reaches a key
 * is the owner's business (session or ring). docs/protocol.md 6; Kademlia (2002) sections
 * 2.1-2.5. */
#ifndef DHT_DHT_H
#define DHT_DHT_H

#include "base/drop.h"
#include "base/key.h"
#include "base/log.h"
#include "base/time.h"
#include "base/wire.h"

#define DHT_K 20		  /* contacts of a bucket, keys of an answer */
#define DHT_REPLICAS 10		  /* nodes that hold a record */
#define DHT_ALPHA 3
#define DHT_RECORD_MAX 1400	  /* bytes, encoded */
#define DHT_BODY_MAX 1100	  /* bytes of a plain body */
#define DHT_RECORDS_MAX 16384	  /* held for others */
#define DHT_SIGNERS_MAX 16	  /* records under one key */
#define DHT_ORIGIN_MAX 1280	  /* records of one signer: a router may own 1024 addresses */
#define DHT_PUBLISHED_MAX 1024	  /* own records kept alive */

struct dht;

enum dht_kind {
	DHT_KEEPERS = 1,
	DHT_ADDRESS = 2,
	DHT_NAME = 3,
	DHT_DERIVED = 4,
	DHT_SETTINGS = 5,
	DHT_ENDPOINTS = 6,
	DHT_GROUP = 7, /* reserved */
	DHT_REVOCATIONS = 8,
};

/* What blinds a record: who knows the secret can find and read it. */
struct dht_topic {
	enum dht_kind kind;
	uint8_t secret[32];
	uint8_t name[64];
	uint8_t name_len;
};

enum dht_event_type {
	DHT_FOUND, /* op, signer, seq, body: one verified record; there may be several */
	DHT_DONE,  /* op: the lookup is over; count = records found */
};

struct dht_event {
	enum dht_event_type type;
	uint64_t op;
	struct pubkey signer;
	uint64_t seq;
	const uint8_t *body; /* opened; valid during the call */
	size_t len, count;
};

struct dht_env {
	void *ctx;
	void (*random)(void *ctx, void *out, size_t len);
	/* Best effort, to a key: over the session there is, else along the ring. `way` 0: the usual
	 * one; else that one failed, and another is to be taken, which differs with the number. */
	void (*send)(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len,
		     unsigned way);
	void (*event)(void *ctx, const struct dht_event *e); /* copies, never calls back in */
	/* Best effort, along the ring to whoever stands nearest to `target`, ourselves left out. NULL:
	 * there is no ring. */
	void (*send_nearest)(void *ctx, const struct node_id *target, const uint8_t *msg,
			     size_t len, unsigned way);
};

struct dht_config {
	struct key_pair self;
	const struct crypto *crypto;
	const struct log *log;
	const struct wall *wall;
	struct drops *drops; /* the owner's: messages dropped */
	bool client; /* a leaf: asks and publishes, but answers nothing and holds nothing of others */
};

struct dht *dht_new(const struct dht_config *cfg, const struct dht_env *env, usec_t now);
void dht_free(struct dht *d);
/* `from` as authenticated by the session, or as claimed by a routed message: proven false. */
void dht_input(struct dht *d, const struct pubkey *from, bool proven, const uint8_t *msg,
	       size_t len, usec_t now);
void dht_tick(struct dht *d, usec_t now);
usec_t dht_deadline(const struct dht *d);
/* A session with this key came up or went down: a live contact, or a suspect one. */
void dht_contact_up(struct dht *d, const struct pubkey *key, usec_t now);
void dht_contact_down(struct dht *d, const struct pubkey *key, usec_t now);

/* Publishes and keeps alive until withdrawn (a new body replaces the old, the same one changes
 * nothing): put to the DHT_REPLICAS nearest, held here as well; lifetime in seconds (<= 48 h), signed
 * anew and put again at half of it. A node's first contact is a restart for all it knows: its
 * records then go to one node within 8 s and to all within 3 minutes, later ones at once.
 * 0, -EMSGSIZE (not 1..DHT_BODY_MAX bytes), -ENOSPC. */
int dht_publish(struct dht *d, const struct dht_topic *t, const uint8_t *body, size_t len,
		uint32_t lifetime, usec_t now);
/* Holders are told once that nothing stands here any more. */
void dht_withdraw(struct dht *d, const struct dht_topic *t, usec_t now);
/* Looks up; DHT_FOUND per distinct record as they arrive (a signer's later one may follow), then
 * DHT_DONE, within 4 s. Records held here are found at once. What comes after the first is
 * confirmation: who is content cancels. 0 or -ENOSPC (64 lookups at once). */
int dht_get(struct dht *d, uint64_t op, const struct dht_topic *t, usec_t now);
void dht_cancel(struct dht *d, uint64_t op);

struct dht_info {
	size_t contacts, records, published, lookups;
	size_t waiting, timers; /* requests without an answer yet; deadlines */
	size_t bytes;		/* allocated while idle: the instance, contacts, records */
	uint64_t requests;	/* made so far */
};
struct dht_info dht_info(const struct dht *d);

#endif
