#include "base/timer.h"

#include "tests/check.h"

#define FIRED_MAX 4096

/* A test's world: what fired, in which order. */
struct world {
	struct timers ts;
	int fired[FIRED_MAX];
	int count;
};

struct alarm {
	struct timer t;
	struct world *w;
	int name;
	usec_t again; /* set anew at this distance from now; 0 = not */
	struct timer *cancel;
};

static void alarm_fire(struct timer *t, usec_t now)
{
	struct alarm *a = container_of(t, struct alarm, t);

	CHECK(t->at <= now);
	CHECK(!timer_is_set(t));
	if (a->w->count < FIRED_MAX)
		a->w->fired[a->w->count++] = a->name;
	if (a->again)
		timer_set(&a->w->ts, t, now + a->again);
	if (a->cancel)
		timer_cancel(&a->w->ts, a->cancel);
}

static void alarms_make(struct world *w, struct alarm *a, int n)
{
	memset(w, 0, sizeof(*w));
	memset(a, 0, sizeof(*a) * (size_t)n);
	timers_init(&w->ts);
	for (int i = 0; i < n; i++) {
		timer_init(&a[i].t, alarm_fire);
		a[i].w = w;
		a[i].name = i;
	}
}

static void test_timer_nothing_set_means_never(void)
{
	struct timers ts;

	timers_init(&ts);
	CHECK(timers_next(&ts) == USEC_NEVER);
	timers_run(&ts, USEC_NEVER);
	timers_fini(&ts);
}

static void test_timer_due_ones_fire_in_order_of_time_and_the_others_wait(void)
{
	static struct world w;
	struct alarm a[4];

	alarms_make(&w, a, 4);
	timer_set(&w.ts, &a[0].t, 30);
	timer_set(&w.ts, &a[1].t, 10);
	timer_set(&w.ts, &a[2].t, 41);
	timer_set(&w.ts, &a[3].t, 20);
	CHECK_EQ_INT(timers_next(&w.ts), 10);
	timers_run(&w.ts, 9);
	CHECK_EQ_INT(w.count, 0);
	timers_run(&w.ts, 40);
	CHECK_EQ_INT(w.count, 3);
	CHECK(w.fired[0] == 1 && w.fired[1] == 3 && w.fired[2] == 0);
	CHECK(timer_is_set(&a[2].t));
	CHECK_EQ_INT(timers_next(&w.ts), 41);
	timers_fini(&w.ts);
	CHECK(!timer_is_set(&a[2].t));
}

static void test_timer_ties_fire_in_the_order_in_which_they_were_set(void)
{
	static struct world w;
	struct alarm a[50];

	alarms_make(&w, a, 50);
	for (int i = 0; i < 50; i++)
		timer_set(&w.ts, &a[i * 7 % 50].t, 100);
	timer_set(&w.ts, &a[0].t, 100); /* set anew: now the last */
	timers_run(&w.ts, 100);
	CHECK_EQ_INT(w.count, 50);
	for (int i = 1; i < 50; i++)
		CHECK_EQ_INT(w.fired[i - 1], i * 7 % 50);
	CHECK_EQ_INT(w.fired[49], 0);
	timers_fini(&w.ts);
}

static void test_timer_cancelled_and_never_do_not_fire(void)
{
	static struct world w;
	struct alarm a[3];

	alarms_make(&w, a, 3);
	for (int i = 0; i < 3; i++)
		timer_set(&w.ts, &a[i].t, 10);
	timer_cancel(&w.ts, &a[0].t);
	timer_cancel(&w.ts, &a[0].t); /* twice is once */
	timer_set(&w.ts, &a[1].t, USEC_NEVER);
	CHECK(!timer_is_set(&a[0].t) && !timer_is_set(&a[1].t));
	timers_run(&w.ts, 100);
	CHECK_EQ_INT(w.count, 1);
	CHECK_EQ_INT(w.fired[0], 2);
	timers_fini(&w.ts);
}

static void test_timer_moves_forwards_and_backwards(void)
{
	static struct world w;
	struct alarm a[2];

	alarms_make(&w, a, 2);
	timer_set(&w.ts, &a[0].t, 10);
	timer_set(&w.ts, &a[1].t, 20);
	timer_set(&w.ts, &a[0].t, 30);
	CHECK_EQ_INT(timers_next(&w.ts), 20);
	timer_set(&w.ts, &a[0].t, 5);
	CHECK_EQ_INT(timers_next(&w.ts), 5);
	CHECK_EQ_INT(w.ts.count, 2);
	timers_fini(&w.ts);
}

static void test_timer_may_cancel_another_while_firing(void)
{
	static struct world w;
	struct alarm a[2];

	alarms_make(&w, a, 2);
	timer_set(&w.ts, &a[0].t, 10);
	timer_set(&w.ts, &a[1].t, 10);
	a[0].cancel = &a[1].t;
	timers_run(&w.ts, 10);
	CHECK_EQ_INT(w.count, 1);
	timers_fini(&w.ts);
}

static void test_timer_set_while_firing_fires_in_the_same_run_when_due(void)
{
	static struct world w;
	struct alarm a[1];

	alarms_make(&w, a, 1);
	a[0].again = 5;
	timer_set(&w.ts, &a[0].t, 10);
	timers_run(&w.ts, 12);
	CHECK_EQ_INT(w.count, 1);
	CHECK_EQ_INT(timers_next(&w.ts), 17);
	timers_fini(&w.ts);
}

static void rearm_now(struct timer *t, usec_t now)
{
	struct alarm *a = container_of(t, struct alarm, t);

	a->w->count++;
	timer_set(&a->w->ts, t, now);
}

static void test_timer_that_is_always_due_cannot_hold_the_run_for_ever(void)
{
	static struct world w;
	struct alarm a[1];

	alarms_make(&w, a, 1);
	timer_init(&a[0].t, rearm_now);
	timer_set(&w.ts, &a[0].t, 10);
	timers_run(&w.ts, 10);
	CHECK_EQ_INT(w.count, 1001);
	CHECK_EQ_INT(timers_next(&w.ts), 10); /* due at the next call */
	timers_fini(&w.ts);
}

/* Every timer knows its place, no child is before its parent, no slot is later than its timer, and
 * the first is right. */
static bool heap_is_sound(const struct timers *ts)
{
	for (size_t i = 1; i <= ts->count; i++) {
		if (ts->heap[i].timer->place != i || ts->heap[i].at > ts->heap[i].timer->at ||
		    ts->heap[i].at < ts->heap[i > 1 ? (i + 2) / 4 : 1].at)
			return false;
	}
	return !ts->count || ts->heap[1].at == ts->heap[1].timer->at;
}

static void test_timer_heap_stays_sound_through_random_sets_and_cancels(void)
{
	static struct world w;
	static struct alarm a[300];
	uint32_t s = 1;

	alarms_make(&w, a, 300);
	for (int step = 0; step < 20000; step++) {
		struct alarm *it = &a[(s = s * 1664525u + 1013904223u) >> 8 & 0xff];

		if (s & 0x10)
			timer_cancel(&w.ts, &it->t);
		else
			timer_set(&w.ts, &it->t, s >> 20);
		if (step % 64 == 0)
			CHECK(heap_is_sound(&w.ts));
	}
	CHECK(w.ts.count > 50);
	timers_run(&w.ts, 1 << 12);
	CHECK_EQ_INT(w.ts.count, 0);
	timers_fini(&w.ts);
}

#define ALARMS 40

/* The one that is to fire first, by looking at all; NULL: none. */
static struct alarm *first_of(struct alarm *a, const unsigned *set_as)
{
	struct alarm *first = NULL;

	for (int i = 0; i < ALARMS; i++)
		if (timer_is_set(&a[i].t) &&
		    (!first || a[i].t.at < first->t.at ||
		     (a[i].t.at == first->t.at && set_as[i] < set_as[first->name])))
			first = &a[i];
	return first;
}

static void test_timer_put_off_again_and_again_fires_as_if_moved_at_once(void)
{
	static struct world w;
	static struct alarm a[ALARMS];
	unsigned set_as[ALARMS] = { 0 };
	uint32_t s = 7, fired = 0;

	alarms_make(&w, a, ALARMS);
	for (unsigned step = 1; step < 20000; step++) {
		usec_t now = step / 4;
		int i = (int)((s = s * 1664525u + 1013904223u) >> 8) % ALARMS;
		const struct alarm *first;

		if (s >> 28 == 0)
			timer_cancel(&w.ts, &a[i].t);
		else
			timer_set(&w.ts, &a[i].t, now + (s >> 20) % (s & 0x80 ? 4 : 64));
		set_as[i] = step;
		while ((first = first_of(a, set_as)) && first->t.at <= now) {
			usec_t at = first->t.at;
			int count = w.count;

			CHECK_EQ_INT(timers_next(&w.ts), at);
			timer_set(&w.ts, &a[(first->name + 1) % ALARMS].t, now + 100);
			set_as[(first->name + 1) % ALARMS] = step;
			timers_run(&w.ts, at);
			CHECK(w.count > count && w.fired[count] == first->name);
			w.count = 0;
			fired++;
		}
		CHECK(timers_next(&w.ts) == (first ? first->t.at : USEC_NEVER));
	}
	CHECK(fired > 1000);
	CHECK(heap_is_sound(&w.ts));
	timers_fini(&w.ts);
}

static const struct test tests[] = {
	TEST(test_timer_nothing_set_means_never),
	TEST(test_timer_due_ones_fire_in_order_of_time_and_the_others_wait),
	TEST(test_timer_ties_fire_in_the_order_in_which_they_were_set),
	TEST(test_timer_cancelled_and_never_do_not_fire),
	TEST(test_timer_moves_forwards_and_backwards),
	TEST(test_timer_may_cancel_another_while_firing),
	TEST(test_timer_set_while_firing_fires_in_the_same_run_when_due),
	TEST(test_timer_that_is_always_due_cannot_hold_the_run_for_ever),
	TEST(test_timer_put_off_again_and_again_fires_as_if_moved_at_once),
	TEST(test_timer_heap_stays_sound_through_random_sets_and_cancels),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
