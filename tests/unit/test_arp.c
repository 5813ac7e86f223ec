/* test_arp.c - rule I7. */
#include "tests/unit/vnet_rig.h"

static void check_answer(const struct rig *r, const char *target, const char *asker)
{
	struct ip t = rig_ip(target), a = rig_ip(asker);
	struct rd rd = rd_of(r->port[0].data, r->port[0].len);
	struct eth e;

	CHECK_EQ_INT(r->port_count, 1);
	eth_read(&rd, &e);
	CHECK_MEM(e.dst, rig_mac, 6);
	CHECK_EQ_INT(e.src[0] << 8 | e.src[1], 0xfefd);
	CHECK_EQ_INT(e.type, ETH_ARP);
	rd_u32(&rd);
	rd_u16(&rd);
	CHECK_EQ_INT(rd_u16(&rd), 2);
	CHECK_MEM(rd.p, e.src, 6);
	CHECK_MEM(rd.p + 6, t.b, 4);
	CHECK_MEM(rd.p + 10, rig_mac, 6);
	CHECK_MEM(rd.p + 16, a.b, 4);
}

static void test_arp_request_is_answered_only_once_an_owner_is_known(void)
{
	struct rig *r = rig_new();

	rig_ask_arp(r, "10.1.0.5", "10.1.0.9");
	CHECK_EQ_INT(r->port_count, 0);
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 1);
	rig_peer(r, "10.1.0.9", 1, false);
	check_answer(r, "10.1.0.9", "10.1.0.5");
	CHECK_EQ_INT(rig_events(r, VNET_ATTACH), 1); /* the session is made meanwhile */
	rig_forget(r);
	rig_ask_arp(r, "10.1.0.5", "10.1.0.9");
	check_answer(r, "10.1.0.9", "10.1.0.5");
	rig_free(r);
}

static void test_arp_request_for_an_unowned_address_stays_silent(void)
{
	struct rig *r = rig_new();
	struct ip ip = rig_ip("10.1.0.9");

	rig_ask_arp(r, "10.1.0.5", "10.1.0.9");
	vnet_resolved(r->v, &ip, NULL, 0, 0, r->now);
	rig_ask_arp(r, "10.1.0.5", "10.1.0.9");
	CHECK_EQ_INT(r->port_count, 0);
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 1); /* believed for two seconds */
	rig_wait(r, SEC(2));
	rig_ask_arp(r, "10.1.0.5", "10.1.0.9");
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 2);
	rig_free(r);
}

static void test_arp_repeated_requests_are_one_question_and_one_answer(void)
{
	struct rig *r = rig_new();

	for (int i = 0; i < 9; i++)
		rig_ask_arp(r, "10.1.0.5", "10.1.0.9");
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 1);
	rig_wait(r, SEC(1));
	rig_ask_arp(r, "10.1.0.5", "10.1.0.9");
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 2);
	rig_peer(r, "10.1.0.9", 1, true);
	CHECK_EQ_INT(r->port_count, 1);
	rig_free(r);
}

static void test_arp_dns_address_is_always_answered(void)
{
	struct rig *r = rig_new();

	rig_ask_arp(r, "10.1.0.5", "10.1.0.1");
	check_answer(r, "10.1.0.1", "10.1.0.5");
	CHECK_EQ_INT(r->event_count, 0);
	rig_free(r);
}

static void test_arp_probes_for_our_own_address_stay_silent(void)
{
	struct rig *r = rig_new();

	rig_ask_arp(r, "0.0.0.0", "10.1.0.5");
	rig_ask_arp(r, "10.1.0.5", "10.1.0.5");
	CHECK_EQ_INT(r->port_count, 0);
	CHECK_EQ_INT(r->event_count, 0);
	CHECK_EQ_INT(rig_drops(r, DROP_SPOOF_PORT), 0);
	rig_free(r);
}

static void test_arp_probe_for_a_taken_address_is_answered(void)
{
	struct rig *r = rig_new();

	rig_peer(r, "10.1.0.9", 1, true);
	rig_ask_arp(r, "0.0.0.0", "10.1.0.9");
	check_answer(r, "10.1.0.9", "0.0.0.0");
	rig_free(r);
}

static void test_arp_addresses_outside_and_at_the_edges_are_nobodys(void)
{
	static const char *const targets[] = { "10.2.0.9", "192.0.2.1", "10.1.255.255", "10.1.0.0",
					       "224.0.0.1" };
	struct rig *r = rig_new();

	for (size_t i = 0; i < ARRAY_LEN(targets); i++)
		rig_ask_arp(r, "10.1.0.5", targets[i]);
	CHECK_EQ_INT(r->port_count + r->event_count, 0);
	CHECK_EQ_INT(rig_drops(r, DROP_NO_DEST), ARRAY_LEN(targets));
	rig_free(r);
}

static void test_arp_foreign_senders_are_spoofing(void)
{
	static const uint8_t other[6] = { 2, 0, 0, 0, 0, 6 };
	struct rig *r = rig_new();
	uint8_t out[60];

	rig_ask_arp(r, "10.1.0.6", "10.1.0.1");
	rig_from_port(r, out, rig_arp(out, 1, other, "10.1.0.5", "10.1.0.1"));
	CHECK_EQ_INT(rig_drops(r, DROP_SPOOF_PORT), 2);
	CHECK_EQ_INT(r->port_count, 0);
	rig_free(r);
}

static void test_arp_malformed_packets_and_replies_are_dropped(void)
{
	struct rig *r = rig_new();
	uint8_t out[60];
	size_t len = rig_arp(out, 1, rig_mac, "10.1.0.5", "10.1.0.1");

	for (size_t n = ETH_HEADER_LEN; n < ETH_HEADER_LEN + 28; n++)
		rig_from_port(r, out, n);
	for (size_t at = ETH_HEADER_LEN; at < ETH_HEADER_LEN + 6; at++) {
		out[at] ^= 0x40; /* types and lengths */
		rig_from_port(r, out, len);
		out[at] ^= 0x40;
	}
	CHECK_EQ_INT(rig_drops(r, DROP_MALFORMED), 28 + 6);
	rig_from_port(r, out, rig_arp(out, 2, rig_mac, "10.1.0.5", "10.1.0.1"));
	CHECK_EQ_INT(rig_drops(r, DROP_NO_DEST), 1);
	CHECK_EQ_INT(r->port_count, 0);
	rig_free(r);
}

static void test_arp_one_mac_stands_for_everybody_and_differs_between_nodes(void)
{
	struct rig *r = rig_new();
	struct log log = { 0 };
	struct vnet_config c = rig_config(&log);
	struct vnet_env env = r->v->env;
	struct vnet *other = vnet_new(&c, &env, 0);

	rig_peer(r, "10.1.0.9", 1, true);
	rig_peer(r, "10.1.0.10", 2, true);
	rig_ask_arp(r, "10.1.0.5", "10.1.0.9");
	rig_ask_arp(r, "10.1.0.5", "10.1.0.10");
	CHECK_MEM(r->port[0].data + 6, r->port[1].data + 6, 6);
	CHECK(memcmp(other->view.proxy_mac, r->v->view.proxy_mac, 6) != 0);
	vnet_free(other);
	rig_free(r);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_arp_request_is_answered_only_once_an_owner_is_known),
		TEST(test_arp_request_for_an_unowned_address_stays_silent),
		TEST(test_arp_repeated_requests_are_one_question_and_one_answer),
		TEST(test_arp_dns_address_is_always_answered),
		TEST(test_arp_probes_for_our_own_address_stay_silent),
		TEST(test_arp_probe_for_a_taken_address_is_answered),
		TEST(test_arp_addresses_outside_and_at_the_edges_are_nobodys),
		TEST(test_arp_foreign_senders_are_spoofing),
		TEST(test_arp_malformed_packets_and_replies_are_dropped),
		TEST(test_arp_one_mac_stands_for_everybody_and_differs_between_nodes),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
