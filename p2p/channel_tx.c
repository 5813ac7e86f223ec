/* channel_tx.c - the sending half of the control channel; docs/protocol.md 4.2, RFC 6298.
 *
 * Messages wait in a queue, are cut into segments as the window opens, and leave the queue when
 * the peer's number has passed their last byte. One timer runs while anything is in flight: each
 * acknowledgement of something new restarts it, its expiry doubles it and sends the oldest
 * unacknowledged segments again. A segment that three later sent ones overtook is sent again at
 * once. The doubling ends with the next sample, which only a segment sent once can give (Karn).
 * Window: grows by what is acknowledged up to CHANNEL_IN_FLIGHT, is halved by the timer.
 * A peer can acknowledge only what was sent; what it takes back is sent again until it is dead. */
#include <assert.h>
#include <stdlib.h>

#include "p2p/channel_impl.h"

static struct out_segment *slot_of(struct channel_tx *t, uint32_t seq)
{
	return &t->slots[seq % CHANNEL_IN_FLIGHT];
}

static uint32_t in_flight(const struct channel_tx *t)
{
	assert(t->next - t->una <= CHANNEL_IN_FLIGHT);
	return t->next - t->una;
}

void channel_tx_init(struct channel *c)
{
	list_init(&c->tx.queue);
	c->tx.window = WINDOW_START;
	c->tx.timer = USEC_NEVER;
}

static void message_drop(struct channel_tx *t, struct out_message *m)
{
	assert(t->messages > 0 && t->bytes >= m->len);
	t->messages--;
	t->bytes -= m->len;
	list_del(&m->at);
	free(m);
}

void channel_tx_fini(struct channel *c)
{
	while (!list_is_empty(&c->tx.queue))
		message_drop(&c->tx, container_of(c->tx.queue.next, struct out_message, at));
	assert(c->tx.bytes == 0);
}

static usec_t timeout(const struct channel_tx *t)
{
	usec_t rto = RTO_START;

	if (t->srtt)
		rto = t->srtt + 4 * t->rttvar;
	if (rto < RTO_MIN)
		rto = RTO_MIN;
	for (unsigned i = 0; i < t->backoff && rto < RTO_MAX; i++)
		rto *= 2;
	return usec_min(rto, RTO_MAX);
}

void channel_tx_sample(struct channel_tx *t, usec_t rtt)
{
	usec_t away;

	rtt = usec_min(rtt ? rtt : 1, SEC(60)); /* 0 means unknown */
	t->backoff = 0;
	if (!t->srtt) {
		t->srtt = rtt;
		t->rttvar = rtt / 2;
		return;
	}
	away = t->srtt > rtt ? t->srtt - rtt : rtt - t->srtt;
	t->rttvar = (3 * t->rttvar + away) / 4;
	t->srtt = (7 * t->srtt + rtt) / 8;
	if (!t->srtt)
		t->srtt = 1;
}

static void transmit(struct channel *c, uint32_t seq, usec_t now)
{
	struct channel_tx *t = &c->tx;
	struct out_segment *s = slot_of(t, seq);
	uint8_t plain[SEGMENT_HEAD + CHANNEL_SEGMENT_MAX];
	struct wr w = wr_of(plain, sizeof(plain));

	assert(s->len > 0 && s->offset + s->len <= s->msg->len);
	wr_u8(&w, CHANNEL_KIND_SEGMENT);
	wr_u8(&w, (s->offset == 0 ? SEGMENT_FIRST : 0) |
			  (s->offset + s->len == s->msg->len ? SEGMENT_LAST : 0));
	wr_u8(&w, s->msg->service);
	wr_u32(&w, seq);
	wr_copy(&w, s->msg->bytes + s->offset, s->len);
	assert(wr_ok(&w));
	s->sent = now;
	s->order = ++t->order;
	s->passed = 0;
	c->env.emit(c->env.ctx, plain, wr_len(&w));
}

static void transmit_again(struct channel *c, uint32_t seq, usec_t now)
{
	slot_of(&c->tx, seq)->again = true;
	transmit(c, seq, now);
}

/* The next segment of the message that is being cut, into the next slot. */
static void cut(struct channel_tx *t)
{
	struct out_message *m = t->cut;
	size_t left = m->len - t->cut_at;
	struct out_segment s = { .msg = m, .offset = t->cut_at, .tries = 1 };

	s.len = (uint16_t)(left < CHANNEL_SEGMENT_MAX ? left : CHANNEL_SEGMENT_MAX);
	*slot_of(t, t->next++) = s;
	t->cut_at += s.len;
	if (t->cut_at < m->len)
		return;
	t->cut_at = 0;
	t->cut = m->at.next == &t->queue ? NULL : container_of(m->at.next, struct out_message, at);
}

void channel_tx_pump(struct channel *c, usec_t now)
{
	struct channel_tx *t = &c->tx;

	while (t->cut && !t->dead && in_flight(t) < t->window) {
		cut(t);
		transmit(c, t->next - 1, now);
		if (t->timer == USEC_NEVER)
			t->timer = now + timeout(t);
	}
}

static void timer_expired(struct channel *c, usec_t now)
{
	struct channel_tx *t = &c->tx;
	unsigned sent = 0;

	assert(in_flight(t) > 0);
	if (slot_of(t, t->una)->tries >= CHANNEL_TRIES) {
		t->dead = true;
		t->timer = USEC_NEVER;
		return;
	}
	for (uint32_t seq = t->una; seq != t->next && sent < WINDOW_MIN; seq++) {
		struct out_segment *s = slot_of(t, seq);

		if (s->acked || s->tries >= CHANNEL_TRIES)
			continue;
		s->tries++;
		sent++;
		transmit_again(c, seq, now);
	}
	t->backoff++;
	t->window = t->window / 2 > WINDOW_MIN ? t->window / 2 : WINDOW_MIN;
	t->timer = now + timeout(t);
}

void channel_tx_tick(struct channel *c, usec_t now)
{
	if (c->tx.timer <= now)
		timer_expired(c, now);
	channel_tx_pump(c, now);
}

/* What a segment's acknowledgement says about those that were sent before it. */
static void overtake(struct channel_tx *t, uint64_t order)
{
	for (uint32_t seq = t->una; seq != t->next; seq++) {
		struct out_segment *s = slot_of(t, seq);

		if (!s->acked && s->order < order && s->passed < FAST_AFTER)
			s->passed++;
	}
}

/* True when it was not known. */
static bool mark(struct channel_tx *t, uint32_t seq, usec_t now)
{
	struct out_segment *s = slot_of(t, seq);

	if (s->acked)
		return false;
	s->acked = true;
	if (t->window < CHANNEL_IN_FLIGHT)
		t->window++;
	if (s->again)
		return true;
	channel_tx_sample(t, now - s->sent);
	overtake(t, s->order);
	return true;
}

static void advance(struct channel_tx *t, uint32_t to)
{
	for (; t->una != to; t->una++) {
		struct out_segment *s = slot_of(t, t->una);

		s->msg->done += s->len;
		assert(s->msg->done <= s->msg->len);
		if (s->msg->done == s->msg->len)
			message_drop(t, s->msg);
		s->msg = NULL;
	}
	/* A bitmap once named it and the number now says it is missing: nothing is to be believed. */
	if (t->una != t->next)
		slot_of(t, t->una)->acked = false;
}

static void fast_retransmit(struct channel *c, usec_t now)
{
	struct channel_tx *t = &c->tx;

	for (uint32_t seq = t->una; seq != t->next; seq++) {
		struct out_segment *s = slot_of(t, seq);

		if (!s->acked && s->passed >= FAST_AFTER)
			transmit_again(c, seq, now);
	}
}

static void acked(struct channel *c, uint32_t next, uint64_t map, usec_t now)
{
	struct channel_tx *t = &c->tx;
	bool news = false;

	for (uint32_t seq = t->una; seq != next; seq++)
		news |= mark(t, seq, now);
	for (uint32_t i = 0; i < 64; i++)
		if (map >> i & 1)
			news |= mark(t, next + 1 + i, now);
	advance(t, next);
	fast_retransmit(c, now);
	if (in_flight(t) == 0)
		t->timer = USEC_NEVER;
	else if (news)
		t->timer = now + timeout(t);
	channel_tx_pump(c, now);
}

bool channel_ack(struct channel *c, struct rd *r, usec_t now)
{
	uint32_t next = rd_u32(r), ahead = next - c->tx.una, named;
	uint64_t map = rd_u64(r);

	if (!rd_done(r))
		return false;
	if (c->tx.dead || (int32_t)ahead < 0)
		return true; /* too late: overtaken by a newer one */
	if (ahead > in_flight(&c->tx))
		return false; /* never sent */
	named = in_flight(&c->tx) - ahead; /* from `next` on; the bitmap begins one later */
	named = named ? named - 1 : 0;
	assert(named < 64);
	if (map >> named)
		return false; /* never sent */
	acked(c, next, map, now);
	return true;
}
