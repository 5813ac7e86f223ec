/* replay.c - see replay.h. docs/protocol.md 4.1.
 *
 * The map is a ring of bits: count c lives at bit c mod `bits`, so the window is exactly the last
 * `bits` counts below `top`. Advancing clears the bits it passes. Doubling copies the map behind
 * itself: every count of the old window then sits where the new modulus looks for it, and the older
 * half, which holds the same bits by accident, lies below `floor` and is never asked.
 *
 * A count that is too old but would fit a window of twice the size passes replay_may, so that it is
 * authenticated: only a packet the peer really sent may widen the window. It is refused all the
 * same, since nobody knows whether it was seen before. A window widens six times in its life. */
#include "p2p/replay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

_Static_assert(REPLAY_BITS_MAX % REPLAY_BITS_MIN == 0 && REPLAY_BITS_MIN % 64 == 0,
	       "whole words, by doubling");
_Static_assert((REPLAY_BITS_MIN & (REPLAY_BITS_MIN - 1)) == 0 &&
		       (REPLAY_BITS_MAX & (REPLAY_BITS_MAX - 1)) == 0,
	       "a modulus by mask");

enum place {
	PLACE_NEW,    /* above everything seen */
	PLACE_INSIDE, /* in the window; its bit decides */
	PLACE_LATE,   /* refused, but a reason to widen */
	PLACE_OLD,    /* refused */
};

static size_t map_bytes(uint32_t bits)
{
	return bits / 8;
}

static uint64_t edge(const struct replay *r)
{
	return r->top > replay_bits(r) ? r->top - replay_bits(r) : 0;
}

static const uint64_t *map_of(const struct replay *r)
{
	return r->wide ? r->wide->map : r->small;
}

static uint64_t *word_of(struct replay *r, uint64_t count)
{
	return (r->wide ? r->wide->map : r->small) + (count & (replay_bits(r) - 1)) / 64;
}

static uint64_t bit_of(uint64_t count)
{
	return UINT64_C(1) << (count % 64);
}

void replay_init(struct replay *r)
{
	*r = (struct replay){ 0 };
}

void replay_fini(struct replay *r)
{
	free(r->wide);
	*r = (struct replay){ 0 };
}

static enum place place_of(const struct replay *r, uint64_t count)
{
	if (count >= REPLAY_COUNT_END)
		return PLACE_OLD;
	if (count >= r->top)
		return PLACE_NEW;
	if (count >= edge(r))
		return r->wide && count < r->wide->floor ? PLACE_OLD : PLACE_INSIDE;
	if (replay_bits(r) < REPLAY_BITS_MAX && r->top - count <= 2 * (uint64_t)replay_bits(r))
		return PLACE_LATE;
	return PLACE_OLD;
}

static bool is_seen(const struct replay *r, uint64_t count)
{
	return map_of(r)[(count & (replay_bits(r) - 1)) / 64] & bit_of(count);
}

bool replay_may(const struct replay *r, uint64_t count)
{
	enum place p = place_of(r, count);

	return p == PLACE_NEW || p == PLACE_LATE || (p == PLACE_INSIDE && !is_seen(r, count));
}

/* Makes room for the counts from top up to and including `count`. */
static void advance(struct replay *r, uint64_t count)
{
	uint64_t c = r->top;

	if (count - c >= replay_bits(r))
		memset(word_of(r, 0), 0, map_bytes(replay_bits(r)));
	else
		while (c <= count)
			if (c % 64 == 0 && count - c >= 63) {
				*word_of(r, c) = 0;
				c += 64;
			} else {
				*word_of(r, c) &= ~bit_of(c);
				c++;
			}
	r->top = count + 1;
}

static void widen(struct replay *r)
{
	uint32_t bits = replay_bits(r);
	size_t old = map_bytes(bits);
	struct replay_wide *wide = mem_new(sizeof(*wide) + 2 * old);

	assert(bits < REPLAY_BITS_MAX);
	wide->bits = 2 * bits;
	wide->floor = r->wide && r->wide->floor > edge(r) ? r->wide->floor : edge(r);
	memcpy(wide->map, map_of(r), old);
	memcpy(wide->map + old / sizeof(*wide->map), map_of(r), old);
	free(r->wide);
	r->wide = wide;
}

bool replay_mark(struct replay *r, uint64_t count)
{
	enum place p = place_of(r, count);

	if (p == PLACE_LATE)
		widen(r);
	if (p == PLACE_LATE || p == PLACE_OLD || (p == PLACE_INSIDE && is_seen(r, count)))
		return false;
	if (p == PLACE_NEW)
		advance(r, count);
	*word_of(r, count) |= bit_of(count);
	return true;
}
