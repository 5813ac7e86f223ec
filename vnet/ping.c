/* ping.c - one echo request over the data path, for `vpnctl ping`. RFC 792, 4443.
 *
 * Requests go the way of every packet (resolve.c); replies come up because the view shows our
 * random id while a ping is pending. At most PINGS_MAX at once, PING_TIMEOUT each. */
#include "vnet/state.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

#define PINGS_MAX 64
#define PING_TIMEOUT SEC(2)
#define PING_LEN 64 /* ICMP header and filling */

struct ping {
	struct list age;
	uint64_t op;
	struct ip to;
	uint16_t seq;
	usec_t sent;
};

static void pong(struct vnet *v, uint64_t op, const struct ip *ip, usec_t rtt)
{
	struct vnet_event e = { .type = VNET_PONG, .op = op, .ip = *ip, .rtt = rtt };

	v->env.event(v->env.ctx, &e);
}

static void finish(struct vnet *v, struct ping *p, usec_t rtt)
{
	list_del(&p->age);
	v->view.pinging = --v->ping_count != 0;
	pong(v, p->op, &p->to, rtt);
	free(p);
}

static void send(struct vnet *v, const struct ping *p, const struct ip *from, usec_t now)
{
	bool v4 = p->to.len == 4;
	uint8_t body[PING_LEN] = { v4 ? ICMP_ECHO : ICMP6_ECHO }, out[PING_LEN + IPV6_HEADER_LEN];
	struct wr w = wr_of(body + 4, 4);
	struct packet pkt;
	size_t len;

	wr_u16(&w, v->view.ping_id);
	wr_u16(&w, p->seq);
	len = ip_write(out, sizeof(out),
		       &(struct ip_out){ .src = *from, .dst = p->to,
					 .proto = v4 ? IP_ICMP : IP_ICMPV6, .hops = IP_HOPS_DEFAULT,
					 .body = body, .body_len = sizeof(body) });
	if (packet_read(&pkt, out, len))
		resolve_send(v, &pkt, now);
}

int vnet_ping(struct vnet *v, uint64_t op, const struct ip *to, usec_t now)
{
	const struct ip *from = vnet_own_first(v, to->len);
	struct ping *p;

	if (vnet_is_own(v, to) || vnet_is_dns(v, to)) {
		pong(v, op, to, 0);
		return 0;
	}
	if (!vnet_is_remote(v, to))
		return -ENETUNREACH;
	if (!from)
		return -EADDRNOTAVAIL;
	if (v->ping_count >= PINGS_MAX)
		return -ENOBUFS;
	p = mem_new(sizeof(*p));
	*p = (struct ping){ .op = op, .to = *to, .seq = ++v->ping_seq, .sent = now };
	list_add_tail(&v->pings, &p->age);
	v->ping_count++;
	v->view.pinging = true;
	send(v, p, from, now);
	return 0;
}

static struct ping *find(const struct vnet *v, const struct packet *p)
{
	struct rd r = rd_of(p->body, p->body_len);
	uint16_t id, seq;

	rd_u32(&r);
	id = rd_u16(&r);
	seq = rd_u16(&r);
	if (packet_icmp(p) != (p->src.len == 4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY) ||
	    !rd_ok(&r) || id != v->view.ping_id)
		return NULL;
	for (struct list *l = v->pings.next; l != &v->pings; l = l->next) {
		struct ping *ping = container_of(l, struct ping, age);

		if (ping->seq == seq && ip_equal(&ping->to, &p->src))
			return ping;
	}
	return NULL;
}

bool ping_wants(const struct vnet *v, const struct packet *p) { return find(v, p) != NULL; }

void ping_input(struct vnet *v, const struct packet *p, usec_t now)
{
	struct ping *ping = find(v, p);

	if (ping)
		finish(v, ping, now > ping->sent ? now - ping->sent : 0);
}

usec_t ping_deadline(const struct vnet *v)
{
	if (list_is_empty(&v->pings))
		return USEC_NEVER;
	return container_of(v->pings.next, struct ping, age)->sent + PING_TIMEOUT;
}

void ping_tick(struct vnet *v, usec_t now)
{
	while (ping_deadline(v) <= now)
		finish(v, container_of(v->pings.next, struct ping, age), USEC_NEVER);
}

void ping_free(struct vnet *v)
{
	struct list *l;

	while ((l = list_take(&v->pings)))
		free(container_of(l, struct ping, age));
}
