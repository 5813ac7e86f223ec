/* node_verbs.c - what a person asks of a node: create, invite, join, leave, wait, resolve, ping.
 *
 * A verb checks what it can at once and says what is wrong and what to do; what depends on others
 * ends later in one notice with the verb's op. */
#include "cmd/node_verbs.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

#define JOIN_TIMEOUT SEC(60)
#define LEAVE_TIMEOUT SEC(2)
#define LEASE_SHORTEST 60 /* seconds */
#define LEASE_LONGEST (30 * 24 * 3600)
#define LEASE_SECONDS (24 * 3600) /* with more than one keeper; one alone gives 30 days */
#define PORT_MTU 1420
#define NAME_TIMEOUT SEC(8)
#define AUTO_SUBNET_TRIES 64

struct ns *verb_ns(struct node *n, uint64_t op, const char *name)
{
	const char *error;
	int i = node_ns_find(n, name, &error);

	if (i >= 0)
		return n->ns[i];
	node_notice(n, op, NODE_NO, "%s", error);
	return NULL;
}

static bool good_name(const char *name)
{
	size_t n = strlen(name);

	if (n < 1 || n > 32 || name[0] == '-' || name[n - 1] == '-')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static void fresh_key(struct node *n, struct key_pair *k, uint8_t seed[SEED_LEN])
{
	do
		n->env.random(n->env.ctx, seed, SEED_LEN);
	while (!key_from_seed(k, seed));
}

/* A random /16 of 10.0.0.0/8 that clashes with nothing on this host and no namespace here. */
static bool auto_subnet(struct node *n, struct prefix *out)
{
	for (int i = 0; i < AUTO_SUBNET_TRIES; i++) {
		uint8_t b;
		bool taken = false;

		n->env.random(n->env.ctx, &b, 1);
		*out = (struct prefix){ .ip = ip_v4(10u << 24 | (uint32_t)b << 16), .bits = 16 };
		for (size_t j = 0; j < NODE_NAMESPACES_MAX; j++)
			if (n->ns[j] && regs_settings(n->ns[j]->regs) &&
			    prefix_overlaps(&regs_settings(n->ns[j]->regs)->subnet, out))
				taken = true;
		if (!taken && !n->env.prefix_taken(n->env.ctx, out))
			return true;
	}
	return false;
}

static void add_wait(struct ns *s, uint64_t op, bool is_join, usec_t until)
{
	if (s->wait_count == NODE_WAITS_MAX) {
		node_notice(s->n, op, NODE_NO, "too many requests are waiting already");
		return;
	}
	s->waits = mem_resize(s->waits, (s->wait_count + 1) * sizeof(*s->waits));
	s->waits[s->wait_count++] = (struct wait){ op, is_join, until };
	ns_wake(s, until);
}

void verb_wait(struct ns *s, uint64_t op, usec_t until) { add_wait(s, op, true, until); }

/* The overlay a new namespace lives in: a named one's, or a new one with a fresh key. */
static struct overlay *overlay_for(struct node *n, uint64_t op, const struct node_create *c)
{
	uint8_t key[32];
	struct overlay *o;
	struct ns *s;

	if (c->overlay) {
		s = verb_ns(n, op, c->overlay);
		return s ? s->o : NULL;
	}
	if (c->open)
		hash_of(key, sizeof(key), "vpnd open overlay", "", 0);
	else
		n->env.random(n->env.ctx, key, sizeof(key));
	o = overlay_new(n, key, c->open);
	if (!o) {
		node_notice(n, op, NODE_NO, "this node is in %d overlays already", NODE_OVERLAYS_MAX);
		return NULL;
	}
	state_save_overlay(o);
	overlay_start(o, n->now);
	return o;
}

static const char *create_refused(struct node *n, const struct node_create *c, struct prefix *subnet)
{
	if (!good_name(c->name))
		return "a namespace name is 1 to 32 lower-case letters, digits and hyphens";
	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++)
		if (n->ns[i] && strcmp(n->ns[i]->name, c->name) == 0)
			return "a namespace of this name is here already (`vpnctl namespaces`)";
	if (c->has_subnet && (c->subnet.ip.len != 4 || c->subnet.bits < 8 || c->subnet.bits > 29))
		return "--subnet takes an IPv4 range from /8 to /29";
	if (c->lease && (c->lease < LEASE_SHORTEST || c->lease > LEASE_LONGEST))
		return "--lease takes 1 minute to 30 days";
	*subnet = c->subnet;
	if (!c->has_subnet && !auto_subnet(n, subnet))
		return "found no free /16 in 10.0.0.0/8; choose one with --subnet";
	return NULL;
}

void node_create(struct node *n, uint64_t op, const struct node_create *c, usec_t now)
{
	struct settings st = { .number = 1, .lease = c->lease ? c->lease : LEASE_SECONDS, .mtu = PORT_MTU,
			       .keepers = c->keepers, .hardened = c->hardened };
	struct key_pair root;
	uint8_t seed[SEED_LEN];
	struct overlay *o;
	struct ns *s;
	const char *no;

	node_enter(n, now);
	no = create_refused(n, c, &st.subnet);
	if (no) {
		node_notice(n, op, NODE_NO, "%s", no);
		return;
	}
	o = overlay_for(n, op, c);
	if (!o)
		return;
	fresh_key(n, &root, seed);
	s = ns_new(n, o, &root.pub);
	if (!s) {
		node_notice(n, op, NODE_NO, "this node is in %d namespaces already", NODE_NAMESPACES_MAX);
		return;
	}
	st.root = root.pub;
	st.open = c->open;
	snprintf(st.name, sizeof(st.name), "%s", c->name);
	snprintf(st.domain, sizeof(st.domain), "%s", c->domain ? c->domain : "");
	ns_take_root_key(s, &root);
	snprintf(s->name, sizeof(s->name), "%s", c->name);
	snprintf(s->host, sizeof(s->host), "%s", c->host ? c->host : n->cfg.host);
	snprintf(s->ifname, sizeof(s->ifname), "%s", c->ifname ? c->ifname : "");
	n->env.random(n->env.ctx, s->rendezvous, sizeof(s->rendezvous));
	state_save_ns(s);
	regs_started(s->regs, now);
	regs_create(s->regs, &root, &st, s->host, now);
	add_wait(s, op, true, now + JOIN_TIMEOUT);
	sodium_memzero(&root, sizeof(root));
	sodium_memzero(seed, sizeof(seed));
	node_pump(n, now);
}

static void take_contacts(struct overlay *o, const struct token *t, usec_t now)
{
	for (size_t i = t->contact_count; i-- > 0;) {
		const struct token_contact *c = &t->contacts[i];

		if (key_equal(&c->key, &o->n->cfg.self.pub))
			continue;
		overlay_learn_contact(o, &c->key, c->addrs, c->addr_count);
		if (o->p2p)
			p2p_bootstrap(o->p2p, &c->key, c->addrs, c->addr_count, now);
	}
}

struct overlay *verb_overlay(struct node *n, const struct token *t, usec_t now)
{
	uint8_t id[16];
	struct overlay *o;

	hash_of(id, sizeof(id), "vpnd overlay id", t->overlay_key, 32);
	o = overlay_find(n, id);
	if (!o)
		o = overlay_new(n, t->overlay_key, false);
	if (!o)
		return NULL;
	state_save_overlay(o);
	take_contacts(o, t, now);
	state_save_contacts(o); /* before the namespace: who is killed now must find its way back */
	overlay_start(o, now);
	return o;
}

/* A namespace we were refused from, or left unfinished, gives way to a new token. */
static const char *join_again(struct node *n, const struct pubkey *root, usec_t now)
{
	uint8_t nsid[NSID_LEN];
	struct ns *s;

	nsid_of(nsid, root);
	s = ns_of_id(n, nsid, NULL);
	if (!s)
		return NULL;
	if (s->state == NODE_NS_ENROLLED || s->state == NODE_NS_READY)
		return "this node is a member of that namespace already (`vpnctl namespaces`)";
	state_erase_ns(s);
	ns_free(s, now);
	return NULL;
}

void node_join(struct node *n, uint64_t op, const struct node_join *j, usec_t now)
{
	struct token t;
	const char *wrong = token_parse(&t, j->token, n->cfg.crypto);
	struct overlay *o;
	struct ns *s;

	node_enter(n, now);
	if (!wrong)
		wrong = join_again(n, &t.root, now);
	if (wrong) {
		node_notice(n, op, NODE_NO, "%s", wrong);
		return;
	}
	o = verb_overlay(n, &t, now);
	s = o ? ns_new(n, o, &t.root) : NULL;
	if (!s) {
		node_notice(n, op, NODE_NO, "this node is in too many namespaces already");
		return;
	}
	memcpy(s->rendezvous, t.rendezvous, sizeof(s->rendezvous));
	memcpy(s->token_seed, t.seed, SEED_LEN);
	s->checkpoint = t.checkpoint;
	s->enrolling = true;
	snprintf(s->host, sizeof(s->host), "%s", j->host ? j->host : n->cfg.host);
	snprintf(s->ifname, sizeof(s->ifname), "%s", j->ifname ? j->ifname : "");
	s->has_ask = j->has_address;
	s->ask = j->address;
	state_save_ns(s);
	add_wait(s, op, true, now + JOIN_TIMEOUT);
	ns_start(s, now);
	sodium_memzero(&t, sizeof(t));
	node_pump(n, now);
}

/* Addresses are given back before the namespace goes: two seconds at most. */
void node_leave(struct node *n, uint64_t op, const char *name, usec_t now)
{
	struct ns *s = verb_ns(n, op, name);

	node_enter(n, now);
	if (!s)
		return;
	if (s->leaving) {
		node_notice(n, op, NODE_NO, "%s is being left already", s->name);
		return;
	}
	if (s->leases)
		leases_release_all(s->leases, now);
	s->leaving = now + LEAVE_TIMEOUT;
	s->leave_op = op;
	ns_wake(s, now);
	node_pump(n, now);
}

void node_delete(struct node *n, uint64_t op, const char *name, usec_t now)
{
	struct ns *s = verb_ns(n, op, name);

	node_enter(n, now);
	if (s && !s->root_key)
		node_notice(n, op, NODE_NO, "%s was not created here; only its creator can delete it "
					    "(`vpnctl leave %s` leaves it)", s->name, s->name);
	else if (s)
		node_leave(n, op, name, now);
}

void node_wait(struct node *n, uint64_t op, const char *name, usec_t timeout, usec_t now)
{
	struct ns *s = verb_ns(n, op, name);

	node_enter(n, now);
	if (!s)
		return;
	add_wait(s, op, false, now + timeout);
	ns_check_ready(s, now);
}

static bool is_self(const struct ns *s, const char *host)
{
	return s->held_host[0] && strcmp(host, s->held_host) == 0;
}

static void resolve(struct ns *s, uint64_t op, enum query_kind kind, const char *host, usec_t now)
{
	struct owned_payload own = { .v4 = s->v4, .v6 = s->v6 };
	struct query q = { .kind = kind, .caller = op };
	struct reg_name name;
	char label[64];

	snprintf(label, sizeof(label), "%.*s", (int)strcspn(host, "."), host);
	if (is_self(s, label))
		verb_resolved(s, &q, &own, now);
	else if (reg_name_host(&name, label))
		ns_query(s, kind, op, NULL, &name, now);
	else
		node_notice(s->n, op, NODE_NO, "'%s' is not a host name", host);
}

void node_resolve(struct node *n, uint64_t op, const char *ns, const char *host, usec_t now)
{
	struct ns *s = verb_ns(n, op, ns);

	node_enter(n, now);
	if (s)
		resolve(s, op, QUERY_VERB, host, now);
	node_pump(n, now);
}

void node_trace(struct node *n, uint64_t op, const char *ns, const char *who, usec_t now)
{
	struct overlay *o;
	struct pubkey key;
	struct ns *s;

	if (!ns && key_parse(&key, who, n->cfg.crypto)) {
		node_trace_key(n, op, &key, NULL, now);
		return;
	}
	node_enter(n, now);
	s = verb_ns(n, op, ns);
	o = s ? s->o : NULL;
	if (o && key_parse(&key, who, n->cfg.crypto))
		node_trace_start(o, op, &key, NULL, now);
	else if (o && is_self(s, who))
		node_trace_start(o, op, &n->cfg.self.pub, NULL, now);
	else if (o)
		resolve(s, op, QUERY_TRACE, who, now);
	node_pump(n, now);
}

static void ping(struct ns *s, uint64_t op, const struct ip *ip, usec_t now)
{
	if (!s->vnet || vnet_ping(s->vnet, op, ip, now) != 0)
		node_notice(s->n, op, NODE_NO, "cannot ping: %s has no address of its own yet",
			    s->name);
}

void node_ping(struct node *n, uint64_t op, const char *ns, const char *host, usec_t now)
{
	struct ns *s = verb_ns(n, op, ns);
	struct ip ip;

	node_enter(n, now);
	if (s && ip_parse(&ip, host))
		ping(s, op, &ip, now);
	else if (s)
		resolve(s, op, QUERY_PING, host, now);
	node_pump(n, now);
}

void verb_resolved(struct ns *s, const struct query *q, const struct owned_payload *p, usec_t now)
{
	struct node_notice nt = { .op = q->caller };

	if (!p) {
		node_notice(s->n, q->caller, NODE_NO, "no host of this name in %s", s->name);
		return;
	}
	if (q->kind == QUERY_PING) {
		ping(s, q->caller, p->v4.len ? &p->v4 : &p->v6, now);
		return;
	}
	nt.v4 = p->v4;
	nt.v6 = p->v6;
	nt.text = "";
	s->n->env.notice(s->n->env.ctx, &nt);
}

void verb_pong(struct ns *s, uint64_t op, usec_t rtt)
{
	struct node_notice nt = { .op = op, .rtt = rtt, .text = "" };

	if (rtt == USEC_NEVER)
		node_notice(s->n, op, NODE_TIMEOUT, "no answer within 2 s");
	else
		s->n->env.notice(s->n->env.ctx, &nt);
}

/* The claim's end is told by the lease's event; here only who waits for it. */
static void wait_for_name(struct ns *s, uint64_t op, const char *host, usec_t now)
{
	if (s->naming)
		node_notice(s->n, s->naming, NODE_TIMEOUT, "another name is being claimed now");
	s->naming = op;
	s->naming_until = now + NAME_TIMEOUT;
	ns_wake(s, s->naming_until);
	snprintf(s->naming_host, sizeof(s->naming_host), "%s", host);
}

void node_name_add(struct node *n, uint64_t op, const char *ns, const char *host, usec_t now)
{
	struct ns *s = verb_ns(n, op, ns);
	int r;

	node_enter(n, now);
	if (!s)
		return;
	r = s->leases_on ? leases_add_name(s->leases, host, now) : -EAGAIN;
	if (r == -EEXIST)
		node_notice(n, op, NODE_OK, "%s is this node's already (`vpnctl name list`)", host);
	else if (r == -EINVAL)
		node_notice(n, op, NODE_NO, "'%s' cannot be a host name here (1 to 54 lower-case "
					    "letters, digits and hyphens)", host);
	else if (r == -EPERM)
		node_notice(n, op, NODE_NO, "%s is a reserved name; choose another", host);
	else if (r == -ENOSPC)
		node_notice(n, op, NODE_NO, "this node has %d leases already; `vpnctl lease release` "
					    "makes room", LEASES_MAX);
	else if (r)
		node_notice(n, op, NODE_NO, "%s cannot claim names now (`vpnctl status`)", s->name);
	else
		wait_for_name(s, op, host, now);
	node_pump(n, now);
}

void node_name_del(struct node *n, uint64_t op, const char *ns, const char *host, usec_t now)
{
	struct reg_name name;

	if (reg_name_host(&name, host))
		node_lease_release(n, op, ns, host, now);
	else if (verb_ns(n, op, ns))
		node_notice(n, op, NODE_NO, "'%s' is not a host name", host);
}
