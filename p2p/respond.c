/* respond.c - an INIT arrives. docs/protocol.md 3.1 - 3.4.
 *
 * Cheap checks first: mac1 (a stranger without overlay key and node key stops here, unanswered),
 * load (then a cookie, or for routed ones a limit on the link that delivered it), a limit on the
 * source, and only then curves; then timestamp and collision. Nothing is stored before all that;
 * the session object is the first thing that is. */
#include <sodium.h>
#include <string.h>

#include "base/mem.h"
#include "p2p/connect.h"
#include "p2p/control.h"
#include "p2p/cookie.h"
#include "p2p/transmit.h"

#define ROUTED_INITS_A_SECOND 10 /* that one link may deliver, by the ring */
#define SOURCE_A_SECOND 20	 /* of one source that proved its address, under load */
#define SOURCE_BURST 5

static void send_cookie(struct p2p *p, const struct way *w, const struct cookie_query *q,
			const uint8_t *overlay_key, usec_t now)
{
	uint8_t out[COOKIE_LEN], nonce[24];
	struct cookie_args a = { .overlay_key = overlay_key, .self = &p->cfg.self.pub,
				 .nonce = nonce };
	size_t n;

	p2p_random(p, nonce, sizeof(nonce));
	n = cookie_create(&p->jar, out, q, &a, now);
	if (n)
		transmit_to(p, w->socket, &w->from, out, n);
}

/* Under load: has the source proven its address, and is it within its limit? */
static bool passes_cookie(struct p2p *p, const struct way *w, const uint8_t *pkt, size_t len,
			  const uint8_t *overlay_key)
{
	uint8_t fresh[32], h[8];
	struct cookie_query q = { .pkt = pkt, .len = len, .from = &w->from, .fresh_secret = fresh };

	p2p_random(p, fresh, sizeof(fresh));
	if (!cookie_check(&p->jar, &q, p->now)) {
		send_cookie(p, w, &q, overlay_key, p->now);
		return false;
	}
	if (!p->sources)
		p->sources = mem_new(SOURCES * sizeof(*p->sources));
	crypto_shorthash(h, w->from.ip.b, sizeof(w->from.ip.b), p->sessions.seed);
	return bucket_take(&p->sources[h[0] % SOURCES], SOURCE_A_SECOND, SOURCE_BURST, p->now);
}

static bool is_admitted(struct p2p *p, const struct way *w, const uint8_t *pkt, size_t len,
			const uint8_t *overlay_key)
{
	if (w->routed)
		return session_takes(w->link, LIMIT_INITS, ROUTED_INITS_A_SECOND,
				     2 * ROUTED_INITS_A_SECOND, p->now);
	return limit_take(&p->inits, p->now) || passes_cookie(p, w, pkt, len, overlay_key);
}

/* Who gives way tries again only if nothing comes of the other's handshake. */
static void yield(struct session *s, usec_t now)
{
	bool trying = s->attempt && s->attempt->hs;

	if (memcmp(s->p->id.b, s->id.b, ID_LEN) < 0)
		return;
	connect_stop(s);
	if (trying)
		connect_want(s, now + SEC(1) + p2p_random32(s->p) % MSEC(333));
}

#define CLOSE_COPIES 3

static void answer(struct session *s, const struct way *w, struct handshake_incoming *in,
		   const uint8_t *psk, usec_t now)
{
	struct p2p *p = s->p;
	struct handshake_respond_args a = { .self = &p->self, .psk = psk,
					    .own = p2p_offer(p, s->instance) };
	struct key_slot *k = slot_new(s, now);
	uint8_t pkt[PACKET_HANDSHAKE_MAX];
	size_t len;

	a.index = k->index;
	if (!w->routed)
		a.own.observed = w->from;
	a.own.observed.scope = 0;
	a.own.start_counter = p->cfg.start_counter;
	p2p_random(p, a.ephemeral, sizeof(a.ephemeral));
	len = handshake_respond(in, pkt, &a);
	sodium_memzero(a.ephemeral, sizeof(a.ephemeral));
	if (!len) {
		slot_free(k);
		p2p_drop(p, DROP_HANDSHAKE);
		return;
	}
	slot_set_keys(k, &in->result);
	s->peer_is_leaf = in->result.theirs.features & HANDSHAKE_FEATURE_LEAF;
	k->start_counter = in->result.start_counter;
	if (!w->routed)
		k->answered = mem_copy(&w->from, sizeof(w->from));
	yield(s, now);
	session_answered(s, k, now);
	transmit_answer(p, w, &s->id, pkt, len, now);
}

static enum drop judge(struct p2p *p, const struct way *w, const struct handshake_incoming *in,
		       usec_t now)
{
	const struct handshake_result *r = &in->result;
	const struct session *s = session_find(p, &r->remote);

	if (key_equal(&r->remote, &p->cfg.self.pub) ||
	    (w->routed && !key_equal(&r->remote, &w->source)))
		return DROP_HANDSHAKE;
	if (!stamps_is_new(&p->stamps, &r->remote, r->start_counter, r->boottime) ||
	    (s && connect_prevails(s, now)))
		return DROP_STALE;
	return DROP_NONE;
}

/* A later start of this key came from elsewhere: the older process, whose handshakes are stale from
 * now on, hears of it under the keys that only it has. At the same address it is gone already. */
static void tell_older(struct session *s, const struct way *w, uint32_t counter, usec_t now)
{
	const uint8_t plain[] = { CONTROL_CLOSE, CLOSE_SUPERSEDED };
	uint32_t known = s->up ? s->current->start_counter : 0;
	int used = s->paths.used;

	/* Not known: we began, so the session may well be with the very process that calls now. */
	if ( !known || counter <= known ||
	    (used >= 0 && !w->routed && addr_equal(&s->paths.list[used].addr, &w->from)))
		return;
	for (int i = 0; i < CLOSE_COPIES; i++) /* nobody acknowledges it */
		transmit_control(s, plain, sizeof(plain), ASKS_NOTHING, now);
}

void respond_init(struct p2p *p, const struct way *w, uint8_t *pkt, size_t len, usec_t now)
{
	struct handshake_incoming in;
	struct session *s;
	enum drop why = DROP_NONE;
	int key = handshake_mac1_match(pkt, len, &p->cfg.self.pub,
				       (const uint8_t(*)[32])p->cfg.overlay_keys,
				       p->cfg.overlay_key_count);

	if (key < 0)
		why = DROP_MAC;
	else if (!is_admitted(p, w, pkt, len, p->cfg.overlay_keys[key]))
		why = DROP_RATE;
	else if (!handshake_init_consume(&in, &p->self, pkt, len))
		why = DROP_HANDSHAKE;
	if (!why)
		why = judge(p, w, &in, now);
	s = why ? NULL : session_want(p, &in.result.remote, now);
	if (!why && !s)
		why = DROP_FULL;
	if (why) {
		p2p_drop(p, why);
	} else {
		tell_older(s, w, in.result.start_counter, now);
		stamps_put(&p->stamps, &in.result.remote, in.result.start_counter,
			   in.result.boottime);
		answer(s, w, &in, p->cfg.overlay_keys[key], now);
	}
	sodium_memzero(&in, sizeof(in));
}
