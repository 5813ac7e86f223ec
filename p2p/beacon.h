/* beacon.h - LAN beacons: their bytes, when one is sent, which ones are looked at. docs/protocol.md
 * 5.3. What an overlay does with them is in p2p/lan.c. */
#ifndef P2P_BEACON_H
#define P2P_BEACON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/key.h"
#include "base/limit.h"
#include "base/time.h"

#define BEACON_LEN 92
#define BEACON_NONCE_LEN 24
#define BEACON_SOURCES 16 /* token buckets for beacons looked at, by hash of the source */
#define BEACON_HEARD 64	  /* keys remembered, by their first byte */

struct beacon {
	struct pubkey key;
	uint16_t port; /* UDP, of both families; the address is where the beacon came from */
	bool alone;    /* the sender has no link in the ring */
	bool leaf;
};

void beacon_write(uint8_t out[BEACON_LEN], const struct beacon *b, const uint8_t overlay_key[32],
		  const uint8_t nonce[BEACON_NONCE_LEN]);
/* False: of another overlay, of another length, damaged, or without key or port. Whether the key
 * is a good one is not looked at. */
bool beacon_read(struct beacon *out, const uint8_t *pkt, size_t len, const uint8_t overlay_key[32]);

/* What is kept about one key that was heard: there is one place for each first byte modulo 64, and
 * a newcomer takes it. */
struct beacon_heard {
	struct pubkey key;
	usec_t alone_at; /* first heard alone, USEC_NEVER = not */
	usec_t tried;	 /* last attempt, USEC_NEVER = none */
};

struct beacons {
	usec_t started, next, sent;
	uint32_t draw;	     /* random, for jitter until the next beacon */
	unsigned greetings;  /* of the first seconds, still to be sent */
	bool alone;
	struct limit all, sources[BEACON_SOURCES], attempts;
	struct beacon_heard heard[BEACON_HEARD];
};

/* What the hearer knows about itself and the ring when it weighs a beacon. */
struct beacon_view {
	bool alone;   /* we have no link in the ring */
	bool leaf;    /* we are a leaf */
	bool nearest; /* of all we know nobody but us is as near to the sender */
};

/* `draw`: 32 random bits. */
void beacons_init(struct beacons *bs, uint32_t draw, usec_t now);
bool beacons_due(struct beacons *bs, bool alone, usec_t now); /* is one to be sent now? */
void beacons_sent(struct beacons *bs, uint32_t draw, usec_t now);
usec_t beacons_deadline(const struct beacons *bs);
/* The network is another one, or has more interfaces: greet it, at most every 10 s. */
void beacons_hurry(struct beacons *bs, usec_t now);
/* May a beacon from here be looked at? */
bool beacons_admit(struct beacons *bs, const struct ip *from, usec_t now);
/* Is this one, read and not of our own, worth a handshake now? Then it counts as tried. */
bool beacons_weigh(struct beacons *bs, const struct beacon *b, const struct beacon_view *v,
		   uint32_t draw, usec_t now);

#endif
