/* path.c - what is known about each address of one peer, and which one is best.
 *
 * An address is a candidate from the moment it is named (ADDRESSES, a contact, the owner) or an
 * authenticated packet comes from it; it is *proven* when the nonce of a challenge sent there came
 * back, and only proven ones are chosen. Before that at most PATH_AMPLIFY bytes go to an uninvited
 * address for each byte that came from it. Challenges of one series share seven random bytes; the
 * eighth counts, so that each try has its own round trip. What that takes is kept while a challenge
 * may be answered, or bytes are counted, and no longer: most paths are proven and quiet. Unanswered
 * candidates are tried on the schedule `gaps`, without end while nothing better is known, because
 * NATs and links come back. */
#include "p2p/path.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

#define RTT_MAX SEC(60)

static const usec_t gaps[] = { MSEC(100), MSEC(200), MSEC(500), SEC(1),	 SEC(3),
			       SEC(10),	  SEC(30),   SEC(60),	SEC(300) };

struct path_probe {
	uint8_t series[PATH_NONCE_LEN - 1];
	usec_t sent_at[PATH_SENT_MAX];
	uint64_t bytes_in, bytes_out; /* while unproven */
};

static struct path_probe *probe_of(struct path *p)
{
	if (!p->probe)
		p->probe = mem_new(sizeof(*p->probe));
	return p->probe;
}

static void probe_end(struct path *p)
{
	free(p->probe);
	p->probe = NULL;
}

void paths_fini(struct paths *ps)
{
	for (int i = 0; i < ps->count; i++)
		probe_end(&ps->list[i]);
	free(ps->list);
	paths_init(ps);
}

void paths_init(struct paths *ps)
{
	*ps = (struct paths){ .used = -1 };
}

int paths_find(const struct paths *ps, const struct addr *a)
{
	for (int i = 0; i < ps->count; i++)
		if (addr_equal(&ps->list[i].addr, a))
			return i;
	return -1;
}

/* It has had a fair number of tries, or a while in which the peer could have come from it again: an
 * uninvited one gets no more challenges than its few bytes pay for. */
static bool is_hopeless(const struct path *p, usec_t now)
{
	return p->tries >= 4 || (!p->invited && now >= heard_at(p->found) + PATH_CHANCE);
}

/* A place more, else the hopeless one tried most; its old content is forgotten. -1 = no room. */
static int place_for_new(struct paths *ps, usec_t now)
{
	int worst = -1;

	if (ps->count < P2P_PATHS_MAX) {
		ps->list = mem_resize(ps->list, (ps->count + 1u) * sizeof(*ps->list));
		return ps->count++;
	}

	for (int i = 0; i < ps->count; i++) {
		const struct path *p = &ps->list[i];

		if (p->proven || i == ps->used || !is_hopeless(p, now))
			continue;
		if (worst < 0 || p->tries > ps->list[worst].tries)
			worst = i;
	}
	if (worst >= 0)
		probe_end(&ps->list[worst]);
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
					      .found = heard_unit(now), .next = now };
		ps->changed = true;
	}
	ps->list[at].invited |= invited;
	return at;
}

static bool may_send(const struct path *p)
{
	const struct path_probe *pr = p->probe;

	return p->proven || p->invited ||
	       (pr && pr->bytes_out + PATH_CHALLENGE_LEN <= PATH_AMPLIFY * pr->bytes_in);
}

int paths_due(const struct paths *ps, usec_t now)
{
	for (int i = 0; i < ps->count; i++) {
		const struct path *p = &ps->list[i];

		if (p->next <= now && may_send(p))
			return i;
	}
	return -1;
}

usec_t paths_deadline(const struct paths *ps)
{
	usec_t at = USEC_NEVER;

	for (int i = 0; i < ps->count; i++)
		if (may_send(&ps->list[i]))
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
	struct path_probe *pr = probe_of(p);

	assert(at >= 0 && at < ps->count);
	if (p->proven && p->tries >= PATH_LOST) {
		p->proven = false;
		p->invited = true; /* it was proven once */
	}
	if (p->tries % PATH_SENT_MAX == 0) {
		memcpy(pr->series, fresh, sizeof(pr->series));
		memset(pr->sent_at, 0, sizeof(pr->sent_at));
	}
	memcpy(nonce, pr->series, sizeof(pr->series));
	nonce[PATH_NONCE_LEN - 1] = (uint8_t)(p->tries % PATH_SENT_MAX);
	pr->sent_at[p->tries % PATH_SENT_MAX] = now;
	pr->bytes_out += PATH_CHALLENGE_LEN;
	p->next = now + gap_after(p, fresh[PATH_NONCE_LEN - 1]);
	/* It counts on for ever: the last series again and again. */
	p->tries += p->tries < UINT16_MAX ? 1 : -(PATH_SENT_MAX - 1);
}

static usec_t warm(const struct paths *ps)
{
	if (ps->active)
		return PATH_WARM;
	return ps->of_leaf ? PATH_WARM_LEAF : PATH_WARM_IDLE;
}

void paths_prove(struct paths *ps, int at, usec_t rtt, usec_t now)
{
	struct path *p = &ps->list[at];

	assert(at >= 0 && at < ps->count);
	p->proven = true;
	p->tries = 0;
	probe_end(p);
	p->next = now + warm(ps);
	rtt = usec_min(rtt, RTT_MAX);
	if (rtt)
		p->rtt = (uint32_t)(p->rtt ? (3 * (usec_t)p->rtt + rtt) / 4 : rtt);
}

int paths_response(struct paths *ps, const uint8_t nonce[PATH_NONCE_LEN], usec_t now)
{
	size_t n = nonce[PATH_NONCE_LEN - 1];

	for (int i = 0; n < PATH_SENT_MAX && i < ps->count; i++) {
		const struct path_probe *pr = ps->list[i].probe;

		if (!pr || !pr->sent_at[n] || memcmp(pr->series, nonce, sizeof(pr->series)) != 0)
			continue;
		paths_prove(ps, i, now > pr->sent_at[n] ? now - pr->sent_at[n] : 1, now);
		return i;
	}
	return -1;
}

void paths_fail(struct paths *ps, int at, usec_t now)
{
	struct path *p = &ps->list[at];

	assert(at >= 0 && at < ps->count);
	p->proven = false;
	p->invited = true; /* it was proven once */
	p->rtt = 0;
	p->next = usec_min(p->next, now + SEC(1));
	if (ps->used == at)
		ps->used = -1;
}

void paths_unheard(struct paths *ps)
{
	for (int i = 0; i < ps->count; i++)
		ps->list[i].heard = 0;
}

void paths_heard(struct paths *ps, int at, size_t bytes)
{
	struct path *p = &ps->list[at];

	assert(at >= 0 && at < ps->count);
	if (!p->proven && !p->invited)
		probe_of(p)->bytes_in += bytes;
}

void paths_hurry(struct paths *ps, usec_t now)
{
	for (int i = 0; i < ps->count; i++)
		ps->list[i].next = usec_min(ps->list[i].next, now);
}

void paths_set_active(struct paths *ps, bool active, usec_t now)
{
	ps->active = active;
	for (int i = 0; active && i < ps->count; i++) {
		struct path *path = &ps->list[i];

		if (path->proven)
			path->next = usec_min(path->next, now + PATH_WARM);
		else if (!path->tries)
			path->next = usec_min(path->next, now);
	}
}

int paths_best(const struct paths *ps)
{
	int best = -1;
	usec_t used;

	for (int i = 0; i < ps->count; i++) {
		const struct path *p = &ps->list[i];

		if (!p->proven)
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
