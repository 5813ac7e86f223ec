/* addr.c - see addr.h. inet_pton and inet_ntop are text functions, not sockets. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct ip ip_v4(uint32_t v)
{
	return (struct ip){
		4, { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v }
	};
}

uint32_t ip_to_v4(const struct ip *ip)
{
	struct rd r = rd_of(ip->b, 4);

	assert(ip->len == 4);
	return rd_u32(&r);
}

struct ip ip_v6(const uint8_t b[16])
{
	struct ip ip = { .len = 16 };

	memcpy(ip.b, b, 16);
	return ip;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->len == b->len && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool ip_is_multicast(const struct ip *ip)
{
	if (ip->len == 4)
		return ip->b[0] >> 4 == 0xe || ip_to_v4(ip) == UINT32_MAX;
	return ip->len == 16 && ip->b[0] == 0xff;
}

bool ip_is_link_local(const struct ip *ip)
{
	if (ip->len == 4)
		return ip->b[0] == 169 && ip->b[1] == 254;
	return ip->len == 16 && ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

bool ip_is_loopback(const struct ip *ip)
{
	static const uint8_t v6[16] = { [15] = 1 };

	if (ip->len == 4)
		return ip->b[0] == 127;
	return ip->len == 16 && memcmp(ip->b, v6, 16) == 0;
}

bool ip_parse(struct ip *out, const char *text)
{
	*out = (struct ip){ 0 };
	if (inet_pton(AF_INET, text, out->b) == 1)
		out->len = 4;
	else if (inet_pton(AF_INET6, text, out->b) == 1)
		out->len = 16;
	else
		*out = (struct ip){ 0 }; /* a failed try may have written */
	return out->len != 0;
}

void ip_text(char out[IP_TEXT_LEN], const struct ip *ip)
{
	int family = ip->len == 4 ? AF_INET : AF_INET6;

	if (ip->len == 0 || !inet_ntop(family, ip->b, out, IP_TEXT_LEN))
		snprintf(out, IP_TEXT_LEN, "none");
}

/* A decimal number without sign, blanks or leading zeros, up to the end of the text. */
static bool number_parse(unsigned long *out, const char *text, unsigned long max)
{
	unsigned long v = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10 + (unsigned long)(*text - '0');
		if (v > max)
			return false;
	}
	*out = v;
	return true;
}

/* Copies what is before `end` into a buffer of size bytes; false if it does not fit. */
static bool head_copy(char *out, size_t size, const char *text, const char *end)
{
	size_t n = (size_t)(end - text);

	if (n >= size)
		return false;
	memcpy(out, text, n);
	out[n] = 0;
	return true;
}

static struct ip masked(const struct ip *ip, unsigned bits)
{
	struct ip out = *ip;

	for (unsigned i = 0; i < out.len; i++) {
		unsigned keep = bits > 8 * i ? bits - 8 * i : 0;

		if (keep < 8)
			out.b[i] &= (uint8_t)(0xff00 >> keep);
	}
	return out;
}

bool prefix_parse(struct prefix *out, const char *text)
{
	const char *slash = strchr(text, '/');
	char head[IP_TEXT_LEN];
	unsigned long bits;
	struct ip ip, net;

	*out = (struct prefix){ 0 };
	if (!slash || !head_copy(head, sizeof(head), text, slash) || !ip_parse(&ip, head) ||
	    !number_parse(&bits, slash + 1, 8u * ip.len))
		return false;
	net = masked(&ip, (unsigned)bits);
	if (!ip_equal(&net, &ip))
		return false;
	*out = (struct prefix){ ip, (uint8_t)bits };
	return true;
}

void prefix_text(char out[PREFIX_TEXT_LEN], const struct prefix *p)
{
	char ip[IP_TEXT_LEN];

	ip_text(ip, &p->ip);
	snprintf(out, PREFIX_TEXT_LEN, "%s/%u", ip, p->bits);
}

bool prefix_has(const struct prefix *p, const struct ip *ip)
{
	struct ip net = masked(ip, p->bits);

	return p->ip.len != 0 && ip_equal(&net, &p->ip);
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return a->bits <= b->bits ? prefix_has(a, &b->ip) : prefix_has(b, &a->ip);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return ip_equal(&a->ip, &b->ip) && a->port == b->port && a->scope == b->scope;
}

/* What is between the brackets of "[fe80::1%3]". */
static bool bracket_parse(struct addr *out, char *inside)
{
	char *percent = strchr(inside, '%');
	unsigned long scope = 0;

	if (percent) {
		*percent = 0;
		if (!number_parse(&scope, percent + 1, UINT32_MAX) || scope == 0)
			return false;
	}
	if (!ip_parse(&out->ip, inside) || out->ip.len != 16)
		return false;
	out->scope = (uint32_t)scope;
	return !scope || ip_is_link_local(&out->ip);
}

bool addr_parse(struct addr *out, const char *text)
{
	bool bracket = *text == '[';
	const char *end = bracket ? strchr(text, ']') : strchr(text, ':');
	char head[ADDR_TEXT_LEN];
	struct addr a = { 0 };
	unsigned long port;

	*out = a;
	if (!end || !head_copy(head, sizeof(head), text + bracket, end) || end[bracket] != ':' ||
	    !number_parse(&port, end + bracket + 1, UINT16_MAX) || port == 0)
		return false;
	if (bracket ? !bracket_parse(&a, head) : !ip_parse(&a.ip, head))
		return false;
	a.port = (uint16_t)port;
	*out = a;
	return true;
}

void addr_text(char out[ADDR_TEXT_LEN], const struct addr *a)
{
	char ip[IP_TEXT_LEN];

	ip_text(ip, &a->ip);
	if (a->ip.len != 16)
		snprintf(out, ADDR_TEXT_LEN, "%s:%u", ip, a->port);
	else if (a->scope)
		snprintf(out, ADDR_TEXT_LEN, "[%s%%%u]:%u", ip, a->scope, a->port);
	else
		snprintf(out, ADDR_TEXT_LEN, "[%s]:%u", ip, a->port);
}

void wr_ip(struct wr *w, const struct ip *ip)
{
	if (ip->len != 4 && ip->len != 16)
		w->bad = true;
	wr_u8(w, ip->len);
	wr_copy(w, ip->b, ip->len);
}

struct ip rd_ip(struct rd *r)
{
	struct ip ip = { .len = rd_u8(r) };

	if (ip.len != 4 && ip.len != 16)
		r->bad = true;
	else
		rd_copy(r, ip.b, ip.len);
	return r->bad ? (struct ip){ 0 } : ip;
}

void wr_addr(struct wr *w, const struct addr *a)
{
	wr_ip(w, &a->ip);
	wr_u16(w, a->port);
}

struct addr rd_addr(struct rd *r)
{
	struct addr a = { .ip = rd_ip(r) };

	a.port = rd_u16(r);
	return r->bad ? (struct addr){ 0 } : a;
}
