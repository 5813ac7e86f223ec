/* path.h - the candidates of one path of a lookup. Private to lookup.c. */
#ifndef DHT_PATH_H
#define DHT_PATH_H

#include <stdbool.h>

#include "base/key.h"

#define PATH_MAX_CANDIDATES 40

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
};

/* The nearest candidates of one path, nearest first. */
struct lookup_path {
	size_t count;
	bool gave; /* a record, to the present agreement */
	struct candidate candidate[PATH_MAX_CANDIDATES];
};

/* Puts a key in its place, unless the path is full of nearer or asked ones. It must be new. */
void path_add(struct lookup_path *p, const struct pubkey *key, uint64_t far);
struct candidate *path_find(struct lookup_path *p, const struct pubkey *key);
/* The nearest from *at on that answered, or, if `heard`, has not failed: *at is its number. NULL:
 * no more. */
const struct candidate *path_next(const struct lookup_path *p, size_t *at, bool heard);

#endif
