/* keeper.c - the keeper role: composition of acceptor, proposer, rules and tasks. See keeper.h.
 *
 * Messages from other keepers go to the acceptor (PREPARE, ACCEPT) or the proposer (PROMISE,
 * ACCEPTED); operations of clients become tasks. What the proposer says to its own acceptor takes
 * the same way without a message; an immediate refusal waits in the inbox until the call that
 * caused it is unwound, so that nothing re-enters the proposer. */
#include "dht/keeper.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dht/keeper_impl.h"
#include "dht/regs.h"

#define ENROLS_PER_SECOND 20
#define ENROLS_BURST 200
#define STRANGERS_PER_SECOND 10 /* operations of all who are no members here, together */
#define STRANGERS_BURST 40
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
	const struct cell *c = keeper_cell(ctx, name);

	return c ? c->promised.counter : 0;
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
	w->lease_max = cf && cf->count == 1 ? LEASE_SECONDS_ALONE :
		       s		    ? s->lease :
					      LEASE_SECONDS_MAX;
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
	bool refused = m->type == REGMSG_PREPARE ?
			       acceptor_prepare(&k->acceptor, &k->cfg.self.pub, m, &reply, k->now) :
			       acceptor_accept(&k->acceptor, &k->cfg.self.pub, m, &reply, k->now);
	struct own_refusal *own;

	if (!refused)
		return;
	own = mem_new(sizeof(*own));
	own->msg = reply.msg;
	list_add_tail(&k->inbox, &own->in_inbox);
}

static void message_send(struct keeper_role *k, const struct pubkey *to, const struct regmsg *m)
{
	uint8_t msg[REGMSG_MAX];
	size_t n = regmsg_write(msg, sizeof(msg), m);

	assert(n);
	k->env.send(k->env.ctx, to, REGS_SERVICE_REGISTER, msg, n);
}

static void to_member(void *ctx, uint8_t member, const struct regmsg *m, usec_t now)
{
	struct keeper_role *k = ctx;
	const struct config *cf = k->env.config(k->env.ctx);

	(void)now;
	if (key_equal(&cf->members[member].node, &k->cfg.self.pub))
		to_ourselves(k, m);
	else
		message_send(k, &cf->members[member].node, m);
}

static const struct config *config_now(void *ctx)
{
	struct keeper_role *k = ctx;

	return k->env.config(k->env.ctx);
}

struct keeper_role *keeper_new(const struct keeper_config *cfg, const struct keeper_env *env,
			       usec_t now)
{
	struct keeper_role *k = mem_new(sizeof(*k));
	struct acceptor_env to_acceptor = { k, random_of, persist_of, valued };
	struct proposer_env to_proposer = { .ctx = k,
					    .random = random_of,
					    .send = to_member,
					    .config = config_now,
					    .counter = counter_of,
					    .allowed = allowed,
					    .world = world_of,
					    .done = task_done };
	uint8_t seed[16];

	k->cfg = *cfg;
	k->env = *env;
	k->now = now;
	nsid_of(k->nsid, &cfg->root);
	list_init(&k->inbox);
	acceptor_init(&k->acceptor, &to_acceptor, KEEPER_OP);
	k->acceptor.crypto = cfg->crypto;
	memcpy(k->acceptor.nsid, k->nsid, NSID_LEN);
	proposer_init(&k->proposer, &to_proposer, &cfg->self.pub);
	memcpy(k->proposer.nsid, k->nsid, NSID_LEN);
	env->random(env->ctx, seed, sizeof(seed));
	quota_init(&k->quota, seed);
	tasks_init(k, seed);
	limit_init(&k->enrols, ENROLS_PER_SECOND, ENROLS_BURST);
	limit_init(&k->strangers, STRANGERS_PER_SECOND, STRANGERS_BURST);
	k->next_op = KEEPER_OWN_OP;
	k->look_at_revocations = k->write_again = USEC_NEVER;
	return k;
}

void keeper_free(struct keeper_role *k)
{
	struct list *l;

	if (!k)
		return;
	while ((l = list_take(&k->inbox)))
		free(container_of(l, struct own_refusal, in_inbox));
	acceptor_fini(&k->acceptor);
	proposer_fini(&k->proposer);
	quota_fini(&k->quota);
	tasks_fini(k);
	sodium_memzero(&k->cfg.self, sizeof(k->cfg.self));
	free(k);
}

uint64_t keeper_wall(const struct keeper_role *k) { return wall_seconds(k->cfg.wall, k->now); }

/* R12: a keeper that is not the one the set names, or that has lost its key, is a stranger. */
bool keeper_is_active(const struct keeper_role *k)
{
	const struct config *cf = k->env.config(k->env.ctx);
	int at = cf ? config_member(cf, &k->cfg.self.pub) : -1;
	const struct keeper *m = at < 0 ? NULL : &cf->members[at];

	return m && k->env.settings(k->env.ctx) && k->has_key && !k->own_key.failed &&
	       !k->own_life.failed && k->key_era == cf->era && k->key_epoch == cf->epoch &&
	       m->incarnation == k->incarnation &&
	       key_equal(&m->epoch_key, &k->acceptor.epoch_key.pub);
}

bool keeper_enter(struct keeper_role *k, usec_t now)
{
	k->now = now;
	k->acceptor.era = k->key_era;
	k->acceptor.epoch = k->key_epoch;
	return keeper_is_active(k);
}

static void hand_over(struct keeper_role *k, const struct regmsg *m)
{
	const struct config *cf = k->env.config(k->env.ctx);
	int self = cf ? config_member(cf, &k->cfg.self.pub) : -1;

	if (self >= 0)
		proposer_input(&k->proposer, (uint8_t)self, m, k->now);
}

void keeper_leave(struct keeper_role *k, usec_t now)
{
	struct list *l;

	k->now = now;
	while ((l = list_take(&k->inbox))) {
		struct own_refusal *own = container_of(l, struct own_refusal, in_inbox);

		hand_over(k, &own->msg);
		free(own);
	}
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
	if (!is_in_time(k, from)) {
		drop_add(&k->drops, DROP_RATE);
		message_send(k, from, &busy);
	} else if (task_operation(k, TASK_REMOTE, &ask) < 0) {
		drop_add(&k->drops, DROP_FULL);
		message_send(k, from, &busy);
	}
}

static void prepare_handle(struct keeper_role *k, const struct pubkey *from,
			   const struct regmsg *m)
{
	struct acceptor_reply reply;

	if (acceptor_prepare(&k->acceptor, from, m, &reply, k->now))
		message_send(k, &reply.to, &reply.msg);
}

static void accept_handle(struct keeper_role *k, const struct pubkey *from,
			  const struct regmsg *m)
{
	struct acceptor_reply reply;

	if (acceptor_accept(&k->acceptor, from, m, &reply, k->now))
		message_send(k, &reply.to, &reply.msg);
	else if (m->name.kind == REG_REVOCATION)
		k->look_at_revocations = k->now + LOOK_AFTER;
}

static void answer_handle(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m)
{
	const struct config *cf = k->env.config(k->env.ctx);

	proposer_input(&k->proposer, (uint8_t)config_member(cf, from), m, k->now);
}

static const struct {
	void (*handle)(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m);
	bool from_keepers;
} messages[REGMSG_TYPE_COUNT] = {
	[REGMSG_OPERATION] = { operation_handle, false },
	[REGMSG_PREPARE] = { prepare_handle, true },
	[REGMSG_PROMISE] = { answer_handle, true },
	[REGMSG_ACCEPT] = { accept_handle, true },
	[REGMSG_ACCEPTED] = { answer_handle, true },
};

/* From ourselves only by a confused owner: what we say to ourselves never leaves. */
static bool may_say(const struct keeper_role *k, const struct pubkey *from, uint8_t type)
{
	const struct config *cf = k->env.config(k->env.ctx);

	return !messages[type].from_keepers ||
	       (config_member(cf, from) >= 0 && !key_equal(from, &k->cfg.self.pub));
}

void keeper_input(struct keeper_role *k, const struct pubkey *from, const uint8_t *msg, size_t len,
		  usec_t now)
{
	struct regmsg m;

	if (!keeper_enter(k, now))
		return;
	if (!regmsg_read(&m, msg, len) || memcmp(m.nsid, k->nsid, NSID_LEN) != 0)
		drop_add(&k->drops, DROP_MALFORMED);
	else if (!messages[m.type].handle || !may_say(k, from, m.type))
		drop_add(&k->drops, DROP_UNKNOWN);
	else
		messages[m.type].handle(k, from, &m);
	keeper_leave(k, now);
}

void keeper_enrol(struct keeper_role *k, const struct keeper_ask *ask, usec_t now)
{
	if (!keeper_enter(k, now))
		return;
	if (!limit_take(&k->enrols, now))
		drop_add(&k->drops, DROP_RATE);
	else if (task_operation(k, TASK_ENROL, ask) < 0)
		drop_add(&k->drops, DROP_FULL);
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

bool keeper_key_failed(const struct keeper_role *k) { return k->own_key.failed; }

void keeper_persisted(struct keeper_role *k, uint64_t op, int result, usec_t now)
{
	struct acceptor_reply reply;
	bool active = keeper_enter(k, now);

	if (result < 0 && !k->silent)
		log_error(k->cfg.log, "keeper: cannot write its state (error %d): falls silent",
			  -result);
	else if (result == 0 && k->silent)
		log_warn(k->cfg.log, "keeper: can write its state again");
	k->silent = result < 0;
	if (op >= KEEPER_OWN_OP)
		keeper_own_persisted(k, op, result);
	else if (acceptor_persisted(&k->acceptor, op, result, &reply, now) && active) {
		if (key_equal(&reply.to, &k->cfg.self.pub))
			hand_over(k, &reply.msg);
		else
			message_send(k, &reply.to, &reply.msg);
	}
	keeper_leave(k, now);
}

void keeper_tick(struct keeper_role *k, usec_t now)
{
	const uint8_t *grant;

	if (keeper_enter(k, now) && now >= k->look_at_revocations) {
		k->look_at_revocations = USEC_NEVER;
		keeper_revocation_grant(k, &grant, now);
	}
	keeper_own_write_again(k);
	proposer_tick(&k->proposer, now);
	keeper_leave(k, now);
}

usec_t keeper_deadline(const struct keeper_role *k)
{
	return usec_min(proposer_deadline(&k->proposer),
			usec_min(k->look_at_revocations, k->write_again));
}
