/* path.h - the candidates of one path of a lookup. Private to lookup.c. */
#ifndef DHT_PATH_H
#define DHT_PATH_H

#include <stdbool.h>

#include "base/key.h"

#define PATH_MAX_CANDIDATES 40
#define PATH_TELLERS_MAX 42 /* answers of which is remembered what became of the keys they told */
#define PATH_LIES 3	    /* keys of one teller that did not answer, and none that did: a liar */

/* Who told a key: the number of an answer, or */
#define PATH_TOLD_OFTEN 0xff /* our table, several, or one too many */

enum candidate_state {
	CANDIDATE_NEW,
	CANDIDATE_ASKED,
	CANDIDATE_SLOW,
	CANDIDATE_ANSWERED,
	CANDIDATE_FAILED
};

struct candidate {
	struct pubkey key;
	uint64_t far; /* distance to the target, its first 64 bits */
	enum candidate_state state;
	uint8_t teller;
	bool silent; /* counted among the silent ones of its teller */
};

/* What became of the keys that one answer alone told. */
struct path_teller {
	uint8_t heard, silent;
};

/* The nearest candidates of one path, nearest first. */
struct lookup_path {
	size_t count;
	bool gave; /* a record, to the present agreement */
	uint8_t tellers;
	struct path_teller teller[PATH_TELLERS_MAX];
	struct candidate candidate[PATH_MAX_CANDIDATES];
};

/* Puts a key in its place, unless the path is full of nearer or asked ones. It must be new. */
void path_add(struct lookup_path *p, const struct pubkey *key, uint64_t far, uint8_t teller);
/* The number of a new teller. */
uint8_t path_teller(struct lookup_path *p);
/* A second one tells the key: it is no lie of the first alone. */
void path_told_again(struct candidate *c, uint8_t teller);
/* A candidate answered, or left a request unanswered. True when that shows its teller to be a liar:
 * what it alone told and was not asked yet is gone, and c no longer valid. */
bool path_judge(struct lookup_path *p, struct candidate *c, bool answered);
struct candidate *path_find(struct lookup_path *p, const struct pubkey *key);
/* The nearest from *at on that answered, or, if `heard`, has not failed: *at is its number. NULL:
 * no more. */
const struct candidate *path_next(const struct lookup_path *p, size_t *at, bool heard);

#endif
