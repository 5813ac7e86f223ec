/* msg.h - the DHT's messages, read from and written to bytes. docs/protocol.md 6. */
#ifndef DHT_MSG_H
#define DHT_MSG_H

#include "base/drop.h"
#include "dht/record.h"

#define DHT_MSG_RECORDS_MAX 16
#define DHT_MSG_HEAD_LEN 9 /* type and request id */
#define DHT_MSG_CLIENT 0x80 /* with the type of a request: do not make me a contact */
#define DHT_MSG_MORE 0x80   /* with the count of records: more are held */
/* The largest message: VALUES with everything. */
#define DHT_MSG_MAX \
	(DHT_MSG_HEAD_LEN + 2 + DHT_MSG_RECORDS_MAX * (2 + RECORD_LEN_MAX) + DHT_K * KEY_LEN)
/* The largest PUT, the longest request. */
#define DHT_PUT_MAX (DHT_MSG_HEAD_LEN + 2 + RECORD_LEN_MAX + 1)
/* The largest answer to a requester that has not proven its key. */
#define DHT_ANSWER_ROUTED_MAX 1300

_Static_assert(DHT_MSG_HEAD_LEN + 2 + 2 + RECORD_LEN_MAX <= DHT_ANSWER_ROUTED_MAX,
	       "any one record can be fetched by a routed request");

enum dht_msg_type {
	DHT_MSG_PING = 1,
	DHT_MSG_PONG,
	DHT_MSG_FIND,
	DHT_MSG_NODES,
	DHT_MSG_GET,
	DHT_MSG_VALUES,
	DHT_MSG_PUT,
	DHT_MSG_STORED,
	DHT_MSG_TYPES,
};

enum dht_stored {
	DHT_STORED_OK = 0,
	DHT_STORED_OLDER = 1, /* than the one held */
	DHT_STORED_REFUSED = 2,
	DHT_STORED_FULL = 3,
	DHT_STORED_HELD = 4, /* these very bytes, before */
};

/* What comes with a PUT. */
enum dht_wish {
	DHT_WISH_NOTHING = 0,
	DHT_WISH_KEYS = 1,   /* tell the nearest to the record's key */
	DHT_WISH_SPREAD = 2, /* pass it on to the other replicas, and tell these */
	DHT_WISH_SILENCE = 3, /* no answer */
};

struct dht_bytes {
	const uint8_t *p;
	size_t len;
};

/* Fields are valid as far as the type has them. Records point into the message. */
struct dht_msg {
	enum dht_msg_type type;
	bool client;             /* a request of a client */
	bool more;               /* VALUES: more records are held than told */
	uint64_t id;             /* of the request, repeated by the answer */
	struct record_name name; /* FIND: key alone; GET */
	uint8_t wish;            /* PUT: enum dht_wish */
	uint8_t status;          /* STORED: enum dht_stored */
	size_t records, keys;
	struct dht_bytes record[DHT_MSG_RECORDS_MAX]; /* VALUES; PUT: the first */
	struct pubkey key[DHT_K];                     /* NODES, VALUES, STORED */
};

/* DROP_NONE, DROP_UNKNOWN (type), DROP_SHORT, DROP_MALFORMED. */
enum drop dht_msg_read(struct dht_msg *m, const uint8_t *bytes, size_t len);
/* The length written; the message must fit (DHT_MSG_MAX always does). */
size_t dht_msg_write(uint8_t *out, size_t size, const struct dht_msg *m);
bool dht_msg_is_request(enum dht_msg_type type);
/* A STORED that says that the record is there. */
bool dht_msg_has(const struct dht_msg *m);
const char *dht_msg_name(enum dht_msg_type type);

#endif
