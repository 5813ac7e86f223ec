/* test_held.c - frames that wait. */
#include "vnet/held.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/check.h"

static const struct ip any = { 4, { 10, 0, 0, 1 } };

static int add(struct held *h, struct held_queue *q, uint8_t mark, usec_t now)
{
	return held_add(h, q, &any, &mark, 1, now);
}

static int take(struct held *h, struct held_queue *q)
{
	struct held_frame *f = held_take(h, q);
	int mark = f ? f->data[0] : -1;

	free(f);
	return mark;
}

static void test_held_frames_come_out_in_order(void)
{
	struct held_queue a, b;
	struct held h;

	held_init(&h, 8, 4, SEC(3));
	held_queue_init(&a);
	held_queue_init(&b);
	CHECK_EQ_INT(add(&h, &a, 1, 0) | add(&h, &b, 9, 0) | add(&h, &a, 2, 0), 0);
	CHECK_EQ_INT(take(&h, &a), 1);
	CHECK_EQ_INT(take(&h, &a), 2);
	CHECK_EQ_INT(take(&h, &a), -1);
	CHECK_EQ_INT(take(&h, &b), 9);
	CHECK_EQ_INT(h.count, 0);
	held_fini(&h);
}

static void test_held_full_queue_refuses_and_keeps_the_old(void)
{
	struct held_queue q;
	struct held h;

	held_init(&h, 8, 2, SEC(3));
	held_queue_init(&q);
	CHECK_EQ_INT(add(&h, &q, 1, 0) | add(&h, &q, 2, 0), 0);
	CHECK_EQ_INT(add(&h, &q, 3, 0), -ENOBUFS);
	CHECK_EQ_INT(take(&h, &q), 1);
	CHECK_EQ_INT(add(&h, &q, 4, 0), 0);
	held_fini(&h);
}

static void test_held_total_is_bounded_over_all_queues(void)
{
	struct held_queue q[3];
	struct held h;

	held_init(&h, 2, 2, SEC(3));
	for (int i = 0; i < 3; i++)
		held_queue_init(&q[i]);
	CHECK_EQ_INT(add(&h, &q[0], 1, 0) | add(&h, &q[1], 1, 0), 0);
	CHECK_EQ_INT(add(&h, &q[2], 1, 0), -ENOBUFS);
	held_fini(&h);
}

static void test_held_frames_expire_after_their_time(void)
{
	struct held_queue q;
	struct held_frame *f;
	struct held h;

	held_init(&h, 8, 4, SEC(3));
	held_queue_init(&q);
	CHECK(held_deadline(&h) == USEC_NEVER);
	add(&h, &q, 1, SEC(10));
	add(&h, &q, 2, SEC(11));
	CHECK(held_deadline(&h) == SEC(13));
	CHECK(!held_expired(&h, SEC(13) - 1));
	f = held_expired(&h, SEC(13));
	CHECK(f && f->data[0] == 1 && f->queue == &q);
	free(f);
	CHECK(!held_expired(&h, SEC(13)));
	CHECK_EQ_INT(q.count, 1);
	held_fini(&h);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_held_frames_come_out_in_order),
		TEST(test_held_full_queue_refuses_and_keeps_the_old),
		TEST(test_held_total_is_bounded_over_all_queues),
		TEST(test_held_frames_expire_after_their_time),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
