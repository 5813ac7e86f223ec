/* addr.h - IP addresses, prefixes and UDP endpoints, without sockets. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"

#define IP_TEXT_LEN 46
#define ADDR_TEXT_LEN 68 /* [ipv6%scope]:port and the final 0 */
#define PREFIX_TEXT_LEN 50

/* len is 0 (none), 4 or 16; unused bytes are zero so that memcmp and hashing work on the whole. */
struct ip {
	uint8_t len;
	uint8_t b[16];
};

struct prefix {
	struct ip ip; /* host bits zero */
	uint8_t bits;
};

struct addr {
	struct ip ip;
	uint16_t port; /* host order; 0 = none */
	uint32_t scope; /* interface index of a link-local IPv6 address, else 0; never on the wire */
};

struct ip ip_v4(uint32_t host_order);
uint32_t ip_to_v4(const struct ip *ip); /* host order; ip->len must be 4 */
struct ip ip_v6(const uint8_t b[16]);
bool ip_equal(const struct ip *a, const struct ip *b);
bool ip_is_multicast(const struct ip *ip); /* 224/4, ff00::/8, and 255.255.255.255 */
bool ip_is_link_local(const struct ip *ip); /* 169.254/16, fe80::/10 */
bool ip_is_loopback(const struct ip *ip);
bool ip_parse(struct ip *out, const char *text);
void ip_text(char out[IP_TEXT_LEN], const struct ip *ip);

bool prefix_parse(struct prefix *out, const char *text); /* "10.1.0.0/16"; refuses host bits */
void prefix_text(char out[PREFIX_TEXT_LEN], const struct prefix *p);
bool prefix_has(const struct prefix *p, const struct ip *ip);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);

bool addr_equal(const struct addr *a, const struct addr *b);
/* "192.0.2.1:24655", "[2001:db8::1]:24655". No names. */
bool addr_parse(struct addr *out, const char *text);
void addr_text(char out[ADDR_TEXT_LEN], const struct addr *a);

/* Wire form: length byte (4 or 16, others fail), the bytes, for addr then the port (2). */
void wr_ip(struct wr *w, const struct ip *ip);
struct ip rd_ip(struct rd *r);
void wr_addr(struct wr *w, const struct addr *a);
struct addr rd_addr(struct rd *r);

#endif
