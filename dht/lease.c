/* lease.c - what this node owns: the table of leases, and the entries of lease.h.
 *
 * lease_want.c makes candidates, lease_op.c runs the operations of one lease, lease_store.c keeps
 * it on disk, lease_name.c says what to ask for. At most LEASES_MAX leases. */
#include "dht/lease.h"

#include <assert.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "dht/lease_impl.h"

const char *lease_state_text(enum lease_state s)
{
	static const char *const text[] = {
		[LEASE_WAITING] = "waiting",   [LEASE_CLAIMING] = "claiming",
		[LEASE_RENEW_FIRST] = "renewing before use",
		[LEASE_HELD] = "held",	       [LEASE_RENEWING] = "renewing",
		[LEASE_AT_RISK] = "at risk",   [LEASE_HANDING] = "being transferred",
		[LEASE_LOST] = "lost",
	};
	_Static_assert(ARRAY_LEN(text) == LEASE_STATE_COUNT, "every state has a text");

	return (unsigned)s < ARRAY_LEN(text) ? text[s] : "unknown";
}

#define PLACES_FIRST 4
#define CLOCKS_APART 600 /* seconds: what a date may be wrong by */
#define HEIR_TRIES 20 /* of its renewal, before an heir believes that it got nothing */

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
	if (l->count == l->places) {
		l->places = l->places ? 2 * l->places : PLACES_FIRST;
		l->slot = mem_resize(l->slot, l->places * sizeof(struct lease *));
	}
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
	lease_transfer_drop(e);
	free(e->grant);
	free(e);
}

void lease_drop(struct lease *e, usec_t now)
{
	(void)now;
	lease_erase(e);
	forget(e);
}

void lease_void(struct lease *e)
{
	free(e->grant);
	e->grant = NULL;
	e->grant_len = 0;
	e->end = 0;
}

/* A grant that others still go by. */
bool lease_is_dated(const struct lease *e, usec_t now)
{
	struct grant g;

	return e->grant && grant_read(&g, e->grant, e->grant_len) &&
	       grant_end(&g) > wall_seconds(e->of->cfg.wall, now);
}

/* Of an earlier era, and over: keepers register it no more (8.10), and until the era has settled they
 * only say that it may still be shown. So it is with an heir that has nothing to show. */
bool lease_is_past(const struct lease *e, usec_t now)
{
	uint64_t wall = wall_seconds(e->of->cfg.wall, now);
	struct grant g;

	if (lease_holding(e) || lease_is_incoming(e))
		return false;
	if (e->grant && grant_read(&g, e->grant, e->grant_len))
		return g.ballot.era < e->of->era && grant_end(&g) + CLOCKS_APART < wall;
	return e->taken && e->generation >> 32 < e->of->era && e->tries >= HEIR_TRIES;
}

void lease_tell(struct lease *e, enum lease_event_type type, enum reg_status status,
		const struct pubkey *holder)
{
	struct leases *l = e->of;
	struct lease_event ev = { .type = type, .name = e->name, .status = status,
				  .more = e->role >= WANTS };

	if (holder)
		ev.holder = *holder;
	if (type == LEASE_GAINED || type == LEASE_RENEWED) {
		ev.grant = e->grant;
		ev.len = e->grant_len;
	}
	l->env.event(l->env.ctx, &ev);
}

/* --- verbs of the owner --- */

void leases_release(struct leases *l, const struct reg_name *name, usec_t now)
{
	struct lease *e = lease_find(l, name);
	enum lease_role role;

	if (!e)
		return;
	role = e->role;
	if (role < WANTS && (e == lease_current(l, role) || lease_is_asked_for(e)))
		l->want[role].active = false;
	lease_give_back(e, now);
	lease_retell(l, now);
}

void leases_release_all(struct leases *l, usec_t now)
{
	for (size_t i = 0; i < WANTS; i++) {
		l->want[i].active = false;
		timer_cancel(&l->timers, &l->want[i].timer);
	}
	for (size_t i = l->count; i > 0; i--)
		lease_give_back(l->slot[i - 1], now);
}

void leases_result(struct leases *l, uint64_t op, const struct reg_answer *a, usec_t now)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->slot[i]->op == op && l->slot[i]->phase == PHASE_ASKED) {
			lease_answer(l->slot[i], a, now);
			break;
		}
	if (timer_is_set(&l->room)) /* one operation less is under way */
		timer_set(&l->timers, &l->room, now);
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
	timer_init(&l->room, lease_room_fire);
	for (size_t i = 0; i < WANTS; i++) {
		l->want[i].of = l;
		l->want[i].role = (enum lease_role)i;
		timer_init(&l->want[i].timer, lease_want_fire);
	}
	return l;
}

void leases_free(struct leases *l)
{
	if (!l)
		return;
	while (l->count)
		forget(l->slot[0]);
	for (size_t i = 0; i < WANTS; i++)
		timer_cancel(&l->timers, &l->want[i].timer);
	timer_cancel(&l->timers, &l->room);
	timers_fini(&l->timers);
	free(l->slot);
	free(l);
}
