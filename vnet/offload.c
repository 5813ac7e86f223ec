/* offload.c - see offload.h. Semantics of virtio 1.2, 5.1.6, and of RFC 9293.
 *
 * Cutting: headers are copied; sequence numbers rise by the MSS, IPv4 identifications by one; CWR
 * stays on the first segment, PSH and FIN on the last. Joining is the exact reverse and takes only
 * what cutting would give back: same headers apart from those fields, all payloads of one size but
 * the last, which closes, as do PSH and FIN. Checksums of segments are verified before they are
 * joined, for afterwards nobody could. */
#include "vnet/offload.h"

#include <errno.h>
#include <string.h>

#include "vnet/ip.h"

#define TCP_HEADER_MIN 20

enum tcp_flag { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };

/* Places in the headers. */
enum place {
	V4_TOTAL = 2,
	V4_ID = 4,
	V4_FRAGMENT = 6,
	V4_CHECKSUM = 10,
	V6_PAYLOAD = 4,
	TCP_SEQ = 4,
	TCP_FLAGS = 13,
	TCP_CHECKSUM = 16,
};
#define V4_DONT_FRAGMENT 0x4000

/* A TCP packet that was read. */
struct segment {
	struct packet p;
	size_t tcp_at, header_len, payload;
	uint32_t seq;
	uint16_t id; /* IPv4 */
	uint8_t flags;
	bool dont_fragment;
};

static uint16_t get16(const uint8_t *pkt, size_t at)
{
	struct rd r = rd_of(pkt + at, 2);

	return rd_u16(&r);
}

static void put(uint8_t *pkt, size_t at, uint32_t v, size_t n)
{
	struct wr w = wr_of(pkt + at, n);

	wr_uint(&w, v, n);
}

static bool segment_read(struct segment *s, const uint8_t *pkt, size_t len)
{
	struct rd r;
	size_t tcp_len;

	*s = (struct segment){ 0 };
	if (!packet_read(&s->p, pkt, len) || s->p.len != len || s->p.fragment ||
	    s->p.proto != IP_TCP)
		return false;
	r = rd_of(s->p.body, s->p.body_len);
	rd_u32(&r);
	s->seq = rd_u32(&r);
	rd_u32(&r);
	tcp_len = (size_t)(rd_u8(&r) >> 4) * 4;
	s->flags = rd_u8(&r);
	s->tcp_at = len - s->p.body_len;
	s->header_len = s->tcp_at + tcp_len;
	if (!rd_ok(&r) || tcp_len < TCP_HEADER_MIN || s->header_len > len)
		return false;
	s->payload = len - s->header_len;
	if (s->p.src.len == 4) {
		s->id = get16(pkt, V4_ID);
		s->dont_fragment = (get16(pkt, V4_FRAGMENT) & V4_DONT_FRAGMENT) != 0;
	}
	return true;
}

/* Length of the packet into the IP header, and IPv4's header checksum. */
static void put_length(uint8_t *pkt, size_t len, size_t tcp_at, bool v4)
{
	if (!v4) {
		put(pkt, V6_PAYLOAD, (uint32_t)(len - IPV6_HEADER_LEN), 2);
		return;
	}
	put(pkt, V4_TOTAL, (uint32_t)len, 2);
	put(pkt, V4_CHECKSUM, 0, 2);
	put(pkt, V4_CHECKSUM, ip_checksum_fold(ip_sum(0, pkt, tcp_at)), 2);
}

/* Sum of the pseudo header of a packet whose headers are complete. */
static uint32_t pseudo_sum(const uint8_t *pkt, size_t len, size_t tcp_at)
{
	struct packet p;

	if (!packet_read(&p, pkt, len))
		return 0;
	return ip_sum_pseudo(&p.src, &p.dst, IP_TCP, len - tcp_at);
}

int offload_checksum(uint8_t *pkt, size_t len, const struct offload *o)
{
	size_t field = (size_t)o->csum_start + o->csum_offset;
	uint16_t sum;

	if (field + 2 > len)
		return -EINVAL;
	sum = ip_checksum_fold(ip_sum(0, pkt + o->csum_start, len - o->csum_start));
	put(pkt, field, sum ? sum : 0xffff, 2); /* a zero would mean "none" in UDP */
	return 0;
}

int offload_cut_begin(struct offload_cut *c, const uint8_t *pkt, size_t len, uint16_t mss)
{
	struct segment s;

	if (mss < OFFLOAD_MSS_MIN || len > OFFLOAD_LEN_MAX || !segment_read(&s, pkt, len) ||
	    !s.payload)
		return -EINVAL;
	*c = (struct offload_cut){ .pkt = pkt, .len = len, .tcp_at = s.tcp_at,
				   .header_len = s.header_len, .at = s.header_len, .mss = mss,
				   .id = s.id, .seq = s.seq, .v4 = s.p.src.len == 4 };
	return 0;
}

static uint8_t cut_flags(const struct offload_cut *c, size_t n)
{
	uint8_t flags = c->pkt[c->tcp_at + TCP_FLAGS];

	if (c->at != c->header_len)
		flags &= (uint8_t)~CWR;
	if (c->at + n != c->len)
		flags &= (uint8_t)~(PSH | FIN);
	return flags;
}

size_t offload_cut_next(struct offload_cut *c, uint8_t *out, size_t size)
{
	size_t left = c->len - c->at, n = left < c->mss ? left : c->mss, len = c->header_len + n;
	uint32_t sum;

	if (!left || len > size)
		return 0;
	memcpy(out, c->pkt, c->header_len);
	memcpy(out + c->header_len, c->pkt + c->at, n);
	put(out, c->tcp_at + TCP_SEQ, c->seq, 4);
	put(out, c->tcp_at + TCP_FLAGS, cut_flags(c, n), 1);
	put(out, c->tcp_at + TCP_CHECKSUM, 0, 2);
	if (c->v4)
		put(out, V4_ID, c->id++, 2);
	put_length(out, len, c->tcp_at, c->v4);
	sum = ip_sum(pseudo_sum(out, len, c->tcp_at), out + c->tcp_at, len - c->tcp_at);
	put(out, c->tcp_at + TCP_CHECKSUM, ip_checksum_fold(sum), 2);
	c->at += n;
	c->seq += (uint32_t)n;
	return len;
}

/* May be part of a large packet at all. */
static bool is_joinable(const struct segment *s)
{
	size_t plain = s->p.src.len == 4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;

	return s->payload >= OFFLOAD_MSS_MIN && s->tcp_at == plain && (s->flags & ACK) &&
	       !(s->flags & (SYN | RST | URG)) && packet_checksum_ok(&s->p);
}

static bool is_last(uint8_t flags) { return flags & (PSH | FIN); }

bool offload_join_begin(struct offload_join *j, uint8_t *buf, size_t size, const uint8_t *pkt,
			size_t len)
{
	struct segment s;

	if (len > size || !segment_read(&s, pkt, len) || !is_joinable(&s))
		return false;
	memcpy(buf, pkt, len);
	*j = (struct offload_join){ .pkt = buf, .size = size, .len = len, .tcp_at = s.tcp_at,
				    .header_len = s.header_len, .mss = (uint16_t)s.payload,
				    .id = s.id, .next_seq = s.seq + (uint32_t)s.payload,
				    .count = 1, .v4 = s.p.src.len == 4,
				    .closed = is_last(s.flags) };
	return true;
}

/* Bytes [from, to) of both headers are equal. */
static bool same(const struct offload_join *j, const uint8_t *pkt, size_t from, size_t to)
{
	return memcmp(j->pkt + from, pkt + from, to - from) == 0;
}

/* Everything equal but lengths, identification, checksums, sequence number and flags. */
static bool same_headers(const struct offload_join *j, const uint8_t *pkt)
{
	size_t t = j->tcp_at;

	if (j->v4 ? !(same(j, pkt, 0, V4_TOTAL) && same(j, pkt, V4_FRAGMENT, V4_CHECKSUM) &&
		      same(j, pkt, V4_CHECKSUM + 2, t)) :
		    !(same(j, pkt, 0, V6_PAYLOAD) && same(j, pkt, V6_PAYLOAD + 2, t)))
		return false;
	return same(j, pkt, t, t + TCP_SEQ) && same(j, pkt, t + TCP_SEQ + 4, t + TCP_FLAGS) &&
	       same(j, pkt, t + TCP_FLAGS + 1, t + TCP_CHECKSUM) &&
	       same(j, pkt, t + TCP_CHECKSUM + 2, j->header_len);
}

static bool follows(const struct offload_join *j, const struct segment *s, const uint8_t *pkt)
{
	uint8_t changed = j->pkt[j->tcp_at + TCP_FLAGS] ^ s->flags;

	return s->header_len == j->header_len && (s->p.src.len == 4) == j->v4 &&
	       s->seq == j->next_seq && s->payload <= j->mss && !(s->flags & CWR) &&
	       !(changed & ~(CWR | PSH | FIN)) && same_headers(j, pkt) &&
	       (!j->v4 || s->dont_fragment || s->id == (uint16_t)(j->id + j->count));
}

bool offload_join_add(struct offload_join *j, const uint8_t *pkt, size_t len)
{
	struct segment s;

	if (j->closed || !segment_read(&s, pkt, len) || j->len + s.payload > j->size ||
	    j->len + s.payload > OFFLOAD_LEN_MAX || !follows(j, &s, pkt))
		return false;
	if (s.payload < OFFLOAD_MSS_MIN ? !packet_checksum_ok(&s.p) || !s.payload : !is_joinable(&s))
		return false;
	memcpy(j->pkt + j->len, pkt + s.header_len, s.payload);
	j->len += s.payload;
	j->next_seq += (uint32_t)s.payload;
	j->count++;
	j->closed = s.payload < j->mss || is_last(s.flags);
	put(j->pkt, j->tcp_at + TCP_FLAGS, j->pkt[j->tcp_at + TCP_FLAGS] | s.flags, 1);
	return true;
}

size_t offload_join_end(struct offload_join *j, struct offload *o)
{
	*o = (struct offload){ 0 };
	if (j->count == 1)
		return j->len;
	*o = (struct offload){ .tcp = true, .partial = true, .mss = j->mss,
			       .header_len = (uint16_t)j->header_len,
			       .csum_start = (uint16_t)j->tcp_at, .csum_offset = TCP_CHECKSUM };
	put_length(j->pkt, j->len, j->tcp_at, j->v4);
	put(j->pkt, j->tcp_at + TCP_CHECKSUM,
	    (uint16_t)~ip_checksum_fold(pseudo_sum(j->pkt, j->len, j->tcp_at)), 2);
	return j->len;
}
