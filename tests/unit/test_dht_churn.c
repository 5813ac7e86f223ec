/* Records while everybody comes and goes. */
#include "tests/check.h"
#include "tests/unit/dht_ring.h"

#define NODES 200
#define OWNERS 40 /* of records, absent after publishing */

/* A life of median ten minutes, then some minutes away. */
static usec_t life(struct net *n)
{
	usec_t sum = 0;

	/* exponential: halve the rest with each bit that is 1 */
	while (net_random(n) % 2)
		sum += MINUTES(10);
	return sum + net_random(n) % MINUTES(10);
}

struct churn {
	struct net *n;
	usec_t turn[NODES]; /* when it goes or comes */
	size_t turns;
	bool publishes; /* whoever comes back */
};

static void publish_three(struct net *n, size_t i);

static void turn(struct churn *c, size_t i)
{
	struct net *n = c->n;

	if (n->node[i].gone) {
		net_return(n, i);
		if (c->publishes)
			publish_three(n, i);
		c->turn[i] = n->now + life(n);
	} else {
		net_leave(n, i);
		c->turn[i] = n->now + MINUTES(1) + net_random(n) % MINUTES(2);
	}
	net_mend_ring(n, i);
	c->turns++;
}

static void churn_run(struct churn *c, usec_t span)
{
	usec_t end = c->n->now + span;

	while (c->n->now < end) {
		net_run(c->n, SEC(1));
		for (size_t i = OWNERS; i < NODES; i++)
			if (c->turn[i] <= c->n->now)
				turn(c, i);
	}
}

/* Absent owners' records, or those of anybody. */
static size_t read_some(struct net *n, size_t count, const char *kind, size_t owners)
{
	size_t got = 0;
	char name[16];

	for (size_t k = 0; k < count; k++) {
		size_t who;

		do
			who = OWNERS + net_random(n) % (NODES - OWNERS);
		while (n->node[who].gone);
		snprintf(name, sizeof(name), "%s%zu", kind, net_random(n) % owners);
		net_get(n, who, name);
		net_run(n, SEC(4));
		got += net_got(n, who, "hello");
	}
	return got;
}

static void publish(struct net *n, const char *kind, size_t i)
{
	char name[16];
	struct dht_topic t;

	snprintf(name, sizeof(name), "%s%zu", kind, i);
	t = net_topic(name);
	dht_publish(n->node[i].dht, &t, (const uint8_t *)"hello", 5, 24 * 3600, n->now);
	net_rewake(&n->node[i]);
}

static void publish_three(struct net *n, size_t i)
{
	publish(n, "a", i);
	publish(n, "b", i);
	publish(n, "c", i);
}

static struct churn *begin(uint64_t seed)
{
	struct churn *c = mem_new(sizeof(*c));

	c->n = net_make(NODES, seed, true);
	c->n->hops = 26;
	net_ring_all(c->n, SEC(10));
	net_run(c->n, SEC(40));
	return c;
}

static void end(struct churn *c)
{
	net_free(c->n);
	free(c);
}

/* The first OWNERS stay away for good; the others begin to come and go. */
static void owners_leave(struct churn *c)
{
	for (size_t i = 0; i < OWNERS; i++) {
		net_leave(c->n, i);
		net_mend_ring(c->n, i);
	}
	for (size_t i = OWNERS; i < NODES; i++) {
		c->turn[i] = c->n->now + life(c->n);
		c->n->node[i].ip = 0;
	}
}

static size_t cost(struct net *n)
{
	size_t ip = 0;

	for (size_t i = OWNERS; i < NODES; i++)
		ip += n->node[i].ip;
	return ip / (NODES - OWNERS);
}

static void test_dht_records_outlive_their_owners_absence_under_churn_for_an_hour(void)
{
	struct churn *c = begin(31);
	usec_t start = c->n->now;
	size_t got = 0;

	for (size_t i = 0; i < OWNERS; i++)
		publish(c->n, "r", i);
	net_run(c->n, MINUTES(2));
	owners_leave(c);
	for (int i = 0; i < 6; i++) {
		churn_run(c, MINUTES(8));
		got += read_some(c->n, 40, "r", OWNERS);
	}
	printf("# %zu comings and goings; %zu of 240 reads; %zu bytes/s a node\n", c->turns, got,
	       cost(c->n) / ((c->n->now - start) / SEC(1)));
	CHECK(c->turns > 1000);
	CHECK(got >= 238);
	end(c);
}

/* Everybody publishes three records at each start. */
static void test_dht_churn_of_owners_costs_a_bounded_rate_and_everything_is_read(void)
{
	struct churn *c = begin(32);
	usec_t start = c->n->now;
	size_t got = 0;

	for (size_t i = 0; i < NODES; i++)
		publish_three(c->n, i);
	c->publishes = true;
	net_run(c->n, MINUTES(2));
	owners_leave(c);
	for (int i = 0; i < 3; i++) {
		churn_run(c, MINUTES(10));
		got += read_some(c->n, 100, "b", NODES);
	}
	printf("# %zu comings and goings; %zu of 300 reads; %zu bytes/s a node\n", c->turns, got,
	       cost(c->n) / ((c->n->now - start) / SEC(1)));
	for (int i = 1; i < DHT_MSG_TYPES; i++)
		printf("# %s %zu, %zu B each\n", dht_msg_name((enum dht_msg_type)i), c->n->count_of[i],
		       c->n->ip_of[i] / (c->n->count_of[i] + 1));
	CHECK(got >= 298);
	CHECK(cost(c->n) < 500 * ((c->n->now - start) / SEC(1)));
	end(c);
}

static const struct test tests[] = {
	TEST(test_dht_records_outlive_their_owners_absence_under_churn_for_an_hour),
	TEST(test_dht_churn_of_owners_costs_a_bounded_rate_and_everything_is_read),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
