/* member.c - a node's own membership: joining, keeping up, being put out. docs/protocol.md 9.
 *
 * Joining: one signed TOKEN_USE, repeated to the keepers the token named until one of them answers
 * with a membership that verifies, or finally refuses; over when everything that came is durable.
 * Keeping up: SYNC tells a keeper what is held, UPDATE brings what is newer; asked when a session
 * with a keeper attaches, and every SYNC_PERIOD, attached or not (who was away for long holds a
 * secret too old to attach with). Answers are believed as far as they are signed; the secrets,
 * which are not, are taken from a configured keeper only. */
#include "dht/regs_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "dht/judge.h"
#include "dht/token.h"

#define ENROL_MAX SEC(5) /* per keeper that is tried */
#define ENROL_TARGETS_MAX 3
#define ENROL_RETRY MSEC(300)
#define ENROL_DOUBLINGS 3
#define SYNC_PERIOD MINUTES(10)
#define SYNC_RETRY SEC(1)
#define SYNC_TRIES 5 /* doubling from SYNC_RETRY, then SYNC_PAUSE */
#define SYNC_PAUSE MINUTES(1)

/* --- what keepers say --- */

static bool is_keeper_key(const struct regs *r, const struct pubkey *key)
{
	return r->facts.config && config_member(r->facts.config, key) >= 0;
}

void member_check_revoked(struct regs *r, bool told)
{
	struct regs_event e = { .type = REGS_REVOKED_SELF, .status = REG_REVOKED };
	struct facts *f = &r->facts;

	if (f->told_revoked || !(told || (f->membership && f->member_revoked) ||
				 regs_is_revoked(r, &r->cfg.self.pub)))
		return;
	f->told_revoked = true;
	regs_tell(r, &e);
}

/* Takes what verifies and is newer; true = something was. */
static bool take(struct regs *r, const struct membermsg *m)
{
	bool any = false;

	if (m->settings.len)
		any |= facts_take_settings(r, m->settings.p, m->settings.len);
	if (m->membership.len)
		any |= facts_take_membership(r, m->membership.p, m->membership.len);
	if (m->revocations.len)
		any |= facts_take_revocations(r, m->revocations.p, m->revocations.len);
	if (m->secret_count)
		any |= facts_take_secrets(r, m->secrets, m->secret_count, r->now);
	return any;
}

/* --- joining --- */

static void enrol_free(struct regs *r)
{
	if (!r->enrol)
		return;
	timer_cancel(&r->timers, &r->enrol->timer);
	free(r->enrol->bytes);
	free(r->enrol);
	r->enrol = NULL;
}

static void enrol_end(struct regs *r, enum reg_status status, uint64_t detail)
{
	struct regs_event ev = { .type = REGS_ENROLLED, .op = r->enrol->op, .status = status,
				 .detail = detail };

	if (status == REG_OK) {
		ev.grant = r->facts.membership;
		ev.len = r->facts.membership_len;
	}
	enrol_free(r);
	regs_tell(r, &ev);
}

static void enrol_arm(struct regs *r, usec_t next)
{
	r->enrol->next = next;
	timer_set(&r->timers, &r->enrol->timer, usec_min(next, r->enrol->deadline));
}

static void enrol_fire(struct timer *t, usec_t now)
{
	struct enrol *e = container_of(t, struct enrol, timer);
	struct regs *r = e->of;
	unsigned doublings = e->tries < ENROL_DOUBLINGS ? e->tries : ENROL_DOUBLINGS;
	const struct pubkey *keeper;

	if (now >= e->deadline) {
		enrol_end(r, e->last, 0);
		return;
	}
	if (e->number >= r->client.safe) { /* its number is not durable yet */
		enrol_arm(r, now + MSEC(20));
		return;
	}
	keeper = client_keeper(r, e->tries++);
	if (keeper && !key_equal(keeper, &r->cfg.self.pub))
		r->env.send(r->env.ctx, keeper, REGS_SERVICE_MEMBER, e->bytes, e->len);
	enrol_arm(r, now + (ENROL_RETRY << doublings));
}

static bool enrol_message(struct regs *r, const struct key_pair *token, const char *host)
{
	struct enrol *e = r->enrol;
	uint8_t op[REG_OP_MAX], msg[MEMBERMSG_MAX], id[32];
	struct membermsg m = { .type = MEMBERMSG_ENROL, .request = e->request, .op = { op, 0 } };
	struct reg_op use = { .verb = OP_TOKEN_USE, .number = e->number };

	if (strlen(host) > MEMBER_HOST_MAX)
		return false;
	memcpy(m.host, host, strlen(host));
	token_id(id, &token->pub);
	use.name = reg_name_key(REG_TOKEN, id, sizeof(id));
	memcpy(use.nsid, r->nsid, NSID_LEN);
	memcpy(m.nsid, r->nsid, NSID_LEN);
	use.signer = r->cfg.self.pub;
	use.second = token->pub;
	m.op.len = reg_op_write(op, sizeof(op), &use, r->cfg.crypto, &r->cfg.self, token);
	e->len = m.op.len ? membermsg_write(msg, sizeof(msg), &m) : 0;
	if (e->len)
		e->bytes = mem_copy(msg, e->len);
	return e->len > 0;
}

int regs_enrol(struct regs *r, uint64_t op, const uint8_t token_seed[SEED_LEN], const char *host,
	       usec_t now)
{
	struct enrol *e;
	struct key_pair token;
	size_t targets = r->facts.config ? r->facts.config->count : r->trusted_count;
	bool ok;

	r->now = now;
	if (r->enrol)
		return -EBUSY;
	if (!targets || !key_from_seed(&token, token_seed))
		return -EINVAL;
	r->enrol = e = mem_new(sizeof(*e));
	*e = (struct enrol){ .of = r, .op = op, .request = regs_random64(r), .last = REG_NO_QUORUM,
			     .number = client_number(r) };
	timer_init(&e->timer, enrol_fire);
	e->deadline = now + ENROL_MAX * (targets < ENROL_TARGETS_MAX ? targets : ENROL_TARGETS_MAX);
	ok = enrol_message(r, &token, host);
	sodium_memzero(&token, sizeof(token));
	if (!ok) {
		enrol_free(r);
		return -EINVAL;
	}
	enrol_arm(r, now);
	return 0;
}

static bool is_final(enum reg_status s)
{
	return s != REG_OK && s != REG_NO_QUORUM && s != REG_BUSY && s != REG_OTHER_EPOCH;
}

/* In a hardened set the next keeper is asked as well, in its time. */
static bool refusal_counts(struct regs *r, const struct pubkey *from, enum reg_status why)
{
	const struct config *cf = r->facts.config;
	int at = cf ? config_member(cf, from) : -1;

	if (!cf || !judge_is_hardened(cf))
		return true;
	return at >= 0 && client_refused(&r->enrol->refused, cf, (size_t)at, why) == REFUSAL_COUNTS;
}

static bool was_asked(const struct regs *r, const struct pubkey *from)
{
	for (size_t i = 0; i < r->trusted_count; i++)
		if (key_equal(&r->trusted[i], from))
			return true;
	return is_keeper_key(r, from);
}

/* Everything a member needs, all of it good? */
static bool enrol_complete(struct regs *r, const struct membermsg *m)
{
	struct reg_name own = reg_name_key(REG_MEMBER, r->cfg.self.pub.b, KEY_LEN);
	struct member_payload p;
	struct settings s;
	struct grant g;

	return m->secret_count && settings_read(&s, m->settings.p, m->settings.len, &r->cfg.root,
						r->cfg.crypto) &&
	       facts_verify(r, &g, &own, m->membership.p, m->membership.len) &&
	       member_payload_read(&p, g.payload, g.payload_len) && !p.revoked;
}

void member_enrolled(struct regs *r, const struct pubkey *from, const struct membermsg *m,
		     usec_t now)
{
	struct enrol *e = r->enrol;

	if (!e || e->done || m->request != e->request || !was_asked(r, from)) {
		drop_add(r->cfg.drops, DROP_UNKNOWN);
		return;
	}
	if (m->config.len && facts_take_config(r, from, m->config.p, m->config.len))
		r->updated = true;
	if (is_final(m->status)) {
		if (refusal_counts(r, from, m->status))
			enrol_end(r, m->status, m->detail);
	} else if (m->status == REG_OTHER_EPOCH) {
		e->last = r->facts.config ? REG_NO_QUORUM : REG_OTHER_EPOCH;
		if (r->updated)
			enrol_arm(r, now); /* now we know whom to ask */
	} else if (m->status == REG_OK && is_keeper_key(r, from) && enrol_complete(r, m)) {
		take(r, m);
		e->done = true;
		timer_cancel(&r->timers, &e->timer);
	} else if (m->status == REG_OK) {
		drop_add(r->cfg.drops, DROP_SIGNATURE);
	}
}

void member_settle(struct regs *r, usec_t now)
{
	if (!r->enrol || !r->enrol->done || !facts_durable(r))
		return;
	enrol_end(r, REG_OK, 0);
	r->sync.tries = 0;
	timer_set(&r->timers, &r->sync.timer, now + SYNC_PERIOD / 2 +
						     regs_jitter(r, SYNC_PERIOD / 2));
	member_check_revoked(r, false);
}

/* --- keeping up --- */

static void send_sync(struct regs *r, const struct pubkey *to, uint64_t request)
{
	struct membermsg m = { .type = MEMBERMSG_SYNC, .request = request,
			       .held = facts_held(r) };
	uint8_t msg[128];
	size_t n;

	if (restore_is_due(r))
		restore_show(r, to);
	memcpy(m.nsid, r->nsid, NSID_LEN);
	n = membermsg_write(msg, sizeof(msg), &m);
	assert(n);
	r->env.send(r->env.ctx, to, REGS_SERVICE_MEMBER, msg, n);
}

/* Who may become a keeper lets every keeper know that it is there (seats.c). */
static void tell_keepers(struct regs *r, const struct pubkey *asked)
{
	const struct config *cf = r->facts.config;

	for (size_t i = 0; cf && i < cf->count && seats_is_candidate(r); i++)
		if (!asked || !key_equal(&cf->members[i].node, asked))
			send_sync(r, &cf->members[i].node, 0);
}

void member_sync(struct regs *r, const struct pubkey *to, usec_t now)
{
	if (!is_keeper_key(r, to) || !r->facts.membership)
		return;
	r->sync.request = regs_random64(r);
	r->sync.tries = 1;
	send_sync(r, to, r->sync.request);
	tell_keepers(r, to);
	timer_set(&r->timers, &r->sync.timer, now + SYNC_RETRY);
}

void member_tell(struct regs *r, usec_t now)
{
	if (seats_is_candidate(r))
		timer_set(&r->timers, &r->sync.timer, now + SYNC_RETRY +
							     regs_jitter(r, 4 * SYNC_RETRY));
}

static void sync_fire(struct timer *t, usec_t now)
{
	struct sync *s = container_of(t, struct sync, timer);
	struct regs *r = container_of(s, struct regs, sync);
	const struct pubkey *keeper = client_keeper(r, s->tries);
	const uint8_t *grant;

	if (!r->facts.membership)
		return;
	serve_secrets(r, now);
	if (regs_judges(r)) { /* our own membership is renewed by asking for it */
		keeper_member_grant(r->keeper, &r->cfg.self.pub, &grant, now);
		timer_set(&r->timers, t, now + SYNC_PERIOD);
		return;
	}
	s->tries++;
	if (keeper) {
		s->request = regs_random64(r);
		send_sync(r, keeper, s->request);
	}
	tell_keepers(r, keeper);
	timer_set(&r->timers, t, now + (s->tries < SYNC_TRIES ? SYNC_RETRY << s->tries :
							       SYNC_PAUSE) +
					 regs_jitter(r, SYNC_RETRY));
}

/* Until the keepers of a new era have registered us it is never long. */
static usec_t sync_pause(const struct regs *r)
{
	unsigned tries = r->sync.tries < SYNC_TRIES ? r->sync.tries : SYNC_TRIES;

	return restore_is_due(r) ? SYNC_RETRY << tries :
				   SYNC_PERIOD / 2 + regs_jitter(r, SYNC_PERIOD / 2);
}

void member_update(struct regs *r, const struct pubkey *from, const struct membermsg *m,
		   usec_t now)
{
	struct sync *s = &r->sync;
	bool asked = s->request && m->request == s->request;
	bool any;

	if (m->config.len && facts_take_config(r, from, m->config.p, m->config.len))
		r->updated = true;
	if (!is_keeper_key(r, from) || !r->facts.membership) {
		drop_add(r->cfg.drops, DROP_UNKNOWN);
		return;
	}
	any = take(r, m);
	r->updated |= any;
	if (asked) {
		s->request = 0;
		s->tries = restore_is_due(r) ? s->tries : 0;
		timer_set(&r->timers, &s->timer, now + sync_pause(r));
	} else {
		send_sync(r, from, 0); /* says that it arrived */
	}
	/* Among liars only what is signed puts anybody out: the list, or the membership itself. */
	member_check_revoked(r, m->status == REG_REVOKED && !judge_is_hardened(r->facts.config));
}

/* The keepers are others now: whoever waited for one of them asks again. */
void member_chain_grew(struct regs *r, const struct pubkey *from, usec_t now)
{
	if (r->facts.seek)
		return; /* there is more to come */
	if (r->enrol && !r->enrol->done)
		enrol_arm(r, now);
	else if (r->facts.membership && is_keeper_key(r, from))
		member_sync(r, from, now);
	else if (r->facts.membership)
		timer_set(&r->timers, &r->sync.timer, now + regs_jitter(r, SYNC_RETRY));
}

void member_started(struct regs *r, usec_t now)
{
	if (r->facts.membership)
		timer_set(&r->timers, &r->sync.timer, now + SEC(1) + regs_jitter(r, SEC(4)));
	member_check_revoked(r, false);
}

void member_init(struct regs *r)
{
	timer_init(&r->sync.timer, sync_fire);
}

void member_fini(struct regs *r)
{
	enrol_free(r);
	timer_cancel(&r->timers, &r->sync.timer);
}
