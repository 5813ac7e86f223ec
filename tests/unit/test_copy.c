/* test_copy.c - whom to ask for copies, and when enough of them are there. */
#include "dht/copy.h"

#include "tests/unit/keeper_ops.h"

#define NOW SEC(10000)

struct puller {
	struct copy c;
	struct regmsg asked[COPY_SOURCES_MAX];
	struct pubkey to[COPY_SOURCES_MAX];
	size_t pulls, takes;
	bool refuses, full;
	struct config newest, before;
	struct pubkey self;
};

static void puller_random(void *ctx, void *out, size_t len)
{
	(void)ctx;
	memset(out, 9, len);
}

static void puller_pull(void *ctx, const struct pubkey *to, const struct regmsg *m, usec_t now)
{
	struct puller *p = ctx;

	(void)now;
	p->to[p->pulls % COPY_SOURCES_MAX] = *to;
	p->asked[p->pulls++ % COPY_SOURCES_MAX] = *m;
}

static bool puller_take(void *ctx, uint8_t slot, struct rd *entries, usec_t now)
{
	struct puller *p = ctx;

	(void)slot;
	(void)entries;
	(void)now;
	p->takes++;
	return !p->refuses;
}

static bool puller_room(void *ctx) { return !((struct puller *)ctx)->full; }

static struct config config_of_keys(uint32_t epoch, uint32_t first, uint8_t count)
{
	struct config cf = { .epoch = epoch, .count = count, .quorum = (uint8_t)(count / 2 + 1) };

	for (uint32_t i = 0; i < count; i++) {
		cf.members[i].node = kit_key(first + i).pub;
		cf.members[i].incarnation = first + i;
	}
	return cf;
}

/* Members 1, 2, 3 of epoch 4; 4, 5, 6 of epoch 5; we are 4. */
static void puller_begin(struct puller *p, bool installs)
{
	struct copy_env env = { p, puller_random, puller_pull, puller_take, puller_room };
	uint8_t nsid[NSID_LEN] = { 0 };

	memset(p, 0, sizeof(*p));
	p->before = config_of_keys(4, 1, 3);
	p->newest = config_of_keys(5, 4, 3);
	p->self = kit_key(4).pub;
	copy_init(&p->c, &env, nsid);
	if (installs)
		copy_aim(&p->c, &p->newest, &p->before, &p->self, NOW);
	else
		copy_aim(&p->c, &p->before, NULL, &p->self, NOW);
	copy_tick(&p->c, NOW);
}

static struct regmsg *asked_of(struct puller *p, uint32_t who)
{
	struct pubkey key = kit_key(who).pub;

	for (size_t i = p->pulls; i > 0 && i + COPY_SOURCES_MAX > p->pulls; i--)
		if (key_equal(&p->to[(i - 1) % COPY_SOURCES_MAX], &key))
			return &p->asked[(i - 1) % COPY_SOURCES_MAX];
	return NULL;
}

struct told {
	uint32_t epoch;
	bool sealed;
	uint64_t upto, position;
};

static void answers(struct puller *p, uint32_t who, struct told t)
{
	struct pubkey from = kit_key(who).pub;
	struct regmsg *asked = asked_of(p, who), m = { .type = REGMSG_CELLS, .upto = t.upto };

	CHECK(asked);
	m.request = asked ? asked->request : 0;
	m.state = (struct keeper_state){ .served = { 0, t.epoch }, .sealed = t.sealed,
					 .incarnation = who, .position = t.position };
	copy_input(&p->c, &from, &m, NOW);
}

static void test_copy_is_complete_with_a_quorum_of_sealed_sources(void)
{
	struct puller p;

	puller_begin(&p, true);
	CHECK_EQ_INT(p.pulls, 5);
	answers(&p, 1, (struct told){ 4, true, 10, 10 });
	CHECK(!copy_is_complete(&p.c, false));
	CHECK(copy_is_complete(&p.c, true)); /* we were the second */
	answers(&p, 2, (struct told){ 4, false, 10, 10 }); /* not sealed */
	CHECK(!copy_is_complete(&p.c, false));
	answers(&p, 3, (struct told){ 4, true, 10, 20 }); /* has more */
	CHECK(!copy_is_complete(&p.c, false));
	CHECK_EQ_INT(asked_of(&p, 3)->position, 10);
	answers(&p, 3, (struct told){ 4, true, 20, 20 });
	CHECK(copy_is_complete(&p.c, false));
}

static void test_copy_is_complete_with_one_that_was_complete_itself(void)
{
	struct puller p;

	puller_begin(&p, true);
	answers(&p, 5, (struct told){ 4, true, 10, 10 }); /* of the new set, and not yet there */
	answers(&p, 1, (struct told){ 3, true, 10, 10 }); /* of an older epoch */
	CHECK(!copy_is_complete(&p.c, true));
	answers(&p, 6, (struct told){ 5, false, 10, 10 });
	CHECK(copy_is_complete(&p.c, false));
}

/* Hardened sets, four of five: 1 to 5 of epoch 4, 4 to 8 of epoch 5; we are 8. */
static void gatherer_begin(struct puller *p)
{
	struct copy_env env = { p, puller_random, puller_pull, puller_take, puller_room };
	uint8_t nsid[NSID_LEN] = { 0 };

	memset(p, 0, sizeof(*p));
	p->before = config_of_keys(4, 1, 5);
	p->newest = config_of_keys(5, 4, 5);
	p->before.quorum = p->newest.quorum = 4;
	p->self = kit_key(8).pub;
	copy_init(&p->c, &env, nsid);
	p->c.gathers = true;
	copy_aim(&p->c, &p->newest, &p->before, &p->self, NOW);
	copy_tick(&p->c, NOW);
}

static void test_copy_in_hardened_sets_believes_no_one_that_is_whole(void)
{
	struct puller p;

	gatherer_begin(&p);
	for (uint32_t i = 5; i <= 7; i++) {
		answers(&p, i, (struct told){ 5, false, 10, 10 });
		CHECK(!copy_is_complete(&p.c, false));
	}
	answers(&p, 4, (struct told){ 5, false, 10, 10 });
	CHECK(copy_is_complete(&p.c, false));
	CHECK_EQ_INT(__builtin_popcount(copy_heard(&p.c, true)), 4);
	CHECK_EQ_INT(__builtin_popcount(copy_heard(&p.c, false)), 2);
}

static void test_copy_in_hardened_sets_counts_who_is_whole_as_one_of_the_old(void)
{
	struct puller p;

	gatherer_begin(&p);
	answers(&p, 1, (struct told){ 4, true, 10, 10 });
	answers(&p, 2, (struct told){ 4, true, 10, 10 });
	answers(&p, 6, (struct told){ 5, false, 10, 10 });
	answers(&p, 4, (struct told){ 4, true, 10, 10 });
	CHECK(!copy_is_complete(&p.c, false));
	answers(&p, 5, (struct told){ 5, false, 10, 10 });
	CHECK(copy_is_complete(&p.c, false) && !copy_heard_all(&p.c));
	answers(&p, 3, (struct told){ 4, true, 10, 10 });
	CHECK(copy_heard_all(&p.c));
}

/* Who does not know the set before has only the newest to ask. */
static void test_copy_in_hardened_sets_without_the_set_before_needs_a_quorum_of_the_newest(void)
{
	struct puller p;

	gatherer_begin(&p);
	copy_aim(&p.c, &p.newest, NULL, &p.self, NOW);
	copy_tick(&p.c, NOW);
	CHECK(!copy_is_complete(&p.c, false));
	for (uint32_t i = 4; i <= 7; i++) {
		CHECK(!copy_is_complete(&p.c, false));
		answers(&p, i, (struct told){ 5, false, 10, 10 });
	}
	CHECK(copy_is_complete(&p.c, false));
}

/* Where the newest set is the first that trusts nobody, a stranger's word is not enough. */
static void test_copy_into_the_first_hardened_set_is_from_who_was_trusted(void)
{
	struct puller p;

	gatherer_begin(&p);
	p.before.quorum = 3;
	p.c.gathers = false;
	copy_aim(&p.c, &p.newest, &p.before, &p.self, NOW);
	copy_tick(&p.c, NOW);
	answers(&p, 6, (struct told){ 5, false, 10, 10 });
	CHECK(!copy_is_complete(&p.c, false));
	answers(&p, 5, (struct told){ 5, false, 10, 10 });
	CHECK(copy_is_complete(&p.c, false));
}

static void test_copy_sources_that_stay_keep_their_numbers(void)
{
	struct puller p;
	struct config later = config_of_keys(6, 6, 5);
	uint8_t slot[16] = { 0 };
	uint16_t seen = 0;

	gatherer_begin(&p);
	for (size_t i = 0; i < p.c.count; i++)
		slot[p.c.source[i].incarnation] = p.c.source[i].slot;
	copy_aim(&p.c, &later, &p.newest, &p.self, NOW);
	for (size_t i = 0; i < p.c.count; i++) {
		const struct copy_source *s = &p.c.source[i];

		CHECK(!(seen & 1u << s->slot) && s->slot < COPY_SOURCES_MAX);
		seen |= (uint16_t)(1u << s->slot);
		CHECK(s->incarnation > 7 || s->slot == slot[s->incarnation]);
		CHECK((p.c.stayed >> s->slot & 1) == (s->incarnation <= 7));
	}
}

static void test_copy_does_not_count_another_incarnation_or_a_late_answer(void)
{
	struct puller p;
	struct pubkey from = kit_key(1).pub;
	struct regmsg m = { .type = REGMSG_CELLS, .upto = 10 };

	puller_begin(&p, true);
	m.request = asked_of(&p, 1)->request;
	m.state = (struct keeper_state){ .served = { 0, 4 }, .sealed = true, .incarnation = 77,
					 .position = 10 };
	copy_input(&p.c, &from, &m, NOW);
	m.state.incarnation = 1;
	m.request--;
	copy_input(&p.c, &from, &m, NOW);
	CHECK_EQ_INT(p.takes, 0);
	CHECK(!copy_is_complete(&p.c, true));
	m.request++;
	copy_input(&p.c, &from, &m, NOW);
	CHECK_EQ_INT(p.takes, 1);
	CHECK(copy_is_complete(&p.c, true));
}

static void test_copy_that_was_not_taken_comes_again(void)
{
	struct puller p;

	puller_begin(&p, true);
	p.refuses = true;
	answers(&p, 1, (struct told){ 4, true, 10, 10 });
	CHECK(!copy_is_complete(&p.c, true));
	copy_tick(&p.c, NOW + SEC(1));
	CHECK_EQ_INT(asked_of(&p, 1)->position, 0);
}

static void test_copy_goes_on_after_the_seal_where_it_was(void)
{
	struct puller p;

	puller_begin(&p, false);
	CHECK_EQ_INT(p.pulls, 3);
	CHECK_EQ_INT(copy_behind(&p.c, 2), UINT64_MAX);
	answers(&p, 1, (struct told){ 4, false, 900, 1000 });
	answers(&p, 2, (struct told){ 4, false, 500, 1000 });
	CHECK_EQ_INT(copy_behind(&p.c, 2), 500);
	CHECK_EQ_INT(copy_behind(&p.c, 1), 100);
	copy_aim(&p.c, &p.newest, &p.before, &p.self, NOW);
	copy_tick(&p.c, NOW);
	CHECK_EQ_INT(asked_of(&p, 1)->position, 900);
	CHECK_EQ_INT(asked_of(&p, 2)->position, 500);
	CHECK_EQ_INT(asked_of(&p, 3)->position, 0);
	CHECK_EQ_INT(asked_of(&p, 5)->position, 0);
}

static void test_copy_asks_one_that_does_not_answer_more_and_more_seldom(void)
{
	struct puller p;
	usec_t now = NOW;

	puller_begin(&p, false);
	while (copy_deadline(&p.c) < NOW + SEC(60)) {
		now = copy_deadline(&p.c);
		copy_tick(&p.c, now);
	}
	CHECK(p.pulls >= 3 * 12 && p.pulls <= 3 * 20);
}

static void test_copy_asks_for_nothing_while_the_disk_is_behind(void)
{
	struct puller p;

	puller_begin(&p, false);
	p.full = true;
	answers(&p, 1, (struct told){ 4, false, 10, 100 });
	CHECK_EQ_INT(p.pulls, 3);
	p.full = false;
	copy_tick(&p.c, copy_deadline(&p.c));
	CHECK_EQ_INT(p.pulls, 4);
}

static const struct test tests[] = {
	TEST(test_copy_is_complete_with_a_quorum_of_sealed_sources),
	TEST(test_copy_is_complete_with_one_that_was_complete_itself),
	TEST(test_copy_in_hardened_sets_believes_no_one_that_is_whole),
	TEST(test_copy_in_hardened_sets_counts_who_is_whole_as_one_of_the_old),
	TEST(test_copy_in_hardened_sets_without_the_set_before_needs_a_quorum_of_the_newest),
	TEST(test_copy_into_the_first_hardened_set_is_from_who_was_trusted),
	TEST(test_copy_sources_that_stay_keep_their_numbers),
	TEST(test_copy_does_not_count_another_incarnation_or_a_late_answer),
	TEST(test_copy_that_was_not_taken_comes_again),
	TEST(test_copy_goes_on_after_the_seal_where_it_was),
	TEST(test_copy_asks_one_that_does_not_answer_more_and_more_seldom),
	TEST(test_copy_asks_for_nothing_while_the_disk_is_behind),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
