/* node_overlay.c - one overlay of a node: its p2p and its dht, and what passes between them.
 *
 * Messages for a peer without a session wait in the node's outbox (bounded, 5 s) while p2p makes
 * one. DHT messages never open sessions: they take the one there is, else the ring. A few peers
 * with the addresses they were seen at are remembered, so that a restarted node finds its way
 * back without the token. */
#include "cmd/node.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

#define OUTBOX_WAIT SEC(5)

static void env_send(void *ctx, uint8_t socket, const struct addr *to, const uint8_t *pkt, size_t len)
{
	struct overlay *o = ctx;

	o->n->env.send(o->n->env.ctx, socket, to, pkt, len);
}

static void env_random(void *ctx, void *out, size_t len)
{
	struct overlay *o = ctx;

	o->n->env.random(o->n->env.ctx, out, len);
}

static void env_p2p_event(void *ctx, const struct p2p_event *e)
{
	struct overlay *o = ctx;
	struct queued *q = node_queue(o->n, MODULE_P2P, o->number, e->len);

	q->e.p2p = *e;
	if (e->len)
		memcpy(q->bytes, e->msg, e->len);
	q->e.p2p.msg = q->bytes;
}

static bool env_grant_ok(void *ctx, uint16_t number, const struct pubkey *peer, const uint8_t *grant,
			 size_t len, usec_t now)
{
	struct overlay *o = ctx;
	struct ns *s = number < NODE_NAMESPACES_MAX ? o->n->ns[number] : NULL;
	struct grant g;

	return s && !regs_is_revoked(s->regs, peer) &&
	       regs_check(s->regs, &g, grant, len, now) && g.name.kind == REG_MEMBER &&
	       memcmp(g.name.b, peer->b, KEY_LEN) == 0;
}

static size_t env_own_grant(void *ctx, uint16_t number, uint8_t *out, size_t size)
{
	struct overlay *o = ctx;
	struct ns *s = number < NODE_NAMESPACES_MAX ? o->n->ns[number] : NULL;
	const uint8_t *grant;
	size_t len = s ? regs_membership(s->regs, &grant) : 0;

	if (len == 0 || len > size)
		return 0;
	memcpy(out, grant, len);
	return len;
}

static void env_dht_event(void *ctx, const struct dht_event *e)
{
	struct overlay *o = ctx;
	struct queued *q = node_queue(o->n, MODULE_DHT, o->number, e->len);

	q->e.dht = *e;
	if (e->len)
		memcpy(q->bytes, e->body, e->len);
	q->e.dht.body = q->bytes;
}

/* The agent through which this key last spoke to us, or NULL. */
static const struct node_id *agent_of(const struct overlay *o, const struct pubkey *key)
{
	for (size_t i = 0; i < NODE_AGENTS; i++)
		if (key_equal(&o->agents[i].key, key))
			return &o->agents[i].agent;
	return NULL;
}

static void env_dht_send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len)
{
	struct overlay *o = ctx;
	struct node_id id;

	if (p2p_has_session(o->p2p, to)) {
		p2p_send(o->p2p, to, SERVICE_DHT, msg, len, o->n->now);
		return;
	}
	id = id_of(to);
	p2p_route(o->p2p, &id, agent_of(o, to), ROUTED_DHT, msg, len, o->n->now);
}

struct overlay *overlay_find(struct node *n, const uint8_t id[16])
{
	for (size_t i = 0; i < NODE_OVERLAYS_MAX; i++)
		if (n->overlays[i] && memcmp(n->overlays[i]->id, id, 16) == 0)
			return n->overlays[i];
	return NULL;
}

/* Not started yet: no packet leaves before overlay_start. NULL when there are too many. */
struct overlay *overlay_new(struct node *n, const uint8_t key[32], bool open)
{
	struct overlay *o;
	size_t i = 0;

	while (i < NODE_OVERLAYS_MAX && n->overlays[i])
		i++;
	if (i == NODE_OVERLAYS_MAX)
		return NULL;
	o = mem_new(sizeof(*o));
	o->n = n;
	o->number = (uint16_t)i;
	o->open = open;
	memcpy(o->key, key, 32);
	hash_of(o->id, sizeof(o->id), "vpnd overlay id", key, 32);
	n->overlays[i] = o;
	return o;
}

static void start_modules(struct overlay *o, usec_t now)
{
	struct node *n = o->n;
	struct p2p_config pc = { .self = n->cfg.self,
				 .crypto = n->cfg.crypto,
				 .log = n->cfg.log,
				 .start_counter = n->start_counter,
				 .overlay_key_count = 1,
				 .aes = n->cfg.aes };
	struct dht_config dc = { n->cfg.self, n->cfg.crypto, n->cfg.log, &n->wall };

	memcpy(pc.overlay_keys[0], o->key, 32);
	o->p2p = p2p_new(&pc,
			 &(struct p2p_env){ o, env_send, env_random, env_p2p_event, env_grant_ok,
					    env_own_grant },
			 now);
	o->dht = dht_new(&dc, &(struct dht_env){ o, env_random, env_dht_send, env_dht_event }, now);
	sodium_memzero(&pc, sizeof(pc));
}

void overlay_start(struct overlay *o, usec_t now)
{
	if (o->p2p)
		return;
	start_modules(o, now);
	p2p_set_addresses(o->p2p, o->n->addrs, o->n->addr_count, now);
	for (size_t i = 0; i < o->contact_count; i++)
		p2p_bootstrap(o->p2p, &o->contacts[i].key, o->contacts[i].addrs,
			      o->contacts[i].addr_count, now);
}

static void outbox_drop(struct overlay *o)
{
	struct list *l = o->n->outbox.next;

	while (l != &o->n->outbox) {
		struct outgoing *m = container_of(l, struct outgoing, list);

		l = l->next;
		if (m->o != o)
			continue;
		list_del(&m->list);
		o->n->outbox_count--;
		free(m);
	}
}

void overlay_free(struct overlay *o, usec_t now)
{
	o->n->overlays[o->number] = NULL;
	outbox_drop(o);
	if (o->p2p) {
		p2p_free(o->p2p, now);
		dht_free(o->dht);
	}
	sodium_memzero(o->key, sizeof(o->key));
	free(o);
}

/* An overlay goes with the last namespace that lives in it. */
void overlay_release(struct overlay *o, usec_t now)
{
	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++)
		if (o->n->ns[i] && o->n->ns[i]->o == o)
			return;
	state_erase_overlay(o);
	overlay_free(o, now);
}

static size_t contact_place(const struct overlay *o, const struct pubkey *key)
{
	size_t i = 0;

	while (i < o->contact_count && !key_equal(&o->contacts[i].key, key))
		i++;
	return i;
}

/* Field by field: padding is nobody's. */
static bool same_contact(const struct token_contact *a, const struct token_contact *b)
{
	if (!key_equal(&a->key, &b->key) || a->addr_count != b->addr_count)
		return false;
	for (size_t i = 0; i < a->addr_count; i++)
		if (!addr_equal(&a->addrs[i], &b->addrs[i]))
			return false;
	return true;
}

void overlay_learn_contact(struct overlay *o, const struct pubkey *key, const struct addr *a,
			   size_t count)
{
	size_t at = contact_place(o, key);
	struct token_contact c = { .key = *key };

	c.addr_count = (uint8_t)(count < TOKEN_CONTACT_ADDRS ? count : TOKEN_CONTACT_ADDRS);
	memcpy(c.addrs, a, c.addr_count * sizeof(*a));
	if (at < o->contact_count && same_contact(&o->contacts[at], &c))
		return;
	if (at == NODE_CONTACTS_MAX)
		at--;
	else if (at == o->contact_count)
		o->contact_count++;
	memmove(&o->contacts[1], &o->contacts[0], at * sizeof(c));
	o->contacts[0] = c;
	o->contacts_dirty = true;
}

/* Remembers where a peer with a live direct path was found. */
void overlay_learn_peer(struct overlay *o, const struct pubkey *key, usec_t now)
{
	struct p2p_peer_info info;
	size_t at = 0;

	while (p2p_peer_next(o->p2p, &at, &info, now)) {
		struct addr a[TOKEN_CONTACT_ADDRS];
		size_t count = 0;

		if (!key_equal(&info.key, key))
			continue;
		for (size_t i = 0; i < info.path_count && count < TOKEN_CONTACT_ADDRS; i++)
			if (info.paths[i].proven)
				a[count++] = info.paths[i].addr;
		if (count)
			overlay_learn_contact(o, key, a, count);
		return;
	}
}

static void flush_outbox(struct overlay *o, const struct pubkey *peer, usec_t now)
{
	struct list *l = o->n->outbox.next;

	while (l != &o->n->outbox) {
		struct outgoing *m = container_of(l, struct outgoing, list);

		l = l->next;
		if (m->o != o || !key_equal(&m->to, peer))
			continue;
		p2p_send(o->p2p, peer, m->service, m->msg, m->len, now);
		list_del(&m->list);
		o->n->outbox_count--;
		free(m);
	}
}

void outbox_expire(struct node *n, usec_t now)
{
	struct list *l = n->outbox.next;

	while (l != &n->outbox) {
		struct outgoing *m = container_of(l, struct outgoing, list);

		l = l->next;
		if (m->until > now)
			continue;
		list_del(&m->list);
		n->outbox_count--;
		free(m);
	}
}

void overlay_send(struct overlay *o, const struct pubkey *to, uint8_t service, const uint8_t *msg,
		  size_t len, usec_t now)
{
	struct outgoing *m;

	if (!o->p2p || p2p_send(o->p2p, to, service, msg, len, now) != -ENOTCONN)
		return;
	p2p_connect(o->p2p, to, now);
	if (o->n->outbox_count >= NODE_OUTBOX_MAX) {
		drop_add(&o->n->drops, DROP_FULL);
		return;
	}
	m = mem_new(sizeof(*m) + len);
	m->o = o;
	m->to = *to;
	m->service = service;
	m->until = now + OUTBOX_WAIT;
	m->len = len;
	memcpy(m->msg, msg, len);
	list_add_tail(&o->n->outbox, &m->list);
	o->n->outbox_count++;
}

static void on_session_up(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	dht_contact_up(o->dht, &e->peer, now);
	flush_outbox(o, &e->peer, now);
	/* Anybody with the overlay key can come up; members (node_attach.c) take places, others
	 * only what is free. */
	if (o->contact_count < NODE_CONTACTS_MAX || contact_place(o, &e->peer) < o->contact_count)
		overlay_learn_peer(o, &e->peer, now);
}

static void on_session_down(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	dht_contact_down(o->dht, &e->peer, now);
	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++)
		if (o->n->ns[i] && o->n->ns[i]->o == o)
			ns_detached(o->n->ns[i], &e->peer, false, now);
}

/* REGISTER and MEMBER messages name their namespace by nsid, after the type byte. */
static void to_regs(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	struct rd r = rd_of(e->msg, e->len);
	const uint8_t *nsid;
	struct ns *s;

	rd_u8(&r);
	nsid = rd_bytes(&r, NSID_LEN);
	s = nsid ? ns_of_id(o->n, nsid, o) : NULL;
	if (!s) {
		drop_add(&o->n->drops, DROP_UNKNOWN);
		return;
	}
	regs_input(s->regs, &e->peer, map_get(&s->attached, &e->peer) != NULL, e->service, e->msg,
		   e->len, now);
}

static void to_dht(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	dht_input(o->dht, &e->peer, true, e->msg, e->len, now);
}

static void to_grants(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	ns_grant_message(o, &e->peer, e->msg, e->len, now);
}

static void (*const services[])(struct overlay *o, const struct p2p_event *e, usec_t now) = {
	[SERVICE_DHT] = to_dht,
	[SERVICE_REGISTER] = to_regs,
	[SERVICE_GRANT] = to_grants,
	[SERVICE_MEMBER] = to_regs,
};

static void on_message(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	if (e->service >= ARRAY_LEN(services) || !services[e->service])
		drop_add(&o->n->drops, DROP_UNKNOWN);
	else
		services[e->service](o, e, now);
}

static void on_routed(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	if (e->service != ROUTED_DHT) {
		drop_add(&o->n->drops, DROP_UNKNOWN);
		return;
	}
	if (!agent_of(o, &e->peer))
		o->agents[o->agent_next++ % NODE_AGENTS].key = e->peer;
	for (size_t i = 0; i < NODE_AGENTS; i++)
		if (key_equal(&o->agents[i].key, &e->peer))
			o->agents[i].agent = e->agent;
	dht_input(o->dht, &e->peer, false, e->msg, e->len, now);
}

static struct ns *event_ns(const struct overlay *o, const struct p2p_event *e)
{
	struct ns *s = e->ns < NODE_NAMESPACES_MAX ? o->n->ns[e->ns] : NULL;

	return s && s->o == o ? s : NULL;
}

static void on_attached(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	struct ns *s = event_ns(o, e);

	if (s)
		ns_attached(s, e, now);
}

static void on_detached(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	struct ns *s = event_ns(o, e);

	if (s)
		ns_detached(s, &e->peer, false, now);
}

/* Often it only has not enrolled us, or itself, yet: a keeper is asked again at the next second. */
static void on_refused(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	struct ns *s = event_ns(o, e);

	if (!s)
		return;
	log_info(o->n->cfg.log, "%s: a node refused to attach", s->name);
	if (regs_keepers(s->regs) && config_member(regs_keepers(s->regs), &e->peer) >= 0)
		s->next_keeper_try = now;
}

/* A peer knows a newer revocation list than we do: ask our keepers for it. */
static void on_revocation(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	struct ns *s = event_ns(o, e);

	if (s && e->number > regs_revocation_number(s->regs))
		regs_sync(s->regs, now);
}

/* Whose handshakes are stale cannot ask a keeper any more; it is told, and believes keepers only. */
static void on_superseded(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++) {
		const struct ns *s = o->n->ns[i];
		const struct config *cf = s && s->o == o ? regs_keepers(s->regs) : NULL;

		if (cf && config_member(cf, &e->peer) >= 0) {
			node_superseded(o->n, now);
			return;
		}
	}
}

static void on_data(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	struct ns *s = event_ns(o, e);
	struct frame *f = s && s->vnet ? &o->n->slow_frame : NULL;

	if (!f || e->len > FRAME_LEN_MAX)
		return;
	f->data = f->store + FRAME_HEAD;
	f->len = (uint32_t)e->len;
	memcpy(f->data, e->msg, e->len);
	f->verdict = FRAME_OPENED;
	f->type = e->service;
	f->ns = e->ns;
	f->session = e->session;
	f->tag = e->tag;
	vnet_from_session(vnet_view(s->vnet), vnet_lane(s->vnet, 0), &f, 1, now);
	if (f->verdict == FRAME_TO_PORT)
		o->n->env.to_port(o->n->env.ctx, s->number, f->data, f->len);
	else if (f->verdict == FRAME_UPCALL)
		vnet_upcall(s->vnet, f, now);
}

static void (*const handlers[])(struct overlay *o, const struct p2p_event *e, usec_t now) = {
	[P2P_SESSION_UP] = on_session_up, [P2P_SESSION_DOWN] = on_session_down,
	[P2P_MESSAGE] = on_message,	  [P2P_ROUTED] = on_routed,
	[P2P_ATTACHED] = on_attached,	  [P2P_DETACHED] = on_detached,
	[P2P_REFUSED] = on_refused,	  [P2P_REVOCATION] = on_revocation,
	[P2P_DATA] = on_data,		  [P2P_SUPERSEDED] = on_superseded,
};

void overlay_event(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	if (e->type < ARRAY_LEN(handlers) && handlers[e->type])
		handlers[e->type](o, e, now);
}

/* Lookups belong to namespaces; their op numbers are the node's, so one of them knows it. */
void overlay_dht_event(struct overlay *o, const struct dht_event *e, usec_t now)
{
	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++) {
		struct ns *s = o->n->ns[i];

		if (!s || s->o != o || !map_get(&s->queries, &e->op))
			continue;
		if (e->type == DHT_FOUND)
			ns_query_found(s, e, now);
		else
			ns_query_done(s, e->op, now);
		return;
	}
}
