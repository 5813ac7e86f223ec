/* ring_reach.c - one hop of lookahead: what links say they are linked with, and next hops.
 *
 * LINKS tells the first 8 bytes of the ids of a node's links. We keep the first 24 bits of each,
 * good enough for a million nodes, in one sorted array together with those of our links
 * themselves; below each stands whose it is. So a next hop is a search in that array for the
 * destination and a few steps from there: the entries in order of their distance to it, until one
 * belongs to a link that may be taken. Every link that may be taken is strictly nearer to the
 * destination than we are, by the id that its session proves, and stands in the array itself, so
 * the steps end at our own distance. What peers told only chooses among such links: lies may make
 * a way longer, never a circle.
 *
 * Bounds: RING_TOLD_MAX ids of a link, REACH_MAX in all, of SLOTS links. A node with more links
 * than that looks up the others among its links, and what they tell is not kept. The memory is of
 * exactly the size in use. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/ring_impl.h"

#define REACH_MAX 8192 /* entries that were told */
#define BESIDE 2       /* links a side of the destination that are tried if some have no slot */

uint32_t reach_id(const struct node_id *id) { return (uint32_t)(point_top(id) >> 40); }

uint32_t reach_gap(uint32_t a, uint32_t b)
{
	uint32_t up = (a - b) & 0xffffff, down = (b - a) & 0xffffff;

	return up < down ? up : down;
}

static uint32_t entry_of(const struct node_id *id, const struct link *l)
{
	return reach_id(id) << 8 | l->slot;
}

/* ---- the array ---- */

static void resize(struct reach *h, size_t count)
{
	h->count = (uint32_t)count;
	if (count) {
		h->entry = mem_resize(h->entry, count * sizeof(h->entry[0]));
		return;
	}
	free(h->entry);
	h->entry = NULL;
}

size_t reach_position(const struct reach *h, uint32_t id)
{
	size_t low = 0, high = h->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (entry_id(h->entry[mid]) < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Takes out all entries of this link; the memory is not given back yet. */
static size_t filter(struct reach *h, const struct link *l)
{
	size_t n = 0;

	for (size_t i = 0; i < h->count; i++)
		if ((h->entry[i] & 0xff) != l->slot)
			h->entry[n++] = h->entry[i];
	return n;
}

/* `add` is sorted; there are `n` entries. Merged from the end, in place. */
static void merge(struct reach *h, size_t n, const uint32_t *add, size_t count)
{
	size_t to = n + count;

	resize(h, to);
	while (count > 0) {
		bool old = n > 0 && h->entry[n - 1] > add[count - 1];

		h->entry[--to] = old ? h->entry[n - 1] : add[count - 1];
		n -= old;
		count -= !old;
	}
}

static uint8_t slot_take(struct reach *h, struct link *l)
{
	uint16_t i = 0;

	while (i < h->slots && h->slot[i])
		i++;
	if (i == SLOTS)
		return SLOTS;
	if (i == h->slots)
		h->slot = mem_resize(h->slot, ++h->slots * sizeof(h->slot[0]));
	h->slot[i] = l;
	return (uint8_t)i;
}

void reach_add(struct ring *r, struct link *l)
{
	struct node_id id = link_id(r, l);
	uint32_t own;

	l->slot = slot_take(&r->reach, l);
	l->told_count = 0;
	if (l->slot == SLOTS)
		return;
	own = entry_of(&id, l);
	merge(&r->reach, r->reach.count, &own, 1);
}

void reach_remove(struct ring *r, struct link *l)
{
	struct reach *h = &r->reach;

	if (l->slot == SLOTS)
		return;
	assert(h->slot[l->slot] == l);
	resize(h, filter(h, l));
	h->slot[l->slot] = NULL;
	while (h->slots && !h->slot[h->slots - 1])
		h->slots--;
	if (h->slots)
		return;
	free(h->slot);
	h->slot = NULL;
}

static int compare32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void reach_hear(struct ring *r, struct link *l, struct rd ids)
{
	uint32_t told[RING_TOLD_MAX + 1], self = reach_id(&r->id);
	struct node_id id = link_id(r, l);
	size_t n = 0;

	if (l->slot == SLOTS || r->reach.count - l->told_count + RING_TOLD_MAX > REACH_MAX)
		return;
	l->told_count = 0;
	while (rd_left(&ids) >= 8 && l->told_count < RING_TOLD_MAX) {
		uint32_t that = rd_u32(&ids) >> 8;

		rd_u32(&ids);
		told[n] = that << 8 | l->slot;
		n += that != self; /* that way leads nowhere */
		l->told_count++;
	}
	told[n++] = entry_of(&id, l);
	qsort(told, n, sizeof(told[0]), compare32);
	merge(&r->reach, filter(&r->reach, l), told, n);
}

/* ---- next hops ---- */

struct aim {
	const struct ring *r;
	const struct node_id *to;
	const struct node_id *except; /* NULL: nobody */
	bool direct;
	uint64_t at;   /* where it is, as distance from ourselves in 2^-64 */
	uint64_t ours; /* how far we are from it */
	uint32_t id, except_id; /* first bits */
};

struct hop {
	const struct link *link;
	uint32_t reach; /* how near it comes with its links, in 2^-24 */
	uint64_t gap;	/* how near it is itself */
};

static struct aim aim_at(const struct ring *r, const struct node_id *to,
			 const struct node_id *except, bool direct)
{
	struct node_id cw = id_clockwise(&r->id, to);
	struct aim a = { .r = r, .to = to, .except = except, .direct = direct,
			 .at = point_top(&cw), .id = reach_id(to) };

	a.ours = point_gap(0, a.at);
	a.except_id = except ? reach_id(except) : 0;
	return a;
}

static bool is_there(const struct aim *a, const struct link *l)
{
	struct node_id id;

	if (point_top(&l->at.cw) != a->at)
		return false;
	id = link_id(a->r, l);
	return id_equal(&id, a->to);
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

static bool may_be_taken(const struct aim *a, const struct link *l, uint64_t gap)
{
	struct node_id id;

	if ((a->direct && !l->direct) || !is_nearer(a, l, gap))
		return false;
	if (!a->except)
		return true;
	id = link_id(a->r, l);
	return !id_equal(&id, a->except);
}

struct hops {
	struct hop best, doubtful;
};

/* Is this link, which comes so near, better than what was found so far? Of equals the nearest
 * itself. Doubt does not count against the destination. */
static void offer(const struct aim *a, struct hops *found, const struct link *l, uint32_t reach)
{
	struct hop h = { l, reach, point_gap(point_top(&l->at.cw), a->at) }, *of;

	if (!may_be_taken(a, l, h.gap))
		return;
	of = l->doubt && !is_there(a, l) ? &found->doubtful : &found->best;
	if (!of->link || h.reach < of->reach || (h.reach == of->reach && h.gap < of->gap))
		*of = h;
}

/* From the destination outwards on both sides, nearest entries first. */
static void search(const struct aim *a, struct hops *found)
{
	const struct reach *h = &a->r->reach;
	size_t up = reach_position(h, a->id), down = up + h->count - 1;

	for (size_t left = h->count; left > 0; left--) {
		uint32_t u = entry_id(h->entry[up % h->count]);
		uint32_t d = entry_id(h->entry[down % h->count]);
		bool is_up = reach_gap(u, a->id) <= reach_gap(d, a->id);
		uint32_t gap = reach_gap(is_up ? u : d, a->id);

		if ((found->best.link && gap > found->best.reach) || gap > (a->ours >> 40) + 1)
			break;
		if (!a->except || (is_up ? u : d) != a->except_id)
			offer(a, found, entry_link(h, (is_up ? up : down) % h->count), gap);
		up += is_up;
		down += is_up ? 0 : h->count - 1;
	}
}

/* Links beside the destination, whether they have a slot or not. */
static void search_links(const struct aim *a, struct hops *found)
{
	struct place p = { .cw = id_clockwise(&a->r->id, a->to) };
	size_t n = a->r->links.count, at = table_position(&a->r->links, &p) + n - BESIDE;

	for (size_t i = 0; i < 2 * BESIDE + 1; i++) {
		const struct link *l = link_at(a->r, (at + i) % n);
		struct node_id id = link_id(a->r, l);

		offer(a, found, l, reach_gap(reach_id(&id), a->id));
	}
}

/* A link that is the destination itself, of those beside the ring (leaves), or of a leaf. */
static const struct link *link_there(const struct aim *a, const struct table *t)
{
	struct place p = { .cw = id_clockwise(&a->r->id, a->to) };
	size_t i = table_position(t, &p);
	const struct link *l = i < t->count ? (const struct link *)t->v[i] : NULL;

	return l && is_there(a, l) && (l->direct || !a->direct) &&
	       !(a->except && id_equal(a->to, a->except)) ? l : NULL;
}

const struct pubkey *ring_next(const struct ring *r, const struct node_id *to,
			       const struct node_id *except, bool direct)
{
	struct aim a = aim_at(r, to, except, direct);
	const struct link *l = r->leaves.count ? link_there(&a, &r->leaves) : NULL;
	struct hops found = { 0 };

	if (!l && r->profile == RING_LEAF)
		l = link_there(&a, &r->links);
	if (l || r->profile == RING_LEAF)
		return l ? &l->at.key : NULL;
	search(&a, &found);
	if (r->links.count > SLOTS)
		search_links(&a, &found);
	l = found.best.link ? found.best.link : found.doubtful.link;
	return l ? &l->at.key : NULL;
}
