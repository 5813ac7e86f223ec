/* ring_look.c - LINKS, what we tell of our links; and which links serve as agents.
 *
 * What is told only shortens ways, so old news do little harm: who is new hears it soon, all others
 * every few minutes at most. */
#include "p2p/ring_impl.h"

#define LINKS_SOON SEC(5)
#define LINKS_FIRST SEC(15) /* by then who joins has most of its own */
#define LINKS_AGAIN MINUTES(45) /* though they are as they were: LINKS may be lost */
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
	usec_t pause = r->links_sent ? LINKS_SOON : LINKS_FIRST;

	if (r->profile == RING_FULL)
		r->links_at = usec_min(r->links_at, now + ring_jitter(r, pause));
}

/* To who is new; to everybody whom we keep when others are told of than before, but seldom. */
void look_run(struct ring *r, usec_t now)
{
	const struct link *told[RING_TOLD_MAX];
	size_t n = collect(r, told);
	uint64_t sum = n;
	bool changed, all;
	usec_t pause;

	for (size_t i = 0; i < n; i++)
		sum += point_top(&told[i]->at.cw) * 0x9e3779b97f4a7c15u;
	changed = sum != r->links_sum;
	all = !r->links_sent || now >= r->links_sent + (changed ? LINKS_PAUSE : LINKS_AGAIN);
	pause = ring_jitter(r, (changed && !all ? LINKS_PAUSE : LINKS_AGAIN) / 4 * 5);
	r->links_at = (all ? now : r->links_sent) + pause;
	for (size_t i = 0; i < r->links.count; i++) {
		struct link *l = link_at(r, i);

		if (ring_link_role(r, l) == RING_NONE || (l->told_links && !all))
			continue;
		l->told_links = true;
		message_links(r, l, told, n);
	}
	if (!all)
		return;
	r->links_sent = now;
	r->links_sum = sum;
}

/* ---- agents ---- */

/* Keeps in `list`, of `n`, the AGENTS oldest, by age; returns how many there are. */
static size_t insert(const struct link **list, size_t n, const struct link *l)
{
	size_t i = n < AGENTS ? n++ : AGENTS - 1;

	if (list[i] && list[i]->serial < l->serial)
		return n;
	for (; i > 0 && list[i - 1]->serial > l->serial; i--)
		list[i] = list[i - 1];
	list[i] = l;
	return n;
}

/* The oldest ones, those that have proved to last, in turn, if possible of those that are surely
 * usable; a leaf's uplink is its only one. */
const struct pubkey *ring_agent(const struct ring *r, unsigned attempt)
{
	const struct link *sure[AGENTS] = { NULL }, *any[AGENTS] = { NULL };
	size_t sures = 0, anys = 0;

	for (size_t i = 0; i < r->links.count; i++) {
		const struct link *l = link_at(r, i);

		if (l->direct && !l->doubt)
			sures = insert(sure, sures, l);
		else
			anys = insert(any, anys, l);
		if (l->uplink)
			return &l->at.key;
	}
	if (sures)
		return &sure[attempt % sures]->at.key;
	return anys ? &any[attempt % anys]->at.key : NULL;
}
