/* ring_table.c - nodes sorted by where they stand on the ring as seen from ourselves.
 *
 * Sorted by clockwise distance, the nearest clockwise nodes are the first of the table and the
 * nearest counter-clockwise ones the last, and a binary search finds who stands around any point.
 * An empty table holds no memory. Items belong to the table; they begin with a struct place. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "p2p/ring_impl.h"

#define TABLE_STEP 4

void table_init(struct table *t, size_t max)
{
	*t = (struct table){ .max = max };
}

void table_fini(struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->v[i]);
	free(t->v);
	free(t->mark);
	*t = (struct table){ 0 };
}

int place_compare(const struct place *a, const struct place *b)
{
	int c = memcmp(a->cw.b, b->cw.b, ID_LEN);

	return c ? c : key_compare(&a->key, &b->key);
}

struct place ring_place(const struct ring *r, const struct pubkey *key)
{
	struct node_id id = id_of(key);

	return (struct place){ .cw = id_clockwise(&r->id, &id), .key = *key };
}

size_t table_position(const struct table *t, const struct place *p)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (place_compare(t->v[mid], p) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct place *table_find(const struct table *t, const struct place *p)
{
	size_t i = table_position(t, p);

	return i < t->count && place_compare(t->v[i], p) == 0 ? t->v[i] : NULL;
}

static uint32_t mark_of(const struct pubkey *key)
{
	uint32_t mark;

	memcpy(&mark, key->b, sizeof(mark));
	return mark;
}

struct place *table_scan(const struct table *t, const struct pubkey *key)
{
	uint32_t mark = mark_of(key);

	for (size_t i = 0; i < t->count; i++)
		if (t->mark[i] == mark && key_equal(&t->v[i]->key, key))
			return t->v[i];
	return NULL;
}

static void resize(struct table *t, size_t size)
{
	t->size = size;
	t->v = mem_resize(t->v, size * sizeof(struct place *));
	t->mark = mem_resize(t->mark, size * sizeof(t->mark[0]));
}

size_t table_add(struct table *t, struct place *p)
{
	size_t i = table_position(t, p);

	assert(t->count < t->max);
	assert(i == t->count || place_compare(t->v[i], p) != 0);
	if (t->count == t->size)
		resize(t, t->size + t->size / 8 + TABLE_STEP);
	memmove(&t->v[i + 1], &t->v[i], (t->count - i) * sizeof(struct place *));
	memmove(&t->mark[i + 1], &t->mark[i], (t->count - i) * sizeof(t->mark[0]));
	t->v[i] = p;
	t->mark[i] = mark_of(&p->key);
	t->count++;
	return i;
}

struct place *table_take(struct table *t, size_t index)
{
	struct place *p;

	assert(index < t->count);
	p = t->v[index];
	t->count--;
	memmove(&t->v[index], &t->v[index + 1], (t->count - index) * sizeof(struct place *));
	memmove(&t->mark[index], &t->mark[index + 1], (t->count - index) * sizeof(t->mark[0]));
	if (t->count == 0) {
		free(t->v);
		free(t->mark);
		table_init(t, t->max);
	} else if (t->count < t->size / 4) {
		resize(t, t->size / 2);
	}
	return p;
}
