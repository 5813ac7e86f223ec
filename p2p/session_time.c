/* session_time.c - what time asks of a session: duties when its timer fires, and the settling.
 *
 * Each session has one timer, set to the earliest of its deadlines. Deadlines, the fast path's view
 * and what the ring knows are brought up to date once, at the end of each call into p2p
 * (session_settle), for the sessions touched in it; objects are freed only there. */
#include "p2p/session.h"

#include <stdlib.h>

#include "p2p/connect.h"
#include "p2p/core.h"
#include "p2p/later.h"
#include "p2p/publish.h"
#include "p2p/route.h"
#include "p2p/transmit.h"

#define CHECK_GAP MINUTES(1)
#define VAIN_TRIES 9	      /* all pauses of path.c are over */
#define VAIN_REST MINUTES(30)
#define ACTIVE_FOR MINUTES(1) /* after the last data packet, other paths are kept warm */
#define TOLD_REST SEC(40) /* and up to half as much again: addresses told to who has a way already */

static void switch_path(struct session *s, usec_t now)
{
	int used = s->paths.used;
	bool other = route_exists(s->p, s);

	for (int i = 0; i < s->paths.count; i++)
		other |= i != used && s->paths.list[i].proven;
	s->agent_turn++;
	paths_hurry(&s->paths, now);
	if (used >= 0 && other)
		paths_fail(&s->paths, used, now);
	session_choose(s);
}

static void mind_silence(struct session *s, usec_t now)
{
	unsigned needs = keepalive_needs(&s->keepalive, &s->use.marks, now);

	if (needs & NEED_DOWN) {
		log_info(s->p->cfg.log, "session %u: silent for too long", (unsigned)s->handle);
		session_down(s, now);
		return;
	}
	if (needs & NEED_PROBE)
		transmit_challenge(s, s->kind == P2P_PATH_DIRECT ? s->paths.used : -1, now);
	if (needs & NEED_HANDSHAKE && (s->initiator || session_is_ours(s))) {
		paths_hurry(&s->paths, now);
		connect_want(s, now);
	}
	if (needs & NEED_SWITCH)
		switch_path(s, now);
	if (needs & NEED_KEEPALIVE) {
		keepalive_sent(&s->use.marks, ASKS_NOTHING, now); /* without a way, too: no busy loop */
		transmit_keepalive(s, now);
	}
}

/* An idle session that works has time to look at other addresses that the peer told: where many
 * start at once, everybody is told all of everybody. A leaf has few, and is to be quiet soon. */
static usec_t told_rest(const struct session *s, const struct path *path, usec_t now)
{
	usec_t waiting = s->use.marks.waiting;
	bool works = !waiting || now - waiting < KEEPALIVE_HANDSHAKE;
	bool leaf = s->p->cfg.leaf || s->peer_is_leaf;

	if (leaf || !works || s->paths.active || !path->told || path->tries || path->heard)
		return 0;
	return heard_at(path->found) + TOLD_REST + s->handle % 20 * SEC(1);
}

/* Keepalives show that the used way works. Beyond that a challenge measures it, which serves the
 * choice among several, for sessions in use. */
static usec_t rest_until(const struct session *s, int place, usec_t now)
{
	usec_t heard = heard_at(s->paths.list[place].heard);

	if (s->kind != P2P_PATH_DIRECT)
		return 0;
	if (place != s->paths.used)
		return told_rest(s, &s->paths.list[place], now);
	if (!heard)
		return 0;
	for (int i = 0; s->paths.active && i < s->paths.count; i++)
		if (i != place && s->paths.list[i].proven)
			return 0;
	return heard + PATH_WARM_IDLE;
}

/* While an idle session has a way, little hangs on addresses that never worked. */
static bool is_vain(const struct session *s, int place)
{
	const struct path *path = &s->paths.list[place];

	return !s->paths.active && s->kind == P2P_PATH_DIRECT && !path->proven &&
	       path->tries > VAIN_TRIES;
}

static void mind_paths(struct session *s, usec_t now)
{
	bool active = s->use.data && now - heard_at(s->use.data) < ACTIVE_FOR;
	int place;

	if (active != s->paths.active)
		paths_set_active(&s->paths, active, now);
	for (int i = 0; i < s->paths.count && (place = paths_due(&s->paths, now)) >= 0; i++) {
		usec_t *next = &s->paths.list[place].next;

		if (rest_until(s, place, now) > now) {
			*next = rest_until(s, place, now);
			continue;
		}
		transmit_challenge(s, place, now);
		if (is_vain(s, place))
			*next = now + VAIN_REST;
	}
	session_choose(s);
}

static void mind_keys(struct session *s, usec_t now)
{
	if (s->previous && (slot_is_expired(s->previous, now) ||
			    now >= s->current->made + PREVIOUS_KEPT)) {
		slot_free(s->previous);
		s->previous = NULL;
	}
	if (slot_is_expired(s->current, now))
		session_down(s, now);
	else if (slot_wants_rekey(s->current, now))
		connect_want(s, now);
}

/* A leaf that needs another session anyhow, its keeper's mostly, needs no uplink beside it. */
static void mind_uplink(struct session *s, usec_t now)
{
	const struct session *other;
	size_t at = 0;

	if (ring_role(s->p->ring, &s->peer) != RING_UPLINK || session_has_use(s, now))
		return;
	while ((other = map_next(&s->p->sessions, &at)))
		if (other->up && other->kind == P2P_PATH_DIRECT && !other->ring_doubt &&
		    session_has_use(other, now) && attach_count(other->attachments) > 0 &&
		    ring_uplink(s->p->ring, &other->peer, now))
			return;
}

/* The initiator closes. With a leaf the leaf does, too: of all its sessions it alone knows which
 * it needs, and the others keep them for its sake. */
static void mind_use(struct session *s, usec_t now)
{
	if (now < heard_at(s->check))
		return;
	s->check = heard_unit(now + CHECK_GAP);
	if (s->p->cfg.leaf)
		mind_uplink(s, now);
	if ((s->initiator || s->p->cfg.leaf) && !session_is_wanted(s, now))
		session_close(s, now);
}

static void mind_channel(struct session *s, usec_t now)
{
	channel_tick(&s->channel, now);
	if (channel_is_dead(&s->channel)) {
		log_info(s->p->cfg.log, "session %u: control channel dead", (unsigned)s->handle);
		session_down(s, now);
	}
}

/* Silence first: its challenge of the way in use is one that paths need not make. */
static void (*const duties[])(struct session *s, usec_t now) = {
	mind_keys, mind_channel, attach_tick, mind_silence, mind_paths, mind_use
};

void session_tick(struct session *s, usec_t now)
{
	session_touch(s);
	if (s->next && now >= s->next->made + ANSWERED_KEPT) {
		slot_free(s->next);
		s->next = NULL;
	}
	if (connect_deadline(s) <= now)
		connect_tick(s, now);
	for (size_t i = 0; s->up && i < ARRAY_LEN(duties); i++)
		duties[i](s, now);
}

usec_t session_rtt(const struct session *s)
{
	usec_t rtt = s->kind == P2P_PATH_DIRECT ? s->paths.list[s->paths.used].rtt : 0;

	return rtt ? rtt : channel_rtt(&s->channel);
}

static usec_t doubt_at(const struct session *s)
{
	return keepalive_doubt_at(&s->use.marks, session_rtt(s));
}

/* The peer may have given us up, so nothing waits for its silence. A session that is still known on
 * both sides keeps its attachments; keys that ended meanwhile end it, and it is made anew. */
void session_wake(struct session *s, usec_t then, usec_t now)
{
	bool wanted = s->up && session_is_wanted(s, then);

	if (!wanted && !s->asked)
		return;
	if (wanted && slot_is_expired(s->current, now))
		session_down(s, now);
	if (s->up)
		keepalive_wake(&s->use.marks, now);
	s->asked |= wanted && !s->up;
	s->used_at = heard_unit(now);
	connect_stop(s);
	connect_want(s, now);
}

static usec_t deadline(const struct session *s, usec_t now)
{
	usec_t at = connect_deadline(s), forget = session_active_at(s) + SESSION_USE;

	if (s->next)
		at = usec_min(at, s->next->made + ANSWERED_KEPT);
	if (!s->up)
		return usec_min(at, forget > now ? forget : now + CHECK_GAP);
	at = usec_min(at, channel_deadline(&s->channel));
	at = usec_min(at, paths_deadline(&s->paths));
	at = usec_min(at, keepalive_deadline(&s->keepalive, &s->use.marks));
	at = usec_min(at, attach_deadline(s));
	if (!s->ring_doubt)
		at = usec_min(at, doubt_at(s));
	if (!s->attempt)
		at = usec_min(at, slot_rekey_at(s->current));
	return usec_min(at, heard_at(s->check));
}

static bool is_forgotten(const struct session *s, usec_t now)
{
	return !s->up && !s->next && !s->attempt && !session_is_wanted(s, now);
}

/* The ring is told what changed. */
static void tell_ring(struct session *s, usec_t now)
{
	bool direct = s->kind == P2P_PATH_DIRECT;
	bool doubt = s->up && doubt_at(s) <= now;

	if (!s->up || (direct == s->ring_direct && doubt == s->ring_doubt))
		return;
	s->ring_direct = direct;
	s->ring_doubt = doubt;
	ring_link_state(s->p->ring, &s->peer, direct, doubt);
}

/* As if there were none, when all are full again. */
static void mind_limits(struct session *s, usec_t now)
{
	for (int i = 0; s->limits && i < LIMITS; i++)
		if (s->limits->of[i].full > now)
			return;
	free(s->limits);
	s->limits = NULL;
}

/* Messages of any one peer are bounded by its channel; those of all peers together by this: while
 * there are too many, who adds to them and is nothing to us is cut off. */
static void mind_memory(struct session *s, usec_t now)
{
	struct p2p *p = s->p;
	size_t bytes = s->up ? channel_memory(&s->channel) : 0;
	bool more = s->up && bytes > s->channel.counted;

	if (s->up) {
		p->channel_bytes = p->channel_bytes - s->channel.counted + bytes;
		s->channel.counted = (uint32_t)bytes;
	}
	if (!more || p->channel_bytes <= CHANNELS_BYTES_MAX || session_is_ours(s))
		return;
	p2p_drop(p, DROP_FULL);
	session_close(s, now);
}

void session_settle(struct p2p *p, usec_t now)
{
	struct session *s;

	later_run(p, now);
	while ((s = p->dirty)) {
		session_untouch(s);
		mind_memory(s, now);
		mind_limits(s, now);
		tell_ring(s, now);
		route_settle(s, now);
		if (is_forgotten(s, now)) {
			session_free(s);
			continue;
		}
		if (s->stale_view || s->paths.changed)
			publish(s);
		s->keepalive.tells = attach_tells(s);
		timer_set(&p->timers, &s->timer, deadline(s, now));
	}
}
