/* test_lease.c - wanting, claiming, renewing. */
#include "tests/unit/lease_world.h"

static void test_lease_address_and_name_are_claimed_and_tell_each_other(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a, n;
	struct owned_payload p;
	struct grant g;
	struct ip v6 = { .len = 16, .b = { 0xfd, 1 } };

	leases_set_v6(w->l, &v6, w->now);
	leases_want_name(w->l, "Ada.example.org", w->now);
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(5), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
	CHECK(info_of(w, REG_HOST_NAME, &n) && n.state == LEASE_HELD);
	CHECK(n.name.len == 3 && memcmp(n.name.b, "ada", 3) == 0);
	CHECK(grant_read(&g, n.grant, n.grant_len) &&
	      owned_payload_read(&p, g.payload, g.payload_len));
	CHECK(p.v4.len == 4 && memcmp(p.v4.b, a.name.b, 4) == 0 && ip_equal(&p.v6, &v6));
	CHECK(grant_read(&g, a.grant, a.grant_len) &&
	      owned_payload_read(&p, g.payload, g.payload_len));
	CHECK(strcmp(p.host, "ada") == 0);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 2);
	CHECK_EQ_INT(events_of(w, LEASE_FAILED), 0);
	world_free(w);
}

static void test_lease_same_key_asks_for_the_same_address_again(void)
{
	struct world *w = world_new("10.1.0.0/16"), *v = world_new("10.1.0.0/16");
	struct lease_info a, b;

	v->dice = 4711;
	leases_want_address(w->l, NULL, w->now);
	leases_want_address(v->l, NULL, v->now);
	run(w, SEC(2), REG_OK);
	run(v, SEC(2), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && info_of(v, REG_ADDRESS, &b));
	CHECK(reg_name_equal(&a.name, &b.name));
	world_free(w);
	world_free(v);
}

static void test_lease_taken_address_is_refused_by_name_and_another_is_found(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct reg_name asked = address("10.1.2.3");
	struct lease_info a;
	struct ip ip;

	ip_parse(&ip, "10.1.2.3");
	own(w, &asked, &w->other);
	leases_want_address(w->l, &ip, w->now);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_REFUSED), 1);
	CHECK(has_name(last_event(w, LEASE_REFUSED), &asked));
	CHECK(key_equal(&last_event(w, LEASE_REFUSED)->holder, &w->other));
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
	CHECK(!reg_name_equal(&a.name, &asked));
	world_free(w);
}

static void test_lease_address_held_stays_when_the_asked_one_is_taken(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct reg_name asked = address("10.1.2.3");
	struct lease_info before, after;
	struct ip ip;

	ip_parse(&ip, "10.1.2.3");
	own(w, &asked, &w->other);
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(5), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &before));
	leases_want_address(w->l, &ip, w->now);
	run(w, SEC(60), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &after) && after.state == LEASE_HELD);
	CHECK(reg_name_equal(&before.name, &after.name));
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 0);
	world_free(w);
}

static void test_lease_asked_address_replaces_the_held_one_once_gained(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct reg_name asked = address("10.1.2.3");
	struct lease_info before, after;
	struct ip ip;

	ip_parse(&ip, "10.1.2.3");
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(5), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &before));
	leases_want_address(w->l, &ip, w->now);
	run(w, SEC(5), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &after) && reg_name_equal(&after.name, &asked));
	CHECK(has_name(last_event(w, LEASE_GONE), &before.name));
	CHECK(owner_of(w, &before.name)->released);
	world_free(w);
}

static void test_lease_network_dns_and_broadcast_addresses_are_never_taken(void)
{
	struct world *w = world_new("10.1.0.0/29");
	static const char *const never[] = { "10.1.0.0", "10.1.0.1", "10.1.0.7", "10.2.0.3" };
	struct ip ip;

	for (size_t i = 0; i < ARRAY_LEN(never); i++) {
		ip_parse(&ip, never[i]);
		leases_want_address(w->l, &ip, w->now);
		run(w, SEC(2), REG_OK);
		CHECK_EQ_INT(events_of(w, LEASE_REFUSED), i + 1);
		CHECK(!owner_of(w, &last_event(w, LEASE_REFUSED)->name));
	}
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

static void test_lease_last_free_address_of_a_small_subnet_is_found(void)
{
	struct world *w = world_new("10.1.0.0/28"); /* 13 usable */
	struct reg_name free_one = address("10.1.0.9");
	char text[IP_TEXT_LEN];
	struct lease_info a;

	for (int i = 2; i < 15; i++) {
		struct reg_name n;

		snprintf(text, sizeof(text), "10.1.0.%d", i);
		n = address(text);
		if (i != 9)
			own(w, &n, &w->other);
	}
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(20), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && reg_name_equal(&a.name, &free_one));
	world_free(w);
}

static void test_lease_full_subnet_fails_and_is_tried_again_later(void)
{
	struct world *w = world_new("10.1.0.0/29");
	char text[IP_TEXT_LEN];
	struct lease_info a;

	for (int i = 2; i < 7; i++) {
		struct reg_name n;

		snprintf(text, sizeof(text), "10.1.0.%d", i);
		n = address(text);
		own(w, &n, &w->other);
	}
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(20), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_FAILED), 1);
	CHECK_EQ_INT(last_event(w, LEASE_FAILED)->status, REG_FULL);
	CHECK_EQ_INT(events_of(w, LEASE_REFUSED), 5);
	w->owned[2].released = true;
	run(w, SEC(40), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
	world_free(w);
}

static void test_lease_taken_name_gets_a_number(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct reg_name n;
	struct lease_info a;

	reg_name_host(&n, "ada");
	own(w, &n, &w->other);
	reg_name_host(&n, "ada-2");
	own(w, &n, &w->other);
	leases_want_name(w->l, "ada", w->now);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_REFUSED), 2);
	CHECK(info_of(w, REG_HOST_NAME, &a) && a.name.len == 5 &&
	      memcmp(a.name.b, "ada-3", 5) == 0);
	world_free(w);
}

static void test_lease_one_more_name_stands_beside_the_own(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info li;
	size_t at = 0, names = 0;

	leases_want_address(w->l, NULL, w->now);
	leases_want_name(w->l, "ada", w->now);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(leases_add_name(w->l, "www", w->now), 0);
	CHECK_EQ_INT(leases_add_name(w->l, "www", w->now), -EEXIST);
	CHECK_EQ_INT(leases_add_name(w->l, "no name", w->now), -EINVAL);
	run(w, SEC(5), REG_OK);
	while (leases_next(w->l, &at, &li, w->now))
		names += li.name.kind == REG_HOST_NAME && li.state == LEASE_HELD;
	CHECK_EQ_INT(names, 2);
	CHECK(last_event(w, LEASE_GAINED)->more);
	world_free(w);
}

static void test_lease_one_more_name_that_is_taken_is_refused_and_not_numbered(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct reg_name n;
	struct lease_info li;
	size_t at = 0;

	reg_name_host(&n, "www");
	own(w, &n, &w->other);
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(leases_add_name(w->l, "www", w->now), 0);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_REFUSED), 1);
	CHECK(key_equal(&last_event(w, LEASE_REFUSED)->holder, &w->other));
	while (leases_next(w->l, &at, &li, w->now))
		CHECK(li.name.kind != REG_HOST_NAME);
	world_free(w);
}

static void test_lease_all_nine_names_taken_fails(void)
{
	struct world *w = world_new("10.1.0.0/16");
	char text[16] = "ada";

	for (int i = 1; i <= 9; i++) {
		struct reg_name n;

		if (i > 1)
			snprintf(text, sizeof(text), "ada-%d", i);
		reg_name_host(&n, text);
		own(w, &n, &w->other);
	}
	leases_want_name(w->l, "ada", w->now);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_REFUSED), 9);
	CHECK_EQ_INT(events_of(w, LEASE_FAILED), 1);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	world_free(w);
}

static void test_lease_strange_host_names_are_made_usable(void)
{
	static const struct {
		const char *host, *name;
	} cases[] = { { "My_Host", "my-host" }, { "--x--", "x" }, { "", "host" }, { "é", "host" },
		      { "a..b", "a" } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new("10.1.0.0/16");
		struct lease_info a;

		leases_want_name(w->l, cases[i].host, w->now);
		run(w, SEC(5), REG_OK);
		CHECK(info_of(w, REG_HOST_NAME, &a) && a.name.len == strlen(cases[i].name) &&
		      memcmp(a.name.b, cases[i].name, a.name.len) == 0);
		world_free(w);
	}
}

/* Before anything is sent: keepers would refuse it. */
static void test_lease_reserved_names_are_not_asked_for(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct reg_name name;
	struct lease_info n;

	CHECK_EQ_INT(leases_add_name(w->l, "localhost", w->now), -EPERM);
	CHECK_EQ_INT(leases_add_name(w->l, "ip6-localhost", w->now), -EPERM);
	CHECK_EQ_INT(leases_add_name(w->l, "localhosts", w->now), 0);
	leases_want_name(w->l, "localhost", w->now);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(w->claims, 2);
	CHECK(reg_name_host(&name, "localhost-2"));
	CHECK(has_name(last_event(w, LEASE_GAINED), &name));
	CHECK(reg_name_host(&name, "localhost"));
	CHECK(has_name(last_event(w, LEASE_REFUSED), &name));
	CHECK_EQ_INT(last_event(w, LEASE_REFUSED)->status, REG_REFUSED);
	CHECK(info_of(w, REG_HOST_NAME, &n) && n.state == LEASE_HELD);
	world_free(w);
}

static void test_lease_beside_the_own_becomes_the_own_when_it_is_wanted_as_such(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct ip ip;

	ip_parse(&ip, "10.1.4.4");
	CHECK_EQ_INT(leases_add_name(w->l, "ada", w->now), 0);
	CHECK_EQ_INT(leases_add_address(w->l, &ip, w->now), 0);
	run(w, SEC(1), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 2);
	CHECK(last_event(w, LEASE_GAINED)->more);
	leases_want_address(w->l, &ip, w->now);
	CHECK(!last_event(w, LEASE_GAINED)->more);
	leases_want_name(w->l, "ada", w->now);
	run(w, SEC(1), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 4);
	CHECK(!last_event(w, LEASE_GAINED)->more);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 0);
	w->event_count = 0;
	restart(w, true, true);
	leases_want_address(w->l, NULL, w->now);
	leases_want_name(w->l, "ada", w->now);
	run(w, SEC(2), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 2);
	CHECK(!w->events[0].more && !w->events[1].more);
	CHECK_EQ_INT(w->claims, 2);
	world_free(w);
}

static void test_lease_is_renewed_from_half_life(void)
{
	struct world *w = world_new("10.1.0.0/16");

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(9), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_RENEWED), 0);
	run(w, HOURS(6), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_RENEWED), 1);
	run(w, DAYS(10), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 0);
	CHECK(events_of(w, LEASE_RENEWED) >= 16 && events_of(w, LEASE_RENEWED) <= 26);
	world_free(w);
}

static void test_lease_ends_when_keepers_stay_away_and_comes_back_after(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;
	usec_t sent;

	leases_want_address(w->l, NULL, w->now);
	sent = w->now;
	run(w, SEC(1), REG_OK);
	w->now = sent;
	run(w, HOURS(20), REG_NO_QUORUM);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_AT_RISK && a.left <= HOURS(4));
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 0);
	run(w, HOURS(4) - SEC(1), REG_NO_QUORUM);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 0);
	run(w, SEC(2), REG_NO_QUORUM);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 1);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.left == 0);
	run(w, MINUTES(2), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 2);
	world_free(w);
}

static void test_lease_counts_from_first_sending_not_from_the_answer(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;

	leases_want_address(w->l, NULL, w->now);
	leases_tick(w->l, w->now);
	disk_answers(w);
	CHECK_EQ_INT(w->asked_count, 1);
	w->now += SEC(4);
	keepers_say(w, REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a));
	CHECK_EQ_INT(a.left, HOURS(24) - SEC(4));
	world_free(w);
}

static void test_lease_is_never_longer_than_granted(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;

	w->granted = 3600;
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(1), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.left <= HOURS(1));
	w->granted = 10 * 86400;
	run(w, HOURS(1), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.left <= HOURS(24));
	world_free(w);
}

/* A person hears that once, and not of every conflict. */
static void test_lease_that_is_not_given_before_an_era_has_settled_is_told(void)
{
	struct world *w = world_new("10.7.0.0/28");

	leases_set_era(w->l, 1, false);
	leases_want_address(w->l, NULL, w->now);
	run(w, MINUTES(5), REG_BUSY);
	CHECK_EQ_INT(events_of(w, LEASE_FAILED), 0);
	leases_set_era(w->l, 1, true);
	run(w, MINUTES(5), REG_BUSY);
	CHECK_EQ_INT(events_of(w, LEASE_FAILED), 1);
	leases_set_era(w->l, 1, false);
	run(w, MINUTES(5), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_lease_address_and_name_are_claimed_and_tell_each_other),
		TEST(test_lease_same_key_asks_for_the_same_address_again),
		TEST(test_lease_taken_address_is_refused_by_name_and_another_is_found),
		TEST(test_lease_address_held_stays_when_the_asked_one_is_taken),
		TEST(test_lease_asked_address_replaces_the_held_one_once_gained),
		TEST(test_lease_network_dns_and_broadcast_addresses_are_never_taken),
		TEST(test_lease_last_free_address_of_a_small_subnet_is_found),
		TEST(test_lease_full_subnet_fails_and_is_tried_again_later),
		TEST(test_lease_taken_name_gets_a_number),
		TEST(test_lease_one_more_name_stands_beside_the_own),
		TEST(test_lease_one_more_name_that_is_taken_is_refused_and_not_numbered),
		TEST(test_lease_all_nine_names_taken_fails),
		TEST(test_lease_strange_host_names_are_made_usable),
		TEST(test_lease_reserved_names_are_not_asked_for),
		TEST(test_lease_beside_the_own_becomes_the_own_when_it_is_wanted_as_such),
		TEST(test_lease_is_renewed_from_half_life),
		TEST(test_lease_ends_when_keepers_stay_away_and_comes_back_after),
		TEST(test_lease_counts_from_first_sending_not_from_the_answer),
		TEST(test_lease_is_never_longer_than_granted),
		TEST(test_lease_that_is_not_given_before_an_era_has_settled_is_told),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
