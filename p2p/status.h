/* status.h - what p2p tells about its sessions; for `vpnctl peers`, `paths`, `ring`. */
#ifndef P2P_STATUS_H
#define P2P_STATUS_H

#include "p2p/p2p.h"

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
	bool near, bootstrap;	  /* why the ring keeps it */
	bool up;
	usec_t rtt, since;	  /* since: how long the session has been up */
	usec_t heard;		  /* how long ago the last packet came */
	uint64_t tx_packets, tx_bytes, rx_packets, rx_bytes;
	uint8_t suite;		  /* 1 AES-256-GCM, 2 ChaCha20-Poly1305 */
	uint64_t ns_attached;	  /* bit set of namespace numbers */
	struct p2p_path_info paths[P2P_PATHS_MAX];
	uint8_t path_count;
};

#endif
