/* sim_check.h - the checkers of a run: one ring, and nothing that grows without bound. */
#ifndef CMD_SIM_CHECK_H
#define CMD_SIM_CHECK_H

#include "cmd/sim_script.h"

#define SIM_GROWN SEC(30) /* up this long, a node is expected to be part of everything */

struct sim_play;

enum sim_gauge {
	SIM_DEGREE,
	SIM_SESSIONS,
	SIM_CONTACTS,
	SIM_RECORDS,
	SIM_TIMERS,
	SIM_QUEUED,
	SIM_GAUGES
};
extern const char *const sim_gauge_names[SIM_GAUGES];

struct sim_sample {
	usec_t at;
	size_t running, wrong; /* wrong: not linked with their true neighbours */
	double mean[SIM_GAUGES];
	size_t max[SIM_GAUGES];
	double size; /* of the ring, as its nodes guess it: mean */
};

/* From a fault until everybody is in one ring again; 0 = not yet. */
struct sim_monitor {
	enum sim_verb verb;
	usec_t at, done;
};

void sim_check_init(struct sim_play *p);
void sim_check_fini(struct sim_play *p);
void sim_check_keys_changed(struct sim_play *p);
void sim_check_sample(struct sim_play *p);
void sim_check_watch(struct sim_play *p, enum sim_verb fault);
void sim_check_look(struct sim_play *p); /* for the monitors */
double sim_check_growth(const struct sim_play *p,
			enum sim_gauge *which); /* percent; NAN = too short */

#endif
