/* record.h - one signed, expiring, blinded record: make, read, check, open. protocol.md 6.1. */
#ifndef DHT_RECORD_H
#define DHT_RECORD_H

#include "base/drop.h"
#include "base/key.h"
#include "dht/dht.h"

#define RECORD_VERSION 1
#define RECORD_NONCE_LEN 8 /* that the record shows; sequence and end belong to it as well */
#define RECORD_SEALED_MAX (RECORD_NONCE_LEN + DHT_BODY_MAX + 16)
#define RECORD_LEN_MAX (1 + 1 + ID_LEN + 8 + 8 + 2 + RECORD_SEALED_MAX + KEY_LEN + SIG_LEN)
#define RECORD_LIFE_MAX (48 * 3600) /* seconds */
#define RECORD_LIFE_SLACK 600       /* seconds that a signer's clock may be ahead of ours */

_Static_assert(RECORD_LEN_MAX <= DHT_RECORD_MAX, "a full body fits into a record");

/* What a record is found under; `kind` of dht_kind, or one from a later version. */
struct record_name {
	uint8_t kind;
	struct node_id key;
};

/* A record read in place: pointers go into the bytes it was read from. */
struct record {
	struct record_name name;
	uint64_t seq, expires; /* expires: wall seconds */
	const uint8_t *sealed;
	size_t sealed_len;
	struct pubkey signer;
	const uint8_t *bytes; /* the whole */
	size_t len, signed_len;
};

/* What a record is made from. */
struct record_draft {
	struct record_name name; /* of its topic */
	const uint8_t *secret;	 /* the topic's */
	const uint8_t *body;
	size_t len;
	uint64_t seq, expires;
	uint8_t nonce[RECORD_NONCE_LEN]; /* random */
};

struct record_name record_name_of(const struct dht_topic *t);
bool record_name_equal(const struct record_name *a, const struct record_name *b);
/* Seals and signs. Returns the length; the draft's body is at most DHT_BODY_MAX bytes. */
size_t record_write(uint8_t out[RECORD_LEN_MAX], const struct record_draft *d,
		    const struct key_pair *self, const struct crypto *crypto);
/* The form alone; false when it is not a record of ours. */
bool record_read(struct record *r, const uint8_t *bytes, size_t len);
/* A body of 0 bytes: its signer has withdrawn what stood here. */
bool record_is_empty(const struct record *r);
/* Dates against the wall clock (seconds): DROP_NONE or DROP_EXPIRED (past, or too far ahead). */
enum drop record_check_dates(const struct record *r, uint64_t wall);
/* Signer and signature: DROP_NONE or DROP_SIGNATURE. Costs a signature check. */
enum drop record_check_signature(const struct record *r, const struct crypto *crypto);
/* Opens the body: its length, or -EBADMSG when it was not sealed for this topic by this signer. */
int record_open(uint8_t out[DHT_BODY_MAX], const struct record *r, const struct dht_topic *t);

#endif
