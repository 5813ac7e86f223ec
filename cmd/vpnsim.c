/* vpnsim.c - runs whole nodes on a virtual network with virtual time. */
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/sim.h"

static void usage(FILE *to)
{
	fputs("usage: vpnsim [--seed N] [--nodes N] SCENARIO\n\n"
	      "Runs real nodes on a virtual network with virtual time. Equal seeds give equal runs: the\n"
	      "trace hash in the last line covers every packet, wake-up and durable write.\n"
	      "VPNSIM_LOG=1 in the environment shows the nodes' logs.\n\n", to);
	for (const struct sim_scenario *c = sim_scenarios; c->name; c++)
		fprintf(to, "  %-10s %s (%zu nodes)\n", c->name, c->what, c->nodes);
	for (const struct sim_scenario *c = sim_lease_scenarios; c->name; c++)
		fprintf(to, "  %-10s %s (%zu nodes)\n", c->name, c->what, c->nodes);
}

static int run(const struct sim_scenario *c, uint64_t seed, size_t nodes)
{
	struct sim *s = sim_new(seed, nodes ? nodes : c->nodes);
	usec_t began = sim_now(s);
	const char *wrong = c->run(s);
	struct sim_stats st = sim_stats(s);
	char trace[33];

	if (!wrong && st.spinning)
		wrong = "a node's deadline stood in the past and no tick moved it";
	sim_trace(s, trace);
	printf("%s: %zu nodes, seed %llu, %.1f virtual seconds\n", c->name, sim_count(s),
	       (unsigned long long)seed, (double)(sim_now(s) - began) / 1e6);
	printf("%llu events, %llu packets sent, %llu lost, %llu bytes, %llu durable writes\n",
	       (unsigned long long)st.events, (unsigned long long)st.sent,
	       (unsigned long long)st.lost, (unsigned long long)st.bytes,
	       (unsigned long long)st.writes);
	printf("%s\ntrace %s\n", wrong ? wrong : "as it must be", trace);
	sim_free(s);
	return wrong ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seed", required_argument, NULL, 's' },
						 { "nodes", required_argument, NULL, 'n' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	unsigned long long seed = 1, nodes = 0;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (o == 'n')
			nodes = strtoull(optarg, NULL, 10);
		else {
			usage(o == 'h' ? stdout : stderr);
			return o == 'h' ? 0 : 2;
		}
	}
	if (optind + 1 != argc || nodes == 1 || nodes > SIM_NODES_MAX || sodium_init() < 0) {
		usage(stderr);
		return 2;
	}
	for (const struct sim_scenario *c = sim_scenarios; c->name; c++)
		if (strcmp(c->name, argv[optind]) == 0)
			return run(c, seed, nodes);
	for (const struct sim_scenario *c = sim_lease_scenarios; c->name; c++)
		if (strcmp(c->name, argv[optind]) == 0)
			return run(c, seed, nodes);
	fprintf(stderr, "vpnsim: no scenario '%s'; `vpnsim --help` lists them\n", argv[optind]);
	return 2;
}
