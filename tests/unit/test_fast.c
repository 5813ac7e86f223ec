/* test_fast.c - the fast path: what it forwards, what it refuses, what it leaves to the slow
 * path. */
#include "tests/unit/vnet_rig.h"

static void test_fast_frame_with_a_flow_leaves_without_ethernet(void)
{
	static const char *const pairs[][2] = { { "10.1.0.5", "10.1.0.9" }, { "fd00::5", "fd00::9" } };
	struct rig *r = rig_new();
	uint8_t want[100];

	rig_peer(r, "10.1.0.9", 1, true);
	rig_peer(r, "fd00::9", 1, true);
	rig_forget(r);
	for (size_t i = 0; i < 2; i++) {
		size_t len = rig_udp(want, pairs[i][0], pairs[i][1], 7);

		CHECK_EQ_INT(rig_send(r, pairs[i][0], pairs[i][1], 7), FRAME_TO_PEER);
		CHECK_EQ_INT(r->frame.session, 101);
		CHECK_EQ_INT(r->frame.tag, 201);
		CHECK_EQ_INT(r->frame.type, TYPE_IP);
		CHECK_EQ_INT(r->frame.ns, 3);
		CHECK_EQ_INT(r->frame.len, len);
		CHECK_MEM(r->frame.data, want, len);
	}
	CHECK_EQ_INT(r->event_count + r->peer_count + r->port_count, 0);
	rig_free(r);
}

static void test_fast_padding_of_short_frames_does_not_travel(void)
{
	struct rig *r = rig_new();
	uint8_t out[100] = { 0 };
	struct ip_out o = { .src = rig_ip("10.1.0.5"), .dst = rig_ip("10.1.0.9"), .proto = 99,
			    .body = "x", .body_len = 1 };

	rig_peer(r, "10.1.0.9", 1, true);
	rig_eth(out, &o);
	CHECK_EQ_INT(rig_from_port(r, out, 60), FRAME_TO_PEER);
	CHECK_EQ_INT(r->frame.len, 21);
	rig_free(r);
}

static void test_fast_packet_of_the_bound_session_gets_ethernet_back(void)
{
	static const char *const pairs[][2] = { { "10.1.0.9", "10.1.0.5" }, { "fd00::9", "fd00::5" } };
	struct rig *r = rig_new();
	uint8_t want[100];

	rig_peer(r, "10.1.0.9", 1, true);
	rig_peer(r, "fd00::9", 1, true);
	for (size_t i = 0; i < 2; i++) {
		size_t len = rig_udp(want, pairs[i][0], pairs[i][1], 7);
		struct eth e;
		struct rd rd;

		CHECK_EQ_INT(rig_receive(r, 101, pairs[i][0], pairs[i][1], 7), FRAME_TO_PORT);
		rd = rd_of(r->frame.data, r->frame.len);
		eth_read(&rd, &e);
		CHECK_MEM(e.dst, rig_mac, 6);
		CHECK_MEM(e.src, r->v->view.proxy_mac, 6);
		CHECK_EQ_INT(e.type, i ? ETH_IPV6 : ETH_IPV4);
		CHECK_EQ_INT(rd_left(&rd), len);
		CHECK_MEM(rd.p, want, len);
		CHECK_EQ_INT(r->frame.port, VNET_PORT);
		CHECK_EQ_INT(r->frame.ns, 3);
	}
	rig_free(r);
}

static void test_fast_port_sources_that_are_not_its_own_are_spoofing(void)
{
	static const char *const sources[][2] = {
		{ "10.1.0.6", "10.1.0.9" },  { "10.1.0.9", "10.1.0.9" }, { "127.0.0.1", "10.1.0.9" },
		{ "224.0.0.1", "10.1.0.9" }, { "169.254.0.1", "10.1.0.9" },
		{ "fd00::6", "fd00::9" },    { "ff02::1", "fd00::9" },	 { "::1", "fd00::9" },
	};
	struct rig *r = rig_new();

	rig_peer(r, "10.1.0.9", 1, true);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		CHECK_EQ_INT(rig_send(r, sources[i][0], sources[i][1], 7), FRAME_DROP);
		CHECK_EQ_INT(r->frame.drop, DROP_SPOOF_PORT);
	}
	CHECK_EQ_INT(rig_drops(r, DROP_SPOOF_PORT), ARRAY_LEN(sources));
	rig_free(r);
}

static void test_fast_foreign_source_mac_is_spoofing(void)
{
	struct rig *r = rig_new();
	uint8_t out[100];
	struct ip_out o = { .src = rig_ip("10.1.0.5"), .dst = rig_ip("10.1.0.9"), .proto = 17 };
	size_t len = rig_eth(out, &o);

	rig_peer(r, "10.1.0.9", 1, true);
	out[11] ^= 1;
	CHECK_EQ_INT(rig_from_port(r, out, len), FRAME_DROP);
	CHECK_EQ_INT(r->frame.drop, DROP_SPOOF_PORT);
	rig_free(r);
}

static void test_fast_other_ethertypes_are_not_carried(void)
{
	static const uint16_t types[] = { 0x8100, 0x88cc, 0x0842, 60 };
	struct rig *r = rig_new();
	uint8_t out[100];
	struct ip_out o = { .src = rig_ip("10.1.0.5"), .dst = rig_ip("10.1.0.9"), .proto = 17 };
	size_t len = rig_eth(out, &o);

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		out[12] = (uint8_t)(types[i] >> 8);
		out[13] = (uint8_t)types[i];
		CHECK_EQ_INT(rig_from_port(r, out, len), FRAME_DROP);
		CHECK_EQ_INT(r->frame.drop, DROP_ETHERTYPE);
	}
	rig_free(r);
}

static void test_fast_frames_above_the_mtu_are_too_big(void)
{
	static uint8_t out[FRAME_LEN_MAX], body[1401];
	struct rig *r = rig_new();
	struct ip_out o = { .src = rig_ip("10.1.0.5"), .dst = rig_ip("10.1.0.9"), .proto = 99,
			    .body = body, .body_len = 1400 };

	rig_peer(r, "10.1.0.9", 1, true);
	CHECK_EQ_INT(rig_from_port(r, out, rig_eth(out, &o)), FRAME_TO_PEER);
	o.body_len = 1401;
	CHECK_EQ_INT(rig_from_port(r, out, rig_eth(out, &o)), FRAME_DROP);
	CHECK_EQ_INT(r->frame.drop, DROP_TOO_BIG);
	rig_free(r);
}

static void test_fast_short_and_malformed_frames_are_dropped(void)
{
	struct rig *r = rig_new();
	uint8_t out[100];
	struct ip_out o = { .src = rig_ip("10.1.0.5"), .dst = rig_ip("10.1.0.9"), .proto = 17 };
	size_t len = rig_eth(out, &o);

	for (size_t n = 0; n < len; n++) {
		CHECK_EQ_INT(rig_from_port(r, out, n), FRAME_DROP);
		CHECK_EQ_INT(r->frame.drop, n < ETH_HEADER_LEN ? DROP_SHORT : DROP_MALFORMED);
	}
	out[12] = 0x86; /* says IPv6, is IPv4 */
	out[13] = 0xdd;
	CHECK_EQ_INT(rig_from_port(r, out, len), FRAME_DROP);
	CHECK_EQ_INT(r->frame.drop, DROP_MALFORMED);
	rig_free(r);
}

static void test_fast_source_bound_to_another_session_does_not_pass(void)
{
	struct rig *r = rig_new();
	struct pubkey other = rig_key(2);

	rig_peer(r, "10.1.0.9", 1, true);
	vnet_peer_up(r->v, &other, 102, 202, r->now);
	CHECK_EQ_INT(rig_receive(r, 102, "10.1.0.9", "10.1.0.5", 7), FRAME_UPCALL);
	CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 7), FRAME_TO_PORT);
	rig_wait(r, MSEC(500));
	CHECK_EQ_INT(rig_drops(r, DROP_SPOOF_PEER), 1);
	CHECK_EQ_INT(r->port_count, 0);
	rig_free(r);
}

static void test_fast_stale_binding_passes_neither_way(void)
{
	struct rig *r = rig_new();

	rig_peer(r, "10.1.0.9", 1, true);
	r->now += HOURS(1) - 1;
	CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 7), FRAME_TO_PEER);
	CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 7), FRAME_TO_PORT);
	r->now++;
	CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 7), FRAME_UPCALL);
	CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 7), FRAME_UPCALL);
	CHECK_EQ_INT(r->peer_count + r->port_count, 0);
	rig_free(r);
}

static void test_fast_packets_for_others_are_nobodys(void)
{
	static const char *const dsts[] = { "10.1.0.6", "10.1.0.1", "224.0.0.251", "10.1.255.255" };
	struct rig *r = rig_new();

	rig_peer(r, "10.1.0.9", 1, true);
	for (size_t i = 0; i < ARRAY_LEN(dsts); i++) {
		CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", dsts[i], 7), FRAME_DROP);
		CHECK_EQ_INT(r->frame.drop, DROP_NO_DEST);
	}
	rig_free(r);
}

static void test_fast_malformed_packets_of_a_session_are_dropped(void)
{
	struct rig *r = rig_new();
	uint8_t pkt[100] = { 0 };
	size_t len = rig_udp(pkt, "10.1.0.9", "10.1.0.5", 7);

	rig_peer(r, "10.1.0.9", 1, true);
	for (size_t n = 0; n < len; n++)
		CHECK_EQ_INT(rig_from_session(r, 101, pkt, n), FRAME_DROP);
	CHECK_EQ_INT(rig_from_session(r, 101, pkt, len + 1), FRAME_DROP); /* nothing left over */
	CHECK_EQ_INT(rig_drops(r, DROP_MALFORMED), len + 1);
	rig_free(r);
}

static void test_fast_ethernet_packets_of_a_session_are_refused(void)
{
	struct rig *r = rig_new();
	struct frame *f = &r->frame;

	rig_peer(r, "10.1.0.9", 1, true);
	rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 7);
	f->data += ETH_HEADER_LEN;
	f->len -= ETH_HEADER_LEN;
	f->type = 18;
	vnet_from_session(vnet_view(r->v), vnet_lane(r->v, 0), &f, 1, r->now);
	CHECK_EQ_INT(f->verdict, FRAME_DROP);
	CHECK_EQ_INT(f->drop, DROP_ETHERTYPE);
	rig_free(r);
}

static void test_fast_peers_cannot_speak_neighbour_discovery(void)
{
	struct rig *r = rig_new();
	uint8_t body[24], pkt[100];
	struct ip_out o = { .src = rig_ip("fd00::9"), .dst = rig_ip("fd00::5"), .proto = IP_ICMPV6,
			    .hops = 255, .body = body, .body_len = sizeof(body) };

	rig_peer(r, "fd00::9", 1, true);
	for (int type = 133; type <= 137; type++) {
		memset(body, 0, sizeof(body));
		body[0] = (uint8_t)type;
		CHECK_EQ_INT(rig_from_session(r, 101, pkt, ip_write(pkt, sizeof(pkt), &o)),
			     FRAME_DROP);
		CHECK_EQ_INT(r->frame.drop, DROP_SPOOF_PEER);
	}
	body[0] = ICMP6_ECHO;
	CHECK_EQ_INT(rig_from_session(r, 101, pkt, ip_write(pkt, sizeof(pkt), &o)), FRAME_TO_PORT);
	rig_free(r);
}

static void test_fast_batch_gets_a_verdict_each_and_use_is_counted(void)
{
	struct rig *r = rig_new();
	struct frame *batch[8];
	struct frame_pool pool;
	struct vnet_flow_info info;
	size_t at = 0;

	frame_pool_init(&pool, ARRAY_LEN(batch));
	rig_peer(r, "10.1.0.9", 1, true);
	r->now += SEC(5);
	for (size_t i = 0; i < ARRAY_LEN(batch); i++) {
		struct ip_out o = { .src = rig_ip("10.1.0.5"), .proto = 17,
				    .dst = rig_ip(i % 2 ? "10.1.0.9" : "10.1.0.8") };

		batch[i] = frame_get(&pool);
		batch[i]->len = (uint32_t)rig_eth(batch[i]->data, &o);
	}
	vnet_from_port(vnet_view(r->v), vnet_lane(r->v, 0), batch, ARRAY_LEN(batch), r->now);
	for (size_t i = 0; i < ARRAY_LEN(batch); i++) {
		CHECK_EQ_INT(batch[i]->verdict, i % 2 ? FRAME_TO_PEER : FRAME_UPCALL);
		frame_put(&pool, batch[i]);
	}
	CHECK(vnet_flow_next(r->v, &at, &info, r->now + SEC(1)));
	CHECK_EQ_INT(info.packets, 4);
	CHECK_EQ_INT(info.idle, SEC(1));
	frame_pool_fini(&pool);
	rig_free(r);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_fast_frame_with_a_flow_leaves_without_ethernet),
		TEST(test_fast_padding_of_short_frames_does_not_travel),
		TEST(test_fast_packet_of_the_bound_session_gets_ethernet_back),
		TEST(test_fast_port_sources_that_are_not_its_own_are_spoofing),
		TEST(test_fast_foreign_source_mac_is_spoofing),
		TEST(test_fast_other_ethertypes_are_not_carried),
		TEST(test_fast_frames_above_the_mtu_are_too_big),
		TEST(test_fast_short_and_malformed_frames_are_dropped),
		TEST(test_fast_source_bound_to_another_session_does_not_pass),
		TEST(test_fast_stale_binding_passes_neither_way),
		TEST(test_fast_packets_for_others_are_nobodys),
		TEST(test_fast_malformed_packets_of_a_session_are_dropped),
		TEST(test_fast_ethernet_packets_of_a_session_are_refused),
		TEST(test_fast_peers_cannot_speak_neighbour_discovery),
		TEST(test_fast_batch_gets_a_verdict_each_and_use_is_counted),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
