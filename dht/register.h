/* register.h - names, values, operations, ballots: the data of registers. docs/protocol.md 8.1-8.4.
 *
 * Encoders write canonical bytes (one valid form), decoders refuse every other. */
#ifndef DHT_REGISTER_H
#define DHT_REGISTER_H

#include "base/addr.h"
#include "base/key.h"
#include "base/time.h"
#include "base/wire.h"
#include "dht/kinds.h"

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

/* What a keeper said about an operation. */
struct reg_answer {
	enum reg_status status;
	struct pubkey holder; /* who owns it now, or zero */
	struct ip hint;	      /* an address that seemed free to that keeper; len 0 = none */
	const uint8_t *grant; /* or NULL */
	size_t len;
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
bool reg_name_is_reserved(const struct reg_name *name); /* a host name that is nobody's (8.8) */
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
