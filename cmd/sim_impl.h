/* sim_impl.h - what sim.c, sim_net.c and sim_whole.c share. Nobody else includes it. */
#ifndef CMD_SIM_IMPL_H
#define CMD_SIM_IMPL_H

#include "base/log.h"
#include "cmd/sim.h"
#include "cmd/sim_disk.h"
#include "cmd/sim_nat.h"
#include "cmd/sim_world.h"

#define SIM_CLASSES 6 /* of event objects: 64 bytes, and twice as many each */
#define SIM_CLASS_LEAST 64
#define SIM_IP_UDP 28 /* bytes of headers */

enum sim_kind { SIM_PACKET, SIM_LATER, SIM_WAKE, SIM_CALL };

/* What waits with bytes: a packet on its way, or a late answer of the host to its own actor. */
struct sim_event {
	struct sim_event *next; /* in the free list */
	uint32_t host, life;    /* a host that restarted meanwhile does not get it */
	uint64_t tag;           /* of a late answer; a packet's source: address << 16 | port */
	uint16_t len;
	uint8_t size; /* class */
	uint8_t bytes[];
};

struct sim_host { /* <= 512 bytes: there are up to 200 000 */
	struct sim *s;
	uint32_t index, life;
	void *actor;
	struct key_pair key;
	struct addr addr;
	struct sim_nat *nat;    /* NULL: none */
	struct sim_store *disk; /* NULL: never written */
	struct log log;
	usec_t wake; /* of its item in the heap that counts, or USEC_NEVER */
	usec_t up_since, asleep_until;
	usec_t rate_from, rate_local; /* local time was rate_local at rate_from */
	int32_t rate;                 /* ppm */
	int32_t side;
	int64_t wall_ahead;
	usec_t spin_from;
	uint32_t spin;   /* wake-ups since then */
	uint16_t access; /* its share of delays: 0..65535, 32768 = the median's half */
	uint8_t faults;
	bool copied; /* the state folder was written on another machine */
	bool mute;   /* it is being killed: its last words are lost */
};

struct sim {
	usec_t now;
	uint64_t next_op, trace;
	struct sim_rng rng;
	struct sim_heap heap;
	struct sim_event *free[SIM_CLASSES];
	struct sim_host *hosts;
	size_t nodes, last;
	uint32_t *by_key; /* host + 1, by the key's first bytes, linear probing */
	size_t by_key_mask, by_key_used;
	const struct sim_actor_ops *ops;
	const struct crypto *crypto;
	bool dummy;
	struct sim_hooks hooks;
	struct sim_net net;
	struct sim_disk disk;
	struct sim_values *values; /* of the disks */
	struct sim_stats stats;
	struct p2p_sent sent; /* bytes of IP; without what actors that run count themselves */
	struct sim_results *results; /* sim_whole.c; NULL before there is one */
};

static inline bool sim_chance(struct sim *s, unsigned per_million)
{
	return per_million && sim_rng_next(&s->rng) % SIM_MILLION < per_million;
}

struct sim_event *sim_event_new(struct sim *s, size_t host, size_t len);
void sim_event_free(struct sim *s, struct sim_event *e);
/* After `delay`, never within the same instant. */
void sim_event_push(struct sim *s, enum sim_kind kind, struct sim_event *e, usec_t delay);

/* Clocks of a host. */
usec_t sim_local(const struct sim_host *h, usec_t at);
usec_t sim_global(const struct sim_host *h, usec_t local); /* the first instant not before it */

/* sim_net.c: addresses, and what lies between two hosts. */
void sim_net_init(struct sim_host *h);
/* A packet arrives at its destination: false if a NAT box there does not let it in. */
bool sim_net_accepts(struct sim_host *h, uint64_t source);
struct addr sim_net_source(const struct sim_event *e);
void sim_net_nat(struct sim_host *h, enum sim_nat_kind kind, usec_t expiry);
/* Asks the host's own actor back: ops->later, after `delay`. */
void sim_host_later(struct sim_host *h, usec_t delay, uint64_t tag, const void *bytes, size_t len);
struct sim_store *sim_host_disk(struct sim_host *h);
/* sim_host.c */
void sim_sent_add(const struct sim *s, const struct sim_host *h, struct p2p_sent *sum);
void sim_hosts_init(struct sim *s);
void sim_hosts_fini(struct sim *s);

/* sim_whole.c; NULL is legal */
void sim_results_free(struct sim_results *results);

#endif
