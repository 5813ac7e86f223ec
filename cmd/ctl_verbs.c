/* ctl_verbs.c - commands that do something: from JSON to the node's verbs. */
#include "cmd/ctl_request.h"

#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "cmd/ctl_json.h"

#define WAIT_SECONDS 30
#define INVITE_SECONDS (24 * 3600)
#define INVITE_SECONDS_MAX (365 * 24 * 3600)

static void answer_text(json_t *reply, const struct node_notice *n)
{
	json_object_set_new(reply, "text", json_string(n->text));
}

static void answer_token(json_t *reply, const struct node_notice *n)
{
	json_object_set_new(reply, "token", json_string(n->text));
}

static void answer_addresses(json_t *reply, const struct node_notice *n)
{
	json_set_ip(reply, "ipv4", &n->v4);
	json_set_ip(reply, "ipv6", &n->v6);
}

static void answer_ping(json_t *reply, const struct node_notice *n)
{
	json_object_set_new(reply, "rtt_us", json_integer((json_int_t)n->rtt));
}

static void answer_trace(json_t *reply, const struct node_notice *n)
{
	char key[KEY_TEXT_LEN];

	key_text(key, &n->key);
	json_object_set_new(reply, "key", json_string(key));
	json_object_set_new(reply, "hops", json_integer(n->hops));
	json_object_set_new(reply, "rtt_us", json_integer((json_int_t)n->rtt));
	json_object_set_new(reply, "direct", json_boolean(n->direct));
}

static void run_create(struct request *r)
{
	struct node_create c = { .name = request_arg(r, 0),
				 .domain = request_text(r, "domain", NULL),
				 .host = request_text(r, "hostname", NULL),
				 .ifname = request_text(r, "ifname", NULL),
				 .overlay = request_text(r, "overlay", NULL),
				 .open = request_flag(r, "open"),
				 .hardened = request_flag(r, "hardened") };
	json_int_t lease = request_number(r, "lease", 0);
	const char *subnet = request_text(r, "subnet", "auto");

	if (!c.name) {
		request_refuse(r, "create takes a name");
		return;
	}
	c.has_subnet = strcmp(subnet, "auto") != 0;
	if (c.has_subnet && !prefix_parse(&c.subnet, subnet)) {
		request_refuse(r, "'%s' is not a subnet; 10.20.0.0/16 would be one", subnet);
		return;
	}
	if (!request_keepers(r, request_text(r, "keepers", "auto"), &c.keepers))
		return;
	c.lease = lease < 0 || lease > UINT32_MAX ? 1 : (uint32_t)lease; /* 1 is refused */
	node_create(r->node, request_op(r, answer_addresses), &c, r->now);
}

static bool take_rights(struct request *r, const char *option, uint32_t *rights)
{
	json_t *list = json_object_get(r->options, option), *v;
	size_t i;

	json_array_foreach(list, i, v) {
		const char *name = json_string_value(v);
		uint32_t bit = name ? right_parse(name) : 0;

		if (!bit) {
			request_refuse(r, "no right is called '%s'; there are keeper, relay, router, "
					  "edge, proxy, policy, fixed and admin", name ? name : "");
			return false;
		}
		*rights |= bit;
	}
	return true;
}

static bool take_groups(struct request *r, struct reg_groups *g)
{
	json_t *list = json_object_get(r->options, "group"), *v;
	size_t i;

	json_array_foreach(list, i, v) {
		const char *name = json_string_value(v);

		if (!name || !*name || strlen(name) > REG_GROUP_LEN || g->count == REG_GROUPS_MAX) {
			request_refuse(r, "at most %d groups, of 1 to %d characters each",
				       REG_GROUPS_MAX, REG_GROUP_LEN);
			return false;
		}
		snprintf(g->name[g->count++], sizeof(g->name[0]), "%s", name);
	}
	return true;
}

static void run_invite(struct request *r)
{
	json_int_t uses = request_number(r, "uses", 1);
	json_int_t expires = request_number(r, "expires", INVITE_SECONDS);
	struct node_invite i = { .ephemeral = request_flag(r, "ephemeral") };

	if (uses < 1 || uses > REG_USES_MAX) {
		request_refuse(r, "--uses takes 1 to %d", REG_USES_MAX);
		return;
	}
	if (expires < 1 || expires > INVITE_SECONDS_MAX) {
		request_refuse(r, "--expires takes 1s to 365d");
		return;
	}
	i.uses = (uint16_t)uses;
	i.expires = (uint32_t)expires;
	if (!take_rights(r, "right", &i.rights) || !take_groups(r, &i.groups))
		return;
	node_invite(r->node, request_op(r, answer_token), request_arg(r, 0) ? request_arg(r, 0) : r->ns,
		    &i, r->now);
}

static void run_join(struct request *r)
{
	struct node_join j = { .token = request_arg(r, 0),
			       .host = request_text(r, "hostname", NULL),
			       .ifname = request_text(r, "ifname", NULL) };
	const char *address = request_text(r, "address", NULL);

	if (!j.token) {
		request_refuse(r, "join takes a token");
		return;
	}
	j.has_address = address != NULL;
	if (address && (!ip_parse(&j.address, address) || j.address.len != 4)) {
		request_refuse(r, "'%s' is not an IPv4 address", address);
		return;
	}
	node_join(r->node, request_op(r, answer_addresses), &j, r->now);
}

static const char *ns_arg(const struct request *r)
{
	const char *name = request_arg(r, 0);

	return name ? name : r->ns;
}

static void run_leave(struct request *r)
{
	node_leave(r->node, request_op(r, answer_text), ns_arg(r), r->now);
}

static void run_delete(struct request *r)
{
	node_delete(r->node, request_op(r, answer_text), ns_arg(r), r->now);
}

static void run_wait(struct request *r)
{
	json_int_t s = request_number(r, "timeout", WAIT_SECONDS);

	if (s < 1 || s > 86400)
		request_refuse(r, "--timeout takes 1 to 86400 seconds");
	else
		node_wait(r->node, request_op(r, answer_addresses), r->ns, SEC(s), r->now);
}

/* Verbs of one argument. */
static void with_arg(struct request *r, const char *what,
		     void (*answer)(json_t *, const struct node_notice *),
		     void (*verb)(struct node *, uint64_t, const char *, const char *, usec_t))
{
	const char *arg = request_arg(r, 0);

	if (!arg)
		request_refuse(r, "takes %s", what);
	else
		verb(r->node, request_op(r, answer), r->ns, arg, r->now);
}

static void run_resolve(struct request *r)
{
	with_arg(r, "a host name", answer_addresses, node_resolve);
}

static void run_ping(struct request *r)
{
	with_arg(r, "a host name or address", answer_ping, node_ping);
}

static void run_trace(struct request *r)
{
	with_arg(r, "a host name or a node's key", answer_trace, node_trace);
}

static void run_member_revoke(struct request *r)
{
	with_arg(r, "a member's name or key", answer_text, node_member_revoke);
}

static void run_name_add(struct request *r)
{
	with_arg(r, "a host name", answer_text, node_name_add);
}

static void run_name_del(struct request *r)
{
	with_arg(r, "a host name", answer_text, node_name_del);
}

static void run_lease_add(struct request *r)
{
	json_int_t count = request_number(r, "count", 1);
	struct node_lease_add a = { .address = request_arg(r, 0), .count = (uint32_t)count };

	if (count < 1 || count > LEASES_MAX || (a.address && count != 1))
		request_refuse(r, "takes one address, or --count 1 to %d", LEASES_MAX);
	else
		node_lease_add(r->node, request_op(r, answer_text), r->ns, &a, r->now);
}

static void run_lease_release(struct request *r)
{
	with_arg(r, "an address or a host name of this node", answer_text, node_lease_release);
}

static void run_lease_transfer(struct request *r)
{
	struct node_lease_transfer t = { request_arg(r, 0), request_arg(r, 1) };

	if (!t.what || !t.to)
		request_refuse(r, "takes an address, and a member's name or key");
	else
		node_lease_transfer(r->node, request_op(r, answer_text), r->ns, &t, r->now);
}

static void run_add_admin(struct request *r)
{
	with_arg(r, "a member's name or key", answer_text, node_add_admin);
}

static void run_token_revoke(struct request *r)
{
	const char *arg = request_arg(r, 0);

	if (!arg)
		request_refuse(r, "takes a token or its id (`vpnctl token list`)");
	else
		node_token_revoke(r->node, request_op(r, answer_text), r->ns, arg,
				  request_flag(r, "with-members"), r->now);
}

static void run_member_set(struct request *r)
{
	uint32_t add = 0, remove = 0;
	const char *who = request_arg(r, 0);

	if (!who) {
		request_refuse(r, "takes a member's name or key");
		return;
	}
	if (take_rights(r, "right", &add) && take_rights(r, "no-right", &remove))
		node_member_set(r->node, request_op(r, answer_text), r->ns, who, add, remove, r->now);
}

static void run_root_backup(struct request *r)
{
	node_root_backup(r->node, request_op(r, answer_text), r->ns, r->now);
}

static void run_root_restore(struct request *r)
{
	const char *text = request_arg(r, 0);
	struct node_root_restore args = { .text = text, .host = request_text(r, "hostname", NULL),
					  .new_era = request_flag(r, "new-era") };

	if (!text)
		request_refuse(r, "takes the line that `vpnctl root backup` printed");
	else
		node_root_restore(r->node, request_op(r, answer_text), &args, r->now);
}

static void run_keepers_reset(struct request *r)
{
	if (!request_flag(r, "yes"))
		request_refuse(r, "a new era puts every present keeper out: only when a quorum of them is "
				  "gone for good (`vpnctl keepers`); then say --yes");
	else
		node_root_reset(r->node, request_op(r, answer_text), r->ns, r->now);
}

static void run_log_level(struct request *r)
{
	enum log_level level;
	const char *arg = request_arg(r, 0);

	if (!arg || !log_level_parse(&level, arg)) {
		request_refuse(r, "log levels are error, warn, info, debug");
		return;
	}
	daemon_set_log_level(r->daemon, level);
	request_reply(r, json_pack("{s:s}", "text", arg));
}

const struct ctl_command ctl_verbs[] = {
	{ "create", run_create },
	{ "invite", run_invite },
	{ "join", run_join },
	{ "leave", run_leave },
	{ "delete", run_delete },
	{ "wait", run_wait },
	{ "resolve", run_resolve },
	{ "ping", run_ping },
	{ "trace", run_trace },
	{ "token revoke", run_token_revoke },
	{ "member revoke", run_member_revoke },
	{ "member set", run_member_set },
	{ "name add", run_name_add },
	{ "name del", run_name_del },
	{ "lease add", run_lease_add },
	{ "lease release", run_lease_release },
	{ "lease transfer", run_lease_transfer },
	{ "root backup", run_root_backup },
	{ "root restore", run_root_restore },
	{ "keepers reset", run_keepers_reset },
	{ "root add-admin", run_add_admin },
	{ "log-level", run_log_level },
	{ NULL, NULL },
};
