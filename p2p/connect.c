/* connect.c - handshakes that we begin, and their retries. docs/protocol.md 3.3.
 *
 * One INIT goes to every address known and, if no answer came within 250 ms, along the ring;
 * whichever way the RESPONSE takes first counts. Again after 1 s, doubling to 4 s, with jitter, for
 * a round of 20 s; then, if the session is not up but still wanted by the owner, UNREACHABLE and
 * another round after 5 s, doubling to 60 s. What only the ring wishes for ends after four tries:
 * it has plans of its own. Bootstraps are tried without end, after 1 s doubling to 30 s.
 *
 * Collision: both began within a second. The INIT of the smaller node id has the right of way, but
 * only its first: if that one is lost, the other side's retry must not be ignored for ever. */
#include "p2p/connect.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "p2p/addresses.h"
#include "p2p/cookie.h"
#include "p2p/route.h"
#include "p2p/transmit.h"

#define RETRY SEC(1)
#define RETRY_JITTER MSEC(333)
#define RETRY_DOUBLINGS 2 /* after 1, 1, 2, 4, 4 s ... */
#define ROUND SEC(20)
#define TRIES_UNASKED 4 /* a round for which our owner does not wait, nor a session that is up */
#define BACK_OFF SEC(5)
#define BACK_OFF_DOUBLINGS 4 /* 80 s, cut to BACK_OFF_MAX */
#define BACK_OFF_MAX SEC(60)
#define HURRY_GAP SEC(5)
#define COOKIE_LIFE SEC(115) /* a little less than the responder's secret lives */
#define RING_LATER MSEC(250) /* an INIT goes along the ring so much later than by addresses */
#define COOKIE_GAP MSEC(500) /* an INIT repeated because of a COOKIE, at most so often */

struct held_init {
	usec_t at;
	size_t len;
	uint8_t pkt[];
};

static bool is_boot(const struct session *s)
{
	return s->bootstrap && !s->up;
}

static void drop_handshake(struct attempt *a)
{
	free(a->held);
	a->held = NULL;
	if (!a->hs)
		return;
	sodium_memzero(a->hs, sizeof(*a->hs));
	free(a->hs);
	slot_free(a->slot);
	a->hs = NULL;
	a->slot = NULL;
}

static usec_t retry_gap(unsigned tries)
{
	unsigned doublings = tries < 2 ? 0 : tries - 2;

	return RETRY << (doublings < RETRY_DOUBLINGS ? doublings : RETRY_DOUBLINGS);
}

static bool round_is_over(const struct session *s, usec_t now)
{
	const struct attempt *a = s->attempt;

	return now >= a->started + ROUND ||
	       (a->tries >= (a->once ? 1 : TRIES_UNASKED) && !s->up && !s->asked);
}

void connect_want(struct session *s, usec_t now)
{
	if (s->attempt) {
		s->attempt->once = false;
		return;
	}
	s->attempt = mem_new(sizeof(*s->attempt));
	s->attempt->next = s->attempt->started = now;
	session_touch(s);
}

void connect_once(struct session *s, usec_t now)
{
	if (s->attempt)
		return;
	connect_want(s, now);
	s->attempt->once = true;
}

void connect_hurry(struct session *s, usec_t now)
{
	struct attempt *a = s->attempt;
	usec_t at;

	if (!a)
		return;
	at = now > a->sent + HURRY_GAP ? now : a->sent + HURRY_GAP;
	if (a->next <= at)
		return;
	a->next = at;
	session_touch(s);
}

void connect_stop(struct session *s)
{
	if (s->attempt)
		drop_handshake(s->attempt);
	free(s->attempt);
	s->attempt = NULL;
	session_touch(s);
}

static usec_t jitter(const struct p2p *p)
{
	return p2p_random32(p) % RETRY_JITTER;
}

static size_t create(struct session *s, uint8_t pkt[PACKET_HANDSHAKE_MAX], usec_t now)
{
	struct p2p *p = s->p;
	struct attempt *a = s->attempt;
	struct handshake_init_args args = {
		.self = &p->self, .psk = p->cfg.overlay_keys[0], .remote = &s->peer,
		.start_counter = p->cfg.start_counter, .own = p2p_offer(p, s->instance),
	};
	size_t len;

	a->slot = slot_new(s, now);
	a->hs = mem_new(sizeof(*a->hs));
	args.index = a->slot->index;
	p->boottime = now > p->boottime ? now : p->boottime + 1;
	args.boottime = p->boottime;
	if (a->cookie_set && now - a->cookie_at < COOKIE_LIFE)
		args.cookie = a->cookie;
	p2p_random(p, args.ephemeral, sizeof(args.ephemeral));
	len = handshake_init_create(a->hs, pkt, &args);
	sodium_memzero(args.ephemeral, sizeof(args.ephemeral));
	return len;
}

static void route_init(struct session *s, const uint8_t *pkt, size_t len, usec_t now)
{
	struct routed m = { .service = ROUTED_HANDSHAKE, .to = s->id, .agent = s->agent,
			    .body = pkt, .len = len };

	route_send(s->p, &m, now); /* no way there is no news */
}

/* Along the ring it costs several links: the direct ways, if any, have the first word. */
static void hold_init(struct session *s, const uint8_t *pkt, size_t len, usec_t now)
{
	struct held_init *h = mem_new(sizeof(*h) + len);

	h->at = now + RING_LATER;
	h->len = len;
	memcpy(h->pkt, pkt, len);
	s->attempt->held = h;
}

usec_t connect_deadline(const struct session *s)
{
	const struct attempt *a = s->attempt;

	if (!a)
		return USEC_NEVER;
	return a->held ? usec_min(a->next, a->held->at) : a->next;
}

static void send_init(struct session *s, usec_t now)
{
	struct attempt *a = s->attempt;
	uint8_t pkt[PACKET_HANDSHAKE_MAX];
	bool direct = false;
	size_t len;

	drop_handshake(a);
	len = create(s, pkt, now);
	if (!len) {
		connect_stop(s);
		return;
	}
	a->sent = now;
	a->tries++;
	a->next = now + (is_boot(s) ? boot_gap(a->tries) : retry_gap(a->tries)) + jitter(s->p);
	for (int i = 0; i < s->paths.count; i++) {
		const struct path *path = &s->paths.list[i];

		transmit_to(s->p, path->socket, &path->addr, pkt, len);
		direct = true;
	}
	if (a->once)
		return;
	if (direct)
		hold_init(s, pkt, len, now);
	else
		route_init(s, pkt, len, now);
}

static void end_round(struct session *s, usec_t now)
{
	struct attempt *a = s->attempt;
	unsigned rounds = a->rounds + 1;
	usec_t gap = BACK_OFF << (rounds < BACK_OFF_DOUBLINGS ? rounds - 1 : BACK_OFF_DOUBLINGS);

	if (s->up || !s->asked) {
		connect_stop(s);
		return;
	}
	drop_handshake(a);
	p2p_emit(s->p, &(struct p2p_event){ .type = P2P_UNREACHABLE, .peer = s->peer });
	if (now >= session_active_at(s) + SESSION_USE) { /* the owner asks again if it still cares */
		attach_clear(s);
		s->asked = false;
		connect_stop(s);
		return;
	}
	a->tries = 0;
	a->rounds = rounds;
	a->next = now + usec_min(gap, BACK_OFF_MAX) + jitter(s->p);
}

void connect_tick(struct session *s, usec_t now)
{
	struct attempt *a = s->attempt;
	struct held_init *held = a ? a->held : NULL;

	session_touch(s);
	if (held && held->at <= now) {
		a->held = NULL;
		route_init(s, held->pkt, held->len, now);
		free(held);
	}
	if (!a || a->next > now)
		return;
	if (!a->tries)
		a->started = now;
	else if (is_boot(s))
		boot_unanswered(s->p, s, a->tries);
	else if (round_is_over(s, now)) {
		end_round(s, now);
		return;
	}
	send_init(s, now);
}

bool connect_prevails(const struct session *s, usec_t now)
{
	const struct attempt *a = s->attempt;

	return a && a->hs && a->tries == 1 && now - a->sent < RETRY &&
	       memcmp(s->p->id.b, s->id.b, ID_LEN) < 0;
}

/* The session whose INIT this packet answers, or NULL. */
static struct session *asker(struct p2p *p, const struct way *w, const uint8_t *pkt, size_t len)
{
	const struct key_slot *k = index_get(&p->view.slots, handshake_receiver_index(pkt, len));
	const struct attempt *a = k ? k->session->attempt : NULL;

	if (!a || !a->hs || a->slot != k ||
	    (w->routed && !key_equal(&w->source, &k->session->peer))) {
		p2p_drop(p, DROP_INDEX);
		return NULL;
	}
	return k->session;
}

/* The RESPONSE is the answer to an INIT that went to this very address. */
static void prove_way(struct session *s, const struct way *w, usec_t rtt, usec_t now)
{
	int place;

	if (w->routed) {
		s->agent = w->agent;
		return;
	}
	place = paths_find(&s->paths, &w->from);
	if (place >= 0) {
		s->paths.list[place].socket = w->socket;
		paths_prove(&s->paths, place, rtt, now);
	} else {
		paths_add(&s->paths, &w->from, w->socket, false, now);
	}
}

/* An older process with the peer's key: its INITs are stale, and so are its answers. */
static bool is_stale(struct p2p *p, const struct session *s, const struct handshake_offer *theirs)
{
	uint32_t counter = theirs->start_counter;

	if (!counter)
		return false;
	if (!stamps_is_new(&p->stamps, &s->peer, counter, UINT64_MAX))
		return true;
	if (stamps_is_new(&p->stamps, &s->peer, counter, 0))
		stamps_put(&p->stamps, &s->peer, counter, 0);
	return false;
}

void connect_response(struct p2p *p, const struct way *w, uint8_t *pkt, size_t len, usec_t now)
{
	struct session *s = asker(p, w, pkt, len);
	struct handshake_result r;
	struct key_slot *k;
	usec_t rtt;

	if (!s)
		return;
	if (!handshake_response_consume(s->attempt->hs, &p->self, pkt, len, &r)) {
		p2p_drop(p, DROP_HANDSHAKE);
		return;
	}
	k = s->attempt->slot;
	rtt = now > s->attempt->sent ? now - s->attempt->sent : 1;
	s->attempt->slot = NULL;
	free(s->attempt->hs); /* wiped by consume */
	s->attempt->hs = NULL;
	if (is_stale(p, s, &r.theirs)) {
		sodium_memzero(&r, sizeof(r));
		slot_free(k); /* its successor may answer the next INIT */
		p2p_drop(p, DROP_STALE);
		return;
	}
	connect_stop(s);
	k->initiator = true;
	k->start_counter = r.theirs.start_counter;
	k->made = now;
	slot_set_keys(k, &r);
	sodium_memzero(&r.send_key, sizeof(r.send_key));
	sodium_memzero(&r.receive_key, sizeof(r.receive_key));
	s->peer_is_leaf = r.theirs.features & HANDSHAKE_FEATURE_LEAF;
	prove_way(s, w, rtt, now);
	session_initiated(s, k, now);
	channel_set_rtt_hint(&s->channel, rtt);
	session_heard(s, w, len, now);
	if (r.theirs.observed.ip.len)
		addresses_observed(p, &r.theirs.observed, now);
}

void connect_cookie(struct p2p *p, const struct way *w, uint8_t *pkt, size_t len, usec_t now)
{
	struct session *s = asker(p, w, pkt, len);
	struct attempt *a;

	if (!s)
		return;
	a = s->attempt;
	if (!cookie_consume(a->hs, pkt, len, a->cookie)) {
		p2p_drop(p, DROP_HANDSHAKE);
		return;
	}
	if (!a->cookie_set || now - a->cookie_at >= COOKIE_GAP)
		a->next = now;
	a->cookie_set = true;
	a->cookie_at = now;
	session_touch(s);
}
