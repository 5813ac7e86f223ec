/* fast.c - the way of nearly every frame: one table lookup, headers off or on, gone.
 *
 * From the port: source MAC and address must be the port's own (D3), the destination must have an
 * active flow. From a session: the destination must be ours, the source must have an active flow of
 * this very session (receiver's fence). Whatever else is legal becomes an upcall, left as it came.
 *
 * Nothing here allocates, locks or writes anywhere but into the frame and the lane. More lanes: the
 * flows a view shows are then never changed in place; the control thread makes a new flow, swaps
 * the pointer in the table's slot and frees the old one when every lane has passed a quiet point.
 * Fields read here are therefore set before a flow is published, and marks lie in the lane. */
#include "vnet/state.h"

#include <assert.h>
#include <string.h>

/* Everything one frame needs, gathered for the small functions below. */
struct pass {
	const struct vnet_view *v;
	struct vnet_lane *l;
	struct frame *f;
	usec_t now;
	struct packet p;
};

static bool is_own(const struct vnet_view *v, const struct ip *ip)
{
	for (unsigned i = 0; i < v->own_count; i++)
		if (ip_same(&v->own[i], ip))
			return true;
	return false;
}

static void drop(struct pass *s, enum drop why)
{
	frame_drop(s->f, why);
	drop_add(&s->l->drops, why);
}

static void upcall(struct pass *s) { s->f->verdict = FRAME_UPCALL; }

static void mark(struct pass *s, const struct flow *flow)
{
	struct flow_mark *m = &s->l->marks.of[flow->slot];

	m->used = s->now;
	m->packets++;
}

/* Addresses a kernel uses before it has one, or on the link only: slow path, and never further. */
static bool is_link_source(const struct ip *ip)
{
	return ip_is_unspecified(ip) || (ip->len == 16 && ip_is_link_local(ip));
}

static void packet_from_port(struct pass *s)
{
	struct frame *f = s->f;
	const struct flow *flow;

	if (!is_own(s->v, &s->p.src)) {
		if (is_link_source(&s->p.src))
			upcall(s);
		else
			drop(s, DROP_SPOOF_PORT);
		return;
	}
	flow = flow_find(s->v->flows, &s->p.dst);
	if (!flow || !flow_is_active(flow, s->now) || packet_is_nd(&s->p)) {
		upcall(s);
		return;
	}
	mark(s, flow);
	f->data += ETH_HEADER_LEN;
	f->len = (uint32_t)s->p.len;
	f->session = flow->session;
	f->tag = flow->tag;
	f->type = s->v->type_ip;
	f->verdict = FRAME_TO_PEER;
}

static void frame_from_port(struct pass *s)
{
	struct rd r = rd_of(s->f->data, s->f->len);
	struct eth e;

	eth_read(&r, &e);
	s->f->ns = s->v->ns;
	s->f->session = 0;
	if (!rd_ok(&r))
		drop(s, DROP_SHORT);
	else if (s->f->len > s->v->mtu + (uint32_t)ETH_HEADER_LEN)
		drop(s, DROP_TOO_BIG);
	else if (memcmp(e.src, s->v->port_mac, MAC_LEN) != 0)
		drop(s, DROP_SPOOF_PORT);
	else if (e.type == ETH_ARP)
		upcall(s);
	else if (e.type != ETH_IPV4 && e.type != ETH_IPV6)
		drop(s, DROP_ETHERTYPE);
	else if (!packet_read(&s->p, r.p, rd_left(&r)) ||
		 s->p.src.len != (e.type == ETH_IPV4 ? 4 : 16))
		drop(s, DROP_MALFORMED);
	else
		packet_from_port(s);
}

void vnet_from_port(const struct vnet_view *v, struct vnet_lane *l, struct frame *frames[], size_t n,
		    usec_t now)
{
	struct pass s = { .v = v, .l = l, .now = now };

	for (size_t i = 0; i < n; i++) {
		s.f = frames[i];
		frame_from_port(&s);
	}
}

/* An echo reply to vnet_ping, and not to a ping of the host. */
static bool is_pong(const struct vnet_view *v, const struct packet *p)
{
	struct rd r = rd_of(p->body, p->body_len);
	int type = packet_icmp(p);

	rd_u32(&r);
	return v->pinging && type == (p->src.len == 4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY) &&
	       rd_u16(&r) == v->ping_id;
}

static void to_port(struct pass *s)
{
	struct frame *f = s->f;
	struct wr w;

	assert(frame_head_room(f) >= ETH_HEADER_LEN);
	f->data -= ETH_HEADER_LEN;
	f->len += ETH_HEADER_LEN;
	w = wr_of(f->data, ETH_HEADER_LEN);
	eth_write(&w, s->v->port_mac, s->v->proxy_mac, s->p.src.len == 4 ? ETH_IPV4 : ETH_IPV6);
	f->port = VNET_PORT;
	f->verdict = FRAME_TO_PORT;
}

static void packet_from_session(struct pass *s)
{
	const struct flow *flow = flow_find(s->v->flows, &s->p.src);

	if (!flow || flow->session != s->f->session || !flow_is_active(flow, s->now)) {
		upcall(s);
		return;
	}
	mark(s, flow);
	if (is_pong(s->v, &s->p))
		upcall(s);
	else
		to_port(s);
}

static void frame_from_session(struct pass *s)
{
	struct frame *f = s->f;

	f->ns = s->v->ns;
	if (f->type != s->v->type_ip)
		drop(s, DROP_ETHERTYPE);
	else if (!packet_read(&s->p, f->data, f->len) || s->p.len != f->len)
		drop(s, DROP_MALFORMED);
	else if (f->len > s->v->mtu)
		drop(s, DROP_TOO_BIG);
	else if (!is_own(s->v, &s->p.dst))
		drop(s, DROP_NO_DEST);
	else if (packet_is_nd(&s->p)) /* would rewrite the host's neighbour table */
		drop(s, DROP_SPOOF_PEER);
	else
		packet_from_session(s);
}

void vnet_from_session(const struct vnet_view *v, struct vnet_lane *l, struct frame *frames[],
		       size_t n, usec_t now)
{
	struct pass s = { .v = v, .l = l, .now = now };

	for (size_t i = 0; i < n; i++) {
		assert(frames[i]->session);
		s.f = frames[i];
		frame_from_session(&s);
	}
}
