/* event.h - what p2p tells its owner; part of the public face p2p.h. */
#ifndef P2P_EVENT_H
#define P2P_EVENT_H

#include "base/addr.h"
#include "base/key.h"

enum p2p_event_type {
	P2P_SESSION_UP,	  /* peer, session, leaf */
	P2P_SESSION_DOWN, /* peer, session; all its attachments are gone too (no DETACHED each) */
	P2P_MESSAGE,	  /* peer (authenticated), service, msg: a whole control message */
	P2P_ROUTED,	  /* peer, agent (both claimed, not proven), service, msg, nearest; number = the
			   * links it came over */
	P2P_ATTACHED,	  /* ns, peer, session, tag (for sending to it), msg = its membership grant */
	P2P_DETACHED,	  /* ns, peer, session */
	P2P_REFUSED,	  /* ns, peer: it refused to attach */
	P2P_UNREACHABLE,  /* peer: a wanted session could not be made; tried again with back-off */
	P2P_REVOCATION,	  /* ns, peer, number: it knows of a revocation list above ours */
	P2P_WRONG_KEY,	  /* addr: a bootstrap address that answers nothing to our overlay key */
	P2P_SUPERSEDED,	  /* peer: it says that a later start of another process has our key */
	P2P_DATA,	  /* ns, peer, session, tag, service = packet type (IP, ETHERNET), msg: data
			   * that p2p_input opened, as FRAME_OPENED: it came by the ring, from a
			   * new address, or under a new key */
};

struct p2p_event {
	enum p2p_event_type type;
	struct pubkey peer;
	struct node_id agent;
	struct addr addr;
	uint32_t session, tag;
	uint16_t ns;
	uint8_t service;
	bool leaf;    /* the peer is one: it holds and answers nothing */
	bool nearest; /* sent to whoever stands nearest, not to us by name */
	uint64_t number;
	const uint8_t *msg; /* valid during the call only */
	size_t len;
};

#endif
