/* mutant.c - linked into unit tests by `make check-mutants` only: the fault that VPND_MUTANT names is
 * on from the start. Another name than those of base/mutant.h ends the program. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/sim_mutant.h"

__attribute__((constructor)) static void mutant_choose(void)
{
	const char *name = getenv("VPND_MUTANT");

	if (!name)
		return;
	mutant_now = sim_mutant_find(name);
	if (mutant_now != MUTANT_NONE)
		return;
	fprintf(stderr, "VPND_MUTANT=%s: there is no such fault\n", name);
	exit(2);
}
