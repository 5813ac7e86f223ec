/* stamp.c - see stamp.h. Only keys whose INIT verified get here, never strangers. */
#include "p2p/stamp.h"

#include <stdlib.h>

#include "base/mem.h"

struct stamp {
	struct node_id id; /* of the key: as good, and shorter */
	uint32_t counter;
	uint64_t boottime;
	struct list order;
};

void stamps_init(struct stamps *st, const uint8_t seed[16])
{
	map_init(&st->map, offsetof(struct stamp, id), sizeof(struct node_id), STAMPS_MAX, seed);
	list_init(&st->oldest);
}

void stamps_fini(struct stamps *st)
{
	struct list *l;

	while ((l = list_take(&st->oldest)))
		free(container_of(l, struct stamp, order));
	map_fini(&st->map);
}

bool stamps_is_new(const struct stamps *st, const struct pubkey *key, uint32_t counter,
		   uint64_t boottime)
{
	struct node_id id = id_of(key);
	const struct stamp *s = map_get(&st->map, &id);

	return !s || counter > s->counter || (counter == s->counter && boottime > s->boottime);
}

void stamps_put(struct stamps *st, const struct pubkey *key, uint32_t counter, uint64_t boottime)
{
	struct node_id id = id_of(key);
	struct stamp *s = map_get(&st->map, &id);

	if (!s && st->map.count == STAMPS_MAX) {
		s = container_of(st->oldest.next, struct stamp, order);
		map_take(&st->map, &s->id);
		list_del(&s->order);
		free(s);
		s = NULL;
	}
	if (!s) {
		s = mem_new(sizeof(*s));
		s->id = id;
		list_init(&s->order);
		map_put(&st->map, s);
	}
	s->counter = counter;
	s->boottime = boottime;
	list_del(&s->order);
	list_add_tail(&st->oldest, &s->order);
}
