/* index.c - see index.h. */
#include "p2p/index.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define SIZE_START 8

static size_t find(const struct index *x, uint32_t number)
{
	size_t i = number & (x->size - 1);

	while (x->slots[i].number && x->slots[i].number != number)
		i = (i + 1) & (x->size - 1);
	return i;
}

void index_init(struct index *x)
{
	*x = (struct index){ 0 };
}

void index_fini(struct index *x)
{
	free(x->slots);
	*x = (struct index){ 0 };
}

static void resize(struct index *x, size_t size)
{
	struct index old = *x;

	x->size = size;
	x->slots = mem_new(x->size * sizeof(*x->slots));
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].number)
			x->slots[find(x, old.slots[i].number)] = old.slots[i];
	free(old.slots);
}

void index_put(struct index *x, uint32_t number, void *item)
{
	size_t i;

	assert(number && item);
	if (!x->slots)
		resize(x, SIZE_START);
	else if ((x->count + 1) * 8 > x->size * 7)
		resize(x, x->size * 2);
	i = find(x, number);
	assert(!x->slots[i].number);
	x->slots[i] = (struct index_entry){ number, item };
	x->count++;
}

void index_replace(struct index *x, uint32_t number, void *item)
{
	size_t i;

	assert(number && item && x->slots);
	i = find(x, number);
	assert(x->slots[i].number == number);
	x->slots[i].item = item;
}

void index_take(struct index *x, uint32_t number)
{
	size_t mask = x->size - 1, hole;

	assert(number && x->slots);
	hole = find(x, number);
	assert(x->slots[hole].number == number);
	for (size_t i = (hole + 1) & mask; x->slots[i].number; i = (i + 1) & mask) {
		size_t home = x->slots[i].number & mask;

		if (((i - home) & mask) < ((i - hole) & mask))
			continue; /* its home lies behind the hole */
		x->slots[hole] = x->slots[i];
		hole = i;
	}
	x->slots[hole] = (struct index_entry){ 0 };
	if (--x->count == 0)
		index_fini(x);
	else if (x->size > SIZE_START && x->count * 8 < x->size * 3)
		resize(x, x->size / 2);
}
