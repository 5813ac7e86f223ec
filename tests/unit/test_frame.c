#include "base/frame.h"

#include "tests/check.h"

static void test_frame_fresh_one_is_empty_with_its_head_room(void)
{
	struct frame_pool p;
	struct frame *f;

	frame_pool_init(&p, 1);
	f = frame_get(&p);
	CHECK_EQ_INT(f->len, 0);
	CHECK_EQ_INT(f->verdict, FRAME_DROP);
	CHECK_EQ_INT(frame_head_room(f), FRAME_HEAD);
	CHECK_EQ_INT(frame_tail_room(f), FRAME_LEN_MAX + FRAME_TAIL);
	frame_put(&p, f);
	frame_pool_fini(&p);
}

static void test_frame_used_one_comes_back_without_its_past(void)
{
	struct frame_pool p;
	struct frame *f;

	frame_pool_init(&p, 1);
	f = frame_get(&p);
	f->data += 10;
	f->len = 5;
	f->verdict = FRAME_TO_PORT;
	f->session = 7;
	f->remote.port = 9;
	frame_put(&p, f);
	CHECK(frame_get(&p) == f);
	CHECK(f->len == 0 && f->verdict == FRAME_DROP && f->session == 0 && f->remote.port == 0);
	CHECK_EQ_INT(frame_head_room(f), FRAME_HEAD);
	frame_put(&p, f);
	frame_pool_fini(&p);
}

static void test_frame_pool_gives_each_once_and_then_null(void)
{
	struct frame_pool p;
	struct frame *f[3];

	frame_pool_init(&p, 3);
	for (int i = 0; i < 3; i++)
		f[i] = frame_get(&p);
	CHECK(f[0] && f[1] && f[2] && f[0] != f[1] && f[1] != f[2] && f[0] != f[2]);
	CHECK(frame_get(&p) == NULL);
	CHECK_EQ_INT(p.free_count, 0);
	frame_put(&p, f[1]);
	CHECK(frame_get(&p) == f[1]);
	for (int i = 0; i < 3; i++)
		frame_put(&p, f[i]);
	CHECK_EQ_INT(p.free_count, 3);
	frame_pool_fini(&p);
}

static void test_frame_rooms_follow_data_and_length(void)
{
	struct frame_pool p;
	struct frame *f;

	frame_pool_init(&p, 1);
	f = frame_get(&p);
	f->data -= FRAME_HEAD;
	f->len = FRAME_STORE - 1;
	CHECK_EQ_INT(frame_head_room(f), 0);
	CHECK_EQ_INT(frame_tail_room(f), 1);
	frame_put(&p, f);
	frame_pool_fini(&p);
}

static void test_frame_drop_says_why(void)
{
	struct frame_pool p;
	struct frame *f;

	frame_pool_init(&p, 1);
	f = frame_get(&p);
	f->verdict = FRAME_TO_WIRE;
	frame_drop(f, DROP_REPLAY);
	CHECK_EQ_INT(f->verdict, FRAME_DROP);
	CHECK_EQ_INT(f->drop, DROP_REPLAY);
	CHECK(strcmp(drop_name((enum drop)f->drop), "replay") == 0);
	frame_put(&p, f);
	frame_pool_fini(&p);
}

static void test_drop_every_reason_has_a_name_of_its_own(void)
{
	for (int a = 0; a < DROP_REASON_COUNT; a++) {
		CHECK(drop_name((enum drop)a)[0] && drop_meaning((enum drop)a)[0]);
		for (int b = 0; b < a; b++)
			CHECK(strcmp(drop_name((enum drop)a), drop_name((enum drop)b)) != 0);
	}
}

static const struct test tests[] = {
	TEST(test_frame_fresh_one_is_empty_with_its_head_room),
	TEST(test_frame_used_one_comes_back_without_its_past),
	TEST(test_frame_pool_gives_each_once_and_then_null),
	TEST(test_frame_rooms_follow_data_and_length),
	TEST(test_frame_drop_says_why),
	TEST(test_drop_every_reason_has_a_name_of_its_own),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
