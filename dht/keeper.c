/* keeper.c - the keeper role: composition of acceptor, proposer, rules and tasks. See keeper.h.
 *
 * Messages from other keepers go to the acceptor (PREPARE, ACCEPT) or the proposer (PROMISE,
 * ACCEPTED), or have to do with the set and its changes (keeper_epoch.c, keeper_change.c,
 * keeper_peers.c); operations of clients become tasks. What the proposer says to its own acceptor
 * takes the same way without a message; an immediate answer waits in the inbox until the call that
 * caused it is unwound, so that nothing re-enters the proposer. */
#include "dht/keeper.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "dht/keeper_impl.h"
#include "dht/regs.h"

#define ENROLS_PER_SECOND 20
#define ENROLS_BURST 200
#define STRANGERS_PER_SECOND 10 /* operations of all who are no members here, together */
#define STRANGERS_BURST 40
#define ELSEWHERE_PER_SECOND 100 /* clients told that it is not us */
#define ELSEWHERE_BURST 400
#define LEADS_PER_SECOND 20 /* chains shown, and asked for */
#define LEADS_BURST 60
#define WRITE_AGAIN SEC(1) /* what failed */
#define LOOK_AGAIN SEC(10)   /* when it could not be looked at */
#define LOOK_AFTER MSEC(500) /* after another keeper's change of the revocation list */

static void random_of(void *ctx, void *out, size_t len)
{
	struct keeper_role *k = ctx;

	k->env.random(k->env.ctx, out, len);
}

static void persist_of(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
		       const uint8_t *value, size_t len)
{
	struct keeper_role *k = ctx;

	k->env.persist(k->env.ctx, op, key, key_len, value, len);
}

static uint64_t counter_of(void *ctx, const struct reg_name *name)
{
	const struct keeper_role *k = ctx;

	return acceptor_promised(&k->acceptor, name).counter;
}

static enum reg_status allowed(void *ctx, const struct change *c, usec_t now)
{
	(void)now;
	return rules_allowed(ctx, c);
}

void keeper_world(struct keeper_role *k, struct change_world *w)
{
	const struct config *cf = k->env.config(k->env.ctx);
	const struct settings *s = k->env.settings(k->env.ctx);

	*w = (struct change_world){ .ctx = k, .room = rules_room, .prune = rules_prune,
				    .root = k->cfg.root, .wall = keeper_wall(k) };
	w->era = cf ? cf->era : 0;
	w->settings = s;
	w->epoch = cf ? cf->epoch : 0;
	w->lease_max = cf && cf->count == 1 ? LEASE_SECONDS_ALONE :
		       s		    ? s->lease :
					      LEASE_SECONDS_MAX;
	if (w->lease_max > LEASE_SECONDS_ALONE) /* what a new era waits for (pool.c) */
		w->lease_max = LEASE_SECONDS_ALONE;
}

static void world_of(void *ctx, struct change_world *w, usec_t now)
{
	(void)now;
	keeper_world(ctx, w);
}

static void valued(void *ctx, struct cell *c, const struct reg_value *old,
		   const struct reg_value *new)
{
	struct keeper_role *k = ctx;

	quota_valued(&k->quota, &c->name, old, new);
}

static void to_ourselves(struct keeper_role *k, const struct regmsg *m)
{
	struct acceptor_reply reply;
	bool at_once = judge_ask(k, &k->cfg.self.pub, m, &reply);
	struct own_answer *own;

	if (!at_once)
		return;
	own = mem_new(sizeof(*own));
	own->msg = reply.msg;
	list_add_tail(&k->inbox, &own->in_inbox);
}

void keeper_message(struct keeper_role *k, const struct pubkey *to, const struct regmsg *m)
{
	size_t room = m->type == REGMSG_CELLS ? REGMSG_BULK_MAX : REGMSG_MAX;
	uint8_t *msg = mem_resize(NULL, room);
	struct regmsg marked = *m;
	size_t n;

	keeper_mark_fill(k, to, &marked);
	n = regmsg_write(msg, room, &marked);
	assert(n);
	k->env.send(k->env.ctx, to, REGS_SERVICE_REGISTER, msg, n);
	free(msg);
}

static void to_member(void *ctx, uint8_t member, const struct regmsg *m, usec_t now)
{
	struct keeper_role *k = ctx;
	const struct config *cf = epoch_config(k);

	(void)now;
	assert(cf);
	if (key_equal(&cf->members[member].node, &k->cfg.self.pub))
		to_ourselves(k, m);
	else
		keeper_message(k, &cf->members[member].node, m);
}

static const struct config *config_now(void *ctx) { return epoch_config(ctx); }

struct keeper_role *keeper_new(const struct keeper_config *cfg, const struct keeper_env *env,
			       usec_t now)
{
	struct keeper_role *k = mem_new(sizeof(*k));
	struct acceptor_env to_acceptor = { k, random_of, persist_of, valued,
					    change_may_follow, judge_copy };
	struct proposer_env to_proposer = { .ctx = k,
					    .random = random_of,
					    .send = to_member,
					    .config = config_now,
					    .counter = counter_of,
					    .allowed = allowed,
					    .world = world_of,
					    .legal = judge_legal,
					    .caught = judge_caught,
					    .done = task_done };
	uint8_t seed[16];

	k->cfg = *cfg;
	k->env = *env;
	k->now = now;
	nsid_of(k->nsid, &cfg->root);
	list_init(&k->inbox);
	acceptor_init(&k->acceptor, &to_acceptor, KEEPER_OP);
	k->acceptor.crypto = cfg->crypto;
	if (cfg->promises)
		k->acceptor.promises.keep = cfg->promises;
	memcpy(k->acceptor.nsid, k->nsid, NSID_LEN);
	proposer_init(&k->proposer, &to_proposer, &cfg->self.pub);
	memcpy(k->proposer.nsid, k->nsid, NSID_LEN);
	k->proposer.crypto = cfg->crypto;
	env->random(env->ctx, seed, sizeof(seed));
	quota_init(&k->quota, seed);
	tasks_init(k, seed);
	judge_init(k);
	limit_init(&k->enrols, ENROLS_PER_SECOND, ENROLS_BURST);
	limit_init(&k->strangers, STRANGERS_PER_SECOND, STRANGERS_BURST);
	limit_init(&k->elsewhere, ELSEWHERE_PER_SECOND, ELSEWHERE_BURST);
	limit_init(&k->leads, LEADS_PER_SECOND, LEADS_BURST);
	k->next_op = KEEPER_OWN_OP;
	k->look_at_revocations = k->write_again = USEC_NEVER;
	k->next_step = k->next_state = k->next_finish = USEC_NEVER;
	return k;
}

void keeper_free(struct keeper_role *k)
{
	struct list *l;

	if (!k)
		return;
	while ((l = list_take(&k->inbox)))
		free(container_of(l, struct own_answer, in_inbox));
	acceptor_fini(&k->acceptor);
	proposer_fini(&k->proposer);
	quota_fini(&k->quota);
	tasks_fini(k);
	free(k->copy);
	reports_free(k->reports);
	free(k->succession);
	free(k->body);
	free(k->marks);
	sodium_memzero(k, sizeof(*k));
	free(k);
}

uint64_t keeper_wall(const struct keeper_role *k) { return wall_seconds(k->cfg.wall, k->now); }

/* R12: a keeper that is not the one the set names, or that has lost its key, is a stranger. */
static bool is_sound(const struct keeper_role *k)
{
	return k->env.settings(k->env.ctx) && !k->own_keys.failed && !k->own_life.failed &&
	       !k->own_mark.failed && epoch_config(k);
}

bool keeper_is_active(const struct keeper_role *k)
{
	return is_sound(k) && (!k->acceptor.sealed || MUTANT(NO_SEAL));
}

bool keeper_enter(struct keeper_role *k, usec_t now)
{
	k->now = now;
	epoch_look(k);
	return keeper_is_active(k);
}

static void hand_over(struct keeper_role *k, const struct regmsg *m)
{
	const struct config *cf = epoch_config(k);
	int self = cf ? config_member(cf, &k->cfg.self.pub) : -1;

	if (self >= 0)
		proposer_input(&k->proposer, (uint8_t)self, m, k->now);
}

void keeper_leave(struct keeper_role *k, usec_t now)
{
	struct list *l;

	k->now = now;
	judge_read_wanted(k);
	while ((l = list_take(&k->inbox))) {
		struct own_answer *own = container_of(l, struct own_answer, in_inbox);

		hand_over(k, &own->msg);
		free(own);
	}
	epoch_look(k);
}

/* Books are kept of members only: strangers may have as many keys as they like. */
static bool is_in_time(struct keeper_role *k, const struct pubkey *from)
{
	struct member_payload m;

	return keeper_member(k, from, &m) ?
		       quota_rate(&k->quota, from, rules_rights(k, from), k->now) :
		       limit_take(&k->strangers, k->now);
}

static void operation_handle(struct keeper_role *k, const struct pubkey *from,
			     const struct regmsg *m)
{
	struct keeper_ask ask = { .from = *from, .request = m->request, .op = m->bytes,
				  .len = m->len };
	struct regmsg busy = { .type = REGMSG_RESULT, .request = m->request, .status = REG_BUSY };

	memcpy(busy.nsid, k->nsid, NSID_LEN);
	if (task_is_asked(k, from, m->request)) /* its owner is not to pay for our slowness */
		return;
	if (!is_in_time(k, from)) {
		drop_add(k->cfg.drops, DROP_RATE);
		keeper_message(k, from, &busy);
	} else if (task_operation(k, TASK_REMOTE, &ask) < 0) {
		drop_add(k->cfg.drops, DROP_FULL);
		keeper_message(k, from, &busy);
	}
}

static void prepare_handle(struct keeper_role *k, const struct pubkey *from,
			   const struct regmsg *m)
{
	struct acceptor_reply reply;

	if (judge_ask(k, from, m, &reply))
		keeper_message(k, &reply.to, &reply.msg);
}

static void accept_handle(struct keeper_role *k, const struct pubkey *from,
			  const struct regmsg *m)
{
	struct acceptor_reply reply;

	if (judge_ask(k, from, m, &reply))
		keeper_message(k, &reply.to, &reply.msg);
	else if (m->name.kind == REG_REVOCATION)
		k->look_at_revocations = k->now + LOOK_AFTER;
}

static void answer_handle(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m)
{
	proposer_input(&k->proposer, (uint8_t)config_member(epoch_config(k), from), m, k->now);
}

enum saying { BY_CLIENT, BY_VOTER, BY_ANYBODY };

static const struct {
	void (*handle)(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m);
	enum saying by; /* whom it is taken from; the handlers of ANYBODY look for themselves */
} messages[REGMSG_TYPE_COUNT] = {
	[REGMSG_OPERATION] = { operation_handle, BY_CLIENT },
	[REGMSG_PREPARE] = { prepare_handle, BY_VOTER },
	[REGMSG_PROMISE] = { answer_handle, BY_VOTER },
	[REGMSG_ACCEPT] = { accept_handle, BY_VOTER },
	[REGMSG_ACCEPTED] = { answer_handle, BY_VOTER },
	[REGMSG_STAND] = { change_stand, BY_ANYBODY },
	[REGMSG_CANDIDATE] = { change_candidate, BY_ANYBODY },
	[REGMSG_PULL] = { copies_pull, BY_ANYBODY },
	[REGMSG_CELLS] = { copies_cells, BY_ANYBODY },
	[REGMSG_STATE] = { peers_state, BY_ANYBODY },
};

/* What is not for the set served here, which may be because one of the two does not know the newest. */
static void misdirected(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m)
{
	struct epoch_at at = { m->ballot.era, m->ballot.epoch };
	const struct config *cf = k->env.config_of(k->env.ctx, at.era, at.epoch);

	drop_add(k->cfg.drops, DROP_UNKNOWN);
	if ((m->type == REGMSG_PREPARE || m->type == REGMSG_ACCEPT) && cf &&
	    config_member(cf, from) >= 0)
		peers_meet(k, from, at);
}

static void not_here(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m)
{
	if (limit_take(&k->elsewhere, k->now))
		task_elsewhere(k, from, m->request);
	else
		drop_add(k->cfg.drops, DROP_RATE);
}

static void message_handle(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m)
{
	const struct config *cf = is_sound(k) ? epoch_config(k) : NULL;
	enum saying by = messages[m->type].by;

	/* From ourselves only by a confused owner: what we say to ourselves never leaves. */
	if (by == BY_CLIENT && !keeper_is_active(k))
		not_here(k, from, m);
	else if (by == BY_VOTER && (!cf || config_member(cf, from) < 0))
		misdirected(k, from, m);
	else if (by != BY_CLIENT && key_equal(from, &k->cfg.self.pub))
		drop_add(k->cfg.drops, DROP_UNKNOWN);
	else
		messages[m->type].handle(k, from, m);
}

void keeper_input(struct keeper_role *k, const struct pubkey *from, const uint8_t *msg, size_t len,
		  usec_t now)
{
	struct regmsg m;

	keeper_enter(k, now);
	if (!regmsg_read(&m, msg, len) || memcmp(m.nsid, k->nsid, NSID_LEN) != 0)
		drop_add(k->cfg.drops, DROP_MALFORMED);
	else if (!messages[m.type].handle)
		drop_add(k->cfg.drops, DROP_UNKNOWN);
	else if (keeper_mark_take(k, from, &m))
		message_handle(k, from, &m);
	keeper_leave(k, now);
}

void keeper_enrol(struct keeper_role *k, const struct keeper_ask *ask, usec_t now)
{
	if (!keeper_enter(k, now))
		return;
	if (!limit_take(&k->enrols, now))
		drop_add(k->cfg.drops, DROP_RATE);
	else if (task_operation(k, TASK_ENROL, ask) < 0)
		drop_add(k->cfg.drops, DROP_FULL);
	keeper_leave(k, now);
}

int keeper_submit_local(struct keeper_role *k, uint64_t request, const uint8_t *op, size_t len,
			usec_t now)
{
	struct keeper_ask ask = { .from = k->cfg.self.pub, .request = request, .op = op,
				  .len = len };
	int rc;

	if (!keeper_enter(k, now))
		return -ENOTCONN;
	rc = task_operation(k, TASK_LOCAL, &ask);
	keeper_leave(k, now);
	return rc;
}

bool keeper_key_failed(const struct keeper_role *k) { return k->own_keys.failed; }

void keeper_turned(struct keeper_role *k, usec_t now)
{
	keeper_enter(k, now);
	epoch_step(k);
	keeper_leave(k, now);
}

static void write_told(struct keeper_role *k, int result)
{
	if (result < 0 && !k->silent)
		log_error(k->cfg.log, "keeper: cannot write its state (error %d): falls silent",
			  -result);
	else if (result == 0 && k->silent)
		log_warn(k->cfg.log, "keeper: can write its state again");
	k->silent = result < 0;
}

static void acceptor_wrote(struct keeper_role *k, uint64_t op, int result)
{
	struct acceptor_reply reply;

	if (result < 0)
		k->write_again = usec_min(k->write_again, k->now + WRITE_AGAIN);
	if (!acceptor_persisted(&k->acceptor, op, result, &reply, k->now) || !is_sound(k))
		return;
	if (key_equal(&reply.to, &k->cfg.self.pub))
		hand_over(k, &reply.msg);
	else
		keeper_message(k, &reply.to, &reply.msg);
}

void keeper_persisted(struct keeper_role *k, uint64_t op, int result, usec_t now)
{
	keeper_enter(k, now);
	write_told(k, result);
	if (op >= KEEPER_OWN_OP)
		keeper_own_persisted(k, op, result);
	else
		acceptor_wrote(k, op, result);
	/* Who installs waits for its last write, and for its mark. */
	if (epoch_standing(k) == STANDING_INSTALLS && acceptor_is_quiet(&k->acceptor))
		epoch_step(k);
	keeper_leave(k, now);
}

void keeper_tick(struct keeper_role *k, usec_t now)
{
	bool active = keeper_enter(k, now);

	if (now >= k->look_at_revocations && !active) /* sealed, or its disk failed: perhaps later */
		k->look_at_revocations = now + LOOK_AGAIN;
	else if (now >= k->look_at_revocations)
		keeper_look_at_revocations(k);
	keeper_own_write_again(k);
	if (now >= epoch_deadline(k))
		epoch_step(k);
	change_step(k);
	if (now >= k->next_state)
		peers_tell(k);
	proposer_tick(&k->proposer, now);
	keeper_leave(k, now);
}

usec_t keeper_deadline(const struct keeper_role *k)
{
	usec_t own = usec_min(k->look_at_revocations, k->write_again);
	usec_t set = usec_min(usec_min(epoch_deadline(k), change_deadline(k)), k->next_state);

	return usec_min(proposer_deadline(&k->proposer), usec_min(own, set));
}
