/* node_keepers.h - the keepers of a namespace: what is known of them, and changing them. */
#ifndef CMD_NODE_KEEPERS_H
#define CMD_NODE_KEEPERS_H

#include "cmd/node.h"
#include "dht/seats.h"

/* Verbs, as in node_verbs.h; each ends in one notice, a change when it is over or after 90 s. */
struct node_keepers_change { /* names or keys of members */
	const char *add[KEEPERS_MAX], *remove[KEEPERS_MAX];
	size_t added, removed;
};
void node_keepers_change(struct node *n, uint64_t op, const char *ns,
			 const struct node_keepers_change *c, usec_t now);
void node_keepers_grow(struct node *n, uint64_t op, const char *ns, usec_t now);
struct node_keepers_max {
	uint8_t most; /* 1, 3, 5 or 7; 0 = people choose */
	bool sets_hardened, hardened;
};
void node_keepers_max(struct node *n, uint64_t op, const char *ns, const struct node_keepers_max *m,
		      usec_t now);

/* Questions, answered at once. */
struct node_keepers_info {
	uint16_t ns;
	uint8_t count, quorum, most, reachable; /* reachable: at a keeper only */
	uint32_t era, epoch;
	bool hardened;
	bool here;     /* this node is a keeper, so it knows all of this */
	bool changing; /* a change is under way */
	uint64_t last_change; /* wall seconds; 0 = not known */
};
void node_keepers_info(const struct node *n, uint16_t ns, struct node_keepers_info *out, usec_t now);
struct node_keeper {
	struct pubkey node;
	char name[64]; /* "" = not known here */
	bool self;
	bool known; /* the rest is: at a keeper */
	bool reachable, installed, sealed, lost, was_heard;
	uint64_t behind; /* changes that it has still to copy */
	usec_t heard;	 /* so long ago */
};
bool node_keeper_next(const struct node *n, uint16_t ns, size_t *at, struct node_keeper *out,
		      usec_t now);
bool node_candidate_next(const struct node *n, uint16_t ns, size_t *at, struct candidate *out,
			 usec_t now);

#endif
