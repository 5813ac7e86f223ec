/* channel_tx.c - the sending half of the control channel; docs/protocol.md 4.2, RFC 6298.
 *
 * Messages wait in a queue, are cut into segments as the window opens, and leave the queue when
 * the peer's number has passed their last byte. One timer runs while anything is in flight: each
 * acknowledgement of something new restarts it, its expiry doubles it and sends the oldest
 * unacknowledged segments again. A segment that three later sent ones overtook is sent again at
 * once. The doubling ends with the next sample, which only a segment sent once can give (Karn).
 * Window: grows by what is acknowledged up to CHANNEL_IN_FLIGHT, is halved by the timer.
 * The ring of slots begins small and doubles with what is in flight; all of it goes when the last
 * message is acknowledged, only the measured RTT and the window stay.
 * A peer can acknowledge only what was sent; what it takes back is sent again until it is dead. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/channel_impl.h"

static struct out_segment *slot_of(const struct sending *b, uint32_t seq)
{
	return &b->slots[seq & (b->size - 1)];
}

static uint32_t in_flight(const struct channel *c)
{
	uint32_t n = c->tx ? c->tx_next - c->tx->una : 0;

	assert(n <= CHANNEL_IN_FLIGHT);
	return n;
}

struct sending *channel_tx_begin(struct channel *c)
{
	struct sending *b = c->tx;

	if (b)
		return b;
	b = mem_new(sizeof(*b));
	list_init(&b->queue);
	b->una = c->tx_next;
	b->timer = USEC_NEVER;
	c->tx = b;
	return b;
}

static void message_drop(struct sending *b, struct out_message *m)
{
	assert(b->messages > 0 && b->bytes >= m->len);
	b->messages--;
	b->bytes -= m->len;
	list_del(&m->at);
	free(m);
}

static void end(struct channel *c)
{
	assert(c->tx->messages == 0 && c->tx->bytes == 0);
	free(c->tx->slots);
	free(c->tx);
	c->tx = NULL;
}

void channel_tx_fini(struct channel *c)
{
	struct sending *b = c->tx;

	if (!b)
		return;
	while (!list_is_empty(&b->queue))
		message_drop(b, container_of(b->queue.next, struct out_message, at));
	end(c);
}

static usec_t timeout(const struct channel *c)
{
	usec_t rto = RTO_START;

	if (c->srtt)
		rto = c->srtt + 4 * (usec_t)c->rttvar + ACK_DELAY;
	for (unsigned i = 0; i < c->backoff && rto < RTO_MAX; i++)
		rto *= 2;
	return usec_min(rto, RTO_MAX);
}

void channel_tx_sample(struct channel *c, usec_t rtt)
{
	usec_t away;

	rtt = usec_min(rtt ? rtt : 1, RTT_MAX); /* 0 means unknown */
	c->backoff = 0;
	if (!c->srtt) {
		c->srtt = (uint32_t)rtt;
		c->rttvar = (uint32_t)rtt / 2;
		return;
	}
	away = c->srtt > rtt ? c->srtt - rtt : rtt - c->srtt;
	c->rttvar = (uint32_t)((3 * (usec_t)c->rttvar + away) / 4);
	c->srtt = (uint32_t)((7 * (usec_t)c->srtt + rtt) / 8);
	if (!c->srtt)
		c->srtt = 1;
}

static void transmit(struct channel *c, uint32_t seq, usec_t now)
{
	struct out_segment *s = slot_of(c->tx, seq);
	uint8_t plain[SEGMENT_HEAD + CHANNEL_SEGMENT_MAX];
	struct wr w = wr_of(plain, sizeof(plain));
	uint32_t ack;
	bool acks = channel_rx_ack_rides(c, &ack);

	assert(s->len > 0 && s->offset + s->len <= s->msg->len);
	wr_u8(&w, CHANNEL_KIND_SEGMENT);
	wr_u8(&w, (s->offset == 0 ? SEGMENT_FIRST : 0) |
			  (s->offset + s->len == s->msg->len ? SEGMENT_LAST : 0) |
			  (acks ? SEGMENT_ACK : 0));
	wr_u8(&w, s->msg->service);
	wr_u32(&w, seq);
	if (acks)
		wr_u32(&w, ack);
	wr_copy(&w, s->msg->bytes + s->offset, s->len);
	assert(wr_ok(&w));
	s->sent = now;
	s->order = ++c->tx->order;
	s->passed = 0;
	c->env->emit(c, plain, wr_len(&w));
}

static void transmit_again(struct channel *c, uint32_t seq, usec_t now)
{
	slot_of(c->tx, seq)->again = true;
	transmit(c, seq, now);
}

static void slots_grow(struct sending *b, uint32_t next)
{
	struct sending old = *b;

	b->size = old.size ? 2 * old.size : SLOTS_START;
	assert(b->size <= CHANNEL_IN_FLIGHT);
	b->slots = mem_new(b->size * sizeof(*b->slots));
	for (uint32_t seq = b->una; seq != next; seq++)
		*slot_of(b, seq) = *slot_of(&old, seq);
	free(old.slots);
}

/* The next segment of the message that is being cut, into the next slot. */
static void cut(struct channel *c)
{
	struct sending *b = c->tx;
	struct out_message *m = b->cut;
	size_t left = m->len - b->cut_at;
	struct out_segment s = { .msg = m, .offset = (uint32_t)b->cut_at, .tries = 1 };

	if (in_flight(c) == b->size)
		slots_grow(b, c->tx_next);
	s.len = (uint16_t)(left < CHANNEL_SEGMENT_MAX ? left : CHANNEL_SEGMENT_MAX);
	*slot_of(b, c->tx_next++) = s;
	b->cut_at += s.len;
	if (b->cut_at < m->len)
		return;
	b->cut_at = 0;
	b->cut = m->at.next == &b->queue ? NULL : container_of(m->at.next, struct out_message, at);
}

void channel_tx_pump(struct channel *c, usec_t now)
{
	struct sending *b = c->tx;

	while (b->cut && !c->dead && in_flight(c) < c->window) {
		cut(c);
		transmit(c, c->tx_next - 1, now);
		if (b->timer == USEC_NEVER)
			b->timer = now + timeout(c);
	}
}

static void timer_expired(struct channel *c, usec_t now)
{
	struct sending *b = c->tx;
	unsigned sent = 0;

	assert(in_flight(c) > 0);
	if (slot_of(b, b->una)->tries >= CHANNEL_TRIES) {
		c->dead = true;
		b->timer = USEC_NEVER;
		return;
	}
	for (uint32_t seq = b->una; seq != c->tx_next && sent < WINDOW_MIN; seq++) {
		struct out_segment *s = slot_of(b, seq);

		if (s->acked || s->tries >= CHANNEL_TRIES)
			continue;
		s->tries++;
		sent++;
		transmit_again(c, seq, now);
	}
	if (c->backoff < BACKOFF_MAX)
		c->backoff++;
	c->window = c->window / 2 > WINDOW_MIN ? c->window / 2 : WINDOW_MIN;
	b->timer = now + timeout(c);
}

void channel_tx_tick(struct channel *c, usec_t now)
{
	if (!c->tx)
		return;
	if (c->tx->timer <= now)
		timer_expired(c, now);
	channel_tx_pump(c, now);
}

/* What a segment's acknowledgement says about those that were sent before it. */
static void overtake(struct channel *c, uint64_t order)
{
	for (uint32_t seq = c->tx->una; seq != c->tx_next; seq++) {
		struct out_segment *s = slot_of(c->tx, seq);

		if (!s->acked && s->order < order && s->passed < FAST_AFTER)
			s->passed++;
	}
}

/* True when it was not known. */
static bool mark(struct channel *c, uint32_t seq, usec_t now)
{
	struct out_segment *s = slot_of(c->tx, seq);

	if (s->acked)
		return false;
	s->acked = true;
	if (c->window < CHANNEL_IN_FLIGHT)
		c->window++;
	if (s->again)
		return true;
	channel_tx_sample(c, now - s->sent);
	overtake(c, s->order);
	return true;
}

static void advance(struct channel *c, uint32_t to)
{
	struct sending *b = c->tx;

	for (; b->una != to; b->una++) {
		struct out_segment *s = slot_of(b, b->una);

		s->msg->done += s->len;
		assert(s->msg->done <= s->msg->len);
		if (s->msg->done == s->msg->len)
			message_drop(b, s->msg);
		s->msg = NULL;
	}
	/* A bitmap once named it and the number now says it is missing: nothing is to be believed. */
	if (b->una != c->tx_next)
		slot_of(b, b->una)->acked = false;
}

static void fast_retransmit(struct channel *c, usec_t now)
{

	for (uint32_t seq = c->tx->una; seq != c->tx_next; seq++) {
		struct out_segment *s = slot_of(c->tx, seq);

		if (!s->acked && s->passed >= FAST_AFTER)
			transmit_again(c, seq, now);
	}
}

static void acked(struct channel *c, uint32_t next, uint64_t map, usec_t now)
{
	bool news = false;

	for (uint32_t seq = c->tx->una; seq != next; seq++)
		news |= mark(c, seq, now);
	for (uint32_t i = 0; i < 64; i++)
		if (map >> i & 1)
			news |= mark(c, next + 1 + i, now);
	advance(c, next);
	fast_retransmit(c, now);
	if (in_flight(c) == 0)
		c->tx->timer = USEC_NEVER;
	else if (news)
		c->tx->timer = now + timeout(c);
	channel_tx_pump(c, now);
	if (!c->tx->messages)
		end(c);
}

/* How many of those in flight a number passes; negative: too late, overtaken by a newer one. */
static int32_t passes(const struct channel *c, uint32_t next)
{
	return (int32_t)(next - (c->tx_next - in_flight(c)));
}

bool channel_tx_may_be_acked(const struct channel *c, uint32_t next, uint64_t map)
{
	int32_t flying = (int32_t)in_flight(c), past = passes(c, next);
	int32_t named = flying - past - 1; /* the bitmap begins one after `next` */

	if (c->dead || past < 0)
		return true;
	if (past > flying)
		return false;
	assert(named < 64);
	return !(map >> (named > 0 ? named : 0));
}

void channel_tx_acked(struct channel *c, uint32_t next, uint64_t map, usec_t now)
{
	if (!c->dead && in_flight(c) && passes(c, next) >= 0)
		acked(c, next, map, now);
}

bool channel_ack(struct channel *c, struct rd *r, usec_t now)
{
	uint32_t next = rd_u32(r);
	uint64_t map = rd_u64(r);

	if (!rd_done(r) || !channel_tx_may_be_acked(c, next, map))
		return false;
	channel_tx_acked(c, next, map, now);
	return true;
}
