/* eth.h - the Ethernet header: the only place that knows its layout. */
#ifndef VNET_ETH_H
#define VNET_ETH_H

#include "base/wire.h"

#define ETH_HEADER_LEN 14
#define MAC_LEN 6

enum ethertype { ETH_IPV4 = 0x0800, ETH_ARP = 0x0806, ETH_IPV6 = 0x86dd };

struct eth {
	uint8_t dst[MAC_LEN], src[MAC_LEN];
	uint16_t type;
};

/* On failure the cursor is bad and *e is zero. */
static inline void eth_read(struct rd *r, struct eth *e)
{
	rd_copy(r, e->dst, MAC_LEN);
	rd_copy(r, e->src, MAC_LEN);
	e->type = rd_u16(r);
}

static inline void eth_write(struct wr *w, const uint8_t dst[MAC_LEN], const uint8_t src[MAC_LEN],
			     uint16_t type)
{
	wr_copy(w, dst, MAC_LEN);
	wr_copy(w, src, MAC_LEN);
	wr_u16(w, type);
}

#endif
