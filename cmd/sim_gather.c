/* sim_gather.c - how whole nodes come into one overlay: host 0 creates it with the first namespace;
 * every SIM_GROUP hosts are a namespace of their own. The first host of each group joins the first
 * namespace, creates its own in the same overlay and invites the others.
 *
 * A group is WANTED, then CREATING, then INVITING, then OPEN, and INVITING again when the token's
 * uses are spent. Hosts that come before their group is open look again every now and then. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/sim_play.h"
#include "cmd/sim_whole.h"

#define USES 120 /* of a token; 128 at most */
#define LOOK_EVERY MSEC(200)
#define NAME_LEN 24
#define AGAIN MSEC(500) /* until a host that cannot join yet tries again */
#define TOKEN_SECONDS (7 * 86400)
#define PATIENCE SEC(30) /* for a verb of a creator: then it is asked again */

enum state { WANTED, CREATING, INVITING, OPEN };

struct group {
	enum state state;
	uint64_t op;
	usec_t asked;
	unsigned uses; /* left */
	char *token;
};

struct sim_gathering {
	struct group *groups;
	size_t count, open;
	bool *asked; /* by host: it has asked to join its group */
	bool *first; /* by group: its creator has asked to join the first one */
	bool looking;
};

void sim_gather_init(struct sim_play *p)
{
	struct sim_gathering *g = p->gather = mem_new(sizeof(*g));

	g->count = (sim_count(p->s) + SIM_GROUP - 1) / SIM_GROUP;
	g->groups = mem_new(g->count * sizeof(*g->groups));
	g->asked = mem_new(sim_count(p->s) * sizeof(*g->asked));
	g->first = mem_new(g->count * sizeof(*g->first));
}

void sim_gather_fini(struct sim_play *p)
{
	for (size_t i = 0; i < p->gather->count; i++)
		free(p->gather->groups[i].token);
	free(p->gather->groups);
	free(p->gather->asked);
	free(p->gather->first);
	free(p->gather);
}

void sim_gather_forget(struct sim_play *p, size_t host)
{
	p->gather->asked[host] = false;
	if (host % SIM_GROUP == 0)
		p->gather->first[host / SIM_GROUP] = false;
}

static void group_name(char out[NAME_LEN], size_t group) { snprintf(out, NAME_LEN, "n%zu", group); }

static bool info_of(struct sim_play *p, size_t host, size_t group, struct node_ns_info *out)
{
	struct node *n = sim_node(p->s, host);
	char name[NAME_LEN];
	size_t at = 0;

	group_name(name, group);
	while (n && node_ns_next(n, &at, out, sim_host_now(p->s, host)))
		if (strcmp(out->name, name) == 0)
			return true;
	return false;
}

static bool is_ready(struct sim_play *p, size_t host, size_t group)
{
	struct node_ns_info info;

	return info_of(p, host, group, &info) && info.state == NODE_NS_READY;
}

bool sim_gather_ready(struct sim_play *p, size_t host) { return is_ready(p, host, host / SIM_GROUP); }

/* --- of a group's first host --- */

static void create(struct sim_play *p, struct group *g, size_t group)
{
	struct node_create c = { .has_subnet = true,
				 .keepers = (uint8_t)p->script->keepers };
	char name[NAME_LEN], overlay[NAME_LEN], subnet[48];
	size_t host = group * SIM_GROUP;

	group_name(name, group);
	group_name(overlay, 0);
	snprintf(subnet, sizeof(subnet), group ? "10.%zu.%zu.0/24" : "10.8.0.0/22",
		 20 + group / 256, group % 256);
	prefix_parse(&c.subnet, subnet);
	c.name = name;
	c.overlay = group ? overlay : NULL;
	g->state = CREATING;
	g->op = sim_op(p->s);
	g->asked = sim_now(p->s);
	node_create(sim_node(p->s, host), g->op, &c, sim_host_now(p->s, host));
	sim_touch(p->s, host);
}

static void invite(struct sim_play *p, struct group *g, size_t group)
{
	struct node_invite v = { .uses = USES, .expires = TOKEN_SECONDS };
	size_t host = group * SIM_GROUP;
	char name[NAME_LEN];

	group_name(name, group);
	g->state = INVITING;
	g->op = sim_op(p->s);
	g->asked = sim_now(p->s);
	node_invite(sim_node(p->s, host), g->op, name, &v, sim_host_now(p->s, host));
	sim_touch(p->s, host);
}

static void answered(struct sim_play *p, struct group *g, size_t group, const struct sim_result *r)
{
	if (r->result != NODE_OK) {
		fprintf(stderr, "vpnsim: host %zu: %s\n", group * SIM_GROUP, r->text);
		g->state = g->state == INVITING ? INVITING : WANTED;
		g->asked = 0;
	} else if (g->state == CREATING) {
		invite(p, g, group);
	} else {
		free(g->token);
		g->token = mem_text(r->text);
		g->uses = USES;
		g->state = OPEN;
	}
}

/* The creator fell meanwhile, perhaps: what it has on its disk counts. */
static void ask_again(struct sim_play *p, struct group *g, size_t group)
{
	struct node_ns_info info;

	if (info_of(p, group * SIM_GROUP, group, &info))
		invite(p, g, group);
	else
		g->state = WANTED;
}

static void look_at(struct sim_play *p, size_t group)
{
	struct group *g = &p->gather->groups[group];
	const struct sim_result *r;

	if (g->state == OPEN || !sim_node(p->s, group * SIM_GROUP))
		return;
	r = g->state == WANTED ? NULL : sim_result(p->s, g->op);
	if (r && g->asked)
		answered(p, g, group, r);
	else if (g->state == WANTED && (group == 0 || is_ready(p, group * SIM_GROUP, 0)))
		create(p, g, group);
	else if (g->state != WANTED && sim_now(p->s) > g->asked + PATIENCE)
		ask_again(p, g, group);
}

void sim_gather_look(struct sim_play *p)
{
	struct sim_gathering *g = p->gather;
	size_t open = 0;

	for (size_t i = 0; i < g->count; i++) {
		look_at(p, i);
		open += g->groups[i].state == OPEN;
	}
	g->looking = open < g->count;
	if (g->looking)
		sim_call(p->s, sim_now(p->s) + LOOK_EVERY, sim_what(SIM_CALL_GATHER, 0));
}

/* --- of everybody --- */

static bool join(struct sim_play *p, size_t host, size_t group)
{
	struct group *g = &p->gather->groups[group];
	struct node_join j = { .token = g->token };

	if (g->state != OPEN)
		return false;
	node_join(sim_node(p->s, host), sim_op(p->s), &j, sim_host_now(p->s, host));
	sim_touch(p->s, host);
	if (--g->uses == 0 && sim_node(p->s, group * SIM_GROUP))
		invite(p, g, group);
	return true;
}

/* The host runs: what remains to be done so that it is a member? */
void sim_gather_join(struct sim_play *p, size_t host)
{
	struct sim_gathering *g = p->gather;
	size_t group = host / SIM_GROUP;
	bool done = true;

	if (!sim_node(p->s, host))
		return;
	if (host % SIM_GROUP) {
		done = g->asked[host] = g->asked[host] || join(p, host, group);
	} else if (group) {
		done = g->first[group] = g->first[group] || join(p, host, 0);
	}
	if (!done)
		sim_call(p->s, sim_now(p->s) + AGAIN, sim_what(SIM_CALL_JOIN, host));
	if (!g->looking) {
		g->looking = true;
		sim_call(p->s, sim_now(p->s) + 1, sim_what(SIM_CALL_GATHER, 0));
	}
}
