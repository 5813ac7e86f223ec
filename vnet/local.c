/* local.c - the host at the DNS address, as far as it is not DNS: it answers echo requests and says
 * that its other ports are closed; and "nobody lives there" for addresses without owner.
 * RFC 792, 1122 3.2.2, 4443. Never an error about an error, a fragment's rest, or a multicast. */
#include "vnet/state.h"

#include <string.h>

/* As much of the packet as both RFCs allow to quote within their smallest MTU. */
#define QUOTE_V4_MAX 548
#define QUOTE_V6_MAX 1232
#define CODE_PORT_V4 3
#define CODE_HOST_V4 1
#define CODE_PORT_V6 4
#define CODE_HOST_V6 3

/* Type and the two codes used, by family. */
static const struct unreachable {
	uint8_t type, host, port, proto;
	size_t quote_max;
} families[2] = {
	{ ICMP_UNREACHABLE, CODE_HOST_V4, CODE_PORT_V4, IP_ICMP, QUOTE_V4_MAX },
	{ ICMP6_UNREACHABLE, CODE_HOST_V6, CODE_PORT_V6, IP_ICMPV6, QUOTE_V6_MAX },
};

static const struct unreachable *family(const struct packet *p)
{
	return &families[p->src.len == 16];
}

void local_echo(struct vnet *v, const struct packet *p, usec_t now)
{
	uint8_t body[FRAME_LEN_MAX];
	struct wr w = wr_of(body, sizeof(body));

	(void)now;
	wr_u8(&w, p->src.len == 4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY);
	wr_copy(&w, p->body + 1, p->body_len - 1); /* a body with an ICMP type is not empty */
	if (!wr_ok(&w) || p->fragment)
		vnet_drop(v, DROP_TOO_BIG);
	else
		vnet_reply(v, &(struct ip_out){ .src = p->dst, .dst = p->src, .proto = p->proto,
						.hops = IP_HOPS_DEFAULT, .body = body,
						.body_len = p->body_len });
}

/* Errors are sent about everything but ICMP other than echo requests, and later fragments. */
static bool may_report(const struct packet *p)
{
	int icmp = packet_icmp(p);

	return p->first && (icmp < 0 || icmp == (p->src.len == 4 ? ICMP_ECHO : ICMP6_ECHO)) &&
	       !ip_is_multicast(&p->dst) && !ip_is_unspecified(&p->src);
}

static void report(struct vnet *v, const struct packet *p, uint8_t code, usec_t now)
{
	const struct unreachable *u = family(p);
	size_t quote = p->len < u->quote_max ? p->len : u->quote_max;
	uint8_t body[8 + QUOTE_V6_MAX];
	struct wr w = wr_of(body, sizeof(body));

	if (!may_report(p) || !limit_take(&v->unreachables, now))
		return;
	wr_u8(&w, u->type);
	wr_u8(&w, code);
	wr_zero(&w, 6);
	wr_copy(&w, p->data, quote);
	vnet_reply(v, &(struct ip_out){ .src = p->src.len == 4 ? v->cfg.dns4 : v->cfg.dns6,
					.dst = p->src, .proto = u->proto, .hops = IP_HOPS_DEFAULT,
					.body = body, .body_len = wr_len(&w) });
}

void local_refuse(struct vnet *v, const struct packet *p, usec_t now)
{
	vnet_drop(v, DROP_NO_DEST);
	report(v, p, family(p)->port, now);
}

void local_unreachable(struct vnet *v, const struct packet *p, usec_t now)
{
	report(v, p, family(p)->host, now);
}
