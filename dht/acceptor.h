/* acceptor.h - what one keeper remembers of every register: promises, accepted values. Private. */
#ifndef DHT_ACCEPTOR_H
#define DHT_ACCEPTOR_H

#include "base/map.h"
#include "dht/regmsg.h"

#define ACCEPTOR_WRITES_MAX 16384 /* durable writes under way */

/* One register. About 200 bytes and its value; never dropped within an epoch (R16). */
struct cell {
	struct reg_name name;
	bool is_refreshing; /* the keeper's: a grant of it is being made */
	struct ballot promised, accepted; /* accepted.counter 0: nothing yet */
	uint64_t request; /* to whom promised; not durable, see acceptor_prepare */
	uint64_t beacon;  /* wall seconds of the accepted value's proposal */
	usec_t since;	  /* a lower bound of its age counts from here */
	uint8_t *value;	  /* encoded; NULL: nothing yet */
	size_t value_len;
	uint8_t *grant; /* the keeper's: the last grant, of governed registers */
	size_t grant_len;
};

struct acceptor_env {
	void *ctx;
	void (*random)(void *ctx, void *out, size_t len);
	void (*persist)(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			const uint8_t *value, size_t len);
	/* The accepted value of a register changes here; old NULL = there was none. */
	void (*valued)(void *ctx, struct cell *c, const struct reg_value *old,
		       const struct reg_value *new);
};

struct acceptor {
	struct acceptor_env env;
	const struct crypto *crypto;
	uint8_t nsid[NSID_LEN];
	uint32_t era, epoch; /* of the keeper set served */
	struct key_pair epoch_key;
	struct map cells, writes;
	uint64_t next_op; /* persist operations: op_base | count */
};

struct acceptor_reply {
	struct pubkey to;
	struct regmsg msg; /* msg.bytes points into the cell */
};

void acceptor_init(struct acceptor *a, const struct acceptor_env *env, uint64_t op_base);
void acceptor_fini(struct acceptor *a);
struct cell *acceptor_cell(const struct acceptor *a, const struct reg_name *name);
/* The accepted value; false = none. */
bool cell_value(const struct cell *c, struct reg_value *v);
/* PREPARE and ACCEPT. True: *reply is ready now (a refusal). False: it comes from
 * acceptor_persisted, or never (a table is full, the message makes no sense). */
bool acceptor_prepare(struct acceptor *a, const struct pubkey *from, const struct regmsg *m,
		      struct acceptor_reply *reply, usec_t now);
bool acceptor_accept(struct acceptor *a, const struct pubkey *from, const struct regmsg *m,
		     struct acceptor_reply *reply, usec_t now);
/* True: *reply may leave now. */
bool acceptor_persisted(struct acceptor *a, uint64_t op, int result, struct acceptor_reply *reply,
			usec_t now);
/* A stored record; key without its first letter. Ages start at 0 (R9): call before `now` matters. */
bool acceptor_restore(struct acceptor *a, const uint8_t *key, size_t key_len, const uint8_t *value,
		      size_t len);
void acceptor_started(struct acceptor *a, usec_t now);

#endif
