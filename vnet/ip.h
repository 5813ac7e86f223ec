/* ip.h - IPv4 and IPv6 headers: reading with sanity checks, building, checksums. RFC 791, 8200. */
#ifndef VNET_IP_H
#define VNET_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"

#define IPV4_HEADER_LEN 20
#define IPV6_HEADER_LEN 40
#define IP_HOPS_DEFAULT 64

enum ip_proto { IP_ICMP = 1, IP_TCP = 6, IP_UDP = 17, IP_ICMPV6 = 58 };

enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_ECHO = 8,
	ICMP6_UNREACHABLE = 1,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	ICMP6_ND_FIRST = 133, /* router solicitation */
	ICMP6_NS = 135,
	ICMP6_NA = 136,
	ICMP6_ND_LAST = 137, /* redirect */
};

/* A packet that was read; pointers into the caller's bytes. */
struct packet {
	const uint8_t *data; /* from the IP header on */
	size_t len;	     /* as the header says: Ethernet's padding is not in it */
	struct ip src, dst;
	uint8_t hops;
	uint8_t proto; /* behind IPv6 extension headers */
	bool fragment; /* any part of a fragmented packet */
	bool first;    /* holds the start of the body */
	const uint8_t *body; /* what follows the headers */
	size_t body_len;
};

/* False when it is no well-formed IPv4 or IPv6 packet that fits into len. Header checksums are
 * not looked at: the receiving kernel does that. */
bool packet_read(struct packet *p, const void *data, size_t len);
/* Type of an ICMP message of the packet's own family, -1 when it is none. */
int packet_icmp(const struct packet *p);
/* Neighbour and router discovery, which never leaves a link. */
bool packet_is_nd(const struct packet *p);

/* What ip_write writes: a whole packet of one family. */
struct ip_out {
	struct ip src, dst;
	uint8_t proto, hops;
	const void *body;
	size_t body_len;
};
/* Writes header and body; the checksum of ICMP, ICMPv6, UDP and TCP bodies is filled in. Returns
 * the length, 0 when it does not fit into size. */
size_t ip_write(uint8_t *out, size_t size, const struct ip_out *o);

/* One's complement sum, to be folded by ip_checksum_fold. len may be odd only in the last piece. */
uint32_t ip_sum(uint32_t sum, const void *data, size_t len);
uint32_t ip_sum_pseudo(const struct ip *src, const struct ip *dst, uint8_t proto, size_t len);
uint16_t ip_checksum_fold(uint32_t sum); /* host order, complemented */
/* True when the body's checksum (ICMP, ICMPv6, UDP, TCP) is right. */
bool packet_checksum_ok(const struct packet *p);

/* ip_equal for the fast path: a call less, and two comparisons of words. */
static inline bool ip_same(const struct ip *a, const struct ip *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a->b, sizeof(x));
	memcpy(y, b->b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (uint64_t)(a->len ^ b->len)) == 0;
}

/* All zero: 0.0.0.0 or ::. */
bool ip_is_unspecified(const struct ip *ip);
/* The subnet's own address or its broadcast address (IPv4, up to /30). */
bool ip_is_subnet_edge(const struct prefix *p, const struct ip *ip);

#endif
