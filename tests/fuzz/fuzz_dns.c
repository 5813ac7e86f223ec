/* fuzz_dns.c - DNS queries: whatever comes, a reply fits and parses, and answers can be made. */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "vnet/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct dns_zone z = { .name = "demo", .domain = "internal" };
	uint8_t out[DNS_MESSAGE_MAX];
	struct dns_question q;
	struct ip ip = { 4, { 10, 1, 0, 9 } }, none = { 0 };
	enum dns_want want;
	size_t n = 0;

	prefix_parse(&z.subnet, "10.1.0.0/16");
	prefix_parse(&z.subnet6, "fd00::/64");
	want = dns_query(&z, data, len, &q, out, &n);
	if (want == DNS_NAME)
		n = dns_answer_name(&z, &q, &ip, &none, out);
	else if (want == DNS_HOST)
		n = dns_answer_host(&z, &q, "web", out);
	if (n > DNS_MESSAGE_MAX || (want != DNS_IGNORE && n < 12))
		abort();
	if (want == DNS_NAME || want == DNS_HOST)
		if (!dns_answer_name(&z, &q, &none, &none, out) || !dns_servfail(&q, out))
			abort();
	return 0;
}
