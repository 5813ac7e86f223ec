/* test_p2p_many.c - ten nodes: joining, everybody to everybody, sessions that nobody needs. */
#include "p2p/p2p.h"

#include "tests/unit/p2p_net.h"

static struct net *joined_by(size_t count, unsigned loss)
{
	struct net *n = net_new(count);

	n->loss = loss;
	n->jitter = MSEC(10);
	for (size_t i = 1; i < count; i++)
		net_boot(n, (int)i, 0);
	net_run(n, SEC(30));
	return n;
}

static struct net *joined(unsigned loss)
{
	return joined_by(NODES, loss);
}

static void test_p2p_ten_nodes_exchange_messages_pairwise_despite_loss(void)
{
	struct net *n = joined(30);

	for (int i = 0; i < NODES; i++)
		for (int j = 0; j < NODES; j++)
			if (i != j)
				CHECK_EQ_INT(p2p_connect(n->nodes[i].p, &n->nodes[j].key.pub,
							 n->now), 0);
	net_run(n, SEC(10));
	for (int i = 0; i < NODES; i++)
		for (int j = 0; j < NODES; j++)
			if (i != j)
				CHECK_EQ_INT(net_say(n, i, j, "hello"), 0);
	net_run(n, SEC(10));
	for (int i = 0; i < NODES; i++) {
		CHECK_EQ_INT(n->nodes[i].count[P2P_MESSAGE], NODES - 1);
		CHECK_EQ_INT(n->nodes[i].count[P2P_SESSION_DOWN], 0);
	}
	net_free(n);
}

/* Pairs with a session, and of those, pairs that somebody keeps. */
static void pairs(struct net *n, unsigned *up, unsigned *kept)
{
	*up = *kept = 0;
	for (int i = 0; i < (int)n->count; i++)
		for (int j = i + 1; j < (int)n->count; j++) {
			struct p2p_peer_info a = net_info(n, i, j), b = net_info(n, j, i);

			CHECK_EQ_INT(a.up, b.up);
			*up += a.up;
			*kept += a.up && (a.near || b.near || a.bootstrap || b.bootstrap);
		}
}

static void test_p2p_sessions_that_nobody_needs_are_closed_and_stay_closed(void)
{
	struct net *n = joined_by(24, 0);
	unsigned up, kept, sent = 0;

	for (int i = 0; i < (int)n->count; i++)
		for (int j = 0; j < (int)n->count; j++)
			if (i != j)
				p2p_connect(n->nodes[i].p, &n->nodes[j].key.pub, n->now);
	net_run(n, MINUTES(5));
	pairs(n, &up, &kept);
	CHECK_EQ_INT(up, 24 * 23 / 2);
	CHECK(kept < up);
	net_run(n, MINUTES(15));
	pairs(n, &up, &kept);
	CHECK(up <= kept + 1); /* the ring may have begun to try another shortcut */
	for (int i = 0; i < (int)n->count; i++)
		sent -= n->nodes[i].count[P2P_SESSION_UP];
	net_run(n, MINUTES(30));
	for (int i = 0; i < (int)n->count; i++)
		sent += n->nodes[i].count[P2P_SESSION_UP];
	CHECK(sent <= 12); /* no flapping: at most such a try in five minutes */
	net_free(n);
}

static void test_p2p_idle_overlay_is_quiet(void)
{
	struct net *n = joined(0);
	uint64_t before = 0, after = 0;

	net_run(n, MINUTES(10));
	for (int i = 0; i < NODES; i++)
		before += n->nodes[i].sent;
	net_run(n, MINUTES(10));
	for (int i = 0; i < NODES; i++)
		after += n->nodes[i].sent;
	CHECK(after > before);
	CHECK((after - before) / 600 / NODES < 10); /* datagrams a second and node */
	net_free(n);
}

static void test_p2p_all_restarting_at_once_find_each_other(void)
{
	struct net *n = joined(0);
	struct p2p *old[NODES];

	for (int i = 0; i < NODES; i++) {
		old[i] = n->nodes[i].p;
		net_start(n, i, net_overlay);
	}
	for (int i = 1; i < NODES; i++)
		net_boot(n, i, 0);
	net_run(n, SEC(5));
	for (int i = 1; i < NODES; i++)
		CHECK(net_up(n, i, 0) && net_up(n, 0, i));
	for (int i = 0; i < NODES; i++)
		p2p_free(old[i], n->now);
	net_free(n);
}

static void test_p2p_relay_that_dies_is_replaced(void)
{
	struct net *n = joined(0);

	n->cut[3][4] = n->cut[4][3] = true;
	p2p_connect(n->nodes[3].p, &n->nodes[4].key.pub, n->now);
	net_run(n, SEC(20));
	CHECK_EQ_INT(net_info(n, 3, 4).kind, P2P_PATH_RING);
	for (int dead = 0; dead < 2; dead++) { /* the bootstrap, too */
		p2p_free(n->nodes[dead].p, n->now);
		n->nodes[dead].p = NULL;
	}
	net_run(n, SEC(30));
	CHECK_EQ_INT(net_say(n, 3, 4, "still here"), 0);
	net_run(n, SEC(5));
	CHECK_EQ_INT(n->nodes[4].count[P2P_MESSAGE], 1);
	net_free(n);
}

/* 20 ms a hop: handshake by way of a third node, addresses by the channel, a challenge, direct. */
static void test_p2p_direct_path_takes_over_within_a_few_round_trips(void)
{
	struct net *n = net_new(3);
	usec_t began, up = 0, direct = 0;

	net_boot(n, 0, 1);
	net_boot(n, 2, 1);
	n->cut[0][2] = n->cut[2][0] = true; /* they come to know each other by name only */
	net_run(n, MINUTES(3));
	p2p_drop_keys(n->nodes[0].p, n->now);
	p2p_drop_keys(n->nodes[2].p, n->now);
	paths_fini(&session_find(n->nodes[2].p, &n->nodes[0].key.pub)->paths);
	paths_init(&session_find(n->nodes[2].p, &n->nodes[0].key.pub)->paths);
	paths_fini(&session_find(n->nodes[0].p, &n->nodes[2].key.pub)->paths);
	paths_init(&session_find(n->nodes[0].p, &n->nodes[2].key.pub)->paths);
	net_run(n, MSEC(200));
	n->cut[0][2] = n->cut[2][0] = false;
	p2p_connect(n->nodes[2].p, &n->nodes[0].key.pub, n->now);
	began = n->now;
	while (!direct && n->now < began + SEC(10)) {
		net_run(n, MSEC(1));
		if (!up && net_up(n, 2, 0))
			up = n->now;
		if (net_info(n, 2, 0).kind == P2P_PATH_DIRECT &&
		    net_info(n, 0, 2).kind == P2P_PATH_DIRECT)
			direct = n->now;
	}
	printf("# up %.0f ms, direct %.0f ms after the wish\n", (double)(up - began) / 1000,
	       (double)(direct - began) / 1000);
	CHECK(up && direct && direct - up < MSEC(250));
	net_free(n);
}

static void test_p2p_claims_what_is_for_this_overlay_only(void)
{
	struct net *n = net_new(2);
	uint8_t other[32] = { 9 };
	unsigned mine = 0;

	p2p_free(n->nodes[1].p, n->now);
	net_start(n, 1, other);
	p2p_bootstrap(n->nodes[0].p, NULL, &n->nodes[1].addr, 1, n->now);
	net_boot(n, 0, 1);
	p2p_tick(n->nodes[0].p, n->now);
	CHECK_EQ_INT(n->queued, 2); /* WHOIS and INIT under another overlay key */
	for (size_t i = 0; i < n->queued; i++)
		mine += p2p_claims(n->nodes[1].p, n->queue[i].bytes, n->queue[i].len);
	CHECK_EQ_INT(mine, 0);
	p2p_free(n->nodes[1].p, n->now);
	net_start(n, 1, net_overlay);
	for (size_t i = 0; i < n->queued; i++)
		mine += p2p_claims(n->nodes[1].p, n->queue[i].bytes, n->queue[i].len);
	CHECK_EQ_INT(mine, 2);
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_p2p_ten_nodes_exchange_messages_pairwise_despite_loss),
	TEST(test_p2p_sessions_that_nobody_needs_are_closed_and_stay_closed),
	TEST(test_p2p_idle_overlay_is_quiet),
	TEST(test_p2p_all_restarting_at_once_find_each_other),
	TEST(test_p2p_relay_that_dies_is_replaced),
	TEST(test_p2p_direct_path_takes_over_within_a_few_round_trips),
	TEST(test_p2p_claims_what_is_for_this_overlay_only),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
