/* regs_impl.h - what the files behind regs.h share. Not for others.
 *
 * facts.c owns what is known (and its durable copies), client.c the operations under way, member.c
 * the joiner's and member's side of section 9, serve.c the keeper's side, create.c the making of a
 * namespace; regs.c puts them together with the keeper role (keeper.h). */
#ifndef DHT_REGS_IMPL_H
#define DHT_REGS_IMPL_H

#include "base/limit.h"
#include "base/map.h"
#include "base/timer.h"
#include "dht/chain.h"
#include "dht/keeper.h"
#include "dht/membermsg.h"
#include "dht/bundle.h"
#include "dht/regmsg.h"
#include "dht/regs.h"

#define TRUSTED_MAX 8

enum fact {
	FACT_CONFIG,
	FACT_SETTINGS,
	FACT_SECRETS,
	FACT_MEMBERSHIP,
	FACT_REVOCATIONS,
	FACT_NUMBERS,
	FACT_COUNT
};

struct fact_disk { /* versions count changes; 0 = never set */
	uint64_t version, durable, writing;
	uint64_t op; /* of the write under way, 0 = none */
	usec_t since;
};

/* Each is as long as it must be: a node that has little to know is small. */
struct facts {
	struct config *config;	   /* NULL = none yet; ends after the last member, then its bytes */
	struct chain *chain;	   /* those before it; NULL = none */
	struct seek *seek;	   /* what lies between is being asked for; NULL = nothing missing */
	usec_t seek_again;	   /* after one that found nothing */
	struct settings *settings; /* NULL = none yet, with settings_bytes; ends after the last admin */
	uint8_t *settings_bytes;
	size_t settings_len;
	struct regs_secret secrets[2]; /* newest first */
	size_t secret_count;
	uint64_t rotated;      /* wall seconds when the newest secret came here */
	uint64_t rotated_for; /* number of the revocation list that the newest secret follows */
	uint8_t *membership; /* NULL = none yet */
	size_t membership_len;
	struct ballot membership_ballot;
	uint64_t member_serial; /* of the membership */
	bool member_revoked;
	uint8_t *revocations; /* NULL = none yet, with revoked */
	size_t revocations_len;
	struct revocation_payload *revoked;
	uint32_t rumoured; /* highest era that a hint told of, proven or not */
	bool told_revoked; /* REGS_REVOKED_SELF went out */
	bool forked; /* the newest has a rival, or one before it in its era */
	bool config_proven; /* by its predecessor or the root, else by a hash that is trusted */
	struct fact_disk disk[FACT_COUNT];
	uint64_t last_op;
	struct timer timer;
};

/* Which keepers of the set with this (era, epoch) have refused, and how: one liar's word ends nothing. */
struct refusals {
	uint32_t era, epoch;
	uint8_t by[REG_STATUS_COUNT]; /* bits, by index */
};

struct client_op {
	uint64_t id; /* the owner's name for it */
	bool internal; /* of create.c */
	struct reg_name name;
	uint8_t verb;
	uint64_t number, request;
	struct pubkey signer, heir;
	uint8_t *bytes;
	size_t len;
	unsigned tries, busy;
	uint8_t asked, last; /* keepers by index: bits of this round, the last one */
	struct refusals refused;
	usec_t first[KEEPERS_MAX]; /* when each was asked first; 0 = not yet */
	bool waits, foreign; /* for an answer; signed by somebody else */
	usec_t deadline, sent;
	struct regs *of;
	struct timer timer;
	usec_t next;
};

struct client {
	struct client_op **op;
	size_t count, places; /* at most REGS_OPS_MAX */
	uint64_t next;	  /* operation number */
	uint64_t reserved; /* numbers below may be used once this is durable ... */
	uint64_t writing, safe; /* ... as they may below `safe` */
	size_t prefer;	   /* keeper that answered last */
	uint8_t silent;	   /* keepers that did not, by index: bits, until ... */
	usec_t silent_until;
	usec_t usual; /* time of an answer */
	struct client_load *load; /* NULL while nothing is under way */
	struct marks *marks; /* how far keepers' logs had come */
};

struct enrol { /* while a token is being used */
	struct regs *of;
	bool done; /* waits for the disk */
	uint64_t op, number, request;
	uint8_t *bytes; /* the message */
	size_t len;
	unsigned tries;
	usec_t deadline, next;
	enum reg_status last;
	struct refusals refused;
	struct timer timer;
};

struct sync {
	uint64_t request; /* unanswered, 0 = none */
	unsigned tries;
	struct timer timer;
};

struct peer { /* attached */
	struct pubkey key;
	struct member_held held; /* what it said last */
	unsigned tries;		 /* UPDATEs sent since anything changed */
	usec_t next;		 /* of the next push, USEC_NEVER = it has everything */
};

struct create { /* while a namespace is being made */
	struct regs *of;
	bool asked;
	unsigned tries;
	struct key_pair root;
	char host[MEMBER_HOST_MAX + 1];
	struct timer timer;
};

struct regs {
	struct regs_config cfg;
	struct regs_env env;
	uint8_t nsid[NSID_LEN];
	usec_t now; /* of the entry that runs, for callbacks of the keeper */
	bool started;
	struct timers timers;
	struct bundles *bundles; /* what leaves at the next tick, which is due at once */
	struct facts facts;
	bool has_trust;
	struct checkpoint trust;
	struct pubkey *trusted; /* of trusted_count keepers, at most TRUSTED_MAX; NULL when none */
	size_t trusted_count;
	struct keeper_role *keeper; /* NULL until needed */
	struct witness *witness;    /* likewise */
	struct seats *seats;	    /* who should be keeper; NULL unless we are one; seats.c */
	struct client client;
	struct enrol *enrol; /* NULL: none under way */
	struct sync sync;
	struct create *create; /* NULL = none under way */
	struct map peers;
	struct limit enrol_limit, sync_limit;
	struct bucket chain_bucket;
	usec_t sync_asked; /* last regs_sync; 0 = never */
	struct timer push_timer;
	bool push_all, updated; /* found during a keeper's callback, done after it */
};

/* regs.c */
struct keeper_role *regs_keeper(struct regs *r); /* makes it when there is none */
bool regs_judges(const struct regs *r);		 /* we are a working keeper */
void regs_settle(struct regs *r, usec_t now);	 /* after every call into the keeper or the facts */
void regs_tell(struct regs *r, const struct regs_event *e);
void regs_send(struct regs *r, const struct pubkey *to, const uint8_t *msg, size_t len);
uint64_t regs_random64(const struct regs *r);
usec_t regs_jitter(const struct regs *r, usec_t below);

/* regs_witness.c: a grant that has verified; false = refused for what was seen before */
bool regs_believe(struct regs *r, const struct grant *g, const uint8_t *b, size_t len);
void regs_report(struct regs *r, const struct evidence *e); /* one liar or none; no grants */

/* facts.c; facts_store.c: each take verifies, keeps what is newer and writes it; true = kept */
void facts_init(struct regs *r);
void facts_fini(struct regs *r);
bool facts_restore(struct regs *r, const uint8_t *key, size_t key_len, const uint8_t *value,
		   size_t len);
bool facts_take_settings(struct regs *r, const uint8_t *b, size_t len);
bool facts_take_secrets(struct regs *r, const struct regs_secret *s, size_t count, usec_t now);
bool facts_take_membership(struct regs *r, const uint8_t *b, size_t len);
bool facts_take_revocations(struct regs *r, const uint8_t *b, size_t len);
/* Form, and signatures of a quorum of the keeper set of its own epoch. */
bool facts_check(const struct regs *r, struct grant *g, const uint8_t *b, size_t len);
/* Verified likewise, and about this register. */
bool facts_verify(const struct regs *r, struct grant *g, const struct reg_name *name,
		  const uint8_t *b, size_t len);
bool facts_set_membership(struct regs *r, const struct grant *g, const uint8_t *b, size_t len);
bool facts_set_revocations(struct regs *r, const struct grant *g, const uint8_t *b, size_t len);
/* Without judging and without writing. */
void facts_keep_settings(struct regs *r, const struct settings *s, const uint8_t *b, size_t len);
void facts_write(struct regs *r, enum fact f);
void facts_persisted(struct regs *r, uint64_t op, int result, usec_t now);
bool facts_durable(const struct regs *r); /* everything */
struct member_held facts_held(const struct regs *r);

/* facts_chain.c: configurations. Shown by `from`, or by nobody in particular (NULL): what is newer
 * than ours without following it makes us ask for what lies between. True = the newest changed. */
bool facts_take_config(struct regs *r, const struct pubkey *from, const uint8_t *b, size_t len);
void facts_own_config(struct regs *r, const struct config *c); /* a genesis of ours */
struct chain_view facts_chain(const struct regs *r);
bool facts_config_durable(const struct regs *r); /* the newest */
const struct config *facts_config_of(const struct regs *r, uint32_t era, uint32_t epoch);
bool facts_chain_restore(struct regs *r, const uint8_t *key, size_t key_len, const uint8_t *value,
			 size_t len);
void facts_chain_started(struct regs *r); /* after the last */
bool facts_chain_persisted(struct regs *r, uint64_t op, int result); /* true = it was ours */
void facts_chain_write(struct regs *r); /* what is not on disk and not on its way */
bool facts_chain_durable(const struct regs *r);
void facts_chain_fini(struct regs *r);

/* seek.c: asking for what is missing of the chain, and answering who asks. */
struct seek_want {
	bool below; /* the oldest that is held, else above the newest */
	uint32_t era, epoch; /* until this one is held */
	bool other_genesis;  /* ... or tried: a genesis of our own era that is not ours */
};
/* Asks `from` (may be NULL), then the keepers known. At most one at a time. */
void seek_begin(struct regs *r, const struct seek_want *want, const struct pubkey *from, usec_t now);
void seek_chain(struct regs *r, const struct pubkey *from, const struct membermsg *m, usec_t now);
void seek_serve(struct regs *r, const struct pubkey *from, const struct membermsg *m, usec_t now);
/* Sends up to CHAIN_SHOWN configurations after (era, epoch), asked or not. */
void seek_tell(struct regs *r, const struct pubkey *to, uint32_t era, uint32_t epoch);
void seek_fini(struct regs *r);

/* restore.c: from one era to the next */
void restore_shown(struct regs *r, const struct pubkey *from, const struct membermsg *m, usec_t now);
/* Before a SYNC with a keeper of an era in which we are not registered yet: shows what we have. */
void restore_show(struct regs *r, const struct pubkey *to);
/* A member knows a later secret than the backup that this era began with. */
void restore_secret(struct regs *r, const struct pubkey *from, uint32_t number, usec_t now);
/* Our membership is of an older era than the keepers. */
bool restore_is_due(const struct regs *r);

/* client.c */
void client_init(struct regs *r);
void client_fini(struct regs *r);
void client_started(struct regs *r, usec_t now);
struct client_ask {
	uint64_t id;
	bool internal;
	const struct reg_op *req;
	const struct key_pair *signer;
};
int client_submit(struct regs *r, const struct client_ask *ask, usec_t now);
int client_submit_signed(struct regs *r, uint64_t id, const uint8_t *bytes, size_t len, usec_t now);
int client_sign(struct regs *r, struct reg_op *op, uint8_t out[REG_OP_MAX]); /* len, -EAGAIN, -EINVAL */
uint64_t client_number(struct regs *r);
void client_numbers_safe(struct regs *r, usec_t now);
void client_result(struct regs *r, const struct pubkey *from, const struct regmsg *m, usec_t now);
void client_local_result(struct regs *r, uint64_t request, const struct keeper_answer *a,
			 usec_t now);
/* The keeper to ask at the given try; ourselves when we judge. NULL when none is known. */
const struct pubkey *client_keeper(const struct regs *r, unsigned try);
/* Member `k` of `cf` refuses as well: it counts when so many have said the same that one of them does
 * not lie. */
enum refusal { REFUSAL_COUNTS, REFUSAL_NEW, REFUSAL_REPEATED };
enum refusal client_refused(struct refusals *f, const struct config *cf, size_t k,
			    enum reg_status why);

/* handover.c */
enum { REGMSG_HANDOVER = 14, REGMSG_HANDED = 15 }; /* never inside regmsg_read */
bool handover_input(struct regs *r, const struct pubkey *from, const uint8_t *msg, size_t len,
		    usec_t now); /* false = not one of these messages */

/* member.c */
void member_init(struct regs *r);
void member_fini(struct regs *r);
void member_started(struct regs *r, usec_t now);
void member_sync(struct regs *r, const struct pubkey *to, usec_t now);
void member_settle(struct regs *r, usec_t now); /* an enrolment whose facts are durable is over */
void member_enrolled(struct regs *r, const struct pubkey *from, const struct membermsg *m,
		     usec_t now);
void member_update(struct regs *r, const struct pubkey *from, const struct membermsg *m,
		   usec_t now);
void member_chain_grew(struct regs *r, const struct pubkey *from, usec_t now);
void member_check_revoked(struct regs *r, bool told);
void member_tell(struct regs *r, usec_t now); /* keepers may be others: they should know of us */

/* serve.c */
void serve_init(struct regs *r);
void serve_fini(struct regs *r);
void serve_enrol(struct regs *r, const struct pubkey *from, const struct membermsg *m, usec_t now);
void serve_sync(struct regs *r, const struct pubkey *from, const struct membermsg *m, usec_t now);
void serve_enrolled(struct regs *r, const struct pubkey *to, uint64_t request,
		    const struct keeper_answer *a);
void serve_changed(struct regs *r, const struct reg_name *name, const uint8_t *grant, size_t len);
void serve_push_all(struct regs *r, usec_t now);
void serve_attached(struct regs *r, const struct pubkey *peer, usec_t now);
void serve_gone(struct regs *r, const struct pubkey *peer);
/* Makes a new secret after a revocation, at most daily, and retires the one before after 48 h. */
void serve_secrets(struct regs *r, usec_t now);
struct peer *serve_peer(const struct regs *r, const struct pubkey *key);

/* seats.c */
void seats_settle(struct regs *r, usec_t now);
bool seats_restore(struct regs *r, const uint8_t *key, size_t key_len, const uint8_t *value,
		   size_t len);
void seats_fini(struct regs *r);
void seats_member_changed(struct regs *r); /* some member's register has */
void seats_heard(struct regs *r, const struct pubkey *from, usec_t now);
bool seats_is_candidate(const struct regs *r); /* we may become a keeper */

/* create.c */
void create_begin(struct regs *r, const struct key_pair *root, const char *host, usec_t now);
void create_settle(struct regs *r, usec_t now);
void create_result(struct regs *r, enum reg_status status, const uint8_t *grant, size_t len,
		   usec_t now);
void create_fini(struct regs *r);

#endif
