/* test_node_flood.c - what an attached member can make a whole node do by sending much. */
#include "cmd/node.h"

#include <string.h>

#include "tests/unit/node_kit.h"

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
	struct kit *k = kit_members(7, 2);
	struct node *n = k->node[0].n;
	const struct pubkey *peer = node_key(k->node[1].n);
	uint8_t msg[64];
	size_t len = want(msg, n->ns[0]);
	uint64_t before = k->node[0].sent;

	for (unsigned i = 0; i < 1000; i++)
		ns_grant_message(n->ns[0]->o, peer, msg, len, k->now);
	CHECK(n->drops.count[DROP_RATE] >= 900);
	kit_touch(&k->node[0]);
	kit_run(k, SEC(1));
	CHECK(k->node[0].sent - before < 200);
	kit_run(k, SEC(10));
	before = n->drops.count[DROP_RATE];
	ns_grant_message(n->ns[0]->o, peer, msg, len, k->now);
	CHECK_EQ_INT(n->drops.count[DROP_RATE], before);
	kit_free(k);
}

static bool has_contact(const struct overlay *o, const struct pubkey *key)
{
	struct token_contact all[NODE_CONTACTS_MAX];
	size_t count = overlay_contacts(o, all);

	for (size_t i = 0; i < count; i++)
		if (key_equal(&all[i].key, key))
			return true;
	return false;
}

/* Whoever has the overlay key could displace what a restarted node finds its way back by. */
static void test_node_a_session_alone_displaces_no_contact_an_attachment_does(void)
{
	struct kit *k = kit_members(7, 2);
	struct overlay *o = k->node[0].n->overlays[0];
	struct p2p_event e = { .type = P2P_SESSION_UP, .peer = *node_key(k->node[1].n),
			       .session = 1 };
	struct token_contact all[NODE_CONTACTS_MAX];

	CHECK(has_contact(o, &e.peer));
	for (uint8_t i = 0; i < NODE_CONTACTS_MAX; i++) {
		struct addr a = { .ip = ip_v4(0x01020300u + i), .port = 1 };
		struct pubkey key = { { i } };

		overlay_learn_contact(o, &key, &a, 1);
	}
	CHECK_EQ_INT(overlay_contacts(o, all), NODE_CONTACTS_MAX);
	CHECK(key_equal(&all[0].key, &(struct pubkey){ { NODE_CONTACTS_MAX - 1 } }));
	CHECK(addr_equal(&all[7].addrs[0], &(struct addr){ .ip = ip_v4(0x01020300u), .port = 1 }));
	CHECK(!overlay_keep_contacts(o, o->contacts, o->contacts_len - 1));
	CHECK_EQ_INT(overlay_contacts(o, all), NODE_CONTACTS_MAX);
	CHECK(!has_contact(o, &e.peer));
	overlay_event(o, &e, k->now);
	CHECK(!has_contact(o, &e.peer));
	e.type = P2P_ATTACHED;
	overlay_event(o, &e, k->now);
	CHECK(has_contact(o, &e.peer));
	kit_free(k);
}

static const struct test tests[] = {
	TEST(test_node_grants_are_shown_and_judged_at_a_bounded_rate),
	TEST(test_node_a_session_alone_displaces_no_contact_an_attachment_does),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
