/* ndp.c - neighbour discovery of the host behind the port, by the same rule as ARP. RFC 4861, 4862.
 *
 * Only neighbour solicitations are looked at. Duplicate address detection (source ::) for our own
 * address stays silent; for another's it is answered to all nodes. Router solicitations, MLD and
 * everything else on the link ends here without a word: there is no router and no other
 * listener. */
#include "vnet/state.h"

#define ND_HOPS 255
#define NS_LEN 24
#define NA_SOLICITED 0x40000000u
#define NA_OVERRIDE 0x20000000u
#define OPTION_TARGET_MAC 2

static const struct ip all_nodes = { 16, { 0xff, 0x02, [15] = 1 } };

static bool ns_read(const struct packet *p, struct ip *target)
{
	struct rd r = rd_of(p->body, p->body_len);

	rd_u8(&r);
	if (rd_u8(&r) != 0 || p->hops != ND_HOPS || p->body_len < NS_LEN || !packet_checksum_ok(p))
		return false;
	rd_u16(&r);
	rd_u32(&r);
	*target = (struct ip){ .len = 16 };
	rd_copy(&r, target->b, 16);
	return rd_ok(&r) && !ip_is_multicast(target);
}

void ndp_input(struct vnet *v, const struct packet *p, usec_t now)
{
	struct ip target;

	if (packet_icmp(p) != ICMP6_NS)
		vnet_drop(v, DROP_NO_DEST);
	else if (!ns_read(p, &target))
		vnet_drop(v, DROP_MALFORMED);
	else if (vnet_is_own(v, &target))
		return;
	else if (vnet_is_dns(v, &target))
		ndp_answer(v, &target, &p->src);
	else if (vnet_is_remote(v, &target))
		resolve_neighbour(v, &target, &p->src, now);
	else
		vnet_drop(v, DROP_NO_DEST);
}

void ndp_answer(struct vnet *v, const struct ip *ip, const struct ip *asker)
{
	bool dad = ip_is_unspecified(asker);
	uint8_t body[32];
	struct wr w = wr_of(body, sizeof(body));

	wr_u8(&w, ICMP6_NA);
	wr_u8(&w, 0);
	wr_u16(&w, 0);
	wr_u32(&w, NA_OVERRIDE | (dad ? 0 : NA_SOLICITED));
	wr_copy(&w, ip->b, 16);
	wr_u8(&w, OPTION_TARGET_MAC);
	wr_u8(&w, 1); /* in units of 8 bytes */
	wr_copy(&w, v->view.proxy_mac, MAC_LEN);
	vnet_reply(v, &(struct ip_out){ .src = *ip, .dst = dad ? all_nodes : *asker,
					.proto = IP_ICMPV6, .hops = ND_HOPS,
					.body = body, .body_len = wr_len(&w) });
}
