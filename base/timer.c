/* timer.c - 4-ary heap of slots, 1-based (heap[0] is unused), ordered by (at, seq).
 *
 * A slot has its key with it: finding the next one and sifting touch no timer but to tell it its
 * place. Every timer knows that, so moving and cancelling need no search. Timers that are set again
 * are mostly put off, a little with every packet: such a slot keeps its old key, and takes the
 * timer's when it comes to the top. So the top is always right, no slot is later than its timer,
 * and what fires when is as if each had been moved at once. Timers belong to their owners; an owner
 * cancels before it frees. The heap grows by a quarter, and shrinks when it is less than half full:
 * what is busy while a node joins has few timers afterwards. */
#include "base/timer.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define ARITY 4
#define HEAP_STEP 4
#define HEAP_SPARE 16 /* empty slots that are no reason to shrink */
#define EXTRA_FIRINGS 1000 /* in one timers_run, beyond those that were set at its start */

/* Those that are compared were set within 2^31 of each other. */
static bool before(const struct timer_slot *a, const struct timer_slot *b)
{
	return a->at != b->at ? a->at < b->at : (int32_t)(a->seq - b->seq) < 0;
}

static size_t parent(size_t i) { return (i + ARITY - 2) / ARITY; }

static void place(struct timers *ts, const struct timer_slot *s, size_t i)
{
	ts->heap[i] = *s;
	s->timer->place = (uint32_t)i;
}

static void sift_up(struct timers *ts, struct timer_slot s, size_t i)
{
	for (; i > 1 && before(&s, &ts->heap[parent(i)]); i = parent(i))
		place(ts, &ts->heap[parent(i)], i);
	place(ts, &s, i);
}

/* 0: i has no children */
static size_t least_child(const struct timers *ts, size_t i)
{
	size_t first = ARITY * (i - 1) + 2, end = first + ARITY, least = first;

	if (first > ts->count)
		return 0;
	for (size_t c = first + 1; c < end && c <= ts->count; c++)
		if (before(&ts->heap[c], &ts->heap[least]))
			least = c;
	return least;
}

static void sift_down(struct timers *ts, struct timer_slot s, size_t i)
{
	for (size_t child; (child = least_child(ts, i)); i = child) {
		if (!before(&ts->heap[child], &s))
			break;
		place(ts, &ts->heap[child], i);
	}
	place(ts, &s, i);
}

static void sift(struct timers *ts, struct timer_slot s, size_t i)
{
	if (i > 1 && before(&s, &ts->heap[parent(i)]))
		sift_up(ts, s, i);
	else
		sift_down(ts, s, i);
}

static struct timer_slot slot_of(struct timer *t)
{
	return (struct timer_slot){ t->at, t->seq, t };
}

/* What came to the top and was put off sinks again. */
static void settle(struct timers *ts)
{
	while (ts->count) {
		struct timer *t = ts->heap[1].timer;

		if (ts->heap[1].seq == t->seq)
			break;
		sift_down(ts, slot_of(t), 1);
	}
}

void timers_init(struct timers *ts) { *ts = (struct timers){ 0 }; }

void timers_fini(struct timers *ts)
{
	for (size_t i = 1; i <= ts->count; i++)
		ts->heap[i].timer->place = 0;
	free(ts->heap);
	*ts = (struct timers){ 0 };
}

void timer_init(struct timer *t, void (*fire)(struct timer *t, usec_t now))
{
	*t = (struct timer){ .fire = fire };
}

static void resize(struct timers *ts, uint32_t size)
{
	ts->size = size;
	ts->heap = mem_resize(ts->heap, size * sizeof(*ts->heap));
	ts->heap[0] = (struct timer_slot){ 0 };
}

void timer_cancel(struct timers *ts, struct timer *t)
{
	size_t i = t->place;

	if (!i)
		return;
	assert(i <= ts->count && ts->heap[i].timer == t);
	t->place = 0;
	ts->count--;
	if (i <= ts->count)
		sift(ts, ts->heap[ts->count + 1], i);
	settle(ts);
	if (2 * ts->count + HEAP_SPARE < ts->size)
		resize(ts, ts->count + 1 + HEAP_STEP + ts->count / 4);
}

void timer_set(struct timers *ts, struct timer *t, usec_t at)
{
	usec_t was = t->at;

	assert(t->fire);
	if (at == USEC_NEVER) {
		timer_cancel(ts, t);
		return;
	}
	t->at = at;
	t->seq = ts->seq++;
	if (t->place > 1 && at >= was)
		return;
	if (!t->place) {
		if (ts->count + 1 >= ts->size)
			resize(ts, ts->size + HEAP_STEP + ts->size / 4);
		t->place = ++ts->count;
		sift_up(ts, slot_of(t), t->place);
	} else {
		sift(ts, slot_of(t), t->place);
	}
	settle(ts);
}

usec_t timers_next(const struct timers *ts) { return ts->count ? ts->heap[1].at : USEC_NEVER; }

void timers_run(struct timers *ts, usec_t now)
{
	size_t left = ts->count + EXTRA_FIRINGS;

	while (left-- && ts->count && ts->heap[1].at <= now) {
		struct timer *t = ts->heap[1].timer;

		timer_cancel(ts, t);
		t->fire(t, now);
	}
}
