/* mutant.h - faults put in on purpose, so that a checker can show that it would find them.
 *
 * `if (MUTANT(NO_SEAL))` is `if (0)` in every ordinary build. Built with -DVPND_MUTANTS (only `make
 * check-mutants` does so, in an object folder of its own) exactly one fault can be switched on by
 * its text: `vpnsim ownership --mutant no-seal`, for unit tests VPND_MUTANT=no-seal (tests/mutant.c).
 * The one mutable word lies in cmd/sim_mutant.c.
 *
 * A row: enum name, text, what goes wrong. The line of code that a fault spoils asks for it. */
#ifndef BASE_MUTANT_H
#define BASE_MUTANT_H

#define MUTANTS(X)                                                                                 \
	X(NO_SEAL, "no-seal", "an old keeper goes on in its epoch after it accepted a successor")  \
	X(ONE_SNAPSHOT, "one-snapshot", "a new keeper installs what one old keeper had, not Q")    \
	X(AMNESIA, "amnesia", "a keeper that lost its disk serves on under the same identity")     \
	X(REINSTALL, "reinstall", "a lost incarnation is installed again in an epoch it voted in") \
	X(RESTART_EXPIRED, "restart-expired", "a restarted keeper takes all leases for over")      \
	X(FROM_ANSWER, "from-answer", "an owner counts its lease from the answer")                 \
	X(NO_MARGIN, "no-margin", "a keeper adds nothing for clock rates and grace")               \
	X(IGNORE_PROMISE, "ignore-promise", "an acceptor accepts below what it promised")          \
	X(LATE_ANSWER, "late-answer", "the answer to an operation given up still counts")          \
	X(VIEW_QUORUM, "view-quorum", "a quorum of those that the proposer believes alive")        \
	X(SINGLE_PHASE, "single-phase", "no prepare: a majority writes what it is asked")          \
	X(TRANSFER_RESUMES, "transfer-resumes", "who signed a transfer goes on using the address") \
	X(EARLY_USE, "early-use", "a copied or rebooted node uses its address before renewing")    \
	X(OLD_GRANT, "old-grant", "a replayed old grant is accepted by who has seen a newer one")  \
	X(FIRST_SIGHT, "first-sight", "a lease that only its peer has shown is not looked up")     \
	X(FREE_TOKEN, "free-token", "a use of a token is not counted")                             \
	X(REVOKED_ENROLS, "revoked-enrols", "a revoked token or member enrols again")              \
	X(LOST_WRITE, "lost-write", "a keeper answers before its disk did")                        \
	X(TAKES_ALL, "takes-all", "hardened: an acceptor takes whatever value is offered")         \
	X(TAKES_AGES, "takes-ages", "hardened: an acceptor believes the age that is offered")      \
	X(TAKES_DATES, "takes-dates", "hardened: an acceptor takes beacons of the future")         \
	X(TAKES_COPIES, "takes-copies", "hardened: copies are believed as they are shown")         \
	X(TAKES_DERIVED, "takes-derived", "hardened: what keepers derive needs no reason")         \
	X(TAKES_REPORTS, "takes-reports", "hardened: a proposer believes the highest ballot")      \
	X(TAKES_LEASES, "takes-leases", "hardened: the lease may be another than was asked for")   \
	X(TAKES_SETS, "takes-sets", "hardened: any keeper set may follow, and a second one too")   \
	X(ONE_IS_ENOUGH, "one-is-enough", "hardened: one report proves what was chosen")           \
	X(NO_FLOOR, "no-floor", "promises are forgotten, and nothing stands for them")             \
	X(FLOOR_LOST, "floor-lost", "what stands for forgotten promises is lost in a restart")

#define MUTANT_ENUM(name, text, what) MUTANT_##name,
enum mutant { MUTANT_NONE, MUTANTS(MUTANT_ENUM) MUTANT_COUNT };

#ifdef VPND_MUTANTS
extern enum mutant mutant_now;
#define MUTANT(name) (mutant_now == MUTANT_##name)
#else
#define MUTANT(name) 0
#endif

#endif
