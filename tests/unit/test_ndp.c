/* test_ndp.c - neighbour discovery. */
#include "tests/unit/vnet_rig.h"

/* A neighbour solicitation as our kernel sends it. */
static size_t solicit(uint8_t *out, const char *src, const char *dst, const char *target)
{
	struct ip t = rig_ip(target);
	uint8_t body[24] = { ICMP6_NS };
	struct ip_out o = { .src = rig_ip(src), .dst = rig_ip(dst), .proto = IP_ICMPV6, .hops = 255,
			    .body = body, .body_len = sizeof(body) };

	memcpy(body + 8, t.b, 16);
	return rig_eth(out, &o);
}

static void ask(struct rig *r, const char *src, const char *target)
{
	uint8_t out[200];

	rig_from_port(r, out, solicit(out, src, "ff02::1:ff00:9", target));
}

static void check_answer(const struct rig *r, const char *target, const char *to, uint32_t flags)
{
	const struct rig_out *o = &r->port[0];
	struct ip t = rig_ip(target), dst = rig_ip(to);
	struct packet p;
	struct rd rd;

	CHECK_EQ_INT(r->port_count, 1);
	CHECK(packet_read(&p, o->data + ETH_HEADER_LEN, o->len - ETH_HEADER_LEN));
	CHECK(ip_equal(&p.src, &t) && ip_equal(&p.dst, &dst));
	CHECK_EQ_INT(p.hops, 255);
	CHECK(packet_checksum_ok(&p));
	rd = rd_of(p.body, p.body_len);
	CHECK_EQ_INT(rd_u8(&rd), ICMP6_NA);
	rd_u24(&rd);
	CHECK_EQ_INT(rd_u32(&rd), flags);
	CHECK_MEM(rd.p, t.b, 16);
	rd_bytes(&rd, 16);
	CHECK_EQ_INT(rd_u16(&rd), 0x0201);
	CHECK_MEM(rd.p, r->v->view.proxy_mac, 6);
	rd_bytes(&rd, 6);
	CHECK(rd_done(&rd));
}

static void test_ndp_solicitation_is_answered_once_an_owner_is_known(void)
{
	struct rig *r = rig_new();

	ask(r, "fd00::5", "fd00::9");
	CHECK_EQ_INT(r->port_count, 0);
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 1);
	rig_peer(r, "fd00::9", 1, false);
	check_answer(r, "fd00::9", "fd00::5", 0x60000000);
	CHECK_EQ_INT(rig_events(r, VNET_ATTACH), 1);
	rig_free(r);
}

static void test_ndp_link_local_asker_is_answered(void)
{
	struct rig *r = rig_new();

	ask(r, "fe80::1", "fd00::1");
	check_answer(r, "fd00::1", "fe80::1", 0x60000000);
	rig_free(r);
}

static void test_ndp_own_addresses_are_never_answered(void)
{
	struct rig *r = rig_new();

	ask(r, "::", "fd00::5");
	ask(r, "fd00::5", "fd00::5");
	CHECK_EQ_INT(r->port_count + r->event_count, 0);
	rig_free(r);
}

static void test_ndp_duplicate_detection_of_a_taken_address_is_answered_to_all(void)
{
	struct rig *r = rig_new();

	rig_peer(r, "fd00::9", 1, true);
	ask(r, "::", "fd00::9");
	check_answer(r, "fd00::9", "ff02::1", 0x20000000);
	rig_free(r);
}

static void test_ndp_unicast_solicitation_does_not_reach_the_peer(void)
{
	struct rig *r = rig_new();
	uint8_t out[200];

	rig_peer(r, "fd00::9", 1, true);
	CHECK_EQ_INT(rig_from_port(r, out, solicit(out, "fd00::5", "fd00::9", "fd00::9")),
		     FRAME_UPCALL);
	check_answer(r, "fd00::9", "fd00::5", 0x60000000);
	CHECK_EQ_INT(r->peer_count, 0);
	rig_free(r);
}

static void test_ndp_malformed_solicitations_are_dropped(void)
{
	struct rig *r = rig_new();
	uint8_t out[200], good[200];
	size_t len = solicit(good, "fd00::5", "ff02::1:ff00:1", "fd00::1");
	static const size_t places[] = { 14 + 7 /* hops */, 14 + 41 /* code */, 14 + 42 /* sum */,
					 14 + 60 /* target */ };

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		memcpy(out, good, len);
		out[places[i]] ^= 1;
		rig_from_port(r, out, len);
	}
	CHECK_EQ_INT(rig_drops(r, DROP_MALFORMED), ARRAY_LEN(places));
	CHECK_EQ_INT(r->port_count, 0);
	rig_from_port(r, good, len);
	CHECK_EQ_INT(r->port_count, 1);
	rig_free(r);
}

static void noise(struct rig *r, const char *src, const char *dst, uint8_t proto, uint8_t type)
{
	uint8_t out[200], body[24] = { type };
	struct ip_out o = { .src = rig_ip(src), .dst = rig_ip(dst), .proto = proto, .hops = 255,
			    .body = body, .body_len = sizeof(body) };

	rig_from_port(r, out, rig_eth(out, &o));
}

static void test_ndp_link_noise_is_dropped_silently_and_is_no_spoofing(void)
{
	struct rig *r = rig_new();

	noise(r, "fe80::1", "ff02::2", IP_ICMPV6, 133);	   /* router solicitation */
	noise(r, "::", "ff02::16", IP_ICMPV6, 143);	   /* MLD */
	noise(r, "fe80::1", "ff02::fb", IP_UDP, 0);	   /* mDNS */
	noise(r, "fd00::5", "ff02::fb", IP_UDP, 0);
	noise(r, "fe80::1", "fe80::2", IP_TCP, 0);
	noise(r, "fe80::1", "fd00::9", IP_TCP, 0);
	noise(r, "10.1.0.5", "224.0.0.251", IP_UDP, 0);
	noise(r, "10.1.0.5", "255.255.255.255", IP_UDP, 0);
	noise(r, "10.1.0.5", "10.1.255.255", IP_UDP, 0);
	noise(r, "0.0.0.0", "224.0.0.22", 2, 0);	   /* IGMP before there is an address */
	CHECK_EQ_INT(rig_drops(r, DROP_NO_DEST), 10);
	CHECK_EQ_INT(rig_drops(r, DROP_SPOOF_PORT), 0);
	CHECK_EQ_INT(r->port_count + r->peer_count + r->event_count, 0);
	rig_free(r);
}

static void test_ndp_unspecified_source_never_leaves(void)
{
	struct rig *r = rig_new();

	rig_peer(r, "fd00::9", 1, true);
	rig_peer(r, "10.1.0.9", 1, true);
	noise(r, "::", "fd00::9", IP_UDP, 0);
	noise(r, "0.0.0.0", "10.1.0.9", IP_UDP, 0);
	noise(r, "fe80::1", "fd00::9", IP_UDP, 0);
	CHECK_EQ_INT(r->peer_count, 0);
	CHECK_EQ_INT(rig_drops(r, DROP_NO_DEST), 3);
	rig_free(r);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_ndp_solicitation_is_answered_once_an_owner_is_known),
		TEST(test_ndp_link_local_asker_is_answered),
		TEST(test_ndp_own_addresses_are_never_answered),
		TEST(test_ndp_duplicate_detection_of_a_taken_address_is_answered_to_all),
		TEST(test_ndp_unicast_solicitation_does_not_reach_the_peer),
		TEST(test_ndp_malformed_solicitations_are_dropped),
		TEST(test_ndp_link_noise_is_dropped_silently_and_is_no_spoofing),
		TEST(test_ndp_unspecified_source_never_leaves),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
