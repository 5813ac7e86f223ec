/* sim_script.h - a scenario as data: settings, steps at times, expectations. docs/vpnsim.1 has the
 * language. */
#ifndef CMD_SIM_SCRIPT_H
#define CMD_SIM_SCRIPT_H

#include "cmd/sim.h"
#include "cmd/sim_words.h"

#define SIM_STEPS_MAX 256
#define SIM_EXPECTS_MAX 64

enum sim_verb {
	SIM_LINK,
	SIM_DISK,
	SIM_NAT,
	SIM_PARTITION,
	SIM_HEAL,
	SIM_CRASH,
	SIM_STOP,
	SIM_RESTART,
	SIM_CLOCK,
	SIM_CHURN,
	SIM_FAULTY,
	SIM_SLEEP,
	SIM_PUBLISH,
	SIM_LOOKUP,
	SIM_SEND,
	SIM_JOIN,
	SIM_VERBS
};

struct sim_step {
	enum sim_verb verb;
	usec_t at, every, until; /* USEC_NEVER: the script does not say; 0: once */
	bool is_count;           /* amount is a number of hosts, else millionths of all */
	uint64_t amount;
	usec_t time, down;  /* sleep: how long; churn: median session, time away; nat: expiry */
	int64_t rate, step; /* clock: ppm; seconds */
	bool lost, all;     /* crash: with the disk; restart: everybody */
	uint64_t graceful;  /* churn: millionths that say good-bye */
	unsigned kind;      /* of NAT or fault */
	struct sim_net net;
	struct sim_disk disk;
};

enum sim_unit { SIM_NUMBER, SIM_SHARE, SIM_TIME, SIM_BYTES, SIM_RATE, SIM_NOTHING };

enum sim_figure {
	SIM_LOOKUP_SUCCESS,
	SIM_LOOKUP_P50,
	SIM_LOOKUP_P99,
	SIM_LOOKUP_MEAN,
	SIM_SEND_SUCCESS,
	SIM_SEND_P50,
	SIM_SEND_P99,
	SIM_HOPS_MEAN,
	SIM_HOPS_P99,
	SIM_HOPS_MAX,
	SIM_HOPS_TAIL,
	SIM_BYTES_RATE,
	SIM_PACKETS_RATE,
	SIM_SENT,
	SIM_JOINED,
	SIM_DEGREE_MEAN,
	SIM_DEGREE_MAX,
	SIM_MEMORY,
	SIM_RING,
	SIM_GROWTH,
	SIM_FIGURES
};

struct sim_figure_name {
	const char *name;
	enum sim_unit unit;
	bool whole_run; /* has no window: judged at the end */
};
extern const struct sim_figure_name sim_figure_names[SIM_FIGURES];

struct sim_expect {
	enum sim_figure figure;
	char op[3];         /* "<=", ">=", "<", ">"; "" for the ring */
	double value;       /* in the figure's unit: percent, seconds, bytes, numbers */
	usec_t from, until; /* USEC_NEVER: of the work, or the end */
	usec_t within;      /* 0: none; else from each `fault` on */
	enum sim_verb fault;
	bool preset; /* nobody wrote it */
	unsigned line;
};

struct sim_script {
	char name[64];
	uint64_t nodes, keepers; /* keepers: at most, as `vpnctl create --keepers`; 0 = the creator */
	bool light, dummy;
	usec_t run, join, settle, sample; /* USEC_NEVER: by the number of nodes */
	size_t steps_count, expects_count;
	struct sim_step steps[SIM_STEPS_MAX];
	struct sim_expect expects[SIM_EXPECTS_MAX];
};

void sim_script_init(struct sim_script *s, const char *name);
/* One line; false with a sentence in `error`, without place. */
bool sim_script_line(struct sim_script *s, const char *line, unsigned number,
		     char error[SIM_ERROR_LEN]);
/* After the last line: what contradicts itself, defaults. */
bool sim_script_finish(struct sim_script *s, char error[SIM_ERROR_LEN]);
/* "FILE:LINE: sentence" in `error`. */
bool sim_script_load(struct sim_script *s, const char *path, char error[SIM_ERROR_LEN]);
void sim_script_help(char *out, size_t size); /* one line per directive */
const char *sim_verb_name(enum sim_verb v);

/* sim_expect.c: the words behind `expect`. */
bool sim_expect_read(struct sim_expect *e, char **words, size_t count, char error[SIM_ERROR_LEN]);
void sim_expect_text(const struct sim_expect *e, char *out, size_t size);

#endif
