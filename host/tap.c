/* tap.c - IFF_TAP with a virtio_net_hdr before each frame.
 *
 * Offloads are off, so headers are all zero both ways: the kernel hands over whole, checksummed
 * frames of at most the MTU. The header is there so that joined frames need no other format. */
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

#include "host/boot.h"

#define DEVICE "/dev/net/tun"

static int make(struct tap *t, const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int size = sizeof(struct virtio_net_hdr);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name[0] ? name : "vpn%d");
	if (ioctl(t->fd, TUNSETIFF, &r) < 0 || ioctl(t->fd, TUNSETVNETHDRSZ, &size) < 0 ||
	    ioctl(t->fd, TUNSETOFFLOAD, 0) < 0)
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

size_t tap_read(struct tap *t, struct frame_pool *pool, struct frame *out[], size_t max)
{
	size_t n = 0;

	while (n < max) {
		struct frame *f = frame_get(pool);
		struct virtio_net_hdr h;
		struct iovec v[] = { { &h, sizeof(h) }, { f ? f->data : NULL, FRAME_LEN_MAX } };
		ssize_t len;

		if (!f)
			break;
		len = readv(t->fd, v, 2);
		if (len <= (ssize_t)sizeof(h)) { /* EAGAIN, or the interface was taken away */
			frame_put(pool, f);
			break;
		}
		f->len = (uint32_t)((size_t)len - sizeof(h));
		if (f->len == FRAME_LEN_MAX || h.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
			t->dropped++; /* cut off by the read: somebody raised the MTU */
			frame_put(pool, f);
			continue;
		}
		out[n++] = f;
	}
	return n;
}

void tap_write(struct tap *t, const uint8_t *frame, size_t len)
{
	struct virtio_net_hdr h = { 0 };
	struct iovec v[] = { { &h, sizeof(h) }, { (void *)(uintptr_t)frame, len } };

	if (writev(t->fd, v, 2) < 0)
		t->dropped++;
}
