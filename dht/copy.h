/* copy.h - fetching what other keepers have accepted, from all of them at once. Private to dht/. */
#ifndef DHT_COPY_H
#define DHT_COPY_H

#include "dht/regmsg.h"

#define COPY_SOURCES_MAX (2 * KEEPERS_MAX)

struct copy_env {
	void *ctx;
	void (*random)(void *ctx, void *out, size_t len);
	void (*pull)(void *ctx, const struct pubkey *to, const struct regmsg *m, usec_t now);
	/* Takes all entries, or says false: then they come again. */
	bool (*take)(void *ctx, uint8_t slot, struct rd *entries, usec_t now);
	bool (*has_room)(void *ctx); /* false: the disk is behind, ask later */
};

struct copy_source {
	struct pubkey node;
	uint64_t incarnation;
	uint8_t slot; /* its number, the same for as long as it stays */
	uint64_t position, end; /* copied up to; the source's last */
	bool heard;
	bool is_old; /* a member of the set before the newest */
	bool is_new; /* of the newest */
	bool sealed; /* all that it had when it was sealed is here */
	bool whole;  /* all that an installed member had is here */
	uint64_t request; /* under way, 0 = none */
	uint8_t tries;
	usec_t next;
};

struct copy {
	struct copy_env env;
	uint8_t nsid[NSID_LEN];
	struct epoch_at newest;
	uint8_t old_quorum, new_quorum;
	bool gathers; /* nobody is believed alone: what is whole counts like what is sealed */
	bool guards;  /* the newest set is hardened, the one before was not */
	uint16_t stayed; /* slots of sources that were there before the last copy_aim */
	bool hurries; /* the registers stand still until this is done */
	struct copy_source source[COPY_SOURCES_MAX];
	size_t count;
	uint64_t next_request;
};

void copy_init(struct copy *c, const struct copy_env *env, const uint8_t nsid[NSID_LEN]);
/* From now on: the members of `newest` and, when it is given, of the configuration before it. What
 * was copied of a source that stays need not come again. */
void copy_aim(struct copy *c, const struct config *newest, const struct config *before,
	      const struct pubkey *self, usec_t now);
void copy_input(struct copy *c, const struct pubkey *from, const struct regmsg *m, usec_t now);
void copy_tick(struct copy *c, usec_t now);
usec_t copy_deadline(const struct copy *c);
/* Nothing that was chosen before the newest epoch is missing. `own`: we are sealed in the epoch
 * before, and count as one of its quorum. */
bool copy_is_complete(const struct copy *c, bool own);
/* Slots of those members of the set before, or of the newest, of which everything is here. */
uint16_t copy_heard(const struct copy *c, bool of_newest);
bool copy_heard_all(const struct copy *c); /* of the set before */
/* Positions to go until a quorum of `quorum` sources is here; UINT64_MAX: too few answer. */
uint64_t copy_behind(const struct copy *c, size_t quorum);

#endif
