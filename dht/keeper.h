/* keeper.h - the keeper role of one node in one namespace: it judges ownership. Private to dht/.
 *
 * One object holds an acceptor (promises and accepts, durable before answered), a proposer
 * (CASPaxos per register) and the rules (who may change what). It serves a keeper set of any
 * allowed size; messages to itself never leave it. It is silent (keeper_is_active false) while the
 * keeper set does not name this node, or when its epoch key or incarnation is not the one the set
 * names (R12). Sans-I/O: env callbacks only queue or send. docs/protocol.md 8.
 *
 * Durable keys that belong to it begin with 'r' (a register), 'e' (epoch key) or 'k' (incarnation,
 * starts). Its persist operations have KEEPER_OP set. */
#ifndef DHT_KEEPER_H
#define DHT_KEEPER_H

#include "base/drop.h"
#include "base/log.h"
#include "dht/grant.h"

#define KEEPER_OP (UINT64_C(1) << 63)
#define KEEPER_MEMBER_DAYS 30

struct keeper_role;

struct keeper_answer {
	enum reg_status status;
	struct pubkey holder; /* who owns it now, or zero */
	uint64_t detail;      /* of an enrolment: when the token expired, or 0 */
	const uint8_t *grant; /* of the register asked about; of an enrolment: of member:KEY */
	size_t len;
};

struct keeper_env {
	void *ctx;
	void (*random)(void *ctx, void *out, size_t len);
	/* REGISTER messages to another keeper or to a client. Best effort. */
	void (*send)(void *ctx, const struct pubkey *to, uint8_t service, const uint8_t *msg,
		     size_t len);
	void (*persist)(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			const uint8_t *value, size_t len);
	/* What is known here; NULL before the first. Read anew at every call. */
	const struct settings *(*settings)(void *ctx);
	const struct config *(*config)(void *ctx);
	/* Of an epoch, the present one included; NULL = not known. */
	const struct config *(*config_of)(void *ctx, uint32_t era, uint32_t epoch);
	/* A successor with its proofs: the owner checks, keeps and spreads it; `config` returns it from
	 * then on when it is the newest, and config_durable says when it is on the disk. */
	void (*chosen)(void *ctx, const uint8_t *config, size_t len);
	bool (*config_durable)(void *ctx);
	/* The answer to keeper_submit_local; the answer to keeper_enrol. Copies. */
	void (*result)(void *ctx, uint64_t request, const struct keeper_answer *a);
	void (*enrolled)(void *ctx, const struct pubkey *to, uint64_t request,
			 const struct keeper_answer *a);
	/* A member, token or revocation register has a new grant: push it to whom it concerns. */
	void (*changed)(void *ctx, const struct reg_name *name, const uint8_t *grant, size_t len);
};

struct keeper_config {
	struct key_pair self;
	struct pubkey root;
	const struct crypto *crypto;
	const struct log *log;
	const struct wall *wall;
};

struct keeper_role *keeper_new(const struct keeper_config *cfg, const struct keeper_env *env,
			       usec_t now);
void keeper_free(struct keeper_role *k);
/* A stored key and value; false = not the keeper's, or damaged. */
bool keeper_restore(struct keeper_role *k, const uint8_t *key, size_t key_len,
		    const uint8_t *value, size_t len);
void keeper_started(struct keeper_role *k, usec_t now); /* after the last keeper_restore */
/* Creator: makes (and persists) an epoch key and an incarnation, and fills *out with the genesis of
 * `era`, signed by the root, with this node as the only keeper. The owner stores it and lets
 * env.config return it; then it submits a MEMBER_SET signed by the root for its own key. */
void keeper_genesis(struct keeper_role *k, const struct key_pair *root, uint32_t era,
		    struct config *out, usec_t now);
bool keeper_is_active(const struct keeper_role *k);
/* Our epoch key could not be written: this role judges nothing until a repetition succeeds. */
bool keeper_key_failed(const struct keeper_role *k);

/* A whole REGISTER message of type OPERATION, PREPARE, PROMISE, ACCEPT or ACCEPTED. */
void keeper_input(struct keeper_role *k, const struct pubkey *from, const uint8_t *msg, size_t len,
		  usec_t now);
struct keeper_ask {
	struct pubkey from; /* key of the session it came by */
	uint64_t request;
	const char *host; /* host name hint, may be empty */
	const uint8_t *op; /* TOKEN_USE, encoded */
	size_t len;
};
/* MEMBER ENROL: counts the use, then writes member:KEY. Answer: env.enrolled, within 10 s; a refusal
 * may come before this returns. None when not active or flooded: the asker asks again. */
void keeper_enrol(struct keeper_role *k, const struct keeper_ask *ask, usec_t now);
/* An operation of this very node (or signed by an admin here). Answer: env.result within 5 s, or
 * 15 s for the chains of a revocation; a refusal may come before this returns. 0, -EINVAL
 * (form or signature), -EBUSY (queues full), -ENOTCONN (not active). */
int keeper_submit_local(struct keeper_role *k, uint64_t request, const uint8_t *op, size_t len,
			usec_t now);

void keeper_persisted(struct keeper_role *k, uint64_t op, int result, usec_t now);
void keeper_tick(struct keeper_role *k, usec_t now);
usec_t keeper_deadline(const struct keeper_role *k);

/* Registers held here: *at = 0 first; pointers are valid until the next call into the keeper. */
bool keeper_next(const struct keeper_role *k, size_t *at, struct reg_name *name,
		 struct reg_value *v);
/* What member:KEY says here; false = never enrolled. */
bool keeper_member(const struct keeper_role *k, const struct pubkey *key,
		   struct member_payload *out);
/* The last grant of a member, token or revocation register, or 0. Without one (after a restart), or
 * when a membership is past half its life, starts what is needed; env.changed tells when done. */
size_t keeper_grant(struct keeper_role *k, const struct reg_name *name, const uint8_t **grant,
		    usec_t now);
size_t keeper_member_grant(struct keeper_role *k, const struct pubkey *key, const uint8_t **grant,
			   usec_t now);
size_t keeper_revocation_grant(struct keeper_role *k, const uint8_t **grant, usec_t now);
const struct drops *keeper_drops(const struct keeper_role *k);

#endif
