/* held.h - frames that wait: for an owner, a session, or a grant. Bounded per queue and in
 * total. */
#ifndef VNET_HELD_H
#define VNET_HELD_H

#include "base/addr.h"
#include "base/list.h"
#include "base/time.h"

/* One queue; embedded in what the frames wait for. */
struct held_queue {
	struct list frames;
	unsigned count;
};

struct held_frame {
	struct list in_queue, in_all;
	struct held_queue *queue;
	usec_t until;
	struct ip ip; /* destination or source, as the user of the queue likes */
	size_t len;
	uint8_t data[];
};

/* A family of queues with equal waiting time. */
struct held {
	struct list all; /* oldest first */
	size_t count, max, queue_max;
	usec_t wait;
};

void held_init(struct held *h, size_t max, size_t queue_max, usec_t wait);
void held_fini(struct held *h); /* frees every frame; queues are not touched any more after it */
void held_queue_init(struct held_queue *q);
/* Copies; 0 or -ENOBUFS: a full queue keeps what it has, so that order is kept. */
int held_add(struct held *h, struct held_queue *q, const struct ip *ip, const void *data,
	     size_t len, usec_t now);
/* The oldest frame of a queue, or NULL; the caller frees it with free(). */
struct held_frame *held_take(struct held *h, struct held_queue *q);
/* Takes this frame out of its queue; the caller frees it. */
void held_remove(struct held *h, struct held_frame *f);
/* A frame whose time is over, taken out (->queue still tells whose it was), or NULL. */
struct held_frame *held_expired(struct held *h, usec_t now);
usec_t held_deadline(const struct held *h);

#endif
