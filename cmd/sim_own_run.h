/* sim_own_run.h - `vpnsim ownership`. */
#ifndef CMD_SIM_OWN_RUN_H
#define CMD_SIM_OWN_RUN_H

int sim_own_main(int argc, char **argv); /* argv[0] = "ownership"; the exit status */

int sim_claims_main(void); /* vpnsim claims */

#endif
