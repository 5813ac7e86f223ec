/* judge.c - keepers among liars: the hardened sets, and bounds for all. docs/protocol.md 8.13.
 *
 * A set of n keepers with quorum Q endures b liars when 2Q - n >= 2b + 1: 4 of 5 one, 6 of 7 two.
 * Liars may say anything to anybody, also as proposers; they cannot sign for others.
 *
 * WHY NEVER TWO OWNERS. In such a set an honest acceptor takes a value only if (1) it is the one it
 * has, or (2) a signed operation makes it of the value that it has, by the rules, by its own clock
 * and the age that it has counted itself (judge_value.c), or (3) it has asked a quorum itself, and
 * judge_enough() members reported this value under one higher ballot. Its values so form a chain of
 * legal steps. Let X be granted under ballot c and Y under d > c. At least Q - b honest members
 * signed each, so 2Q - n - b >= b + 1 > 0 honest ones signed both, and for any of these Y comes of X
 * by legal steps: the owner of X gave it away, or its lease was over by an honest clock. What the
 * proposer believed does not matter. For (3): if X was chosen, at most n - Q honest members did not
 * accept it, and at most b lie; of b + (n - Q) + 1 equal reporters one is honest, had accepted X
 * under a lower ballot, and came from there by legal steps.
 *
 * WHOM TO BELIEVE (so that honest proposers get on). If X was chosen, 2Q - n - b >= b + 1 honest
 * members of any quorum report it, or what came of it; a value under one ballot that b + 1 members
 * report was accepted by an honest one. So the highest such value is built upon, and above it any
 * that fewer report when it could legally come of it: half-written ones, which are finished rather
 * than fought. What liars report alone must be a legal step too, signed by a client: that they could
 * have had proposed anyway. Nothing reported by b + 1: free, or such a first step.
 * Reports that disagree for ever would need several conflicting half-written values at once; then
 * the register waits until a lease is over. Liars can withhold; that is what is left to them.
 *
 * A change of the set keeps it so: keeper_settle.c.
 *
 * Age: the (b + 1)th smallest reported, which no liar can press below the honest ones'. */
#include "dht/judge.h"

#include <stdlib.h>

#include "base/mem.h"

uint8_t judge_liars(const struct config *cf)
{
	int spare = 2 * cf->quorum - cf->count - 1;

	return spare >= 2 ? (uint8_t)(spare / 2) : 0;
}

uint8_t judge_enough(const struct config *cf)
{
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

/* How many say the same as member i, and the `skip`th smallest age among them. */
static uint8_t support(const struct judge_panel *p, size_t i, uint8_t skip, uint64_t *age)
{
	uint64_t ages[KEEPERS_MAX];
	uint8_t count = 0;

	for (size_t j = 0; j < KEEPERS_MAX; j++) {
		size_t at = count;

		if (!has_value(p, j) || !same_report(&p->reports[i], &p->reports[j]))
			continue;
		for (; at > 0 && ages[at - 1] > p->reports[j].age; at--)
			ages[at] = ages[at - 1];
		ages[at] = p->reports[j].age;
		count++;
	}
	*age = skip < count ? ages[skip] : 0;
	return count;
}

/* Of the reports below `under` (NULL = all): one with the highest ballot, or -1. Of equal ballots the
 * one that more members share. */
static int highest(const struct judge_panel *p, const struct judge_report *under)
{
	uint8_t best_count = 0, count;
	uint64_t age;
	int best = -1;

	for (size_t i = 0; i < KEEPERS_MAX; i++) {
		const struct judge_report *r = &p->reports[i];
		int order;

		if (!has_value(p, i) ||
		    (under && ballot_compare(&r->accepted, &under->accepted) >= 0))
			continue;
		order = best < 0 ? 1 : ballot_compare(&r->accepted, &p->reports[best].accepted);
		count = support(p, i, 0, &age);
		if (order < 0 || (order == 0 && count <= best_count))
			continue;
		best = (int)i;
		best_count = count;
	}
	return best;
}

static int surest(const struct judge_panel *p, uint8_t liars)
{
	uint64_t age;
	int at = highest(p, NULL);

	while (at >= 0 && support(p, (size_t)at, 0, &age) <= liars)
		at = highest(p, &p->reports[at]);
	return at;
}

static struct judge_choice choice_of(const struct judge_panel *p, int at, uint8_t liars)
{
	struct judge_choice c = { 0 };
	uint8_t values = 0;

	for (size_t i = 0; i < KEEPERS_MAX; i++)
		values += has_value(p, i);
	if (at >= 0) {
		c.report = &p->reports[at];
		c.count = support(p, (size_t)at, liars, &c.age);
	}
	c.unanimous = at < 0 ? values == 0 : c.count == __builtin_popcount(p->heard);
	return c;
}

struct judge_choice judge_pick(const struct judge_panel *p, const struct config *cf,
			       bool (*legal)(void *ctx, const struct judge_report *base,
					     const struct judge_report *value),
			       void *ctx)
{
	uint8_t liars = judge_liars(cf);
	int sure, at = highest(p, NULL);

	if (!liars || at < 0)
		return choice_of(p, at, liars);
	for (sure = surest(p, liars); at >= 0 && at != sure; at = highest(p, &p->reports[at])) {
		if (sure >= 0 && ballot_compare(&p->reports[at].accepted,
						&p->reports[sure].accepted) <= 0)
			break;
		if (legal(ctx, sure < 0 ? NULL : &p->reports[sure], &p->reports[at]))
			return choice_of(p, at, liars);
	}
	return choice_of(p, sure, liars);
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

/* Honest proposers go one past what they have seen: even a billion conflicts fit in a step. A liar
 * spends 2^32 steps on the way to the end, each of them a durable write. */
bool judge_counter_fits(uint64_t counter, uint64_t promised)
{
	return counter <= promised || counter - promised <= JUDGE_COUNTER_STEP;
}

bool judge_beacon_fits(uint64_t beacon, uint64_t wall)
{
	return beacon <= wall || beacon - wall <= JUDGE_CLOCKS_APART;
}
