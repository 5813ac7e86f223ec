/* keeper_impl.h - the inside of the keeper role: shared by keeper*.c and rules.c only. */
#ifndef DHT_KEEPER_IMPL_H
#define DHT_KEEPER_IMPL_H

#include "base/limit.h"
#include "base/list.h"
#include "dht/acceptor.h"
#include "dht/copy.h"
#include "dht/keeper.h"
#include "dht/proposer.h"
#include "dht/quota.h"
#include "dht/reports.h"
#include "dht/succession.h"

#define TASKS_MAX 4096
#define KEEPER_OWN_OP (KEEPER_OP | UINT64_C(1) << 62) /* persists of 'e', 'k' and 'i' */
#define PEERS_MAX (3 * KEEPERS_MAX) /* members of this set, the one before, the next */

enum task_kind { TASK_REMOTE, TASK_LOCAL, TASK_ENROL, TASK_INTERNAL };

/* Who asked and what for: a repetition while the task runs finds it by this. */
struct task_key {
	uint8_t who[KEY_LEN];
	uint8_t request[8];
	uint8_t kind; /* enum task_kind */
};

#define JUDGE_WANTS_MAX 16
struct judge_wants { /* keeper_judge.c */
	struct limit said[KEEPERS_MAX], fresh[KEEPERS_MAX], reads;
	struct reg_name want[JUDGE_WANTS_MAX];
	size_t count;
	const struct pubkey *from; /* who offers what is judged in the call under way, or NULL */
};

/* What the acceptor answers our own proposer at once: handed over when the call is unwound. */
struct own_answer {
	struct list in_inbox;
	struct regmsg msg;
};

struct own_write {
	uint64_t op; /* the last one */
	bool pending, failed;
};

struct epoch_key {
	struct epoch_at at;
	struct key_pair pair;
};

/* Which set's registers are here; durable as 'i'. */
struct keeper_mark {
	struct epoch_at served; /* epoch 0: none */
	bool sealed;
};

struct keeper_peer { /* a keeper, one of the set before, or a candidate: what it said of itself */
	struct pubkey node;
	struct epoch_at at; /* the newest it knows */
	struct keeper_state state;
	usec_t heard; /* 0 = never */
};

/* How long one member's plans counted: a liar that always plans must not keep all others from it. */
struct plan_time {
	usec_t spent, seen, until;
};

struct keeper_role {
	struct keeper_config cfg;
	struct keeper_env env;
	uint8_t nsid[NSID_LEN];
	struct acceptor acceptor;
	struct proposer proposer;
	struct quota quota;
	struct map tasks;
	struct list inbox; /* of struct own_answer */
	struct epoch_key keys[2]; /* of the newest set and of the one after it; epoch 0 = none */
	struct own_write own_keys, own_life, own_mark; /* 'e', 'k', 'i' */
	struct keeper_mark mark; /* as written last */
	usec_t write_again;	 /* what failed of them */
	bool silent;		 /* the last write failed */
	bool has_life;
	uint64_t incarnation, starts;
	uint64_t next_request; /* of internal tasks */
	uint64_t next_op;      /* persist operations of 'e', 'k' and 'i' */
	struct limit enrols, strangers, elsewhere, leads;
	struct judge_wants judge;
	struct mark own; /* of our log, as said last, and in which epoch */
	struct epoch_at own_at;
	uint64_t began_at; /* position of our log when we started */
	struct marks *marks; /* of the other members' */
	usec_t look_at_revocations; /* another keeper changed the list: get a grant of it then */
	bool missed_revocations; /* or may have, while we did not hear it */
	usec_t now; /* of the call under way */

	struct epoch_at seen; /* the newest set, as of the last look */
	usec_t seen_at;
	uint64_t seen_wall;
	struct copy *copy;	       /* NULL: nothing to copy */
	struct reports *reports;       /* of its sources, when we gather; else NULL */
	struct succession *succession; /* of ours; NULL: none under way */
	struct pubkey planned[KEEPERS_MAX]; /* of the set that another (or we) is about to propose */
	size_t planned_count;
	int planned_by; /* who asked for it, by index */
	usec_t planned_until;
	struct plan_time plans[KEEPERS_MAX]; /* since this set is the newest */
	struct keeper_peer peers[PEERS_MAX];
	size_t peer_count;
	uint8_t *body; /* of the configuration that we propose; NULL: we do not */
	usec_t next_step, next_state, next_finish;
};

/* keeper.c */
bool keeper_enter(struct keeper_role *k, usec_t now); /* false = not active */
void keeper_leave(struct keeper_role *k, usec_t now); /* hands own answers over */
uint64_t keeper_wall(const struct keeper_role *k);
void keeper_world(struct keeper_role *k, struct change_world *w);
void keeper_message(struct keeper_role *k, const struct pubkey *to, const struct regmsg *m);

/* keeper_mark.c */
void keeper_mark_fill(struct keeper_role *k, const struct pubkey *to, struct regmsg *m);
/* False: we have just given ourselves up. */
bool keeper_mark_take(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m);

/* keeper_judge.c */
void judge_init(struct keeper_role *k);
/* PREPARE and ACCEPT pass here on their way to the acceptor. As acceptor_prepare. */
bool judge_ask(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m,
	       struct acceptor_reply *reply);
void judge_caught(void *ctx, uint8_t member, const struct reg_name *name,
		  const struct judge_report *value);
/* May be named in a successor; if we do not know it to, its register is read. */
bool judge_may_keep(struct keeper_role *k, const struct pubkey *node);
enum copy_word judge_copy(void *ctx, const struct acceptor_entry *e, const struct cell *c);
void judge_read_wanted(struct keeper_role *k);
bool judge_legal(void *ctx, const struct reg_name *name, const struct judge_report *base,
		 const struct judge_report *report);

/* keeper_store.c */
void keeper_own_persisted(struct keeper_role *k, uint64_t op, int result);
void keeper_own_write_again(struct keeper_role *k);
bool own_is_durable(const struct own_write *own);
const struct epoch_key *keeper_key(const struct keeper_role *k, struct epoch_at at);
const struct epoch_key *keeper_key_make(struct keeper_role *k, struct epoch_at at);
void keeper_keys_retire(struct keeper_role *k, struct epoch_at before); /* erases older ones */
void keeper_mark_store(struct keeper_role *k, struct keeper_mark mark);
void keeper_reborn(struct keeper_role *k); /* a new incarnation, that has and knows nothing */

/* keeper_epoch.c: which set is served here, and getting there */
enum standing {
	STANDING_NONE,	   /* not of the set, or lost what the set counts on */
	STANDING_SERVES,   /* a working member of the newest set, sealed or not */
	STANDING_INSTALLS, /* a member of the newest set, whose registers are not all here */
	STANDING_LEAVES,   /* of an older set only, whose registers are still asked for */
	STANDING_LEARNS,   /* a candidate */
};
enum standing epoch_standing(const struct keeper_role *k);
const struct config *epoch_config(const struct keeper_role *k); /* that votes here, or NULL */
bool epoch_is_newer(struct epoch_at a, struct epoch_at b);
bool epoch_is(struct epoch_at a, struct epoch_at b);
struct epoch_at epoch_served(const struct keeper_role *k);
void epoch_started(struct keeper_role *k);
void epoch_look(struct keeper_role *k); /* has the newest set changed? */
void epoch_step(struct keeper_role *k); /* what is due */
bool epoch_has_served(const struct keeper_role *k);
struct epoch_at epoch_of(const struct config *cf);
bool epoch_follows(struct epoch_at a, struct epoch_at after);
usec_t epoch_deadline(const struct keeper_role *k);

/* keeper_copy.c: registers of the set before */
#define COPY_WRITES_MAX 4096 /* under way; with what is on its way then, less than an owner takes */
/* From the members of cf or, when it is installed, of the one before it. */
void copies_begin(struct keeper_role *k, const struct config *cf, bool installs);
void copies_end(struct keeper_role *k);
void copies_tick(struct keeper_role *k);
void copies_drop_old(struct keeper_role *k, const struct config *cf);
bool copies_clean(struct keeper_role *k); /* true: none are here but what may be built on */
uint64_t copies_behind(const struct keeper_role *k);
void copies_pull(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m);
void copies_cells(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m);

/* keeper_settle.c. What is gathered becomes registers; true: all of it did, or nothing was. */
bool copies_settle(struct keeper_role *k);

/* keeper_peers.c: what keepers tell each other of themselves */
void peers_aim(struct keeper_role *k);
void peers_tell(struct keeper_role *k); /* STATE to all of them */
struct keeper_peer *peers_find(const struct keeper_role *k, const struct pubkey *node);
void peers_state(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m);
/* `from` knows sets up to `at`: shows it what follows, or lets it show us. */
void peers_meet(struct keeper_role *k, const struct pubkey *from, struct epoch_at at);
size_t peers_installed(const struct keeper_role *k); /* members of the newest set that serve it */
bool peers_is_planned(const struct keeper_role *k, const struct pubkey *node);

/* keeper_change.c: changing the set */
void change_step(struct keeper_role *k);
void change_stand(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m);
void change_candidate(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m);
void change_propose(struct keeper_role *k, const uint8_t *body, size_t len);
bool change_may_follow(void *ctx, const uint8_t *body, size_t len);
void change_over(struct keeper_role *k, enum reg_status status, const struct outcome *o);
usec_t change_deadline(const struct keeper_role *k);

/* rules.c */
enum reg_status rules_member(const struct keeper_role *k, const struct pubkey *key);
uint32_t rules_rights(const struct keeper_role *k, const struct pubkey *key);
/* REG_OK when the signer may ask for this change at all. */
enum reg_status rules_allowed(const struct keeper_role *k, const struct change *c);
enum reg_status rules_room(void *ctx, const struct pubkey *owner, const struct reg_name *name);
bool rules_address_fits(const struct keeper_role *k, const struct reg_name *name);
void rules_prune(void *ctx, struct revocation_payload *list);

/* keeper_restore.c: grants of the last era may still be shown; what this one says may stand in ours. */
bool keeper_is_settling(const struct keeper_role *k);
bool restore_counts(const struct keeper_role *k, const struct grant *g);

/* keeper_task.c */
void tasks_init(struct keeper_role *k, const uint8_t seed[16]);
void tasks_fini(struct keeper_role *k);
int task_operation(struct keeper_role *k, enum task_kind kind, const struct keeper_ask *ask);
bool task_is_asked(const struct keeper_role *k, const struct pubkey *who, uint64_t request);
/* A change that this keeper derives by itself, or a READ of its own. */
int task_internal(struct keeper_role *k, const struct change *c);
int task_restore(struct keeper_role *k, const uint8_t *grant, size_t len);
void task_done(void *ctx, void *tag, const struct outcome *o, usec_t now);
void task_elsewhere(struct keeper_role *k, const struct pubkey *to, uint64_t request);

/* keeper_hint.c: the answer to `who`, whose claim of `refused` was refused as owned. REG_OWNED, with
 * an address that seems free in *hint or with none found; REG_FULL: nothing in the range is free. */
enum reg_status keeper_hint(struct keeper_role *k, const struct pubkey *who,
			    const struct reg_name *refused, struct ip *hint);

/* keeper_view.c */
struct cell *keeper_cell(const struct keeper_role *k, const struct reg_name *name);
bool keeper_is_listed(const struct keeper_role *k, const struct reg_name *member); /* revoked */
/* A fresh grant: kept when its register is governed, and told. */
void keeper_keep_grant(struct keeper_role *k, const struct reg_name *name,
		       const struct outcome *o);
/* A member that came by this token and is not yet revoked, or revoked but not yet listed. */
bool keeper_find_victim(const struct keeper_role *k, const uint8_t token[32],
			struct reg_name *name, struct member_payload *m);
/* Finishes a revocation that a crash has cut short between the member and the list; one at a time. */
void keeper_repair(struct keeper_role *k);
void keeper_repaired(struct keeper_role *k, const struct change *done, const struct outcome *o);
void keeper_look_at_revocations(struct keeper_role *k);
void keeper_count_again(struct keeper_role *k); /* quotas, after cells were dropped */

#endif
