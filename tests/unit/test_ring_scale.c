/* test_ring_scale.c - rings of a hundred and five hundred: hops, links, bytes, memory. The figures
 * that bound it are those of docs/evidence/scale.md; greater rings are the simulator's. */
#include "tests/unit/ring_check.h"

struct degrees {
	unsigned links, most, shortcuts, accepted, most_accepted, bytes, most_bytes;
	uint64_t smallest, greatest; /* sizes estimated */
};

static struct degrees degrees_of(const struct net *n)
{
	struct degrees d = { .smallest = UINT64_MAX };

	for (int i = 0; i < n->count; i++) {
		struct ring_info info;
		unsigned links;

		if (!n->node[i].ring)
			continue;
		info = ring_info(n->node[i].ring);
		links = (unsigned)info.links;
		d.links += links;
		d.most = links > d.most ? links : d.most;
		d.shortcuts += (unsigned)info.shortcuts;
		d.accepted += (unsigned)info.accepted;
		if (info.accepted > d.most_accepted)
			d.most_accepted = (unsigned)info.accepted;
		d.bytes += (unsigned)info.bytes;
		d.most_bytes = info.bytes > d.most_bytes ? (unsigned)info.bytes : d.most_bytes;
		d.smallest = info.size < d.smallest ? info.size : d.smallest;
		d.greatest = info.size > d.greatest ? info.size : d.greatest;
	}
	return d;
}

static void settled(struct net *n, int count, uint64_t seed)
{
	net_open(n, count, seed);
	n->open = true;
	join_one_by_one(n, count, MSEC(300));
	net_run(n, MINUTES(10));
	CHECK_EQ_INT(all_gaps(n, -1), 0);
}

static void tell(const char *what, struct net *n)
{
	struct degrees d = degrees_of(n);
	struct ways w = ways_of(n, 20000);
	unsigned c = (unsigned)n->count;

	printf("# %s: hops mean %u.%02u p99 %u; links %u.%u, most %u; shortcuts %u.%u, accepted "
	       "most %u; size %u to %u; bytes %u, most %u\n",
	       what, w.hops / w.routes, w.hops * 100 / w.routes % 100, w.p99, d.links / c,
	       d.links * 10 / c % 10, d.most, d.shortcuts / c, d.shortcuts * 10 / c % 10,
	       d.most_accepted, (unsigned)d.smallest, (unsigned)d.greatest, d.bytes / c,
	       d.most_bytes);
}

static void test_a_hundred_reach_each_other_in_two_and_a_half_hops(void)
{
	struct net n;
	struct degrees d;
	struct ways w;

	settled(&n, 100, 11);
	tell("N = 100", &n);
	d = degrees_of(&n);
	w = ways_of(&n, 0);
	CHECK_EQ_INT(w.failed, 0);
	CHECK(w.hops * 2 <= w.routes * 5 && w.p99 <= 5);
	CHECK_EQ_INT(d.shortcuts, d.accepted); /* both ends agree */
	CHECK(d.shortcuts >= 100 * 7 / 2);
	CHECK(d.most_accepted <= (7 + 1) * 5 / 4);
	CHECK(d.most <= 6 + 2 * 7 + 2);
	CHECK(d.smallest >= 50 && d.greatest <= 200);
	net_close(&n);
}

static void test_five_hundred_reach_each_other_in_less_than_four_hops(void)
{
	struct net n;
	struct degrees d;
	struct ways w;

	settled(&n, 500, 12);
	tell("N = 500", &n);
	d = degrees_of(&n);
	w = ways_of(&n, 20000);
	CHECK_EQ_INT(w.failed, 0);
	CHECK(w.hops < w.routes * 7 / 2 && w.p99 <= 2 * 3 + 2);
	CHECK_EQ_INT(d.shortcuts, d.accepted);
	CHECK(d.most_accepted <= (9 + 1) * 5 / 4);
	CHECK(d.most_bytes <= 6144);
	CHECK(d.smallest >= 250 && d.greatest <= 1000);
	net_close(&n);
}

static void test_an_idle_ring_of_five_hundred_costs_less_than_25_bytes_a_second_a_node(void)
{
	struct net n;

	settled(&n, 500, 13);
	n.wire = n.sent = n.routed = 0;
	net_run(&n, MINUTES(20));
	printf("# N = 500, idle: %u bytes/s a node on the wire, %u messages, %u routed\n",
	       (unsigned)(n.wire / 1200 / 500), (unsigned)n.sent, (unsigned)n.routed);
	CHECK(n.wire / 1200 / 500 < 25);
	net_close(&n);
}

static void test_a_hundred_that_start_at_once_are_no_storm(void)
{
	struct net n;
	uint64_t most = 0, sum = 0;
	unsigned s;

	net_open(&n, 100, 14);
	n.open = true;
	start_all(&n, 100);
	s = until_closed(&n, 30);
	net_run(&n, SEC(30 - s));
	for (int i = 0; i < 100; i++) {
		sum += n.node[i].told;
		most = n.node[i].told > most ? n.node[i].told : most;
	}
	printf("# 100 at once: one ring after %u s; %u bytes of RING a node in 30 s, most %u; on the "
	       "wire %u\n", s, (unsigned)sum / 100, (unsigned)most, (unsigned)n.wire / 100);
	CHECK(s <= 15);
	CHECK(sum / 100 < 12000);
	net_close(&n);
}

static void test_a_tenth_of_five_hundred_vanishes_and_the_rest_is_one_ring_in_thirty_seconds(void)
{
	struct net n;
	unsigned s;

	settled(&n, 500, 15);
	for (int i = 0; i < 50; i++)
		kill_node(&n, i * 10 + (int)draw(&n, 10), SEC(20));
	net_run(&n, SEC(20));
	s = 20 + until_closed(&n, 60);
	printf("# 50 of 500 vanish, noticed within 20 s: one ring after %u s\n", s);
	CHECK(s <= 30);
	net_run(&n, MINUTES(5));
	tell("N = 450 afterwards", &n);
	CHECK_EQ_INT(ways_of(&n, 20000).failed, 0);
	net_close(&n);
}

/* Nodes count each other exactly while they are few, so nobody draws what cannot be had. */
static void test_rings_of_eight_to_fourteen_settle_and_then_draw_nothing(void)
{
	for (int count = 8; count <= 14; count += 2) {
		struct net n;
		struct degrees d;

		net_open(&n, count, (uint64_t)count);
		n.open = true;
		join_one_by_one(&n, count, MSEC(500));
		net_run(&n, MINUTES(15));
		d = degrees_of(&n);
		CHECK_EQ_INT(d.smallest, count);
		CHECK_EQ_INT(d.greatest, count);
		n.routed = 0;
		net_run(&n, MINUTES(60));
		CHECK(n.routed <= 60u / 4 * 4 * (unsigned)count); /* FIND of settled rounds, FOUND */
		for (int i = 0; i < count; i++)
			CHECK(ring_info(n.node[i].ring).links >= 2 * RING_NEAR + 1);
		net_close(&n);
	}
}

/* A ring that grew from twenty-five to two hundred: what was drawn then is replaced, bit by bit. */
static void test_shortcuts_drawn_for_a_ring_a_quarter_as_large_are_replaced(void)
{
	struct net n;
	unsigned stale = 0, drawn = 0;

	net_open(&n, 200, 16);
	n.open = true;
	join_one_by_one(&n, 25, MSEC(300));
	net_run(&n, MINUTES(5));
	for (int i = 25; i < 200; i++) {
		start(&n, i);
		link_both(&n, i, (int)draw(&n, (uint32_t)i));
		net_run(&n, MSEC(300));
	}
	net_run(&n, MINUTES(10));
	for (int i = 0; i < 25; i++)
		for (size_t k = 0; k < n.node[i].ring->links.count; k++) {
			const struct link *l = link_at(n.node[i].ring, k);

			drawn += l->shortcut;
			stale += l->shortcut && l->drawn + 16u <= size_scale(n.node[i].ring->size);
		}
	CHECK(drawn >= 25 * 4);
	CHECK(stale <= drawn / 20);
	CHECK_EQ_INT(degrees_of(&n).shortcuts, degrees_of(&n).accepted);
	net_close(&n);
}

static const struct test tests[] = {
	TEST(test_a_hundred_reach_each_other_in_two_and_a_half_hops),
	TEST(test_five_hundred_reach_each_other_in_less_than_four_hops),
	TEST(test_rings_of_eight_to_fourteen_settle_and_then_draw_nothing),
	TEST(test_shortcuts_drawn_for_a_ring_a_quarter_as_large_are_replaced),
	TEST(test_an_idle_ring_of_five_hundred_costs_less_than_25_bytes_a_second_a_node),
	TEST(test_a_hundred_that_start_at_once_are_no_storm),
	TEST(test_a_tenth_of_five_hundred_vanishes_and_the_rest_is_one_ring_in_thirty_seconds),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
