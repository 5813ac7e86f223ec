/* map.c - open addressing with linear probing and no gravestones: taking an item out moves the
 * rest of its run back. At most seven eighths of the slots are in use, so runs stay short; fewer
 * than three eighths when an item comes, and the array shrinks. Taking out gives the array back only
 * with the last item, so that it is legal while iterating.
 *
 * Iteration must stay exact while the item just returned is taken out. A run may wrap around the
 * end of the array; so think of the array twice in a row, where a wrapped item (one that lies
 * before its home) lives in the second copy. In that picture runs never wrap, removal moves items
 * only downwards and from above the hole, and a walk from the top to the bottom meets each item
 * once. `at` counts the places of that walk. */
#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SIZE_START 8

static const void *key_of(const struct map *m, const void *item)
{
	return (const char *)item + m->key_at;
}

static size_t home_of(const struct map *m, const void *key)
{
	uint8_t h[crypto_shorthash_BYTES];
	uint64_t v = 0;

	crypto_shorthash(h, key, m->key_len, m->seed);
	for (size_t i = 0; i < sizeof(h); i++)
		v = v << 8 | h[i]; /* the same on every machine */
	return (size_t)v & (m->size - 1);
}

/* The slot of the item with this key, else the empty slot where it would go. There are slots. */
static size_t find(const struct map *m, const void *key)
{
	size_t i = home_of(m, key);

	while (m->slots[i] && memcmp(key_of(m, m->slots[i]), key, m->key_len) != 0)
		i = (i + 1) & (m->size - 1);
	return i;
}

static void resize(struct map *m, uint32_t size)
{
	void **old = m->slots;
	uint32_t old_size = m->size;

	m->slots = mem_new(size * sizeof(*m->slots));
	m->size = size;
	for (size_t i = 0; i < old_size; i++)
		if (old[i])
			m->slots[find(m, key_of(m, old[i]))] = old[i];
	free(old);
}

void map_init(struct map *m, size_t key_at, size_t key_len, size_t max, const uint8_t seed[16])
{
	_Static_assert(sizeof(m->seed) == crypto_shorthash_KEYBYTES, "seed is a SipHash key");
	assert(key_len && key_len <= UINT16_MAX && key_at <= UINT16_MAX);
	assert(max && max <= UINT32_MAX / 16);
	*m = (struct map){ .key_at = (uint16_t)key_at, .key_len = (uint16_t)key_len,
			   .max = (uint32_t)max };
	memcpy(m->seed, seed, sizeof(m->seed));
}

void map_fini(struct map *m)
{
	free(m->slots);
	*m = (struct map){ 0 };
}

void *map_get(const struct map *m, const void *key)
{
	assert(m->max);
	return m->slots ? m->slots[find(m, key)] : NULL;
}

/* Room for one more, and not far too much of it. */
static void fit(struct map *m)
{
	size_t need = m->count + 1;

	if (!m->slots)
		resize(m, SIZE_START);
	else if (need * 8 > m->size * 7)
		resize(m, m->size * 2);
	else if (need * 8 < m->size * 3 && m->size > SIZE_START)
		resize(m, m->size / 2);
}

int map_put(struct map *m, void *item)
{
	assert(m->max && item);
	if (map_get(m, key_of(m, item)))
		return -EEXIST;
	if (m->count >= m->max)
		return -ENOSPC;
	fit(m);
	m->slots[find(m, key_of(m, item))] = item;
	m->count++;
	return 0;
}

/* Empties a slot and closes the gap: what was pushed past it by it moves back. */
static void *take(struct map *m, size_t hole)
{
	size_t mask = m->size - 1;
	void *item = m->slots[hole];

	for (size_t i = (hole + 1) & mask; m->slots[i]; i = (i + 1) & mask) {
		size_t home = home_of(m, key_of(m, m->slots[i]));

		if (((i - home) & mask) < ((i - hole) & mask))
			continue; /* its home lies behind the hole */
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = NULL;
	if (--m->count == 0) {
		free(m->slots);
		m->slots = NULL;
		m->size = 0;
	}
	return item;
}

void *map_take(struct map *m, const void *key)
{
	size_t i;

	assert(m->max);
	if (!m->slots)
		return NULL;
	i = find(m, key);
	return m->slots[i] ? take(m, i) : NULL;
}

/* Does the run of items at the start of the table reach to i? Mostly told by its first slots, and
 * saves a hash for each item outside of it. */
static bool is_first_run(const struct map *m, size_t i)
{
	for (size_t k = 0; k <= i; k++)
		if (!m->slots[k])
			return false;
	return true;
}

void *map_next(const struct map *m, size_t *at)
{
	size_t first_empty = 0;

	if (!m->slots)
		return NULL;
	if (*at == 0) { /* only the run at the start can have wrapped */
		while (m->slots[first_empty])
			first_empty++;
		*at = m->size - first_empty;
	}
	while (*at < 2 * m->size) {
		size_t place = 2 * m->size - ++*at;
		size_t i = place & (m->size - 1);
		bool wrapped = m->slots[i] && is_first_run(m, i) &&
			       home_of(m, key_of(m, m->slots[i])) > i;

		if (m->slots[i] && wrapped == (place >= m->size))
			return m->slots[i];
	}
	return NULL;
}

void map_take_at(struct map *m, size_t *at)
{
	size_t i = (2 * m->size - *at) & (m->size - 1);

	assert(*at > 0 && *at <= 2 * m->size && m->slots[i]);
	take(m, i);
}
