/* sim_figures.h - what is counted during a run: tallies that only grow, so that any window of time
 * is the difference of two copies. Doubles are for reports; nothing of the run depends on them. */
#ifndef CMD_SIM_FIGURES_H
#define CMD_SIM_FIGURES_H

#include "cmd/sim_script.h"

#define SIM_HIST 704 /* of times: exact below 64 us, then 32 steps an octave, up to 67 s */
#define SIM_HOPS 64

enum sim_work { SIM_DO_PUBLISH, SIM_DO_LOOKUP, SIM_DO_SEND, SIM_WORKS };

struct sim_hist {
	uint32_t n[SIM_HIST];
	uint64_t count, sum; /* microseconds */
};

struct sim_tally {
	usec_t at;
	uint64_t packets, bytes, events;
	uint64_t node_time; /* microseconds that hosts ran, over all of them */
	struct {
		/* cancelled: the host that asked, or the one asked for, went away */
		uint64_t started, ok, failed, cancelled;
		struct sim_hist time;
	} work[SIM_WORKS];
	uint32_t hops[SIM_HOPS];
};

void sim_hist_add(struct sim_hist *h, usec_t time);
/* Seconds that this share (0..1) of what was added in between lies below. */
double sim_hist_share(const struct sim_hist *before, const struct sim_hist *after, double share);
/* The figure of the window, in its unit; NAN when nothing was counted. Not for those of the whole
 * run. */
double sim_figure(enum sim_figure f, const struct sim_tally *before, const struct sim_tally *after);
double sim_hops_mean(const struct sim_tally *before, const struct sim_tally *after);
unsigned sim_hops_share(const struct sim_tally *before, const struct sim_tally *after,
			double share);

#endif
