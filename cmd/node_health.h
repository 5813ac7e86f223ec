/* node_health.h - what deserves attention, as sentences that say what to do. */
#ifndef CMD_NODE_HEALTH_H
#define CMD_NODE_HEALTH_H

#include "cmd/node_keepers.h"

#define NODE_HEALTH_MAX 480 /* bytes of a line, with its end */

/* Lines about one namespace, the gravest first. *at = 0 first. */
bool node_health_next(const struct node *n, uint16_t ns, size_t *at, char out[NODE_HEALTH_MAX],
		      usec_t now);
/* What a lease in this state means for its owner, and what to do. Never NULL. */
const char *node_lease_advice(enum lease_state s);
/* Why a candidate is no keeper yet: a short sentence. `most`: what the settings allow. */
void node_candidate_text(const struct candidate *c, uint8_t most, char *out, size_t size);
/* "45 s", "12 min", "3 h", "6 days". */
void node_span_text(uint64_t seconds, char *out, size_t size);

#endif
