/* test_p2p_copy.c - two processes with one key: the older is told, a healthy one never. 4.2. */
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
	p2p_locate(n->nodes[0].p, &n->nodes[1].key.pub, &n->nodes[1].addr, 1, NULL, n->now);
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

static void copy_of(struct net *n, int who, int of)
{
	p2p_free(n->nodes[who].p, n->now);
	n->nodes[who].key = n->nodes[of].key;
	n->nodes[who].starts = n->nodes[of].starts;
	net_start(n, who, net_overlay);
}

static void test_p2p_older_process_that_we_called_ourselves_is_told_too(void)
{
	struct net *n = net_new(3);

	net_boot(n, 0, 1); /* we know its start from its answer only */
	net_run(n, SEC(2));
	copy_of(n, 2, 1);
	net_boot(n, 2, 0);
	net_run(n, SEC(1));
	CHECK(n->nodes[1].count[P2P_SUPERSEDED] >= 1);
	CHECK(net_up(n, 2, 0));
	net_free(n);
}

static void test_p2p_answer_of_an_older_process_is_stale(void)
{
	struct net *n = net_new(3);
	struct session *s;

	net_boot(n, 1, 0);
	net_run(n, SEC(2));
	copy_of(n, 2, 1);
	net_boot(n, 2, 0);
	net_run(n, SEC(1));
	s = net_session(n, 0, 1); /* with the copy: one key, one session */
	CHECK_EQ_INT(s->current->start_counter, n->nodes[2].starts);
	n->cut[0][2] = n->cut[2][0] = true;
	session_down(s, n->now); /* the older one answers our call */
	paths_add(&s->paths, &n->nodes[1].addr, 0, true, n->now);
	CHECK_EQ_INT(p2p_connect(n->nodes[0].p, &n->nodes[1].key.pub, n->now), 0);
	net_run(n, SEC(5));
	CHECK(!s->up);
	CHECK(n->nodes[0].drops.count[DROP_STALE] >= 1);
	n->cut[0][2] = n->cut[2][0] = false;
	net_run(n, SEC(40));
	CHECK(s->up && s->current->start_counter == n->nodes[2].starts);
	net_free(n);
}

/* Three starts of one key, taking turns, each from elsewhere: the newest always has the session. */
static void test_p2p_process_that_takes_over_regains_its_sessions(void)
{
	struct net *n = net_new(3);

	net_boot(n, 1, 0);
	net_run(n, SEC(2));
	for (int turn = 0; turn < 6; turn++) {
		int newer = turn % 2 ? 1 : 2, older = 3 - newer;

		copy_of(n, newer, older);
		net_boot(n, newer, 0);
		net_run(n, MSEC(25 + 7 * (unsigned)turn)); /* says CLOSE at an awkward moment */
		p2p_free(n->nodes[older].p, n->now);
		n->nodes[older].p = NULL;
		net_run(n, MSEC(900));
		CHECK(net_up(n, 0, newer) && net_up(n, newer, 0));
		CHECK_EQ_INT(net_say(n, newer, 0, "me again"), 0);
		net_run(n, MSEC(200));
		CHECK_EQ_INT(n->nodes[0].count[P2P_MESSAGE], turn + 1);
		net_run(n, MINUTES(1));
		CHECK(net_up(n, 0, newer) && net_up(n, newer, 0));
	}
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_p2p_older_process_with_our_peers_key_hears_that_it_is_superseded),
	TEST(test_p2p_process_that_we_called_ourselves_is_not_taken_for_its_predecessor),
	TEST(test_p2p_older_process_is_known_after_a_rekey_of_ours_too),
	TEST(test_p2p_older_process_that_we_called_ourselves_is_told_too),
	TEST(test_p2p_answer_of_an_older_process_is_stale),
	TEST(test_p2p_process_that_takes_over_regains_its_sessions),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
