/* node_query.c - what a node tells about itself: answered at once, changes nothing. */
#include "cmd/node_query.h"

#include <stdio.h>
#include <string.h>

#include "cmd/node_internal.h"

int node_ns_find(const struct node *n, const char *name, const char **error)
{
	int found = -1;
	size_t count = 0;

	for (int i = 0; i < NODE_NAMESPACES_MAX; i++) {
		if (!n->ns[i] || n->ns[i]->leaving)
			continue;
		if (name && strcmp(n->ns[i]->name, name) == 0)
			return i;
		found = i;
		count++;
	}
	if (!name && count == 1)
		return found;
	if (count == 0)
		*error = "this node is in no namespace; `vpnctl create NAME` makes one, "
			 "`vpnd join` takes a token";
	else
		*error = name ? "no namespace of this name here; `vpnctl namespaces` lists them" :
				"this node is in several namespaces; name one with -n";
	return -1;
}

static void fill_keepers(const struct ns *s, struct node_ns_info *out)
{
	const struct config *cf = regs_keepers(s->regs);

	if (!cf)
		return;
	out->keepers = cf->count;
	out->quorum = cf->quorum;
	out->era = cf->era;
	out->epoch = cf->epoch;
	out->keeper = regs_is_keeper(s->regs);
}

static void fill_membership(const struct ns *s, struct node_ns_info *out)
{
	struct member_payload mp;
	const uint8_t *b;
	size_t len = regs_membership(s->regs, &b);
	struct grant g;

	if (len && grant_read(&g, b, len) && member_payload_read(&mp, g.payload, g.payload_len))
		out->member_until = mp.not_after;
}

bool node_ns_next(const struct node *n, size_t *at, struct node_ns_info *out, usec_t now)
{
	const struct settings *st;
	const struct ns *s;

	(void)now;
	while (*at < NODE_NAMESPACES_MAX && !n->ns[*at])
		++*at;
	if (*at >= NODE_NAMESPACES_MAX)
		return false;
	s = n->ns[(*at)++];
	st = regs_settings(s->regs);
	*out = (struct node_ns_info){ .ns = s->number,
				      .state = s->state,
				      .creator = s->root_key != NULL,
				      .root = s->root,
				      .subnet6 = s->subnet6,
				      .v4 = s->v4,
				      .v6 = s->v6,
				      .dns4 = s->dns4,
				      .revocations = regs_revocation_number(s->regs),
				      .attached = s->attached.count,
				      .overlay = s->o->number };
	memcpy(out->name, s->name, sizeof(out->name));
	memcpy(out->ifname, s->ifname, sizeof(out->ifname));
	memcpy(out->host, s->held_host, sizeof(out->host));
	snprintf(out->trouble, sizeof(out->trouble), "%s", s->trouble ? s->trouble : "");
	snprintf(out->refused, sizeof(out->refused), "%s", s->refused ? s->refused : "");
	if (st) {
		out->subnet = st->subnet;
		snprintf(out->zone, sizeof(out->zone), "%s.%s", st->name,
			 st->domain[0] ? st->domain : "internal");
	}
	fill_keepers(s, out);
	fill_membership(s, out);
	return true;
}

static void name_peer(const struct node *n, struct node_peer_info *out)
{
	out->ns = -1;
	for (int i = 0; i < NODE_NAMESPACES_MAX; i++) {
		const struct attached *a = n->ns[i] && n->ns[i]->o->number == out->overlay ?
						   map_get(&n->ns[i]->attached, &out->p2p.key) :
						   NULL;

		if (!a)
			continue;
		memcpy(out->name, a->host, sizeof(out->name));
		out->v4 = a->v4;
		out->ns = i;
		return;
	}
}

bool node_peer_next(const struct node *n, struct node_cursor *at, struct node_peer_info *out,
		    usec_t now)
{
	for (; at->a < NODE_OVERLAYS_MAX; at->a++, at->b = 0) {
		const struct overlay *o = n->overlays[at->a];

		memset(out, 0, sizeof(*out));
		if (!o || !o->p2p || !p2p_peer_next(o->p2p, &at->b, &out->p2p, now))
			continue;
		out->overlay = o->number;
		name_peer(n, out);
		return true;
	}
	return false;
}

bool node_lease_next(const struct node *n, uint16_t ns, size_t *at, struct lease_info *out, usec_t now)
{
	const struct ns *s = ns < NODE_NAMESPACES_MAX ? n->ns[ns] : NULL;

	return s && s->leases && leases_next(s->leases, at, out, now);
}

bool node_flow_next(const struct node *n, uint16_t ns, size_t *at, struct vnet_flow_info *out,
		    usec_t now)
{
	const struct ns *s = ns < NODE_NAMESPACES_MAX ? n->ns[ns] : NULL;

	return s && s->vnet && vnet_flow_next(s->vnet, at, out, now);
}

const struct regs *node_regs(const struct node *n, uint16_t ns)
{
	return ns < NODE_NAMESPACES_MAX && n->ns[ns] ? n->ns[ns]->regs : NULL;
}

const struct config *node_keepers(const struct node *n, uint16_t ns)
{
	const struct regs *r = node_regs(n, ns);

	return r ? regs_keepers(r) : NULL;
}

static bool register_name(const struct ns *s, const struct pubkey *key, char out[64])
{
	struct member_payload mp;
	struct reg_name name, want = reg_name_key(REG_MEMBER, key->b, KEY_LEN);
	struct reg_value v;
	size_t at = 0;

	while (regs_next(s->regs, &at, &name, &v))
		if (reg_name_equal(&name, &want) &&
		    member_payload_read(&mp, v.payload, v.payload_len)) {
			memcpy(out, mp.host, sizeof(mp.host));
			return true;
		}
	return false;
}

void node_member_name(const struct node *n, uint16_t ns, const struct pubkey *key, char out[64])
{
	const struct ns *s = ns < NODE_NAMESPACES_MAX ? n->ns[ns] : NULL;
	const struct attached *a = s ? map_get(&s->attached, key) : NULL;

	out[0] = 0;
	if (s && key_equal(key, &n->cfg.self.pub))
		memcpy(out, s->held_host, 64);
	else if (a)
		memcpy(out, a->host, 64);
	if (s && !out[0])
		register_name(s, key, out);
}

/* The nearest ring links of one overlay, clockwise and counter-clockwise. */
static void neighbours(const struct node *n, const struct overlay *o, struct node_ring *out, usec_t now)
{
	struct node_id self = id_of(&n->cfg.self.pub), cw = { { 0 } }, ccw = { { 0 } };
	struct p2p_peer_info info;
	size_t at = 0;

	while (p2p_peer_next(o->p2p, &at, &info, now)) {
		struct node_id id = id_of(&info.key);
		struct node_id ahead = id_clockwise(&self, &id), behind = id_clockwise(&id, &self);

		if (!info.up || !info.near)
			continue;
		if (key_is_zero(&out->next) || memcmp(&ahead, &cw, sizeof(cw)) < 0) {
			out->next = info.key;
			cw = ahead;
		}
		if (key_is_zero(&out->previous) || memcmp(&behind, &ccw, sizeof(ccw)) < 0) {
			out->previous = info.key;
			ccw = behind;
		}
	}
}

bool node_ring_next(const struct node *n, size_t *at, struct node_ring *out, usec_t now)
{
	const struct overlay *o;

	while (*at < NODE_OVERLAYS_MAX && !(n->overlays[*at] && n->overlays[*at]->p2p))
		++*at;
	if (*at >= NODE_OVERLAYS_MAX)
		return false;
	o = n->overlays[(*at)++];
	*out = (struct node_ring){ .ring = p2p_ring_info(o->p2p), .overlay = o->number,
				   .leaf = n->cfg.leaf };
	neighbours(n, o, out, now);
	return true;
}

void node_sent(const struct node *n, struct p2p_sent *sum)
{
	for (size_t i = 0; i < NODE_OVERLAYS_MAX; i++) {
		const struct overlay *o = n->overlays[i];

		for (size_t k = 0; o && o->p2p && k < P2P_SENT_KINDS; k++) {
			sum->packets[k] += p2p_sent(o->p2p)->packets[k];
			sum->bytes[k] += p2p_sent(o->p2p)->bytes[k];
		}
	}
}

static void count_overlay(const struct overlay *o, struct node_counts *c, usec_t now)
{
	struct dht_info d = dht_info(o->dht);
	struct p2p_peer_info info;
	size_t at = 0;

	while (p2p_peer_next(o->p2p, &at, &info, now))
		c->sessions += info.up;
	c->contacts += d.contacts;
	c->records += d.records;
	c->published += d.published;
	c->lookups += d.lookups;
}

struct node_counts node_counts(const struct node *n, usec_t now)
{
	struct node_counts c = { .timers = n->timers.count };

	c.queued = n->event_count + n->outbox_count + n->persists.count + n->records.count +
		   n->traces.count;
	for (size_t i = 0; i < NODE_OVERLAYS_MAX; i++)
		if (n->overlays[i] && n->overlays[i]->p2p)
			count_overlay(n->overlays[i], &c, now);
	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++)
		if (n->ns[i])
			c.queued += n->ns[i]->queries.count + n->ns[i]->verbs.count;
	return c;
}

static void add_drops(struct drops *out, const struct drops *in)
{
	for (size_t i = 0; i < DROP_REASON_COUNT; i++)
		out->count[i] += in->count[i];
}

void node_drops(const struct node *n, struct drops *out)
{
	*out = n->drops;
	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++)
		if (n->ns[i] && n->ns[i]->vnet)
			add_drops(out, vnet_drops(n->ns[i]->vnet));
}

const struct pubkey *node_key(const struct node *n)
{
	return &n->cfg.self.pub;
}
