/* ring_point.c - see ring_point.h. */
#include "p2p/ring_point.h"

uint64_t point_top(const struct node_id *id)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8; i++)
		v = v << 8 | id->b[i];
	return v;
}

struct node_id point_add(const struct node_id *a, const struct node_id *d)
{
	struct node_id sum;
	unsigned carry = 0;

	for (size_t i = ID_LEN; i-- > 0;) {
		carry += (unsigned)a->b[i] + d->b[i];
		sum.b[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return sum;
}

struct node_id point_half(const struct node_id *d)
{
	struct node_id h;
	unsigned carry = 0;

	for (size_t i = 0; i < ID_LEN; i++) {
		unsigned v = d->b[i] | carry << 8;

		h.b[i] = (uint8_t)(v >> 1);
		carry = v & 1;
	}
	return h;
}

struct node_id point_beside(const struct node_id *from, uint64_t distance, bool clockwise)
{
	uint64_t d = clockwise ? distance : 0 - distance;
	struct node_id step = { { 0 } };

	for (size_t i = 0; i < 8; i++)
		step.b[i] = (uint8_t)(d >> (56 - 8 * i));
	return point_add(from, &step);
}
