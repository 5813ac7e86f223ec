/* proposer.c - proposals on registers (rules R3, R4, R6, R9, R10; CASPaxos, arXiv:1802.07000).
 *
 * A proposal goes WAITING -> PREPARING -> ACCEPTING -> done. One is in flight per register here,
 * the others wait in the register's lane. PREPARING ends when a quorum has promised: the value of
 * the highest ballot among the promises, with the smallest age reported for it, goes through the
 * change function; what comes out (a new value with age 0, or the old one with its age) is offered
 * to all for acceptance, and the signatures of a quorum make the grant. A refusal is answered at
 * once if all promises showed the same ballot or none; otherwise the value is proposed again
 * before, lest two readers see two values (R10). In a hardened set the value is one that enough
 * promises tell of (judge.c); until they do, all members are waited for, till a repetition is due.
 *
 * When so many refuse that no quorum is left, the proposal backs off (jittered, by what rounds take)
 * and tries again with a ballot past the one in its way. Messages are repeated until answered. Grants
 * are only as new as the value: a repeated value keeps its beacon, so reading never prolongs. */
#include "dht/proposer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "dht/vote.h"

enum phase { WAITING, PREPARING, ACCEPTING, BACKING_OFF };

struct lane {
	struct reg_name name;
	struct list queue; /* of struct proposal; the first one is in flight */
	size_t count;
};

struct proposal {
	uint64_t id;
	struct proposer *owner;
	struct timer timer;
	struct list in_lane;
	struct lane *lane;
	struct change change;
	void *tag;
	usec_t deadline, began; /* of it all; this round */
	enum phase phase;
	uint8_t tries;
	uint8_t yes, no; /* members that agreed, refused in this phase: bits */
	struct ballot ballot;
	uint64_t seen; /* highest counter that stood in the way */
	struct judge_panel panel; /* what the promises reported */
	uint64_t age, beacon;	  /* of `value` */
	uint8_t *value;		  /* the one to accept; encoded */
	size_t value_len;
	bool is_new; /* the change made it */
	bool is_hardened;
	bool proven; /* enough promises told of the value built upon */
	bool hurries; /* who has not promised by now is not waited for */
	struct outcome outcome;
	uint8_t sigs[KEEPERS_MAX][SIG_LEN];
};

static void proposal_fire(struct timer *t, usec_t now);
static void phase_end(struct proposal *q, const struct config *cf, usec_t now);

void proposer_init(struct proposer *p, const struct proposer_env *env, const struct pubkey *self)
{
	uint8_t seed[16];

	memset(p, 0, sizeof(*p));
	p->env = *env;
	p->self = *self;
	env->random(env->ctx, seed, sizeof(seed));
	map_init(&p->proposals, offsetof(struct proposal, id), sizeof(uint64_t), PROPOSALS_MAX,
		 seed);
	map_init(&p->lanes, offsetof(struct lane, name), sizeof(struct reg_name), PROPOSALS_MAX,
		 seed);
	timers_init(&p->timers);
	env->random(env->ctx, &p->next_id, sizeof(p->next_id));
}

static void proposal_free(struct proposal *q)
{
	judge_panel_clear(&q->panel);
	free(q->value);
	free(q);
}

void proposer_fini(struct proposer *p)
{
	struct proposal *q;
	struct lane *l;
	size_t at = 0;

	timers_fini(&p->timers); /* touches the proposals' timers */
	while ((q = map_next(&p->proposals, &at))) {
		map_take_at(&p->proposals, &at);
		proposal_free(q);
	}
	for (at = 0; (l = map_next(&p->lanes, &at));) {
		map_take_at(&p->lanes, &at);
		free(l);
	}
	map_fini(&p->proposals);
	map_fini(&p->lanes);
}

static size_t bits(uint8_t mask) { return (size_t)__builtin_popcount(mask); }

static struct regmsg message(const struct proposal *q, uint8_t type)
{
	struct regmsg m = { .type = type, .request = q->id, .name = q->change.name,
			    .ballot = q->ballot };

	memcpy(m.nsid, q->owner->nsid, NSID_LEN);
	if (type == REGMSG_ACCEPT) {
		m.age = q->age;
		m.beacon = q->beacon;
		m.bytes = q->value;
		m.len = q->value_len;
		m.proven = q->proven;
	}
	if (type == REGMSG_ACCEPT && q->is_hardened && q->is_new &&
	    q->change.proof_len <= REGMSG_WHY_MAX) {
		m.why = q->change.proof;
		m.why_len = q->change.proof_len;
	}
	return m;
}

/* To all that have not answered in this phase. */
static void phase_send(struct proposal *q, const struct config *cf, usec_t now)
{
	struct regmsg m = message(q, q->phase == PREPARING ? REGMSG_PREPARE : REGMSG_ACCEPT);
	struct proposer *p = q->owner;

	for (uint8_t i = 0; i < cf->count; i++)
		if (!((q->yes | q->no) & 1u << i))
			p->env.send(p->env.ctx, i, &m, now);
	timer_set(&p->timers, &q->timer, usec_min(now + PROPOSAL_RESEND, q->deadline));
}

static void phase_begin(struct proposal *q, enum phase phase, const struct config *cf, usec_t now)
{
	q->phase = phase;
	q->yes = q->no = 0;
	phase_send(q, cf, now);
}

static void lane_next(struct proposer *p, struct lane *l, usec_t now);

/* Out of all tables first: env.done may start the next proposal on the same register. */
static void proposal_finish(struct proposal *q, usec_t now)
{
	struct proposer *p = q->owner;
	struct lane *l = q->lane;
	bool was_in_flight = q->phase != WAITING;

	timer_cancel(&p->timers, &q->timer);
	map_take(&p->proposals, &q->id);
	list_del(&q->in_lane);
	l->count--;
	if (was_in_flight)
		lane_next(p, l, now);
	p->env.done(p->env.ctx, q->tag, &q->outcome, now);
	proposal_free(q);
}

static void proposal_fail(struct proposal *q, enum reg_status status, usec_t now)
{
	q->outcome = (struct outcome){ .status = status };
	proposal_finish(q, now);
}

static void round_begin(struct proposal *q, usec_t now)
{
	struct proposer *p = q->owner;
	const struct config *cf = p->env.config(p->env.ctx);
	int self = cf ? config_member(cf, &p->self) : -1;
	uint64_t counter = p->env.counter(p->env.ctx, &q->change.name);

	if (self < 0) {
		proposal_fail(q, REG_OTHER_EPOCH, now);
		return;
	}
	q->began = now;
	q->ballot = (struct ballot){ cf->era, cf->epoch,
				     1 + (counter > q->seen ? counter : q->seen), (uint8_t)self };
	q->is_hardened = judge_is_hardened(cf);
	q->is_new = q->proven = q->hurries = false;
	judge_panel_clear(&q->panel);
	free(q->value);
	q->value = NULL;
	phase_begin(q, PREPARING, cf, now);
}

static void lane_next(struct proposer *p, struct lane *l, usec_t now)
{
	if (list_is_empty(&l->queue)) {
		map_take(&p->lanes, &l->name);
		free(l);
	} else {
		round_begin(container_of(l->queue.next, struct proposal, in_lane), now);
	}
}

static struct lane *lane_get(struct proposer *p, const struct reg_name *name)
{
	struct lane *l = map_get(&p->lanes, name);

	if (l)
		return l->count < PROPOSALS_PER_REGISTER_MAX ? l : NULL;
	l = mem_new(sizeof(*l));
	l->name = *name;
	list_init(&l->queue);
	if (map_put(&p->lanes, l) < 0) {
		free(l);
		return NULL;
	}
	return l;
}

bool proposer_is_busy(const struct proposer *p, const struct reg_name *name)
{
	return map_get(&p->lanes, name) != NULL;
}

int proposer_start(struct proposer *p, const struct change *c, void *tag, usec_t now)
{
	struct lane *l;
	struct proposal *q;
	int err;

	if (p->proposals.count >= PROPOSALS_MAX || !(l = lane_get(p, &c->name)))
		return -EBUSY;
	q = mem_new(sizeof(*q));
	q->id = p->next_id++;
	q->owner = p;
	q->lane = l;
	q->change = *c;
	q->tag = tag;
	q->deadline = now + PROPOSAL_TIMEOUT;
	timer_init(&q->timer, proposal_fire);
	list_add_tail(&l->queue, &q->in_lane);
	err = map_put(&p->proposals, q);
	assert(!err);
	(void)err;
	if (l->count++ == 0)
		round_begin(q, now);
	else
		timer_set(&p->timers, &q->timer, q->deadline);
	return 0;
}

static void back_off(struct proposal *q, usec_t now)
{
	struct proposer *p = q->owner;
	uint32_t draw;
	usec_t wait;

	if (++q->tries >= PROPOSAL_TRIES_MAX) {
		proposal_fail(q, REG_BUSY, now);
		return;
	}
	p->env.random(p->env.ctx, &draw, sizeof(draw));
	wait = draw % ((pace_unit(&p->pace, now - q->began) << (q->tries - 1)) + 1);
	q->phase = BACKING_OFF;
	timer_set(&p->timers, &q->timer, usec_min(now + wait, q->deadline));
}

/* Somebody is far beyond our ballot, as an acceptor's floor may be of all names that are new here, and
 * too many are silent to do without: they may be gone, and it lets the next ballot pass. Where liars
 * are expected it may be one, and those whose answers take long are waited for. */
static bool is_worth_a_jump(const struct proposal *q)
{
	return !q->is_hardened && q->tries == 0 && q->no &&
	       q->seen > q->ballot.counter + JUDGE_COUNTER_STEP;
}

static void proposal_fire(struct timer *t, usec_t now)
{
	struct proposal *q = container_of(t, struct proposal, timer);
	const struct config *cf = q->owner->env.config(q->owner->env.ctx);

	q->hurries = cf && q->phase == PREPARING && bits(q->yes) >= cf->quorum;
	if (now >= q->deadline)
		proposal_fail(q, REG_NO_QUORUM, now);
	else if (!cf || q->phase == BACKING_OFF)
		round_begin(q, now);
	else if (q->hurries || (MUTANT(VIEW_QUORUM) && bits(q->yes) > bits(q->no)))
		phase_end(q, cf, now); /* mutant: who has not answered by now is taken for dead */
	else if (is_worth_a_jump(q))
		back_off(q, now);
	else
		phase_send(q, cf, now);
}

static bool value_of(const struct proposal *q, struct reg_value *v)
{
	struct rd r = rd_of(q->value, q->value_len);

	return q->value && rd_reg_value(&r, v) && rd_done(&r);
}

static void value_replace(struct proposal *q, const struct reg_value *v, uint64_t wall)
{
	uint8_t buf[REG_VALUE_MAX];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_reg_value(&w, v);
	assert(wr_ok(&w));
	free(q->value);
	q->value = mem_copy(buf, wr_len(&w));
	q->value_len = wr_len(&w);
	q->age = 0;
	q->beacon = wall;
	q->is_new = true;
}

static bool is_legal(void *ctx, const struct judge_report *base, const struct judge_report *value)
{
	struct proposal *q = ctx;

	return q->owner->env.legal(q->owner->env.ctx, &q->change.name, base, value);
}

/* The value to build upon becomes that of the proposal. */
static struct judge_choice value_choose(struct proposal *q, const struct config *cf, uint64_t wall)
{
	struct judge_choice c = judge_pick(&q->panel, cf, is_legal, q);
	bool is_liars = q->is_hardened && c.report && c.beacon > wall &&
			c.beacon - wall > JUDGE_CLOCKS_APART_HARDENED;

	free(q->value);
	q->value = c.report ? mem_copy(c.report->value, c.report->len) : NULL;
	q->value_len = c.report ? c.report->len : 0;
	q->age = is_liars ? 0 : c.age;
	q->beacon = is_liars ? wall : c.beacon;
	q->proven = c.sure && c.report;
	return c;
}

/* A quorum has promised: what becomes of the value? While liars could make it another, those that are
 * missing may still tell; what is done without them is judged by every acceptor, but answers nothing. */
static void proposal_decide(struct proposal *q, const struct config *cf, usec_t now)
{
	struct proposer *p = q->owner;
	struct judge_choice base;
	struct change_world world;
	struct change_result r;
	struct reg_value old;
	bool had;
	int liar = judge_equivocator(&q->panel, cf);

	p->env.world(p->env.ctx, &world, now);
	base = value_choose(q, cf, world.wall);
	had = value_of(q, &old);
	if (!base.sure && !q->hurries && bits(q->yes | q->no) < cf->count)
		return;
	if (liar >= 0)
		p->env.caught(p->env.ctx, (uint8_t)liar, &q->change.name, base.report);
	memset(&r, 0, offsetof(struct change_result, payload));
	r.status = p->env.allowed(p->env.ctx, &q->change, now);
	if (r.status == REG_OK)
		change_apply(&r, &q->change, &world, had ? &old : NULL, q->age);
	q->outcome = (struct outcome){ .status = r.status, .same = r.same, .holder = r.holder,
				       .detail = r.detail };
	if (r.status == REG_OK && !r.same) {
		value_replace(q, &r.value, world.wall);
	} else if (!base.sure) { /* no quorum takes it; who refused would read it, and ask us */
		back_off(q, now);
		return;
	} else if (r.status != REG_OK && (!had || base.unanimous)) {
		proposal_finish(q, now);
		return;
	}
	phase_begin(q, ACCEPTING, cf, now);
}

static bool vote_of(const struct proposal *q, struct vote *v)
{
	*v = (struct vote){ .nsid = q->owner->nsid, .name = &q->change.name, .ballot = q->ballot,
			    .beacon = q->beacon };
	return value_of(q, &v->value);
}

static void proposal_grant(struct proposal *q, usec_t now)
{
	uint8_t buf[GRANT_MAX];
	struct vote v;

	if (!vote_of(q, &v)) {
		proposal_fail(q, REG_MALFORMED, now);
		return;
	}
	pace_note(&q->owner->pace, now - q->began);
	q->outcome.len = vote_proof(buf, sizeof(buf), &v, q->yes,
				    (const uint8_t(*)[SIG_LEN])q->sigs);
	q->outcome.grant = q->outcome.len ? buf : NULL;
	proposal_finish(q, now);
}

static void phase_end(struct proposal *q, const struct config *cf, usec_t now)
{
	if (q->phase == PREPARING)
		proposal_decide(q, cf, now);
	else
		proposal_grant(q, now);
}

/* Our next ballot would be promised by those that have promised this one. */
static bool may_jump_past(const struct proposal *q, uint64_t counter, usec_t now)
{
	struct change_world world;

	q->owner->env.world(q->owner->env.ctx, &world, now);
	return counter < UINT64_MAX &&
	       judge_counter_fits(counter + 1, q->ballot.counter, world.wall);
}

static void refusal_take(struct proposal *q, uint8_t member, const struct regmsg *m, usec_t now)
{
	const struct config *cf = q->owner->env.config(q->owner->env.ctx);

	if (m->status == REG_BUSY && ballot_compare(&m->ballot, &q->ballot) < 0)
		return; /* of an earlier round */
	q->no |= (uint8_t)(1u << member);
	if (m->ballot.counter > q->seen && may_jump_past(q, m->ballot.counter, now))
		q->seen = m->ballot.counter;
	if (!cf)
		return;
	if (bits(q->no) <= (size_t)(cf->count - cf->quorum)) {
		if (q->phase == PREPARING && bits(q->yes) >= cf->quorum)
			phase_end(q, cf, now); /* it was waited for */
		return;
	}
	if (m->status == REG_BUSY)
		back_off(q, now);
	else
		proposal_fail(q, m->status, now);
}

/* One bad signature would spoil the whole grant. Our own is not in doubt. */
static bool is_signed(const struct proposal *q, const struct config *cf, uint8_t member,
		      const struct regmsg *m)
{
	struct vote v;

	if (m->type != REGMSG_ACCEPTED || key_equal(&cf->members[member].node, &q->owner->self))
		return true;
	return vote_of(q, &v) &&
	       vote_signed(&v, m->sig, &cf->members[member].epoch_key, q->owner->crypto);
}

static void answer_keep(struct proposal *q, uint8_t member, const struct regmsg *m)
{
	struct judge_report r = { .accepted = m->accepted, .age = m->age, .beacon = m->beacon,
				  .value = (uint8_t *)(uintptr_t)m->bytes, .len = m->len };

	if (m->type == REGMSG_ACCEPTED) {
		memcpy(q->sigs[member], m->sig, SIG_LEN);
		return;
	}
	judge_panel_add(&q->panel, member, &r);
}

void proposer_input(struct proposer *p, uint8_t member, const struct regmsg *m, usec_t now)
{
	struct proposal *q = map_get(&p->proposals, &m->request);
	const struct config *cf = p->env.config(p->env.ctx);
	uint8_t bit = (uint8_t)(1u << member);

	if (!q || !cf || q->phase != (m->type == REGMSG_PROMISE ? PREPARING : ACCEPTING) ||
	    ((q->yes | q->no) & bit))
		return;
	if (m->status != REG_OK) {
		refusal_take(q, member, m, now);
		return;
	}
	if (ballot_compare(&m->ballot, &q->ballot) != 0 || !regmsg_value_is_whole(m) ||
	    !is_signed(q, cf, member, m))
		return;
	q->yes |= bit;
	answer_keep(q, member, m);
	if (bits(q->yes) >= (MUTANT(SINGLE_PHASE) && q->phase == PREPARING ? 1 : cf->quorum))
		phase_end(q, cf, now);
}

/* Every end may start the next in its lane, or a new one, which then ends as well. */
void proposer_abort(struct proposer *p, enum reg_status status, usec_t now)
{
	struct proposal *q;
	size_t at = 0;

	while ((q = map_next(&p->proposals, &at))) {
		proposal_fail(q, status, now);
		at = 0;
	}
}

void proposer_tick(struct proposer *p, usec_t now) { timers_run(&p->timers, now); }

usec_t proposer_deadline(const struct proposer *p) { return timers_next(&p->timers); }
