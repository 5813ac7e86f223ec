/* sim.h - a virtual world for nodes: time, a network, disks, one seed. STYLE of the simulator loop:
 * packets, wake-ups, durable answers and script steps share one heap ordered by (time, sequence);
 * the only randomness is the seeded generator; every event goes into the trace hash, so that equal
 * seeds can be shown to give equal runs. Links no host/, no libuv: the link line proves it. */
#ifndef CMD_SIM_H
#define CMD_SIM_H

#include <stdbool.h>

#include "cmd/node_query.h"
#include "cmd/node_verbs.h"

#define SIM_NODES_MAX 4096
#define SIM_NOTICES_MAX 64 /* kept per node */

struct sim;

struct sim_net { /* of every link */
	usec_t delay, jitter;
	unsigned loss, duplicate, reorder; /* per mille */
};

struct sim_disk {
	usec_t delay;
	unsigned fail; /* writes answered with an error, per mille */
};

struct sim_result { /* the last notice of each op */
	uint64_t op;
	enum node_result result;
	char text[1700];
	usec_t at, rtt;
};

struct sim *sim_new(uint64_t seed, size_t nodes);
void sim_free(struct sim *s);
void sim_set_net(struct sim *s, const struct sim_net *net);
void sim_set_disk(struct sim *s, const struct sim_disk *disk);
/* Nodes on different sides do not hear each other; all 0 = whole. */
void sim_set_side(struct sim *s, size_t node, int side);
usec_t sim_now(const struct sim *s);
/* Runs until `at`; false if the event budget ran out first. */
bool sim_run(struct sim *s, usec_t at);
/* Runs until done() or `at`; true if done. */
bool sim_until(struct sim *s, usec_t at, bool (*done)(struct sim *s, void *ctx), void *ctx);
struct node *sim_node(struct sim *s, size_t i); /* NULL while it is down */
size_t sim_count(const struct sim *s);
/* Node i stops without a word (its unanswered writes may or may not be on the disk) and starts. */
void sim_crash(struct sim *s, size_t i);
void sim_start(struct sim *s, size_t i);
/* Host `to` becomes a copy of the identity and state folder of host `from`, on another machine; it
 * is down afterwards. */
void sim_clone(struct sim *s, size_t from, size_t to);
/* A fresh op whose notice will be kept; and the notice, or NULL. */
uint64_t sim_op(struct sim *s, size_t i);
const struct sim_result *sim_result(const struct sim *s, size_t i, uint64_t op);
/* After verbs: the node's deadline may have moved. */
void sim_touch(struct sim *s, size_t i);
unsigned sim_draw(struct sim *s, unsigned sides); /* 0..sides-1, from the seed */
void sim_trace(const struct sim *s, char out[33]);

struct sim_stats {
	uint64_t events, sent, lost, bytes, writes, wakes;
	bool spinning; /* a node woke again and again while time stood still */
};
struct sim_stats sim_stats(const struct sim *s);

/* sim_scenario.c: NULL name ends the table. */
struct sim_scenario {
	const char *name, *what;
	size_t nodes;
	/* NULL when it went as it must, else what went wrong. */
	const char *(*run)(struct sim *s);
};
extern const struct sim_scenario sim_scenarios[];
extern const struct sim_scenario sim_lease_scenarios[]; /* sim_leases.c */

#endif
