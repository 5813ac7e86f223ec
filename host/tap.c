/* tap.c - IFF_TAP with a virtio_net_hdr before each frame: that header is struct tap_offload on the
 * way between kernel and process, in the byte order of the host. */
#include "host/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/list.h"
#include "host/boot.h"

#define DEVICE "/dev/net/tun"
#define OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)

static int make(struct tap *t, const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int size = sizeof(struct virtio_net_hdr);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name[0] ? name : "vpn%d");
	if (ioctl(t->fd, TUNSETIFF, &r) < 0 || ioctl(t->fd, TUNSETVNETHDRSZ, &size) < 0 ||
	    ioctl(t->fd, TUNSETOFFLOAD, OFFLOADS) < 0)
		return -errno;
	snprintf(t->name, sizeof(t->name), "%s", r.ifr_name);
	return 0;
}

static int set_up(struct tap *t, int sock)
{
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", t->name);
	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	boot_random(r.ifr_hwaddr.sa_data, 6);
	r.ifr_hwaddr.sa_data[0] = (char)((r.ifr_hwaddr.sa_data[0] & ~1) | 2);
	if (ioctl(sock, SIOCSIFHWADDR, &r) < 0 || ioctl(sock, SIOCGIFHWADDR, &r) < 0)
		return -errno;
	memcpy(t->mac, r.ifr_hwaddr.sa_data, 6);
	r.ifr_mtu = t->mtu;
	if (ioctl(sock, SIOCSIFMTU, &r) < 0 || ioctl(sock, SIOCGIFFLAGS, &r) < 0)
		return -errno;
	r.ifr_flags |= IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, &r) < 0)
		return -errno;
	t->ifindex = if_nametoindex(t->name);
	return t->ifindex ? 0 : -errno;
}

int tap_open(struct tap *t, const char *name, uint16_t mtu)
{
	int sock, r;

	*t = (struct tap){ .fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC), .mtu = mtu };
	if (t->fd < 0)
		return -errno;
	r = make(t, name);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (r == 0)
		r = sock < 0 ? -errno : set_up(t, sock);
	if (sock >= 0)
		close(sock);
	if (r < 0)
		tap_close(t);
	return r;
}

void tap_close(struct tap *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

size_t tap_read(struct tap *t, uint8_t *buf, struct tap_offload *o)
{
	static const enum tap_gso kinds[] = { [VIRTIO_NET_HDR_GSO_NONE] = TAP_WHOLE,
					      [VIRTIO_NET_HDR_GSO_TCPV4] = TAP_TCP4,
					      [VIRTIO_NET_HDR_GSO_UDP] = TAP_OTHER,
					      [VIRTIO_NET_HDR_GSO_TCPV6] = TAP_TCP6 };
	struct virtio_net_hdr h;
	struct iovec v[] = { { &h, sizeof(h) }, { buf, TAP_FRAME_MAX } };
	ssize_t len = readv(t->fd, v, 2);
	uint8_t gso;

	if (len <= (ssize_t)sizeof(h)) /* EAGAIN, or the interface was taken away */
		return 0;
	gso = h.gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	*o = (struct tap_offload){ gso < ARRAY_LEN(kinds) ? kinds[gso] : TAP_OTHER,
				   h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM,
				   h.hdr_len, h.gso_size, h.csum_start, h.csum_offset };
	return (size_t)len - sizeof(h);
}

void tap_write(struct tap *t, const uint8_t *frame, size_t len, const struct tap_offload *o)
{
	static const uint8_t types[] = { [TAP_WHOLE] = VIRTIO_NET_HDR_GSO_NONE,
					 [TAP_TCP4] = VIRTIO_NET_HDR_GSO_TCPV4,
					 [TAP_TCP6] = VIRTIO_NET_HDR_GSO_TCPV6 };
	struct virtio_net_hdr h = { 0 };
	struct iovec v[] = { { &h, sizeof(h) }, { (void *)(uintptr_t)frame, len } };

	if (o)
		h = (struct virtio_net_hdr){ o->partial ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0,
					     types[o->gso], o->header_len, o->mss,
					     .csum_start = o->csum_start,
					     .csum_offset = o->csum_offset };
	if (writev(t->fd, v, 2) < 0)
		t->dropped++;
}
