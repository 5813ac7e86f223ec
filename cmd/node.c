/* node.c - the composition: entries, the event pump, the fast path's two straight lines.
 *
 * Every entry does its work and then pumps: events that modules queued meanwhile are handed on one
 * by one, when no module is on the stack. A frame's way is node_from_port: vnet_from_port ->
 * p2p_seal -> the host, and its mirror node_from_wire: p2p_open -> vnet_from_session -> the host;
 * what the fast functions call an upcall is dealt with after the whole batch. */
#include "cmd/node.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

#define TAKE_OVER_STEP 1000 /* starts */

static void pass_regs(struct node *n, const struct queued *q, usec_t now)
{
	if (n->ns[q->owner])
		ns_regs_event(n->ns[q->owner], &q->e.regs, now);
}

static void pass_lease(struct node *n, const struct queued *q, usec_t now)
{
	if (n->ns[q->owner])
		ns_lease_event(n->ns[q->owner], &q->e.lease, now);
}

static void pass_vnet(struct node *n, const struct queued *q, usec_t now)
{
	if (n->ns[q->owner])
		ns_vnet_event(n->ns[q->owner], &q->e.vnet, now);
}

static void pass_p2p(struct node *n, const struct queued *q, usec_t now)
{
	if (n->overlays[q->owner])
		overlay_event(n->overlays[q->owner], &q->e.p2p, now);
}

static void pass_dht(struct node *n, const struct queued *q, usec_t now)
{
	if (n->overlays[q->owner])
		overlay_dht_event(n->overlays[q->owner], &q->e.dht, now);
}

static void (*const pass[])(struct node *n, const struct queued *q, usec_t now) = {
	[MODULE_P2P] = pass_p2p,     [MODULE_DHT] = pass_dht,	[MODULE_REGS] = pass_regs,
	[MODULE_LEASE] = pass_lease, [MODULE_VNET] = pass_vnet,
};

struct queued *node_queue(struct node *n, enum module m, uint16_t owner, size_t bytes)
{
	struct queued *q = mem_new(sizeof(*q) + bytes);

	assert(n->event_count < NODE_EVENTS_MAX);
	q->module = m;
	q->owner = owner;
	*n->events_tail = q;
	n->events_tail = &q->next;
	n->event_count++;
	n->rest_stale = true;
	return q;
}

void node_pump(struct node *n, usec_t now)
{
	struct queued *q;

	if (n->pumping)
		return;
	n->pumping = true;
	while ((q = n->events)) {
		n->events = q->next;
		if (!n->events)
			n->events_tail = &n->events;
		n->event_count--;
		pass[q->module](n, q, now);
		free(q);
	}
	n->pumping = false;
	for (size_t i = 0; n->env.audit && i < n->ns_top; i++)
		if (n->ns[i])
			ns_witness_leases(n->ns[i], now);
}

void node_notice(struct node *n, uint64_t op, enum node_result r, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n->env.notice(n->env.ctx, &(struct node_notice){ .op = op, .result = r, .text = text });
}

uint64_t node_op(struct node *n)
{
	return ++n->next_op;
}

struct node *node_new(const struct node_config *cfg, const struct node_env *env,
		      uint64_t wall_seconds, usec_t now)
{
	struct node *n = mem_new(sizeof(*n));

	n->cfg = *cfg;
	n->env = *env;
	n->wall = (struct wall){ wall_seconds, now };
	node_enter(n, now);
	n->events_tail = &n->events;
	list_init(&n->outbox);
	list_init(&n->leftovers);
	list_init(&n->rewrites);
	env->random(env->ctx, n->seed, sizeof(n->seed));
	env->random(env->ctx, n->boot_nonce, sizeof(n->boot_nonce));
	map_init(&n->persists, offsetof(struct persist_book, op), sizeof(uint64_t),
		 NODE_PERSISTS_MAX, n->seed);
	node_chores_init(n);
	node_trace_init(n);
	node_record_init(n);
	return n;
}

int node_start(struct node *n, usec_t now)
{
	node_enter(n, now);
	assert(!n->started);
	if (n->superseded && !n->cfg.take_over)
		return -EALREADY;
	n->started = true;
	/* The other copy may have been started again and again meanwhile: past all of that. */
	n->start_counter += n->superseded ? TAKE_OVER_STEP : 1;
	n->superseded = false;
	state_save_start(n);
	state_erase_leftovers(n);
	for (size_t i = 0; i < NODE_OVERLAYS_MAX; i++)
		if (n->overlays[i])
			overlay_release(n->overlays[i], now); /* left over by a refused token */
	for (size_t i = 0; i < NODE_OVERLAYS_MAX; i++)
		if (n->overlays[i])
			overlay_start(n->overlays[i], now);
	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++)
		if (n->ns[i])
			ns_start(n->ns[i], now);
	node_pump(n, now);
	return 0;
}

void node_free(struct node *n, usec_t now)
{
	struct list *l;
	struct queued *q;

	if (!n)
		return;
	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++)
		if (n->ns[i])
			ns_free(n->ns[i], now);
	for (size_t i = 0; i < NODE_OVERLAYS_MAX; i++)
		if (n->overlays[i])
			overlay_free(n->overlays[i], now);
	while ((q = n->events)) {
		n->events = q->next;
		free(q);
	}
	while ((l = list_take(&n->outbox)) || (l = list_take(&n->leftovers)))
		free(container_of(l, struct outgoing, list));
	node_trace_drop(n, NULL);
	node_record_drop(n, NULL);
	map_fini(&n->traces);
	map_fini(&n->records);
	timers_fini(&n->timers);
	state_fini(n);
	free(n->addrs);
	sodium_memzero(n, sizeof(*n));
	free(n);
}

/* The overlay whose packet this is: with several, each knows its own receiver indices and keys. */
static struct overlay *overlay_of(const struct node *n, const struct frame *f)
{
	struct overlay *only = NULL;
	size_t count = 0;

	for (size_t i = 0; i < n->overlay_top; i++)
		if (n->overlays[i]) {
			only = n->overlays[i];
			count++;
		}
	for (size_t i = 0; count > 1 && i < n->overlay_top; i++)
		if (n->overlays[i] && p2p_claims(n->overlays[i]->p2p, f->data, f->len))
			return n->overlays[i];
	return count == 1 ? only : NULL;
}

/* Runs one namespace's frames of a batch through vnet; the batch is at most as long as the
 * host's, so a small array of pointers on the stack does. */
#define BATCH_MAX 64

static void from_sessions(struct node *n, struct frame *frames[], size_t count, usec_t now)
{
	struct frame *batch[BATCH_MAX];

	for (size_t i = 0; i < n->ns_top; i++) {
		struct ns *s = n->ns[i];
		size_t k = 0;

		if (!s || !s->vnet)
			continue;
		for (size_t j = 0; j < count; j++)
			if (frames[j]->verdict == FRAME_OPENED && frames[j]->ns == i)
				batch[k++] = frames[j];
		if (k)
			vnet_from_session(vnet_view(s->vnet), vnet_lane(s->vnet, 0), batch, k, now);
	}
}

/* After the fast path: everything that needs more than a table look-up. */
static void slow_from_wire(struct node *n, struct frame *f, struct overlay *o, usec_t now)
{
	struct ns *s;

	switch (f->verdict) {
	case FRAME_CONTROL:
		p2p_input(o->p2p, f->socket, &f->remote, f->data, f->len, now);
		frame_drop(f, DROP_NONE);
		break;
	case FRAME_UPCALL:
		s = n->ns[f->ns];
		if (s && s->vnet)
			vnet_upcall(s->vnet, f, now);
		frame_drop(f, DROP_NONE);
		break;
	case FRAME_OPENED: /* of a namespace whose port is not up yet */
		frame_drop(f, DROP_TAG);
		break;
	default:
		break;
	}
}

static void wire_batch(struct node *n, struct frame *frames[], size_t count, usec_t now)
{
	struct overlay *owner[BATCH_MAX];
	struct frame *batch[BATCH_MAX];

	assert(count <= BATCH_MAX);
	for (size_t j = 0; j < count; j++) {
		owner[j] = overlay_of(n, frames[j]);
		if (!owner[j]) {
			frame_drop(frames[j], DROP_INDEX);
			drop_add(&n->drops, DROP_INDEX);
		}
	}
	for (size_t i = 0; i < n->overlay_top; i++) {
		struct overlay *o = n->overlays[i];
		size_t k = 0;

		for (size_t j = 0; o && j < count; j++)
			if (owner[j] == o)
				batch[k++] = frames[j];
		if (k)
			p2p_open(p2p_view(o->p2p), p2p_lane(o->p2p, 0), batch, k, now);
	}
	for (size_t j = 0; j < count; j++)
		n->rest_stale |= frames[j]->verdict == FRAME_OPENED;
	if (n->rest_stale)
		from_sessions(n, frames, count, now);
	for (size_t j = 0; j < count; j++)
		if (owner[j])
			slow_from_wire(n, frames[j], owner[j], now);
}

/* The first deadline of everything but p2p, which has something to do several times a second. */
static usec_t rest_deadline(const struct node *n)
{
	usec_t at = timers_next(&n->timers);

	for (size_t i = 0; i < n->overlay_top; i++)
		if (n->overlays[i] && n->overlays[i]->dht)
			at = usec_min(at, dht_deadline(n->overlays[i]->dht));
	for (size_t i = 0; i < n->ns_top; i++) {
		const struct ns *s = n->ns[i];

		if (!s)
			continue;
		at = usec_min(at, regs_deadline(s->regs));
		if (s->leases_on)
			at = usec_min(at, leases_deadline(s->leases));
		if (s->vnet)
			at = usec_min(at, vnet_deadline(s->vnet));
	}
	return at;
}

/* From here on only what marks it stale can move it. */
static void settle_rest(struct node *n)
{
	if (n->rest_stale)
		n->rest = rest_deadline(n);
	n->rest_stale = false;
}

void node_from_wire(struct node *n, struct frame *frames[], size_t count, usec_t now)
{
	n->now = now;
	settle_rest(n);
	for (size_t at = 0; at < count; at += BATCH_MAX) {
		wire_batch(n, frames + at, count - at < BATCH_MAX ? count - at : BATCH_MAX, now);
		node_pump(n, now); /* events stay bounded by the batch, not by what a peer sends */
	}
}

void node_from_port(struct node *n, uint16_t ns, struct frame *frames[], size_t count, usec_t now)
{
	struct ns *s = ns < NODE_NAMESPACES_MAX ? n->ns[ns] : NULL;

	node_enter(n, now);
	if (!s || !s->vnet) {
		for (size_t j = 0; j < count; j++)
			frame_drop(frames[j], DROP_NONE);
		return;
	}
	vnet_from_port(vnet_view(s->vnet), vnet_lane(s->vnet, 0), frames, count, now);
	p2p_seal(p2p_view(s->o->p2p), p2p_lane(s->o->p2p, 0), frames, count, now);
	for (size_t j = 0; j < count; j++) {
		struct frame *f = frames[j];

		if (f->verdict == FRAME_ROUTED)
			p2p_send_routed(s->o->p2p, f, now);
		else if (f->verdict == FRAME_UPCALL)
			vnet_upcall(s->vnet, f, now);
		if (f->verdict != FRAME_TO_WIRE && f->verdict != FRAME_DROP)
			frame_drop(f, DROP_NONE);
	}
	node_pump(n, now);
}

void node_persisted(struct node *n, uint64_t op, int result, usec_t now)
{
	struct persist_book *b = map_take(&n->persists, &op);
	struct ns *s = b ? n->ns[b->owner] : NULL;

	node_enter(n, now);
	if (!b)
		return;
	if (s && b->module == MODULE_REGS)
		regs_persisted(s->regs, b->module_op, result, now);
	else if (s && b->module == MODULE_LEASE && s->leases)
		leases_persisted(s->leases, b->module_op, result, now);
	state_written(n, b, result);
	node_pump(n, now);
}

static void tick_rest(struct node *n, usec_t now)
{
	n->rest_stale = true;
	for (size_t i = 0; i < n->overlay_top; i++)
		if (n->overlays[i])
			dht_tick(n->overlays[i]->dht, now);
	for (size_t i = 0; i < n->ns_top; i++)
		if (n->ns[i])
			ns_tick(n->ns[i], now);
	timers_run(&n->timers, now);
}

void node_tick(struct node *n, usec_t now)
{
	n->now = now;
	settle_rest(n);
	for (size_t i = 0; i < n->overlay_top; i++)
		if (n->overlays[i])
			p2p_tick(n->overlays[i]->p2p, now);
	if (n->rest_stale || now >= n->rest)
		tick_rest(n, now);
	node_pump(n, now);
}

usec_t node_deadline(const struct node *n)
{
	usec_t at = n->rest_stale ? rest_deadline(n) : n->rest;

	if (n->events)
		return 0;
	for (size_t i = 0; i < n->overlay_top; i++)
		if (n->overlays[i])
			at = usec_min(at, p2p_deadline(n->overlays[i]->p2p));
	return at;
}

void node_set_wall(struct node *n, uint64_t wall, usec_t now)
{
	node_enter(n, now);
	n->wall = (struct wall){ wall, now };
	for (size_t i = 0; i < n->ns_top; i++)
		if (n->ns[i])
			ns_wake(n->ns[i], now); /* memberships may have ended */
}

void node_set_addresses(struct node *n, const struct addr *addrs, size_t count, usec_t now)
{
	node_enter(n, now);
	n->addr_count = count < P2P_ADDRESSES_MAX ? count : P2P_ADDRESSES_MAX;
	free(n->addrs);
	n->addrs = n->addr_count ? mem_copy(addrs, n->addr_count * sizeof(*addrs)) : NULL;
	for (size_t i = 0; i < n->overlay_top; i++)
		if (n->overlays[i] && n->overlays[i]->p2p)
			p2p_set_addresses(n->overlays[i]->p2p, n->addrs, n->addr_count, now);
	for (size_t i = 0; i < n->ns_top; i++)
		if (n->ns[i])
			ns_endpoints_soon(n->ns[i], now);
	node_pump(n, now);
}

void node_clocks_parted(struct node *n, usec_t now)
{
	node_enter(n, now);
	for (size_t i = 0; i < n->overlay_top; i++)
		if (n->overlays[i])
			p2p_drop_keys(n->overlays[i]->p2p, now);
	node_pump(n, now);
}

void node_lan_input(struct node *n, const struct addr *from, const uint8_t *pkt, size_t len,
		    usec_t now)
{
	n->now = now;
	for (size_t i = 0; i < n->overlay_top; i++)
		if (n->overlays[i] && p2p_lan_input(n->overlays[i]->p2p, from, pkt, len, now))
			break;
	node_pump(n, now);
}

void node_lan_changed(struct node *n, usec_t now)
{
	n->now = now;
	for (size_t i = 0; i < n->overlay_top; i++)
		if (n->overlays[i])
			p2p_lan_changed(n->overlays[i]->p2p, now);
}

int node_bootstrap(struct node *n, const struct pubkey *key, const struct addr *a, usec_t now)
{
	int r = 0;

	node_enter(n, now);
	for (size_t i = 0; r == 0 && i < n->overlay_top; i++)
		if (n->overlays[i])
			r = p2p_bootstrap(n->overlays[i]->p2p, key, a, 1, now);
	node_pump(n, now);
	return r;
}
