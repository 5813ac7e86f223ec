/* test_p2p_route.c - ROUTED messages: links that are dead without a word, and the nearest node. */
#include "p2p/p2p.h"

#include <errno.h>

#include "p2p/transmit.h"
#include "tests/unit/p2p_net.h"

#define TRIALS 240

static struct net *ring_of(size_t count)
{
	struct net *n = net_new(count);

	n->jitter = MSEC(5);
	for (size_t i = 1; i < count; i++)
		net_boot(n, (int)i, 0);
	net_run(n, MINUTES(2));
	return n;
}

static struct node_id id_at(const struct net *n, int i)
{
	return id_of(&n->nodes[i].key.pub);
}

static void note(struct net *n, int node, const struct p2p_event *e)
{
	uint16_t trial;

	if (e->type != P2P_ROUTED || e->len != 4)
		return;
	trial = (uint16_t)(e->msg[0] << 8 | e->msg[1]);
	CHECK(trial < TRIALS && e->msg[2] == node);
	n->arrived[trial] = 1;
}

static int somebody_alive(struct net *n)
{
	int i;

	do
		i = (int)net_dice(n, (unsigned)n->count);
	while (n->dead[i]);
	return i;
}

static void ask(struct net *n, int from, int to, unsigned trial)
{
	uint8_t msg[4] = { (uint8_t)(trial >> 8), (uint8_t)trial, (uint8_t)to, 0 };
	struct node_id id = id_at(n, to);

	p2p_route(n->nodes[from].p, &id, NULL, ROUTED_DHT, msg, sizeof(msg), n->now);
}

/* Of these requests, each repeated after 0.5, 1 and 2 s until it arrives, how many do not. */
static unsigned lost(struct net *n, unsigned first, unsigned last)
{
	static const usec_t gaps[] = { MSEC(500), SEC(1), SEC(2), SEC(1) };
	unsigned missing = 0;
	int from[TRIALS], to[TRIALS];

	n->on_event = note;
	for (unsigned t = first; t < last; t++) {
		from[t] = somebody_alive(n);
		to[t] = somebody_alive(n);
	}
	for (size_t i = 0; i < ARRAY_LEN(gaps); i++) {
		for (unsigned t = first; t < last; t++)
			if (!n->arrived[t] && i < 4)
				ask(n, from[t], to[t], t);
		net_run(n, gaps[i]);
	}
	for (unsigned t = first; t < last; t++)
		missing += !n->arrived[t];
	return missing;
}

static unsigned lost_with_dead(unsigned percent, unsigned seed)
{
	struct net *n = ring_of(50);
	unsigned missing = 0;

	n->seed += seed;
	net_run(n, SEC(seed % 15));
	for (size_t i = 1; i < n->count; i++)
		n->dead[i] = net_dice(n, 100) < percent;
	for (unsigned t = 0; t < TRIALS; t += 40)
		missing += lost(n, t, t + 40);
	net_free(n);
	return missing;
}

static void test_p2p_repeated_request_finds_a_way_round_silently_dead_nodes(void)
{
	/* Of 240 requests, begun at once or up to half a minute after the death. */
	CHECK_EQ_INT(lost_with_dead(10, 1), 0);
	CHECK(lost_with_dead(30, 2) <= 1);
}

static void test_p2p_quiet_link_is_probed_beside_a_routed_packet_once_a_second(void)
{
	struct net *n = net_new(3);
	struct node_id to = id_at(n, 2);
	const struct p2p_sent *sent = p2p_sent(n->nodes[1].p);
	uint64_t before;

	net_boot(n, 0, 1);
	net_boot(n, 2, 1);
	n->cut[0][2] = n->cut[2][0] = true;
	net_run(n, SEC(12));
	before = sent->packets[P2P_SENT_PROBE];
	for (int i = 0; i < 5; i++)
		p2p_route(n->nodes[0].p, &to, NULL, ROUTED_DHT, (const uint8_t *)"hi", 2, n->now);
	net_run(n, MSEC(30));
	/* One to node 2, and the answer to that of node 0. */
	CHECK_EQ_INT(sent->packets[P2P_SENT_PROBE] - before, 2);
	net_run(n, MSEC(500)); /* the answer has come: no doubt */
	CHECK(!net_session(n, 1, 2)->ring_doubt);
	CHECK_EQ_INT(n->nodes[2].count[P2P_ROUTED], 5);
	net_free(n);
}

static void test_p2p_link_that_owes_an_answer_is_in_doubt_until_it_is_heard(void)
{
	struct net *n = net_new(3);
	struct session *s;

	net_boot(n, 0, 1);
	net_boot(n, 2, 1);
	net_run(n, SEC(12));
	s = net_session(n, 0, 1);
	CHECK(!s->ring_doubt);
	n->cut[0][1] = n->cut[1][0] = n->cut[0][2] = n->cut[2][0] = true;
	net_run(n, SEC(2));
	transmit_challenge(s, s->paths.used, n->now);
	session_settle(n->nodes[0].p, n->now);
	net_run(n, MSEC(190));
	CHECK(!s->ring_doubt);
	net_run(n, MSEC(20));
	CHECK(s->ring_doubt);
	CHECK(s->up);
	n->cut[0][1] = n->cut[1][0] = false;
	net_run(n, SEC(2));
	CHECK(s->up && !s->ring_doubt);
	net_free(n);
}

static int nearest_but(const struct net *n, const struct node_id *to, int not)
{
	int best = -1;

	for (int i = 0; i < (int)n->count; i++) {
		struct node_id id = id_at(n, i), other;

		if (i == not)
			continue;
		if (best >= 0)
			other = id_at(n, best);
		if (best < 0 || id_ring_compare(to, &id, &other) < 0)
			best = i;
	}
	return best;
}

static void test_p2p_message_to_the_nearest_reaches_it_and_says_so(void)
{
	struct net *n = ring_of(30);

	for (int i = 0; i < 60; i++) {
		int from = (int)net_dice(n, 30), to;
		struct node_id target;
		unsigned before;

		net_random(&n->nodes[0], &target, sizeof(target));
		to = nearest_but(n, &target, from);
		before = n->nodes[to].count[P2P_ROUTED];
		CHECK_EQ_INT(p2p_route_nearest(n->nodes[from].p, &target, ROUTED_DHT,
					       (const uint8_t *)"where", 5, n->now), 0);
		net_run(n, SEC(1));
		CHECK_EQ_INT(n->nodes[to].count[P2P_ROUTED], before + 1);
		CHECK(n->nodes[to].last[P2P_ROUTED].nearest);
		CHECK(key_equal(&n->nodes[to].last[P2P_ROUTED].peer, &n->nodes[from].key.pub));
	}
	net_free(n);
}

static void test_p2p_message_by_name_is_not_for_the_nearest(void)
{
	struct net *n = ring_of(12);
	struct node_id target = id_at(n, 7), gone = { { 1, 2, 3 } };
	unsigned all = 0;

	CHECK_EQ_INT(p2p_route(n->nodes[2].p, &target, NULL, ROUTED_DHT,
			       (const uint8_t *)"you", 3, n->now), 0);
	net_run(n, SEC(1));
	CHECK_EQ_INT(n->nodes[7].count[P2P_ROUTED], 1);
	CHECK(!n->nodes[7].last[P2P_ROUTED].nearest);
	p2p_route(n->nodes[2].p, &gone, NULL, ROUTED_DHT, (const uint8_t *)"you", 3, n->now);
	net_run(n, SEC(1));
	for (int i = 0; i < 12; i++)
		all += n->nodes[i].count[P2P_ROUTED];
	CHECK_EQ_INT(all, 1);
	CHECK_EQ_INT(p2p_route_nearest(n->nodes[2].p, &gone, ROUTED_DHT, (const uint8_t *)"", 0,
				       n->now), -EMSGSIZE);
	net_free(n);
}

/* Node 11 is a leaf, linked with one of the others. */
static struct net *with_leaf(void)
{
	struct net *n = ring_of(12);

	p2p_free(n->nodes[11].p, n->now);
	n->nodes[11].p = NULL;
	n->nodes[11].leaf = true;
	net_run(n, SEC(1));
	net_start(n, 11, net_overlay);
	net_boot(n, 11, 0);
	net_run(n, MINUTES(2));
	return n;
}

static int leafs_agent(struct net *n)
{
	struct node_id agent = p2p_agent(n->nodes[11].p), id;

	for (int i = 0; i < 11; i++) {
		id = id_at(n, i);
		if (id_equal(&id, &agent))
			return i;
	}
	return -1;
}

static void test_p2p_leaf_is_reached_by_way_of_its_agent(void)
{
	struct net *n = with_leaf();
	int agent = leafs_agent(n), far = 0;
	struct node_id id = id_at(n, agent < 0 ? 0 : agent);

	CHECK(agent >= 0);
	while (far < 11 && (far == agent || net_up(n, far, 11)))
		far++;
	CHECK(far < 11);
	n->cut[far][11] = n->cut[11][far] = true;
	CHECK_EQ_INT(p2p_locate(n->nodes[far].p, &n->nodes[11].key.pub, NULL, 0, &id, n->now), 0);
	CHECK_EQ_INT(p2p_connect(n->nodes[far].p, &n->nodes[11].key.pub, n->now), 0);
	net_run(n, SEC(2));
	CHECK(net_up(n, far, 11));
	CHECK_EQ_INT(net_say(n, far, 11, "hello leaf"), 0);
	net_run(n, SEC(2));
	CHECK_EQ_INT(n->nodes[11].count[P2P_MESSAGE], 1);
	net_free(n);
}

static void test_p2p_direct_session_with_a_leaf_goes_on_by_its_agent(void)
{
	struct net *n = with_leaf();
	int agent = leafs_agent(n), far = agent == 3 ? 4 : 3;
	struct addr at = n->nodes[11].addr;
	unsigned downs;

	CHECK_EQ_INT(p2p_locate(n->nodes[far].p, &n->nodes[11].key.pub, &at, 1, NULL, n->now), 0);
	CHECK_EQ_INT(p2p_connect(n->nodes[far].p, &n->nodes[11].key.pub, n->now), 0);
	net_run(n, SEC(2));
	CHECK_EQ_INT(net_info(n, far, 11).kind, P2P_PATH_DIRECT);
	downs = n->nodes[11].count[P2P_SESSION_DOWN]; /* what it had no use for */
	n->cut[far][11] = n->cut[11][far] = true;
	CHECK_EQ_INT(net_say(n, far, 11, "still there?"), 0);
	net_run(n, SEC(8));
	CHECK_EQ_INT(net_info(n, far, 11).kind, P2P_PATH_RING);
	CHECK_EQ_INT(n->nodes[11].count[P2P_MESSAGE], 1);
	CHECK_EQ_INT(n->nodes[11].count[P2P_SESSION_DOWN], downs);
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_p2p_repeated_request_finds_a_way_round_silently_dead_nodes),
	TEST(test_p2p_quiet_link_is_probed_beside_a_routed_packet_once_a_second),
	TEST(test_p2p_link_that_owes_an_answer_is_in_doubt_until_it_is_heard),
	TEST(test_p2p_message_to_the_nearest_reaches_it_and_says_so),
	TEST(test_p2p_message_by_name_is_not_for_the_nearest),
	TEST(test_p2p_leaf_is_reached_by_way_of_its_agent),
	TEST(test_p2p_direct_session_with_a_leaf_goes_on_by_its_agent),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
