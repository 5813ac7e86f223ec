/* test_ping.c - vnet_ping, and echo at the DNS address. */
#include <errno.h>

#include "tests/unit/vnet_rig.h"

/* Turns the request last sent to a peer into the reply and lets it arrive. */
static enum frame_verdict reflect(struct rig *r, size_t at, uint32_t session, uint16_t id_xor)
{
	uint8_t pkt[200], body[100];
	struct packet p;
	struct ip_out o;

	if (!packet_read(&p, r->peer[at].data, r->peer[at].len))
		return FRAME_DROP;
	memcpy(body, p.body, p.body_len);
	body[0] = p.src.len == 4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY;
	body[5] ^= (uint8_t)id_xor;
	o = (struct ip_out){ .src = p.dst, .dst = p.src, .proto = p.proto, .hops = 64,
			     .body = body, .body_len = p.body_len };
	return rig_from_session(r, session, pkt, ip_write(pkt, sizeof(pkt), &o));
}

static void test_ping_answered_tells_the_round_trip_time(void)
{
	static const char *const targets[] = { "10.1.0.9", "fd00::9" };

	for (size_t i = 0; i < 2; i++) {
		struct rig *r = rig_new();
		struct ip to = rig_ip(targets[i]);

		rig_peer(r, targets[i], 1, true);
		rig_forget(r);
		CHECK_EQ_INT(vnet_ping(r->v, 77, &to, r->now), 0);
		CHECK_EQ_INT(r->peer_count, 1);
		CHECK_EQ_INT(r->peer[0].session, 101);
		r->now += MSEC(30);
		CHECK_EQ_INT(reflect(r, 0, 101, 0), FRAME_UPCALL);
		CHECK_EQ_INT(r->event_count, 1);
		CHECK_EQ_INT(r->events[0].type, VNET_PONG);
		CHECK_EQ_INT(r->events[0].op, 77);
		CHECK_EQ_INT(r->events[0].rtt, MSEC(30));
		CHECK_EQ_INT(r->port_count, 0);
		CHECK_EQ_INT(reflect(r, 0, 101, 0), FRAME_TO_PORT); /* ours no more */
		rig_free(r);
	}
}

static void test_ping_unanswered_ends_after_two_seconds(void)
{
	struct rig *r = rig_new();
	struct ip to = rig_ip("10.1.0.9");

	CHECK_EQ_INT(vnet_ping(r->v, 5, &to, r->now), 0);
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 1);
	rig_wait(r, SEC(2) - 1);
	CHECK_EQ_INT(rig_events(r, VNET_PONG), 0);
	rig_wait(r, 1);
	CHECK_EQ_INT(rig_events(r, VNET_PONG), 1);
	CHECK(r->events[r->event_count - 1].rtt == USEC_NEVER);
	rig_free(r);
}

static void test_ping_replies_of_the_host_reach_the_host(void)
{
	struct rig *r = rig_new();
	struct ip to = rig_ip("10.1.0.9");

	rig_peer(r, "10.1.0.9", 1, true);
	vnet_ping(r->v, 5, &to, r->now);
	CHECK_EQ_INT(reflect(r, 0, 101, 1), FRAME_TO_PORT); /* another id */
	r->peer[0].data[IPV4_HEADER_LEN + 7] ^= 1;	    /* our id, another sequence number */
	CHECK_EQ_INT(reflect(r, 0, 101, 0), FRAME_UPCALL);
	CHECK_EQ_INT(r->port_count, 1);
	CHECK_EQ_INT(rig_events(r, VNET_PONG), 0);
	rig_free(r);
}

static void test_ping_reply_from_a_session_without_grant_does_not_count(void)
{
	struct rig *r = rig_new();
	struct ip to = rig_ip("10.1.0.9");
	struct pubkey other = rig_key(2);

	rig_peer(r, "10.1.0.9", 1, true);
	vnet_peer_up(r->v, &other, 102, 202, r->now);
	vnet_ping(r->v, 5, &to, r->now);
	reflect(r, 0, 102, 0);
	CHECK_EQ_INT(rig_events(r, VNET_PONG), 0);
	rig_free(r);
}

static void test_ping_local_addresses_answer_at_once(void)
{
	static const char *const targets[] = { "10.1.0.5", "10.1.0.1", "fd00::1" };
	struct rig *r = rig_new();

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct ip to = rig_ip(targets[i]);

		CHECK_EQ_INT(vnet_ping(r->v, i, &to, r->now), 0);
	}
	CHECK_EQ_INT(rig_events(r, VNET_PONG), 3);
	CHECK_EQ_INT(r->peer_count, 0);
	rig_free(r);
}

static void test_ping_impossible_ones_are_refused(void)
{
	struct rig *r = rig_new();
	struct ip outside = rig_ip("192.0.2.1"), own = rig_ip("10.1.0.5"), to = rig_ip("10.1.0.9");
	int e = 0;

	CHECK_EQ_INT(vnet_ping(r->v, 1, &outside, r->now), -ENETUNREACH);
	for (int i = 0; i < 100 && e == 0; i++)
		e = vnet_ping(r->v, 1, &to, r->now);
	CHECK_EQ_INT(e, -ENOBUFS);
	vnet_disown(r->v, &own, r->now);
	CHECK_EQ_INT(vnet_ping(r->v, 1, &to, r->now), -EADDRNOTAVAIL);
	rig_free(r);
}

static void test_ping_dns_address_answers_echo_requests_of_the_host(void)
{
	static const char *const pairs[][2] = { { "10.1.0.5", "10.1.0.1" }, { "fd00::5", "fd00::1" } };

	for (size_t i = 0; i < 2; i++) {
		struct rig *r = rig_new();
		uint8_t body[] = { i ? ICMP6_ECHO : ICMP_ECHO, 0, 0, 0, 1, 2, 3, 4, 5 }, out[200];
		struct ip_out o = { .src = rig_ip(pairs[i][0]), .dst = rig_ip(pairs[i][1]),
				    .proto = i ? IP_ICMPV6 : IP_ICMP, .hops = 64, .body = body,
				    .body_len = sizeof(body) };
		struct packet p;

		rig_from_port(r, out, rig_eth(out, &o));
		CHECK_EQ_INT(r->port_count, 1);
		CHECK(packet_read(&p, r->port[0].data + 14, r->port[0].len - 14));
		CHECK(ip_equal(&p.src, &o.dst) && ip_equal(&p.dst, &o.src));
		CHECK_EQ_INT(packet_icmp(&p), i ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY);
		CHECK(packet_checksum_ok(&p));
		CHECK_MEM(p.body + 4, body + 4, 5);
		rig_free(r);
	}
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_ping_answered_tells_the_round_trip_time),
		TEST(test_ping_unanswered_ends_after_two_seconds),
		TEST(test_ping_replies_of_the_host_reach_the_host),
		TEST(test_ping_reply_from_a_session_without_grant_does_not_count),
		TEST(test_ping_local_addresses_answer_at_once),
		TEST(test_ping_impossible_ones_are_refused),
		TEST(test_ping_dns_address_answers_echo_requests_of_the_host),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
