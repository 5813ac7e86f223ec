/* node_env.c - what a namespace's modules are given: randomness, a way out, durable writes, events.
 *
 * Every function here either does something downwards (send, persist, seal) or queues an event
 * for the pump; none calls back into the module that called it. */
#include "cmd/node.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cmd/node_internal.h"

#define LEASE_ASKED (30 * 24 * 3600) /* seconds; keepers give less where there is more than one */

static void env_random(void *ctx, void *out, size_t len)
{
	struct ns *s = ctx;

	s->n->env.random(s->n->env.ctx, out, len);
}

static void env_regs_send(void *ctx, const struct pubkey *to, uint8_t service, const uint8_t *msg,
			  size_t len)
{
	struct ns *s = ctx;

	overlay_send(s->o, to, service, msg, len, s->n->now);
}

static void env_regs_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			     const uint8_t *value, size_t len)
{
	struct ns *s = ctx;

	state_write(s->n, MODULE_REGS, s->number, op, key, key_len, value, len);
}

static void env_lease_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			      const uint8_t *value, size_t len)
{
	struct ns *s = ctx;

	state_write(s->n, MODULE_LEASE, s->number, op, key, key_len, value, len);
}

static void env_regs_event(void *ctx, const struct regs_event *e)
{
	struct ns *s = ctx;
	struct queued *q = node_queue(s->n, MODULE_REGS, s->number, e->len);

	q->e.regs = *e;
	if (e->len)
		memcpy(q->bytes, e->grant, e->len);
	q->e.regs.grant = q->bytes;
}

static void env_lease_event(void *ctx, const struct lease_event *e)
{
	struct ns *s = ctx;
	struct queued *q = node_queue(s->n, MODULE_LEASE, s->number, e->len);

	q->e.lease = *e;
	if (e->len)
		memcpy(q->bytes, e->grant, e->len);
	q->e.lease.grant = q->bytes;
}

static int env_lease_submit(void *ctx, uint64_t op, const struct reg_op *req, usec_t now)
{
	struct ns *s = ctx;

	return ns_submit(s, op, req, NULL, now);
}

static int env_lease_sign(void *ctx, struct reg_op *req, uint8_t out[REG_OP_MAX], usec_t now)
{
	struct ns *s = ctx;

	return regs_sign(s->regs, req, out, now);
}

static int env_lease_submit_signed(void *ctx, uint64_t op, const uint8_t *bytes, size_t len,
				   usec_t now)
{
	struct ns *s = ctx;

	return ns_submit_signed(s, op, bytes, len, now);
}

static void env_lease_hand(void *ctx, const struct pubkey *to, const struct handover *h)
{
	struct ns *s = ctx;
	struct handover copy = *h;

	copy.peer = *to;
	regs_hand(s->regs, &copy, s->n->now);
}

static void env_vnet_event(void *ctx, const struct vnet_event *e)
{
	struct ns *s = ctx;
	size_t len = e->name ? strlen(e->name) + 1 : 0;
	struct queued *q = node_queue(s->n, MODULE_VNET, s->number, len);

	q->e.vnet = *e;
	if (len)
		memcpy(q->bytes, e->name, len);
	q->e.vnet.name = (const char *)q->bytes;
}

static void env_to_port(void *ctx, uint16_t port, const uint8_t *frame, size_t len)
{
	struct ns *s = ctx;

	(void)port;
	s->n->env.to_port(s->n->env.ctx, s->number, frame, len);
}

/* vnet's slow path: seals a copy and sends it at once. */
static void env_to_peer(void *ctx, uint32_t session, uint32_t tag, uint8_t type, const uint8_t *pkt,
			size_t len)
{
	struct ns *s = ctx;
	struct frame slow = { .data = slow.store + FRAME_HEAD }, *f = &slow;

	if (len > FRAME_LEN_MAX)
		return;
	f->len = (uint32_t)len;
	memcpy(f->data, pkt, len);
	f->session = session;
	f->tag = tag;
	f->type = type;
	f->ns = s->number;
	f->verdict = FRAME_TO_PEER;
	p2p_seal(p2p_view(s->o->p2p), p2p_lane(s->o->p2p, 0), &f, 1, s->n->now);
	if (f->verdict == FRAME_TO_WIRE)
		s->n->env.send(s->n->env.ctx, f->socket, &f->remote, f->data, f->len);
	else if (f->verdict == FRAME_ROUTED)
		p2p_send_routed(s->o->p2p, f, s->n->now);
}

void ns_make_regs(struct ns *s)
{
	struct node *n = s->n;
	struct regs_config rc = { n->cfg.self, s->root,	   n->cfg.crypto,	n->cfg.log,
				  &n->wall,    &n->drops, n->cfg.same_machine, 0 };

	s->regs = regs_new(&rc,
			   &(struct regs_env){ s, env_random, env_regs_send, env_regs_persist,
					       env_regs_event },
			   n->now);
	sodium_memzero(&rc, sizeof(rc));
}

void ns_make_leases(struct ns *s, usec_t now)
{
	const struct settings *st = regs_settings(s->regs);
	struct lease_config lc;

	if (s->leases || !st)
		return;
	lc = (struct lease_config){ .self = s->n->cfg.self.pub,
				    .subnet = st->subnet,
				    .lease = LEASE_ASKED,
				    .same_machine = s->n->cfg.same_machine,
				    .log = s->n->cfg.log,
				    .wall = &s->n->wall };
	memcpy(lc.nsid, s->nsid, NSID_LEN);
	s->leases = leases_new(&lc,
			       &(struct lease_env){ s, env_random, env_lease_submit,
						    env_lease_persist, env_lease_event,
						    env_lease_sign, env_lease_submit_signed,
						    env_lease_hand },
			       now);
}

int ns_open_port(struct ns *s, const struct settings *st, usec_t now)
{
	struct node *n = s->n;
	struct vnet_config vc = { .ns = s->number,
				  .subnet = st->subnet,
				  .subnet6 = s->subnet6,
				  .dns4 = s->dns4,
				  .dns6 = s->dns6,
				  .mtu = st->mtu,
				  .log = n->cfg.log,
				  .type_ip = PACKET_IP };
	struct node_port p = { .mtu = st->mtu };
	int r;

	snprintf(p.ifname, sizeof(p.ifname), "%s", s->ifname);
	r = n->env.port_open(n->env.ctx, s->number, &p, vc.port_mac);
	if (r < 0)
		return r;
	s->port_up = true;
	snprintf(s->ifname, sizeof(s->ifname), "%s", p.ifname);
	snprintf(vc.name, sizeof(vc.name), "%s", st->name);
	snprintf(vc.domain, sizeof(vc.domain), "%s", st->domain[0] ? st->domain : "internal");
	s->vnet = vnet_new(&vc,
			   &(struct vnet_env){ s, env_random, env_vnet_event, env_to_port,
					       env_to_peer },
			   now);
	return 0;
}
