/* channel_rx.c - the receiving half of the control channel; docs/protocol.md 4.2.
 *
 * A segment is old (acknowledged again, since our acknowledgement may be lost), next (delivered or
 * joined), ahead inside the window (held), or refused. A message of one segment is handed on in
 * place; longer ones are joined in a buffer that grows with what has really come, up to
 * CHANNEL_MESSAGE_MAX, and is freed with the message. Flags, service and length are judged when a
 * segment's turn comes: one that does not fit is as if it had never come, so its sender repeats it
 * in vain and loses its session. At most 64 segments and one message are held.
 * One acknowledgement is owed from the first segment on. It waits ACK_DELAY for others to share it,
 * but not for more than ACK_EVERY, nor when it tells of a loss. A segment that goes the other way
 * meanwhile takes it along; one that tells of a loss needs its bitmap, and goes alone. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/channel_impl.h"

#define WHOLE_START 4096

void channel_rx_fini(struct channel *c)
{
	struct receiving *x = c->rx;

	if (!x)
		return;
	for (size_t i = 0; x->slots && i < CHANNEL_IN_FLIGHT; i++)
		free((void *)x->slots[i].bytes);
	free(x->slots);
	free(x->whole);
	free(x);
	c->rx = NULL;
}

static struct receiving *begin(struct channel *c)
{
	if (c->rx)
		return c->rx;
	c->rx = mem_new(sizeof(*c->rx));
	c->rx->ack_at = USEC_NEVER;
	return c->rx;
}

static void end_if_idle(struct channel *c)
{
	const struct receiving *x = c->rx;

	if (!x->slots && !x->whole && x->ack_at == USEC_NEVER)
		channel_rx_fini(c);
}

static struct in_segment *slot_of(const struct receiving *x, uint32_t seq)
{
	return &x->slots[seq % CHANNEL_IN_FLIGHT];
}

static bool fits(const struct receiving *x, const struct in_segment *s)
{
	bool first = s->flags & SEGMENT_FIRST;

	if (first == (x->whole != NULL))
		return false;
	return first || (s->service == x->whole->service &&
			 x->whole->len + s->len <= CHANNEL_MESSAGE_MAX);
}

static void join(struct receiving *x, const struct in_segment *s)
{
	struct joining *w = x->whole;
	size_t len = w ? w->len : 0, need = len + s->len, size = w ? w->size : 0;

	assert(need <= CHANNEL_MESSAGE_MAX);
	if (need > size) {
		size = need * 2 > WHOLE_START ? need * 2 : WHOLE_START;
		if (size > CHANNEL_MESSAGE_MAX)
			size = CHANNEL_MESSAGE_MAX;
		w = mem_resize(w, sizeof(*w) + size);
		w->size = size;
		x->whole = w;
	}
	memcpy(w->bytes + len, s->bytes, s->len);
	w->len = need;
	w->service = s->service;
}

/* The segment whose turn it is. */
static void take(struct channel *c, const struct in_segment *s)
{
	struct receiving *x = c->rx;
	bool last = s->flags & SEGMENT_LAST;

	c->rx_next++;
	if (last && !x->whole) {
		c->env->message(c, s->service, s->bytes, s->len);
		return;
	}
	join(x, s);
	if (!last)
		return;
	c->env->message(c, x->whole->service, x->whole->bytes, x->whole->len);
	free(x->whole);
	x->whole = NULL;
}

/* Those held whose turn has come; one that does not fit ends it and is forgotten. */
static void take_held(struct channel *c)
{
	while (c->rx->slots) {
		struct in_segment *slot = slot_of(c->rx, c->rx_next), s = *slot;
		bool ok;

		if (!s.bytes)
			return;
		*slot = (struct in_segment){ 0 };
		c->rx->held -= s.len;
		if (!c->rx->held) {
			free(c->rx->slots);
			c->rx->slots = NULL;
		}
		ok = fits(c->rx, &s);
		if (ok)
			take(c, &s);
		free((void *)s.bytes);
		if (!ok)
			return;
	}
}

static void hold(struct receiving *x, uint32_t seq, const struct in_segment *s)
{
	struct in_segment *slot;

	if (!x->slots)
		x->slots = mem_new(CHANNEL_IN_FLIGHT * sizeof(*x->slots));
	slot = slot_of(x, seq);
	if (slot->bytes)
		return;
	*slot = *s;
	slot->bytes = mem_copy(s->bytes, s->len);
	x->held += s->len;
}

static bool segment_read(struct rd *r, struct in_segment *s, uint32_t *seq, uint32_t *ack)
{
	s->flags = rd_u8(r);
	s->service = rd_u8(r);
	*seq = rd_u32(r);
	*ack = s->flags & SEGMENT_ACK ? rd_u32(r) : 0;
	s->len = 0;
	if (rd_left(r) == 0 || rd_left(r) > CHANNEL_SEGMENT_MAX)
		return false;
	s->len = (uint16_t)rd_left(r);
	s->bytes = rd_bytes(r, s->len);
	return rd_done(r) && !(s->flags & ~(SEGMENT_FIRST | SEGMENT_LAST | SEGMENT_ACK));
}

/* False when it cannot be one of those that are awaited. */
static bool segment_take(struct channel *c, const struct in_segment *s, uint32_t seq)
{
	struct receiving *x = begin(c);
	uint32_t ahead = seq - c->rx_next;

	if ((int32_t)ahead < 0)
		return true;
	if (ahead >= CHANNEL_IN_FLIGHT || (ahead == 0 && !fits(x, s)))
		return false;
	if (ahead > 0) {
		hold(x, seq, s);
		return true;
	}
	take(c, s);
	take_held(c);
	return true;
}

bool channel_segment(struct channel *c, struct rd *r, usec_t now)
{
	struct in_segment s;
	uint32_t seq, ack;
	bool urgent = c->rx && c->rx->held;

	if (!segment_read(r, &s, &seq, &ack))
		return false;
	if (s.flags & SEGMENT_ACK && !channel_tx_may_be_acked(c, ack, 0))
		return false;
	urgent |= seq != c->rx_next;
	if (!segment_take(c, &s, seq)) {
		end_if_idle(c);
		return false;
	}
	c->rx->owed++;
	urgent |= c->rx->owed >= ACK_EVERY;
	c->rx->ack_at = usec_min(c->rx->ack_at, urgent ? now : now + ACK_DELAY);
	if (s.flags & SEGMENT_ACK)
		channel_tx_acked(c, ack, 0, now);
	return true;
}

static void acked(struct channel *c)
{
	c->rx->ack_at = USEC_NEVER;
	c->rx->owed = 0;
	end_if_idle(c);
}

bool channel_rx_ack_rides(struct channel *c, uint32_t *next)
{
	if (!c->rx || c->rx->ack_at == USEC_NEVER || c->rx->held)
		return false;
	acked(c);
	*next = c->rx_next;
	return true;
}

void channel_rx_tick(struct channel *c, usec_t now)
{
	const struct receiving *x = c->rx;
	uint8_t plain[1 + 4 + 8];
	struct wr w = wr_of(plain, sizeof(plain));
	uint64_t map = 0;

	if (!x || x->ack_at > now)
		return;
	assert(!x->slots || !slot_of(x, c->rx_next)->bytes);
	for (uint32_t i = 0; x->slots && i + 1 < CHANNEL_IN_FLIGHT; i++)
		if (slot_of(x, c->rx_next + 1 + i)->bytes)
			map |= UINT64_C(1) << i;
	wr_u8(&w, CHANNEL_KIND_ACK);
	wr_u32(&w, c->rx_next);
	wr_u64(&w, map);
	assert(wr_ok(&w));
	acked(c);
	c->env->emit(c, plain, wr_len(&w));
}
