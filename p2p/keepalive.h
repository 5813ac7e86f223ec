/* keepalive.h - facts in, needs out: what silence on a session asks for. DESIGN 5 "Paths". */
#ifndef P2P_KEEPALIVE_H
#define P2P_KEEPALIVE_H

#include <stdbool.h>

#include "base/time.h"

#define KEEPALIVE_PROBE MSEC(1000)     /* nothing heard so long after sending: probe */
#define KEEPALIVE_HANDSHAKE MSEC(2000) /* ... a handshake beside it */
#define KEEPALIVE_SWITCH MSEC(3000)    /* ... another path */
#define KEEPALIVE_IDLE SEC(15)	       /* nothing sent: say that we live */
#define KEEPALIVE_SILENT SEC(16)       /* nothing heard on an idle session: probe */
#define KEEPALIVE_DEAD SEC(15)	       /* nothing heard, and probes unanswered: down */
#define KEEPALIVE_UNANSWERED MSEC(4500) /* how long probes must have been unanswered for that */

enum keepalive_need {
	NEED_PROBE = 1,
	NEED_HANDSHAKE = 2,
	NEED_SWITCH = 4,
	NEED_KEEPALIVE = 8,
	NEED_DOWN = 16,
};

/* Written wherever packets pass (by the lane, too), read by the policy. */
struct keepalive_marks {
	usec_t waiting; /* first packet that asks for an answer since we last heard; 0 = none */
	usec_t sent, heard;
};

struct keepalive {
	usec_t probed, switched, idle; /* idle: KEEPALIVE_IDLE less the session's own jitter */
	bool tells; /* our keepalives say something (revocation numbers): busy sessions too */
	usec_t told;
};

static inline void keepalive_sent(struct keepalive_marks *m, bool asks, usec_t now)
{
	m->sent = now;
	if (asks && !m->waiting)
		m->waiting = now;
}

/* `answers`: it came over the way that we use, so that way works. */
static inline void keepalive_heard(struct keepalive_marks *m, bool answers, usec_t now)
{
	m->heard = now;
	if (answers)
		m->waiting = 0;
}

/* jitter: any number; takes up to a tenth off the idle interval. */
void keepalive_init(struct keepalive *k, struct keepalive_marks *m, uint32_t jitter, usec_t now);
/* Set of enum keepalive_need. Needs told once are not repeated before their interval is over. */
unsigned keepalive_needs(struct keepalive *k, const struct keepalive_marks *m, usec_t now);
usec_t keepalive_deadline(const struct keepalive *k, const struct keepalive_marks *m);

#endif
