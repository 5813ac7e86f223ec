/* test_sim_world.c - the simulated world: its queue, its dice, its clocks, its boxes, with an actor
 * that only notes what reaches it. */
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/sim_impl.h"
#include "tests/check.h"

/* --- an actor that notes --- */

struct probe {
	struct sim_host *h;
	unsigned got, ticks, pings;
	usec_t last, deadline;
	struct addr from;
};

static void *probe_start(struct sim_host *h, usec_t now)
{
	struct probe *p = mem_new(sizeof(*p));

	(void)now;
	p->h = h;
	p->deadline = USEC_NEVER;
	return p;
}

static void probe_stop(void *actor, bool graceful, usec_t now)
{
	(void)graceful, (void)now;
	free(actor);
}

static void probe_input(void *actor, uint8_t socket, const struct addr *from, uint8_t *bytes,
			size_t len, usec_t now)
{
	struct probe *p = actor;

	(void)socket, (void)bytes, (void)len;
	p->got++;
	p->last = now;
	p->from = *from;
}

static void probe_tick(void *actor, usec_t now)
{
	struct probe *p = actor;

	p->ticks++;
	p->last = now;
	p->deadline = USEC_NEVER;
}

static usec_t probe_deadline(const void *actor) { return ((const struct probe *)actor)->deadline; }

static void probe_sent(const void *actor, struct p2p_sent *sum)
{
	const struct probe *p = actor;

	sum->packets[P2P_SENT_PROBE] += p->pings;
	sum->bytes[P2P_SENT_PROBE] += p->pings * 10;
}

static const struct sim_actor_ops probes = { .name = "probe",
					     .start = probe_start,
					     .stop = probe_stop,
					     .input = probe_input,
					     .tick = probe_tick,
					     .sent = probe_sent,
					     .deadline = probe_deadline };

static struct sim *world(size_t nodes, uint64_t seed)
{
	struct sim_setup setup = {
		.seed = seed, .nodes = nodes, .actors = &probes, .dummy_crypto = true
	};
	struct sim *s = sim_new(&setup);

	for (size_t i = 0; i < nodes; i++)
		sim_start(s, i);
	return s;
}

static struct probe *probe(struct sim *s, size_t i) { return sim_actor(s, i); }

static void say(struct sim *s, size_t from, const struct addr *to)
{
	sim_host_send(probe(s, from)->h, 0, to, (const uint8_t *)"hello", 5, 0);
}

static void say_to(struct sim *s, size_t from, size_t to)
{
	say(s, from, sim_host_addr(sim_host(s, to)));
}

/* --- queue and dice --- */

static void test_heap_gives_the_earliest_and_equal_times_in_order(void)
{
	struct sim_heap h = { 0 };
	struct sim_rng r;
	usec_t last = 0;
	uint64_t order = 0;

	sim_rng_seed(&r, 5);
	for (uint64_t i = 0; i < 5000; i++)
		sim_heap_push(&h, sim_rng_next(&r) % 300, i % SIM_KINDS, i);
	for (size_t i = 0; i < 5000; i++) {
		struct sim_item item = sim_heap_pop(&h);

		CHECK(item.at > last || i == 0 || (item.at == last && item.what > order));
		CHECK_EQ_INT(sim_item_kind(&item), item.what % SIM_KINDS);
		last = item.at;
		order = item.what;
	}
	CHECK_EQ_INT(h.count, 0);
	sim_heap_fini(&h);
}

static void test_half_lives_are_exponential(void)
{
	struct sim_rng r;
	unsigned below[4] = { 0 };

	sim_rng_seed(&r, 7);
	for (unsigned i = 0; i < 40000; i++) {
		uint64_t x = sim_rng_half_lives(&r);

		for (unsigned k = 0; k < 4; k++)
			below[k] += x < (uint64_t)65536 * k / 2 + 32768;
	}
	/* Shares below 0.5, 1, 1.5 and 2 half-lives: 1 - 2^-x. */
	CHECK(below[0] > 11500 && below[0] < 11930);
	CHECK(below[1] > 19700 && below[1] < 20300);
	CHECK(below[2] > 25600 && below[2] < 26120);
	CHECK(below[3] > 29750 && below[3] < 30250);
}

/* --- links --- */

static void test_link_delays_lie_around_the_median_and_differ(void)
{
	struct sim *s = world(200, 3);
	unsigned early = 0;
	usec_t began = sim_now(s), least = USEC_NEVER, most = 0;

	sim_set_net(s, &(struct sim_net){ .delay = MSEC(20), .spread = 80 });
	for (size_t i = 0; i < 200; i += 2)
		say_to(s, i, i + 1);
	sim_run(s, began + SEC(1));
	for (size_t i = 1; i < 200; i += 2) {
		usec_t took = probe(s, i)->last - began;

		CHECK_EQ_INT(probe(s, i)->got, 1);
		early += took < MSEC(20);
		least = usec_min(least, took);
		most = took > most ? took : most;
	}
	CHECK(early > 30 && early < 70);
	CHECK(least < MSEC(12) && most > MSEC(28) && most <= MSEC(36));
	sim_free(s);
}

static void test_link_loses_and_doubles_its_share(void)
{
	struct sim *s = world(2, 3);

	sim_set_net(s, &(struct sim_net){ .delay = MSEC(1), .loss = 10 * SIM_PERCENT });
	for (unsigned i = 0; i < 2000; i++)
		say_to(s, 0, 1);
	sim_run(s, sim_now(s) + SEC(1));
	CHECK(probe(s, 1)->got > 1740 && probe(s, 1)->got < 1860);
	CHECK_EQ_INT(sim_stats(s).lost, 2000 - probe(s, 1)->got);
	CHECK_EQ_INT(sim_stats(s).bytes, 2000 * 33);
	sim_set_net(s, &(struct sim_net){ .delay = MSEC(1), .duplicate = 50 * SIM_PERCENT });
	for (unsigned i = 0; i < 1000; i++)
		say_to(s, 1, 0);
	sim_run(s, sim_now(s) + SEC(1));
	CHECK(probe(s, 0)->got > 1440 && probe(s, 0)->got < 1560);
	sim_free(s);
}

static void test_partition_is_silent_both_ways_until_it_heals(void)
{
	struct sim *s = world(3, 1);

	sim_set_side(s, 1, 1);
	say_to(s, 0, 1);
	say_to(s, 1, 0);
	say_to(s, 0, 2);
	sim_run(s, sim_now(s) + SEC(1));
	CHECK(probe(s, 0)->got == 0 && probe(s, 1)->got == 0 && probe(s, 2)->got == 1);
	sim_set_side(s, 1, 0);
	say_to(s, 0, 1);
	sim_run(s, sim_now(s) + SEC(1));
	CHECK_EQ_INT(probe(s, 1)->got, 1);
	sim_free(s);
}

static void test_packets_for_a_host_that_restarted_are_lost(void)
{
	struct sim *s = world(2, 1);

	say_to(s, 0, 1);
	sim_crash(s, 1);
	CHECK(!sim_actor(s, 1));
	sim_start(s, 1);
	sim_run(s, sim_now(s) + SEC(1));
	CHECK_EQ_INT(probe(s, 1)->got, 0);
	sim_free(s);
}

/* --- boxes --- */

/* Host 1 stands behind a box and has sent to host 0: who reaches it at the port that 0 saw, and is
 * that the port that host 2 sees when 1 sends there? */
static void box(enum sim_nat_kind kind, bool other_host, bool same_port)
{
	struct sim *s = world(3, 9);
	struct addr seen;

	sim_set_nat(s, 1, kind, SEC(30));
	say_to(s, 1, 0);
	sim_run(s, sim_now(s) + SEC(1));
	seen = probe(s, 0)->from;
	CHECK(!addr_equal(&seen, sim_host_addr(sim_host(s, 1))));
	say(s, 0, &seen);
	sim_run(s, sim_now(s) + SEC(1));
	CHECK_EQ_INT(probe(s, 1)->got, 1);
	say(s, 2, &seen);
	sim_run(s, sim_now(s) + SEC(1));
	CHECK_EQ_INT(probe(s, 1)->got, 1 + other_host);
	say_to(s, 0, 1); /* its private address means nothing outside */
	say_to(s, 1, 2);
	sim_run(s, sim_now(s) + SEC(1));
	CHECK_EQ_INT(probe(s, 1)->got, 1 + other_host);
	CHECK_EQ_INT(probe(s, 2)->from.port == seen.port, same_port);
	sim_run(s, sim_now(s) + SEC(31));
	say(s, 0, &seen);
	sim_run(s, sim_now(s) + SEC(1));
	CHECK_EQ_INT(probe(s, 1)->got, 1 + other_host); /* the mapping is forgotten */
	say_to(s, 1, 0);
	sim_run(s, sim_now(s) + SEC(1));
	CHECK(probe(s, 0)->from.port != seen.port);
	sim_free(s);
}

static void test_nat_full_lets_everybody_in(void) { box(SIM_NAT_FULL, true, true); }

static void test_nat_port_restricted_lets_in_who_was_sent_to(void)
{
	box(SIM_NAT_PORT, false, true);
	box(SIM_NAT_RESTRICTED, false, true);
}

static void test_nat_symmetric_has_a_port_for_each_peer(void)
{
	box(SIM_NAT_SYMMETRIC, false, false);
}

static void test_nat_restricted_does_not_ask_for_the_port(void)
{
	struct sim_nat *by_address = sim_nat_new(SIM_NAT_RESTRICTED, SEC(30));
	struct sim_nat *by_port = sim_nat_new(SIM_NAT_PORT, SEC(30));
	uint64_t peer = 0x09000001ull << 16 | 500, other_port = peer + 1;
	uint16_t a = sim_nat_out(by_address, peer, 1, SEC(1)),
		 b = sim_nat_out(by_port, peer, 1, SEC(1));

	CHECK(sim_nat_in(by_address, other_port, a, SEC(2)));
	CHECK(!sim_nat_in(by_port, other_port, b, SEC(2)));
	CHECK(sim_nat_in(by_port, peer, b, SEC(2)));
	CHECK(!sim_nat_in(by_port, peer, (uint16_t)(b + 1), SEC(2)));
	sim_nat_free(by_address);
	sim_nat_free(by_port);
}

static void test_nat_table_is_bounded(void)
{
	struct sim_nat *n = sim_nat_new(SIM_NAT_SYMMETRIC, SEC(1000));
	uint16_t first = sim_nat_out(n, 1 << 16, 3, SEC(1));

	for (uint64_t i = 2; i <= SIM_NAT_PEERS_MAX + 1; i++)
		sim_nat_out(n, i << 16, i * 7, SEC(i));
	CHECK(!sim_nat_in(n, 1 << 16, first, SEC(5000 - 4000 + 1)));
	sim_nat_free(n);
}

/* --- clocks --- */

static void test_a_fast_clock_wakes_early(void)
{
	struct sim *s = world(2, 1);
	usec_t began = sim_now(s);

	sim_set_rate(s, 1, 10000); /* one percent */
	for (size_t i = 0; i < 2; i++) {
		probe(s, i)->deadline = sim_host_now(s, i) + SEC(100);
		sim_touch(s, i);
	}
	sim_run(s, began + SEC(99));
	CHECK(probe(s, 0)->ticks == 0 && probe(s, 1)->ticks == 0);
	sim_run(s, began + MSEC(99100));
	CHECK(probe(s, 0)->ticks == 0 && probe(s, 1)->ticks == 1);
	CHECK(probe(s, 1)->last >= began + SEC(100));
	sim_run(s, began + SEC(100));
	CHECK_EQ_INT(probe(s, 0)->ticks, 1);
	sim_set_rate(s, 1, 0);
	CHECK_EQ_INT(sim_host_now(s, 1) - sim_host_now(s, 0), SEC(1));
	sim_free(s);
}

static void test_an_earlier_deadline_replaces_a_later_one(void)
{
	struct sim *s = world(1, 1);
	usec_t began = sim_now(s);

	probe(s, 0)->deadline = began + SEC(10);
	sim_touch(s, 0);
	probe(s, 0)->deadline = began + SEC(5);
	sim_touch(s, 0);
	sim_run(s, began + SEC(6));
	CHECK_EQ_INT(probe(s, 0)->ticks, 1);
	CHECK_EQ_INT(probe(s, 0)->last, began + SEC(5));
	probe(s, 0)->deadline =
		began + SEC(20); /* the item of second 10 is still there, and means nothing */
	sim_touch(s, 0);
	sim_run(s, began + SEC(19));
	CHECK_EQ_INT(probe(s, 0)->ticks, 1);
	sim_run(s, began + SEC(20));
	CHECK_EQ_INT(probe(s, 0)->ticks, 2);
	sim_free(s);
}

static void test_a_suspended_host_hears_nothing_and_wakes_late(void)
{
	struct sim *s = world(2, 1);
	usec_t began = sim_now(s);

	probe(s, 1)->deadline = began + SEC(10);
	sim_touch(s, 1);
	sim_sleep(s, 1, began + SEC(60));
	CHECK(!sim_is_awake(s, 1));
	say_to(s, 0, 1);
	sim_run(s, began + SEC(59));
	CHECK(probe(s, 1)->got == 0 && probe(s, 1)->ticks == 0);
	sim_run(s, began + SEC(60));
	CHECK_EQ_INT(probe(s, 1)->ticks, 1);
	CHECK_EQ_INT(probe(s, 1)->last, began + SEC(60));
	say_to(s, 0, 1);
	sim_run(s, began + SEC(61));
	CHECK_EQ_INT(probe(s, 1)->got, 1);
	sim_free(s);
}

/* --- identities, traces --- */

static void test_hosts_are_found_by_their_keys(void)
{
	struct sim *s = world(500, 4);
	struct pubkey old = sim_host_key(sim_host(s, 7))->pub, key;
	struct addr addr;

	for (size_t i = 0; i < 500; i++)
		CHECK_EQ_INT(sim_find(s, &sim_host_key(sim_host(s, i))->pub), i);
	sim_crash(s, 7);
	sim_wipe(s, 7);
	CHECK(sim_find(s, &old) == SIZE_MAX);
	CHECK_EQ_INT(sim_find(s, &sim_host_key(sim_host(s, 7))->pub), 7);
	for (size_t i = 0; i < 3000; i++) { /* more than there is room for */
		size_t host = i % 50;

		if (sim_actor(s, host))
			sim_crash(s, host);
		sim_wipe(s, host);
		CHECK_EQ_INT(sim_find(s, &sim_host_key(sim_host(s, host))->pub), host);
	}
	for (size_t i = 0; i < 500; i++)
		CHECK_EQ_INT(sim_find(s, &sim_host_key(sim_host(s, i))->pub), i);
	for (size_t i = 0; sim_host_bootstrap(sim_host(s, 300), i, &key, &addr); i++) {
		CHECK(sim_find(s, &key) < 300);
		CHECK(i < 10);
	}
	sim_free(s);
}

/* Nobody is everybody's contact: of 500 hosts with 6 each, none is told by more than a few dozen. */
static void test_contacts_are_spread_over_earlier_hosts(void)
{
	struct sim *s = world(500, 1);
	unsigned told[500] = { 0 };
	struct pubkey key;
	struct addr addr;

	for (size_t host = 1; host < 500; host++) {
		size_t i = 0, found;

		for (; sim_host_bootstrap(sim_host(s, host), i, &key, &addr); i++) {
			found = sim_find(s, &key);
			told[found]++;
			CHECK(host < 8 || found < host);
		}
		CHECK(i >= 1 && i <= 7);
	}
	for (size_t host = 20; host < 500; host++)
		CHECK(told[host] <= 30);
	CHECK(told[0] >= 7 && told[0] <= 60);
	sim_free(s);
}

/* What a host counted before it stopped stays; headers come on top. */
static void test_kinds_outlive_the_hosts_that_sent_them(void)
{
	struct sim *s = world(3, 1);
	struct p2p_sent sent;

	((struct probe *)sim_actor(s, 1))->pings = 4;
	((struct probe *)sim_actor(s, 2))->pings = 1;
	sim_crash(s, 1);
	sim_sent(s, &sent);
	CHECK_EQ_INT(sent.packets[P2P_SENT_PROBE], 5);
	CHECK_EQ_INT(sent.bytes[P2P_SENT_PROBE], 5 * (10 + 28));
	sim_start(s, 1);
	sim_sent(s, &sent);
	CHECK_EQ_INT(sent.packets[P2P_SENT_PROBE], 5);
	sim_free(s);
}

static uint64_t trace_of(uint64_t seed, unsigned packets)
{
	struct sim *s = world(4, seed);
	uint64_t trace;

	sim_set_net(s,
		    &(struct sim_net){ .delay = MSEC(5), .jitter = MSEC(2), .loss = SIM_PERCENT });
	for (unsigned i = 0; i < packets; i++)
		say_to(s, i % 4, (i + 1) % 4);
	sim_run(s, sim_now(s) + SEC(1));
	trace = sim_trace(s);
	sim_free(s);
	return trace;
}

static void test_traces_are_equal_for_equal_runs_only(void)
{
	CHECK(trace_of(1, 100) == trace_of(1, 100));
	CHECK(trace_of(1, 100) != trace_of(2, 100));
	CHECK(trace_of(1, 100) != trace_of(1, 99));
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_heap_gives_the_earliest_and_equal_times_in_order),
		TEST(test_half_lives_are_exponential),
		TEST(test_link_delays_lie_around_the_median_and_differ),
		TEST(test_link_loses_and_doubles_its_share),
		TEST(test_partition_is_silent_both_ways_until_it_heals),
		TEST(test_packets_for_a_host_that_restarted_are_lost),
		TEST(test_nat_full_lets_everybody_in),
		TEST(test_nat_port_restricted_lets_in_who_was_sent_to),
		TEST(test_nat_symmetric_has_a_port_for_each_peer),
		TEST(test_nat_restricted_does_not_ask_for_the_port),
		TEST(test_nat_table_is_bounded),
		TEST(test_a_fast_clock_wakes_early),
		TEST(test_an_earlier_deadline_replaces_a_later_one),
		TEST(test_a_suspended_host_hears_nothing_and_wakes_late),
		TEST(test_hosts_are_found_by_their_keys),
		TEST(test_contacts_are_spread_over_earlier_hosts),
		TEST(test_kinds_outlive_the_hosts_that_sent_them),
		TEST(test_traces_are_equal_for_equal_runs_only),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
