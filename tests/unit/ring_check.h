/* ring_check.h - what must hold of the rings of ring_net.h: one cycle, everybody found, in how many
 * hops, over how many links. */
#ifndef TESTS_UNIT_RING_CHECK_H
#define TESTS_UNIT_RING_CHECK_H

#include "tests/unit/ring_net.h"

/* Indices of the nodes that are there (of one half, or of both: -1), by id. */
static inline int present(const struct net *n, int half, int *out)
{
	int count = 0;

	for (int i = 0; i < n->count; i++) {
		const struct node *node = &n->node[n->by_id[i]];

		if (node->ring && node->ring->profile == RING_FULL &&
		    (half < 0 || node->half == half))
			out[count++] = node->index;
	}
	return count;
}

/* How many pairs of nodes RING_NEAR places apart or less do not both keep a link with each other.
 * None: the nodes (of one half, or -1) form one cycle. */
static inline int all_gaps(const struct net *n, int half)
{
	int *ring = mem_new((size_t)n->count * sizeof(int)), missing = 0;
	int count = present(n, half, ring);

	for (int i = 0; i < count; i++)
		for (int k = 1; k <= RING_NEAR && k < count; k++) {
			int a = ring[i], b = ring[(i + k) % count];

			missing += a != b && (!is_linked(n, a, b) || !keeps(n, a, b) ||
					      !keeps(n, b, a));
		}
	free(ring);
	return missing;
}

/* Seconds until there are no gaps, at most `limit`. */
static inline unsigned until_closed(struct net *n, unsigned limit)
{
	unsigned s = 0;

	while (s < limit && all_gaps(n, -1)) {
		net_run(n, SEC(1));
		s++;
	}
	return s;
}

struct ways {
	unsigned routes, failed, hops, p99;
};

/* All pairs, or `sample` random ones. */
static inline struct ways ways_of(struct net *n, unsigned sample)
{
	int *ring = mem_new((size_t)n->count * sizeof(int)), count = present(n, -1, ring);
	unsigned all = (unsigned)(count * count), histogram[RING_HOPS + 1] = { 0 }, sum = 0;
	uint64_t wire = n->wire;
	struct ways w = { 0 };

	for (unsigned i = 0; i < (sample ? sample : all); i++) {
		unsigned pair = sample ? draw(n, all) : i;
		int a = ring[pair / (unsigned)count], b = ring[pair % (unsigned)count], hops;
		struct parcel p = { .from = a, .target = n->node[b].id };
		struct node_id agent;

		if (a == b)
			continue;
		w.routes++;
		w.failed += walk(n, &p, &agent, &hops) != b;
		w.hops += (unsigned)hops;
		histogram[hops]++;
	}
	while (w.p99 <= RING_HOPS && (sum += histogram[w.p99]) * 100 < w.routes * 99)
		w.p99++;
	n->wire = wire;
	free(ring);
	return w;
}

static inline unsigned unroutable(struct net *n)
{
	return ways_of(n, n->count > 100 ? 20000 : 0).failed;
}

#endif
