/* status.h - what p2p tells about its sessions; for `vpnctl peers`, `paths`, `ring`. */
#ifndef P2P_STATUS_H
#define P2P_STATUS_H

#include "p2p/p2p.h"
#include "p2p/ring.h"

#define P2P_PATHS_MAX 8

enum p2p_path_kind { P2P_PATH_NONE, P2P_PATH_DIRECT, P2P_PATH_RING };

struct p2p_path_info {
	struct addr addr;
	uint8_t socket;
	bool proven, used;
	usec_t rtt; /* 0 = unknown */
	usec_t heard; /* how long ago something arrived on it; USEC_NEVER = never */
};

struct p2p_peer_info {
	struct pubkey key;
	uint32_t session;	  /* 0 = not up */
	enum p2p_path_kind kind;  /* of the path in use */
	uint8_t ring_hops;	  /* for P2P_PATH_RING, 0 = unknown */
	enum ring_role role;	  /* why the ring keeps it */
	bool near, bootstrap;	  /* it does; it is a bootstrap */
	bool up;
	usec_t rtt, since;	  /* since: how long the session has been up */
	usec_t heard;		  /* how long ago the last packet came */
	uint64_t tx_packets, tx_bytes, rx_packets, rx_bytes;
	uint8_t suite;		  /* 1 AES-256-GCM, 2 ChaCha20-Poly1305 */
	uint64_t ns_attached;	  /* bit set of namespace numbers */
	struct p2p_path_info paths[P2P_PATHS_MAX];
	uint8_t path_count;
};

/* What left, by kind. What runs along the ring counts as ROUTED of the link that carried it, and
 * by the nodes that forward it once more. Data of the fast path is told by peer only. */
enum p2p_sent_kind {
	P2P_SENT_HANDSHAKE,
	P2P_SENT_WHOIS,
	P2P_SENT_DATA,
	P2P_SENT_PROBE,
	P2P_SENT_KEEPALIVE,
	P2P_SENT_ACK,
	P2P_SENT_CLOSE,
	P2P_SENT_ROUTED,  /* and the service of ROUTED */
	P2P_SENT_MESSAGE = P2P_SENT_ROUTED + ROUTED_SERVICES, /* and that of the channel */
	P2P_SENT_KINDS = P2P_SENT_MESSAGE + SERVICES
};

struct p2p_sent {
	uint64_t packets[P2P_SENT_KINDS], bytes[P2P_SENT_KINDS]; /* UDP payload */
};
const struct p2p_sent *p2p_sent(const struct p2p *p);
const char *p2p_sent_text(enum p2p_sent_kind kind);
struct ring_info p2p_ring_info(const struct p2p *p);

#endif
