/* test_offload.c - cutting and joining TCP, against a reference that does it byte by byte. */
#include "vnet/offload.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/check.h"
#include "vnet/ip.h"

#define CASES 300

struct big {
	uint8_t pkt[OFFLOAD_LEN_MAX];
	size_t len, ip_len, tcp_len, payload;
	bool v4;
	uint16_t mss;
};

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static uint16_t naive_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void set16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Pseudo header, summed up: addresses, protocol, length. */
static uint16_t naive_pseudo(const uint8_t *pkt, bool v4, size_t tcp_len)
{
	uint16_t sum = naive_sum(0, pkt + (v4 ? 12 : 8), v4 ? 8 : 32);
	uint8_t rest[4] = { 0, 6, (uint8_t)(tcp_len >> 8), (uint8_t)tcp_len };

	return naive_sum(sum, rest, sizeof(rest));
}

static void naive_lengths(uint8_t *pkt, size_t len, size_t ip_len, bool v4)
{
	if (!v4) {
		set16(pkt + 4, (uint32_t)(len - 40));
		return;
	}
	set16(pkt + 2, (uint32_t)len);
	set16(pkt + 10, 0);
	set16(pkt + 10, (uint16_t)~naive_sum(0, pkt, ip_len));
}

/* A large packet as a kernel hands it over: random but well-formed, checksum partial. */
static void big_make(struct big *b, uint32_t *state)
{
	uint8_t *t;

	b->v4 = next(state) & 1;
	b->ip_len = b->v4 ? 20 : 40;
	b->tcp_len = 20 + (next(state) & 1 ? 12 : 0);
	b->mss = (uint16_t)(OFFLOAD_MSS_MIN + next(state) % 1400);
	b->payload = b->mss + 1 + next(state) % (40u * b->mss);
	if (b->payload > 60000)
		b->payload = 60000;
	b->len = b->ip_len + b->tcp_len + b->payload;
	for (size_t i = 0; i < b->len; i++)
		b->pkt[i] = (uint8_t)next(state);
	b->pkt[0] = b->v4 ? 0x45 : 0x60;
	b->pkt[b->v4 ? 9 : 6] = IP_TCP;
	if (b->v4)
		set16(b->pkt + 6, next(state) & 1 ? 0x4000 : 0);
	naive_lengths(b->pkt, b->len, b->ip_len, b->v4);
	t = b->pkt + b->ip_len;
	t[12] = (uint8_t)(b->tcp_len / 4 << 4);
	t[13] = (uint8_t)(0x10 | (next(state) & (0x80 | 0x40 | 0x08 | 0x01)));
	set16(t + 16, naive_pseudo(b->pkt, b->v4, b->tcp_len + b->payload));
}

/* Segment number n, from scratch. */
static size_t naive_cut(const struct big *b, size_t n, uint8_t *out)
{
	size_t head = b->ip_len + b->tcp_len, at = n * b->mss, part, len;
	uint8_t *t = out + b->ip_len;
	uint32_t seq = 0;

	if (at >= b->payload)
		return 0;
	part = b->payload - at < b->mss ? b->payload - at : b->mss;
	len = head + part;
	for (size_t i = 0; i < head; i++)
		out[i] = b->pkt[i];
	for (size_t i = 0; i < part; i++)
		out[head + i] = b->pkt[head + at + i];
	for (size_t i = 4; i < 8; i++)
		seq = seq << 8 | t[i];
	seq += (uint32_t)at;
	set16(t + 4, seq >> 16);
	set16(t + 6, seq);
	if (n > 0)
		t[13] &= 0x7f;
	if (at + part < b->payload)
		t[13] &= 0xf6;
	if (b->v4)
		set16(out + 4, (uint32_t)(b->pkt[4] << 8 | b->pkt[5]) + (uint32_t)n);
	naive_lengths(out, len, b->ip_len, b->v4);
	set16(t + 16, 0);
	set16(t + 16, (uint16_t)~naive_sum(naive_pseudo(out, b->v4, len - b->ip_len), t,
					   len - b->ip_len));
	return len;
}

static void test_offload_cutting_agrees_with_the_reference(void)
{
	struct big *b = malloc(sizeof(*b));
	uint8_t out[2000], want[2000];
	uint32_t state = 1;

	for (int i = 0; i < CASES; i++) {
		struct offload_cut c;
		size_t len, n = 0;

		big_make(b, &state);
		CHECK_EQ_INT(offload_cut_begin(&c, b->pkt, b->len, b->mss), 0);
		while ((len = offload_cut_next(&c, out, sizeof(out)))) {
			CHECK_EQ_INT(len, naive_cut(b, n++, want));
			CHECK_MEM(out, want, len);
		}
		CHECK_EQ_INT(naive_cut(b, n, want), 0);
	}
	free(b);
}

static void test_offload_joining_undoes_cutting(void)
{
	struct big *b = malloc(sizeof(*b));
	uint8_t *buf = malloc(OFFLOAD_LEN_MAX), out[2000];
	uint32_t state = 2;

	for (int i = 0; i < CASES; i++) {
		struct offload_join j;
		struct offload_cut c;
		struct offload o;

		big_make(b, &state);
		offload_cut_begin(&c, b->pkt, b->len, b->mss);
		CHECK(offload_join_begin(&j, buf, OFFLOAD_LEN_MAX, out,
					 offload_cut_next(&c, out, sizeof(out))));
		for (size_t len; (len = offload_cut_next(&c, out, sizeof(out)));)
			CHECK(offload_join_add(&j, out, len));
		CHECK_EQ_INT(offload_join_end(&j, &o), b->len);
		CHECK_MEM(buf, b->pkt, b->len);
		CHECK(o.tcp && o.partial);
		CHECK_EQ_INT(o.mss, b->mss);
		CHECK_EQ_INT(o.header_len, b->ip_len + b->tcp_len);
		CHECK_EQ_INT(o.csum_start, b->ip_len);
		CHECK_EQ_INT(o.csum_offset, 16);
		CHECK_EQ_INT(offload_checksum(buf, b->len, &o), 0); /* the large one is whole too */
		CHECK_EQ_INT(naive_sum(naive_pseudo(buf, b->v4, b->len - b->ip_len),
				       buf + b->ip_len, b->len - b->ip_len), 0xffff);
	}
	free(buf);
	free(b);
}

/* Two segments of 200 bytes that fit together, and room to spoil the second. */
struct pair {
	struct big b;
	uint8_t first[400], second[400], buf[2000];
	size_t len1, len2;
	struct offload_join j;
};

static struct pair *pair_new(bool v4)
{
	struct pair *p = calloc(1, sizeof(*p));
	struct big *b = &p->b;
	uint32_t state = 3;

	do
		big_make(b, &state);
	while (b->v4 != v4);
	b->mss = 200;
	b->payload = 500;
	b->len = b->ip_len + b->tcp_len + b->payload;
	b->pkt[b->ip_len + 13] = 0x18;
	if (v4)
		set16(b->pkt + 6, 0); /* so that identifications matter */
	p->len1 = naive_cut(b, 0, p->first);
	p->len2 = naive_cut(b, 1, p->second);
	return p;
}

static bool joins(struct pair *p)
{
	return offload_join_begin(&p->j, p->buf, sizeof(p->buf), p->first, p->len1) &&
	       offload_join_add(&p->j, p->second, p->len2);
}

/* Makes checksums of a changed segment right again. */
static void repair(const struct pair *p, uint8_t *pkt, size_t len)
{
	uint8_t *t = pkt + p->b.ip_len;

	naive_lengths(pkt, len, p->b.ip_len, p->b.v4);
	set16(t + 16, 0);
	set16(t + 16, (uint16_t)~naive_sum(naive_pseudo(pkt, p->b.v4, len - p->b.ip_len), t,
					   len - p->b.ip_len));
}

static void test_offload_segments_of_other_headers_are_not_joined(void)
{
	/* Byte that changes, and in which family: 4, 6; places of TCP count from 100. */
	static const struct { size_t at; int family; const char *what; } rows[] = {
		{ 1, 4, "service" }, { 5, 4, "identification" }, { 8, 4, "hops" },
		{ 13, 4, "source" }, { 19, 4, "destination" },
		{ 1, 6, "class" }, { 7, 6, "hops" }, { 12, 6, "source" }, { 39, 6, "destination" },
		{ 100, 4, "source port" }, { 103, 6, "destination port" }, { 107, 4, "sequence" },
		{ 104, 6, "sequence" }, { 111, 4, "acknowledged" }, { 115, 6, "window" },
		{ 119, 4, "urgent pointer" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pair *p = pair_new(rows[i].family == 4);
		size_t at = rows[i].at >= 100 ? p->b.ip_len + rows[i].at - 100 : rows[i].at;

		CHECK(joins(p));
		p->second[at] ^= 4;
		repair(p, p->second, p->len2);
		CHECK(!joins(p));
		free(p);
	}
}

static void test_offload_flags_that_mean_something_are_not_joined(void)
{
	static const uint8_t flags[] = { 0x11 | 0x02, 0x10 | 0x04, 0x10 | 0x20, 0x10 | 0x80,
					 0x10 | 0x40, 0x00 };
	struct pair *p = pair_new(true);

	for (size_t i = 0; i < sizeof(flags); i++) {
		p->second[p->b.ip_len + 13] = flags[i];
		repair(p, p->second, p->len2);
		CHECK(!joins(p));
	}
	free(p);
}

static void test_offload_wrong_checksums_are_not_covered_up(void)
{
	struct pair *p = pair_new(false);

	p->second[p->len2 - 1] ^= 1;
	CHECK(!joins(p));
	p->second[p->len2 - 1] ^= 1;
	p->first[p->len1 - 1] ^= 1;
	CHECK(!joins(p));
	p->first[p->len1 - 1] ^= 1;
	CHECK(joins(p));
	free(p);
}

static void test_offload_short_segment_and_push_close(void)
{
	struct pair *p = pair_new(true);
	uint8_t third[400];
	size_t len3 = naive_cut(&p->b, 2, third);
	struct offload o;

	CHECK(joins(p) && offload_join_add(&p->j, third, len3)); /* 100 bytes, with PSH */
	CHECK(p->j.closed);
	CHECK(!offload_join_add(&p->j, third, len3));
	CHECK_EQ_INT(offload_join_end(&p->j, &o), p->b.len);
	p->first[p->b.ip_len + 13] |= 8;
	repair(p, p->first, p->len1);
	CHECK(!joins(p));
	CHECK(offload_join_begin(&p->j, p->buf, sizeof(p->buf), third, len3));
	free(p);
}

static void test_offload_room_is_respected(void)
{
	struct pair *p = pair_new(true);

	CHECK(!offload_join_begin(&p->j, p->buf, p->len1 - 1, p->first, p->len1));
	CHECK(offload_join_begin(&p->j, p->buf, p->len1 + 199, p->first, p->len1));
	CHECK(!offload_join_add(&p->j, p->second, p->len2));
	free(p);
}

static void test_offload_single_segment_comes_out_as_it_went_in(void)
{
	struct pair *p = pair_new(true);
	struct offload o;

	CHECK(offload_join_begin(&p->j, p->buf, sizeof(p->buf), p->first, p->len1));
	CHECK_EQ_INT(offload_join_end(&p->j, &o), p->len1);
	CHECK_MEM(p->buf, p->first, p->len1);
	CHECK(!o.tcp && !o.partial);
	free(p);
}

static void test_offload_other_packets_are_neither_cut_nor_joined(void)
{
	struct pair *p = pair_new(true);
	struct offload_cut c;

	CHECK_EQ_INT(offload_cut_begin(&c, p->b.pkt, p->len1, OFFLOAD_MSS_MIN - 1), -EINVAL);
	for (size_t n = 0; n < p->len1; n++) {
		CHECK_EQ_INT(offload_cut_begin(&c, p->first, n, 200), -EINVAL);
		CHECK(!offload_join_begin(&p->j, p->buf, sizeof(p->buf), p->first, n));
	}
	p->first[9] = IP_UDP;
	CHECK_EQ_INT(offload_cut_begin(&c, p->first, p->len1, 200), -EINVAL);
	p->first[9] = IP_TCP;
	p->first[p->b.ip_len + 12] = 0x40; /* TCP header of 16 bytes */
	CHECK_EQ_INT(offload_cut_begin(&c, p->first, p->len1, 200), -EINVAL);
	p->first[p->b.ip_len + 12] = (uint8_t)(p->b.tcp_len / 4 << 4);
	p->first[6] = 0x20; /* a fragment */
	CHECK_EQ_INT(offload_cut_begin(&c, p->first, p->len1, 200), -EINVAL);
	free(p);
}

static void test_offload_checksum_outside_the_packet_is_refused(void)
{
	uint8_t pkt[40] = { 0 };
	struct offload o = { .csum_start = 22, .csum_offset = 16 };

	CHECK_EQ_INT(offload_checksum(pkt, 40, &o), 0);
	CHECK_EQ_INT(offload_checksum(pkt, 39, &o), -EINVAL);
	o.csum_start = o.csum_offset = 0xffff;
	CHECK_EQ_INT(offload_checksum(pkt, 40, &o), -EINVAL);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_offload_cutting_agrees_with_the_reference),
		TEST(test_offload_joining_undoes_cutting),
		TEST(test_offload_segments_of_other_headers_are_not_joined),
		TEST(test_offload_flags_that_mean_something_are_not_joined),
		TEST(test_offload_wrong_checksums_are_not_covered_up),
		TEST(test_offload_short_segment_and_push_close),
		TEST(test_offload_room_is_respected),
		TEST(test_offload_single_segment_comes_out_as_it_went_in),
		TEST(test_offload_other_packets_are_neither_cut_nor_joined),
		TEST(test_offload_checksum_outside_the_packet_is_refused),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
