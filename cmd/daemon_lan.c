/* daemon_lan.c - beacons between this host's LANs and the node (docs/protocol.md 5.3).
 *
 * Without them everything works but finding neighbours, so what goes wrong here is logged, and the
 * daemon goes on. A wake-up reads a bounded number of datagrams: anybody on a LAN can send them. */
#include "cmd/daemon_internal.h"

#include <errno.h>
#include <string.h>

#define RECEIVED_MAX 32 /* per wake-up */

static void on_lan(uv_poll_t *p, int status, int events)
{
	struct daemon *d = p->data;
	unsigned family = p == &d->lan_poll[1];
	uint8_t pkt[LAN_DATAGRAM_MAX];
	struct addr from;
	int len;

	(void)status;
	(void)events;
	for (int i = 0; i < RECEIVED_MAX; i++) {
		len = lan_receive(d->lan, family, &from, pkt);
		if (len == -EAGAIN)
			break;
		if (len > 0)
			node_lan_input(d->node, &from, pkt, (size_t)len, boot_now());
	}
}

void daemon_open_lan(struct daemon *d)
{
	int r;

	if (d->options->no_lan_beacon || ip_is_loopback(&d->options->listen.ip))
		return;
	r = lan_open(&d->lan, &d->options->listen);
	for (unsigned f = 0; r == 0 && f < LAN_FAMILIES; f++)
		if (lan_fd(d->lan, f) >= 0)
			r = daemon_watch(d, &d->lan_poll[f], lan_fd(d->lan, f), on_lan, d);
	if (r < 0)
		log_warn(d->log, "LAN beacons: %s", strerror(-r));
}

void daemon_list_lans(struct daemon *d)
{
	struct netlink_lan lans[NETLINK_LANS_MAX];
	size_t n;

	if (!d->lan)
		return;
	n = netlink_lans(d->netlink, daemon_is_own, d, lans, NETLINK_LANS_MAX);
	if (lan_set(d->lan, lans, n))
		node_lan_changed(d->node, boot_now());
}
