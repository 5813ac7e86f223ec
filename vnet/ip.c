/* ip.c - see ip.h. Everything is read through cursors: a packet comes from a stranger's kernel or
 * from a peer. IPv6 extension headers are walked (at most EXTENSIONS_MAX) only to find the upper
 * protocol, so that neighbour discovery cannot hide behind one. */
#include "vnet/ip.h"

#include <string.h>

#define EXTENSIONS_MAX 8
#define DONT_FRAGMENT 0x4000

enum extension { EXT_HOP_BY_HOP = 0, EXT_ROUTING = 43, EXT_FRAGMENT = 44, EXT_DEST_OPTIONS = 60 };

static bool read_v4(struct packet *p, struct rd r)
{
	size_t header = (size_t)(rd_u8(&r) & 15) * 4, total, left = rd_left(&r) + 1;
	uint16_t fragment;

	rd_u8(&r);
	total = rd_u16(&r);
	rd_u16(&r);
	fragment = rd_u16(&r);
	p->hops = rd_u8(&r);
	p->proto = rd_u8(&r);
	rd_u16(&r);
	p->src.len = p->dst.len = 4;
	rd_copy(&r, p->src.b, 4);
	rd_copy(&r, p->dst.b, 4);
	if (!rd_ok(&r) || header < IPV4_HEADER_LEN || total < header || total > left)
		return false;
	p->len = total;
	p->fragment = (fragment & 0x3fff) != 0;
	p->first = (fragment & 0x1fff) == 0;
	p->body = p->data + header;
	p->body_len = total - header;
	return true;
}

static bool is_extension(uint8_t proto)
{
	return proto == EXT_HOP_BY_HOP || proto == EXT_ROUTING || proto == EXT_FRAGMENT ||
	       proto == EXT_DEST_OPTIONS;
}

/* Moves the body behind one extension header. */
static bool skip_extension(struct packet *p)
{
	struct rd r = rd_of(p->body, p->body_len);
	uint8_t next = rd_u8(&r);
	size_t len = (rd_u8(&r) + (size_t)1) * 8;

	if (p->proto == EXT_FRAGMENT) {
		len = 8;
		p->fragment = true;
		p->first = (rd_u16(&r) & 0xfff8) == 0;
	}
	if (!rd_ok(&r) || len > p->body_len)
		return false;
	p->proto = next;
	p->body += len;
	p->body_len -= len;
	return true;
}

static bool read_v6(struct packet *p, struct rd r)
{
	size_t left = rd_left(&r), payload;

	rd_u32(&r);
	payload = rd_u16(&r);
	p->proto = rd_u8(&r);
	p->hops = rd_u8(&r);
	p->src.len = p->dst.len = 16;
	rd_copy(&r, p->src.b, 16);
	rd_copy(&r, p->dst.b, 16);
	if (!rd_ok(&r) || payload > left - IPV6_HEADER_LEN)
		return false;
	p->len = IPV6_HEADER_LEN + payload;
	p->first = true;
	p->body = p->data + IPV6_HEADER_LEN;
	p->body_len = payload;
	for (int i = 0; is_extension(p->proto) && p->first; i++)
		if (i == EXTENSIONS_MAX || !skip_extension(p))
			return false;
	return true;
}

bool packet_read(struct packet *p, const void *data, size_t len)
{
	struct rd r = rd_of(data, len), peek = r;
	uint8_t version = rd_u8(&peek) >> 4;

	*p = (struct packet){ .data = data };
	if (version == 4)
		return read_v4(p, r);
	return version == 6 && read_v6(p, r);
}

int packet_icmp(const struct packet *p)
{
	struct rd r = rd_of(p->body, p->body_len);
	int type = rd_u8(&r);

	if (p->proto != (p->src.len == 4 ? IP_ICMP : IP_ICMPV6) || !p->first || !rd_ok(&r))
		return -1;
	return type;
}

bool packet_is_nd(const struct packet *p)
{
	int type = p->src.len == 16 ? packet_icmp(p) : -1;

	return type >= ICMP6_ND_FIRST && type <= ICMP6_ND_LAST;
}

/* Eight bytes at a time in the machine's byte order, which a one's complement sum does not mind:
 * the result is turned round once. The halves are added apart so that no carry is lost. */
uint32_t ip_sum(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t word, low = 0, high = 0;
	uint16_t folded;
	struct rd turned;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		low += (uint32_t)word;
		high += word >> 32;
	}
	word = 0;
	if (len)
		memcpy(&word, p, len);
	low += (uint32_t)word;
	high += word >> 32;
	low = (low & UINT32_MAX) + (low >> 32) + (high & UINT32_MAX) + (high >> 32);
	while (low >> 16)
		low = (low & 0xffff) + (low >> 16);
	folded = (uint16_t)low;
	turned = rd_of(&folded, sizeof(folded));
	return sum + rd_u16(&turned);
}

uint32_t ip_sum_pseudo(const struct ip *src, const struct ip *dst, uint8_t proto, size_t len)
{
	uint32_t sum = ip_sum(0, src->b, src->len);

	sum = ip_sum(sum, dst->b, dst->len);
	return sum + proto + (uint32_t)(len & 0xffff) + (uint32_t)(len >> 16);
}

uint16_t ip_checksum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* ICMP of IPv4 alone has no pseudo header. */
static uint16_t body_checksum(const struct ip_out *o, const void *body)
{
	uint32_t sum = o->proto == IP_ICMP ? 0 :
					     ip_sum_pseudo(&o->src, &o->dst, o->proto, o->body_len);

	return ip_checksum_fold(ip_sum(sum, body, o->body_len));
}

bool packet_checksum_ok(const struct packet *p)
{
	struct ip_out o = { .src = p->src, .dst = p->dst, .proto = p->proto,
			    .body_len = p->body_len };

	return body_checksum(&o, p->body) == 0;
}

/* Where the checksum stands in the body; -1 for protocols we never write. */
static int checksum_place(uint8_t proto)
{
	switch (proto) {
	case IP_ICMP:
	case IP_ICMPV6: return 2;
	case IP_UDP: return 6;
	case IP_TCP: return 16;
	default: return -1;
	}
}

static void fill_checksum(const struct ip_out *o, uint8_t *body)
{
	int at = checksum_place(o->proto);
	uint16_t sum;
	struct wr w;

	if (at < 0 || o->body_len < (size_t)at + 2)
		return;
	w = wr_of(body + at, 2);
	wr_u16(&w, 0);
	sum = body_checksum(o, body);
	if (sum == 0 && o->proto == IP_UDP)
		sum = 0xffff; /* zero means "none" there */
	w = wr_of(body + at, 2);
	wr_u16(&w, sum);
}

static void write_v4(struct wr *w, const struct ip_out *o)
{
	uint8_t *start = w->p;
	struct wr sum;

	wr_u16(w, 0x4500);
	wr_u16(w, (uint16_t)(IPV4_HEADER_LEN + o->body_len));
	wr_u16(w, 0);
	wr_u16(w, DONT_FRAGMENT); /* atomic: the identification means nothing, RFC 6864 */
	wr_u8(w, o->hops);
	wr_u8(w, o->proto);
	wr_u16(w, 0);
	wr_copy(w, o->src.b, 4);
	wr_copy(w, o->dst.b, 4);
	if (!wr_ok(w))
		return;
	sum = wr_of(start + 10, 2);
	wr_u16(&sum, ip_checksum_fold(ip_sum(0, start, IPV4_HEADER_LEN)));
}

static void write_v6(struct wr *w, const struct ip_out *o)
{
	wr_u32(w, 6u << 28);
	wr_u16(w, (uint16_t)o->body_len);
	wr_u8(w, o->proto);
	wr_u8(w, o->hops);
	wr_copy(w, o->src.b, 16);
	wr_copy(w, o->dst.b, 16);
}

size_t ip_write(uint8_t *out, size_t size, const struct ip_out *o)
{
	struct wr w = wr_of(out, size);
	uint8_t *body;

	if (o->src.len != o->dst.len || o->body_len > UINT16_MAX - IPV6_HEADER_LEN)
		return 0;
	(o->src.len == 4 ? write_v4 : write_v6)(&w, o);
	body = wr_room(&w, o->body_len);
	if (!wr_ok(&w))
		return 0;
	if (o->body_len)
		memcpy(body, o->body, o->body_len);
	fill_checksum(o, body);
	return wr_len(&w);
}

bool ip_is_unspecified(const struct ip *ip)
{
	static const uint8_t zero[16];

	return memcmp(ip->b, zero, sizeof(zero)) == 0;
}

bool ip_is_subnet_edge(const struct prefix *p, const struct ip *ip)
{
	uint32_t host;

	if (ip->len != 4 || p->ip.len != 4 || p->bits > 30 || !prefix_has(p, ip))
		return false;
	host = ip_to_v4(ip) & (UINT32_MAX >> p->bits);
	return host == 0 || host == UINT32_MAX >> p->bits;
}
