/* regmsg.h - REGISTER messages, read and written. Private to dht/. docs/protocol.md 8.5. */
#ifndef DHT_REGMSG_H
#define DHT_REGMSG_H

#include "dht/grant.h"

#define REGMSG_MAX 8192 /* the longest: RESULT with grant and config */

enum regmsg_type {
	REGMSG_OPERATION = 1,
	REGMSG_RESULT = 2,
	REGMSG_PREPARE = 3,
	REGMSG_PROMISE = 4,
	REGMSG_ACCEPT = 5,
	REGMSG_ACCEPTED = 6,
	REGMSG_TYPE_COUNT
};

/* One struct for all types: each reads and writes its own fields only. Pointers into the bytes. */
struct regmsg {
	uint8_t type; /* enum regmsg_type */
	uint8_t nsid[NSID_LEN];
	uint64_t request;
	uint8_t status;			/* RESULT, PROMISE, ACCEPTED */
	struct pubkey holder;		/* RESULT */
	struct reg_name name;		/* PREPARE, ACCEPT */
	struct ballot ballot;		/* PREPARE, ACCEPT; the promised one of PROMISE, ACCEPTED */
	struct ballot accepted;		/* PROMISE; all zero when nothing was accepted */
	uint64_t age;			/* seconds: PROMISE, ACCEPT */
	uint64_t beacon;		/* wall seconds: PROMISE, ACCEPT */
	uint8_t sig[SIG_LEN];		/* ACCEPTED */
	const uint8_t *bytes;		/* OPERATION: operation; RESULT: grant; PROMISE, ACCEPT: value */
	size_t len;
	const uint8_t *config;		/* RESULT */
	size_t config_len;
};

/* Bytes written, or 0 when it does not fit. */
size_t regmsg_write(uint8_t *out, size_t size, const struct regmsg *m);
bool regmsg_read(struct regmsg *m, const uint8_t *msg, size_t len);

#endif
