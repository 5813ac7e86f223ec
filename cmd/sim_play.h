/* sim_play.h - one run of a scenario: what the files sim_play.c (steps), sim_fault.c, sim_work.c,
 * sim_gather.c, sim_check.c and sim_report.c share. */
#ifndef CMD_SIM_PLAY_H
#define CMD_SIM_PLAY_H

#include <stdio.h>

#include "cmd/sim_check.h"
#include "cmd/sim_figures.h"

#define SIM_GROUP 100 /* whole nodes in a namespace; the first of each creates it */
#define SIM_MONITORS_MAX 256
#define SIM_WINDOWS_MAX 256
#define SIM_WORK_BIT (1ull << 63) /* of ops of the workload: as SIM_OP_WORK of cmd/sim_whole.h */

/* What sim_call is told: the kind in the top byte, a number below. */
enum sim_call_kind {
	SIM_CALL_STEP,
	SIM_CALL_JOIN,
	SIM_CALL_SAMPLE,
	SIM_CALL_MARK,
	SIM_CALL_WATCH,
	SIM_CALL_FALL,
	SIM_CALL_RISE,
	SIM_CALL_OP,
	SIM_CALL_REPUBLISH,
	SIM_CALL_GATHER,
	SIM_CALL_SWEEP
};
#define SIM_CALL_KIND 56
static inline uint64_t sim_what(enum sim_call_kind kind, uint64_t number)
{
	return (uint64_t)kind << SIM_CALL_KIND | number;
}

struct sim_window { /* of an expectation */
	size_t expect;
	usec_t from, until;
	struct sim_tally *before, *after; /* NULL: not yet */
};

struct sim_play {
	const struct sim_script *script;
	struct sim *s;
	usec_t end;
	size_t running;
	usec_t counted; /* node_time is counted up to here */
	struct sim_tally tally;
	uint32_t *chosen; /* hosts, for drawing some of them */
	bool *fallen;     /* by a crash or stop of the script: `restart` brings them back */
	usec_t churn_median, churn_down, churn_until; /* 0 median: no churn */
	uint64_t churn_graceful;
	struct sim_ops_table *work;
	struct sim_gathering *gather; /* whole nodes only */
	struct sim_circle *circle;
	struct sim_sample *samples;
	size_t samples_count, samples_size;
	struct sim_monitor monitors[SIM_MONITORS_MAX];
	size_t monitors_count;
	struct sim_window windows[SIM_WINDOWS_MAX];
	size_t windows_count;
	size_t joined; /* at the end */
	double memory; /* bytes a node at the end, NAN = not asked */
	FILE *json;
};

/* sim_play.c */
struct sim_options {
	uint64_t seed;
	bool memory;
	FILE *json;
};
/* Runs it and prints the summary: 0 as expected, 1 not. */
int sim_play(const struct sim_script *script, const struct sim_options *o);
void sim_count_time(struct sim_play *p);         /* brings the tally up to now */
void sim_begin(struct sim_play *p, size_t host); /* starts it, and lets it join */
usec_t sim_work_from(const struct sim_script *script);
/* sim_fault.c */
void sim_step_do(struct sim_play *p, const struct sim_step *st);
void sim_churn_fall(struct sim_play *p, size_t host);
void sim_churn_rise(struct sim_play *p, size_t host);
void sim_churn_started(struct sim_play *p, size_t host);
/* sim_work.c */
void sim_work_init(struct sim_play *p);
void sim_work_fini(struct sim_play *p);
void sim_work_do(struct sim_play *p, enum sim_work w, uint64_t count);
void sim_work_done(struct sim_play *p, uint64_t op, bool ok, unsigned hops);
void sim_work_late(struct sim_play *p, uint64_t op);
void sim_work_started(struct sim_play *p, size_t host); /* its records are published again */
void sim_work_republish(struct sim_play *p, size_t host);
void sim_work_sweep(struct sim_play *p); /* every record is looked up once */
/* sim_gather.c: whole nodes create namespaces and join them */
void sim_gather_init(struct sim_play *p);
void sim_gather_fini(struct sim_play *p);
void sim_gather_join(struct sim_play *p, size_t host);
void sim_gather_look(struct sim_play *p);
void sim_gather_forget(struct sim_play *p, size_t host); /* its state is lost */
bool sim_gather_ready(struct sim_play *p, size_t host);
/* sim_report.c */
void sim_report_sample(struct sim_play *p, const struct sim_sample *at,
		       const struct sim_tally *before);
bool sim_report_end(struct sim_play *p, const struct sim_options *o); /* true: all as expected */

#endif
