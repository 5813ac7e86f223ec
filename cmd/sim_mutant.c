/* sim_mutant.c - the one word that says which fault is on. */
#include "cmd/sim_mutant.h"

#include <string.h>

enum mutant mutant_now;

#define MUTANT_ROW(name, text, what) [MUTANT_##name] = { text, what },
static const struct {
	const char *text, *what;
} rows[MUTANT_COUNT] = { [MUTANT_NONE] = { "none", "nothing" }, MUTANTS(MUTANT_ROW) };

#ifdef VPND_MUTANTS
const bool sim_mutants_built = true;
#else
const bool sim_mutants_built = false;
#endif

const char *sim_mutant_text(enum mutant m)
{
	return rows[m].text;
}

const char *sim_mutant_what(enum mutant m)
{
	return rows[m].what;
}

enum mutant sim_mutant_find(const char *text)
{
	for (unsigned m = MUTANT_NONE + 1; m < MUTANT_COUNT; m++)
		if (strcmp(text, rows[m].text) == 0)
			return (enum mutant)m;
	return MUTANT_NONE;
}
