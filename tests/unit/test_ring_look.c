/* test_ring_look.c - next hops by what links are told to have for links: the best way when they
 * tell the truth, an end when they lie. */
#include "p2p/ring.h"

#include "tests/unit/ring_script.h"

#define GRAPH 48

static void test_the_next_hop_is_the_link_whose_links_come_nearest(void)
{
	struct script s;
	int good = nth(40, 5, true), better = nth(40, 2, true), to = nth(40, 7, true);
	struct node_id target = id_of(&keys[to]);

	open_script(&s);
	up(&s, good);
	up(&s, better);
	CHECK(key_equal(ring_next(s.ring, &target, NULL, false), &keys[good]));
	say_links(&s, better, to, 1); /* farther itself, but linked with it */
	CHECK(key_equal(ring_next(s.ring, &target, NULL, false), &keys[better]));
	say_links(&s, good, to, 1);
	CHECK(key_equal(ring_next(s.ring, &target, NULL, false), &keys[good]));
	say_links(&s, good, 0, 0);
	CHECK(key_equal(ring_next(s.ring, &target, NULL, false), &keys[better]));
	CHECK(key_equal(ring_next(s.ring, &target, &target, false), &keys[good]));
	ring_free(s.ring);
}

static void test_a_link_in_doubt_is_passed_over_while_another_one_is_nearer_than_we_are(void)
{
	struct script s;
	int near = nth(40, 5, true), far = nth(40, 2, true), to = nth(40, 7, true);
	struct node_id target = id_of(&keys[to]);

	open_script(&s);
	up(&s, near);
	up(&s, far);
	ring_link_state(s.ring, &keys[near], true, true);
	CHECK(key_equal(ring_next(s.ring, &target, NULL, false), &keys[far]));
	ring_link_state(s.ring, &keys[far], true, true);
	CHECK(key_equal(ring_next(s.ring, &target, NULL, false), &keys[near]));
	ring_link_state(s.ring, &keys[near], true, false);
	CHECK(key_equal(ring_next(s.ring, &target, NULL, false), &keys[near]));
	up(&s, to);
	ring_link_state(s.ring, &keys[to], true, true);
	CHECK(key_equal(ring_next(s.ring, &target, NULL, false), &keys[to])); /* it is the aim */
	ring_free(s.ring);
}

static void test_packets_that_need_a_direct_link_go_by_direct_links_only(void)
{
	struct script s;
	int near = nth(40, 5, true), far = nth(40, 2, true);
	struct node_id target = id_of(&keys[near]);

	open_script(&s);
	up(&s, near);
	up(&s, far);
	ring_link_state(s.ring, &keys[near], false, false);
	CHECK(key_equal(ring_next(s.ring, &target, NULL, false), &keys[near]));
	CHECK(key_equal(ring_next(s.ring, &target, NULL, true), &keys[far]));
	ring_link_state(s.ring, &keys[far], false, false);
	CHECK(ring_next(s.ring, &target, NULL, true) == NULL);
	ring_free(s.ring);
}

/* ---- lies ---- */

static struct script graph[GRAPH];

static int graph_index(const struct pubkey *key)
{
	int i = 0;

	while (!key_equal(&keys[i], key))
		i++;
	return i;
}

static uint32_t roll(uint64_t *rng, uint32_t bound)
{
	*rng = *rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*rng >> 33) % bound;
}

static void graph_make(uint64_t *rng)
{
	for (int i = 0; i < GRAPH; i++) {
		struct ring_env env = { &graph[i],  on_random, on_send,	     on_route,
					on_want,    on_addresses, key_valid, on_send };

		graph[i] = (struct script){ .rng = roll(rng, 1u << 30), .now = START };
		graph[i].ring = ring_new(&keys[i], RING_FULL, &env, START);
	}
	for (int k = 0; k < GRAPH * 3; k++) {
		int a = (int)roll(rng, GRAPH), b = (int)roll(rng, GRAPH);

		if (a == b)
			continue;
		up(&graph[a], b);
		up(&graph[b], a);
	}
}

/* Everybody is told nonsense about the links of everybody, and doubts at random. */
static void graph_lie(uint64_t *rng)
{
	for (int a = 0; a < GRAPH; a++)
		for (int b = 0; b < GRAPH; b++) {
			say_links(&graph[a], b, (int)roll(rng, KEYS - 64), (int)roll(rng, 65));
			ring_link_state(graph[a].ring, &keys[b], roll(rng, 8), !roll(rng, 4));
		}
}

/* The number of hops until somebody is the nearest; checks each of them. */
static int follow(int at, const struct node_id *to, bool direct)
{
	for (int hops = 0; hops < GRAPH; hops++) {
		const struct pubkey *next = ring_next(graph[at].ring, to, NULL, direct);
		struct node_id here = id_of(&keys[at]), there;

		if (!next)
			return hops;
		there = id_of(next);
		CHECK(id_ring_compare(to, &there, &here) < 0);
		at = graph_index(next);
	}
	return -1;
}

static void test_every_way_ends_and_every_hop_is_nearer_whatever_links_claim(void)
{
	uint64_t rng = 20;
	unsigned hops = 0, ways = 0;

	for (int round = 0; round < 8; round++) {
		graph_make(&rng);
		graph_lie(&rng);
		for (int a = 0; a < GRAPH; a++)
			for (int t = 0; t < KEYS; t += 3) {
				struct node_id to = id_of(&keys[t]);
				int way = follow(a, &to, t & 1);

				CHECK(way >= 0);
				hops += (unsigned)way;
				ways++;
			}
		for (int a = 0; a < GRAPH; a++)
			ring_free(graph[a].ring);
	}
	CHECK(hops > ways); /* they went somewhere */
}

/* ---- what is told ---- */

static void test_links_that_are_told_cost_four_bytes_each_and_a_flood_costs_no_more(void)
{
	struct script s;
	size_t before;

	open_script(&s);
	up(&s, 1);
	before = ring_info(s.ring).bytes;
	say_links(&s, 1, 10, 20);
	CHECK_EQ_INT(ring_info(s.ring).bytes, before + 20 * 4);
	for (int i = 0; i < 10000; i++) {
		say_links(&s, 1, i % 300, i % 65);
		s.now += MSEC(1);
	}
	CHECK(ring_info(s.ring).bytes <= before + RING_TOLD_MAX * 4);
	s.now += SEC(3);
	say_links(&s, 1, 10, 2);
	say_links(&s, 1, 10, RING_TOLD_MAX + 1); /* too many: nothing is changed */
	CHECK_EQ_INT(ring_info(s.ring).bytes, before + 2 * 4);
	ring_link_down(s.ring, &keys[1], s.now);
	ring_free(s.ring);
}

static void test_our_links_are_told_when_they_changed_and_to_all_every_two_minutes_at_most(void)
{
	struct script s;

	open_script(&s);
	for (int k = 1; k < 6; k++)
		up(&s, k);
	run(&s, SEC(11));
	CHECK_EQ_INT(s.types[MSG_LINKS], 0); /* there will soon be more to tell */
	run(&s, SEC(8));
	CHECK_EQ_INT(s.types[MSG_LINKS], 5);
	up(&s, 6);
	run(&s, SEC(6));
	CHECK_EQ_INT(s.types[MSG_LINKS], 5 + 1); /* who is new */
	run(&s, SEC(100));
	CHECK_EQ_INT(s.types[MSG_LINKS], 5 + 1);
	run(&s, SEC(90));
	CHECK_EQ_INT(s.types[MSG_LINKS], 5 + 1 + 6);
	run(&s, MINUTES(20));
	CHECK_EQ_INT(s.types[MSG_LINKS], 5 + 1 + 6);
	ring_link_state(s.ring, &keys[6], false, false); /* no direct one any more */
	run(&s, SEC(10));
	CHECK_EQ_INT(s.types[MSG_LINKS], 5 + 1 + 6 + 6);
	ring_link_state(s.ring, &keys[6], false, true);
	run(&s, MINUTES(5));
	CHECK_EQ_INT(s.types[MSG_LINKS], 5 + 1 + 6 + 6);
	run(&s, MINUTES(70)); /* though nothing changed: one may have been lost */
	CHECK_EQ_INT(s.types[MSG_LINKS], 5 + 1 + 6 + 6 + 6);
	ring_free(s.ring);
}

/* They tell nothing any more when the ring grows. */
static void test_how_large_the_ring_is_is_not_taken_from_links_that_nobody_keeps(void)
{
	struct script s;

	open_script(&s);
	for (int k = 1; k < 100; k++)
		up(&s, k);
	for (int k = 1; k < 100; k++)
		if (ring_role(s.ring, &keys[k]) == RING_NONE)
			say_links(&s, k, 100 + 3 * k, 3);
	run(&s, MINUTES(5));
	CHECK(ring_info(s.ring).size >= 40);
	for (int k = 1; k < 100; k++) {
		ring_link(s.ring, &keys[k])->accepted = true;
		say_links(&s, k, 100 + 3 * k, 3);
	}
	run(&s, MINUTES(5));
	CHECK(s.ring->size <= 8);
	for (int k = 1; k < 100; k++)
		ring_link(s.ring, &keys[k])->accepted = false;
	ring_free(s.ring);
}

static void test_links_that_have_told_nothing_yet_are_counted(void)
{
	struct script s;

	open_script(&s);
	for (int k = 1; k <= 3; k++) {
		up(&s, k);
		run(&s, SEC(1));
		CHECK_EQ_INT(ring_info(s.ring).size, k + 1);
	}
	ring_free(s.ring);
}

static const struct test tests[] = {
	TEST(test_the_next_hop_is_the_link_whose_links_come_nearest),
	TEST(test_a_link_in_doubt_is_passed_over_while_another_one_is_nearer_than_we_are),
	TEST(test_packets_that_need_a_direct_link_go_by_direct_links_only),
	TEST(test_every_way_ends_and_every_hop_is_nearer_whatever_links_claim),
	TEST(test_links_that_are_told_cost_four_bytes_each_and_a_flood_costs_no_more),
	TEST(test_how_large_the_ring_is_is_not_taken_from_links_that_nobody_keeps),
	TEST(test_our_links_are_told_when_they_changed_and_to_all_every_two_minutes_at_most),
	TEST(test_links_that_have_told_nothing_yet_are_counted),
};

int main(void)
{
	return !script_keys() || run_tests(tests, ARRAY_LEN(tests));
}
