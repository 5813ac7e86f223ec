/* test_regs_disk.c - disks that are slow, full for a while, or fail one write of many. */
#include "tests/unit/regs_people.h"

#define WRITES 16 /* more than any of the stories below needs */

static struct reg_op claim_of(const char *text)
{
	struct ip ip;

	ip_parse(&ip, text);
	return (struct reg_op){ .name = reg_name_address(&ip), .verb = OP_CLAIM, .lease = 3600 };
}

static bool is_made(struct rw_node *n)
{
	const struct rw_event *e = rw_find(n, REGS_ENROLLED, 0);

	return e && e->e.status == REG_OK && regs_is_keeper(n->regs);
}

/* Said so, and everything is as before: a second try may succeed. */
static bool is_refused(struct rw_node *n)
{
	const struct rw_event *e = rw_find(n, REGS_ENROLLED, 0);

	return e && e->e.status == REG_REFUSED;
}

static void test_regs_keeper_with_a_slow_disk_answers_itself(void)
{
	struct rw_world *w = rw_new(1);
	struct reg_op req = claim_of("10.7.1.1");

	CHECK(rw_create(w));
	w->disk_delay = MSEC(900);
	CHECK_EQ_INT(rw_do(&w->node[0], &req, NULL, NULL), REG_OK);
	rw_free(w);
}

static void test_regs_creation_on_a_full_disk_is_refused_and_can_be_repeated(void)
{
	struct rw_world *w = rw_new(2);
	struct rw_node *n = &w->node[0];

	n->disk_broken = true;
	CHECK_EQ_INT(regs_create(n->regs, &w->root, &w->settings, "creator", w->now), 0);
	rw_run(w, SEC(3));
	CHECK(is_refused(n));
	n->disk_broken = false;
	n->event_count = 0;
	rw_run(w, SEC(2));
	CHECK_EQ_INT(regs_create(n->regs, &w->root, &w->settings, "creator", w->now), 0);
	rw_run(w, SEC(10));
	CHECK(is_made(n));
	rw_restart(n, true);
	rw_run(w, SEC(1));
	CHECK(regs_is_keeper(n->regs));
	rw_free(w);
}

static void test_regs_creation_survives_any_one_failed_write(void)
{
	for (size_t at = 1; at <= WRITES; at++) {
		struct rw_world *w = rw_new(10 + at);
		struct rw_node *n = &w->node[0];

		n->fails_in = at;
		CHECK_EQ_INT(regs_create(n->regs, &w->root, &w->settings, "creator", w->now), 0);
		rw_run(w, SEC(15));
		CHECK(is_made(n) || is_refused(n));
		rw_restart(n, true);
		rw_run(w, SEC(3));
		CHECK(regs_is_keeper(n->regs));
		rw_free(w);
	}
}

/* One write fails, and soon after it the power. */
static void test_regs_creation_can_be_continued_after_a_failed_write_and_a_crash(void)
{
	for (size_t at = 1; at <= WRITES; at++) {
		struct rw_world *w = rw_new(40 + at);
		struct rw_node *n = &w->node[0];

		n->fails_in = at;
		regs_create(n->regs, &w->root, &w->settings, "creator", w->now);
		rw_run(w, MSEC(300));
		rw_restart(n, true);
		if (!regs_membership(n->regs, &(const uint8_t *){ NULL })) {
			CHECK_EQ_INT(regs_create(n->regs, &w->root, &w->settings, "creator", w->now), 0);
			rw_run(w, SEC(10));
			CHECK(is_made(n));
		}
		CHECK_EQ_INT(rw_token(w, 1, 9, 3600), REG_OK);
		rw_join(w, 1, "ada");
		rw_free(w);
	}
}

static void test_regs_keeper_serves_again_after_a_start_on_a_full_disk(void)
{
	struct rw_world *w = rw_new(3);
	struct rw_node *n = &w->node[0];
	struct reg_op req = claim_of("10.7.1.1");

	CHECK(rw_create(w));
	n->disk_broken = true;
	rw_restart(n, true);
	rw_run(w, SEC(30));
	n->disk_broken = false;
	rw_run(w, SEC(5));
	CHECK(regs_is_keeper(n->regs));
	CHECK_EQ_INT(rw_do(n, &req, NULL, NULL), REG_OK);
	rw_free(w);
}

/* Joins and claims while one write of `which` fails; then both are killed and started again. */
static void story(size_t at, size_t which)
{
	struct rw_world *w = rw_new(100 + at);
	struct rw_node *n;
	struct lease_info info;
	size_t i = 0;

	CHECK(rw_create(w));
	CHECK_EQ_INT(rw_token(w, 1, 1, 3600), REG_OK);
	n = rw_add(w);
	w->node[which].fails_in = at;
	rw_trust(n);
	CHECK_EQ_INT(rw_enrol(n, 1, "ada"), REG_OK);
	rw_attach(n, &w->node[0]);
	leases_want_address(n->leases, NULL, w->now);
	rw_run(w, SEC(25));
	CHECK(leases_next(n->leases, &i, &info, w->now) && info.state == LEASE_HELD);
	rw_restart(&w->node[0], false);
	rw_restart(n, false);
	leases_want_address(n->leases, NULL, w->now);
	rw_run(w, SEC(25));
	i = 0;
	CHECK(leases_next(n->leases, &i, &info, w->now) && info.state == LEASE_HELD);
	CHECK(!leases_next(n->leases, &i, &info, w->now));
	n = rw_add(w);
	rw_trust(n);
	CHECK_EQ_INT(rw_enrol(n, 1, "bob"), REG_USED_UP);
	rw_free(w);
}

static void test_regs_join_and_claim_survive_any_one_failed_write(void)
{
	for (size_t at = 1; at <= WRITES; at++)
		for (size_t which = 0; which < 2; which++)
			story(at, which);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_regs_keeper_with_a_slow_disk_answers_itself),
		TEST(test_regs_creation_on_a_full_disk_is_refused_and_can_be_repeated),
		TEST(test_regs_creation_survives_any_one_failed_write),
		TEST(test_regs_creation_can_be_continued_after_a_failed_write_and_a_crash),
		TEST(test_regs_keeper_serves_again_after_a_start_on_a_full_disk),
		TEST(test_regs_join_and_claim_survive_any_one_failed_write),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
