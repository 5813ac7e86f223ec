/* test_dns.c - DNS messages: what is asked, and what the replies say. */
#include "vnet/dns.h"

#include <stdlib.h>

#include <ldns/ldns.h>

#include "tests/check.h"
#include "tests/unit/dns_query.h"

#define ADDRESS6 "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa"

static struct dns_zone zone(void)
{
	struct dns_zone z = { .name = "demo", .domain = "internal" };

	prefix_parse(&z.subnet, "10.1.0.0/16");
	prefix_parse(&z.subnet6, "fd00::/64");
	return z;
}

struct asked {
	enum dns_want want;
	struct dns_question q;
	uint8_t out[DNS_MESSAGE_MAX];
	size_t len;
	ldns_pkt *reply; /* of `out`, NULL when there is none or it does not parse */
};

static void parse(struct asked *a)
{
	ldns_pkt_free(a->reply);
	a->reply = NULL;
	if (a->len && ldns_wire2pkt(&a->reply, a->out, a->len) != LDNS_STATUS_OK)
		a->reply = NULL;
}

static struct asked ask_bytes(const uint8_t *msg, size_t len)
{
	struct dns_zone z = zone();
	struct asked a = { .len = 0 };

	a.want = dns_query(&z, msg, len, &a.q, a.out, &a.len);
	parse(&a);
	return a;
}

static struct asked ask(const char *name, uint16_t type)
{
	uint8_t msg[512];

	return ask_bytes(msg, query_write(msg, sizeof(msg), name, type));
}

/* The first record of a section as text, e.g. "me.demo.internal.\t60\tIN\tA\t10.1.0.5\n". */
static bool record_is(const ldns_rr_list *section, const char *text)
{
	char *s = ldns_rr_list_rr_count(section) ? ldns_rr2str(ldns_rr_list_rr(section, 0)) : NULL;
	bool same = s && strcmp(s, text) == 0;

	if (!same)
		printf("# got: %s", s ? s : "nothing\n");
	free(s);
	return same;
}

static int rcode(const struct asked *a) { return a->reply ? (int)ldns_pkt_get_rcode(a->reply) : -1; }

static size_t answers(const struct asked *a) { return ldns_pkt_ancount(a->reply); }

static void check_negative(struct asked *a, int code, const char *apex)
{
	char soa[200];

	CHECK_EQ_INT(rcode(a), code);
	if (!a->reply)
		return;
	CHECK_EQ_INT(answers(a), 0);
	snprintf(soa, sizeof(soa), "%s\t5\tIN\tSOA\tdns.demo.internal. "
		 "hostmaster.demo.internal. 1 3600 600 86400 5\n", apex);
	CHECK(record_is(ldns_pkt_authority(a->reply), soa));
	ldns_pkt_free(a->reply);
	a->reply = NULL;
}

static void test_dns_host_name_is_looked_up_and_answered(void)
{
	struct dns_zone z = zone();
	struct ip v4 = { 0 }, v6 = { 0 };
	struct asked a = ask("web.demo.internal", 1);

	CHECK_EQ_INT(a.want, DNS_NAME);
	CHECK(strcmp(a.q.host, "web") == 0);
	ip_parse(&v4, "10.1.0.9");
	a.len = dns_answer_name(&z, &a.q, &v4, &v6, a.out);
	parse(&a);
	CHECK_EQ_INT(rcode(&a), LDNS_RCODE_NOERROR);
	CHECK(a.reply && ldns_pkt_id(a.reply) == QUERY_ID && ldns_pkt_qr(a.reply) &&
	      ldns_pkt_aa(a.reply) && ldns_pkt_rd(a.reply) && !ldns_pkt_ra(a.reply));
	CHECK(record_is(ldns_pkt_answer(a.reply), "web.demo.internal.\t60\tIN\tA\t10.1.0.9\n"));
	CHECK(record_is(ldns_pkt_question(a.reply), "web.demo.internal.\tIN\tA\n"));
	ldns_pkt_free(a.reply);
}

static void test_dns_ipv6_address_is_answered_as_aaaa(void)
{
	struct dns_zone z = zone();
	struct ip v4 = { 0 }, v6 = { 0 };
	struct asked a = ask("web.demo.internal", 28);

	ip_parse(&v6, "fd00::9");
	CHECK_EQ_INT(a.want, DNS_NAME);
	a.len = dns_answer_name(&z, &a.q, &v4, &v6, a.out);
	parse(&a);
	CHECK(a.reply && record_is(ldns_pkt_answer(a.reply),
				   "web.demo.internal.\t60\tIN\tAAAA\tfd00::9\n"));
	ldns_pkt_free(a.reply);
}

static void test_dns_missing_family_is_empty_and_missing_name_is_nxdomain(void)
{
	struct dns_zone z = zone();
	struct ip v4 = { 0 }, none = { 0 };
	struct asked a = ask("web.demo.internal", 28);

	ip_parse(&v4, "10.1.0.9");
	a.len = dns_answer_name(&z, &a.q, &v4, &none, a.out);
	parse(&a);
	check_negative(&a, LDNS_RCODE_NOERROR, "demo.internal.");
	a.len = dns_answer_name(&z, &a.q, &none, &none, a.out);
	parse(&a);
	check_negative(&a, LDNS_RCODE_NXDOMAIN, "demo.internal.");
}

static void test_dns_names_compare_without_case_and_are_echoed_as_asked(void)
{
	struct dns_zone z = zone();
	struct ip v4 = { 0 }, none = { 0 };
	struct asked a = ask("WeB.DEMO.inTernal", 1);

	ip_parse(&v4, "10.1.0.9");
	CHECK_EQ_INT(a.want, DNS_NAME);
	CHECK(strcmp(a.q.host, "web") == 0);
	a.len = dns_answer_name(&z, &a.q, &v4, &none, a.out);
	CHECK_MEM(a.out + 12, "\3WeB\4DEMO\10inTernal", 18);
}

static void test_dns_reverse_names_of_both_subnets_are_looked_up(void)
{
	struct dns_zone z = zone();
	struct ip v4, v6;
	struct asked a = ask("9.0.1.10.in-addr.arpa", 12);

	ip_parse(&v4, "10.1.0.9");
	CHECK_EQ_INT(a.want, DNS_HOST);
	CHECK(ip_equal(&a.q.ip, &v4));
	a.len = dns_answer_host(&z, &a.q, "web", a.out);
	parse(&a);
	CHECK(a.reply && record_is(ldns_pkt_answer(a.reply),
				   "9.0.1.10.in-addr.arpa.\t60\tIN\tPTR\tweb.demo.internal.\n"));
	a.len = dns_answer_host(&z, &a.q, "", a.out);
	parse(&a);
	CHECK(a.reply && record_is(ldns_pkt_answer(a.reply),
				   "9.0.1.10.in-addr.arpa.\t60\tIN\tPTR\tC001000009.demo.internal.\n"));
	a.len = dns_answer_host(&z, &a.q, NULL, a.out);
	parse(&a);
	check_negative(&a, LDNS_RCODE_NXDOMAIN, "1.10.in-addr.arpa.");
	a = ask(ADDRESS6, 12);
	ip_parse(&v6, "fd00::5");
	CHECK_EQ_INT(a.want, DNS_HOST);
	CHECK(ip_equal(&a.q.ip, &v6));
	a.len = dns_answer_host(&z, &a.q, "", a.out); /* no mechanical names in IPv6 */
	parse(&a);
	check_negative(&a, LDNS_RCODE_NXDOMAIN, &(ADDRESS6 ".")[32]);
}

static void test_dns_outside_the_zones_is_refused(void)
{
	static const struct { const char *name; uint16_t type; } rows[] = {
		{ "example.com", 1 }, { "internal", 1 }, { "", 2 }, { "xdemo.internal", 1 },
		{ "demo.internal.com", 1 }, { "9.0.2.10.in-addr.arpa", 12 },
		{ "10.in-addr.arpa", 2 }, { "in-addr.arpa", 2 }, { "arpa", 2 }, { "ip6.arpa", 12 },
		{ "09.0.1.10.in-addr.arpa", 12 }, { "256.0.1.10.in-addr.arpa", 12 },
		{ "x.0.1.10.in-addr.arpa", 12 }, { "1.d.f.ip6.arpa", 12 }, { "-1.0.1.10.in-addr.arpa", 12 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct asked a = ask(rows[i].name, rows[i].type);

		CHECK_EQ_INT(a.want, DNS_ANSWERED);
		CHECK_EQ_INT(rcode(&a), LDNS_RCODE_REFUSED);
		ldns_pkt_free(a.reply);
	}
}

static void test_dns_other_types_inside_are_empty(void)
{
	static const uint16_t types[] = { 2, 5, 6, 15, 16, 33, 43, 64, 65, 255, 252 };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct asked a = ask("web.demo.internal", types[i]);

		CHECK_EQ_INT(a.want, DNS_ANSWERED);
		check_negative(&a, LDNS_RCODE_NOERROR, "demo.internal.");
		a = ask("9.0.1.10.in-addr.arpa", types[i]);
		check_negative(&a, LDNS_RCODE_NOERROR, "1.10.in-addr.arpa.");
	}
}

static void test_dns_deeper_and_impossible_names_do_not_exist(void)
{
	static const char *const names[] = { "a.web.demo.internal", "_http.demo.internal",
					     "we b.demo.internal", "w\303\251b.demo.internal" };
	struct asked a;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		a = ask(names[i], 1);
		CHECK_EQ_INT(a.want, DNS_ANSWERED);
		check_negative(&a, LDNS_RCODE_NXDOMAIN, "demo.internal.");
	}
	a = ask("x.9.0.1.10.in-addr.arpa", 12);
	check_negative(&a, LDNS_RCODE_NXDOMAIN, "1.10.in-addr.arpa.");
}

static void test_dns_apex_has_soa_and_ns(void)
{
	struct asked a = ask("demo.internal", 6);

	CHECK(a.reply && record_is(ldns_pkt_answer(a.reply), "demo.internal.\t5\tIN\tSOA\t"
	      "dns.demo.internal. hostmaster.demo.internal. 1 3600 600 86400 5\n"));
	ldns_pkt_free(a.reply);
	a = ask("demo.internal", 2);
	CHECK(a.reply && record_is(ldns_pkt_answer(a.reply),
				   "demo.internal.\t60\tIN\tNS\tdns.demo.internal.\n"));
	ldns_pkt_free(a.reply);
	a = ask("1.10.in-addr.arpa", 2);
	CHECK(a.reply && record_is(ldns_pkt_answer(a.reply),
				   "1.10.in-addr.arpa.\t60\tIN\tNS\tdns.demo.internal.\n"));
	ldns_pkt_free(a.reply);
	a = ask("demo.internal", 1);
	check_negative(&a, LDNS_RCODE_NOERROR, "demo.internal.");
	a = ask("0.1.10.in-addr.arpa", 12); /* between the apex and the addresses */
	check_negative(&a, LDNS_RCODE_NOERROR, "1.10.in-addr.arpa.");
}

static void test_dns_subnet_between_octets_has_its_part_of_the_reverse_tree(void)
{
	struct dns_zone z = zone();
	uint8_t msg[512], out[DNS_MESSAGE_MAX];
	struct dns_question q;
	size_t len, n;

	prefix_parse(&z.subnet, "172.16.0.0/12");
	n = query_write(msg, sizeof(msg), "1.2.31.172.in-addr.arpa", 12);
	CHECK_EQ_INT(dns_query(&z, msg, n, &q, out, &len), DNS_HOST);
	n = query_write(msg, sizeof(msg), "1.2.32.172.in-addr.arpa", 12);
	CHECK_EQ_INT(dns_query(&z, msg, n, &q, out, &len), DNS_ANSWERED);
	CHECK_EQ_INT(out[3] & 15, LDNS_RCODE_REFUSED);
}

static void test_dns_answers_are_never_answered(void)
{
	uint8_t msg[100];
	size_t len = query_write(msg, sizeof(msg), "web.demo.internal", 1);
	struct asked a;

	msg[2] |= 0x80;
	a = ask_bytes(msg, len);
	CHECK_EQ_INT(a.want, DNS_IGNORE);
	CHECK_EQ_INT(a.len, 0);
	for (len = 0; len < 12; len++)
		CHECK_EQ_INT(ask_bytes(msg, len).want, DNS_IGNORE);
}

static void check_code(const uint8_t *msg, size_t len, int code)
{
	struct asked a = ask_bytes(msg, len);

	CHECK_EQ_INT(a.want, DNS_ANSWERED);
	CHECK_EQ_INT(rcode(&a), code);
	CHECK(a.reply && ldns_pkt_id(a.reply) == QUERY_ID && ldns_pkt_qr(a.reply));
	ldns_pkt_free(a.reply);
}

static void test_dns_other_opcodes_are_not_implemented(void)
{
	uint8_t msg[100];
	size_t len = query_write(msg, sizeof(msg), "web.demo.internal", 1);

	for (int opcode = 1; opcode < 16; opcode++) {
		msg[2] = (uint8_t)(opcode << 3);
		check_code(msg, len, LDNS_RCODE_NOTIMPL);
	}
}

static void test_dns_other_classes_are_refused(void)
{
	uint8_t msg[100];
	size_t len = query_write(msg, sizeof(msg), "web.demo.internal", 1);

	msg[len - 1] = 3;
	check_code(msg, len, LDNS_RCODE_REFUSED);
	msg[len - 1] = 255;
	check_code(msg, len, LDNS_RCODE_REFUSED);
}

static void test_dns_malformed_queries_get_formerr(void)
{
	uint8_t msg[600];
	size_t len = query_write(msg, sizeof(msg), "web.demo.internal", 1);

	for (size_t n = 12; n < len; n++)
		check_code(msg, n, LDNS_RCODE_FORMERR);
	msg[5] = 0;
	check_code(msg, len, LDNS_RCODE_FORMERR);
	msg[5] = 2;
	check_code(msg, len, LDNS_RCODE_FORMERR);
	msg[5] = 1;
	msg[11] = 1; /* an additional record that is not there */
	check_code(msg, len, LDNS_RCODE_FORMERR);
	msg[11] = 0;
	msg[12] = 0xc0; /* a name that points to itself */
	msg[13] = 12;
	check_code(msg, len, LDNS_RCODE_FORMERR);
	msg[12] = 0x40; /* a label type that does not exist */
	check_code(msg, len, LDNS_RCODE_FORMERR);
}

static void test_dns_edns_is_answered_with_edns(void)
{
	static const uint8_t opt[] = { 0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0 };
	struct dns_zone z = zone();
	struct ip v4 = { 0 }, none = { 0 };
	uint8_t msg[100];
	size_t len = query_write(msg, sizeof(msg), "web.demo.internal", 1);
	struct asked a;

	msg[11] = 1;
	memcpy(msg + len, opt, sizeof(opt));
	a = ask_bytes(msg, len + sizeof(opt));
	CHECK_EQ_INT(a.want, DNS_NAME);
	ip_parse(&v4, "10.1.0.9");
	a.len = dns_answer_name(&z, &a.q, &v4, &none, a.out);
	parse(&a);
	CHECK(a.reply && ldns_pkt_edns(a.reply) && answers(&a) == 1);
	ldns_pkt_free(a.reply);
	a = ask("web.demo.internal", 1);
	a.len = dns_servfail(&a.q, a.out);
	parse(&a);
	CHECK_EQ_INT(rcode(&a), LDNS_RCODE_SERVFAIL);
	CHECK(a.reply && !ldns_pkt_edns(a.reply) && !ldns_pkt_aa(a.reply));
	ldns_pkt_free(a.reply);
}

static void test_dns_longest_names_still_get_a_reply(void)
{
	static char label[64], deep[300];
	struct dns_zone z = zone();
	struct asked a;

	memset(label, 'a', 63);
	snprintf(deep, sizeof(deep), "%s.demo.internal", label);
	a = ask(deep, 1);
	CHECK_EQ_INT(a.want, DNS_NAME);
	CHECK(strcmp(a.q.host, label) == 0);
	a.len = dns_answer_name(&z, &a.q, &a.q.ip, &a.q.ip, a.out);
	parse(&a);
	check_negative(&a, LDNS_RCODE_NXDOMAIN, "demo.internal.");
	snprintf(deep, sizeof(deep), "%.47s.%s.%s.%s.demo.internal", label, label, label, label);
	a = ask(deep, 1); /* 255 bytes on the wire */
	check_negative(&a, LDNS_RCODE_NXDOMAIN, "demo.internal.");
	snprintf(deep, sizeof(deep), "%.48s.%s.%s.%s.demo.internal", label, label, label, label);
	a = ask(deep, 1);
	CHECK_EQ_INT(rcode(&a), LDNS_RCODE_FORMERR);
	ldns_pkt_free(a.reply);
}

static void test_dns_mechanical_names_go_both_ways(void)
{
	static const char *const wrong[] = { "", "C", "C25000500", "C2500050055", "D250005005",
					     "C256005005", "C25000500x", "C-50005005" };
	struct prefix ten, narrow;
	struct ip ip, back;
	char text[16];

	prefix_parse(&ten, "10.0.0.0/8");
	prefix_parse(&narrow, "10.1.0.0/16");
	ip_parse(&ip, "10.250.5.5");
	dns_mechanical(text, &ip);
	CHECK(strcmp(text, "C250005005") == 0); /* the paper's example */
	CHECK(dns_mechanical_parse(&ten, text, &back) && ip_equal(&ip, &back));
	CHECK(dns_mechanical_parse(&ten, "c250005005", &back) && ip_equal(&ip, &back));
	CHECK(!dns_mechanical_parse(&narrow, text, &back));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		CHECK(!dns_mechanical_parse(&ten, wrong[i], &back));
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_dns_host_name_is_looked_up_and_answered),
		TEST(test_dns_ipv6_address_is_answered_as_aaaa),
		TEST(test_dns_missing_family_is_empty_and_missing_name_is_nxdomain),
		TEST(test_dns_names_compare_without_case_and_are_echoed_as_asked),
		TEST(test_dns_reverse_names_of_both_subnets_are_looked_up),
		TEST(test_dns_outside_the_zones_is_refused),
		TEST(test_dns_other_types_inside_are_empty),
		TEST(test_dns_deeper_and_impossible_names_do_not_exist),
		TEST(test_dns_apex_has_soa_and_ns),
		TEST(test_dns_subnet_between_octets_has_its_part_of_the_reverse_tree),
		TEST(test_dns_answers_are_never_answered),
		TEST(test_dns_other_opcodes_are_not_implemented),
		TEST(test_dns_other_classes_are_refused),
		TEST(test_dns_malformed_queries_get_formerr),
		TEST(test_dns_edns_is_answered_with_edns),
		TEST(test_dns_longest_names_still_get_a_reply),
		TEST(test_dns_mechanical_names_go_both_ways),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
