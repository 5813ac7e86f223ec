/* test_p2p_data.c - ATTACH and the data path: tags, rekey under traffic, keys, limits. */
#include "p2p/p2p.h"

#include "tests/unit/p2p_net.h"

static const struct p2p_secret secret_1 = { 1, { 11 } }, secret_2 = { 2, { 22 } };

static struct net *pair(void)
{
	struct net *n = net_new(2);

	for (int i = 0; i < 2; i++)
		p2p_namespace_set(n->nodes[i].p, 0, &secret_1, 1, n->now);
	net_boot(n, 0, 1);
	net_run(n, SEC(1));
	return n;
}

static struct net *attached_pair(void)
{
	struct net *n = pair();

	p2p_attach(n->nodes[0].p, 0, &n->nodes[1].key.pub, n->now);
	net_run(n, SEC(1));
	return n;
}

static unsigned events(const struct net *n, enum p2p_event_type type)
{
	return n->nodes[0].count[type] + n->nodes[1].count[type];
}

static void test_p2p_attach_is_told_on_both_sides_with_the_others_grant(void)
{
	struct net *n = attached_pair();

	for (int i = 0; i < 2; i++) {
		struct node *node = &n->nodes[i];

		CHECK_EQ_INT(node->count[P2P_ATTACHED], 1);
		CHECK(key_equal(&node->last[P2P_ATTACHED].peer, &n->nodes[1 - i].key.pub));
		CHECK(node->last[P2P_ATTACHED].tag != 0);
		CHECK_EQ_INT(node->msg_len, 40);
		CHECK_MEM(node->msg + 8, n->nodes[1 - i].key.pub.b, KEY_LEN);
		CHECK_EQ_INT(net_info(n, i, 1 - i).ns_attached, 1);
	}
	net_free(n);
}

static void test_p2p_attach_makes_the_session_that_it_needs(void)
{
	struct net *n = net_new(3);

	for (int i = 0; i < 3; i++)
		p2p_namespace_set(n->nodes[i].p, 0, &secret_1, 1, n->now);
	net_boot(n, 0, 1);
	net_boot(n, 2, 1);
	p2p_attach(n->nodes[2].p, 0, &n->nodes[0].key.pub, n->now);
	net_run(n, SEC(4));
	CHECK_EQ_INT(n->nodes[0].count[P2P_ATTACHED], 1);
	CHECK_EQ_INT(n->nodes[2].count[P2P_ATTACHED], 1);
	net_free(n);
}

static void test_p2p_attach_by_both_at_once_makes_one_attachment(void)
{
	struct net *n = pair();

	p2p_attach(n->nodes[0].p, 0, &n->nodes[1].key.pub, n->now);
	p2p_attach(n->nodes[1].p, 0, &n->nodes[0].key.pub, n->now);
	net_run(n, SEC(2));
	CHECK_EQ_INT(n->nodes[0].count[P2P_ATTACHED], 1);
	CHECK_EQ_INT(n->nodes[1].count[P2P_ATTACHED], 1);
	CHECK_EQ_INT(events(n, P2P_REFUSED) + events(n, P2P_DETACHED), 0);
	CHECK(net_data(n, 0, 1) && net_data(n, 1, 0));
	net_run(n, SEC(1));
	CHECK_EQ_INT(n->nodes[0].data, 1);
	CHECK_EQ_INT(n->nodes[1].data, 1);
	net_free(n);
}

static void test_p2p_attach_with_the_older_of_two_secrets_works(void)
{
	struct net *n = pair();
	struct p2p_secret both[] = { secret_2, secret_1 };

	p2p_namespace_set(n->nodes[1].p, 0, both, 2, n->now);
	p2p_attach(n->nodes[1].p, 0, &n->nodes[0].key.pub, n->now);
	net_run(n, SEC(1));
	CHECK_EQ_INT(events(n, P2P_ATTACHED), 2);
	net_free(n);
}

static void test_p2p_attach_under_an_unknown_secret_is_refused_without_a_grant(void)
{
	struct net *n = pair();

	p2p_namespace_set(n->nodes[1].p, 0, &secret_2, 1, n->now);
	p2p_attach(n->nodes[0].p, 0, &n->nodes[1].key.pub, n->now);
	net_run(n, SEC(2));
	CHECK_EQ_INT(n->nodes[0].count[P2P_REFUSED], 1);
	CHECK_EQ_INT(events(n, P2P_ATTACHED), 0);
	CHECK_EQ_INT(n->nodes[1].grants_asked, 0);
	CHECK_EQ_INT(n->nodes[1].count[P2P_REFUSED], 0); /* it never wanted to */
	CHECK(!net_data(n, 0, 1));
	net_free(n);
}

static void test_p2p_attach_with_a_bad_grant_is_refused(void)
{
	struct net *n = pair();

	n->nodes[1].refuses = true;
	p2p_attach(n->nodes[0].p, 0, &n->nodes[1].key.pub, n->now);
	net_run(n, SEC(2));
	CHECK_EQ_INT(n->nodes[0].count[P2P_REFUSED], 1);
	CHECK_EQ_INT(n->nodes[1].count[P2P_ATTACHED], 0);
	CHECK_EQ_INT(n->nodes[0].count[P2P_ATTACHED], n->nodes[0].count[P2P_DETACHED]);
	CHECK(!net_data(n, 0, 1));
	n->nodes[1].refuses = false;
	n->nodes[0].refuses = true;
	p2p_attach(n->nodes[0].p, 0, &n->nodes[1].key.pub, n->now);
	net_run(n, SEC(2));
	CHECK_EQ_INT(n->nodes[0].count[P2P_REFUSED], 2);
	CHECK_EQ_INT(n->nodes[1].count[P2P_ATTACHED], 0);
	net_free(n);
}

static void test_p2p_attach_waits_for_our_own_grant(void)
{
	struct net *n = pair();

	n->nodes[1].has_grant = false;
	p2p_attach(n->nodes[0].p, 0, &n->nodes[1].key.pub, n->now);
	net_run(n, SEC(5));
	CHECK_EQ_INT(events(n, P2P_ATTACHED) + events(n, P2P_REFUSED), 0);
	n->nodes[1].has_grant = true;
	net_run(n, SEC(2));
	CHECK_EQ_INT(events(n, P2P_ATTACHED), 2);
	net_free(n);
}

static void test_p2p_detach_is_told_and_stops_data(void)
{
	struct net *n = attached_pair();
	const struct attachment *a = attach_find(net_session(n, 1, 0)->attachments, 0);
	uint32_t old = a ? a->tag_in : 0;

	p2p_detach(n->nodes[0].p, 0, &n->nodes[1].key.pub, n->now);
	net_run(n, SEC(1));
	CHECK_EQ_INT(n->nodes[1].count[P2P_DETACHED], 1);
	CHECK_EQ_INT(n->nodes[0].count[P2P_DETACHED], 0);
	CHECK(!net_data(n, 1, 0));
	p2p_attach(n->nodes[1].p, 0, &n->nodes[0].key.pub, n->now);
	net_run(n, SEC(1));
	CHECK_EQ_INT(events(n, P2P_ATTACHED), 4);
	a = attach_find(net_session(n, 1, 0)->attachments, 0);
	CHECK(a && a->tag_in != old); /* never used twice */
	net_free(n);
}

static void test_p2p_only_attached_sessions_are_in_the_view(void)
{
	struct net *n = pair();

	CHECK(net_up(n, 0, 1));
	CHECK_EQ_INT(n->nodes[0].p->view.peers.count, 0);
	p2p_attach(n->nodes[0].p, 0, &n->nodes[1].key.pub, n->now);
	net_run(n, SEC(1));
	CHECK_EQ_INT(n->nodes[0].p->view.peers.count, 1);
	CHECK(net_data(n, 0, 1) && net_data(n, 1, 0));
	p2p_detach(n->nodes[0].p, 0, &n->nodes[1].key.pub, n->now);
	net_run(n, SEC(1));
	CHECK(net_up(n, 0, 1));
	CHECK_EQ_INT(n->nodes[0].p->view.peers.count, 0);
	CHECK_EQ_INT(n->nodes[1].p->view.peers.count, 0);
	CHECK(!net_session(n, 0, 1)->current->peer);
	net_free(n);
}

static void test_p2p_tags_do_not_repeat(void)
{
	static uint8_t seen[1 << 21];
	struct net *n = attached_pair();
	struct session *s = net_session(n, 0, 1);
	uint32_t tag = s->attachments->tag_next;

	memset(seen, 0, sizeof(seen));
	for (unsigned i = 0; i < (1 << 24); i++) {
		tag = (tag + s->attachments->tag_step) & 0xffffff;
		if (seen[tag / 8] & 1 << tag % 8) {
			CHECK(false);
			break;
		}
		seen[tag / 8] |= (uint8_t)(1 << tag % 8);
	}
	net_free(n);
}

static void test_p2p_data_under_a_tag_that_is_not_attached_is_dropped(void)
{
	struct net *n = attached_pair();
	struct session *s = net_session(n, 0, 1);
	struct frame f = { .verdict = FRAME_TO_PEER, .type = PACKET_IP, .len = 60 }, *fs = &f;

	f.data = f.store + FRAME_HEAD;
	f.session = s->handle;
	f.tag = 0xffffff & (attach_find(s->attachments, 0)->tag_out + 1);
	p2p_seal(p2p_view(n->nodes[0].p), p2p_lane(n->nodes[0].p, 0), &fs, 1, n->now);
	CHECK_EQ_INT(f.verdict, FRAME_TO_WIRE);
	CHECK_EQ_INT(f.len, 60 + 32);
	net_send(&n->nodes[0], f.socket, &f.remote, f.data, f.len);
	net_run(n, MSEC(100));
	CHECK_EQ_INT(n->nodes[1].data, 0);
	CHECK_EQ_INT(n->nodes[1].drops.count[DROP_TAG], 1);
	net_free(n);
}

static void test_p2p_open_leaves_control_packets_untouched(void)
{
	struct net *n = attached_pair();
	struct frame f = { .len = 40 }, *fs = &f;
	uint8_t before[40];

	f.data = f.store + FRAME_HEAD;
	net_random(&n->nodes[0], f.data, 40);
	f.data[0] = PACKET_VERSION | PACKET_CONTROL;
	memcpy(before, f.data, 40);
	p2p_open(p2p_view(n->nodes[0].p), p2p_lane(n->nodes[0].p, 0), &fs, 1, n->now);
	CHECK_EQ_INT(f.verdict, FRAME_CONTROL);
	CHECK_MEM(f.data, before, 40);
	f.data[0] = 0x80 | PACKET_CONTROL;
	p2p_open(p2p_view(n->nodes[0].p), p2p_lane(n->nodes[0].p, 0), &fs, 1, n->now);
	CHECK_EQ_INT(f.verdict, FRAME_DROP);
	CHECK_EQ_INT(f.drop, DROP_VERSION);
	net_free(n);
}

static unsigned both_ways(struct net *n, usec_t span)
{
	unsigned sent = 0;

	for (usec_t end = n->now + span; n->now < end;) {
		CHECK(net_data(n, 0, 1));
		CHECK(net_data(n, 1, 0));
		sent++;
		net_run(n, MSEC(7));
	}
	net_run(n, MSEC(100));
	return sent;
}

static unsigned received(const struct node *node)
{
	return (unsigned)node->data + node->count[P2P_DATA];
}

static void test_p2p_rekey_under_traffic_loses_nothing(void)
{
	struct net *n = attached_pair();
	uint32_t first = net_session(n, 0, 1)->current->index;
	unsigned sent = both_ways(n, SEC(400));

	CHECK(net_session(n, 0, 1)->current->index != first);
	CHECK_EQ_INT(received(&n->nodes[0]), sent);
	CHECK_EQ_INT(received(&n->nodes[1]), sent);
	CHECK_EQ_INT(events(n, P2P_SESSION_DOWN) + events(n, P2P_DETACHED), 0);
	net_free(n);
}

static void test_p2p_rekey_with_jitter_loses_nothing(void)
{
	struct net *n = attached_pair();
	unsigned sent;

	n->jitter = MSEC(40);
	sent = both_ways(n, SEC(200));
	CHECK_EQ_INT(received(&n->nodes[0]), sent);
	CHECK_EQ_INT(received(&n->nodes[1]), sent);
	net_free(n);
}

static bool no_control_to_1(struct net *n, int from, int to, const uint8_t *pkt, size_t len)
{
	(void)n;
	(void)from;
	(void)len;
	return to != 1 || pkt[0] != (PACKET_VERSION | PACKET_CONTROL);
}

static void test_p2p_data_that_comes_first_under_a_new_key_is_not_lost(void)
{
	struct net *n = attached_pair();
	unsigned sent = both_ways(n, SEC(119));

	n->tap = no_control_to_1; /* the keepalive that would take the key into use is lost */
	sent += both_ways(n, SEC(4));
	CHECK_EQ_INT(n->nodes[1].count[P2P_DATA], 1);
	CHECK_EQ_INT(received(&n->nodes[0]), sent);
	CHECK_EQ_INT(received(&n->nodes[1]), sent);
	net_free(n);
}

static void test_p2p_rekey_by_both_at_once_leaves_one_key(void)
{
	struct net *n = attached_pair();
	unsigned sent;

	for (int i = 0; i < 2; i++) {
		struct session *s = net_session(n, i, 1 - i);

		s->current->use.first_data = n->now - REKEY_DATA - REKEY_RESPONDER;
		session_touch(s);
		session_settle(n->nodes[i].p, n->now);
	}
	sent = both_ways(n, SEC(5));
	CHECK_EQ_INT(received(&n->nodes[0]), sent);
	CHECK_EQ_INT(received(&n->nodes[1]), sent);
	CHECK_EQ_INT(net_session(n, 0, 1)->current->index,
		     net_session(n, 1, 0)->current->remote_index);
	CHECK(net_session(n, 0, 1)->current->initiator != net_session(n, 1, 0)->current->initiator);
	net_free(n);
}

static bool no_handshakes(struct net *n, int from, int to, const uint8_t *pkt, size_t len)
{
	(void)n;
	(void)from;
	(void)to;
	(void)len;
	return pkt[0] != (PACKET_VERSION | PACKET_INIT);
}

static void test_p2p_data_key_is_refused_after_180_seconds(void)
{
	struct net *n = attached_pair();

	n->tap = no_handshakes;
	both_ways(n, SEC(179));
	CHECK(net_data(n, 0, 1));
	net_run(n, SEC(3));
	CHECK(!net_data(n, 0, 1));
	CHECK(n->nodes[0].count[P2P_SESSION_DOWN] == 1);
	net_free(n);
}

static void test_p2p_control_only_session_keeps_its_key_for_an_hour(void)
{
	struct net *n = pair();
	uint32_t first = net_session(n, 0, 1)->current->index;

	net_run(n, MINUTES(55));
	CHECK_EQ_INT(net_session(n, 0, 1)->current->index, first);
	net_run(n, MINUTES(10));
	CHECK(net_session(n, 0, 1)->current->index != first);
	CHECK_EQ_INT(events(n, P2P_SESSION_DOWN), 0);
	net_free(n);
}

static void test_p2p_message_limit_of_a_key_asks_for_a_new_one_and_then_refuses(void)
{
	struct net *n = attached_pair();
	struct key_slot *k = net_session(n, 0, 1)->current;
	uint32_t first = k->index;

	k->use.sent = slot_messages_max(k);
	CHECK(!net_data(n, 0, 1));
	k->use.sent = slot_messages_max(k) / 2;
	CHECK(net_data(n, 0, 1));
	net_run(n, SEC(17));
	CHECK(net_session(n, 0, 1)->current->index != first);
	net_free(n);
}

static void test_p2p_data_over_the_ring_arrives_as_events(void)
{
	struct net *n = net_new(3);

	for (int i = 0; i < 3; i++)
		p2p_namespace_set(n->nodes[i].p, 0, &secret_1, 1, n->now);
	n->cut[0][2] = n->cut[2][0] = true;
	net_boot(n, 0, 1);
	net_boot(n, 2, 1);
	net_run(n, SEC(3));
	p2p_attach(n->nodes[2].p, 0, &n->nodes[0].key.pub, n->now);
	net_run(n, SEC(5));
	CHECK_EQ_INT(net_info(n, 2, 0).kind, P2P_PATH_RING);
	CHECK_EQ_INT(n->nodes[0].count[P2P_ATTACHED], 1);
	CHECK(net_data(n, 2, 0));
	CHECK(net_data(n, 0, 2));
	net_run(n, SEC(1));
	CHECK_EQ_INT(n->nodes[0].count[P2P_DATA], 1);
	CHECK_EQ_INT(n->nodes[2].count[P2P_DATA], 1);
	CHECK_EQ_INT(n->nodes[0].last[P2P_DATA].service, PACKET_IP);
	CHECK_EQ_INT(n->nodes[0].last[P2P_DATA].len, 100);
	CHECK_EQ_INT(n->nodes[0].last[P2P_DATA].ns, 0);
	net_free(n);
}

static void test_p2p_replayed_data_is_dropped(void)
{
	struct net *n = attached_pair();

	CHECK(net_data(n, 0, 1));
	for (size_t i = 0; i < n->queued; i++)
		if (n->queue[i].bytes[0] == (PACKET_VERSION | PACKET_IP)) {
			struct packet p = n->queue[i];

			net_inject(n, &p.from, p.to, p.bytes, p.len, p.at + 1000);
			break;
		}
	net_run(n, SEC(1));
	CHECK_EQ_INT(n->nodes[1].data, 1);
	CHECK_EQ_INT(n->nodes[1].drops.count[DROP_REPLAY], 1);
	net_free(n);
}

static void test_p2p_higher_revocation_number_is_told_by_busy_sessions_too(void)
{
	struct net *n = attached_pair();

	p2p_namespace_revocation(n->nodes[0].p, 0, 7);
	p2p_namespace_revocation(n->nodes[1].p, 0, 5);
	net_run(n, SEC(1)); /* at once */
	CHECK_EQ_INT(n->nodes[1].count[P2P_REVOCATION], 1);
	CHECK_EQ_INT(n->nodes[1].last[P2P_REVOCATION].number, 7);
	CHECK(both_ways(n, SEC(40)) > 0); /* and again while the session is busy */
	CHECK(n->nodes[1].count[P2P_REVOCATION] > 1);
	CHECK_EQ_INT(n->nodes[0].count[P2P_REVOCATION], 0);
	net_free(n);
}

static void test_p2p_routed_datagram_reaches_its_node_and_only_it(void)
{
	struct net *n = net_new(3);
	struct node_id to;

	n->cut[0][2] = n->cut[2][0] = true;
	net_boot(n, 0, 1);
	net_boot(n, 2, 1);
	net_run(n, SEC(3));
	to = id_of(&n->nodes[0].key.pub);
	CHECK_EQ_INT(p2p_route(n->nodes[2].p, &to, NULL, ROUTED_DHT, (const uint8_t *)"find", 5,
			       n->now), 0);
	net_run(n, SEC(1));
	CHECK_EQ_INT(n->nodes[0].count[P2P_ROUTED], 1);
	CHECK_EQ_INT(n->nodes[1].count[P2P_ROUTED], 0);
	CHECK(key_equal(&n->nodes[0].last[P2P_ROUTED].peer, &n->nodes[2].key.pub));
	CHECK_MEM(n->nodes[0].msg, "find", 5);
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_p2p_attach_is_told_on_both_sides_with_the_others_grant),
	TEST(test_p2p_attach_makes_the_session_that_it_needs),
	TEST(test_p2p_attach_by_both_at_once_makes_one_attachment),
	TEST(test_p2p_attach_with_the_older_of_two_secrets_works),
	TEST(test_p2p_attach_under_an_unknown_secret_is_refused_without_a_grant),
	TEST(test_p2p_attach_with_a_bad_grant_is_refused),
	TEST(test_p2p_attach_waits_for_our_own_grant),
	TEST(test_p2p_detach_is_told_and_stops_data),
	TEST(test_p2p_only_attached_sessions_are_in_the_view),
	TEST(test_p2p_tags_do_not_repeat),
	TEST(test_p2p_data_under_a_tag_that_is_not_attached_is_dropped),
	TEST(test_p2p_open_leaves_control_packets_untouched),
	TEST(test_p2p_rekey_under_traffic_loses_nothing),
	TEST(test_p2p_rekey_with_jitter_loses_nothing),
	TEST(test_p2p_data_that_comes_first_under_a_new_key_is_not_lost),
	TEST(test_p2p_rekey_by_both_at_once_leaves_one_key),
	TEST(test_p2p_data_key_is_refused_after_180_seconds),
	TEST(test_p2p_control_only_session_keeps_its_key_for_an_hour),
	TEST(test_p2p_message_limit_of_a_key_asks_for_a_new_one_and_then_refuses),
	TEST(test_p2p_data_over_the_ring_arrives_as_events),
	TEST(test_p2p_replayed_data_is_dropped),
	TEST(test_p2p_higher_revocation_number_is_told_by_busy_sessions_too),
	TEST(test_p2p_routed_datagram_reaches_its_node_and_only_it),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
