/* drop.h - why a packet, message or frame was dropped: one list, counted everywhere alike.
 *
 * A node has one struct drops, in which all its modules count but vnet: a lane has its own. */
#ifndef BASE_DROP_H
#define BASE_DROP_H

#include <stdint.h>

/* X(enumerator, name in status, what it means) */
#define DROP_REASONS(X) \
	X(NONE, "none", "not dropped") \
	X(VERSION, "version", "unknown header version or type") \
	X(SHORT, "short", "too short or of the wrong length") \
	X(MAC, "mac", "first check failed: a stranger, or another overlay key") \
	X(RATE, "rate", "over a rate limit") \
	X(HANDSHAKE, "handshake", "handshake did not verify") \
	X(STALE, "stale", "handshake replayed or older than the last") \
	X(INDEX, "index", "no session has this receiver index") \
	X(SEAL, "seal", "did not decrypt") \
	X(REPLAY, "replay", "counter seen before or too old") \
	X(EXPIRED, "expired", "key past its end") \
	X(TAG, "tag", "no namespace attached under this tag") \
	X(MALFORMED, "malformed", "decrypted, but does not parse") \
	X(UNKNOWN, "unknown", "unknown message or service") \
	X(FULL, "full", "a bounded queue or table is full") \
	X(NO_ROUTE, "no-route", "no path or next hop") \
	X(HOPS, "hops", "hop limit reached") \
	X(SPOOF_PORT, "spoof-port", "frame from a port with a source that is not its own") \
	X(SPOOF_PEER, "spoof-peer", "packet from a session whose key has no grant for its source") \
	X(ETHERTYPE, "ethertype", "frame type this namespace does not carry") \
	X(NO_DEST, "no-destination", "nobody owns the destination") \
	X(TOO_BIG, "too-big", "larger than the path or port carries") \
	X(SIGNATURE, "signature", "signature does not verify") \
	X(QUOTA, "quota", "over a quota") \
	X(NO_SESSION, "no-session", "destination has no session yet")

enum drop {
#define X(e, n, d) DROP_##e,
	DROP_REASONS(X)
#undef X
	DROP_REASON_COUNT
};

struct drops {
	uint64_t count[DROP_REASON_COUNT];
};

const char *drop_name(enum drop d);
const char *drop_meaning(enum drop d);

static inline void drop_add(struct drops *ds, enum drop d)
{
	ds->count[d]++;
}

#endif
