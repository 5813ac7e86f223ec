/* acceptor.h - what one keeper remembers of every register: promises, accepted values. Private.
 *
 * The cells lie in the order of their last change: who copies them asks for all above a position. */
#ifndef DHT_ACCEPTOR_H
#define DHT_ACCEPTOR_H

#include "base/map.h"
#include "dht/floor.h"
#include "dht/regmsg.h"

#define ACCEPTOR_WRITES_MAX 16384 /* durable writes under way */
/* One register. About 256 bytes and its value; within an epoch none with a value is dropped (R16). */
struct cell {
	struct reg_name name;
	bool is_refreshing; /* the keeper's: a grant of it is being made */
	bool failed;	    /* its last write did: it is written again */
	bool is_promise;    /* in promises.cells: nothing was accepted */
	uint16_t writing;   /* writes under way */
	struct list in_order, in_promises;
	uint64_t position;		  /* of its last change here */
	uint64_t stored;		  /* of its last change that is durable */
	struct ballot promised, accepted; /* accepted.counter 0: nothing yet */
	uint64_t request; /* to whom promised; not durable, see acceptor_prepare */
	uint64_t beacon;  /* wall seconds of the accepted value's proposal */
	usec_t since;	  /* a lower bound of its age counts from here */
	uint8_t *value;	  /* encoded; NULL: nothing yet */
	size_t value_len;
	uint8_t *grant; /* the keeper's: the last grant, of governed registers */
	size_t grant_len;
};

struct acceptor_entry; /* entry.h */
enum copy_word {
	COPY_TRUSTED, /* a set of majorities: as it is shown */
	COPY_JUDGED,  /* hardened: its value may be had, its age begins here */
	COPY_REFUSED,
};

struct acceptor_env {
	void *ctx;
	void (*random)(void *ctx, void *out, size_t len);
	void (*persist)(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			const uint8_t *value, size_t len);
	/* The accepted value of a register changes here; old NULL = there was none. */
	void (*valued)(void *ctx, struct cell *c, const struct reg_value *old,
		       const struct reg_value *new);
	/* Is this the body of a configuration that may follow the one served? */
	bool (*follows)(void *ctx, const uint8_t *body, size_t len);
	/* May this copy, from one of the others, replace what we have? c NULL: we have nothing. */
	enum copy_word (*judges)(void *ctx, const struct acceptor_entry *e, const struct cell *c);
};

struct acceptor {
	struct acceptor_env env;
	const struct crypto *crypto;
	uint8_t nsid[NSID_LEN];
	uint32_t era, epoch; /* of the keeper set served: the vote counts there only; epoch 0 = none */
	bool sealed;	     /* in that epoch only its successor is voted for any more ... */
	bool sealed_durably; /* ... and no crash undoes that */
	bool alone;	     /* nobody else proposes: a promise needs no write */
	struct key_pair epoch_key;
	struct map cells, writes;
	struct list order;
	struct promises promises;
	struct acceptor_marks *marks; /* NULL until somebody copies: acceptor_copy.c */
	uint64_t position; /* the last one given */
	uint64_t durable;  /* the highest that survives a crash */
	size_t failed;	   /* cells whose last write did */
	uint64_t next_op;  /* persist operations: op_base | count */
	uint8_t *late; /* entries that came too late for their ballot; NULL = none */
	size_t late_len, late_at; /* taken up to there */
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
struct ballot acceptor_promised(const struct acceptor *a, const struct reg_name *name);
/* No value, and what was chosen before we came is not known: keeper_settle.c. */
bool cell_is_unknown(const struct cell *c);
/* The register in which the successor of (era, epoch) is chosen. */
struct reg_name acceptor_successor(uint32_t era, uint32_t epoch);
/* PREPARE and ACCEPT. True: *reply is ready now (a refusal, or a promise alone). False: it comes from
 * acceptor_persisted, or never (a table is full, the message makes no sense or is early). */
bool acceptor_prepare(struct acceptor *a, const struct pubkey *from, const struct regmsg *m,
		      struct acceptor_reply *reply, usec_t now);
bool acceptor_accept(struct acceptor *a, const struct pubkey *from, const struct regmsg *m,
		     struct acceptor_reply *reply, usec_t now);
/* True: *reply may leave now. */
bool acceptor_persisted(struct acceptor *a, uint64_t op, int result, struct acceptor_reply *reply,
			usec_t now);

/* acceptor_store.c. A stored record; key without its first letter. Ages start at 0 (R9). */
bool acceptor_restore(struct acceptor *a, const uint8_t *key, size_t key_len, const uint8_t *value,
		      size_t len);
bool acceptor_restore_floor(struct acceptor *a, const uint8_t *value, size_t len);
void acceptor_started(struct acceptor *a, usec_t now); /* era, epoch, sealed set as they were */
bool acceptor_write_again(struct acceptor *a);	       /* what failed; false: not all of it yet */
bool acceptor_is_quiet(const struct acceptor *a);      /* everything here is durable */
/* From now on (era, epoch) is served: what no later epoch needs is dropped. */
void acceptor_turn(struct acceptor *a, uint32_t era, uint32_t epoch, usec_t now);
/* Forgets at most `count` cells, also on the disk; true = none is left. */
bool acceptor_clear(struct acceptor *a, size_t count);

/* acceptor_copy.c. Cells after *position that are durable, at most REGMSG_BULK_MAX bytes; *position
 * moves on to the last one written, or to acceptor.position when all there is went out. */
size_t acceptor_give(struct acceptor *a, uint64_t *position, uint8_t *out, size_t size,
		     usec_t now);
/* What another keeper has accepted. False: malformed, or no room, then all have to come again. */
bool acceptor_take(struct acceptor *a, struct rd *entries, usec_t now);
/* No vote is given any more: what came too late for that counts again. False: there is more of it. */
bool acceptor_take_late(struct acceptor *a, usec_t now);
void acceptor_drop_late(struct acceptor *a); /* all of it will be copied again */

#endif
