/* ring_look.c - LINKS, what we tell of our links; and which links serve as agents. */
#include "p2p/ring_impl.h"

#define LINKS_SOON SEC(4)
#define LINKS_PAUSE SEC(60)
#define AGENTS 8

static bool is_told(const struct ring *r, const struct link *l)
{
	return l->direct && !l->leaf && ring_link_role(r, l) != RING_NONE;
}

static size_t collect(const struct ring *r, const struct link *out[RING_TOLD_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < r->links.count && n < RING_TOLD_MAX; i++)
		if (index_is_near(r, i) && is_told(r, link_at(r, i)))
			out[n++] = link_at(r, i);
	for (size_t i = 0; i < r->links.count && n < RING_TOLD_MAX; i++)
		if (!index_is_near(r, i) && is_told(r, link_at(r, i)))
			out[n++] = link_at(r, i);
	return n;
}

void look_changed(struct ring *r, usec_t now)
{
	usec_t at = now + ring_jitter(r, LINKS_SOON);

	if (r->profile == RING_LEAF)
		return;
	if (r->links_sent && at < r->links_sent + LINKS_PAUSE)
		at = r->links_sent + ring_jitter(r, LINKS_PAUSE);
	r->links_at = usec_min(r->links_at, at > now ? at : now + LINKS_SOON);
}

/* To everybody whom we keep, or to who is new if all else is as it was. */
void look_run(struct ring *r, usec_t now)
{
	const struct link *told[RING_TOLD_MAX];
	size_t n = collect(r, told);
	uint64_t sum = n;

	r->links_at = USEC_NEVER;
	for (size_t i = 0; i < n; i++)
		sum += point_top(&told[i]->at.cw) * 0x9e3779b97f4a7c15u;
	for (size_t i = 0; i < r->links.count; i++) {
		struct link *l = link_at(r, i);

		if (ring_link_role(r, l) == RING_NONE || (l->told_links && sum == r->links_sum))
			continue;
		l->told_links = true;
		message_links(r, l, told, n);
		r->links_sent = now;
	}
	r->links_sum = sum;
}

/* ---- agents ---- */

/* The oldest link with a serial above `above`, those only that are surely usable, or any. */
static const struct link *next_oldest(const struct ring *r, uint32_t above, bool sure)
{
	const struct link *best = NULL;

	for (size_t i = 0; i < r->links.count; i++) {
		const struct link *l = link_at(r, i);

		if (l->serial > above && (!best || l->serial < best->serial) &&
		    (!sure || (l->direct && !l->doubt)))
			best = l;
	}
	return best;
}

/* The oldest ones, those that have proved to last, in turn; a leaf's uplink is its only one. */
const struct pubkey *ring_agent(const struct ring *r, unsigned attempt)
{
	const struct link *l = NULL, *list[AGENTS];
	bool sure = next_oldest(r, 0, true) != NULL;
	size_t n = 0;

	while (n < AGENTS && (l = next_oldest(r, l ? l->serial : 0, sure))) {
		if (l->uplink)
			return &l->at.key;
		list[n++] = l;
	}
	return n ? &list[attempt % n]->at.key : NULL;
}
