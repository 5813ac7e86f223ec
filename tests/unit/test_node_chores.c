/* test_node_chores.c - what a node does by the clock, and that it sleeps when there is nothing. */
#include "cmd/node.h"

#include "tests/unit/node_kit.h"

static bool is_attached(struct kit *k, size_t i, size_t to)
{
	return map_get(&kit_ns(k, i)->attached, &k->node[to].key.pub) != NULL;
}

static void test_node_in_no_namespace_sleeps(void)
{
	struct kit *k = kit_new(1, 1);

	kit_run(k, SEC(5));
	CHECK_EQ_INT(node_deadline(k->node[0].n), USEC_NEVER);
	kit_free(k);
}

static void test_node_alone_in_its_namespace_wakes_rarely(void)
{
	struct kit *k = kit_new(2, 1);
	uint64_t wakes;

	kit_create(k);
	kit_run(k, MINUTES(10));
	wakes = k->node[0].wakes;
	kit_run(k, MINUTES(60));
	CHECK(k->node[0].wakes - wakes < 720); /* every five seconds */
	printf("# %llu wakes in an hour\n", (unsigned long long)(k->node[0].wakes - wakes));
	kit_free(k);
}

static void test_node_wait_ends_in_time_and_trouble_is_told_within_five_seconds(void)
{
	struct kit *k = kit_new(3, 2);
	struct node_join j = { 0 };
	char token[KIT_TEXT];
	uint64_t op;

	kit_create(k);
	memcpy(token, kit_invite(k), sizeof(token));
	kit_crash(k, 0);
	j.token = token;
	node_join(k->node[1].n, ++k->last_op, &j, k->now);
	op = ++k->last_op;
	node_wait(k->node[1].n, op, NULL, SEC(2), k->now);
	CHECK(kit_wait(k, 1, op, MSEC(1990)) == NULL);
	CHECK(kit_wait(k, 1, op, MSEC(20)) && k->node[1].notice.result == NODE_TIMEOUT);
	kit_run(k, SEC(3));
	CHECK(strstr(kit_ns(k, 1)->trouble, "cannot reach a keeper") != NULL);
	kit_free(k);
}

static void test_node_a_lost_keeper_is_attached_again(void)
{
	struct kit *k = kit_members(4, 2);

	kit_run(k, SEC(10));
	CHECK(is_attached(k, 1, 0));
	kit_crash(k, 0);
	kit_run(k, SEC(40));
	CHECK(!is_attached(k, 1, 0));
	kit_start(k, 0);
	kit_run(k, SEC(15));
	CHECK(is_attached(k, 1, 0));
	kit_free(k);
}

static void test_node_leave_ends_when_all_is_given_back_or_after_two_seconds(void)
{
	struct kit *k = kit_members(5, 3);
	uint64_t op = ++k->last_op;
	usec_t from = k->now;

	node_leave(k->node[1].n, op, "kit", k->now);
	CHECK(kit_wait(k, 1, op, SEC(5)) && k->node[1].notice.result == NODE_OK);
	CHECK(k->now - from < SEC(1));
	CHECK(k->node[1].n->ns[0] == NULL && k->node[1].n->overlays[0] == NULL);
	kit_run(k, SEC(2));
	CHECK_EQ_INT(node_deadline(k->node[1].n), USEC_NEVER);
	kit_crash(k, 0);
	op = ++k->last_op;
	from = k->now;
	node_leave(k->node[2].n, op, "kit", k->now);
	CHECK(kit_wait(k, 2, op, SEC(5)) && k->node[2].notice.result == NODE_OK);
	CHECK(k->now - from >= SEC(2) && k->now - from < MSEC(2100));
	kit_free(k);
}

static void test_node_an_attachment_ends_with_the_membership_it_was_made_with(void)
{
	struct kit *k = kit_members(6, 2);
	struct attached *a;
	usec_t end;

	kit_run(k, SEC(5));
	a = map_get(&kit_ns(k, 0)->attached, &k->node[1].key.pub);
	CHECK(a && a->not_after > 0);
	if (a)
		a->not_after = wall_seconds(&k->node[0].n->wall, k->now) + 100;
	node_set_wall(k->node[0].n, wall_seconds(&k->node[0].n->wall, k->now), k->now); /* looks */
	kit_touch(&k->node[0]);
	k->node[1].deaf = true; /* it shall not attach anew */
	end = k->now + SEC(101);
	kit_run(k, SEC(5));
	CHECK(is_attached(k, 0, 1));
	k->node[1].deaf = false;
	kit_run(k, end - k->now - SEC(2));
	CHECK(is_attached(k, 0, 1));
	k->node[1].deaf = true;
	kit_run(k, SEC(3));
	CHECK(!is_attached(k, 0, 1));
	kit_free(k);
}

static void test_node_start_is_registered_soon_and_repeated_seldom(void)
{
	struct kit *k = kit_members(7, 2);
	uint64_t writes;

	kit_run(k, SEC(10));
	writes = k->node[0].writes;
	kit_run(k, MINUTES(60));
	/* Its own and the other's START, five to eight times each, and what a START costs. */
	CHECK(k->node[0].writes - writes >= 10);
	CHECK(k->node[0].writes - writes <= 2 * 8 * 2);
	kit_free(k);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_node_in_no_namespace_sleeps),
		TEST(test_node_alone_in_its_namespace_wakes_rarely),
		TEST(test_node_wait_ends_in_time_and_trouble_is_told_within_five_seconds),
		TEST(test_node_a_lost_keeper_is_attached_again),
		TEST(test_node_leave_ends_when_all_is_given_back_or_after_two_seconds),
		TEST(test_node_an_attachment_ends_with_the_membership_it_was_made_with),
		TEST(test_node_start_is_registered_soon_and_repeated_seldom),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
