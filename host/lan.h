/* lan.h - the LANs of this host: small datagrams to everybody on them, by UDP multicast, and from
 * them. docs/protocol.md 5.3.
 *
 * LANs are the interfaces of netlink_lans; the owner has them listed again when links or addresses
 * change. What is handed out was sent with hop limit 255 by a host of that very LAN, as far as IP
 * tells: from its link-local IPv6 address, or from an IPv4 address of the interface's subnets. */
#ifndef HOST_LAN_H
#define HOST_LAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "host/netlink.h"

#define LAN_PORT 24656
#define LAN_GROUP4 "239.255.96.79"   /* RFC 2365, local scope */
#define LAN_GROUP6 "ff12::8000:604f" /* RFC 4291, link-local scope, RFC 3307 dynamic */
#define LAN_DATAGRAM_MAX 256
#define LAN_FAMILIES 2

struct lan;

/* `listen` as for udp_open: only its family is used if it has an address, which then is the source
 * of what is sent. 0, or negative errno when there is no socket at all. */
int lan_open(struct lan **out, const struct addr *listen);
void lan_close(struct lan *l); /* NULL is legal */
/* IPv4, IPv6; -1: no such socket. */
int lan_fd(const struct lan *l, unsigned family);
/* These are the LANs from now on. True when there is one, or a subnet of one, that is new. */
bool lan_set(struct lan *l, const struct netlink_lan lans[], size_t count);
/* One datagram to everybody on each LAN, by each family; also heard by this host's other processes
 * and by ourselves. */
void lan_send(const struct lan *l, const uint8_t *pkt, size_t len);
/* The next datagram of this socket, or -EAGAIN when there is none. 0: one that is not to be looked
 * at. Else its length; from = where it came from, port 0. */
int lan_receive(struct lan *l, unsigned family, struct addr *from, uint8_t pkt[LAN_DATAGRAM_MAX]);

#endif
