/* test_regs_many.c - many addresses at once, on a LAN: a router with its 250. */
#include "tests/unit/regs_set.h"

#define COUNT 250

static size_t held(const struct rw_node *n)
{
	struct lease_info li;
	size_t at = 0, count = 0;

	while (leases_next(n->leases, &at, &li, n->w->now))
		count += li.name.kind == REG_ADDRESS && li.state == LEASE_HELD;
	return count;
}

static usec_t claim_many(struct rw_node *n, size_t count)
{
	struct rw_world *w = n->w;
	usec_t begun = w->now;
	size_t before = held(n);

	for (size_t i = 0; i < count; i++)
		CHECK_EQ_INT(leases_add_address(n->leases, NULL, w->now), 0);
	while (held(n) < before + count && w->now < begun + SEC(20))
		rw_run(w, MSEC(1));
	CHECK_EQ_INT(held(n), before + count);
	return w->now - begun;
}

/* RTT 0.5 ms, a group commit takes 1 ms. */
static void many_of(size_t keepers, bool far_away)
{
	struct rw_world *w = rw_new_set(5 + keepers, keepers);
	struct rw_node *n = rw_join_router(w);
	usec_t took;

	w->delay = 250;
	w->jitter = 0;
	w->turns = true;
	if (far_away)
		w->node[0].cut = true;
	n->lease_event_count = 0;
	took = claim_many(n, COUNT);
	printf("# %zu keepers%s: %d addresses in %u ms\n", keepers, far_away ? ", one down" : "",
	       COUNT, (unsigned)(took / 1000));
	CHECK(took < SEC(1));
	rw_free(w);
}

static void test_many_addresses_are_claimed_within_a_second(void)
{
	many_of(1, false);
	many_of(3, false);
	many_of(5, false);
}

static void test_many_addresses_with_a_keeper_down_are_claimed_within_a_second(void)
{
	many_of(3, true);
	many_of(5, true);
}

/* More than may be under way at once; up to what a router may own. */
static void test_many_more_than_fit_into_the_queue_come_in_the_end(void)
{
	struct rw_world *w = rw_new_set(9, 1);
	struct rw_node *n = rw_join_router(w);

	w->turns = true;
	w->delay = 250;
	w->jitter = 0;
	claim_many(n, 450);
	rw_free(w);
}

static void test_many_addresses_above_the_quota_are_refused_and_end(void)
{
	struct rw_world *w = rw_new_set(11, 1);
	struct rw_node *n = rw_join(w, 1, "ada"); /* no router: four */
	size_t failed = 0;

	for (size_t i = 0; i < 10; i++)
		CHECK_EQ_INT(leases_add_address(n->leases, NULL, w->now), 0);
	rw_run(w, SEC(10));
	CHECK_EQ_INT(held(n), 4);
	for (size_t i = 0; i < n->lease_event_count; i++)
		failed += n->lease_events[i].type == LEASE_FAILED &&
			  n->lease_events[i].status == REG_QUOTA && n->lease_events[i].more;
	CHECK_EQ_INT(failed, 6);
	rw_run(w, SEC(120)); /* and it does not go on asking */
	CHECK_EQ_INT(held(n), 4);
	rw_free(w);
}

static void test_many_addresses_survive_a_restart(void)
{
	struct rw_world *w = rw_new_set(12, 1);
	struct rw_node *n = rw_join_router(w);

	w->turns = true;
	claim_many(n, 100);
	rw_restart(n, true);
	rw_run(w, SEC(3));
	CHECK_EQ_INT(held(n), 100);
	n->same_machine = false; /* a copy: nothing before it is renewed */
	w->node[0].cut = true;
	rw_restart(n, true);
	rw_run(w, SEC(3));
	CHECK_EQ_INT(held(n), 0);
	w->node[0].cut = false;
	rw_run(w, SEC(40));
	CHECK_EQ_INT(held(n), 100);
	rw_free(w);
}

static void test_one_more_address_that_another_owns_is_refused_by_name(void)
{
	struct rw_world *w = rw_new_set(13, 1);
	struct rw_node *a = rw_join(w, 1, "ada"), *b = rw_join(w, 1, "bob");
	struct ip ip, outside;
	const struct lease_event *e = NULL;

	ip_parse(&ip, "10.7.4.4");
	ip_parse(&outside, "10.8.4.4");
	CHECK_EQ_INT(leases_add_address(a->leases, &ip, w->now), 0);
	rw_run(w, SEC(1));
	CHECK_EQ_INT(leases_add_address(a->leases, &ip, w->now), -EEXIST);
	CHECK_EQ_INT(leases_add_address(b->leases, &outside, w->now), -EINVAL);
	CHECK_EQ_INT(leases_add_address(b->leases, &ip, w->now), 0);
	rw_run(w, SEC(1));
	for (size_t i = 0; i < b->lease_event_count; i++)
		if (b->lease_events[i].type == LEASE_REFUSED)
			e = &b->lease_events[i];
	CHECK(e && e->more && e->status == REG_OWNED && key_equal(&e->holder, &a->key.pub));
	CHECK_EQ_INT(held(b), 0);
	rw_free(w);
}

/* Bundles: far fewer messages than operations. */
static void test_many_claims_leave_in_bundles(void)
{
	struct rw_world *w = rw_new_set(14, 3);
	struct rw_node *n = rw_join_router(w);
	size_t sent;

	w->delay = 250;
	w->jitter = 0;
	w->turns = true;
	w->sent = 0;
	claim_many(n, COUNT);
	sent = w->sent;
	printf("# %d claims of 3 keepers: %zu messages\n", COUNT, sent);
	CHECK(sent < 250); /* one by one: 250 x (1 + 4 + 4 + 1) */
	rw_free(w);
}

static struct rw_message kept;

static bool keep_result(struct rw_world *w, struct rw_message *m)
{
	if (m->service != REGS_SERVICE_REGISTER || m->b[0] != REGMSG_RESULT || m->from != 0)
		return true;
	if (!kept.b) {
		kept = *m;
		kept.b = mem_copy(m->b, m->len);
	}
	return (void *)w == NULL;
}

/* The answer comes when nobody waits for it any more. */
static void test_late_answer_makes_no_owner_and_is_given_back(void)
{
	struct rw_world *w = rw_new_set(15, 1);
	struct rw_node *n = rw_join(w, 1, "ada");
	struct reg_op req = { .verb = OP_CLAIM, .lease = 3600 };
	struct reg_name name;
	struct reg_value v;
	struct ip ip;
	size_t at = 0;

	ip_parse(&ip, "10.7.5.5");
	req.name = reg_name_address(&ip);
	kept.b = NULL;
	w->hook = keep_result;
	CHECK_EQ_INT(rw_do(n, &req, NULL, NULL), REG_NO_QUORUM);
	w->hook = NULL;
	CHECK(kept.b);
	rw_post(w, kept.from, kept.to, kept.service, kept.b, kept.len);
	free(kept.b);
	rw_run(w, SEC(2));
	CHECK_EQ_INT(held(n), 0);
	while (regs_next(w->node[0].regs, &at, &name, &v))
		if (reg_name_equal(&name, &req.name))
			CHECK_EQ_INT(v.state, REG_RELEASED);
	rw_free(w);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_many_addresses_are_claimed_within_a_second),
		TEST(test_many_addresses_with_a_keeper_down_are_claimed_within_a_second),
		TEST(test_many_more_than_fit_into_the_queue_come_in_the_end),
		TEST(test_many_addresses_above_the_quota_are_refused_and_end),
		TEST(test_many_addresses_survive_a_restart),
		TEST(test_one_more_address_that_another_owns_is_refused_by_name),
		TEST(test_many_claims_leave_in_bundles),
		TEST(test_late_answer_makes_no_owner_and_is_given_back),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
