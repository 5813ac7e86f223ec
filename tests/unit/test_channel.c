/* test_channel.c - the control channel between two ends joined by a link that loses, repeats and
 * reorders, with virtual time and a fixed-seed generator. */
#include "p2p/channel.h"

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
	struct channel ch[1];
	uint32_t sent, received; /* messages */
	uint64_t emitted, acks;
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

static void on_emit(struct channel *c, const uint8_t *plain, size_t len)
{
	struct side *s = container_of(c, struct side, ch);

	CHECK(len <= SEGMENT_HEAD + CHANNEL_SEGMENT_MAX);
	s->emitted++;
	s->acks += plain[0] == CHANNEL_KIND_ACK;
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

static void on_message(struct channel *c, uint8_t service, const uint8_t *msg, size_t len)
{
	static uint8_t want[CHANNEL_MESSAGE_MAX];
	struct side *s = container_of(c, struct side, ch);
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
		static const struct channel_env env = { on_emit, on_message };

		*s = (struct side){ .net = n, .index = i, .in_order = true };
		channel_init(s->ch, &env);
		channel_start_at(s->ch, start, start);
	}
}

static void net_close(struct net *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->link[i]);
	for (int i = 0; i < 2; i++)
		channel_fini(n->side[i].ch);
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
	CHECK(channel_rtt(n.side[0].ch) >= MSEC(39) && channel_rtt(n.side[0].ch) <= MSEC(40 + 80));
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

/* A question and its answer, again and again: three packets of four are those two. */
static void test_talk_of_two_needs_few_acknowledgements_of_their_own(void)
{
	struct net n;

	net_open(&n, 21, 0);
	for (uint32_t k = 1; k <= 50; k++) {
		usec_t end = n.now + SEC(1);

		offer(&n.side[0], k, n.now);
		while (n.side[1].received < k && step(&n, end))
			;
		offer(&n.side[1], k, n.now);
		while (step(&n, end))
			;
		n.now = end;
	}
	CHECK(n.side[0].in_order && n.side[1].in_order);
	CHECK_EQ_INT(n.side[0].received, 50);
	CHECK(channel_is_idle(n.side[0].ch) && channel_is_idle(n.side[1].ch));
	CHECK(n.side[0].acks >= 50); /* the answers' */
	CHECK(n.side[1].acks <= n.side[0].acks / 4);
	net_close(&n);
}

static const struct test tests[] = {
	TEST(test_messages_of_all_sizes_arrive_once_in_order_on_a_good_link),
	TEST(test_loss_repetition_and_reordering_change_nothing),
	TEST(test_thirty_percent_loss_both_ways_is_survived),
	TEST(test_sequence_numbers_wrap),
	TEST(test_a_lost_segment_in_a_stream_is_sent_again_before_the_timer),
	TEST(test_talk_of_two_needs_few_acknowledgements_of_their_own),
};

int main(void)
{
	return run_tests(tests, ARRAY_LEN(tests));
}
