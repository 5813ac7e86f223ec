/* session_table.c - the sessions of one overlay: found, made, and who gives way when there are too
 * many. The table is bounded by P2P_SESSIONS_MAX; whoever has the overlay key can fill it, so what
 * only a peer wants gives way to a newcomer, and what we want never does. */
#include "p2p/session.h"

#include <stdlib.h>

#include "base/mem.h"
#include "p2p/connect.h"
#include "p2p/core.h"

static void fire(struct timer *t, usec_t now)
{
	session_tick(container_of(t, struct session, timer), now);
}

struct session *session_find(const struct p2p *p, const struct pubkey *key)
{
	return map_get(&p->sessions, key);
}

struct session *session_find_id(const struct p2p *p, const struct node_id *id)
{
	return map_get(&p->sessions_by_id, id);
}

/* Smaller = gives way sooner: those that never were up, those that are only remembered, the rest;
 * among equals the one used longest ago. */
static usec_t worth(const struct session *s)
{
	if (s->up)
		return session_active_at(s) + HOURS(1000);
	return s->next && !s->made ? s->next->made : heard_at(s->made);
}

/* Room for one more. */
static bool make_room(struct p2p *p, usec_t now)
{
	struct session *s, *least = NULL;
	size_t at = 0;

	if (p->sessions.count < P2P_SESSIONS_MAX)
		return true;
	while ((s = map_next(&p->sessions, &at)))
		if ((!least || worth(s) < worth(least)) && !s->is_dirty &&
		    !(s->attempt && s->attempt->hs) && !session_is_ours(s))
			least = s;
	if (!least)
		return false;
	session_close(least, now);
	session_free(least);
	return true;
}

static struct session *session_new(struct p2p *p, const struct pubkey *key, usec_t now)
{
	struct session *s = mem_new(sizeof(*s));

	s->p = p;
	s->peer = *key;
	s->id = id_of(key);
	s->check = heard_unit(now);
	timer_init(&s->timer, fire);
	paths_init(&s->paths);
	p2p_random(p, &s->instance, sizeof(s->instance));
	if (map_put(&p->sessions_by_id, s) < 0) { /* two keys with one id */
		free(s);
		return NULL;
	}
	map_put(&p->sessions, s);
	session_touch(s);
	return s;
}

struct session *session_want(struct p2p *p, const struct pubkey *key, usec_t now)
{
	struct session *s = session_find(p, key);

	if (s)
		return s;
	if (key_equal(key, &p->cfg.self.pub) || !p->cfg.crypto->key_valid(key) ||
	    !make_room(p, now))
		return NULL;
	return session_new(p, key, now);
}
