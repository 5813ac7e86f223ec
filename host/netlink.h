/* netlink.h - interfaces, addresses and routes of this host. Not thread-safe; calls are short and
 * answered by the kernel at once. Errors: 0 or negative errno. */
#ifndef HOST_NETLINK_H
#define HOST_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define NETLINK_LANS_MAX 16
#define NETLINK_LAN_NETS 4

struct netlink;

struct netlink_lan {
	unsigned ifindex;
	size_t net_count;
	struct prefix nets[NETLINK_LAN_NETS]; /* IPv4 subnets of its addresses */
};

int netlink_open(struct netlink **out);
void netlink_close(struct netlink *n);

/* Sets an interface up with this MTU (0: leave it). */
int netlink_link_up(struct netlink *n, unsigned ifindex, uint16_t mtu);
/* The first IPv4 address of a subnet goes: the others stay. Linux's own default takes them along. */
int netlink_keep_secondaries(struct netlink *n, unsigned ifindex);
/* Adds or removes an address. Adding one that is there, removing one that is not: 0. IPv6 comes
 * without duplicate address detection: who owns it was decided already. */
int netlink_address(struct netlink *n, unsigned ifindex, const struct ip *ip, uint8_t bits,
		    bool add);
/* Addresses that others could reach us at: of interfaces that are up, without those for which `own`
 * says true, link-local IPv6, multicast; loopback only when there is nothing else. Returns how many,
 * at most max; port and scope are 0. */
size_t netlink_addresses(struct netlink *n, bool (*own)(void *ctx, unsigned ifindex), void *ctx,
			 struct addr out[], size_t max);
/* Interfaces with neighbours: up, multicast, not loopback, not point-to-point, not part of a bridge or
 * bond, without those for which `own` says true. Returns how many, at most max. */
size_t netlink_lans(struct netlink *n, bool (*own)(void *ctx, unsigned ifindex), void *ctx,
		    struct netlink_lan out[], size_t max);
/* Whether an address or route of this host (default routes apart) overlaps the prefix. */
bool netlink_taken(struct netlink *n, const struct prefix *p);

/* Readable when links, addresses or routes changed; then netlink_changed reads what is there and
 * tells whether anything was. */
int netlink_fd(const struct netlink *n);
bool netlink_changed(struct netlink *n);

#endif
