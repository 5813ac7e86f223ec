/* sim_leases.c - ownership over a long time and in bad company: leases, memberships, tokens.
 *
 * Everything here is watched by one checker: after every event no two nodes of different identity
 * believe that they own one address. Node 0 creates the namespace and is its keeper; a scenario
 * ends with NULL or with a sentence about what went wrong. */
#include "cmd/sim_scenario.h"

#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "cmd/sim_whole.h"

#define TOKEN_LEN 1700
#define DAY 86400

/* --- looking on --- */

#define WATCHED_MAX 16

struct watch {
	const char *wrong;
	bool whole;  /* everybody must be ready all the time */
	size_t skip; /* this node is a copy of another one; SIZE_MAX = none */
	bool began;
	struct ip held[WATCHED_MAX];
};

static bool info_of(struct sim *s, size_t i, struct node_ns_info *out)
{
	size_t at = 0;

	return sim_node(s, i) && node_ns_next(sim_node(s, i), &at, out, sim_now(s));
}

static bool is_ready(struct sim *s, size_t i)
{
	struct node_ns_info info;

	return info_of(s, i, &info) && info.state == NODE_NS_READY;
}

static bool ready_all(struct sim *s)
{
	for (size_t i = 0; i < sim_count(s); i++)
		if (!is_ready(s, i))
			return false;
	return true;
}

static struct ip address_of(struct sim *s, size_t i)
{
	struct node_ns_info info;

	return info_of(s, i, &info) ? info.v4 : (struct ip){ 0 };
}

static void look_at(struct sim *s, struct watch *w, size_t i)
{
	w->held[i] = address_of(s, i);
	for (size_t j = 0; j < WATCHED_MAX; j++)
		if (j != i && j != w->skip && i != w->skip && w->held[i].len &&
		    ip_equal(&w->held[i], &w->held[j]))
			w->wrong = "two nodes own one address";
	if (w->whole && !w->held[i].len)
		w->wrong = "a node lost its address";
}

/* Called between any two events: the last one can have changed one host only. */
static bool look(struct sim *s, void *ctx)
{
	struct watch *w = ctx;

	for (size_t i = 0; i < sim_count(s) && i < WATCHED_MAX && !w->began; i++)
		look_at(s, w, i);
	w->began = true;
	if (sim_last(s) < WATCHED_MAX)
		look_at(s, w, sim_last(s));
	return w->wrong != NULL;
}

static const char *run_for(struct sim *s, usec_t time, bool whole)
{
	struct watch w = { .whole = whole, .skip = SIZE_MAX };

	sim_until(s, sim_now(s) + time, look, &w);
	return w.wrong;
}

/* Until everybody is ready. */
static const char *heal(struct sim *s, usec_t within)
{
	usec_t end = sim_now(s) + within;
	const char *wrong = NULL;

	while (!wrong && !ready_all(s) && sim_now(s) < end)
		wrong = run_for(s, SEC(1), false);
	return wrong ? wrong : ready_all(s) ? NULL : "not everybody came back";
}

/* --- doing --- */

static const struct sim_result *done(struct sim *s, size_t i, uint64_t op, usec_t within)
{
	usec_t end = sim_now(s) + within;

	sim_touch(s, i);
	while (!sim_result(s, op) && sim_now(s) < end)
		sim_run(s, sim_now(s) + MSEC(100));
	return sim_result(s, op);
}

static bool invite(struct sim *s, uint16_t uses, char token[TOKEN_LEN])
{
	struct node_invite v = { .uses = uses, .expires = DAY };
	uint64_t op = sim_op(s);
	const struct sim_result *r;

	node_invite(sim_node(s, 0), op, NULL, &v, sim_now(s));
	r = done(s, 0, op, SEC(20));
	if (r)
		snprintf(token, TOKEN_LEN, "%s", r->text);
	return r && r->result == NODE_OK;
}

static const char *create(struct sim *s)
{
	struct node_create c = { .name = "sim", .has_subnet = true };
	uint64_t op = sim_op(s);
	const struct sim_result *r;

	prefix_parse(&c.subnet, "10.9.0.0/24");
	node_create(sim_node(s, 0), op, &c, sim_now(s));
	r = done(s, 0, op, SEC(30));
	return r && r->result == NODE_OK ? NULL : "create did not end well";
}

static uint64_t join(struct sim *s, size_t i, const char *token, const char *ask)
{
	struct node_join j = { .token = token, .has_address = ask != NULL };
	uint64_t op = sim_op(s);

	if (ask)
		ip_parse(&j.address, ask);
	node_join(sim_node(s, i), op, &j, sim_now(s));
	sim_touch(s, i);
	return op;
}

static const char *gather(struct sim *s, size_t count)
{
	const char *wrong = create(s);
	char token[TOKEN_LEN];

	if (wrong)
		return wrong;
	if (!invite(s, 100, token))
		return "invite did not end well";
	for (size_t i = 1; i < count; i++)
		join(s, i, token, NULL);
	for (usec_t end = sim_now(s) + SEC(60); !wrong && sim_now(s) < end;) {
		size_t ready = 0;

		wrong = run_for(s, SEC(1), false);
		for (size_t i = 0; i < count; i++)
			ready += is_ready(s, i);
		if (ready == count)
			return wrong;
	}
	return wrong ? wrong : "not everybody came in";
}

static const char *ping(struct sim *s, size_t from, size_t to, usec_t within)
{
	usec_t end = sim_now(s) + within;
	char name[32];

	snprintf(name, sizeof(name), "node%zu", to);
	do {
		uint64_t op = sim_op(s);
		const struct sim_result *r;

		node_ping(sim_node(s, from), op, NULL, name, sim_now(s));
		r = done(s, from, op, SEC(10));
		if (r && r->result == NODE_OK)
			return NULL;
	} while (sim_now(s) < end);
	return "a ping by name was not answered";
}

static const char *ping_all(struct sim *s, size_t count, usec_t within)
{
	const char *wrong = NULL;

	for (size_t i = 0; !wrong && i < count; i++)
		wrong = ping(s, i, (i + 1) % count, within);
	return wrong;
}

/* --- scenarios --- */

/* Nothing happens for 40 days: everything is renewed in time, and little is said. */
static const char *run_month(struct sim *s)
{
	const char *wrong = gather(s, sim_count(s));
	struct sim_stats before = sim_stats(s), after;
	struct node_ns_info info;

	for (unsigned day = 0; !wrong && day < 40; day++) {
		wrong = run_for(s, DAYS(1), true);
		for (size_t i = 0; !wrong && i < sim_count(s); i++)
			if (info_of(s, i, &info) && info.member_until < SIM_WALL + (day + 2) * DAY)
				wrong = "a membership is about to lapse";
		if (!wrong)
			wrong = ping_all(s, sim_count(s), SEC(5));
	}
	after = sim_stats(s);
	printf("per node and day: %.0f packets, %.1f durable writes\n",
	       (double)(after.sent - before.sent) / 40 / (double)sim_count(s),
	       (double)(after.writes - before.writes) / 40 / (double)sim_count(s));
	return wrong;
}

/* The only keeper is away for 31 days: addresses end with their leases, nobody takes one over, and
 * all of it comes back with the keeper. */
static const char *run_away(struct sim *s)
{
	const char *wrong = gather(s, sim_count(s));
	struct node_ns_info info;
	struct ip before[16];

	for (size_t i = 0; i < sim_count(s); i++)
		before[i] = address_of(s, i);
	if (!wrong)
		wrong = run_for(s, HOURS(2), true);
	sim_crash(s, 0);
	if (!wrong)
		wrong = run_for(s, DAYS(31), false);
	for (size_t i = 1; !wrong && i < sim_count(s); i++)
		if (!info_of(s, i, &info) || info.v4.len || !info.v6.len)
			wrong = "after 31 days the leased address must be gone, the derived one "
				"there";
	sim_start(s, 0);
	if (!wrong)
		wrong = heal(s, MINUTES(15));
	for (size_t i = 0; !wrong && i < sim_count(s); i++) {
		struct ip now = address_of(s, i);

		if (!ip_equal(&now, &before[i]))
			wrong = "a node came back with another address";
	}
	return wrong ? wrong : ping_all(s, sim_count(s), SEC(60));
}

/* Disks fail at random and recover, nodes die and come back; nobody ends up outside. */
static const char *run_disks(struct sim *s)
{
	const char *wrong = gather(s, sim_count(s));
	size_t n = sim_count(s);

	for (unsigned step = 0; !wrong && step < 60; step++) {
		size_t i = sim_draw(s, (unsigned)n);

		sim_set_disk(s, &(struct sim_disk){ MSEC(1 + sim_draw(s, 200)),
						    sim_draw(s, 3) ? sim_draw(s, 300000)
								   : SIM_MILLION });
		if (!sim_node(s, i))
			sim_start(s, i);
		else if (sim_draw(s, 2))
			sim_crash(s, i);
		wrong = run_for(s, MSEC(300) + sim_draw(s, 8000) * MSEC(1), false);
	}
	sim_set_disk(s, &(struct sim_disk){ MSEC(2), 0 });
	for (size_t i = 0; i < n; i++)
		if (!sim_node(s, i))
			sim_start(s, i);
	if (!wrong)
		wrong = heal(s, MINUTES(3));
	return wrong ? wrong : ping_all(s, n, SEC(60));
}

/* Somebody sets clocks, the keeper's too, by minutes or a year, and puts them right again. */
static const char *run_clocks(struct sim *s)
{
	static const int64_t by[] = { 365 * DAY, -365 * DAY, 40 * DAY, -40 * DAY, 3600, -3600 };
	const char *wrong = gather(s, sim_count(s));
	usec_t began = sim_now(s);

	for (unsigned step = 0; !wrong && step < 40; step++) {
		size_t i = sim_draw(s, (unsigned)sim_count(s));

		sim_step_wall(s, i, by[step % ARRAY_LEN(by)]);
		wrong = run_for(s, SEC(sim_draw(s, 4000)), false);
		if (!wrong && sim_draw(s, 3))
			sim_step_wall(s, i, 0);
	}
	for (size_t i = 0; i < sim_count(s); i++)
		sim_step_wall(s, i, 0);
	printf("%.1f hours of wrong clocks\n", (double)(sim_now(s) - began) / 3.6e9);
	if (!wrong)
		wrong = run_for(s, MINUTES(25), false);
	if (!wrong)
		wrong = heal(s, MINUTES(5));
	return wrong ? wrong : ping_all(s, sim_count(s), SEC(60));
}

/* The last host starts with a copy of another one's state: the older copy says so and stops. */
static const char *run_copy(struct sim *s)
{
	size_t copy = sim_count(s) - 1, old = copy - 1;
	struct watch w = { .skip = copy };
	const char *wrong = gather(s, copy);
	struct node_ns_info info;

	if (!wrong)
		wrong = run_for(s, MINUTES(3), false);
	sim_clone(s, old, copy);
	sim_start(s, copy);
	if (!wrong)
		sim_until(s, sim_now(s) + MINUTES(3), look, &w);
	if (!wrong && w.wrong)
		wrong = w.wrong;
	if (!wrong && (!info_of(s, old, &info) || info.state != NODE_NS_OUT || info.v4.len))
		wrong = "the older copy goes on";
	if (!wrong && !strstr(info.trouble, "another copy"))
		wrong = "the older copy does not say why it stopped";
	if (!wrong && !is_ready(s, copy))
		wrong = "the newer copy does not live";
	sim_crash(s, old);
	return wrong ? wrong : run_for(s, HOURS(2), false);
}

/* Three uses, seven joiners, a bad network, and the keeper dies in between. */
static const char *run_token(struct sim *s)
{
	const char *wrong = create(s);
	size_t in = 0, out = 0, n = sim_count(s);
	char token[TOKEN_LEN];
	struct node_ns_info info;

	if (!wrong && !invite(s, 3, token))
		wrong = "invite did not end well";
	sim_set_net(s, &(struct sim_net){ MSEC(30), MSEC(20), 0, 100000, 50000, 50000 });
	sim_set_disk(s, &(struct sim_disk){ MSEC(15), 50000 });
	for (size_t i = 1; !wrong && i < n; i++) {
		join(s, i, token, "10.9.0.9");
		sim_run(s, sim_now(s) + MSEC(sim_draw(s, 60)));
	}
	for (unsigned k = 0; !wrong && k < 6; k++) {
		wrong = run_for(s, MSEC(sim_draw(s, 1500)), false);
		sim_crash(s, 0);
		wrong = wrong ? wrong : run_for(s, MSEC(sim_draw(s, 1500)), false);
		sim_start(s, 0);
	}
	sim_set_disk(s, &(struct sim_disk){ MSEC(2), 0 });
	if (!wrong)
		wrong = run_for(s, MINUTES(3), false);
	for (size_t i = 1; i < n; i++) {
		in += is_ready(s, i);
		out += info_of(s, i, &info) && strstr(info.trouble, "used up") != NULL;
	}
	printf("%zu came in, %zu were told that the token is used up\n", in, out);
	if (!wrong && (in != 3 || out != n - 4))
		wrong = "a token of three uses must admit three, and tell the others";
	return wrong;
}

/* A revocation changes the secret; records are found all the while, also by who was away. */
static const char *run_secret(struct sim *s)
{
	const char *wrong = gather(s, sim_count(s));
	size_t n = sim_count(s) - 1; /* the last one is put out */
	struct node_ns_info info;
	char who[16];

	if (!wrong)
		wrong = run_for(s, DAYS(1) + HOURS(1), true);
	sim_set_side(s, 1, 1);
	snprintf(who, sizeof(who), "node%zu", n);
	node_member_revoke(sim_node(s, 0), sim_op(s), NULL, who, sim_now(s));
	sim_touch(s, 0);
	if (!wrong)
		wrong = run_for(s, SEC(8), false);
	if (!wrong && (!info_of(s, n, &info) || info.v4.len))
		wrong = "who was revoked still uses an address";
	/* Without the keeper, and one of them with the older secret only. */
	sim_set_side(s, 0, 2);
	sim_set_side(s, 1, 0);
	if (!wrong)
		wrong = run_for(s, MINUTES(1), false);
	if (!wrong)
		wrong = ping(s, 2, 3, SEC(5));
	if (!wrong)
		wrong = ping(s, 1, 2, SEC(30));
	if (!wrong)
		wrong = ping(s, 3, 1, SEC(5));
	sim_set_side(s, 0, 0);
	if (!wrong)
		wrong = run_for(s, MINUTES(15), false);
	if (!wrong)
		wrong = ping_all(s, n, SEC(5));
	for (unsigned day = 0; !wrong && day < 3; day++) {
		wrong = run_for(s, DAYS(1), false);
		if (!wrong)
			wrong = ping_all(s, n, SEC(5));
	}
	return wrong;
}

const struct sim_scenario sim_lease_scenarios[] = {
	{ "quiet", "40 quiet days: nothing lapses (takes minutes)", 4, run_month },
	{ "away", "the keeper is away for 31 days (takes minutes)", 2, run_away },
	{ "disks", "disks fail and recover, nodes die and come back", 5, run_disks },
	{ "clocks", "clocks jump by up to a year, and are put right", 4, run_clocks },
	{ "copy", "two copies of one identity", 5, run_copy },
	{ "token", "a token of three uses, seven joiners, and trouble", 8, run_token },
	{ "secret", "a member is revoked, the namespace secret changes", 6, run_secret },
	{ NULL, NULL, 0, NULL },
};
