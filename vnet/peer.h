/* peer.h - the other members this node has flows or an attached session with. */
#ifndef VNET_PEER_H
#define VNET_PEER_H

#include "base/map.h"
#include "base/timer.h"
#include "vnet/held.h"
#include "vnet/vnet.h"

struct peer {
	struct pubkey key;
	uint32_t session, tag;	 /* 0 while not attached */
	usec_t attach_after;	 /* VNET_ATTACH not again before */
	usec_t grant_after;	 /* VNET_WANT_GRANT not again before */
	struct list flows;	 /* that it owns: struct flow.of_owner */
	struct held_queue held;	 /* packets from it whose source is not proven */
	struct list age;
	struct timer grant_timer;
	bool pinned;		 /* somebody is about to give it a flow */
	void *ctx;
};

struct peers {
	struct map by_key, by_session;
	struct list age; /* oldest first */
	void *ctx;
};

void peers_init(struct peers *ps, const uint8_t seed[16], void *ctx);
void peers_fini(struct peers *ps); /* frees every peer; their timers must be gone */
struct peer *peer_find(const struct peers *ps, const struct pubkey *key);
struct peer *peer_of_session(const struct peers *ps, uint32_t session);
/* Finds or makes; NULL when VNET_PEERS_MAX are there already. */
struct peer *peer_get(struct peers *ps, const struct pubkey *key);
/* The oldest peer without a session, or NULL. */
struct peer *peer_victim(const struct peers *ps);
/* session 0 = none. A session number belongs to one peer at a time. */
void peer_set_session(struct peers *ps, struct peer *p, uint32_t session, uint32_t tag);
/* Frees a peer that has neither session nor flows; otherwise does nothing. */
void peer_release(struct peers *ps, struct peer *p);

#endif
