/* What it costs: a network with a ring, of as many nodes as the budgets are about. */
#include "dht/lookup.h"
#include "tests/check.h"
#include "tests/unit/dht_ring.h"

#define RECORDS 3 /* of each node: address, name, derived address */

static void publish_all(struct net *n)
{
	static const char grant[] =
		"a grant of about three hundred bytes ............................................"
		"................................................................................."
		"................................................................................."
		"................................................................................";
	char name[32];

	for (size_t i = 0; i < n->count; i++)
		for (int j = 0; j < RECORDS; j++) {
			struct dht_topic t;

			snprintf(name, sizeof(name), "n%zu-%d", i, j);
			t = net_topic(name);
			dht_publish(n->node[i].dht, &t, (const uint8_t *)grant, sizeof(grant),
				    24 * 3600, n->now);
			net_rewake(&n->node[i]);
		}
}

static size_t ip_sum(struct net *n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n->count; i++) {
		sum += n->node[i].ip;
		n->node[i].ip = 0;
	}
	return sum;
}

/* What a node sent on average, by kind of message, since the last look. */
static void show_cost(struct net *n, const char *what)
{
	printf("# %s:", what);
	for (int i = 1; i < DHT_MSG_TYPES; i++) {
		if (n->count_of[i])
			printf(" %s %.1f = %zu B", dht_msg_name((enum dht_msg_type)i),
			       (double)n->count_of[i] / (double)n->count, n->ip_of[i] / n->count);
		n->count_of[i] = n->ip_of[i] = 0;
	}
	printf("\n");
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct reads {
	size_t asked, got;
	uint64_t requests, p50, p99; /* microseconds */
};

/* Nodes read records of others, one after the other; content ones cancel at the first record. */
static struct reads read_some(struct net *n, size_t count, bool content)
{
	static uint64_t took[NET_MAX];
	struct reads r = { .asked = count };

	for (size_t k = 0; k < count; k++) {
		size_t who = net_random(n) % n->count, of = net_random(n) % n->count;
				struct net_node *x = &n->node[who];
		uint64_t before = dht_info(x->dht).requests;
		usec_t start = n->now;
		char name[32];

		snprintf(name, sizeof(name), "n%zu-1", of);
		net_get(n, who, name);
		while (x->seen.done == 0 && !(content && x->seen.found))
			net_run(n, MSEC(1));
		dht_cancel(x->dht, 7);
		took[k] = x->seen.found ? x->seen.found_at - start : LOOKUP_TIME;
		r.got += x->seen.found > 0;
		r.requests += dht_info(x->dht).requests - before;
	}
	qsort(took, count, sizeof(took[0]), by_value);
	r.p50 = took[count / 2];
	r.p99 = took[count * 99 / 100];
	return r;
}

static void show(const char *what, const struct reads *r)
{
	printf("# %s: %zu of %zu, %.1f requests each, p50 %.0f ms, p99 %.0f ms\n", what, r->got,
	       r->asked, (double)r->requests / (double)r->asked, (double)r->p50 / 1000,
	       (double)r->p99 / 1000);
}

/* A routed message takes hops x 20 ms. */
static struct net *started(size_t count, uint64_t seed, size_t hops)
{
	struct net *n = net_make(count, seed, true);

	n->hops = hops;
	n->delay_min = hops * MSEC(12) / 10;
	n->delay_span = hops * MSEC(16) / 10;
	publish_all(n);
	net_ring_all(n, SEC(10));
	return n;
}

static void test_dht_hundred_nodes_restarting_at_once_cost_little_in_thirty_seconds(void)
{
	struct net *n = started(100, 21, 22);
	struct reads r;
	size_t ip;

	net_run(n, SEC(20));
	ip = ip_sum(n) / n->count;
	printf("# 100 nodes, first 30 s: %zu bytes a node\n", ip);
	show_cost(n, "each");
	CHECK(ip < 15000);
	r = read_some(n, 100, true);
	show("then", &r);
	CHECK(r.got >= 99);
	net_free(n);
}

static void test_dht_thousand_settled_nodes_are_quiet_and_read_fast(void)
{
	struct net *n = started(1000, 22, 34);
	size_t ip, contacts = 0, bytes = 0, most = 0;
	struct reads r;

	net_run(n, SEC(20));
	printf("# 1000 nodes, first 30 s: %zu bytes a node\n", ip_sum(n) / n->count);
	show_cost(n, "each");
	net_run(n, MINUTES(10));
	printf("# next 10 minutes: %zu bytes/s a node\n", ip_sum(n) / n->count / 600);
	show_cost(n, "each");
	net_run(n, MINUTES(5));
	ip_sum(n);
	net_run(n, MINUTES(10));
	show_cost(n, "with the five minutes before");
	ip = ip_sum(n) / n->count;
	printf("# settled: %.1f bytes/s a node\n", (double)ip / 600);
	CHECK(ip < 600 * 30); /* publishing again twice a day adds 8 */
	for (size_t i = 0; i < n->count; i++) {
		struct dht_info d = dht_info(n->node[i].dht);

		contacts += d.contacts;
		bytes += d.bytes;
		most = d.contacts > most ? d.contacts : most;
	}
	printf("# contacts %zu, at most %zu; bytes %zu with the records\n", contacts / n->count,
	       most, bytes / n->count);
	r = read_some(n, 300, true);
	show("content reads", &r);
	CHECK_EQ_INT(r.got, 300);
	CHECK(r.p50 <= MSEC(450) && r.p99 <= MSEC(1500));
	CHECK(r.requests <= 300 * 2);
	r = read_some(n, 100, false);
	show("whole reads", &r);
	CHECK(r.requests <= 100 * 12);
	net_free(n);
}

static const struct test tests[] = {
	TEST(test_dht_hundred_nodes_restarting_at_once_cost_little_in_thirty_seconds),
	TEST(test_dht_thousand_settled_nodes_are_quiet_and_read_fast),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
