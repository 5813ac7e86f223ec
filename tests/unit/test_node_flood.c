/* test_node_flood.c - what an attached member can make a whole node do by sending much. */
#include "cmd/node.h"

#include <string.h>

#include "cmd/node_internal.h"
#include "cmd/sim.h"
#include "tests/check.h"

static bool is_attached(struct sim *s, void *ctx)
{
	struct ns *a = sim_node(s, 0)->ns[0], *b = sim_node(s, 1)->ns[0];

	(void)ctx;
	return a && b && a->attached.count && b->attached.count && a->state == NODE_NS_READY &&
	       b->state == NODE_NS_READY;
}

/* Node 0 has created, node 1 has joined, and they are attached. */
static struct sim *two_members(void)
{
	struct sim *s = sim_new(7, 2);
	struct node_create c = { .name = "sim", .has_subnet = true };
	struct node_invite v = { .uses = 2, .expires = 86400 };
	struct node_join j = { 0 };
	char token[sizeof(((struct sim_result *)0)->text)];
	uint64_t op = sim_op(s, 0);

	prefix_parse(&c.subnet, "10.9.0.0/24");
	node_create(sim_node(s, 0), op, &c, sim_now(s));
	sim_touch(s, 0);
	sim_run(s, sim_now(s) + SEC(3));
	op = sim_op(s, 0);
	node_invite(sim_node(s, 0), op, NULL, &v, sim_now(s));
	sim_touch(s, 0);
	sim_run(s, sim_now(s) + SEC(1));
	CHECK(sim_result(s, 0, op) != NULL);
	memcpy(token, sim_result(s, 0, op)->text, sizeof(token));
	j.token = token;
	node_join(sim_node(s, 1), sim_op(s, 1), &j, sim_now(s));
	sim_touch(s, 1);
	CHECK(sim_until(s, sim_now(s) + SEC(20), is_attached, NULL));
	return s;
}

static size_t want(uint8_t *buf, const struct ns *ns)
{
	struct ip ip = ip_v4(0x0a090001);
	struct wr w = wr_of(buf, 64);

	wr_u8(&w, 2);
	wr_copy(&w, ns->nsid, NSID_LEN);
	wr_ip(&w, &ip);
	return wr_len(&w);
}

static void test_node_grants_are_shown_and_judged_at_a_bounded_rate(void)
{
	struct sim *s = two_members();
	struct node *n = sim_node(s, 0);
	const struct pubkey *peer = node_key(sim_node(s, 1));
	uint8_t msg[64];
	size_t len = want(msg, n->ns[0]);
	uint64_t before = sim_stats(s).sent;

	for (unsigned i = 0; i < 1000; i++)
		ns_grant_message(n->ns[0]->o, peer, msg, len, sim_now(s));
	CHECK(n->drops.count[DROP_RATE] >= 900);
	sim_touch(s, 0);
	sim_run(s, sim_now(s) + SEC(1));
	CHECK(sim_stats(s).sent - before < 200);
	sim_run(s, sim_now(s) + SEC(10));
	before = n->drops.count[DROP_RATE];
	ns_grant_message(n->ns[0]->o, peer, msg, len, sim_now(s));
	CHECK_EQ_INT(n->drops.count[DROP_RATE], before);
	sim_free(s);
}

static bool has_contact(const struct overlay *o, const struct pubkey *key)
{
	for (size_t i = 0; i < o->contact_count; i++)
		if (key_equal(&o->contacts[i].key, key))
			return true;
	return false;
}

/* Whoever has the overlay key could displace what a restarted node finds its way back by. */
static void test_node_a_session_alone_displaces_no_contact_an_attachment_does(void)
{
	struct sim *s = two_members();
	struct overlay *o = sim_node(s, 0)->overlays[0];
	struct p2p_event e = { .type = P2P_SESSION_UP, .peer = *node_key(sim_node(s, 1)),
			       .session = 1 };

	CHECK(has_contact(o, &e.peer));
	for (uint8_t i = 0; i < NODE_CONTACTS_MAX; i++) {
		struct addr a = { .ip = ip_v4(0x01020300u + i), .port = 1 };
		struct pubkey key = { { i } };

		overlay_learn_contact(o, &key, &a, 1);
	}
	CHECK_EQ_INT(o->contact_count, NODE_CONTACTS_MAX);
	CHECK(!has_contact(o, &e.peer));
	overlay_event(o, &e, sim_now(s));
	CHECK(!has_contact(o, &e.peer));
	e.type = P2P_ATTACHED;
	overlay_event(o, &e, sim_now(s));
	CHECK(has_contact(o, &e.peer));
	sim_free(s);
}

static const struct test tests[] = {
	TEST(test_node_grants_are_shown_and_judged_at_a_bounded_rate),
	TEST(test_node_a_session_alone_displaces_no_contact_an_attachment_does),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
