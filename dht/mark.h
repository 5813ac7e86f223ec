/* mark.h - how far a keeper's log had come: shown by it, kept by others, and shown back to it.
 *
 * Private to dht/. docs/protocol.md 8.14. A mark is signed by the keeper's epoch key, which stands
 * for one incarnation in one epoch: nobody can silence a keeper with an invented one. */
#ifndef DHT_MARK_H
#define DHT_MARK_H

#include "dht/config.h"

#define MARK_LEN (8 + 8 + SIG_LEN)

struct mark {
	uint64_t starts;   /* of this incarnation; 0: no mark at all */
	uint64_t position; /* durable when this was said */
	uint8_t sig[SIG_LEN];
};

void wr_mark(struct wr *w, const struct mark *m);
struct mark rd_mark(struct rd *r);
void mark_sign(struct mark *m, const struct key_pair *epoch_key, const struct crypto *c);
bool mark_is_signed(const struct mark *m, const struct pubkey *epoch_key, const struct crypto *c);
/* Of two marks of one keeper the one that says more; with the same words `a`. */
bool mark_is_beyond(const struct mark *a, const struct mark *b);

/* The furthest of each member of one set. */
struct marks {
	uint32_t era, epoch;
	size_t count;
	struct marks_entry {
		uint8_t member;
		struct mark mark;
	} of[];
};
/* *all is NULL at first, grows as needed and is freed by its owner with free(). Marks of another set
 * than `cf` are forgotten. */
void marks_note(struct marks **all, const struct config *cf, uint8_t member, const struct mark *m);
const struct mark *marks_of(const struct marks *all, const struct config *cf, uint8_t member);

#endif
