/* stamp.h - the highest handshake timestamp seen from each key. docs/protocol.md 3.1. */
#ifndef P2P_STAMP_H
#define P2P_STAMP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/key.h"

#define STAMPS_MAX 4096 /* the key not heard of for longest is forgotten first */

struct stamp;

struct stamps {
	struct stamp *all; /* heard of longest ago first */
	size_t count, size;
};

void stamps_init(struct stamps *st);
void stamps_fini(struct stamps *st);
/* Is (counter, boottime) above everything seen from this key? */
bool stamps_is_new(const struct stamps *st, const struct pubkey *key, uint32_t counter,
		   uint64_t boottime);
void stamps_put(struct stamps *st, const struct pubkey *key, uint32_t counter, uint64_t boottime);

#endif
