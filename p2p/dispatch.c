/* dispatch.c - the slow path's input: every outer packet type, from a socket or out of ROUTED. 2.
 *
 * The table says what a type must look like and whether it may travel inside ROUTED; the handlers
 * do the rest. Whatever does not fit is counted and gets no answer. */
#include <string.h>

#include "p2p/connect.h"
#include "p2p/control.h"
#include "p2p/core.h"
#include "p2p/cookie.h"
#include "p2p/extended.h"
#include "p2p/session.h"
#include "p2p/transmit.h"
#include "p2p/whois.h"

#define TYPES 64

static void whois_input(struct p2p *p, const struct way *w, uint8_t *pkt, size_t len, usec_t now)
{
	uint8_t out[WHOIS_LEN], nonce[24];
	struct whois_args a = { .overlay_keys = (const uint8_t(*)[32])p->cfg.overlay_keys,
				.count = p->cfg.overlay_key_count, .self = &p->cfg.self.pub,
				.nonce = nonce };

	if (!limit_take(&p->whois, now)) {
		p2p_drop(p, DROP_RATE);
		return;
	}
	p2p_random(p, nonce, sizeof(nonce));
	if (whois_answer(out, pkt, len, &a))
		transmit_to(p, w->socket, &w->from, out, sizeof(out));
	else
		p2p_drop(p, DROP_MAC);
}

static void whois_answer_input(struct p2p *p, const struct way *w, uint8_t *pkt, size_t len,
			       usec_t now)
{
	(void)w;
	boot_whois_answer(p, pkt, len, now);
}

static void opened(struct session *s, const struct way *w, const uint8_t *pkt, size_t len,
		   usec_t now)
{
	struct rd head = rd_of(pkt, PACKET_HEADER_LEN);
	struct rd plain = rd_of(pkt + PACKET_HEADER_LEN, len - PACKET_OVERHEAD);
	uint8_t type = rd_u8(&head) & (TYPES - 1);
	uint32_t tag = rd_u24(&head);
	bool is_data = type == PACKET_IP || type == PACKET_ETHERNET || type == PACKET_EXTENDED;
	enum drop why = type == PACKET_EXTENDED ? extended_skip(&plain) : DROP_NONE;

	if (why) {
		p2p_drop(s->p, why);
	} else if (is_data != (tag != 0)) {
		p2p_drop(s->p, DROP_MALFORMED);
	} else if (is_data) {
		attach_data(s, type == PACKET_EXTENDED ? PACKET_IP : type, tag, plain);
	} else if (type == PACKET_PROBE) {
		transmit_probe_input(s, w, plain, now);
	} else if (type == PACKET_CONTROL) {
		control_input(s, plain, now);
		transmit_sign(s, w, now);
	} else {
		p2p_drop(s->p, DROP_UNKNOWN);
	}
}

static void transport_input(struct p2p *p, const struct way *w, uint8_t *pkt, size_t len,
			    usec_t now)
{
	struct rd r = rd_of(pkt, len);
	struct key_slot *k;
	struct session *s;
	enum drop why;

	rd_bytes(&r, 4);
	k = index_get(&p->view.slots, rd_u32(&r));
	why = slot_open(k, pkt, len, now);
	if (why) {
		p2p_drop(p, why);
		return;
	}
	s = k->session;
	if (w->routed && !key_equal(&w->source, &s->peer)) {
		p2p_drop(p, DROP_MALFORMED);
		return;
	}
	if (k == s->next)
		session_confirm(s, k, now);
	session_heard(s, w, len, now);
	opened(s, w, pkt, len, now);
}

static const struct {
	const char *name;
	size_t min, max; /* bytes */
	bool routed;
	void (*handle)(struct p2p *p, const struct way *w, uint8_t *pkt, size_t len, usec_t now);
} types[TYPES] = {
	[PACKET_INIT] = { "init", 150, PACKET_HANDSHAKE_MAX, true, respond_init },
	[PACKET_RESPONSE] = { "response", 90, PACKET_HANDSHAKE_MAX, true, connect_response },
	[PACKET_COOKIE] = { "cookie", COOKIE_LEN, COOKIE_LEN, false, connect_cookie },
	[PACKET_WHOIS] = { "whois", WHOIS_LEN, WHOIS_LEN, false, whois_input },
	[PACKET_WHOIS_ANSWER] = { "whois answer", WHOIS_LEN, WHOIS_LEN, false, whois_answer_input },
	[PACKET_CONTROL] = { "control", PACKET_OVERHEAD + 1, 65535, true, transport_input },
	[PACKET_IP] = { "ip", PACKET_OVERHEAD + 1, 65535, true, transport_input },
	[PACKET_ETHERNET] = { "ethernet", PACKET_OVERHEAD + 1, 65535, true, transport_input },
	[PACKET_EXTENDED] = { "extended", PACKET_OVERHEAD + 2, 65535, true, transport_input },
	[PACKET_PROBE] = { "probe", PACKET_OVERHEAD + 1, 65535, true, transport_input },
};

void p2p_packet(struct p2p *p, const struct way *w, uint8_t *pkt, size_t len, usec_t now)
{
	struct rd r = rd_of(pkt, len);
	uint8_t first = rd_u8(&r), type = first & (TYPES - 1);

	if (!rd_ok(&r))
		p2p_drop(p, DROP_SHORT);
	else if ((first & ~(TYPES - 1)) != PACKET_VERSION || !types[type].handle)
		p2p_drop(p, DROP_VERSION);
	else if (len < types[type].min || len > types[type].max)
		p2p_drop(p, DROP_SHORT);
	else if (w->routed && !types[type].routed)
		p2p_drop(p, DROP_UNKNOWN);
	else
		types[type].handle(p, w, pkt, len, now);
}

static bool claims_whois(const struct p2p *p, const uint8_t *pkt, size_t len)
{
	uint8_t out[WHOIS_LEN], nonce[24] = { 0 };
	struct whois_args a = { .overlay_keys = (const uint8_t(*)[32])p->cfg.overlay_keys,
				.count = p->cfg.overlay_key_count, .self = &p->cfg.self.pub,
				.nonce = nonce };

	return whois_answer(out, pkt, len, &a) != 0; /* the answer is thrown away */
}

bool p2p_claims(const struct p2p *p, const uint8_t *pkt, size_t len)
{
	struct rd r = rd_of(pkt, len);
	uint8_t type = rd_u8(&r) & (TYPES - 1);

	if (!rd_ok(&r))
		return false;
	if (type == PACKET_INIT)
		return handshake_mac1_match(pkt, len, &p->cfg.self.pub,
					    (const uint8_t(*)[32])p->cfg.overlay_keys,
					    p->cfg.overlay_key_count) >= 0;
	if (type == PACKET_RESPONSE || type == PACKET_COOKIE)
		return index_get(&p->view.slots, handshake_receiver_index(pkt, len)) != NULL;
	if (type == PACKET_WHOIS)
		return claims_whois(p, pkt, len);
	if (type == PACKET_WHOIS_ANSWER)
		return boot_claims(p, pkt, len);
	rd_bytes(&r, 3);
	return index_get(&p->view.slots, rd_u32(&r)) != NULL;
}

void p2p_input(struct p2p *p, uint8_t socket, const struct addr *from, uint8_t *pkt, size_t len,
	       usec_t now)
{
	struct way w = { .socket = socket, .from = *from };

	p2p_enter(p, now);
	p2p_packet(p, &w, pkt, len, now);
	session_settle(p, now);
}
