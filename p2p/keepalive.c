/* keepalive.c - the only file that knows what silence means.
 *
 *   probe      1 s after something that asks for an answer went out and nothing came back over
 *              the way in use; again every second. Or nothing heard at all for 16 s.
 *   handshake  2 s: perhaps the other side restarted and knows our keys no more
 *   switch     3 s: another path; again every 3 s
 *   keepalive  nothing sent for 15 s (less jitter), or no keepalive for so long that tells
 *              revocation numbers
 *   down       nothing heard for 15 s on any way, and probes unanswered for 4.5 s
 *
 * Acknowledgements, probe responses and keepalives do not ask for an answer: if they did, two idle
 * nodes would probe each other for ever. */
#include "p2p/keepalive.h"

void keepalive_init(struct keepalive *k, struct keepalive_marks *m, uint32_t jitter, usec_t now)
{
	*k = (struct keepalive){ .idle = KEEPALIVE_IDLE - jitter % (KEEPALIVE_IDLE / 10) };
	*m = (struct keepalive_marks){ .sent = now, .heard = now };
}

static usec_t later(usec_t a, usec_t b)
{
	return a > b ? a : b;
}

static usec_t probe_at(const struct keepalive *k, const struct keepalive_marks *m)
{
	usec_t at = m->heard + KEEPALIVE_SILENT;

	if (m->waiting)
		at = usec_min(at, m->waiting + KEEPALIVE_PROBE);
	return later(at, k->probed + KEEPALIVE_PROBE);
}

static usec_t switch_at(const struct keepalive *k, const struct keepalive_marks *m)
{
	return m->waiting ? later(m->waiting, k->switched) + KEEPALIVE_SWITCH : USEC_NEVER;
}

static usec_t keepalive_at(const struct keepalive *k, const struct keepalive_marks *m)
{
	return (k->tells ? usec_min(k->told, m->sent) : m->sent) + k->idle;
}

static usec_t down_at(const struct keepalive_marks *m)
{
	return m->waiting ? later(m->heard + KEEPALIVE_DEAD, m->waiting + KEEPALIVE_UNANSWERED) :
			    USEC_NEVER;
}

unsigned keepalive_needs(struct keepalive *k, const struct keepalive_marks *m, usec_t now)
{
	unsigned needs = 0;

	if (now >= down_at(m))
		return NEED_DOWN;
	if (now >= probe_at(k, m)) {
		needs |= NEED_PROBE;
		k->probed = now;
		if (m->waiting && now - m->waiting >= KEEPALIVE_HANDSHAKE)
			needs |= NEED_HANDSHAKE; /* the handshake has its own retries */
	}
	if (now >= switch_at(k, m)) {
		needs |= NEED_SWITCH;
		k->switched = now;
	}
	if (now >= keepalive_at(k, m)) {
		needs |= NEED_KEEPALIVE;
		k->told = now;
	}
	return needs;
}

usec_t keepalive_deadline(const struct keepalive *k, const struct keepalive_marks *m)
{
	usec_t at = usec_min(probe_at(k, m), keepalive_at(k, m));

	return usec_min(at, usec_min(switch_at(k, m), down_at(m)));
}
