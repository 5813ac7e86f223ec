/* sim_whole.h - the actor that is a whole node (struct node, as vpnd runs it), and what scenarios
 * ask of it beyond cmd/sim_actor.h. */
#ifndef CMD_SIM_WHOLE_H
#define CMD_SIM_WHOLE_H

#include "cmd/node_query.h"
#include "cmd/node_verbs.h"
#include "cmd/sim.h"

/* Ops with this bit are a workload's: their notices go to sim_hooks.done, the others are kept. */
#define SIM_OP_WORK (1ull << 63)
#define SIM_RESULTS_MAX 256 /* kept; the oldest goes */

struct sim_result { /* of one verb */
	uint64_t op;
	enum node_result result;
	char *text;
	usec_t at, rtt;
};

struct node *sim_node(struct sim *s, size_t i);                        /* NULL while it is down */
const struct sim_result *sim_result(const struct sim *s, uint64_t op); /* NULL: not yet */

#endif
