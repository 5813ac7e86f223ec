/* test_p2p_route.c - ROUTED messages: links that are dead without a word, and the nearest node. */
#include "p2p/p2p.h"

#include <errno.h>

#include "p2p/route.h"
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

/* Nodes 0 and 2 know node 1, nobody else, and have been quiet for a while. */
static struct net *chain(void)
{
	struct net *n = net_new(3);

	net_boot(n, 0, 1);
	net_boot(n, 2, 1);
	n->cut[0][2] = n->cut[2][0] = true;
	net_run(n, SEC(12));
	return n;
}

/* Until nothing was heard of this peer for a while. */
static void be_quiet(struct net *n, const struct session *s)
{
	while (s->use.marks.heard + SEC(2) > n->now)
		net_run(n, MSEC(100));
}

static uint64_t kind_sent(const struct net *n, enum p2p_sent_kind kind)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n->count; i++)
		sum += p2p_sent(n->nodes[i].p)->packets[kind];
	return sum;
}

static void hail(struct net *n, int from, int to)
{
	struct node_id id = id_at(n, to), by = id_at(n, 1);

	CHECK_EQ_INT(p2p_route(n->nodes[from].p, &id, &by, ROUTED_DHT, (const uint8_t *)"hi", 2,
			       n->now), 0);
}

static void test_p2p_quiet_link_that_gets_a_routed_packet_gives_one_sign_of_life(void)
{
	struct net *n = chain();
	uint64_t probes = kind_sent(n, P2P_SENT_PROBE), signs = kind_sent(n, P2P_SENT_KEEPALIVE);

	for (int i = 0; i < 5; i++)
		hail(n, 0, 2);
	net_run(n, MSEC(99)); /* 20 ms there, 80 for something else to go */
	CHECK_EQ_INT(kind_sent(n, P2P_SENT_KEEPALIVE) - signs, 0);
	net_run(n, MSEC(22));
	CHECK_EQ_INT(kind_sent(n, P2P_SENT_KEEPALIVE) - signs, 2); /* of 1 to 0, of 2 to 1 */
	net_run(n, MSEC(500));
	CHECK(!net_session(n, 0, 1)->ring_doubt && !net_session(n, 1, 2)->ring_doubt);
	CHECK_EQ_INT(n->nodes[2].count[P2P_ROUTED], 5);
	hail(n, 0, 2); /* heard a moment ago: it is not asked */
	net_run(n, MSEC(300));
	CHECK_EQ_INT(kind_sent(n, P2P_SENT_KEEPALIVE) - signs, 2);
	CHECK_EQ_INT(kind_sent(n, P2P_SENT_PROBE), probes);
	net_free(n);
}

static void test_p2p_answer_that_comes_back_the_same_way_is_sign_enough(void)
{
	struct net *n = chain();
	uint64_t probes = kind_sent(n, P2P_SENT_PROBE), signs = kind_sent(n, P2P_SENT_KEEPALIVE);

	hail(n, 0, 2);
	net_run(n, MSEC(50));
	CHECK_EQ_INT(n->nodes[2].count[P2P_ROUTED], 1);
	hail(n, 2, 0);
	net_run(n, MSEC(900));
	CHECK_EQ_INT(n->nodes[0].count[P2P_ROUTED], 1);
	CHECK_EQ_INT(kind_sent(n, P2P_SENT_KEEPALIVE), signs);
	CHECK_EQ_INT(kind_sent(n, P2P_SENT_PROBE), probes);
	net_free(n);
}

/* The question of node 0, given to node 1 as if it came from there. */
static void ask_from(struct net *n, const struct addr *from)
{
	uint8_t pkt[2048];
	struct wr w = wr_of(pkt + PACKET_HEADER_LEN, 1000);
	struct node_id to = id_at(n, 2);

	wr_u8(&w, 3);
	wr_u8(&w, 32);
	wr_u8(&w, ROUTED_ASKS);
	wr_u8(&w, ROUTED_DHT);
	wr_zero(&w, 1);
	wr_copy(&w, to.b, ID_LEN);
	wr_zero(&w, ID_LEN);
	wr_copy(&w, n->nodes[0].key.pub.b, KEY_LEN);
	wr_zero(&w, ID_LEN + 1);
	CHECK_EQ_INT(slot_seal(net_session(n, 0, 1)->current, PACKET_CONTROL, 0, pkt, wr_len(&w),
			       n->now), DROP_NONE);
	p2p_input(n->nodes[1].p, 0, from, pkt, wr_len(&w) + PACKET_OVERHEAD, n->now);
}

static void test_p2p_flood_of_questions_gets_one_sign_for_all_of_the_same_while(void)
{
	struct net *n = chain();
	const struct p2p_sent *sent = p2p_sent(n->nodes[1].p);
	uint64_t before = sent->packets[P2P_SENT_KEEPALIVE];

	for (int i = 0; i < 3000; i++)
		ask_from(n, &n->nodes[0].addr);
	net_run(n, SEC(1));
	CHECK_EQ_INT(sent->packets[P2P_SENT_KEEPALIVE] - before, 1);
	for (int i = 0; i < 1000; i++) {
		ask_from(n, &n->nodes[0].addr);
		net_run(n, MSEC(1));
	}
	net_run(n, SEC(1));
	CHECK(sent->packets[P2P_SENT_KEEPALIVE] - before >= 1 + 10);
	CHECK(sent->packets[P2P_SENT_KEEPALIVE] - before <= 1 + 13); /* 80 ms apart */
	net_free(n);
}

static const struct addr elsewhere = { .ip = { .len = 4, .b = { 192, 0, 2, 200 } }, .port = 77 };

static bool count_elsewhere(struct net *n, int from, int to, const uint8_t *pkt, size_t len)
{
	/* A keepalive; challenges, of a path that is new, are something else. */
	n->count_of_tap += from == 1 && to < 0 && (pkt[0] & 63) == PACKET_CONTROL && len == 34;
	return true;
}

static void test_p2p_question_by_another_way_than_ours_is_answered_there_at_once(void)
{
	struct net *n = chain();

	n->tap = count_elsewhere;
	ask_from(n, &elsewhere);
	CHECK_EQ_INT(n->count_of_tap, 1);
	for (int i = 1; i < 100; i++)
		ask_from(n, &elsewhere);
	CHECK_EQ_INT(n->count_of_tap, 100); /* never more than one for one */
	ask_from(n, &n->nodes[0].addr);
	CHECK_EQ_INT(n->count_of_tap, 100);
	net_free(n);
}

static void test_p2p_question_over_a_session_by_the_ring_is_answered_in_time(void)
{
	struct net *n = chain();
	struct session *s;
	uint64_t probes;

	p2p_connect(n->nodes[0].p, &n->nodes[2].key.pub, n->now);
	net_run(n, SEC(9));
	s = net_session(n, 0, 2);
	CHECK(net_up(n, 0, 2) && s->kind == P2P_PATH_RING);
	be_quiet(n, s);
	probes = kind_sent(n, P2P_SENT_PROBE);
	hail(n, 0, 2);
	for (int i = 0; i < 80; i++) {
		net_run(n, MSEC(10));
		CHECK(!s->ring_doubt);
	}
	CHECK(s->use.marks.heard + SEC(1) > n->now && !s->use.marks.owed);
	CHECK_EQ_INT(n->nodes[2].count[P2P_ROUTED], 1);
	CHECK_EQ_INT(kind_sent(n, P2P_SENT_PROBE), probes);
	net_free(n);
}

static void test_p2p_packet_for_a_link_that_died_goes_another_way_after_200_ms(void)
{
	struct net *n = net_new(3);
	struct node_id to = id_at(n, 2), a = id_at(n, 0), b = id_at(n, 1);
	int far = id_ring_compare(&to, &a, &b) < 0 ? 1 : 0, near = !far;
	struct session *s;

	net_boot(n, 0, 1);
	net_boot(n, 2, 1);
	net_run(n, SEC(12));
	s = net_session(n, far, 2);
	CHECK(s && s->up && s->kind == P2P_PATH_DIRECT && net_up(n, near, 2));
	be_quiet(n, s);
	n->cut[far][2] = n->cut[2][far] = true;
	to.b[ID_LEN - 1] ^= 1; /* beside it: doubt would not count against a destination by name */
	CHECK_EQ_INT(p2p_route_nearest(n->nodes[far].p, &to, NULL, ROUTED_DHT, (const uint8_t *)"hi", 2,
				       n->now), 0);
	net_run(n, MSEC(190));
	CHECK(!s->ring_doubt && !n->nodes[2].count[P2P_ROUTED]);
	net_run(n, MSEC(55));
	CHECK(s->ring_doubt);
	CHECK_EQ_INT(n->nodes[2].count[P2P_ROUTED], 1);
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
		CHECK_EQ_INT(p2p_route_nearest(n->nodes[from].p, &target, NULL, ROUTED_DHT,
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
	CHECK_EQ_INT(p2p_route_nearest(n->nodes[2].p, &gone, NULL, ROUTED_DHT, (const uint8_t *)"", 0,
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
	TEST(test_p2p_quiet_link_that_gets_a_routed_packet_gives_one_sign_of_life),
	TEST(test_p2p_answer_that_comes_back_the_same_way_is_sign_enough),
	TEST(test_p2p_flood_of_questions_gets_one_sign_for_all_of_the_same_while),
	TEST(test_p2p_question_by_another_way_than_ours_is_answered_there_at_once),
	TEST(test_p2p_question_over_a_session_by_the_ring_is_answered_in_time),
	TEST(test_p2p_packet_for_a_link_that_died_goes_another_way_after_200_ms),
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
