/* resolve.c - from an address to a session, for frames that leave.
 *
 * A flow is ASKING (VNET_RESOLVE sent, at most once per ASK_GAP while frames or ARP keep coming;
 * given up ASK_PATIENCE after the last), NOBODY (believed for NOBODY_FOR), or OWNED. An owned flow
 * whose owner has no session holds frames and asks for VNET_ATTACH, once per ATTACH_GAP and peer.
 * One that is in use is resolved again before its binding goes stale, one unused for FLOW_IDLE is
 * dropped. Each flow has one timer for all that. Frames wait 3 s at most (state.h: out).
 *
 * Bounds: VNET_FLOWS_MAX flows, ASKS_PER_SECOND questions, VNET_HELD_* frames. */
#include "vnet/state.h"

#include <assert.h>
#include <stdlib.h>

#define ASK_GAP SEC(1)
#define ASK_PATIENCE SEC(3)
#define NOBODY_FOR SEC(2)
#define ATTACH_GAP SEC(1)
#define FLOW_IDLE MINUTES(5)
#define REFRESH_GAP SEC(5)
#define REFRESH_BEFORE SEC(60) /* the end of a binding; a quarter of short ones */

usec_t resolve_refresh_at(usec_t until, usec_t now)
{
	if (until == USEC_NEVER || until <= now)
		return USEC_NEVER;
	return until - usec_min(REFRESH_BEFORE, (until - now) / 4);
}

static void ask(struct vnet *v, struct flow *f, usec_t now)
{
	struct vnet_event e = { .type = VNET_RESOLVE, .ip = f->ip };

	if (!limit_take(&v->asks, now))
		return;
	f->asked = now;
	v->env.event(v->env.ctx, &e);
}

static void ask_again(struct vnet *v, struct flow *f, usec_t now)
{
	if (!f->asked || now >= f->asked + ASK_GAP)
		ask(v, f, now);
	resolve_timer(f, now);
}

static usec_t wake_at(const struct flow *f, usec_t now)
{
	switch (f->state) {
	case FLOW_ASKING: return (f->asked ? f->asked : now) + ASK_PATIENCE;
	case FLOW_NOBODY: return f->until;
	default: return usec_min(flow_mark(f)->used + FLOW_IDLE, f->refresh);
	}
}

void resolve_timer(struct flow *f, usec_t now)
{
	struct vnet *v = f->table->ctx;

	timer_set(&v->timers, &f->timer, wake_at(f, now));
}

/* What its peer alone has said is looked up as well, once, when it turns out to be used: somebody
 * else may own it by now. Unused ones are looked at less and less often. */
static void first_sight(struct vnet *v, struct flow *f, usec_t now)
{
	if (!flow_mark(f)->packets) {
		f->refresh = usec_min(now + (now - f->shown), f->until);
		return;
	}
	ask(v, f, now);
	if (f->asked != now) { /* too many questions just now */
		f->refresh = now + REFRESH_GAP;
		return;
	}
	f->shown = 0;
	f->refresh = resolve_refresh_at(f->until, now);
}

static void refresh(struct vnet *v, struct flow *f, usec_t now)
{
	if (now >= f->refresh && f->shown && now < f->until) {
		first_sight(v, f, now);
	} else if (now >= f->refresh) {
		ask(v, f, now);
		f->refresh = now < f->until ? now + REFRESH_GAP : USEC_NEVER;
	}
	resolve_timer(f, now);
}

static void flow_fire(struct timer *t, usec_t now)
{
	struct flow *f = container_of(t, struct flow, timer);
	struct vnet *v = f->table->ctx;

	if (f->state == FLOW_OWNED && now < flow_mark(f)->used + FLOW_IDLE)
		refresh(v, f, now);
	else
		resolve_flow_drop(v, f, DROP_NO_DEST);
}

void resolve_flow_drop(struct vnet *v, struct flow *f, enum drop why)
{
	struct peer *owner = f->owner;
	struct held_frame *h;

	while ((h = held_take(&v->out, &f->held))) {
		vnet_drop(v, why);
		free(h);
	}
	timer_cancel(&v->timers, &f->timer);
	f->owner = NULL;
	list_del(&f->of_owner);
	flow_del(f);
	if (owner)
		peer_release(&v->peers, owner);
}

struct flow *resolve_flow_new(struct vnet *v, const struct ip *ip, usec_t now)
{
	struct flow *f;

	if (v->flows.count >= VNET_FLOWS_MAX)
		resolve_flow_drop(v, flow_victim(&v->flows), DROP_FULL);
	f = flow_add(&v->flows, ip, now);
	timer_init(&f->timer, flow_fire);
	resolve_timer(f, now);
	return f;
}

void resolve_attach(struct vnet *v, struct peer *p, usec_t now)
{
	struct vnet_event e = { .type = VNET_ATTACH, .peer = p->key };

	if (p->session || now < p->attach_after)
		return;
	p->attach_after = now + ATTACH_GAP;
	v->env.event(v->env.ctx, &e);
}

/* The flow of an address, made and asked for if need be; it may still be in any state. */
static struct flow *want(struct vnet *v, const struct ip *ip, usec_t now)
{
	struct flow *f = flow_find(&v->flows, ip);

	if (!f)
		f = resolve_flow_new(v, ip, now);
	if (f->state != FLOW_NOBODY)
		flow_mark(f)->used = now;
	if (f->state == FLOW_ASKING || (f->state == FLOW_OWNED && now >= f->until))
		ask_again(v, f, now);
	if (f->state == FLOW_OWNED)
		resolve_attach(v, f->owner, now);
	return f;
}

static void to_peer(struct vnet *v, const struct flow *f, const uint8_t *pkt, size_t len)
{
	flow_mark(f)->packets++;
	v->env.to_peer(v->env.ctx, f->session, f->tag, v->cfg.type_ip, pkt, len);
}

void resolve_flush(struct vnet *v, struct flow *f, usec_t now)
{
	struct held_frame *h;

	while (flow_is_active(f, now) && (h = held_take(&v->out, &f->held))) {
		flow_mark(f)->used = now;
		to_peer(v, f, h->data, h->len);
		free(h);
	}
}

void resolve_nobody(struct vnet *v, struct flow *f, usec_t now)
{
	struct held_frame *h;
	struct packet p;

	assert(!f->owner);
	f->state = FLOW_NOBODY;
	f->session = f->tag = 0;
	f->until = now + NOBODY_FOR;
	f->asker.len = 0;
	resolve_timer(f, now);
	while ((h = held_take(&v->out, &f->held))) {
		vnet_drop(v, DROP_NO_DEST);
		if (packet_read(&p, h->data, h->len))
			local_unreachable(v, &p, now);
		free(h);
	}
}

void resolve_send(struct vnet *v, const struct packet *p, usec_t now)
{
	struct flow *f = want(v, &p->dst, now);

	if (f->state == FLOW_NOBODY) {
		vnet_drop(v, DROP_NO_DEST);
		local_unreachable(v, p, now);
	} else if (flow_is_active(f, now)) {
		to_peer(v, f, p->data, p->len);
	} else if (held_add(&v->out, &f->held, &p->dst, p->data, p->len, now) < 0) {
		vnet_drop(v, DROP_FULL);
	}
}

void resolve_answer_neighbour(struct vnet *v, const struct ip *ip, const struct ip *asker)
{
	(ip->len == 4 ? arp_answer : ndp_answer)(v, ip, asker);
}

void resolve_neighbour(struct vnet *v, const struct ip *ip, const struct ip *asker, usec_t now)
{
	struct flow *f = want(v, ip, now);

	if (f->state == FLOW_OWNED && now < f->until)
		resolve_answer_neighbour(v, ip, asker);
	else if (f->state != FLOW_NOBODY)
		f->asker = *asker; /* one answer serves every repeat */
}
