/* test_node_endpoints.c - members and revocation lists found through the DHT. */
#include "cmd/node.h"

#include "tests/unit/node_kit.h"

static struct endpoints sample(void)
{
	struct endpoints e = { .leaf = true, .agent_count = 2, .addr_count = 2 };

	e.agents[0].b[0] = 1;
	e.agents[1].b[0] = 2;
	e.addrs[0] = (struct addr){ .ip = ip_v4(0x0a000001), .port = 7 };
	e.addrs[1] = (struct addr){ .ip = { .len = 16, .b = { 0x20, 1 } }, .port = 9 };
	return e;
}

static void test_node_endpoints_are_read_as_written_and_only_whole(void)
{
	struct endpoints e = sample(), back;
	uint8_t b[256];
	struct wr w = wr_of(b, sizeof(b));
	size_t len;

	wr_endpoints(&w, &e);
	len = wr_len(&w);
	CHECK(endpoints_read(&back, b, len));
	CHECK(back.leaf && back.agent_count == 2 && back.addr_count == 2);
	CHECK(id_equal(&back.agents[1], &e.agents[1]) && addr_equal(&back.addrs[1], &e.addrs[1]));
	for (size_t i = 0; i < len; i++)
		CHECK(!endpoints_read(&back, b, i));
	b[len] = 0;
	CHECK(!endpoints_read(&back, b, len + 1));
	b[1] = 4; /* agents */
	CHECK(!endpoints_read(&back, b, sizeof(b)));
}

static struct endpoints published(struct kit *k, size_t reader, size_t of)
{
	struct ns_record r = { DHT_ENDPOINTS, k->node[of].key.pub.b, KEY_LEN };
	struct endpoints e = { 0 };
	uint64_t op = ++k->last_op;
	struct dht_topic t;
	const struct node_notice *n;

	CHECK(ns_topic(kit_ns(k, reader), 0, &r, &t));
	node_record_get(k->node[reader].n, op, &t, k->now);
	n = kit_wait(k, reader, op, SEC(5));
	CHECK(n && n->result == NODE_OK && key_equal(&n->key, &k->node[of].key.pub));
	if (n && n->result == NODE_OK)
		CHECK(endpoints_read(&e, k->node[reader].body, n->len));
	return e;
}

static struct kit *with_leaf(uint64_t seed, size_t count)
{
	struct kit *k = kit_new(seed, count);
	char token[KIT_TEXT];

	kit_create(k);
	memcpy(token, kit_invite(k), sizeof(token));
	for (size_t i = 1; i + 1 < count; i++)
		CHECK(kit_join(k, i, token) && k->node[i].notice.result == NODE_OK);
	kit_crash(k, count - 1);
	k->node[count - 1].leaf = k->node[count - 1].shy = true;
	kit_start(k, count - 1);
	CHECK(kit_join(k, count - 1, token) && k->node[count - 1].notice.result == NODE_OK);
	return k;
}

static void test_node_leaves_publish_where_they_are_and_follow_changes(void)
{
	struct kit *k = with_leaf(1, 4);
	struct addr moved = { .ip = ip_v4(0x0a0b0c0d), .port = 5 };
	struct endpoints e;
	usec_t when;

	kit_run(k, SEC(20));
	CHECK_EQ_INT(kit_ns(k, 2)->endpoints_at, 0); /* the ring leads to it */
	e = published(k, 1, 3);
	CHECK(e.leaf && e.agent_count >= 1 && e.addr_count >= 1);
	CHECK(addr_equal(&e.addrs[0], &k->node[3].addr));
	when = kit_ns(k, 3)->endpoints_at;
	node_set_addresses(k->node[3].n, &moved, 1, k->now);
	kit_touch(&k->node[3]);
	kit_run(k, MINUTES(3));
	CHECK(kit_ns(k, 3)->endpoints_at >= when + SEC(60)); /* not sooner */
	e = published(k, 1, 3);
	CHECK(addr_equal(&e.addrs[0], &moved));
	when = kit_ns(k, 3)->endpoints_at;
	kit_run(k, MINUTES(10));
	CHECK_EQ_INT(kit_ns(k, 3)->endpoints_at, when);
	kit_free(k);
}

static bool is_attached(struct kit *k, size_t i, size_t to)
{
	return map_get(&kit_ns(k, i)->attached, &k->node[to].key.pub) != NULL;
}

static void want(struct kit *k, size_t from, size_t to)
{
	struct vnet_event e = { .type = VNET_ATTACH, .peer = k->node[to].key.pub };

	node_enter(k->node[from].n, k->now);
	ns_vnet_event(kit_ns(k, from), &e, k->now);
	node_pump(k->node[from].n, k->now);
	kit_touch(&k->node[from]);
}

/* It hears only who it has sent to, and nobody knows where it is but its uplink. */
static void test_node_a_leaf_behind_a_nat_is_reached_through_its_uplink(void)
{
	struct kit *k = with_leaf(2, 8);

	kit_run(k, SEC(60));
	for (size_t i = 1; i < 7; i++) {
		want(k, i, 7);
		kit_run(k, SEC(4));
		CHECK(is_attached(k, i, 7));
	}
	kit_free(k);
}

static void test_node_a_member_that_is_down_is_looked_up_seldom(void)
{
	struct kit *k = kit_members(3, 4);

	kit_run(k, SEC(20));
	kit_crash(k, 3);
	kit_run(k, SEC(40));
	for (int i = 0; i < 10; i++) {
		want(k, 1, 3);
		kit_run(k, MSEC(1600));
		CHECK_EQ_INT(kit_ns(k, 1)->seeks.count, 1);
	}
	kit_run(k, SEC(40));
	CHECK_EQ_INT(kit_ns(k, 1)->seeks.count, 0);
	kit_free(k);
}

static void test_node_endpoints_of_another_signer_move_nobody(void)
{
	struct kit *k = kit_members(4, 3);
	struct endpoints fake = sample();
	uint8_t b[256];
	struct wr w = wr_of(b, sizeof(b));
	struct dht_event e = { .type = DHT_FOUND, .signer = k->node[0].key.pub, .body = b };

	wr_endpoints(&w, &fake);
	e.len = wr_len(&w);
	kit_crash(k, 2);
	kit_run(k, SEC(40));
	want(k, 1, 2);
	kit_run(k, SEC(2)); /* looked up by now */
	CHECK_EQ_INT(kit_ns(k, 1)->seeks.count, 1);
	ns_endpoints_found(kit_ns(k, 1), &e, k->now);
	CHECK(map_get(&kit_ns(k, 1)->seeks, &k->node[0].key.pub) == NULL);
	e.len--; /* and a malformed one of the right signer */
	e.signer = k->node[2].key.pub;
	ns_endpoints_found(kit_ns(k, 1), &e, k->now);
	CHECK_EQ_INT(k->node[1].n->drops.count[DROP_MALFORMED], 1);
	kit_free(k);
}

/* Node 2 sleeps through a revocation; when it wakes, the only keeper is gone. */
static void test_node_a_member_without_a_keeper_finds_the_revocation_list(void)
{
	struct kit *k = kit_members(5, 5);
	uint64_t op;

	kit_run(k, SEC(20));
	want(k, 1, 2);
	kit_run(k, SEC(5));
	CHECK(is_attached(k, 1, 2));
	kit_crash(k, 2);
	op = ++k->last_op;
	node_member_revoke(k->node[0].n, op, NULL, "node4", k->now);
	CHECK(kit_wait(k, 0, op, SEC(10)) && k->node[0].notice.result == NODE_OK);
	kit_run(k, MINUTES(4)); /* a young node's records take a while */
	CHECK_EQ_INT(regs_revocation_number(kit_ns(k, 1)->regs), 1);
	kit_crash(k, 0);
	kit_start(k, 2);
	kit_run(k, SEC(30));
	CHECK_EQ_INT(regs_revocation_number(kit_ns(k, 2)->regs), 0);
	want(k, 2, 1);
	kit_run(k, SEC(60));
	CHECK(is_attached(k, 2, 1));
	CHECK_EQ_INT(regs_revocation_number(kit_ns(k, 2)->regs), 1);
	CHECK(regs_is_revoked(kit_ns(k, 2)->regs, &k->node[4].key.pub));
	CHECK(kit_ns(k, 2)->fetch == NULL);
	kit_free(k);
}

static void part(struct ns *s, const struct pubkey *signer, uint64_t number, uint8_t parts, size_t len)
{
	uint8_t b[DHT_BODY_MAX] = { 0 };
	struct wr w = wr_of(b, sizeof(b));
	struct dht_event e = { .type = DHT_FOUND, .signer = *signer, .body = b, .len = 9 + len };

	wr_u64(&w, number);
	wr_u8(&w, parts);
	ns_revocations_found(s, &e);
}

static void test_node_a_revocation_list_in_parts_is_one_keepers_or_nothing(void)
{
	struct kit *k = kit_members(6, 3);
	struct ns *s = kit_ns(k, 2);
	const struct pubkey *keeper = &k->node[0].key.pub, *other = &k->node[1].key.pub;

	ns_revocations_rumour(s, 5, k->now);
	ns_detached(s, keeper, false, k->now);
	s->fetch_due = k->now;
	ns_revocations_chore(s, k->now);
	CHECK(s->fetch != NULL);
	part(s, other, 9, 2, DHT_BODY_MAX - 9); /* no keeper */
	part(s, keeper, 0, 1, 10);		/* no news */
	part(s, keeper, 5, 0, 10);
	part(s, keeper, 5, 6, DHT_BODY_MAX - 9);
	part(s, keeper, 5, 2, 10); /* not the last, and short */
	part(s, keeper, 5, 1, 0);
	ns_revocations_done(s, k->now);
	CHECK(s->fetch == NULL); /* nothing of that was a first part */
	CHECK(s->fetched == k->now);
	ns_revocations_rumour(s, 6, k->now);
	CHECK(s->fetch_due >= k->now + SEC(60));
	kit_free(k);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_node_endpoints_are_read_as_written_and_only_whole),
		TEST(test_node_leaves_publish_where_they_are_and_follow_changes),
		TEST(test_node_a_leaf_behind_a_nat_is_reached_through_its_uplink),
		TEST(test_node_a_member_that_is_down_is_looked_up_seldom),
		TEST(test_node_endpoints_of_another_signer_move_nobody),
		TEST(test_node_a_member_without_a_keeper_finds_the_revocation_list),
		TEST(test_node_a_revocation_list_in_parts_is_one_keepers_or_nothing),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
