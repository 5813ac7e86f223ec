/* Nodes that lie, and nodes that only ask. */
#include "dht/lookup.h"
#include "dht/rpc.h"
#include "tests/check.h"
#include "tests/unit/dht_ring.h"

static void names(char out[16], size_t i) { snprintf(out, 16, "r%zu", i); }

/* Of `owners` records each honest node reads one, twice. Returns how many of *asked it got. */
static size_t reads(struct net *n, size_t owners, size_t *asked)
{
	size_t got = 0;
	char name[16];

	*asked = 0;
	for (int turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i < n->count; i++) {
			names(name, (i * 7 + (size_t)turn) % owners);
			if (!n->node[i].junk)
				net_get(n, i, name);
			net_run(n, MSEC(20));
		}
		net_run(n, SEC(5));
		for (size_t i = 0; i < n->count; i++) {
			*asked += !n->node[i].junk;
			got += !n->node[i].junk && net_got(n, i, "hello");
		}
	}
	return got;
}

static struct net *with_junk(size_t count, uint64_t seed, bool ring)
{
	struct net *n = net_make(count, seed, ring);
	size_t owner = 0;
	char name[16];

	n->loss = 1;
	for (size_t i = 0; i < count; i++)
		n->node[i].junk = i % 5 == 3;
	net_ring_all(n, SEC(10));
	net_run(n, MINUTES(2));
	for (size_t i = 0; owner < 20; i++) {
		if (n->node[i].junk)
			continue;
		names(name, owner++);
		net_publish(n, i, name, "hello");
	}
	net_run(n, MINUTES(2));
	return n;
}

static uint64_t requests(const struct net *n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n->count; i++)
		sum += dht_info(n->node[i].dht).requests;
	return sum;
}

static void test_dht_two_hundred_nodes_a_fifth_junk_read_ninety_nine_of_a_hundred(void)
{
	for (int ring = 0; ring < 2; ring++) {
		struct net *n = with_junk(200, 41, ring);
		uint64_t before = requests(n);
		size_t asked, got = reads(n, 20, &asked);

		printf("# %s: %zu of %zu, %.1f requests each\n", ring ? "ring" : "no ring", got,
		       asked, (double)(requests(n) - before) / (double)asked);
		CHECK_EQ_INT(asked, 320);
		CHECK(got * 100 >= asked * 99);
		net_free(n);
	}
}

static void test_dht_whoever_is_nearest_answers_and_one_request_is_enough(void)
{
	struct net *n = net_make(60, 42, true);
	size_t who = 40;
	uint64_t before;

	net_ring_all(n, SEC(5));
	net_run(n, MINUTES(4));
	net_publish(n, 3, "host", "hello");
	net_run(n, SEC(5));
	while (dht_info(n->node[who].dht).records)
		who++; /* one that does not hold it */
	before = dht_info(n->node[who].dht).requests;
	net_get(n, who, "host");
	while (n->node[who].seen.found == 0 && n->now < SEC(10000))
		net_run(n, MSEC(1));
	dht_cancel(n->node[who].dht, 7);
	CHECK(net_got(n, who, "hello"));
	CHECK_EQ_INT(dht_info(n->node[who].dht).requests - before, 1);
	net_free(n);
}

/* Members of a group stand under one key, each with a record of its own. */
static void test_dht_group_records_of_many_signers_are_merged_by_every_reader(void)
{
	static const char body[] = "a member of the group, with an endpoint and some more to fill a "
				   "packet that is not the smallest: four of these fit into one";
	struct net *n = net_make(60, 43, true);

	net_ring_all(n, SEC(5));
	net_run(n, MINUTES(4));
	for (size_t i = 0; i < 12; i++)
		net_publish(n, i * 5, "group", body);
	net_run(n, SEC(10));
	for (size_t i = 1; i < 60; i += 10) {
		net_get(n, i, "group");
		net_run(n, SEC(5));
		CHECK_EQ_INT(n->node[i].seen.found, 12);
		CHECK_EQ_INT(n->node[i].seen.count, 12);
		CHECK_EQ_INT(n->node[i].seen.done, 1);
	}
	net_free(n);
}

static void test_dht_a_client_reads_and_publishes_but_is_nobodys_contact_and_holds_nothing(void)
{
	struct net *n = net_make(30, 44, true);
	size_t answers;

	n->node[29].client = true;
	dht_free(n->node[29].dht);
	net_start(n, 29);
	net_circle(n);
	for (size_t p = 0; p < 30; p++)
		for (size_t d = 1; d < 4; d++)
			if (n->circle[p] != 29 && n->circle[(p + d) % 30] != 29)
				net_link(n, n->circle[p], n->circle[(p + d) % 30]);
	net_link(n, 29, 0);
	net_run(n, MINUTES(4));
	net_publish(n, 3, "of a node", "hello");
	net_publish(n, 29, "of a client", "hello");
	net_run(n, SEC(10));
	net_get(n, 29, "of a node");
	net_get(n, 7, "of a client");
	net_run(n, SEC(5));
	CHECK(net_got(n, 29, "hello"));
	CHECK(net_got(n, 7, "hello"));
	CHECK_EQ_INT(dht_info(n->node[29].dht).records, 1); /* its own */
	answers = n->count_of[DHT_MSG_PONG] + n->count_of[DHT_MSG_NODES];
	n->told_client = 0; /* before its first request its session made it a contact */
	for (size_t i = 0; i < 29; i++) { /* told by nobody: nobody has it */
		struct dht_msg find = { .type = DHT_MSG_FIND, .id = 9, .name.key = n->node[29].id };
		uint8_t bytes[64];

		dht_input(n->node[i].dht, &n->node[(i + 1) % 29].self.pub, false, bytes,
			  dht_msg_write(bytes, sizeof(bytes), &find), n->now);
	}
	CHECK_EQ_INT(n->count_of[DHT_MSG_NODES] + n->count_of[DHT_MSG_PONG], answers + 29);
	CHECK_EQ_INT(n->told_client, 0);
	dht_input(n->node[29].dht, &n->node[0].self.pub, true,
		  (const uint8_t[]){ DHT_MSG_PING, 0, 0, 0, 0, 0, 0, 0, 1 }, 9, n->now);
	CHECK(n->node[29].drops.count[DROP_UNKNOWN] > 0);
	net_free(n);
}

/* Whoever is nearest, and a contact besides, says nothing: both of two lookups at once find. */
static void test_dht_two_lookups_at_once_beside_a_silent_session_both_find_soon(void)
{
	struct net *n = net_make(4, 45, true);
	struct dht_topic t = net_topic("host");
	struct record_name name = record_name_of(&t);
	usec_t start;

	n->node[3].client = true; /* it has not asked anything yet: a contact */
	dht_free(n->node[3].dht);
	net_start(n, 3);
	net_link(n, 0, 1);
	net_link(n, 1, 2);
	net_run(n, SEC(60));
	net_publish(n, 2, "host", "hello");
	net_run(n, SEC(1));
	dht_free(n->node[0].dht); /* it knows nothing, and what is nearest to the key is silent */
	n->link[0][1] = n->link[1][0] = false;
	net_start(n, 0);
	n->place[3] = place_of_id(&name.key);
	net_link(n, 0, 3);
	net_link(n, 0, 1);
	start = n->now;
	n->node[0].seen = (struct net_seen){ 0 };
	dht_get(n->node[0].dht, 1, &t, n->now);
	dht_get(n->node[0].dht, 2, &t, n->now);
	net_rewake(&n->node[0]);
	net_run(n, SEC(4));
	CHECK_EQ_INT(n->node[0].seen.found, 2);
	CHECK_EQ_INT(n->node[0].seen.done, 2);
	CHECK(n->node[0].seen.found_at - start < SEC(1));
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_dht_two_lookups_at_once_beside_a_silent_session_both_find_soon),
	TEST(test_dht_two_hundred_nodes_a_fifth_junk_read_ninety_nine_of_a_hundred),
	TEST(test_dht_whoever_is_nearest_answers_and_one_request_is_enough),
	TEST(test_dht_group_records_of_many_signers_are_merged_by_every_reader),
	TEST(test_dht_a_client_reads_and_publishes_but_is_nobodys_contact_and_holds_nothing),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
