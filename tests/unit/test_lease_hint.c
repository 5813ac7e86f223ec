/* test_lease_hint.c - what the owner makes of an address that a keeper names, and of "full". */
#include "tests/unit/lease_world.h"

static struct reg_name nth(unsigned n)
{
	struct ip ip = ip_v4(0x0a010000 + n);

	return reg_name_address(&ip);
}

/* Somebody else has the first `count` usable addresses, but for `free_one`. */
static struct world *world_taken(const char *subnet, unsigned count, unsigned free_one)
{
	struct world *w = world_new(subnet);

	for (unsigned n = 2; n < 2 + count; n++) {
		struct reg_name name = nth(n);

		if (n != free_one)
			own(w, &name, &w->other);
	}
	return w;
}

static bool holds(struct world *w, unsigned n)
{
	struct reg_name want = nth(n);
	struct lease_info a;

	return info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD &&
	       reg_name_equal(&a.name, &want);
}

static void test_hint_is_the_next_candidate(void)
{
	struct world *w = world_taken("10.1.0.0/24", 253, 200);

	ip_parse(&w->hint, "10.1.0.200");
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(1), REG_OK);
	CHECK(holds(w, 200));
	CHECK_EQ_INT(w->claims, 2);
	world_free(w);
}

static void test_hint_after_an_asked_address_is_taken_too(void)
{
	struct world *w = world_taken("10.1.0.0/24", 253, 200);
	struct ip ask;

	ip_parse(&ask, "10.1.0.17");
	ip_parse(&w->hint, "10.1.0.200");
	leases_want_address(w->l, &ask, w->now);
	run(w, SEC(1), REG_OK);
	CHECK(holds(w, 200));
	CHECK_EQ_INT(events_of(w, LEASE_REFUSED), 1);
	world_free(w);
}

static void test_hint_that_is_no_address_for_us_is_ignored(void)
{
	static const char *const lies[] = { "10.2.0.9", "10.1.0.0", "10.1.0.1", "10.1.0.15",
					    "10.1.0.16", "fd00::9" };

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct world *w = world_taken("10.1.0.0/28", 13, 9);
		struct reg_name lie = { 0 };

		ip_parse(&w->hint, lies[i]);
		if (w->hint.len == 4)
			lie = reg_name_address(&w->hint);
		leases_want_address(w->l, NULL, w->now);
		run(w, SEC(20), REG_OK);
		CHECK(holds(w, 9));
		CHECK(w->claims <= 13);
		CHECK(!owner_of(w, &lie));
		world_free(w);
	}
}

static void test_hint_of_an_owned_address_does_not_keep_us_from_the_free_one(void)
{
	struct world *w = world_taken("10.1.0.0/28", 13, 9);
	struct reg_name lie = nth(4);
	size_t own_choice = 0;

	ip_parse(&w->hint, "10.1.0.4");
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(5), REG_OK);
	for (size_t i = 0; i < w->event_count; i++)
		own_choice += w->events[i].type != LEASE_FAILED &&
			      !has_name(&w->events[i], &lie);
	CHECK(own_choice >= 2); /* the first, and one among the lies */
	run(w, MINUTES(10), REG_OK);
	CHECK(holds(w, 9));
	world_free(w);
}

static void test_hint_of_an_address_that_is_being_given_back_is_ignored(void)
{
	struct world *w = world_taken("10.1.0.0/24", 253, 200);
	struct reg_name free_one = nth(200);
	struct ip ask;

	ip_parse(&w->hint, "10.1.0.200");
	ip_parse(&ask, "10.1.0.17");
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(1), REG_OK);
	leases_release(w->l, &free_one, w->now);
	disk_answers(w);
	CHECK_EQ_INT(w->asked_count, 1);
	w->asked_count = 0; /* the release is lost for now */
	leases_want_address(w->l, &ask, w->now);
	leases_tick(w->l, w->now);
	disk_answers(w);
	CHECK_EQ_INT(w->asked_count, 1);
	keepers_say(w, REG_OK);
	leases_tick(w->l, w->now);
	disk_answers(w);
	CHECK_EQ_INT(w->asked_count, 1);
	CHECK_EQ_INT(w->asked[0].req.verb, OP_CLAIM);
	CHECK(!reg_name_equal(&w->asked[0].req.name, &free_one));
	world_free(w);
}

static void test_hint_of_an_address_that_we_have_already_is_ignored(void)
{
	struct world *w = world_taken("10.1.0.0/28", 12, 9); /* 9 and 14 are free */
	struct reg_name other = nth(14);

	ip_parse(&w->hint, "10.1.0.9");
	CHECK_EQ_INT(leases_add_address(w->l, &w->hint, w->now), 0);
	run(w, SEC(1), REG_OK);
	CHECK(holds(w, 9));
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 2);
	CHECK(has_name(last_event(w, LEASE_GAINED), &other) &&
	      !last_event(w, LEASE_GAINED)->more);
	world_free(w);
}

static void test_hint_full_is_told_at_once_and_tried_again_later(void)
{
	struct world *w = world_taken("10.1.0.0/24", 253, 0);

	w->full = true;
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(1), REG_OK);
	CHECK_EQ_INT(w->claims, 1);
	CHECK_EQ_INT(events_of(w, LEASE_REFUSED), 1);
	CHECK_EQ_INT(last_event(w, LEASE_REFUSED)->status, REG_OWNED);
	CHECK_EQ_INT(events_of(w, LEASE_FAILED), 1);
	CHECK_EQ_INT(last_event(w, LEASE_FAILED)->status, REG_FULL);
	run(w, MINUTES(5), REG_OK);
	CHECK(w->claims >= 8 && w->claims <= 12); /* one each half a minute */
	w->full = false;
	ip_parse(&w->hint, "10.1.0.77");
	w->owned[75].released = true;
	run(w, SEC(40), REG_OK);
	CHECK(holds(w, 77));
	world_free(w);
}

static void test_hint_full_leaves_what_is_held(void)
{
	struct world *w = world_taken("10.1.0.0/24", 253, 200);
	struct ip ask;

	ip_parse(&w->hint, "10.1.0.200");
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(1), REG_OK);
	w->full = true;
	ip_parse(&ask, "10.1.0.17");
	leases_want_address(w->l, &ask, w->now);
	run(w, MINUTES(2), REG_OK);
	CHECK(holds(w, 200));
	CHECK_EQ_INT(events_of(w, LEASE_REFUSED), 2);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 0);
	CHECK_EQ_INT(events_of(w, LEASE_FAILED), 0);
	CHECK_EQ_INT(w->claims, 3);
	world_free(w);
}

static void test_hint_serves_any_more_address_and_full_ends_it(void)
{
	struct world *w = world_taken("10.1.0.0/24", 253, 200);

	ip_parse(&w->hint, "10.1.0.200");
	CHECK_EQ_INT(leases_add_address(w->l, NULL, w->now), 0);
	run(w, SEC(1), REG_OK);
	CHECK(holds(w, 200));
	CHECK_EQ_INT(w->claims, 2);
	w->full = true;
	CHECK_EQ_INT(leases_add_address(w->l, NULL, w->now), 0);
	run(w, SEC(1), REG_OK);
	CHECK_EQ_INT(w->claims, 3);
	CHECK_EQ_INT(last_event(w, LEASE_FAILED)->status, REG_FULL);
	CHECK(last_event(w, LEASE_FAILED)->more);
	world_free(w);
}

static void test_hint_full_without_an_owner_is_a_keeper_without_room(void)
{
	struct world *w = world_new("10.1.0.0/24");

	w->other = (struct pubkey){ { 0 } };
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(1), REG_FULL);
	CHECK_EQ_INT(events_of(w, LEASE_REFUSED), 0);
	CHECK_EQ_INT(events_of(w, LEASE_FAILED), 1);
	run(w, SEC(40), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_hint_is_the_next_candidate),
		TEST(test_hint_after_an_asked_address_is_taken_too),
		TEST(test_hint_that_is_no_address_for_us_is_ignored),
		TEST(test_hint_of_an_owned_address_does_not_keep_us_from_the_free_one),
		TEST(test_hint_of_an_address_that_is_being_given_back_is_ignored),
		TEST(test_hint_of_an_address_that_we_have_already_is_ignored),
		TEST(test_hint_full_is_told_at_once_and_tried_again_later),
		TEST(test_hint_full_leaves_what_is_held),
		TEST(test_hint_serves_any_more_address_and_full_ends_it),
		TEST(test_hint_full_without_an_owner_is_a_keeper_without_room),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
