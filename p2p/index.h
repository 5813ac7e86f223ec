/* index.h - 32-bit number to object, for the two look-ups on a frame's way.
 *
 * The numbers are ours (random receiver indices, counted session handles), so nobody outside can
 * choose collisions and the low bits serve as the hash. Linear probing, at most seven eighths
 * full, no gravestones; no slots while empty, and fewer again with fewer items. Bounded by its
 * users: P2P_SESSIONS_MAX handles, four indices a session. */
#ifndef P2P_INDEX_H
#define P2P_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct index_entry {
	uint32_t number; /* 0 = empty */
	void *item;
};

struct index {
	struct index_entry *slots; /* NULL while empty */
	size_t size, count; /* size is 0 or a power of two */
};

void index_init(struct index *x);
void index_fini(struct index *x);
/* The number must not be 0 and not be there yet. */
void index_put(struct index *x, uint32_t number, void *item);
void index_take(struct index *x, uint32_t number);
/* Another object under a number that is there. */
void index_replace(struct index *x, uint32_t number, void *item);

static inline void *index_get(const struct index *x, uint32_t number)
{
	size_t i = number & (x->size - 1);

	if (!number || !x->count)
		return NULL;
	while (x->slots[i].number && x->slots[i].number != number)
		i = (i + 1) & (x->size - 1);
	return x->slots[i].item;
}

#endif
