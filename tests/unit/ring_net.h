/* ring_net.h - many rings on a virtual net with virtual time.
 *
 * The net carries messages of links and routed ones by the rules of docs/protocol.md 5.2, HOP each.
 * A wanted link is made when a routed handshake finds its way or, where addresses work (`open`),
 * without one. Links that neither end keeps are closed after a minute, as p2p.c does. Faults: nodes
 * vanish and the others notice later, halves are parted, routed messages get lost, a node refuses
 * links. Bytes are counted as p2p.c would put them on the wire. */
#ifndef TESTS_UNIT_RING_NET_H
#define TESTS_UNIT_RING_NET_H

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/timer.h"
#include "p2p/ring_impl.h"
#include "tests/check.h"

#define NODES 600
#define HOP MSEC(20)
#define IDLE SEC(60)
#define PACKET (28 + 32)	  /* headers of IP and UDP, our own and the tag */
#define LINK_PACKET (PACKET + 16) /* a message of the control channel, its acknowledgement */
#define ROUTED_HEAD_LEN 97

enum kind { SENT, ARRIVED, LINKED, CUT };

struct event {
	struct timer timer;
	struct net *net;
	struct list list;
	enum kind kind;
	int from, to;
	struct node_id agent;
	size_t len;
	uint8_t msg[];
};

/* A routed message, or a handshake that has none. */
struct parcel {
	int from;
	bool nearest, has_agent, has_address;
	struct node_id target, agent;
	const uint8_t *msg;
	size_t len;
};

struct node {
	struct timer timer;
	struct net *net;
	int index, half;
	struct pubkey key;
	struct node_id id;
	struct ring *ring; /* NULL = not there */
	bool deaf;	   /* nobody can link with it */
	uint64_t told;	   /* bytes of RING messages it wrote */
	uint64_t tries;	   /* wanted links */
};

struct net {
	struct node *node;
	int count;	    /* nodes there may be */
	usec_t *linked;	    /* [count][count], since when, 0 = not */
	int *by_id;	    /* indices, sorted by id */
	struct timers timers;
	struct list events;
	uint64_t rng, sent, wire, routed, lost;
	usec_t now, swept;
	unsigned loss; /* of routed messages, in a thousand */
	bool parted;   /* the two halves cannot reach each other */
	bool open;     /* addresses that are told work; else nobody is reached but through the ring */
};

static inline uint32_t draw(struct net *n, uint32_t bound)
{
	n->rng ^= n->rng << 13;
	n->rng ^= n->rng >> 7;
	n->rng ^= n->rng << 17;
	return (uint32_t)((n->rng >> 20) % bound);
}

static inline usec_t *linked(const struct net *n, int a, int b)
{
	return &n->linked[(size_t)a * (size_t)n->count + (size_t)b];
}

static inline bool is_linked(const struct net *n, int a, int b)
{
	return a >= 0 && b >= 0 && *linked(n, a, b);
}

static inline int node_by_id(const struct net *n, const struct node_id *id)
{
	int low = 0, high = n->count;

	while (low < high) {
		int mid = (low + high) / 2;

		if (memcmp(n->node[n->by_id[mid]].id.b, id->b, ID_LEN) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n->count && id_equal(&n->node[n->by_id[low]].id, id) ? n->by_id[low] : -1;
}

static inline int node_by_key(const struct net *n, const struct pubkey *key)
{
	struct node_id id = id_of(key);

	return node_by_id(n, &id);
}

/* After whatever was said to a ring. */
static inline void settle(struct node *me)
{
	timer_set(&me->net->timers, &me->timer, me->ring ? ring_deadline(me->ring) : USEC_NEVER);
}

static inline void node_fire(struct timer *t, usec_t now)
{
	struct node *me = container_of(t, struct node, timer);

	if (me->ring)
		ring_tick(me->ring, now);
	settle(me);
}

/* ---- links ---- */

static inline void link_both(struct net *n, int a, int b)
{
	struct node *x = &n->node[a], *y = &n->node[b];

	if (a == b || *linked(n, a, b) || !x->ring || !y->ring || x->deaf || y->deaf ||
	    (n->parted && x->half != y->half))
		return;
	*linked(n, a, b) = *linked(n, b, a) = n->now;
	ring_link_up(x->ring, &y->key, n->now);
	ring_link_up(y->ring, &x->key, n->now);
	settle(x);
	settle(y);
}

static inline void cut_both(struct net *n, int a, int b)
{
	if (!*linked(n, a, b))
		return;
	*linked(n, a, b) = *linked(n, b, a) = 0;
	for (int i = 0; i < 2; i++) {
		struct node *x = &n->node[i ? a : b], *y = &n->node[i ? b : a];

		if (x->ring)
			ring_link_down(x->ring, &y->key, n->now);
		settle(x);
	}
}

/* ---- events ---- */

static inline void event_fire(struct timer *t, usec_t now)
{
	struct event *e = container_of(t, struct event, timer);
	struct net *n = e->net;
	struct node *from = &n->node[e->from], *to = &n->node[e->to];

	n->now = now;
	if (e->kind == CUT)
		cut_both(n, e->from, e->to);
	else if (!from->ring || !to->ring)
		n->lost++;
	else if (e->kind == LINKED)
		link_both(n, e->from, e->to);
	else if (e->kind == ARRIVED || is_linked(n, e->from, e->to))
		ring_input(to->ring, &from->key, e->kind == SENT, &e->agent, rd_of(e->msg, e->len),
			   now);
	settle(to);
	list_del(&e->list);
	free(e);
}

static inline struct event *post(struct net *n, enum kind kind, int from, int to, usec_t after,
				 const void *msg, size_t len)
{
	struct event *e = mem_new(sizeof(*e) + len);

	e->net = n;
	e->kind = kind;
	e->from = from;
	e->to = to;
	e->len = len;
	if (len)
		memcpy(e->msg, msg, len);
	list_add_tail(&n->events, &e->list);
	timer_init(&e->timer, event_fire);
	timer_set(&n->timers, &e->timer, n->now + after);
	return e;
}

/* ---- ways ---- */

/* One hop of 5.2: the next node, or -1. The source is never a next hop. */
static inline int hop(struct net *n, int at, struct parcel *p)
{
	int to = node_by_id(n, &p->target), agent = p->has_agent ? node_by_id(n, &p->agent) : -1;
	struct node *me = &n->node[at];
	const struct node_id *source = &n->node[p->from].id;
	const struct pubkey *key;

	if (to != p->from && is_linked(n, at, to))
		return to;
	if (p->has_agent && agent != at) {
		if (is_linked(n, at, agent))
			return agent;
		key = ring_next(me->ring, &p->agent, source, false);
		if (key)
			return node_by_key(n, key);
	}
	p->has_agent = false;
	key = ring_next(me->ring, &p->target, source, false);
	if (!key && at == p->from)
		key = ring_agent(me->ring, 0);
	return key ? node_by_key(n, key) : -1;
}

/* Where it ends, or -1; the first link it goes by becomes its source's agent. */
static inline int walk(struct net *n, struct parcel *p, struct node_id *source_agent, int *hops)
{
	int at = p->from;

	for (*hops = 0; *hops < RING_HOPS;) {
		int next = hop(n, at, p);

		if (next < 0)
			return at != p->from && p->nearest ? at : -1;
		if (next == p->from || !n->node[next].ring)
			return -1;
		if ((*hops)++ == 0)
			*source_agent = n->node[next].id;
		n->wire += PACKET + ROUTED_HEAD_LEN + p->len;
		at = next;
		if (id_equal(&n->node[at].id, &p->target))
			return at;
	}
	return -1;
}

static inline void carry(struct net *n, struct parcel *p)
{
	struct node_id agent = { { 0 } };
	int hops = 4, to;

	n->routed++;
	to = draw(n, 1000) < n->loss ? -1 : walk(n, p, &agent, &hops);
	if (to < 0 && p->has_address && n->open) {
		to = node_by_id(n, &p->target);
		hops = 1;
	}
	if (to < 0)
		n->lost++;
	else if (p->len == 0)
		post(n, LINKED, p->from, to, (usec_t)hops * 3 * HOP, NULL, 0);
	else
		post(n, ARRIVED, p->from, to, (usec_t)hops * HOP, p->msg, p->len)->agent = agent;
}

/* ---- what a ring is given ---- */

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
	me->net->wire += 2 * LINK_PACKET + len;
	me->told += len;
	post(me->net, SENT, me->index, node_by_key(me->net, to), HOP, msg, len);
}

static inline void env_route(void *ctx, const struct node_id *to, const struct node_id *agent,
			     bool nearest, const uint8_t *msg, size_t len)
{
	struct node *me = ctx;
	struct parcel p = { .from = me->index, .nearest = nearest, .has_agent = agent != NULL,
			    .target = *to, .msg = msg, .len = len };

	if (agent)
		p.agent = *agent;
	me->told += len;
	carry(me->net, &p);
}

static inline void env_want(void *ctx, const struct ring_contact *c, const struct node_id *agent)
{
	struct node *me = ctx;
	struct parcel p = { .from = me->index, .has_agent = agent != NULL, .target = c->id,
			    .has_address = c->addr_count > 0 };

	if (agent)
		p.agent = *agent;
	me->tries++;
	carry(me->net, &p);
}

static inline size_t env_addresses(void *ctx, const struct pubkey *peer, struct addr *out, size_t max)
{
	(void)ctx;
	if (max == 0)
		return 0;
	out[0] = (struct addr){ .ip = ip_v4(0x09090000u + peer->b[0]), .port = 24655 };
	return 1;
}

static inline bool env_key_valid(const struct pubkey *k)
{
	return !key_is_zero(k);
}

/* ---- the net ---- */

static struct net *sorted; /* for order_by_id */

static inline int order_by_id(const void *a, const void *b)
{
	return memcmp(sorted->node[*(const int *)a].id.b, sorted->node[*(const int *)b].id.b,
		      ID_LEN);
}

static inline void net_open(struct net *n, int count, uint64_t seed)
{
	*n = (struct net){ .rng = seed, .now = SEC(100), .swept = SEC(100), .count = count };
	n->node = mem_new((size_t)count * sizeof(*n->node));
	n->linked = mem_new((size_t)count * (size_t)count * sizeof(*n->linked));
	n->by_id = mem_new((size_t)count * sizeof(*n->by_id));
	timers_init(&n->timers);
	list_init(&n->events);
	for (int i = 0; i < count; i++) {
		struct node *node = &n->node[i];

		*node = (struct node){ .net = n, .index = i, .half = i % 2 };
		for (size_t b = 0; b < KEY_LEN; b++)
			node->key.b[b] = (uint8_t)draw(n, 256);
		node->id = id_of(&node->key);
		timer_init(&node->timer, node_fire);
		n->by_id[i] = i;
	}
	sorted = n;
	qsort(n->by_id, (size_t)count, sizeof(*n->by_id), order_by_id);
}

static inline void net_close(struct net *n)
{
	struct list *item;

	timers_fini(&n->timers); /* looks at what is set */
	while ((item = list_take(&n->events)))
		free(container_of(item, struct event, list));
	for (int i = 0; i < n->count; i++)
		ring_free(n->node[i].ring);
	free(n->node);
	free(n->linked);
	free(n->by_id);
}

static inline void start_as(struct net *n, int i, enum ring_profile profile)
{
	struct ring_env env = { &n->node[i],   env_random, env_send,	  env_route,
				env_want,      env_addresses, env_key_valid, env_send };

	n->node[i].ring = ring_new(&n->node[i].key, profile, &env, n->now);
	settle(&n->node[i]);
}

static inline void start(struct net *n, int i)
{
	start_as(n, i, RING_FULL);
}

static inline bool keeps(const struct net *n, int a, int b)
{
	return ring_keeps(n->node[a].ring, &n->node[b].key);
}

static inline void sweep(struct net *n)
{
	n->swept = n->now;
	for (int a = 0; a < n->count; a++)
		for (int b = 0; b < a; b++)
			if (is_linked(n, a, b) && *linked(n, a, b) + IDLE < n->now &&
			    n->node[a].ring && n->node[b].ring && !keeps(n, a, b) && !keeps(n, b, a))
				cut_both(n, a, b);
}

static inline void net_run(struct net *n, usec_t for_long)
{
	usec_t end = n->now + for_long;

	for (usec_t at; (at = timers_next(&n->timers)) <= end;) {
		n->now = at > n->now ? at : n->now;
		timers_run(&n->timers, n->now);
		if (n->now - n->swept > SEC(20))
			sweep(n);
	}
	n->now = end;
}

static inline void join_one_by_one(struct net *n, int count, usec_t pause)
{
	for (int i = 0; i < count; i++) {
		start(n, i);
		if (i)
			link_both(n, i, (int)draw(n, (uint32_t)i));
		net_run(n, pause);
	}
}

static inline void start_all(struct net *n, int count)
{
	for (int i = 0; i < count; i++)
		start(n, i);
	for (int i = 1; i < count; i++)
		link_both(n, i, (int)draw(n, (uint32_t)i));
}

/* Vanishes; each of the others notices within `within`. */
static inline void kill_node(struct net *n, int i, usec_t within)
{
	ring_free(n->node[i].ring);
	n->node[i].ring = NULL;
	settle(&n->node[i]);
	for (int b = 0; b < n->count; b++)
		if (is_linked(n, i, b))
			post(n, CUT, i, b, draw(n, (uint32_t)within), NULL, 0);
}

#endif
