/* ring_net.h - the virtual net of test_ring_net.c: its events, and the way of a routed message by the
 * rules of docs/protocol.md 5.2. */
#ifndef TESTS_UNIT_RING_NET_H
#define TESTS_UNIT_RING_NET_H

#include <stdlib.h>

#include "base/mem.h"
#include "p2p/ring.h"
#include "tests/check.h"

#define NODES 60
#define EVENTS 8192
#define HOP MSEC(10)
#define IDLE SEC(60)

enum kind { SENT, ROUTED, ARRIVED, LINKED, CUT };

struct event {
	usec_t at;
	uint64_t seq;
	enum kind kind;
	int from, to; /* ROUTED: to = -1 */
	bool nearest, has_agent, has_address;
	struct node_id target, agent;
	size_t len;
	uint8_t msg[1400];
};

struct net;

struct node {
	struct net *net;
	int index, half;
	struct pubkey key;
	struct node_id id;
	struct ring *ring; /* NULL = not there */
};

struct net {
	struct node node[NODES];
	usec_t linked[NODES][NODES]; /* since when, 0 = not */
	struct event *event[EVENTS];
	size_t events;
	uint64_t rng, seq, sent;
	usec_t now, swept;
	bool parted; /* the two halves cannot reach each other */
	bool open;   /* addresses that are told work; else nobody is reached but through the ring */
};

static uint32_t draw(struct net *n, uint32_t bound)
{
	n->rng ^= n->rng << 13;
	n->rng ^= n->rng >> 7;
	n->rng ^= n->rng << 17;
	return (uint32_t)((n->rng >> 20) % bound);
}

static inline int node_by_id(const struct net *n, const struct node_id *id)
{
	for (int i = 0; i < NODES; i++)
		if (id_equal(&n->node[i].id, id))
			return i;
	return -1;
}

static inline int node_by_key(const struct net *n, const struct pubkey *key)
{
	struct node_id id = id_of(key);

	return node_by_id(n, &id);
}

static inline struct event *post(struct net *n, enum kind kind, int from, int to, usec_t after)
{
	struct event *e = mem_new(sizeof(*e));

	if (n->events == EVENTS)
		abort();
	e->at = n->now + after;
	e->seq = n->seq++;
	e->kind = kind;
	e->from = from;
	e->to = to;
	n->event[n->events++] = e;
	return e;
}

static inline void with_bytes(struct event *e, const uint8_t *msg, size_t len)
{
	if (len > sizeof(e->msg))
		abort();
	e->len = len;
	memcpy(e->msg, msg, len);
}

static inline void env_random(void *ctx, void *out, size_t len)
{
	struct node *me = ctx;
	uint8_t *b = out;

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)draw(me->net, 256);
}

static inline void env_send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len)
{
	struct node *me = ctx;

	me->net->sent++;
	with_bytes(post(me->net, SENT, me->index, node_by_key(me->net, to), HOP), msg, len);
}

static inline struct event *route(struct node *me, const struct node_id *to,
				  const struct node_id *agent)
{
	struct event *e = post(me->net, ROUTED, me->index, -1, 0);

	e->target = *to;
	e->has_agent = agent != NULL;
	if (agent)
		e->agent = *agent;
	return e;
}

static inline void env_route(void *ctx, const struct node_id *to, const struct node_id *agent,
			     bool nearest, const uint8_t *msg, size_t len)
{
	struct event *e = route(ctx, to, agent);

	e->nearest = nearest;
	with_bytes(e, msg, len);
}

/* A handshake: a routed one that has no message. */
static inline void env_want(void *ctx, const struct ring_contact *c, const struct node_id *agent)
{
	route(ctx, &c->id, agent)->has_address = c->addr_count > 0;
}

static inline size_t env_addresses(void *ctx, const struct pubkey *peer, struct addr *out, size_t max)
{
	(void)ctx;
	if (max == 0)
		return 0;
	out[0] = (struct addr){ .ip = ip_v4(0x09090000u + peer->b[0]), .port = 24655 };
	return 1;
}

static inline bool is_linked(const struct net *n, int a, int b)
{
	return a >= 0 && b >= 0 && n->linked[a][b];
}

/* One hop of 5.2: the next node, or -1. The source is never a next hop. */
static inline int hop(struct net *n, int at, struct event *e)
{
	int to = node_by_id(n, &e->target), agent = e->has_agent ? node_by_id(n, &e->agent) : -1;
	struct node *me = &n->node[at];
	const struct node_id *source = &n->node[e->from].id;
	const struct pubkey *key;

	if (to != e->from && is_linked(n, at, to))
		return to;
	if (e->has_agent && agent != at) {
		if (is_linked(n, at, agent))
			return agent;
		key = ring_next(me->ring, &e->agent, source);
		if (key)
			return node_by_key(n, key);
	}
	e->has_agent = false;
	key = ring_next(me->ring, &e->target, source);
	if (!key && at == e->from)
		key = ring_agent(me->ring, 0);
	return key ? node_by_key(n, key) : -1;
}

/* Where a routed message ends, or -1; the first link it goes by becomes its source's agent. */
static inline int walk(struct net *n, struct event *e, struct node_id *source_agent)
{
	int at = e->from;

	for (int hops = 0; hops < RING_HOPS; hops++) {
		int next = hop(n, at, e);

		if (next < 0)
			return at != e->from && e->nearest ? at : -1;
		if (next == e->from || !n->node[next].ring)
			return -1;
		if (hops == 0)
			*source_agent = n->node[next].id;
		at = next;
		if (id_equal(&n->node[at].id, &e->target))
			return at;
	}
	return -1;
}

#endif
