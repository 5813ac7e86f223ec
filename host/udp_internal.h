/* udp_internal.h - shared by udp.c (open, receive) and udp_send.c only. */
#ifndef HOST_UDP_INTERNAL_H
#define HOST_UDP_INTERNAL_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "host/udp.h"

#define UDP_MESSAGES 8	     /* received per system call, each up to 64 KiB of joined datagrams */
#define UDP_MESSAGE_LEN 65536

union udp_name {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct udp_received { /* one message: datagrams of `size` bytes, the last may be shorter */
	size_t at, len, size;
	struct addr from;
};

struct udp_waiting {
	struct addr to;
	size_t len;
	uint8_t pkt[FRAME_STORE];
};

struct udp {
	int fd[UDP_FAMILIES];
	uint16_t port;
	const struct log *log;
	struct udp_stats stats;
	bool gso; /* the kernel splits for us */
	struct udp_received got[UDP_MESSAGES];
	size_t got_count, got_at;
	/* A ring: datagrams wait in order; both sockets share it. */
	struct udp_waiting *queue;
	size_t queue_at, queue_count, queue_of[UDP_FAMILIES];
	uint8_t *scratch; /* UDP_MESSAGES x UDP_MESSAGE_LEN; touched only as far as used */
};

static inline enum udp_family udp_family(const struct addr *a)
{
	return a->ip.len == 16 ? UDP_V6 : UDP_V4;
}

socklen_t udp_name_of(union udp_name *out, const struct addr *a);

#endif
