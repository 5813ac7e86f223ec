/* lease_op.c - the life of one lease: claim, renew, give back.
 *
 * Validity counts from the moment the request was first sent, is never longer than what was asked
 * for or what was granted, and while a request is under way it is the shorter of the old end and
 * what the request would leave (R8, DESIGN 12.3). A release ends use before its first send.
 * Renewal from half life (+-10 %), then every 24th of the life, RENEW_GAP to RISK_GAP apart; sooner
 * when the grant's dates, which others go by, end sooner than that. Whatever the keepers do not
 * settle is tried again with random back-off; what they refuse is given up. */
#include "dht/lease_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mutant.h"
#include "base/mem.h"

#define RENEW_GAP SEC(10)
#define ANSWER_MAX SEC(20)   /* regs answers within 5 s; this is for a lost event */
#define DISK_RETRY SEC(10)   /* a write that failed or was never answered */
#define RETRY_FIRST MSEC(500)
#define RETRY_MAX SEC(30)
#define ROOM_LATER MSEC(20) /* others' operations end unseen: whether there is room now */
#define CLAIM_SECONDS 600 /* a claim counts for so long: more than clocks may differ */
#define SETTLING_TRIES 4
#define REFUSED_PAUSE SEC(30) /* after a refusal for what we are */
#define RISK_GAP HOURS(1)     /* between tries of a held one, at most */
#define DATE_GAP MINUTES(10)  /* before a grant that others will not believe is renewed */

bool lease_holding(const struct lease *e)
{
	return !e->releasing && (e->state == LEASE_HELD || e->state == LEASE_RENEWING ||
				 e->state == LEASE_AT_RISK);
}

uint64_t lease_random(const struct leases *l, uint64_t below)
{
	uint64_t v = 0;

	l->env.random(l->env.ctx, &v, sizeof(v));
	return below ? v % below : 0;
}

static usec_t life(const struct lease *e)
{
	return SEC(e->of->cfg.lease);
}

void lease_arm(struct lease *e, usec_t next)
{
	e->next = next;
	timer_set(&e->of->timers, &e->timer, lease_holding(e) ? usec_min(next, e->end) : next);
}

/* Doubling from RETRY_FIRST, between half and the whole of it. */
usec_t lease_back_off(const struct lease *e)
{
	usec_t wait = RETRY_FIRST << (e->tries < 6 ? e->tries : 6);

	wait = usec_min(wait, RETRY_MAX);
	return wait / 2 + lease_random(e->of, wait / 2);
}

void lease_idle(struct lease *e, usec_t next)
{
	e->phase = PHASE_IDLE;
	e->op = e->disk_op = 0;
	lease_arm(e, next);
}

/* Makes the intent durable; the request follows in lease_written. */
void lease_begin(struct lease *e, uint8_t verb, usec_t now)
{
	e->verb = verb;
	if (verb == OP_RENEW && lease_holding(e))
		e->end = usec_min(e->end, now + life(e));
	e->phase = PHASE_DISK;
	e->op = 0; /* a late answer to what ran before means nothing any more (R7) */
	e->disk_op = lease_store(e);
	lease_arm(e, now + DISK_RETRY);
}

/* A claim takes what it finds, a release whatever is ours; a renewal means this ownership. So does a
 * release of what a transfer brought and nothing has renewed yet. */
static uint64_t generation_meant(const struct lease *e)
{
	struct grant g;

	if (e->verb == OP_RELEASE && e->grant && grant_read(&g, e->grant, e->grant_len) &&
	    g.number == 0)
		return e->generation;
	return e->verb == OP_RENEW ? e->generation : 0;
}

static int submit_own(struct lease *e, usec_t now)
{
	struct leases *l = e->of;
	struct reg_op req = { .name = e->name, .verb = e->verb, .lease = l->cfg.lease };

	if (e->verb != OP_RELEASE && lease_payload(e, e->payload, &e->payload_len)) {
		req.payload = e->payload;
		req.payload_len = e->payload_len;
	}
	req.generation = generation_meant(e);
	if (e->verb == OP_CLAIM) /* no copy of it may be granted long after we have given it up */
		req.deadline = wall_seconds(l->cfg.wall, now) + CLAIM_SECONDS;
	e->sent = now;
	return l->env.submit(l->env.ctx, e->op, &req, now);
}

static void unsettled(struct lease *e, enum reg_status status, usec_t now);

static void submit(struct lease *e, usec_t now)
{
	int r;

	e->op = LEASE_OP | ++e->of->last_op;
	e->phase = PHASE_ASKED;
	r = e->verb == OP_TRANSFER ? lease_transfer_submit(e, now) : submit_own(e, now);
	if (r == 0) {
		e->asked = true;
		lease_arm(e, now + ANSWER_MAX);
	} else if (r == -EBUSY) {
		e->phase = PHASE_QUEUED;
		lease_arm(e, USEC_NEVER);
		timer_set(&e->of->timers, &e->of->room, now + ROOM_LATER);
	} else {
		unsettled(e, REG_BUSY, now);
	}
}

/* Those that wait go on, until there is no room any more; then the timer is set again. */
void lease_room_fire(struct timer *t, usec_t now)
{
	struct leases *l = container_of(t, struct leases, room);

	for (size_t i = 0; i < l->count && !timer_is_set(&l->room); i++)
		if (l->slot[i]->phase == PHASE_QUEUED)
			submit(l->slot[i], now);
}

void lease_written(struct lease *e, int result, usec_t now)
{
	assert(e->phase == PHASE_DISK);
	e->disk_op = 0;
	if (result < 0)
		lease_arm(e, now + DISK_RETRY); /* and nothing leaves */
	else if (e->verb == OP_TRANSFER && lease_is_outgoing(e))
		lease_transfer_send(e, now);
	else
		submit(e, now);
}

static uint8_t verb_now(const struct lease *e)
{
	if (e->releasing)
		return OP_RELEASE;
	if (e->transfer)
		return e->transfer->over ? OP_RENEW : OP_TRANSFER;
	return lease_holding(e) || e->state == LEASE_RENEW_FIRST ? OP_RENEW : OP_CLAIM;
}

static void expire(struct lease *e, usec_t now)
{
	lease_tell(e, LEASE_GONE, REG_EXPIRED, NULL);
	e->state = LEASE_CLAIMING;
	if (e->phase != PHASE_ASKED) { /* else its answer may still renew the ownership */
		e->tries = 0;
		lease_idle(e, now);
	}
}

static void step(struct lease *e, usec_t now)
{
	static const struct reg_answer nobody = { .status = REG_NO_QUORUM };

	switch (e->phase) {
	case PHASE_ASKED:
		lease_answer(e, &nobody, now);
		break;
	case PHASE_QUEUED:
		break; /* until there is room */
	case PHASE_DISK:
		lease_begin(e, verb_now(e), now);
		break;
	case PHASE_IDLE:
		if (lease_transfer_step(e, now))
			break;
		if (e->state == LEASE_LOST || (verb_now(e) == OP_CLAIM && !lease_may_start(e)))
			break; /* woken by what it waits for */
		if (e->state == LEASE_HELD)
			e->state = LEASE_RENEWING;
		lease_begin(e, verb_now(e), now);
		break;
	}
}

void lease_fire(struct timer *t, usec_t now)
{
	struct lease *e = container_of(t, struct lease, timer);

	if (lease_holding(e) && now >= e->end) {
		expire(e, now);
		lease_retell(e->of, now);
	}
	if (now >= e->next)
		step(e, now);
	else
		lease_arm(e, e->next);
}

/* --- answers --- */

static bool grant_fits(const struct lease *e, const uint8_t *b, size_t len, struct grant *g)
{
	return b && grant_read(g, b, len) && reg_name_equal(&g->name, &e->name) &&
	       key_equal(&g->owner, &e->of->cfg.self) && g->state == REG_HELD;
}

/* For a person: nobody answers, or, as it seems by now, it is not given before the era has settled. */
static bool is_trouble(const struct lease *e, enum reg_status status)
{
	bool settles = e->verb == OP_CLAIM && e->of->settling && e->tries > SETTLING_TRIES;

	return !e->releasing && e->told != status &&
	       (status == REG_NO_QUORUM || (status == REG_BUSY && settles));
}

/* Not settled: held leases go on until their end, others wait. */
static void unsettled(struct lease *e, enum reg_status status, usec_t now)
{
	usec_t wait = lease_back_off(e);
	bool no_keeper = status == REG_NO_QUORUM;

	e->tries++;
	if (lease_holding(e)) {
		e->state = no_keeper || e->state == LEASE_AT_RISK ? LEASE_AT_RISK : LEASE_HELD;
		wait = usec_min(life(e) / 24, RISK_GAP);
		if (wait < RENEW_GAP || status == REG_BUSY)
			wait = RENEW_GAP;
	} else if (!e->releasing && e->state != LEASE_RENEW_FIRST && !e->transfer) {
		e->state = no_keeper ? LEASE_WAITING : LEASE_CLAIMING;
	}
	if (is_trouble(e, status)) {
		e->told = status;
		lease_tell(e, LEASE_FAILED, status, NULL);
	}
	lease_idle(e, now + wait);
}

/* Around half of what was granted; of a grant that ends sooner by the wall clock, half of that. */
static usec_t renewal_of(const struct lease *e, const struct grant *g, usec_t granted, usec_t now)
{
	usec_t next = e->sent + granted * 4 / 10 + lease_random(e->of, granted / 5);
	uint64_t wall = wall_seconds(e->of->cfg.wall, now), end = grant_end(g);
	uint64_t left = end > wall ? end - wall : 0;

	if (left >= granted / SEC(2))
		return next;
	return usec_min(next, now + (SEC(left / 2) > DATE_GAP ? SEC(left / 2) : DATE_GAP));
}

static void settled(struct lease *e, const struct grant *g, const uint8_t *b, size_t len,
		    usec_t now)
{
	bool was = lease_holding(e);
	usec_t granted = usec_min(SEC(g->lease), life(e));

	if (MUTANT(FROM_ANSWER))
		e->sent = now;
	if (now >= e->sent + granted) { /* the answer came after its own end */
		if (lease_is_incoming(e))
			lease_transfer_unsure(e);
		unsettled(e, REG_BUSY, now);
		return;
	}
	free(e->grant);
	e->grant = mem_copy(b, len);
	e->grant_len = len;
	e->generation = g->generation;
	e->end = e->sent + granted;
	e->state = LEASE_HELD;
	e->tries = 0;
	e->told = REG_OK;
	lease_transfer_taken(e);
	lease_idle(e, renewal_of(e, g, granted, now));
	lease_store(e);
	lease_tell(e, was ? LEASE_RENEWED : LEASE_GAINED, REG_OK, NULL);
	if (!was)
		lease_gained(e, now);
	if (e->role < WANTS)
		lease_retell(e->of, now); /* the others tell of this one */
	else
		lease_retell_one(e, now);
}

/* The keepers say that it is not ours (any more): a restart must not find the old validity. */
static void not_ours(struct lease *e, const struct reg_answer *a, usec_t now)
{
	bool was = lease_holding(e);

	if (lease_is_outgoing(e)) {
		lease_transfer_is_over(e, &a->holder, now);
		return;
	}
	if (e->taken) {
		lease_drop(e, now);
		return;
	}
	if (was)
		lease_tell(e, LEASE_GONE, a->status, &a->holder);
	lease_void(e);
	e->state = LEASE_CLAIMING;
	e->tries = 0;
	if (was)
		lease_retell(e->of, now);
	if (a->status == REG_OWNED || e->verb == OP_CLAIM)
		lease_refused(e, a, now);
	else
		lease_idle(e, now); /* free again: claim the same */
}

/* This node may own nothing any more. */
static void stopped(struct lease *e, enum reg_status status, usec_t now)
{
	bool was = lease_holding(e);

	e->state = LEASE_LOST;
	lease_tell(e, was ? LEASE_GONE : LEASE_FAILED, status, NULL);
	e->end = 0;
	lease_idle(e, USEC_NEVER);
	lease_store(e);
	(void)now;
}

/* A claim that is refused for what we are, not for who else owns it: the same again later. One that
 * is refused for what it asks for: another, later. */
static void failed(struct lease *e, enum reg_status status, usec_t now)
{
	struct leases *l = e->of;
	enum lease_role role = e->role;

	lease_tell(e, LEASE_FAILED, status, NULL);
	/* Memberships that are over are renewed: no reason to forget what was ours. */
	if ((status == REG_EXPIRED && e->grant) ||
	    (status != REG_REFUSED && lease_is_wanted(l, role) && lease_current(l, role) == e)) {
		e->state = LEASE_CLAIMING;
		lease_idle(e, now + REFUSED_PAUSE + lease_random(l, REFUSED_PAUSE / 10));
		return;
	}
	lease_drop(e, now);
	lease_pause(l, role, now);
}

static void released(struct lease *e, enum reg_status status, usec_t now)
{
	bool open = status == REG_NO_QUORUM || status == REG_BUSY || status == REG_OTHER_EPOCH;

	if (open && now < e->end + life(e) && !(status == REG_BUSY && lease_is_past(e, now)))
		unsettled(e, status, now);
	else
		lease_drop(e, now); /* given back, or not ours, or over by itself */
}

enum verdict { V_RETRY, V_NOT_OURS, V_STOP, V_FAIL };

/* It has an owner, and so has all the rest of the range. */
static bool is_range_full(const struct lease *e, const struct reg_answer *a)
{
	return a->status == REG_FULL && e->verb == OP_CLAIM && !key_is_zero(&a->holder);
}

static enum verdict judge(const struct lease *e, const struct reg_answer *a, usec_t now)
{
	bool renewing = e->verb == OP_RENEW;

	if (is_range_full(e, a))
		return V_NOT_OURS;
	switch (a->status) {
	case REG_OWNED:
		return V_NOT_OURS;
	case REG_REFUSED: /* for what we are: who owns it has not changed */
		if (renewing && (lease_holding(e) || lease_is_dated(e, now)))
			return V_RETRY;
		return renewing || e->role == ROLE_NAME ? V_NOT_OURS : V_FAIL;
	case REG_UNKNOWN:
		return renewing ? V_NOT_OURS : V_FAIL;
	case REG_OLD: /* another generation: what was held before is over, a claim starts anew */
		return renewing && !lease_holding(e) ? V_NOT_OURS : V_RETRY;
	case REG_REVOKED:
	case REG_SUPERSEDED:
		return V_STOP;
	case REG_QUOTA:
	case REG_FULL:
	case REG_MALFORMED:
	case REG_EXPIRED:
		return renewing ? V_RETRY : V_FAIL;
	case REG_BUSY:
		return renewing && lease_is_past(e, now) ? V_NOT_OURS : V_RETRY;
	default:
		return V_RETRY;
	}
}

void lease_answer(struct lease *e, const struct reg_answer *a, usec_t now)
{
	struct grant g;
	bool granted = a->status == REG_OK && grant_fits(e, a->grant, a->len, &g);

	assert(e->phase == PHASE_ASKED);
	if (e->releasing && e->verb == OP_RELEASE) {
		released(e, a->status, now);
	} else if (granted && lease_transfer_is_doubtful(e, &g)) {
		lease_transfer_give_back(e, now);
	} else if (granted) {
		settled(e, &g, a->grant, a->len, now);
	} else if (lease_is_incoming(e)) {
		lease_transfer_refused(e, a->status, now);
	} else {
		switch (judge(e, a, now)) {
		case V_RETRY: unsettled(e, a->status, now); break;
		case V_NOT_OURS: not_ours(e, a, now); break;
		case V_STOP: stopped(e, a->status, now); break;
		case V_FAIL: failed(e, a->status, now); break;
		}
	}
}

/* --- verbs --- */

void lease_give_back(struct lease *e, usec_t now)
{
	if (e->releasing)
		return;
	if (lease_holding(e))
		lease_tell(e, LEASE_GONE, REG_OK, NULL);
	e->releasing = true;
	e->tries = 0;
	lease_transfer_drop(e); /* the release voids it */
	if (!e->asked)
		lease_drop(e, now);
	else
		lease_begin(e, OP_RELEASE, now);
}

/* Nobody else would ever release it: it would be lost until its lease is over. */
void leases_stray(struct leases *l, const uint8_t *grant, size_t len, usec_t now)
{
	struct lease *e;
	struct grant g;

	if (!grant_read(&g, grant, len) || !key_equal(&g.owner, &l->cfg.self) ||
	    g.state != REG_HELD || lease_find(l, &g.name) ||
	    (g.name.kind != REG_ADDRESS && g.name.kind != REG_HOST_NAME))
		return;
	e = lease_add(l, &g.name,
		      g.name.kind == REG_ADDRESS ? ROLE_MORE_ADDRESSES : ROLE_MORE_NAMES);
	if (!e)
		return;
	e->asked = true;
	e->sent = now;
	e->generation = g.generation;
	e->grant = mem_copy(grant, len);
	e->grant_len = len;
	if (MUTANT(LATE_ANSWER)) /* what R7 forbids */
		settled(e, &g, grant, len, now);
	else
		lease_give_back(e, now);
}

void lease_resume(struct lease *e, usec_t now)
{
	const struct leases *l = e->of;
	/* BOOTTIME stamps of another boot or machine say nothing; nor do stamps of the future. */
	bool fresh = l->cfg.same_machine && e->end <= now + life(e);

	if (MUTANT(EARLY_USE) && e->grant) {
		fresh = true;
		e->end = now + life(e);
	}
	if (e->releasing) {
		if (!fresh)
			e->end = now;
		lease_idle(e, now);
	} else if (e->transfer) {
		e->state = LEASE_HANDING;
		e->end = 0;
		lease_idle(e, now + lease_random(l, SEC(1)));
	} else if (e->grant && fresh && now < e->end) {
		e->state = LEASE_HELD;
		lease_idle(e, now + lease_random(l, SEC(1)) +
				(e->end - now > life(e) / 2 ? e->end - now - life(e) / 2 : 0));
		lease_tell(e, LEASE_GAINED, REG_OK, NULL);
	} else {
		e->state = e->grant || e->taken ? LEASE_RENEW_FIRST : LEASE_CLAIMING;
		e->end = 0;
		lease_idle(e, now + lease_random(e->of, SEC(1)));
	}
}
