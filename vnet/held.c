/* held.c - every frame is in two lists: its queue, and all frames by age. All frames of one family
 * wait equally long, so the list by age is also the list by deadline. */
#include "vnet/held.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void held_init(struct held *h, size_t max, size_t queue_max, usec_t wait)
{
	*h = (struct held){ .max = max, .queue_max = queue_max, .wait = wait };
	list_init(&h->all);
}

void held_queue_init(struct held_queue *q)
{
	list_init(&q->frames);
	q->count = 0;
}

void held_fini(struct held *h)
{
	struct list *l;

	while ((l = list_take(&h->all)))
		free(container_of(l, struct held_frame, in_all));
	h->count = 0;
}

int held_add(struct held *h, struct held_queue *q, const struct ip *ip, const void *data,
	     size_t len, usec_t now)
{
	struct held_frame *f;

	if (q->count >= h->queue_max || h->count >= h->max)
		return -ENOBUFS;
	f = mem_new(sizeof(*f) + len);
	f->queue = q;
	f->until = now + h->wait;
	f->ip = *ip;
	f->len = len;
	memcpy(f->data, data, len);
	list_add_tail(&q->frames, &f->in_queue);
	list_add_tail(&h->all, &f->in_all);
	q->count++;
	h->count++;
	return 0;
}

void held_remove(struct held *h, struct held_frame *f)
{
	assert(f->queue->count && h->count);
	list_del(&f->in_queue);
	list_del(&f->in_all);
	f->queue->count--;
	h->count--;
}

struct held_frame *held_take(struct held *h, struct held_queue *q)
{
	struct held_frame *f;

	if (list_is_empty(&q->frames))
		return NULL;
	f = container_of(q->frames.next, struct held_frame, in_queue);
	held_remove(h, f);
	return f;
}

struct held_frame *held_expired(struct held *h, usec_t now)
{
	struct held_frame *f;

	if (held_deadline(h) > now)
		return NULL;
	f = container_of(h->all.next, struct held_frame, in_all);
	held_remove(h, f);
	return f;
}

usec_t held_deadline(const struct held *h)
{
	if (list_is_empty(&h->all))
		return USEC_NEVER;
	return container_of(h->all.next, struct held_frame, in_all)->until;
}
