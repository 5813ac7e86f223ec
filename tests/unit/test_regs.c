/* test_regs.c - registers and leases of several nodes, end to end over the virtual network. */
#include "tests/unit/regs_people.h"

static bool holds(const struct rw_node *n, enum reg_kind kind, struct reg_name *name)
{
	struct lease_info info;
	size_t at = 0;

	while (leases_next(n->leases, &at, &info, n->w->now))
		if (info.name.kind == kind && info.left > 0) {
			*name = info.name;
			return true;
		}
	return false;
}

static size_t lease_count(const struct rw_node *n, enum lease_event_type type)
{
	size_t c = 0;

	for (size_t i = 0; i < n->lease_event_count; i++)
		c += n->lease_events[i].type == type;
	return c;
}

static void want(struct rw_node *n, const char *host)
{
	leases_want_address(n->leases, NULL, n->w->now);
	leases_want_name(n->leases, host, n->w->now);
}

static void test_regs_create_enrol_claim_name_release(void)
{
	struct rw_world *w = rw_new(1);
	struct reg_name a, h;
	struct rw_node *n;
	struct lease_info info;
	size_t at = 0;

	CHECK(rw_create(w));
	CHECK_EQ_INT(rw_token(w, 1, 1, 3600), REG_OK);
	n = rw_join(w, 1, "ada");
	want(n, "ada");
	rw_run(w, SEC(5));
	CHECK(holds(n, REG_ADDRESS, &a) && holds(n, REG_HOST_NAME, &h));
	CHECK(h.len == 3 && memcmp(h.b, "ada", 3) == 0);
	leases_release_all(n->leases, w->now);
	CHECK(!holds(n, REG_ADDRESS, &a));
	rw_run(w, SEC(5));
	CHECK(!leases_next(n->leases, &at, &info, w->now));
	rw_free(w);
}

static void test_regs_two_nodes_that_want_the_same_get_different_ones(void)
{
	struct rw_world *w = rw_new(2);
	struct reg_name a, b;
	struct rw_node *n, *m;
	struct ip ip;

	ip_parse(&ip, "10.7.1.1");
	CHECK(rw_create(w));
	CHECK_EQ_INT(rw_token(w, 1, 2, 3600), REG_OK);
	n = rw_join(w, 1, "ada");
	m = rw_join(w, 1, "ada");
	leases_want_address(n->leases, &ip, w->now);
	leases_want_address(m->leases, &ip, w->now);
	leases_want_name(n->leases, "ada", w->now);
	leases_want_name(m->leases, "ada", w->now);
	rw_run(w, SEC(10));
	CHECK(holds(n, REG_ADDRESS, &a) && holds(m, REG_ADDRESS, &b));
	CHECK(!reg_name_equal(&a, &b));
	CHECK_EQ_INT(lease_count(n, LEASE_REFUSED) > 0, lease_count(m, LEASE_REFUSED) == 0);
	CHECK(holds(n, REG_HOST_NAME, &a) && holds(m, REG_HOST_NAME, &b));
	CHECK(!reg_name_equal(&a, &b));
	rw_free(w);
}

static void test_regs_works_over_a_bad_network(void)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct rw_world *w = rw_new(seed);
		struct reg_name a[4];

		CHECK(rw_create(w));
		CHECK_EQ_INT(rw_token(w, 1, 5, 3600), REG_OK);
		w->loss = 15;
		w->doubled = 10;
		w->jitter = MSEC(200);
		for (int i = 0; i < 4; i++)
			want(rw_join(w, 1, "x"), "x");
		rw_run(w, MINUTES(2));
		for (int i = 0; i < 4; i++) {
			CHECK(holds(&w->node[i + 1], REG_ADDRESS, &a[i]));
			for (int k = 0; k < i; k++)
				CHECK(!reg_name_equal(&a[i], &a[k]));
		}
		rw_free(w);
	}
}

static void test_regs_created_namespace_survives_a_restart(void)
{
	struct rw_world *w = rw_new(3);
	const uint8_t *grant;
	struct regs_secret s[2], t[2];

	CHECK(rw_create(w));
	CHECK_EQ_INT(regs_secrets(w->node[0].regs, s), 1);
	rw_restart(&w->node[0], true);
	CHECK(regs_keepers(w->node[0].regs) && regs_settings(w->node[0].regs));
	CHECK(regs_membership(w->node[0].regs, &grant) > 0);
	CHECK_EQ_INT(regs_secrets(w->node[0].regs, t), 1);
	CHECK_MEM(&s[0], &t[0], sizeof(s[0]));
	rw_run(w, SEC(1));
	CHECK(regs_is_keeper(w->node[0].regs));
	CHECK_EQ_INT(rw_token(w, 1, 1, 3600), REG_OK);
	rw_free(w);
}

static void test_regs_creation_interrupted_at_any_write_can_be_continued(void)
{
	for (size_t at = 0; at < 14; at++)
		for (int flushed = 0; flushed < 2; flushed++) {
			struct rw_world *w = rw_new(4);
			struct rw_node *n = &w->node[0];

			n->writes_left = at;
			regs_create(n->regs, &w->root, &w->settings, "creator", w->now);
			rw_run(w, SEC(2));
			CHECK(!n->dead || !rw_find(n, REGS_ENROLLED, 0) || at > 6);
			rw_restart(n, flushed);
			CHECK(rw_create(w));
			rw_free(w);
		}
}

static void test_regs_claim_survives_a_keeper_that_dies_at_any_write(void)
{
	for (size_t at = 0; at < 8; at++) {
		struct rw_world *w = rw_new(5);
		struct reg_name a;
		struct rw_node *n;

		CHECK(rw_create(w));
		CHECK_EQ_INT(rw_token(w, 1, 1, 3600), REG_OK);
		n = rw_join(w, 1, "ada");
		w->node[0].writes_left = at;
		leases_want_address(n->leases, NULL, w->now);
		rw_run(w, SEC(3));
		rw_restart(&w->node[0], at & 1);
		rw_run(w, SEC(60));
		CHECK(holds(n, REG_ADDRESS, &a));
		CHECK_EQ_INT(lease_count(n, LEASE_GAINED), 1);
		rw_free(w);
	}
}

static void test_regs_claim_survives_a_client_that_dies_at_any_write(void)
{
	for (size_t at = 0; at < 10; at++) {
		struct rw_world *w = rw_new(6);
		struct reg_name a, h;
		struct rw_node *n;

		CHECK(rw_create(w));
		CHECK_EQ_INT(rw_token(w, 1, 1, 3600), REG_OK);
		n = rw_join(w, 1, "ada");
		n->writes_left = at;
		want(n, "ada");
		rw_run(w, SEC(3));
		rw_restart(n, at & 1);
		want(n, "ada");
		rw_run(w, SEC(60));
		CHECK(holds(n, REG_ADDRESS, &a) && holds(n, REG_HOST_NAME, &h));
		CHECK(h.len == 3); /* its own name is not in its way */
		rw_free(w);
	}
}

static void test_regs_keeper_that_cannot_write_falls_silent(void)
{
	struct rw_world *w = rw_new(7);
	struct reg_name a;
	struct rw_node *n;

	CHECK(rw_create(w));
	CHECK_EQ_INT(rw_token(w, 1, 1, 3600), REG_OK);
	n = rw_join(w, 1, "ada");
	w->node[0].disk_broken = true;
	leases_want_address(n->leases, NULL, w->now);
	rw_run(w, SEC(60));
	CHECK(!holds(n, REG_ADDRESS, &a));
	w->node[0].disk_broken = false;
	rw_run(w, SEC(90));
	CHECK(holds(n, REG_ADDRESS, &a));
	rw_free(w);
}

static void test_regs_lost_disk_answers_at_the_client_delay_but_do_not_break(void)
{
	struct rw_world *w = rw_new(8);
	struct reg_name a;
	struct rw_node *n;

	CHECK(rw_create(w));
	CHECK_EQ_INT(rw_token(w, 1, 1, 3600), REG_OK);
	n = rw_join(w, 1, "ada");
	n->disk_silent = true;
	leases_want_address(n->leases, NULL, w->now);
	rw_run(w, SEC(3));
	CHECK(!holds(n, REG_ADDRESS, &a));
	n->disk_silent = false;
	rw_run(w, SEC(60));
	CHECK(holds(n, REG_ADDRESS, &a));
	rw_free(w);
}

static void test_regs_ten_nodes_at_once_all_get_an_address(void)
{
	struct rw_world *w = rw_new(9);
	struct reg_name a[10];

	prefix_parse(&w->settings.subnet, "10.7.0.0/27"); /* 29 usable: they do collide */
	CHECK(rw_create(w));
	CHECK_EQ_INT(rw_token(w, 1, 20, 3600), REG_OK);
	for (int i = 0; i < 10; i++)
		rw_join(w, 1, "x");
	for (int i = 0; i < 10; i++)
		leases_want_address(w->node[i + 1].leases, NULL, w->now);
	rw_run(w, SEC(10));
	for (int i = 0; i < 10; i++) {
		CHECK(holds(&w->node[i + 1], REG_ADDRESS, &a[i]));
		for (int k = 0; k < i; k++)
			CHECK(!reg_name_equal(&a[i], &a[k]));
	}
	rw_free(w);
}

static void test_regs_check_refuses_what_does_not_prove(void)
{
	struct rw_world *w = rw_new(10);
	struct lease_info info;
	struct rw_node *n;
	uint8_t bad[GRANT_MAX];
	struct grant g;
	size_t at = 0;

	CHECK(rw_create(w));
	CHECK_EQ_INT(rw_token(w, 1, 1, 3600), REG_OK);
	n = rw_join(w, 1, "ada");
	leases_want_address(n->leases, NULL, w->now);
	rw_run(w, SEC(5));
	CHECK(leases_next(n->leases, &at, &info, w->now) && info.grant_len);
	CHECK(regs_check(n->regs, &g, info.grant, info.grant_len, w->now));
	CHECK(!regs_check(n->regs, &g, info.grant, info.grant_len - 1, w->now));
	memcpy(bad, info.grant, info.grant_len);
	bad[info.grant_len - 1] ^= 1;
	CHECK(!regs_check(n->regs, &g, bad, info.grant_len, w->now));
	CHECK(!regs_check(n->regs, &g, info.grant, info.grant_len, w->now + DAYS(31)));
	CHECK_EQ_INT(rw_revoke(w, &n->key.pub), REG_OK);
	CHECK(!regs_check(w->node[0].regs, &g, info.grant, info.grant_len, w->now));
	rw_free(w);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_regs_create_enrol_claim_name_release),
		TEST(test_regs_two_nodes_that_want_the_same_get_different_ones),
		TEST(test_regs_works_over_a_bad_network),
		TEST(test_regs_created_namespace_survives_a_restart),
		TEST(test_regs_creation_interrupted_at_any_write_can_be_continued),
		TEST(test_regs_claim_survives_a_keeper_that_dies_at_any_write),
		TEST(test_regs_claim_survives_a_client_that_dies_at_any_write),
		TEST(test_regs_keeper_that_cannot_write_falls_silent),
		TEST(test_regs_lost_disk_answers_at_the_client_delay_but_do_not_break),
		TEST(test_regs_ten_nodes_at_once_all_get_an_address),
		TEST(test_regs_check_refuses_what_does_not_prove),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
