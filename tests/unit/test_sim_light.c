/* test_sim_light.c - nodes of a ring and a DHT alone, in the simulator's engine. */
#include "cmd/sim.h"
#include "tests/check.h"

#define NODES 40

static struct {
	unsigned done, ok, hops;
} seen;

static void on_done(void *ctx, size_t host, uint64_t op, bool ok, unsigned hops)
{
	(void)ctx, (void)host, (void)op;
	seen.done++;
	seen.ok += ok;
	seen.hops += hops;
}

static void on_host(void *ctx, size_t host)
{
	(void)ctx, (void)host;
}

static void on_call(void *ctx, uint64_t what)
{
	(void)ctx, (void)what;
}

/* All of them are started, a tenth of a second apart. */
static struct sim *world(size_t nodes)
{
	static const struct sim_hooks hooks = { .done = on_done, .started = on_host, .fell = on_host,
						.call = on_call };
	struct sim_setup setup = { .seed = 7, .nodes = nodes, .actors = &sim_light,
				   .dummy_crypto = true };
	struct sim *s = sim_new(&setup);

	memset(&seen, 0, sizeof(seen));
	sim_set_hooks(s, &hooks);
	for (size_t i = 0; i < nodes; i++) {
		sim_start(s, i);
		sim_run(s, sim_now(s) + MSEC(100));
	}
	return s;
}

static void wait(struct sim *s, usec_t time)
{
	sim_run(s, sim_now(s) + time);
}

static struct sim_facts facts(struct sim *s, size_t i)
{
	struct sim_facts f;

	sim_ops(s)->facts(sim_actor(s, i), &f, sim_host_now(s, i));
	return f;
}

static void send(struct sim *s, size_t from, size_t to)
{
	sim_ops(s)->send(sim_actor(s, from), sim_op(s), &sim_host_key(sim_host(s, to))->pub,
			 sim_host_now(s, from));
	sim_touch(s, from);
}

static void send_all(struct sim *s, size_t nodes)
{
	for (size_t i = 0; i < nodes; i++)
		if (sim_actor(s, i) && sim_actor(s, (i + 7) % nodes))
			send(s, i, (i + 7) % nodes);
	wait(s, SEC(9));
}

static void test_sim_light_nodes_become_one_ring(void)
{
	struct sim *s = world(NODES);
	size_t at = 0, met = 0;

	wait(s, SEC(20));
	do {
		struct pubkey next = facts(s, at).next;

		at = sim_find(s, &next);
		met++;
	} while (at != 0 && at != SIZE_MAX && met <= NODES);
	CHECK_EQ_INT(at, 0);
	CHECK_EQ_INT(met, NODES);
	sim_free(s);
}

static void test_sim_light_sends_arrive_and_say_over_how_many_links(void)
{
	struct sim *s = world(NODES);

	wait(s, SEC(20));
	send_all(s, NODES);
	CHECK_EQ_INT(seen.done, NODES);
	CHECK_EQ_INT(seen.ok, NODES);
	CHECK(seen.hops >= NODES && seen.hops <= 4 * NODES);
	sim_free(s);
}

/* All that was sent is of some kind: nothing of light nodes is "other". */
static void test_sim_light_every_packet_and_byte_is_of_a_kind(void)
{
	struct sim *s = world(NODES);
	struct p2p_sent sent;
	uint64_t packets = 0, bytes = 0;

	wait(s, SEC(20));
	sim_crash(s, 3);
	sim_stop(s, 5);
	send_all(s, NODES);
	sim_sent(s, &sent);
	for (unsigned k = 0; k < P2P_SENT_KINDS; k++) {
		packets += sent.packets[k];
		bytes += sent.bytes[k];
		CHECK(!sent.packets[k] == !sent.bytes[k]);
	}
	CHECK_EQ_INT(packets, sim_stats(s).sent);
	CHECK_EQ_INT(bytes, sim_stats(s).bytes);
	CHECK(sent.packets[P2P_SENT_HANDSHAKE] >= 2 * (NODES - 1));
	CHECK(sent.packets[P2P_SENT_ROUTED + ROUTED_TRACE] >= NODES - 3);
	CHECK(sent.packets[P2P_SENT_MESSAGE + SERVICE_RING] > 0);
	CHECK(sent.packets[P2P_SENT_CLOSE] > 0);
	sim_free(s);
}

static void test_sim_light_send_to_itself_crosses_no_link(void)
{
	struct sim *s = world(2);

	send(s, 1, 1);
	wait(s, SEC(1));
	CHECK_EQ_INT(seen.ok, 1);
	CHECK_EQ_INT(seen.hops, 0);
	sim_free(s);
}

static void test_sim_light_send_to_a_host_that_vanished_fails_once(void)
{
	struct sim *s = world(NODES);

	wait(s, SEC(20));
	sim_crash(s, 5);
	send(s, 9, 5);
	wait(s, SEC(7));
	CHECK_EQ_INT(seen.done, 0);
	wait(s, SEC(30));
	CHECK_EQ_INT(seen.done, 1);
	CHECK_EQ_INT(seen.ok, 0);
	sim_free(s);
}

static void test_sim_light_link_ends_after_twenty_seconds_of_silence(void)
{
	struct sim *s = world(2);

	wait(s, SEC(5));
	CHECK_EQ_INT(facts(s, 0).ring.links, 1);
	sim_set_side(s, 1, 1);
	wait(s, SEC(14));
	CHECK_EQ_INT(facts(s, 0).ring.links, 1);
	wait(s, SEC(8));
	CHECK_EQ_INT(facts(s, 0).ring.links, 0);
	sim_free(s);
}

static void test_sim_light_host_that_started_again_has_its_link_at_once(void)
{
	struct sim *s = world(2);

	wait(s, SEC(5));
	sim_crash(s, 1);
	sim_start(s, 1);
	wait(s, SEC(3));
	CHECK_EQ_INT(facts(s, 0).ring.links, 1);
	CHECK_EQ_INT(facts(s, 1).ring.links, 1);
	send(s, 0, 1);
	wait(s, MSEC(400)); /* not the second try */
	CHECK_EQ_INT(seen.ok, 1);
	sim_free(s);
}

static void test_sim_light_host_that_says_goodbye_is_gone_at_once(void)
{
	struct sim *s = world(3);

	wait(s, SEC(5));
	sim_stop(s, 2);
	wait(s, SEC(1));
	CHECK_EQ_INT(facts(s, 0).ring.links, 1);
	sim_free(s);
}

static void test_sim_light_droppers_drop_what_is_not_theirs(void)
{
	struct sim *s = world(NODES);

	wait(s, SEC(20));
	for (size_t i = 0; i < NODES; i++)
		sim_set_faults(s, i, SIM_DROPS);
	send_all(s, NODES);
	CHECK_EQ_INT(seen.done, NODES);
	CHECK_EQ_INT(seen.hops, seen.ok); /* only over one link */
	CHECK(seen.ok < NODES);
	sim_free(s);
}

static void test_sim_light_packets_of_misrouters_come_to_an_end(void)
{
	struct sim *s = world(NODES);
	uint64_t before;

	wait(s, SEC(20));
	for (size_t i = 0; i < NODES; i++)
		sim_set_faults(s, i, SIM_MISROUTES);
	before = sim_stats(s).sent;
	send_all(s, NODES);
	CHECK_EQ_INT(seen.done, NODES);
	CHECK(sim_stats(s).sent - before < (uint64_t)NODES * 4 * 2 * RING_HOPS + 4000);
	sim_free(s);
}

static void ask(struct sim *s, size_t from, uint64_t topic,
		void (*what)(void *actor, uint64_t op, uint64_t topic, usec_t now))
{
	what(sim_actor(s, from), sim_op(s), topic, sim_host_now(s, from));
	sim_touch(s, from);
	wait(s, SEC(5));
}

static void test_sim_light_lookups_find_what_was_published_and_nothing_else(void)
{
	struct sim *s = world(NODES);

	wait(s, SEC(20));
	ask(s, 3, 77, sim_light.publish);
	wait(s, SEC(10));
	CHECK_EQ_INT(seen.ok, 1);
	ask(s, 30, 77, sim_light.lookup);
	CHECK_EQ_INT(seen.ok, 2);
	ask(s, 30, 78, sim_light.lookup);
	CHECK_EQ_INT(seen.done, 3);
	CHECK_EQ_INT(seen.ok, 2);
	sim_free(s);
}

static void test_sim_light_forged_records_are_not_taken_for_the_real_ones(void)
{
	struct sim *s = world(NODES);

	wait(s, SEC(20));
	for (size_t i = 1; i < NODES; i++)
		sim_set_faults(s, i, SIM_JUNK);
	ask(s, 30, 79, sim_light.lookup);
	CHECK_EQ_INT(seen.done, 1);
	CHECK_EQ_INT(seen.ok, 0);
	sim_free(s);
}

static const struct test tests[] = {
	TEST(test_sim_light_nodes_become_one_ring),
	TEST(test_sim_light_sends_arrive_and_say_over_how_many_links),
	TEST(test_sim_light_every_packet_and_byte_is_of_a_kind),
	TEST(test_sim_light_send_to_itself_crosses_no_link),
	TEST(test_sim_light_send_to_a_host_that_vanished_fails_once),
	TEST(test_sim_light_link_ends_after_twenty_seconds_of_silence),
	TEST(test_sim_light_host_that_started_again_has_its_link_at_once),
	TEST(test_sim_light_host_that_says_goodbye_is_gone_at_once),
	TEST(test_sim_light_droppers_drop_what_is_not_theirs),
	TEST(test_sim_light_packets_of_misrouters_come_to_an_end),
	TEST(test_sim_light_lookups_find_what_was_published_and_nothing_else),
	TEST(test_sim_light_forged_records_are_not_taken_for_the_real_ones),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
