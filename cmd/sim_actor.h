/* sim_actor.h - what a simulated host runs: a whole node, or `dht/` and the ring alone for size.
 *
 * The engine (sim.c) owns hosts, time, the network with its faults, and disks; an actor is the
 * program on one host. Both kinds answer the same questions, so scripts, workloads and checkers do
 * not care which kind they look at. Actors act on the world by the sim_host functions only; those
 * queue and never call back in. */
#ifndef CMD_SIM_ACTOR_H
#define CMD_SIM_ACTOR_H

#include "base/addr.h"
#include "base/key.h"
#include "base/time.h"
#include "p2p/status.h"

struct sim_host;

#define SIM_NEAR_TOLD 8

/* What a checker wants to know of a running node. */
struct sim_facts {
	struct ring_info ring;
	struct pubkey next, previous; /* its nearest links; zero = none */
	size_t contacts, records;     /* of the DHT */
	size_t sessions, timers, queued; /* that must not grow without bound */
};

struct sim_actor_ops {
	const char *name;
	/* Started with what its disk holds; `first`: the hosts it may bootstrap from. */
	void *(*start)(struct sim_host *h, usec_t now);
	void (*stop)(void *actor, bool graceful, usec_t now); /* frees it */
	void (*input)(void *actor, uint8_t socket, const struct addr *from, uint8_t *bytes, size_t len,
		      usec_t now);
	void (*tick)(void *actor, usec_t now);
	usec_t (*deadline)(const void *actor);
	void (*facts)(const void *actor, struct sim_facts *out, usec_t now);
	/* Workload. Each ends in sim_host_done(op): publish once the node took it (that others
	 * hold it is for lookups to show); lookup with
	 * whether the record was found; send with whether `to` got it, and over how many links. */
	void (*publish)(void *actor, uint64_t op, uint64_t topic, usec_t now);
	void (*lookup)(void *actor, uint64_t op, uint64_t topic, usec_t now);
	void (*send)(void *actor, uint64_t op, const struct pubkey *to, usec_t now);
	/* What sim_host_later (cmd/sim_impl.h) put off; NULL where nothing is. */
	void (*later)(void *actor, uint64_t tag, uint8_t *bytes, size_t len, usec_t now);
	/* Adds what it sent since its start, by kind. NULL: it tells sim_host_count at once. */
	void (*sent)(const void *actor, struct p2p_sent *sum);
	/* Its wall clock was set: sim_host_wall tells another time now. NULL = it does not care. */
	void (*clock)(void *actor, usec_t now);
};

extern const struct sim_actor_ops sim_whole; /* sim_whole.c: struct node */
extern const struct sim_actor_ops sim_light; /* sim_light.c: struct ring and struct dht */

/* What an actor may ask of its host. */
uint32_t sim_host_index(const struct sim_host *h);
const struct key_pair *sim_host_key(const struct sim_host *h);
const struct crypto *sim_host_crypto(const struct sim_host *h);
const struct addr *sim_host_addr(const struct sim_host *h); /* its own, behind its NAT if it has one */
const struct log *sim_host_log(const struct sim_host *h);
uint64_t sim_host_wall(const struct sim_host *h); /* seconds since 1970, by its own clock */
/* The i-th host to bootstrap from (running or not), false when there are no more. */
bool sim_host_bootstrap(const struct sim_host *h, size_t i, struct pubkey *key, struct addr *addr);
void sim_host_random(struct sim_host *h, void *out, size_t len);
/* A datagram; `overhead` bytes of headers and seal that the actor does not model are only counted. */
void sim_host_send(struct sim_host *h, uint8_t socket, const struct addr *to, const uint8_t *bytes,
		   size_t len, size_t overhead);
/* A packet of that kind was sent, of so many bytes with IP and UDP headers. */
void sim_host_count(struct sim_host *h, enum p2p_sent_kind kind, size_t bytes);
/* How this host misbehaves, as the script says: bits of enum sim_fault. */
enum sim_fault { SIM_JUNK = 1 /* answers lookups with junk */, SIM_DROPS = 2 /* forwards nothing */,
		 SIM_MISROUTES = 4 /* forwards anywhere */, SIM_LIES = 8 /* about who is near */ };
unsigned sim_host_faults(const struct sim_host *h);
void sim_host_done(struct sim_host *h, uint64_t op, bool ok, unsigned hops);

#endif
