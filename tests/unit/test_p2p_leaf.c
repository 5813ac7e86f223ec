/* test_p2p_leaf.c - what sessions a leaf keeps: it pays for each, and wants one. */
#include "p2p/p2p.h"

#include "p2p/route.h"
#include "tests/unit/p2p_net.h"

#define FULL 3 /* nodes 0 to 2 */
#define LEAF 3 /* the node beside them */

static const struct p2p_secret secret = { .number = 1, .b = { 7 } };

static struct net *net_of(bool leaf)
{
	struct net *n = net_new(FULL + 1);

	for (int i = 1; i < FULL; i++)
		net_boot(n, i, 0);
	for (int i = 0; i <= LEAF; i++)
		CHECK_EQ_INT(p2p_namespace_set(n->nodes[i].p, 0, &secret, 1, n->now), 0);
	if (leaf) {
		p2p_free(n->nodes[LEAF].p, n->now);
		n->nodes[LEAF].leaf = true;
		net_start(n, LEAF, net_overlay);
		CHECK_EQ_INT(p2p_namespace_set(n->nodes[LEAF].p, 0, &secret, 1, n->now), 0);
	}
	net_run(n, MINUTES(1));
	return n;
}

static unsigned links(struct net *n)
{
	unsigned up = 0;

	for (int i = 0; i < FULL; i++)
		up += net_up(n, i, LEAF);
	return up;
}

/* As an owner does who has heard where it is. */
static void connect_to_leaf(struct net *n, int from)
{
	const struct node *leaf = &n->nodes[LEAF];

	CHECK_EQ_INT(p2p_locate(n->nodes[from].p, &leaf->key.pub, &leaf->addr, 1, NULL, n->now), 0);
	CHECK_EQ_INT(p2p_connect(n->nodes[from].p, &leaf->key.pub, n->now), 0);
}

static enum ring_role role_at_leaf(const struct net *n, int of)
{
	return ring_role(n->nodes[LEAF].p->ring, &n->nodes[of].key.pub);
}

static void test_p2p_leaf_ends_a_session_that_somebody_else_made_and_nobody_uses(void)
{
	struct net *n = net_of(true);

	net_boot(n, LEAF, 0);
	net_run(n, SEC(5));
	connect_to_leaf(n, 1);
	net_run(n, SEC(5));
	CHECK_EQ_INT(links(n), 2);
	net_run(n, MINUTES(3));
	CHECK_EQ_INT(links(n), 1);
	CHECK_EQ_INT(role_at_leaf(n, 0), RING_UPLINK);
	CHECK_EQ_INT(n->nodes[LEAF].count[P2P_SESSION_UP], 2);
	net_run(n, HOURS(2)); /* and nobody makes it anew */
	CHECK_EQ_INT(n->nodes[LEAF].count[P2P_SESSION_UP], 2);
	CHECK_EQ_INT(links(n), 1);
	net_free(n);
}

static void route_many(struct net *n, int from, int to, unsigned count)
{
	struct node_id id = id_of(&n->nodes[to].key.pub);

	for (unsigned i = 0; i < count; i++) {
		CHECK_EQ_INT(p2p_route(n->nodes[from].p, &id, NULL, ROUTED_DHT,
				       (const uint8_t *)"put", 4, n->now), 0);
		net_run(n, MSEC(100));
	}
	net_run(n, SEC(5));
}

/* A link is asked for along the ring, which leads to the leaf if the uplink stands next to it. */
static void test_p2p_messages_of_a_leaf_by_the_ring_make_no_link_with_it(void)
{
	for (int up = 0; up < FULL; up++) {
		struct net *n = net_of(true);

		net_boot(n, LEAF, up);
		net_run(n, SEC(5));
		CHECK_EQ_INT(links(n), 1);
		for (int to = 0; to < FULL; to++) {
			route_many(n, LEAF, to, 30);
			CHECK_EQ_INT(n->nodes[to].count[P2P_ROUTED], 30);
		}
		CHECK_EQ_INT(links(n), 1);
		net_free(n);
	}
}

static void test_p2p_leaf_makes_its_uplink_of_the_session_that_it_needs_anyhow(void)
{
	struct net *n = net_of(true);

	net_boot(n, LEAF, 0);
	net_run(n, SEC(5));
	CHECK_EQ_INT(p2p_locate(n->nodes[LEAF].p, &n->nodes[1].key.pub, &n->nodes[1].addr, 1, NULL,
				n->now), 0);
	CHECK_EQ_INT(p2p_attach(n->nodes[LEAF].p, 0, &n->nodes[1].key.pub, n->now), 0);
	net_run(n, SEC(5));
	CHECK_EQ_INT(links(n), 2);
	CHECK_EQ_INT(role_at_leaf(n, 0), RING_UPLINK);
	for (int i = 0; i < 5; i++) { /* as with a keeper */
		CHECK(net_data(n, LEAF, 1));
		net_run(n, MINUTES(10));
	}
	CHECK_EQ_INT(links(n), 1);
	CHECK_EQ_INT(role_at_leaf(n, 1), RING_UPLINK);
	CHECK(net_data(n, LEAF, 1));
	CHECK_EQ_INT(n->nodes[LEAF].count[P2P_SESSION_UP], 2);
	net_free(n);
}

/* 0 is its keeper, with which it speaks now and then. */
static void with_keeper(struct net *n, unsigned minutes)
{
	for (unsigned i = 0; i < minutes; i++) {
		CHECK(net_data(n, LEAF, 0));
		net_run(n, MINUTES(1));
	}
}

static void test_p2p_leaf_ends_an_attached_session_after_quarter_of_an_hour_without_use(void)
{
	struct net *n = net_of(true);

	net_boot(n, LEAF, 0);
	net_run(n, SEC(5));
	CHECK_EQ_INT(p2p_attach(n->nodes[LEAF].p, 0, &n->nodes[0].key.pub, n->now), 0);
	connect_to_leaf(n, 1);
	CHECK_EQ_INT(p2p_attach(n->nodes[1].p, 0, &n->nodes[LEAF].key.pub, n->now), 0);
	net_run(n, SEC(5));
	for (int i = 0; i < 2; i++) {
		CHECK(net_data(n, 1, LEAF));
		with_keeper(n, 14);
	}
	CHECK_EQ_INT(links(n), 2);
	with_keeper(n, 3);
	CHECK_EQ_INT(links(n), 1);
	CHECK(!net_up(n, 1, LEAF));
	CHECK_EQ_INT(p2p_attach(n->nodes[1].p, 0, &n->nodes[LEAF].key.pub, n->now), 0);
	net_run(n, SEC(2));
	CHECK(net_data(n, 1, LEAF)); /* who needs it makes it again */
	net_free(n);
}

static void test_p2p_nodes_that_are_no_leaves_stay_attached_without_use(void)
{
	struct net *n = net_of(false);

	net_boot(n, LEAF, 0);
	net_run(n, SEC(5));
	CHECK_EQ_INT(p2p_attach(n->nodes[LEAF].p, 0, &n->nodes[1].key.pub, n->now), 0);
	net_run(n, MINUTES(40));
	CHECK(net_data(n, LEAF, 1));
	CHECK_EQ_INT(n->nodes[LEAF].count[P2P_SESSION_DOWN], 0);
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_p2p_leaf_ends_a_session_that_somebody_else_made_and_nobody_uses),
	TEST(test_p2p_messages_of_a_leaf_by_the_ring_make_no_link_with_it),
	TEST(test_p2p_leaf_makes_its_uplink_of_the_session_that_it_needs_anyhow),
	TEST(test_p2p_leaf_ends_an_attached_session_after_quarter_of_an_hour_without_use),
	TEST(test_p2p_nodes_that_are_no_leaves_stay_attached_without_use),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
