/* registers.pml - one register, its keepers, its clients and a change of keepers, in small bounds.
 *
 * What docs/protocol.md 8 says about registers, leases and successors, with everything left out
 * that does not bear on who owns an address: no bytes, no signatures, no names. `check.sh` runs it
 * to the end of its state space within the bounds of a scene, and then once more for each rule
 * with that rule switched off: every such run must end in a violated assertion.
 *
 * Messages are never queued. What a proposer or client has sent can be handled at any later time,
 * in any order, by each keeper or never: that is loss and reordering. A proposer that stops in the
 * middle, or whose answers all get lost, is one whose process is never scheduled again. What only
 * forbids later steps is left out, as it hides no behaviour: a promise of which the proposer never
 * hears; and of an acceptance that gets lost the proposer may hear, but need not go on.
 *
 * Keepers are 0..3. Those of the first epoch are 0, 1, 2, of which two are a quorum; keeper 3
 * takes the place of 2 (or, when two changes compete, of 1). An era's reset names keeper 3 alone.
 *
 * Time is in ticks that come at any moment. A lease is LEASE ticks for its owner, who counts from
 * the first sending of the request; keepers give to another only at an age of LEASE + MARGIN. The
 * age a keeper reports may be one too many: clocks differ by at most that much within a lease.
 * Nothing holds the time itself, only what is left or past, up to where it makes no difference:
 * time has no bound in the model.
 *
 * Rounds are proposals: round b has ballot b, those up to OLD are of the first epoch. */

#ifndef LEASE
#define LEASE 1
#endif
#ifdef NO_MARGIN
#define MARGIN 0
#else
#define MARGIN 1
#endif
#define OLDEST (LEASE + MARGIN)
#define Q 2
#define KEEPERS 4
#define CLIENTS 2

#ifndef OPS
#define OPS 2 /* operations that clients start, in all */
#endif
#ifndef OLD
#define OLD 3 /* rounds in the first epoch */
#endif
#ifndef NEW
#define NEW 0 /* rounds in the second one */
#endif
#ifndef CHANGES
#define CHANGES 0 /* proposals of a successor */
#endif
#ifndef RESTARTS
#define RESTARTS 0 /* keepers that restart */
#endif
#ifndef LOSSES
#define LOSSES 0 /* keepers whose disk is lost */
#endif
#define ROUNDS (OLD + NEW)
#define ERA (OPS + 3) /* generations of a new era are above this */

#ifdef TWINS /* the proposer of round 2 restarts and uses that ballot again in round 3 */
#define BALLOT(b) ((b) == 3 -> 2 : (b))
#else
#define BALLOT(b) (b)
#endif

/* Operations. The number that a client gives to one is its place here: it rises. */
#define READ 0
#define CLAIM 1
#define RENEW 2
#define RELEASE 3
#define TRANSFER 4 /* signed by one client, sent by the other */
#define AGAIN 5    /* registered again after a reset, with the grant that the client has */
byte ops;
byte kind[OPS + 1], client[OPS + 1];
byte past[OPS + 1];  /* ticks since it was first sent, at most LEASE */
byte shown[OPS + 1]; /* generation of what its client holds: it is meant by the operation */
bit sent[OPS + 1];   /* the heir has sent the transfer */
byte done[OPS + 1];  /* a keeper has answered that it made the value: its generation */
#ifndef KINDS
#define KINDS (1 << CLAIM)
#endif
#define may(what) (KINDS >> what & 1)

/* The value that a round proposes: who owns it follows from the operation that made it. */
byte made_by[ROUNDS + 1], generation[ROUNDS + 1];
#define HELD(b) (made_by[b] != 0 && kind[made_by[b]] != RELEASE)
#define OWNER(b) (kind[made_by[b]] == TRANSFER -> 1 - client[made_by[b]] : client[made_by[b]])
#define NUMBER(b) (kind[made_by[b]] == TRANSFER -> 0 : made_by[b])

/* Keepers. */
byte promised[KEEPERS], accepted[KEEPERS]; /* rounds; durable */
byte age[KEEPERS];			   /* of what was accepted, at most OLDEST */
bit sealed[KEEPERS], installed[KEEPERS], lost[KEEPERS];
byte pulled[KEEPERS]; /* bits: the sealed keepers of the first epoch whose cells it has */
byte agreed[KEEPERS], wanted[KEEPERS]; /* register of the successor: promised, accepted */
byte votes[KEEPERS]; /* by plan: who accepted it, in whatever ballot */
byte plan[CHANGES + 1]; /* what change c proposes: the place that keeper 3 takes, plus one */
byte successor;		/* the plan that has been chosen, 0 = none */
bit reset;
byte wait; /* ticks until keepers of a new era give an address to somebody else */

/* Clients. */
byte current[CLIENTS]; /* the operation whose answer is waited for */
byte left[CLIENTS];    /* ticks that it may still use the address */
byte holds[CLIENTS];   /* generation */

/* What is checked. */
byte owner_of[2 * ERA]; /* by generation: client + 1 of the first value that was chosen */
#ifdef READS
byte answered; /* highest generation that anybody was told */
#endif

#define MEMBER(k, p) ((k) == 3 || (k) != (p) - 1)
#ifdef SERVE_EARLY
#define IN_NEW(k) (successor != 0 && MEMBER(k, successor))
#else
#define IN_NEW(k) (installed[k])
#endif
#ifdef NO_SEAL
#define IN_OLD(k) ((k) != 3 && !installed[k])
#else
#define IN_OLD(k) ((k) != 3 && !sealed[k])
#endif
#define SERVES(b, k) (!lost[k] && ((b) > OLD -> IN_NEW(k) : IN_OLD(k)))
#ifdef RESET
#define QUORUM(b) ((b) > OLD -> 1 : Q)
#else
#define QUORUM(b) Q
#endif
/* Keepers that nothing has reached yet are all alike: the first to be reached is 0, then 1. */
#if CHANGES > 1 || RESTARTS > 0 || LOSSES > 0 || defined(RESET) || defined(RETURNS)
#define FIRST(k) true
#else
#if CHANGES > 0
#define FIRST(k) (k != 1 || promised[0] != 0 || sealed[0])
#else
#define FIRST(k) (k < 2 || promised[1] != 0) && (k != 1 || promised[0] != 0)
#endif
#endif
#define COUNT(m) (((m) & 1) + ((m) >> 1 & 1) + ((m) >> 2 & 1) + ((m) >> 3 & 1))

#ifdef IGNORE_PROMISE
#define MAY_PROMISE(b, k) true
#define MAY_ACCEPT(b, k) true
#else
#ifdef SAME_BALLOT
#define MAY_PROMISE(b, k) (BALLOT(b) >= BALLOT(promised[k]))
#else
#define MAY_PROMISE(b, k) (BALLOT(b) > BALLOT(promised[k]) || (b) == promised[k])
#endif
#define MAY_ACCEPT(b, k) (BALLOT(b) >= BALLOT(promised[k]))
#endif

/* Two that both believe in the address: the one thing that must not be. */
#define CHECK_OWNERS assert(left[0] == 0 || left[1] == 0)

#include "round.pml"
#include "change.pml"
#include "client.pml"

#ifdef LATE_ANSWER
#define COUNTS(o) sent[o]
#else
#define COUNTS(o) (current[0] == o || current[1] == o)
#endif
#define PASSES(o)                                                                                  \
	if                                                                                         \
	:: COUNTS(o) && past[o] < LEASE -> past[o]++                                                \
	:: else                                                                                    \
	fi
#define AGES(k)                                                                                    \
	if                                                                                         \
	:: accepted[k] != 0 && age[k] < OLDEST -> age[k]++                                         \
	:: else                                                                                    \
	fi
proctype clock()
{
	byte i;

	do
	:: d_step {
		i = 1;
		do
		:: i <= ops -> PASSES(i); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < KEEPERS -> AGES(i); i++
		:: else -> break
		od;
		left[0] = (left[0] > 0 -> left[0] - 1 : 0);
		left[1] = (left[1] > 0 -> left[1] - 1 : 0);
		wait = (wait > 0 -> wait - 1 : 0);
		i = 0
	}
	od
}

init
{
	byte b;

	atomic {
		b = 1;
#ifdef RESET /* begins with an owner by round 1, and with somebody else before him */
		ops = 1; kind[1] = CLAIM; sent[1] = 1; done[1] = 2;
		made_by[1] = 1; generation[1] = 2; owner_of[2] = 1;
		accepted[0] = 1; accepted[1] = 1; accepted[2] = 1;
		promised[0] = 1; promised[1] = 1; promised[2] = 1;
		left[0] = LEASE; holds[0] = 2; b = 2;
#endif
#ifdef RETURNS /* 1 owns what 0 had before; a late release of that time is on its way */
		ops = 1; kind[1] = RELEASE; sent[1] = 1; shown[1] = 1;
		ops = 2; kind[2] = CLAIM; client[2] = 1; sent[2] = 1; done[2] = 2;
		made_by[1] = 2; generation[1] = 2; owner_of[1] = 1; owner_of[2] = 2;
		accepted[0] = 1; accepted[1] = 1; accepted[2] = 1;
		promised[0] = 1; promised[1] = 1; promised[2] = 1;
		left[1] = LEASE; holds[1] = 2; b = 2;
#endif
		do
		:: b <= ROUNDS -> run round(b); b++
		:: else -> break
		od;
#if CHANGES > 0
		run change(1, 2);
#endif
#if CHANGES > 1
		run change(2, 1);
#endif
#if CHANGES > 2
		run change(3, 2);
#endif
#if CHANGES > 3
		run change(4, 1);
#endif
#ifdef THINGS_HAPPEN
		run keepers();
#endif
#ifdef AT_ONCE /* both clients have sent their claims */
		ops = 2; kind[1] = CLAIM; kind[2] = CLAIM; client[2] = 1;
		sent[1] = 1; sent[2] = 1; current[0] = 1; current[1] = 2;
#endif
		run user(0);
		run user(1);
#ifndef TIMELESS
		run clock()
#endif
	}
}
