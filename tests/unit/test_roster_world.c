/* test_roster_world.c - keepers in random worlds: what must hold whoever comes and goes. */
#include "dht/roster.h"

#include "tests/unit/roster_kit.h"

/* --- worlds: members come and go, each keeper has a roster, changes may fail --- */

#define WORLD_MAX 14

struct world {
	uint64_t dice;
	unsigned members, most;
	bool hardened;
	bool up[WORLD_MAX], right[WORLD_MAX];
	unsigned often[WORLD_MAX], rests[WORLD_MAX]; /* minutes up, minutes down, on average */
	struct roster *roster[WORLD_MAX];
	struct keeper_set set;
	usec_t changed;
	unsigned changes, causes; /* long absences and arrivals */
	usec_t since[WORLD_MAX];
	bool counted[WORLD_MAX];
};

static uint32_t dice(struct world *w)
{
	w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(w->dice >> 33);
}

static bool in_set(const struct world *w, unsigned i)
{
	for (size_t k = 0; k < w->set.count; k++)
		if (w->set.node[k].b[0] == 'A' + i)
			return true;
	return false;
}

static void world_check(const struct world *w, const struct keeper_set *want, usec_t now)
{
	unsigned alive = 0, alive_before = 0;

	CHECK(want->count == 1 || want->count == 3 || want->count == 5 || want->count == 7);
	CHECK(want->count <= w->most || want->count < w->set.count);
	CHECK_EQ_INT(want->quorum, roster_quorum(want->count, w->hardened));
	CHECK(now >= w->changed + SEC(60));
	for (size_t i = 0; i < want->count; i++) {
		unsigned at = want->node[i].b[0] - 'A';

		CHECK(at < w->members && w->right[at]);
		alive += at < w->members && w->up[at];
		for (size_t j = 0; j < i; j++)
			CHECK(want->node[i].b[0] != want->node[j].b[0]);
	}
	for (size_t i = 0; i < w->set.count; i++)
		alive_before += w->up[w->set.node[i].b[0] - 'A'];
	CHECK(alive >= want->quorum && alive_before >= w->set.quorum);
}

static void world_keeper(struct world *w, unsigned self, usec_t now)
{
	struct roster_view v = { .count = w->set.count, .quorum = w->set.quorum,
				 .most = (uint8_t)w->most, .hardened = w->hardened,
				 .settled = true };
	struct keeper_set want;

	if (!w->roster[self])
		w->roster[self] = roster_new(now);
	for (unsigned i = 0; i < w->members; i++) {
		struct pubkey k = key((char)('A' + i));

		roster_admit(w->roster[self], &k, now);
		roster_see(w->roster[self], &k, w->right[i], w->up[i], now);
	}
	roster_tick(w->roster[self], now);
	for (uint8_t i = 0; i < v.count; i++) {
		v.seat[i].node = w->set.node[i];
		v.seat[i].reachable = w->up[w->set.node[i].b[0] - 'A'];
		v.self = w->set.node[i].b[0] == 'A' + self ? i : v.self;
	}
	if (roster_decide(w->roster[self], &v, false, &want, now) == ROSTER_STAY)
		return;
	world_check(w, &want, now);
	roster_begun(w->roster[self], &v, &want, now);
	if (dice(w) % 5 == 0)
		return; /* it comes to nothing */
	w->set = want;
	w->changes++;
	w->changed = now;
	for (unsigned i = 0; i < w->members; i++)
		if (w->roster[i])
			roster_changed(w->roster[i], now);
}

/* Its process ends: what is durable is left. */
static void world_restart(struct world *w, unsigned i, usec_t now)
{
	uint8_t bytes[ROSTER_BYTES_MAX];
	size_t len = roster_write(w->roster[i], bytes, sizeof(bytes));

	roster_free(w->roster[i]);
	w->roster[i] = roster_new(now);
	CHECK(roster_read(w->roster[i], bytes, len, now));
}

static void world_turn(struct world *w, usec_t now, usec_t step)
{
	for (unsigned i = 0; i < w->members; i++) {
		uint64_t mean = w->up[i] ? w->often[i] : w->rests[i];

		if (mean && dice(w) % (MINUTES(mean) / step) == 0) {
			w->up[i] = !w->up[i];
			w->since[i] = now;
			w->counted[i] = false;
			if (!w->up[i] && w->roster[i] && dice(w) % 2)
				world_restart(w, i, now);
		}
		if (!w->counted[i] && now >= w->since[i] + (w->up[i] ? SEC(60) : MINUTES(10))) {
			w->counted[i] = true;
			w->causes++;
		}
	}
}

static void world_run(struct world *w, unsigned days)
{
	const usec_t step = SEC(30);

	w->set = (struct keeper_set){ .count = 1, .quorum = 1, .node = { key('A') } };
	for (usec_t now = DAYS(1); now < DAYS(days + 1); now += step) {
		world_turn(w, now, step);
		for (unsigned i = 0; i < w->members; i++)
			if (w->up[i] && in_set(w, i))
				world_keeper(w, i, now);
	}
	for (unsigned i = 0; i < w->members; i++)
		roster_free(w->roster[i]);
}

static void test_roster_in_random_worlds_every_set_is_legal_and_changes_have_causes(void)
{
	unsigned changes = 0, causes = 0;

	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct world w = { .dice = seed, .members = 3 + (unsigned)seed,
				   .most = seed % 3 == 0 ? 3 : seed % 3 == 1 ? 5 : 7,
				   .hardened = seed % 4 == 0 };

		w.members = w.members > WORLD_MAX ? WORLD_MAX : w.members;
		for (unsigned i = 0; i < w.members; i++) {
			w.up[i] = w.right[i] = true;
			w.often[i] = 20 + dice(&w) % 3000;
			w.rests[i] = 1 + dice(&w) % 120;
		}
		world_run(&w, 5);
		CHECK(w.changes <= w.causes + 5);
		changes += w.changes;
		causes += w.causes;
	}
	printf("# %u changes in 40 days, for %u absences and arrivals that lasted\n", changes, causes);
	CHECK(changes < causes / 2);
}

/* Five servers and three laptops that come and go all day: after a while the set stands still. */
static void test_roster_laptops_that_come_and_go_do_not_move_the_set_for_long(void)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct world w = { .dice = 100 + seed, .members = 7, .most = 5 };

		for (unsigned i = 0; i < w.members; i++) {
			w.up[i] = w.right[i] = true;
			w.often[i] = i < 4 ? 0 : 70; /* always, or about an hour at a time */
			w.rests[i] = i < 4 ? 0 : 40;
		}
		world_run(&w, 3);
		printf("# %u changes in 3 days\n", w.changes);
		CHECK(w.changes <= 20);
	}
}

static void test_roster_a_quiet_world_changes_twice_and_never_again(void)
{
	struct world w = { .dice = 7, .members = 5, .most = 5 };

	for (unsigned i = 0; i < w.members; i++)
		w.up[i] = w.right[i] = true;
	world_run(&w, 2);
	CHECK_EQ_INT(w.changes, 2); /* to three, to five */
	CHECK_EQ_INT(w.set.count, 5);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_roster_in_random_worlds_every_set_is_legal_and_changes_have_causes),
		TEST(test_roster_laptops_that_come_and_go_do_not_move_the_set_for_long),
		TEST(test_roster_a_quiet_world_changes_twice_and_never_again),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
