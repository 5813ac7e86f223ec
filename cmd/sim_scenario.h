/* sim_scenario.h - scenarios written in C, of whole nodes: what a script cannot say. */
#ifndef CMD_SIM_SCENARIO_H
#define CMD_SIM_SCENARIO_H

#include <stddef.h>

struct sim;

struct sim_scenario { /* NULL name ends the table */
	const char *name, *what;
	size_t nodes;
	/* Every host runs. NULL when it went as it must, else what went wrong. */
	const char *(*run)(struct sim *s);
};
extern const struct sim_scenario sim_scenarios[];
extern const struct sim_scenario sim_lease_scenarios[]; /* sim_leases.c */

#endif
