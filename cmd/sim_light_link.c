/* sim_light_link.c - links of the light actor: sessions without their cryptography.
 *
 * Every packet names the receiver's index, drawn anew for each link object, so that a peer that
 * started again is told from the one before. Flags of every packet: the sender keeps this link;
 * please answer; this is the answer; and the question was a probe.
 *
 * Silence as p2p/keepalive.c: a packet that asks, unanswered for max(200 ms, 4 RTT), puts the link
 * in doubt (the ring passes it over, what it was given goes another way); probes after 1 s and
 * every second; down after 15 s without a word, 4.5 s of them with a question open, which is 20 s
 * on an idle link. A packet that we forward asks when nothing was heard for 1 s: a probe goes along
 * with it. Keepalive after 15 s less up to a tenth. Who began a link ends it when neither side has
 * kept it for 60 s.
 *
 * Left out, and small: loss of messages is not repaired (the ring and the DHT repeat themselves),
 * rekeying (0.1 byte a second), handshakes under load. Bounds: LINKS_MAX. */
#include "cmd/sim_light_impl.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define LINKS_MAX 4096
#define ROUTED_RATE 500 /* a second from one link */
#define ROUTED_BURST 1000
#define IDLE SEC(15)
#define SILENT SEC(16)
#define ASK_AFTER SEC(1)
#define PROBE SEC(1)
#define DEAD SEC(15)
#define UNANSWERED MSEC(4500)
#define DOUBT_MIN MSEC(200)
#define UNKEPT SEC(60)

enum { FLAG_KEEPS = 1, FLAG_ASKS = 2, FLAG_ANSWERS = 4, FLAG_PROBE = 8 };

uint32_t light_random(struct light *l, uint32_t bound)
{
	uint32_t v;

	assert(bound);
	sim_host_random(l->host, &v, sizeof(v));
	return v % bound;
}

/* By what was asked of whom, as whole nodes count it. Segments, acknowledgements and probes that are
 * no packets of their own here are bytes of the packet that stands for them. */
static enum p2p_sent_kind kind_of(const uint8_t *pkt, size_t len, size_t real)
{
	static const enum p2p_sent_kind messages[] = { [LIGHT_DHT] = P2P_SENT_MESSAGE + SERVICE_DHT,
						       [LIGHT_RING] = P2P_SENT_MESSAGE + SERVICE_RING };
	static const enum p2p_sent_kind routed[] = {
		[LIGHT_HANDSHAKE] = P2P_SENT_ROUTED + ROUTED_HANDSHAKE,
		[LIGHT_DHT] = P2P_SENT_ROUTED + ROUTED_DHT,
		[LIGHT_RING] = P2P_SENT_ROUTED + ROUTED_RING,
		[LIGHT_SEND] = P2P_SENT_ROUTED + ROUTED_TRACE,
		[LIGHT_SENT] = P2P_SENT_ROUTED + ROUTED_TRACE,
	};

	switch (pkt[0]) {
	case LIGHT_MESSAGE:
	case LIGHT_TOLD:
		return messages[pkt[LIGHT_HEAD]];
	case LIGHT_ROUTED:
		return routed[pkt[LIGHT_HEAD + 2]];
	case LIGHT_KEEPALIVE:
		return real == REAL_ACK	    ? P2P_SENT_ACK
		       : real == REAL_PROBE ? P2P_SENT_PROBE
					    : P2P_SENT_KEEPALIVE;
	case LIGHT_CLOSE:
		return P2P_SENT_CLOSE;
	default:
		assert(len > 0);
		return P2P_SENT_HANDSHAKE;
	}
}

void light_transmit(struct light *l, const struct addr *to, const uint8_t *pkt, size_t len,
		    size_t real)
{
	size_t counted = len + REAL_IP;

	sim_host_count(l->host, kind_of(pkt, len, real), real > counted ? real : counted);
	sim_host_send(l->host, 0, to, pkt, len, real > counted ? real - counted : 0);
}

void light_link_wake(struct light *l, const struct light_link *k, usec_t at)
{
	struct light_slot *s = &l->slot[k->index & 0xffff];

	s->at = usec_min(s->at, at);
	l->links_at = usec_min(l->links_at, at);
}

struct light_link *light_link_find(const struct light *l, const struct pubkey *key)
{
	return map_get(&l->by_key, key);
}

struct light_link *light_link_by_index(const struct light *l, uint32_t index)
{
	uint32_t at = index & 0xffff;
	struct light_link *k = at < l->slots ? l->slot[at].link : NULL;

	return k && k->index == index ? k : NULL;
}

static uint32_t free_slot(struct light *l)
{
	uint32_t at = 0;

	while (at < l->slots && l->slot[at].link)
		at++;
	if (at == l->slots) {
		uint32_t more = l->slots ? l->slots + l->slots / 2 : 8;

		l->slot = mem_resize(l->slot, more * sizeof(*l->slot));
		for (uint32_t i = l->slots; i < more; i++)
			l->slot[i] = (struct light_slot){ NULL, USEC_NEVER };
		l->slots = more;
	}
	return at;
}

struct light_link *light_link_new(struct light *l, const struct pubkey *key)
{
	struct light_link *k;
	uint32_t at;

	if (l->by_key.count >= LINKS_MAX || key_equal(key, &sim_host_key(l->host)->pub))
		return NULL;
	k = mem_new(sizeof(*k));
	at = free_slot(l);
	k->key = *key;
	k->id = id_of(key);
	k->index = at | (++l->generation & 0xffff) << 16;
	k->idle = (uint32_t)(IDLE - light_random(l, (uint32_t)(IDLE / 10)));
	limit_init(&k->routed, ROUTED_RATE, ROUTED_BURST);
	l->slot[at] = (struct light_slot){ k, USEC_NEVER };
	map_put(&l->by_key, k);
	return k;
}

static void link_free(struct light *l, struct light_link *k)
{
	light_route_forget(k);
	map_take(&l->by_key, &k->key);
	l->slot[k->index & 0xffff] = (struct light_slot){ NULL, USEC_NEVER };
	free(k);
}

void light_link_lost(struct light *l, struct light_link *k)
{
	bool up = k->state == LINK_UP;
	struct pubkey key = k->key;
	struct light_copy *copies = k->copies;

	l->stirred = true;
	if (up) { /* the ring asks for the addresses of a link that goes down */
		k->state = LINK_ANSWERED;
		ring_link_down(l->ring, &key, l->now);
	}
	k->copies = NULL;
	link_free(l, k);
	if (up)
		dht_contact_down(l->dht, &key, l->now);
	light_route_again(l, copies);
}

void light_link_up(struct light *l, struct light_link *k)
{
	l->stirred = true;
	k->state = LINK_UP;
	k->heard = k->sent = k->kept = l->now;
	k->waiting = k->asked = 0;
	light_link_wake(l, k, l->now + IDLE / 2);
	ring_link_up(l->ring, &k->key, l->now);
	dht_contact_up(l->dht, &k->key, l->now);
}

/* ---- sending ---- */

void light_link_send(struct light *l, struct light_link *k, enum light_type type, uint8_t *pkt,
		     size_t len, size_t real)
{
	struct wr w = wr_of(pkt, LIGHT_HEAD);
	bool asks = (type == LIGHT_MESSAGE || type == LIGHT_ROUTED) &&
		    l->now >= k->heard + ASK_AFTER && l->now >= k->asked + PROBE;

	wr_u8(&w, (uint8_t)type);
	wr_u32(&w, k->peer_index);
	wr_u8(&w, (uint8_t)((k->keeps ? FLAG_KEEPS : 0) | (asks ? FLAG_ASKS : 0) |
			    (asks && type == LIGHT_ROUTED ? FLAG_PROBE : 0)));
	if (asks) {
		k->asked = l->now;
		k->waiting = k->waiting ? k->waiting : l->now;
		light_link_wake(l, k, l->now + DOUBT_MIN);
	}
	if (asks && type == LIGHT_ROUTED)
		real += REAL_PROBE;
	if (!asks && type == LIGHT_MESSAGE)
		real += REAL_ACK;
	k->sent = l->now;
	light_transmit(l, &k->addr, pkt, len, real);
}

void light_link_bare(struct light *l, struct light_link *k, uint8_t flags, size_t real)
{
	uint8_t pkt[LIGHT_HEAD];
	struct wr w = wr_of(pkt, sizeof(pkt));

	wr_u8(&w, LIGHT_KEEPALIVE);
	wr_u32(&w, k->peer_index);
	wr_u8(&w, (uint8_t)(flags | (k->keeps ? FLAG_KEEPS : 0)));
	k->sent = l->now;
	light_transmit(l, &k->addr, pkt, sizeof(pkt), real);
}

static void send_probe(struct light *l, struct light_link *k)
{
	k->asked = l->now;
	k->waiting = k->waiting ? k->waiting : l->now;
	light_link_wake(l, k, l->now + DOUBT_MIN);
	light_link_bare(l, k, FLAG_ASKS | FLAG_PROBE, REAL_PROBE);
}

void light_link_message(struct light *l, struct light_link *k, enum light_service service,
			const uint8_t *msg, size_t len)
{
	uint8_t pkt[LIGHT_PACKET_MAX];
	size_t segments = len ? (len + REAL_SEGMENT_BYTES - 1) / REAL_SEGMENT_BYTES : 1;

	assert(len <= sizeof(pkt) - LIGHT_HEAD - 1);
	pkt[LIGHT_HEAD] = (uint8_t)service;
	memcpy(pkt + LIGHT_HEAD + 1, msg, len);
	light_link_send(l, k, LIGHT_MESSAGE, pkt, LIGHT_HEAD + 1 + len,
			segments * REAL_SEGMENT + len + (segments - 1) * REAL_ACK);
}

void light_link_tell(struct light *l, struct light_link *k, const uint8_t *msg, size_t len)
{
	uint8_t pkt[LIGHT_HEAD + 1 + REAL_SEGMENT_BYTES];

	if (len > REAL_SEGMENT_BYTES) {
		light_link_message(l, k, LIGHT_RING, msg, len);
		return;
	}
	pkt[LIGHT_HEAD] = LIGHT_RING;
	memcpy(pkt + LIGHT_HEAD + 1, msg, len);
	light_link_send(l, k, LIGHT_TOLD, pkt, LIGHT_HEAD + 1 + len, REAL_TOLD + len);
}

/* ---- hearing ---- */

void light_link_answered(struct light *l, struct light_link *k)
{
	usec_t rtt = l->now - k->asked;

	if (k->asked && rtt < SEC(5))
		k->rtt = (uint32_t)(rtt ? rtt : 1);
}

static usec_t later_of(usec_t a, usec_t b)
{
	return a > b ? a : b;
}

static usec_t doubt_at(const struct light_link *k)
{
	return k->waiting && !k->doubt ? k->waiting + later_of(DOUBT_MIN, 4 * (usec_t)k->rtt) :
					 USEC_NEVER;
}

static usec_t probe_at(const struct light_link *k)
{
	usec_t at = k->waiting ? k->waiting + PROBE : k->heard + SILENT;

	return later_of(at, k->asked + PROBE);
}

static usec_t down_at(const struct light_link *k)
{
	return k->waiting ? later_of(k->heard + DEAD, k->waiting + UNANSWERED) : USEC_NEVER;
}

static usec_t deadline(const struct light_link *k)
{
	if (k->state == LINK_ANSWERED)
		return k->begun + LIGHT_ANSWERED_KEPT;
	if (k->state == LINK_ASKING)
		return k->next;
	return usec_min(usec_min(doubt_at(k), probe_at(k)), usec_min(k->sent + k->idle, down_at(k)));
}

/* What was heard moves the deadline on. Who is first now is found when the old first's time has come:
 * one look over the links then instead of one at every packet. */
static void put_off(struct light *l, const struct light_link *k)
{
	struct light_slot *s = &l->slot[k->index & 0xffff];

	s->at = deadline(k);
	l->links_at = usec_min(l->links_at, s->at);
}

struct light_link *light_link_input(struct light *l, const struct addr *from, struct rd *r)
{
	struct light_link *k;
	uint8_t flags;

	rd_u8(r);
	k = light_link_by_index(l, rd_u32(r));
	flags = rd_u8(r);
	if (!rd_ok(r) || !k || k->state == LINK_ASKING)
		return NULL;
	k->addr = *from;
	if (k->state == LINK_ANSWERED) {
		light_link_answered(l, k);
		light_link_up(l, k);
	} else if (flags & FLAG_ANSWERS) {
		light_link_answered(l, k);
	}
	k->heard = l->now;
	k->waiting = 0;
	light_route_forget(k);
	k->peer_keeps = flags & FLAG_KEEPS;
	if (k->doubt) {
		k->doubt = false;
		ring_link_state(l->ring, &k->key, true, false);
	}
	if (flags & FLAG_ASKS)
		light_link_bare(l, k, FLAG_ANSWERS, flags & FLAG_PROBE ? REAL_PROBE : REAL_ACK);
	put_off(l, k);
	return k;
}

/* ---- time ---- */

static void send_close(struct light *l, struct light_link *k)
{
	uint8_t pkt[LIGHT_HEAD];

	light_link_send(l, k, LIGHT_CLOSE, pkt, sizeof(pkt), REAL_KEEPALIVE);
}

/* False when it is closed now. */
static bool still_kept(struct light *l, struct light_link *k)
{
	k->keeps = ring_keeps(l->ring, &k->key);
	if (k->keeps || k->peer_keeps)
		k->kept = l->now;
	if (!k->initiator || l->now < k->kept + UNKEPT)
		return true;
	send_close(l, k);
	light_link_lost(l, k);
	return false;
}

static void fall_in_doubt(struct light *l, struct light_link *k)
{
	struct light_copy *copies = k->copies;

	l->stirred = true;
	k->doubt = true;
	k->copies = NULL;
	k->copies_count = 0;
	ring_link_state(l->ring, &k->key, true, true);
	light_route_again(l, copies);
}

static void up_tick(struct light *l, struct light_link *k)
{
	if (down_at(k) <= l->now) {
		light_link_lost(l, k);
		return;
	}
	if (doubt_at(k) <= l->now)
		fall_in_doubt(l, k);
	if (!still_kept(l, k))
		return;
	if (probe_at(k) <= l->now)
		send_probe(l, k);
	if (k->sent + k->idle <= l->now)
		light_link_bare(l, k, 0, REAL_KEEPALIVE);
}

static void link_tick(struct light *l, struct light_link *k)
{
	if (k->state == LINK_UP)
		up_tick(l, k);
	else if (k->state == LINK_ANSWERED)
		light_link_lost(l, k);
	else
		light_shake_tick(l, k);
}

/* Deadlines move on with every packet; a slot's time is put right when it has come. */
void light_link_tick(struct light *l)
{
	if (l->links_at > l->now)
		return;
	l->links_at = USEC_NEVER; /* light_link_wake lowers it meanwhile */
	for (uint32_t i = 0; i < l->slots; i++) {
		if (l->slot[i].at <= l->now)
			l->slot[i].at = deadline(l->slot[i].link);
		if (l->slot[i].at <= l->now) {
			link_tick(l, l->slot[i].link);
			if (l->slot[i].link)
				l->slot[i].at = deadline(l->slot[i].link);
		}
		l->links_at = usec_min(l->links_at, l->slot[i].at);
	}
}

void light_link_clear(struct light *l, bool graceful)
{
	for (uint32_t i = 0; i < l->slots; i++) {
		struct light_link *k = l->slot[i].link;

		if (!k)
			continue;
		if (graceful && k->state == LINK_UP)
			send_close(l, k);
		link_free(l, k);
	}
	free(l->slot);
	map_fini(&l->by_key);
}
