/* ring_look.c - one hop of lookahead: what links say they are linked with, and next hops.
 *
 * LINKS tells the first 8 bytes of the ids of a node's kept direct links, near ones first. We keep
 * 4 bytes of each, sorted, in memory of exactly that size: as good as exact up to a million nodes.
 * The next hop is always strictly nearer to the destination than we are, by ids that the sessions
 * prove; what peers told only chooses among such hops. So lies may make a way longer, never a
 * circle, whatever anybody tells. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/ring_impl.h"

#define LINKS_SOON SEC(4)
#define LINKS_PAUSE SEC(60)
#define AGENTS 8

/* ---- LINKS: told to us ---- */

static int compare32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void look_hear(struct link *l, struct rd ids)
{
	uint32_t told[RING_TOLD_MAX];
	size_t n = 0;

	while (rd_left(&ids) >= 8 && n < RING_TOLD_MAX) {
		told[n++] = rd_u32(&ids);
		rd_u32(&ids);
	}
	qsort(told, n, sizeof(told[0]), compare32);
	if (n != l->told_count) {
		free(l->told);
		l->told = n ? mem_new(n * sizeof(told[0])) : NULL;
		l->told_count = (uint8_t)n;
	}
	if (n)
		memcpy(l->told, told, n * sizeof(told[0]));
}

size_t look_position(const struct link *l, uint32_t id)
{
	size_t low = 0, high = l->told_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (l->told[mid] < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* ---- LINKS: told by us ---- */

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

/* ---- next hops ---- */

struct aim {
	const struct ring *r;
	const struct node_id *to;
	uint64_t at;   /* where it is, as distance from ourselves in 2^-64 */
	uint64_t ours; /* how far we are from it */
	uint32_t at32, except32; /* first bits of its id, and of the id to leave out */
	bool barred;		 /* is there one to leave out? */
};

struct hop {
	struct link *link;
	uint32_t reach; /* how near it comes with its links, in 2^-32 */
	uint64_t gap;	/* how near it is itself */
};

static uint32_t first32(const struct node_id *id) { return (uint32_t)(point_top(id) >> 32); }

static struct aim aim_at(const struct ring *r, const struct node_id *to, const struct node_id *except)
{
	struct node_id cw = id_clockwise(&r->id, to);
	struct aim a = { .r = r, .to = to, .at = point_top(&cw), .at32 = first32(to) };

	a.ours = point_gap(0, a.at);
	a.barred = except != NULL;
	a.except32 = except ? first32(except) : 0;
	return a;
}

/* The gaps are rounded; where that could matter the ids themselves are compared. */
static bool is_nearer(const struct aim *a, const struct link *l, uint64_t gap)
{
	struct node_id id;

	if (gap + 2 < a->ours || gap > a->ours + 2)
		return gap < a->ours;
	id = link_id(a->r, l);
	return id_ring_compare(a->to, &id, &a->r->id) < 0;
}

/* How near one of the links it told of comes, at the entry `at` or the next one that is not barred,
 * going `way`. */
static uint32_t reach_from(const struct aim *a, const struct link *l, size_t at, size_t way)
{
	size_t n = l->told_count;

	for (size_t i = 0; i < 3 && i < n; i++, at += way)
		if (!a->barred || l->told[at % n] != a->except32)
			return point_gap32(l->told[at % n], a->at32);
	return UINT32_MAX;
}

static uint32_t reach_of(const struct aim *a, const struct link *l, uint64_t gap)
{
	uint32_t own = (uint32_t)(gap >> 32), up, down;
	size_t n = l->told_count, at;

	if (n == 0)
		return own;
	at = look_position(l, a->at32);
	up = reach_from(a, l, at, 1);
	down = reach_from(a, l, at + n - 1, n - 1);
	up = up < down ? up : down;
	return up < own ? up : own;
}

static void hop_offer(struct hop *best, const struct hop *h)
{
	if (!best->link || h->reach < best->reach ||
	    (h->reach == best->reach && h->gap < best->gap))
		*best = *h;
}

static const struct link *best_hop(const struct aim *a, const struct place *except, bool direct)
{
	struct hop best = { 0 }, doubtful = { 0 };

	for (size_t i = 0; i < a->r->links.count; i++) {
		struct hop h = { .link = link_at(a->r, i) };

		h.gap = point_gap(point_top(&h.link->at.cw), a->at);
		if ((direct && !h.link->direct) || !is_nearer(a, h.link, h.gap) ||
		    (except && memcmp(&h.link->at.cw, &except->cw, ID_LEN) == 0))
			continue;
		h.reach = reach_of(a, h.link, h.gap);
		hop_offer(h.link->doubt ? &doubtful : &best, &h);
	}
	return best.link ? best.link : doubtful.link;
}

/* The link with exactly this place, leaves included. */
static const struct link *link_there(const struct table *t, const struct place *p)
{
	size_t i = table_position(t, p);

	return i < t->count && memcmp(&t->v[i]->cw, &p->cw, ID_LEN) == 0 ?
		       (const struct link *)t->v[i] : NULL;
}

const struct pubkey *ring_next(const struct ring *r, const struct node_id *to,
			       const struct node_id *except, bool direct)
{
	struct aim a = aim_at(r, to, except);
	struct place p = { .cw = id_clockwise(&r->id, to) }, not = { 0 };
	const struct link *l = link_there(&r->links, &p);

	if (!l)
		l = link_there(&r->leaves, &p);
	if (l && (l->direct || !direct) && !(except && id_equal(to, except)))
		return &l->at.key;
	if (r->profile == RING_LEAF)
		return NULL;
	if (except)
		not.cw = id_clockwise(&r->id, except);
	l = best_hop(&a, except ? &not : NULL, direct);
	return l ? &l->at.key : NULL;
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
