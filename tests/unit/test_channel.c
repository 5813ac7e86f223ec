/* test_channel.c - the control channel between two ends joined by a link that loses, repeats and
 * reorders, with virtual time and a fixed-seed generator; and what a hostile peer can do to one. */
#include "p2p/channel.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/channel_impl.h"
#include "tests/check.h"

#define WIRE_MAX 1200
#define LINK_MAX 2048

struct packet {
	usec_t at;
	uint64_t seq; /* ties in order of sending */
	uint8_t to;
	size_t len;
	uint8_t bytes[WIRE_MAX];
};

struct side {
	struct net *net;
	uint8_t index;
	struct channel *ch;
	uint32_t sent, received; /* messages */
	uint64_t emitted;
	bool in_order;
};

/* loss, repeat: percent. */
struct net {
	struct side side[2];
	struct packet *link[LINK_MAX];
	size_t count;
	uint64_t rng, seq;
	unsigned loss, repeat;
	usec_t delay, jitter, now;
};

static uint32_t draw(struct net *n, uint32_t bound)
{
	n->rng ^= n->rng << 13;
	n->rng ^= n->rng >> 7;
	n->rng ^= n->rng << 17;
	return (uint32_t)((n->rng >> 20) % bound);
}

static void put(struct net *n, uint8_t to, const uint8_t *bytes, size_t len)
{
	struct packet *p;

	if (n->count == LINK_MAX || draw(n, 100) < n->loss)
		return;
	p = mem_new(sizeof(*p));
	p->at = n->now + n->delay + (n->jitter ? draw(n, (uint32_t)n->jitter) : 0);
	p->seq = n->seq++;
	p->to = to;
	p->len = len;
	memcpy(p->bytes, bytes, len);
	n->link[n->count++] = p;
}

static void on_emit(void *ctx, const uint8_t *plain, size_t len)
{
	struct side *s = ctx;

	CHECK(len <= SEGMENT_HEAD + CHANNEL_SEGMENT_MAX);
	s->emitted++;
	put(s->net, !s->index, plain, len);
	if (draw(s->net, 100) < s->net->repeat)
		put(s->net, !s->index, plain, len);
}

/* Message number k has a size and contents that follow from k. */
static size_t size_of(uint32_t k)
{
	uint32_t h = k * 2654435761u;

	switch (h >> 29) {
	case 0:
		return 1 + h % 9000;
	case 1:
		return k % 97 == 0 ? CHANNEL_MESSAGE_MAX : 1100 * (1 + h % 3);
	default:
		return 1 + h % 300;
	}
}

static void fill(uint8_t *out, size_t len, uint32_t k)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(k * 31 + i * 7 + (i >> 8));
}

static void on_message(void *ctx, uint8_t service, const uint8_t *msg, size_t len)
{
	static uint8_t want[CHANNEL_MESSAGE_MAX];
	struct side *s = ctx;
	uint32_t k = s->received++;

	fill(want, size_of(k), k);
	if (len != size_of(k) || service != k % 7 + 1 || memcmp(msg, want, len) != 0)
		s->in_order = false;
}

static void net_open(struct net *n, uint64_t seed, uint32_t start)
{
	*n = (struct net){ .rng = seed, .delay = MSEC(20), .now = SEC(5) };
	for (uint8_t i = 0; i < 2; i++) {
		struct side *s = &n->side[i];
		struct channel_env env = { s, on_emit, on_message };

		*s = (struct side){ .net = n, .index = i, .in_order = true };
		s->ch = channel_new(&env);
		channel_start_at(s->ch, start, start);
	}
}

static void net_close(struct net *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->link[i]);
	for (int i = 0; i < 2; i++)
		channel_free(n->side[i].ch);
}

static void arrive(struct net *n, const struct packet *p)
{
	struct rd r = rd_of(p->bytes, p->len);
	struct channel *c = n->side[p->to].ch;
	uint8_t kind = rd_u8(&r);

	CHECK(kind == CHANNEL_KIND_SEGMENT ? channel_segment(c, &r, n->now) :
					     channel_ack(c, &r, n->now));
}

static size_t earliest(const struct net *n)
{
	size_t best = 0;

	for (size_t i = 1; i < n->count; i++)
		if (n->link[i]->at < n->link[best]->at ||
		    (n->link[i]->at == n->link[best]->at && n->link[i]->seq < n->link[best]->seq))
			best = i;
	return best;
}

/* One event; false when nothing is left to happen before `end`. */
static bool step(struct net *n, usec_t end)
{
	usec_t at = usec_min(channel_deadline(n->side[0].ch), channel_deadline(n->side[1].ch));
	size_t i = earliest(n);

	if (n->count)
		at = usec_min(at, n->link[i]->at);
	if (at > end)
		return false;
	if (at > n->now)
		n->now = at;
	if (n->count && n->link[i]->at <= n->now) {
		struct packet *p = n->link[i];

		n->link[i] = n->link[--n->count];
		arrive(n, p);
		free(p);
	}
	for (int k = 0; k < 2; k++)
		channel_tick(n->side[k].ch, n->now);
	return true;
}

static void offer(struct side *s, uint32_t total, usec_t now)
{
	static uint8_t buf[CHANNEL_MESSAGE_MAX];

	while (s->sent < total) {
		size_t len = size_of(s->sent);

		fill(buf, len, s->sent);
		if (channel_send(s->ch, (uint8_t)(s->sent % 7 + 1), buf, len, now) != 0)
			return;
		s->sent++;
	}
}

/* Both sides send `total` messages; true when all came, in order and whole, once each. */
static bool exchange(struct net *n, uint32_t total)
{
	usec_t end = n->now + HOURS(1);

	do {
		offer(&n->side[0], total, n->now);
		offer(&n->side[1], total, n->now);
	} while (step(n, end));
	for (int i = 0; i < 2; i++) {
		struct side *s = &n->side[i];

		if (s->received != total || !s->in_order || !channel_is_idle(s->ch) ||
		    channel_is_dead(s->ch))
			return false;
	}
	return true;
}

static void test_messages_of_all_sizes_arrive_once_in_order_on_a_good_link(void)
{
	struct net n;

	net_open(&n, 11, 0);
	CHECK(exchange(&n, 2000));
	CHECK(channel_rtt(n.side[0].ch) >= MSEC(39) && channel_rtt(n.side[0].ch) <= MSEC(50));
	CHECK_EQ_INT(channel_deadline(n.side[0].ch), USEC_NEVER);
	net_close(&n);
}

static void test_loss_repetition_and_reordering_change_nothing(void)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct net n;

		net_open(&n, seed * 7919, 0);
		n.loss = 5;
		n.repeat = 10;
		n.jitter = MSEC(30);
		CHECK(exchange(&n, 1500));
		net_close(&n);
	}
}

static void test_thirty_percent_loss_both_ways_is_survived(void)
{
	struct net n;

	net_open(&n, 424242, 0);
	n.loss = 30;
	n.repeat = 5;
	n.jitter = MSEC(5);
	CHECK(exchange(&n, 1000));
	net_close(&n);
}

static void test_sequence_numbers_wrap(void)
{
	struct net n;

	net_open(&n, 5, UINT32_MAX - 40);
	n.loss = 10;
	n.jitter = MSEC(30);
	CHECK(exchange(&n, 300));
	net_close(&n);
}

static void test_a_lost_segment_in_a_stream_is_sent_again_before_the_timer(void)
{
	struct net n;
	uint8_t msg[8 * CHANNEL_SEGMENT_MAX] = { 0 };
	usec_t start;

	net_open(&n, 9, 0);
	start = n.now;
	CHECK_EQ_INT(channel_send(n.side[0].ch, 1, msg, sizeof(msg), n.now), 0);
	free(n.link[0]);
	n.link[0] = n.link[--n.count];
	while (n.side[1].received == 0 && step(&n, start + SEC(5)))
		;
	CHECK_EQ_INT(n.side[1].received, 1);
	CHECK_EQ_INT(n.now - start, MSEC(60)); /* there, back, and there again */
	net_close(&n);
}

/* ---- one end against a script ---- */

struct probe {
	struct channel *ch;
	unsigned segments, acks, messages;
	uint32_t last_seq, ack_next;
	uint64_t ack_map;
	uint8_t service;
	size_t len;
};

static void probe_emit(void *ctx, const uint8_t *plain, size_t len)
{
	struct probe *p = ctx;
	struct rd r = rd_of(plain, len);

	if (rd_u8(&r) == CHANNEL_KIND_SEGMENT) {
		p->segments++;
		rd_u16(&r);
		p->last_seq = rd_u32(&r);
		return;
	}
	p->acks++;
	p->ack_next = rd_u32(&r);
	p->ack_map = rd_u64(&r);
	CHECK(rd_done(&r));
}

static void probe_message(void *ctx, uint8_t service, const uint8_t *msg, size_t len)
{
	struct probe *p = ctx;

	(void)msg;
	p->messages++;
	p->service = service;
	p->len = len;
}

static void probe_open(struct probe *p)
{
	struct channel_env env = { p, probe_emit, probe_message };

	*p = (struct probe){ 0 };
	p->ch = channel_new(&env);
}

static bool segment(struct probe *p, uint8_t flags, uint8_t service, uint32_t seq, size_t len)
{
	uint8_t buf[CHANNEL_SEGMENT_MAX + 16] = { 0 };
	struct wr w = wr_of(buf, sizeof(buf));
	struct rd r;

	wr_u8(&w, flags);
	wr_u8(&w, service);
	wr_u32(&w, seq);
	wr_zero(&w, len);
	r = rd_of(buf, wr_len(&w));
	return channel_segment(p->ch, &r, SEC(1));
}

static bool ack(struct probe *p, uint32_t next, uint64_t map, usec_t now)
{
	uint8_t buf[12];
	struct wr w = wr_of(buf, sizeof(buf));
	struct rd r = rd_of(buf, sizeof(buf));

	wr_u32(&w, next);
	wr_u64(&w, map);
	return channel_ack(p->ch, &r, now);
}

static void test_sizes_outside_the_bounds_are_refused_by_send(void)
{
	static uint8_t msg[CHANNEL_MESSAGE_MAX + 1];
	struct probe p;

	probe_open(&p);
	CHECK_EQ_INT(channel_send(p.ch, 1, msg, 0, 0), -EMSGSIZE);
	CHECK_EQ_INT(channel_send(p.ch, 1, msg, sizeof(msg), 0), -EMSGSIZE);
	CHECK_EQ_INT(p.segments, 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ_INT(channel_send(p.ch, 1, msg, CHANNEL_MESSAGE_MAX, 0), 0);
	CHECK_EQ_INT(channel_send(p.ch, 1, msg, 1, 0), -ENOBUFS);
	CHECK_EQ_INT(p.segments, WINDOW_START);
	channel_free(p.ch);
}

static void test_tiny_messages_are_bounded_in_number(void)
{
	struct probe p;
	int sent = 0;

	probe_open(&p);
	while (sent < 10000 && channel_send(p.ch, 1, (const uint8_t *)"x", 1, 0) == 0)
		sent++;
	CHECK_EQ_INT(sent, QUEUE_MESSAGES_MAX);
	channel_free(p.ch);
}

static void test_an_acknowledgement_of_what_was_never_sent_is_malformed(void)
{
	struct probe p;

	probe_open(&p);
	CHECK(!ack(&p, 1, 0, 0));
	CHECK(!ack(&p, 0, 1, 0));
	CHECK_EQ_INT(channel_send(p.ch, 1, (const uint8_t *)"abc", 3, 0), 0);
	CHECK(!ack(&p, 2, 0, 0));
	CHECK(!ack(&p, 0, 1, 0));
	CHECK(!ack(&p, 0, UINT64_C(1) << 63, 0));
	CHECK(!channel_is_idle(p.ch));
	CHECK(ack(&p, 1, 0, 1000));
	CHECK(channel_is_idle(p.ch));
	CHECK(!ack(&p, 1, 1, 1000));
	CHECK(ack(&p, 0, 0, 1000)); /* an old one, overtaken */
	channel_free(p.ch);
}

static void test_an_acknowledgement_of_a_wrong_length_is_malformed(void)
{
	uint8_t buf[13] = { 0 };
	struct probe p;

	probe_open(&p);
	for (size_t len = 0; len <= sizeof(buf); len++) {
		struct rd r = rd_of(buf, len);

		CHECK_EQ_INT(channel_ack(p.ch, &r, 0), len == 12);
	}
	channel_free(p.ch);
}

static void test_what_a_bitmap_said_and_the_number_takes_back_is_sent_again(void)
{
	struct probe p;
	usec_t now = 1000;

	probe_open(&p);
	for (int i = 0; i < 3; i++)
		CHECK_EQ_INT(channel_send(p.ch, 1, (const uint8_t *)"abc", 3, now), 0);
	CHECK(ack(&p, 0, 1, now + 1000)); /* number 1 held ... */
	CHECK(ack(&p, 1, 0, now + 2000)); /* ... and missing after all */
	p.segments = 0;
	for (int i = 0; i < 100 && !channel_is_dead(p.ch); i++)
		channel_tick(p.ch, now = channel_deadline(p.ch));
	CHECK(channel_is_dead(p.ch));
	CHECK(p.segments >= CHANNEL_TRIES - 1);
	channel_free(p.ch);
}

static void test_malformed_segments_change_nothing(void)
{
	struct probe p;

	probe_open(&p);
	CHECK(!segment(&p, 3, 1, 0, 0));
	CHECK(!segment(&p, 3, 1, 0, CHANNEL_SEGMENT_MAX + 1));
	CHECK(!segment(&p, 7, 1, 0, 10)); /* an unknown flag */
	CHECK(!segment(&p, 0, 1, 0, 10)); /* the middle of nothing */
	CHECK(!segment(&p, 2, 1, 0, 10));
	CHECK(!segment(&p, 3, 1, CHANNEL_IN_FLIGHT, 10)); /* too far ahead */
	CHECK(!segment(&p, 3, 1, UINT32_C(0x7fffffff), 10));
	CHECK_EQ_INT(channel_deadline(p.ch), USEC_NEVER); /* not even acknowledged */
	CHECK_EQ_INT(p.messages, 0);
	CHECK(segment(&p, 3, 9, 0, 10));
	CHECK_EQ_INT(p.messages, 1);
	CHECK_EQ_INT(p.service, 9);
	CHECK_EQ_INT(p.len, 10);
	channel_free(p.ch);
}

static void test_wrong_flags_inside_a_message_are_malformed(void)
{
	struct probe p;

	probe_open(&p);
	CHECK(segment(&p, 1, 4, 0, 10));
	CHECK(!segment(&p, 1, 4, 1, 10)); /* a second beginning */
	CHECK(!segment(&p, 3, 4, 1, 10));
	CHECK(!segment(&p, 2, 5, 1, 10)); /* another service */
	CHECK(segment(&p, 2, 4, 1, 10));
	CHECK_EQ_INT(p.messages, 1);
	CHECK_EQ_INT(p.len, 20);
	channel_free(p.ch);
}

static void test_a_held_segment_with_wrong_flags_is_forgotten_when_its_turn_comes(void)
{
	struct probe p;

	probe_open(&p);
	CHECK(segment(&p, 0, 4, 1, 10));
	CHECK(segment(&p, 3, 4, 2, 10));
	CHECK(segment(&p, 3, 4, 0, 10));
	CHECK_EQ_INT(p.messages, 1);
	channel_tick(p.ch, SEC(1));
	CHECK_EQ_INT(p.ack_next, 1);
	CHECK_EQ_INT(p.ack_map, 1);
	CHECK(segment(&p, 3, 4, 1, 10)); /* a right one in its place */
	CHECK_EQ_INT(p.messages, 3);
	channel_free(p.ch);
}

static void test_a_message_that_never_ends_is_stopped_at_the_bound(void)
{
	struct probe p;
	uint32_t seq = 0;

	probe_open(&p);
	while (seq < 1000 && segment(&p, seq == 0 ? 1 : 0, 1, seq, CHANNEL_SEGMENT_MAX))
		seq++;
	CHECK_EQ_INT(seq, CHANNEL_MESSAGE_MAX / CHANNEL_SEGMENT_MAX);
	CHECK(p.ch->rx.whole_size <= CHANNEL_MESSAGE_MAX);
	CHECK_EQ_INT(p.messages, 0);
	channel_free(p.ch);
}

static void test_a_full_window_out_of_order_is_held_and_delivered(void)
{
	struct probe p;

	probe_open(&p);
	for (uint32_t seq = CHANNEL_IN_FLIGHT - 1; seq > 0; seq--) {
		CHECK(segment(&p, 3, 1, seq, 5));
		CHECK(segment(&p, 3, 1, seq, 5));
	}
	channel_tick(p.ch, SEC(1));
	CHECK_EQ_INT(p.acks, 1); /* one for all that came before the tick */
	CHECK_EQ_INT(p.ack_next, 0);
	CHECK(p.ack_map == UINT64_MAX >> 1);
	CHECK_EQ_INT(p.messages, 0);
	CHECK(segment(&p, 3, 1, 0, 5));
	CHECK_EQ_INT(p.messages, CHANNEL_IN_FLIGHT);
	channel_tick(p.ch, SEC(1));
	CHECK_EQ_INT(p.ack_next, CHANNEL_IN_FLIGHT);
	CHECK_EQ_INT(p.ack_map, 0);
	channel_free(p.ch);
}

static void test_a_repeated_segment_is_acknowledged_but_not_delivered_again(void)
{
	struct probe p;

	probe_open(&p);
	CHECK(segment(&p, 3, 1, 0, 5));
	channel_tick(p.ch, SEC(1));
	CHECK(segment(&p, 3, 1, 0, 5));
	channel_tick(p.ch, SEC(1));
	CHECK_EQ_INT(p.acks, 2);
	CHECK_EQ_INT(p.messages, 1);
	channel_free(p.ch);
}

static void test_a_silent_peer_is_dead_after_ten_tries_with_doubling_pauses(void)
{
	struct probe p;
	usec_t now = 0, first;

	probe_open(&p);
	CHECK_EQ_INT(channel_send(p.ch, 1, (const uint8_t *)"abc", 3, now), 0);
	first = channel_deadline(p.ch);
	CHECK_EQ_INT(first, MSEC(250));
	channel_tick(p.ch, first - 1);
	CHECK_EQ_INT(p.segments, 1);
	channel_tick(p.ch, first);
	CHECK_EQ_INT(p.segments, 2);
	CHECK_EQ_INT(channel_deadline(p.ch) - first, MSEC(500));
	for (int i = 0; i < 50 && !channel_is_dead(p.ch); i++) {
		now = channel_deadline(p.ch);
		channel_tick(p.ch, now);
		CHECK(channel_is_dead(p.ch) || channel_deadline(p.ch) - now <= SEC(3));
	}
	CHECK(channel_is_dead(p.ch));
	CHECK_EQ_INT(p.segments, CHANNEL_TRIES);
	CHECK_EQ_INT(channel_deadline(p.ch), USEC_NEVER);
	channel_free(p.ch);
}

static void test_the_timer_follows_the_measured_rtt_within_its_bounds(void)
{
	struct probe p;

	probe_open(&p);
	channel_set_rtt_hint(p.ch, MSEC(200));
	CHECK_EQ_INT(channel_rtt(p.ch), MSEC(200));
	CHECK_EQ_INT(channel_send(p.ch, 1, (const uint8_t *)"a", 1, 0), 0);
	CHECK_EQ_INT(channel_deadline(p.ch), MSEC(600)); /* srtt + 4 * srtt / 2 */
	for (uint32_t i = 1; i < 60; i++) {
		CHECK(ack(&p, i, 0, i * SEC(1) - SEC(1) + MSEC(2)));
		CHECK_EQ_INT(channel_send(p.ch, 1, (const uint8_t *)"a", 1, i * SEC(1)), 0);
	}
	CHECK_EQ_INT(channel_deadline(p.ch) - SEC(59), MSEC(50));
	channel_free(p.ch);
}

static void test_an_answer_to_a_repeated_segment_is_no_sample(void)
{
	struct probe p;

	probe_open(&p);
	CHECK_EQ_INT(channel_send(p.ch, 1, (const uint8_t *)"a", 1, 0), 0);
	channel_tick(p.ch, MSEC(250));
	CHECK(ack(&p, 1, 0, MSEC(251)));
	CHECK(channel_is_idle(p.ch));
	CHECK_EQ_INT(channel_rtt(p.ch), 0);
	channel_free(p.ch);
}

static const struct test tests[] = {
	TEST(test_messages_of_all_sizes_arrive_once_in_order_on_a_good_link),
	TEST(test_loss_repetition_and_reordering_change_nothing),
	TEST(test_thirty_percent_loss_both_ways_is_survived),
	TEST(test_sequence_numbers_wrap),
	TEST(test_a_lost_segment_in_a_stream_is_sent_again_before_the_timer),
	TEST(test_sizes_outside_the_bounds_are_refused_by_send),
	TEST(test_tiny_messages_are_bounded_in_number),
	TEST(test_an_acknowledgement_of_what_was_never_sent_is_malformed),
	TEST(test_an_acknowledgement_of_a_wrong_length_is_malformed),
	TEST(test_what_a_bitmap_said_and_the_number_takes_back_is_sent_again),
	TEST(test_malformed_segments_change_nothing),
	TEST(test_wrong_flags_inside_a_message_are_malformed),
	TEST(test_a_held_segment_with_wrong_flags_is_forgotten_when_its_turn_comes),
	TEST(test_a_message_that_never_ends_is_stopped_at_the_bound),
	TEST(test_a_full_window_out_of_order_is_held_and_delivered),
	TEST(test_a_repeated_segment_is_acknowledged_but_not_delivered_again),
	TEST(test_a_silent_peer_is_dead_after_ten_tries_with_doubling_pauses),
	TEST(test_the_timer_follows_the_measured_rtt_within_its_bounds),
	TEST(test_an_answer_to_a_repeated_segment_is_no_sample),
};

int main(void)
{
	return run_tests(tests, ARRAY_LEN(tests));
}
