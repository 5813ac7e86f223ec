/* proposer.h - one keeper's proposals: CASPaxos for n members and quorum Q. Private to dht/. */
#ifndef DHT_PROPOSER_H
#define DHT_PROPOSER_H

#include "base/map.h"
#include "base/timer.h"
#include "dht/change.h"
#include "dht/judge.h"
#include "dht/pace.h"
#include "dht/regmsg.h"

#define PROPOSALS_MAX 4096
#define PROPOSALS_PER_REGISTER_MAX 64 /* one in flight, the others wait */
#define PROPOSAL_TRIES_MAX 5 /* with pauses in between: pace.h x 2^i, full jitter */
#define PROPOSAL_TIMEOUT SEC(5)
#define PROPOSAL_RESEND MSEC(300)

struct outcome {
	enum reg_status status;
	bool same; /* nothing was changed: the old value is the answer */
	struct pubkey holder;
	uint64_t detail;
	const uint8_t *grant; /* or NULL; of a successor: the configuration, proven */
	size_t len;
};

struct proposer_env {
	void *ctx;
	void (*random)(void *ctx, void *out, size_t len);
	/* To member i of the keeper set; its answer comes back as proposer_input, never inside. */
	void (*send)(void *ctx, uint8_t member, const struct regmsg *m, usec_t now);
	const struct config *(*config)(void *ctx); /* the one that votes; NULL: none does now */
	/* The highest counter seen here for this register. */
	uint64_t (*counter)(void *ctx, const struct reg_name *name);
	enum reg_status (*allowed)(void *ctx, const struct change *c, usec_t now);
	void (*world)(void *ctx, struct change_world *w, usec_t now);
	/* Hardened sets: could the one come of the other (NULL: of nothing) by one operation? */
	bool (*legal)(void *ctx, const struct reg_name *name, const struct judge_report *base,
		      const struct judge_report *value);
	/* A member did what honest ones never do; of a register's value. */
	void (*caught)(void *ctx, uint8_t member, const struct reg_name *name,
		       const struct judge_report *value);
	/* May start other proposals. `tag` as given to proposer_start. */
	void (*done)(void *ctx, void *tag, const struct outcome *o, usec_t now);
};

struct proposer {
	struct proposer_env env;
	struct pubkey self;
	const struct crypto *crypto;
	uint8_t nsid[NSID_LEN];
	struct map proposals, lanes;
	struct timers timers;
	struct pace pace;
	uint64_t next_id; /* starts at random, so that no two lives use the same */
};

void proposer_init(struct proposer *p, const struct proposer_env *env, const struct pubkey *self);
void proposer_fini(struct proposer *p);
/* What *c points to must live until env.done. 0 or -EBUSY. */
int proposer_start(struct proposer *p, const struct change *c, void *tag, usec_t now);
/* Ends all with `status`. */
void proposer_abort(struct proposer *p, enum reg_status status, usec_t now);
bool proposer_is_busy(const struct proposer *p, const struct reg_name *name);
/* PROMISE and ACCEPTED from member i. */
void proposer_input(struct proposer *p, uint8_t member, const struct regmsg *m, usec_t now);
void proposer_tick(struct proposer *p, usec_t now);
usec_t proposer_deadline(const struct proposer *p);

#endif
