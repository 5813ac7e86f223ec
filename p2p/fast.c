/* fast.c - the two functions on a frame's way, and how keys are used. docs/protocol.md 4.1.
 *
 * The seam for several lanes: what is here takes a const view and a lane and touches nothing else.
 * The view maps receiver indices to key slots and, where something is attached, session handles to
 * peer views. Both kinds of object are immutable for the reader: control never changes a published
 * peer view but puts another in its place (publish), and a key slot never changes but for its
 * `peer` pointer. What is written on the way are marks: `struct slot_use` (nonce counter and replay
 * window: a lane's slice), `struct peer_use` and a path's `heard`, reached through pointers in the
 * view; the tick reads them. With one lane, these are part of the slot, the session and the path,
 * and control runs between two calls, so views need no copy of the tables and are freed at once;
 * with more, each lane gets its own marks and the freeing waits.
 *
 * p2p_open leaves to the slow path, still sealed: CONTROL and PROBE; handshakes; the first packets
 * under a key that we answered to (taking it into use is control's business); and packets from an
 * address that is no candidate yet. p2p_input opens those and gives data back as P2P_DATA, so
 * nothing is lost. No reply, no allocation, no log here. */
#include "p2p/p2p.h"

#include <assert.h>

#include "p2p/core.h"
#include "p2p/view.h"

#define LANE_OF(counter) ((counter) >> 56)

struct header {
	uint8_t type;
	uint32_t tag, index;
	uint64_t counter;
};

static struct header header_read(const uint8_t *pkt, size_t len)
{
	struct rd r = rd_of(pkt, len);
	struct header h = { .type = rd_u8(&r) & 63, .tag = rd_u24(&r) };

	h.index = rd_u32(&r);
	h.counter = rd_u64(&r);
	assert(rd_ok(&r));
	return h;
}

enum drop slot_open(struct key_slot *k, uint8_t *pkt, size_t len, usec_t now)
{
	struct header h;

	if (len < PACKET_OVERHEAD)
		return DROP_SHORT;
	if (!k || !k->aead.suite)
		return DROP_INDEX;
	h = header_read(pkt, len);
	if (slot_is_expired(k, now))
		return DROP_EXPIRED;
	if (LANE_OF(h.counter) != 0) /* we offer one lane */
		return DROP_MALFORMED;
	if (!replay_may(&k->use.replay, h.counter))
		return DROP_REPLAY;
	if (!aead_open(&k->aead, h.counter, pkt, PACKET_HEADER_LEN, pkt + PACKET_HEADER_LEN,
		       len - PACKET_HEADER_LEN))
		return DROP_SEAL;
	if (!replay_mark(&k->use.replay, h.counter))
		return DROP_REPLAY;
	if (h.tag && !k->use.first_data)
		k->use.first_data = now;
	return DROP_NONE;
}

enum drop slot_seal(struct key_slot *k, uint8_t type, uint32_t tag, uint8_t *pkt, size_t len,
		    usec_t now)
{
	struct wr w = wr_of(pkt, PACKET_HEADER_LEN);

	if (!k || !k->aead.suite)
		return DROP_NO_SESSION;
	if (slot_is_expired(k, now) || k->use.sent >= slot_messages_max(k))
		return DROP_EXPIRED;
	wr_u8(&w, PACKET_VERSION | type);
	wr_u24(&w, tag);
	wr_u32(&w, k->remote_index);
	wr_u64(&w, k->use.sent);
	assert(wr_ok(&w));
	aead_seal(&k->aead, k->use.sent, pkt, PACKET_HEADER_LEN, pkt + PACKET_HEADER_LEN, len);
	k->use.sent++;
	if (tag && !k->use.first_data)
		k->use.first_data = now;
	return DROP_NONE;
}

static void mark(struct p2p_lane *l, struct peer_use *use, usec_t now)
{
	use->data = heard_unit(now);
	if (!use->marked) {
		use->marked = true;
		use->marked_next = l->marked;
		l->marked = use;
	}
	if (!l->used)
		l->used = now ? now : 1;
}

static enum drop seal_one(const struct p2p_view *v, struct p2p_lane *l, struct frame *f, usec_t now)
{
	const struct peer_view *peer = index_get(&v->peers, f->session);
	enum drop why;

	if (!peer)
		return DROP_NO_SESSION;
	if (peer->kind == P2P_PATH_NONE)
		return DROP_NO_ROUTE;
	assert(frame_head_room(f) >= PACKET_HEADER_LEN && frame_tail_room(f) >= PACKET_TAG_LEN);
	assert(f->tag && (f->type == PACKET_IP || f->type == PACKET_ETHERNET));
	why = slot_seal(peer->send, f->type, f->tag, f->data - PACKET_HEADER_LEN, f->len, now);
	if (why)
		return why;
	f->data -= PACKET_HEADER_LEN;
	f->len += PACKET_OVERHEAD;
	peer->use->tx_packets++;
	peer->use->tx_bytes += f->len;
	keepalive_sent(&peer->use->marks, ASKS_SOMETHING, now);
	mark(l, peer->use, now);
	if (peer->kind == P2P_PATH_RING) {
		f->verdict = FRAME_ROUTED;
		return DROP_NONE;
	}
	f->remote = peer->known[peer->used].addr;
	f->socket = peer->known[peer->used].socket;
	f->verdict = FRAME_TO_WIRE;
	return DROP_NONE;
}

void p2p_seal(const struct p2p_view *v, struct p2p_lane *l, struct frame *frames[], size_t n,
	      usec_t now)
{
	for (size_t i = 0; i < n; i++) {
		enum drop why;

		if (frames[i]->verdict != FRAME_TO_PEER)
			continue;
		why = seal_one(v, l, frames[i], now);
		if (!why)
			continue;
		drop_add(l->drops, why);
		frame_drop(frames[i], why);
	}
}

/* The place of the address a packet came from, or -1. The used one is nearly always it. */
static int known_place(const struct peer_view *peer, const struct addr *a)
{
	if (peer->used >= 0 && addr_equal(&peer->known[peer->used].addr, a))
		return peer->used;
	for (int i = 0; i < peer->known_count; i++)
		if (addr_equal(&peer->known[i].addr, a))
			return i;
	return -1;
}

static const struct tag_view *tag_find(const struct peer_view *peer, uint32_t tag)
{
	const struct tag_view *tags = view_tags(peer);

	for (size_t i = 0; i < peer->tag_count; i++)
		if (tags[i].tag == tag)
			return &tags[i];
	return NULL;
}

static void opened(const struct peer_view *peer, struct p2p_lane *l, struct frame *f, int place,
		   usec_t now)
{
	peer->use->rx_packets++;
	peer->use->rx_bytes += f->len;
	*peer->known[place].heard = heard_unit(now);
	keepalive_heard(&peer->use->marks, peer->used < 0 || place == peer->used, now);
	mark(l, peer->use, now);
	f->data += PACKET_HEADER_LEN;
	f->len -= PACKET_OVERHEAD;
	f->session = peer->handle;
	f->verdict = FRAME_OPENED;
}

static enum drop open_data(const struct p2p_view *v, struct p2p_lane *l, struct frame *f,
			   usec_t now)
{
	struct header h;
	struct key_slot *k;
	const struct tag_view *t;
	enum drop why;
	int place;

	if (f->len <= PACKET_OVERHEAD)
		return DROP_SHORT;
	h = header_read(f->data, f->len);
	k = index_get(&v->slots, h.index);
	if (!k || !k->aead.suite)
		return DROP_INDEX;
	place = k->peer ? known_place(k->peer, &f->remote) : -1;
	t = k->peer ? tag_find(k->peer, h.tag) : NULL;
	/* An unknown tag may be that of an attachment whose CONFIRM stands before it in this batch. */
	if (place < 0 || !t) {
		f->verdict = FRAME_CONTROL;
		return DROP_NONE;
	}
	why = slot_open(k, f->data, f->len, now);
	if (why)
		return why;
	opened(k->peer, l, f, place, now);
	f->ns = t->ns;
	f->tag = h.tag;
	f->type = h.type;
	return DROP_NONE;
}

static enum drop open_one(const struct p2p_view *v, struct p2p_lane *l, struct frame *f, usec_t now)
{
	struct rd r = rd_of(f->data, f->len);
	uint8_t first = rd_u8(&r), type = first & 63;

	if (!rd_ok(&r))
		return DROP_SHORT;
	if ((first & 0xc0) != PACKET_VERSION)
		return DROP_VERSION;
	if (type == PACKET_IP || type == PACKET_ETHERNET)
		return open_data(v, l, f, now);
	if ((type >= PACKET_INIT && type <= PACKET_WHOIS_ANSWER) || type == PACKET_CONTROL ||
	    type == PACKET_PROBE || type == PACKET_EXTENDED) {
		f->verdict = FRAME_CONTROL;
		return DROP_NONE;
	}
	return DROP_VERSION;
}

void p2p_open(const struct p2p_view *v, struct p2p_lane *l, struct frame *frames[], size_t n,
	      usec_t now)
{
	for (size_t i = 0; i < n; i++) {
		enum drop why = open_one(v, l, frames[i], now);

		if (!why)
			continue;
		drop_add(l->drops, why);
		frame_drop(frames[i], why);
	}
}
