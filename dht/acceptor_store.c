/* acceptor_store.c - registers on the disk, and what is dropped between epochs.
 *
 * Durable: key 'r', kind, name bytes; value: version 2, position 8, promised 17, accepted 17, beacon
 * 8, block(4800) value. A write that failed is made again until it succeeds: until then the cell is
 * not copied either.
 *
 * Dropped when a new epoch is served (R16), where messages of the old ones are refused: registers of
 * successors, released host names, a day after, and those of which nothing but a promise is here, some
 * thousands at once. What is claimed anew in an epoch starts above every generation that may have been dropped (change.c), so
 * only what lies below that is. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "dht/acceptor_impl.h"
#include "dht/change.h"

#define RECORD_VERSION 2
#define RECORD_MAX (1 + 8 + 17 + 17 + 8 + 2 + REG_VALUE_MAX)
#define KEY_MAX (2 + REG_NAME_MAX)
#define TOMBSTONE SEC(86400)
#define TURN_FORGETS 4096 /* at once: as many deletions as an owner takes besides writes */

static size_t record_write(uint8_t out[RECORD_MAX], const struct cell *c)
{
	struct wr w = wr_of(out, RECORD_MAX);

	wr_u8(&w, RECORD_VERSION);
	wr_u64(&w, c->position);
	wr_ballot(&w, &c->promised);
	wr_ballot(&w, &c->accepted);
	wr_u64(&w, c->beacon);
	wr_block(&w, c->value, c->value_len);
	assert(wr_ok(&w));
	return wr_len(&w);
}

static size_t key_write(uint8_t out[KEY_MAX], const struct reg_name *name)
{
	out[0] = 'r';
	out[1] = name->kind;
	memcpy(out + 2, name->b, name->len);
	return (size_t)2 + name->len;
}

/* Every answer that needs this write waits in `writes` under its number. */
void cell_persist(struct acceptor *a, struct write *wait)
{
	struct cell *c = wait->cell;
	uint8_t key[KEY_MAX], record[RECORD_MAX];
	int err;

	c->position = wait->position = ++a->position;
	list_del(&c->in_order);
	list_add_tail(&a->order, &c->in_order);
	if (c->failed)
		a->failed--;
	c->failed = false;
	c->writing++;
	promises_note(a, c);
	wait->op = a->next_op++;
	err = map_put(&a->writes, wait);
	assert(!err);
	(void)err;
	a->env.persist(a->env.ctx, wait->op, key, key_write(key, &c->name), record,
		       record_write(record, c));
}

void cell_rewrite(struct acceptor *a, struct cell *c)
{
	struct write *w = mem_new(sizeof(*w));

	w->cell = c;
	cell_persist(a, w);
}

bool acceptor_write_again(struct acceptor *a)
{
	struct cell *c;
	size_t at = 0;

	floor_write_again(a);
	while (a->failed && a->writes.count < ACCEPTOR_WRITES_MAX && (c = map_next(&a->cells, &at)))
		if (c->failed)
			cell_rewrite(a, c);
	return a->failed == 0;
}

bool acceptor_is_quiet(const struct acceptor *a)
{
	return a->writes.count == 0 && a->failed == 0;
}

/* --- after a restart --- */

static bool rd_key(struct rd *r, struct reg_name *name)
{
	uint8_t buf[3 + REG_NAME_MAX];
	struct wr w = wr_of(buf, sizeof(buf));
	struct rd again;

	wr_u8(&w, rd_u8(r));
	wr_block(&w, r->p, rd_left(r));
	if (!wr_ok(&w) || !rd_ok(r))
		return false;
	again = rd_of(buf, wr_len(&w));
	*name = rd_reg_name(&again);
	return rd_done(&again);
}

bool acceptor_restore(struct acceptor *a, const uint8_t *key, size_t key_len, const uint8_t *value,
		      size_t len)
{
	struct rd k = rd_of(key, key_len), r = rd_of(value, len), in;
	bool version = rd_u8(&r) == RECORD_VERSION;
	uint64_t position = rd_u64(&r);
	struct ballot promised = rd_ballot(&r), accepted = rd_ballot(&r);
	uint64_t beacon = rd_u64(&r);
	struct reg_name name;
	struct cell *c;

	in = rd_block(&r, REG_VALUE_MAX);
	if (!rd_done(&r) || !version || !rd_key(&k, &name) ||
	    (rd_left(&in) && !cell_value_fits(&name, in.p, rd_left(&in))))
		return false;
	c = cell_make(a, &name);
	if (!c)
		return false;
	c->position = c->stored = position;
	c->promised = promised;
	c->accepted = accepted;
	c->beacon = beacon;
	if (rd_left(&in))
		cell_set(a, c, in.p, rd_left(&in));
	return true;
}

static int by_position(const void *a, const void *b)
{
	const struct cell *const *x = a, *const *y = b;

	return ((*x)->position > (*y)->position) - ((*x)->position < (*y)->position);
}

static void order_make(struct acceptor *a)
{
	struct cell **all = mem_new((a->cells.count + 1) * sizeof(*all)), *c;
	size_t n = 0, at = 0;

	while ((c = map_next(&a->cells, &at)))
		all[n++] = c;
	qsort(all, n, sizeof(*all), by_position);
	for (size_t i = 0; i < n; i++) {
		list_del(&all[i]->in_order);
		list_add_tail(&a->order, &all[i]->in_order);
		promises_note(a, all[i]);
	}
	if (n && all[n - 1]->position > a->position)
		a->position = all[n - 1]->position;
	floor_started(a);
	a->durable = a->position;
	free(all);
}

void acceptor_started(struct acceptor *a, usec_t now)
{
	struct reg_name successor = acceptor_successor(a->era, a->epoch);
	struct cell *c;
	size_t at = 0;

	while ((c = map_next(&a->cells, &at)))
		c->since = MUTANT(RESTART_EXPIRED) ? now - SEC(100 * 86400) : now;
	order_make(a);
	c = acceptor_cell(a, &successor);
	a->sealed |= a->epoch && c && c->value && !MUTANT(NO_SEAL);
	a->sealed_durably = a->sealed;
	if (promises_are_full(a)) /* no new one is let in, and so no write would come to see that */
		floor_keep(a);
}

/* --- between epochs --- */

void cell_forget(struct acceptor *a, struct cell *c)
{
	uint8_t key[KEY_MAX];

	assert(!c->writing);
	if (c->position) /* else it was never written */
		a->env.persist(a->env.ctx, a->next_op++, key, key_write(key, &c->name), NULL, 0);
	promises_drop(a, c);
	if (c->failed)
		a->failed--;
	map_take(&a->cells, &c->name);
	cell_goes(a, c);
	list_del(&c->in_order);
	free(c->value);
	free(c->grant);
	free(c);
}

static bool is_tombstone(const struct acceptor *a, const struct cell *c, usec_t now)
{
	struct reg_value v;

	return c->name.kind == REG_HOST_NAME && cell_value(c, &v) && v.state == REG_RELEASED &&
	       now - c->since >= TOMBSTONE && v.generation < change_first_generation(a->era, a->epoch);
}

/* Its promise was of an epoch that nobody votes in any more. */
static bool is_over(const struct acceptor *a, const struct cell *c, usec_t now)
{
	return c->name.kind == REG_SUCCESSOR || c->is_promise || is_tombstone(a, c, now);
}

/* What is still being written may not go, and what is too much for once need not: it is of no harm.
 * Promises go first when there are too many of them, tombstones at the next turn. */
void acceptor_turn(struct acceptor *a, uint32_t era, uint32_t epoch, usec_t now)
{
	size_t left = TURN_FORGETS;

	a->era = era;
	a->epoch = epoch;
	a->sealed = a->sealed_durably = false;
	floor_turn(a);
	for (struct list *l = a->order.next, *next; l != &a->order; l = next) {
		struct cell *c = container_of(l, struct cell, in_order);

		next = l->next;
		if (c->writing || !is_over(a, c, now) || (!left && c->name.kind != REG_SUCCESSOR))
			continue;
		cell_forget(a, c);
		left -= left > 0;
	}
}

bool acceptor_clear(struct acceptor *a, size_t count)
{
	if (a->writes.count)
		return false;
	while (count-- && !list_is_empty(&a->order))
		cell_forget(a, container_of(a->order.next, struct cell, in_order));
	floor_turn(a);
	return a->cells.count == 0;
}
