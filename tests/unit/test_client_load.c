/* test_client_load.c - keepers with more to do than they can at once: how often an operation is sent. */
#include "tests/unit/regs_set.h"

#define CLIENTS 2
#define EACH 200
#define COST MSEC(4)   /* of one operation, at a keeper that works through them one by one */
#define IN_WORK 100    /* added to the service of a message whose turn at the keeper is fixed */

static usec_t ready[NODES_MAX]; /* when a keeper is through with what it has */
static size_t asked;

static bool is_operation(const struct rw_message *m)
{
	struct regmsg r;

	return m->service == REGS_SERVICE_REGISTER && regmsg_read(&r, m->b, m->len) &&
	       r.type == REGMSG_OPERATION;
}

static bool work(struct rw_world *w, struct rw_message *m)
{
	if (m->service >= IN_WORK) {
		m->service -= IN_WORK;
		return true;
	}
	if (!is_operation(m))
		return true;
	asked++;
	ready[m->to] = (ready[m->to] > w->now ? ready[m->to] : w->now) + COST;
	rw_post(w, m->from, m->to, m->service + IN_WORK, m->b, m->len);
	w->flight[w->flight_count - 1].at = ready[m->to];
	return false;
}

static size_t held(const struct rw_node *n)
{
	struct lease_info li;
	size_t at = 0, count = 0;

	while (leases_next(n->leases, &at, &li, n->w->now))
		count += li.name.kind == REG_ADDRESS && li.state == LEASE_HELD;
	return count;
}

static size_t held_by_all(const struct rw_world *w)
{
	size_t count = 0;

	for (size_t i = w->count - CLIENTS; i < w->count; i++)
		count += held(&w->node[i]);
	return count;
}

static struct rw_world *world_at_work(size_t keepers)
{
	struct rw_world *w = rw_new_set(30 + keepers, keepers);

	for (size_t i = 0; i < CLIENTS; i++)
		rw_join_router(w);
	w->delay = MSEC(1);
	w->jitter = 0;
	w->turns = true;
	w->hook = work;
	memset(ready, 0, sizeof(ready));
	asked = 0;
	for (size_t i = w->count - CLIENTS; i < w->count; i++)
		for (size_t k = 0; k < EACH; k++)
			CHECK_EQ_INT(leases_add_address(w->node[i].leases, NULL, w->now), 0);
	return w;
}

static usec_t until_held(struct rw_world *w, usec_t most)
{
	usec_t begun = w->now;

	while (held_by_all(w) < CLIENTS * EACH && w->now < begun + most)
		rw_run(w, MSEC(10));
	CHECK_EQ_INT(held_by_all(w), CLIENTS * EACH);
	return w->now - begun;
}

static void busy(size_t keepers)
{
	struct rw_world *w = world_at_work(keepers);
	usec_t took = until_held(w, SEC(20));

	printf("# %zu keepers: %d claims at once, sent %zu times, take %u ms\n", keepers,
	       CLIENTS * EACH, asked, (unsigned)(took / 1000));
	CHECK(asked <= CLIENTS * EACH * 11 / 10);
	CHECK(took < CLIENTS * EACH * COST + MSEC(500));
	rw_free(w);
}

static void test_load_sends_an_operation_once_to_a_keeper_that_works(void)
{
	busy(1);
	busy(3);
}

/* It answered a moment ago, and is gone: the others are asked soon all the same. */
static void test_load_of_a_keeper_that_dies_goes_to_the_others(void)
{
	struct rw_world *w = world_at_work(3);
	usec_t took;

	rw_run(w, MSEC(400));
	CHECK(held_by_all(w) > 50 && held_by_all(w) < CLIENTS * EACH);
	for (size_t i = 0; i < 3; i++)
		if (ready[i] > w->now) { /* one that has work */
			w->node[i].cut = true;
			break;
		}
	took = until_held(w, SEC(20));
	printf("# the keeper dies meanwhile: another %u ms\n", (unsigned)(took / 1000));
	CHECK(took < CLIENTS * EACH * COST + SEC(1));
	rw_free(w);
}

/* What a majority cannot be reached for is not taken for work. */
static void test_load_without_a_quorum_is_told_as_such(void)
{
	struct rw_world *w = world_at_work(3);
	size_t told = 0;

	rw_run(w, MSEC(400));
	w->node[1].cut = w->node[2].cut = true;
	for (size_t i = w->count - CLIENTS; i < w->count; i++)
		w->node[i].lease_event_count = 0;
	rw_run(w, SEC(6));
	for (size_t i = w->count - CLIENTS; i < w->count; i++)
		for (size_t k = 0; k < w->node[i].lease_event_count; k++)
			told += w->node[i].lease_events[k].type == LEASE_FAILED &&
				w->node[i].lease_events[k].status == REG_NO_QUORUM;
	CHECK(told > 100);
	rw_free(w);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_load_sends_an_operation_once_to_a_keeper_that_works),
		TEST(test_load_of_a_keeper_that_dies_goes_to_the_others),
		TEST(test_load_without_a_quorum_is_told_as_such),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
