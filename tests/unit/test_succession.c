/* test_succession.c - keeper sets that grow, shrink, lose members, and are cut short at every step:
 * nobody ever owns twice, and claims go on. */
#include "tests/unit/succession_kit.h"

static void test_succession_grows_and_shrinks_step_by_step(void)
{
	static const char *const sets[] = { "012", "01234", "0123456", "01234", "034", "3", "03567" };
	struct sk *s = sk_new(1, 8);

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		size_t at = i == 6 ? 3 : i < 5 ? 0 : 4;
		usec_t took;

		CHECK_EQ_INT(sk_change(s, at, sets[i]), 0);
		took = sk_wait(s, (uint32_t)i + 2, sets[i], SEC(30));
		CHECK(took < SEC(5));
		if (took == USEC_NEVER)
			break;
	}
	sk_free(s);
}

/* A member of the set for good: its process is gone. */
static void dies(struct sk *s, size_t i)
{
	rw_stop(&s->w->node[i], false);
}

static void loses_disk(struct sk *s, size_t i)
{
	struct rw_node *n = &s->w->node[i];

	rw_stop(n, false);
	for (size_t k = 0; k < n->disk_count;) {
		uint8_t key = n->disk[k].key[0];

		if (key != 'r' && key != 'e' && key != 'k' && key != 'i') {
			k++;
			continue;
		}
		free(n->disk[k].value);
		n->disk[k] = n->disk[--n->disk_count];
	}
	rw_start(n);
	for (size_t k = 0; k < s->w->count; k++)
		if (n->attached[k] && s->w->node[k].regs) {
			regs_peer_gone(s->w->node[k].regs, &n->key.pub, s->w->now);
			rw_attach(n, &s->w->node[k]);
		}
}

static void test_succession_replaces_a_member_that_died(void)
{
	struct sk *s = sk_new(2, 5);

	CHECK_EQ_INT(sk_change(s, 0, "012"), 0);
	CHECK(sk_wait(s, 2, "012", SEC(30)) != USEC_NEVER);
	dies(s, 2);
	CHECK_EQ_INT(sk_change(s, 1, "013"), 0);
	CHECK(sk_wait(s, 3, "013", SEC(30)) < SEC(5));
	sk_free(s);
}

static void test_succession_takes_a_member_that_lost_its_disk_again_under_a_new_incarnation(void)
{
	struct sk *s = sk_new(3, 4);
	struct keeper_info info[KEEPERS_MAX];
	const struct config *cf;
	uint64_t before;

	CHECK_EQ_INT(sk_change(s, 0, "012"), 0);
	CHECK(sk_wait(s, 2, "012", SEC(30)) != USEC_NEVER);
	before = regs_keepers(s->w->node[0].regs)->members[2].incarnation;
	CHECK_EQ_INT(sk_change(s, 0, "012"), -EINVAL); /* nothing to change */
	loses_disk(s, 2);
	sk_run(s, SEC(10));
	CHECK(!regs_is_keeper(s->w->node[2].regs));
	CHECK_EQ_INT(regs_keeper_infos(s->w->node[0].regs, info, s->w->now), 3);
	CHECK(info[2].lost && info[2].reachable && !info[2].installed);
	CHECK(!info[1].lost && info[1].installed);
	CHECK_EQ_INT(sk_change(s, 0, "012"), 0);
	CHECK(sk_wait(s, 3, "012", SEC(30)) < SEC(5));
	cf = regs_keepers(s->w->node[0].regs);
	CHECK(cf->members[2].incarnation != before);
	sk_free(s);
}

static void test_succession_of_a_set_without_a_quorum_does_not_happen(void)
{
	struct sk *s = sk_new(4, 5);

	CHECK_EQ_INT(sk_change(s, 0, "012"), 0);
	CHECK(sk_wait(s, 2, "012", SEC(30)) != USEC_NEVER);
	dies(s, 2);
	dies(s, 1);
	CHECK_EQ_INT(sk_change(s, 0, "034"), 0);
	sk_run(s, SEC(60));
	CHECK_EQ_INT(sk_epoch(s, 0), 2);
	sk_free(s);
}

static void test_succession_to_one_that_does_not_answer_is_given_up(void)
{
	struct sk *s = sk_new(5, 4);

	dies(s, 2);
	CHECK_EQ_INT(sk_change(s, 0, "012"), 0);
	CHECK(regs_is_changing(s->w->node[0].regs));
	CHECK_EQ_INT(sk_change(s, 0, "013"), -EBUSY);
	sk_run(s, SEC(30));
	CHECK(!regs_is_changing(s->w->node[0].regs));
	CHECK_EQ_INT(sk_epoch(s, 0), 1);
	CHECK(regs_is_keeper(s->w->node[0].regs));
	CHECK_EQ_INT(sk_change(s, 0, "013"), 0);
	CHECK(sk_wait(s, 2, "013", SEC(30)) < SEC(5));
	sk_free(s);
}

static void test_succession_refuses_what_is_no_set(void)
{
	struct sk *s = sk_new(6, 4);
	struct keeper_set set = sk_set(s, "012");

	CHECK_EQ_INT(sk_change(s, 0, "01"), -EINVAL);
	CHECK_EQ_INT(sk_change(s, 0, ""), -EINVAL);
	CHECK_EQ_INT(sk_change(s, 0, "011"), -EINVAL);
	CHECK_EQ_INT(sk_change(s, 0, "0"), -EINVAL);
	CHECK_EQ_INT(sk_change(s, 1, "012"), -EPERM);
	set.quorum = 1;
	CHECK_EQ_INT(regs_change_keepers(s->w->node[0].regs, &set, s->w->now), -EINVAL);
	set.quorum = 4;
	CHECK_EQ_INT(regs_change_keepers(s->w->node[0].regs, &set, s->w->now), -EINVAL);
	CHECK(!regs_is_changing(s->w->node[0].regs));
	sk_free(s);
}

/* Two that want different sets: one of the two comes about, or one after the other. */
static void test_succession_by_two_at_once_ends_in_one_set(void)
{
	for (uint64_t seed = 10; seed < 20; seed++) {
		struct sk *s = sk_new(seed, 6);
		uint32_t epoch;

		CHECK_EQ_INT(sk_change(s, 0, "012"), 0);
		CHECK(sk_wait(s, 2, "012", SEC(30)) != USEC_NEVER);
		CHECK_EQ_INT(sk_change(s, 0, "013"), 0);
		CHECK_EQ_INT(sk_change(s, 1, "145"), 0);
		sk_run(s, SEC(20));
		epoch = sk_epoch(s, 1);
		CHECK(epoch >= 3);
		CHECK(sk_is(s, epoch, "013") || sk_is(s, epoch, "145"));
		sk_free(s);
	}
}

/* A keeper that was cut off through two changes and comes back. */
static void test_succession_leads_one_that_was_away_to_the_newest_set(void)
{
	struct sk *s = sk_new(7, 6);

	CHECK_EQ_INT(sk_change(s, 0, "012"), 0);
	CHECK(sk_wait(s, 2, "012", SEC(30)) != USEC_NEVER);
	s->w->node[2].cut = true;
	CHECK_EQ_INT(sk_change(s, 0, "01345"), 0);
	CHECK(sk_wait(s, 3, "01345", SEC(30)) < SEC(5));
	CHECK_EQ_INT(sk_change(s, 0, "345"), 0);
	CHECK(sk_wait(s, 4, "345", SEC(30)) < SEC(5));
	CHECK(regs_is_keeper(s->w->node[2].regs)); /* so it believes */
	s->w->node[2].cut = false;
	CHECK(sk_wait(s, 4, "345", SEC(30)) < SEC(10));
	CHECK_EQ_INT(sk_epoch(s, 2), 4);
	CHECK_EQ_INT(sk_change(s, 3, "245"), 0);
	CHECK(sk_wait(s, 5, "245", SEC(30)) < SEC(5));
	sk_free(s);
}

/* Epoch of the newest set, and of the set served, as the disk says. */
static uint32_t stored(const struct rw_node *n, char key, size_t at)
{
	for (size_t i = 0; i < n->disk_count; i++) {
		struct rd r = rd_of(n->disk[i].value, n->disk[i].len);

		if (n->disk[i].key_len != 1 || n->disk[i].key[0] != key)
			continue;
		rd_bytes(&r, at);
		return rd_u32(&r);
	}
	return 0;
}

/* Else a restart would find registers of a set that it does not know, drop them, and go back. */
static void test_succession_serves_no_set_that_the_disk_does_not_know(void)
{
	for (size_t fails = 1; fails <= 6; fails++) {
		struct sk *s = sk_new(8, 5);
		struct rw_node *n = &s->w->node[2];

		CHECK_EQ_INT(sk_change(s, 0, "012"), 0);
		CHECK(sk_wait(s, 2, "012", SEC(30)) != USEC_NEVER);
		n->cut = true;
		sk_run(s, SEC(11));
		n->cut = false;
		CHECK_EQ_INT(sk_change(s, 0, "01234"), 0);
		while (sk_epoch(s, 0) == 2)
			sk_run(s, MSEC(10));
		n->fails_in = fails;
		for (size_t i = 0; i < 400; i++) {
			sk_run(s, MSEC(10));
			CHECK(stored(n, 'i', 5) <= stored(n, 'c', 1 + KEY_LEN + 4));
		}
		CHECK(sk_is(s, 3, "01234"));
		sk_free(s);
	}
}

static void test_succession_claims_go_on_while_keepers_change(void)
{
	static const char *const sets[] = { "012", "01234", "134", "3", "301", "30142" };
	struct sk *s = sk_new(8, 9);

	s->first = 6;
	s->claims = true;
	sk_run(s, SEC(2));
	CHECK(s->ok > 10);
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		s->longest = 0;
		CHECK_EQ_INT(sk_change(s, i < 3 ? (i == 2 ? 1 : 0) : 3, sets[i]), 0);
		CHECK(sk_wait(s, (uint32_t)i + 2, sets[i], SEC(30)) < SEC(6));
		sk_run(s, SEC(2));
		printf("# %s: longest pause %u ms, %zu ok\n", sets[i],
		       (unsigned)(s->longest / 1000), s->ok);
	}
	CHECK_EQ_INT(s->violations, 0);
	sk_free(s);
}

/* --- cut short --- */

enum cut { AT_MESSAGE_SENT, AT_MESSAGE_TAKEN, AT_WRITE };

static struct {
	size_t victim, left;
	bool sent;
} killing;

/* The victim dies when it has sent, or before it takes, so many messages between keepers. */
static bool kill_hook(struct rw_world *w, struct rw_message *m)
{
	struct rw_node *n = &w->node[killing.victim];

	if ((killing.sent ? m->from : m->to) != killing.victim || n->dead)
		return true;
	if (killing.left == 0)
		n->dead = true;
	else
		killing.left--;
	return !n->dead;
}

static bool is_settled(struct sk *s)
{
	for (size_t i = 0; i < s->w->count; i++) {
		const struct config *cf = regs_keepers(s->w->node[i].regs);
		char nodes[KEEPERS_MAX + 1] = "";

		if (!regs_is_keeper(s->w->node[i].regs))
			continue;
		for (size_t k = 0; k < cf->count; k++)
			nodes[k] = (char)('0' + rw_index(s->w, &cf->members[k].node));
		return sk_is(s, cf->epoch, nodes);
	}
	return false;
}

static bool settles(struct sk *s, usec_t most)
{
	usec_t end = s->w->now + most;

	while (s->w->now < end && !is_settled(s))
		sk_run(s, MSEC(50));
	return is_settled(s);
}

/* Some keeper of the present set changes it once more, when what was begun is over. */
static bool can_change(struct sk *s)
{
	for (int tries = 0; tries < 8; tries++) {
		for (size_t i = 0; i < s->w->count; i++) {
			uint32_t epoch = sk_epoch(s, i);

			if (regs_is_keeper(s->w->node[i].regs) && sk_change(s, i, "124") == 0)
				return sk_wait(s, epoch + 1, "124", SEC(30)) != USEC_NEVER;
		}
		sk_run(s, SEC(5));
	}
	return false;
}

/* 012 is to become 034; the victim dies at that point and comes back 3 s later. False: it was never
 * reached. */
static bool cut_short(size_t victim, enum cut at, size_t count)
{
	struct sk *s = sk_new(100 + victim * 1000 + at * 100 + count, 7);
	struct rw_node *n = &s->w->node[victim];
	bool killed;

	CHECK_EQ_INT(sk_change(s, 0, "012"), 0);
	CHECK(sk_wait(s, 2, "012", SEC(30)) != USEC_NEVER);
	s->first = 5;
	s->claims = true;
	sk_run(s, SEC(1));
	killing.victim = victim;
	killing.left = at == AT_WRITE ? SIZE_MAX : count;
	killing.sent = at == AT_MESSAGE_SENT;
	s->claims = false;
	sk_run(s, SEC(1));
	s->w->hook = kill_hook;
	if (at == AT_WRITE)
		n->writes_left = count;
	CHECK_EQ_INT(sk_change(s, 0, "034"), 0);
	sk_run(s, SEC(2));
	killed = n->dead;
	s->w->hook = NULL;
	n->writes_left = SIZE_MAX;
	s->claims = true;
	if (killed) {
		rw_stop(n, count % 2);
		sk_run(s, SEC(3));
		rw_start(n);
		for (size_t i = 0; i < s->w->count; i++)
			if (n->attached[i])
				rw_attach(n, &s->w->node[i]);
	}
	CHECK(settles(s, SEC(30)));
	CHECK(can_change(s));
	CHECK_EQ_INT(s->violations, 0);
	CHECK(s->ok > 20);
	sk_free(s);
	return killed;
}

/* At every `step`th, until the change is over before it is reached. */
static void cut_at_every(size_t victim, enum cut at, size_t step)
{
	size_t n = 0;

	while (n < 400 && cut_short(victim, at, n))
		n += step;
	CHECK(n >= 5 && n < 400);
}

static void test_succession_survives_its_coordinator_at_every_write(void)
{
	cut_at_every(0, AT_WRITE, 1);
}

static void test_succession_survives_its_coordinator_after_every_other_message(void)
{
	cut_at_every(0, AT_MESSAGE_SENT, 2);
}

static void test_succession_survives_its_coordinator_before_every_third_message(void)
{
	cut_at_every(0, AT_MESSAGE_TAKEN, 3);
}

static void test_succession_survives_a_new_member_cut_short(void)
{
	cut_at_every(3, AT_WRITE, 1);
	cut_at_every(3, AT_MESSAGE_TAKEN, 4);
}

static void test_succession_survives_a_leaving_member_cut_short(void)
{
	cut_at_every(1, AT_WRITE, 2);
	cut_at_every(1, AT_MESSAGE_SENT, 2);
}

/* --- bad weather --- */

static void restarts(struct sk *s, size_t i, bool flushed)
{
	rw_restart(&s->w->node[i], flushed);
}

/* A random set of 1, 3 or 5 of the first five, asked of a random one of them. */
static void changes_somewhere(struct sk *s)
{
	static const char *const sets[] = { "0", "1", "2", "012", "123", "234", "034", "014", "01234" };

	sk_change(s, rw_dice(s->w) % 5, sets[rw_dice(s->w) % ARRAY_LEN(sets)]);
}

static void weather(struct sk *s, bool disks_too)
{
	struct rw_world *w = s->w;
	size_t victim = rw_dice(w) % 5;

	switch (rw_dice(w) % (disks_too ? 7 : 6)) {
	case 0: restarts(s, victim, rw_dice(w) % 2); break;
	case 1: w->node[victim].cut = true; break;
	case 2:
	case 3: w->node[victim].cut = false; break;
	case 6: loses_disk(s, victim); break;
	default: changes_somewhere(s);
	}
}

static void storm(uint64_t seed, bool disks_too)
{
	struct sk *s = sk_new(seed, 8);

	CHECK_EQ_INT(sk_change(s, 0, "012"), 0);
	CHECK(sk_wait(s, 2, "012", SEC(30)) != USEC_NEVER);
	s->first = 5;
	s->claims = true;
	s->w->loss = 20;
	s->w->doubled = 5;
	for (int i = 0; i < 60; i++) {
		weather(s, disks_too);
		sk_run(s, MSEC(rw_dice(s->w) % 2000));
	}
	s->w->loss = 0;
	for (size_t i = 0; i < 5; i++)
		s->w->node[i].cut = false;
	if (disks_too)
		sk_run(s, SEC(20));
	else
		CHECK(settles(s, SEC(60)));
	CHECK_EQ_INT(s->violations, 0);
	sk_free(s);
}

static void test_succession_in_bad_weather_gives_nothing_twice(void)
{
	for (uint64_t seed = 0; seed < 8; seed++)
		storm(300 + seed, false);
}

static void test_succession_among_lost_disks_gives_nothing_twice(void)
{
	for (uint64_t seed = 0; seed < 8; seed++)
		storm(400 + seed, true);
}

static const struct test tests[] = {
	TEST(test_succession_grows_and_shrinks_step_by_step),
	TEST(test_succession_replaces_a_member_that_died),
	TEST(test_succession_takes_a_member_that_lost_its_disk_again_under_a_new_incarnation),
	TEST(test_succession_of_a_set_without_a_quorum_does_not_happen),
	TEST(test_succession_to_one_that_does_not_answer_is_given_up),
	TEST(test_succession_refuses_what_is_no_set),
	TEST(test_succession_by_two_at_once_ends_in_one_set),
	TEST(test_succession_leads_one_that_was_away_to_the_newest_set),
	TEST(test_succession_serves_no_set_that_the_disk_does_not_know),
	TEST(test_succession_claims_go_on_while_keepers_change),
	TEST(test_succession_survives_its_coordinator_at_every_write),
	TEST(test_succession_survives_its_coordinator_after_every_other_message),
	TEST(test_succession_survives_its_coordinator_before_every_third_message),
	TEST(test_succession_survives_a_new_member_cut_short),
	TEST(test_succession_survives_a_leaving_member_cut_short),
	TEST(test_succession_in_bad_weather_gives_nothing_twice),
	TEST(test_succession_among_lost_disks_gives_nothing_twice),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
