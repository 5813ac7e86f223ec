/* sim_light_link.c - links of the light actor: sessions without their cryptography.
 *
 * REQUEST and ACCEPT stand for INIT and RESPONSE, 1 RTT; who accepted is up with the first packet
 * that follows. Every packet names the receiver's index, drawn anew for each link object, so that
 * a peer that started again is told from the one before. Flags of every packet: the sender keeps
 * this link; please answer; this is the answer.
 *
 * Silence as p2p/keepalive.c: a packet that asks, unanswered for max(200 ms, 4 RTT), puts the link
 * in doubt (the ring passes it over); probes after 1 s and every second; down after 15 s without a
 * word, 4.5 s of them with a question open, which is 20 s on an idle link. A packet that we forward
 * asks when nothing was heard for 1 s: a probe goes along with it. Keepalive after 15 s less up to
 * a tenth. Who began a link ends it when neither side has kept it for 60 s.
 *
 * Left out, and small: loss of messages is not repaired (the ring and the DHT repeat themselves),
 * rekeying (0.1 byte a second), handshakes under load. Bounds: LINKS_MAX. */
#include "cmd/sim_light.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define LINKS_MAX 4096
#define ROUTED_RATE 500 /* a second from one link */
#define ROUTED_BURST 1000
#define RETRY SEC(1)
#define RETRY_JITTER 333000
#define ROUND SEC(20)
#define ANSWERED_KEPT SEC(20)
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

void light_transmit(struct light *l, const struct addr *to, const uint8_t *pkt, size_t len,
		    size_t real)
{
	size_t counted = len + REAL_IP;

	sim_host_send(l->host, 0, to, pkt, len, real > counted ? real - counted : 0);
}

static void wake(struct light *l, const struct light_link *k, usec_t at)
{
	struct light_slot *s = &l->slot[k->index & 0xffff];

	s->at = usec_min(s->at, at);
	l->links_at = usec_min(l->links_at, at);
}

struct light_link *light_link_find(const struct light *l, const struct pubkey *key)
{
	return map_get(&l->by_key, key);
}

static struct light_link *by_index(const struct light *l, uint32_t index)
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

/* NULL when there is no room, or the key is our own. */
static struct light_link *link_new(struct light *l, const struct pubkey *key)
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
	map_take(&l->by_key, &k->key);
	l->slot[k->index & 0xffff] = (struct light_slot){ NULL, USEC_NEVER };
	free(k);
}

void light_link_lost(struct light *l, struct light_link *k)
{
	bool up = k->state == LINK_UP;
	struct pubkey key = k->key;

	if (up) { /* the ring asks for the addresses of a link that goes down */
		k->state = LINK_ANSWERED;
		ring_link_down(l->ring, &key, l->now);
	}
	link_free(l, k);
	if (up)
		dht_contact_down(l->dht, &key, l->now);
}

static void link_up(struct light *l, struct light_link *k)
{
	k->state = LINK_UP;
	k->heard = k->sent = k->kept = l->now;
	k->waiting = k->asked = 0;
	wake(l, k, l->now + IDLE / 2);
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
		wake(l, k, l->now + DOUBT_MIN);
	}
	if (asks && type == LIGHT_ROUTED)
		real += REAL_PROBE;
	if (!asks && type == LIGHT_MESSAGE)
		real += REAL_ACK;
	k->sent = l->now;
	light_transmit(l, &k->addr, pkt, len, real);
}

static void send_bare(struct light *l, struct light_link *k, uint8_t flags, size_t real)
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
	wake(l, k, l->now + DOUBT_MIN);
	send_bare(l, k, FLAG_ASKS | FLAG_PROBE, REAL_PROBE);
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

/* ---- set-up ---- */

static void answered(struct light *l, struct light_link *k)
{
	usec_t rtt = l->now - k->asked;

	if (k->asked && rtt < SEC(5))
		k->rtt = (uint32_t)(rtt ? rtt : 1);
}

static size_t write_request(struct light *l, const struct light_link *k, uint8_t *pkt, size_t size)
{
	struct wr w = wr_of(pkt, size);

	wr_u8(&w, LIGHT_REQUEST);
	wr_u32(&w, k->index);
	wr_copy(&w, sim_host_key(l->host)->pub.b, KEY_LEN);
	wr_addr(&w, sim_host_addr(l->host));
	assert(wr_ok(&w));
	return wr_len(&w);
}

/* To the address told, and along the ring when there is none, or it did not answer at once. */
static void request(struct light *l, struct light_link *k)
{
	uint8_t pkt[96];
	struct light_routed m = { .service = LIGHT_HANDSHAKE, .to = k->id, .agent = k->agent,
				  .body = pkt };

	m.len = write_request(l, k, pkt, sizeof(pkt));
	if (k->has_addr)
		light_transmit(l, &k->addr, pkt, m.len, REAL_REQUEST);
	if (!k->has_addr || k->tries > 0)
		light_route(l, &m);
	k->tries++;
	k->asked = l->now;
	k->next = l->now + RETRY + light_random(l, RETRY_JITTER);
	wake(l, k, k->next);
}

void light_link_want(struct light *l, const struct ring_contact *c, const struct node_id *agent)
{
	struct light_link *k = light_link_find(l, &c->key);

	if (k || !(k = link_new(l, &c->key)))
		return;
	k->state = LINK_ASKING;
	k->initiator = true;
	k->begun = l->now;
	k->has_addr = c->addr_count > 0;
	if (k->has_addr)
		k->addr = c->addrs[0];
	if (agent)
		k->agent = *agent;
	request(l, k);
}

static void send_accept(struct light *l, struct light_link *k)
{
	uint8_t pkt[1 + 4 + 4];
	struct wr w = wr_of(pkt, sizeof(pkt));

	wr_u8(&w, LIGHT_ACCEPT);
	wr_u32(&w, k->peer_index);
	wr_u32(&w, k->index);
	k->asked = l->now;
	light_transmit(l, &k->addr, pkt, sizeof(pkt), REAL_ACCEPT + REAL_ADDRESSES);
}

static void requested(struct light *l, const struct addr *from, struct rd r)
{
	uint32_t index = rd_u32(&r);
	struct pubkey key;
	struct addr told;
	struct light_link *k;

	rd_copy(&r, key.b, KEY_LEN);
	told = rd_addr(&r);
	if (!rd_done(&r))
		return;
	k = light_link_find(l, &key);
	if (k && k->state == LINK_UP && k->peer_index != index) {
		light_link_lost(l, k); /* another process has the key now */
		k = NULL;
	}
	if (!k && !(k = link_new(l, &key)))
		return;
	k->addr = from ? *from : told;
	k->has_addr = true;
	k->peer_index = index;
	if (k->state != LINK_UP) {
		k->initiator = k->initiator && memcmp(l->id.b, k->id.b, ID_LEN) < 0;
		k->state = LINK_ANSWERED;
		k->begun = l->now;
		wake(l, k, l->now + ANSWERED_KEPT);
	}
	send_accept(l, k);
}

static void accepted(struct light *l, const struct addr *from, struct rd r)
{
	struct light_link *k = by_index(l, rd_u32(&r));
	uint32_t peer_index = rd_u32(&r);

	if (!rd_done(&r) || !k || k->state == LINK_UP || !from)
		return;
	k->addr = *from;
	k->has_addr = true;
	k->peer_index = peer_index;
	answered(l, k);
	link_up(l, k);
	send_bare(l, k, 0, REAL_KEEPALIVE + REAL_ADDRESSES);
}

void light_link_shake(struct light *l, const struct addr *from, struct rd r)
{
	if (rd_u8(&r) == LIGHT_REQUEST)
		requested(l, from, r);
	else
		accepted(l, from, r);
}

/* ---- hearing ---- */

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
		return k->begun + ANSWERED_KEPT;
	if (k->state == LINK_ASKING)
		return k->next;
	return usec_min(usec_min(doubt_at(k), probe_at(k)), usec_min(k->sent + k->idle, down_at(k)));
}

static void find_first(struct light *l)
{
	l->links_at = USEC_NEVER;
	for (uint32_t i = 0; i < l->slots; i++)
		l->links_at = usec_min(l->links_at, l->slot[i].at);
}

/* What was heard moves the deadline on: no needless tick for it. */
static void put_off(struct light *l, const struct light_link *k)
{
	struct light_slot *s = &l->slot[k->index & 0xffff];
	usec_t before = s->at;

	s->at = deadline(k);
	if (before <= l->links_at || s->at < l->links_at)
		find_first(l);
}

struct light_link *light_link_input(struct light *l, const struct addr *from, struct rd *r)
{
	struct light_link *k;
	uint8_t flags;

	rd_u8(r);
	k = by_index(l, rd_u32(r));
	flags = rd_u8(r);
	if (!rd_ok(r) || !k || k->state == LINK_ASKING)
		return NULL;
	k->addr = *from;
	if (k->state == LINK_ANSWERED) {
		answered(l, k);
		link_up(l, k);
	} else if (flags & FLAG_ANSWERS) {
		answered(l, k);
	}
	k->heard = l->now;
	k->waiting = 0;
	k->peer_keeps = flags & FLAG_KEEPS;
	if (k->doubt) {
		k->doubt = false;
		ring_link_state(l->ring, &k->key, true, false);
	}
	if (flags & FLAG_ASKS)
		send_bare(l, k, FLAG_ANSWERS, flags & FLAG_PROBE ? REAL_PROBE : REAL_ACK);
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

static void up_tick(struct light *l, struct light_link *k)
{
	if (down_at(k) <= l->now) {
		light_link_lost(l, k);
		return;
	}
	if (doubt_at(k) <= l->now) {
		k->doubt = true;
		ring_link_state(l->ring, &k->key, true, true);
	}
	if (!still_kept(l, k))
		return;
	if (probe_at(k) <= l->now)
		send_probe(l, k);
	if (k->sent + k->idle <= l->now)
		send_bare(l, k, 0, REAL_KEEPALIVE);
}

static void link_tick(struct light *l, struct light_link *k)
{
	if (k->state == LINK_UP)
		up_tick(l, k);
	else if (k->state == LINK_ANSWERED || l->now >= k->begun + ROUND)
		light_link_lost(l, k);
	else
		request(l, k);
}

/* Deadlines move on with every packet; a slot's time is put right when it has come. */
void light_link_tick(struct light *l)
{
	if (l->links_at > l->now)
		return;
	for (uint32_t i = 0; i < l->slots; i++) {
		if (l->slot[i].at > l->now)
			continue;
		l->slot[i].at = deadline(l->slot[i].link);
		if (l->slot[i].at <= l->now)
			link_tick(l, l->slot[i].link);
		if (l->slot[i].link)
			l->slot[i].at = deadline(l->slot[i].link);
	}
	find_first(l);
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
