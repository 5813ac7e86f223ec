/* test_ring_net.c - many rings on a virtual net with virtual time: joining, loss of nodes, merging.
 *
 * The net carries messages of links and routed ones by the rules of docs/protocol.md 5.2. A wanted
 * link is made only when a routed handshake finds its way, as if no node could be reached by its
 * addresses; where so many vanish that the links left fall into pieces, addresses work (`open`).
 * Links that neither end keeps are closed after a minute, so that what stands in the end stands on
 * near links alone. */
#include <sodium.h>

#include "tests/unit/ring_net.h"

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

	if (to < 0 && e->has_address && n->open)
		to = node_by_id(n, &e->target);
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
		run(&n, SEC(5));
		CHECK_EQ_INT(all_gaps(&n, -1), 0);
		run(&n, MINUTES(3));
		CHECK_EQ_INT(all_gaps(&n, -1), 0);
		CHECK_EQ_INT(unroutable(&n), 0);
		net_close(&n);
	}
}

static void test_sixty_that_start_at_once_with_random_bootstraps_become_one_ring(void)
{
	static struct net n;

	net_open(&n, 4711);
	for (int i = 0; i < NODES; i++)
		start(&n, i);
	for (int i = 1; i < NODES; i++)
		link_both(&n, i, (int)draw(&n, (uint32_t)i));
	run(&n, SEC(15));
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
		n.open = true;
		for (int i = 0; i < NODES / 5; i++)
			kill_node(&n, i * 5 + (int)draw(&n, 5));
		run(&n, SEC(15));
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
	run(&n, SEC(15));
	CHECK_EQ_INT(all_gaps(&n, -1), 0);
	CHECK_EQ_INT(unroutable(&n), 0);
	net_close(&n);
}

/* Each half loses half of its neighbours at once, and has nothing but what it remembers. */
static void part(struct net *n)
{
	n->open = n->parted = true;
	for (int a = 0; a < NODES; a++)
		for (int b = 0; b < a; b++)
			if (n->node[a].half != n->node[b].half)
				cut_both(n, a, b);
	run(n, MINUTES(5));
	n->open = n->parted = false;
}

static void test_two_halves_become_one_ring_again_by_one_common_link(void)
{
	static struct net n;

	for (uint64_t seed = 1; seed <= 3; seed++) {
		net_open(&n, seed * 7777);
		join_one_by_one(&n, NODES);
		run(&n, MINUTES(1));
		part(&n);
		CHECK_EQ_INT(all_gaps(&n, 0), 0);
		CHECK_EQ_INT(all_gaps(&n, 1), 0);
		CHECK(all_gaps(&n, -1) > 0);
		link_both(&n, 6, 17);
		run(&n, SEC(10));
		CHECK_EQ_INT(all_gaps(&n, -1), 0);
		run(&n, MINUTES(3));
		CHECK_EQ_INT(all_gaps(&n, -1), 0);
		CHECK_EQ_INT(unroutable(&n), 0);
		net_close(&n);
	}
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
	TEST(test_sixty_that_start_at_once_with_random_bootstraps_become_one_ring),
	TEST(test_the_loss_of_a_fifth_is_repaired),
	TEST(test_a_hole_wider_than_the_near_set_is_closed),
	TEST(test_two_halves_become_one_ring_again_by_one_common_link),
	TEST(test_a_ring_that_does_not_change_is_quiet),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
