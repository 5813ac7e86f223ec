/* client.pml - who claims, renews, gives back and hands over (R6-R8). Part of registers.pml. */
/* A client. It has one operation in flight; what comes for an earlier one is dropped (R7). */
#define BEGIN(what)                                                                                \
	ops++;                                                                                     \
	kind[ops] = what;                                                                          \
	client[ops] = c;                                                                           \
	shown[ops] = holds[c];                                                                     \
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
		BEGIN(AGAIN)
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
