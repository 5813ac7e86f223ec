#include <errno.h>

#include "dht/rpc.h"
#include "dht/table.h"
#include "tests/check.h"
#include "tests/unit/dht_ring.h"

/* How many of the present nodes read `body` under `name`; they ask `step` nodes apart. */
static size_t readers(struct net *n, const char *name, const char *body, size_t step)
{
	size_t got = 0;

	for (size_t i = 0; i < n->count; i += step)
		if (!n->node[i].gone && !n->node[i].junk)
			net_get(n, i, name);
	net_run(n, SEC(5));
	for (size_t i = 0; i < n->count; i += step)
		if (!n->node[i].gone && !n->node[i].junk)
			got += net_got(n, i, body) && n->node[i].seen.done == 1;
	return got;
}

static size_t holders(struct net *n)
{
	size_t count = 0;

	for (size_t i = 0; i < n->count; i++)
		count += !n->node[i].gone && dht_info(n->node[i].dht).records > 0;
	return count;
}

static void test_dht_alone_a_record_is_found_here_at_once(void)
{
	struct net *n = net_new(1, 1);

	CHECK_EQ_INT(net_publish(n, 0, "host", "hello"), 0);
	net_get(n, 0, "host");
	CHECK(net_got(n, 0, "hello"));
	CHECK_EQ_INT(n->node[0].seen.done, 1);
	CHECK_EQ_INT(n->node[0].seen.count, 1);
	net_get(n, 0, "other");
	CHECK_EQ_INT(n->node[0].seen.found, 0);
	CHECK_EQ_INT(n->node[0].seen.done, 1);
	net_run(n, HOURS(30));
	net_get(n, 0, "host");
	CHECK(net_got(n, 0, "hello")); /* signed again and again */
	CHECK_EQ_INT(n->node[0].sent, 0);
	net_free(n);
}

static void test_dht_two_nodes_find_what_the_other_holds_right_after_contact(void)
{
	struct net *n = net_new(2, 2);

	net_publish(n, 0, "host", "hello");
	net_link(n, 0, 1);
	net_get(n, 1, "host");
	net_run(n, MSEC(110));
	CHECK(net_got(n, 1, "hello"));
	CHECK_EQ_INT(n->node[1].seen.done, 1);
	net_free(n);
}

static void test_dht_two_nodes_a_record_is_pushed_after_contact_and_at_publishing(void)
{
	struct net *n = net_new(2, 3);

	net_publish(n, 0, "before", "1");
	net_link(n, 0, 1);
	net_run(n, MSEC(4060));
	CHECK_EQ_INT(dht_info(n->node[1].dht).records, 1);
	net_publish(n, 0, "after", "2");
	net_run(n, MSEC(60));
	CHECK_EQ_INT(dht_info(n->node[1].dht).records, 2);
	net_run(n, SEC(30));
	CHECK(n->node[0].sent < 60); /* and then it is quiet */
	net_free(n);
}

static void test_dht_three_nodes_in_a_row_resolve_within_a_second(void)
{
	struct net *n = net_new(3, 4);

	net_publish(n, 0, "a", "of 0");
	net_link(n, 0, 1);
	net_run(n, SEC(10));
	net_publish(n, 2, "c", "of 2");
	net_link(n, 1, 2); /* a host joins */
	net_run(n, MSEC(300));
	net_get(n, 0, "c");
	net_get(n, 2, "a");
	net_run(n, MSEC(300));
	CHECK(net_got(n, 0, "of 2"));
	CHECK(net_got(n, 2, "of 0"));
	net_run(n, SEC(5));
	CHECK_EQ_INT(dht_info(n->node[0].dht).contacts, 2);
	CHECK_EQ_INT(dht_info(n->node[2].dht).contacts, 2);
	net_free(n);
}

static void test_dht_a_holder_that_restarted_gets_the_record_again(void)
{
	struct net *n = net_new(2, 5);

	net_publish(n, 0, "host", "hello");
	net_link(n, 0, 1);
	net_run(n, SEC(20));
	dht_free(n->node[1].dht);
	net_start(n, 1);
	n->link[0][1] = n->link[1][0] = false;
	dht_contact_down(n->node[0].dht, &n->node[1].self.pub, n->now);
	net_link(n, 0, 1);
	net_run(n, MSEC(4060));
	CHECK_EQ_INT(dht_info(n->node[1].dht).records, 1);
	net_free(n);
}

static void test_dht_a_higher_sequence_replaces_and_is_what_everybody_reads(void)
{
	struct net *n = net_new(3, 6);

	net_link(n, 0, 1);
	net_link(n, 1, 2);
	net_publish(n, 0, "host", "first");
	net_run(n, SEC(3));
	CHECK_EQ_INT(readers(n, "host", "first", 1), 3);
	net_publish(n, 0, "host", "second");
	net_run(n, SEC(3));
	CHECK_EQ_INT(readers(n, "host", "second", 1), 3);
	CHECK_EQ_INT(n->node[2].seen.found, 1);
	net_free(n);
}

static void test_dht_records_expire_when_their_owner_is_gone_and_not_before(void)
{
	struct net *n = net_new(3, 7);

	net_link(n, 0, 1);
	net_link(n, 1, 2);
	net_publish(n, 0, "host", "hello");
	net_run(n, SEC(3 * 3600));
	CHECK_EQ_INT(readers(n, "host", "hello", 1), 3);
	n->node[0].gone = true;
	net_run(n, SEC(1500));
	CHECK_EQ_INT(readers(n, "host", "hello", 1), 2);
	net_run(n, SEC(3600));
	CHECK_EQ_INT(readers(n, "host", "hello", 1), 0);
	CHECK_EQ_INT(dht_info(n->node[1].dht).records, 0);
	net_free(n);
}

static void test_dht_a_withdrawn_record_is_told_no_more_and_not_renewed(void)
{
	struct net *n = net_new(2, 8);
	struct dht_topic t = net_topic("host");

	net_link(n, 0, 1);
	net_publish(n, 0, "host", "hello");
	net_run(n, SEC(3));
	CHECK_EQ_INT(readers(n, "host", "hello", 1), 2);
	dht_withdraw(n->node[0].dht, &t, n->now);
	net_rewake(&n->node[0]);
	CHECK_EQ_INT(dht_info(n->node[0].dht).published, 0);
	net_run(n, MSEC(200));
	CHECK_EQ_INT(readers(n, "host", "hello", 1), 0);
	net_run(n, SEC(3700));
	CHECK_EQ_INT(readers(n, "host", "hello", 1), 0);
	CHECK_EQ_INT(dht_info(n->node[0].dht).records + dht_info(n->node[1].dht).records, 0);
	net_free(n);
}

static void test_dht_withdrawn_and_published_again_is_there(void)
{
	struct net *n = net_new(3, 18);
	struct dht_topic t = net_topic("host");

	net_link(n, 0, 1);
	net_link(n, 1, 2);
	net_publish(n, 0, "host", "hello");
	net_run(n, SEC(40));
	dht_withdraw(n->node[0].dht, &t, n->now);
	net_publish(n, 0, "host", "again");
	CHECK_EQ_INT(dht_info(n->node[0].dht).published, 1);
	net_run(n, SEC(3));
	CHECK_EQ_INT(readers(n, "host", "again", 1), 3);
	net_free(n);
}

/* The clock was ahead, the node restarted, the clock is right again. */
static void test_dht_an_owner_signs_above_its_own_record_from_an_earlier_life(void)
{
	struct net *n = net_new(2, 9);

	n->wall.base += 300;
	net_link(n, 0, 1);
	net_publish(n, 0, "host", "old");
	net_run(n, SEC(3));
	dht_free(n->node[0].dht);
	n->wall.base -= 300;
	net_start(n, 0);
	net_publish(n, 0, "host", "new");
	n->link[0][1] = n->link[1][0] = false;
	net_link(n, 0, 1);
	net_run(n, SEC(5));
	CHECK_EQ_INT(n->node[1].drops.count[DROP_STALE], 1);
	net_get(n, 1, "host");
	CHECK(net_got(n, 1, "new"));
	net_free(n);
}

static void test_dht_fifty_nodes_with_loss_all_read_one_record(void)
{
	struct net *n = net_new(50, 10);

	n->loss = 5;
	net_join_all(n, SEC(20));
	net_run(n, SEC(30));
	net_publish(n, 17, "host", "hello");
	net_run(n, SEC(5));
	CHECK(holders(n) >= DHT_REPLICAS);
	CHECK_EQ_INT(readers(n, "host", "hello", 1), 50);
	net_free(n);
}

static void test_dht_three_hundred_nodes_read_also_after_a_fifth_vanished(void)
{
	struct net *n = net_new(300, 11);
	usec_t asked;

	n->loss = 5;
	net_join_all(n, SEC(30));
	net_run(n, SEC(30));
	net_publish(n, 150, "host", "hello");
	net_run(n, SEC(6));
	CHECK(holders(n) >= DHT_REPLICAS - 1 && holders(n) <= 2 * DHT_REPLICAS);
	CHECK_EQ_INT(readers(n, "host", "hello", 3), 100);
	for (size_t i = 0; i < 300; i++)
		n->node[i].gone = i % 5 == 2 && i != 150;
	asked = n->now;
	CHECK_EQ_INT(readers(n, "host", "hello", 4), 60);
	for (size_t i = 0; i < 300; i += 4) {
		if (n->node[i].gone)
			continue;
		CHECK(n->node[i].seen.found_at - asked <= SEC(2));
		CHECK(n->node[i].seen.done_at - asked <= SEC(4));
	}
	for (size_t i = 0; i < 300; i++)
		CHECK(n->node[i].sent_max_routed <= DHT_ANSWER_ROUTED_MAX);
	net_free(n);
}

static void test_dht_lost_holders_are_replaced(void)
{
	struct net *n = net_new(60, 12);
	size_t left;

	net_join_all(n, SEC(10));
	net_run(n, SEC(30));
	net_publish(n, 0, "host", "hello");
	net_run(n, SEC(5));
	for (size_t i = 1; i < 60; i++) /* most of those that have it vanish */
		n->node[i].gone = dht_info(n->node[i].dht).records > 0 && i % 4 != 0;
	left = holders(n);
	CHECK(left < DHT_REPLICAS);
	net_run(n, SEC(3700));
	CHECK(holders(n) >= DHT_REPLICAS);
	net_free(n);
}

static void test_dht_reads_succeed_while_a_fifth_answers_junk(void)
{
	struct net *n = net_new(100, 13);

	n->loss = 2;
	for (size_t i = 0; i < 100; i++)
		n->node[i].junk = i % 5 == 3;
	net_join_all(n, SEC(20));
	net_run(n, SEC(30));
	net_publish(n, 50, "host", "hello");
	net_run(n, SEC(6));
	CHECK_EQ_INT(readers(n, "host", "hello", 1), 80);
	net_free(n);
}

static void test_dht_the_same_seed_makes_the_same_run(void)
{
	size_t messages[2];

	for (int i = 0; i < 2; i++) {
		struct net *n = net_new(20, 14);

		n->loss = 5;
		net_join_all(n, SEC(5));
		net_publish(n, 3, "host", "hello");
		net_run(n, SEC(60));
		messages[i] = n->messages;
		net_free(n);
	}
	CHECK_EQ_INT(messages[0], messages[1]);
	CHECK(messages[0] > 100);
}

static void test_dht_a_thousand_records_of_new_nodes_reach_everybody_within_five_minutes(void)
{
	struct net *n = net_new(6, 15);
	char name[16];

	for (size_t i = 0; i < 5; i++) /* each below its quota */
		for (size_t j = 0; j < 200; j++) {
			snprintf(name, sizeof(name), "h%zu", j * 5 + i);
			CHECK_EQ_INT(net_publish(n, i, name, "x"), 0);
		}
	for (size_t i = 0; i < 5; i++)
		net_link(n, i, 5);
	net_run(n, MINUTES(5));
	for (size_t i = 0; i < 6; i++) {
		CHECK_EQ_INT(dht_info(n->node[i].dht).records, 1000);
		CHECK_EQ_INT(n->node[i].drops.count[DROP_RATE], 0);
	}
	net_free(n);
}

static void test_dht_lookups_are_bounded_and_can_be_cancelled(void)
{
	struct net *n = net_new(2, 16);
	struct dht_topic t = net_topic("nobody");

	net_link(n, 0, 1);
	n->node[1].gone = true;
	for (int i = 0; i < 64; i++)
		CHECK_EQ_INT(dht_get(n->node[0].dht, (uint64_t)i, &t, n->now), 0);
	CHECK_EQ_INT(dht_get(n->node[0].dht, 64, &t, n->now), -ENOSPC);
	dht_cancel(n->node[0].dht, 5);
	CHECK_EQ_INT(dht_info(n->node[0].dht).lookups, 63);
	net_rewake(&n->node[0]);
	net_run(n, SEC(4));
	CHECK_EQ_INT(n->node[0].seen.done, 63);
	CHECK_EQ_INT(dht_info(n->node[0].dht).lookups, 0);
	net_free(n);
}

static void test_dht_bodies_and_publications_are_bounded(void)
{
	struct net *n = net_new(1, 17);
	static uint8_t body[DHT_BODY_MAX + 1];
	struct dht_topic t = net_topic("big");
	char name[16];

	CHECK_EQ_INT(dht_publish(n->node[0].dht, &t, body, sizeof(body), 60, n->now), -EMSGSIZE);
	CHECK_EQ_INT(dht_publish(n->node[0].dht, &t, body, DHT_BODY_MAX, 60, n->now), 0);
	for (size_t i = 1; i < DHT_PUBLISHED_MAX; i++) {
		snprintf(name, sizeof(name), "n%zu", i);
		CHECK_EQ_INT(net_publish(n, 0, name, "x"), 0);
	}
	CHECK_EQ_INT(net_publish(n, 0, "one more", "x"), -ENOSPC);
	CHECK_EQ_INT(net_publish(n, 0, "n5", "again"), 0);
	CHECK_EQ_INT(dht_info(n->node[0].dht).published, DHT_PUBLISHED_MAX);
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_dht_alone_a_record_is_found_here_at_once),
	TEST(test_dht_two_nodes_find_what_the_other_holds_right_after_contact),
	TEST(test_dht_two_nodes_a_record_is_pushed_after_contact_and_at_publishing),
	TEST(test_dht_three_nodes_in_a_row_resolve_within_a_second),
	TEST(test_dht_a_holder_that_restarted_gets_the_record_again),
	TEST(test_dht_a_higher_sequence_replaces_and_is_what_everybody_reads),
	TEST(test_dht_records_expire_when_their_owner_is_gone_and_not_before),
	TEST(test_dht_a_withdrawn_record_is_told_no_more_and_not_renewed),
	TEST(test_dht_withdrawn_and_published_again_is_there),
	TEST(test_dht_an_owner_signs_above_its_own_record_from_an_earlier_life),
	TEST(test_dht_fifty_nodes_with_loss_all_read_one_record),
	TEST(test_dht_three_hundred_nodes_read_also_after_a_fifth_vanished),
	TEST(test_dht_lost_holders_are_replaced),
	TEST(test_dht_reads_succeed_while_a_fifth_answers_junk),
	TEST(test_dht_the_same_seed_makes_the_same_run),
	TEST(test_dht_a_thousand_records_of_new_nodes_reach_everybody_within_five_minutes),
	TEST(test_dht_lookups_are_bounded_and_can_be_cancelled),
	TEST(test_dht_bodies_and_publications_are_bounded),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
