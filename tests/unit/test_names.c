/* test_names.c - the DNS server as the host sees it: frames in, frames out. */
#include "tests/unit/vnet_rig.h"

#include "tests/unit/dns_query.h"

enum { RCODE_OK = 0, RCODE_FORMERR = 1, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3 };

/* Sends a DNS message from UDP port `port`; v6 chooses the family. */
static void send_message(struct rig *r, bool v6, uint16_t port, const uint8_t *msg, size_t len)
{
	uint8_t body[600], out[700];
	struct wr w = wr_of(body, sizeof(body));
	struct ip_out o = { .src = rig_ip(v6 ? "fd00::5" : "10.1.0.5"),
			    .dst = rig_ip(v6 ? "fd00::1" : "10.1.0.1"),
			    .proto = IP_UDP, .hops = 64, .body = body };

	wr_u16(&w, port);
	wr_u16(&w, 53);
	wr_u16(&w, (uint16_t)(len + 8));
	wr_u16(&w, 0);
	wr_copy(&w, msg, len);
	o.body_len = wr_len(&w);
	rig_from_port(r, out, rig_eth(out, &o));
}

static void ask(struct rig *r, const char *name, uint16_t type)
{
	uint8_t msg[300];

	send_message(r, false, 4000, msg, query_write(msg, sizeof(msg), name, type));
}

/* Checks the frame around the reply number `at` and its code; returns a cursor behind the question. */
static struct rd reply(const struct rig *r, size_t at, int code, int answers)
{
	const struct rig_out *o = &r->port[at];
	struct rd none = { .bad = true };
	struct packet p;
	struct rd rd;

	CHECK(at < r->port_count);
	if (at >= r->port_count || !packet_read(&p, o->data + 14, o->len - 14))
		return none;
	CHECK(vnet_is_dns(r->v, &p.src) && vnet_is_own(r->v, &p.dst));
	CHECK(packet_checksum_ok(&p));
	rd = rd_of(p.body, p.body_len);
	CHECK_EQ_INT(rd_u16(&rd), 53);
	rd_u16(&rd);
	CHECK_EQ_INT(rd_u16(&rd), p.body_len);
	rd_u16(&rd);
	CHECK_EQ_INT(rd_u16(&rd), QUERY_ID);
	CHECK_EQ_INT(rd_u16(&rd) & 0x800f, 0x8000 | code);
	rd_u16(&rd);
	CHECK_EQ_INT(rd_u16(&rd), answers);
	rd_u32(&rd);
	while (rd_left(&rd) && rd_u8(&rd) != 0)
		rd_bytes(&rd, rd.p[-1]);
	rd_u32(&rd);
	return rd;
}

/* The data of the first answer. */
static struct rd data(struct rd rd)
{
	rd_u16(&rd); /* compressed owner */
	rd_u64(&rd);
	return rd_block(&rd, 300);
}

static void test_names_own_name_is_answered_at_once(void)
{
	struct rig *r = rig_new();
	struct ip v4 = rig_ip("10.1.0.5"), v6 = rig_ip("fd00::5");
	struct rd d;

	ask(r, "me.demo.internal", 1);
	d = data(reply(r, 0, RCODE_OK, 1));
	CHECK_EQ_INT(rd_left(&d), 4);
	CHECK_MEM(d.p, v4.b, 4);
	ask(r, "ME.demo.internal", 28);
	d = data(reply(r, 1, RCODE_OK, 1));
	CHECK_EQ_INT(rd_left(&d), 16);
	CHECK_MEM(d.p, v6.b, 16);
	CHECK_EQ_INT(r->event_count, 0);
	vnet_set_host(r->v, "you");
	ask(r, "you.demo.internal", 1);
	reply(r, 2, RCODE_OK, 1);
	ask(r, "me.demo.internal", 1); /* somebody else's from now on */
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE_NAME), 1);
	rig_free(r);
}

static void test_names_dns_and_mechanical_names_need_no_lookup(void)
{
	struct rig *r = rig_new();
	struct ip dns = rig_ip("10.1.0.1"), nine = rig_ip("10.1.0.9");

	ask(r, "dns.demo.internal", 1);
	CHECK_MEM(data(reply(r, 0, RCODE_OK, 1)).p, dns.b, 4);
	ask(r, "C001000009.demo.internal", 1);
	CHECK_MEM(data(reply(r, 1, RCODE_OK, 1)).p, nine.b, 4);
	ask(r, "1.0.1.10.in-addr.arpa", 12);
	CHECK_MEM(data(reply(r, 2, RCODE_OK, 1)).p, "\3dns\4demo\10internal", 17);
	ask(r, "5.0.1.10.in-addr.arpa", 12);
	CHECK_MEM(data(reply(r, 3, RCODE_OK, 1)).p, "\2me\4demo\10internal", 17);
	CHECK_EQ_INT(r->event_count, 0);
	rig_free(r);
}

static void test_names_of_others_are_asked_for_and_then_answered(void)
{
	struct rig *r = rig_new();
	struct vnet_name found = { .v4 = rig_ip("10.1.0.9") };

	ask(r, "web.demo.internal", 1);
	CHECK_EQ_INT(r->port_count, 0);
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE_NAME), 1);
	CHECK(strcmp(r->names[0], "web") == 0);
	vnet_name_resolved(r->v, r->events[0].op, &found, r->now);
	CHECK_MEM(data(reply(r, 0, RCODE_OK, 1)).p, found.v4.b, 4);
	vnet_name_resolved(r->v, r->events[0].op, &found, r->now);
	CHECK_EQ_INT(r->port_count, 1); /* answered once */
	rig_free(r);
}

static void test_names_nobody_has_do_not_exist(void)
{
	struct rig *r = rig_new();

	ask(r, "web.demo.internal", 1);
	vnet_name_resolved(r->v, r->events[0].op, NULL, r->now);
	reply(r, 0, RCODE_NXDOMAIN, 0);
	ask(r, "9.0.1.10.in-addr.arpa", 12);
	vnet_host_resolved(r->v, r->events[1].op, NULL, r->now);
	reply(r, 1, RCODE_NXDOMAIN, 0);
	rig_free(r);
}

static void test_names_of_addresses_are_asked_for(void)
{
	struct rig *r = rig_new();
	struct ip ip = rig_ip("10.1.0.9");

	ask(r, "9.0.1.10.in-addr.arpa", 12);
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE_HOST), 1);
	CHECK(ip_equal(&r->events[0].ip, &ip));
	vnet_name_resolved(r->v, r->events[0].op, NULL, r->now); /* the wrong kind of answer */
	CHECK_EQ_INT(r->port_count, 0);
	vnet_host_resolved(r->v, r->events[0].op, "web", r->now);
	CHECK_MEM(data(reply(r, 0, RCODE_OK, 1)).p, "\3web\4demo\10internal", 17);
	rig_free(r);
}

static void test_names_without_an_answer_fail_after_three_seconds(void)
{
	struct rig *r = rig_new();

	ask(r, "web.demo.internal", 1);
	rig_wait(r, SEC(3) - 1);
	CHECK_EQ_INT(r->port_count, 0);
	rig_wait(r, 1);
	reply(r, 0, RCODE_SERVFAIL, 0);
	vnet_name_resolved(r->v, r->events[0].op, NULL, r->now);
	CHECK_EQ_INT(r->port_count, 1);
	rig_free(r);
}

static void test_names_repeated_question_is_asked_once(void)
{
	struct rig *r = rig_new();

	for (int i = 0; i < 3; i++)
		ask(r, "web.demo.internal", 1);
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE_NAME), 1);
	ask(r, "web.demo.internal", 28);
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE_NAME), 2);
	rig_free(r);
}

static void test_names_overload_fails_at_once(void)
{
	struct rig *r = rig_new();
	uint8_t msg[100];
	size_t len = query_write(msg, sizeof(msg), "web.demo.internal", 1);

	for (uint16_t i = 0; i < VNET_QUERIES_MAX; i++)
		send_message(r, false, (uint16_t)(5000 + i), msg, len);
	CHECK_EQ_INT(r->port_count, 0);
	send_message(r, false, 9000, msg, len);
	reply(r, 0, RCODE_SERVFAIL, 0);
	CHECK_EQ_INT(r->event_count, VNET_QUERIES_MAX);
	rig_wait(r, SEC(3));
	CHECK_EQ_INT(r->port_count, 1 + VNET_QUERIES_MAX);
	rig_free(r);
}

static void test_names_server_speaks_ipv6_too(void)
{
	struct rig *r = rig_new();
	uint8_t msg[100];

	send_message(r, true, 4000, msg, query_write(msg, sizeof(msg), "me.demo.internal", 1));
	reply(r, 0, RCODE_OK, 1);
	CHECK_EQ_INT(r->port[0].data[12] << 8 | r->port[0].data[13], ETH_IPV6);
	rig_free(r);
}

static void test_names_malformed_query_gets_formerr_and_worse_gets_nothing(void)
{
	struct rig *r = rig_new();
	uint8_t msg[100];
	size_t len = query_write(msg, sizeof(msg), "me.demo.internal", 1);

	send_message(r, false, 4000, msg, len - 1);
	reply(r, 0, RCODE_FORMERR, 0);
	send_message(r, false, 4000, msg, 11);
	msg[2] |= 0x80;
	send_message(r, false, 4000, msg, len);
	send_message(r, false, 0, msg, len);
	CHECK_EQ_INT(r->port_count, 1);
	CHECK_EQ_INT(rig_drops(r, DROP_MALFORMED), 3);
	rig_free(r);
}

static void test_names_wrong_udp_lengths_are_malformed(void)
{
	static const uint8_t lengths[] = { 0, 7, 200 };
	struct rig *r = rig_new();

	for (size_t i = 0; i < sizeof(lengths); i++) {
		uint8_t body[20] = { 0x10, 0, 0, 53, 0, lengths[i] }, out[100];
		struct ip_out o = { .src = rig_ip("10.1.0.5"), .dst = rig_ip("10.1.0.1"),
				    .proto = IP_UDP, .body = body, .body_len = sizeof(body) };

		rig_from_port(r, out, rig_eth(out, &o));
	}
	CHECK_EQ_INT(rig_drops(r, DROP_MALFORMED), 3);
	CHECK_EQ_INT(r->port_count, 0);
	rig_free(r);
}

static void test_names_local_name_knows_only_its_own(void)
{
	struct rig *r = rig_new();
	struct ip v4 = rig_ip("10.1.0.5"), v6 = rig_ip("fd00::5");
	struct vnet_name n;

	CHECK(vnet_local_name(r->v, "me", &n) && ip_equal(&n.v4, &v4) && ip_equal(&n.v6, &v6));
	CHECK(vnet_local_name(r->v, "dns", &n) && n.v4.len && n.v6.len);
	CHECK(!vnet_local_name(r->v, "web", &n) && !vnet_local_name(r->v, "", &n));
	vnet_disown(r->v, &v4, r->now);
	CHECK(vnet_local_name(r->v, "me", &n) && n.v4.len == 0);
	vnet_disown(r->v, &v6, r->now);
	CHECK(!vnet_local_name(r->v, "me", &n));
	rig_free(r);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_names_own_name_is_answered_at_once),
		TEST(test_names_dns_and_mechanical_names_need_no_lookup),
		TEST(test_names_of_others_are_asked_for_and_then_answered),
		TEST(test_names_nobody_has_do_not_exist),
		TEST(test_names_of_addresses_are_asked_for),
		TEST(test_names_without_an_answer_fail_after_three_seconds),
		TEST(test_names_repeated_question_is_asked_once),
		TEST(test_names_overload_fails_at_once),
		TEST(test_names_server_speaks_ipv6_too),
		TEST(test_names_malformed_query_gets_formerr_and_worse_gets_nothing),
		TEST(test_names_wrong_udp_lengths_are_malformed),
		TEST(test_names_local_name_knows_only_its_own),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
