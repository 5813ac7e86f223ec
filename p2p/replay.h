/* replay.h - a growing replay window, one per (key, sender's lane). docs/protocol.md 4.1.
 *
 * Starts at 128 bits; when a packet arrives that is older than the window but within twice its
 * size, the window doubles, up to 8192; everything older than its former edge counts as seen. */
#ifndef P2P_REPLAY_H
#define P2P_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#define REPLAY_BITS_MIN 128
#define REPLAY_BITS_MAX 8192
#define REPLAY_COUNT_END (UINT64_C(1) << 56) /* the wire has 56 bits */

struct replay_wide {
	uint64_t floor; /* counts below are refused for good */
	uint32_t bits;	/* window size now */
	uint64_t map[]; /* bits / 64 words */
};

struct replay {
	uint64_t top; /* highest count seen plus one; 0 = none */
	struct replay_wide *wide; /* owned; NULL while the window is the smallest */
	uint64_t small[REPLAY_BITS_MIN / 64];
};

static inline uint32_t replay_bits(const struct replay *r)
{
	return r->wide ? r->wide->bits : REPLAY_BITS_MIN;
}

void replay_init(struct replay *r);
void replay_fini(struct replay *r);
/* Before decryption: is it worth opening? Also true for what would widen the window. */
bool replay_may(const struct replay *r, uint64_t count);
/* After authentication: marks it; false if it was seen or too old (this may widen the window). */
bool replay_mark(struct replay *r, uint64_t count);

#endif
