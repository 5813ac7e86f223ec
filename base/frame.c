/* frame.c - the pool: one array made at the start, a free list through it. One lane, no lock. */
#include "base/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void frame_pool_init(struct frame_pool *p, size_t count)
{
	*p = (struct frame_pool){ .all = mem_new(count * sizeof(*p->all)), .count = count };
	for (size_t i = count; i > 0; i--)
		frame_put(p, &p->all[i - 1]);
}

void frame_pool_fini(struct frame_pool *p)
{
	assert(p->free_count == p->count); /* whoever holds one would write into freed memory */
	free(p->all);
	*p = (struct frame_pool){ 0 };
}

struct frame *frame_get(struct frame_pool *p)
{
	struct frame *f = p->free;

	if (!f)
		return NULL;
	p->free = f->next;
	p->free_count--;
	memset(f, 0, offsetof(struct frame, store));
	f->data = f->store + FRAME_HEAD;
	return f;
}

void frame_put(struct frame_pool *p, struct frame *f)
{
	assert(f >= p->all && f < p->all + p->count);
	assert(p->free_count < p->count);
	f->data = NULL; /* use after frame_put shows at once */
	f->next = p->free;
	p->free = f;
	p->free_count++;
}
