/* netlink.c - two sockets on libnl-route: one asks, one listens for changes.
 *
 * Listening only says that something changed; the owner then lists again. What changed is not
 * interpreted, so lost notices cost nothing. */
#include "host/netlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet.h>
#include <netlink/route/route.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/list.h"
#include "base/mem.h"

struct netlink {
	struct nl_sock *ask, *listen;
};

static const struct {
	int nl, system;
} errors[] = {
	{ NLE_EXIST, EEXIST },	 { NLE_PERM, EPERM },	   { NLE_NOADDR, EADDRNOTAVAIL },
	{ NLE_NODEV, ENODEV },	 { NLE_NOACCESS, EACCES }, { NLE_OBJ_NOTFOUND, ENOENT },
	{ NLE_BUSY, EBUSY },	 { NLE_INVAL, EINVAL },	   { NLE_AF_NOSUPPORT, EAFNOSUPPORT },
	{ NLE_RANGE, ERANGE },	 { NLE_OPNOTSUPP, EOPNOTSUPP },
};

static int to_errno(int nl)
{
	if (nl >= 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		if (errors[i].nl == -nl)
			return -errors[i].system;
	return -EIO;
}

int netlink_open(struct netlink **out)
{
	struct netlink *n = mem_new(sizeof(*n));
	int r;

	n->ask = nl_socket_alloc();
	n->listen = nl_socket_alloc();
	if (!n->ask || !n->listen) {
		netlink_close(n);
		return -ENOMEM;
	}
	nl_socket_disable_seq_check(n->listen);
	r = nl_connect(n->ask, NETLINK_ROUTE);
	if (r == 0)
		r = nl_connect(n->listen, NETLINK_ROUTE);
	if (r == 0)
		r = nl_socket_set_nonblocking(n->listen);
	if (r == 0)
		r = nl_socket_add_memberships(n->listen, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
					      RTNLGRP_IPV6_IFADDR, 0);
	if (r < 0) {
		netlink_close(n);
		return to_errno(r);
	}
	*out = n;
	return 0;
}

void netlink_close(struct netlink *n)
{
	if (!n)
		return;
	nl_socket_free(n->ask);
	nl_socket_free(n->listen);
	free(n);
}

int netlink_link_up(struct netlink *n, unsigned ifindex, uint16_t mtu)
{
	struct rtnl_link *change = rtnl_link_alloc();
	int r;

	if (!change)
		return -ENOMEM;
	rtnl_link_set_ifindex(change, (int)ifindex);
	rtnl_link_set_flags(change, IFF_UP);
	if (mtu)
		rtnl_link_set_mtu(change, mtu);
	r = rtnl_link_change(n->ask, change, change, 0);
	rtnl_link_put(change);
	return to_errno(r);
}

int netlink_keep_secondaries(struct netlink *n, unsigned ifindex)
{
	struct rtnl_link *change = rtnl_link_alloc();
	int r;

	if (!change)
		return -ENOMEM;
	rtnl_link_set_ifindex(change, (int)ifindex);
	r = rtnl_link_inet_set_conf(change, IPV4_DEVCONF_PROMOTE_SECONDARIES, 1);
	if (r == 0)
		r = rtnl_link_change(n->ask, change, change, 0);
	rtnl_link_put(change);
	return to_errno(r);
}

static struct nl_addr *to_nl(const struct ip *ip, uint8_t bits)
{
	struct nl_addr *a = nl_addr_build(ip->len == 4 ? AF_INET : AF_INET6, ip->b, ip->len);

	if (a)
		nl_addr_set_prefixlen(a, bits);
	return a;
}

static struct ip from_nl(const struct nl_addr *a)
{
	struct ip ip = { 0 };
	unsigned len = a ? nl_addr_get_len(a) : 0;

	if (len == 4 || len == 16) {
		ip.len = (uint8_t)len;
		memcpy(ip.b, nl_addr_get_binary_addr(a), len);
	}
	return ip;
}

int netlink_address(struct netlink *n, unsigned ifindex, const struct ip *ip, uint8_t bits,
		    bool add)
{
	struct rtnl_addr *a = rtnl_addr_alloc();
	struct nl_addr *local = to_nl(ip, bits);
	int r = a && local ? 0 : -NLE_NOMEM;

	if (r == 0) {
		rtnl_addr_set_ifindex(a, (int)ifindex);
		r = rtnl_addr_set_local(a, local);
	}
	if (r == 0 && ip->len == 16)
		rtnl_addr_set_flags(a, IFA_F_NODAD);
	if (r == 0)
		r = add ? rtnl_addr_add(n->ask, a, 0) : rtnl_addr_delete(n->ask, a, 0);
	if (local)
		nl_addr_put(local);
	if (a)
		rtnl_addr_put(a);
	if ((add && r == -NLE_EXIST) || (!add && (r == -NLE_NOADDR || r == -NLE_NODEV)))
		return 0;
	return to_errno(r);
}

static bool is_up(struct nl_cache *links, int ifindex)
{
	struct rtnl_link *l = rtnl_link_get(links, ifindex);
	bool up = l && (rtnl_link_get_flags(l) & IFF_UP);

	if (l)
		rtnl_link_put(l);
	return up;
}

static bool is_reachable(const struct ip *ip)
{
	return ip->len && !ip_is_multicast(ip) && !(ip->len == 16 && ip_is_link_local(ip));
}

struct listing {
	bool (*own)(void *ctx, unsigned ifindex);
	void *ctx;
	struct addr *out;
	size_t max;
};

/* One pass over all addresses: loopback ones, or all others. */
static size_t list_pass(struct nl_cache *links, struct nl_cache *addrs, const struct listing *l,
			bool loopback)
{
	size_t n = 0;

	for (struct nl_object *o = nl_cache_get_first(addrs); o && n < l->max;
	     o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;
		int ifindex = rtnl_addr_get_ifindex(a);
		struct ip ip = from_nl(rtnl_addr_get_local(a));

		if (!is_reachable(&ip) || ip_is_loopback(&ip) != loopback ||
		    !is_up(links, ifindex) || l->own(l->ctx, (unsigned)ifindex) ||
		    (rtnl_addr_get_flags(a) & (IFA_F_TENTATIVE | IFA_F_DEPRECATED)))
			continue;
		l->out[n++] = (struct addr){ .ip = ip };
	}
	return n;
}

size_t netlink_addresses(struct netlink *n, bool (*own)(void *ctx, unsigned ifindex), void *ctx,
			 struct addr out[], size_t max)
{
	struct listing l = { own, ctx, out, max };
	struct nl_cache *links = NULL, *addrs = NULL;
	size_t count = 0;

	if (rtnl_link_alloc_cache(n->ask, AF_UNSPEC, &links) == 0 &&
	    rtnl_addr_alloc_cache(n->ask, &addrs) == 0) {
		count = list_pass(links, addrs, &l, false);
		if (count == 0)
			count = list_pass(links, addrs, &l, true);
	}
	if (addrs)
		nl_cache_free(addrs);
	if (links)
		nl_cache_free(links);
	return count;
}

/* Its IPv4 subnets; host bits are cleared, as struct prefix wants it. */
static void list_nets(struct nl_cache *addrs, struct netlink_lan *lan)
{
	for (struct nl_object *o = nl_cache_get_first(addrs); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;
		struct prefix p = { .ip = from_nl(rtnl_addr_get_local(a)) };
		int bits = rtnl_addr_get_prefixlen(a);

		if (rtnl_addr_get_ifindex(a) != (int)lan->ifindex || p.ip.len != 4 ||
		    lan->net_count == NETLINK_LAN_NETS)
			continue;
		p.bits = (uint8_t)bits;
		p.ip = ip_v4(bits ? ip_to_v4(&p.ip) & UINT32_MAX << (32 - bits) : 0);
		lan->nets[lan->net_count++] = p;
	}
}

static bool is_lan(struct rtnl_link *l)
{
	unsigned flags = rtnl_link_get_flags(l);

	return (flags & IFF_UP) && (flags & IFF_MULTICAST) &&
	       !(flags & (IFF_LOOPBACK | IFF_POINTOPOINT)) && !rtnl_link_get_master(l);
}

size_t netlink_lans(struct netlink *n, bool (*own)(void *ctx, unsigned ifindex), void *ctx,
		    struct netlink_lan out[], size_t max)
{
	struct nl_cache *links = NULL, *addrs = NULL;
	size_t count = 0;

	if (rtnl_link_alloc_cache(n->ask, AF_UNSPEC, &links) == 0 &&
	    rtnl_addr_alloc_cache(n->ask, &addrs) == 0) {
		for (struct nl_object *o = nl_cache_get_first(links); o && count < max;
		     o = nl_cache_get_next(o)) {
			struct rtnl_link *l = (struct rtnl_link *)o;
			unsigned ifindex = (unsigned)rtnl_link_get_ifindex(l);

			if (!is_lan(l) || own(ctx, ifindex))
				continue;
			out[count] = (struct netlink_lan){ .ifindex = ifindex };
			list_nets(addrs, &out[count++]);
		}
	}
	if (addrs)
		nl_cache_free(addrs);
	if (links)
		nl_cache_free(links);
	return count;
}

static bool overlaps(const struct nl_addr *a, const struct prefix *p)
{
	struct prefix q = { .ip = from_nl(a) };

	if (q.ip.len != p->ip.len)
		return false;
	q.bits = (uint8_t)nl_addr_get_prefixlen(a);
	if (q.bits == 0) /* a default route leaves room for everything */
		return false;
	/* An address with a prefix length has host bits. */
	for (unsigned i = 0; i < q.ip.len; i++) {
		unsigned keep = q.bits > 8 * i ? q.bits - 8 * i : 0;

		if (keep < 8)
			q.ip.b[i] &= (uint8_t)(0xff00 >> keep);
	}
	return prefix_overlaps(&q, p);
}

bool netlink_taken(struct netlink *n, const struct prefix *p)
{
	struct nl_cache *routes = NULL, *addrs = NULL;
	bool taken = false;

	if (rtnl_addr_alloc_cache(n->ask, &addrs) == 0) {
		for (struct nl_object *o = nl_cache_get_first(addrs); o && !taken;
		     o = nl_cache_get_next(o))
			taken = overlaps(rtnl_addr_get_local((struct rtnl_addr *)o), p);
		nl_cache_free(addrs);
	}
	if (!taken && rtnl_route_alloc_cache(n->ask, AF_UNSPEC, 0, &routes) == 0) {
		for (struct nl_object *o = nl_cache_get_first(routes); o && !taken;
		     o = nl_cache_get_next(o))
			taken = overlaps(rtnl_route_get_dst((struct rtnl_route *)o), p);
		nl_cache_free(routes);
	}
	return taken;
}

int netlink_fd(const struct netlink *n)
{
	return nl_socket_get_fd(n->listen);
}

bool netlink_changed(struct netlink *n)
{
	char b[8192];
	bool any = false;
	ssize_t len;

	/* ENOBUFS: more happened than the socket holds; that is a change too. */
	while ((len = recv(netlink_fd(n), b, sizeof(b), MSG_DONTWAIT)) > 0 ||
	       (len < 0 && (errno == ENOBUFS || errno == EINTR)))
		any = true;
	return any;
}
