/* ctl_show.c - commands that tell: from the node's questions to JSON.
 *
 * Units stand in the field's name (rtt_us, left_s); a field that is not known is left out. */
#include "cmd/ctl_request.h"

#include <string.h>

#include "base/drop.h"
#include "base/list.h"
#include "cmd/ctl_json.h"
#include "cmd/node_health.h"

static const char *state_text(enum node_ns_state s)
{
	static const char *const text[] = { [NODE_NS_JOINING] = "joining",
					    [NODE_NS_ENROLLED] = "claiming",
					    [NODE_NS_READY] = "ready",
					    [NODE_NS_REFUSED] = "refused",
					    [NODE_NS_OUT] = "revoked" };

	return s < ARRAY_LEN(text) ? text[s] : "?";
}

static json_t *health_json(const struct request *r, const struct node_ns_info *i)
{
	char line[NODE_HEALTH_MAX];
	json_t *list = json_array();
	size_t at = 0;

	while (node_health_next(r->node, i->ns, &at, line, r->now))
		json_array_append_new(list, json_string(line));
	return list;
}

static json_t *ns_json(const struct request *r, const struct node_ns_info *i)
{
	json_t *o = json_object();

	json_set_text(o, "name", i->name);
	json_set_text(o, "state", state_text(i->state));
	json_set_text(o, "zone", i->zone);
	json_set_text(o, "host", i->host);
	json_set_text(o, "interface", i->ifname);
	json_set_ip(o, "ipv4", &i->v4);
	json_set_ip(o, "ipv6", &i->v6);
	json_set_ip(o, "dns", &i->dns4);
	json_set_prefix(o, "subnet", &i->subnet);
	json_set_prefix(o, "subnet6", &i->subnet6);
	json_set_key(o, "root", &i->root);
	json_set_flag(o, "root_here", i->creator);
	json_set_flag(o, "keeper", i->keeper);
	json_set_number(o, "keepers", i->keepers);
	json_set_number(o, "quorum", i->quorum);
	json_set_number(o, "era", i->era);
	json_set_number(o, "epoch", i->epoch);
	json_set_number(o, "attached", i->attached);
	json_set_number(o, "revocation_list", i->revocations);
	json_set_number(o, "overlay", i->overlay);
	if (i->member_until)
		json_set_number(o, "member_until_unix_s", i->member_until);
	json_set_text(o, "trouble", i->trouble);
	json_set_text(o, "refused", i->refused);
	json_object_set_new(o, "health", health_json(r, i));
	return o;
}

static json_t *namespaces_json(const struct request *r)
{
	json_t *list = json_array();
	struct node_ns_info i;
	size_t at = 0;

	while (node_ns_next(r->node, &at, &i, r->now))
		if (!r->ns || strcmp(r->ns, i.name) == 0)
			json_array_append_new(list, ns_json(r, &i));
	return list;
}

static json_t *drops_json(const struct request *r)
{
	json_t *o = json_object();
	struct drops d;

	node_drops(r->node, &d);
	for (size_t i = 1; i < DROP_REASON_COUNT; i++)
		if (d.count[i])
			json_set_number(o, drop_name((enum drop)i), d.count[i]);
	return o;
}

static void run_namespaces(struct request *r)
{
	request_reply(r, json_pack("{s:o}", "namespaces", namespaces_json(r)));
}

static void run_status(struct request *r)
{
	struct node_cursor at = { 0, 0 };
	struct node_peer_info p;
	json_t *o = json_object();
	size_t up = 0;

	while (node_peer_next(r->node, &at, &p, r->now))
		up += p.p2p.up;
	json_set_key(o, "key", node_key(r->node));
	json_set_text(o, "vpnd", daemon_version(r->daemon));
	json_set_number(o, "uptime_s", daemon_uptime(r->daemon) / SEC(1));
	json_set_number(o, "port", daemon_port(r->daemon));
	json_set_number(o, "peers", up);
	json_object_set_new(o, "namespaces", namespaces_json(r));
	json_object_set_new(o, "drops", drops_json(r));
	request_reply(r, o);
}

static const char *path_text(const struct p2p_peer_info *p)
{
	if (!p->up)
		return "connecting";
	return p->kind == P2P_PATH_DIRECT ? "direct" : p->kind == P2P_PATH_RING ? "ring" : "none";
}

static json_t *path_json(const struct p2p_path_info *p)
{
	char text[ADDR_TEXT_LEN];
	json_t *o = json_object();

	addr_text(text, &p->addr);
	json_set_text(o, "address", text);
	json_set_flag(o, "proven", p->proven);
	json_set_flag(o, "used", p->used);
	if (p->rtt)
		json_set_number(o, "rtt_us", p->rtt);
	if (p->heard != USEC_NEVER)
		json_set_number(o, "heard_ms", p->heard / 1000);
	return o;
}

static json_t *peer_json(const struct node_peer_info *i)
{
	const struct p2p_peer_info *p = &i->p2p;
	json_t *o = json_object(), *paths = json_array();

	json_set_key(o, "key", &p->key);
	json_set_text(o, "name", i->name);
	json_set_ip(o, "ipv4", &i->v4);
	json_set_text(o, "path", path_text(p));
	json_set_flag(o, "near", p->near);
	if (p->role != RING_NONE)
		json_set_text(o, "role", ring_role_text(p->role));
	json_set_flag(o, "attached", p->ns_attached != 0);
	if (p->rtt)
		json_set_number(o, "rtt_us", p->rtt);
	if (p->up) {
		json_set_number(o, "up_s", p->since / SEC(1));
		json_set_text(o, "cipher", p->suite == 1 ? "aes-256-gcm" : "chacha20-poly1305");
	}
	if (p->heard != USEC_NEVER)
		json_set_number(o, "heard_ms", p->heard / 1000);
	json_set_number(o, "sent_packets", p->tx_packets);
	json_set_number(o, "sent_bytes", p->tx_bytes);
	json_set_number(o, "received_packets", p->rx_packets);
	json_set_number(o, "received_bytes", p->rx_bytes);
	for (size_t k = 0; k < p->path_count; k++) {
		json_array_append_new(paths, path_json(&p->paths[k]));
		if (p->paths[k].used)
			json_object_set(o, "address",
					json_object_get(json_array_get(paths, k), "address"));
	}
	json_object_set_new(o, "paths", paths);
	return o;
}

static void run_peers(struct request *r)
{
	struct node_cursor at = { 0, 0 };
	struct node_peer_info p;
	json_t *list = json_array();

	while (node_peer_next(r->node, &at, &p, r->now))
		json_array_append_new(list, peer_json(&p));
	request_reply(r, json_pack("{s:o}", "peers", list));
}

static json_t *ring_json(const struct node_ring *i)
{
	json_t *o = json_object();

	json_set_number(o, "overlay", i->overlay);
	json_set_text(o, "profile", i->leaf ? "leaf" : "full");
	json_set_number(o, "size", i->ring.size);
	json_set_flag(o, "sure", i->ring.sure);
	json_set_number(o, "links", i->ring.links);
	json_set_number(o, "near", i->ring.near);
	json_set_number(o, "shortcuts", i->ring.shortcuts);
	json_set_number(o, "shortcuts_wanted", i->ring.shortcuts_wanted);
	json_set_number(o, "accepted", i->ring.accepted);
	json_set_number(o, "demand", i->ring.demand);
	json_set_number(o, "leaves", i->ring.leaves);
	json_set_number(o, "contacts", i->ring.contacts);
	json_set_number(o, "lost", i->ring.lost);
	if (!key_is_zero(&i->next)) {
		json_set_key(o, "next", &i->next);
		json_set_key(o, "previous", &i->previous);
	}
	return o;
}

static void run_ring(struct request *r)
{
	json_t *list = json_array();
	struct node_ring i;
	size_t at = 0;

	while (node_ring_next(r->node, &at, &i, r->now))
		json_array_append_new(list, ring_json(&i));
	request_reply(r, json_pack("{s:o}", "rings", list));
}

static void add_addresses(struct request *r, const struct node_ns_info *i, json_t *list)
{
	char text[2 * REG_NAME_MAX + 1];
	struct lease_info li;
	size_t at = 0;
	json_t *o;

	while (node_lease_next(r->node, i->ns, &at, &li, r->now)) {
		request_reg_text(&li.name, text);
		o = json_object();
		json_set_text(o, "kind", li.name.kind == REG_ADDRESS ? "address" : "name");
		json_set_text(o, "value", text);
		json_set_text(o, "state", lease_state_text(li.state));
		json_set_text(o, "advice", node_lease_advice(li.state));
		json_set_number(o, "generation", li.generation);
		json_set_number(o, "left_s", li.left / SEC(1));
		json_array_append_new(list, o);
	}
	if (i->v6.len) {
		o = json_object();
		json_set_text(o, "kind", "derived");
		json_set_ip(o, "value", &i->v6);
		json_set_text(o, "state", "held");
		json_array_append_new(list, o);
	}
}

static void run_addresses(struct request *r)
{
	request_each_ns(r, "addresses", add_addresses);
}

static void add_flows(struct request *r, const struct node_ns_info *i, json_t *list)
{
	struct vnet_flow_info f;
	char name[64];
	size_t at = 0;

	while (node_flow_next(r->node, i->ns, &at, &f, r->now)) {
		json_t *o = json_object();

		json_set_ip(o, "address", &f.ip);
		json_set_text(o, "state", f.active ? "active" : f.has_owner ? "known" : "nobody");
		if (f.has_owner) {
			json_set_key(o, "owner", &f.owner);
			node_member_name(r->node, i->ns, &f.owner, name);
			json_set_text(o, "name", name);
			json_set_number(o, "generation", f.generation);
		}
		json_set_number(o, "packets", f.packets);
		json_set_number(o, "idle_s", f.idle / SEC(1));
		if (f.left < DAYS(3650))
			json_set_number(o, "left_s", f.left / SEC(1));
		json_array_append_new(list, o);
	}
}

static void run_flows(struct request *r)
{
	request_each_ns(r, "flows", add_flows);
}

static json_t *rights_json(uint32_t rights)
{
	json_t *list = json_array();

	for (uint32_t bit = 1; bit; bit <<= 1)
		if (rights & bit && right_text(bit))
			json_array_append_new(list, json_string(right_text(bit)));
	return list;
}

static void add_member(json_t *o, const struct reg_value *v)
{
	struct member_payload mp;

	if (!member_payload_read(&mp, v->payload, v->payload_len))
		return;
	json_set_text(o, "name", mp.host);
	json_object_set_new(o, "rights", rights_json(mp.rights));
	json_set_number(o, "until_unix_s", mp.not_after);
	json_set_flag(o, "revoked", mp.revoked);
}

static void add_token(json_t *o, const struct reg_value *v)
{
	struct token_payload tp;

	if (!token_payload_read(&tp, v->payload, v->payload_len))
		return;
	json_set_number(o, "uses", tp.uses);
	json_set_number(o, "used", tp.used);
	json_set_number(o, "expires_unix_s", tp.expires);
	json_object_set_new(o, "rights", rights_json(tp.rights));
	json_set_number(o, "keepers", tp.keepers);
	json_set_flag(o, "revoked", tp.revoked);
}

static void add_registers(struct request *r, const struct node_ns_info *i, enum reg_kind kind,
			  json_t *list)
{
	char hex[2 * KEY_LEN + 1], key[2 * REG_NAME_MAX + 1];
	struct reg_name name;
	struct reg_value v;
	size_t at = 0;

	while (regs_next(node_regs(r->node, i->ns), &at, &name, &v)) {
		json_t *o;

		if (name.kind != kind)
			continue;
		o = json_object();
		if (kind == REG_MEMBER) {
			request_reg_text(&name, key);
			json_set_text(o, "key", key);
			add_member(o, &v);
		} else {
			sodium_bin2hex(hex, sizeof(hex), name.b, KEY_LEN);
			json_set_text(o, "id", hex);
			add_token(o, &v);
		}
		json_array_append_new(list, o);
	}
}

static void add_members(struct request *r, const struct node_ns_info *i, json_t *list)
{
	add_registers(r, i, REG_MEMBER, list);
}

static void add_tokens(struct request *r, const struct node_ns_info *i, json_t *list)
{
	add_registers(r, i, REG_TOKEN, list);
}

/* Registers are listed where they are kept. */
static bool at_keeper(struct request *r)
{
	const char *error;
	int ns = node_ns_find(r->node, r->ns, &error);

	if (ns < 0)
		request_refuse(r, "%s", error);
	else if (!regs_is_keeper(node_regs(r->node, (uint16_t)ns)))
		request_refuse(r, "this node is no keeper; `vpnctl keepers` names those who know");
	else
		return true;
	return false;
}

static void run_member_list(struct request *r)
{
	if (at_keeper(r))
		request_each_ns(r, "members", add_members);
}

static void run_token_list(struct request *r)
{
	if (at_keeper(r))
		request_each_ns(r, "tokens", add_tokens);
}

static void run_name_list(struct request *r)
{
	request_each_ns(r, "addresses", add_addresses);
}

const struct ctl_command ctl_shows[] = {
	{ "status", run_status },
	{ "namespaces", run_namespaces },
	{ "peers", run_peers },
	{ "paths", run_peers },
	{ "ring", run_ring },
	{ "addresses", run_addresses },
	{ "flows", run_flows },
	{ "member list", run_member_list },
	{ "token list", run_token_list },
	{ "name list", run_name_list },
	{ "lease list", run_name_list },
	{ NULL, NULL },
};
