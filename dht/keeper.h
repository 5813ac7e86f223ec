/* keeper.h - the keeper role of one node in one namespace: it judges ownership. Private to dht/.
 *
 * One object holds an acceptor (promises and accepts, durable before answered), a proposer
 * (CASPaxos per register) and the rules (who may change what). It serves a keeper set of any
 * allowed size; messages to itself never leave it. It is silent (keeper_is_active false) while the
 * keeper set does not name this node, or when its epoch key or incarnation is not the one the set
 * names (R12), and between two sets. Sans-I/O: env callbacks only queue or send.
 * docs/protocol.md 8.
 *
 * Durable keys that belong to it begin with 'r' (a register), 'e' (epoch keys), 'k' (incarnation,
 * starts), 'i' (the set whose registers these are) or 'p' (what is promised of all others). Its persist operations have KEEPER_OP set. */
#ifndef DHT_KEEPER_H
#define DHT_KEEPER_H

#include "dht/keeper_env.h"

#define KEEPER_OP (UINT64_C(1) << 63)
#define KEEPER_MEMBER_DAYS 30

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

/* A whole REGISTER message of any type but RESULT and BUNDLE. */
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
/* A grant of an earlier era whose signatures are right: its register is written again in this one,
 * while that era's leases may still count. Nothing is answered. */
void keeper_shown(struct keeper_role *k, const uint8_t *grant, size_t len, usec_t now);
/* An operation of this very node (or signed by an admin here). Answer: env.result within 5 s, or
 * 15 s for the chains of a revocation; a refusal may come before this returns. 0, -EINVAL
 * (form or signature), -EBUSY (queues full), -ENOTCONN (not active). */
int keeper_submit_local(struct keeper_role *k, uint64_t request, const uint8_t *op, size_t len,
			usec_t now);

/* The newest configuration may be another one than before. */
void keeper_turned(struct keeper_role *k, usec_t now);
/* As in keepers.h. */
int keeper_change(struct keeper_role *k, const struct keeper_set *want, usec_t now);
bool keeper_is_changing(const struct keeper_role *k);
size_t keeper_infos(const struct keeper_role *k, struct keeper_info out[KEEPERS_MAX], usec_t now);
uint64_t keeper_last_change(const struct keeper_role *k);

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
/* Only what starts: for a member that has its grant. */
void keeper_member_renew(struct keeper_role *k, const struct pubkey *key, usec_t now);
size_t keeper_member_grant(struct keeper_role *k, const struct pubkey *key, const uint8_t **grant,
			   usec_t now);
size_t keeper_revocation_grant(struct keeper_role *k, const uint8_t **grant, usec_t now);

#endif
