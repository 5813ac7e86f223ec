/* udp_send.c - sending: runs of frames of one size to one destination leave as one message that the
 * kernel cuts (UDP_SEGMENT), all messages of a batch in one sendmmsg.
 *
 * When a socket's buffer is full, datagrams wait in one bounded ring, in order, until the owner
 * sees the socket writable; beyond the bound they are dropped and counted, like on any full
 * link. */
#include "host/udp.h"

#include <assert.h>
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#include "base/list.h"
#include "host/udp_internal.h"

#define SEGMENTS_MAX 44	    /* per message; the kernel takes 64 */
#define JOINED_MAX 65000    /* bytes per message */

/* One message: frames first..first+count-1 of the batch. */
struct run {
	size_t first, count, bytes;
	union udp_name name;
	union {
		char b[CMSG_SPACE(sizeof(uint16_t))];
		struct cmsghdr align;
	} control;
};

static void enqueue(struct udp *u, const struct addr *to, const uint8_t *pkt, size_t len)
{
	struct udp_waiting *w;

	if (u->queue_count == UDP_QUEUE_MAX || len > sizeof(w->pkt)) {
		u->stats.queue_full++;
		return;
	}
	w = &u->queue[(u->queue_at + u->queue_count++) % UDP_QUEUE_MAX];
	w->to = *to;
	w->len = len;
	memcpy(w->pkt, pkt, len);
	u->queue_of[udp_family(to)]++;
}

/* 0 sent (or refused for good), -EAGAIN: the buffer is full. */
static int send_one(struct udp *u, const struct addr *to, const uint8_t *pkt, size_t len)
{
	union udp_name n;
	socklen_t name_len = udp_name_of(&n, to);
	int fd = u->fd[udp_family(to)];

	if (fd < 0) {
		u->stats.unsent++;
		return 0;
	}
	for (int tries = 0; tries < 3; tries++) {
		u->stats.sends++;
		if (sendto(fd, pkt, len, MSG_DONTWAIT, &n.sa, name_len) >= 0)
			return 0;
		if (errno == EAGAIN || errno == ENOBUFS)
			return -EAGAIN;
		/* ECONNREFUSED and its like are what ICMP said about an earlier datagram. */
	}
	u->stats.unsent++;
	return 0;
}

void udp_send(struct udp *u, const struct addr *to, const uint8_t *pkt, size_t len)
{
	if (u->queue_of[udp_family(to)] || send_one(u, to, pkt, len) < 0)
		enqueue(u, to, pkt, len);
}

bool udp_waiting(const struct udp *u, enum udp_family f)
{
	return u->queue_of[f] > 0;
}

void udp_flush(struct udp *u)
{
	bool full[UDP_FAMILIES] = { false };
	size_t count = u->queue_count;

	/* Each is taken out once; what cannot go yet is put behind, so the order within a family
	 * stays. */
	for (size_t i = 0; i < count; i++) {
		struct udp_waiting *w = &u->queue[u->queue_at];
		enum udp_family f = udp_family(&w->to);

		if (!full[f])
			full[f] = send_one(u, &w->to, w->pkt, w->len) < 0;
		u->queue_at = (u->queue_at + 1) % UDP_QUEUE_MAX;
		u->queue_count--;
		u->queue_of[f]--;
		if (full[f]) {
			struct udp_waiting *end =
				&u->queue[(u->queue_at + u->queue_count) % UDP_QUEUE_MAX];

			if (end != w)
				*end = *w;
			u->queue_count++;
			u->queue_of[f]++;
		}
	}
}

static bool joins(const struct udp *u, const struct run *r, struct frame *const frames[],
		  const struct frame *f)
{
	const struct frame *first = frames[r->first], *last = frames[r->first + r->count - 1];

	return u->gso && r->count < SEGMENTS_MAX && last->len == first->len &&
	       f->len <= first->len && r->bytes + f->len <= JOINED_MAX &&
	       addr_equal(&f->remote, &first->remote);
}

static size_t make_runs(const struct udp *u, struct run runs[], struct frame *const frames[],
			size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (n && joins(u, &runs[n - 1], frames, frames[i])) {
			runs[n - 1].count++;
			runs[n - 1].bytes += frames[i]->len;
			continue;
		}
		runs[n].first = i;
		runs[n].count = 1;
		runs[n].bytes = frames[i]->len;
		n++;
	}
	return n;
}

static void make_message(struct msghdr *m, struct run *r, struct iovec *v,
			 struct frame *const frames[])
{
	struct frame *const *f = frames + r->first;

	*m = (struct msghdr){ .msg_name = &r->name, .msg_iov = v, .msg_iovlen = r->count };
	m->msg_namelen = udp_name_of(&r->name, &f[0]->remote);
	for (size_t i = 0; i < r->count; i++)
		v[i] = (struct iovec){ f[i]->data, f[i]->len };
	if (r->count > 1) {
		uint16_t size = (uint16_t)f[0]->len;
		struct cmsghdr *c;

		m->msg_control = r->control.b;
		m->msg_controllen = sizeof(r->control.b);
		c = CMSG_FIRSTHDR(m);
		c->cmsg_level = IPPROTO_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(size));
		memcpy(CMSG_DATA(c), &size, sizeof(size));
	}
}

/* Datagram by datagram: for a run the kernel would not cut, and for everything behind a full
 * buffer. */
static void send_singly(struct udp *u, struct frame *const frames[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		udp_send(u, &frames[i]->remote, frames[i]->data, frames[i]->len);
}

/* A message that was refused: by a device or route that cannot cut, or for one of its own faults. */
static void refused(struct udp *u, const struct run *r, struct frame *const frames[], int error)
{
	if (r->count > 1 && error == EIO) {
		log_debug(u->log, "the kernel does not cut datagrams here; going on without");
		u->gso = false;
	}
	send_singly(u, frames + r->first, r->count);
}

static void send_runs(struct udp *u, int fd, struct run runs[], size_t count,
		      struct frame *const frames[])
{
	struct mmsghdr m[UDP_BATCH];
	struct iovec v[UDP_BATCH];
	size_t at = 0;

	for (size_t i = 0; i < count; i++)
		make_message(&m[i].msg_hdr, &runs[i], v + runs[i].first, frames);
	while (at < count) {
		int n = sendmmsg(fd, m + at, (unsigned)(count - at), MSG_DONTWAIT);

		u->stats.sends++;
		if (n > 0) {
			at += (size_t)n;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			for (; at < count; at++)
				for (size_t i = 0; i < runs[at].count; i++) {
					const struct frame *f = frames[runs[at].first + i];

					enqueue(u, &f->remote, f->data, f->len);
				}
		} else {
			refused(u, &runs[at], frames, errno);
			at++;
		}
	}
}

static void send_family(struct udp *u, enum udp_family family, struct frame *const frames[],
			size_t count)
{
	struct run runs[UDP_BATCH];

	if (u->fd[family] < 0)
		u->stats.unsent += count;
	else if (u->queue_of[family])
		send_singly(u, frames, count); /* behind what waits */
	else
		send_runs(u, u->fd[family], runs, make_runs(u, runs, frames, count), frames);
}

void udp_send_frames(struct udp *u, struct frame *const frames[], size_t count)
{
	struct frame *of[UDP_FAMILIES][UDP_BATCH];
	size_t n[UDP_FAMILIES] = { 0 };

	assert(count <= UDP_BATCH);
	for (size_t i = 0; i < count; i++) {
		enum udp_family f = udp_family(&frames[i]->remote);

		if (frames[i]->verdict == FRAME_TO_WIRE)
			of[f][n[f]++] = frames[i];
	}
	for (size_t f = 0; f < UDP_FAMILIES; f++)
		if (n[f])
			send_family(u, (enum udp_family)f, of[f], n[f]);
}
