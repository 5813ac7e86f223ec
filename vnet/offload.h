/* offload.h - what network cards do for TCP, as pure functions: cutting one large packet into
 * segments, joining segments into one, finishing checksums. Packets start at the IP header. */
#ifndef VNET_OFFLOAD_H
#define VNET_OFFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OFFLOAD_LEN_MAX 65535 /* bytes of one large packet */
#define OFFLOAD_MSS_MIN 64    /* smaller segments are not cut: their number is bounded by this */

/* The fields of a virtio_net_hdr that go with a packet, offsets from the IP header. */
struct offload {
	bool tcp;		/* one large packet: to be cut (GSO_TCPV4 or GSO_TCPV6) */
	bool partial;		/* NEEDS_CSUM: the checksum field holds the sum of the pseudo header */
	uint16_t header_len;	/* IP and TCP headers */
	uint16_t mss;		/* payload bytes of every segment but the last */
	uint16_t csum_start, csum_offset;
};

/* Finishes a partial checksum in place: the field holds the sum of the pseudo header, the rest
 * from csum_start on is added. 0, or -EINVAL when the field does not lie in the packet. */
int offload_checksum(uint8_t *pkt, size_t len, const struct offload *o);

/* Cutting: begin, then next until it returns 0. The large packet is only read. */
struct offload_cut {
	const uint8_t *pkt;
	size_t len, tcp_at, header_len, at; /* at: next payload byte, from the packet's start */
	uint16_t mss, id;
	uint32_t seq;
	bool v4;
};
/* 0, or -EINVAL when pkt is no whole IPv4 or IPv6 TCP packet of exactly len bytes with payload,
 * or the mss is below OFFLOAD_MSS_MIN. */
int offload_cut_begin(struct offload_cut *c, const uint8_t *pkt, size_t len, uint16_t mss);
/* The next segment with all checksums finished; its length, 0 when there is none left or it does
 * not fit into size (which is at least header_len + mss). */
size_t offload_cut_next(struct offload_cut *c, uint8_t *out, size_t size);

/* Joining: begin with a segment, add those that follow, end. */
struct offload_join {
	uint8_t *pkt; /* the caller's buffer */
	size_t size, len, tcp_at, header_len;
	uint16_t mss, id;
	uint32_t next_seq;
	unsigned count; /* segments in it */
	bool v4, closed;
};
/* Copies the segment. False when it is none that may be joined (then the buffer is untouched):
 * TCP with payload and a right checksum, flags ACK, PSH, CWR, ECE, FIN only, no IP options. */
bool offload_join_begin(struct offload_join *j, uint8_t *buf, size_t size, const uint8_t *pkt,
			size_t len);
/* True when the segment directly follows and was taken in; else end this one and begin anew. */
bool offload_join_add(struct offload_join *j, const uint8_t *pkt, size_t len);
/* Completes the headers; returns the length. One segment alone comes out as it went in. */
size_t offload_join_end(struct offload_join *j, struct offload *o);

#endif
