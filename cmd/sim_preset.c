/* sim_preset.c - a scenario that was read becomes one that can run: times and checks that it does
 * not name, and what contradicts itself. */
#include <stdio.h>

#include "cmd/sim_script.h"
#include "dht/grant.h"

#define NODES_LEAST 2
#define LINKS_FEW 24 /* near ones and a namespace's, with room to spare; shortcuts besides */

/* What a step without a time means: settings at once, work and churn when everybody is in. */
static bool place_step(const struct sim_script *s, struct sim_step *st, char error[SIM_ERROR_LEN])
{
	usec_t work = s->join + s->settle;

	if (st->at == USEC_NEVER && st->verb >= SIM_PARTITION && st->verb <= SIM_RESTART)
		return sim_wrong(error, "'%s' needs a time: at TIME %s ...",
				 sim_verb_name(st->verb), sim_verb_name(st->verb));
	if (st->at == USEC_NEVER && st->verb == SIM_SLEEP)
		return sim_wrong(error, "'sleep' needs a time: at TIME sleep ...");
	if (st->at == USEC_NEVER)
		st->at = st->verb == SIM_PUBLISH || st->verb == SIM_CHURN ? work
			 : st->verb == SIM_LOOKUP || st->verb == SIM_SEND ? work + SEC(10)
									  : 0;
	if (st->at >= s->run)
		return sim_wrong(error, "'%s' at %gs lies behind the end of the run (%gs)",
				 sim_verb_name(st->verb), (double)st->at / 1e6,
				 (double)s->run / 1e6);
	if (st->verb == SIM_FAULTY && !s->light)
		return sim_wrong(
			error,
			"'faulty' needs 'actors light': whole nodes have no faults built in");
	return true;
}

static bool fault_happens(const struct sim_script *s, enum sim_verb verb)
{
	for (size_t i = 0; i < s->steps_count; i++)
		if (s->steps[i].verb == verb)
			return true;
	return verb == SIM_JOIN;
}

static bool expected(const struct sim_script *s, enum sim_figure f)
{
	for (size_t i = 0; i < s->expects_count; i++)
		if (s->expects[i].figure == f)
			return true;
	return s->expects_count == SIM_EXPECTS_MAX;
}

static void preset(struct sim_script *s, enum sim_figure f, const char *op, double value)
{
	struct sim_expect *e = &s->expects[s->expects_count];

	if (expected(s, f))
		return;
	*e = (struct sim_expect){
		.figure = f, .value = value, .from = USEC_NEVER, .until = USEC_NEVER, .preset = true
	};
	snprintf(e->op, sizeof(e->op), "%s", op);
	s->expects_count++;
}

/* The checkers that are always on, unless the script says something of the same figure. */
static void add_presets(struct sim_script *s)
{
	bool whole = true;
	unsigned log2 = 0;

	for (size_t i = 0; i < s->steps_count; i++)
		whole &= s->steps[i].verb < SIM_PARTITION || s->steps[i].verb >= SIM_PUBLISH;
	preset(s, SIM_LOOKUP_SUCCESS, ">=", 99);
	preset(s, SIM_SEND_SUCCESS, ">=", 99);
	if (!fault_happens(s, SIM_CHURN))
		preset(s, SIM_RING, "", 0);
	if (!whole)
		return;
	while (s->nodes >> log2)
		log2++;
	preset(s, SIM_DEGREE_MEAN, "<=", LINKS_FEW + 2 * log2);
	preset(s, SIM_JOINED, ">=", 100);
	preset(s, SIM_GROWTH, "<=", 25);
}

bool sim_script_finish(struct sim_script *s, char error[SIM_ERROR_LEN])
{
	if (s->nodes < NODES_LEAST || s->nodes > SIM_NODES_MAX)
		return sim_wrong(error, "%llu nodes: it must be %d to %d",
				 (unsigned long long)s->nodes, NODES_LEAST, SIM_NODES_MAX);
	if (s->keepers > KEEPERS_MAX || (s->keepers && s->keepers % 2 == 0))
		return sim_wrong(error, "there are 0 (people choose), 1, 3, 5 or 7 keepers");
	if (s->run == USEC_NEVER)
		s->run = SEC(300);
	if (s->join == USEC_NEVER)
		s->join = MSEC(18) * s->nodes < SEC(5) ? SEC(5)
						       : usec_min(MSEC(18) * s->nodes, SEC(180));
	if (s->sample < MSEC(100) || s->run < SEC(1))
		return sim_wrong(error, "samples less than 100ms apart, or a run under 1s");
	for (size_t i = 0; i < s->steps_count; i++)
		if (!place_step(s, &s->steps[i], error))
			return false;
	for (size_t i = 0; i < s->expects_count; i++) {
		struct sim_expect *e = &s->expects[i];

		if (e->within && !fault_happens(s, e->fault))
			return sim_wrong(error,
					 "line %u expects something of '%s', which never happens",
					 e->line, sim_verb_name(e->fault));
	}
	add_presets(s);
	return true;
}
