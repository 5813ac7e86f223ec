/* view.h - what the fast path reads, and the marks that it writes. fast.c explains both. */
#ifndef P2P_VIEW_H
#define P2P_VIEW_H

#include "base/addr.h"
#include "base/drop.h"
#include "base/time.h"
#include "p2p/aead.h"
#include "p2p/index.h"
#include "p2p/keepalive.h"
#include "p2p/replay.h"
#include "p2p/status.h"

struct session;

/* Lane-owned part of a key: its slice of the nonce space and the window for the sender's lane. */
struct slot_use {
	uint64_t sent;	   /* next count */
	usec_t first_data; /* first non-control packet either way; 0 = none yet */
	struct replay replay;
};

struct key_slot {
	uint32_t index, remote_index; /* ours, in what we receive; theirs */
	struct session *session;      /* for control only */
	const struct peer_view *peer; /* NULL until the key may be received on the fast path */
	struct aead aead;	      /* no keys while our INIT is unanswered */
	bool initiator;		      /* our part in its handshake */
	uint32_t start_counter;	      /* of the peer's process; 0 = not known */
	usec_t made;
	uint64_t remote_instance;
	uint8_t transcript[32];
	struct addr *answered; /* responder, until used: where the RESPONSE went; NULL = the ring */
	struct slot_use use; /* lane 0's part */
};

/* Lane-owned marks of a session. */
struct peer_use {
	struct keepalive_marks marks;
	uint32_t data; /* heard_unit: last data packet, either way; 0 = never */
	bool marked;   /* since the tick last looked: it is in the lane's list */
	uint64_t tx_packets, tx_bytes, rx_packets, rx_bytes;
	struct peer_use *marked_next;
};

struct known_view { /* an address of the peer's */
	struct addr addr;
	uint8_t socket;
	uint32_t *heard; /* the path's mark */
};

struct tag_view {
	uint32_t tag; /* ours, in what we receive */
	uint16_t ns;
};

/* One session that is up and has attachments: no other carries data. Once published it is never
 * changed, but replaced. */
struct peer_view {
	uint32_t handle;
	uint8_t kind; /* enum p2p_path_kind */
	int8_t used; /* place in known, -1 = none */
	uint8_t known_count, tag_count;
	struct key_slot *send; /* NULL = no key to send under */
	struct peer_use *use;
	struct known_view known[]; /* then the tags: view_tags */
};

static inline struct tag_view *view_tags(const struct peer_view *v)
{
	return (struct tag_view *)(v->known + v->known_count);
}

struct p2p_view {
	struct index slots; /* receiver index -> struct key_slot */
	struct index peers; /* handle -> struct peer_view */
};

struct p2p_lane {
	struct drops *drops; /* with one lane, the same that control counts in */
	usec_t used; /* first use since the tick last looked; 0 = none */
	struct peer_use *marked;
};

/* May nothing more be sent or received under this key? */
static inline bool slot_is_expired(const struct key_slot *k, usec_t now)
{
	usec_t data = k->use.first_data;

	return data ? now > data + SEC(180) : now > k->made + SEC(3900);
}

static inline uint64_t slot_messages_max(const struct key_slot *k)
{
	return UINT64_C(1) << (k->aead.suite == AEAD_AES256_GCM ? 32 : 48);
}

/* One received transport packet: checks the counter, opens in place, marks. pkt is the whole
 * packet; its plaintext is then at pkt + PACKET_HEADER_LEN. */
enum drop slot_open(struct key_slot *k, uint8_t *pkt, size_t len, usec_t now);
/* Writes the header before len bytes at pkt + PACKET_HEADER_LEN, seals them; DROP_NONE or why not.
 * The packet is then len + PACKET_OVERHEAD bytes. */
enum drop slot_seal(struct key_slot *k, uint8_t type, uint32_t tag, uint8_t *pkt, size_t len,
		    usec_t now);

#endif
