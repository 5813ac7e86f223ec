/* seats.h - who waits to become keeper, and why. Public; goes with regs.h and keepers.h.
 *
 * docs/architecture.md, "Who is keeper"; the policy itself: roster_pick.c. */
#ifndef DHT_SEATS_H
#define DHT_SEATS_H

#include "base/time.h"
#include "dht/keepers.h"

enum candidate_wait {
	CANDIDATE_READY,  /* comes in as soon as somebody acts: within minutes */
	CANDIDATE_ABSENT, /* is not there */
	CANDIDATE_PROOF,  /* has to be there for `left` longer */
	CANDIDATE_PAIR,	  /* for one more: two keepers are worse than one, and four than three */
	CANDIDATE_FULL,	  /* as many as the settings allow: a spare */
	CANDIDATE_MANUAL, /* people choose */
	CANDIDATE_WAIT_COUNT
};
struct candidate {
	struct pubkey node;
	bool present;
	uint8_t percent; /* of the last days it was there */
	enum candidate_wait wait;
	usec_t left;
};

/* At a keeper: members with the keeper right that are no keepers. *at = 0 first. */
bool regs_candidate(const struct regs *r, size_t *at, struct candidate *out, usec_t now);
/* Takes in at once who is there, as far as the settings allow: 0 and *want, the set that was begun;
 * -ENOENT: nobody to take in; else as regs_change_keepers. */
int regs_keepers_grow(struct regs *r, struct keeper_set *want, usec_t now);
/* The present set endures liars; so must those that follow it in its era, docs/protocol.md 8.13. */
bool regs_is_hardened(const struct regs *r);
uint8_t regs_keeper_quorum(uint8_t count, bool hardened); /* of 1, 3, 5 or 7; 0 = not allowed */

#endif
