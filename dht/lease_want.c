/* lease_want.c - what the owner wants: candidates, one after the other.
 *
 * Each candidate is a struct lease (lease_op.c) until it is refused or gained. What is held stays
 * held while another is asked for and is given back once that is gained. The name waits for the
 * address, so that its register can carry it from the start. At most TRIES_MAX candidates, or all
 * there are, in a row, then a pause of PAUSE; a range that is full is known after the first. The
 * keeper that refuses an address names one that seems free to it, and that is the next candidate,
 * but for every OWN_EVERY-th: a keeper that is behind, or lies, must not lead us for ever. */
#include "dht/lease_impl.h"

#include <assert.h>
#include <errno.h>

#include "base/list.h"

#define TRIES_MAX 64
#define SKIPS_MAX 1024 /* candidates in a row that are not this era's to give */
#define OWN_EVERY 8
#define PAUSE SEC(30)
#define RETELL_SPREAD MSEC(200)

bool lease_is_wanted(const struct leases *l, enum lease_role role)
{
	return role < WANTS && l->want[role].active;
}

bool lease_is_asked_for(const struct lease *e)
{
	struct reg_name name;

	if (!lease_is_wanted(e->of, e->role) || e->of->want[e->role].ask.len == 0)
		return false;
	name = reg_name_address(&e->of->want[e->role].ask);
	return reg_name_equal(&name, &e->name);
}

bool lease_may_start(const struct lease *e)
{
	const struct leases *l = e->of;
	const struct lease *address = lease_current(l, ROLE_ADDRESS);

	if (e->role == ROLE_ADDRESS || e->role == ROLE_MORE_ADDRESSES)
		return true;
	return address ? lease_holding(address) : !l->want[ROLE_ADDRESS].active;
}

/* What stood beside the own one takes its place. */
static void promote(struct lease *e, enum lease_role role, usec_t now)
{
	e->role = role;
	e->any = false;
	lease_store(e);
	if (!lease_holding(e))
		return;
	lease_tell(e, LEASE_GAINED, REG_OK, NULL);
	lease_gained(e, now);
	lease_retell(e->of, now);
}

static struct lease *claim(struct leases *l, const struct reg_name *name, enum lease_role role,
			   usec_t now)
{
	struct lease *e = lease_find(l, name);

	if (!e)
		e = lease_add(l, name, role);
	if (!e)
		return NULL;
	if (role < WANTS && e->role != role)
		promote(e, role, now);
	if (lease_is_outgoing(e)) {
		leases_take_back(l, name, now);
		return e;
	}
	if (e->releasing || e->state == LEASE_LOST) { /* wanted again: a newer operation */
		lease_void(e);
		e->releasing = false;
		e->state = LEASE_CLAIMING;
		e->phase = PHASE_IDLE;
		e->op = e->disk_op = 0;
	}
	if (e->phase == PHASE_IDLE && !lease_holding(e))
		lease_arm(e, now);
	return e;
}

/* False: keepers would say that it is not this era's to give. */
static bool may_ask_for(const struct leases *l, const struct reg_name *name)
{
	struct pool p = { l->cfg.subnet, l->era, l->settling };

	return pool_answer(&p, name) != REG_OWNED;
}

/* Is that what a keeper named of any use after so many tries? */
static bool takes_hint(const struct leases *l, const struct ip *hint, unsigned tried,
		       struct reg_name *name)
{
	if (!hint || !lease_usable(l, hint) || tried % OWN_EVERY == 0)
		return false;
	*name = reg_name_address(hint);
	return !lease_find(l, name);
}

/* Reserved ones are refused without asking. */
static bool host_candidate(struct lease_want *w, struct reg_name *name)
{
	struct leases *l = w->of;
	struct lease_event ev = { .type = LEASE_REFUSED, .status = REG_REFUSED };

	while (lease_host_candidate(w->host, l->era, w->attempt++, name)) {
		if (!reg_name_is_reserved(name))
			return true;
		ev.name = *name;
		l->env.event(l->env.ctx, &ev);
	}
	return false;
}

static bool candidate(struct lease_want *w, const struct ip *hint, struct reg_name *name)
{
	const struct leases *l = w->of;
	uint32_t most = lease_usable_count(&l->cfg.subnet);

	if (w->role == ROLE_NAME)
		return host_candidate(w, name);
	if (w->tried++ >= usec_min(TRIES_MAX, most))
		return false;
	if (takes_hint(l, hint, w->tried, name))
		return true;
	for (uint32_t i = 0; i < usec_min(most, SKIPS_MAX); i++)
		if (!lease_candidate(l, w->attempt++, name))
			return false;
		else if (may_ask_for(l, name))
			return true;
	return false;
}

/* Any address that is not in our table yet, as one more; false = all were tried. */
static bool any_more(struct leases *l, uint16_t tried, const struct ip *hint, usec_t now)
{
	uint32_t most = lease_usable_count(&l->cfg.subnet);
	struct reg_name name;
	struct lease *e = NULL;
	bool found = false;

	if (tried++ >= TRIES_MAX)
		return false;
	found = takes_hint(l, hint, tried, &name);
	for (uint32_t i = 0; !found && i < usec_min(most, LEASES_MAX); i++)
		found = lease_candidate(l, l->more_attempt++, &name) && !lease_find(l, &name) &&
			may_ask_for(l, &name);
	if (found)
		e = claim(l, &name, ROLE_MORE_ADDRESSES, now);
	if (!e)
		return false;
	e->any = true;
	e->tried = tried;
	return true;
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
static void want_next(struct lease_want *w, const struct ip *hint, usec_t now)
{
	struct reg_name name;
	const struct lease *e;

	do {
		if (!candidate(w, hint, &name)) {
			no_candidate(w, now);
			return;
		}
		e = lease_find(w->of, &name);
	} while (e && e->releasing);
	claim(w->of, &name, w->role, now);
}

void lease_pause(struct leases *l, enum lease_role role, usec_t now)
{
	struct lease_want *w;

	if (!lease_is_wanted(l, role))
		return;
	w = &l->want[role];
	w->tried = 0;
	if (role == ROLE_NAME)
		w->attempt = 0;
	timer_set(&l->timers, &w->timer, now + PAUSE + lease_random(l, PAUSE / 10));
}

void lease_want_fire(struct timer *t, usec_t now)
{
	struct lease_want *w = container_of(t, struct lease_want, timer);

	if (w->active && !lease_current(w->of, w->role))
		want_next(w, NULL, now);
}

void lease_gained(struct lease *e, usec_t now)
{
	struct leases *l = e->of;
	enum lease_role role = e->role;

	for (size_t i = l->count; role < WANTS && i > 0; i--) {
		struct lease *other = l->slot[i - 1];

		if (other == e || other->releasing || other->transfer)
			continue;
		if (other->role == role && !lease_is_asked_for(other))
			lease_give_back(other, now);
		else if (role == ROLE_ADDRESS && other->role != ROLE_ADDRESS &&
			 other->phase == PHASE_IDLE && !lease_holding(other))
			lease_arm(other, now); /* it waited for the address */
	}
}

void lease_refused(struct lease *e, const struct reg_answer *a, usec_t now)
{
	struct leases *l = e->of;
	enum lease_role role = e->role;
	struct lease_event ev = { .type = LEASE_FAILED, .more = true, .status = REG_FULL,
				  .name = { .kind = REG_ADDRESS } };
	bool any = e->any, full = a->status == REG_FULL;
	uint16_t tried = e->tried;

	if (!any)
		lease_tell(e, LEASE_REFUSED, full ? REG_OWNED : a->status, &a->holder);
	if (lease_is_asked_for(e))
		l->want[role].ask.len = 0;
	lease_drop(e, now);
	if (any && (full || !any_more(l, tried, &a->hint, now)))
		l->env.event(l->env.ctx, &ev);
	else if (!lease_is_wanted(l, role) || lease_current(l, role))
		return;
	else if (full)
		no_candidate(&l->want[role], now);
	else
		want_next(&l->want[role], &a->hint, now);
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
		want_next(w, NULL, now);
}

/* Is this the wanted name or one of its numbered forms, of whatever era? */
static bool answers(const char *host, const struct lease *e)
{
	struct reg_name name;
	uint32_t era;

	pool_name_stem(&e->name, &era);
	for (uint32_t i = 0; lease_host_candidate(host, era, i, &name); i++)
		if (reg_name_equal(&name, &e->name))
			return true;
	return false;
}

void leases_set_era(struct leases *l, uint32_t era, bool settling)
{
	l->era = era;
	l->settling = settling;
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
		want_next(w, NULL, now);
}

int leases_add_name(struct leases *l, const char *host, usec_t now)
{
	struct reg_name name;
	struct lease *e;

	if (!reg_name_host(&name, host) || name.len > LEASE_HOST_MAX)
		return -EINVAL;
	if (reg_name_is_reserved(&name))
		return -EPERM;
	e = lease_find(l, &name);
	if (e && !e->releasing)
		return -EEXIST;
	if (l->count == LEASES_MAX)
		return -ENOSPC;
	claim(l, &name, ROLE_MORE_NAMES, now);
	return 0;
}

int leases_add_address(struct leases *l, const struct ip *ask, usec_t now)
{
	struct reg_name name;
	const struct lease *e;

	if (l->count == LEASES_MAX)
		return -ENOSPC;
	if (!ask)
		return any_more(l, 0, NULL, now) ? 0 : -ENOSPC;
	if (!lease_usable(l, ask))
		return -EINVAL;
	name = reg_name_address(ask);
	e = lease_find(l, &name);
	if (e && !e->releasing)
		return -EEXIST;
	claim(l, &name, ROLE_MORE_ADDRESSES, now);
	return 0;
}

void leases_set_v6(struct leases *l, const struct ip *v6, usec_t now)
{
	assert(v6->len == 16 || v6->len == 0);
	l->v6 = *v6;
	lease_retell(l, now);
}

/* Renews at once whose payload differs from what was last sent. */
void lease_retell_one(struct lease *e, usec_t now)
{
	uint8_t payload[REG_PAYLOAD_OWNED_MAX];
	size_t len;

	if (e->state != LEASE_HELD || e->releasing || e->phase != PHASE_IDLE ||
	    !lease_payload(e, payload, &len))
		return;
	if (len != e->payload_len || memcmp(payload, e->payload, len) != 0)
		lease_arm(e, usec_min(e->next, now + lease_random(e->of, RETELL_SPREAD)));
}

void leases_renew(struct leases *l, const struct reg_name *name, usec_t now)
{
	struct lease *e = lease_find(l, name);

	if (e && lease_holding(e) && !e->releasing && e->phase == PHASE_IDLE)
		lease_arm(e, usec_min(e->next, now + lease_random(l, RETELL_SPREAD)));
}

void lease_retell(struct leases *l, usec_t now)
{
	for (size_t i = 0; i < l->count; i++)
		lease_retell_one(l->slot[i], now);
}
