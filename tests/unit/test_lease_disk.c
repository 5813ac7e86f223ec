/* test_lease_disk.c - leases across crashes, restarts and reboots; giving back; being put out. */
#include "tests/unit/lease_world.h"

static void test_lease_nothing_is_asked_before_the_intent_is_durable(void)
{
	struct world *w = world_new("10.1.0.0/16");

	w->disk_broken = true;
	leases_want_address(w->l, NULL, w->now);
	for (int i = 0; i < 5; i++) {
		leases_tick(w->l, w->now);
		disk_answers(w);
		w->now += SEC(11);
	}
	CHECK_EQ_INT(w->asked_count, 0);
	w->disk_broken = false;
	run(w, SEC(30), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

static void test_lease_lost_disk_answer_is_made_up_for(void)
{
	struct world *w = world_new("10.1.0.0/16");

	w->disk_silent = true;
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	w->disk_silent = false;
	run(w, SEC(30), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

static void test_lease_late_answer_of_an_earlier_request_changes_nothing(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct asked old;
	struct lease_info a;

	leases_want_address(w->l, NULL, w->now);
	leases_tick(w->l, w->now);
	disk_answers(w);
	CHECK_EQ_INT(w->asked_count, 1);
	old = w->asked[0];
	w->asked_count = 0;
	leases_release_all(w->l, w->now);
	answer(w, &old);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	run(w, SEC(5), REG_OK);
	CHECK(!info_of(w, REG_ADDRESS, &a));
	CHECK(owner_of(w, &old.req.name)->released);
	world_free(w);
}

static void test_lease_release_ends_use_before_anything_is_sent(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;

	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(1), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a));
	leases_release(w->l, &a.name, w->now);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 1);
	CHECK_EQ_INT(w->asked_count, 0);
	run(w, SEC(5), REG_OK);
	CHECK(!info_of(w, REG_ADDRESS, &a) && w->disk_count == 0);
	run(w, DAYS(3), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

static void test_lease_release_goes_on_after_a_crash(void)
{
	for (int at = 0; at < 2; at++) {
		struct world *w = world_new("10.1.0.0/16");
		struct lease_info a;
		struct reg_name name;

		leases_want_address(w->l, NULL, w->now);
		run(w, SEC(1), REG_OK);
		CHECK(info_of(w, REG_ADDRESS, &a));
		name = a.name;
		leases_release(w->l, &name, w->now);
		if (at == 1)
			disk_answers(w); /* and the request was sent */
		restart(w, true, true);
		CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
		run(w, SEC(5), REG_OK);
		CHECK(owner_of(w, &name)->released && w->disk_count == 0);
		CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
		world_free(w);
	}
}

static void test_lease_runs_on_after_a_restart_of_the_process(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;

	leases_want_address(w->l, NULL, w->now);
	leases_want_name(w->l, "ada", w->now);
	run(w, HOURS(1), REG_OK);
	restart(w, false, true);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 2);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
	CHECK(a.left <= HOURS(23) + MINUTES(1));
	leases_want_address(w->l, NULL, w->now);
	leases_want_name(w->l, "ada", w->now);
	run(w, SEC(30), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 2);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 0);
	world_free(w);
}

static void test_lease_that_ended_while_the_process_was_away_is_not_used(void)
{
	struct world *w = world_new("10.1.0.0/16");

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(1), REG_OK);
	w->now += HOURS(24);
	restart(w, false, true);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	run(w, SEC(10), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

static void test_lease_after_a_reboot_is_used_only_after_a_renewal(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(1), REG_OK);
	w->now = SEC(20); /* BOOTTIME starts anew */
	restart(w, false, false);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_RENEW_FIRST && a.left == 0);
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(60), REG_NO_QUORUM);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	run(w, SEC(60), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

static void test_lease_given_to_another_while_away_is_refused_and_replaced(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;
	struct reg_name name;

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(1), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a));
	name = a.name;
	own(w, &name, &w->other);
	restart(w, false, false);
	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(60), REG_OK);
	CHECK(has_name(last_event(w, LEASE_REFUSED), &name));
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD &&
	      !reg_name_equal(&a.name, &name));
	world_free(w);
}

static void test_lease_taken_away_while_held_is_gone_at_once(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;
	struct reg_name name;

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(1), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a));
	name = a.name;
	own(w, &name, &w->other);
	run(w, HOURS(15), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 1);
	CHECK(has_name(last_event(w, LEASE_GONE), &name));
	CHECK(key_equal(&last_event(w, LEASE_GONE)->holder, &w->other));
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
	world_free(w);
}

static void test_lease_of_a_revoked_member_stops(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(1), REG_OK);
	run(w, HOURS(15), REG_REVOKED);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 1);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_LOST);
	w->asked_count = 0;
	run(w, DAYS(2), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	world_free(w);
}

static void test_lease_crash_at_every_write_never_uses_without_ownership(void)
{
	for (int steps = 0; steps < 12; steps++)
		for (int flushed = 0; flushed < 2; flushed++) {
			struct world *w = world_new("10.1.0.0/24");
			struct lease_info a;

			leases_want_address(w->l, NULL, w->now);
			leases_want_name(w->l, "ada", w->now);
			for (int i = 0; i < steps; i++) {
				w->now += MSEC(150);
				leases_tick(w->l, w->now);
				disk_answers(w);
				keepers_say(w, REG_OK);
			}
			restart(w, flushed, true);
			for (size_t i = 0; i < w->event_count; i++)
				if (w->events[i].type == LEASE_GAINED)
					CHECK(owner_of(w, &w->events[i].name));
			leases_want_address(w->l, NULL, w->now);
			leases_want_name(w->l, "ada", w->now);
			run(w, SEC(40), REG_OK);
			CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
			CHECK(info_of(w, REG_HOST_NAME, &a) && a.state == LEASE_HELD);
			CHECK_EQ_INT(w->owned_count, 2);
			world_free(w);
		}
}

static void test_lease_damaged_records_are_refused(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct stored s;
	struct leases *l;
	struct lease_env env = { .ctx = w, .random = env_random, .submit = env_submit,
				 .persist = env_persist, .event = env_event };

	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(1), REG_OK);
	CHECK_EQ_INT(w->disk_count, 1);
	s = w->disk[0];
	l = leases_new(&w->cfg, &env, w->now);
	for (size_t n = 0; n < s.len; n++)
		CHECK(!leases_restore(l, s.key, s.key_len, s.value, n, w->now));
	CHECK(!leases_restore(l, s.key, s.key_len - 1, s.value, s.len, w->now));
	CHECK(!leases_restore(l, (const uint8_t *)"c", 1, s.value, s.len, w->now));
	s.value[0]++;
	CHECK(!leases_restore(l, s.key, s.key_len, s.value, s.len, w->now));
	s.value[0]--;
	CHECK(leases_restore(l, s.key, s.key_len, s.value, s.len, w->now));
	CHECK(!leases_restore(l, s.key, s.key_len, s.value, s.len, w->now)); /* twice */
	leases_free(l);
	world_free(w);
}

static void test_lease_grant_for_another_is_not_believed(void)
{
	struct world *w = world_new("10.1.0.0/16");
	uint8_t grant[GRANT_MAX];
	struct owned o = { .owner = w->other, .generation = 1 };
	struct asked a;
	size_t len;

	leases_want_address(w->l, NULL, w->now);
	leases_tick(w->l, w->now);
	disk_answers(w);
	CHECK_EQ_INT(w->asked_count, 1);
	a = w->asked[0];
	o.name = a.req.name;
	len = make_grant(w, grant, &a, &o);
	world_tell(w, a.op, (struct reg_answer){ REG_OK, w->other, .grant = grant, .len = len });
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	world_tell(w, a.op, (struct reg_answer){ REG_OK, w->cfg.self, .len = 0 });
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	world_free(w);
}

static void test_lease_changed_v6_is_told_at_once(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct ip v6 = { .len = 16, .b = { 0xfd, 2 } };
	size_t before;

	leases_want_address(w->l, NULL, w->now);
	leases_want_name(w->l, "ada", w->now);
	run(w, SEC(5), REG_OK);
	before = events_of(w, LEASE_RENEWED);
	leases_set_v6(w->l, &v6, w->now);
	run(w, SEC(5), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_RENEWED), before + 1);
	run(w, HOURS(1), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_RENEWED), before + 1);
	world_free(w);
}

/* Wanted again while it is given back: the old validity died with the release. */
static void test_lease_wanted_again_after_a_release_is_not_used_before_it_is_granted(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;
	struct reg_name name;
	struct ip ip = { .len = 4 };

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(1), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a));
	name = a.name;
	memcpy(ip.b, name.b, 4);
	leases_release(w->l, &name, w->now);
	disk_answers(w);
	CHECK_EQ_INT(w->asked_count, 1); /* the release is on its way, and arrives */
	own(w, &name, &w->other);
	leases_want_address(w->l, &ip, w->now);
	leases_tick(w->l, w->now);
	disk_answers(w);
	restart(w, true, true);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	run(w, SEC(30), REG_OK);
	CHECK(!has_name(last_event(w, LEASE_GAINED), &name));
	world_free(w);
}

static void test_lease_that_keepers_do_not_know_is_not_used_after_a_crash(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(1), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
	w->now += HOURS(14);
	leases_tick(w->l, w->now);
	disk_answers(w);
	keepers_say(w, REG_UNKNOWN);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 1);
	leases_tick(w->l, w->now);
	disk_answers(w); /* the claim that follows is on the disk */
	restart(w, true, true);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 0);
	world_free(w);
}

/* 31 days without a keeper: the membership is over, then the keeper comes back. */
static void test_lease_comes_back_the_same_after_the_membership_had_lapsed(void)
{
	struct world *w = world_new("10.1.0.0/16");
	struct lease_info a;
	struct reg_name name;

	leases_want_address(w->l, NULL, w->now);
	run(w, HOURS(1), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a));
	name = a.name;
	run(w, DAYS(2), REG_NO_QUORUM);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 1);
	run(w, MINUTES(10), REG_EXPIRED);
	CHECK(events_of(w, LEASE_FAILED) > 0);
	run(w, MINUTES(2), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &a) && a.state == LEASE_HELD);
	CHECK(reg_name_equal(&a.name, &name));
	CHECK_EQ_INT(w->owned_count, 1);
	world_free(w);
}

/* A clock that runs ahead, here, makes nobody else the owner. */
static void test_lease_in_use_outlives_a_refusal_though_its_dates_are_over_here(void)
{
	struct world *w = world_new("10.7.0.0/16");
	struct lease_info before, after;

	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(5), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &before));
	w->wall.base += 2 * 86400;
	leases_renew(w->l, &before.name, w->now);
	run(w, MINUTES(2), REG_REFUSED);
	CHECK_EQ_INT(events_of(w, LEASE_GONE), 0);
	CHECK(info_of(w, REG_ADDRESS, &after) && after.left);
	CHECK(reg_name_equal(&before.name, &after.name));
	world_free(w);
}

/* Who is unknown to a keeper today may be known tomorrow: what others go by is not thrown away. */
static void test_lease_after_a_reboot_outlives_a_refusal(void)
{
	struct world *w = world_new("10.7.0.0/16");
	struct lease_info before, after;

	leases_want_address(w->l, NULL, w->now);
	run(w, SEC(5), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &before));
	restart(w, true, false);
	run(w, MINUTES(2), REG_REFUSED);
	CHECK_EQ_INT(w->owned_count, 1);
	CHECK(info_of(w, REG_ADDRESS, &after) && after.grant_len);
	CHECK_EQ_INT(after.left, 0);
	run(w, MINUTES(1), REG_OK);
	CHECK(info_of(w, REG_ADDRESS, &after) && after.left);
	CHECK(reg_name_equal(&before.name, &after.name));
	w->now += HOURS(30); /* nobody goes by it any more */
	restart(w, true, false);
	run(w, MINUTES(2), REG_REFUSED);
	CHECK(!info_of(w, REG_ADDRESS, &after) || !after.grant_len);
	world_free(w);
}

static void test_lease_one_more_name_outlives_a_membership_that_is_over(void)
{
	struct world *w = world_new("10.7.0.0/16");
	struct lease_info li;

	CHECK_EQ_INT(leases_add_name(w->l, "printer", w->now), 0);
	run(w, SEC(5), REG_OK);
	CHECK(info_of(w, REG_HOST_NAME, &li) && li.left);
	run(w, HOURS(26), REG_NO_QUORUM);
	CHECK(info_of(w, REG_HOST_NAME, &li) && !li.left);
	run(w, MINUTES(2), REG_EXPIRED);
	run(w, MINUTES(2), REG_OK);
	CHECK(info_of(w, REG_HOST_NAME, &li) && li.left);
	world_free(w);
}

/* A keeper whose clock is far behind grants what others refuse at once. */
static void test_lease_granted_in_the_past_is_renewed_soon(void)
{
	struct world *w = world_new("10.1.0.0/16");

	w->wall.base -= 30 * 86400;
	leases_want_address(w->l, NULL, w->now);
	leases_tick(w->l, w->now);
	disk_answers(w);
	keepers_say(w, REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_GAINED), 1);
	w->wall.base += 30 * 86400;
	run(w, MINUTES(30), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_RENEWED), 0); /* looked right when it came */
	run(w, HOURS(15), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_RENEWED), 1);
	w->event_count = 0;
	w->behind = 30 * 86400;
	run(w, HOURS(16), REG_OK);
	CHECK(events_of(w, LEASE_RENEWED) > 1);
	w->behind = 0;
	w->event_count = 0;
	run(w, HOURS(2), REG_OK);
	CHECK_EQ_INT(events_of(w, LEASE_RENEWED), 1); /* mended, and then quiet */
	world_free(w);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_lease_nothing_is_asked_before_the_intent_is_durable),
		TEST(test_lease_lost_disk_answer_is_made_up_for),
		TEST(test_lease_late_answer_of_an_earlier_request_changes_nothing),
		TEST(test_lease_release_ends_use_before_anything_is_sent),
		TEST(test_lease_release_goes_on_after_a_crash),
		TEST(test_lease_runs_on_after_a_restart_of_the_process),
		TEST(test_lease_that_ended_while_the_process_was_away_is_not_used),
		TEST(test_lease_after_a_reboot_is_used_only_after_a_renewal),
		TEST(test_lease_given_to_another_while_away_is_refused_and_replaced),
		TEST(test_lease_taken_away_while_held_is_gone_at_once),
		TEST(test_lease_of_a_revoked_member_stops),
		TEST(test_lease_crash_at_every_write_never_uses_without_ownership),
		TEST(test_lease_damaged_records_are_refused),
		TEST(test_lease_grant_for_another_is_not_believed),
		TEST(test_lease_changed_v6_is_told_at_once),
		TEST(test_lease_wanted_again_after_a_release_is_not_used_before_it_is_granted),
		TEST(test_lease_that_keepers_do_not_know_is_not_used_after_a_crash),
		TEST(test_lease_comes_back_the_same_after_the_membership_had_lapsed),
		TEST(test_lease_after_a_reboot_outlives_a_refusal),
	TEST(test_lease_one_more_name_outlives_a_membership_that_is_over),
	TEST(test_lease_in_use_outlives_a_refusal_though_its_dates_are_over_here),
	TEST(test_lease_granted_in_the_past_is_renewed_soon),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
