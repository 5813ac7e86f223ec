/* keeper_judge.c - what this keeper lets its acceptor take, and from whom how much.
 *
 * Bounds hold in every set (judge.h): ballots' counters have the clock before them, beacons are not of the
 * future, and one keeper's messages have a rate, so that none starves the others. In a hardened set
 * nobody is believed: a value is taken when it is the one we have, when a right operation makes it
 * of ours, or when we have seen ourselves that enough members have it (judge.c). Refusals say "busy"
 * under the proposer's own ballot: an honest one tries again, and we have read meanwhile what we
 * were missing: registers that an operation depends on, or this one, in which we may lag behind. */
#include <stdlib.h>

#include "base/mutant.h"
#include "dht/entry.h"
#include "dht/keeper_impl.h"

#define MESSAGES_A_SECOND 5000 /* PREPARE and ACCEPT of one member; twice as many at once */
#define FRESH_A_SECOND 100     /* of them about registers that are new here; forty times at once */
#define READS_A_SECOND 50      /* of what we are missing; as many at once */
#define USEC_A_SECOND 1000000

void judge_init(struct keeper_role *k)
{
	for (size_t i = 0; i < KEEPERS_MAX; i++) {
		limit_init(&k->judge.said[i], MESSAGES_A_SECOND, 2 * MESSAGES_A_SECOND);
		limit_init(&k->judge.fresh[i], FRESH_A_SECOND, 40 * FRESH_A_SECOND);
	}
	limit_init(&k->judge.reads, READS_A_SECOND, READS_A_SECOND);
}

static enum reg_status allowed(void *ctx, const struct change *c) { return rules_allowed(ctx, c); }

/* What was done in the set before was done in its epoch. */
static void world(void *ctx, struct change_world *w)
{
	keeper_world(ctx, w);
	if (epoch_standing(ctx) == STANDING_INSTALLS)
		w->epoch--;
}

static bool value(void *ctx, const struct reg_name *name, struct reg_value *v)
{
	return cell_value(keeper_cell(ctx, name), v);
}

static bool member(void *ctx, size_t *at, struct pubkey *key, struct member_payload *m)
{
	struct reg_name name;
	struct reg_value v;

	while (keeper_next(ctx, at, &name, &v))
		if (name.kind == REG_MEMBER && member_payload_read(m, v.payload, v.payload_len)) {
			memcpy(key->b, name.b, KEY_LEN);
			return true;
		}
	return false;
}

static enum judge_word shown(void *ctx, struct grant *g, const uint8_t *b, size_t len)
{
	struct keeper_role *k = ctx;
	const struct config *cf = k->env.config_of(k->env.ctx, g->ballot.era, g->ballot.epoch);

	if (!restore_counts(k, g))
		return JUDGE_REFUSE;
	if (cf)
		return grant_verify(g, b, len, cf, k->cfg.crypto) ? JUDGE_TAKE : JUDGE_REFUSE;
	if (k->judge.from && limit_take(&k->judge.reads, k->now))
		k->env.ask_chain(k->env.ctx, k->judge.from, b, len);
	return JUDGE_FETCH;
}

static struct judge_env env_of(struct keeper_role *k)
{
	struct judge_env e = { .ctx = k, .crypto = k->cfg.crypto, .allowed = allowed,
			       .world = world, .shown = shown, .value = value,
			       .member = member };

	memcpy(e.nsid, k->nsid, NSID_LEN);
	return e;
}

/* A bounded list; the reads begin when the call under way is over. */
static void want(struct keeper_role *k, const struct reg_name *name)
{
	struct judge_wants *w = &k->judge;

	for (size_t i = 0; i < w->count; i++)
		if (reg_name_equal(&w->want[i], name))
			return;
	if (w->count < JUDGE_WANTS_MAX)
		w->want[w->count++] = *name;
}

void judge_read_wanted(struct keeper_role *k)
{
	struct judge_wants *w = &k->judge;

	while (w->count) {
		const struct reg_name name = w->want[--w->count];

		if (!proposer_is_busy(&k->proposer, &name) && limit_take(&w->reads, k->now))
			task_internal(k, &(struct change){ .verb = OP_READ, .name = name });
	}
}

/* What made the value, when the proposer does not say: the proof inside, if that is new to us. */
static void why_of(struct judge_offer *o)
{
	if (o->why_len || !o->new->proof_len ||
	    (o->old && o->old->proof_len == o->new->proof_len &&
	     memcmp(o->old->proof, o->new->proof, o->new->proof_len) == 0))
		return;
	o->why = o->new->proof;
	o->why_len = o->new->proof_len;
}

static bool value_read(struct reg_value *v, const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);

	return rd_reg_value(&r, v) && rd_done(&r);
}

bool judge_legal(void *ctx, const struct reg_name *name, const struct judge_report *base,
		 const struct judge_report *report)
{
	struct keeper_role *k = ctx;
	struct judge_env env = env_of(k);
	struct reg_value old, new;
	struct reg_name need;
	struct judge_offer o = { .name = name, .new = &new, .earlier = true };

	if (base && !value_read(&old, base->value, base->len))
		return false;
	o.old = base ? &old : NULL;
	o.age = base ? base->age : 0;
	if (!value_read(&new, report->value, report->len))
		return false;
	why_of(&o);
	return judge_value(&env, &o, &need) == JUDGE_TAKE;
}

/* Beacons beyond are of the future. */
static uint64_t latest(const struct keeper_role *k)
{
	return MUTANT(TAKES_DATES) ? UINT64_MAX : keeper_wall(k) + JUDGE_CLOCKS_APART_HARDENED;
}

/* The same bytes again: a copy under a new ballot, or made anew by the same operation. Our own count
 * of its age goes on, unless its beacon has moved. */
static bool same_again(const struct keeper_role *k, const struct cell *c, struct regmsg *m)
{
	if (!m->proven && m->beacon > latest(k))
		return false;
	if (!c || !c->value || c->value_len != m->len || memcmp(c->value, m->bytes, m->len) != 0)
		return false;
	if (MUTANT(TAKES_AGES))
		return true;
	m->age = m->beacon > c->beacon ? 0 : (k->now - c->since) / USEC_A_SECOND;
	return true;
}

/* What we do not know was chosen before we came: until any lease of it is over. What has no lease
 * waits until it is proven: forgotten is not revoked, and old signed operations would count again. */
static bool is_withheld(const struct keeper_role *k, const struct cell *c)
{
	bool ends = c && (c->name.kind == REG_ADDRESS || c->name.kind == REG_HOST_NAME);
	usec_t longest = SEC(LEASE_SECONDS_ALONE) / 199 * 201 + SEC(60);

	return cell_is_unknown(c) && !(ends && k->now - c->since > longest);
}

/* Who is keeper may stay one, others need the right by what we have ourselves. If we may just have
 * missed it, we read it. */
bool judge_may_keep(struct keeper_role *k, const struct pubkey *node)
{
	const struct config *cf = epoch_config(k);
	struct reg_name name = reg_name_key(REG_MEMBER, node->b, KEY_LEN);

	if ((cf && config_member(cf, node) >= 0) ||
	    ((rules_rights(k, node) & RIGHT_KEEPER) && !keeper_is_listed(k, &name)))
		return true;
	want(k, &name);
	return false;
}

/* Whose form the acceptor judges. Here: one for ever, that endures as many liars and can do without as
 * many as ours (else those in it could take it over, or end it by silence), and of nobody but who may
 * be keeper: who proposes it may be a liar with strangers for accomplices. In a set of majorities the
 * highest ballot would stand, also that of a value that one of ours was led to take. */
static bool successor_is_right(struct keeper_role *k, const struct cell *c,
			       const struct reg_value *v)
{
	const struct config *present = epoch_config(k);
	struct config cf;
	bool right = true;

	if (MUTANT(TAKES_SETS))
		return true;
	if ((c && c->value) ||
	    !config_body_read(&cf, v->payload, v->payload_len, present, k->cfg.crypto) ||
	    judge_liars(&cf) < judge_liars(present) ||
	    cf.count - cf.quorum < present->count - present->quorum)
		return false;
	for (size_t i = 0; i < cf.count; i++)
		right &= judge_may_keep(k, &cf.members[i].node);
	return right;
}

static bool is_right(struct keeper_role *k, const struct cell *c, struct regmsg *m)
{
	struct judge_env env = env_of(k);
	struct reg_value old, new;
	struct reg_name need = m->name;
	struct judge_offer o = { .name = &m->name, .new = &new, .beacon = m->beacon,
				 .why = m->why, .why_len = m->why_len };
	enum judge_word word;

	if (same_again(k, c, m))
		return true;
	m->age = MUTANT(TAKES_AGES) ? m->age : 0;
	if (!value_read(&new, m->bytes, m->len))
		return false;
	if (m->proven || MUTANT(TAKES_ALL))
		return true;
	if (m->beacon > latest(k))
		return false;
	if (m->name.kind == REG_SUCCESSOR) {
		if (successor_is_right(k, c, &new))
			return true;
		want(k, &need); /* enough others may have it */
		return false;
	}
	if (is_withheld(k, c)) {
		want(k, &need);
		return false;
	}
	o.old = cell_value(c, &old) ? &old : NULL;
	o.age = o.old ? (k->now - c->since) / USEC_A_SECOND : 0;
	why_of(&o);
	word = judge_value(&env, &o, &need);
	if (word == JUDGE_TAKE)
		return true;
	want(k, &need); /* if nothing else is missing: the register itself */
	return false;
}

static bool accept_passes(struct keeper_role *k, struct regmsg *m)
{
	const struct config *cf = epoch_config(k);
	const struct cell *c = keeper_cell(k, &m->name);
	struct ballot promised = acceptor_promised(&k->acceptor, &m->name);

	if (!MUTANT(TAKES_DATES) && !judge_beacon_fits(m->beacon, keeper_wall(k)))
		return false;
	if (!cf || !judge_is_hardened(cf) || ballot_compare(&m->ballot, &promised) < 0 ||
	    (c && ballot_compare(&m->ballot, &c->accepted) == 0))
		return true; /* the acceptor's own answer */
	return is_right(k, c, m);
}

static bool in_time(struct keeper_role *k, const struct pubkey *from, bool fresh)
{
	const struct config *cf = epoch_config(k);
	int at = cf ? config_member(cf, from) : -1;

	if (at < 0 || key_equal(from, &k->cfg.self.pub))
		return true;
	if (limit_take(&k->judge.said[at], k->now) &&
	    (!fresh || limit_take(&k->judge.fresh[at], k->now)))
		return true;
	drop_add(k->cfg.drops, DROP_RATE);
	return false;
}

static void refuse(struct acceptor_reply *reply, const struct pubkey *to, const struct regmsg *m)
{
	*reply = (struct acceptor_reply){ .to = *to };
	reply->msg = (struct regmsg){ .request = m->request, .status = REG_BUSY,
				      .ballot = m->ballot };
	reply->msg.type = m->type == REGMSG_PREPARE ? REGMSG_PROMISE : REGMSG_ACCEPTED;
	memcpy(reply->msg.nsid, m->nsid, NSID_LEN);
}

bool judge_ask(struct keeper_role *k, const struct pubkey *from, const struct regmsg *msg,
	       struct acceptor_reply *reply)
{
	struct ballot promised = acceptor_promised(&k->acceptor, &msg->name);
	struct regmsg m = *msg;
	bool passes;

	if (!in_time(k, from, !keeper_cell(k, &msg->name)))
		return false;
	k->judge.from = from;
	passes = judge_counter_fits(m.ballot.counter, promised.counter, keeper_wall(k)) &&
		 (m.type != REGMSG_ACCEPT || accept_passes(k, &m));
	k->judge.from = NULL;
	if (!passes) {
		refuse(reply, from, &m);
		return true;
	}
	return m.type == REGMSG_PREPARE ?
		       acceptor_prepare(&k->acceptor, from, &m, reply, k->now) :
		       acceptor_accept(&k->acceptor, from, &m, reply, k->now);
}

/* At a change of the set: what we have, or that we have nothing, came by legal steps, and so must what
 * replaces it. Who shows us what we have shall neither make it older nor raise its ballot: both would
 * be believed of us. Of a step the age begins here, and its ballot is no further than one that we
 * would promise, whose clock may go before ours. A newcomer knows nothing yet: keeper_settle.c. */
enum copy_word judge_copy(void *ctx, const struct acceptor_entry *e, const struct cell *c)
{
	struct keeper_role *k = ctx;
	const struct config *served =
		k->env.config_of(k->env.ctx, k->acceptor.era, k->acceptor.epoch);
	struct ballot promised = acceptor_promised(&k->acceptor, &e->name);
	uint64_t wall = keeper_wall(k) + JUDGE_CLOCKS_APART_HARDENED;
	struct judge_report old = { 0 }, new = { .value = (uint8_t *)(uintptr_t)e->value.p,
						 .len = rd_left(&e->value) };

	if (!served || !judge_is_hardened(served) || MUTANT(TAKES_COPIES))
		return COPY_TRUSTED;
	if (cell_is_unknown(c) || e->beacon > latest(k) ||
	    !judge_counter_fits(e->accepted.counter, promised.counter, wall))
		return COPY_REFUSED;
	if (!c || !c->value)
		return judge_legal(k, &e->name, NULL, &new) ? COPY_JUDGED : COPY_REFUSED;
	if (c->value_len == new.len && memcmp(c->value, new.value, new.len) == 0)
		return COPY_REFUSED;
	old = (struct judge_report){ .age = (k->now - c->since) / USEC_A_SECOND,
				     .value = c->value, .len = c->value_len };
	return judge_legal(k, &e->name, &old, &new) ? COPY_JUDGED : COPY_REFUSED;
}

/* Told to the owner, who keeps it. */
void judge_caught(void *ctx, uint8_t member, const struct reg_name *name,
		  const struct judge_report *value)
{
	struct keeper_role *k = ctx;
	const struct config *cf = epoch_config(k);
	struct evidence e = { .kind = EVIDENCE_PROPOSAL, .name = *name, .liars = 1 };
	struct reg_value v;

	if (!cf || member >= cf->count)
		return;
	if (value && value_read(&v, value->value, value->len))
		e.generation = v.generation;
	e.liar[0] = cf->members[member].node;
	k->env.caught(k->env.ctx, &e);
}
