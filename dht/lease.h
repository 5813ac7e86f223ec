/* lease.h - what this node owns: its addresses and names, kept alive. Public face.
 *
 * A want ("an IPv4 address, this one if it is free", "this host name, or NAME-2") becomes
 * operations on registers: candidate, claim, renew from half life, give up when lost. The owner's
 * clock: validity counts from first sending, never longer than the answer granted; a release or
 * transfer stops use before it is sent (rules R7, R8; DESIGN 6, 12.3, 12.4). Grants, operation
 * starts and states are durable through the same env.persist map. */
#ifndef DHT_LEASE_H
#define DHT_LEASE_H

#include "dht/transfer.h"

#define LEASES_MAX 1024
/* Set in every `op` of env.submit and env.persist: answers to it come here. */
#define LEASE_OP ((uint64_t)1 << 62)
#define LEASE_KEY 'l' /* first byte of every durable key */

struct leases;

enum lease_state {
	LEASE_WAITING,	/* wants to claim, but no keeper answers */
	LEASE_CLAIMING,
	LEASE_RENEW_FIRST, /* owned before a reboot or copy: used again only after a renewal */
	LEASE_HELD,
	LEASE_RENEWING, /* held, renewal under way */
	LEASE_AT_RISK,	/* held, but keepers do not answer */
	LEASE_HANDING, /* a transfer was signed: not used, not renewed */
	LEASE_LOST,
	LEASE_STATE_COUNT
};
const char *lease_state_text(enum lease_state s);

enum lease_event_type {
	LEASE_GAINED,	/* may be used from now on: name, grant */
	LEASE_RENEWED,	/* a newer grant for the same */
	LEASE_GONE,	/* must not be used any more; holder = who owns it now, if known */
	LEASE_REFUSED,	/* a wanted one is owned by `holder`; the next candidate is being tried */
	LEASE_HANDED,	/* transferred: holder owns it now */
	LEASE_FAILED,	/* no candidate left, no right, or no keeper answers (REG_NO_QUORUM: once, and what
			 * is held stays so); status says why; tried again later */
};

struct lease_event {
	enum lease_event_type type;
	struct reg_name name;
	bool more; /* beside the node's own address and name */
	enum reg_status status;
	struct pubkey holder;
	const uint8_t *grant; /* valid during the call */
	size_t len;
};

struct lease_env {
	void *ctx;
	void (*random)(void *ctx, void *out, size_t len);
	int (*submit)(void *ctx, uint64_t op, const struct reg_op *req, usec_t now); /* regs_submit */
	void (*persist)(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			const uint8_t *value, size_t len);
	void (*event)(void *ctx, const struct lease_event *e); /* copies, never calls back in */
	/* regs_sign, regs_submit_signed, regs_hand */
	int (*sign)(void *ctx, struct reg_op *req, uint8_t out[REG_OP_MAX], usec_t now);
	int (*submit_signed)(void *ctx, uint64_t op, const uint8_t *bytes, size_t len, usec_t now);
	void (*hand)(void *ctx, const struct pubkey *to, const struct handover *h);
};

struct lease_config {
	struct pubkey self;
	uint8_t nsid[NSID_LEN];
	struct prefix subnet;
	uint32_t lease; /* seconds to ask for */
	bool same_machine;
	const struct log *log;
	const struct wall *wall;
};

struct leases *leases_new(const struct lease_config *cfg, const struct lease_env *env, usec_t now);
void leases_free(struct leases *l);
bool leases_restore(struct leases *l, const uint8_t *key, size_t key_len, const uint8_t *value,
		    size_t len, usec_t now);
void leases_started(struct leases *l, usec_t now);
/* The node's own IPv4 address: `ask` first if not NULL, else the one owned before, else the hash of
 * the key picks the candidates (the lowest address, network and broadcast are never candidates). */
void leases_want_address(struct leases *l, const struct ip *ask, usec_t now);
/* The node's host name: NAME, else NAME-2, NAME-3, ... Its payload carries v4 and v6. */
void leases_want_name(struct leases *l, const char *host, usec_t now);
/* One more name, exactly this one: GAINED, or REFUSED with its holder, or FAILED. -EINVAL when it
 * cannot be a host name of at most 54 characters, -EPERM when it is nobody's (reserved), -EEXIST
 * when it is held or asked for, -ENOSPC. */
int leases_add_name(struct leases *l, const char *host, usec_t now);
/* One more address, `ask` or any (NULL): as leases_add_name; of any the next candidates are tried. */
int leases_add_address(struct leases *l, const struct ip *ask, usec_t now);
/* What the payloads tell: the derived address, and set by itself the v4 and the host name. */
void leases_set_v6(struct leases *l, const struct ip *v6, usec_t now);
/* Renews it now rather than later, once it is held and nothing is under way for it. */
void leases_renew(struct leases *l, const struct reg_name *name, usec_t now);
void leases_release(struct leases *l, const struct reg_name *name, usec_t now);
void leases_release_all(struct leases *l, usec_t now);
/* Results of submitted operations (those whose op this module chose), and durable answers. */
void leases_result(struct leases *l, uint64_t op, const struct reg_answer *a, usec_t now);
void leases_persisted(struct leases *l, uint64_t op, int result, usec_t now);
void leases_tick(struct leases *l, usec_t now);
usec_t leases_deadline(const struct leases *l);

struct lease_info {
	struct reg_name name;
	enum lease_state state;
	uint64_t generation;
	usec_t left; /* microseconds of validity left */
	const uint8_t *grant;
	size_t grant_len;
};
bool leases_next(const struct leases *l, size_t *at, struct lease_info *out, usec_t now);

#endif
