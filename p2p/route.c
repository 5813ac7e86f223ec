/* route.c - ROUTED packets. docs/protocol.md 5.2.
 *
 * Links are sessions that are up. Those that run over the ring themselves may carry routed
 * packets too, but never ROUTED_SEALED: a session's own packets would be wrapped for ever. So
 * sealed packets go from one direct link to the next.
 *
 * A way to a node: its session, else towards its agent (a link of its own, as it told), else
 * greedily to a link strictly nearer. Who is the agent, or finds nobody nearer to it, clears the
 * field, so that a packet cannot swing between two aims. The hop limit bounds everything else. */
#include "p2p/route.h"

#include <errno.h>
#include <string.h>

#include "p2p/control.h"
#include "p2p/later.h"
#include "p2p/transmit.h"

static const struct node_id nobody;

static bool is_nobody(const struct node_id *id)
{
	return id_equal(id, &nobody);
}

static bool is_direct(const struct session *s)
{
	return s && s->up && s->current && s->kind == P2P_PATH_DIRECT;
}

static bool may_carry(const struct session *s, uint8_t service)
{
	return is_direct(s) || (s && s->up && s->current && s->kind == P2P_PATH_RING &&
				service != ROUTED_SEALED);
}

/* The link nearest to `to` of those strictly nearer than we are. */
static struct session *nearest_link(const struct p2p *p, const struct routed *m,
				    const struct node_id *to, const struct node_id *except)
{
	struct session *s, *best = NULL;
	size_t at = 0;

	while ((s = map_next(&p->sessions, &at))) {
		const struct node_id *bound = best ? &best->id : &p->id;

		if (may_carry(s, m->service) && !(except && id_equal(&s->id, except)) &&
		    id_ring_compare(to, &s->id, bound) < 0)
			best = s;
	}
	return best;
}

static struct session *greedy(const struct p2p *p, const struct routed *m, const struct node_id *to,
			      const struct node_id *except)
{
	const struct pubkey *key = ring_next(p->ring, to, except);
	struct session *s = key ? session_find(p, key) : NULL;

	return may_carry(s, m->service) ? s : nearest_link(p, m, to, except);
}

/* `except`: not this node, even if it is the destination. Clears m->agent when it is of no use. */
static struct session *next_hop(const struct p2p *p, struct routed *m, const struct node_id *except)
{
	bool barred = except && id_equal(&m->to, except);
	struct session *s = barred ? NULL : session_find_id(p, &m->to);

	if (may_carry(s, m->service))
		return s;
	if (!is_nobody(&m->agent) && !id_equal(&m->agent, &p->id)) {
		s = session_find_id(p, &m->agent);
		if (!may_carry(s, m->service))
			s = greedy(p, m, &m->agent, except);
		if (s)
			return s;
	}
	m->agent = nobody;
	return greedy(p, m, &m->to, except);
}

/* Any direct link but `not`; preferably the ring's choice. */
static struct session *any_link(const struct p2p *p, const struct session *not, unsigned turn)
{
	const struct pubkey *key = ring_agent(p->ring, turn);
	struct session *s = key ? session_find(p, key) : NULL;
	size_t at = 0;

	if (is_direct(s) && s != not)
		return s;
	while ((s = map_next(&p->sessions, &at)))
		if (is_direct(s) && s != not)
			return s;
	return NULL;
}

bool route_exists(const struct p2p *p, const struct session *to)
{
	return any_link(p, to, 0) != NULL;
}

struct node_id route_agent(const struct p2p *p, const struct session *s)
{
	const struct session *link = any_link(p, s, s ? s->agent_turn : 0);

	return link ? link->id : nobody;
}

static int forward(struct session *link, const struct routed *m, usec_t now)
{
	uint8_t plain[ROUTED_HEAD + ROUTED_BODY_MAX];
	struct wr w = wr_of(plain, sizeof(plain));

	wr_u8(&w, CONTROL_ROUTED);
	wr_u8(&w, m->hops);
	wr_u8(&w, m->flags);
	wr_u8(&w, m->service);
	wr_u8(&w, 0);
	wr_copy(&w, m->to.b, ID_LEN);
	wr_copy(&w, m->agent.b, ID_LEN);
	wr_copy(&w, m->source.b, KEY_LEN);
	wr_copy(&w, m->source_agent.b, ID_LEN);
	wr_copy(&w, m->body, m->len);
	if (!wr_ok(&w))
		return -EMSGSIZE;
	return transmit_control(link, plain, wr_len(&w), false, now) ? 0 : -ENETUNREACH;
}

static bool is_message(uint8_t service)
{
	return service == ROUTED_DHT || service == ROUTED_RING;
}

static void deliver_message(struct p2p *p, const struct routed *m)
{
	struct p2p_event e = { .type = P2P_ROUTED, .peer = m->source, .agent = m->source_agent,
			       .service = m->service, .msg = m->body, .len = m->len };
	struct later *l;

	if (!key_valid(&m->source)) {
		p2p_drop(p, DROP_MALFORMED);
	} else if (m->service == ROUTED_DHT) {
		p2p_emit(p, &e);
	} else {
		l = later_put(p, LATER_RING, m->body, m->len);
		if (!l)
			return;
		l->key = m->source;
		l->agent = m->source_agent;
	}
}

static void deliver_packet(struct p2p *p, const struct routed *m, struct session *link, usec_t now)
{
	uint8_t pkt[ROUTED_BODY_MAX];
	struct rd r = rd_of(m->body, m->len);
	struct way w = { .routed = true, .source = m->source, .agent = m->source_agent,
			 .hops = m->hops, .link = link };
	uint8_t type = rd_u8(&r) & 63;

	if (!rd_ok(&r) || (m->service == ROUTED_SEALED) != (type >= PACKET_CONTROL)) {
		p2p_drop(p, DROP_MALFORMED);
		return;
	}
	memcpy(pkt, m->body, m->len);
	p2p_packet(p, &w, pkt, m->len, now);
}

static void deliver(struct p2p *p, const struct routed *m, struct session *link, usec_t now)
{
	if (is_message(m->service))
		deliver_message(p, m);
	else if (link && (m->service == ROUTED_HANDSHAKE || m->service == ROUTED_SEALED))
		deliver_packet(p, m, link, now);
	else
		p2p_drop(p, DROP_UNKNOWN);
}

int route_send(struct p2p *p, struct routed *m, usec_t now)
{
	const struct node_id *except = NULL;
	struct session *s;

	m->hops = RING_HOPS;
	m->source = p->cfg.self.pub;
	if (m->len > ROUTED_BODY_MAX)
		return -EMSGSIZE;
	if (id_equal(&m->to, &p->id) && !(m->flags & ROUTED_NEAREST)) {
		deliver(p, m, NULL, now);
		return 0;
	}
	/* A handshake with a node must not depend on the keys it may have lost. */
	if (m->service == ROUTED_HANDSHAKE)
		except = &m->to;
	if (is_nobody(&m->source_agent))
		m->source_agent = route_agent(p, session_find_id(p, &m->to));
	s = next_hop(p, m, except);
	if (!s) { /* we are the nearest that we know of: perhaps a link knows better */
		s = any_link(p, session_find_id(p, &m->to), 0);
		if (s)
			m->agent = s->id;
	}
	if (s && m->flags & ROUTED_NEAREST) /* the answer comes back the way the question went */
		m->source_agent = s->id;
	return s ? forward(s, m, now) : -ENETUNREACH;
}

static bool routed_read(struct rd *r, struct routed *m)
{
	m->hops = rd_u8(r);
	m->flags = rd_u8(r);
	m->service = rd_u8(r);
	rd_u8(r);
	rd_copy(r, m->to.b, ID_LEN);
	rd_copy(r, m->agent.b, ID_LEN);
	rd_copy(r, m->source.b, KEY_LEN);
	rd_copy(r, m->source_agent.b, ID_LEN);
	m->len = rd_left(r);
	m->body = rd_bytes(r, m->len);
	return rd_done(r) && m->len > 0 && m->len <= ROUTED_BODY_MAX;
}

void route_input(struct session *link, struct rd r, usec_t now)
{
	struct p2p *p = link->p;
	struct node_id source;
	struct routed m;
	struct session *s;

	if (!routed_read(&r, &m)) {
		p2p_drop(p, DROP_MALFORMED);
		return;
	}
	if (key_equal(&m.source, &p->cfg.self.pub)) {
		p2p_drop(p, DROP_NO_ROUTE); /* our own came back */
		return;
	}
	if (m.service != ROUTED_SEALED && !limit_take(&link->questions, now)) {
		p2p_drop(p, DROP_RATE);
		return;
	}
	if (id_equal(&m.to, &p->id)) {
		deliver(p, &m, link, now);
		return;
	}
	source = id_of(&m.source);
	s = next_hop(p, &m, &source);
	if (!s && m.flags & ROUTED_NEAREST && is_message(m.service)) {
		deliver(p, &m, link, now);
	} else if (!s) {
		p2p_drop(p, DROP_NO_ROUTE);
	} else if (m.hops <= 1) {
		p2p_drop(p, DROP_HOPS);
	} else {
		m.hops--;
		if (forward(s, &m, now) < 0)
			p2p_drop(p, DROP_NO_ROUTE);
	}
}
