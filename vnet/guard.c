/* guard.c - packets from a session whose source address that session has not proven to own.
 *
 * Up to 16 a session wait 500 ms (state.h: in) while the peer is asked for its grant, once per
 * GRANT_GAP and session; a binding that arrives (owner.c) delivers them in order, else they are
 * dropped as spoofed. The address asked for is that of the oldest packet still waiting, so that
 * several unproven addresses of one peer take turns. */
#include "vnet/state.h"

#include <stdlib.h>

#define GRANT_GAP MSEC(200)

static void want_grant(struct vnet *v, struct peer *p, usec_t now)
{
	struct vnet_event e = { .type = VNET_WANT_GRANT, .peer = p->key, .session = p->session };
	struct held_frame *h;

	if (!p->held.count)
		return;
	if (now >= p->grant_after) {
		h = container_of(p->held.frames.next, struct held_frame, in_queue);
		e.ip = h->ip;
		p->grant_after = now + GRANT_GAP;
		v->env.event(v->env.ctx, &e);
	}
	timer_set(&v->timers, &p->grant_timer, p->grant_after);
}

static void grant_fire(struct timer *t, usec_t now)
{
	struct peer *p = container_of(t, struct peer, grant_timer);

	want_grant(p->ctx, p, now);
}

void guard_hold(struct vnet *v, uint32_t session, const struct packet *p, usec_t now)
{
	struct peer *peer = peer_of_session(&v->peers, session);

	if (!peer || !vnet_is_remote(v, &p->src)) {
		vnet_drop(v, DROP_SPOOF_PEER);
		return;
	}
	if (held_add(&v->in, &peer->held, &p->src, p->data, p->len, now) < 0) {
		vnet_drop(v, DROP_SPOOF_PEER);
		return;
	}
	peer->grant_timer.fire = grant_fire;
	want_grant(v, peer, now);
}

void guard_deliver(struct vnet *v, const struct packet *p, usec_t now)
{
	if (!vnet_is_own(v, &p->dst)) /* it may have left us while the packet waited */
		vnet_drop(v, DROP_NO_DEST);
	else if (ping_wants(v, p))
		ping_input(v, p, now);
	else
		vnet_to_port(v, p->data, p->len);
}

void guard_release(struct vnet *v, struct peer *p, usec_t now)
{
	struct list *next;
	struct packet pkt;

	for (struct list *l = p->held.frames.next; l != &p->held.frames; l = next) {
		struct held_frame *h = container_of(l, struct held_frame, in_queue);
		struct flow *f = flow_find(&v->flows, &h->ip);

		next = l->next;
		if (!f || f->owner != p || !flow_is_active(f, now))
			continue;
		flow_mark(f)->used = now;
		flow_mark(f)->packets++;
		held_remove(&v->in, h);
		if (packet_read(&pkt, h->data, h->len))
			guard_deliver(v, &pkt, now);
		free(h);
	}
	if (!p->held.count)
		timer_cancel(&v->timers, &p->grant_timer);
}

void guard_forget(struct vnet *v, struct peer *p)
{
	struct held_frame *h;

	timer_cancel(&v->timers, &p->grant_timer);
	while ((h = held_take(&v->in, &p->held))) {
		vnet_drop(v, DROP_SPOOF_PEER);
		free(h);
	}
}
