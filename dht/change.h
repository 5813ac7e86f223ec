/* change.h - what an operation makes of a register's value: pure functions. Private to dht/. */
#ifndef DHT_CHANGE_H
#define DHT_CHANGE_H

#include "dht/payload.h"

struct grant;
struct settings;

#define LEASE_SECONDS_MIN 60
#define LEASE_SECONDS_ALONE (30 * 86400) /* while there is one keeper */
#define LEASE_SECONDS_MAX 86400
#define MEMBER_SECONDS (30 * 86400)
#define MEMBER_SECONDS_EPHEMERAL 86400

/* One change. What a client signed has op; what keepers derive (MEMBER_ENROL, MEMBER_RENEW,
 * REVOKE_ADD, and TOKEN_REVOKE, MEMBER_REVOKE in the wake of another) has none. */
struct change {
	uint8_t verb; /* enum reg_verb */
	struct reg_name name;
	const struct reg_op *op; /* or NULL */
	const uint8_t *proof;	 /* op as it was signed */
	size_t proof_len;
	struct member_payload member; /* MEMBER_ENROL: what the token gives */
	bool again;		      /* MEMBER_ENROL: this use was counted before */
	struct node_id revoked;	      /* REVOKE_ADD */
	const struct grant *shown;    /* RESTORE: of an earlier era, verified */
	const uint8_t *body;	      /* SUCCEED: of the configuration proposed */
	size_t body_len;
};

/* What else the answer depends on. */
struct change_world {
	void *ctx;
	/* May `owner` hold one more of the kind of `name`? */
	enum reg_status (*room)(void *ctx, const struct pubkey *owner, const struct reg_name *name);
	/* Takes those out of the list whose memberships are past their end anyway. */
	void (*prune)(void *ctx, struct revocation_payload *list);
	struct pubkey root;
	uint64_t wall; /* seconds */
	uint32_t era, epoch;
	uint32_t lease_max; /* seconds */
	const struct settings *settings; /* NULL = everything may be claimed */
};

struct change_result {
	enum reg_status status;
	bool same;		/* the old value stands; its age goes on */
	struct pubkey holder;	/* who owns it after this, or zero */
	uint64_t detail;	/* EXPIRED: since when */
	struct reg_value value; /* when ok and not same; may point into the change and `payload` */
	uint8_t payload[REG_PAYLOAD_MAX];
};

/* old NULL = free; age: seconds since it was last written, a lower bound. */
void change_apply(struct change_result *r, const struct change *c, const struct change_world *w,
		  const struct reg_value *old, uint64_t age);
/* The generation of a register that is free in this epoch: above all that were given before, at most
 * 65535 to a register in an epoch, and so above those of registers that were dropped since. */
uint64_t change_first_generation(uint32_t era, uint32_t epoch);
/* R9: seconds that a keeper waits before it gives what was leased to another. */
uint64_t change_lease_wait(uint32_t lease);
/* An admin revoked this token together with the members that it let in. */
bool change_token_takes_members(const struct reg_value *token);

/* For the two files that hold the functions. */
struct turn {
	struct change_result *r;
	const struct change *c;
	const struct change_world *w;
	const struct reg_value *old;
	uint64_t age;
};
typedef void change_fn(struct turn *t);
change_fn change_claim, change_renew, change_release, change_transfer, change_start, change_read,
	change_token_create, change_token_use, change_token_revoke, change_member_enrol,
	change_member_set, change_member_renew, change_member_revoke, change_revoke_add, change_succeed,
	change_restore;
void turn_status(struct turn *t, enum reg_status status);
void turn_same(struct turn *t);
uint64_t turn_next_generation(const struct turn *t);
/* The signer's number against the register's: false, with REG_OLD set, when not above. */
bool turn_is_newer(struct turn *t);

#endif
