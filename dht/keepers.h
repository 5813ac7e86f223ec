/* keepers.h - the keeper set as one keeper sees it, and changing it. Public; comes with regs.h.
 *
 * docs/protocol.md 8.9. */
#ifndef DHT_KEEPERS_H
#define DHT_KEEPERS_H

#include "base/time.h"
#include "dht/grant.h"

struct regs;

/* Sizes that are allowed: 1, 3 to 7; quorum more than half, 0 = the majority. */
struct keeper_set {
	struct pubkey node[KEEPERS_MAX];
	uint8_t count, quorum;
};

struct keeper_info {
	struct pubkey node;
	bool reachable; /* heard of in the last 20 s; ourselves: we work */
	bool installed; /* it serves the present keeper set */
	bool sealed;	/* it takes part in a change that is not over */
	bool lost;	/* it answers, but without the state that the set counts on: replace it */
	uint64_t behind; /* positions that it still has to copy; 0 = none, or not told */
	usec_t heard;	 /* when last, 0 = never since our start */
};

/* Begins a change to exactly this set, in which a member that has lost its state may stand as it
 * is. 0: begun; it ends by itself within 10 minutes, with regs_keepers naming the new set or not.
 * -EPERM: we are no working keeper. -EBUSY: a change is under way. -EINVAL: not a set, or already
 * the set. */
int regs_change_keepers(struct regs *r, const struct keeper_set *want, usec_t now);
bool regs_is_changing(const struct regs *r); /* begun here, or half-done anywhere we know of */
/* The members of the present set in its order; at a keeper. 0 = this node is none. */
size_t regs_keeper_infos(const struct regs *r, struct keeper_info out[KEEPERS_MAX], usec_t now);
/* Wall second since when the present set has been known here; 0 = none. */
uint64_t regs_last_change(const struct regs *r);

/* At a keeper: new settings with a higher number, signed by the root; pushed to members. */
int regs_change_settings(struct regs *r, const struct settings *s, const struct key_pair *root,
			 usec_t now);
/* At a keeper: every register it holds. *at = 0 first. */
bool regs_next(const struct regs *r, size_t *at, struct reg_name *name, struct reg_value *v);

#endif
