/* test_node_restore.c - a backup on a new machine, and what may happen while it looks for a newer era. */
#include "tests/unit/node_kit.h"

/* Node 0 is the only keeper, makes a backup and is gone; node 1 has begun to restore it. */
static struct kit *restoring(uint64_t seed, uint64_t *op, char backup[KIT_TEXT])
{
	struct node_root_restore r = { .text = backup, .new_era = true };
	struct kit *k = kit_new(seed, 3);
	uint64_t first;

	kit_create(k);
	node_root_backup(k->node[0].n, first = ++k->last_op, NULL, k->now);
	CHECK(kit_wait(k, 0, first, SEC(1)) && k->node[0].notice.result == NODE_OK);
	memcpy(backup, k->node[0].text, KIT_TEXT);
	k->node[0].deaf = true;
	node_root_restore(k->node[1].n, *op = ++k->last_op, &r, k->now);
	CHECK(!kit_wait(k, 1, *op, SEC(2)));
	return k;
}

static void test_node_restore_begins_an_era_and_is_answered_once(void)
{
	char backup[KIT_TEXT];
	uint64_t op;
	struct kit *k = restoring(1, &op, backup);

	CHECK(kit_wait(k, 1, op, SEC(20)) && k->node[1].notice.result == NODE_OK);
	CHECK_EQ_INT(regs_keepers(kit_ns(k, 1)->regs)->era, 1);
	kit_run(k, MINUTES(1));
	CHECK_EQ_INT(k->node[1].oks, 1);
	CHECK_EQ_INT(k->node[1].noes, 0);
	kit_free(k);
}

static void test_node_restore_that_is_left_meanwhile_is_answered(void)
{
	char backup[KIT_TEXT];
	uint64_t op, leave;
	struct kit *k = restoring(2, &op, backup);

	node_leave(k->node[1].n, leave = ++k->last_op, NULL, k->now);
	CHECK(kit_wait(k, 1, leave, SEC(5)) && k->node[1].notice.result == NODE_OK);
	CHECK_EQ_INT(k->node[1].noes, 1);
	kit_run(k, SEC(10));
	CHECK_EQ_INT(k->node[1].oks, 1);
	kit_free(k);
}

static void test_node_restore_goes_on_whatever_else_is_asked(void)
{
	char backup[KIT_TEXT];
	uint64_t op, second;
	struct kit *k = restoring(3, &op, backup);
	struct node_root_restore r = { .text = backup, .new_era = true };

	node_root_restore(k->node[1].n, second = ++k->last_op, &r, k->now);
	CHECK(kit_wait(k, 1, second, SEC(1)) && k->node[1].notice.result == NODE_NO);
	node_root_reset(k->node[1].n, second = ++k->last_op, NULL, k->now);
	CHECK(kit_wait(k, 1, second, SEC(1)) && k->node[1].notice.result == NODE_NO);
	CHECK(kit_wait(k, 1, op, SEC(20)) && k->node[1].notice.result == NODE_OK);
	kit_run(k, MINUTES(1));
	CHECK_EQ_INT(regs_keepers(kit_ns(k, 1)->regs)->era, 1);
	kit_free(k);
}

static void test_node_restore_that_a_crash_ended_says_how_it_goes_on(void)
{
	char backup[KIT_TEXT];
	uint64_t op;
	struct kit *k = restoring(4, &op, backup);
	const struct ns *s;

	kit_crash(k, 1);
	kit_start(k, 1);
	kit_run(k, MINUTES(1));
	s = kit_ns(k, 1);
	CHECK(s->trouble && strstr(s->trouble, "vpnctl keepers reset"));
	node_root_reset(k->node[1].n, op = ++k->last_op, NULL, k->now);
	CHECK(kit_wait(k, 1, op, SEC(20)) && k->node[1].notice.result == NODE_OK);
	CHECK_EQ_INT(regs_keepers(s->regs)->era, 1);
	CHECK(!s->trouble);
	kit_free(k);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_node_restore_begins_an_era_and_is_answered_once),
		TEST(test_node_restore_that_is_left_meanwhile_is_answered),
		TEST(test_node_restore_goes_on_whatever_else_is_asked),
		TEST(test_node_restore_that_a_crash_ended_says_how_it_goes_on),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
