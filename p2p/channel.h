/* channel.h - the reliable control channel of one session. docs/protocol.md 4.2.
 *
 * Ordered messages of 1..65536 bytes with a service byte, cut into segments of at most 1100
 * bytes, at most 64 in flight, acknowledged by cumulative number and bitmap, retransmitted by
 * measured RTT (RFC 6298, floor 50 ms), fast retransmission on three later acknowledgements.
 * Bounds: 256 KiB queued to send, 64 KiB reassembled. It writes control plaintexts (kind SEGMENT
 * and ACK) through `emit`; the session seals them. */
#ifndef P2P_CHANNEL_H
#define P2P_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"
#include "base/wire.h"

#define CHANNEL_SEGMENT_MAX 1100
#define CHANNEL_MESSAGE_MAX 65536
#define CHANNEL_QUEUE_MAX (256 * 1024)
#define CHANNEL_IN_FLIGHT 64
#define CHANNEL_TRIES 10

/* Kinds of control plaintexts that belong here: their first byte, 4.2. */
#define CHANNEL_KIND_SEGMENT 1
#define CHANNEL_KIND_ACK 2

struct channel;
struct sending;
struct receiving;

struct channel_env {
	/* One control plaintext to seal and send now. */
	void (*emit)(struct channel *c, const uint8_t *plain, size_t len);
	/* One whole message. Valid during the call. Must not call back into the channel. */
	void (*message)(struct channel *c, uint8_t service, const uint8_t *msg, size_t len);
};

/* Part of its owner's object; what is in it is the channel's own business. */
struct channel {
	const struct channel_env *env;
	struct sending *tx;    /* NULL while nothing is queued or in flight */
	struct receiving *rx;  /* NULL while nothing is held, joined or to be acknowledged */
	uint32_t tx_next;      /* sequence number to be used */
	uint32_t rx_next;      /* ... that is awaited */
	uint32_t srtt, rttvar; /* microseconds */
	uint8_t window;
	uint8_t backoff; /* doublings since the last sample */
	bool dead;
	uint32_t counted; /* its owner's: channel_memory when it looked last */
};

void channel_init(struct channel *c, const struct channel_env *env); /* env stays its owner's */
void channel_fini(struct channel *c);
/* Copies. -ENOBUFS over CHANNEL_QUEUE_MAX, -EMSGSIZE over CHANNEL_MESSAGE_MAX or empty. */
int channel_send(struct channel *c, uint8_t service, const uint8_t *msg, size_t len, usec_t now);
/* Bodies after the kind byte. False = malformed (nothing changed). */
bool channel_segment(struct channel *c, struct rd *r, usec_t now);
bool channel_ack(struct channel *c, struct rd *r, usec_t now);
void channel_tick(struct channel *c, usec_t now);
usec_t channel_deadline(const struct channel *c);
/* A segment went unanswered CHANNEL_TRIES times: the session is to be taken down. */
bool channel_is_dead(const struct channel *c);
bool channel_is_idle(const struct channel *c); /* nothing queued or in flight */
size_t channel_memory(const struct channel *c); /* bytes queued, held and joined */
usec_t channel_rtt(const struct channel *c);   /* smoothed, 0 = unknown */
void channel_set_rtt_hint(struct channel *c, usec_t rtt); /* from a handshake or a probe */

#endif
