/* test_channel_peer.c - one end of a control channel against a script: its timer, and what a peer
 * that is silent, broken or hostile can do to it. */
#include "p2p/channel.h"

#include <errno.h>

#include "p2p/channel_impl.h"
#include "tests/check.h"

struct probe {
	struct channel ch[1];
	unsigned segments, acks, riders, messages;
	uint32_t last_seq, ack_next;
	uint64_t ack_map;
	uint8_t service;
	size_t len;
};

static void probe_emit(struct channel *c, const uint8_t *plain, size_t len)
{
	struct probe *p = container_of(c, struct probe, ch);
	struct rd r = rd_of(plain, len);

	if (rd_u8(&r) == CHANNEL_KIND_SEGMENT) {
		uint8_t flags = rd_u8(&r);

		p->segments++;
		rd_u8(&r);
		p->last_seq = rd_u32(&r);
		if (!(flags & SEGMENT_ACK))
			return;
		p->riders++;
		p->ack_next = rd_u32(&r);
		return;
	}
	p->acks++;
	p->ack_next = rd_u32(&r);
	p->ack_map = rd_u64(&r);
	CHECK(rd_done(&r));
}

static void probe_message(struct channel *c, uint8_t service, const uint8_t *msg, size_t len)
{
	struct probe *p = container_of(c, struct probe, ch);

	(void)msg;
	p->messages++;
	p->service = service;
	p->len = len;
}

static void probe_open(struct probe *p)
{
	static const struct channel_env env = { probe_emit, probe_message };

	*p = (struct probe){ 0 };
	channel_init(p->ch, &env);
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

/* A whole message of ten bytes that brings an acknowledgement. */
static bool rider(struct probe *p, uint32_t seq, uint32_t next, usec_t now)
{
	uint8_t buf[SEGMENT_HEAD - 1 + 10] = { SEGMENT_FIRST | SEGMENT_LAST | SEGMENT_ACK, 4 };
	struct wr w = wr_of(buf + 2, sizeof(buf) - 2);
	struct rd r = rd_of(buf, sizeof(buf));

	wr_u32(&w, seq);
	wr_u32(&w, next);
	return channel_segment(p->ch, &r, now);
}

static void say(struct probe *p, usec_t now)
{
	CHECK_EQ_INT(channel_send(p->ch, 1, (const uint8_t *)"abc", 3, now), 0);
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
	channel_fini(p.ch);
}

static void test_tiny_messages_are_bounded_in_number(void)
{
	struct probe p;
	int sent = 0;

	probe_open(&p);
	while (sent < 10000 && channel_send(p.ch, 1, (const uint8_t *)"x", 1, 0) == 0)
		sent++;
	CHECK_EQ_INT(sent, QUEUE_MESSAGES_MAX);
	channel_fini(p.ch);
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
	channel_fini(p.ch);
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
	channel_fini(p.ch);
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
	channel_fini(p.ch);
}

static void test_malformed_segments_change_nothing(void)
{
	struct probe p;

	probe_open(&p);
	CHECK(!segment(&p, 3, 1, 0, 0));
	CHECK(!segment(&p, 3, 1, 0, CHANNEL_SEGMENT_MAX + 1));
	CHECK(!segment(&p, 11, 1, 0, 10)); /* an unknown flag */
	CHECK(!segment(&p, 7, 1, 0, 4));   /* an acknowledgement and no bytes */
	CHECK(!segment(&p, 7, 1, 0, 3));
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
	channel_fini(p.ch);
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
	channel_fini(p.ch);
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
	channel_fini(p.ch);
}

static void test_a_message_that_never_ends_is_stopped_at_the_bound(void)
{
	struct probe p;
	uint32_t seq = 0;

	probe_open(&p);
	while (seq < 1000 && segment(&p, seq == 0 ? 1 : 0, 1, seq, CHANNEL_SEGMENT_MAX))
		seq++;
	CHECK_EQ_INT(seq, CHANNEL_MESSAGE_MAX / CHANNEL_SEGMENT_MAX);
	CHECK(!p.ch->rx || !p.ch->rx->whole || p.ch->rx->whole->size <= CHANNEL_MESSAGE_MAX);
	CHECK_EQ_INT(p.messages, 0);
	channel_fini(p.ch);
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
	channel_fini(p.ch);
}

static void test_a_repeated_segment_is_acknowledged_but_not_delivered_again(void)
{
	struct probe p;

	probe_open(&p);
	CHECK(segment(&p, 3, 1, 0, 5));
	channel_tick(p.ch, SEC(2)); /* the first was not urgent */
	CHECK(segment(&p, 3, 1, 0, 5));
	channel_tick(p.ch, SEC(1));
	CHECK_EQ_INT(p.acks, 2);
	CHECK_EQ_INT(p.messages, 1);
	channel_fini(p.ch);
}

static void test_an_acknowledgement_waits_for_three_more_or_80_ms(void)
{
	struct probe p;
	usec_t owed;

	probe_open(&p);
	CHECK(segment(&p, 3, 1, 0, 5));
	owed = channel_deadline(p.ch);
	channel_tick(p.ch, owed - 1);
	CHECK_EQ_INT(p.acks, 0);
	for (uint32_t seq = 1; seq < 3; seq++)
		CHECK(segment(&p, 3, 1, seq, 5));
	CHECK_EQ_INT(channel_deadline(p.ch), owed);
	CHECK(segment(&p, 3, 1, 3, 5));
	CHECK_EQ_INT(channel_deadline(p.ch), owed - MSEC(80));
	channel_tick(p.ch, owed - MSEC(80));
	CHECK_EQ_INT(p.acks, 1);
	CHECK_EQ_INT(p.ack_next, 4);
	CHECK(segment(&p, 3, 1, 4, 5)); /* counts anew */
	CHECK_EQ_INT(channel_deadline(p.ch), owed);
	channel_fini(p.ch);
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
	channel_fini(p.ch);
}

static void test_the_timer_follows_the_measured_rtt_within_its_bounds(void)
{
	struct probe p;

	probe_open(&p);
	channel_set_rtt_hint(p.ch, MSEC(200));
	CHECK_EQ_INT(channel_rtt(p.ch), MSEC(200));
	CHECK_EQ_INT(channel_send(p.ch, 1, (const uint8_t *)"a", 1, 0), 0);
	CHECK_EQ_INT(channel_deadline(p.ch), MSEC(680)); /* srtt + 4 * srtt / 2, and its wait */
	for (uint32_t i = 1; i < 60; i++) {
		CHECK(ack(&p, i, 0, i * SEC(1) - SEC(1) + MSEC(2)));
		CHECK_EQ_INT(channel_send(p.ch, 1, (const uint8_t *)"a", 1, i * SEC(1)), 0);
	}
	CHECK(channel_deadline(p.ch) - SEC(59) > MSEC(80));
	CHECK(channel_deadline(p.ch) - SEC(59) < MSEC(85));
	channel_fini(p.ch);
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
	channel_fini(p.ch);
}

static void test_an_acknowledgement_rides_on_a_segment_that_goes_the_other_way(void)
{
	struct probe p;

	probe_open(&p);
	say(&p, SEC(1));
	CHECK_EQ_INT(p.riders, 0); /* nothing is owed */
	CHECK(ack(&p, 1, 0, SEC(1)));
	CHECK(segment(&p, 3, 1, 0, 5));
	CHECK(segment(&p, 3, 1, 1, 5));
	say(&p, SEC(1) + MSEC(79));
	CHECK_EQ_INT(p.riders, 1);
	CHECK_EQ_INT(p.ack_next, 2);
	say(&p, SEC(1) + MSEC(79));
	CHECK_EQ_INT(p.riders, 1); /* once */
	channel_tick(p.ch, SEC(1) + MSEC(81));
	CHECK_EQ_INT(p.acks, 0);
	CHECK(segment(&p, 3, 1, 1, 5)); /* it was lost, and the peer repeats: told again at once */
	channel_tick(p.ch, SEC(1) + MSEC(82));
	CHECK_EQ_INT(p.acks, 1);
	CHECK_EQ_INT(p.ack_next, 2);
	channel_fini(p.ch);
}

static void test_an_acknowledgement_that_tells_of_a_hole_does_not_ride(void)
{
	struct probe p;

	probe_open(&p);
	CHECK(segment(&p, 3, 1, 1, 5));
	say(&p, SEC(1));
	CHECK_EQ_INT(p.riders, 0);
	channel_tick(p.ch, SEC(1));
	CHECK_EQ_INT(p.acks, 1);
	CHECK_EQ_INT(p.ack_next, 0);
	CHECK_EQ_INT(p.ack_map, 1);
	CHECK(segment(&p, 3, 1, 0, 5)); /* filled */
	say(&p, SEC(1));
	CHECK_EQ_INT(p.riders, 1);
	CHECK_EQ_INT(p.ack_next, 2);
	channel_fini(p.ch);
}

static void test_a_repeated_segment_brings_the_newest_acknowledgement(void)
{
	struct probe p;

	probe_open(&p);
	say(&p, SEC(1));
	CHECK(segment(&p, 3, 1, 0, 5));
	channel_tick(p.ch, SEC(1) + MSEC(80));
	CHECK(segment(&p, 3, 1, 1, 5));
	p.ch->tx->timer = SEC(1) + MSEC(60); /* before that acknowledgement is due */
	channel_tick(p.ch, SEC(1) + MSEC(60));
	CHECK_EQ_INT(p.segments, 2);
	CHECK_EQ_INT(p.riders, 1);
	CHECK_EQ_INT(p.ack_next, 2);
	channel_fini(p.ch);
}

static void test_an_acknowledgement_that_rode_in_counts_like_any(void)
{
	struct probe p;

	probe_open(&p);
	say(&p, SEC(1));
	say(&p, SEC(1));
	CHECK(rider(&p, 0, 1, SEC(1) + MSEC(30)));
	CHECK_EQ_INT(p.messages, 1);
	CHECK_EQ_INT(p.len, 10);
	CHECK_EQ_INT(channel_rtt(p.ch), MSEC(30));
	CHECK(!channel_is_idle(p.ch));
	CHECK(rider(&p, 2, 2, SEC(1) + MSEC(31))); /* before number 1: it counts at once */
	CHECK(channel_is_idle(p.ch));
	CHECK_EQ_INT(p.messages, 1);
	say(&p, SEC(1) + MSEC(32));
	CHECK(rider(&p, 1, 1, SEC(1) + MSEC(33))); /* overtaken: it says nothing new */
	CHECK(!channel_is_idle(p.ch));
	CHECK_EQ_INT(p.messages, 3);
	CHECK(rider(&p, 1, 1, SEC(1) + MSEC(34))); /* and twice */
	CHECK(rider(&p, 2, 2, SEC(1) + MSEC(34)));
	CHECK(!channel_is_idle(p.ch));
	CHECK_EQ_INT(p.messages, 3);
	channel_fini(p.ch);
}

static void test_a_segment_that_acknowledges_what_was_never_sent_is_malformed(void)
{
	struct probe p;

	probe_open(&p);
	CHECK(!rider(&p, 0, 1, SEC(1)));
	say(&p, SEC(1));
	CHECK(!rider(&p, 0, 2, SEC(1)));
	CHECK(!rider(&p, 0, UINT32_C(0x7fffffff), SEC(1)));
	CHECK_EQ_INT(p.messages, 0);
	CHECK(!channel_is_idle(p.ch));
	CHECK(!rider(&p, CHANNEL_IN_FLIGHT, 1, SEC(1))); /* nor is one believed that comes with */
	CHECK(!channel_is_idle(p.ch));			 /* a segment that is refused */
	CHECK(rider(&p, 0, 1, SEC(1)));
	CHECK(channel_is_idle(p.ch));
	channel_fini(p.ch);
}

static const struct test tests[] = {
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
	TEST(test_an_acknowledgement_waits_for_three_more_or_80_ms),
	TEST(test_a_silent_peer_is_dead_after_ten_tries_with_doubling_pauses),
	TEST(test_the_timer_follows_the_measured_rtt_within_its_bounds),
	TEST(test_an_answer_to_a_repeated_segment_is_no_sample),
	TEST(test_an_acknowledgement_rides_on_a_segment_that_goes_the_other_way),
	TEST(test_an_acknowledgement_that_tells_of_a_hole_does_not_ride),
	TEST(test_a_repeated_segment_brings_the_newest_acknowledgement),
	TEST(test_an_acknowledgement_that_rode_in_counts_like_any),
	TEST(test_a_segment_that_acknowledges_what_was_never_sent_is_malformed),
};

int main(void)
{
	return run_tests(tests, ARRAY_LEN(tests));
}
