/* control.c - control packets, by kind, and the messages of the channel, by service.
 *
 * RING, ATTACH and ADDRESSES are handled inside, but not from within the channel's callback: they
 * wait in later.h until the segment that completed them is done with. Everything else becomes a
 * P2P_MESSAGE event at once. RING messages may also come alone, unacknowledged. */
#include "p2p/control.h"

#include <assert.h>
#include <string.h>

#include "p2p/addresses.h"
#include "p2p/later.h"
#include "p2p/route.h"
#include "p2p/transmit.h"

#define REVOCATION_GAP SEC(10) /* between two events about one namespace */

static void keepalive_input(struct session *s, struct rd r, usec_t now)
{
	struct { uint32_t tag; uint64_t number; } told[P2P_NAMESPACES_MAX];
	size_t count = rd_u8(&r);

	if (count > P2P_NAMESPACES_MAX) {
		p2p_drop(s->p, DROP_MALFORMED);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		told[i].tag = rd_u24(&r);
		told[i].number = rd_u64(&r);
	}
	if (!rd_done(&r)) {
		p2p_drop(s->p, DROP_MALFORMED);
		return;
	}
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < attach_count(s->attachments); j++) {
			const struct attachment *a = &s->attachments->list[j];
			struct namespace *ns = &s->p->ns[a->ns];

			if (a->state != ATTACH_UP || a->tag_in != told[i].tag ||
			    told[i].number <= ns->revocation ||
			    (ns->told && now - ns->told < REVOCATION_GAP))
				continue;
			ns->told = now;
			p2p_emit(s->p, &(struct p2p_event){ .type = P2P_REVOCATION, .ns = a->ns,
							    .peer = s->peer, .session = s->handle,
							    .number = told[i].number });
		}
}

static void segment_input(struct session *s, struct rd r, usec_t now)
{
	if (!channel_segment(&s->channel, &r, now))
		p2p_drop(s->p, DROP_MALFORMED);
}

static void ack_input(struct session *s, struct rd r, usec_t now)
{
	if (!channel_ack(&s->channel, &r, now))
		p2p_drop(s->p, DROP_MALFORMED);
}

static void close_input(struct session *s, struct rd r, usec_t now)
{
	uint8_t reason = rd_u8(&r);

	if (!rd_done(&r)) {
		p2p_drop(s->p, DROP_MALFORMED);
		return;
	}
	if (reason == CLOSE_SUPERSEDED)
		p2p_emit(s->p, &(struct p2p_event){ .type = P2P_SUPERSEDED, .peer = s->peer });
	session_closed(s, now);
}

static void message(struct session *s, uint8_t service, const uint8_t *msg, size_t len);

/* Not acknowledged: whatever the next one of its kind heals. */
static void message_input(struct session *s, struct rd r, usec_t now)
{
	uint8_t flags = rd_u8(&r), service = rd_u8(&r);
	size_t len = rd_left(&r);
	const uint8_t *msg = rd_bytes(&r, len);

	(void)flags, (void)now;
	if (!rd_ok(&r) || service != SERVICE_RING || len > CONTROL_MESSAGE_MAX)
		p2p_drop(s->p, DROP_MALFORMED);
	else
		message(s, service, msg, len);
}

static const struct {
	const char *name;
	size_t len_min; /* of the body */
	void (*handle)(struct session *s, struct rd r, usec_t now);
} kinds[] = {
	[CONTROL_KEEPALIVE] = { "keepalive", 1, keepalive_input },
	[CONTROL_SEGMENT] = { "segment", 7, segment_input },
	[CONTROL_ACK] = { "ack", 12, ack_input },
	[CONTROL_ROUTED] = { "routed", ROUTED_HEAD, route_input },
	[CONTROL_CLOSE] = { "close", 1, close_input },
	[CONTROL_MESSAGE] = { "message", 3, message_input },
};
_Static_assert(ARRAY_LEN(kinds) == CONTROL_KINDS, "every control kind has a row");

void control_input(struct session *s, struct rd r, usec_t now)
{
	uint8_t kind = rd_u8(&r);

	if (!rd_ok(&r) || kind >= CONTROL_KINDS)
		p2p_drop(s->p, DROP_UNKNOWN);
	else if (rd_left(&r) < kinds[kind].len_min)
		p2p_drop(s->p, DROP_MALFORMED);
	else
		kinds[kind].handle(s, r, now);
}

static struct session *session_of(struct channel *c)
{
	return container_of(c, struct session, channel);
}

static void emit(struct channel *c, const uint8_t *plain, size_t len)
{
	struct session *s = session_of(c);
	struct rd r = rd_of(plain, len);
	enum keepalive_asks asks = rd_u8(&r) == CONTROL_SEGMENT ? ASKS_ANSWER : ASKS_NOTHING;

	transmit_control(s, plain, len, asks, s->p->now);
}

static void message(struct session *s, uint8_t service, const uint8_t *msg, size_t len)
{
	struct later *l;

	if (service != SERVICE_RING && service != SERVICE_ATTACH && service != SERVICE_ADDRESSES) {
		session_use(s, service, s->p->now);
		p2p_emit(s->p, &(struct p2p_event){ .type = P2P_MESSAGE, .peer = s->peer,
						    .session = s->handle, .service = service,
						    .msg = msg, .len = len });
		return;
	}
	l = later_put(s->p, LATER_MESSAGE, msg, len);
	if (!l)
		return;
	l->key = s->peer;
	l->service = service;
}

static void channel_message(struct channel *c, uint8_t service, const uint8_t *msg, size_t len)
{
	message(session_of(c), service, msg, len);
}

void control_channel(struct session *s)
{
	static const struct channel_env env = { .emit = emit, .message = channel_message };

	channel_init(&s->channel, &env);
}

void control_message(struct session *s, uint8_t service, const uint8_t *msg, size_t len, usec_t now)
{
	uint8_t plain[3 + CONTROL_MESSAGE_MAX] = { CONTROL_MESSAGE, 0, service };

	assert(len <= CONTROL_MESSAGE_MAX);
	memcpy(plain + 3, msg, len);
	transmit_control(s, plain, 3 + len, ASKS_NOTHING, now);
}
