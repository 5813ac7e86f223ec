/* rpc.h - requests that wait for their answer. */
#ifndef DHT_RPC_H
#define DHT_RPC_H

#include "base/map.h"
#include "base/timer.h"
#include "dht/msg.h"

#define RPC_MAX 512                /* waiting at once */
#define RPC_TRIES 2                /* each waits for the time-out */
#define RPC_TIMEOUT_FIRST MSEC(500) /* before any answer was measured */
#define RPC_TIMEOUT_MIN MSEC(300)
#define RPC_TIMEOUT_MAX SEC(2)

struct rpc;

/* Whom the outcome goes to. `tag` is the owner's own number for what it asked. */
struct rpc_owner {
	/* The answer; NULL: none came. The request is already forgotten. */
	void (*done)(void *ctx, const struct rpc *r, const struct dht_msg *answer, usec_t now);
	/* The first try went unanswered and was repeated; may be NULL. */
	void (*slow)(void *ctx, const struct rpc *r, usec_t now);
	void *ctx;
	uint64_t tag;
};

struct rpc {
	uint64_t id;
	struct pubkey to;      /* in done() of a request to the nearest: who answered */
	bool nearest;          /* goes to whoever is nearest to `target` */
	struct node_id target;
	struct rpc_owner owner;
	struct rpcs *all;
	struct timer timer;
	usec_t sent;
	unsigned tries;
	size_t len;
	uint8_t bytes[]; /* the request, for the second try */
};

struct rpcs {
	const struct dht_env *env;
	struct timers *timers;
	bool client;        /* marks our requests */
	struct map waiting; /* struct rpc by id */
	usec_t srtt, rttvar; /* of answers to first tries; srtt 0 = none yet */
	uint64_t count;      /* requests made */
	/* What every outcome says about the contact, before the owner hears of it. */
	void (*answered)(void *ctx, const struct pubkey *key, usec_t now);
	void (*failed)(void *ctx, const struct pubkey *key, usec_t now);
	void *ctx;
};

/* Fill in env, timers and the outcome functions before. */
void rpc_init(struct rpcs *rs, const uint8_t seed[16]);
void rpc_fini(struct rpcs *rs); /* nobody is told */
/* Sends m (its id is chosen here) to a key. 0 or -ENOSPC. Never calls the owner by itself. */
int rpc_call(struct rpcs *rs, const struct pubkey *to, struct dht_msg *m,
	     const struct rpc_owner *owner, usec_t now);
/* The same to whoever stands nearest to the target on the ring (env.send_nearest is there). */
int rpc_call_nearest(struct rpcs *rs, const struct node_id *target, struct dht_msg *m,
		     const struct rpc_owner *owner, usec_t now);
/* An answer came. False when nobody waits for it from this key, or not for this type. */
bool rpc_answer(struct rpcs *rs, const struct pubkey *from, const struct dht_msg *m, usec_t now);
/* How long a try waits at present. */
usec_t rpc_timeout(const struct rpcs *rs);

#endif
