/* test_p2p_wake.c - a node that stood still: suspended, stopped, or starved. */
#include "p2p/p2p.h"

#include "p2p/connect.h"

#include "tests/unit/p2p_net.h"

static const struct p2p_secret secret = { .number = 1, .b = { 7 } };

/* Two nodes attached to each other, with a packet of data gone each way. */
static struct net *attached(bool leaf)
{
	struct net *n = net_new(2);

	if (leaf) {
		p2p_free(n->nodes[1].p, n->now);
		n->nodes[1].leaf = true;
		net_start(n, 1, net_overlay);
	}

	net_boot(n, 1, 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ_INT(p2p_namespace_set(n->nodes[i].p, 0, &secret, 1, n->now), 0);
	net_run(n, SEC(1));
	CHECK_EQ_INT(p2p_attach(n->nodes[1].p, 0, &n->nodes[0].key.pub, n->now), 0);
	net_run(n, SEC(1));
	CHECK(net_data(n, 1, 0) && net_data(n, 0, 1));
	net_run(n, MSEC(100));
	return n;
}

static void sleep_for(struct net *n, int who, usec_t span)
{
	n->dead[who] = true;
	net_run(n, span);
	n->dead[who] = false;
}

static uint64_t data_at(const struct net *n, int i)
{
	return n->nodes[i].data + n->nodes[i].count[P2P_DATA];
}

/* As an owner does that has packets: attaches again when the session is another. */
static usec_t until_data_arrives(struct net *n, int from, int to)
{
	usec_t start = n->now;
	uint64_t before = data_at(n, to);

	while (data_at(n, to) == before && n->now < start + SEC(20)) {
		net_run(n, MSEC(10));
		if (!net_data(n, from, to))
			p2p_attach(n->nodes[from].p, 0, &n->nodes[to].key.pub, n->now);
	}
	return n->now - start;
}

static void test_p2p_after_ten_minutes_asleep_data_is_through_in_half_a_second(void)
{
	struct net *n = attached(false);

	sleep_for(n, 1, MINUTES(10));
	/* An INIT of the other's that was lost just now has the right of way for a second. */
	while (connect_prevails(net_session(n, 0, 1), n->now))
		sleep_for(n, 1, MSEC(100));
	CHECK(!net_up(n, 0, 1));
	CHECK(until_data_arrives(n, 1, 0) < MSEC(500));
	CHECK(until_data_arrives(n, 0, 1) < MSEC(500));
	net_free(n);
}

static void test_p2p_leaf_that_slept_for_a_minute_is_still_attached(void)
{
	struct net *n = attached(true);

	net_run(n, SEC(20)); /* the ring has said what it has to say */
	sleep_for(n, 1, MINUTES(1)); /* others are patient with a leaf */
	CHECK(net_up(n, 0, 1));
	CHECK(until_data_arrives(n, 1, 0) < MSEC(500));
	net_run(n, MSEC(100));
	CHECK_EQ_INT(n->nodes[0].count[P2P_SESSION_DOWN], 0);
	CHECK_EQ_INT(n->nodes[1].count[P2P_SESSION_DOWN], 0);
	CHECK(n->now - net_session(n, 1, 0)->current->made < SEC(1)); /* not by chance */
	net_free(n);
}

static void test_p2p_a_late_tick_makes_no_handshakes_unless_it_is_very_late(void)
{
	struct net *n = attached(false);
	struct session *s = net_session(n, 1, 0);
	uint32_t key = s->current->index;

	net_run(n, MINUTES(1)); /* keepalives only */
	for (int i = 0; i < 10; i++) {
		n->dead[1] = true;
		net_run(n, SEC(5));
		n->dead[1] = false;
		net_run(n, SEC(20));
	}
	CHECK_EQ_INT(n->nodes[1].count[P2P_SESSION_DOWN], 0);
	CHECK(net_session(n, 1, 0)->current->index == key ||
	      n->now - net_session(n, 1, 0)->current->made > SEC(1));
	net_free(n);
}

static void test_p2p_what_nobody_wanted_is_not_made_anew_after_sleep(void)
{
	struct net *n = net_new(3);

	for (int i = 1; i < 3; i++)
		net_boot(n, i, 0);
	net_run(n, SEC(30));
	n->dead[0] = true; /* and never comes back */
	sleep_for(n, 1, MINUTES(10));
	net_run(n, SEC(1));
	n->nodes[1].sent = 0;
	net_run(n, MINUTES(1));
	CHECK(n->nodes[1].sent < 200); /* it tries, but not without pause */
	net_free(n);
}

/* Of a session that comes up again after a while, for one. */
static void test_p2p_a_deadline_long_past_is_no_sleep_while_we_are_called(void)
{
	struct net *n = attached(false);
	struct session *s = net_session(n, 1, 0);
	uint32_t key;

	net_run(n, MINUTES(1));
	key = s->current->index;
	net_run(n, SEC(2)); /* keepalives only: nothing was heard at this moment */
	timer_set(&n->nodes[1].p->timers, &s->timer, n->now - SEC(50));
	net_run(n, MSEC(500));
	CHECK(s->current->index == key);
	CHECK(s->use.marks.waiting == 0);
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_p2p_a_deadline_long_past_is_no_sleep_while_we_are_called),
	TEST(test_p2p_after_ten_minutes_asleep_data_is_through_in_half_a_second),
	TEST(test_p2p_leaf_that_slept_for_a_minute_is_still_attached),
	TEST(test_p2p_a_late_tick_makes_no_handshakes_unless_it_is_very_late),
	TEST(test_p2p_what_nobody_wanted_is_not_made_anew_after_sleep),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
