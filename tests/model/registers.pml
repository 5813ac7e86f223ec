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
byte shown[OPS + 1]; /* generation of the grant that AGAIN shows */
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
#if CHANGES > 1 || RESTARTS > 0 || LOSSES > 0 || defined(RESET)
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

inline round_is_chosen(b)
{
	if
	:: made_by[b] != 0 ->
		if
		:: owner_of[generation[b]] == 0 -> owner_of[generation[b]] = OWNER(b) + 1
		:: else -> assert(owner_of[generation[b]] == OWNER(b) + 1)
		fi;
		done[made_by[b]] = generation[b]
	:: else
	fi
}

/* The answer to a client, also to one that only reads: never older than one given before the
 * round began. */
#ifdef READS
#define ROUND_BEGINS floor = (yes == 0 -> answered : floor)
#define ROUND_ANSWERS                                                                              \
	assert(generation[b] >= floor);                                                            \
	answered = (generation[b] > answered -> generation[b] : answered);                         \
	floor = 0
#else
#define ROUND_BEGINS skip
#define ROUND_ANSWERS skip
#endif

#ifdef OLD_NUMBER
#define FRESH(op, best) true
#else
#define FRESH(op, best) ((op) > NUMBER(best))
#endif
#define MINE(op, best) (made_by[best] != 0 && client[op] == OWNER(best))
/* The reported age is one too many: what more clocks could lead to is less. */
#define OVER(best, least) (!HELD(best) || (least) + 1 >= OLDEST)
#define TAKES (kind[op] == CLAIM && !MINE(op, best) && OVER(best, least) && wait == 0)
#define KEEPS                                                                                      \
	((kind[op] == CLAIM || kind[op] == RENEW && HELD(best) ||                                  \
	  kind[op] == RELEASE && HELD(best)) && MINE(op, best) && FRESH(op, best))
#define GIVES (kind[op] == TRANSFER && HELD(best) && MINE(op, best) && FRESH(op, best))
#ifdef LATE_AGAIN
#define REGISTERS (kind[op] == AGAIN && b > OLD && generation[best] < ERA + shown[op])
#else
#define REGISTERS (kind[op] == AGAIN && b > OLD && generation[best] < ERA + shown[op] && wait > 0)
#endif
#ifdef RESET
#define NEXT (b > OLD && generation[best] < ERA -> ERA + 1 : generation[best] + 1)
#else
#define NEXT (generation[best] + 1)
#endif

/* The change function (protocol.md 8.8), on the value of round `best`. What is not changed goes
 * out again with its age; what is new has age 0. */
inline round_decides(b)
{
	made_by[b] = op;
	if
	:: op != READ && op == made_by[best] -> generation[b] = generation[best]
	:: else ->
		if
		:: op != READ && TAKES -> generation[b] = NEXT; least = 0
		:: op != READ && KEEPS && kind[made_by[best]] == RELEASE -> generation[b] = NEXT; least = 0
		:: op != READ && KEEPS && kind[made_by[best]] != RELEASE ->
			generation[b] = generation[best]; least = 0
		:: op != READ && GIVES -> generation[b] = NEXT; least = 0
		:: op != READ && REGISTERS -> generation[b] = ERA + shown[op]; least = 0
		:: else -> made_by[b] = made_by[best]; generation[b] = generation[best]
		fi
	fi
}

#ifdef NO_REPEAT
#define AGREED true
#else
#define AGREED !differ /* all promises showed the same */
#endif

inline proposer_decides(b)
{
	if
	:: op = READ
	:: ops >= 1 && sent[1] -> op = 1
#if OPS > 1
	:: ops >= 2 && sent[2] -> op = 2
#endif
#if OPS > 2
	:: ops >= 3 && sent[3] -> op = 3
#endif
#if OPS > 3
	:: ops >= 4 && sent[4] -> op = 4
#endif
	fi;
	d_step {
		round_decides(b);
		yes = (made_by[b] == made_by[best] && AGREED -> 255 : 0);
		best = 0; op = 0; differ = 0
	}
}

/* With the quorum's last promise the proposer decides: that is when it takes one of the operations
 * that were ever sent, again and again in several rounds: retries, here or at another keeper. */
#define PROMISE(k)                                                                                 \
	atomic {                                                                                   \
		SERVES(b, k) && MAY_PROMISE(b, k) && (yes >> k & 1) == 0 && FIRST(k) ->            \
			ROUND_BEGINS;                                                              \
		promised[k] = b;                                                                   \
		differ = differ || yes != 0 && accepted[k] != best;                                \
		yes = yes | 1 << k;                                                                \
		if                                                                                 \
		:: accepted[k] > best -> best = accepted[k]; least = age[k]                    \
		:: accepted[k] == best && age[k] < least -> least = age[k]                 \
		:: else                                                                            \
		fi;                                                                                \
		if                                                                                 \
		:: COUNT(yes) < QUORUM(b)                                                          \
		:: else ->                                                                         \
			proposer_decides(b);                                                       \
			if                                                                         \
			:: yes == 255 -> /* refused, or only read */                               \
				ROUND_ANSWERS; yes = 0; least = 0; goto over                       \
			:: else -> goto accepting                                                  \
			fi                                                                         \
		fi                                                                                 \
	}

/* With the quorum's last acceptance the value is chosen, and its client may be told at any time
 * from then on. */
#define ACCEPT(k)                                                                                  \
	d_step {                                                                                   \
		SERVES(b, k) && MAY_ACCEPT(b, k) && (yes >> k & 1) == 0 ->                         \
			yes = yes | 1 << k;                                                        \
		promised[k] = b;                                                                   \
		accepted[k] = b;                                                                   \
		age[k] = least;                                                                    \
		if                                                                                 \
		:: COUNT(yes) == QUORUM(b) -> round_is_chosen(b); ROUND_ANSWERS                    \
		:: else                                                                            \
		fi                                                                                 \
	}

/* A proposer, in a keeper: PREPARING, ACCEPTING, done. */
proctype round(byte b)
{
	byte op, yes, best;
	byte least = OLDEST;
	bit differ;
#ifdef READS
	byte floor;
#endif

	do
	:: PROMISE(0)
	:: PROMISE(1)
	:: PROMISE(2)
#if NEW > 0
	:: PROMISE(3)
#endif
	od;
accepting:
	do
	:: ACCEPT(0)
	:: ACCEPT(1)
	:: ACCEPT(2)
#if NEW > 0
	:: ACCEPT(3)
#endif
	od;
over:
	skip
}

/* A change of the keepers. Its register is one like the others (R2), but for what accepting does:
 * it seals the keeper. */
#define AGREE(k)                                                                                   \
	d_step {                                                                                   \
		!lost[k] && c >= agreed[k] && (yes >> k & 1) == 0 && COUNT(yes) < Q ->             \
			agreed[k] = c;                                                             \
		yes = yes | 1 << k;                                                                \
		best = (wanted[k] > best -> wanted[k] : best)                                      \
	}
#define WANT(k)                                                                                    \
	d_step {                                                                                   \
		!lost[k] && c >= agreed[k] && (yes >> k & 1) == 0 && FIRST(k) ->                   \
			agreed[k] = c;                                                             \
		yes = yes | 1 << k;                                                                \
		wanted[k] = c;                                                                     \
		sealed[k] = 1;                                                                     \
		votes[plan[c]] = votes[plan[c]] | 1 << k;                                          \
		if                                                                                 \
		:: PROVEN == Q ->                                                                  \
			assert(successor == 0 || successor == plan[c]);                            \
			successor = plan[c]                                                        \
		:: else                                                                            \
		fi                                                                                 \
	}
#ifdef MIXED_BALLOTS
#define PROVEN COUNT(votes[plan[c]])
#else
#define PROVEN COUNT(yes)
#endif

proctype change(byte c; byte place)
{
	byte yes, best;

#if CHANGES == 1 /* nobody else proposes: promises would only be in the way */
	plan[c] = place + 1;
#else
	do
	:: AGREE(0)
	:: AGREE(1)
	:: AGREE(2)
	:: d_step {
		COUNT(yes) == Q ->
		yes = 0;
		plan[c] = place + 1;
#ifndef NEW_SUCCESSOR
		plan[c] = (best != 0 -> plan[best] : plan[c]);
#endif
		best = 0
	}; break
	od;
#endif
	do
	:: WANT(0)
	:: WANT(1)
	:: WANT(2)
	od
}

/* Keeper k of the new set takes the cells of keeper `from` of the old one, which is sealed by what
 * k shows it if it was not before: the highest ballot, of equal ones the smallest age. Its own
 * cells count too when it was sealed. */
#ifdef ONE_SNAPSHOT
#define ENOUGH 1
#else
#define ENOUGH Q
#endif
#ifdef PULL_UNSEALED
#define SEAL(from) skip
#else
#define SEAL(from) sealed[from] = 1
#endif
#ifdef COPY_EXPIRED
#define COPIED(a) OLDEST
#else
#define COPIED(a) a
#endif
#define PULL(k, from)                                                                              \
	d_step {                                                                                   \
		successor != 0 && MEMBER(k, successor) && !installed[k] && !lost[k] &&             \
			!lost[from] && (pulled[k] >> from & 1) == 0 ->                             \
			SEAL(from);                                                                \
		sealed[k] = 1;                                                                     \
		pulled[k] = pulled[k] | 1 << from | (k == 3 -> 0 : 1 << k);                        \
		if                                                                                 \
		:: accepted[from] > accepted[k] ->                                                 \
			accepted[k] = accepted[from];                                              \
			age[k] = COPIED(age[from])                                                 \
		:: accepted[from] == accepted[k] && age[from] < age[k] -> age[k] = age[from]       \
		:: else                                                                            \
		fi;                                                                                \
		if                                                                                 \
		:: COUNT(pulled[k]) >= ENOUGH -> installed[k] = 1; pulled[k] = 0                   \
		:: else                                                                            \
		fi                                                                                 \
	}

/* The disk keeps everything but the age, which starts again. */
inline restart(k)
{
#ifdef RESTART_EXPIRED
	age[k] = OLDEST;
#else
	age[k] = 0;
#endif
#ifdef NOT_DURABLE
	promised[k] = accepted[k];
#endif
}

/* A lost disk: silent until a later configuration names it anew, which none does here. */
inline lose(k)
{
#ifdef AMNESIA
	promised[k] = 0; accepted[k] = 0; age[k] = 0;
#else
#ifdef REINSTALL
	promised[k] = 0; accepted[k] = 0; age[k] = 0; installed[k] = 0; pulled[k] = 0;
#else
	lost[k] = 1;
#endif
#endif
}

#if RESTARTS + LOSSES + NEW > 0
#define THINGS_HAPPEN
#endif
#ifdef THINGS_HAPPEN
/* What happens to keepers by themselves. */
proctype keepers()
{
	byte restarts = RESTARTS, losses = LOSSES;

	do
#if RESTARTS > 0
	:: d_step { restarts > 0 -> restarts--; restart(0) }
	:: d_step { restarts > 0 -> restarts--; restart(1) }
	:: d_step { restarts > 0 -> restarts--; restart(2) }
#endif
#if LOSSES > 0
	:: d_step { losses > 0 -> losses--; lose(0) }
	:: d_step { losses > 0 -> losses--; lose(2) }
	:: d_step { losses > 0 -> losses--; lose(3) }
#endif
#if NEW > 0 && CHANGES > 0
#ifdef ONE_SNAPSHOT
	:: PULL(0, 0)
	:: PULL(1, 1)
#endif
	:: PULL(0, 1)
	:: PULL(0, 2)
	:: PULL(1, 0)
	:: PULL(1, 2)
	:: PULL(2, 0)
	:: PULL(2, 1)
	:: PULL(3, 0)
	:: PULL(3, 1)
	:: PULL(3, 2)
#endif
#ifdef RESET
	:: d_step {
		!reset ->
		reset = 1;
		lost[0] = 1; lost[1] = 1; lost[2] = 1;
		installed[3] = 1;
#ifdef NO_WAIT
		wait = 0
#else
		wait = OLDEST
#endif
	}
#endif
	od
}
#endif

/* A client. It has one operation in flight; what comes for an earlier one is dropped (R7). */
#define BEGIN(what)                                                                                \
	ops++;                                                                                     \
	kind[ops] = what;                                                                          \
	client[ops] = c;                                                                           \
	FORGET;                                                                                    \
	current[c] = ops;                                                                          \
	sent[ops] = 1
#ifdef LATE_ANSWER
#define FORGET skip
#else
#define FORGET past[current[c]] = 0
#endif
#define OTHERS_TURN (ops == 0 && c != 0) /* both clients are the same: the first to begin is 0 */

#ifdef LATE_ANSWER
#define WAITS_FOR(o) (ops >= o && (current[c] == o || client[o] == c && kind[o] != TRANSFER))
#else
#define WAITS_FOR(o) (current[c] == o)
#endif
#define ANSWER(o)                                                                                  \
	d_step {                                                                                   \
		WAITS_FOR(o) && done[o] > 0 ->                                                         \
			if                                                                         \
			:: current[c] == o -> current[c] = 0                                       \
			:: else                                                                    \
			fi;                                                                        \
		if                                                                                 \
		:: kind[o] != RELEASE && !(kind[o] == TRANSFER && client[o] == c) -> extend(o)     \
		:: else                                                                            \
		fi;                                                                                \
		CHECK_OWNERS                                                                       \
	}

inline extend(o)
{
#ifdef ANSWER_CLOCK
	left[c] = LEASE;
#else
	if
	:: LEASE - past[o] > left[c] -> left[c] = LEASE - past[o]
	:: else
	fi;
#endif
	holds[c] = done[o]
}

/* The heir of a transfer sends it; what it gets counts from then. */
#define HEIR(o)                                                                                    \
	d_step {                                                                                   \
		ops >= o && kind[o] == TRANSFER && client[o] != c && !sent[o] ->                   \
			sent[o] = 1;                                                               \
		current[c] = o                                                                     \
	}

proctype user(byte c)
{
	do
	:: d_step { ops < OPS && !OTHERS_TURN && left[c] == 0 && may(CLAIM) -> BEGIN(CLAIM) }
	:: d_step { ops < OPS && !OTHERS_TURN && holds[c] > 0 && may(RENEW) -> BEGIN(RENEW) }
	:: d_step {
		ops < OPS && holds[c] > 0 && may(RELEASE) ->
		BEGIN(RELEASE);
		left[c] = 0;
		holds[c] = 0
	}
	:: d_step {
		ops < OPS && left[c] > 0 && may(TRANSFER) ->
		BEGIN(TRANSFER);
		left[c] = 0;
		sent[ops] = 0
	}
	:: d_step {
		ops < OPS && left[c] > 0 && reset && holds[c] < ERA && may(AGAIN) ->
		BEGIN(AGAIN);
		shown[ops] = holds[c]
	}
	:: HEIR(1)
	:: ANSWER(1)
#if OPS > 1
	:: HEIR(2)
	:: ANSWER(2)
#endif
#if OPS > 2
	:: HEIR(3)
	:: ANSWER(3)
#endif
#if OPS > 3
	:: HEIR(4)
	:: ANSWER(4)
#endif
	od
}

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
