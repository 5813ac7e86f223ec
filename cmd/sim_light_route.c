/* sim_light_route.c - ROUTED packets of the light actor: the rules of docs/protocol.md 5.2, over
 * links that are all direct. What the ring or the DHT want routed waits until the call into them is
 * over, since it may end at ourselves. */
#include "cmd/sim_light_impl.h"

#include <stdlib.h>

#include "base/mem.h"

#define LATER_MAX 1024
#define AGENT_TRIES 8
#define COPIES_MAX 4 /* kept for one link */

struct later {
	struct list list;
	struct light_routed m;
	uint8_t body[];
};

struct light_copy {
	struct light_copy *next;
	struct light_routed m;
	uint8_t body[];
};

static const struct node_id nobody;

static bool is_nobody(const struct node_id *id)
{
	return id_equal(id, &nobody);
}

static struct light_link *greedy(const struct light *l, const struct node_id *to,
				 const struct node_id *except)
{
	const struct pubkey *key = ring_next(l->ring, to, except, false);

	return key ? light_link_find(l, key) : NULL;
}

/* Clears m->agent when it is of no use. */
static struct light_link *next_hop(const struct light *l, struct light_routed *m,
				   const struct node_id *except)
{
	struct light_link *k = greedy(l, &m->to, except), *way;

	if (k && id_equal(&k->id, &m->to))
		return k;
	if (!is_nobody(&m->agent) && !id_equal(&m->agent, &l->id)) {
		way = greedy(l, &m->agent, except);
		if (way)
			return way;
	}
	m->agent = nobody;
	return k;
}

static struct light_link *any_link(struct light *l, const struct node_id *not)
{
	for (unsigned i = 0; i < AGENT_TRIES; i++) {
		const struct pubkey *key = ring_agent(l->ring, l->turn + i);
		struct light_link *k = key ? light_link_find(l, key) : NULL;

		if (k && !id_equal(&k->id, not))
			return k;
	}
	return NULL;
}

static void keep_copy(struct light_link *k, const struct light_routed *m)
{
	struct light_copy *c;

	if (!k->waiting || k->doubt || k->copies_count == COPIES_MAX)
		return;
	c = mem_new(sizeof(*c) + m->len);
	c->m = *m;
	memcpy(c->body, m->body, m->len);
	c->m.body = c->body;
	c->next = k->copies;
	k->copies = c;
	k->copies_count++;
}

static void forward(struct light *l, struct light_link *k, const struct light_routed *m)
{
	uint8_t pkt[LIGHT_HEAD + LIGHT_ROUTED_HEAD + LIGHT_ROUTED_MAX];
	struct wr w = wr_of(pkt, sizeof(pkt));

	wr_zero(&w, LIGHT_HEAD);
	wr_u8(&w, m->hops);
	wr_u8(&w, m->flags);
	wr_u8(&w, m->service);
	wr_copy(&w, m->to.b, ID_LEN);
	wr_copy(&w, m->agent.b, ID_LEN);
	wr_copy(&w, m->source.b, KEY_LEN);
	wr_copy(&w, m->source_id.b, ID_LEN);
	wr_copy(&w, m->source_agent.b, ID_LEN);
	wr_copy(&w, m->body, m->len);
	if (!wr_ok(&w))
		return;
	/* A handshake is larger in truth than it is here. */
	light_link_send(l, k, LIGHT_ROUTED, pkt, wr_len(&w),
			REAL_ROUTED +
				(m->service == LIGHT_HANDSHAKE ? REAL_REQUEST - REAL_IP : m->len));
	keep_copy(k, m);
}

static void remember_agent(struct light *l, const struct light_routed *m)
{
	unsigned i = 0;

	while (i < LIGHT_AGENTS && !key_equal(&l->agents[i].key, &m->source))
		i++;
	if (i == LIGHT_AGENTS)
		i = l->agent_next++ % LIGHT_AGENTS;
	l->agents[i].key = m->source;
	l->agents[i].agent = m->source_agent;
}

static void deliver(struct light *l, const struct light_routed *m)
{
	struct rd r = rd_of(m->body, m->len);

	l->stirred = true;
	switch (m->service) {
	case LIGHT_HANDSHAKE:
		light_link_shake(l, NULL, r);
		return;
	case LIGHT_RING:
		ring_input(l->ring, &m->source, false, &m->source_agent, r, l->now);
		return;
	case LIGHT_DHT:
		remember_agent(l, m);
		if (!light_fault_dht(l, &m->source, m->body, m->len))
			dht_input(l->dht, &m->source, false, m->body, m->len, l->now);
		break;
	case LIGHT_SEND:
		light_work_delivered(l, m);
		break;
	case LIGHT_SENT:
		light_work_answered(l, m);
		break;
	default:
		return;
	}
	ring_traffic(l->ring, &m->source, l->now);
}

/* The answer comes back the way the question went: of that link we know that it lives. */
static void leave_by(const struct light_link *k, struct light_routed *m)
{
	if (m->service != LIGHT_HANDSHAKE)
		m->source_agent = k->id;
}

/* A handshake with a node must not depend on the keys it may have lost. */
static const struct node_id *own_except(const struct light_routed *m)
{
	return m->service == LIGHT_HANDSHAKE ? &m->to : NULL;
}

void light_route(struct light *l, struct light_routed *m)
{
	struct light_link *k;

	m->hops = RING_HOPS;
	m->source = sim_host_key(l->host)->pub;
	m->source_id = l->id;
	if (id_equal(&m->to, &l->id) && !(m->flags & LIGHT_NEAREST)) {
		deliver(l, m);
		return;
	}
	k = next_hop(l, m, own_except(m));
	if (is_nobody(&m->source_agent)) {
		struct light_link *agent = any_link(l, &m->to);

		m->source_agent = agent ? agent->id : nobody;
	}
	if (!k) { /* we are the nearest that we know of: perhaps a link knows better */
		k = any_link(l, &m->to);
		if (k)
			m->agent = k->id;
	}
	if (!k)
		return;
	leave_by(k, m);
	forward(l, k, m);
}

void light_route_later(struct light *l, const struct light_routed *m)
{
	struct later *later;

	if (l->later_count >= LATER_MAX || m->len > LIGHT_ROUTED_MAX)
		return;
	later = mem_new(sizeof(*later) + m->len);
	later->m = *m;
	memcpy(later->body, m->body, m->len);
	list_add_tail(&l->later, &later->list);
	l->later_count++;
}

void light_route_run(struct light *l)
{
	struct list *item;

	for (size_t n = 0; n < LATER_MAX && (item = list_take(&l->later)); n++) {
		struct later *later = container_of(item, struct later, list);

		l->later_count--;
		later->m.body = later->body;
		light_route(l, &later->m);
		free(later);
	}
}

static bool read_routed(struct rd *r, struct light_routed *m)
{
	m->hops = rd_u8(r);
	m->flags = rd_u8(r);
	m->service = rd_u8(r);
	rd_copy(r, m->to.b, ID_LEN);
	rd_copy(r, m->agent.b, ID_LEN);
	rd_copy(r, m->source.b, KEY_LEN);
	rd_copy(r, m->source_id.b, ID_LEN);
	rd_copy(r, m->source_agent.b, ID_LEN);
	m->len = rd_left(r);
	m->body = rd_bytes(r, m->len);
	return rd_done(r) && m->len > 0 && m->len <= LIGHT_ROUTED_MAX;
}

/* From here on; our own ones come here again only. */
static void go_on(struct light *l, struct light_routed *m)
{
	bool own = id_equal(&m->source_id, &l->id);
	const struct node_id *except = own ? own_except(m) : &m->source_id;
	struct light_link *k = next_hop(l, m, except);

	if (k)
		k = m->hops > 1 ? light_fault_hop(l, k) : NULL;
	else if (!own && m->flags & LIGHT_NEAREST)
		deliver(l, m);
	if (!k)
		return;
	if (own)
		leave_by(k, m);
	m->hops--;
	forward(l, k, m);
}

void light_route_input(struct light *l, struct light_link *from, struct rd r)
{
	struct light_routed m;

	if (!read_routed(&r, &m) || id_equal(&m.source_id, &l->id) ||
	    !limit_take(&from->routed, l->now))
		return;
	if (id_equal(&m.to, &l->id))
		deliver(l, &m);
	else
		go_on(l, &m);
}

void light_route_forget(struct light_link *k)
{
	struct light_copy *c;

	while ((c = k->copies)) {
		k->copies = c->next;
		free(c);
	}
	k->copies_count = 0;
}

void light_route_again(struct light *l, struct light_copy *copies)
{
	struct light_copy *c;

	while ((c = copies)) {
		copies = c->next;
		go_on(l, &c->m);
		free(c);
	}
}
