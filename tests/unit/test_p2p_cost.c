/* test_p2p_cost.c - what keeping and making sessions costs on the wire, by kind of packet. */
#include "p2p/p2p.h"

#include "tests/unit/p2p_net.h"

#define UDP_IP 28

/* What sessions cost by themselves: not what the ring, routing and owners say over them. */
static uint64_t own_bytes(const struct net *n)
{
	static const enum p2p_sent_kind kinds[] = {
		P2P_SENT_HANDSHAKE, P2P_SENT_WHOIS, P2P_SENT_PROBE, P2P_SENT_KEEPALIVE,
		P2P_SENT_CLOSE, P2P_SENT_ROUTED + ROUTED_HANDSHAKE,
		P2P_SENT_MESSAGE + SERVICE_ADDRESSES,
	};
	uint64_t sum = 0;

	for (size_t i = 0; i < n->count; i++)
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			sum += p2p_sent(n->nodes[i].p)->bytes[kinds[k]] +
			       UDP_IP * p2p_sent(n->nodes[i].p)->packets[kinds[k]];
	return sum;
}

static unsigned pairs_up(struct net *n)
{
	unsigned up = 0;

	for (size_t i = 0; i < n->count; i++)
		for (size_t j = i + 1; j < n->count; j++)
			up += net_up(n, (int)i, (int)j);
	return up;
}

static unsigned ups(const struct net *n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n->count; i++)
		sum += n->nodes[i].count[P2P_SESSION_UP];
	return sum;
}

static void boot_all(struct net *n)
{
	for (size_t i = 1; i < n->count; i++)
		net_boot(n, (int)i, 0);
}

/* Two link ends for an hour, rekey included, without a word from the ring in between. */
static void test_p2p_idle_link_costs_less_than_five_bytes_a_second_and_side(void)
{
	struct net *n = net_new(2);
	uint64_t before;

	boot_all(n);
	net_run(n, MINUTES(5));
	before = own_bytes(n);
	net_run(n, HOURS(4));
	CHECK(own_bytes(n) - before <= 48 * (4 * 3600 * 2) / 10);
	CHECK_EQ_INT(ups(n), 2);
	net_free(n);
}

static void test_p2p_idle_link_of_a_leaf_costs_less_than_three_bytes_a_second_and_side(void)
{
	struct net *n = net_new(2);
	uint64_t before;

	p2p_free(n->nodes[1].p, n->now);
	n->nodes[1].leaf = true;
	net_start(n, 1, net_overlay);
	boot_all(n);
	net_run(n, MINUTES(5));
	CHECK_EQ_INT(pairs_up(n), 1);
	before = own_bytes(n);
	net_run(n, HOURS(4));
	CHECK(own_bytes(n) - before <= 3 * (4 * 3600 * 2));
	CHECK_EQ_INT(n->nodes[0].count[P2P_SESSION_DOWN], 0);
	net_free(n);
}

static void test_p2p_new_session_costs_little_and_is_made_once(void)
{
	struct net *n = net_new(60);
	unsigned pairs;

	n->jitter = MSEC(5);
	boot_all(n);
	net_run(n, SEC(12)); /* no keepalives yet */
	pairs = pairs_up(n);
	CHECK(pairs >= 3 * 60);
	CHECK_EQ_INT(ups(n), 2 * pairs);
	CHECK(own_bytes(n) <= (uint64_t)pairs * 1100); /* the acknowledgements of ADDRESSES apart */
	net_free(n);
}

static void test_p2p_all_restarting_at_once_make_no_storm(void)
{
	struct net *n = net_new(60);
	struct p2p *old[60];

	n->jitter = MSEC(5);
	boot_all(n);
	net_run(n, MINUTES(1));
	for (int i = 0; i < 60; i++) { /* nobody says good-bye */
		old[i] = n->nodes[i].p;
		n->nodes[i].count[P2P_SESSION_UP] = 0;
		net_start(n, i, net_overlay);
	}
	boot_all(n);
	net_run(n, SEC(30));
	CHECK(ups(n) <= 2 * pairs_up(n) + 12); /* the ring may change its mind */
	CHECK(own_bytes(n) <= 60 * 20000);
	for (int i = 0; i < 60; i++)
		p2p_free(old[i], n->now);
	net_free(n);
}

static void test_p2p_addresses_are_told_again_only_when_they_are_others(void)
{
	struct net *n = net_new(2);
	struct addr two[2] = { n->nodes[0].addr, { .ip = ip_v4(0x0a0a0a0a), .port = 9 } };
	const uint64_t *told = &p2p_sent(n->nodes[0].p)->packets[P2P_SENT_MESSAGE +
								 SERVICE_ADDRESSES];
	uint64_t before;

	boot_all(n);
	net_run(n, SEC(30));
	before = *told;
	p2p_set_addresses(n->nodes[0].p, two, 1, n->now);
	net_run(n, SEC(5));
	CHECK_EQ_INT(*told, before);
	p2p_set_addresses(n->nodes[0].p, two, 2, n->now);
	net_run(n, SEC(5));
	CHECK_EQ_INT(*told, before + 1);
	p2p_set_addresses(n->nodes[0].p, two + 1, 1, n->now);
	net_run(n, SEC(5));
	CHECK(*told <= before + 2); /* where it is seen is told anyway */
	net_free(n);
}

static void test_p2p_an_idle_session_with_a_way_looks_at_another_address_later(void)
{
	struct net *n = net_new(2);
	struct addr two[2] = { n->nodes[1].addr, { .ip = ip_v4(0x0a0a0a0a), .port = 9 } };
	const uint64_t *probes = &p2p_sent(n->nodes[0].p)->packets[P2P_SENT_PROBE];
	uint64_t before;

	boot_all(n);
	net_run(n, SEC(30));
	before = *probes;
	p2p_set_addresses(n->nodes[1].p, two, 2, n->now);
	net_run(n, SEC(35));
	CHECK_EQ_INT(*probes, before);
	net_run(n, SEC(30));
	CHECK(*probes > before);
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_p2p_idle_link_costs_less_than_five_bytes_a_second_and_side),
	TEST(test_p2p_idle_link_of_a_leaf_costs_less_than_three_bytes_a_second_and_side),
	TEST(test_p2p_new_session_costs_little_and_is_made_once),
	TEST(test_p2p_all_restarting_at_once_make_no_storm),
	TEST(test_p2p_addresses_are_told_again_only_when_they_are_others),
	TEST(test_p2p_an_idle_session_with_a_way_looks_at_another_address_later),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
