/* acceptor_floor.c - promises of which nothing came, and the ballot that stands for those forgotten.
 *
 * Who asks for names that are nobody's leaves at every acceptor a cell with a promise and nothing else.
 * Of these only PROMISES_KEPT are kept, fewer when the table is full. When there are more, the floor, one ballot of the acceptor, is
 * raised to the highest that the oldest of them have promised, and when that is durable, they go. A
 * name without a cell counts as promised at the floor, from the moment that it is raised here. Cells
 * that have a value, or are unknown, stay.
 *
 * WHY IT IS RIGHT. An acceptor may promise more than it was asked for: it only refuses more. What a
 * forgotten cell stood for is that nothing below its promise is accepted, and that nothing was accepted:
 * the floor says the first, that there is no cell the second. An equal ballot is refused, as to whom it
 * was promised is forgotten with the cell; in ACCEPT it is taken, as from a cell. The order of the
 * writes (floor, its answer, then the cells go) leaves no crash in which neither is there. A cell that
 * is on the disk still is as good as it was: nothing lower was promised since without being written.
 * A refusal needs no durability, so the floor may be ahead of the disk. A failed write forgets nothing
 * and is made again. Who is alone writes no promises, and so no floor.
 *
 * The position is written with it: positions rise over restarts, and those of the cells that go may be
 * the last that were shown (mark.h). Only cells below it go.
 *
 * A new epoch begins without a floor: in it ballots of older ones are refused whatever they say, and
 * all of its own lie above every floor of the past, since ballots are compared by era and epoch first;
 * so a record of an older epoch, should it be all that is on the disk, stands for nothing.
 *
 * No liar moves floors where honest keepers cannot follow: a floor is a ballot that was promised, so
 * its counter is bounded like all (judge_counter_fits) by the clock of a while ago, as about so many
 * promises as are kept were made since; and so far every keeper lets every proposer go, those whose
 * clocks are behind as soon as these have come there. */
#include "dht/floor.h"

#include <assert.h>

#include "base/mutant.h"
#include "dht/acceptor_impl.h"
#include "dht/regs.h"

#define FLOOR_KEY 'p'
#define FLOOR_VERSION 1
#define FLOOR_RECORD (1 + 8 + 17)
#define BATCH(keep) ((keep) / 32 + 1) /* cells that are looked at, and go, at once */

void promises_init(struct promises *p)
{
	list_init(&p->cells);
	p->keep = PROMISES_KEPT;
}

void promises_drop(struct acceptor *a, struct cell *c)
{
	if (!c->is_promise)
		return;
	list_del(&c->in_promises);
	c->is_promise = false;
	a->promises.count--;
}

void promises_note(struct acceptor *a, struct cell *c)
{
	promises_drop(a, c);
	if (c->value || cell_is_unknown(c))
		return;
	list_add_tail(&a->promises.cells, &c->in_promises);
	c->is_promise = true;
	a->promises.count++;
}

bool promises_are_full(const struct acceptor *a)
{
	return a->promises.count >= a->promises.keep + ACCEPTOR_WRITES_MAX;
}

struct ballot promise_of(const struct acceptor *a, const struct cell *c)
{
	return c ? c->promised : a->promises.floor;
}

struct ballot acceptor_promised(const struct acceptor *a, const struct reg_name *name)
{
	return promise_of(a, acceptor_cell(a, name));
}

/* --- raising it --- */

static bool is_done(const struct cell *c) { return c->writing == 0 && !c->failed; }

/* Above the oldest. False: they are still being written. */
static bool floor_raise(struct acceptor *a)
{
	struct promises *p = &a->promises;
	size_t left = BATCH(p->keep);
	bool any = false;

	for (struct list *l = p->cells.next; l != &p->cells && left--; l = l->next) {
		const struct cell *c = container_of(l, struct cell, in_promises);

		if (!is_done(c))
			continue;
		any = true;
		if (ballot_compare(&p->floor, &c->promised) < 0 && !MUTANT(NO_FLOOR))
			p->floor = c->promised;
	}
	return any;
}

static void floor_write(struct acceptor *a)
{
	struct promises *p = &a->promises;
	uint8_t record[FLOOR_RECORD];
	const uint8_t key = FLOOR_KEY;
	struct wr w = wr_of(record, sizeof(record));

	p->position = a->position;
	p->op = a->next_op++;
	p->writing = true;
	p->failed = false;
	wr_u8(&w, FLOOR_VERSION);
	wr_u64(&w, p->position);
	wr_ballot(&w, &p->floor);
	assert(wr_ok(&w));
	a->env.persist(a->env.ctx, p->op, &key, 1, record, wr_len(&w));
}

/* The oldest that did not change since. */
static void forget(struct acceptor *a)
{
	struct promises *p = &a->promises;
	size_t left = BATCH(p->keep);

	for (struct list *l = p->cells.next, *next; l != &p->cells && left--; l = next) {
		struct cell *c = container_of(l, struct cell, in_promises);

		next = l->next;
		if (is_done(c) && c->position <= p->position &&
		    (ballot_compare(&c->promised, &p->floor) <= 0 || MUTANT(NO_FLOOR)))
			cell_forget(a, c);
	}
}

/* More than are kept, or they stand where registers could. */
static bool are_too_many(const struct acceptor *a)
{
	const struct promises *p = &a->promises;

	return p->count > p->keep ||
	       (p->count && a->cells.count + BATCH(p->keep) > REGS_REGISTERS_MAX);
}

void floor_keep(struct acceptor *a)
{
	struct promises *p = &a->promises;

	if (!are_too_many(a) || p->writing || p->failed || !floor_raise(a))
		return;
	if (!a->alone) {
		floor_write(a);
		return;
	}
	p->position = a->position;
	forget(a);
}

bool floor_persisted(struct acceptor *a, uint64_t op, int result)
{
	struct promises *p = &a->promises;

	if (!p->writing || op != p->op)
		return false;
	p->writing = false;
	p->failed = result < 0;
	if (!p->failed) {
		forget(a);
		floor_keep(a);
	}
	return true;
}

void floor_write_again(struct acceptor *a)
{
	if (a->promises.failed)
		floor_write(a);
}

/* --- between lives and epochs --- */

bool acceptor_restore_floor(struct acceptor *a, const uint8_t *value, size_t len)
{
	struct rd r = rd_of(value, len);
	uint8_t version = rd_u8(&r);
	uint64_t position = rd_u64(&r);
	struct ballot floor = rd_ballot(&r);

	if (!rd_done(&r) || version != FLOOR_VERSION)
		return false;
	a->promises.position = position;
	if (!MUTANT(FLOOR_LOST))
		a->promises.floor = floor;
	return true;
}

void floor_started(struct acceptor *a)
{
	struct promises *p = &a->promises;

	if (p->floor.era != a->era || p->floor.epoch != a->epoch)
		p->floor = (struct ballot){ 0 };
	if (p->position > a->position)
		a->position = p->position;
}

void floor_turn(struct acceptor *a)
{
	a->promises.floor = (struct ballot){ 0 };
	a->promises.writing = a->promises.failed = false;
}
