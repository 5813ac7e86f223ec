/* test_node_trace.c - questions along the ring, records for diagnosis, what a node says of its
 * ring. */
#include "cmd/node.h"

#include "tests/unit/node_kit.h"

static struct dht_topic topic(const char *name)
{
	struct dht_topic t = { .kind = DHT_DERIVED,
			       .secret = { 7 },
			       .name_len = (uint8_t)strlen(name) };

	memcpy(t.name, name, t.name_len);
	return t;
}

static const struct node_notice *trace(struct kit *k, size_t from, const struct pubkey *key,
				       usec_t span)
{
	uint64_t op = ++k->last_op;

	node_trace_key(k->node[from].n, op, key, NULL, k->now);
	return kit_wait(k, from, op, span);
}

static void test_node_trace_tells_links_and_round_trip(void)
{
	struct kit *k = kit_members(1, 3);
	const struct node_notice *n = trace(k, 1, &k->node[2].key.pub, SEC(2));

	CHECK(n && n->result == NODE_OK && key_equal(&n->key, &k->node[2].key.pub));
	if (n) {
		CHECK(n->hops >= 1 && n->hops <= 2);
		CHECK_EQ_INT(n->rtt, n->hops * 2 * KIT_DELAY);
	}
	kit_free(k);
}

static void test_node_trace_by_host_name_finds_its_owner(void)
{
	struct kit *k = kit_members(2, 3);
	uint64_t op = ++k->last_op;
	const struct node_notice *n;

	node_trace(k->node[1].n, op, "kit", "node2", k->now);
	n = kit_wait(k, 1, op, SEC(8));
	CHECK(n && n->result == NODE_OK && key_equal(&n->key, &k->node[2].key.pub));
	op = ++k->last_op;
	node_trace(k->node[1].n, op, "kit", "nobody", k->now);
	n = kit_wait(k, 1, op, SEC(8));
	CHECK(n && n->result == NODE_NO && strstr(k->node[1].text, "no host of this name"));
	kit_free(k);
}

static void test_node_trace_of_oneself_is_no_link_away(void)
{
	struct kit *k = kit_members(3, 2);
	const struct node_notice *n = trace(k, 1, &k->node[1].key.pub, SEC(1));

	CHECK(n && n->result == NODE_OK && n->hops == 0 && n->rtt == 0);
	kit_free(k);
}

static void test_node_trace_of_a_dead_node_ends_after_four_seconds(void)
{
	struct kit *k = kit_members(4, 3);
	const struct node_notice *n;
	usec_t from;

	kit_crash(k, 2);
	kit_run(k, SEC(30));
	from = k->now;
	n = trace(k, 1, &k->node[2].key.pub, SEC(10));
	CHECK(n && n->result == NODE_TIMEOUT);
	CHECK(k->now - from >= MSEC(3900) && k->now - from <= MSEC(4100));
	kit_free(k);
}

static void test_node_trace_outside_every_overlay_is_refused(void)
{
	struct kit *k = kit_new(5, 1);
	const struct node_notice *n = trace(k, 0, &k->node[0].key.pub, SEC(1));

	CHECK(n && n->result == NODE_NO && strstr(k->node[0].text, "no overlay"));
	kit_free(k);
}

static void test_node_a_trace_answer_from_another_key_is_no_answer(void)
{
	struct kit *k = kit_members(6, 3);
	struct p2p_event e = { .type = P2P_ROUTED,
			       .peer = k->node[0].key.pub,
			       .service = ROUTED_TRACE };
	uint64_t op = ++k->last_op;
	uint8_t msg[11] = { 2 };
	size_t at = 0;
	void *t;

	kit_crash(k, 2);
	node_trace_key(k->node[1].n, op, &k->node[2].key.pub, NULL, k->now);
	t = map_next(&k->node[1].n->traces, &at);
	CHECK(t != NULL);
	if (t)
		memcpy(msg + 1, t, 8); /* the id, as the map has it */
	for (size_t i = 1; i < 5; i++) { /* big-endian on the wire */
		uint8_t b = msg[i];

		msg[i] = msg[9 - i];
		msg[9 - i] = b;
	}
	e.msg = msg;
	e.len = sizeof(msg);
	node_trace_input(k->node[1].n->overlays[0], &e, k->now);
	CHECK_EQ_INT(k->node[1].n->traces.count, 1);
	e.peer = k->node[2].key.pub;
	node_trace_input(k->node[1].n->overlays[0], &e, k->now);
	CHECK_EQ_INT(k->node[1].n->traces.count, 0);
	kit_free(k);
}

static void test_node_malformed_traces_are_dropped_and_answers_are_bounded(void)
{
	struct kit *k = kit_members(7, 2);
	struct node *n = k->node[1].n;
	struct p2p_event e = { .type = P2P_ROUTED,
			       .peer = k->node[0].key.pub,
			       .service = ROUTED_TRACE };
	uint8_t msg[12] = { 1 };
	uint64_t sent;

	e.msg = msg;
	for (e.len = 0; e.len <= 12; e.len++)
		if (e.len != 11)
			node_trace_input(n->overlays[0], &e, k->now);
	msg[0] = 3;
	e.len = 11;
	node_trace_input(n->overlays[0], &e, k->now);
	CHECK_EQ_INT(n->drops.count[DROP_MALFORMED], 13);
	msg[0] = 1;
	sent = k->node[1].sent;
	for (int i = 0; i < 1000; i++)
		node_trace_input(n->overlays[0], &e, k->now);
	CHECK_EQ_INT(k->node[1].sent - sent, 200);
	CHECK_EQ_INT(n->drops.count[DROP_RATE], 800);
	kit_free(k);
}

static void test_node_a_record_that_was_put_is_found_elsewhere(void)
{
	struct kit *k = kit_members(8, 3);
	struct dht_topic t = topic("thing"), other = topic("nothing");
	struct node_record r = { (const uint8_t *)"body", 4, 3600 };
	const struct node_notice *n;
	uint64_t op = ++k->last_op;

	node_record_put(k->node[1].n, op, &t, &r, k->now);
	n = kit_wait(k, 1, op, SEC(5));
	CHECK(n && n->result == NODE_OK);
	kit_run(k, SEC(5));
	op = ++k->last_op;
	node_record_get(k->node[2].n, op, &t, k->now);
	n = kit_wait(k, 2, op, SEC(5));
	CHECK(n && n->result == NODE_OK && n->len == 4 && key_equal(&n->key, &k->node[1].key.pub));
	CHECK_MEM(k->node[2].body, "body", 4);
	op = ++k->last_op;
	node_record_get(k->node[2].n, op, &other, k->now);
	n = kit_wait(k, 2, op, SEC(5));
	CHECK(n && n->result == NODE_NO);
	CHECK_EQ_INT(k->node[2].n->records.count, 0);
	kit_free(k);
}

/* As the A and the AAAA question of one name: the registers hold one operation per name. */
static void test_node_two_lookups_of_one_name_at_once_are_both_answered(void)
{
	struct kit *k = kit_members(10, 2);
	struct ns *s = kit_ns(k, 1);
	struct reg_name name;
	uint64_t a = ++k->last_op, b = ++k->last_op;

	CHECK(reg_name_host(&name, "node0"));
	for (uint64_t op = a; op <= b; op++) {
		struct query *q = mem_new(sizeof(*q));

		q->op = node_op(k->node[1].n);
		q->kind = QUERY_VERB;
		q->caller = op;
		q->name = name;
		CHECK_EQ_INT(map_put(&s->queries, q), 0);
		q->secret = 1;
		ns_query_done(s, q->op, k->now); /* the DHT knew nothing */
	}
	k->node[1].oks = 0;
	kit_touch(&k->node[1]);
	kit_run(k, SEC(2));
	CHECK_EQ_INT(k->node[1].oks, 2);
	CHECK_EQ_INT(s->queries.count, 0);
	kit_free(k);
}

static void test_node_ring_and_counts_are_told(void)
{
	struct kit *k = kit_members(9, 4);
	struct node_ring r;
	struct node_counts c;
	size_t at = 0;

	kit_run(k, SEC(60));
	CHECK(node_ring_next(k->node[1].n, &at, &r, k->now));
	CHECK_EQ_INT(r.ring.links, 3);
	CHECK(!key_is_zero(&r.next) && !key_is_zero(&r.previous));
	CHECK(!node_ring_next(k->node[1].n, &at, &r, k->now));
	c = node_counts(k->node[1].n, k->now);
	CHECK_EQ_INT(c.sessions, 3);
	CHECK(c.published >= 3 && c.contacts >= 3);
	CHECK_EQ_INT(c.queued, 0);
	kit_free(k);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_node_trace_tells_links_and_round_trip),
		TEST(test_node_trace_by_host_name_finds_its_owner),
		TEST(test_node_trace_of_oneself_is_no_link_away),
		TEST(test_node_trace_of_a_dead_node_ends_after_four_seconds),
		TEST(test_node_trace_outside_every_overlay_is_refused),
		TEST(test_node_a_trace_answer_from_another_key_is_no_answer),
		TEST(test_node_malformed_traces_are_dropped_and_answers_are_bounded),
		TEST(test_node_a_record_that_was_put_is_found_elsewhere),
		TEST(test_node_two_lookups_of_one_name_at_once_are_both_answered),
		TEST(test_node_ring_and_counts_are_told),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
