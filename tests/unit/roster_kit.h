/* roster_kit.h - members by letters. For test_roster*.c. */
#ifndef TESTS_UNIT_ROSTER_KIT_H
#define TESTS_UNIT_ROSTER_KIT_H

#include "dht/roster.h"
#include "tests/check.h"

#define SET_TEXT (KEEPERS_MAX + 4)

static inline struct pubkey key(char letter)
{
	struct pubkey k = { { 0 } };

	k.b[0] = (uint8_t)letter;
	return k;
}

/* "ABC2": letters and quorum. */
static inline void text_of(const struct keeper_set *w, char out[SET_TEXT])
{
	char set[KEEPERS_MAX + 1] = "";

	for (char c = 'A'; c <= 'Z'; c++)
		for (size_t i = 0; i < w->count; i++)
			if (w->node[i].b[0] == (uint8_t)c)
				set[strlen(set)] = c;
	snprintf(out, SET_TEXT, "%s%u", set, w->quorum);
}

#endif
