/* transmit.c - see transmit.h. Everything sealed here is for the control side (lane 0). */
#include "p2p/transmit.h"

#include <string.h>

#include "p2p/addresses.h"
#include "p2p/control.h"
#include "p2p/route.h"

#define CHALLENGE_PLAIN 64 /* zero-padded: no answer to it is longer */
#define CHALLENGE_SHORT (1 + PATH_NONCE_LEN) /* where the peer is known to be */
#define PACKET_MAX (CONTROL_PLAIN_MAX + PACKET_OVERHEAD)

static void count(struct p2p *p, enum p2p_sent_kind kind, size_t len)
{
	p->sent.packets[kind]++;
	p->sent.bytes[kind] += len;
}

/* Of a packet that says by itself what it is; a CONTROL packet is counted where it is sealed. */
static void count_packet(struct p2p *p, const uint8_t *pkt, size_t len)
{
	static const enum p2p_sent_kind kinds[] = {
		[PACKET_INIT] = P2P_SENT_HANDSHAKE, [PACKET_RESPONSE] = P2P_SENT_HANDSHAKE,
		[PACKET_COOKIE] = P2P_SENT_HANDSHAKE, [PACKET_WHOIS] = P2P_SENT_WHOIS,
		[PACKET_WHOIS_ANSWER] = P2P_SENT_WHOIS, [PACKET_PROBE] = P2P_SENT_PROBE,
		[PACKET_IP] = P2P_SENT_DATA, [PACKET_ETHERNET] = P2P_SENT_DATA,
		[PACKET_EXTENDED] = P2P_SENT_DATA,
	};
	uint8_t type = pkt[0] & 63;

	if (type != PACKET_CONTROL)
		count(p, type < ARRAY_LEN(kinds) ? kinds[type] : P2P_SENT_DATA, len);
}

/* By kind, and the service of SEGMENT, MESSAGE and ROUTED: bytes 2 and 3 of the plaintext. */
static enum p2p_sent_kind kind_of(const uint8_t *plain, size_t len)
{
	static const enum p2p_sent_kind kinds[CONTROL_KINDS] = {
		[CONTROL_KEEPALIVE] = P2P_SENT_KEEPALIVE, [CONTROL_SEGMENT] = P2P_SENT_MESSAGE,
		[CONTROL_ACK] = P2P_SENT_ACK, [CONTROL_ROUTED] = P2P_SENT_ROUTED,
		[CONTROL_CLOSE] = P2P_SENT_CLOSE, [CONTROL_MESSAGE] = P2P_SENT_MESSAGE,
	};
	uint8_t service;

	if ((plain[0] == CONTROL_SEGMENT || plain[0] == CONTROL_MESSAGE) && len > 2)
		service = plain[2] < SERVICES ? plain[2] : 0;
	else if (plain[0] == CONTROL_ROUTED && len > 3)
		service = plain[3] < ROUTED_SERVICES ? plain[3] : 0;
	else
		service = 0;
	return kinds[plain[0]] + service;
}

enum probe_kind { PROBE_CHALLENGE = 1, PROBE_RESPONSE = 2 };

void transmit_to(struct p2p *p, uint8_t socket, const struct addr *to, const uint8_t *pkt,
		 size_t len)
{
	count_packet(p, pkt, len);
	p->env.send(p->env.ctx, socket, to, pkt, len);
}

static void transmit_routed(struct session *s, const uint8_t *pkt, size_t len, usec_t now)
{
	struct routed m = { .service = ROUTED_SEALED, .to = s->id, .agent = s->agent,
			    .source_agent = route_agent(s->p, s), .body = pkt, .len = len };

	if (route_send(s->p, &m, now) < 0)
		p2p_drop(s->p, DROP_NO_ROUTE);
}

void transmit_packet(struct session *s, const uint8_t *pkt, size_t len, usec_t now)
{
	const struct path *path;

	if (s->kind == P2P_PATH_RING) {
		transmit_routed(s, pkt, len, now);
	} else if (s->kind == P2P_PATH_DIRECT) {
		path = &s->paths.list[s->paths.used];
		transmit_to(s->p, path->socket, &path->addr, pkt, len);
	} else {
		p2p_drop(s->p, DROP_NO_ROUTE);
	}
}

/* Seals into pkt, which has PACKET_MAX bytes; the packet's length or 0. */
static size_t seal(struct session *s, uint8_t type, const uint8_t *plain, uint8_t *pkt, size_t len,
		   usec_t now)
{
	enum drop why;

	if (len > CONTROL_PLAIN_MAX)
		return 0;
	memcpy(pkt + PACKET_HEADER_LEN, plain, len);
	why = slot_seal(s->current, type, 0, pkt, len, now);
	if (why) {
		p2p_drop(s->p, why);
		return 0;
	}
	s->use.tx_packets++;
	s->use.tx_bytes += len + PACKET_OVERHEAD;
	session_touch(s);
	return len + PACKET_OVERHEAD;
}

bool transmit_control(struct session *s, const uint8_t *plain, size_t len,
		      enum keepalive_asks asks, usec_t now)
{
	uint8_t pkt[PACKET_MAX];
	size_t n = seal(s, PACKET_CONTROL, plain, pkt, len, now);

	if (!n || s->kind == P2P_PATH_NONE)
		return false;
	keepalive_sent(&s->use.marks, asks, now);
	if (s->kind == P2P_PATH_DIRECT)
		count(s->p, kind_of(plain, len), n);
	transmit_packet(s, pkt, n, now);
	return true;
}

void transmit_answer(struct p2p *p, const struct way *w, const struct node_id *to,
		     const uint8_t *pkt, size_t len, usec_t now)
{
	struct routed m = { .service = ROUTED_HANDSHAKE, .to = *to, .agent = w->agent, .body = pkt,
			    .len = len };

	if (!w->routed) {
		transmit_to(p, w->socket, &w->from, pkt, len);
		return;
	}
	m.source_agent = route_agent(p, session_find_id(p, to));
	if (route_send(p, &m, now) < 0)
		p2p_drop(p, DROP_NO_ROUTE);
}

/* The nonce of a ring challenge is never matched: hearing the answer is all that counts. */
void transmit_challenge(struct session *s, int place, usec_t now)
{
	uint8_t plain[CHALLENGE_PLAIN], pkt[PACKET_MAX];
	uint8_t fresh[PATH_NONCE_LEN], nonce[PATH_NONCE_LEN];
	bool known = place < 0 || s->paths.list[place].proven;
	size_t len = known ? CHALLENGE_SHORT : CHALLENGE_PLAIN, n;
	struct wr w = wr_of(plain, len);

	_Static_assert(CHALLENGE_PLAIN + PACKET_OVERHEAD == PATH_CHALLENGE_LEN, "one length");
	p2p_random(s->p, fresh, sizeof(fresh));
	memcpy(nonce, fresh, sizeof(nonce));
	if (place >= 0)
		paths_challenge(&s->paths, place, fresh, nonce, now);
	wr_u8(&w, PROBE_CHALLENGE);
	wr_copy(&w, nonce, sizeof(nonce));
	wr_zero(&w, (size_t)(w.end - w.p));
	n = seal(s, PACKET_PROBE, plain, pkt, len, now);
	if (!n)
		return;
	if (place < 0 || place == s->paths.used)
		keepalive_sent(&s->use.marks, ASKS_ANSWER, now);
	if (place < 0)
		transmit_routed(s, pkt, n, now);
	else
		transmit_to(s->p, s->paths.list[place].socket, &s->paths.list[place].addr, pkt, n);
}

static bool is_way_in_use(const struct session *s, const struct way *w)
{
	if (w->routed || s->kind != P2P_PATH_DIRECT)
		return w->routed && s->kind == P2P_PATH_RING;
	return addr_equal(&s->paths.list[s->paths.used].addr, &w->from);
}

/* The way that something came. */
static void send_back(struct session *s, const struct way *w, uint8_t type, const struct wr *plain,
		      usec_t now)
{
	uint8_t pkt[PACKET_MAX];
	size_t n = seal(s, type, plain->start, pkt, wr_len(plain), now);

	if (!n)
		return;
	if (is_way_in_use(s, w))
		keepalive_sent(&s->use.marks, ASKS_NOTHING, now);
	if (w->routed)
		transmit_routed(s, pkt, n, now);
	else
		transmit_to(s->p, w->socket, &w->from, pkt, n);
}

static void respond(struct session *s, const struct way *w, const uint8_t *nonce, usec_t now)
{
	uint8_t plain[CHALLENGE_PLAIN];
	struct wr out = wr_of(plain, sizeof(plain));
	struct addr none = { .ip = ip_v4(0) };

	wr_u8(&out, PROBE_RESPONSE);
	wr_copy(&out, nonce, PATH_NONCE_LEN);
	wr_addr(&out, w->routed ? &none : &w->from);
	send_back(s, w, PACKET_PROBE, &out, now);
}

void transmit_sign(struct session *s, const struct way *w, usec_t now)
{
	uint8_t plain[2];
	struct wr out = wr_of(plain, sizeof(plain));

	if (!s->up || s->keepalive.asked != now || is_way_in_use(s, w))
		return;
	wr_u8(&out, CONTROL_KEEPALIVE);
	wr_u8(&out, 0);
	s->keepalive.asked = 0;
	if (!w->routed)
		count(s->p, P2P_SENT_KEEPALIVE, wr_len(&out) + PACKET_OVERHEAD);
	send_back(s, w, PACKET_CONTROL, &out, now);
}

/* A peer that roams is followed: its packets came from the new address, none since then from the
 * one in use. */
static void proven(struct session *s, const struct way *w, int place, usec_t now)
{
	struct path *path = &s->paths.list[place];
	int used = s->paths.used;

	/* Nothing new about the way in use: no new view. */
	s->stale_view |= place != used || !path->invited || path->socket != w->socket;
	if (!w->routed && addr_equal(&path->addr, &w->from))
		path->socket = w->socket;
	channel_set_rtt_hint(&s->channel, path->rtt);
	if (used >= 0 && used != place && !path->invited &&
	    s->paths.list[used].heard < path->found)
		paths_fail(&s->paths, used, now);
	path->invited = true;
	session_choose(s);
}

void transmit_probe_input(struct session *s, const struct way *w, struct rd r, usec_t now)
{
	uint8_t kind = rd_u8(&r);
	const uint8_t *nonce = rd_bytes(&r, PATH_NONCE_LEN);
	struct addr seen;
	int place;

	if (!nonce || (kind != PROBE_CHALLENGE && kind != PROBE_RESPONSE)) {
		p2p_drop(s->p, DROP_MALFORMED);
		return;
	}
	if (kind == PROBE_CHALLENGE) {
		respond(s, w, nonce, now);
		return;
	}
	seen = rd_addr(&r);
	if (!rd_done(&r)) {
		p2p_drop(s->p, DROP_MALFORMED);
		return;
	}
	place = paths_response(&s->paths, nonce, now);
	if (place < 0)
		return;
	proven(s, w, place, now);
	if (seen.port)
		addresses_observed(s->p, &seen, now);
}

void transmit_keepalive(struct session *s, usec_t now)
{
	uint8_t plain[2 + 11 * P2P_NAMESPACES_MAX];
	struct wr w = wr_of(plain, sizeof(plain));
	uint8_t *count;

	wr_u8(&w, CONTROL_KEEPALIVE);
	count = wr_room(&w, 1);
	*count = 0;
	for (size_t i = 0; i < attach_count(s->attachments); i++) {
		const struct attachment *a = &s->attachments->list[i];

		if (a->state != ATTACH_UP || !s->p->ns[a->ns].revocation)
			continue;
		wr_u24(&w, a->tag_out);
		wr_u64(&w, s->p->ns[a->ns].revocation);
		++*count;
	}
	transmit_control(s, plain, wr_len(&w), ASKS_NOTHING, now);
}
