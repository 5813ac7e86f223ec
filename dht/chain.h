/* chain.h - the configurations of this namespace that are known, newest first in rank. Private to
 * dht/. docs/protocol.md 7.2, rule R2.
 *
 * Grants are judged by the configuration of their own epoch, and who was away is led from the one it
 * knows to the newest. A node that knows one configuration only has no links. */
#ifndef DHT_CHAIN_H
#define DHT_CHAIN_H

#include "dht/config.h"

#define CHAIN_MEMBER_MAX 64
#define CHAIN_KEEPER_MAX 256

struct chain_link {
	struct config *config; /* its own, ends after its bytes */
	bool proven; /* by its predecessor or the root, else by a hash that is trusted */
	bool rival;  /* proven as well as the one it is the rival of: evidence, never used */
	bool dirty;  /* not on disk as it is here */
	uint64_t op; /* of the write under way, 0 = none */
};

/* Rising; configurations before the newest, and the rivals of any. */
struct chain {
	struct chain_link *links;
	size_t count, places;
};

/* What is held, as a whole. */
struct chain_view {
	const struct config *newest; /* NULL = none */
	bool proven;		     /* the newest */
	const struct chain *older;   /* NULL = none */
	const struct checkpoint *trust; /* of a token, NULL = none */
};

enum chain_verdict {
	CHAIN_BAD,	/* proven by nothing that is known here */
	CHAIN_HELD,	/* nothing new */
	CHAIN_PROOF,	/* held, but now with its proof */
	CHAIN_OLDER,	/* good, before the newest */
	CHAIN_NEWEST,	/* good, after the newest */
	CHAIN_ERA,	/* a genesis that beats that of the newest's era: nothing of it counts */
	CHAIN_GAP,	/* after the newest, but what lies between is missing */
	CHAIN_GAP_BELOW, /* before the oldest, likewise */
	CHAIN_FORK,	/* a second successor of one configuration */
};

/* A copy in one piece of *c (which was read, or made) and its bytes; free() ends it. */
struct config *chain_copy(const struct config *c);
/* Of a configuration that config_read_unproven has read. *proven: it has proofs that are right. */
enum chain_verdict chain_judge(const struct chain_view *v, const struct config *cf, bool *proven,
			       const struct crypto *c);
const struct config *chain_find(const struct chain_view *v, uint32_t era, uint32_t epoch);
/* The first after (era, epoch), or the last before it; NULL = none. */
const struct config *chain_after(const struct chain_view *v, uint32_t era, uint32_t epoch);
const struct config *chain_before(const struct chain_view *v, uint32_t era, uint32_t epoch);
/* Whether its proofs are right, by what is held. */
bool chain_is_proven(const struct chain_view *v, const struct config *cf);
/* A rival in the era of the newest: nobody can tell whose word counts. */
const struct config *chain_rival(const struct chain_view *v);

/* Takes *link over, in its place; replaces one of the same epoch and kind. */
struct chain_link *chain_put(struct chain *ch, const struct chain_link *link);
void chain_drop(struct chain *ch, size_t at);
void chain_fini(struct chain *ch);

#endif
