/* change.pml - a change of the keepers, and what happens to them by themselves: restarts, lost disks,
 * the reset of an era (R2, R11-R13). Part of registers.pml. */
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
