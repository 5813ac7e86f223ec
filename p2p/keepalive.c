/* keepalive.c - the only file that knows what silence means.
 *
 *   probe      1 s after something that asks for an answer went out and nothing came back over
 *              the way in use; again every second. Or nothing heard at all for 16 s.
 *   doubt      an answer that the peer owes at once is late: routed packets go another way
 *   handshake  2 s: perhaps the other side restarted and knows our keys no more
 *   switch     3 s: another path; again every 3 s
 *   keepalive  nothing sent for 15 s (less jitter), or no keepalive for so long that tells
 *              revocation numbers; or a sign of life is owed, and nothing was sent for 80 ms that
 *              could be it
 *   down       nothing heard for 15 s on any way, and probes unanswered for 4.5 s
 *
 * Sessions with a leaf: 25 s for 15; of a leaf three keepalives may be missed before it is probed.
 *
 * Acknowledgements, probe responses and keepalives do not ask for an answer: if they did, two idle
 * nodes would probe each other for ever. */
#include "p2p/keepalive.h"

void keepalive_init(struct keepalive *k, struct keepalive_marks *m, enum keepalive_pair pair,
		    uint32_t jitter, usec_t now)
{
	usec_t idle = pair == KEEPALIVE_FULL ? KEEPALIVE_IDLE : KEEPALIVE_IDLE_LEAF;
	unsigned misses = pair == KEEPALIVE_PEER_IS_LEAF ? KEEPALIVE_LEAF_MISSES : 1;

	*k = (struct keepalive){ .idle = (uint32_t)(idle - jitter % (idle / 10)),
				 .silent = (uint8_t)((misses * idle + KEEPALIVE_LATE) / SEC(1)) };
	*m = (struct keepalive_marks){ .sent = now, .heard = now };
}

static usec_t later(usec_t a, usec_t b)
{
	return a > b ? a : b;
}

static usec_t probe_at(const struct keepalive *k, const struct keepalive_marks *m)
{
	usec_t at = m->heard + SEC(k->silent);

	if (m->waiting)
		at = usec_min(at, m->waiting + KEEPALIVE_PROBE);
	return later(at, k->probed + KEEPALIVE_PROBE);
}

static usec_t switch_at(const struct keepalive *k, const struct keepalive_marks *m)
{
	return m->waiting ? later(m->waiting, heard_at(k->switched)) + KEEPALIVE_SWITCH : USEC_NEVER;
}

/* What is sent at the moment of the question arrives after it was asked, too. */
static bool owes_sign(const struct keepalive *k, const struct keepalive_marks *m)
{
	return k->asked > m->sent;
}

static usec_t keepalive_at(const struct keepalive *k, const struct keepalive_marks *m)
{
	usec_t at = (k->tells ? usec_min(heard_at(k->told), m->sent) : m->sent) + k->idle;

	return owes_sign(k, m) ? usec_min(at, k->asked + KEEPALIVE_SIGN) : at;
}

static usec_t down_at(const struct keepalive *k, const struct keepalive_marks *m)
{
	return m->waiting ? later(m->heard + SEC(k->silent) - KEEPALIVE_LATE,
				  m->waiting + KEEPALIVE_UNANSWERED) :
			    USEC_NEVER;
}

unsigned keepalive_needs(struct keepalive *k, const struct keepalive_marks *m, usec_t now)
{
	unsigned needs = 0;

	if (now >= down_at(k, m))
		return NEED_DOWN;
	if (now >= probe_at(k, m)) {
		needs |= NEED_PROBE;
		k->probed = now;
		if (m->waiting && now - m->waiting >= KEEPALIVE_HANDSHAKE)
			needs |= NEED_HANDSHAKE; /* the handshake has its own retries */
	}
	if (now >= switch_at(k, m)) {
		needs |= NEED_SWITCH;
		k->switched = heard_unit(now);
	}
	if (now >= keepalive_at(k, m)) {
		needs |= NEED_KEEPALIVE;
		k->told = heard_unit(now);
	}
	return needs;
}

usec_t keepalive_deadline(const struct keepalive *k, const struct keepalive_marks *m)
{
	usec_t at = usec_min(probe_at(k, m), keepalive_at(k, m));

	return usec_min(at, usec_min(switch_at(k, m), down_at(k, m)));
}

usec_t keepalive_doubt_at(const struct keepalive_marks *m, usec_t rtt)
{
	return m->owed ? m->owed + later(KEEPALIVE_DOUBT, 4 * rtt) : USEC_NEVER;
}

bool keepalive_asks_now(struct keepalive *k, const struct keepalive_marks *m, usec_t now)
{
	if (now < later(m->heard, k->probed) + KEEPALIVE_PROBE)
		return false;
	k->probed = now;
	return true;
}

void keepalive_asked(struct keepalive *k, const struct keepalive_marks *m, usec_t now)
{
	if (!owes_sign(k, m))
		k->asked = now;
}

void keepalive_wake(struct keepalive_marks *m, usec_t now)
{
	m->waiting = m->owed = m->heard = now;
}
