/* test_sim_check.c - the checkers of the simulator notice what is wrong: actors that tell any facts
 * the test wants, in a world where nothing is sent. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/sim_play.h"
#include "tests/check.h"

#define NODES 40

struct teller {
	struct sim_facts facts;
};

static void *teller_start(struct sim_host *h, usec_t now)
{
	(void)h, (void)now;
	return mem_new(sizeof(struct teller));
}

static void teller_stop(void *actor, bool graceful, usec_t now)
{
	(void)graceful, (void)now;
	free(actor);
}

static usec_t teller_deadline(const void *actor)
{
	(void)actor;
	return USEC_NEVER;
}

static void teller_facts(const void *actor, struct sim_facts *out, usec_t now)
{
	(void)now;
	*out = ((const struct teller *)actor)->facts;
}

static const struct sim_actor_ops tellers = { .name = "teller",
					      .start = teller_start,
					      .stop = teller_stop,
					      .deadline = teller_deadline,
					      .facts = teller_facts };

static struct sim_script script;

static void on_call(void *ctx, uint64_t what)
{
	(void)what;
	sim_check_look(ctx);
}

static struct sim_play *play(void)
{
	struct sim_setup setup = {
		.seed = 1, .nodes = NODES, .actors = &tellers, .dummy_crypto = true
	};
	struct sim_play *p = mem_new(sizeof(*p));
	struct sim_hooks hooks = { .ctx = p, .call = on_call };

	sim_script_init(&script, "test");
	script.join = 0;
	p->script = &script;
	p->s = sim_new(&setup);
	sim_set_hooks(p->s, &hooks);
	sim_check_init(p);
	for (size_t i = 0; i < NODES; i++)
		sim_start(p->s, i);
	sim_run(p->s, sim_now(p->s) + MINUTES(2));
	return p;
}

static void play_free(struct sim_play *p)
{
	sim_check_fini(p);
	sim_free(p->s);
	free(p);
}

static int compare_hosts(const void *a, const void *b)
{
	const struct node_id *x = a, *y = b;

	return memcmp(x, y, sizeof(*x));
}

/* Everybody that runs tells the true neighbours, `skip` places on (1 = the next one). */
static void tell_truth(struct sim_play *p, size_t skip)
{
	struct {
		struct node_id id;
		uint32_t host;
	} order[NODES];
	size_t n = 0;

	for (uint32_t i = 0; i < NODES; i++)
		if (sim_actor(p->s, i)) {
			order[n].id = id_of(&sim_host_key(sim_host(p->s, i))->pub);
			order[n++].host = i;
		}
	qsort(order, n, sizeof(order[0]), compare_hosts);
	for (size_t i = 0; i < n; i++) {
		struct teller *t = sim_actor(p->s, order[i].host);

		t->facts.next = sim_host_key(sim_host(p->s, order[(i + skip) % n].host))->pub;
		t->facts.previous =
			sim_host_key(sim_host(p->s, order[(i + n - skip) % n].host))->pub;
	}
}

static size_t wrong_now(struct sim_play *p)
{
	sim_check_sample(p);
	return p->samples[p->samples_count - 1].wrong;
}

static void test_check_one_ring_is_right(void)
{
	struct sim_play *p = play();

	CHECK_EQ_INT(wrong_now(p), NODES); /* nobody has said anything yet */
	tell_truth(p, 1);
	CHECK_EQ_INT(wrong_now(p), 0);
	play_free(p);
}

static void test_check_two_rings_are_wrong_everywhere(void)
{
	struct sim_play *p = play();

	tell_truth(p, 2);
	CHECK_EQ_INT(wrong_now(p), NODES);
	play_free(p);
}

static void test_check_one_liar_is_counted_once(void)
{
	struct sim_play *p = play();
	struct teller *t = sim_actor(p->s, 5);

	tell_truth(p, 1);
	t->facts.previous = t->facts.next;
	CHECK_EQ_INT(wrong_now(p), 1);
	t->facts.previous = (struct pubkey){ { 1 } }; /* nobody's key */
	CHECK_EQ_INT(wrong_now(p), 1);
	play_free(p);
}

static void test_check_links_with_the_dead_are_wrong(void)
{
	struct sim_play *p = play();

	tell_truth(p, 1);
	sim_crash(p->s, 5);
	CHECK_EQ_INT(wrong_now(p), 2); /* both neighbours */
	tell_truth(p, 1);
	CHECK_EQ_INT(wrong_now(p), 0);
	play_free(p);
}

static void test_check_the_young_may_be_passed_over_and_used(void)
{
	struct sim_play *p = play();

	sim_crash(p->s, 5);
	tell_truth(p, 1); /* without host 5 */
	sim_start(p->s, 5);
	CHECK_EQ_INT(wrong_now(p), 0);
	tell_truth(p, 1); /* with it */
	CHECK_EQ_INT(wrong_now(p), 0);
	sim_crash(p->s, 5);
	tell_truth(p, 1);
	sim_start(p->s, 5);
	sim_run(p->s, sim_now(p->s) + SIM_GROWN);
	CHECK_EQ_INT(wrong_now(p), 3); /* now it is grown: both neighbours and itself */
	play_free(p);
}

static void test_check_sides_are_rings_of_their_own(void)
{
	struct sim_play *p = play();

	tell_truth(p, 1);
	for (size_t i = 0; i < NODES / 2; i++)
		sim_set_side(p->s, i, 1);
	CHECK(wrong_now(p) > NODES / 4);
	for (size_t i = 0; i < NODES / 2; i++)
		sim_crash(p->s, i);
	tell_truth(p, 1); /* the other side alone */
	CHECK_EQ_INT(wrong_now(p), 0);
	play_free(p);
}

static void test_check_monitor_tells_when_the_ring_was_one_again(void)
{
	struct sim_play *p = play();
	usec_t began = sim_now(p->s);

	tell_truth(p, 1);
	sim_crash(p->s, 5);
	sim_check_watch(p, SIM_CRASH);
	sim_run(p->s, began + SEC(10));
	CHECK_EQ_INT(p->monitors[0].done, 0);
	tell_truth(p, 1);
	sim_run(p->s, began + SEC(20));
	CHECK(p->monitors[0].done > began + SEC(10) && p->monitors[0].done <= began + SEC(11));
	sim_start(p->s, 5); /* a monitor waits for the youngest, too */
	sim_check_watch(p, SIM_RESTART);
	sim_run(p->s, began + SEC(30));
	CHECK_EQ_INT(p->monitors[1].done, 0);
	tell_truth(p, 1);
	sim_run(p->s, began + SEC(31));
	CHECK(p->monitors[1].done > began + SEC(30));
	CHECK(p->monitors[0].done < began + SEC(12)); /* once is enough */
	play_free(p);
}

static void test_check_what_grows_without_end_is_named(void)
{
	struct sim_play *p = play();
	enum sim_gauge which = SIM_DEGREE;

	CHECK(isnan(sim_check_growth(p, &which)));
	for (size_t k = 0; k < 40; k++) {
		for (size_t i = 0; i < NODES; i++) {
			struct teller *t = sim_actor(p->s, i);

			t->facts.sessions = 30;
			t->facts.queued = 5 * k;
			t->facts.timers = 10 + k % 2;
		}
		sim_run(p->s, sim_now(p->s) + SEC(10));
		sim_check_sample(p);
	}
	CHECK(sim_check_growth(p, &which) > 25);
	CHECK_EQ_INT(which, SIM_QUEUED);
	p->samples_count -= 30;
	for (size_t k = 0; k < p->samples_count; k++)
		p->samples[k].mean[SIM_QUEUED] = 3;
	CHECK(sim_check_growth(p, &which) < 25);
	play_free(p);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_check_one_ring_is_right),
		TEST(test_check_two_rings_are_wrong_everywhere),
		TEST(test_check_one_liar_is_counted_once),
		TEST(test_check_links_with_the_dead_are_wrong),
		TEST(test_check_the_young_may_be_passed_over_and_used),
		TEST(test_check_sides_are_rings_of_their_own),
		TEST(test_check_monitor_tells_when_the_ring_was_one_again),
		TEST(test_check_what_grows_without_end_is_named),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
