/* ring_size.c - how many nodes there seem to be, and what follows from it.
 *
 * Ids are spread evenly, so the room that 2 * RING_NEAR neighbours take up tells the density. We
 * know that room around ourselves (twice as many, with those that our neighbours told) and around
 * every far link that told its links, since those begin with its near ones. The mean of the middle
 * half of all these, our own counted twice, says how many we are: with ten far links within some
 * 15 %, and a few liars cannot move it far. Where the links together know everybody, nodes are
 * counted: in a ring of ten it matters whether there are nine or eleven. What hangs on it is
 * sluggish by an eighth either way, so that noise makes nobody draw links and drop them again. */
#include <stdlib.h>

#include "p2p/ring_impl.h"

#define WINDOW (2 * RING_NEAR)
#define SAMPLES 64
#define COUNT_UP_TO 40 /* nodes, as estimated */
#define SIZE_MAX_SEEN ((uint64_t)1 << 30)

/* How far its third neighbour clockwise (or the other way) is from a link, in 2^-24, as it told;
 * 0 = it did not. */
static uint64_t third(const struct ring *r, const struct link *l, bool clockwise)
{
	const struct reach *h = &r->reach;
	struct node_id id = link_id(r, l);
	uint32_t own = reach_id(&id);
	size_t at = reach_position(h, own), way = clockwise ? 1 : h->count - 1, found = 0;

	if (l->told_count < WINDOW)
		return 0;
	for (size_t i = 0; i < h->count; i++) {
		at = (at + way) % h->count;
		if (entry_link(h, at) == l && entry_id(h->entry[at]) != own && ++found == RING_NEAR)
			return (clockwise ? entry_id(h->entry[at]) - own :
					    own - entry_id(h->entry[at])) & 0xffffff;
	}
	return 0;
}

/* The mean gap between neighbours around ourselves, in 2^-64, from RING_NEAR to twice as many a
 * side. */
static uint64_t own_gap(const struct ring *r)
{
	size_t n = r->links.count;
	struct link *cw, *ccw;
	uint64_t up, down, span, gaps;

	if (n < WINDOW)
		return UINT64_MAX / (n + 1);
	cw = link_at(r, RING_NEAR - 1);
	ccw = link_at(r, n - RING_NEAR);
	span = (point_top(&cw->at.cw) >> 32) + ((0 - point_top(&ccw->at.cw)) >> 32);
	up = third(r, cw, true);
	down = third(r, ccw, false);
	gaps = WINDOW + (up ? RING_NEAR : 0) + (down ? RING_NEAR : 0);
	return ((span + (up << 8) + (down << 8)) << 28) / gaps << 4;
}

/* The same around a link far away. */
static uint64_t told_gap(const struct ring *r, const struct link *l)
{
	if (l->told_count < WINDOW)
		return UINT64_MAX / (l->told_count + 1u);
	return ((third(r, l, true) + third(r, l, false)) << 36) / WINDOW << 4;
}

static int compare64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Far links that are kept, so that they go on telling: others told us of a ring of long ago. */
static bool is_far_witness(const struct ring *r, size_t i)
{
	const struct link *l = link_at(r, i);

	return l->told_count && !index_is_near(r, i) && ring_link_role(r, l) != RING_NONE;
}

static uint64_t estimate(const struct ring *r)
{
	uint64_t gap[SAMPLES], mean = 0;
	size_t n = 0, cut;

	gap[0] = gap[1] = own_gap(r);
	n = 2;
	for (size_t i = 0; i < r->links.count && n < SAMPLES; i++)
		if (is_far_witness(r, i))
			gap[n++] = told_gap(r, link_at(r, i));
	qsort(gap, n, sizeof(gap[0]), compare64);
	cut = n / 4;
	for (size_t i = cut; i < n - cut; i++)
		mean += gap[i] / (n - 2 * cut);
	return mean <= UINT64_MAX / SIZE_MAX_SEEN ? SIZE_MAX_SEEN : UINT64_MAX / mean;
}

static bool is_of(const struct ring *r, const struct link *l, uint32_t id)
{
	struct node_id own = link_id(r, l);

	return reach_id(&own) == id;
}

/* Small rings are counted: all nodes, when each that one link told of was told of by another one
 * too, or is linked with us: then hardly any is missing. Else 0, and as long as links have not told
 * yet. One liar alone can only bring this to nothing. */
static uint64_t count_all(const struct ring *r)
{
	const struct reach *h = &r->reach;
	uint64_t nodes = 1; /* ourselves */
	size_t same;

	for (size_t i = 0; i < h->count; i += same) {
		uint32_t id = entry_id(h->entry[i]);
		bool linked = false;

		for (same = 0; i + same < h->count && entry_id(h->entry[i + same]) == id; same++)
			linked |= is_of(r, entry_link(h, i + same), id);
		if (same == 1 && !linked)
			return 0;
		nodes++;
	}
	return nodes > r->links.count ? nodes : 0;
}

static unsigned log2_up(uint64_t n)
{
	unsigned k = 0;

	while ((uint64_t)1 << k < n)
		k++;
	return k;
}

unsigned size_scale(uint64_t n)
{
	unsigned e = log2_up(n + 1) - 1;

	return 8 * e + (unsigned)((n << 3 >> e) & 7);
}

void size_update(struct ring *r, usec_t now)
{
	unsigned low, high;
	uint8_t near = r->near;
	uint64_t counted;

	r->size = estimate(r);
	counted = r->size <= COUNT_UP_TO ? count_all(r) : 0;
	if (counted)
		r->size = counted;
	low = log2_up(r->size - r->size / 8);
	high = log2_up(r->size + r->size / 8);
	if (r->level < low)
		r->level = (uint8_t)low;
	if (r->level > high)
		r->level = (uint8_t)high;
	if (r->size > RING_LARGE + RING_LARGE / 8)
		near = RING_NEAR_MAX;
	else if (r->size < RING_LARGE - RING_LARGE / 8)
		near = RING_NEAR;
	if (near == r->near)
		return;
	r->near = near;
	for (size_t i = 0; i < r->links.count; i++)
		link_at(r, i)->told_serial = 0; /* more of them are news */
	talk_near_changed(r, SIDE_BOTH, false, now);
	ring_near_changed(r, now);
}
