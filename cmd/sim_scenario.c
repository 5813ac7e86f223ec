/* sim_scenario.c - what the smoke runs do: join, claim race, restart, partition, a bad network.
 *
 * Node 0 creates the namespace, the others join with one token. A scenario ends with NULL or with a
 * sentence about what went wrong. Whatever happens, no two nodes may hold one address: checked at
 * every step of the run, not only at its end. */
#include "cmd/sim_scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "cmd/sim_whole.h"

#define PING_PATIENCE SEC(6) /* for one ping by name to end, well or not */

static bool ready_info(struct sim *s, size_t i, struct node_ns_info *out)
{
	size_t at = 0;

	return sim_node(s, i) && node_ns_next(sim_node(s, i), &at, out, sim_now(s)) &&
	       out->state == NODE_NS_READY;
}

static bool all_ready(struct sim *s, void *ctx)
{
	struct node_ns_info info;

	(void)ctx;
	for (size_t i = 0; i < sim_count(s); i++)
		if (!ready_info(s, i, &info))
			return false;
	return true;
}

static int compare_ips(const void *a, const void *b) { return memcmp(a, b, sizeof(uint32_t)); }

/* Two nodes with one address, now? */
static bool double_owner(struct sim *s)
{
	uint32_t *held = mem_new(sim_count(s) * sizeof(*held));
	struct node_ns_info info;
	size_t count = 0;
	bool twice = false;

	for (size_t i = 0; i < sim_count(s); i++)
		if (ready_info(s, i, &info))
			held[count++] = ip_to_v4(&info.v4);
	qsort(held, count, sizeof(*held), compare_ips);
	for (size_t i = 1; i < count; i++)
		twice |= held[i] == held[i - 1];
	free(held);
	return twice;
}

/* Runs on, looking for double owners every 50 ms; until everybody is ready if asked to. */
static const char *settle(struct sim *s, usec_t for_time, bool until_ready)
{
	usec_t end = sim_now(s) + for_time;

	while (sim_now(s) < end) {
		sim_run(s, usec_min(end, sim_now(s) + MSEC(50)));
		if (double_owner(s))
			return "two nodes hold one address";
		if (until_ready && all_ready(s, NULL))
			return NULL;
	}
	return until_ready ? "not everybody was ready in time" : NULL;
}

static const char *create(struct sim *s, char token[1700])
{
	struct node_create c = { .name = "sim", .has_subnet = true };
	struct node_invite v = { .uses = 100, .expires = 86400 };
	uint64_t op = sim_op(s);
	const struct sim_result *r;

	prefix_parse(&c.subnet, "10.9.0.0/24");
	node_create(sim_node(s, 0), op, &c, sim_now(s));
	sim_touch(s, 0);
	for (usec_t end = sim_now(s) + SEC(30); !sim_result(s, op) && sim_now(s) < end;)
		sim_run(s, sim_now(s) + SEC(1));
	r = sim_result(s, op);
	if (!r)
		return "create was never answered";
	if (r->result != NODE_OK)
		return "create did not end well";
	op = sim_op(s);
	node_invite(sim_node(s, 0), op, NULL, &v, sim_now(s));
	sim_touch(s, 0);
	sim_run(s, sim_now(s) + SEC(1));
	r = sim_result(s, op);
	if (!r || r->result != NODE_OK)
		return "invite did not end well";
	snprintf(token, 1700, "%s", r->text);
	return NULL;
}

static void join(struct sim *s, size_t i, const char *token, const char *ask)
{
	struct node_join j = { .token = token };

	j.has_address = ask != NULL;
	if (ask)
		ip_parse(&j.address, ask);
	node_join(sim_node(s, i), sim_op(s), &j, sim_now(s));
	sim_touch(s, i);
}

/* Node 0 has created; everybody else comes in at once, asking for `ask` or for nothing. */
static const char *let_in(struct sim *s, const char *token, const char *ask, usec_t within)
{
	for (size_t i = 1; i < sim_count(s); i++)
		join(s, i, token, ask);
	return settle(s, within, true);
}

static const char *gather(struct sim *s, const char *ask, usec_t within)
{
	char token[1700];
	const char *wrong = create(s, token);

	return wrong ? wrong : let_in(s, token, ask, within);
}

static const char *ping(struct sim *s, size_t from, size_t to, usec_t within)
{
	usec_t end = sim_now(s) + within;
	const struct sim_result *r;
	char name[32];

	snprintf(name, sizeof(name), "node%zu", to);
	do {
		uint64_t op = sim_op(s);
		usec_t patience = sim_now(s) + PING_PATIENCE;

		node_ping(sim_node(s, from), op, NULL, name, sim_now(s));
		sim_touch(s, from);
		while (!(r = sim_result(s, op)) && sim_now(s) < patience)
			sim_run(s, sim_now(s) + MSEC(50));
		if (r && r->result == NODE_OK)
			return NULL;
		if (sim_now(s) + MSEC(50) < patience)
			sim_run(s, sim_now(s) + MSEC(200));
	} while (sim_now(s) < end);
	printf("node %zu pings %s: %s\n", from, name, r ? r->text : "no answer");
	return "a ping by name was not answered";
}

static const char *ping_all(struct sim *s, usec_t within)
{
	for (size_t i = 0; i < sim_count(s); i++) {
		const char *wrong = ping(s, i, (i + 1) % sim_count(s), within);

		if (wrong)
			return wrong;
	}
	return NULL;
}

static const char *run_join(struct sim *s)
{
	const char *wrong = gather(s, NULL, SEC(20));

	return wrong ? wrong : ping_all(s, SEC(3));
}

/* Everybody asks for one address at the same instant: one has it, the others have another. */
static const char *run_race(struct sim *s)
{
	const char *wrong = gather(s, "10.9.0.77", SEC(30));
	struct node_ns_info info;
	struct ip wanted;
	size_t owners = 0;

	ip_parse(&wanted, "10.9.0.77");
	for (size_t i = 0; !wrong && i < sim_count(s); i++)
		owners += ready_info(s, i, &info) && ip_equal(&info.v4, &wanted);
	return wrong ? wrong : owners == 1 ? NULL : "not exactly one node has the wanted address";
}

static const char *run_restart(struct sim *s)
{
	const char *wrong = gather(s, NULL, SEC(20));
	struct node_ns_info was, is;

	for (size_t i = 0; !wrong && i < sim_count(s); i++) {
		ready_info(s, i, &was);
		sim_crash(s, i);
		wrong = settle(s, MSEC(500), false);
		sim_start(s, i);
		if (!wrong)
			wrong = settle(s, SEC(10), true);
		if (!wrong && (!ready_info(s, i, &is) || !ip_equal(&was.v4, &is.v4) ||
			       strcmp(was.host, is.host) != 0))
			wrong = "a restarted node came back with another address or name";
		if (!wrong)
			wrong = ping(s, i, (i + 1) % sim_count(s), SEC(3));
	}
	return wrong;
}

/* The keeper is cut off: owners keep their addresses, a newcomer gets none, and all heals. */
static const char *run_partition(struct sim *s)
{
	char token[1700];
	const char *wrong = create(s, token);
	size_t last = sim_count(s) - 1;
	struct node_ns_info info;

	for (size_t i = 1; !wrong && i < last; i++)
		join(s, i, token, NULL);
	if (!wrong)
		wrong = settle(s, SEC(10), false);
	for (size_t i = 1; i <= last; i++)
		sim_set_side(s, i, 1);
	if (!wrong) {
		join(s, last, token, NULL);
		wrong = settle(s, SEC(20), false);
	}
	for (size_t i = 1; !wrong && i < last; i++)
		if (!ready_info(s, i, &info))
			wrong = "a node lost its address in the partition";
	if (!wrong && ready_info(s, last, &info))
		wrong = "a node got an address without a keeper";
	for (size_t i = 1; i <= last; i++)
		sim_set_side(s, i, 0);
	if (!wrong)
		wrong = settle(s, SEC(90), true);
	return wrong ? wrong : ping_all(s, SEC(5));
}

static const char *run_weather(struct sim *s)
{
	const char *wrong;

	sim_set_net(s, &(struct sim_net){ MSEC(50), MSEC(20), 0, 50000, 20000, 50000 });
	sim_set_disk(s, &(struct sim_disk){ MSEC(30), 0 });
	wrong = gather(s, NULL, SEC(60));
	return wrong ? wrong : ping_all(s, SEC(10));
}

static const char *run_bad_disk(struct sim *s)
{
	char token[1700];
	const char *wrong = create(s, token);

	sim_set_disk(s, &(struct sim_disk){ MSEC(5), 20000 });
	return wrong ? wrong : let_in(s, token, NULL, SEC(120));
}

/* From the first step of a join to a usable address and name, on links of 10 ms and a fast disk;
 * then to a direct path. The whole handshake, enrolment and two claims are a dozen round trips. */
static const char *run_speed(struct sim *s)
{
	char token[1700];
	const char *wrong = create(s, token);
	struct node_ns_info info;
	usec_t began, took;

	for (size_t i = 1; !wrong && i < sim_count(s); i++) {
		began = sim_now(s);
		join(s, i, token, NULL);
		while (!ready_info(s, i, &info) && sim_now(s) < began + SEC(10))
			sim_run(s, sim_now(s) + MSEC(1));
		took = sim_now(s) - began;
		printf("node %zu: ready %.0f ms after `join`\n", i, (double)took / 1000);
		if (took > SEC(2))
			wrong = "a join took more than 2 s on 10 ms links";
	}
	return wrong ? wrong : ping_all(s, SEC(2));
}

/* Nobody has anything to say: how much is said all the same? */
static const char *run_idle(struct sim *s)
{
	const char *wrong = gather(s, NULL, SEC(20));
	struct sim_stats before, after;
	double seconds = 600;

	if (!wrong)
		wrong = settle(s, MINUTES(5), false);
	before = sim_stats(s);
	if (!wrong)
		wrong = settle(s, SEC(600), false);
	after = sim_stats(s);
	seconds *= (double)sim_count(s);
	printf("per node: %.2f packets/s, %.1f bytes/s, %.2f wake-ups/s, %.3f durable writes/s\n",
	       (double)(after.sent - before.sent) / seconds,
	       (double)(after.bytes - before.bytes) / seconds,
	       (double)(after.wakes - before.wakes) / seconds,
	       (double)(after.writes - before.writes) / seconds);
	if (!wrong && (double)(after.bytes - before.bytes) / seconds > 400)
		wrong = "an idle node sends more than 400 bytes a second";
	if (!wrong && (double)(after.wakes - before.wakes) / seconds > 5)
		wrong = "an idle node wakes more than five times a second";
	return wrong;
}

/* Crashes, cuts and heals at random for two minutes; then quiet, and everything must be whole. */
static const char *run_swizzle(struct sim *s)
{
	const char *wrong = gather(s, NULL, SEC(20));
	size_t n = sim_count(s);

	sim_set_net(s, &(struct sim_net){ MSEC(25), MSEC(10), 0, 20000, 10000, 20000 });
	for (unsigned step = 0; !wrong && step < 60; step++) {
		size_t i = sim_draw(s, (unsigned)n);

		if (!sim_node(s, i))
			sim_start(s, i);
		else if (sim_draw(s, 3) == 0)
			sim_crash(s, i);
		else
			sim_set_side(s, i, (int)sim_draw(s, 2));
		wrong = settle(s, MSEC(500) + sim_draw(s, 4000) * MSEC(1), false);
	}
	for (size_t i = 0; i < n; i++) {
		sim_set_side(s, i, 0);
		if (!sim_node(s, i))
			sim_start(s, i);
	}
	if (!wrong)
		wrong = settle(s, SEC(90), true);
	return wrong ? wrong : ping_all(s, SEC(20));
}

/* Everybody is killed at the same instant and comes back at the same instant. */
static const char *run_blackout(struct sim *s)
{
	const char *wrong = gather(s, NULL, SEC(30));

	for (size_t i = 0; i < sim_count(s); i++)
		sim_crash(s, i);
	sim_run(s, sim_now(s) + SEC(2));
	for (size_t i = 0; i < sim_count(s); i++)
		sim_start(s, i);
	if (!wrong)
		wrong = settle(s, SEC(30), true);
	return wrong ? wrong : ping_all(s, SEC(5));
}

/* Long enough for every lease, membership and attachment to end unless it is renewed. Takes a
 * minute or two of real time. */
static const char *run_month(struct sim *s)
{
	const char *wrong = gather(s, NULL, SEC(20));

	for (unsigned day = 0; !wrong && day < 40; day++) {
		for (unsigned hour = 0; !wrong && hour < 24; hour++) {
			sim_run(s, sim_now(s) + HOURS(1));
			if (double_owner(s))
				wrong = "two nodes hold one address";
		}
		if (!wrong && !all_ready(s, NULL))
			wrong = "somebody is not ready any more";
		if (!wrong)
			wrong = ping_all(s, SEC(10));
		if (wrong)
			printf("on day %u\n", day);
	}
	return wrong;
}

/* A fifth of all packets is lost, and those that arrive come late and out of order. */
static const char *run_storm(struct sim *s)
{
	const char *wrong;

	sim_set_net(s, &(struct sim_net){ MSEC(150), MSEC(100), 0, 200000, 50000, 100000 });
	wrong = gather(s, NULL, SEC(120));
	return wrong ? wrong : ping_all(s, SEC(30));
}

const struct sim_scenario sim_scenarios[] = {
	{ "join", "everybody joins at once and pings a neighbour by name", 8, run_join },
	{ "race", "everybody asks for the same address", 8, run_race },
	{ "restart", "each node is killed and comes back as it was", 5, run_restart },
	{ "partition", "the keeper is cut off, and found again", 6, run_partition },
	{ "weather", "5 % loss, 2 % duplicates, reordering, a slow disk", 6, run_weather },
	{ "bad-disk", "2 % of all durable writes fail", 4, run_bad_disk },
	{ "speed", "how long a join takes, one node after the other", 6, run_speed },
	{ "idle", "what 8 nodes without work say in 10 minutes", 8, run_idle },
	{ "swizzle", "crashes, cuts and heals at random, then everything is whole", 6,
	  run_swizzle },
	{ "blackout", "all are killed and come back at one instant", 8, run_blackout },
	{ "month", "40 days pass (takes minutes)", 3, run_month },
	{ "storm", "20 % loss, 150 ms, duplicates, reordering", 5, run_storm },
	{ NULL, NULL, 0, NULL },
};
