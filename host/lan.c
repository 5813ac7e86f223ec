/* lan.c - two sockets, members of one group each on every LAN.
 *
 * They are bound to the port with SO_REUSEADDR, so several daemons of one host hear everything; so
 * may any other process, and anybody may send: nothing here is believed, only narrowed. A group of
 * a scope that routers do not forward, and a hop limit that says that none did. A full membership
 * list of the kernel (igmp_max_memberships) leaves LANs unheard, not unserved. */
#include "host/lan.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

#define HOPS 255
#define BUFFER_BYTES 32768 /* a flood is cut off here */

enum { V4, V6 };

union name {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct lan {
	int fd[LAN_FAMILIES];
	struct ip source; /* len 0: what the kernel chooses */
	struct ip group[LAN_FAMILIES];
	struct netlink_lan lans[NETLINK_LANS_MAX];
	size_t count;
};

static bool set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

static socklen_t name_of(union name *n, const struct ip *ip)
{
	memset(n, 0, sizeof(*n));
	if (ip->len == 16) {
		n->v6.sin6_family = AF_INET6;
		n->v6.sin6_port = htons(LAN_PORT);
		memcpy(&n->v6.sin6_addr, ip->b, 16);
		return sizeof(n->v6);
	}
	n->v4.sin_family = AF_INET;
	n->v4.sin_port = htons(LAN_PORT);
	memcpy(&n->v4.sin_addr, ip->b, 4);
	return sizeof(n->v4);
}

static bool set_v4(int fd)
{
	return set(fd, IPPROTO_IP, IP_MULTICAST_TTL, HOPS) && set(fd, IPPROTO_IP, IP_RECVTTL, 1) &&
	       set(fd, IPPROTO_IP, IP_PKTINFO, 1) && set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
}

static bool set_v6(int fd)
{
	return set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
	       set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, HOPS) &&
	       set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
	       set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
	       set(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
}

static int open_one(int family)
{
	struct ip any = { .len = family == V6 ? 16 : 4 };
	union name n;
	socklen_t len = name_of(&n, &any);
	int r, fd = socket(n.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (set(fd, SOL_SOCKET, SO_REUSEADDR, 1) && (family == V6 ? set_v6(fd) : set_v4(fd)) &&
	    set(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES) && bind(fd, &n.sa, len) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

int lan_open(struct lan **out, const struct addr *listen)
{
	struct lan *l = mem_new(sizeof(*l));
	bool ok = ip_parse(&l->group[V4], LAN_GROUP4) && ip_parse(&l->group[V6], LAN_GROUP6);

	assert(ok);
	(void)ok;
	l->source = listen->ip;
	l->fd[V4] = listen->ip.len == 16 ? -EAFNOSUPPORT : open_one(V4);
	l->fd[V6] = listen->ip.len == 4 ? -EAFNOSUPPORT : open_one(V6);
	if (l->fd[V4] < 0 && l->fd[V6] < 0) {
		int r = l->fd[V4] != -EAFNOSUPPORT ? l->fd[V4] : l->fd[V6];

		free(l);
		return r;
	}
	*out = l;
	return 0;
}

void lan_close(struct lan *l)
{
	if (!l)
		return;
	for (int f = 0; f < LAN_FAMILIES; f++)
		if (l->fd[f] >= 0)
			close(l->fd[f]);
	free(l);
}

int lan_fd(const struct lan *l, unsigned family)
{
	return l->fd[family] >= 0 ? l->fd[family] : -1;
}

/* Membership of both sockets; what fails (no IPv6 there, the interface is gone) is left out. */
static void member(const struct lan *l, unsigned ifindex, bool join)
{
	struct ip_mreqn m4 = { .imr_ifindex = (int)ifindex };
	struct ipv6_mreq m6 = { .ipv6mr_interface = ifindex };

	memcpy(&m4.imr_multiaddr, l->group[V4].b, 4);
	memcpy(&m6.ipv6mr_multiaddr, l->group[V6].b, 16);
	if (l->fd[V4] >= 0)
		(void)setsockopt(l->fd[V4], IPPROTO_IP,
				 join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &m4, sizeof(m4));
	if (l->fd[V6] >= 0)
		(void)setsockopt(l->fd[V6], IPPROTO_IPV6,
				 join ? IPV6_ADD_MEMBERSHIP : IPV6_DROP_MEMBERSHIP, &m6, sizeof(m6));
}

static const struct netlink_lan *find(const struct netlink_lan lans[], size_t count,
				      unsigned ifindex)
{
	for (size_t i = 0; i < count; i++)
		if (lans[i].ifindex == ifindex)
			return &lans[i];
	return NULL;
}

bool lan_set(struct lan *l, const struct netlink_lan lans[], size_t count)
{
	bool more = false;

	assert(count <= NETLINK_LANS_MAX);
	for (size_t i = 0; i < l->count; i++)
		if (!find(lans, count, l->lans[i].ifindex))
			member(l, l->lans[i].ifindex, false);
	for (size_t i = 0; i < count; i++) {
		const struct netlink_lan *old = find(l->lans, l->count, lans[i].ifindex);

		more |= !old || lans[i].net_count > old->net_count;
		member(l, lans[i].ifindex, true); /* again is harmless: it may have got IPv6 */
	}
	memcpy(l->lans, lans, count * sizeof(*lans));
	l->count = count;
	return more;
}

static void send_v4(const struct lan *l, const struct netlink_lan *to, struct iovec *v)
{
	union name n;
	union {
		struct cmsghdr align;
		uint8_t b[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control = { 0 };
	struct in_pktinfo info = { .ipi_ifindex = (int)to->ifindex };
	struct msghdr m = { .msg_name = &n, .msg_namelen = name_of(&n, &l->group[V4]), .msg_iov = v,
			    .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control.b) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (l->fd[V4] < 0 || to->net_count == 0)
		return;
	memcpy(&info.ipi_spec_dst, l->source.b, 4); /* zero: the interface's own */
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	(void)sendmsg(l->fd[V4], &m, 0); /* lost is lost: there will be another one */
}

static void send_v6(const struct lan *l, const struct netlink_lan *to, const struct iovec *v)
{
	union name n;
	socklen_t len = name_of(&n, &l->group[V6]);

	n.v6.sin6_scope_id = to->ifindex;
	if (l->fd[V6] >= 0)
		(void)sendto(l->fd[V6], v->iov_base, v->iov_len, 0, &n.sa, len);
}

void lan_send(const struct lan *l, const uint8_t *pkt, size_t len)
{
	struct iovec v = { (void *)(uintptr_t)pkt, len };

	for (size_t i = 0; i < l->count; i++) {
		send_v4(l, &l->lans[i], &v);
		send_v6(l, &l->lans[i], &v);
	}
}

struct arrival { /* what the kernel says about a datagram */
	int hops;
	unsigned ifindex;
	struct ip to;
};

static struct arrival arrival_of(struct msghdr *m)
{
	struct arrival a = { .hops = -1 };
	struct in_pktinfo i4;
	struct in6_pktinfo i6;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		bool v6 = c->cmsg_level == IPPROTO_IPV6;

		if (c->cmsg_type == (v6 ? IPV6_HOPLIMIT : IP_TTL)) {
			memcpy(&a.hops, CMSG_DATA(c), sizeof(a.hops));
		} else if (v6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&i6, CMSG_DATA(c), sizeof(i6));
			a.ifindex = i6.ipi6_ifindex;
			a.to = ip_v6(i6.ipi6_addr.s6_addr);
		} else if (!v6 && c->cmsg_type == IP_PKTINFO) {
			memcpy(&i4, CMSG_DATA(c), sizeof(i4));
			a.ifindex = (unsigned)i4.ipi_ifindex;
			a.to = ip_v4(ntohl(i4.ipi_addr.s_addr));
		}
	}
	return a;
}

/* From a host of this very LAN, for our group? */
static bool is_local(const struct lan *l, const struct arrival *a, const struct ip *from)
{
	const struct netlink_lan *at = find(l->lans, l->count, a->ifindex);

	if (!at || a->hops != HOPS || !ip_equal(&a->to, &l->group[from->len == 16 ? V6 : V4]))
		return false;
	if (from->len == 16)
		return ip_is_link_local(from);
	for (size_t i = 0; i < at->net_count; i++)
		if (prefix_has(&at->nets[i], from))
			return true;
	return false;
}

int lan_receive(struct lan *l, unsigned family, struct addr *from, uint8_t pkt[LAN_DATAGRAM_MAX])
{
	union name n;
	union {
		struct cmsghdr align;
		uint8_t b[256];
	} control;
	struct iovec v = { pkt, LAN_DATAGRAM_MAX };
	struct msghdr m = { .msg_name = &n, .msg_namelen = sizeof(n), .msg_iov = &v,
			    .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t len = recvmsg(l->fd[family], &m, MSG_DONTWAIT);
	struct arrival a;

	if (len < 0)
		return errno == EAGAIN ? -EAGAIN : 0;
	a = arrival_of(&m);
	*from = (struct addr){ 0 };
	from->ip = family == V6 ? ip_v6(n.v6.sin6_addr.s6_addr) :
				  ip_v4(ntohl(n.v4.sin_addr.s_addr));
	from->scope = family == V6 ? a.ifindex : 0;
	return (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || !is_local(l, &a, &from->ip) ? 0 :
											  (int)len;
}
