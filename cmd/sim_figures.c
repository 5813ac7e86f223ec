/* sim_figures.c - see sim_figures.h. */
#include "cmd/sim_figures.h"

#include <math.h>

#define EXACT 64
#define STEPS 32 /* of an octave */
#define FIRST_OCTAVE 6

static size_t bin_of(usec_t t)
{
	unsigned octave = FIRST_OCTAVE;
	size_t bin;

	if (t < EXACT)
		return (size_t)t;
	while (t >> (octave + 1))
		octave++;
	bin = EXACT + (size_t)(octave - FIRST_OCTAVE) * STEPS + (t >> (octave - 5)) % STEPS;
	return bin < SIM_HIST ? bin : SIM_HIST - 1;
}

/* The middle of a bin, in seconds. */
static double time_of(size_t bin)
{
	size_t octave = (bin - EXACT) / STEPS + FIRST_OCTAVE, step = (bin - EXACT) % STEPS;

	if (bin < EXACT)
		return (double)bin / 1e6;
	return ldexp(1 + ((double)step + 0.5) / STEPS, (int)octave) / 1e6;
}

void sim_hist_add(struct sim_hist *h, usec_t time)
{
	h->n[bin_of(time)]++;
	h->count++;
	h->sum += time;
}

double sim_hist_share(const struct sim_hist *before, const struct sim_hist *after, double share)
{
	double need = share * (double)(after->count - before->count), seen = 0;

	if (after->count == before->count)
		return NAN;
	for (size_t i = 0; i < SIM_HIST; i++) {
		seen += after->n[i] - before->n[i];
		if (seen >= need && seen > 0)
			return time_of(i);
	}
	return time_of(SIM_HIST - 1);
}

static double hist_mean(const struct sim_hist *before, const struct sim_hist *after)
{
	uint64_t count = after->count - before->count;

	return count ? (double)(after->sum - before->sum) / (double)count / 1e6 : NAN;
}

static double success(enum sim_work w, const struct sim_tally *before,
		      const struct sim_tally *after)
{
	uint64_t ok = after->work[w].ok - before->work[w].ok;
	uint64_t all = ok + after->work[w].failed - before->work[w].failed;

	return all ? 100 * (double)ok / (double)all : NAN;
}

double sim_hops_mean(const struct sim_tally *before, const struct sim_tally *after)
{
	double sum = 0, count = 0;

	for (unsigned i = 0; i < SIM_HOPS; i++) {
		sum += (double)i * (after->hops[i] - before->hops[i]);
		count += after->hops[i] - before->hops[i];
	}
	return count > 0 ? sum / count : NAN;
}

unsigned sim_hops_share(const struct sim_tally *before, const struct sim_tally *after, double share)
{
	double all = 0, seen = 0;
	unsigned i;

	for (i = 0; i < SIM_HOPS; i++)
		all += after->hops[i] - before->hops[i];
	for (i = 0; i + 1 < SIM_HOPS; i++) {
		seen += after->hops[i] - before->hops[i];
		if (seen > 0 && seen >= share * all)
			break;
	}
	return i;
}

static double rate(uint64_t before, uint64_t after, const struct sim_tally *a,
		   const struct sim_tally *b)
{
	uint64_t time = b->node_time - a->node_time;

	return time ? (double)(after - before) * 1e6 / (double)time : NAN;
}

double sim_figure(enum sim_figure f, const struct sim_tally *a, const struct sim_tally *b)
{
	const struct sim_hist *lookups = &a->work[SIM_DO_LOOKUP].time,
			      *lookups_b = &b->work[SIM_DO_LOOKUP].time;
	const struct sim_hist *sends = &a->work[SIM_DO_SEND].time,
			      *sends_b = &b->work[SIM_DO_SEND].time;
	double hops = sim_hops_mean(a, b);

	switch (f) {
	case SIM_LOOKUP_SUCCESS:
		return success(SIM_DO_LOOKUP, a, b);
	case SIM_LOOKUP_P50:
		return sim_hist_share(lookups, lookups_b, 0.5);
	case SIM_LOOKUP_P99:
		return sim_hist_share(lookups, lookups_b, 0.99);
	case SIM_LOOKUP_MEAN:
		return hist_mean(lookups, lookups_b);
	case SIM_SEND_SUCCESS:
		return success(SIM_DO_SEND, a, b);
	case SIM_SEND_P50:
		return sim_hist_share(sends, sends_b, 0.5);
	case SIM_SEND_P99:
		return sim_hist_share(sends, sends_b, 0.99);
	case SIM_HOPS_MEAN:
		return hops;
	case SIM_HOPS_P99:
		return isnan(hops) ? hops : sim_hops_share(a, b, 0.99);
	case SIM_HOPS_MAX:
		return isnan(hops) ? hops : sim_hops_share(a, b, 1);
	case SIM_HOPS_TAIL:
		return sim_hops_share(a, b, 0.99) - 2 * hops;
	case SIM_BYTES_RATE:
		return rate(a->bytes, b->bytes, a, b);
	case SIM_PACKETS_RATE:
		return rate(a->packets, b->packets, a, b);
	case SIM_SENT:
		return rate(a->bytes, b->bytes, a, b) * (double)(b->at - a->at) / 1e6;
	default:
		return NAN;
	}
}
