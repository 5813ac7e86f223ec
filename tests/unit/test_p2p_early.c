/* test_p2p_early.c - data that overtakes the CONFIRM of its attachment. */
#include "p2p/p2p.h"

#include "tests/unit/p2p_net.h"

static const struct p2p_secret secret_1 = { 1, { 11 } };

static struct net *pair(void)
{
	struct net *n = net_new(2);

	for (int i = 0; i < 2; i++)
		p2p_namespace_set(n->nodes[i].p, 0, &secret_1, 1, n->now);
	net_boot(n, 0, 1);
	net_run(n, SEC(1));
	return n;
}

/* CONFIRM: a control packet with a grant of 40 bytes, and perhaps an acknowledgement. */
static bool lose_first_confirm(struct net *n, int from, int to, const uint8_t *pkt, size_t len)
{
	(void)to;
	return !(from == 0 && pkt[0] == (PACKET_VERSION | PACKET_CONTROL) && 
		 (len == 86 || len == 90) && ++n->tapped == 1);
}

static void test_p2p_data_that_overtakes_the_confirm_is_kept_for_it_within_bounds(void)
{
	struct net *n = pair();
	enum p2p_event_type *order = n->nodes[1].order;
	size_t at = n->nodes[1].events;

	n->tap = lose_first_confirm;
	p2p_attach(n->nodes[0].p, 0, &n->nodes[1].key.pub, n->now);
	for (int i = 0; i < 100 && !n->nodes[0].count[P2P_ATTACHED]; i++)
		net_run(n, MSEC(1));
	for (int i = 0; i < 40; i++)
		CHECK(net_data(n, 0, 1));
	net_run(n, MSEC(50));
	CHECK_EQ_INT(n->nodes[1].count[P2P_ATTACHED] + n->nodes[1].count[P2P_DATA], 0);
	net_run(n, SEC(1));
	CHECK_EQ_INT(n->tapped, 2);
	CHECK_EQ_INT(order[at], P2P_ATTACHED);
	CHECK_EQ_INT(order[at + 1], P2P_DATA);
	CHECK_EQ_INT(n->nodes[1].count[P2P_DATA], 16);
	CHECK(net_data(n, 0, 1));
	net_run(n, MSEC(50));
	CHECK_EQ_INT(n->nodes[1].data, 1);
	net_free(n);
}

static void test_p2p_data_before_a_confirm_that_shows_a_bad_grant_reaches_nobody(void)
{
	struct net *n = pair();

	n->tap = lose_first_confirm;
	n->nodes[1].refuses = true;
	p2p_attach(n->nodes[0].p, 0, &n->nodes[1].key.pub, n->now);
	for (int i = 0; i < 100 && !n->nodes[0].count[P2P_ATTACHED]; i++)
		net_run(n, MSEC(1));
	CHECK(net_data(n, 0, 1));
	net_run(n, SEC(2));
	CHECK_EQ_INT(n->tapped, 2);
	CHECK_EQ_INT(n->nodes[1].count[P2P_DATA], 0);
	CHECK_EQ_INT(n->nodes[1].data, 0);
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_p2p_data_that_overtakes_the_confirm_is_kept_for_it_within_bounds),
	TEST(test_p2p_data_before_a_confirm_that_shows_a_bad_grant_reaches_nobody),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
