/* evidence.h - what was seen that honest keepers never do. Public; comes with regs.h.
 *
 * Kept in memory, the first EVIDENCE_MAX of a start; the rest is counted. docs/protocol.md 8.11. */
#ifndef DHT_EVIDENCE_H
#define DHT_EVIDENCE_H

#include "dht/grant.h"

#define EVIDENCE_MAX 8

enum evidence_kind {
	/* Grants to two owners for one generation. In a hardened set who signed both has lied; where
	 * a majority decides, that keeper or the proposer of the second. Proof. */
	EVIDENCE_OWNERS,
	EVIDENCE_PROPOSAL, /* two values proposed under one ballot by one keeper; seen, no proof */
	EVIDENCE_KINDS
};

struct evidence_side {
	struct pubkey owner; /* zero: not seen again since */
	uint8_t *grant;	     /* the proof, or NULL: not seen again since, or there is none */
	size_t len;
};

struct evidence {
	enum evidence_kind kind;
	struct reg_name name;
	uint64_t generation;
	struct pubkey liar[KEEPERS_MAX];
	uint8_t liars;
	struct evidence_side side[2];
};

const char *evidence_text(enum evidence_kind kind); /* one sentence */

struct regs;
/* What was seen here: i from 0, NULL beyond the last kept; how much in all since the start. */
const struct evidence *regs_evidence(const struct regs *r, size_t i);
uint64_t regs_evidence_count(const struct regs *r);

#endif
