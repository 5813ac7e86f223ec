/* channel.c - the control channel as an object; docs/protocol.md 4.2.
 *
 * The two directions share nothing but the env: channel_tx.c cuts, sends and repeats, channel_rx.c
 * orders, joins and acknowledges. Neither keeps a clock: everything that waits is one of two
 * deadlines, the retransmission timer and the acknowledgement that is owed. Most channels are idle
 * most of the time: queue, windows and buffers are there only while they hold something, and what
 * is left is part of the session. */
#include "p2p/channel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/channel_impl.h"

void channel_init(struct channel *c, const struct channel_env *env)
{
	assert(env->emit && env->message);
	*c = (struct channel){ .env = env, .window = WINDOW_START };
}

void channel_fini(struct channel *c)
{
	channel_tx_fini(c);
	channel_rx_fini(c);
}

void channel_start_at(struct channel *c, uint32_t tx, uint32_t rx)
{
	assert(!c->tx && !c->rx);
	c->tx_next = tx;
	c->rx_next = rx;
}

int channel_send(struct channel *c, uint8_t service, const uint8_t *msg, size_t len, usec_t now)
{
	struct sending *t = c->tx;
	struct out_message *m;

	if (len == 0 || len > CHANNEL_MESSAGE_MAX)
		return -EMSGSIZE;
	if (t && (t->bytes + len > CHANNEL_QUEUE_MAX || t->messages == QUEUE_MESSAGES_MAX))
		return -ENOBUFS;
	t = channel_tx_begin(c);
	m = mem_new(sizeof(*m) + len);
	m->service = service;
	m->len = len;
	memcpy(m->bytes, msg, len);
	list_add_tail(&t->queue, &m->at);
	t->bytes += len;
	t->messages++;
	if (!t->cut) {
		t->cut = m;
		t->cut_at = 0;
	}
	channel_tx_pump(c, now);
	return 0;
}

void channel_tick(struct channel *c, usec_t now)
{
	channel_rx_tick(c, now);
	channel_tx_tick(c, now);
}

usec_t channel_deadline(const struct channel *c)
{
	return usec_min(c->tx ? c->tx->timer : USEC_NEVER, c->rx ? c->rx->ack_at : USEC_NEVER);
}

bool channel_is_dead(const struct channel *c)
{
	return c->dead;
}

bool channel_is_idle(const struct channel *c)
{
	return !c->tx;
}

size_t channel_memory(const struct channel *c)
{
	size_t tx = c->tx ? c->tx->bytes : 0, rx = c->rx ? c->rx->held : 0;

	return tx + rx + (c->rx && c->rx->whole ? c->rx->whole->size : 0);
}

usec_t channel_rtt(const struct channel *c)
{
	return c->srtt;
}

void channel_set_rtt_hint(struct channel *c, usec_t rtt)
{
	if (rtt)
		channel_tx_sample(c, rtt);
}
