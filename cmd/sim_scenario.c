/* sim_scenario.c - what the smoke runs do: join, claim race, restart, partition, a bad network.
 *
 * Node 0 creates the namespace, the others join with one token. A scenario ends with NULL or with a
 * sentence about what went wrong. Whatever happens, no two nodes may hold one address: checked at
 * every step of the run, not only at its end. */
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "cmd/sim.h"

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

/* Two nodes with one address, now? */
static bool double_owner(struct sim *s)
{
	struct node_ns_info a, b;

	for (size_t i = 0; i < sim_count(s); i++)
		for (size_t j = i + 1; ready_info(s, i, &a) && j < sim_count(s); j++)
			if (ready_info(s, j, &b) && ip_equal(&a.v4, &b.v4))
				return true;
	return false;
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
	uint64_t op = sim_op(s, 0);
	const struct sim_result *r;

	prefix_parse(&c.subnet, "10.9.0.0/24");
	node_create(sim_node(s, 0), op, &c, sim_now(s));
	sim_touch(s, 0);
	sim_run(s, sim_now(s) + SEC(3));
	r = sim_result(s, 0, op);
	if (!r || r->result != NODE_OK)
		return "create did not end well";
	op = sim_op(s, 0);
	node_invite(sim_node(s, 0), op, NULL, &v, sim_now(s));
	sim_touch(s, 0);
	sim_run(s, sim_now(s) + SEC(1));
	r = sim_result(s, 0, op);
	if (!r || r->result != NODE_OK)
		return "invite did not end well";
	memcpy(token, r->text, sizeof(r->text));
	return NULL;
}

static void join(struct sim *s, size_t i, const char *token, const char *ask)
{
	struct node_join j = { .token = token };

	j.has_address = ask != NULL;
	if (ask)
		ip_parse(&j.address, ask);
	node_join(sim_node(s, i), sim_op(s, i), &j, sim_now(s));
	sim_touch(s, i);
}

/* Everybody in, at once, asking for `ask` or for nothing. */
static const char *gather(struct sim *s, const char *ask, usec_t within)
{
	char token[1700];
	const char *wrong = create(s, token);

	if (wrong)
		return wrong;
	for (size_t i = 1; i < sim_count(s); i++)
		join(s, i, token, ask);
	return settle(s, within, true);
}

static const char *ping(struct sim *s, size_t from, size_t to, usec_t within)
{
	usec_t end = sim_now(s) + within;
	char name[32];

	snprintf(name, sizeof(name), "node%zu", to);
	do {
		uint64_t op = sim_op(s, from);
		const struct sim_result *r;

		node_ping(sim_node(s, from), op, NULL, name, sim_now(s));
		sim_touch(s, from);
		sim_run(s, sim_now(s) + MSEC(500));
		r = sim_result(s, from, op);
		if (r && r->result == NODE_OK)
			return NULL;
	} while (sim_now(s) < end);
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

	sim_set_net(s, &(struct sim_net){ MSEC(40), MSEC(20), 50, 20, 50 });
	sim_set_disk(s, &(struct sim_disk){ MSEC(30), 0 });
	wrong = gather(s, NULL, SEC(60));
	return wrong ? wrong : ping_all(s, SEC(10));
}

static const char *run_bad_disk(struct sim *s)
{
	sim_set_disk(s, &(struct sim_disk){ MSEC(5), 20 });
	return gather(s, NULL, SEC(120));
}

const struct sim_scenario sim_scenarios[] = {
	{ "join", "everybody joins at once and pings a neighbour by name", 8, run_join },
	{ "race", "everybody asks for the same address", 8, run_race },
	{ "restart", "each node is killed and comes back as it was", 5, run_restart },
	{ "partition", "the keeper is cut off, and found again", 6, run_partition },
	{ "weather", "5 % loss, 2 % duplicates, reordering, a slow disk", 6, run_weather },
	{ "bad-disk", "2 % of all durable writes fail", 4, run_bad_disk },
	{ NULL, NULL, 0, NULL },
};
