/* session.c - the life of a session.
 *
 *	(nothing) --want, INIT received--> known, not up --first proof of a common key--> up
 *	up --silence, CLOSE, dead channel, expired keys, new instance of the peer--> known, not up
 *	known --not wanted by anybody for SESSION_USE--> (nothing)
 *	known --closed and never used--> (nothing), at once
 *
 * Keys: a responder's new key waits in `next` until something arrives under it; then, and for an
 * initiator at once, it becomes `current` and the old one `previous`, under which packets that
 * are still on their way are received. Everything else about two instances (channel, tags)
 * survives a rekey. What time asks for is session_time.c. */
#include "p2p/session.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/addresses.h"
#include "p2p/connect.h"
#include "p2p/control.h"
#include "p2p/core.h"
#include "p2p/later.h"
#include "p2p/publish.h"
#include "p2p/route.h"
#include "p2p/transmit.h"

void session_touch(struct session *s)
{
	if (s->is_dirty)
		return;
	s->is_dirty = true;
	s->dirty_next = NULL;
	*s->p->dirty_end = s;
	s->p->dirty_end = &s->dirty_next;
}

void session_untouch(struct session *s)
{
	struct session **at = &s->p->dirty;

	if (!s->is_dirty)
		return;
	while (*at != s)
		at = &(*at)->dirty_next;
	*at = s->dirty_next;
	if (!*at)
		s->p->dirty_end = at;
	s->is_dirty = false;
}

/* Everything that belongs to one pair of instances. */
static void forget_pair(struct session *s, usec_t now)
{
	slot_free(s->previous);
	slot_free(s->current);
	slot_free(s->next);
	s->previous = s->current = s->next = NULL;
	if (!s->up)
		return;
	s->up = false;
	s->p->channel_bytes -= s->channel.counted;
	channel_fini(&s->channel);
	s->kind = P2P_PATH_NONE;
	publish_remove(s);
	attach_clear(s);
	p2p_emit(s->p, &(struct p2p_event){ .type = P2P_SESSION_DOWN, .peer = s->peer,
					    .session = s->handle });
	s->handle = 0;
	ring_link_down(s->p->ring, &s->peer, now);
	session_touch(s);
}

void session_down(struct session *s, usec_t now)
{
	bool was_up = s->up;

	forget_pair(s, now);
	connect_stop(s);
	for (int i = 0; i < s->paths.count; i++)
		if (s->paths.list[i].proven)
			paths_fail(&s->paths, i, now);
	s->paths.used = -1;
	s->asked = false;
	if (was_up)
		s->made = heard_unit(now); /* remembered from now on */
	boot_down(s->p, s, now);
	p2p_random(s->p, &s->instance, sizeof(s->instance));
}

/* 0 = never */
static usec_t used_at(const struct session *s)
{
	return heard_at(s->use.data > s->used_at ? s->use.data : s->used_at);
}

static usec_t since(const struct session *s)
{
	return heard_at(s->up ? s->up_since : s->made);
}

/* Closed in good order, and nobody ever used it: its addresses are not worth their memory. */
static void forget_unused(struct session *s)
{
	if (!used_at(s))
		s->made = 0;
}

static bool is_new_instance(const struct session *s, const struct key_slot *k)
{
	return s->up && s->current->remote_instance != k->remote_instance;
}

/* A CLOSE from the peer's process of old does not end what its successor is just beginning. */
void session_closed(struct session *s, usec_t now)
{
	struct key_slot *next = s->next;
	uint64_t instance = s->instance;

	if (!next || !is_new_instance(s, next)) {
		session_down(s, now);
		forget_unused(s);
		return;
	}
	s->next = NULL;
	session_down(s, now);
	s->next = next;
	s->instance = instance; /* the answer has said so */
}

void session_close(struct session *s, usec_t now)
{
	const uint8_t plain[] = { CONTROL_CLOSE, 0 };

	if (s->up)
		transmit_control(s, plain, sizeof(plain), ASKS_NOTHING, now);
	session_down(s, now);
	forget_unused(s);
}

static void leave_lane(struct session *s)
{
	struct peer_use **at = &s->p->lane.marked;

	while (s->use.marked && *at != &s->use)
		at = &(*at)->marked_next;
	if (s->use.marked)
		*at = s->use.marked_next;
}

void session_free(struct session *s)
{
	struct p2p *p = s->p;

	assert(!s->up);
	connect_stop(s);
	slot_free(s->next);
	attach_clear(s);
	timer_cancel(&p->timers, &s->timer);
	leave_lane(s);
	free(s->limits);
	route_forget(s);
	session_untouch(s);
	paths_fini(&s->paths);
	map_take(&p->sessions, &s->peer);
	map_take(&p->sessions_by_id, &s->id);
	free(s);
}

bool session_takes(struct session *s, enum session_limit of, uint32_t per_second, uint32_t burst,
		   usec_t now)
{
	if (!s->limits)
		s->limits = mem_new(sizeof(*s->limits));
	return bucket_take(&s->limits->of[of], per_second, burst, now);
}

/* The DHT takes the sessions that there are, so it keeps none up. */
void session_use(struct session *s, uint8_t service, usec_t now)
{
	if (service != SERVICE_DHT)
		s->used_at = heard_unit(now);
}

usec_t session_active_at(const struct session *s)
{
	return used_at(s) > since(s) ? used_at(s) : since(s);
}

bool session_is_ours(const struct session *s)
{
	return s->bootstrap || attach_count(s->attachments) > 0 || (s->asked && !s->up) ||
	       (s->up && ring_keeps(s->p->ring, &s->peer));
}

/* Who attaches to a leaf may never speak again; it has its keeper's session, which is used. */
bool session_has_use(const struct session *s, usec_t now)
{
	bool attached = attach_count(s->attachments) > 0;
	usec_t used = used_at(s), from = since(s);

	if (s->bootstrap || (s->asked && !s->up) || (attached && !s->p->cfg.leaf))
		return true;
	if (attached && now < session_active_at(s) + SESSION_LEAF)
		return true;
	return (used && now < used + SESSION_USE) ||
	       (from && now < from + (s->up ? SESSION_TRIAL : SESSION_USE));
}

bool session_is_wanted(const struct session *s, usec_t now)
{
	return session_has_use(s, now) || (s->up && ring_keeps(s->p->ring, &s->peer));
}

/* --- handshakes done --- */

static enum keepalive_pair pair_of(const struct session *s)
{
	if (s->p->cfg.leaf)
		return KEEPALIVE_WE_ARE_LEAF;
	return s->peer_is_leaf ? KEEPALIVE_PEER_IS_LEAF : KEEPALIVE_FULL;
}

static void bring_up(struct session *s, const struct key_slot *k, usec_t now)
{
	uint32_t jitter = p2p_random32(s->p);

	s->stale_view = true;
	session_touch(s);
	if (s->up)
		return;
	s->up = true;
	s->initiator = k->initiator;
	s->handle = ++s->p->last_handle;
	s->asked = false;
	s->up_since = heard_unit(now);
	s->check = heard_unit(now + SESSION_TRIAL);
	s->use = (struct peer_use){ .marked = s->use.marked, .marked_next = s->use.marked_next };
	keepalive_init(&s->keepalive, &s->use.marks, pair_of(s), jitter, now);
	paths_unheard(&s->paths);
	s->paths.of_leaf = pair_of(s) != KEEPALIVE_FULL;
	control_channel(s);
	p2p_emit(s->p, &(struct p2p_event){ .type = P2P_SESSION_UP, .peer = s->peer,
					    .session = s->handle, .leaf = s->peer_is_leaf });
	boot_up(s->p, s);
	ring_link_up(s->p->ring, &s->peer, now);
	s->ring_direct = true;
	s->ring_doubt = false;
}

static void greet(struct session *s, usec_t now)
{
	session_choose(s);
	addresses_greet(s, now); /* what the initiator sends lets the responder use the key */
	attach_tick(s, now);
}

void session_initiated(struct session *s, struct key_slot *k, usec_t now)
{
	bool was_up;

	if (is_new_instance(s, k))
		forget_pair(s, now);
	was_up = s->up;
	slot_free(s->previous);
	s->previous = s->current;
	if (s->next) { /* the peer may be sending under it already */
		slot_free(s->previous);
		s->previous = s->next;
		s->next = NULL;
	}
	if (!k->start_counter && s->previous && s->previous->remote_instance == k->remote_instance)
		k->start_counter = s->previous->start_counter; /* one instance, one process */
	s->current = k;
	bring_up(s, k, now);
	if (was_up) {
		session_choose(s);
		transmit_keepalive(s, now);
	} else {
		greet(s, now);
	}
}

void session_answered(struct session *s, struct key_slot *k, usec_t now)
{
	(void)now;
	slot_free(s->next);
	s->next = k;
	session_touch(s);
}

/* The RESPONSE arrived where we sent it, or this key could not be in use. */
static void prove_answered(struct session *s, struct key_slot *k, usec_t now)
{
	int place;

	if (!k->answered)
		return;
	place = paths_add(&s->paths, k->answered, 0, true, now);
	if (place >= 0)
		paths_prove(&s->paths, place, now > k->made ? now - k->made : 1, now);
	free(k->answered);
	k->answered = NULL;
}

void session_confirm(struct session *s, struct key_slot *k, usec_t now)
{
	bool was_up;

	assert(s->next == k);
	s->next = NULL;
	if (is_new_instance(s, k))
		forget_pair(s, now);
	was_up = s->up;
	slot_free(s->previous);
	s->previous = s->current;
	s->current = k;
	prove_answered(s, k, now);
	connect_stop(s);
	bring_up(s, k, now);
	if (was_up)
		session_choose(s);
	else
		greet(s, now);
}

/* --- paths --- */

void session_choose(struct session *s)
{
	int best = paths_best(&s->paths), used = s->paths.used;
	enum p2p_path_kind kind = P2P_PATH_DIRECT;

	if (!s->up)
		return;
	if (best < 0 && route_exists(s->p, s))
		kind = P2P_PATH_RING;
	else if (best < 0 && used < 0)
		kind = P2P_PATH_NONE;
	else if (best < 0)
		best = used; /* nothing better: perhaps it comes back */
	if (kind == s->kind && best == used)
		return;
	s->kind = kind & 3;
	s->paths.used = (int8_t)best;
	s->stale_view = true;
	session_touch(s);
}

void session_heard(struct session *s, const struct way *w, size_t pkt_len, usec_t now)
{
	int place = -1;

	s->use.rx_packets++;
	s->use.rx_bytes += pkt_len;
	if (w->routed) {
		s->agent = w->agent;
		s->ring_hops = (RING_HOPS - w->hops + 1) & 63;
	} else {
		place = paths_find(&s->paths, &w->from);
		if (place < 0) {
			place = paths_add(&s->paths, &w->from, w->socket, false, now);
			s->stale_view = true;
		}
	}
	if (place >= 0) {
		s->paths.list[place].heard = heard_unit(now);
		paths_heard(&s->paths, place, pkt_len);
	}
	keepalive_heard(&s->use.marks, s->paths.used < 0 || place == s->paths.used, now);
	if (s->kind == P2P_PATH_NONE)
		session_choose(s);
	session_touch(s);
}
