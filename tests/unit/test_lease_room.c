/* test_lease_room.c - more leases than operations may be under way at once. */
#include "tests/unit/lease_world.h"

#define MANY 40
#define ROOM 4

static size_t held(const struct world *w)
{
	struct lease_info li;
	size_t at = 0, count = 0;

	while (leases_next(w->l, &at, &li, w->now))
		count += li.state == LEASE_HELD;
	return count;
}

static struct world *world_asked(size_t count, size_t room)
{
	struct world *w = world_new("10.1.0.0/16");

	w->room = room;
	for (size_t i = 0; i < count; i++)
		CHECK_EQ_INT(leases_add_address(w->l, NULL, w->now), 0);
	return w;
}

static void test_room_is_taken_as_soon_as_there_is_some(void)
{
	struct world *w = world_asked(MANY, ROOM);

	run(w, 0, REG_OK);
	CHECK_EQ_INT(held(w), MANY);
	CHECK_EQ_INT(w->claims, MANY);
	world_free(w);
}

/* The intent is durable already: waiting writes nothing, and all that wait ask as one. */
static void test_room_that_is_missing_costs_neither_writes_nor_one_try_for_each(void)
{
	struct world *w = world_asked(MANY, 0);

	w->submit_full = true;
	run(w, SEC(1), REG_OK);
	CHECK_EQ_INT(held(w), 0);
	CHECK_EQ_INT(w->persists, MANY);
	CHECK(w->submits <= MANY + SEC(1) / MSEC(20) + 1);
	w->submit_full = false;
	run(w, MSEC(20), REG_OK);
	CHECK_EQ_INT(held(w), MANY);
	CHECK_EQ_INT(w->persists, 2 * MANY); /* intents and grants */
	world_free(w);
}

static void test_room_is_not_waited_for_by_what_is_given_up(void)
{
	struct world *w = world_asked(2, 0);
	struct lease_info li;
	size_t at = 0;

	w->submit_full = true;
	run(w, SEC(1), REG_OK);
	CHECK(leases_next(w->l, &at, &li, w->now));
	leases_release(w->l, &li.name, w->now); /* no keeper has heard of it */
	at = 0;
	CHECK(leases_next(w->l, &at, &li, w->now) && !leases_next(w->l, &at, &li, w->now));
	w->submit_full = false;
	run(w, SEC(1), REG_OK);
	CHECK_EQ_INT(held(w), 1);
	CHECK_EQ_INT(w->claims, 1);
	world_free(w);
}

/* What waits to renew is held until its end, and is claimed anew after it. */
static void test_room_that_comes_after_the_end_finds_a_claim(void)
{
	struct world *w = world_asked(1, 0);

	w->granted = 100;
	run(w, SEC(1), REG_OK);
	CHECK_EQ_INT(held(w), 1);
	w->submit_full = true;
	run(w, SEC(98), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 0);
	run(w, SEC(2), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 1);
	w->submit_full = false;
	run(w, SEC(1), REG_OK);
	CHECK_EQ_INT(held(w), 1);
	CHECK_EQ_INT(w->claims, 2);
	world_free(w);
}

/* An operation that can never be made must not keep the others from theirs. */
static void test_room_is_given_to_others_when_one_cannot_be_asked_for(void)
{
	struct world *w = world_asked(3, 0);
	struct lease_info li;
	size_t at = 0;

	CHECK(leases_next(w->l, &at, &li, w->now));
	w->bad = li.name;
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(held(w), 2);
	CHECK(w->submits < 10);
	world_free(w);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_room_is_taken_as_soon_as_there_is_some),
		TEST(test_room_that_is_missing_costs_neither_writes_nor_one_try_for_each),
		TEST(test_room_is_not_waited_for_by_what_is_given_up),
		TEST(test_room_that_comes_after_the_end_finds_a_claim),
		TEST(test_room_is_given_to_others_when_one_cannot_be_asked_for),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
