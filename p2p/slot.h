/* slot.h - key slots: made for a handshake, found by the receiver index that we chose, and when a
 * key is to be followed by the next. struct key_slot is in view.h: the fast path reads it. 4.1. */
#ifndef P2P_SLOT_H
#define P2P_SLOT_H

#include <stdbool.h>

#include "base/time.h"

#define REKEY_DATA SEC(120) /* since the key's first non-control packet */
#define REKEY_CONTROL SEC(3600) /* since the key was made; view.h says when both end */
#define REKEY_RESPONDER SEC(10) /* the responder waits this much longer: one rekey, not two */

struct handshake_result;
struct key_slot;
struct session;

struct key_slot *slot_new(struct session *s, usec_t now); /* with an index of its own */
void slot_set_keys(struct key_slot *k, const struct handshake_result *r);
void slot_free(struct key_slot *k); /* NULL is legal */
usec_t slot_rekey_at(const struct key_slot *k);
bool slot_wants_rekey(const struct key_slot *k, usec_t now);

#endif
