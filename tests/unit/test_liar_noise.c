/* test_liar_noise.c - keepers that talk garbage, flood, or say different things to different ones. */
#include "tests/unit/liar_kit.h"

static void garbage(struct kit *t, size_t liar, uint8_t *buf, size_t size)
{
	for (int i = 0; i < 400; i++) {
		size_t len = kit_draw(t) % (i % 8 ? 300 : size);
		struct regmsg m = { .type = (uint8_t)(1 + kit_draw(t) % 15), .request = 1 };
		struct wr w = wr_of(buf, size);

		for (size_t b = 0; b < len; b++)
			buf[b] = (uint8_t)kit_draw(t);
		wr_u8(&w, m.type);
		nsid_of(m.nsid, &t->root.pub);
		wr_copy(&w, m.nsid, NSID_LEN);
		len = len > 40 ? len : 40;
		kit_post(&t->keepers[liar], &t->keepers[0].key.pub, buf, len);
		kit_run(t, MSEC(1));
	}
	kit_run(t, SEC(1));
}

static void test_liar_that_talks_garbage_is_counted_and_changes_nothing(void)
{
	struct kit *t = world(3, 2, 1, 3);
	struct key_pair who[1] = { kit_key(1) };
	size_t size = (size_t)60 * 1024;
	uint8_t *buf = mem_new(size);
	uint64_t before;

	t->keepers[2].lie = NULL;
	members_add(t, who, 1);
	kit_run(t, SEC(1));
	before = t->keepers[0].drops.count[DROP_MALFORMED];
	garbage(t, 2, buf, size);
	CHECK(t->keepers[0].drops.count[DROP_MALFORMED] > before + 50);
	CHECK_EQ_INT(KIT_DO(t, &who[0], .verb = OP_CLAIM, .name = nth_address(5)), REG_OK);
	free(buf);
	kit_free(t);
}

/* As many questions as fit into a second, about registers that nobody has. */
static void flood(struct kit *t, size_t liar, size_t count)
{
	struct regmsg m = { .type = REGMSG_PREPARE };
	uint8_t msg[REGMSG_MAX];

	nsid_of(m.nsid, &t->root.pub);
	m.ballot = (struct ballot){ t->config.era, t->config.epoch, 7, (uint8_t)liar };
	for (size_t i = 0; i < count; i++) {
		m.request = i;
		m.name = nth_address((uint32_t)(20 + i));
		keeper_input(t->keepers[0].k, &t->keepers[liar].key.pub, msg,
			     regmsg_write(msg, sizeof(msg), &m), t->now);
		while (kit_write_one(&t->keepers[0]))
			;
	}
}

static void test_liar_that_floods_does_not_starve_the_others(void)
{
	struct kit *t = world(3, 2, 1, 3);
	struct key_pair who[1] = { kit_key(1) };
	uint64_t before;
	size_t cells = 0, at = 0;
	struct reg_name name;
	struct reg_value v;

	t->keepers[2].lie = NULL;
	members_add(t, who, 1);
	before = t->keepers[0].drops.count[DROP_RATE];
	flood(t, 2, 3900);
	t->keepers[2].is_cut_off = true;
	CHECK_EQ_INT(KIT_DO(t, &who[0], .verb = OP_CLAIM, .name = nth_address(5)), REG_OK);
	for (int i = 0; i < 20; i++)
		flood(t, 2, 1000);
	CHECK(t->keepers[0].drops.count[DROP_RATE] > before + 5000);
	CHECK(t->keepers[0].record_count < 4096);
	CHECK_EQ_INT(KIT_DO(t, &who[0], .verb = OP_CLAIM, .name = nth_address(6)), REG_OK);
	while (keeper_next(t->keepers[0].k, &at, &name, &v))
		cells += name.kind == REG_ADDRESS;
	CHECK_EQ_INT(cells, 2);
	kit_free(t);
}

/* One ballot, two values, to two acceptors: whoever asks both sees it. */
static void test_liar_that_says_different_things_is_seen_by_the_next_proposer(void)
{
	struct kit *t = world(3, 2, 1, 3);
	struct key_pair who[2] = { kit_key(1), kit_key(2) };
	struct reg_name name = kit_address("10.1.0.9");
	struct claim c[2];
	struct round *r;

	t->keepers[2].lie = NULL;
	members_add(t, who, 2);
	t->keepers[2].is_cut_off = false;
	for (size_t i = 0; i < 2; i++) {
		claim_make(t, &c[i], &name, &who[i]);
		r = liar_round(t, 2, &name, 10);
		round_claim(r, &c[i], 1);
		round_say(t, 2, r, (uint8_t)(1u << i));
		kit_run(t, SEC(1));
	}
	t->keepers[2].is_cut_off = true;
	KIT_DO(t, &who[0], .verb = OP_READ, .name = name);
	CHECK(t->keepers[0].caught[EVIDENCE_PROPOSAL] > 0);
	kit_free(t);
}

static const struct test tests[] = {
	TEST(test_liar_that_talks_garbage_is_counted_and_changes_nothing),
	TEST(test_liar_that_floods_does_not_starve_the_others),
	TEST(test_liar_that_says_different_things_is_seen_by_the_next_proposer),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
