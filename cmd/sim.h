/* sim.h - a virtual world: hosts with one actor each, time, a network, disks, one seed.
 *
 * Packets, wake-ups, late answers and script steps share one heap ordered by (time, sequence); the
 * only randomness is the seeded generator; every event goes into the trace hash, so that equal
 * seeds can be shown to give equal runs. Links no host/ and no libuv: the link line proves it. What
 * a host runs is behind cmd/sim_actor.h. */
#ifndef CMD_SIM_H
#define CMD_SIM_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd/sim_actor.h"

#define SIM_NODES_MAX 200000
#define SIM_EPOCH SEC(1000)    /* virtual BOOTTIME at the beginning */
#define SIM_WALL 1800000000ull /* virtual seconds since 1970 then */
#define SIM_PORT 24655
#define SIM_MILLION 1000000u
#define SIM_PERCENT (SIM_MILLION / 100)

struct sim;

struct sim_net {              /* of every link; one way */
	usec_t delay, jitter; /* median; width of the range around it */
	unsigned spread;      /* of hosts: how far delays lie from the median, percent, <= 100 */
	unsigned loss, duplicate, reorder; /* per million */
};

struct sim_disk {
	usec_t delay;
	unsigned fail; /* writes answered with an error, per million */
};

enum sim_nat_kind {
	SIM_NAT_NONE,
	SIM_NAT_FULL,
	SIM_NAT_RESTRICTED,
	SIM_NAT_PORT,
	SIM_NAT_SYMMETRIC
};

struct sim_setup {
	uint64_t seed;
	size_t nodes;
	const struct sim_actor_ops *actors;
	bool dummy_crypto;
};

/* What the owner of the world hears of it. Called from within events: look and note, do nothing. */
struct sim_hooks {
	void *ctx;
	void (*done)(void *ctx, size_t host, uint64_t op, bool ok, unsigned hops);
	void (*started)(void *ctx, size_t host);
	void (*fell)(void *ctx, size_t host);
	/* sim_call's time has come; no actor is on the stack: anything may be done. */
	void (*call)(void *ctx, uint64_t what);
};

/* All hosts are down at first. */
struct sim *sim_new(const struct sim_setup *setup);
void sim_free(struct sim *s);
void sim_trim(struct sim *s); /* gives back memory that was needed once */
void sim_set_hooks(struct sim *s, const struct sim_hooks *hooks);
void sim_set_net(struct sim *s, const struct sim_net *net);
void sim_set_disk(struct sim *s, const struct sim_disk *disk);
/* Hosts on different sides do not hear each other; all 0 = whole. */
void sim_set_side(struct sim *s, size_t i, int side);
int sim_side(const struct sim *s, size_t i);
/* From its next start on. Mappings not used for `expiry` are forgotten. */
void sim_set_nat(struct sim *s, size_t i, enum sim_nat_kind kind, usec_t expiry);
void sim_set_faults(struct sim *s, size_t i, unsigned faults);
/* Its clocks run this many millionths too fast from now on; its wall clock is set ahead. */
void sim_set_rate(struct sim *s, size_t i, int ppm);
void sim_step_wall(struct sim *s, size_t i, int64_t seconds);
/* The machine is suspended: nothing runs, nothing arrives. */
void sim_sleep(struct sim *s, size_t i, usec_t until);
usec_t sim_now(const struct sim *s);

/* Runs until `at`; false if the event budget ran out first. */
bool sim_run(struct sim *s, usec_t at);
/* Runs until done() or `at`; true if done. done() is asked between any two events. */
bool sim_until(struct sim *s, usec_t at, bool (*done)(struct sim *s, void *ctx), void *ctx);
size_t sim_last(const struct sim *s); /* the host that the last event happened on */
void sim_call(struct sim *s, usec_t at, uint64_t what);

size_t sim_count(const struct sim *s);
void *sim_actor(struct sim *s, size_t i); /* NULL while it is down */
const struct sim_actor_ops *sim_ops(const struct sim *s);
const struct sim_host *sim_host(const struct sim *s, size_t i);
bool sim_is_awake(const struct sim *s, size_t i); /* it runs, and is not suspended */
usec_t sim_up_since(const struct sim *s, size_t i);
size_t sim_find(const struct sim *s, const struct pubkey *key); /* SIZE_MAX: nobody's */
void sim_start(struct sim *s, size_t i);
/* Stops without a word (of its unanswered writes any prefix is on the disk), or with CLOSE. */
void sim_crash(struct sim *s, size_t i);
void sim_stop(struct sim *s, size_t i);
/* Its disk is lost, and with it its identity: it is somebody else afterwards. It is down. */
void sim_wipe(struct sim *s, size_t i);
/* Host `to` becomes a copy of the identity and state folder of host `from`, on another machine; it
 * is down afterwards. */
void sim_clone(struct sim *s, size_t from, size_t to);
uint64_t sim_op(struct sim *s); /* a fresh one */
/* After anything was asked of the actor: its deadline may have moved. */
void sim_touch(struct sim *s, size_t i);
usec_t sim_host_now(const struct sim *s, size_t i); /* by its own clock: what its actor is given */
unsigned sim_draw(struct sim *s, unsigned sides);   /* 0..sides-1, from the seed */
uint64_t sim_draw_half_lives(struct sim *s);        /* exponential, median 65536 */
uint64_t sim_trace(const struct sim *s);

struct sim_stats {
	uint64_t events, sent, lost, bytes, writes, wakes; /* bytes of IP, headers included */
	bool spinning; /* a host woke again and again while time stood still */
};
struct sim_stats sim_stats(const struct sim *s);
/* What was sent by kind, bytes of IP; the rest of sim_stats is of none (a node's last words). */
void sim_sent(const struct sim *s, struct p2p_sent *out);

#endif
