/* node_event.c - what an overlay tells: sessions, messages, questions along the ring, data.
 *
 * A message goes to the module its service names; a peer's coming and going to whoever keeps a
 * table of peers. Who asked along the ring is remembered for a while together with the agent it
 * named, because the answer goes the same way. */
#include "cmd/node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

#define AGENTS_STEP 4 /* places made at a time, up to NODE_AGENTS */
#define AGENT_LIFE SEC(30)

/* How to answer a routed question. */
struct agent {
	struct pubkey key;
	struct node_id agent;
	usec_t at;
};

static struct agent *agent_find(const struct overlay *o, const struct pubkey *key)
{
	for (size_t i = 0; i < o->agent_count; i++)
		if (key_equal(&o->agents[i].key, key))
			return &o->agents[i];
	return NULL;
}

const struct node_id *overlay_agent(const struct overlay *o, const struct pubkey *key)
{
	const struct agent *a = agent_find(o, key);

	return a ? &a->agent : NULL;
}

/* Those that spoke long ago are forgotten, and the oldest when there are too many. */
static void agents_tidy(struct overlay *o, usec_t now)
{
	size_t kept = 0, oldest = 0;

	for (size_t i = 0; i < o->agent_count; i++)
		if (now - o->agents[i].at <= AGENT_LIFE)
			o->agents[kept++] = o->agents[i];
	o->agent_count = kept;
	if (kept < NODE_AGENTS)
		return;
	for (size_t i = 1; i < kept; i++)
		if (o->agents[i].at < o->agents[oldest].at)
			oldest = i;
	o->agents[oldest] = o->agents[--o->agent_count];
}

/* A place for one more; the array is as long as it must be. */
static struct agent *agent_place(struct overlay *o, usec_t now)
{
	agents_tidy(o, now);
	o->agents = mem_resize(o->agents, (o->agent_count / AGENTS_STEP + 1) * AGENTS_STEP *
						  sizeof(*o->agents));
	return &o->agents[o->agent_count++];
}

static void agent_learn(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	struct agent *a = agent_find(o, &e->peer);

	if (!a)
		a = agent_place(o, now);
	*a = (struct agent){ e->peer, e->agent, now };
}

static void look_at_endpoints(struct overlay *o, usec_t now)
{
	for (size_t i = 0; i < o->n->ns_top; i++)
		if (o->n->ns[i] && o->n->ns[i]->o == o)
			ns_endpoints_soon(o->n->ns[i], now);
}

static void on_session_up(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	if (!e->leaf)
		dht_contact_up(o->dht, &e->peer, now);
	outbox_flush(o, &e->peer, now);
	/* Anybody with the overlay key can come up; members (node_attach.c) take places, others
	 * only what is free. */
	if (overlay_has_place(o, &e->peer))
		overlay_learn_peer(o, &e->peer, now);
	look_at_endpoints(o, now);
}

static void on_session_down(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	dht_contact_down(o->dht, &e->peer, now);
	for (size_t i = 0; i < o->n->ns_top; i++)
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
	if (e->service == ROUTED_TRACE) {
		node_trace_input(o, e, now);
		return;
	}
	if (e->service != ROUTED_DHT) {
		drop_add(&o->n->drops, DROP_UNKNOWN);
		return;
	}
	agent_learn(o, e, now);
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
		ns_want_keeper(s, now + SEC(1));
}

/* A peer knows a newer revocation list than we do: ask our keepers for it. */
static void on_revocation(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	struct ns *s = event_ns(o, e);

	if (!s || e->number <= regs_revocation_number(s->regs))
		return;
	regs_sync(s->regs, now);
	ns_revocations_rumour(s, e->number, now);
}

/* Whose handshakes are stale cannot ask a keeper any more; it is told, and believes keepers only. */
static void on_superseded(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	for (size_t i = 0; i < o->n->ns_top; i++) {
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
	struct frame slow = { .data = slow.store + FRAME_HEAD }, *f = &slow;

	if (!s || !s->vnet || e->len > FRAME_LEN_MAX)
		return;
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
	if (node_record_event(o->n, e))
		return;
	for (size_t i = 0; i < o->n->ns_top; i++) {
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
