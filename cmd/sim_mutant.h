/* sim_mutant.h - switches on one fault of base/mutant.h. */
#ifndef CMD_SIM_MUTANT_H
#define CMD_SIM_MUTANT_H

#include <stdbool.h>

#include "base/mutant.h"

extern enum mutant mutant_now; /* asked by nobody in a build without -DVPND_MUTANTS */
extern const bool sim_mutants_built;

const char *sim_mutant_text(enum mutant m); /* its name */
const char *sim_mutant_what(enum mutant m); /* what goes wrong */
enum mutant sim_mutant_find(const char *text); /* MUTANT_NONE: there is none of that name */

#endif
