#include "base/addr.h"

#include "tests/check.h"

static struct ip ip_of(const char *text)
{
	struct ip ip;

	CHECK(ip_parse(&ip, text));
	return ip;
}

static void test_addr_v4_goes_to_host_order_and_back(void)
{
	struct ip ip = ip_v4(0x0a010203), parsed = ip_of("10.1.2.3");

	CHECK_EQ_INT(ip.len, 4);
	CHECK_EQ_INT(ip_to_v4(&ip), 0x0a010203);
	CHECK(ip_equal(&ip, &parsed));
}

static void test_addr_ip_texts_come_back_in_their_usual_form(void)
{
	static const char *const texts[][2] = {
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "2001:DB8:0:0::1", "2001:db8::1" },
		{ "::", "::" },
		{ "::ffff:1.2.3.4", "::ffff:1.2.3.4" },
	};
	char out[IP_TEXT_LEN];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct ip ip = ip_of(texts[i][0]);

		ip_text(out, &ip);
		CHECK(strcmp(out, texts[i][1]) == 0);
	}
	ip_text(out, &(struct ip){ 0 });
	CHECK(strcmp(out, "none") == 0);
}

static void test_addr_what_is_no_ip_is_refused_and_leaves_none(void)
{
	static const char *const texts[] = {
		"",         "1.2.3",     "1.2.3.4.5",   "256.1.1.1",    "01.2.3.4",
		" 1.2.3.4", "1.2.3.4 ",  "::1::",       "fe80::1%eth0", "12345::",
		"host",     "1.2.3.4/8", "2001:db8::g",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct ip ip = ip_v4(1), none = { 0 };

		CHECK(!ip_parse(&ip, texts[i]));
		CHECK(memcmp(&ip, &none, sizeof(ip)) == 0);
	}
}

static void test_addr_classes_are_told_apart_at_their_edges(void)
{
	static const struct {
		const char *text;
		bool multicast, link_local, loopback;
	} rows[] = {
		{ "223.255.255.255", false, false, false },
		{ "224.0.0.0", true, false, false },
		{ "239.255.255.255", true, false, false },
		{ "240.0.0.0", false, false, false },
		{ "255.255.255.255", true, false, false },
		{ "169.254.0.1", false, true, false },
		{ "169.253.0.1", false, false, false },
		{ "127.255.0.1", false, false, true },
		{ "128.0.0.1", false, false, false },
		{ "ff02::1", true, false, false },
		{ "fe80::1", false, true, false },
		{ "febf::1", false, true, false },
		{ "fec0::1", false, false, false },
		{ "::1", false, false, true },
		{ "::2", false, false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ip ip = ip_of(rows[i].text);

		CHECK_EQ_INT(ip_is_multicast(&ip), rows[i].multicast);
		CHECK_EQ_INT(ip_is_link_local(&ip), rows[i].link_local);
		CHECK_EQ_INT(ip_is_loopback(&ip), rows[i].loopback);
	}
}

static void test_addr_prefixes_parse_and_print(void)
{
	static const char *const texts[] = {
		"0.0.0.0/0", "10.1.0.0/16", "10.1.2.128/25", "10.1.2.3/32",
		"::/0",      "fd00::/8",    "2001:db8::/33", "2001:db8::1/128",
	};
	char out[PREFIX_TEXT_LEN];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct prefix p;

		CHECK(prefix_parse(&p, texts[i]));
		prefix_text(out, &p);
		CHECK(strcmp(out, texts[i]) == 0);
	}
}

static void test_addr_prefixes_with_host_bits_or_bad_lengths_are_refused(void)
{
	static const char *const texts[] = {
		"10.1.2.3/16",
		"10.0.0.1/31",
		"fd00::1/64",
		"10.0.0.0",
		"10.0.0.0/",
		"10.0.0.0/33",
		"::/129",
		"10.0.0.0/08",
		"10.0.0.0/-1",
		"10.0.0.0/8x",
		"10.0.0.0/99999999999999999999",
		"/8",
		"",
		"10.0.0.0/8/8",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct prefix p;

		CHECK(!prefix_parse(&p, texts[i]));
		CHECK_EQ_INT(p.ip.len, 0);
	}
}

static void test_addr_prefix_has_its_own_addresses_only(void)
{
	struct prefix p, all4;
	struct ip in = ip_of("10.1.127.255"), above = ip_of("10.1.128.0"),
		  below = ip_of("10.0.255.255");
	struct ip v6 = ip_of("a01::");

	CHECK(prefix_parse(&p, "10.1.0.0/17") && prefix_parse(&all4, "0.0.0.0/0"));
	CHECK(prefix_has(&p, &in));
	CHECK(!prefix_has(&p, &above));
	CHECK(!prefix_has(&p, &below));
	CHECK(prefix_has(&all4, &above));
	CHECK(!prefix_has(&all4, &v6)); /* another family */
	CHECK(!prefix_has(&(struct prefix){ 0 }, &in));
}

static void test_addr_prefixes_overlap_when_one_lies_in_the_other(void)
{
	struct prefix wide, narrow, beside, v6;

	CHECK(prefix_parse(&wide, "10.0.0.0/8") && prefix_parse(&narrow, "10.9.0.0/16"));
	CHECK(prefix_parse(&beside, "11.0.0.0/8") && prefix_parse(&v6, "::/0"));
	CHECK(prefix_overlaps(&wide, &narrow) && prefix_overlaps(&narrow, &wide));
	CHECK(prefix_overlaps(&wide, &wide));
	CHECK(!prefix_overlaps(&wide, &beside) && !prefix_overlaps(&narrow, &beside));
	CHECK(!prefix_overlaps(&wide, &v6));
}

static void test_addr_endpoints_come_back_as_they_were_written(void)
{
	static const char *const texts[] = {
		"192.0.2.1:24655",
		"[2001:db8::1]:1",
		"[fe80::1%4294967295]:65535",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	};
	char out[ADDR_TEXT_LEN];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct addr a;

		CHECK(addr_parse(&a, texts[i]));
		addr_text(out, &a);
		CHECK(strcmp(out, texts[i]) == 0);
	}
}

static void test_addr_bad_endpoints_are_refused(void)
{
	static const char *const texts[] = {
		"",
		"1.2.3.4",
		"1.2.3.4:",
		"1.2.3.4:0",
		"1.2.3.4:65536",
		"1.2.3.4:01",
		"1.2.3.4:+1",
		"::1:80",
		"[::1]",
		"[::1]80",
		"[::1]:",
		"[1.2.3.4]:80",
		"[::1:80",
		"host:80",
		":80",
		"[]:80",
		"[2001:db8::1%2]:80",
		"[fe80::1%]:80",
		"[fe80::1%0]:80",
		"[fe80::1%eth0]:80",
		"1.2.3.4:80 ",
		"[fe80::1%1111111111111111111111111111111111111111111111111111111111111111111]:80",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct addr a;

		CHECK(!addr_parse(&a, texts[i]));
		CHECK(a.ip.len == 0 && a.port == 0);
	}
}

static void test_addr_equality_looks_at_port_and_scope(void)
{
	struct addr a, b;

	CHECK(addr_parse(&a, "[fe80::1%2]:80"));
	b = a;
	CHECK(addr_equal(&a, &b));
	b.port++;
	CHECK(!addr_equal(&a, &b));
	b = a;
	b.scope++;
	CHECK(!addr_equal(&a, &b));
}

static void test_addr_wire_form_is_length_bytes_port_without_scope(void)
{
	static const uint8_t want[] = { 4, 192, 0, 2, 1, 0x60, 0x4f };
	uint8_t buf[32];
	struct addr a, back;
	struct wr w = wr_of(buf, sizeof(buf));
	struct rd r;

	CHECK(addr_parse(&a, "192.0.2.1:24655"));
	wr_addr(&w, &a);
	CHECK_EQ_INT(wr_len(&w), sizeof(want));
	CHECK_MEM(buf, want, sizeof(want));

	CHECK(addr_parse(&a, "[fe80::1%3]:5"));
	w = wr_of(buf, sizeof(buf));
	wr_addr(&w, &a);
	CHECK_EQ_INT(wr_len(&w), 19);
	r = rd_of(buf, wr_len(&w));
	back = rd_addr(&r);
	CHECK(rd_done(&r));
	CHECK_EQ_INT(back.scope, 0);
	a.scope = 0;
	CHECK(addr_equal(&a, &back));
}

static void test_addr_wire_lengths_other_than_4_and_16_fail(void)
{
	for (unsigned len = 0; len < 256; len++) {
		uint8_t buf[258] = { (uint8_t)len, 1, 2, 3 };
		struct rd r = rd_of(buf, sizeof(buf));
		struct ip ip = rd_ip(&r), none = { 0 };

		CHECK_EQ_INT(rd_ok(&r), len == 4 || len == 16);
		CHECK(rd_ok(&r) || memcmp(&ip, &none, sizeof(ip)) == 0);
	}
}

static void test_addr_truncated_wire_form_yields_none(void)
{
	static const uint8_t full[] = { 4, 192, 0, 2, 1, 0x60, 0x4f };

	for (size_t n = 0; n < sizeof(full); n++) {
		struct rd r = rd_of(full, n);
		struct addr a = rd_addr(&r), none = { 0 };

		CHECK(!rd_ok(&r));
		CHECK(addr_equal(&a, &none));
	}
}

static void test_addr_none_is_not_written(void)
{
	uint8_t buf[32];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_addr(&w, &(struct addr){ .port = 1 });
	CHECK(!wr_ok(&w));
}

static const struct test tests[] = {
	TEST(test_addr_v4_goes_to_host_order_and_back),
	TEST(test_addr_ip_texts_come_back_in_their_usual_form),
	TEST(test_addr_what_is_no_ip_is_refused_and_leaves_none),
	TEST(test_addr_classes_are_told_apart_at_their_edges),
	TEST(test_addr_prefixes_parse_and_print),
	TEST(test_addr_prefixes_with_host_bits_or_bad_lengths_are_refused),
	TEST(test_addr_prefix_has_its_own_addresses_only),
	TEST(test_addr_prefixes_overlap_when_one_lies_in_the_other),
	TEST(test_addr_endpoints_come_back_as_they_were_written),
	TEST(test_addr_bad_endpoints_are_refused),
	TEST(test_addr_equality_looks_at_port_and_scope),
	TEST(test_addr_wire_form_is_length_bytes_port_without_scope),
	TEST(test_addr_wire_lengths_other_than_4_and_16_fail),
	TEST(test_addr_truncated_wire_form_yields_none),
	TEST(test_addr_none_is_not_written),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
