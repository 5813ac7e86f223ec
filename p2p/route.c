/* route.c - ROUTED packets. docs/protocol.md 5.2.
 *
 * Links are sessions that are up; the ring knows them and chooses the next one, so nothing here
 * looks at all sessions. Those that run over the ring themselves may carry routed packets too, but
 * never ROUTED_SEALED: a session's own packets would be wrapped for ever. So sealed packets go from
 * one direct link to the next.
 *
 * A way to a node: its session, else towards its agent (a link of its own, as it told), else
 * greedily to a link strictly nearer. Who is the agent, or finds nobody nearer to it, clears the
 * field, so that a packet cannot swing between two aims. The hop limit bounds everything else.
 *
 * A link may be dead without a word. So what is handed to one of which nothing was heard for a
 * second asks it for a sign of life, by a flag that each hop sets anew: whatever it sends us soon
 * is one, the answer that comes back this way most of all. While it is late the link is in doubt
 * and the ring passes it over. A copy of what it was given since is kept until then, and goes
 * another way: a node that is gone costs a packet 200 ms, not its life. A slow one may get it
 * twice. */
#include "p2p/route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "p2p/control.h"
#include "p2p/later.h"
#include "p2p/transmit.h"

#define ROUTED_A_SECOND 500 /* that one link may have forwarded, data apart */
#define COPIES_MAX 4  /* kept for one link */
#define AGENT_TRIES 8 /* links looked at to find one that may be our agent */

static const struct node_id nobody;

/* A packet that a link which owes an answer was given. */
struct copy {
	struct copy *next;
	struct routed m; /* m.body = body */
	uint8_t body[];
};

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

/* The ring's choice; it may not know yet what this very call changed about a link. */
static struct session *towards(const struct p2p *p, const struct routed *m,
			       const struct node_id *to, const struct node_id *except)
{
	const struct pubkey *key = ring_next(p->ring, to, except, m->service == ROUTED_SEALED);
	struct session *s = key ? session_find(p, key) : NULL;

	return may_carry(s, m->service) ? s : NULL;
}

/* `except`: not this node, even if it is the destination. Clears m->agent when it is of no use. */
static struct session *next_hop(const struct p2p *p, struct routed *m, const struct node_id *except)
{
	struct session *s = towards(p, m, &m->to, except);

	if (s && id_equal(&s->id, &m->to))
		return s;
	if (!is_nobody(&m->agent) && !id_equal(&m->agent, &p->id)) {
		struct session *way = towards(p, m, &m->agent, except);

		if (way)
			return way;
	}
	m->agent = nobody;
	return s;
}

/* A direct link but `not`, of the ring's choice. */
static struct session *any_link(const struct p2p *p, const struct session *not, unsigned turn)
{
	for (unsigned i = 0; i < AGENT_TRIES; i++) {
		const struct pubkey *key = ring_agent(p->ring, turn + i);
		struct session *s = key ? session_find(p, key) : NULL;

		if (is_direct(s) && s != not)
			return s;
	}
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

struct node_id route_link(const struct p2p *p, unsigned turn)
{
	const struct session *link = any_link(p, NULL, turn);

	return link ? link->id : nobody;
}

static void keep_copy(struct session *link, const struct routed *m)
{
	struct copy *c;

	if (!link->use.marks.owed || link->ring_doubt || link->copies_count == COPIES_MAX)
		return;
	c = mem_new(sizeof(*c) + m->len);
	c->m = *m;
	memcpy(c->body, m->body, m->len);
	c->m.body = c->body;
	c->next = link->copies;
	link->copies = c;
	link->copies_count++;
}

static int forward(struct session *link, const struct routed *m, usec_t now)
{
	uint8_t plain[ROUTED_HEAD + ROUTED_BODY_MAX];
	struct wr w = wr_of(plain, sizeof(plain));
	bool asks = keepalive_asks_now(&link->keepalive, &link->use.marks, now);

	wr_u8(&w, CONTROL_ROUTED);
	wr_u8(&w, m->hops);
	wr_u8(&w, m->flags | (asks ? ROUTED_ASKS : 0));
	wr_u8(&w, m->service);
	wr_u8(&w, 0);
	wr_copy(&w, m->to.b, ID_LEN);
	wr_copy(&w, m->agent.b, ID_LEN);
	wr_copy(&w, m->source.b, KEY_LEN);
	wr_copy(&w, m->source_agent.b, ID_LEN);
	wr_copy(&w, m->body, m->len);
	if (!wr_ok(&w))
		return -EMSGSIZE;
	if (!transmit_control(link, plain, wr_len(&w), asks ? ASKS_ANSWER : ASKS_NOTHING, now))
		return -ENETUNREACH;
	keep_copy(link, m);
	return 0;
}

static bool is_message(uint8_t service)
{
	return service == ROUTED_DHT || service == ROUTED_RING || service == ROUTED_TRACE;
}

/* A key with which there is or was a session needs no judging again. */
static bool is_good_key(const struct p2p *p, const struct pubkey *key)
{
	return session_find(p, key) || p->cfg.crypto->key_valid(key);
}

static void deliver_message(struct p2p *p, const struct routed *m, usec_t now)
{
	struct p2p_event e = { .type = P2P_ROUTED, .peer = m->source, .agent = m->source_agent,
			       .service = m->service, .nearest = m->flags & ROUTED_NEAREST,
			       .number = (uint64_t)(RING_HOPS - m->hops + 1),
			       .msg = m->body, .len = m->len };
	struct later *l;

	if (!is_good_key(p, &m->source)) {
		p2p_drop(p, DROP_MALFORMED);
		return;
	}
	if (m->service != ROUTED_RING) {
		if (!(m->flags & ROUTED_OF_LEAF))
			ring_traffic(p->ring, &m->source, now);
		p2p_emit(p, &e);
		return;
	}
	l = later_put(p, LATER_RING, m->body, m->len);
	if (!l)
		return;
	l->key = m->source;
	l->agent = m->source_agent;
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
		deliver_message(p, m, now);
	else if (link && (m->service == ROUTED_HANDSHAKE || m->service == ROUTED_SEALED))
		deliver_packet(p, m, link, now);
	else
		p2p_drop(p, DROP_UNKNOWN);
}

/* A handshake with a node must not depend on the keys it may have lost. */
static const struct node_id *own_except(const struct routed *m)
{
	return m->service == ROUTED_HANDSHAKE ? &m->to : NULL;
}

int route_send(struct p2p *p, struct routed *m, usec_t now)
{
	struct session *s;

	m->hops = RING_HOPS;
	m->flags |= p->cfg.leaf ? ROUTED_OF_LEAF : 0;
	m->source = p->cfg.self.pub;
	if (m->len > ROUTED_BODY_MAX)
		return -EMSGSIZE;
	if (id_equal(&m->to, &p->id) && !(m->flags & ROUTED_NEAREST)) {
		deliver(p, m, NULL, now);
		return 0;
	}
	if (is_nobody(&m->source_agent))
		m->source_agent = route_agent(p, session_find_id(p, &m->to));
	s = next_hop(p, m, own_except(m));
	if (!s) { /* we are the nearest that we know of: perhaps a link knows better */
		s = any_link(p, session_find_id(p, &m->to), 0);
		if (s)
			m->agent = s->id;
	}
	/* The answer comes back the way the question went. */
	if (s && is_message(m->service) && !id_equal(&s->id, &m->to))
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

/* From here on, as a packet that came by `link`, or again (NULL). */
static void go_on(struct p2p *p, struct routed *m, struct session *link, usec_t now)
{
	bool own = key_equal(&m->source, &p->cfg.self.pub);
	struct node_id source = id_of(&m->source);
	const struct node_id *except = own ? own_except(m) : &source;
	struct session *s = next_hop(p, m, except);

	if (!s && !own && m->flags & ROUTED_NEAREST && is_message(m->service)) {
		deliver(p, m, link, now);
	} else if (!s) {
		p2p_drop(p, DROP_NO_ROUTE);
	} else if (m->hops <= 1) {
		p2p_drop(p, DROP_HOPS);
	} else {
		m->hops--;
		if (forward(s, m, now) < 0)
			p2p_drop(p, DROP_NO_ROUTE);
	}
}

void route_input(struct session *link, struct rd r, usec_t now)
{
	struct p2p *p = link->p;
	struct routed m;

	if (!routed_read(&r, &m)) {
		p2p_drop(p, DROP_MALFORMED);
		return;
	}
	if (m.flags & ROUTED_ASKS)
		keepalive_asked(&link->keepalive, &link->use.marks, now);
	m.flags &= (uint8_t)~ROUTED_ASKS;
	if (key_equal(&m.source, &p->cfg.self.pub)) {
		p2p_drop(p, DROP_NO_ROUTE); /* our own came back */
		return;
	}
	if (m.service != ROUTED_SEALED &&
	    !session_takes(link, LIMIT_QUESTIONS, ROUTED_A_SECOND, 2 * ROUTED_A_SECOND, now)) {
		p2p_drop(p, DROP_RATE);
		return;
	}
	if (id_equal(&m.to, &p->id)) {
		deliver(p, &m, link, now);
		return;
	}
	go_on(p, &m, link, now);
}

void route_forget(struct session *link)
{
	struct copy *c;

	while ((c = link->copies)) {
		link->copies = c->next;
		free(c);
	}
	link->copies_count = 0;
}

void route_settle(struct session *link, usec_t now)
{
	struct copy *c, *list = link->copies;

	if (!list)
		return;
	if (link->up && link->use.marks.owed && !link->ring_doubt)
		return; /* there is time */
	if (link->up && !link->use.marks.owed) {
		route_forget(link); /* it was heard */
		return;
	}
	link->copies = NULL;
	link->copies_count = 0;
	while ((c = list)) {
		list = c->next;
		go_on(link->p, &c->m, NULL, now);
		free(c);
	}
}
