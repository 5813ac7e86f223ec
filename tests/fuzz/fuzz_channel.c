/* fuzz_channel.c - a channel with messages in flight against a peer that says anything.
 *
 * Input: records of one operation byte, one length byte and that many bytes. Bit 0 of the
 * operation: acknowledgement or segment; bits 1 and 2: time passes. What must hold: memory stays
 * bounded, and with a peer silent from then on the channel comes to rest. */
#include <assert.h>
#include <stdlib.h>

#include "p2p/channel_impl.h"
#include "tests/fuzz/fuzz.h"

static void on_emit(struct channel *c, const uint8_t *plain, size_t len)
{
	(void)c;
	assert(len > 1 && len <= SEGMENT_HEAD + CHANNEL_SEGMENT_MAX);
	assert(plain[0] == CHANNEL_KIND_SEGMENT || plain[0] == CHANNEL_KIND_ACK);
}

static void on_message(struct channel *c, uint8_t service, const uint8_t *msg, size_t len)
{
	(void)c;
	(void)service;
	(void)msg;
	assert(len > 0 && len <= CHANNEL_MESSAGE_MAX);
}

static void step(struct channel *c, uint8_t op, struct rd r, usec_t now)
{
	if (op & 1)
		channel_ack(c, &r, now);
	else
		channel_segment(c, &r, now);
	channel_tick(c, now);
	assert(channel_memory(c) <= CHANNEL_MESSAGE_MAX + CHANNEL_QUEUE_MAX +
					    CHANNEL_IN_FLIGHT * CHANNEL_SEGMENT_MAX);
	assert(channel_deadline(c) > now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t msg[5000];
	static const struct channel_env env = { on_emit, on_message };
	struct channel at, *c = &at;
	struct rd in = rd_of(data, len);
	usec_t now = SEC(1);

	channel_init(c, &env);
	for (int i = 0; i < 6; i++)
		(void)channel_send(c, 1, msg, i % 2 ? sizeof(msg) : 10, now);
	while (rd_left(&in) >= 2) {
		uint8_t op = rd_u8(&in);
		size_t n = rd_u8(&in);

		n = n < rd_left(&in) ? n : rd_left(&in);
		now += MSEC(1) + (op & 2 ? MSEC(60) : 0) + (op & 4 ? SEC(1) : 0);
		step(c, op, rd_of(rd_bytes(&in, n), n), now);
	}
	for (int i = 0; i < 1000 && channel_deadline(c) != USEC_NEVER; i++)
		channel_tick(c, now = channel_deadline(c));
	assert(channel_is_dead(c) || channel_is_idle(c));
	channel_fini(c);
	return 0;
}
