/* test_ip.c - headers and checksums. */
#include "tests/unit/vnet_rig.h"

static size_t udp4(uint8_t *out) { return rig_udp(out, "10.1.0.5", "10.1.0.9", 7); }

static void test_ip_written_packet_reads_back(void)
{
	static const char *const pairs[][2] = { { "10.1.0.5", "10.1.0.9" }, { "fd00::5", "fd00::9" } };
	uint8_t out[100];
	struct packet p;

	for (size_t i = 0; i < 2; i++) {
		size_t len = rig_udp(out, pairs[i][0], pairs[i][1], 7);
		struct ip src = rig_ip(pairs[i][0]), dst = rig_ip(pairs[i][1]);

		CHECK(packet_read(&p, out, len));
		CHECK(ip_equal(&p.src, &src) && ip_equal(&p.dst, &dst));
		CHECK_EQ_INT(p.proto, IP_UDP);
		CHECK_EQ_INT(p.body_len, 9);
		CHECK(p.first && !p.fragment && packet_checksum_ok(&p));
		CHECK_EQ_INT(p.hops, 64);
		out[len - 1] ^= 1;
		CHECK(packet_read(&p, out, len) && !packet_checksum_ok(&p));
	}
}

/* The header of RFC 1071's usual example: 4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7. */
static void test_ip_checksum_matches_a_known_header(void)
{
	static const uint8_t header[20] = { 0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11,
					    0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7 };
	uint8_t blank[20], body[0x73 - 20] = { 0 }, out[0x73];
	struct ip_out o = { .src = rig_ip("192.168.0.1"), .dst = rig_ip("192.168.0.199"),
			    .proto = 17, .hops = 64, .body = body, .body_len = sizeof(body) };

	CHECK_EQ_INT(ip_checksum_fold(ip_sum(0, header, 20)), 0);
	memcpy(blank, header, 20);
	blank[10] = blank[11] = 0;
	CHECK_EQ_INT(ip_checksum_fold(ip_sum(0, blank, 20)), 0xb861);
	CHECK_EQ_INT(ip_write(out, sizeof(out), &o), sizeof(out));
	CHECK_MEM(out, header, 20);
}

static void test_ip_long_sums_do_not_overflow(void)
{
	static uint8_t ones[65536 * 3];

	memset(ones, 0xff, sizeof(ones));
	CHECK_EQ_INT(ip_checksum_fold(ip_sum(0xffff, ones, sizeof(ones))), 0);
}

static void test_ip_every_truncation_is_refused(void)
{
	static const char *const pairs[][2] = { { "10.1.0.5", "10.1.0.9" }, { "fd00::5", "fd00::9" } };
	uint8_t out[100];
	struct packet p;

	for (size_t i = 0; i < 2; i++) {
		size_t len = rig_udp(out, pairs[i][0], pairs[i][1], 7);

		for (size_t n = 0; n < len; n++)
			CHECK(!packet_read(&p, out, n));
		CHECK(packet_read(&p, out, len + 20)); /* padding is allowed and not in it */
		CHECK_EQ_INT(p.len, len);
	}
}

static void test_ip_broken_headers_are_refused(void)
{
	static const struct { size_t at; uint8_t value; const char *what; } rows[] = {
		{ 0, 0x44, "header of 16 bytes" }, { 0, 0x4f, "header longer than packet" },
		{ 0, 0x55, "version 5" },	   { 3, 19, "total below header" },
		{ 2, 0x10, "total above frame" },
	};
	uint8_t out[100];
	struct packet p;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = udp4(out);

		out[rows[i].at] = rows[i].value;
		CHECK(!packet_read(&p, out, len));
	}
}

static void test_ip_fragments_are_noticed(void)
{
	uint8_t out[100];
	size_t len = udp4(out);
	struct packet p;

	out[6] = 0x20; /* more fragments */
	CHECK(packet_read(&p, out, len) && p.fragment && p.first);
	out[6] = 0;
	out[7] = 3;
	CHECK(packet_read(&p, out, len) && p.fragment && !p.first);
	CHECK_EQ_INT(packet_icmp(&p), -1);
}

/* Writes an IPv6 packet with one extension header before an ICMPv6 message. */
static size_t extended(uint8_t *out, uint8_t kind, uint8_t ext_len, uint8_t icmp)
{
	uint8_t body[16] = { IP_ICMPV6, ext_len, 0, 0, 0, 0, 0, 0, icmp };
	struct ip_out o = { .src = rig_ip("fd00::5"), .dst = rig_ip("fd00::9"), .proto = kind,
			    .hops = 255, .body = body, .body_len = sizeof(body) };

	return ip_write(out, 100, &o);
}

static void test_ip_extension_headers_do_not_hide_discovery(void)
{
	static const uint8_t kinds[] = { 0, 43, 44, 60 };
	uint8_t out[100];
	struct packet p;

	for (size_t i = 0; i < sizeof(kinds); i++) {
		CHECK(packet_read(&p, out, extended(out, kinds[i], 0, ICMP6_NA)));
		CHECK(packet_is_nd(&p));
		CHECK_EQ_INT(p.fragment, kinds[i] == 44);
	}
	CHECK(!packet_read(&p, out, extended(out, 0, 9, ICMP6_NA)));
	CHECK(packet_read(&p, out, extended(out, 0, 0, ICMP6_ECHO)) && !packet_is_nd(&p));
}

static void test_ip_endless_extension_headers_are_refused(void)
{
	uint8_t body[80] = { 0 }, out[200];
	struct ip_out o = { .src = rig_ip("fd00::5"), .dst = rig_ip("fd00::9"), .proto = 60,
			    .hops = 255, .body = body, .body_len = sizeof(body) };
	struct packet p;

	for (size_t i = 0; i < sizeof(body); i += 8)
		body[i] = 60;
	CHECK(!packet_read(&p, out, ip_write(out, sizeof(out), &o)));
}

static void test_ip_packet_too_large_for_the_room_is_not_written(void)
{
	uint8_t body[50] = { 0 }, out[69];
	struct ip_out o = { .src = rig_ip("10.1.0.5"), .dst = rig_ip("10.1.0.9"), .proto = 17,
			    .body = body, .body_len = sizeof(body) };

	CHECK_EQ_INT(ip_write(out, sizeof(out), &o), 0);
	o.dst = rig_ip("fd00::1");
	CHECK_EQ_INT(ip_write(out, sizeof(out), &o), 0);
}

static void test_ip_subnet_edges_are_known(void)
{
	struct ip first = rig_ip("10.1.0.0"), last = rig_ip("10.1.255.255"), in = rig_ip("10.1.0.255"),
		  other = rig_ip("10.2.0.0"), v6 = rig_ip("fd00::");
	struct prefix p, small;

	prefix_parse(&p, "10.1.0.0/16");
	prefix_parse(&small, "10.1.0.0/31");
	CHECK(ip_is_subnet_edge(&p, &first) && ip_is_subnet_edge(&p, &last));
	CHECK(!ip_is_subnet_edge(&p, &in) && !ip_is_subnet_edge(&p, &other));
	CHECK(!ip_is_subnet_edge(&small, &first) && !ip_is_subnet_edge(&p, &v6));
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_ip_written_packet_reads_back),
		TEST(test_ip_checksum_matches_a_known_header),
		TEST(test_ip_long_sums_do_not_overflow),
		TEST(test_ip_every_truncation_is_refused),
		TEST(test_ip_broken_headers_are_refused),
		TEST(test_ip_fragments_are_noticed),
		TEST(test_ip_extension_headers_do_not_hide_discovery),
		TEST(test_ip_endless_extension_headers_are_refused),
		TEST(test_ip_packet_too_large_for_the_room_is_not_written),
		TEST(test_ip_subnet_edges_are_known),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
