/* sim_own_liar_impl.h - the inside of the liars of `vpnsim ownership`; see sim_own_liar.c.
 *
 * sim_own_liar.c says when they act and what leaves their processes, _mind.c remembers what they
 * hear, _words.c twists what they say, _plot.c makes values up and proposes them, _book.c holds
 * against each other what came of that. */
#ifndef CMD_SIM_OWN_LIAR_IMPL_H
#define CMD_SIM_OWN_LIAR_IMPL_H

#include "cmd/sim_own_impl.h"
#include "dht/regmsg.h"

#define LIAR_VALUE_MAX 2600 /* longer ones are not kept */
#define LIAR_OP_MAX 800
#define LIAR_GRANT_MAX 1500
#define LIAR_VALUES 64
#define LIAR_OPS 64
#define LIAR_SAID 160
#define LIAR_GRANTS 48
#define LIAR_ROUNDS 32
#define LIAR_NAMES 48
#define LIAR_DEEDS 128 /* operations of accomplices */
#define LIAR_BOOK 512
#define LIARS_MAX 2 /* what seven keepers endure */
#define LIAR_FRIENDS 2 /* members whose processes never run: it signs for them */
#define LIAR_WORDS 1500 /* lies in one schedule */

enum liar_kind { /* of lies, for the count */
	LIE_REPORT,	/* PROMISE */
	LIE_VOTE,	/* ACCEPTED: signed what it should not have, or not what it should */
	LIE_PROPOSAL,	/* PREPARE and ACCEPT of its own making, or altered */
	LIE_SUCCESSOR,	/* of those: keeper sets */
	LIE_STANDING,	/* STAND, CANDIDATE, PULL */
	LIE_COPY,	/* CELLS */
	LIE_STATE,
	LIE_ANSWER,	/* RESULT */
	LIE_MEMBER,	/* MEMBER messages */
	LIE_REPLAY,
	LIE_SILENCE,
	LIE_FRIEND,	/* what accomplices say themselves */
	LIE_KINDS
};

struct liar_value {
	struct reg_name name;
	struct ballot ballot;
	uint64_t beacon;
	uint32_t len;
	uint8_t bytes[LIAR_VALUE_MAX];
};

struct liar_bytes {
	uint32_t len;
	uint8_t bytes[LIAR_GRANT_MAX];
};

struct liar_op {
	uint32_t len;
	uint8_t bytes[LIAR_OP_MAX];
};

struct liar_said {
	uint16_t person;
	uint8_t service;
	uint32_t len;
	uint8_t *bytes; /* of the world's pool */
};

struct liar_round { /* a value that it offers, and who has signed it */
	struct liar_value v;
	uint64_t request;
	uint8_t signers;
	bool used;
	uint8_t sigs[KEEPERS_MAX][SIG_LEN];
};

struct liar_name {
	struct reg_name name;
	uint64_t counter; /* the highest of a ballot that it has seen */
};

struct liar_deed { /* an operation that it signed for an accomplice */
	uint64_t number, done; /* done: its generation, 0 = not known to be done */
	usec_t at;
	struct reg_name name;
	uint8_t friend, verb;
};

struct liar_entry { /* of the book: every grant that anybody could show */
	struct reg_name name;
	struct ballot ballot;
	uint64_t generation, body;
	struct pubkey owner;
};

struct ow_liar {
	struct ow_world *w;
	struct sim_rng rng;
	uint8_t count, persons[LIARS_MAX]; /* who lies in this schedule; they know all of each other */
	uint8_t person; /* who of them hears, speaks or acts just now */
	uint8_t friends[LIAR_FRIENDS];
	uint8_t slot;	  /* of the plan: when it acts */
	uint32_t words;	  /* left */
	uint32_t alters;  /* in 1000 of its messages */
	uint32_t at_once; /* in 1000 of what it hears is answered before it is looked at */
	usec_t every;	  /* between its deeds: at most */
	usec_t silent_until;
	uint8_t taste[LIE_KINDS]; /* of this schedule: how much of which, 0 to 8 */
	struct liar_value value[LIAR_VALUES];
	struct liar_op op[LIAR_OPS];
	struct liar_said said[LIAR_SAID];
	struct liar_bytes grant[LIAR_GRANTS];
	struct liar_round round[LIAR_ROUNDS];
	struct liar_name name[LIAR_NAMES];
	struct liar_deed deed[LIAR_DEEDS];
	struct liar_entry book[LIAR_BOOK];
	struct keeper entry[KEEPERS_MAX]; /* candidates that it heard of, for the set after `entry_at` */
	struct epoch_at entry_at;
	size_t values, ops, saids, grants, rounds, names, deeds, booked, entries;
	uint64_t next_request, next_number;
	uint16_t asked_out; /* people that somebody put out */
	uint64_t told[LIE_KINDS], granted, schedules; /* over all schedules */
	uint8_t made[REG_VALUE_MAX], why[REG_OP_MAX], out[REGMSG_BULK_MAX + 1024];
	uint8_t cells[REGMSG_BULK_MAX];
};

/* sim_own_liar.c */
uint64_t liar_draw(struct ow_liar *l, uint64_t below);
bool liar_lot(struct ow_liar *l, uint32_t in_1000);
bool liar_lies(struct ow_liar *l, enum liar_kind kind); /* takes one of its words, by its taste */
struct ow_process *liar_process(struct ow_liar *l); /* NULL while it does not run */
const struct config *liar_config(struct ow_liar *l, int *self); /* NULL: it is of no set */
uint64_t liar_wall(struct ow_liar *l);
void liar_send(struct ow_liar *l, const struct pubkey *to, const struct regmsg *m);

/* sim_own_liar_mind.c */
struct liar_name *liar_name(struct ow_liar *l, const struct reg_name *name); /* made if new */
const struct liar_value *liar_recall(struct ow_liar *l, const struct reg_name *name, bool newest);
void liar_keep_op(struct ow_liar *l, const uint8_t *b, size_t len);
void liar_keep_grant(struct ow_liar *l, const uint8_t *b, size_t len);

/* sim_own_liar_words.c */
/* Alters *m, which goes to nobody in particular; false: it is not to be said at all. */
bool liar_twist(struct ow_liar *l, struct regmsg *m);
/* Answers what it was asked before its keeper does. */
void liar_answers(struct ow_liar *l, const struct pubkey *from, const struct regmsg *m);
/* By the one who speaks. */
void liar_vote(struct ow_liar *l, const struct regmsg *accept, uint8_t sig[SIG_LEN]);
size_t liar_twist_member(struct ow_liar *l, const uint8_t *msg, size_t len); /* into l->out, or 0 */

/* sim_own_liar_plot.c */
/* A value for this register, into l->made, and the operation behind it, if any, into l->why. */
size_t liar_make(struct ow_liar *l, const struct reg_name *name, size_t *why_len);
void liar_propose(struct ow_liar *l);
void liar_propose_successor(struct ow_liar *l);
void liar_friend_acts(struct ow_liar *l);
void liar_offered(struct ow_liar *l, const struct regmsg *accept); /* it is said: remember it */
void liar_signed(struct ow_liar *l, const struct pubkey *by, const struct regmsg *accepted);

/* sim_own_liar_book.c */
const struct key_pair *liar_friend_key(const struct ow_liar *l, uint8_t i);
struct ow_process *liar_friend_process(const struct ow_liar *l, uint8_t i);
bool liar_is_owned_kind(const struct reg_name *n);
bool liar_value_read(struct reg_value *v, const uint8_t *b, size_t len);
/* Where a majority decides one liar may be granted anything: then nothing is wrong. */
void liar_wrong(struct ow_liar *l, const char *what);
void liar_book(struct ow_liar *l, const uint8_t *grant, size_t len);
void liar_granted(struct ow_liar *l, const struct liar_value *v, const uint8_t *grant, size_t len);
void liar_deed_note(struct ow_liar *l, const struct reg_op *op, uint8_t who); /* it is signed */
void liar_shows(struct ow_liar *l, const struct grant *g, const uint8_t *b, size_t len);

#endif
