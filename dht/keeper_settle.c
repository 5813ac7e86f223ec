/* keeper_settle.c - what a newcomer to a hardened set makes of what its sources show (8.13).
 *
 * The set before has n members, quorum Q, endures b liars (judge.c). The newcomer has nothing of
 * its own to hold a copy against, and no source is to be believed. It gathers what each shows
 * (reports.c), and when a quorum of them is heard as sealed, or a quorum of the newest set as
 * whole (copy.c):
 *
 *   A value, or that there is none, is taken when judge_enough() = b + (n - Q) + 1 members show
 *   it, or show something (or nothing) of which it comes by one legal step, judged here as every
 *   acceptor judges (judge_value.c). Values are compared, not ballots. Of several the one that
 *   enough show just so goes first, then the higher ballot.
 *
 * WHY IT IS RIGHT. Let X be chosen in the set before, the last one. At least Q - b honest members
 * accepted it, so at most n - Q honest ones did not; at most b lie. Of b + (n - Q) + 1 one is
 * honest and has accepted X. It is sealed: what it shows is its last word, and came of X by legal
 * steps, as all that an honest acceptor takes. What is taken here is that, or one legal step
 * further: it comes of X. Members of both sets keep what they have, or go on from it by legal
 * steps. So "at most n - Q honest members have, instead of what came of X, something else or
 * nothing" goes on in the next set, where n - Q must not be less (4 of 5, 6 of 7: it is 1), and
 * that is all that judge.c needs. Who knows that it does not know is none of these: it votes for
 * nothing by what it has. b + 1 equal ones would not do: one that had missed X can be led by a
 * liar to take another's claim, and then the two show the same. A member of both sets that is
 * whole counts as well: it went on from its last word by legal steps. The newest set's own
 * members, when they are whole, are counted by that set's numbers: the sentence holds in it. Of a
 * set that is not hardened any more one is enough, as there all are trusted.
 *
 * AGE. Of enough that show a value one is honest: the youngest word is a lower bound. What was
 * taken for a step has age 0. The beacon is that which b + 1 of them show, or else the lowest: a
 * later one only begins the age anew.
 *
 * WHEN NOTHING REACHES ENOUGH (several half-written values at once, of accomplices mostly; or one
 * keeper away while another lies) the others are waited for, a second at most; then the register
 * is *unknown* here, durably. Of an unknown one no value is taken but what this keeper itself has
 * seen enough members have (judge.c's third way), until the longest lease is over, and it is
 * shown as unknown to the next newcomers, for whom it backs nothing: it never stands for another
 * value than what came of X. Liars can withhold; they cannot keep a newcomer from installing.
 *
 * Operations are judged by registers of members and tokens, so those are settled first. */
#include <stdlib.h>

#include "dht/judge.h"
#include "dht/keeper_impl.h"

#define USEC_A_SECOND 1000000
#define WAIT SEC(1) /* for those that would decide */

struct bench { /* who is heard, and how many of them are enough */
	uint16_t heard[2]; /* members of the set before; of the newest */
	uint8_t enough[2];
	uint8_t liars;
	bool hardened; /* the newest set: ballots of reports decide nothing there */
	bool steps; /* legal steps count */
	uint64_t latest; /* of any honest clock */
};

static struct bench bench_of(const struct keeper_role *k)
{
	const struct copy *c = k->copy;
	const struct config *newest = k->env.config(k->env.ctx);
	const struct config *before =
		k->env.config_of(k->env.ctx, newest->era, newest->epoch - 1);
	struct bench b = { .heard = { copy_heard(c, false), copy_heard(c, true) },
			   .enough = { KEEPERS_MAX + 1, 1 },
			   .latest = keeper_wall(k) + JUDGE_CLOCKS_APART_HARDENED };

	if (before) {
		b.enough[0] = judge_enough(before);
		b.liars = judge_liars(before);
	}
	b.hardened = judge_is_hardened(newest);
	if (b.hardened)
		b.enough[1] = judge_enough(newest);
	if (judge_liars(newest) > b.liars)
		b.liars = judge_liars(newest);
	return b;
}

static struct judge_report judged(const struct keeper_role *k, const struct report *p)
{
	return (struct judge_report){ .accepted = p->accepted, .beacon = p->beacon,
				      .age = (k->now - p->since) / USEC_A_SECOND,
				      .value = (uint8_t *)(uintptr_t)p->value, .len = p->len };
}

static bool leads_to(struct keeper_role *k, const struct reports_of *o, const struct report *from,
		     const struct report *to)
{
	struct judge_report old, new = judged(k, to);

	if (!from)
		return judge_legal(k, &o->name, NULL, &new);
	old = judged(k, from);
	return from->len && judge_legal(k, &o->name, &old, &new);
}

/* Who shows v (NULL: nothing), or that of which it comes. */
static uint16_t backers(struct keeper_role *k, const struct bench *b, const struct reports_of *o,
			const struct report *v)
{
	uint16_t any = 0, back = 0, heard = b->heard[0] | b->heard[1];

	for (const struct report *p = o->first; p; p = p->next) {
		any |= p->sources;
		if (v && (report_same_value(p, v) ||
			  (b->steps && (p->sources & heard) && leads_to(k, o, p, v))))
			back |= p->sources;
	}
	if ((heard & ~any) && (!v || (b->steps && leads_to(k, o, NULL, v))))
		back |= (uint16_t)~any;
	return back;
}

static bool is_enough(const struct bench *b, uint16_t back)
{
	for (size_t i = 0; i < 2; i++)
		if (__builtin_popcount(back & b->heard[i]) >= b->enough[i])
			return true;
	return false;
}

/* The ballot and beacon that most show with this value; when no more do than lie, the lowest ballot,
 * as the others might have no end (none, when that has none either). It decides nothing in a hardened
 * set. */
static struct acceptor_entry entry_of(const struct bench *b, const struct reports_of *o,
				      const struct report *v, usec_t *since)
{
	struct acceptor_entry e = { .name = o->name, .value = rd_of(v->value, v->len) };
	struct ballot first = { .counter = 1 }, least = first;
	uint16_t heard = b->heard[0] | b->heard[1];
	uint64_t lowest = UINT64_MAX;
	int most = 0;

	for (const struct report *p = o->first; p; p = p->next) {
		int count = __builtin_popcount(p->sources & heard);

		if (!count || !report_same_value(p, v))
			continue;
		*since = p->since > *since ? p->since : *since;
		least = p->accepted; /* they fall */
		lowest = p->beacon < lowest ? p->beacon : lowest;
		if (count > most) {
			most = count;
			e.accepted = p->accepted;
			e.beacon = p->beacon;
		}
	}
	if (most > b->liars)
		return e;
	e.beacon = lowest;
	if (b->hardened)
		e.accepted = judge_counter_fits(least.counter, 0, b->latest) ? least : first;
	return e;
}

static bool put(struct keeper_role *k, const struct bench *b, struct reports_of *o,
		const struct report *v)
{
	usec_t since = 0;
	struct acceptor_entry e = entry_of(b, o, v, &since);

	/* Nothing counts from before its beacon: a grant of it runs so much longer. */
	if (b->hardened && e.beacon > keeper_wall(k) + JUDGE_CLOCKS_APART_HARDENED) {
		e.beacon = keeper_wall(k);
		since = k->now;
	}
	if (!acceptor_put(&k->acceptor, &e, b->steps ? k->now : since))
		return false;
	reports_settled(o);
	return true;
}

/* False: no room yet. What cannot be decided stays as it is. */
static bool settle(struct keeper_role *k, const struct bench *b, struct reports_of *o)
{
	for (const struct report *v = o->first; v; v = v->next)
		if (v->len && (v->sources & (b->heard[0] | b->heard[1])) &&
		    is_enough(b, backers(k, b, o, v)))
			return put(k, b, o, v);
	if (is_enough(b, backers(k, b, o, NULL)))
		reports_settled(o);
	return true;
}

static bool settle_unknown(struct keeper_role *k, struct reports_of *o)
{
	struct acceptor_entry e = { .name = o->name,
				    .accepted = { .proposer = BALLOT_UNKNOWN } };

	if (!acceptor_put(&k->acceptor, &e, k->now))
		return false;
	reports_settled(o);
	return true;
}

#define EVERY_KIND 0

/* What is left of one kind. False: no room yet. `left`: how many could not be decided. */
static bool settle_kind(struct keeper_role *k, const struct bench *b, uint8_t kind, size_t *left)
{
	struct reports_of *o;
	size_t at = 0;

	while ((o = map_next(&k->reports->regs, &at))) {
		if (o->settled || (kind != EVERY_KIND && o->name.kind != kind))
			continue;
		if (k->acceptor.writes.count >= COPY_WRITES_MAX || !settle(k, b, o))
			return false;
		*left += !o->settled;
	}
	return true;
}

static bool give_up_the_rest(struct keeper_role *k)
{
	struct reports_of *o;
	size_t at = 0;

	while ((o = map_next(&k->reports->regs, &at)))
		if (!o->settled && (k->acceptor.writes.count >= COPY_WRITES_MAX ||
				    !settle_unknown(k, o)))
			return false;
	return true;
}

bool copies_settle(struct keeper_role *k)
{
	static const uint8_t order[] = { REG_TOKEN, REG_MEMBER, REG_REVOCATION, EVERY_KIND };
	struct bench b;
	size_t left = 0;

	if (!k->reports)
		return true;
	b = bench_of(k);
	if (!k->reports->since)
		k->reports->since = k->now;
	if (!settle_kind(k, &b, EVERY_KIND, &left))
		return false;
	if (left && !copy_heard_all(k->copy) && k->now < k->reports->since + WAIT)
		return false;
	b.steps = true;
	for (size_t i = 0; left && i < sizeof(order); i++)
		if (!settle_kind(k, &b, order[i], &(size_t){ 0 }))
			return false;
	return give_up_the_rest(k);
}
