/* round.pml - proposers and acceptors of one register, and its change function (R3-R6, R9, R10).
 * Part of registers.pml. */
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

/* The heir of a transfer begins with number 0: what it asked for when it owned the register before
 * would be newer. So until it has sent something itself, operations must name the generation. */
#ifdef ANY_GENERATION
#define NAMED(op, best) true
#else
#define NAMED(op, best) (NUMBER(best) != 0 || shown[op] == generation[best])
#endif
#ifdef OLD_NUMBER
#define FRESH(op, best) true
#else
#define FRESH(op, best) ((op) > NUMBER(best) && NAMED(op, best))
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
