/* timer.c - binary heap of pointers, 1-based (heap[0] is unused), ordered by (at, seq).
 *
 * Every timer knows its place, so moving and cancelling need no search. Timers belong to their
 * owners; an owner cancels before it frees. The heap grows by doubling and never shrinks. */
#include "base/timer.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define HEAP_START 16
#define EXTRA_FIRINGS 1000 /* in one timers_run, beyond those that were set at its start */

static bool before(const struct timer *a, const struct timer *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void place(struct timers *ts, struct timer *t, size_t i)
{
	ts->heap[i] = t;
	t->place = i;
}

static void sift_up(struct timers *ts, struct timer *t, size_t i)
{
	for (; i > 1 && before(t, ts->heap[i / 2]); i /= 2)
		place(ts, ts->heap[i / 2], i);
	place(ts, t, i);
}

static void sift_down(struct timers *ts, struct timer *t, size_t i)
{
	for (size_t child; (child = 2 * i) <= ts->count; i = child) {
		if (child < ts->count && before(ts->heap[child + 1], ts->heap[child]))
			child++;
		if (!before(ts->heap[child], t))
			break;
		place(ts, ts->heap[child], i);
	}
	place(ts, t, i);
}

void timers_init(struct timers *ts) { *ts = (struct timers){ 0 }; }

void timers_fini(struct timers *ts)
{
	for (size_t i = 1; i <= ts->count; i++)
		ts->heap[i]->place = 0;
	free(ts->heap);
	*ts = (struct timers){ 0 };
}

void timer_init(struct timer *t, void (*fire)(struct timer *t, usec_t now))
{
	*t = (struct timer){ .fire = fire };
}

void timer_cancel(struct timers *ts, struct timer *t)
{
	struct timer *last;
	size_t i = t->place;

	if (!i)
		return;
	assert(i <= ts->count && ts->heap[i] == t);
	t->place = 0;
	last = ts->heap[ts->count--];
	if (last == t)
		return;
	if (i > 1 && before(last, ts->heap[i / 2]))
		sift_up(ts, last, i);
	else
		sift_down(ts, last, i);
}

static void grow(struct timers *ts)
{
	ts->size = ts->size ? 2 * ts->size : HEAP_START;
	ts->heap = mem_resize(ts->heap, ts->size * sizeof(struct timer *));
	ts->heap[0] = NULL;
}

void timer_set(struct timers *ts, struct timer *t, usec_t at)
{
	assert(t->fire);
	timer_cancel(ts, t);
	if (at == USEC_NEVER)
		return;
	if (ts->count + 1 >= ts->size)
		grow(ts);
	t->at = at;
	t->seq = ts->seq++;
	ts->count++;
	sift_up(ts, t, ts->count);
}

usec_t timers_next(const struct timers *ts) { return ts->count ? ts->heap[1]->at : USEC_NEVER; }

void timers_run(struct timers *ts, usec_t now)
{
	size_t left = ts->count + EXTRA_FIRINGS;

	while (left-- && ts->count && ts->heap[1]->at <= now) {
		struct timer *t = ts->heap[1];

		timer_cancel(ts, t);
		t->fire(t, now);
	}
}
