/* frame.h - what travels on the data path: one frame with head room, and the pool it comes from.
 *
 * A frame belongs to the pool of one lane. The host fills it, the fast-path functions of vnet and
 * p2p rewrite it in place and set its `verdict`, the host sends it and gives it back. Whoever
 * wants to keep one longer copies it into a bounded queue. Nothing here allocates after
 * frame_pool_init. */
#ifndef BASE_FRAME_H
#define BASE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/drop.h"

#define FRAME_HEAD 64	  /* head room: 16 header + 14 Ethernet and to spare */
#define FRAME_TAIL 32	  /* AEAD tag */
#define FRAME_LEN_MAX 1792 /* longest frame or datagram carried */
#define FRAME_STORE (FRAME_HEAD + FRAME_LEN_MAX + FRAME_TAIL)

enum frame_verdict {
	FRAME_DROP,    /* counted under `drop` */
	FRAME_TO_PEER, /* seal for `session` under `tag` as `type` */
	FRAME_TO_WIRE, /* sealed: send to `remote` through socket `socket` */
	FRAME_ROUTED,  /* sealed, but the session has only a routed path: p2p_send_routed */
	FRAME_OPENED,  /* opened data: vnet_from_session */
	FRAME_CONTROL, /* for p2p's slow path: p2p_input */
	FRAME_TO_PORT, /* Ethernet frame for `port` */
	FRAME_UPCALL,  /* for vnet's slow path: vnet_upcall */
};

struct frame {
	uint8_t *data;	    /* first byte in use, within store */
	uint32_t len;	    /* bytes in use */
	uint8_t verdict;    /* enum frame_verdict */
	uint8_t drop;	    /* enum drop */
	uint8_t type;	    /* enum packet_type of p2p/packet.h on the wire: IP or Ethernet */
	uint8_t socket;	    /* which socket it came from or goes to */
	uint16_t ns;	    /* local namespace number */
	uint16_t port;	    /* local port number within the namespace */
	uint32_t session;   /* local session handle, 0 = none */
	uint32_t tag;	    /* 24-bit tag */
	struct addr remote; /* underlay address it came from or goes to */
	struct frame *next; /* pool's free list */
	uint8_t store[FRAME_STORE];
};

struct frame_pool {
	struct frame *all, *free;
	size_t count, free_count;
};

void frame_pool_init(struct frame_pool *p, size_t count);
void frame_pool_fini(struct frame_pool *p);
/* Empty, with FRAME_HEAD of head room; NULL when none is left. */
struct frame *frame_get(struct frame_pool *p);
void frame_put(struct frame_pool *p, struct frame *f);

static inline void frame_drop(struct frame *f, enum drop why)
{
	f->verdict = FRAME_DROP;
	f->drop = (uint8_t)why;
}

static inline size_t frame_head_room(const struct frame *f)
{
	return (size_t)(f->data - f->store);
}

static inline size_t frame_tail_room(const struct frame *f)
{
	return FRAME_STORE - frame_head_room(f) - f->len;
}

#endif
