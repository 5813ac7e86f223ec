/* node_ns.c - one namespace on this node, from the first byte of a token to a usable address.
 *
 * JOINING: registers ask a keeper to enrol us. ENROLLED: settings and secrets are known, the port
 * exists, leases claim an address and a name, a session is attached to a keeper. READY: both are
 * held and vpnd's DNS answers. REFUSED and OUT keep a sentence that says why. The order does not
 * depend on whether this is a first join or a restart: what was durable is simply there already. */
#include "cmd/node.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/node_internal.h"

#define KEEPER_READS 20 /* lookups a second that may go on to a keeper */

void ns_trouble(struct ns *s, const char *fmt, ...)
{
	char text[NODE_TROUBLE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ns_no_trouble(s);
	s->trouble = mem_text(text);
	log_warn(s->n->cfg.log, "%s: %s", s->name[0] ? s->name : "namespace", text);
}

void ns_no_trouble(struct ns *s)
{
	free(s->trouble);
	s->trouble = NULL;
}

struct ns *ns_of_id(struct node *n, const uint8_t nsid[NSID_LEN], const struct overlay *o)
{
	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++)
		if (n->ns[i] && (!o || n->ns[i]->o == o) &&
		    memcmp(n->ns[i]->nsid, nsid, NSID_LEN) == 0)
			return n->ns[i];
	return NULL;
}

/* NULL when there are too many, or this one is here already. */
struct ns *ns_new(struct node *n, struct overlay *o, const struct pubkey *root)
{
	struct ns *s;
	size_t i = 0;

	while (i < NODE_NAMESPACES_MAX && n->ns[i])
		i++;
	if (i == NODE_NAMESPACES_MAX)
		return NULL;
	s = mem_new(sizeof(*s));
	s->n = n;
	s->o = o;
	s->number = (uint16_t)i;
	s->root = *root;
	nsid_of(s->nsid, root);
	if (ns_of_id(n, s->nsid, NULL)) {
		free(s);
		return NULL;
	}
	map_init(&s->attached, offsetof(struct attached, key), KEY_LEN, P2P_SESSIONS_MAX, n->seed);
	map_init(&s->queries, offsetof(struct query, op), sizeof(uint64_t), NODE_QUERIES_MAX,
		 n->seed);
	map_init(&s->verbs, offsetof(struct pending_verb, op), sizeof(uint64_t), VERBS_MAX, n->seed);
	limit_init(&s->keeper_reads, KEEPER_READS, KEEPER_READS);
	ns_chores_init(s);
	ns_endpoints_init(s);
	ns_revocations_init(s);
	n->ns[i] = s;
	if (n->ns_top <= i)
		n->ns_top = i + 1;
	ns_make_regs(s);
	return s;
}

static void free_items(struct map *m)
{
	size_t at = 0;
	void *item;

	while ((item = map_next(m, &at))) {
		map_take_at(m, &at);
		free(item);
	}
	map_fini(m);
}

void ns_take_root_key(struct ns *s, const struct key_pair *root)
{
	if (!s->root_key)
		s->root_key = mem_new(sizeof(*s->root_key));
	*s->root_key = *root;
}

void ns_free(struct ns *s, usec_t now)
{
	struct node *n = s->n;

	ns_witness_end(s, now);
	ns_unpublish(s, now);
	if (s->o->p2p)
		p2p_namespace_del(s->o->p2p, s->number, now);
	n->ns[s->number] = NULL;
	while (n->ns_top && !n->ns[n->ns_top - 1])
		n->ns_top--;
	ns_chores_fini(s);
	ns_endpoints_fini(s);
	ns_revocations_fini(s);
	ns_lease_waits_end(s);
	state_forget_ns(s);
	vnet_free(s->vnet);
	leases_free(s->leases);
	regs_free(s->regs);
	if (s->port_up)
		n->env.port_close(n->env.ctx, s->number);
	free_items(&s->attached);
	free_items(&s->queries);
	free_items(&s->verbs);
	ns_no_trouble(s);
	free(s->refused);
	if (s->root_key)
		sodium_memzero(s->root_key, sizeof(*s->root_key));
	free(s->root_key);
	sodium_memzero(s, sizeof(*s));
	free(s);
}

/* What follows from nsid, key and subnet alone. */
static void derive(struct ns *s, const struct settings *st)
{
	uint8_t h[32];

	hash_of(h, sizeof(h), "vpnd prefix", s->nsid, NSID_LEN);
	s->subnet6 = (struct prefix){ .ip = { .len = 16, .b = { 0xfd } }, .bits = 64 };
	memcpy(s->subnet6.ip.b + 1, h, 7);
	s->dns6 = s->subnet6.ip;
	s->dns6.b[15] = 1;
	s->dns4 = ip_v4(ip_to_v4(&st->subnet.ip) + 1);
	s->v6 = ns_derived(s, &s->n->cfg.self.pub, s->salt);
	snprintf(s->name, sizeof(s->name), "%s", st->name);
}

static void give_secrets(struct ns *s, usec_t now)
{
	struct regs_secret rs[2];
	struct p2p_secret ps[2];
	size_t count = regs_secrets(s->regs, rs);

	for (size_t i = 0; i < count; i++) {
		ps[i].number = rs[i].number;
		memcpy(ps[i].b, rs[i].b, sizeof(ps[i].b));
	}
	if (count)
		p2p_namespace_set(s->o->p2p, s->number, ps, count, now);
	p2p_namespace_revocation(s->o->p2p, s->number, regs_revocation_number(s->regs));
	sodium_memzero(rs, sizeof(rs));
	sodium_memzero(ps, sizeof(ps));
	ns_topics_changed(s, now);
}

static void announce_keepers(struct ns *s, usec_t now)
{
	uint8_t hint[HINT_MAX];
	struct dht_topic t;
	size_t len;

	if (!regs_is_keeper(s->regs))
		return;
	len = regs_hint(s->regs, hint, sizeof(hint));
	ns_topic(s, 0, &(struct ns_record){ DHT_KEEPERS, "keepers", 7 }, &t);
	memcpy(t.secret, s->rendezvous, sizeof(t.secret));
	dht_publish(s->o->dht, &t, hint, len, NODE_PUBLISH_SECONDS, now);
}

static void tell_era(struct ns *s, usec_t now)
{
	const struct config *cf = regs_keepers(s->regs);

	if (s->leases && cf)
		leases_set_era(s->leases, cf->era, regs_is_settling(s->regs, now));
}

/* The first time settings are known here: port, derived address, claims. Idempotent. */
void ns_settings_changed(struct ns *s, usec_t now)
{
	const struct settings *st = regs_settings(s->regs);
	int r;

	if (!st || s->state == NODE_NS_OUT || s->restore_at)
		return;
	derive(s, st);
	give_secrets(s, now);
	tell_era(s, now);
	if (s->port_up)
		return;
	s->state = NODE_NS_ENROLLED;
	r = ns_open_port(s, st, now);
	if (r < 0) {
		ns_trouble(s, "cannot make the network interface %s: %s (is /dev/net/tun there, and "
			      "does vpnd have CAP_NET_ADMIN?)", s->ifname, strerror(-r));
		return;
	}
	vnet_own(s->vnet, &s->v6, now);
	s->n->env.port_address(s->n->env.ctx, s->number, &s->v6, 64, true);
	ns_topics_changed(s, now);
	announce_keepers(s, now);
	ns_publish_revocations(s, now);
	ns_make_leases(s, now);
	leases_started(s->leases, now);
	s->leases_on = true;
	leases_set_v6(s->leases, &s->v6, now);
	tell_era(s, now);
	leases_want_address(s->leases, s->has_ask ? &s->ask : NULL, now);
	leases_want_name(s->leases, s->host, now);
	ns_wake(s, now);
}

/* A creation that a crash interrupted goes on, if its settings reached the disk. */
static bool go_on_creating(struct ns *s, usec_t now)
{
	const struct settings *st = regs_settings(s->regs);
	const uint8_t *grant;

	if (!s->root_key || regs_membership(s->regs, &grant))
		return false;
	if (st) {
		struct settings copy;
		int r;

		settings_copy(&copy, st);
		r = regs_create(s->regs, s->root_key, &copy, s->host, now);
		if (r == -EEXIST)
			ns_trouble(s, "its restoring was interrupted; if its keepers are gone for good go on with "
				      "`vpnctl keepers reset --yes`, else leave it and join again");
		return r == 0 || r == -EEXIST;
	}
	ns_trouble(s, "its creation was interrupted; create it again");
	s->state = NODE_NS_REFUSED;
	state_erase_ns(s);
	return true;
}

void ns_start(struct ns *s, usec_t now)
{
	regs_started(s->regs, now);
	ns_start_soon(s, now);
	ns_wake(s, now);
	if (go_on_creating(s, now))
		return;
	if (regs_settings(s->regs)) {
		ns_settings_changed(s, now);
		return;
	}
	if (s->enrolling) {
		struct token_contact all[NODE_CONTACTS_MAX];
		struct pubkey keys[NODE_CONTACTS_MAX];
		size_t count = overlay_contacts(s->o, all);

		for (size_t i = 0; i < count; i++)
			keys[i] = all[i].key;
		regs_trust(s->regs, &s->checkpoint, keys, count);
		regs_enrol(s->regs, 0, s->token_seed, s->host, now);
	}
}

void ns_check_ready(struct ns *s, usec_t now)
{
	if (s->state == NODE_NS_ENROLLED && s->port_up && s->v4.len && s->held_host[0]) {
		s->state = NODE_NS_READY;
		ns_no_trouble(s);
	} else if (s->state == NODE_NS_READY && !s->v4.len) {
		s->state = NODE_NS_ENROLLED;
	}
	ns_finish_waits(s, now);
}

/* Why an enrolment failed, as a sentence with what to do. */
static void enrol_refused(struct ns *s, const struct regs_event *e)
{
	const char *why;

	if (s->root_key) {
		ns_trouble(s, "cannot make the namespace: its keeper's state could not be written (is "
			      "the disk full?)");
		return;
	}
	switch (e->status) {
	case REG_EXPIRED:
		why = "this token has expired; ask for a new one (`vpnctl invite`)";
		break;
	case REG_USED_UP:
		why = "this token is used up; ask for a new one (`vpnctl invite --uses N`)";
		break;
	case REG_REVOKED:
		why = "this token, or this node, was revoked; ask an admin of the namespace";
		break;
	case REG_NO_QUORUM:
		why = ns_no_keeper;
		break;
	case REG_UNKNOWN:
		why = "the keepers do not know this token: it is from before they were replaced "
		      "(`vpnctl keepers reset`), or of another namespace; ask for a new one "
		      "(`vpnctl invite`)";
		break;
	default:
		why = "the keepers refuse this token; it may belong to another namespace";
		break;
	}
	ns_trouble(s, "%s", why);
}

static void on_enrolled(struct ns *s, const struct regs_event *e, usec_t now)
{
	if (e->status == REG_OK) {
		s->enrolling = false;
		sodium_memzero(s->token_seed, sizeof(s->token_seed));
		ns_no_trouble(s);
		state_save_ns(s);
		ns_settings_changed(s, now);
		return;
	}
	enrol_refused(s, e);
	if (s->port_up) /* of a new era: what was there before goes on */
		return;
	if (!s->root_key && (e->status == REG_NO_QUORUM || e->status == REG_BUSY)) {
		regs_enrol(s->regs, 0, s->token_seed, s->host, now);
		return;
	}
	s->state = NODE_NS_REFUSED;
	s->enrolling = false;
	state_erase_ns(s); /* a refused token is not tried again at the next start */
	ns_finish_waits(s, now);
}

static void on_updated(struct ns *s, const struct regs_event *e, usec_t now)
{
	(void)e;
	ns_settings_changed(s, now);
	give_secrets(s, now);
	ns_drop_revoked(s, now);
	if (s->port_up)
		ns_publish_revocations(s, now);
	ns_wake(s, now); /* the keepers may be others */
	if (s->port_up)
		announce_keepers(s, now);
}

void ns_shut(struct ns *s, const char *why, usec_t now)
{
	if (s->state == NODE_NS_OUT)
		return;
	s->state = NODE_NS_OUT;
	ns_trouble(s, "%s", why);
	p2p_namespace_del(s->o->p2p, s->number, now);
	ns_unpublish(s, now);
	if (s->port_up)
		s->n->env.port_close(s->n->env.ctx, s->number);
	s->port_up = false;
	vnet_free(s->vnet);
	s->vnet = NULL;
	s->v4.len = 0;
	s->leases_on = false; /* renews nothing any more */
	ns_witness_end(s, now);
	ns_finish_waits(s, now);
}

static void on_revoked_self(struct ns *s, const struct regs_event *e, usec_t now)
{
	(void)e;
	ns_shut(s, "this node was revoked; an admin of the namespace can invite a new identity", now);
}

static void on_result(struct ns *s, const struct regs_event *e, usec_t now)
{
	struct reg_answer answer = regs_answer(e);

	ns_witness_result(s, e, now);
	if (ns_query_result(s, e, now) || ns_start_result(s, e, now) || verb_result(s, e, now))
		return;
	if (s->leases)
		leases_result(s->leases, e->op, &answer, now);
	if (s->leaving)
		ns_wake(s, now); /* perhaps that was the last one */
}

/* Nobody owns it here any more; the lookup brings the other grant to the evidence. */
static void on_disputed(struct ns *s, const struct regs_event *e, usec_t now)
{
	struct grant g;
	struct ip ip;

	if (!grant_read(&g, e->grant, e->len))
		return;
	ns_trouble(s, "keepers granted one %s to two owners; neither is believed (`vpnctl keepers`)",
		   g.name.kind == REG_ADDRESS ? "address" : "name");
	if (g.name.kind == REG_HOST_NAME) {
		ns_query(s, QUERY_NAME, 0, NULL, &g.name, now);
		return;
	}
	ip = (struct ip){ .len = g.name.len };
	memcpy(ip.b, g.name.b, g.name.len);
	if (s->vnet)
		vnet_bind(s->vnet, &ip, &g.owner, g.generation, now, now);
	ns_query(s, QUERY_ADDRESS, 0, &ip, &g.name, now);
}

static void on_forked(struct ns *s, const struct regs_event *e, usec_t now)
{
	(void)now;
	ns_trouble(s, "keepers chose two successors of one keeper set (epoch %llu): stopped until the "
		      "root key's holder begins a new era (`vpnctl keepers reset`)",
		   (unsigned long long)e->detail);
}

static void on_handover(struct ns *s, const struct regs_event *e, usec_t now)
{
	struct handover h = regs_handover(e);

	if (s->leases_on)
		leases_handover(s->leases, &h, now);
}

static void on_stray(struct ns *s, const struct regs_event *e, usec_t now)
{
	if (s->leases_on)
		leases_stray(s->leases, e->grant, e->len, now);
}

static void (*const regs_handlers[])(struct ns *s, const struct regs_event *e, usec_t now) = {
	[REGS_RESULT] = on_result,
	[REGS_ENROLLED] = on_enrolled,
	[REGS_UPDATED] = on_updated,
	[REGS_REVOKED_SELF] = on_revoked_self,
	[REGS_HANDOVER] = on_handover,
	[REGS_STRAY] = on_stray,
	[REGS_FORKED] = on_forked,
	[REGS_DISPUTED] = on_disputed,
};

void ns_regs_event(struct ns *s, const struct regs_event *e, usec_t now)
{
	assert(e->type < ARRAY_LEN(regs_handlers));
	regs_handlers[e->type](s, e, now);
}
