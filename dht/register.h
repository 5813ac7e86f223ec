/* register.h - names, values, operations, ballots: the data of registers. docs/protocol.md 8.1-8.4.
 *
 * Encoders write canonical bytes (one valid form), decoders refuse every other. */
#ifndef DHT_REGISTER_H
#define DHT_REGISTER_H

#include "base/addr.h"
#include "base/key.h"
#include "base/time.h"
#include "base/wire.h"

#define REG_NAME_MAX 64
#define REG_PAYLOAD_OWNED_MAX 64
#define REG_PAYLOAD_MAX 4096
#define REG_PROOF_MAX 600
#define REG_VALUE_MAX 4800
#define REG_OP_MAX 4700
#define REG_GROUPS_MAX 8
#define REG_GROUP_LEN 32
#define REG_USES_MAX 128
#define REG_REVOKED_MAX 180
#define NSID_LEN 20

enum reg_kind {
	REG_ADDRESS = 1,
	REG_HOST_NAME = 2,
	REG_TOKEN = 3,
	REG_MEMBER = 4,
	REG_START = 5,
	REG_REVOCATION = 6,
};

enum reg_verb {
	OP_CLAIM = 1,
	OP_RENEW = 2,
	OP_RELEASE = 3,
	OP_TRANSFER = 4,
	OP_READ = 5,
	OP_TOKEN_CREATE = 16,
	OP_TOKEN_USE = 17,
	OP_TOKEN_REVOKE = 18,
	OP_MEMBER_ENROL = 19,
	OP_MEMBER_SET = 20,
	OP_MEMBER_REVOKE = 21,
	OP_MEMBER_RENEW = 22,
	OP_REVOKE_ADD = 23,
	OP_START = 24,
};

enum reg_state { REG_FREE = 0, REG_HELD = 1, REG_RELEASED = 2, REG_GOVERNED = 3 };

enum reg_status {
	REG_OK = 0,
	REG_OWNED = 1,
	REG_REFUSED = 2,
	REG_QUOTA = 3,
	REG_OLD = 4,
	REG_EXPIRED = 5,
	REG_REVOKED = 6,
	REG_USED_UP = 7,
	REG_UNKNOWN = 8,
	REG_NO_QUORUM = 9,
	REG_BUSY = 10,
	REG_MALFORMED = 11,
	REG_OTHER_EPOCH = 12,
	REG_FULL = 13,
	REG_SUPERSEDED = 14,
	REG_STATUS_COUNT
};

enum reg_right {
	RIGHT_KEEPER = 1 << 0,
	RIGHT_RELAY = 1 << 1,
	RIGHT_ROUTER = 1 << 2,
	RIGHT_EDGE = 1 << 3,
	RIGHT_PROXY = 1 << 4,
	RIGHT_POLICY = 1 << 5,
	RIGHT_FIXED = 1 << 6,
	RIGHT_ADMIN = 1 << 7,
};

struct reg_name { /* unused bytes zero, so that it can be a map key as it stands */
	uint8_t kind, len;
	uint8_t b[REG_NAME_MAX];
};

struct reg_op {
	uint8_t nsid[NSID_LEN];
	struct reg_name name;
	uint8_t verb; /* enum reg_verb */
	uint64_t number, generation;
	uint32_t lease; /* seconds */
	const uint8_t *payload;
	size_t payload_len;
	struct pubkey heir;
	uint64_t deadline; /* wall seconds, 0 = none */
	struct pubkey signer;
	uint8_t sig[SIG_LEN];
	struct pubkey second; /* token key of TOKEN_USE, else zero */
	uint8_t second_sig[SIG_LEN];
};

struct reg_value {
	uint8_t state; /* enum reg_state */
	uint64_t generation;
	struct pubkey owner;
	uint64_t number; /* owner's last operation number */
	uint32_t lease;
	const uint8_t *payload;
	size_t payload_len;
	const uint8_t *proof; /* the operation, encoded */
	size_t proof_len;
};

struct ballot {
	uint32_t era, epoch;
	uint64_t counter;
	uint8_t proposer;
};

void nsid_of(uint8_t nsid[NSID_LEN], const struct pubkey *root);
const char *reg_status_text(enum reg_status s);
/* Names. reg_name_host refuses what 8.1 does not allow. */
struct reg_name reg_name_address(const struct ip *ip);
bool reg_name_host(struct reg_name *out, const char *host);
bool reg_host_valid(const char *host, size_t len);
struct reg_name reg_name_key(enum reg_kind kind, const void *b, size_t len);
size_t reg_payload_max(enum reg_kind kind);
bool reg_name_equal(const struct reg_name *a, const struct reg_name *b);
void wr_reg_name(struct wr *w, const struct reg_name *n);
struct reg_name rd_reg_name(struct rd *r); /* fails on a bad kind or length for the kind */

/* Operations: write signs (and signs again with `second` when not NULL). Returns bytes or 0. */
size_t reg_op_write(uint8_t *out, size_t size, struct reg_op *op, const struct crypto *c,
		    const struct key_pair *signer, const struct key_pair *second);
/* Pointers in *op point into msg. Checks form only. */
bool reg_op_read(struct reg_op *op, const uint8_t *msg, size_t len);
bool reg_op_verify(const struct reg_op *op, const uint8_t *msg, size_t len, const struct crypto *c);

void wr_reg_value(struct wr *w, const struct reg_value *v);
bool rd_reg_value(struct rd *r, struct reg_value *v);
void wr_ballot(struct wr *w, const struct ballot *b);
struct ballot rd_ballot(struct rd *r);
int ballot_compare(const struct ballot *a, const struct ballot *b);

#endif
