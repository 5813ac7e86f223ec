/* udp.c - opening and receiving.
 *
 * With UDP_GRO one message holds several datagrams of one sender; so messages land in scratch
 * buffers and are cut into frames from there. A message that does not fit the caller's array stays
 * in scratch for the next call; nothing new is received before it is used up. */
#include "host/udp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "host/udp_internal.h"

#define BUFFER_BYTES (4 << 20)
#define ERRORS_MAX 16 /* passed over per call */

socklen_t udp_name_of(union udp_name *out, const struct addr *a)
{
	memset(out, 0, sizeof(*out));
	if (a->ip.len == 16) {
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons(a->port);
		out->v6.sin6_scope_id = a->scope;
		memcpy(&out->v6.sin6_addr, a->ip.b, 16);
		return sizeof(out->v6);
	}
	out->v4.sin_family = AF_INET;
	out->v4.sin_port = htons(a->port);
	memcpy(&out->v4.sin_addr, a->ip.b, 4);
	return sizeof(out->v4);
}

static struct addr addr_of(const union udp_name *n)
{
	struct addr a = { 0 };

	if (n->sa.sa_family == AF_INET6) {
		a.ip = ip_v6(n->v6.sin6_addr.s6_addr);
		a.port = ntohs(n->v6.sin6_port);
		a.scope = ip_is_link_local(&a.ip) ? n->v6.sin6_scope_id : 0;
	} else {
		a.ip = ip_v4(ntohl(n->v4.sin_addr.s_addr));
		a.port = ntohs(n->v4.sin_port);
	}
	return a;
}

static void set(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value)); /* all of these are wishes */
}

static void set_options(struct udp *u, enum udp_family f)
{
	int fd = u->fd[f];

	/* The FORCE forms pass the system's limit where we may. */
	set(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES);
	set(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES);
	set(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES);
	set(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES);
	set(fd, IPPROTO_UDP, UDP_GRO, 1);
	/* A path that is narrower than our packets fragments them rather than losing them all. */
	if (f == UDP_V4)
		set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
}

static int open_one(struct udp *u, enum udp_family f, const struct addr *at)
{
	struct addr a = *at;
	union udp_name n;
	socklen_t len;
	int fd, one = 1;

	a.ip.len = f == UDP_V6 ? 16 : 4;
	len = udp_name_of(&n, &a);
	fd = socket(n.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (f == UDP_V6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, &n.sa, len) < 0 || getsockname(fd, &n.sa, &len) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	u->port = ntohs(f == UDP_V6 ? n.v6.sin6_port : n.v4.sin_port);
	u->fd[f] = fd;
	set_options(u, f);
	return 0;
}

static void close_both(struct udp *u)
{
	for (size_t f = 0; f < UDP_FAMILIES; f++) {
		if (u->fd[f] >= 0)
			close(u->fd[f]);
		u->fd[f] = -1;
	}
}

/* Both sockets on one port, or one socket where the host has one family only. */
static int open_pair(struct udp *u, const struct addr *listen, uint16_t port)
{
	struct addr a = *listen;
	int r;

	a.port = port;
	if (a.ip.len == 16)
		return open_one(u, UDP_V6, &a);
	r = open_one(u, UDP_V4, &a);
	if (a.ip.len == 4 || (r < 0 && r != -EAFNOSUPPORT))
		return r;
	if (r == 0)
		a.port = u->port;
	r = open_one(u, UDP_V6, &a);
	if (r == -EADDRINUSE) {
		close_both(u);
		return r;
	}
	return u->fd[UDP_V4] >= 0 ? 0 : r;
}

int udp_open(struct udp **out, const struct addr *listen, const struct log *log)
{
	struct udp *u = mem_new(sizeof(*u));
	int r;

	u->log = log;
	u->gso = true;
	u->fd[UDP_V4] = u->fd[UDP_V6] = -1;
	r = open_pair(u, listen, listen->port);
	if (r == -EADDRINUSE && listen->port)
		log_warn(log, "UDP port %u is taken, another one is used", listen->port);
	for (int i = 0; r == -EADDRINUSE && i < 8; i++)
		r = open_pair(u, listen, 0);
	if (r < 0) {
		close_both(u);
		free(u);
		return r;
	}
	u->queue = mem_new(UDP_QUEUE_MAX * sizeof(*u->queue));
	u->scratch = mem_new(UDP_MESSAGES * UDP_MESSAGE_LEN);
	*out = u;
	return 0;
}

void udp_close(struct udp *u)
{
	if (!u)
		return;
	close_both(u);
	free(u->queue);
	free(u->scratch);
	free(u);
}

int udp_fd(const struct udp *u, enum udp_family f)
{
	return u->fd[f];
}

uint16_t udp_port(const struct udp *u)
{
	return u->port;
}

const struct udp_stats *udp_stats(const struct udp *u)
{
	return &u->stats;
}

/* The size of the datagrams that were joined into this message; its own length if it is one. */
static size_t joined_size(struct msghdr *m, size_t len)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		int size;

		if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO)
			continue;
		memcpy(&size, CMSG_DATA(c), sizeof(size));
		return size > 0 ? (size_t)size : len;
	}
	return len;
}

static void receive_messages(struct udp *u, enum udp_family f)
{
	union {
		char b[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control[UDP_MESSAGES];
	struct mmsghdr m[UDP_MESSAGES] = { 0 };
	struct iovec v[UDP_MESSAGES];
	union udp_name from[UDP_MESSAGES];
	int n = -1;

	for (size_t i = 0; i < UDP_MESSAGES; i++) {
		v[i] = (struct iovec){ u->scratch + i * UDP_MESSAGE_LEN, UDP_MESSAGE_LEN };
		m[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof(from[i]),
						.msg_iov = &v[i], .msg_iovlen = 1,
						.msg_control = control[i].b,
						.msg_controllen = sizeof(control[i].b) };
	}
	/* Others than EAGAIN are what ICMP said about something sent: read on. */
	for (int tries = 0; n < 0 && tries < ERRORS_MAX; tries++) {
		n = recvmmsg(u->fd[f], m, UDP_MESSAGES, MSG_DONTWAIT, NULL);
		if (n < 0 && errno == EAGAIN)
			break;
	}
	u->got_at = 0;
	u->got_count = n > 0 ? (size_t)n : 0;
	for (size_t i = 0; i < u->got_count; i++)
		u->got[i] = (struct udp_received){ 0, m[i].msg_len,
						   joined_size(&m[i].msg_hdr, m[i].msg_len),
						   addr_of(&from[i]) };
}

/* The next datagram of what is in scratch, as a frame. NULL: none fit for one. */
static struct frame *cut(struct udp *u, struct frame_pool *pool)
{
	struct udp_received *g = &u->got[u->got_at];
	const uint8_t *from = u->scratch + u->got_at * UDP_MESSAGE_LEN + g->at;
	size_t len = g->len - g->at < g->size ? g->len - g->at : g->size;
	struct frame *f = NULL;

	if (len > FRAME_LEN_MAX) {
		u->stats.too_long++;
	} else if (len) {
		f = frame_get(pool);
		if (!f) {
			u->stats.no_frame++;
		} else {
			memcpy(f->data, from, len);
			f->len = (uint32_t)len;
			f->remote = g->from;
		}
	}
	g->at += len;
	if (g->at == g->len)
		u->got_at++;
	return f;
}

bool udp_pending(const struct udp *u)
{
	return u->got_at < u->got_count;
}

size_t udp_receive(struct udp *u, enum udp_family f, struct frame_pool *pool, struct frame *out[],
		   size_t max)
{
	size_t n = 0;

	while (n < max) {
		struct frame *frame;

		if (!udp_pending(u)) {
			if (n) /* what is there is worth a turn of its own */
				break;
			receive_messages(u, f);
			if (!udp_pending(u))
				break;
		}
		frame = cut(u, pool);
		if (frame)
			out[n++] = frame;
	}
	return n;
}
