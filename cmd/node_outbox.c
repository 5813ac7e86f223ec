/* node_outbox.c - messages for a peer without a session wait here while p2p makes one: bounded, 5
 * s. */
#include "cmd/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

#define OUTBOX_WAIT SEC(5)

void outbox_drop(struct overlay *o)
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

void outbox_flush(struct overlay *o, const struct pubkey *peer, usec_t now)
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
	node_wake(o->n, now);
}
