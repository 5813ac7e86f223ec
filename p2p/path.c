/* path.c - what is known about each address of one peer, and which one is best.
 *
 * An address is a candidate from the moment it is named (ADDRESSES, a contact, the owner) or an
 * authenticated packet comes from it; it is *proven* when the nonce of a challenge sent there came
 * back, and only proven ones are chosen. Before that at most PATH_AMPLIFY bytes go to an uninvited
 * address for each byte that came from it. Challenges of one series share seven random bytes; the
 * eighth counts, so that each try has its own round trip. Unanswered candidates are tried on the
 * schedule `gaps`, without end while nothing better is known, because NATs and links come back. */
#include "p2p/path.h"

#include <assert.h>
#include <string.h>

#include "base/list.h"

static const usec_t gaps[] = { MSEC(100), MSEC(200), MSEC(500), SEC(1),	 SEC(3),
			       SEC(10),	  SEC(30),   SEC(60),	SEC(300) };

void paths_init(struct paths *ps)
{
	*ps = (struct paths){ .used = -1 };
}

int paths_find(const struct paths *ps, const struct addr *a)
{
	for (int i = 0; i < P2P_PATHS_MAX; i++)
		if (ps->list[i].addr.ip.len && addr_equal(&ps->list[i].addr, a))
			return i;
	return -1;
}

/* It has had a fair number of tries, or a while in which the peer could have come from it again: an
 * uninvited one gets no more challenges than its few bytes pay for. */
static bool is_hopeless(const struct path *p, usec_t now)
{
	return p->tries >= 4 || (!p->invited && now >= p->found + PATH_CHANCE);
}

/* An empty place, else the hopeless one tried most. */
static int place_for_new(const struct paths *ps, usec_t now)
{
	int worst = -1;

	for (int i = 0; i < P2P_PATHS_MAX; i++) {
		const struct path *p = &ps->list[i];

		if (!p->addr.ip.len)
			return i;
		if (p->proven || i == ps->used || !is_hopeless(p, now))
			continue;
		if (worst < 0 || p->tries > ps->list[worst].tries)
			worst = i;
	}
	return worst;
}

int paths_add(struct paths *ps, const struct addr *a, uint8_t socket, bool invited, usec_t now)
{
	int at = paths_find(ps, a);

	if (at < 0) {
		at = place_for_new(ps, now);
		if (at < 0)
			return -1;
		ps->list[at] = (struct path){ .addr = *a, .socket = socket,
					      .found = now, .next = now };
	}
	ps->list[at].invited |= invited;
	return at;
}

static bool may_send(const struct path *p)
{
	return p->proven || p->invited ||
	       p->bytes_out + PATH_CHALLENGE_LEN <= PATH_AMPLIFY * p->bytes_in;
}

int paths_due(const struct paths *ps, usec_t now)
{
	for (int i = 0; i < P2P_PATHS_MAX; i++) {
		const struct path *p = &ps->list[i];

		if (p->addr.ip.len && p->next <= now && may_send(p))
			return i;
	}
	return -1;
}

usec_t paths_deadline(const struct paths *ps)
{
	usec_t at = USEC_NEVER;

	for (int i = 0; i < P2P_PATHS_MAX; i++)
		if (ps->list[i].addr.ip.len && may_send(&ps->list[i]))
			at = usec_min(at, ps->list[i].next);
	return at;
}

/* Two nodes that fell out of step must not stay so: the last gap is not exact. */
static usec_t gap_after(const struct path *p, uint8_t jitter)
{
	unsigned n = p->tries < ARRAY_LEN(gaps) ? p->tries : ARRAY_LEN(gaps) - 1;

	if (p->proven)
		return SEC(1);
	return gaps[n] + gaps[n] / 1024 * jitter;
}

void paths_challenge(struct paths *ps, int at, const uint8_t fresh[PATH_NONCE_LEN],
		     uint8_t nonce[PATH_NONCE_LEN], usec_t now)
{
	struct path *p = &ps->list[at];

	assert(at >= 0 && at < P2P_PATHS_MAX && p->addr.ip.len);
	if (p->proven && p->tries >= PATH_LOST)
		p->proven = false;
	if (p->tries % PATH_SENT_MAX == 0) {
		memcpy(p->series, fresh, sizeof(p->series));
		memset(p->sent_at, 0, sizeof(p->sent_at));
	}
	memcpy(nonce, p->series, sizeof(p->series));
	nonce[PATH_NONCE_LEN - 1] = (uint8_t)(p->tries % PATH_SENT_MAX);
	p->sent_at[p->tries % PATH_SENT_MAX] = now;
	p->bytes_out += PATH_CHALLENGE_LEN;
	p->next = now + gap_after(p, fresh[PATH_NONCE_LEN - 1]);
	p->tries++;
}

void paths_prove(struct paths *ps, int at, usec_t rtt, usec_t now)
{
	struct path *p = &ps->list[at];

	assert(at >= 0 && at < P2P_PATHS_MAX && p->addr.ip.len);
	p->proven = true;
	p->tries = 0;
	p->bytes_in = p->bytes_out = 0;
	p->next = now + (ps->active ? PATH_WARM : PATH_WARM_IDLE);
	memset(p->sent_at, 0, sizeof(p->sent_at));
	if (rtt)
		p->rtt = p->rtt ? (3 * p->rtt + rtt) / 4 : rtt;
}

int paths_response(struct paths *ps, const uint8_t nonce[PATH_NONCE_LEN], usec_t now)
{
	size_t n = nonce[PATH_NONCE_LEN - 1];

	for (int i = 0; n < PATH_SENT_MAX && i < P2P_PATHS_MAX; i++) {
		struct path *p = &ps->list[i];

		if (!p->addr.ip.len || !p->sent_at[n] ||
		    memcmp(p->series, nonce, sizeof(p->series)) != 0)
			continue;
		paths_prove(ps, i, now > p->sent_at[n] ? now - p->sent_at[n] : 1, now);
		return i;
	}
	return -1;
}

void paths_fail(struct paths *ps, int at, usec_t now)
{
	struct path *p = &ps->list[at];

	assert(at >= 0 && at < P2P_PATHS_MAX);
	p->proven = false;
	p->invited = true; /* it was proven once */
	p->rtt = 0;
	p->next = usec_min(p->next, now + SEC(1));
	if (ps->used == at)
		ps->used = -1;
}

void paths_hurry(struct paths *ps, usec_t now)
{
	for (int i = 0; i < P2P_PATHS_MAX; i++)
		ps->list[i].next = usec_min(ps->list[i].next, now);
}

void paths_set_active(struct paths *ps, bool active, usec_t now)
{
	ps->active = active;
	for (int i = 0; active && i < P2P_PATHS_MAX; i++)
		if (ps->list[i].proven)
			ps->list[i].next = usec_min(ps->list[i].next, now + PATH_WARM);
}

int paths_best(const struct paths *ps)
{
	int best = -1;
	usec_t used;

	for (int i = 0; i < P2P_PATHS_MAX; i++) {
		const struct path *p = &ps->list[i];

		if (!p->addr.ip.len || !p->proven)
			continue;
		if (best < 0 || (p->rtt && p->rtt < ps->list[best].rtt))
			best = i;
	}
	if (best < 0 || ps->used < 0 || !ps->list[ps->used].proven)
		return best;
	used = ps->list[ps->used].rtt;
	if (used && ps->list[best].rtt + (used / 4 > MSEC(2) ? used / 4 : MSEC(2)) < used)
		return best;
	return ps->used;
}
