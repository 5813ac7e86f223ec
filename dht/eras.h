/* eras.h - the chain of keeper sets as others use it. Public; comes with regs.h.
 *
 * docs/protocol.md 7.2, 9.6. */
#ifndef DHT_ERAS_H
#define DHT_ERAS_H

#include "dht/grant.h"

struct regs;
struct regs_secret;

#define HINT_MAX (1 + 4 + 4 + 32 + 1 + KEEPERS_MAX * KEY_LEN)

/* The keeper set of that epoch, NULL when it is not known here. */
const struct config *regs_config_of(const struct regs *r, uint32_t era, uint32_t epoch);
/* Two successors of one keeper set were proven: nothing newer of this era is believed, and no keeper
 * serves it, until the root begins another. */
bool regs_is_forked(const struct regs *r);
/* Which set is the newest and whom to ask for it: the DHT's record. Bytes or 0. */
size_t regs_hint(const struct regs *r, uint8_t *out, size_t size);
/* A hint proves nothing: those it names are asked. True = it tells of a newer set than ours. */
bool regs_offer_hint(struct regs *r, const uint8_t *b, size_t len, usec_t now);
/* Asks this member for an era after the one that is known here, if there is one. */
void regs_look_for_era(struct regs *r, const struct pubkey *member, usec_t now);
/* When a quorum of the keepers is gone for good: begins the next era, signed by the root, with this
 * node as its only keeper, and makes it a member. Settings are known here (regs_adopt, or as a
 * member). REGS_ENROLLED with op 0 follows as after regs_create. 0, -EINVAL: not the root, a bad
 * host name or no settings, -EBUSY: under way, -ERANGE: our clock is behind dates known here. */
int regs_reset_era(struct regs *r, const struct key_pair *root, const char *host, usec_t now);
/* What a backup holds of a namespace, on a node that knows nothing of it: settings, its newest keeper
 * set, secrets. 0 or -EINVAL. */
struct regs_estate {
	const uint8_t *settings, *config;
	size_t settings_len, config_len;
	const struct regs_secret *secrets;
	size_t secret_count;
};
int regs_adopt(struct regs *r, const struct regs_estate *e, usec_t now);
bool regs_is_settling(const struct regs *r, usec_t now); /* the era has begun lately */
/* A grant of ours from an earlier era, shown to a keeper of this one, who writes its register again:
 * repeat it until it is granted anew. False = it is of the present era, or nobody can be asked. */
bool regs_show(struct regs *r, const uint8_t *grant, size_t len, usec_t now);
/* This node showed a grant that regs_check refused: if a set is missing here, it may have it. */
void regs_ask_chain(struct regs *r, const struct pubkey *from, const uint8_t *grant, size_t len,
		    usec_t now);

#endif
