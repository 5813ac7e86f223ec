/* keeper_change.c - changing the keeper set, at its coordinator and at those who stand for it.
 *
 * The coordinator's states: succession.c. A node that is asked to stand by a member of the newest set
 * makes a key for the next epoch, and answers when that is durable: from then on the configuration may
 * name it at any time, and its silence would cost the new set a member. It takes STANDs of its own
 * epoch only, and none while its registers of an older one may still be asked for. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dht/judge.h"
#include "dht/keeper_impl.h"

#define PLANNED SEC(10) /* how long one STAND counts */
#define PLANS_MOST (SUCCESSION_MAX + MINUTES(1)) /* of one member, before others have their turn */
#define PLANS_DRAIN 16 /* then one part in so many */

static const struct config *newest(const struct keeper_role *k)
{
	return k->env.config(k->env.ctx);
}

bool change_may_follow(void *ctx, const uint8_t *body, size_t len)
{
	const struct keeper_role *k = ctx;
	struct config next;

	return len <= CONFIG_BODY_MAX &&
	       config_body_read(&next, body, len, newest(k), k->cfg.crypto);
}

/* --- proposing --- */

void change_propose(struct keeper_role *k, const uint8_t *body, size_t len)
{
	struct change c = { .verb = OP_SUCCEED, .body_len = len,
			    .name = acceptor_successor(k->acceptor.era, k->acceptor.epoch) };

	if (k->body)
		return;
	c.body = k->body = mem_copy(body, len);
	if (task_internal(k, &c) == 0)
		return;
	free(k->body);
	k->body = NULL;
}

/* The proof is everybody's business: those who voted, and those who are named. */
void change_over(struct keeper_role *k, enum reg_status status, const struct outcome *o)
{
	struct epoch_at before = k->seen;

	free(k->body);
	k->body = NULL;
	if (status != REG_OK || !o->len)
		return;
	k->env.chosen(k->env.ctx, o->grant, o->len);
	epoch_look(k);
	for (size_t i = 0; !epoch_is(k->seen, before) && i < k->peer_count; i++)
		k->env.lead(k->env.ctx, &k->peers[i].node, before.era, before.epoch);
}

/* --- coordinating --- */

static bool has_lost(struct keeper_role *k, const struct keeper_set *want)
{
	const struct config *cf = newest(k);

	for (size_t i = 0; i < want->count && i < KEEPERS_MAX; i++) {
		const struct keeper_peer *p = peers_find(k, &want->node[i]);
		int at = config_member(cf, &want->node[i]);

		if (p && p->heard && at >= 0 &&
		    p->state.incarnation != cf->members[at].incarnation)
			return true;
	}
	return false;
}

bool keeper_is_changing(const struct keeper_role *k)
{
	return k->succession || k->body || k->acceptor.sealed || k->now < k->planned_until;
}

int keeper_change(struct keeper_role *k, const struct keeper_set *want, usec_t now)
{
	struct keeper_set set = *want;
	int err;

	if (!keeper_enter(k, now))
		return -EPERM;
	if (keeper_is_changing(k))
		return -EBUSY;
	err = succession_check(&set, newest(k), has_lost(k, want));
	if (err)
		return err;
	k->succession = succession_new(&set, k->cfg.crypto, now);
	change_step(k);
	keeper_leave(k, now);
	return 0;
}

static void succession_end(struct keeper_role *k)
{
	free(k->succession);
	k->succession = NULL;
}

/* An honest coordinator is done within SUCCESSION_MAX, mostly in seconds. */
static bool may_plan(struct keeper_role *k, int by)
{
	struct plan_time *p = &k->plans[by];
	usec_t drained = (k->now - p->seen) / PLANS_DRAIN;

	p->spent -= usec_min(p->spent, drained);
	p->seen = k->now;
	if (p->spent >= PLANS_MOST)
		return false;
	p->spent += k->now + PLANNED - (p->until > k->now ? p->until : k->now);
	p->until = k->now + PLANNED;
	return true;
}

/* Two coordinators at once would take each other's candidates from copying for ever: the first of
 * them by index goes on, the other gives up. False: it is this one. */
static bool plan(struct keeper_role *k, int by, const struct pubkey *nodes, size_t count)
{
	int self = config_member(newest(k), &k->cfg.self.pub);

	if ((k->now < k->planned_until && by > k->planned_by) || (by != self && !may_plan(k, by)))
		return false;
	if (by != self)
		succession_end(k);
	k->planned_by = by;
	memcpy(k->planned, nodes, count * sizeof(*nodes));
	k->planned_count = count;
	k->planned_until = k->now + PLANNED;
	peers_aim(k);
	k->next_step = k->now;
	return true;
}

static bool entry_make(struct keeper_role *k, const struct config *cf, struct regmsg *m)
{
	struct config next = { .root = cf->root, .era = cf->era, .epoch = cf->epoch + 1 };
	enum standing standing = epoch_standing(k);
	const struct epoch_key *key;

	if (standing == STANDING_INSTALLS || standing == STANDING_LEAVES ||
	    !k->env.config_durable(k->env.ctx) || !k->env.settings(k->env.ctx))
		return false;
	key = keeper_key_make(k, (struct epoch_at){ next.era, next.epoch });
	if (!own_is_durable(&k->own_keys) || !own_is_durable(&k->own_life))
		return false;
	m->entry = (struct keeper){ .node = k->cfg.self.pub, .incarnation = k->incarnation,
				    .epoch_key = key->pair.pub };
	keeper_certify(&m->entry, &next, &k->cfg.self, k->cfg.crypto);
	m->behind = copies_behind(k);
	return true;
}

static void stand_ask(struct keeper_role *k, const struct config *cf)
{
	const struct keeper_set *want = &k->succession->want;
	struct regmsg m = { .type = REGMSG_STAND, .request = ++k->next_request, .at = k->seen,
			    .planned_count = want->count },
		      own = { .type = REGMSG_CANDIDATE };

	memcpy(m.nsid, k->nsid, NSID_LEN);
	memcpy(m.planned, want->node, want->count * sizeof(want->node[0]));
	if (!plan(k, config_member(cf, &k->cfg.self.pub), want->node, want->count)) {
		succession_end(k);
		return;
	}
	for (size_t i = 0; i < k->peer_count; i++)
		keeper_message(k, &k->peers[i].node, &m);
	if (entry_make(k, cf, &own))
		succession_stands(k->succession, cf, &own.entry, own.behind, k->now);
}

static void propose_step(struct keeper_role *k, const struct config *cf)
{
	uint8_t body[CONFIG_BODY_MAX];
	size_t len = succession_body(k->succession, cf, body, sizeof(body));

	succession_end(k);
	if (len)
		change_propose(k, body, len);
}

void change_step(struct keeper_role *k)
{
	const struct config *cf = epoch_config(k);

	if (!k->succession)
		return;
	if (!cf || k->acceptor.sealed) {
		succession_end(k);
		return;
	}
	switch (succession_phase(k->succession, k->now)) {
	case SUCCESSION_READY:
		propose_step(k, cf);
		break;
	case SUCCESSION_FAILED:
		log_warn(k->cfg.log, "keeper: the change of keepers is given up: one of those "
				     "wanted does not answer or cannot keep up");
		succession_end(k);
		break;
	case SUCCESSION_STANDS:
		if (k->now >= k->succession->next) {
			k->succession->next = k->now + SUCCESSION_AGAIN;
			stand_ask(k, cf);
		}
		break;
	}
}

usec_t change_deadline(const struct keeper_role *k)
{
	return k->succession ? k->succession->next : USEC_NEVER;
}

/* --- standing --- */

void change_stand(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m)
{
	const struct config *cf = newest(k);
	struct regmsg a = { .type = REGMSG_CANDIDATE, .request = m->request, .at = k->seen };

	if (!epoch_is(m->at, k->seen)) {
		peers_meet(k, from, m->at);
		return;
	}
	if (!cf || config_member(cf, from) < 0 ||
	    !plan(k, config_member(cf, from), m->planned, m->planned_count))
		return;
	if (epoch_config(k) && judge_is_hardened(cf)) /* read now: once sealed, nobody answers */
		for (size_t i = 0; i < m->planned_count; i++)
			judge_may_keep(k, &m->planned[i]);
	memcpy(a.nsid, k->nsid, NSID_LEN);
	if (peers_is_planned(k, &k->cfg.self.pub) && entry_make(k, cf, &a))
		keeper_message(k, from, &a);
}

void change_candidate(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m)
{
	const struct config *cf = epoch_config(k);
	struct keeper entry = m->entry;

	peers_meet(k, from, m->at);
	if (!k->succession || !cf || !epoch_is(m->at, k->seen))
		return;
	entry.node = *from;
	succession_stands(k->succession, cf, &entry, m->behind, k->now);
	change_step(k);
}

uint64_t keeper_last_change(const struct keeper_role *k)
{
	return k->seen.epoch ? k->seen_wall : 0;
}
