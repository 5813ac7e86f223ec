/* judge.c - keepers among liars: the hardened sets, and bounds for all. docs/protocol.md 8.13.
 *
 * A set of n keepers with quorum Q endures b liars when 2Q - n >= 2b + 1: 4 of 5 one, 6 of 7 two.
 * Liars may say anything to anybody, also as proposers; they cannot sign for others.
 *
 * WHY NEVER TWO OWNERS. In such a set an honest acceptor takes a value only if (1) it is the one it
 * has, or (2) a signed operation makes it of the value that it has, by the rules, by its own clock
 * and the age that it has counted itself (judge_value.c), or (3) it has asked a quorum itself under
 * the very ballot, and enough of them back the value, or that of which it makes it. Let X be granted
 * under ballot c and Y under d > c. At least Q - b honest members signed each, so 2Q - n - b >= b + 1
 * > 0 honest ones signed both, and for any of these Y comes of X by legal steps: the owner of X gave
 * it away, or its lease was over by an honest clock. What the proposer believed does not matter. For
 * (3): if X was chosen, at most n - Q honest members never accept it, and at most b lie; of enough =
 * b + (n - Q) + 1 that back a value one is honest and accepted X, and did so before it promised d, or
 * it would have refused c. So what it reports came of X by legal steps, and the value is that or one
 * step further. Ballots of reports do not matter here, nor does how they differ.
 *
 * WHOM TO BELIEVE (so that honest proposers get on). A member backs a value that it reports and one
 * that comes of its report by one legal step. If X was chosen, all honest ones but n - Q report it or
 * what came of it: when all of them are heard these are enough, unless several half-written values
 * conflict. Among a quorum alone they may be not, as one honest keeper that a liar has led stands
 * with the liar against as many: so the others are waited for. The highest ballot that enough back is
 * built upon: half-written ones are finished rather than fought. When nothing reaches enough, the
 * most likely is tried, as every acceptor judges by itself, but no refusal follows from it.
 * Reports that disagree for ever would need several conflicting half-written values at once; then
 * the register waits until a lease is over. Liars can withhold; that is what is left to them.
 *
 * A change of the set keeps it so: keeper_settle.c.
 *
 * Age: of m equal values the (m - enough + 1)th smallest: among those as old one is honest and has
 * what was chosen last, and when all honest ones of a quorum report it, no liar presses it below
 * theirs. */
#include "dht/judge.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "dht/entry.h"

uint8_t judge_liars(const struct config *cf)
{
	int spare = 2 * cf->quorum - cf->count - 1;

	return spare >= 2 ? (uint8_t)(spare / 2) : 0;
}

uint8_t judge_enough(const struct config *cf)
{
	if (MUTANT(ONE_IS_ENOUGH))
		return 1;
	return (uint8_t)(judge_liars(cf) + (cf->count - cf->quorum) + 1);
}

void judge_panel_add(struct judge_panel *p, uint8_t member, const struct judge_report *r)
{
	struct judge_report *to = &p->reports[member];

	free(to->value);
	*to = *r;
	to->value = r->len ? mem_copy(r->value, r->len) : NULL;
	p->heard |= (uint8_t)(1u << member);
}

void judge_panel_clear(struct judge_panel *p)
{
	for (size_t i = 0; i < KEEPERS_MAX; i++)
		free(p->reports[i].value);
	memset(p, 0, sizeof(*p));
}

static bool is_heard(const struct judge_panel *p, size_t i) { return p->heard & 1u << i; }

static bool has_value(const struct judge_panel *p, size_t i)
{
	return is_heard(p, i) && p->reports[i].len > 0;
}

static bool same_value(const struct judge_report *a, const struct judge_report *b)
{
	return a->len == b->len && memcmp(a->value, b->value, a->len) == 0;
}

static bool same_report(const struct judge_report *a, const struct judge_report *b)
{
	return ballot_compare(&a->accepted, &b->accepted) == 0 && a->beacon == b->beacon &&
	       same_value(a, b);
}

static uint8_t heard_count(const struct judge_panel *p)
{
	return (uint8_t)__builtin_popcount(p->heard);
}

/* --- sets of majorities: the highest ballot --- */

static struct judge_choice trusted(const struct judge_panel *p)
{
	struct judge_choice c = { .sure = true };
	uint8_t same = 0;
	int best = -1;

	for (size_t i = 0; i < KEEPERS_MAX; i++)
		if (has_value(p, i) && (best < 0 || ballot_compare(&p->reports[i].accepted,
								   &p->reports[best].accepted) > 0))
			best = (int)i;
	if (best < 0) {
		c.unanimous = true;
		return c;
	}
	c.report = &p->reports[best];
	c.age = UINT64_MAX;
	c.beacon = c.report->beacon;
	for (size_t i = 0; i < KEEPERS_MAX; i++)
		if (has_value(p, i) && same_report(c.report, &p->reports[i])) {
			c.age = p->reports[i].age < c.age ? p->reports[i].age : c.age;
			same++;
		}
	c.unanimous = same == heard_count(p);
	return c;
}

/* --- hardened sets: what enough of them show, or what comes of it --- */

struct trial {
	const struct judge_panel *p;
	judge_legal_fn *legal;
	void *ctx;
	uint8_t liars, enough;
};

static bool is_unknown(const struct judge_report *r)
{
	return !r->len && r->accepted.proposer == BALLOT_UNKNOWN;
}

/* Who shows v (NULL: nothing). Who says that it does not know shows neither. */
static uint8_t shown_by(const struct judge_panel *p, const struct judge_report *v)
{
	uint8_t by = 0;

	for (size_t i = 0; i < KEEPERS_MAX; i++)
		if (is_heard(p, i) && !is_unknown(&p->reports[i]) &&
		    (v ? same_value(v, &p->reports[i]) : !has_value(p, i)))
			by |= (uint8_t)(1u << i);
	return by;
}

/* How many show v, or that of which it comes by one legal step; not all of them when enough do. */
static uint8_t backers(const struct trial *t, const struct judge_report *v)
{
	uint8_t by = shown_by(t->p, v);
	uint8_t count = (uint8_t)__builtin_popcount(by);

	for (size_t i = 0; v && count < t->enough && i < KEEPERS_MAX; i++) {
		const struct judge_report *r = &t->p->reports[i];

		if (is_heard(t->p, i) && !is_unknown(r) && !(by & 1u << i))
			count += t->legal(t->ctx, r->len ? r : NULL, v);
	}
	return count;
}

/* Among any so many that show a value one is honest and not behind: the smallest age of the oldest. */
static uint64_t age_of(const struct trial *t, uint8_t by)
{
	uint64_t ages[KEEPERS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < KEEPERS_MAX; i++) {
		size_t at = count;

		if (!(by & 1u << i))
			continue;
		for (; at > 0 && ages[at - 1] > t->p->reports[i].age; at--)
			ages[at] = ages[at - 1];
		ages[at] = t->p->reports[i].age;
		count++;
	}
	return count < t->enough ? 0 : ages[count - t->enough];
}

/* The lowest but for so many as lie, so that no liar makes it earlier than all honest ones have it. */
static uint64_t beacon_above_liars(const struct trial *t, uint8_t by)
{
	uint64_t best = UINT64_MAX;

	for (size_t i = 0; i < KEEPERS_MAX; i++) {
		uint64_t beacon = t->p->reports[i].beacon;
		uint8_t below = 0;

		for (size_t j = 0; j < KEEPERS_MAX; j++)
			below += (by & 1u << j) && t->p->reports[j].beacon <= beacon;
		if ((by & 1u << i) && below > t->liars && beacon < best)
			best = beacon;
	}
	return best;
}

/* Which most show, when more than lie do. UINT64_MAX: only liars may have shown one. */
static uint64_t beacon_of(const struct trial *t, uint8_t by)
{
	uint64_t best = 0;
	uint8_t most = 0;

	for (size_t i = 0; i < KEEPERS_MAX; i++) {
		uint64_t beacon = t->p->reports[i].beacon;
		uint8_t count = 0;

		if (!(by & 1u << i))
			continue;
		for (size_t j = 0; j < KEEPERS_MAX; j++)
			count += (by & 1u << j) && t->p->reports[j].beacon == beacon;
		if (count > most || (count == most && beacon > best)) {
			most = count;
			best = beacon;
		}
	}
	return most > t->liars ? best : beacon_above_liars(t, by);
}

static bool is_unanimous(const struct judge_panel *p, const struct judge_report *v)
{
	for (size_t i = 0; i < KEEPERS_MAX; i++)
		if (is_heard(p, i) && (v ? !same_report(v, &p->reports[i]) : has_value(p, i)))
			return false;
	return true;
}

static struct judge_choice choose(const struct trial *t, const struct judge_report *v, bool sure)
{
	struct judge_choice c = { .report = v, .sure = sure };
	uint8_t by = shown_by(t->p, v);

	if (v) {
		c.age = age_of(t, by);
		c.beacon = beacon_of(t, by);
	}
	c.unanimous = is_unanimous(t->p, v);
	return c;
}

/* Reports with a value by falling ballots, each value once. */
static size_t candidates(const struct judge_panel *p, const struct judge_report *out[KEEPERS_MAX])
{
	const struct judge_report *sorted[KEEPERS_MAX];
	size_t n = 0, count = 0;

	for (size_t i = 0; i < KEEPERS_MAX; i++) {
		const struct judge_report *r = &p->reports[i];
		size_t at = n;

		if (!has_value(p, i))
			continue;
		for (; at > 0 && ballot_compare(&sorted[at - 1]->accepted, &r->accepted) < 0; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = r;
		n++;
	}
	for (size_t i = 0; i < n; i++) {
		bool known = false;

		for (size_t j = 0; j < count; j++)
			known |= same_value(out[j], sorted[i]);
		if (!known)
			out[count++] = sorted[i];
	}
	return count;
}

struct judge_choice judge_pick(const struct judge_panel *p, const struct config *cf,
			       judge_legal_fn *legal, void *ctx)
{
	struct trial t = { p, legal, ctx, judge_liars(cf), judge_enough(cf) };
	const struct judge_report *v[KEEPERS_MAX + 1];
	const struct judge_report *best = NULL;
	uint8_t count, most = 0;
	size_t n;

	if (!t.liars || MUTANT(TAKES_REPORTS))
		return trusted(p);
	n = candidates(p, v);
	v[n++] = NULL;
	for (size_t i = 0; i < n; i++) {
		count = backers(&t, v[i]);
		if (count >= t.enough)
			return choose(&t, v[i], true);
		if (count > most) {
			most = count;
			best = v[i];
		}
	}
	return choose(&t, best, false);
}

int judge_equivocator(const struct judge_panel *p, const struct config *cf)
{
	for (size_t i = 0; i < KEEPERS_MAX; i++)
		for (size_t j = 0; j < i; j++) {
			const struct judge_report *a = &p->reports[i], *b = &p->reports[j];

			if (has_value(p, i) && has_value(p, j) &&
			    ballot_compare(&a->accepted, &b->accepted) == 0 &&
			    !same_value(a, b) && a->accepted.era == cf->era &&
			    a->accepted.epoch == cf->epoch && a->accepted.proposer < cf->count)
				return a->accepted.proposer;
		}
	return -1;
}

/* Honest proposers go one past what they have seen. A liar may take a counter as far as the clock says
 * and no further: steps alone are slower than the clock, at the rate at which members are heard. All
 * keepers have that clock, so who was led there alone is followed by all others in one leap; and there
 * are as many counters as 500 000 years need. Without a clock there are the steps. */
bool judge_counter_fits(uint64_t counter, uint64_t promised, uint64_t wall)
{
	return counter <= promised || counter - promised <= JUDGE_COUNTER_STEP ||
	       counter / JUDGE_COUNTERS_A_SECOND < wall;
}

bool judge_beacon_fits(uint64_t beacon, uint64_t wall)
{
	return beacon <= wall || beacon - wall <= JUDGE_CLOCKS_APART;
}
