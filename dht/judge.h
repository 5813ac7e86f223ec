/* judge.h - keepers among liars: whom to believe, and what to accept. Private to dht/.
 *
 * Pure functions; judge.c holds the proof. docs/protocol.md 8.13. */
#ifndef DHT_JUDGE_H
#define DHT_JUDGE_H

#include "dht/change.h"
#include "dht/grant.h"

#define JUDGE_COUNTER_STEP 64 /* a ballot's counter above the one before, whatever the clock */
#define JUDGE_COUNTERS_A_SECOND (UINT64_C(1) << 20) /* since 1970: whatever was before */
#define JUDGE_CLOCKS_APART 600 /* seconds by which keepers' clocks may differ */
#define JUDGE_CLOCKS_APART_HARDENED 60

/* Liars that this set endures; 0 = a set of majorities, in which all keepers are trusted. */
uint8_t judge_liars(const struct config *cf);
static inline bool judge_is_hardened(const struct config *cf) { return judge_liars(cf) > 0; }
/* So many equal reports prove to a keeper that lags behind: whatever was chosen led to this value. */
uint8_t judge_enough(const struct config *cf);

/* What one member says in its promise. value NULL: it has accepted nothing. */
struct judge_report {
	struct ballot accepted;
	uint64_t age, beacon; /* seconds; wall seconds */
	uint8_t *value;
	size_t len;
};
struct judge_panel { /* of one round; reports[i] is member i's when its bit is in `heard` */
	struct judge_report reports[KEEPERS_MAX];
	uint8_t heard;
};
void judge_panel_add(struct judge_panel *p, uint8_t member, const struct judge_report *r); /* copies */
void judge_panel_clear(struct judge_panel *p); /* frees */

struct judge_choice {
	const struct judge_report *report; /* of a member with the value to build upon; NULL: none */
	uint64_t age;	/* a lower bound of its age that liars cannot raise; sure ones: nor lower */
	uint64_t beacon; /* far in the future: nobody knows it, the value is as good as new */
	bool sure;	/* whatever was chosen is this, or led to it; of the most likely one false */
	bool unanimous; /* all that were heard report it alike, or all report nothing */
};
/* Could `value` come of `base` (NULL = of nothing) by one operation? */
typedef bool judge_legal_fn(void *ctx, const struct judge_report *base,
			    const struct judge_report *value);
/* Sets of majorities never ask `legal`, and are always sure. */
struct judge_choice judge_pick(const struct judge_panel *p, const struct config *cf,
			       judge_legal_fn *legal, void *ctx);
/* Two reports with one ballot and different values: the member whose ballot it is, else -1. */
int judge_equivocator(const struct judge_panel *p, const struct config *cf);

/* Bounds that hold in every set. False: refuse, whoever sends it. */
bool judge_counter_fits(uint64_t counter, uint64_t promised, uint64_t wall);
bool judge_beacon_fits(uint64_t beacon, uint64_t wall);

/* --- judge_value.c: may this acceptor take a value, by what it knows itself? --- */
enum judge_word {
	JUDGE_REFUSE,
	JUDGE_TAKE,
	JUDGE_FETCH, /* what it depends on was never seen here: got first, then asked again */
};

struct judge_env {
	void *ctx;
	const struct crypto *crypto;
	uint8_t nsid[NSID_LEN];
	/* The rules for operations, by our own registers. */
	enum reg_status (*allowed)(void *ctx, const struct change *c);
	void (*world)(void *ctx, struct change_world *w);
	/* A grant that an earlier era's keepers gave, and that still counts in this one: taken when it
	 * is good, fetched when its keepers are not known here yet. */
	enum judge_word (*shown)(void *ctx, struct grant *g, const uint8_t *b, size_t len);
	/* Our own value of a register; false = none. */
	bool (*value)(void *ctx, const struct reg_name *name, struct reg_value *v);
	/* Our own registers of kind member: *at = 0 first. */
	bool (*member)(void *ctx, size_t *at, struct pubkey *key, struct member_payload *m);
};
struct judge_offer {
	const struct reg_name *name;
	const struct reg_value *old; /* ours; NULL = none */
	uint64_t age;		     /* of ours, seconds */
	const struct reg_value *new;
	const uint8_t *why; /* the operation that made it, or the grant; none of what keepers derive */
	size_t why_len;
	uint64_t beacon;
	bool earlier; /* it is a report, of what may have been made long ago */
};
/* JUDGE_FETCH of a register puts it into *need. */
enum judge_word judge_value(const struct judge_env *env, const struct judge_offer *o,
			    struct reg_name *need);

#endif
