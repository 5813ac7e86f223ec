/* lease.c - what this node owns: wants, candidates, the table.
 *
 * A want makes candidates one after the other; each is a struct lease (lease_op.c) until it is
 * refused or gained. What is held stays held while another is asked for and is given back once
 * that is gained. The name waits for the address, so that its register can carry it from the
 * start. Bounded: LEASES_MAX leases, TRIES_MAX candidates in a row, then a pause of PAUSE. */
#include "dht/lease.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "dht/lease_impl.h"

#define TRIES_MAX 64
#define PAUSE SEC(30)

const char *lease_state_text(enum lease_state s)
{
	static const char *const text[] = {
		[LEASE_WAITING] = "waiting",   [LEASE_CLAIMING] = "claiming",
		[LEASE_RENEW_FIRST] = "renewing before use",
		[LEASE_HELD] = "held",	       [LEASE_RENEWING] = "renewing",
		[LEASE_AT_RISK] = "at risk",   [LEASE_LOST] = "lost",
	};
	_Static_assert(ARRAY_LEN(text) == LEASE_STATE_COUNT, "every state has a text");

	return (unsigned)s < ARRAY_LEN(text) ? text[s] : "unknown";
}

/* --- the table --- */

struct lease *lease_find(const struct leases *l, const struct reg_name *name)
{
	for (size_t i = 0; i < l->count; i++)
		if (reg_name_equal(&l->slot[i]->name, name))
			return l->slot[i];
	return NULL;
}

struct lease *lease_current(const struct leases *l, enum lease_role role)
{
	struct lease *best = NULL;

	for (size_t i = 0; i < l->count; i++) {
		struct lease *e = l->slot[i];

		if (e->role != role || e->releasing || e->state == LEASE_LOST)
			continue;
		if (!best || (lease_holding(e) && !lease_holding(best)))
			best = e;
	}
	return best;
}

struct lease *lease_add(struct leases *l, const struct reg_name *name, enum lease_role role)
{
	struct lease *e;

	assert(!lease_find(l, name));
	if (l->count == LEASES_MAX)
		return NULL;
	e = mem_new(sizeof(*e));
	e->of = l;
	e->name = *name;
	e->role = role;
	e->state = LEASE_CLAIMING;
	e->next = USEC_NEVER;
	e->place = l->count;
	timer_init(&e->timer, lease_fire);
	l->slot[l->count++] = e;
	return e;
}

static void forget(struct lease *e)
{
	struct leases *l = e->of;

	timer_cancel(&l->timers, &e->timer);
	l->slot[e->place] = l->slot[--l->count];
	l->slot[e->place]->place = e->place;
	free(e->grant);
	free(e);
}

void lease_drop(struct lease *e, usec_t now)
{
	(void)now;
	lease_erase(e);
	forget(e);
}

void lease_tell(struct lease *e, enum lease_event_type type, enum reg_status status,
		const struct pubkey *holder)
{
	struct leases *l = e->of;
	struct lease_event ev = { .type = type, .name = e->name, .status = status };

	if (holder)
		ev.holder = *holder;
	if (type == LEASE_GAINED || type == LEASE_RENEWED) {
		ev.grant = e->grant;
		ev.len = e->grant_len;
	}
	l->env.event(l->env.ctx, &ev);
}

/* --- wants --- */

static bool is_asked_for(const struct lease *e)
{
	const struct lease_want *w = &e->of->want[e->role];
	struct reg_name name;

	if (!w->active || w->ask.len == 0)
		return false;
	name = reg_name_address(&w->ask);
	return reg_name_equal(&name, &e->name);
}

bool lease_may_start(const struct lease *e)
{
	const struct leases *l = e->of;
	const struct lease *address = lease_current(l, ROLE_ADDRESS);

	if (e->role != ROLE_NAME)
		return true;
	return address ? lease_holding(address) : !l->want[ROLE_ADDRESS].active;
}

static void claim(struct leases *l, const struct reg_name *name, enum lease_role role, usec_t now)
{
	struct lease *e = lease_find(l, name);

	if (!e)
		e = lease_add(l, name, role);
	if (!e)
		return;
	if (e->releasing || e->state == LEASE_LOST) { /* wanted again: a newer operation */
		e->releasing = false;
		e->state = LEASE_CLAIMING;
		e->phase = PHASE_IDLE;
		e->op = e->disk_op = 0;
	}
	if (e->phase == PHASE_IDLE && !lease_holding(e))
		lease_arm(e, now);
}

static bool candidate(struct lease_want *w, struct reg_name *name)
{
	if (w->role == ROLE_NAME)
		return lease_host_candidate(w->host, w->attempt++, name);
	return w->tried++ < TRIES_MAX && lease_candidate(w->of, w->attempt++, name);
}

static void no_candidate(struct lease_want *w, usec_t now)
{
	struct leases *l = w->of;
	struct lease_event ev = { .type = LEASE_FAILED, .status = REG_FULL };

	if (w->role == ROLE_NAME)
		reg_name_host(&ev.name, w->host);
	else
		ev.name = (struct reg_name){ .kind = REG_ADDRESS };
	l->env.event(l->env.ctx, &ev);
	lease_pause(l, w->role, now);
}

/* The next candidate that is not being given back right now. */
static void want_next(struct lease_want *w, usec_t now)
{
	struct reg_name name;
	const struct lease *e;

	do {
		if (!candidate(w, &name)) {
			no_candidate(w, now);
			return;
		}
		e = lease_find(w->of, &name);
	} while (e && e->releasing);
	claim(w->of, &name, w->role, now);
}

void lease_pause(struct leases *l, enum lease_role role, usec_t now)
{
	struct lease_want *w = &l->want[role];

	if (!w->active)
		return;
	w->tried = 0;
	if (role == ROLE_NAME)
		w->attempt = 0;
	timer_set(&l->timers, &w->timer, now + PAUSE + lease_random(l, PAUSE / 10));
}

static void want_fire(struct timer *t, usec_t now)
{
	struct lease_want *w = container_of(t, struct lease_want, timer);

	if (w->active && !lease_current(w->of, w->role))
		want_next(w, now);
}

void lease_gained(struct lease *e, usec_t now)
{
	struct leases *l = e->of;
	struct lease *name = lease_current(l, ROLE_NAME);
	enum lease_role role = e->role;

	for (size_t i = l->count; i > 0; i--) {
		struct lease *other = l->slot[i - 1];

		if (other != e && other->role == role && !other->releasing && !is_asked_for(other))
			lease_give_back(other, now);
	}
	if (role == ROLE_ADDRESS && name && name->phase == PHASE_IDLE && !lease_holding(name))
		lease_arm(name, now);
}

void lease_refused(struct lease *e, enum reg_status status, const struct pubkey *holder,
		   usec_t now)
{
	struct leases *l = e->of;
	enum lease_role role = e->role;

	lease_tell(e, LEASE_REFUSED, status, holder);
	if (is_asked_for(e))
		l->want[role].ask.len = 0;
	lease_drop(e, now);
	if (l->want[role].active && !lease_current(l, role))
		want_next(&l->want[role], now);
}

void leases_want_address(struct leases *l, const struct ip *ask, usec_t now)
{
	struct lease_want *w = &l->want[ROLE_ADDRESS];
	struct reg_name name;

	w->active = true;
	w->attempt = w->tried = 0;
	w->ask = (struct ip){ 0 };
	timer_cancel(&l->timers, &w->timer);
	if (ask && lease_usable(l, ask)) {
		w->ask = *ask;
		name = reg_name_address(ask);
		claim(l, &name, ROLE_ADDRESS, now);
		return;
	}
	if (ask) {
		struct lease_event ev = { .type = LEASE_REFUSED, .status = REG_REFUSED };

		ev.name = reg_name_address(ask);
		l->env.event(l->env.ctx, &ev);
	}
	if (!lease_current(l, ROLE_ADDRESS))
		want_next(w, now);
}

/* Is this the wanted name or one of its numbered forms? */
static bool answers(const char *host, const struct lease *e)
{
	struct reg_name name;

	for (uint32_t i = 0; lease_host_candidate(host, i, &name); i++)
		if (reg_name_equal(&name, &e->name))
			return true;
	return false;
}

void leases_want_name(struct leases *l, const char *host, usec_t now)
{
	struct lease_want *w = &l->want[ROLE_NAME];
	const struct lease *e = lease_current(l, ROLE_NAME);

	lease_host_clean(w->host, host);
	w->active = true;
	w->attempt = w->tried = 0;
	timer_cancel(&l->timers, &w->timer);
	if (!e || !answers(w->host, e))
		want_next(w, now);
}

void leases_set_v6(struct leases *l, const struct ip *v6, usec_t now)
{
	assert(v6->len == 16 || v6->len == 0);
	l->v6 = *v6;
	lease_retell(l, now);
}

/* --- verbs of the owner --- */

void leases_release(struct leases *l, const struct reg_name *name, usec_t now)
{
	struct lease *e = lease_find(l, name);
	enum lease_role role;

	if (!e)
		return;
	role = e->role;
	if (e == lease_current(l, role) || is_asked_for(e))
		l->want[role].active = false;
	lease_give_back(e, now);
	lease_retell(l, now);
}

void leases_release_all(struct leases *l, usec_t now)
{
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		l->want[i].active = false;
		timer_cancel(&l->timers, &l->want[i].timer);
	}
	for (size_t i = l->count; i > 0; i--)
		lease_give_back(l->slot[i - 1], now);
}

void leases_result(struct leases *l, uint64_t op, enum reg_status status,
		   const struct pubkey *holder, const uint8_t *grant, size_t len, usec_t now)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->slot[i]->op == op && l->slot[i]->phase == PHASE_ASKED) {
			lease_answer(l->slot[i], status, holder, grant, len, now);
			return;
		}
}

void leases_persisted(struct leases *l, uint64_t op, int result, usec_t now)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->slot[i]->disk_op == op && l->slot[i]->phase == PHASE_DISK) {
			lease_written(l->slot[i], result, now);
			return;
		}
}

bool leases_restore(struct leases *l, const uint8_t *key, size_t key_len, const uint8_t *value,
		    size_t len, usec_t now)
{
	(void)now;
	return lease_load(l, key, key_len, value, len);
}

void leases_started(struct leases *l, usec_t now)
{
	for (size_t i = 0; i < l->count; i++)
		lease_resume(l->slot[i], now);
}

void leases_tick(struct leases *l, usec_t now) { timers_run(&l->timers, now); }

usec_t leases_deadline(const struct leases *l) { return timers_next(&l->timers); }

bool leases_next(const struct leases *l, size_t *at, struct lease_info *out, usec_t now)
{
	const struct lease *e;

	if (*at >= l->count)
		return false;
	e = l->slot[(*at)++];
	*out = (struct lease_info){ .name = e->name, .state = e->state,
				    .generation = e->generation, .grant = e->grant,
				    .grant_len = e->grant_len };
	if (e->releasing)
		out->state = LEASE_LOST;
	if (lease_holding(e) && e->end > now)
		out->left = e->end - now;
	return true;
}

struct leases *leases_new(const struct lease_config *cfg, const struct lease_env *env, usec_t now)
{
	struct leases *l = mem_new(sizeof(*l));

	(void)now;
	assert(cfg->lease > 0);
	l->cfg = *cfg;
	l->env = *env;
	timers_init(&l->timers);
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		l->want[i].of = l;
		l->want[i].role = (enum lease_role)i;
		timer_init(&l->want[i].timer, want_fire);
	}
	return l;
}

void leases_free(struct leases *l)
{
	if (!l)
		return;
	while (l->count)
		forget(l->slot[0]);
	for (size_t i = 0; i < ROLE_COUNT; i++)
		timer_cancel(&l->timers, &l->want[i].timer);
	timers_fini(&l->timers);
	free(l);
}
