/* arp.c - ARP of the host behind the port, answered from the flows. RFC 826, 5227; rule I7.
 *
 * Answered: requests for an address of the subnet that is not ours and has an owner, and for the
 * DNS address; always with the one MAC that stands for every remote host. A probe (sender 0.0.0.0)
 * for our own address stays silent, or the host would give its address up. Nothing is retried
 * here: the kernel repeats its request. No ARP ever leaves the node. */
#include "vnet/state.h"

#include <string.h>

#define HTYPE_ETHERNET 1

enum arp_op { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp {
	uint16_t op;
	uint8_t sender_mac[MAC_LEN];
	struct ip sender, target;
};

static bool arp_read(struct rd *r, struct arp *a)
{
	uint16_t htype = rd_u16(r), ptype = rd_u16(r), lengths = rd_u16(r);

	*a = (struct arp){ .op = rd_u16(r), .sender.len = 4, .target.len = 4 };
	rd_copy(r, a->sender_mac, MAC_LEN);
	rd_copy(r, a->sender.b, 4);
	rd_bytes(r, MAC_LEN);
	rd_copy(r, a->target.b, 4);
	return rd_ok(r) && htype == HTYPE_ETHERNET && ptype == ETH_IPV4 &&
	       lengths == (MAC_LEN << 8 | 4); /* padding may follow */
}

static void request(struct vnet *v, const struct arp *a, usec_t now)
{
	if (vnet_is_own(v, &a->target))
		return; /* announcement, or a probe for what is the host's already */
	if (vnet_is_dns(v, &a->target))
		arp_answer(v, &a->target, &a->sender);
	else if (vnet_is_remote(v, &a->target))
		resolve_neighbour(v, &a->target, &a->sender, now);
	else
		vnet_drop(v, DROP_NO_DEST);
}

void arp_input(struct vnet *v, const uint8_t *frame, size_t len, usec_t now)
{
	struct rd r = rd_of(frame, len);
	struct eth e;
	struct arp a;

	eth_read(&r, &e);
	if (!arp_read(&r, &a))
		vnet_drop(v, DROP_MALFORMED);
	else if (memcmp(a.sender_mac, v->cfg.port_mac, MAC_LEN) != 0 ||
		 !(ip_is_unspecified(&a.sender) || vnet_is_own(v, &a.sender)))
		vnet_drop(v, DROP_SPOOF_PORT);
	else if (a.op == ARP_REQUEST)
		request(v, &a, now);
	else
		vnet_drop(v, DROP_NO_DEST); /* we never ask, so a reply is for nobody */
}

void arp_answer(struct vnet *v, const struct ip *ip, const struct ip *asker)
{
	uint8_t out[ETH_HEADER_LEN + 28];
	struct wr w = wr_of(out, sizeof(out));

	eth_write(&w, v->cfg.port_mac, v->view.proxy_mac, ETH_ARP);
	wr_u16(&w, HTYPE_ETHERNET);
	wr_u16(&w, ETH_IPV4);
	wr_u16(&w, MAC_LEN << 8 | 4);
	wr_u16(&w, ARP_REPLY);
	wr_copy(&w, v->view.proxy_mac, MAC_LEN);
	wr_copy(&w, ip->b, 4);
	wr_copy(&w, v->cfg.port_mac, MAC_LEN);
	wr_copy(&w, asker->b, 4);
	v->env.to_port(v->env.ctx, VNET_PORT, out, wr_len(&w));
}
