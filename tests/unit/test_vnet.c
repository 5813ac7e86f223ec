/* test_vnet.c - resolving, holding, sessions that come and go, bounds. */
#include "tests/unit/vnet_rig.h"

static void test_vnet_frames_wait_for_owner_and_session_and_leave_in_order(void)
{
	struct rig *r = rig_new();
	struct pubkey k = rig_key(1);

	for (uint8_t i = 0; i < 5; i++)
		CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", i), FRAME_UPCALL);
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 1);
	CHECK_EQ_INT(rig_events(r, VNET_ATTACH), 0);
	rig_peer(r, "10.1.0.9", 1, false);
	CHECK_EQ_INT(rig_events(r, VNET_ATTACH), 1);
	CHECK(key_equal(&r->events[1].peer, &k));
	CHECK_EQ_INT(r->peer_count, 0);
	vnet_peer_up(r->v, &k, 55, 66, r->now);
	CHECK_EQ_INT(r->peer_count, 5);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ_INT(rig_mark(&r->peer[i]), i);
		CHECK_EQ_INT(r->peer[i].session, 55);
		CHECK_EQ_INT(r->peer[i].tag, 66);
	}
	CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 9), FRAME_TO_PEER);
	rig_free(r);
}

static void test_vnet_session_may_come_before_any_flow(void)
{
	struct rig *r = rig_new();
	struct pubkey k = rig_key(1);

	vnet_peer_up(r->v, &k, 101, 201, r->now);
	rig_send(r, "10.1.0.5", "10.1.0.9", 1);
	rig_peer(r, "10.1.0.9", 1, false);
	CHECK_EQ_INT(r->peer_count, 1);
	CHECK_EQ_INT(rig_events(r, VNET_ATTACH), 0);
	rig_free(r);
}

static void test_vnet_at_most_sixteen_frames_wait_for_three_seconds(void)
{
	struct rig *r = rig_new();

	for (uint8_t i = 0; i < 20; i++)
		rig_send(r, "10.1.0.5", "10.1.0.9", i);
	CHECK_EQ_INT(rig_drops(r, DROP_FULL), 4);
	rig_wait(r, SEC(3));
	CHECK_EQ_INT(rig_drops(r, DROP_NO_DEST), 16);
	rig_peer(r, "10.1.0.9", 1, true);
	CHECK_EQ_INT(r->peer_count, 0);
	rig_free(r);
}

static void test_vnet_frames_for_an_owner_without_session_expire_as_such(void)
{
	struct rig *r = rig_new();

	rig_peer(r, "10.1.0.9", 1, false);
	rig_send(r, "10.1.0.5", "10.1.0.9", 1);
	rig_wait(r, SEC(3));
	CHECK_EQ_INT(rig_drops(r, DROP_NO_SESSION), 1);
	rig_free(r);
}

static void test_vnet_held_frames_are_bounded_in_total(void)
{
	struct rig *r = rig_new();
	char dst[20];

	for (int i = 0; i < 100; i++)
		for (uint8_t k = 0; k < 16; k++) {
			snprintf(dst, sizeof(dst), "10.1.1.%d", i);
			rig_send(r, "10.1.0.5", dst, k);
		}
	CHECK_EQ_INT(rig_drops(r, DROP_FULL), 1600 - VNET_HELD_TOTAL_MAX);
	rig_free(r);
}

static void check_unreachable(const struct rig_out *o, const char *src, const char *dst, int type)
{
	struct ip s = rig_ip(src), d = rig_ip(dst);
	struct packet p, quoted;

	CHECK(packet_read(&p, o->data + ETH_HEADER_LEN, o->len - ETH_HEADER_LEN));
	CHECK(ip_equal(&p.src, &s) && ip_equal(&p.dst, &d));
	CHECK_EQ_INT(packet_icmp(&p), type);
	CHECK(packet_checksum_ok(&p));
	CHECK(packet_read(&quoted, p.body + 8, p.body_len - 8));
	CHECK(ip_equal(&quoted.src, &d));
}

static void test_vnet_destination_without_owner_is_unreachable(void)
{
	static const char *const rows[][4] = {
		{ "10.1.0.5", "10.1.0.9", "10.1.0.1" }, { "fd00::5", "fd00::9", "fd00::1" },
	};

	for (size_t i = 0; i < 2; i++) {
		struct rig *r = rig_new();
		struct ip ip = rig_ip(rows[i][1]);

		rig_send(r, rows[i][0], rows[i][1], 1);
		CHECK_EQ_INT(r->port_count, 0);
		vnet_resolved(r->v, &ip, NULL, 0, 0, r->now);
		CHECK_EQ_INT(r->port_count, 1);
		check_unreachable(&r->port[0], rows[i][2], rows[i][0],
				  i ? ICMP6_UNREACHABLE : ICMP_UNREACHABLE);
		CHECK_EQ_INT(r->port[0].data[14 + (i ? 41 : 21)], i ? 3 : 1);
		rig_send(r, rows[i][0], rows[i][1], 1); /* known for two seconds */
		CHECK_EQ_INT(r->port_count, 2);
		CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 1);
		for (int k = 0; k < 300; k++)
			rig_send(r, rows[i][0], rows[i][1], 1);
		CHECK(r->port_count <= 50);
		rig_wait(r, SEC(2));
		rig_send(r, rows[i][0], rows[i][1], 1);
		CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 2);
		rig_free(r);
	}
}

static void test_vnet_no_error_is_sent_about_an_error(void)
{
	struct rig *r = rig_new();
	uint8_t body[36] = { ICMP_UNREACHABLE, 1 }, out[200];
	struct ip_out o = { .src = rig_ip("10.1.0.5"), .dst = rig_ip("10.1.0.9"), .proto = IP_ICMP,
			    .hops = 64, .body = body, .body_len = sizeof(body) };

	vnet_resolved(r->v, &o.dst, NULL, 0, 0, r->now);
	rig_from_port(r, out, rig_eth(out, &o));
	vnet_resolved(r->v, &o.dst, NULL, 0, 0, r->now);
	CHECK_EQ_INT(r->port_count, 0);
	rig_free(r);
}

static void test_vnet_destinations_outside_are_dropped(void)
{
	static const char *const rows[][2] = { { "10.1.0.5", "10.2.0.9" }, { "10.1.0.5", "192.0.2.1" },
					       { "10.1.0.5", "10.1.0.5" }, { "fd00::5", "fd01::9" } };
	struct rig *r = rig_new();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		rig_send(r, rows[i][0], rows[i][1], 1);
	CHECK_EQ_INT(rig_drops(r, DROP_NO_DEST), ARRAY_LEN(rows));
	CHECK_EQ_INT(r->event_count + r->port_count, 0);
	rig_free(r);
}

static void test_vnet_session_down_holds_and_asks_for_it_once_a_second(void)
{
	struct rig *r = rig_new();
	struct pubkey k = rig_key(1);

	rig_peer(r, "10.1.0.9", 1, true);
	rig_wait(r, SEC(2));
	rig_forget(r);
	vnet_peer_down(r->v, &k, r->now);
	for (int i = 0; i < 3; i++)
		CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 1), FRAME_UPCALL);
	CHECK_EQ_INT(rig_events(r, VNET_ATTACH), 1);
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 0);
	r->now += SEC(1);
	rig_send(r, "10.1.0.5", "10.1.0.9", 1);
	CHECK_EQ_INT(rig_events(r, VNET_ATTACH), 2);
	CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 1), FRAME_UPCALL);
	CHECK_EQ_INT(rig_drops(r, DROP_SPOOF_PEER), 1); /* a session nobody has any more */
	vnet_peer_up(r->v, &k, 103, 203, r->now);
	CHECK_EQ_INT(r->peer_count, 4);
	CHECK_EQ_INT(r->peer[3].session, 103);
	rig_free(r);
}

static void test_vnet_active_flow_is_resolved_again_before_it_goes_stale(void)
{
	struct rig *r = rig_new();
	struct ip ip = rig_ip("10.1.0.9");
	struct pubkey k = rig_key(1);

	rig_peer(r, "10.1.0.9", 1, true);
	rig_forget(r);
	for (int i = 0; i < 14; i++) {
		rig_wait(r, MINUTES(4));
		CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 1), FRAME_TO_PEER);
	}
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 0);
	rig_wait(r, MINUTES(3));
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 1); /* one minute before the hour is over */
	vnet_resolved(r->v, &ip, &k, 1, r->now + HOURS(1), r->now);
	rig_wait(r, MINUTES(1));
	CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 1), FRAME_TO_PEER);
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 1);
	rig_free(r);
}

static void test_vnet_idle_flow_is_dropped_without_asking(void)
{
	struct rig *r = rig_new();
	struct vnet_flow_info info;
	size_t at = 0;

	rig_peer(r, "10.1.0.9", 1, true);
	rig_forget(r);
	rig_wait(r, MINUTES(5) - 1);
	CHECK(vnet_flow_next(r->v, &at, &info, r->now));
	at = 0;
	rig_wait(r, 2);
	CHECK(!vnet_flow_next(r->v, &at, &info, r->now));
	CHECK_EQ_INT(r->event_count, 0);
	rig_free(r);
}

static void test_vnet_scan_of_the_subnet_does_not_push_out_a_flow_in_use(void)
{
	struct rig *r = rig_new();
	struct vnet_flow_info info;
	size_t at = 0, n = 0;

	rig_peer(r, "10.1.0.9", 1, true);
	for (uint32_t i = 0; i < 20000; i++) {
		char dst[20];

		snprintf(dst, sizeof(dst), "10.1.%u.%u", 1 + i / 250, i % 250);
		r->now += 10;
		rig_send(r, "10.1.0.5", dst, 1);
		if (i % 100 == 0)
			CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 1), FRAME_TO_PEER);
	}
	CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 1), FRAME_TO_PEER);
	while (vnet_flow_next(r->v, &at, &info, r->now))
		n++;
	CHECK(n <= VNET_FLOWS_MAX);
	CHECK(n > VNET_FLOWS_MAX / 2);
	rig_free(r);
}

static void test_vnet_questions_are_rate_limited(void)
{
	struct rig *r = rig_new();

	for (uint32_t i = 0; i < 2000; i++) {
		char dst[20];

		snprintf(dst, sizeof(dst), "10.1.%u.%u", 1 + i / 250, i % 250);
		rig_send(r, "10.1.0.5", dst, 1);
	}
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 500);
	rig_free(r);
}

static void test_vnet_peers_are_bounded_and_attached_ones_stay(void)
{
	struct rig *r = rig_new();
	size_t count;

	rig_peer(r, "10.1.0.9", 1, true);
	for (uint32_t i = 0; i < VNET_PEERS_MAX + 50; i++) {
		struct pubkey k = { { 0xff, (uint8_t)(i >> 8), (uint8_t)i } };
		struct ip ip = ip_v4(0x0a010100 + i);

		vnet_resolved(r->v, &ip, &k, 1, r->now + HOURS(1), r->now);
	}
	count = r->v->peers.by_key.count;
	CHECK_EQ_INT(count, VNET_PEERS_MAX);
	CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 1), FRAME_TO_PEER);
	rig_free(r);
}

static void test_vnet_closed_ports_of_the_dns_address_say_so(void)
{
	struct rig *r = rig_new();

	rig_send(r, "10.1.0.5", "10.1.0.1", 1);
	CHECK_EQ_INT(r->port_count, 1);
	check_unreachable(&r->port[0], "10.1.0.1", "10.1.0.5", ICMP_UNREACHABLE);
	CHECK_EQ_INT(r->port[0].data[14 + 21], 3);
	rig_free(r);
}

static void test_vnet_drops_are_logged_once_a_minute(void)
{
	struct rig *r = rig_new();

	for (int i = 0; i < 10; i++) {
		rig_send(r, "10.1.0.6", "10.1.0.9", 1);
		vnet_tick(r->v, r->now);
	}
	CHECK_EQ_INT(r->log_lines, 1);
	r->now += SEC(60);
	vnet_tick(r->v, r->now);
	CHECK_EQ_INT(r->log_lines, 2);
	r->now += SEC(60);
	vnet_tick(r->v, r->now);
	CHECK_EQ_INT(r->log_lines, 2);
	rig_free(r);
}

static void test_vnet_idle_one_has_no_deadline(void)
{
	struct rig *r = rig_new();

	CHECK(vnet_deadline(r->v) == USEC_NEVER);
	rig_send(r, "10.1.0.5", "10.1.0.9", 1);
	CHECK(vnet_deadline(r->v) <= r->now + SEC(3));
	rig_wait(r, MINUTES(6));
	CHECK(vnet_deadline(r->v) == USEC_NEVER);
	rig_free(r);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_vnet_frames_wait_for_owner_and_session_and_leave_in_order),
		TEST(test_vnet_session_may_come_before_any_flow),
		TEST(test_vnet_at_most_sixteen_frames_wait_for_three_seconds),
		TEST(test_vnet_frames_for_an_owner_without_session_expire_as_such),
		TEST(test_vnet_held_frames_are_bounded_in_total),
		TEST(test_vnet_destination_without_owner_is_unreachable),
		TEST(test_vnet_no_error_is_sent_about_an_error),
		TEST(test_vnet_destinations_outside_are_dropped),
		TEST(test_vnet_session_down_holds_and_asks_for_it_once_a_second),
		TEST(test_vnet_active_flow_is_resolved_again_before_it_goes_stale),
		TEST(test_vnet_idle_flow_is_dropped_without_asking),
		TEST(test_vnet_scan_of_the_subnet_does_not_push_out_a_flow_in_use),
		TEST(test_vnet_questions_are_rate_limited),
		TEST(test_vnet_peers_are_bounded_and_attached_ones_stay),
		TEST(test_vnet_closed_ports_of_the_dns_address_say_so),
		TEST(test_vnet_drops_are_logged_once_a_minute),
		TEST(test_vnet_idle_one_has_no_deadline),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
