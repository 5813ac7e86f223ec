/* acceptor_copy.c - cells as they go from one keeper to another (rule R11).
 *
 * An entry: name, accepted ballot 17, age seconds 8, beacon 8, block(4800) value; the value is empty,
 * and the ballot BALLOT_UNKNOWN, of a register that is unknown to its keeper. What is not durable
 * here yet is not shown, and nothing after it either, so that the positions shown rise without a gap.
 * Registers of successors stay at home.
 *
 * Who copies asks piece by piece. Some cells at which pieces began are remembered, so that a copy of
 * n registers takes about n steps and not n for every piece: a place is looked for from the nearest of
 * them below it, or from the end, whichever can be no further. Where such a cell is does not matter:
 * its position says what it is good for.
 *
 * Between keepers that trust each other, of two copies the one with the higher ballot stands; of
 * equal ones, which are the same value, the smaller age, as every age is a lower bound. (In a
 * hardened set env.judges says what of it counts, and a newcomer comes by no cells here:
 * keeper_settle.c.) This is right whoever the copy comes from: a value that was offered for acceptance
 * in a ballot is one that Paxos allows there, chosen or not, and whatever was chosen is among the
 * copies of any quorum. Where this acceptor still votes in the epoch, a copy is an ACCEPT that comes
 * late, and is taken under the same condition: not below what was promised. Otherwise it is put aside
 * until there are no votes any more: the source will not send it again, and
 * counts as copied. */
#include "dht/acceptor_impl.h"

#include <stdlib.h>

#include "base/mem.h"

#define USEC_A_SECOND 1000000
#define MARKS_MAX 16
#define LATE_MAX (16 * 1024 * 1024) /* bytes put aside: below a floor may be all that is new here */
#define LATE_PIECE 1024		    /* entries of them that are taken at once */

static size_t entry_write(uint8_t *out, size_t size, const struct cell *c, usec_t now)
{
	struct wr w = wr_of(out, size);

	wr_reg_name(&w, &c->name);
	wr_ballot(&w, &c->accepted);
	wr_u64(&w, (now - c->since) / USEC_A_SECOND);
	wr_u64(&w, c->beacon);
	wr_block(&w, c->value, c->value_len);
	return wr_ok(&w) ? wr_len(&w) : 0;
}

/* --- finding the place --- */

struct acceptor_marks {
	struct list *at[MARKS_MAX]; /* the last cell before a piece, or NULL */
	unsigned next;		    /* to be used again */
};

static uint64_t position_at(const struct acceptor *a, const struct list *l)
{
	return l == &a->order ? 0 : container_of(l, const struct cell, in_order)->position;
}

void cell_goes(struct acceptor *a, const struct cell *c)
{
	for (size_t i = 0; a->marks && i < MARKS_MAX; i++)
		if (a->marks->at[i] == &c->in_order)
			a->marks->at[i] = NULL;
}

/* The mark that is nearest below; one that may be set anew when there is none. */
static struct list **mark_below(struct acceptor *a, uint64_t position)
{
	struct list **best = NULL;

	if (!a->marks)
		a->marks = mem_new(sizeof(*a->marks));
	for (size_t i = 0; i < MARKS_MAX; i++) {
		struct list **m = &a->marks->at[i];

		if (*m && position_at(a, *m) <= position &&
		    (!best || position_at(a, *m) > position_at(a, *best)))
			best = m;
	}
	if (best)
		return best;
	best = &a->marks->at[a->marks->next++ % MARKS_MAX];
	*best = NULL;
	return best;
}

static struct list *first_above(struct acceptor *a, uint64_t position)
{
	struct list **mark, *l = &a->order;

	if (position == 0)
		return l->next;
	if (position >= a->position)
		return l;
	mark = mark_below(a, position);
	if (*mark)
		l = *mark;
	if (position - position_at(a, l) <= a->position - position) {
		while (l->next != &a->order && position_at(a, l->next) <= position)
			l = l->next;
	} else {
		for (l = a->order.prev; l != &a->order && position_at(a, l) > position;)
			l = l->prev;
	}
	*mark = l == &a->order ? NULL : l;
	return l->next;
}

size_t acceptor_give(struct acceptor *a, uint64_t *position, uint8_t *out, size_t size,
		     usec_t now)
{
	struct list *l = first_above(a, *position);
	size_t len = 0;

	for (; l != &a->order; l = l->next) {
		const struct cell *c = container_of(l, struct cell, in_order);
		bool goes = (c->value || cell_is_unknown(c)) && c->name.kind != REG_SUCCESSOR;
		size_t n = goes ? entry_write(out + len, size - len, c, now) : 0;

		if (c->stored != c->position || (goes && !n))
			return len;
		*position = c->position;
		len += n;
	}
	*position = a->position;
	return len;
}

static bool is_unknown(const struct ballot *b)
{
	return b->counter == 0 && b->proposer == BALLOT_UNKNOWN;
}

bool cell_is_unknown(const struct cell *c)
{
	return c && !c->value && is_unknown(&c->accepted);
}

bool rd_acceptor_entry(struct rd *r, struct acceptor_entry *e)
{
	e->start = r->p;
	e->name = rd_reg_name(r);
	e->accepted = rd_ballot(r);
	e->age = rd_u64(r);
	e->beacon = rd_u64(r);
	e->value = rd_block(r, REG_VALUE_MAX);
	if (!rd_ok(r) || e->name.kind == REG_SUCCESSOR)
		return false;
	if (rd_left(&e->value) == 0)
		return is_unknown(&e->accepted);
	return e->accepted.counter > 0 &&
	       cell_value_fits(&e->name, e->value.p, rd_left(&e->value));
}

static bool put_aside(struct acceptor *a, const uint8_t *b, size_t len)
{
	if (a->late_len + len > LATE_MAX)
		return false;
	a->late = mem_resize(a->late, a->late_len + len);
	memcpy(a->late + a->late_len, b, len);
	a->late_len += len;
	return true;
}

static bool votes(const struct acceptor *a) { return a->epoch && !a->sealed; }

bool acceptor_put(struct acceptor *a, const struct acceptor_entry *e, usec_t since)
{
	struct cell *c = a->writes.count < ACCEPTOR_WRITES_MAX ? cell_make(a, &e->name) : NULL;

	if (!c)
		return false;
	c->accepted = e->accepted;
	if (ballot_compare(&c->promised, &c->accepted) < 0 && !is_unknown(&e->accepted))
		c->promised = c->accepted;
	c->beacon = e->beacon;
	c->since = since;
	if (rd_left(&e->value))
		cell_set(a, c, e->value.p, rd_left(&e->value));
	cell_rewrite(a, c);
	return true;
}

static bool entry_take(struct acceptor *a, const struct acceptor_entry *e, usec_t now)
{
	usec_t age = e->age < now / USEC_A_SECOND ? e->age * USEC_A_SECOND : now;
	struct cell *c = acceptor_cell(a, &e->name);
	struct ballot promised = promise_of(a, c);
	int order = c ? ballot_compare(&e->accepted, &c->accepted) : 1;
	enum copy_word word = COPY_TRUSTED;

	if (rd_left(&e->value) == 0 || order < 0)
		return true;
	if (a->env.judges)
		word = a->env.judges(a->env.ctx, e, c);
	if (word == COPY_TRUSTED && order == 0 && now - age > c->since)
		c->since = now - age;
	if (word == COPY_REFUSED || order == 0)
		return true;
	if (votes(a) && ballot_compare(&e->accepted, &promised) < 0)
		return put_aside(a, e->start, (size_t)(e->value.end - e->start));
	return acceptor_put(a, e, word == COPY_JUDGED ? now : now - age);
}

bool acceptor_entries_read(struct rd entries)
{
	struct acceptor_entry e;

	while (rd_left(&entries))
		if (!rd_acceptor_entry(&entries, &e))
			return false;
	return true;
}

bool acceptor_take(struct acceptor *a, struct rd *entries, usec_t now)
{
	struct acceptor_entry e;

	if (!acceptor_entries_read(*entries))
		return false;
	while (rd_left(entries) && rd_acceptor_entry(entries, &e))
		if (!entry_take(a, &e, now))
			return false;
	return true;
}

void acceptor_drop_late(struct acceptor *a)
{
	free(a->late);
	a->late = NULL;
	a->late_len = a->late_at = 0;
}

bool acceptor_take_late(struct acceptor *a, usec_t now)
{
	struct acceptor_entry e;
	struct rd late = rd_of(a->late_len ? a->late + a->late_at : NULL, a->late_len - a->late_at);

	for (size_t left = LATE_PIECE; rd_left(&late); left--) {
		if (!left || !rd_acceptor_entry(&late, &e) || !entry_take(a, &e, now))
			return false;
		a->late_at = a->late_len - rd_left(&late);
	}
	acceptor_drop_late(a);
	return true;
}
