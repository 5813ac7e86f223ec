/* test_p2p.c - sessions, paths and restarts over a virtual network. */
#include "p2p/p2p.h"

#include <errno.h>

#include "tests/unit/p2p_net.h"

static void test_p2p_two_nodes_make_a_session_in_two_round_trips(void)
{
	struct net *n = net_new(2);

	net_boot(n, 0, 1);
	net_run(n, MSEC(65));
	CHECK(net_up(n, 0, 1));
	CHECK(net_up(n, 1, 0));
	CHECK_EQ_INT(n->nodes[0].count[P2P_SESSION_UP], 1);
	CHECK_EQ_INT(n->nodes[1].count[P2P_SESSION_UP], 1);
	CHECK_EQ_INT(net_info(n, 0, 1).kind, P2P_PATH_DIRECT);
	CHECK_EQ_INT(net_info(n, 1, 0).kind, P2P_PATH_DIRECT);
	net_free(n);
}

static void test_p2p_messages_of_any_size_arrive_despite_loss_and_reordering(void)
{
	struct net *n = net_new(2);
	uint8_t *big = mem_new(P2P_MESSAGE_MAX);

	n->loss = 100;
	n->jitter = MSEC(30);
	net_boot(n, 0, 1);
	net_run(n, SEC(10));
	CHECK_EQ_INT(net_say(n, 0, 1, "hello"), 0);
	net_run(n, SEC(5));
	CHECK_EQ_INT(n->nodes[1].count[P2P_MESSAGE], 1);
	CHECK_MEM(n->nodes[1].msg, "hello", 6);
	CHECK_EQ_INT(n->nodes[1].last[P2P_MESSAGE].service, SERVICE_DHT);
	CHECK(key_equal(&n->nodes[1].last[P2P_MESSAGE].peer, &n->nodes[0].key.pub));
	for (size_t i = 0; i < P2P_MESSAGE_MAX; i++)
		big[i] = (uint8_t)(i * 7);
	CHECK_EQ_INT(p2p_send(n->nodes[1].p, &n->nodes[0].key.pub, SERVICE_MEMBER, big,
			      P2P_MESSAGE_MAX, n->now), 0);
	net_run(n, SEC(20));
	CHECK_EQ_INT(n->nodes[0].count[P2P_MESSAGE], 1);
	CHECK_EQ_INT(n->nodes[0].msg_len, P2P_MESSAGE_MAX);
	CHECK_MEM(n->nodes[0].msg, big, P2P_MESSAGE_MAX);
	free(big);
	net_free(n);
}

static void test_p2p_both_initiating_at_once_make_one_session(void)
{
	struct net *n = net_new(2);

	net_boot(n, 0, 1);
	net_boot(n, 1, 0);
	net_run(n, SEC(5));
	CHECK_EQ_INT(n->nodes[0].count[P2P_SESSION_UP], 1);
	CHECK_EQ_INT(n->nodes[1].count[P2P_SESSION_UP], 1);
	CHECK_EQ_INT(n->nodes[0].count[P2P_SESSION_DOWN] + n->nodes[1].count[P2P_SESSION_DOWN], 0);
	net_say(n, 0, 1, "x");
	net_say(n, 1, 0, "x");
	net_run(n, SEC(1));
	CHECK_EQ_INT(n->nodes[0].count[P2P_MESSAGE], 1);
	CHECK_EQ_INT(n->nodes[1].count[P2P_MESSAGE], 1);
	net_free(n);
}

static void test_p2p_third_node_is_reached_through_the_ring_then_directly(void)
{
	struct net *n = net_new(3);

	net_boot(n, 0, 1); /* 0 and 2 know 1 only; addresses of each other come from the peer */
	net_boot(n, 2, 1);
	n->cut[0][2] = n->cut[2][0] = true;
	net_run(n, SEC(3));
	CHECK_EQ_INT(p2p_connect(n->nodes[2].p, &n->nodes[0].key.pub, n->now), 0);
	net_run(n, SEC(2));
	CHECK(net_up(n, 2, 0));
	CHECK_EQ_INT(net_info(n, 2, 0).kind, P2P_PATH_RING);
	CHECK_EQ_INT(net_info(n, 0, 2).kind, P2P_PATH_RING);
	CHECK_EQ_INT(net_say(n, 2, 0, "by the ring"), 0);
	CHECK_EQ_INT(net_say(n, 0, 2, "and back"), 0);
	net_run(n, SEC(1));
	CHECK_EQ_INT(n->nodes[0].count[P2P_MESSAGE], 1);
	CHECK_EQ_INT(n->nodes[2].count[P2P_MESSAGE], 1);
	n->cut[0][2] = n->cut[2][0] = false;
	net_run(n, SEC(30));
	CHECK_EQ_INT(net_info(n, 2, 0).kind, P2P_PATH_DIRECT);
	CHECK_EQ_INT(net_info(n, 0, 2).kind, P2P_PATH_DIRECT);
	CHECK_EQ_INT(n->nodes[0].count[P2P_SESSION_DOWN], 0);
	net_free(n);
}

static void test_p2p_connect_by_the_ring_is_direct_within_a_few_round_trips(void)
{
	struct net *n = net_new(3);
	usec_t began;

	net_boot(n, 0, 1);
	net_run(n, SEC(2));
	n->cut[0][2] = n->cut[2][0] = true; /* so that the ring cannot be quicker than the test */
	net_boot(n, 2, 1);
	net_run(n, MSEC(70));
	n->cut[0][2] = n->cut[2][0] = false;
	began = n->now;
	p2p_connect(n->nodes[2].p, &n->nodes[0].key.pub, n->now);
	while (n->now < began + SEC(5) && !(net_info(n, 2, 0).kind == P2P_PATH_DIRECT &&
					    net_info(n, 0, 2).kind == P2P_PATH_DIRECT))
		net_run(n, MSEC(5));
	CHECK(n->now - began <= MSEC(400)); /* ten times the direct round trip */
	net_free(n);
}

static void test_p2p_wrong_overlay_key_gets_silence(void)
{
	struct net *n = net_new(2);
	uint8_t other[32] = { 9 };
	uint64_t sent;

	p2p_free(n->nodes[0].p, n->now);
	net_start(n, 0, other);
	net_boot(n, 0, 1);
	sent = n->nodes[1].sent;
	net_run(n, SEC(30));
	CHECK_EQ_INT(n->nodes[1].sent, sent);
	CHECK(n->nodes[1].drops.count[DROP_MAC] > 0);
	CHECK_EQ_INT(n->nodes[1].p->sessions.count, 0);
	CHECK_EQ_INT(n->nodes[0].count[P2P_WRONG_KEY], 1);
	CHECK(addr_equal(&n->nodes[0].last[P2P_WRONG_KEY].addr, &n->nodes[1].addr));
	net_free(n);
}

static void test_p2p_bootstrap_without_a_key_asks_whois(void)
{
	struct net *n = net_new(2);

	CHECK_EQ_INT(p2p_bootstrap(n->nodes[0].p, NULL, &n->nodes[1].addr, 1, n->now), 0);
	net_run(n, MSEC(200));
	CHECK(net_up(n, 0, 1));
	CHECK(net_up(n, 1, 0));
	net_free(n);
}

static void test_p2p_random_datagrams_get_no_answer_and_no_memory(void)
{
	struct net *n = net_new(2);
	struct p2p *p = n->nodes[1].p;
	uint8_t junk[400];
	uint64_t sent = n->nodes[1].sent;

	for (unsigned i = 0; i < 100000; i++) {
		size_t len = net_dice(n, sizeof(junk));

		net_random(&n->nodes[0], junk, sizeof(junk));
		if (i % 2 && len > 0) /* of a known type */
			junk[0] = (uint8_t)(PACKET_VERSION | (junk[0] % 22));
		p2p_input(p, 0, &n->nodes[0].addr, junk, len, n->now);
		n->now += 10;
	}
	CHECK_EQ_INT(n->nodes[1].sent, sent);
	CHECK_EQ_INT(p->sessions.count, 0);
	CHECK_EQ_INT(p->view.slots.count, 0);
	CHECK_EQ_INT(p->stamps.count, 0);
	CHECK_EQ_INT(p->later_count, 0);
	CHECK_EQ_INT(n->nodes[1].events, 0);
	net_free(n);
}

static bool keep_init(struct net *n, int from, int to, const uint8_t *pkt, size_t len)
{
	(void)to;
	if (from == 0 && pkt[0] == (PACKET_VERSION | PACKET_INIT)) {
		memcpy(n->kept, pkt, len);
		n->kept_len = len;
	}
	return true;
}

static void test_p2p_replayed_init_is_dropped(void)
{
	struct net *n = net_new(2);
	uint64_t sent;

	n->tap = keep_init;
	net_boot(n, 0, 1);
	net_run(n, SEC(5));
	CHECK(net_up(n, 1, 0));
	CHECK(n->kept_len > 0);
	sent = n->nodes[1].sent;
	for (int i = 0; i < 5; i++)
		net_inject(n, &n->nodes[0].addr, 1, n->kept, n->kept_len, n->now);
	net_run(n, MSEC(1));
	CHECK_EQ_INT(n->nodes[1].sent, sent);
	CHECK_EQ_INT(n->nodes[1].drops.count[DROP_STALE], 5);
	net_free(n);
}

static bool keep_control(struct net *n, int from, int to, const uint8_t *pkt, size_t len)
{
	(void)to;
	if (from == 0 && pkt[0] == (PACKET_VERSION | PACKET_CONTROL) && !n->kept_len) {
		memcpy(n->kept, pkt, len);
		n->kept_len = len;
	}
	return true;
}

static void test_p2p_replayed_control_packet_is_dropped(void)
{
	struct net *n = net_new(2);

	net_boot(n, 0, 1);
	net_run(n, SEC(2));
	n->tap = keep_control;
	net_say(n, 0, 1, "once");
	net_run(n, SEC(1));
	net_inject(n, &n->nodes[0].addr, 1, n->kept, n->kept_len, n->now);
	net_run(n, SEC(1));
	CHECK_EQ_INT(n->nodes[1].count[P2P_MESSAGE], 1);
	CHECK_EQ_INT(n->nodes[1].drops.count[DROP_REPLAY], 1);
	net_free(n);
}

/* Diverts what 0 sends to 1: it arrives, but from a stranger's address (node 2). */
static bool divert(struct net *n, int from, int to, const uint8_t *pkt, size_t len)
{
	if (to == 2)
		n->count_of_tap += len;
	if (from != 0 || to != 1)
		return true;
	n->tapped += len;
	net_inject(n, &n->nodes[2].addr, 1, pkt, len, n->now + n->delay);
	return false;
}

static void test_p2p_spoofed_source_is_not_used_and_not_flooded(void)
{
	struct net *n = net_new(3);

	net_boot(n, 0, 1);
	net_run(n, SEC(2));
	p2p_free(n->nodes[2].p, n->now);
	n->nodes[2].p = NULL;
	n->tap = divert;
	net_say(n, 0, 1, "one packet");
	net_run(n, MSEC(900));
	CHECK_EQ_INT(n->nodes[1].count[P2P_MESSAGE], 1);
	CHECK(addr_equal(&net_session(n, 1, 0)->paths.list[net_session(n, 1, 0)->paths.used].addr,
			 &n->nodes[0].addr));
	CHECK(n->count_of_tap > 0);
	CHECK(n->count_of_tap <= 3 * n->tapped);
	net_free(n);
}

static void test_p2p_roaming_peer_is_followed_after_a_challenge(void)
{
	struct net *n = net_new(2);
	struct addr other = { .ip = ip_v4(0xc6336401), .port = 4444 };
	struct session *s;

	net_boot(n, 1, 0);
	net_run(n, SEC(2));
	n->nodes[0].addr = n->nodes[0].seen_as = other;
	net_say(n, 0, 1, "I moved");
	net_run(n, MSEC(25));
	s = net_session(n, 1, 0);
	CHECK_EQ_INT(n->nodes[1].count[P2P_MESSAGE], 1);
	CHECK(!addr_equal(&s->paths.list[s->paths.used].addr, &other)); /* not yet */
	net_run(n, MSEC(60));
	CHECK(addr_equal(&s->paths.list[s->paths.used].addr, &other));
	net_say(n, 1, 0, "so I see");
	net_run(n, MSEC(100));
	CHECK_EQ_INT(n->nodes[0].count[P2P_MESSAGE], 1);
	net_free(n);
}

static void test_p2p_killed_and_restarted_peer_is_back_within_a_second(void)
{
	struct net *n = net_new(2);
	struct p2p *old;

	net_boot(n, 0, 1);
	net_boot(n, 1, 0);
	net_run(n, SEC(60));
	old = n->nodes[1].p;
	n->nodes[1].p = NULL; /* kill -9: not a word */
	net_run(n, SEC(5));
	net_start(n, 1, net_overlay);
	net_boot(n, 1, 0);
	net_run(n, SEC(1));
	CHECK(net_up(n, 0, 1));
	CHECK(net_up(n, 1, 0));
	CHECK_EQ_INT(n->nodes[0].count[P2P_SESSION_DOWN], 1);
	CHECK_EQ_INT(n->nodes[0].count[P2P_SESSION_UP], 2);
	CHECK_EQ_INT(net_say(n, 0, 1, "again"), 0);
	CHECK_EQ_INT(net_say(n, 1, 0, "again"), 0);
	net_run(n, SEC(1));
	CHECK_EQ_INT(n->nodes[0].count[P2P_MESSAGE], 1);
	CHECK_EQ_INT(n->nodes[1].count[P2P_MESSAGE], 1);
	p2p_free(old, n->now);
	net_free(n);
}

static void test_p2p_restart_of_a_peer_is_down_then_up_in_this_order(void)
{
	struct net *n = net_new(2);
	struct p2p *old;
	size_t before;

	net_boot(n, 1, 0);
	net_run(n, SEC(10));
	old = n->nodes[1].p;
	before = n->nodes[0].events;
	net_start(n, 1, net_overlay);
	net_boot(n, 1, 0);
	net_run(n, MSEC(300));
	CHECK_EQ_INT(n->nodes[0].events, before + 2);
	CHECK_EQ_INT(n->nodes[0].order[before], P2P_SESSION_DOWN);
	CHECK_EQ_INT(n->nodes[0].order[before + 1], P2P_SESSION_UP);
	CHECK(n->nodes[0].last[P2P_SESSION_DOWN].session != n->nodes[0].last[P2P_SESSION_UP].session);
	p2p_free(old, n->now);
	net_free(n);
}

static void test_p2p_vanished_idle_peer_is_down_after_silence(void)
{
	struct net *n = net_new(2);
	struct p2p *old;

	net_boot(n, 0, 1);
	net_run(n, SEC(60));
	CHECK_EQ_INT(n->nodes[0].count[P2P_SESSION_DOWN], 0); /* idle is not dead */
	old = n->nodes[1].p;
	n->nodes[1].p = NULL;
	net_run(n, SEC(22));
	CHECK_EQ_INT(n->nodes[0].count[P2P_SESSION_DOWN], 1);
	CHECK(!net_up(n, 0, 1));
	n->nodes[1].p = old;
	net_free(n);
}

static void test_p2p_cut_direct_path_is_left_for_the_ring_within_seconds(void)
{
	struct net *n = net_new(3);

	net_boot(n, 0, 1);
	net_boot(n, 2, 1);
	net_run(n, SEC(3));
	p2p_connect(n->nodes[2].p, &n->nodes[0].key.pub, n->now);
	net_run(n, SEC(3));
	CHECK_EQ_INT(net_info(n, 2, 0).kind, P2P_PATH_DIRECT);
	n->cut[0][2] = n->cut[2][0] = true;
	CHECK_EQ_INT(net_say(n, 2, 0, "still there?"), 0);
	net_run(n, SEC(6));
	CHECK_EQ_INT(net_info(n, 2, 0).kind, P2P_PATH_RING);
	CHECK_EQ_INT(n->nodes[0].count[P2P_MESSAGE], 1);
	CHECK_EQ_INT(n->nodes[0].count[P2P_SESSION_DOWN], 0);
	CHECK_EQ_INT(n->nodes[2].count[P2P_SESSION_DOWN], 0);
	net_free(n);
}

static void test_p2p_freed_node_closes_its_sessions(void)
{
	struct net *n = net_new(2);

	net_boot(n, 1, 0);
	net_run(n, SEC(2));
	p2p_free(n->nodes[1].p, n->now);
	n->nodes[1].p = NULL;
	net_run(n, MSEC(30));
	CHECK_EQ_INT(n->nodes[0].count[P2P_SESSION_DOWN], 1);
	CHECK(!net_up(n, 0, 1));
	net_free(n);
}

static void test_p2p_unreachable_peer_is_told_and_tried_again(void)
{
	struct net *n = net_new(2);

	p2p_connect(n->nodes[0].p, &n->nodes[1].key.pub, n->now);
	net_run(n, SEC(25));
	CHECK_EQ_INT(n->nodes[0].count[P2P_UNREACHABLE], 1);
	net_run(n, SEC(60));
	CHECK(n->nodes[0].count[P2P_UNREACHABLE] >= 2);
	net_run(n, MINUTES(60)); /* nobody asks any more: forgotten */
	CHECK_EQ_INT(n->nodes[0].p->sessions.count, 0);
	CHECK_EQ_INT(p2p_send(n->nodes[0].p, &n->nodes[1].key.pub, SERVICE_DHT,
			      (const uint8_t *)"x", 1, n->now), -ENOTCONN);
	net_free(n);
}

static void test_p2p_dropped_keys_are_replaced_by_new_sessions(void)
{
	struct net *n = net_new(2);

	net_boot(n, 0, 1);
	net_run(n, SEC(2));
	p2p_drop_keys(n->nodes[0].p, n->now);
	CHECK_EQ_INT(n->nodes[0].p->view.slots.count, 0);
	CHECK_EQ_INT(n->nodes[0].count[P2P_SESSION_DOWN], 1);
	net_run(n, SEC(3));
	CHECK(net_up(n, 0, 1));
	CHECK_EQ_INT(net_say(n, 1, 0, "new keys"), 0);
	net_run(n, SEC(1));
	CHECK_EQ_INT(n->nodes[0].count[P2P_MESSAGE], 1);
	net_free(n);
}

static void test_p2p_flood_of_inits_gets_cookies_and_the_real_node_still_connects(void)
{
	struct net *n = net_new(3);
	struct p2p *p = n->nodes[1].p;
	uint8_t pkt[2048];
	size_t most = 0;

	n->tap = keep_init; /* a valid mac1 that an observer caught */
	net_boot(n, 0, 1);
	net_run(n, SEC(2));
	for (unsigned i = 0; i < 2000; i++) {
		memcpy(pkt, n->kept, n->kept_len);
		p2p_input(p, 0, &n->nodes[2].addr, pkt, n->kept_len, n->now);
		n->now += MSEC(1);
		most = p->sessions.count > most ? p->sessions.count : most;
	}
	CHECK(n->nodes[1].drops.count[DROP_RATE] > 1000);
	CHECK(most <= 2);
	n->tap = NULL;
	net_boot(n, 2, 1); /* needs a cookie, gets one, uses it */
	net_run(n, SEC(2));
	CHECK(net_up(n, 2, 1));
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_p2p_two_nodes_make_a_session_in_two_round_trips),
	TEST(test_p2p_messages_of_any_size_arrive_despite_loss_and_reordering),
	TEST(test_p2p_both_initiating_at_once_make_one_session),
	TEST(test_p2p_third_node_is_reached_through_the_ring_then_directly),
	TEST(test_p2p_connect_by_the_ring_is_direct_within_a_few_round_trips),
	TEST(test_p2p_wrong_overlay_key_gets_silence),
	TEST(test_p2p_bootstrap_without_a_key_asks_whois),
	TEST(test_p2p_random_datagrams_get_no_answer_and_no_memory),
	TEST(test_p2p_replayed_init_is_dropped),
	TEST(test_p2p_replayed_control_packet_is_dropped),
	TEST(test_p2p_spoofed_source_is_not_used_and_not_flooded),
	TEST(test_p2p_roaming_peer_is_followed_after_a_challenge),
	TEST(test_p2p_killed_and_restarted_peer_is_back_within_a_second),
	TEST(test_p2p_restart_of_a_peer_is_down_then_up_in_this_order),
	TEST(test_p2p_vanished_idle_peer_is_down_after_silence),
	TEST(test_p2p_cut_direct_path_is_left_for_the_ring_within_seconds),
	TEST(test_p2p_freed_node_closes_its_sessions),
	TEST(test_p2p_unreachable_peer_is_told_and_tried_again),
	TEST(test_p2p_dropped_keys_are_replaced_by_new_sessions),
	TEST(test_p2p_flood_of_inits_gets_cookies_and_the_real_node_still_connects),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
