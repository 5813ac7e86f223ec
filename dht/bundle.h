/* bundle.h - REGISTER messages that leave together: what one destination gets in one turn of the
 * owner's loop becomes one BUNDLE. Private to dht/. docs/protocol.md 8.5. */
#ifndef DHT_BUNDLE_H
#define DHT_BUNDLE_H

#include "base/key.h"
#include "dht/register.h"

enum { REGMSG_BUNDLE = 12 }; /* among the types of regmsg.h, but never read by it */
#define BUNDLE_PARTS_MAX 64
#define BUNDLE_MAX (60 * 1024) /* bytes of the whole message */
#define BUNDLE_PART_MAX 8192   /* bytes; longer messages go alone */

struct bundles; /* NULL: nothing waits */

struct bundles_way {
	void *ctx;
	void (*send)(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len);
	const uint8_t *nsid; /* NSID_LEN bytes */
};

/* Copies a whole REGISTER message. What has no room any more is sent at once. */
void bundles_add(struct bundles **all, const struct bundles_way *way, const struct pubkey *to,
		const uint8_t *msg, size_t len);
void bundles_flush(struct bundles **all, const struct bundles_way *way); /* sends all, frees itself */
void bundles_free(struct bundles **all);

/* The parts of a bundle, one after the other; they point into its bytes. */
struct bundle {
	struct rd rest;
	size_t left;
};
/* False: not well-formed as a whole, or a part is a bundle itself; then nothing of it counts. */
bool bundle_open(struct bundle *b, const uint8_t *msg, size_t len,
		 const uint8_t nsid[NSID_LEN]);
bool bundle_next(struct bundle *b, const uint8_t **part, size_t *len);

#endif
