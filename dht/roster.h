/* roster.h - who should be keeper: pure decision, no I/O. Private to dht/.
 *
 * A table of members that may be keepers, with how reliably each has been there; from it, the set
 * of now and the settings, the set that should be. What it decides, and when: roster.c. Kept
 * durable now and then, so that a restart does not forget who is reliable; after one everybody
 * counts as absent until seen. docs/architecture.md, "Who is keeper". */
#ifndef DHT_ROSTER_H
#define DHT_ROSTER_H

#include "dht/seats.h"

#define ROSTER_MAX 64 /* members with the keeper right that are watched */
#define ROSTER_BYTES_MAX (2 + ROSTER_MAX * (KEY_LEN + 5))
#define ROSTER_ABSENT MINUTES(15) /* not attached and not heard of for so long: not there */

struct roster;

struct roster_seat { /* a keeper of now */
	struct pubkey node;
	bool reachable;
	bool lost; /* its incarnation is: it answers, but judges nothing any more */
};

struct roster_view {
	struct roster_seat seat[KEEPERS_MAX];
	uint8_t count, quorum;
	uint8_t self;  /* which seat is ours */
	uint8_t most;  /* keepers at most; 0 = people choose them */
	bool hardened; /* larger quorums, so that liars do no harm */
	bool settled;  /* a quorum works in this set, and no change is under way */
};

enum roster_change {
	ROSTER_STAY,
	ROSTER_GROW,
	ROSTER_REPLACE, /* one that is away by one that is there */
	ROSTER_SHRINK,
	ROSTER_EXPEL,  /* one that lost its right goes */
	ROSTER_RESEAT, /* the same nodes: a new incarnation, or another quorum */
	ROSTER_CHANGE_COUNT
};
const char *roster_change_text(enum roster_change c);

struct roster *roster_new(usec_t now);
void roster_free(struct roster *r);
/* Watches one more, which is absent until seen. False: the table is full of better ones. */
bool roster_admit(struct roster *r, const struct pubkey *node, usec_t now);
size_t roster_count(const struct roster *r);
const struct pubkey *roster_node(const struct roster *r, size_t i); /* i < count */
/* What is known of one that is watched: whether it may be keeper, and whether it is there. */
void roster_see(struct roster *r, const struct pubkey *node, bool right, bool present, usec_t now);
/* A word from it; it counts as there for ROSTER_ABSENT. */
void roster_heard(struct roster *r, const struct pubkey *node, usec_t now);
bool roster_was_heard(const struct roster *r, const struct pubkey *node, usec_t now);
/* Counts presence; every few minutes or more often. */
void roster_tick(struct roster *r, usec_t now);

/* What should be changed now, by us; `hurry`: a person asked, so nothing is waited for. */
enum roster_change roster_decide(struct roster *r, const struct roster_view *v, bool hurry,
				 struct keeper_set *want, usec_t now);
/* A change to that set was begun, by us. */
void roster_begun(struct roster *r, const struct roster_view *v, const struct keeper_set *want,
		  usec_t now);
void roster_changed(struct roster *r, usec_t now); /* another set is in force */

uint8_t roster_quorum(uint8_t count, bool hardened); /* of 1, 3, 5 or 7; 0 = not allowed */

/* The candidates: members with the keeper right that are no keepers now. */
bool roster_next(const struct roster *r, const struct roster_view *v, size_t *at,
		 struct candidate *out, usec_t now);

/* Durable: what a restart must not forget. */
size_t roster_write(const struct roster *r, uint8_t *out, size_t size);
bool roster_read(struct roster *r, const uint8_t *b, size_t len, usec_t now);

#endif
