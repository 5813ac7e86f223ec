/* test_p2p_hostile.c - what holders of the overlay key, and nothing more, can do to a node. */
#include "p2p/p2p.h"

#include "p2p/connect.h"
#include "p2p/handshake.h"
#include "p2p/route.h"
#include "p2p/transmit.h"
#include "tests/unit/p2p_net.h"

static struct key_pair stranger(uint32_t number)
{
	uint8_t seed[SEED_LEN] = { 0xee, (uint8_t)(number >> 16), (uint8_t)(number >> 8),
				   (uint8_t)number };
	struct key_pair key;

	while (!key_from_seed(&key, seed))
		seed[SEED_LEN - 1]++;
	return key;
}

/* A good INIT of an identity made up for it, from an address that nobody answers at. */
static void knock(struct net *n, uint32_t number)
{
	struct key_pair key = stranger(number);
	struct addr from = { .ip = ip_v4(0x0a000000 + number), .port = 9 };
	uint8_t pkt[PACKET_HANDSHAKE_MAX];
	struct handshake_self self;
	struct handshake hs;
	struct handshake_init_args a = { .self = &self, .psk = net_overlay,
					 .remote = &n->nodes[0].key.pub, .index = number + 1,
					 .start_counter = 1, .boottime = 1,
					 .own = { .instance = number, .lanes = 1 } };
	size_t len;

	CHECK(handshake_self_init(&self, &key, &crypto_real));
	net_random(&n->nodes[0], a.ephemeral, sizeof(a.ephemeral));
	len = handshake_init_create(&hs, pkt, &a);
	CHECK(len > 0);
	p2p_input(n->nodes[0].p, 0, &from, pkt, len, n->now);
}

/* A session that came up and about which nobody cares. */
static void let_in(struct net *n, uint32_t number)
{
	struct p2p *p = n->nodes[0].p;
	struct key_pair key = stranger(number);
	struct handshake_result r = { .remote = key.pub, .remote_index = 1,
				      .suite = AEAD_CHACHA20_POLY1305 };
	struct session *s = session_want(p, &key.pub, n->now);
	struct addr at = { .ip = ip_v4(0x0a000000 + number), .port = 9 };
	struct key_slot *k;

	CHECK(s != NULL);
	k = slot_new(s, n->now);
	slot_set_keys(k, &r);
	k->answered = mem_copy(&at, sizeof(at));
	session_answered(s, k, n->now);
	session_confirm(s, k, n->now);
	session_settle(p, n->now);
}

static void test_p2p_identities_that_never_came_back_are_soon_forgotten(void)
{
	struct net *n = net_new(2);

	for (uint32_t i = 0; i < 1000; i++) {
		knock(n, i);
		net_run(n, MSEC(50));
	}
	CHECK(n->nodes[0].p->sessions.count >= 100);
	CHECK(n->nodes[0].p->sessions.count <= 450); /* those of the last 20 s */
	net_run(n, SEC(25));
	CHECK_EQ_INT(n->nodes[0].p->sessions.count, 0);
	net_boot(n, 1, 0);
	net_run(n, SEC(3));
	CHECK(net_up(n, 1, 0));
	net_free(n);
}

static void test_p2p_a_full_table_has_room_for_a_newcomer_and_keeps_what_is_used(void)
{
	struct net *n = net_new(3);
	static const struct p2p_secret secret = { 1, { 11 } };

	for (int i = 0; i < 2; i++)
		p2p_namespace_set(n->nodes[i].p, 0, &secret, 1, n->now);
	p2p_attach(n->nodes[0].p, 0, &n->nodes[1].key.pub, n->now);
	net_boot(n, 1, 0);
	net_run(n, SEC(2));
	CHECK_EQ_INT(n->nodes[0].count[P2P_ATTACHED], 1);
	for (uint32_t i = 0; i < P2P_SESSIONS_MAX + 10; i++) {
		let_in(n, i);
		n->now += 10;
	}
	CHECK(n->nodes[0].p->sessions.count <= P2P_SESSIONS_MAX);
	net_boot(n, 2, 0);
	net_run(n, MSEC(300));
	CHECK(net_up(n, 2, 0));
	CHECK_EQ_INT(net_info(n, 0, 1).ns_attached, 1);
	net_free(n);
}

static void test_p2p_peers_that_acknowledge_nothing_do_not_use_up_the_memory(void)
{
	struct net *n = net_new(1);
	struct p2p *p = n->nodes[0].p;
	uint8_t *big = mem_new(P2P_MESSAGE_MAX);
	size_t down = 0;

	for (uint32_t i = 0; i < 400; i++) {
		struct key_pair key = stranger(i);

		let_in(n, i);
		for (int k = 0; k < 4; k++)
			p2p_send(p, &key.pub, SERVICE_DHT, big, P2P_MESSAGE_MAX - 200, n->now);
		/* some stand beside us on the ring and are kept */
		CHECK(p->channel_bytes <= CHANNELS_BYTES_MAX + 16 * CHANNEL_QUEUE_MAX);
		down += !p2p_has_session(p, &key.pub);
	}
	CHECK(p->channel_bytes >= CHANNELS_BYTES_MAX / 2);
	CHECK(down >= 100);
	CHECK_EQ_INT(n->nodes[0].count[P2P_SESSION_DOWN], down);
	net_run(n, SEC(40)); /* the silent are gone, and with them what waited */
	CHECK_EQ_INT(p->channel_bytes, 0);
	free(big);
	net_free(n);
}

/* One sealed plaintext of node `from`, given to node `to` as it would arrive. */
static void say(struct net *n, int from, int to, uint8_t type, const uint8_t *plain, size_t len)
{
	uint8_t pkt[2048];
	struct session *s = net_session(n, from, to);

	memcpy(pkt + PACKET_HEADER_LEN, plain, len);
	CHECK_EQ_INT(slot_seal(s->current, type, 0, pkt, len, n->now), DROP_NONE);
	p2p_input(n->nodes[to].p, 0, &n->nodes[from].addr, pkt, len + PACKET_OVERHEAD, n->now);
}

static void test_p2p_where_we_are_seen_is_believed_only_in_answer_to_a_challenge(void)
{
	struct net *n = net_new(2);
	struct addr lie = { .ip = ip_v4(0x01020304), .port = 53 };
	uint8_t plain[64];
	struct wr w = wr_of(plain, sizeof(plain));

	net_boot(n, 1, 0);
	net_run(n, SEC(2));
	wr_u8(&w, 2);
	wr_zero(&w, 8);
	wr_addr(&w, &lie);
	say(n, 1, 0, PACKET_PROBE, plain, wr_len(&w));
	for (size_t i = 0; i < OBSERVED_MAX; i++)
		CHECK(!addr_equal(&n->nodes[0].p->observed[i], &lie));
	net_free(n);
}

static uint64_t forwarded(struct net *n, uint8_t service, unsigned count)
{
	uint8_t plain[ROUTED_HEAD + 40] = { 3, 32, 0, service };
	struct node_id to = id_of(&n->nodes[2].key.pub);
	uint64_t before = n->nodes[1].sent;

	memcpy(plain + 5, to.b, ID_LEN);
	memcpy(plain + 45, n->nodes[0].key.pub.b, KEY_LEN);
	memset(plain + ROUTED_HEAD, service == 2 ? 0x51 : 0x41, 40);
	for (unsigned i = 0; i < count; i++)
		say(n, 0, 1, PACKET_CONTROL, plain, sizeof(plain));
	return n->nodes[1].sent - before;
}

static void test_p2p_one_link_cannot_have_questions_forwarded_without_bound(void)
{
	struct net *n = net_new(3);
	uint64_t got;

	net_boot(n, 0, 1);
	net_boot(n, 2, 1);
	net_run(n, SEC(3));
	CHECK(net_up(n, 1, 2));
	got = forwarded(n, 3, 5000);
	CHECK(got >= 500 && got <= 1500);
	CHECK(n->nodes[1].drops.count[DROP_RATE] >= 3500);
	net_run(n, SEC(5));
	CHECK(forwarded(n, 3, 1) == 1);
	CHECK(forwarded(n, 2, 5000) == 5000); /* data that is relayed has its own brakes */
	net_free(n);
}

static void test_p2p_a_stream_of_proposals_is_not_judged_without_bound(void)
{
	struct net *n = net_new(2);
	uint8_t msg[8 + 32 + 3 - 2] = { 1, 0, 0, 0, 1, 1 };
	struct session *s;

	net_boot(n, 0, 1);
	net_run(n, SEC(2));
	s = net_session(n, 0, 1);
	for (unsigned i = 0; i < 1000; i++) {
		channel_send(&s->channel, SERVICE_ATTACH, msg, sizeof(msg), n->now);
		session_touch(s);
	}
	session_settle(n->nodes[0].p, n->now);
	net_run(n, SEC(5));
	CHECK(n->nodes[1].drops.count[DROP_RATE] >= 700);
	CHECK(n->nodes[1].drops.count[DROP_RATE] <= 950);
	net_free(n);
}

static void test_p2p_a_peer_that_never_answers_is_not_tried_for_ever(void)
{
	struct net *n = net_new(2);
	static const struct p2p_secret secret = { 1, { 11 } };
	uint64_t sent;

	p2p_namespace_set(n->nodes[0].p, 0, &secret, 1, n->now);
	p2p_free(n->nodes[1].p, n->now);
	n->nodes[1].p = NULL;
	CHECK_EQ_INT(p2p_attach(n->nodes[0].p, 0, &n->nodes[1].key.pub, n->now), 0);
	CHECK_EQ_INT(paths_add(&net_session(n, 0, 1)->paths, &n->nodes[1].addr, 0, true, n->now),
		     0);
	net_run(n, MINUTES(15));
	CHECK(n->nodes[0].count[P2P_UNREACHABLE] >= 5);
	sent = n->nodes[0].sent;
	CHECK(sent > 20);
	net_run(n, MINUTES(30));
	CHECK_EQ_INT(n->nodes[0].sent, sent);
	CHECK_EQ_INT(n->nodes[0].p->sessions.count, 0);
	net_free(n);
}

/* The pauses of a long outage end when somebody asks, not half a minute later. */
static void test_p2p_asking_cuts_the_pause_between_tries_short(void)
{
	struct net *n = net_new(2);
	uint64_t sent;

	n->cut[0][1] = n->cut[1][0] = true;
	net_boot(n, 0, 1);
	net_run(n, MINUTES(5));
	while (net_session(n, 0, 1)->attempt->next < n->now + SEC(15))
		net_run(n, SEC(1));
	n->cut[0][1] = n->cut[1][0] = false;
	net_run(n, SEC(1));
	CHECK(!net_up(n, 0, 1));
	p2p_connect(n->nodes[0].p, &n->nodes[1].key.pub, n->now);
	net_run(n, SEC(6));
	CHECK(net_up(n, 0, 1));
	n->cut[0][1] = n->cut[1][0] = true;
	net_run(n, MINUTES(2));
	sent = n->nodes[0].sent;
	for (int i = 0; i < 1000; i++) { /* but asking often does not make it hammer */
		p2p_connect(n->nodes[0].p, &n->nodes[1].key.pub, n->now);
		net_run(n, MSEC(100));
	}
	CHECK(n->nodes[0].sent - sent >= 10);
	CHECK(n->nodes[0].sent - sent <= 60);
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_p2p_identities_that_never_came_back_are_soon_forgotten),
	TEST(test_p2p_a_full_table_has_room_for_a_newcomer_and_keeps_what_is_used),
	TEST(test_p2p_peers_that_acknowledge_nothing_do_not_use_up_the_memory),
	TEST(test_p2p_where_we_are_seen_is_believed_only_in_answer_to_a_challenge),
	TEST(test_p2p_one_link_cannot_have_questions_forwarded_without_bound),
	TEST(test_p2p_a_stream_of_proposals_is_not_judged_without_bound),
	TEST(test_p2p_a_peer_that_never_answers_is_not_tried_for_ever),
	TEST(test_p2p_asking_cuts_the_pause_between_tries_short),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
