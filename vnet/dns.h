/* dns.h - DNS of a namespace, as a pure function around libldns. RFC 1035, 2308, 6761.
 *
 * Answers A, AAAA and PTR inside the zone HOST.NAMESPACE.DOMAIN and the reverse of its subnets;
 * other types inside get an empty answer, outside the zone REFUSED, unparsable FORMERR. A question
 * that needs the registers is kept by the caller (dns_question) until the answer arrives. */
#ifndef VNET_DNS_H
#define VNET_DNS_H

#include "base/addr.h"

#define DNS_MESSAGE_MAX 512
#define DNS_TTL 60 /* seconds */

struct dns_zone {
	const char *name, *domain; /* "demo", "internal" */
	struct prefix subnet, subnet6;
};

enum dns_want {
	DNS_ANSWERED, /* `out` holds the whole reply already */
	DNS_NAME,     /* look up `host`, then dns_answer_name */
	DNS_HOST,     /* look up the host name of `ip`, then dns_answer_host */
	DNS_IGNORE,   /* not a query: no reply */
};

struct dns_question {
	uint16_t id;
	uint16_t type; /* 1 A, 28 AAAA, 12 PTR */
	bool recursion_desired;
	bool edns; /* it spoke EDNS, so the reply does */
	char host[64];
	struct ip ip;
	uint8_t wire[280]; /* the question section as it came */
	size_t wire_len;
};

/* Looks at one query. DNS_ANSWERED: reply length in *out_len. */
enum dns_want dns_query(const struct dns_zone *z, const uint8_t *msg, size_t len,
			struct dns_question *q, uint8_t out[DNS_MESSAGE_MAX], size_t *out_len);
/* v4 and v6 with len 0 are absent; both absent = NXDOMAIN (with the zone's SOA). */
size_t dns_answer_name(const struct dns_zone *z, const struct dns_question *q, const struct ip *v4,
		       const struct ip *v6, uint8_t out[DNS_MESSAGE_MAX]);
/* host NULL = NXDOMAIN. A mechanical name (C250005005) is made for IPv4 when host is "". */
size_t dns_answer_host(const struct dns_zone *z, const struct dns_question *q, const char *host,
		       uint8_t out[DNS_MESSAGE_MAX]);
size_t dns_servfail(const struct dns_question *q, uint8_t out[DNS_MESSAGE_MAX]);
/* Mechanical names (I12): 10.250.5.5 in 10.0.0.0/8 is C250005005: the last three octets, zero-padded. */
void dns_mechanical(char out[16], const struct ip *ip);
bool dns_mechanical_parse(const struct prefix *subnet, const char *host, struct ip *out);

#endif
