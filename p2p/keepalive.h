/* keepalive.h - facts in, needs out: what silence on a session asks for. DESIGN 5 "Paths". */
#ifndef P2P_KEEPALIVE_H
#define P2P_KEEPALIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

#define KEEPALIVE_PROBE MSEC(1000)     /* nothing heard so long after sending: probe */
#define KEEPALIVE_HANDSHAKE MSEC(2000) /* ... a handshake beside it */
#define KEEPALIVE_SWITCH MSEC(3000)    /* ... another path */
#define KEEPALIVE_IDLE SEC(15)	       /* nothing sent: say that we live */
#define KEEPALIVE_IDLE_LEAF SEC(25)    /* ... where one of the two is a leaf */
#define KEEPALIVE_LATE SEC(1)	       /* so long after that an idle session is probed */
#define KEEPALIVE_LEAF_MISSES 3	       /* of a leaf's keepalives before that is done */
#define KEEPALIVE_UNANSWERED MSEC(4500) /* how long probes must have been unanswered to go down */
#define KEEPALIVE_DOUBT MSEC(200)      /* an answer so late, and later than 4 RTT: in doubt */
#define KEEPALIVE_SIGN MSEC(80)	       /* what goes out anyhow so soon is sign of life enough */

enum keepalive_need {
	NEED_PROBE = 1,
	NEED_HANDSHAKE = 2,
	NEED_SWITCH = 4,
	NEED_KEEPALIVE = 8,
	NEED_DOWN = 16,
};

/* Times of what was heard or said last: sixteenths of a second or so are enough, and half the
 * memory. */
#define HEARD_SHIFT 16
static inline uint32_t heard_unit(usec_t at)
{
	uint32_t units = (uint32_t)(at >> HEARD_SHIFT);

	return units ? units : 1;
}

static inline usec_t heard_at(uint32_t units)
{
	return (usec_t)units << HEARD_SHIFT;
}

/* What a packet that goes out lets us expect. */
enum keepalive_asks {
	ASKS_NOTHING,
	ASKS_SOMETHING, /* data: something comes back before long, if only sometimes */
	ASKS_ANSWER,	/* the peer itself answers at once */
};

/* Written wherever packets pass (by the lane, too), read by the policy. */
struct keepalive_marks {
	usec_t waiting; /* first packet that asks for something since we last heard; 0 = none */
	usec_t owed;	/* first that asks for an answer since then; 0 = none */
	usec_t sent, heard;
};

struct keepalive {
	usec_t probed;
	usec_t asked; /* for a sign of life: owed while nothing was sent since; 0 = never */
	uint32_t switched, told; /* heard_unit */
	uint32_t idle;	/* us between keepalives: the interval less the session's own jitter */
	uint8_t silent; /* s; nothing heard for so long: probe */
	bool tells; /* our keepalives say something (revocation numbers): busy sessions too */
};

static inline void keepalive_sent(struct keepalive_marks *m, enum keepalive_asks asks, usec_t now)
{
	m->sent = now;
	if (asks && !m->waiting)
		m->waiting = now;
	if (asks == ASKS_ANSWER && !m->owed)
		m->owed = now;
}

/* `answers`: it came over the way that we use, so that way works. */
static inline void keepalive_heard(struct keepalive_marks *m, bool answers, usec_t now)
{
	m->heard = now;
	if (answers)
		m->waiting = m->owed = 0;
}

/* Who talks: a leaf says less, and others are patient with it. */
enum keepalive_pair { KEEPALIVE_FULL, KEEPALIVE_WE_ARE_LEAF, KEEPALIVE_PEER_IS_LEAF };

/* jitter: any number; takes up to a tenth off the idle interval. */
void keepalive_init(struct keepalive *k, struct keepalive_marks *m, enum keepalive_pair pair,
		    uint32_t jitter, usec_t now);
/* Set of enum keepalive_need. Needs told once are not repeated before their interval is over. */
unsigned keepalive_needs(struct keepalive *k, const struct keepalive_marks *m, usec_t now);
/* We slept, and a handshake goes out that the peer is to answer. */
void keepalive_wake(struct keepalive_marks *m, usec_t now);
usec_t keepalive_deadline(const struct keepalive *k, const struct keepalive_marks *m);
/* When a peer at this round-trip time, 0 = unknown, is in doubt if nothing is heard until then:
 * USEC_NEVER while it owes nothing. */
usec_t keepalive_doubt_at(const struct keepalive_marks *m, usec_t rtt);
/* Something that matters is handed to the peer, of whom nothing was heard for a while: ask it for
 * a sign of life? At most once a second. */
bool keepalive_asks_now(struct keepalive *k, const struct keepalive_marks *m, usec_t now);
/* The peer asks for one. Whatever is sent from now on is one; if nothing is for KEEPALIVE_SIGN, a
 * keepalive. Signs ask for nothing. */
void keepalive_asked(struct keepalive *k, const struct keepalive_marks *m, usec_t now);

#endif
