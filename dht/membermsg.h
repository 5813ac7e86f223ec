/* membermsg.h - MEMBER messages, read and written. Private to dht/. docs/protocol.md 9. */
#ifndef DHT_MEMBERMSG_H
#define DHT_MEMBERMSG_H

#include "dht/grant.h"
#include "dht/regs.h"

#define MEMBERMSG_MAX 16640 /* the longest: a CHAIN of eight */
#define MEMBER_HOST_MAX 63
#define CHAIN_SHOWN 8 /* configurations in one message */
#define GRANTS_SHOWN 3

enum membermsg_type {
	MEMBERMSG_ENROL = 1,
	MEMBERMSG_ENROLLED = 2,
	MEMBERMSG_SYNC = 3,
	MEMBERMSG_UPDATE = 4,
	MEMBERMSG_CHAIN_WANT = 5,
	MEMBERMSG_CHAIN = 6,
	MEMBERMSG_SHOW = 7,
	MEMBERMSG_TYPE_COUNT
};

struct membermsg_block { /* into the bytes read; len 0 = not there */
	const uint8_t *p;
	size_t len;
};

/* What a member holds, by number: what SYNC says. */
struct member_held {
	uint64_t settings;
	uint32_t secret;
	uint64_t revocations;
	uint32_t era, epoch;
	uint64_t serial;
};

/* One struct for all types: each reads and writes its own fields only. */
struct membermsg {
	uint8_t type; /* enum membermsg_type */
	uint8_t nsid[NSID_LEN];
	uint64_t request; /* ENROLLED, UPDATE: of the question; 0 = unasked */
	char host[MEMBER_HOST_MAX + 1]; /* ENROL */
	struct membermsg_block op;	/* ENROL */
	struct member_held held;	/* SYNC */
	uint8_t status;			/* ENROLLED, UPDATE: the rest */
	uint64_t detail;
	struct membermsg_block membership, settings, config, revocations;
	uint8_t secret_count;
	struct regs_secret secrets[2];
	bool below;	     /* CHAIN_WANT, CHAIN: configurations before, else after */
	uint32_t era, epoch; /* CHAIN_WANT: this one; CHAIN: the newest that the sender holds */
	uint8_t shown_count; /* CHAIN: rising, falling when below; SHOW: grants */
	struct membermsg_block shown[CHAIN_SHOWN];
};

/* Bytes written, or 0 when it does not fit. */
size_t membermsg_write(uint8_t *out, size_t size, const struct membermsg *m);
bool membermsg_read(struct membermsg *m, const uint8_t *msg, size_t len);

#endif
