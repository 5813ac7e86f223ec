/* eras.h - the chain of keeper sets as others use it. Public; comes with regs.h.
 *
 * docs/protocol.md 7.2, 9.6. */
#ifndef DHT_ERAS_H
#define DHT_ERAS_H

#include "dht/grant.h"

struct regs;

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
/* This node showed a grant that regs_check refused: if a set is missing here, it may have it. */
void regs_ask_chain(struct regs *r, const struct pubkey *from, const uint8_t *grant, size_t len,
		    usec_t now);

#endif
