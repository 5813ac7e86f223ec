/* impl.h - the inside of struct dht: shared by dht.c, answer.c, tend.c, repair.c and shed.c
 * only. */
#ifndef DHT_IMPL_H
#define DHT_IMPL_H

#include "base/limit.h"
#include "base/timer.h"
#include "dht/get.h"
#include "dht/lookup.h"
#include "dht/msg.h"
#include "dht/publish.h"
#include "dht/rpc.h"
#include "dht/senders.h"
#include "dht/store.h"
#include "dht/table.h"

#define HEARD_MAX 8
#define REPAIR_QUEUE_MAX 16
#define REPAIR_PUTS_MAX 64 /* records for one newcomer */

struct tend {
	struct timer timer, verify;
	usec_t own_at;	/* when to look our own id up; USEC_NEVER: no need */
	usec_t young;	/* until then the pace is quicker */
	bool looking;
	uint8_t turn;	/* the next bucket to ask for */
	uint8_t heard_count;
	struct pubkey *heard; /* keys to verify, oldest first; NULL when there are none */
	struct lookup_ops ops;
};

struct newcomer {
	struct pubkey key;
	uint64_t place;
	uint32_t at, puts; /* the next record to look at; records put to it */
};

struct repair {
	struct timer timer;
	uint8_t count;
	struct newcomer *queue; /* NULL when empty */
};

struct dht {
	struct dht_config cfg;
	struct dht_env env;
	struct timers timers;
	struct dht_table table;
	struct rpcs rpcs;
	struct dht_store store;
	struct lookups lookups;
	struct publisher publisher;
	struct senders proven, routed;
	struct limit strangers, routed_checks, spreads;
	struct gets gets;
	struct tend tend;
	struct repair repair;
	struct timer sweep;
};

/* dht.c */
uint64_t dht_wall(const struct dht *d, usec_t now);
/* `span` and up to as much again. */
usec_t dht_jitter(struct dht *d, usec_t span);
/* A newcomer that answers gets the records it should hold. */
void dht_ping(struct dht *d, const struct pubkey *key, bool newcomer, usec_t now);
void dht_contact_seen(struct dht *d, const struct pubkey *key, bool live, usec_t now);
void dht_sweep_later(struct dht *d, usec_t now);

/* answer.c */
enum drop answer_request(struct dht *d, const struct pubkey *from, bool proven,
			 const struct dht_msg *m, usec_t now);

/* tend.c */
void tend_init(struct dht *d);
void tend_fini(struct dht *d);
/* A contact is new. */
void tend_contact_added(struct dht *d, const struct pubkey *key, bool live, usec_t now);
/* A key that may be worth a contact, or a contact that may be gone: verified in its turn. */
void tend_hear(struct dht *d, const struct pubkey *key, usec_t now);

/* repair.c */
void repair_init(struct dht *d);
void repair_fini(struct dht *d);
/* A node came lately, or has a new session and may have forgotten everything. */
void repair_newcomer(struct dht *d, const struct pubkey *key, usec_t now);

/* shed.c: drops what others hold well enough. */
void shed_strays(struct dht *d, usec_t now);

#endif
