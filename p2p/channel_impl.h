/* channel_impl.h - what the files of the control channel share; nobody else includes it.
 *
 * channel.c owns the object, channel_tx.c the sending half, channel_rx.c the receiving half. */
#ifndef P2P_CHANNEL_IMPL_H
#define P2P_CHANNEL_IMPL_H

#include "base/list.h"
#include "p2p/channel.h"

#define SEGMENT_FIRST 1
#define SEGMENT_LAST 2
#define SEGMENT_ACK 4	/* an acknowledgement rides along */
#define SEGMENT_HEAD 11 /* at most: kind, flags, service, sequence, acknowledgement */

#define QUEUE_MESSAGES_MAX 4096 /* so that tiny messages are bounded in number too */
#define WINDOW_START 16
#define WINDOW_MIN 8 /* also what one expiry of the timer sends again at most */
#define FAST_AFTER 3 /* later segments acknowledged */
#define SLOTS_START 4
#define RTT_MAX SEC(60)
#define BACKOFF_MAX 16

#define ACK_DELAY MSEC(80)
#define ACK_EVERY 4 /* segments */
#define RTO_START MSEC(250)
#define RTO_MAX SEC(3)

/* Lives until every byte of it is acknowledged by number: a peer that takes back what its bitmap
 * said finds it still here. */
struct out_message {
	struct list at;
	uint8_t service;
	size_t len, done; /* bytes, bytes below `una` */
	uint8_t bytes[];
};

/* In slot sequence % size. Points into its message. */
struct out_segment {
	struct out_message *msg;
	uint32_t offset;
	uint16_t len;
	uint8_t tries;	/* first sending and expiries of the timer */
	uint8_t passed; /* acknowledged segments that were sent later */
	bool acked;	/* by bitmap */
	bool again;	/* sent more than once: tells nothing about the RTT (Karn) */
	usec_t sent;
	uint64_t order; /* number of its last transmission */
};

/* While anything is queued or in flight. */
struct sending {
	struct list queue; /* struct out_message, oldest first; never empty */
	size_t bytes, messages;
	struct out_message *cut; /* the next segment comes from here, at cut_at; NULL = none left */
	size_t cut_at;
	struct out_segment *slots;
	uint32_t size;	/* of slots: a power of two, 0..CHANNEL_IN_FLIGHT */
	uint32_t una;	/* oldest not acknowledged by number */
	uint64_t order;
	usec_t timer;	/* RFC 6298 retransmission timer */
};

/* Held out of order; bytes NULL = empty slot. */
struct in_segment {
	const uint8_t *bytes;
	uint16_t len;
	uint8_t flags, service;
};

/* A message being put together: a first segment came, its last has not. */
struct joining {
	size_t len, size;
	uint8_t service;
	uint8_t bytes[];
};

/* While anything is held or joined, or an acknowledgement is owed. */
struct receiving {
	struct in_segment *slots; /* CHANNEL_IN_FLIGHT; NULL while nothing is held */
	struct joining *whole;	  /* NULL between messages */
	uint32_t held; /* bytes in slots */
	uint8_t owed;  /* segments not acknowledged yet */
	usec_t ack_at;
};

/* Both directions start at 0 on the wire; tests begin near the wrap. Before the first use only. */
void channel_start_at(struct channel *c, uint32_t tx, uint32_t rx);

/* Sending begins, if it has not: the queue is there, and must not be left empty. */
struct sending *channel_tx_begin(struct channel *c);
void channel_tx_fini(struct channel *c);
void channel_tx_pump(struct channel *c, usec_t now);
void channel_tx_tick(struct channel *c, usec_t now);
void channel_tx_sample(struct channel *c, usec_t rtt);
/* False when it names what was never sent. */
bool channel_tx_may_be_acked(const struct channel *c, uint32_t next, uint64_t map);
void channel_tx_acked(struct channel *c, uint32_t next, uint64_t map, usec_t now);

void channel_rx_fini(struct channel *c);
void channel_rx_tick(struct channel *c, usec_t now);
/* The acknowledgement that is owed, if a number says all of it, goes with a segment: it is owed no
 * more. False = there is none. */
bool channel_rx_ack_rides(struct channel *c, uint32_t *next);

#endif
