/* map.h - a bounded hash map of items that carry their own fixed-length key.
 *
 * The map holds pointers only; items belong to the caller. SipHash with the caller's seed, so
 * that a peer that chooses keys cannot choose collisions. Order of iteration depends on the seed
 * and the history only, never on pointers (the simulator needs that). An empty map has no slots;
 * one that was emptied gives them back. A node has some twenty, mostly empty: they are small. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map {
	void **slots;	/* NULL while empty */
	uint32_t size;	/* slots; 0 or a power of two */
	uint32_t count; /* items */
	uint32_t max;	/* items at most */
	uint16_t key_at; /* offset of the key in an item */
	uint16_t key_len;
	uint8_t seed[16];
};

void map_init(struct map *m, size_t key_at, size_t key_len, size_t max, const uint8_t seed[16]);
void map_fini(struct map *m); /* frees the slots, not the items */
void *map_get(const struct map *m, const void *key);
/* 0, -ENOSPC at the maximum, -EEXIST when an item with this key is there. */
int map_put(struct map *m, void *item);
/* The removed item or NULL. */
void *map_take(struct map *m, const void *key);
/* Iterate: `size_t at = 0; while ((item = map_next(m, &at)))`. The item just returned may be taken
 * out with map_take_at(m, &at); nothing else may change the map meanwhile. */
void *map_next(const struct map *m, size_t *at);
void map_take_at(struct map *m, size_t *at);

#endif
