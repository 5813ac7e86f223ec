/* timer.h - intrusive deadlines in a heap.
 *
 * Ties fire in the order in which they were set (a sequence number), so runs are repeatable. To put
 * a timer off costs next to nothing: it is noted, and the heap learns of it when it must. */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

struct timer {
	usec_t at;
	uint32_t place; /* 1-based index in the heap, 0 = not set */
	uint32_t seq;	/* of the last time it was set */
	void (*fire)(struct timer *t, usec_t now);
};

struct timer_slot { /* what is compared lies side by side; not later than what the timer says */
	usec_t at;
	uint32_t seq;
	struct timer *timer;
};

struct timers {
	struct timer_slot *heap;
	uint32_t count, size, seq;
};

void timers_init(struct timers *ts);
void timers_fini(struct timers *ts);
void timer_init(struct timer *t, void (*fire)(struct timer *t, usec_t now));
/* Sets or moves; USEC_NEVER cancels. */
void timer_set(struct timers *ts, struct timer *t, usec_t at);
void timer_cancel(struct timers *ts, struct timer *t);
static inline bool timer_is_set(const struct timer *t)
{
	return t->place != 0;
}
usec_t timers_next(const struct timers *ts);
/* Fires everything due at `now`, also what becomes due meanwhile, at most `count at start + 1000`
 * firings; what is left is due at the next call. */
void timers_run(struct timers *ts, usec_t now);

#endif
