/* ring_point.h - arithmetic on the circle of ids. A distance is a part of the circle in units of
 * 2^-160 (struct node_id) or, where that is enough, 2^-64 (its first eight bytes). */
#ifndef P2P_RING_POINT_H
#define P2P_RING_POINT_H

#include "base/key.h"

uint64_t point_top(const struct node_id *id); /* the first 64 bits */
struct node_id point_add(const struct node_id *a, const struct node_id *d);
struct node_id point_half(const struct node_id *d);
/* The point `distance` (in 2^-64) from here. */
struct node_id point_beside(const struct node_id *from, uint64_t distance, bool clockwise);

/* The shorter way between two points, each rounded down to 64 bits. */
static inline uint64_t point_gap(uint64_t a, uint64_t b)
{
	return a - b < b - a ? a - b : b - a;
}

#endif
