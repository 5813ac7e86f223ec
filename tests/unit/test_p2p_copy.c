/* test_p2p_copy.c - two processes with one key: the older is told, a healthy one never. 4.2 CLOSE. */
#include "p2p/p2p.h"

#include "p2p/connect.h"
#include "tests/unit/p2p_net.h"

/* Node `who` begins a handshake now, though there is a session. */
static void rehandshake(struct net *n, int who, int with)
{
	connect_want(net_session(n, who, with), n->now);
	session_settle(n->nodes[who].p, n->now);
	net_run(n, SEC(1));
}

static void test_p2p_older_process_with_our_peers_key_hears_that_it_is_superseded(void)
{
	struct net *n = net_new(3);

	net_boot(n, 1, 0);
	net_run(n, SEC(2));
	CHECK(net_up(n, 1, 0));
	p2p_free(n->nodes[2].p, n->now);
	n->nodes[2].key = n->nodes[1].key;
	n->nodes[2].starts = n->nodes[1].starts;
	net_start(n, 2, net_overlay);
	net_boot(n, 2, 0);
	net_run(n, SEC(1));
	CHECK(n->nodes[1].count[P2P_SUPERSEDED] >= 1);
	CHECK_EQ_INT(n->nodes[2].count[P2P_SUPERSEDED], 0);
	CHECK(net_up(n, 2, 0));
	net_free(n);
}

static void test_p2p_process_that_we_called_ourselves_is_not_taken_for_its_predecessor(void)
{
	struct net *n = net_new(2);

	net_boot(n, 1, 0);
	net_run(n, SEC(2));
	p2p_free(n->nodes[1].p, n->now); /* says CLOSE */
	n->nodes[1].p = NULL;
	net_run(n, SEC(1));
	net_start(n, 1, net_overlay);
	p2p_connect(n->nodes[0].p, &n->nodes[1].key.pub, n->now);
	net_run(n, SEC(5));
	CHECK(net_up(n, 1, 0));
	n->nodes[1].seen_as.port = 4; /* its NAT lets it appear elsewhere */
	rehandshake(n, 1, 0);
	CHECK_EQ_INT(n->nodes[1].count[P2P_SUPERSEDED], 0);
	rehandshake(n, 0, 1);
	n->nodes[1].seen_as.port = 5;
	rehandshake(n, 1, 0);
	CHECK_EQ_INT(n->nodes[1].count[P2P_SUPERSEDED], 0);
	CHECK(net_up(n, 1, 0));
	net_free(n);
}

static void test_p2p_older_process_is_known_after_a_rekey_of_ours_too(void)
{
	struct net *n = net_new(3);

	net_boot(n, 1, 0);
	net_run(n, SEC(2));
	rehandshake(n, 0, 1);
	p2p_free(n->nodes[2].p, n->now);
	n->nodes[2].key = n->nodes[1].key;
	n->nodes[2].starts = n->nodes[1].starts;
	net_start(n, 2, net_overlay);
	net_boot(n, 2, 0);
	net_run(n, SEC(1));
	CHECK(n->nodes[1].count[P2P_SUPERSEDED] >= 1);
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_p2p_older_process_with_our_peers_key_hears_that_it_is_superseded),
	TEST(test_p2p_process_that_we_called_ourselves_is_not_taken_for_its_predecessor),
	TEST(test_p2p_older_process_is_known_after_a_rekey_of_ours_too),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
