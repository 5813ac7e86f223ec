/* regmsg.h - REGISTER messages, read and written. Private to dht/. docs/protocol.md 8.5. */
#ifndef DHT_REGMSG_H
#define DHT_REGMSG_H

#include "dht/grant.h"
#include "dht/mark.h"

#define REGMSG_MAX 10752 /* the longest but CELLS: ACCEPT with a value and what made it */
#define REGMSG_BULK_MAX (60 * 1024) /* CELLS */
#define REGMSG_WHY_MAX GRANT_MAX
#define COPY_ENTRIES_MAX (REGMSG_BULK_MAX - 128) /* bytes of its entries */

enum regmsg_type {
	REGMSG_OPERATION = 1,
	REGMSG_RESULT = 2,
	REGMSG_PREPARE = 3,
	REGMSG_PROMISE = 4,
	REGMSG_ACCEPT = 5,
	REGMSG_ACCEPTED = 6,
	REGMSG_STAND = 7,
	REGMSG_CANDIDATE = 8,
	REGMSG_PULL = 9,
	REGMSG_CELLS = 10,
	REGMSG_STATE = 11,
	REGMSG_TYPE_COUNT /* 12 = BUNDLE: bundle.h; 14, 15: handover.h */
};

struct epoch_at { /* which keeper set; epoch 0 = none */
	uint32_t era, epoch;
};

/* What a keeper says of itself: STATE; a source of copies: CELLS. */
struct keeper_state {
	struct epoch_at served; /* whose cells it has, all of them */
	bool sealed;		/* durably */
	uint64_t incarnation, starts;
	uint64_t position; /* of its last change */
	uint64_t behind;   /* positions that it still has to copy; 0 = none */
	uint64_t cells, wall;
};

/* One struct for all types: each reads and writes its own fields only. Pointers into the bytes. */
struct regmsg {
	uint8_t type; /* enum regmsg_type */
	uint8_t nsid[NSID_LEN];
	uint64_t request;
	struct mark mark; /* of the sender's log; starts 0 = none */
	struct mark echo; /* the furthest that the sender has seen of the receiver's; likewise */
	uint8_t status;			/* RESULT, PROMISE, ACCEPTED */
	struct pubkey holder;		/* RESULT */
	struct ip hint;			/* RESULT: a free address; len 0 = none */
	struct reg_name name;		/* PREPARE, ACCEPT */
	struct ballot ballot;		/* PREPARE, ACCEPT; the promised one of PROMISE, ACCEPTED */
	struct ballot accepted;		/* PROMISE; all zero when nothing was accepted */
	uint64_t age;			/* seconds: PROMISE, ACCEPT */
	uint64_t beacon;		/* wall seconds: PROMISE, ACCEPT */
	uint8_t sig[SIG_LEN];		/* ACCEPTED */
	struct epoch_at at;		/* STAND ... STATE: the newest set that the sender knows */
	struct keeper_state state;	/* CELLS: all but starts, behind, cells, wall; STATE */
	struct keeper entry;		/* CANDIDATE: the sender in the set after `at` */
	uint64_t behind;		/* CANDIDATE: positions that it still has to copy */
	uint64_t incarnation, position; /* PULL: whose cells, above which position */
	uint64_t upto;			/* CELLS: the next PULL asks for what is above */
	uint8_t planned_count;		/* STAND: the members of the set to be */
	struct pubkey planned[KEEPERS_MAX];
	const uint8_t *bytes;		/* OPERATION: operation; RESULT: grant; PROMISE, ACCEPT: value;
					   CELLS: entries, see acceptor_copy.c */
	size_t len;
	const uint8_t *config;		/* RESULT */
	size_t config_len;
	const uint8_t *why; /* ACCEPT, hardened sets: the operation or the shown grant behind the value */
	size_t why_len;
	bool proven; /* not sent; ACCEPT to ourselves: we saw that enough members have it, or its base */
};

/* Bytes written, or 0 when it does not fit. */
size_t regmsg_write(uint8_t *out, size_t size, const struct regmsg *m);
bool regmsg_read(struct regmsg *m, const uint8_t *msg, size_t len);
/* A PROMISE reports a value that reads, or none; true of all other types. */
bool regmsg_value_is_whole(const struct regmsg *m);

#endif
