/* test_ring_net.c - many rings on a virtual net with virtual time: joining, loss of nodes, merging.
 *
 * The net carries messages of links and routed ones by the rules of docs/protocol.md 5.2, and makes
 * a wanted link only when a routed handshake would find its way: as if no node could be reached by
 * its addresses. Links that neither end keeps are closed after a minute, so that what stands in
 * the end stands on near links alone. */
#include <sodium.h>
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
	bool nearest, has_agent;
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
	bool parted;
};

static uint32_t draw(struct net *n, uint32_t bound)
{
	n->rng ^= n->rng << 13;
	n->rng ^= n->rng >> 7;
	n->rng ^= n->rng << 17;
	return (uint32_t)((n->rng >> 20) % bound);
}

static int node_by_id(const struct net *n, const struct node_id *id)
{
	for (int i = 0; i < NODES; i++)
		if (id_equal(&n->node[i].id, id))
			return i;
	return -1;
}

static int node_by_key(const struct net *n, const struct pubkey *key)
{
	struct node_id id = id_of(key);

	return node_by_id(n, &id);
}

static struct event *post(struct net *n, enum kind kind, int from, int to, usec_t after)
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

static void with_bytes(struct event *e, const uint8_t *msg, size_t len)
{
	if (len > sizeof(e->msg))
		abort();
	e->len = len;
	memcpy(e->msg, msg, len);
}

static void env_random(void *ctx, void *out, size_t len)
{
	struct node *me = ctx;
	uint8_t *b = out;

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)draw(me->net, 256);
}

static void env_send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len)
{
	struct node *me = ctx;

	me->net->sent++;
	with_bytes(post(me->net, SENT, me->index, node_by_key(me->net, to), HOP), msg, len);
}

static void env_route(void *ctx, const struct node_id *to, const struct node_id *agent,
		      bool nearest, const uint8_t *msg, size_t len)
{
	struct node *me = ctx;
	struct event *e = post(me->net, ROUTED, me->index, -1, 0);

	e->target = *to;
	e->has_agent = agent != NULL;
	if (agent)
		e->agent = *agent;
	e->nearest = nearest;
	with_bytes(e, msg, len);
}

/* A handshake: a routed one that has no message. */
static void env_want(void *ctx, const struct ring_contact *c, const struct node_id *agent)
{
	env_route(ctx, &c->id, agent, false, NULL, 0);
}

static size_t env_addresses(void *ctx, const struct pubkey *peer, struct addr *out, size_t max)
{
	(void)ctx;
	if (max == 0)
		return 0;
	out[0] = (struct addr){ .ip = ip_v4(0x09090000u + peer->b[0]), .port = 24655 };
	return 1;
}

static bool is_linked(const struct net *n, int a, int b)
{
	return a >= 0 && b >= 0 && n->linked[a][b];
}

/* One hop of 5.2: the next node, or -1. The source is never a next hop. */
static int hop(struct net *n, int at, struct event *e)
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
static int walk(struct net *n, struct event *e, struct node_id *source_agent)
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

static void link_both(struct net *n, int a, int b)
{
	if (a == b || n->linked[a][b] || !n->node[a].ring || !n->node[b].ring)
		return;
	if (n->parted && n->node[a].half != n->node[b].half)
		return;
	n->linked[a][b] = n->linked[b][a] = n->now;
	ring_link_up(n->node[a].ring, &n->node[b].key, n->now);
	ring_link_up(n->node[b].ring, &n->node[a].key, n->now);
}

static void cut_both(struct net *n, int a, int b)
{
	if (!n->linked[a][b])
		return;
	n->linked[a][b] = n->linked[b][a] = 0;
	if (n->node[a].ring)
		ring_link_down(n->node[a].ring, &n->node[b].key, n->now);
	if (n->node[b].ring)
		ring_link_down(n->node[b].ring, &n->node[a].key, n->now);
}

static void routed(struct net *n, struct event *e)
{
	struct node_id agent;
	struct event *arrival;
	int to = walk(n, e, &agent);

	if (to < 0)
		return;
	if (e->len == 0) {
		post(n, LINKED, e->from, to, 4 * HOP);
		return;
	}
	arrival = post(n, ARRIVED, e->from, to, 3 * HOP);
	arrival->agent = agent;
	with_bytes(arrival, e->msg, e->len);
}

static void happen(struct net *n, struct event *e)
{
	struct node *from = &n->node[e->from], *to = e->to >= 0 ? &n->node[e->to] : NULL;

	if (e->kind != CUT && (!from->ring || (to && !to->ring)))
		return;
	if (e->kind == SENT && is_linked(n, e->from, e->to))
		ring_input(to->ring, &from->key, true, NULL, rd_of(e->msg, e->len), n->now);
	else if (e->kind == ARRIVED)
		ring_input(to->ring, &from->key, false, &e->agent, rd_of(e->msg, e->len), n->now);
	else if (e->kind == ROUTED)
		routed(n, e);
	else if (e->kind == LINKED)
		link_both(n, e->from, e->to);
	else if (e->kind == CUT)
		cut_both(n, e->from, e->to);
}

static void sweep(struct net *n)
{
	n->swept = n->now;
	for (int a = 0; a < NODES; a++)
		for (int b = 0; b < a; b++)
			if (n->linked[a][b] && n->linked[a][b] + IDLE < n->now && n->node[a].ring &&
			    n->node[b].ring && !ring_keeps(n->node[a].ring, &n->node[b].key) &&
			    !ring_keeps(n->node[b].ring, &n->node[a].key))
				cut_both(n, a, b);
}

static void run(struct net *n, usec_t for_long)
{
	usec_t end = n->now + for_long;

	while (n->now < end) {
		usec_t at = end;
		size_t first = n->events;

		for (size_t i = 0; i < n->events; i++)
			if (first == n->events || n->event[i]->at < n->event[first]->at ||
			    (n->event[i]->at == n->event[first]->at &&
			     n->event[i]->seq < n->event[first]->seq))
				first = i;
		if (n->events)
			at = usec_min(at, n->event[first]->at);
		for (int i = 0; i < NODES; i++)
			if (n->node[i].ring)
				at = usec_min(at, ring_deadline(n->node[i].ring));
		if (at > n->now)
			n->now = at;
		if (n->events && n->event[first]->at <= n->now) {
			struct event *e = n->event[first];

			n->event[first] = n->event[--n->events];
			happen(n, e);
			free(e);
		}
		for (int i = 0; i < NODES; i++)
			if (n->node[i].ring && ring_deadline(n->node[i].ring) <= n->now)
				ring_tick(n->node[i].ring, n->now);
		if (n->now - n->swept > SEC(20))
			sweep(n);
	}
}

static void net_open(struct net *n, uint64_t seed)
{
	*n = (struct net){ .rng = seed, .now = SEC(100), .swept = SEC(100) };
	for (int i = 0; i < NODES; i++) {
		struct node *node = &n->node[i];
		struct key_pair k;
		uint8_t s[SEED_LEN] = { 0 };

		do {
			for (size_t b = 0; b < 8; b++)
				s[b] = (uint8_t)draw(n, 256);
		} while (!key_from_seed(&k, s));
		*node = (struct node){ .net = n, .index = i, .key = k.pub, .half = i % 2 };
		node->id = id_of(&k.pub);
	}
}

static void net_close(struct net *n)
{
	for (size_t i = 0; i < n->events; i++)
		free(n->event[i]);
	for (int i = 0; i < NODES; i++)
		ring_free(n->node[i].ring);
}

static void start(struct net *n, int i)
{
	struct ring_env env = { &n->node[i], env_random, env_send, env_route, env_want,
				env_addresses };

	n->node[i].ring = ring_new(&n->node[i].key, &env, n->now);
}

static void join_one_by_one(struct net *n, int count)
{
	for (int i = 0; i < count; i++) {
		start(n, i);
		if (i)
			link_both(n, i, (int)draw(n, (uint32_t)i));
		run(n, MSEC(500));
	}
}

/* Vanishes; the others notice within 1 to 3 s. */
static void kill_node(struct net *n, int i)
{
	ring_free(n->node[i].ring);
	n->node[i].ring = NULL;
	for (int b = 0; b < NODES; b++)
		if (n->linked[i][b])
			post(n, CUT, i, b, SEC(1) + draw(n, SEC(2)));
}

/* How many of the RING_NEAR nodes clockwise of `me` that are there have no link to it. */
static int gaps(const struct net *n, const struct node *me, int half)
{
	int missing = 0;

	for (int b = 0; b < NODES; b++) {
		const struct node *other = &n->node[b];
		struct node_id d = id_clockwise(&me->id, &other->id);
		int between = 0;

		if (other == me || !other->ring || (half >= 0 && other->half != half))
			continue;
		for (int c = 0; c < NODES; c++) {
			struct node_id e = id_clockwise(&me->id, &n->node[c].id);

			between += c != b && &n->node[c] != me && n->node[c].ring &&
				   (half < 0 || n->node[c].half == half) &&
				   memcmp(e.b, d.b, ID_LEN) < 0;
		}
		if (between < RING_NEAR)
			missing += !is_linked(n, me->index, b) ||
				   !ring_keeps(me->ring, &other->key) ||
				   !ring_keeps(other->ring, &me->key);
	}
	return missing;
}

/* Every node (of one half, or -1) is linked with and keeps its RING_NEAR neighbours: one cycle. */
static int all_gaps(const struct net *n, int half)
{
	int missing = 0;

	for (int i = 0; i < NODES; i++)
		if (n->node[i].ring && (half < 0 || n->node[i].half == half))
			missing += gaps(n, &n->node[i], half);
	return missing;
}

static int unroutable(struct net *n)
{
	int failed = 0;

	for (int a = 0; a < NODES; a++)
		for (int b = 0; b < NODES; b++) {
			struct event e = { .from = a, .target = n->node[b].id };
			struct node_id agent;

			if (a != b && n->node[a].ring && n->node[b].ring)
				failed += walk(n, &e, &agent) != b;
		}
	return failed;
}

static void test_rings_of_all_sizes_close_when_nodes_join_one_by_one(void)
{
	static const int sizes[] = { 2, 3, 10, 60 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		static struct net n;

		net_open(&n, 77 + i);
		join_one_by_one(&n, sizes[i]);
		run(&n, SEC(30));
		CHECK_EQ_INT(all_gaps(&n, -1), 0);
		run(&n, MINUTES(3));
		CHECK_EQ_INT(all_gaps(&n, -1), 0);
		CHECK_EQ_INT(unroutable(&n), 0);
		net_close(&n);
	}
}

static void test_sixty_that_start_at_once_with_one_bootstrap_become_one_ring(void)
{
	static struct net n;

	net_open(&n, 4711);
	for (int i = 0; i < NODES; i++)
		start(&n, i);
	for (int i = 1; i < NODES; i++)
		link_both(&n, i, 0);
	run(&n, MINUTES(1));
	CHECK_EQ_INT(all_gaps(&n, -1), 0);
	run(&n, MINUTES(3));
	CHECK_EQ_INT(all_gaps(&n, -1), 0);
	CHECK_EQ_INT(unroutable(&n), 0);
	net_close(&n);
}

static void test_the_loss_of_a_fifth_is_repaired(void)
{
	static struct net n;

	for (uint64_t seed = 1; seed <= 3; seed++) {
		net_open(&n, seed * 1000003);
		join_one_by_one(&n, NODES);
		run(&n, MINUTES(2));
		for (int i = 0; i < NODES / 5; i++)
			kill_node(&n, i * 5 + (int)draw(&n, 5));
		run(&n, MINUTES(1));
		CHECK_EQ_INT(all_gaps(&n, -1), 0);
		CHECK_EQ_INT(unroutable(&n), 0);
		net_close(&n);
	}
}

/* More neighbours in a row than a node keeps: nobody left knows both edges of the hole. */
static void test_a_hole_wider_than_the_near_set_is_closed(void)
{
	static struct net n;
	struct node_id from;

	net_open(&n, 31337);
	join_one_by_one(&n, NODES);
	run(&n, MINUTES(3));
	from = n.node[0].id;
	for (int i = 0; i < NODES; i++) {
		int before = 0;
		struct node_id d = id_clockwise(&from, &n.node[i].id);

		for (int k = 0; k < NODES; k++) {
			struct node_id e = id_clockwise(&from, &n.node[k].id);

			before += memcmp(e.b, d.b, ID_LEN) < 0;
		}
		if (before < 3 * RING_NEAR)
			kill_node(&n, i);
	}
	run(&n, MINUTES(2));
	CHECK_EQ_INT(all_gaps(&n, -1), 0);
	CHECK_EQ_INT(unroutable(&n), 0);
	net_close(&n);
}

static void test_two_halves_become_one_ring_again_by_one_common_link(void)
{
	static struct net n;

	net_open(&n, 2024);
	join_one_by_one(&n, NODES);
	run(&n, MINUTES(1));
	n.parted = true;
	for (int a = 0; a < NODES; a++)
		for (int b = 0; b < a; b++)
			if (n.node[a].half != n.node[b].half)
				cut_both(&n, a, b);
	run(&n, MINUTES(5));
	CHECK_EQ_INT(all_gaps(&n, 0), 0);
	CHECK_EQ_INT(all_gaps(&n, 1), 0);
	n.parted = false;
	CHECK(all_gaps(&n, -1) > 0);
	link_both(&n, 6, 17);
	run(&n, MINUTES(3));
	CHECK_EQ_INT(all_gaps(&n, -1), 0);
	CHECK_EQ_INT(unroutable(&n), 0);
	net_close(&n);
}

static void test_a_ring_that_does_not_change_is_quiet(void)
{
	static struct net n;

	net_open(&n, 99);
	join_one_by_one(&n, 20);
	run(&n, MINUTES(5));
	n.sent = 0;
	run(&n, MINUTES(10));
	/* 6 near links of 20 nodes, every 24 to 36 s for 600 s. */
	CHECK(n.sent >= 20 * 6 * 600 / 36 && n.sent <= 20 * 6 * 600 / 24 + 120);
	net_close(&n);
}

static const struct test tests[] = {
	TEST(test_rings_of_all_sizes_close_when_nodes_join_one_by_one),
	TEST(test_sixty_that_start_at_once_with_one_bootstrap_become_one_ring),
	TEST(test_the_loss_of_a_fifth_is_repaired),
	TEST(test_a_hole_wider_than_the_near_set_is_closed),
	TEST(test_two_halves_become_one_ring_again_by_one_common_link),
	TEST(test_a_ring_that_does_not_change_is_quiet),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
