/* serve.c - the keeper's side of section 9, and who is attached.
 *
 * ENROL goes to the keeper role, its answer is sent with everything a member needs. SYNC brings an
 * UPDATE with what is newer, to everybody whose member register is unrevoked, attached or not.
 * Changes are pushed: every attached peer has an entry that says what it holds; while that is
 * older than ours, UPDATEs go out, PUSH_TRIES of them with doubling pauses, PUSH_BATCH peers at a
 * time (all 4096 within half a second), until its SYNC confirms. Who is revoked gets the list that
 * says so and nothing else. Callbacks of the keeper (serve_enrolled, serve_changed) never call
 * it. */
#include "dht/regs_impl.h"

#include <assert.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

#define PUSH_FIRST SEC(1)
#define PUSH_TRIES 6
#define PUSH_BATCH 256
#define PUSH_GAP MSEC(20)
#define ATTACH_GRACE SEC(2) /* for the peer's own SYNC */
#define ENROLS_A_SECOND 20
#define ENROL_BURST 60
#define SYNCS_A_SECOND 500
#define SYNC_BURST 4096
#define SECRET_LIFE_MIN 86400 /* seconds: a new one at most daily */
#define SECRET_OVERLAP 172800 /* seconds the one before stays valid */

static void send(struct regs *r, const struct pubkey *to, struct membermsg *m)
{
	uint8_t msg[MEMBERMSG_MAX];
	size_t n;

	memcpy(m->nsid, r->nsid, NSID_LEN);
	n = membermsg_write(msg, sizeof(msg), m);
	assert(n);
	r->env.send(r->env.ctx, to, REGS_SERVICE_MEMBER, msg, n);
	sodium_memzero(msg, n);
}

static void fill_config(const struct regs *r, struct membermsg *m)
{
	if (r->facts.config)
		m->config = (struct membermsg_block){ r->facts.config->bytes, r->facts.config->len };
}

static void fill_revocations(const struct regs *r, struct membermsg *m)
{
	if (r->facts.revoked)
		m->revocations = (struct membermsg_block){ r->facts.revocations,
							   r->facts.revocations_len };
}

/* What is newer than `than`; true = anything is. Not the membership. */
static bool fill(const struct regs *r, struct membermsg *m, const struct member_held *than)
{
	const struct facts *f = &r->facts;
	struct member_held ours = facts_held(r);

	if (ours.settings > than->settings)
		m->settings = (struct membermsg_block){ f->settings_bytes, f->settings_len };
	if (ours.era > than->era || (ours.era == than->era && ours.epoch > than->epoch))
		fill_config(r, m);
	if (ours.revocations > than->revocations)
		fill_revocations(r, m);
	if (ours.secret > than->secret) {
		m->secret_count = (uint8_t)f->secret_count;
		memcpy(m->secrets, f->secrets, sizeof(m->secrets));
	}
	return m->settings.len || m->config.len || m->revocations.len || m->secret_count;
}

/* --- enrolment --- */

static void redirect(struct regs *r, const struct pubkey *to, uint64_t request)
{
	struct membermsg m = { .type = MEMBERMSG_ENROLLED, .request = request,
			       .status = REG_OTHER_EPOCH };

	fill_config(r, &m);
	send(r, to, &m);
}

void serve_enrol(struct regs *r, const struct pubkey *from, const struct membermsg *m, usec_t now)
{
	struct keeper_ask ask = { .from = *from, .request = m->request, .host = m->host,
				  .op = m->op.p, .len = m->op.len };

	if (!limit_take(&r->enrol_limit, now)) {
		drop_add(r->cfg.drops, DROP_RATE);
		return;
	}
	if (regs_judges(r))
		keeper_enrol(r->keeper, &ask, now);
	else if (r->facts.config)
		redirect(r, from, m->request);
}

void serve_enrolled(struct regs *r, const struct pubkey *to, uint64_t request,
		    const struct keeper_answer *a)
{
	static const struct member_held nothing;
	struct membermsg m = { .type = MEMBERMSG_ENROLLED, .request = request,
			       .status = (uint8_t)a->status, .detail = a->detail };

	if (a->status == REG_OK) {
		fill(r, &m, &nothing);
		fill_config(r, &m);
		m.membership = (struct membermsg_block){ a->grant, a->len };
	}
	send(r, to, &m);
	sodium_memzero(m.secrets, sizeof(m.secrets));
}

/* --- keeping members up --- */

struct peer *serve_peer(const struct regs *r, const struct pubkey *key)
{
	return map_get(&r->peers, key);
}

/* One UPDATE; false = nothing to say and nobody asked. */
static bool update(struct regs *r, const struct pubkey *to, const struct member_held *held,
		   uint64_t request, usec_t now)
{
	struct membermsg m = { .type = MEMBERMSG_UPDATE, .request = request };
	struct member_payload p;
	bool any;

	if (!keeper_member(r->keeper, to, &p)) {
		m.status = REG_UNKNOWN;
		any = false;
	} else if (p.revoked || regs_is_revoked(r, to)) {
		m.status = REG_REVOKED;
		fill_revocations(r, &m);
		any = regs_revocation_number(r) > held->revocations;
	} else {
		any = fill(r, &m, held);
		if (p.serial > held->serial)
			m.membership.len = keeper_member_grant(r->keeper, to, &m.membership.p, now);
		else
			keeper_member_renew(r->keeper, to, now);
		any |= m.membership.len > 0;
	}
	if (any || request)
		send(r, to, &m);
	sodium_memzero(m.secrets, sizeof(m.secrets));
	return any;
}

void serve_sync(struct regs *r, const struct pubkey *from, const struct membermsg *m, usec_t now)
{
	struct peer *p = serve_peer(r, from);

	if (!limit_take(&r->sync_limit, now)) {
		drop_add(r->cfg.drops, DROP_RATE);
		return;
	}
	if (!regs_judges(r)) { /* the asker's keeper set may be old */
		seek_tell(r, from, m->held.era, m->held.epoch);
		return;
	}
	seats_heard(r, from, now);
	if (p)
		p->held = m->held;
	restore_secret(r, from, m->held.secret, now);
	if (!m->request)
		return; /* confirms a push; if it still lacks something, the next push says so */
	if (p)
		p->next = USEC_NEVER; /* it asks again until it is answered */
	update(r, from, &m->held, m->request, now);
}

/* --- pushing --- */

static void push(struct regs *r, struct peer *p, usec_t now)
{
	p->next = USEC_NEVER;
	if (p->tries < PUSH_TRIES && update(r, &p->key, &p->held, 0, now))
		p->next = now + (PUSH_FIRST << p->tries++);
}

static void push_fire(struct timer *t, usec_t now)
{
	struct regs *r = container_of(t, struct regs, push_timer);
	usec_t next = USEC_NEVER;
	size_t at = 0, done = 0;
	struct peer *p;

	while (regs_judges(r) && (p = map_next(&r->peers, &at))) {
		if (p->next <= now && done < PUSH_BATCH) {
			push(r, p, now);
			done++;
		}
		next = usec_min(next, p->next);
	}
	if (next != USEC_NEVER)
		timer_set(&r->timers, t, next <= now ? now + PUSH_GAP : next);
}

void serve_push_all(struct regs *r, usec_t now)
{
	struct peer *p;
	size_t at = 0;

	while ((p = map_next(&r->peers, &at))) {
		p->next = now;
		p->tries = 0;
	}
	push_fire(&r->push_timer, now);
}

void serve_changed(struct regs *r, const struct reg_name *name, const uint8_t *grant, size_t len)
{
	struct membermsg m = { .type = MEMBERMSG_UPDATE, .membership = { grant, len } };
	struct pubkey key;

	if (name->kind == REG_REVOCATION && facts_take_revocations(r, grant, len))
		r->updated = r->push_all = true;
	if (name->kind != REG_MEMBER)
		return;
	seats_member_changed(r);
	memcpy(key.b, name->b, KEY_LEN);
	if (key_equal(&key, &r->cfg.self.pub))
		r->updated |= facts_take_membership(r, grant, len);
	else if (serve_peer(r, &key))
		send(r, &key, &m);
}

void serve_attached(struct regs *r, const struct pubkey *peer, usec_t now)
{
	struct peer *p = serve_peer(r, peer);

	if (!p) {
		p = mem_new(sizeof(*p));
		p->key = *peer;
		if (map_put(&r->peers, p) < 0) {
			free(p);
			drop_add(r->cfg.drops, DROP_FULL);
			return;
		}
	}
	p->held = (struct member_held){ 0 };
	p->tries = 0;
	p->next = now + ATTACH_GRACE;
	if (regs_judges(r) && (!timer_is_set(&r->push_timer) || r->push_timer.at > p->next))
		timer_set(&r->timers, &r->push_timer, p->next);
}

void serve_gone(struct regs *r, const struct pubkey *peer)
{
	free(map_take(&r->peers, peer));
}

/* --- the namespace secret --- */

static bool rotation_is_due(const struct regs *r, uint64_t wall)
{
	const struct facts *f = &r->facts;

	/* One keeper makes it, or two would make different ones of one number. */
	return regs_judges(r) && config_member(f->config, &r->cfg.self.pub) == 0 &&
	       f->secret_count && f->revoked && f->revoked->number > f->rotated_for &&
	       wall >= f->rotated + SECRET_LIFE_MIN;
}

void serve_secrets(struct regs *r, usec_t now)
{
	struct facts *f = &r->facts;
	uint64_t wall = wall_seconds(r->cfg.wall, now);
	struct regs_secret s[2];

	if (f->rotated > wall) /* the clock was ahead then */
		f->rotated = wall;
	if (rotation_is_due(r, wall)) {
		s[1] = f->secrets[0];
		s[0].number = s[1].number + 1;
		r->env.random(r->env.ctx, s[0].b, sizeof(s[0].b));
		r->updated = r->push_all = facts_take_secrets(r, s, 2, now);
		sodium_memzero(s, sizeof(s));
	} else if (f->secret_count == 2 && wall >= f->rotated + SECRET_OVERLAP) {
		s[0] = f->secrets[0];
		r->updated |= facts_take_secrets(r, s, 1, now);
	}
}

void serve_init(struct regs *r)
{
	uint8_t seed[16];

	r->env.random(r->env.ctx, seed, sizeof(seed));
	map_init(&r->peers, offsetof(struct peer, key), KEY_LEN, REGS_CLIENTS_MAX, seed);
	limit_init(&r->enrol_limit, ENROLS_A_SECOND, ENROL_BURST);
	limit_init(&r->sync_limit, SYNCS_A_SECOND, SYNC_BURST);
	timer_init(&r->push_timer, push_fire);
}

void serve_fini(struct regs *r)
{
	struct peer *p;
	size_t at = 0;

	while ((p = map_next(&r->peers, &at))) {
		map_take_at(&r->peers, &at);
		free(p);
	}
	map_fini(&r->peers);
	timer_cancel(&r->timers, &r->push_timer);
}
