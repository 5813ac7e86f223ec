/* udp.h - the pair of UDP sockets (IPv4 and IPv6, one port) that the node talks through.
 *
 * Not thread-safe. Sockets are chosen by the family of the address. Errors that ICMP reports are
 * not errors here: the node finds out by silence. */
#ifndef HOST_UDP_H
#define HOST_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/frame.h"
#include "base/log.h"

#define UDP_BATCH 64	  /* frames per call */
#define UDP_QUEUE_MAX 128 /* datagrams kept while a socket's buffer is full */

enum udp_family { UDP_V4, UDP_V6, UDP_FAMILIES };

struct udp;

struct udp_stats {
	uint64_t too_long;   /* received, longer than FRAME_LEN_MAX */
	uint64_t queue_full; /* not sent: UDP_QUEUE_MAX were waiting */
	uint64_t no_frame;   /* received, no frame left in the pool */
	uint64_t unsent;     /* refused by the kernel */
	uint64_t sends;	     /* system calls that sent */
};

/* Binds listen->port, or any free one when it is taken. listen->ip.len 0: both families; else that
 * address only. 0 or negative errno. */
int udp_open(struct udp **out, const struct addr *listen, const struct log *log);
void udp_close(struct udp *u);
int udp_fd(const struct udp *u, enum udp_family f); /* -1: no such socket */
uint16_t udp_port(const struct udp *u);
const struct udp_stats *udp_stats(const struct udp *u);

/* At most max (<= UDP_BATCH) received datagrams, in frames of the pool; the caller puts them back.
 * 0: nothing is there. Datagrams that one system call brought and that found no room here come
 * with the next call: go on while udp_pending. */
size_t udp_receive(struct udp *u, enum udp_family f, struct frame_pool *pool, struct frame *out[],
		   size_t max);
bool udp_pending(const struct udp *u);

/* Sends the frames with verdict FRAME_TO_WIRE to their `remote`; others are passed over. Frames are
 * free again on return. */
void udp_send_frames(struct udp *u, struct frame *const frames[], size_t count);
void udp_send(struct udp *u, const struct addr *to, const uint8_t *pkt, size_t len);
/* What waits because a buffer was full: watch for writability while this is true, then flush. */
bool udp_waiting(const struct udp *u, enum udp_family f);
void udp_flush(struct udp *u);

#endif
