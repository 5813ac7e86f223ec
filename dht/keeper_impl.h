/* keeper_impl.h - the inside of the keeper role: shared by keeper*.c and rules.c only. */
#ifndef DHT_KEEPER_IMPL_H
#define DHT_KEEPER_IMPL_H

#include "base/limit.h"
#include "base/list.h"
#include "dht/acceptor.h"
#include "dht/keeper.h"
#include "dht/proposer.h"
#include "dht/quota.h"

#define TASKS_MAX 4096
#define KEEPER_OWN_OP (KEEPER_OP | UINT64_C(1) << 62) /* persists of 'e' and 'k' */

enum task_kind { TASK_REMOTE, TASK_LOCAL, TASK_ENROL, TASK_INTERNAL };

/* Who asked and what for: a repetition while the task runs finds it by this. */
struct task_key {
	uint8_t who[KEY_LEN];
	uint8_t request[8];
	uint8_t kind; /* enum task_kind */
};

/* A refusal that the acceptor gave to our own proposer: handed over when the call is unwound. */
struct own_refusal {
	struct list in_inbox;
	struct regmsg msg;
};

struct keeper_role {
	struct keeper_config cfg;
	struct keeper_env env;
	uint8_t nsid[NSID_LEN];
	struct acceptor acceptor;
	struct proposer proposer;
	struct quota quota;
	struct map tasks;
	struct list inbox; /* of struct own_refusal */
	bool has_key;
	struct own_write {
		uint64_t op; /* the last one */
		bool failed;
	} own_key, own_life; /* 'e' and 'k' */
	usec_t write_again;  /* what failed of them */
	bool silent; /* the last write failed */
	uint32_t key_era, key_epoch; /* what the epoch key is for */
	uint64_t incarnation, starts;
	uint64_t next_request; /* of internal tasks */
	uint64_t next_op;      /* persist operations of 'e' and 'k' */
	struct limit enrols, strangers;
	usec_t look_at_revocations; /* another keeper changed the list: get a grant of it then */
	struct drops drops;
	usec_t now; /* of the call under way */
};

/* keeper.c */
bool keeper_enter(struct keeper_role *k, usec_t now); /* false = not active */
void keeper_leave(struct keeper_role *k, usec_t now); /* hands own refusals over */
uint64_t keeper_wall(const struct keeper_role *k);
void keeper_world(struct keeper_role *k, struct change_world *w);

/* keeper_store.c */
void keeper_own_persisted(struct keeper_role *k, uint64_t op, int result);
void keeper_own_write_again(struct keeper_role *k);

/* rules.c */
enum reg_status rules_member(const struct keeper_role *k, const struct pubkey *key);
uint32_t rules_rights(const struct keeper_role *k, const struct pubkey *key);
/* REG_OK when the signer may ask for this change at all. */
enum reg_status rules_allowed(const struct keeper_role *k, const struct change *c);
enum reg_status rules_room(void *ctx, const struct pubkey *owner, const struct reg_name *name);
void rules_prune(void *ctx, struct revocation_payload *list);

/* keeper_task.c */
void tasks_init(struct keeper_role *k, const uint8_t seed[16]);
void tasks_fini(struct keeper_role *k);
int task_operation(struct keeper_role *k, enum task_kind kind, const struct keeper_ask *ask);
int task_internal(struct keeper_role *k, enum reg_verb verb, const struct reg_name *name,
		  const struct node_id *revoked);
void task_done(void *ctx, void *tag, const struct outcome *o, usec_t now);

/* keeper_view.c */
struct cell *keeper_cell(const struct keeper_role *k, const struct reg_name *name);
/* A fresh grant: kept when its register is governed, and told. */
void keeper_keep_grant(struct keeper_role *k, const struct reg_name *name,
		       const struct outcome *o);
/* A member that came by this token and is not yet revoked, or revoked but not yet listed. */
bool keeper_find_victim(const struct keeper_role *k, const uint8_t token[32],
			struct reg_name *name, struct member_payload *m);
/* Finishes a revocation that a crash has cut short between the member and the list; one at a time. */
void keeper_repair(struct keeper_role *k);

#endif
