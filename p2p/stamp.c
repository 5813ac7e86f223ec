/* stamp.c - see stamp.h. Only keys whose INIT verified get here, never strangers.
 *
 * One array in the order in which keys were last heard of, searched from its end: that costs little
 * beside the handshake that asks for it, and every node holds one for each that ever was its peer.
 * A key stands there by the first 96 bits of its id, which nobody can make two keys share. */
#include "p2p/stamp.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MARK_LEN 12
#define STEP 2 /* places made at a time, and an eighth of what there is */

struct stamp {
	uint64_t boottime;
	uint32_t counter;
	uint8_t mark[MARK_LEN];
};

void stamps_init(struct stamps *st) { *st = (struct stamps){ 0 }; }

void stamps_fini(struct stamps *st)
{
	free(st->all);
	*st = (struct stamps){ 0 };
}

/* Its place, or count. */
static size_t find(const struct stamps *st, const struct node_id *id)
{
	for (size_t i = st->count; i-- > 0;)
		if (memcmp(st->all[i].mark, id->b, MARK_LEN) == 0)
			return i;
	return st->count;
}

bool stamps_is_new(const struct stamps *st, const struct pubkey *key, uint32_t counter,
		   uint64_t boottime)
{
	struct node_id id = id_of(key);
	size_t i = find(st, &id);
	const struct stamp *s = i < st->count ? &st->all[i] : NULL;

	return !s || counter > s->counter || (counter == s->counter && boottime > s->boottime);
}

static void make_room(struct stamps *st)
{
	if (st->count < st->size)
		return;
	st->size += STEP + st->size / 8;
	st->size = st->size < STAMPS_MAX ? st->size : STAMPS_MAX;
	st->all = mem_resize(st->all, st->size * sizeof(*st->all));
}

void stamps_put(struct stamps *st, const struct pubkey *key, uint32_t counter, uint64_t boottime)
{
	struct stamp fresh = { .boottime = boottime, .counter = counter };
	struct node_id id = id_of(key);
	size_t i = find(st, &id);

	memcpy(fresh.mark, id.b, MARK_LEN);
	if (i == st->count && st->count == STAMPS_MAX)
		i = 0;
	if (i < st->count)
		memmove(&st->all[i], &st->all[i + 1], (--st->count - i) * sizeof(*st->all));
	make_room(st);
	st->all[st->count++] = fresh;
}
