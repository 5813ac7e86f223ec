/* test_acceptor_floor.c - promises of which nothing came: forgotten, but not what they promised. */
#include "dht/acceptor.h"

#include <stdlib.h>

#include "dht/entry.h"
#include "dht/regs.h"
#include "tests/unit/keeper_ops.h"

#define NOW SEC(10000)
#define RECORD_MAX 400
#define RECORDS 1200
struct record {
	uint8_t key[80], value[RECORD_MAX];
	size_t key_len, len;
};

struct desk { /* an acceptor, and a disk that answers when it is told to */
	struct acceptor a;
	uint64_t first, last; /* writes not answered yet */
	struct record *log; /* all writes, by op - 1; NULL: they are only counted */
	struct acceptor_reply reply;
};

static void desk_random(void *ctx, void *out, size_t len)
{
	(void)ctx;
	memset(out, 9, len);
}

static void desk_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			 const uint8_t *value, size_t len)
{
	struct desk *d = ctx;
	struct record *r;

	d->last = op;
	if (!d->log)
		return;
	CHECK(op <= RECORDS && len <= RECORD_MAX);
	r = &d->log[op - 1];
	memcpy(r->key, key, r->key_len = key_len);
	if (len)
		memcpy(r->value, value, len);
	r->len = len;
}

static void desk_valued(void *ctx, struct cell *c, const struct reg_value *old,
			const struct reg_value *new)
{
	(void)ctx, (void)c, (void)old, (void)new;
}

static bool desk_follows(void *ctx, const uint8_t *body, size_t len)
{
	(void)ctx;
	return len == 4 && memcmp(body, "next", 4) == 0;
}

static void desk_open(struct desk *d, size_t keep, bool logs)
{
	struct acceptor_env env = { .ctx = d, .random = desk_random, .persist = desk_persist,
				    .valued = desk_valued, .follows = desk_follows };

	memset(d, 0, sizeof(*d));
	d->first = 1;
	d->log = logs ? calloc(RECORDS, sizeof(*d->log)) : NULL;
	acceptor_init(&d->a, &env, 1);
	d->a.crypto = &crypto_real;
	d->a.epoch = 1;
	d->a.epoch_key = kit_key(100);
	if (keep)
		d->a.promises.keep = keep;
}

static void desk_close(struct desk *d)
{
	acceptor_fini(&d->a);
	free(d->log);
}

/* One write ends. */
static void desk_answer(struct desk *d, int result)
{
	acceptor_persisted(&d->a, d->first++, result, &d->reply, NOW);
}

static void desk_flush(struct desk *d, int result)
{
	while (d->first <= d->last)
		desk_answer(d, result);
}

static bool is_last_of_key(const struct desk *d, size_t at, size_t writes)
{
	const struct record *r = &d->log[at];

	for (size_t i = at + 1; i < writes; i++)
		if (d->log[i].key_len == r->key_len &&
		    memcmp(d->log[i].key, r->key, r->key_len) == 0)
			return false;
	return true;
}

/* What starts from a disk on which the first `writes` are. */
static void desk_restart(struct desk *to, const struct desk *d, size_t writes)
{
	desk_open(to, d->a.promises.keep, false);
	for (size_t i = 0; i < writes; i++) {
		const struct record *r = &d->log[i];

		if (!r->len || !is_last_of_key(d, i, writes))
			continue;
		CHECK(r->key[0] == 'p' ?
			      acceptor_restore_floor(&to->a, r->value, r->len) :
			      acceptor_restore(&to->a, r->key + 1, r->key_len - 1, r->value,
					       r->len));
	}
	acceptor_started(&to->a, NOW);
}

static size_t held(uint8_t out[200], uint8_t owner)
{
	struct reg_value v = { .state = REG_HELD, .generation = 1, .lease = 60 };
	struct wr w = wr_of(out, 200);

	v.owner.b[0] = owner;
	wr_reg_value(&w, &v);
	return wr_len(&w);
}

/* True: refused at once. */
static bool accept(struct desk *d, uint32_t n, uint64_t counter)
{
	uint8_t value[200];
	struct regmsg m = { .type = REGMSG_ACCEPT, .request = counter, .name = nth_address(n),
			    .ballot = { 0, d->a.epoch, counter, 0 }, .bytes = value };
	struct pubkey from = kit_key(1).pub;

	m.len = held(value, 7);
	return acceptor_accept(&d->a, &from, &m, &d->reply, NOW);
}

static bool prepare(struct desk *d, uint32_t n, uint64_t counter)
{
	struct regmsg m = { .type = REGMSG_PREPARE, .request = counter, .name = nth_address(n),
			    .ballot = { 0, d->a.epoch, counter, 0 } };
	struct pubkey from = { { 1 } };

	return acceptor_prepare(&d->a, &from, &m, &d->reply, NOW);
}

static bool has(const struct desk *d, uint32_t n)
{
	struct reg_name name = nth_address(n);

	return acceptor_cell(&d->a, &name) != NULL;
}

static uint64_t promised(const struct desk *d, uint32_t n)
{
	struct reg_name name = nth_address(n);

	return acceptor_promised(&d->a, &name).counter;
}

/* Of `keep` + 1 names the oldest has been forgotten, and with it what was promised: 9. */
static void desk_forget(struct desk *d, size_t keep)
{
	desk_open(d, keep, true);
	CHECK(!prepare(d, 1, 9));
	for (uint32_t n = 2; n <= keep + 1; n++)
		CHECK(!prepare(d, n, 3));
	desk_flush(d, 0);
	CHECK(!has(d, 1));
	CHECK_EQ_INT(d->a.cells.count, keep);
}

static void test_acceptor_floor_is_durable_before_a_promise_is_forgotten(void)
{
	struct desk d;

	desk_open(&d, 2, true);
	for (uint32_t n = 1; n <= 3; n++)
		CHECK(!prepare(&d, n, 10 - n));
	desk_answer(&d, 0);
	CHECK_EQ_INT(d.last, 4); /* the floor is on its way as soon as there are too many ... */
	CHECK_EQ_INT(d.log[3].key[0], 'p');
	desk_answer(&d, 0);
	desk_answer(&d, 0);
	CHECK_EQ_INT(d.a.cells.count, 3); /* ... and none goes before it */
	CHECK_EQ_INT(d.last, 4);
	CHECK_EQ_INT(promised(&d, 77), 9); /* though it counts */
	desk_answer(&d, 0);
	CHECK_EQ_INT(d.a.cells.count, 2);
	CHECK(!has(&d, 1) && has(&d, 2) && has(&d, 3));
	CHECK_EQ_INT(d.log[4].key[0], 'r');
	CHECK_EQ_INT(d.log[4].len, 0);
	CHECK_EQ_INT(d.last, 5);
	desk_close(&d);
}

static void test_acceptor_floor_refuses_what_a_forgotten_promise_would(void)
{
	struct desk d;

	desk_forget(&d, 4);
	CHECK(prepare(&d, 1, 8));
	CHECK_EQ_INT(d.reply.msg.status, REG_BUSY);
	CHECK_EQ_INT(d.reply.msg.ballot.counter, 9); /* past which a proposer jumps */
	CHECK_EQ_INT(d.reply.msg.ballot.epoch, 1);
	CHECK(prepare(&d, 1, 9)); /* to whom it was promised is forgotten */
	CHECK(accept(&d, 1, 8));
	CHECK_EQ_INT(d.reply.msg.status, REG_BUSY);
	CHECK_EQ_INT(d.reply.msg.ballot.counter, 9);
	CHECK(accept(&d, 1234, 8)); /* of all others as well */
	CHECK(!has(&d, 1) && !has(&d, 1234));
	CHECK(!prepare(&d, 1, 10));
	CHECK(!accept(&d, 1234, 9)); /* as from a cell */
	CHECK(!accept(&d, 3, 3));    /* whose cell is here goes by that */
	desk_flush(&d, 0);
	CHECK_EQ_INT(promised(&d, 1), 10);
	desk_close(&d);
}

static void test_acceptor_floor_outlasts_a_restart_and_so_does_the_position(void)
{
	struct desk d, e;
	uint64_t position;

	desk_forget(&d, 1);
	CHECK(!prepare(&d, 3, 10));
	desk_flush(&d, 0);
	CHECK(!has(&d, 2) && has(&d, 3));
	position = d.a.position;
	desk_restart(&e, &d, d.last);
	CHECK_EQ_INT(e.a.position, position);
	CHECK_EQ_INT(e.a.durable, position);
	CHECK_EQ_INT(promised(&e, 1), 9);
	CHECK(accept(&e, 1, 8));
	CHECK(!accept(&e, 1, 9));
	desk_flush(&e, 0);
	desk_close(&e);
	desk_close(&d);
}

#define NAMES 40
#define ASKS 300

/* Wherever a crash cuts the writes: nothing is accepted below what was answered. */
static void test_acceptor_floor_forgets_no_promise_in_any_crash(void)
{
	static uint64_t said[ASKS + 1][NAMES]; /* after so many answers */
	struct desk d, e;
	uint32_t dice = 1;
	size_t at = 0;

	desk_open(&d, 5, true);
	memset(said, 0, sizeof(said));
	while (d.first <= ASKS) {
		dice = dice * 1103515245u + 12345u;
		if (dice >> 30)
			prepare(&d, dice >> 8 & 31, 1 + (dice >> 16) % 40);
		for (uint32_t i = dice >> 20 & 3; i && d.first <= d.last && d.first <= ASKS; i--) {
			memset(&d.reply, 0, sizeof(d.reply));
			at = (size_t)d.first;
			memcpy(said[at], said[at - 1], sizeof(said[at]));
			if (acceptor_persisted(&d.a, d.first++, 0, &d.reply, NOW) &&
			    d.reply.msg.status == REG_OK)
				said[at][d.log[at - 1].key[5] % NAMES] = d.reply.msg.ballot.counter;
		}
	}
	CHECK(promised(&d, 1234) > 1);
	for (size_t cut = 1; cut <= at; cut++)
		for (uint32_t n = 0; n < 32; n++) {
			struct reg_name name = nth_address(n);
			uint64_t floor = said[cut][name.b[3] % NAMES];

			if (!floor)
				continue;
			desk_restart(&e, &d, cut);
			CHECK(promised(&e, n) >= floor);
			CHECK(floor == 1 || accept(&e, n, floor - 1));
			desk_close(&e);
		}
	desk_close(&d);
}

static void test_acceptor_floor_that_fails_forgets_nothing_and_is_tried_again(void)
{
	struct desk d;

	desk_open(&d, 1, true);
	CHECK(!prepare(&d, 1, 9));
	CHECK(!prepare(&d, 2, 3));
	desk_answer(&d, 0);
	desk_answer(&d, 0);
	desk_answer(&d, -5);
	CHECK_EQ_INT(d.a.cells.count, 2);
	CHECK(!prepare(&d, 3, 10)); /* it counts already */
	desk_answer(&d, 0);
	CHECK_EQ_INT(d.a.cells.count, 3);
	CHECK_EQ_INT(d.last, 4);
	acceptor_write_again(&d.a);
	CHECK_EQ_INT(d.last, 5);
	desk_flush(&d, 0);
	CHECK_EQ_INT(d.a.cells.count, 1);
	CHECK_EQ_INT(promised(&d, 1), 9);
	desk_close(&d);
}

static void test_acceptor_floor_lets_cells_alone_that_changed_meanwhile(void)
{
	struct desk d;

	desk_open(&d, 1, true);
	CHECK(!prepare(&d, 1, 5));
	CHECK(!prepare(&d, 2, 5));
	desk_answer(&d, 0);
	desk_answer(&d, 0);
	CHECK(!accept(&d, 1, 6));
	CHECK(!prepare(&d, 2, 7));
	desk_flush(&d, 0);
	CHECK(has(&d, 1) && has(&d, 2));
	CHECK_EQ_INT(d.a.promises.count, 1);
	desk_close(&d);
}

static void test_acceptor_floor_keeps_what_has_a_value_or_is_unknown(void)
{
	struct acceptor_entry unknown = { .name = kit_host("unknown"),
					  .accepted = { .proposer = BALLOT_UNKNOWN } };
	struct desk d;

	desk_open(&d, 1, true);
	CHECK(!accept(&d, 1, 1));
	CHECK(!prepare(&d, 1, 2));
	CHECK(acceptor_put(&d.a, &unknown, NOW));
	for (uint32_t n = 2; n < 30; n++)
		CHECK(!prepare(&d, n, 3));
	desk_flush(&d, 0);
	CHECK(has(&d, 1));
	CHECK(cell_is_unknown(acceptor_cell(&d.a, &unknown.name)));
	CHECK_EQ_INT(d.a.cells.count, 3);
	CHECK_EQ_INT(promised(&d, 1), 2);
	desk_close(&d);
}

static void test_acceptor_floor_puts_copies_below_it_aside_until_it_votes_no_more(void)
{
	struct desk d, from;
	uint8_t room[1000];
	uint64_t position = 0;
	struct rd r;

	desk_forget(&d, 4);
	desk_open(&from, 4, false);
	CHECK(!accept(&from, 1, 8));
	CHECK(!accept(&from, 100, 9));
	desk_flush(&from, 0);
	r = rd_of(room, acceptor_give(&from.a, &position, room, sizeof(room), NOW));
	CHECK(acceptor_take(&d.a, &r, NOW));
	CHECK(!has(&d, 1) && has(&d, 100));
	CHECK(d.a.late_len > 0);
	d.a.sealed = true;
	CHECK(acceptor_take_late(&d.a, NOW));
	CHECK(has(&d, 1));
	CHECK_EQ_INT(promised(&d, 1), 9);
	desk_flush(&d, 0);
	desk_close(&from);
	desk_close(&d);
}

/* Nobody else proposes, and a crash ends all proposals: nothing is written. */
static void test_acceptor_floor_of_a_keeper_alone_needs_no_write(void)
{
	struct desk d;

	desk_open(&d, 10, true);
	d.a.alone = true;
	for (uint32_t n = 1; n <= 1000; n++) {
		CHECK(prepare(&d, n, 5 + n / 10));
		CHECK_EQ_INT(d.reply.msg.status, REG_OK);
	}
	CHECK_EQ_INT(d.last, 0);
	CHECK_EQ_INT(d.a.cells.count, 10);
	CHECK_EQ_INT(promised(&d, 1), 104);
	CHECK(accept(&d, 1, 103));
	CHECK(!accept(&d, 1, 104));
	desk_close(&d);
}

static void test_acceptor_floor_ends_with_its_epoch_whatever_the_disk_says(void)
{
	struct desk d, e;

	desk_forget(&d, 4);
	desk_restart(&e, &d, d.last);
	acceptor_turn(&e.a, 0, 2, NOW);
	CHECK_EQ_INT(e.a.cells.count, 0);
	CHECK_EQ_INT(promised(&e, 1), 0);
	CHECK(!prepare(&e, 1, 1));
	desk_flush(&e, 0);
	desk_close(&e);
	desk_restart(&e, &d, d.last);
	e.a.epoch = 2; /* its record is of epoch 1 */
	acceptor_started(&e.a, NOW);
	CHECK_EQ_INT(promised(&e, 1), 0);
	CHECK_EQ_INT(e.a.position, 5); /* also of cells that are gone */
	desk_close(&e);
	desk_close(&d);
}

/* 140 000 names that nobody has, a hundred at a time. */
static void test_acceptor_floor_lets_no_promises_fill_the_table(void)
{
	size_t most = 0, at_once = 0;
	struct desk d;

	desk_open(&d, 0, false);
	for (uint32_t n = 0; n < 140000; n++) {
		CHECK(!prepare(&d, n, 1 + n / 1000));
		while (n % 100 == 99 && d.first <= d.last) {
			uint64_t last = d.last;

			desk_answer(&d, 0);
			at_once = d.last - last > at_once ? d.last - last : at_once;
		}
		most = d.a.cells.count > most ? d.a.cells.count : most;
	}
	CHECK(most <= PROMISES_KEPT + 200);
	CHECK(at_once <= PROMISES_KEPT / 32 + 2); /* of no answer is there more to do */
	CHECK(!accept(&d, 200000, 200));
	CHECK(promised(&d, 200001) > 100);
	desk_flush(&d, 0);
	desk_close(&d);
}

/* Neither answered nor forgotten: silence, before the table is full. */
static void test_acceptor_floor_while_the_disk_fails_the_table_does_not_fill_either(void)
{
	struct desk d;

	desk_open(&d, 0, false);
	for (uint32_t n = 0; n < 140000; n++) {
		CHECK(!prepare(&d, n, 1));
		desk_flush(&d, -5);
	}
	CHECK_EQ_INT(d.a.cells.count, PROMISES_KEPT + ACCEPTOR_WRITES_MAX);
	while (d.a.failed) {
		acceptor_write_again(&d.a);
		desk_flush(&d, 0);
	}
	CHECK(d.a.cells.count <= PROMISES_KEPT);
	CHECK(!prepare(&d, 150000, 2));
	desk_flush(&d, 0);
	desk_close(&d);
}

static void test_acceptor_floor_a_table_full_of_values_still_takes_a_successor(void)
{
	struct pubkey from = { { 1 } };
	struct regmsg m = { .type = REGMSG_PREPARE, .request = 1,
			    .name = acceptor_successor(0, 1), .ballot = { 0, 1, 1, 0 } };
	struct acceptor_entry e = { .accepted = { 0, 1, 1, 0 } };
	uint8_t value[200];
	struct desk d;

	desk_open(&d, 0, false);
	e.value = rd_of(value, held(value, 7));
	for (uint32_t n = 0; n < REGS_REGISTERS_MAX; n++) {
		e.name = nth_address(n);
		CHECK(acceptor_put(&d.a, &e, NOW));
		desk_flush(&d, 0);
	}
	CHECK(prepare(&d, REGS_REGISTERS_MAX, 2));
	CHECK_EQ_INT(d.reply.msg.status, REG_FULL);
	CHECK(!acceptor_prepare(&d.a, &from, &m, &d.reply, NOW));
	desk_flush(&d, 0);
	CHECK_EQ_INT(d.reply.msg.status, REG_OK);
	desk_close(&d);
}

static const struct test tests[] = {
	TEST(test_acceptor_floor_is_durable_before_a_promise_is_forgotten),
	TEST(test_acceptor_floor_refuses_what_a_forgotten_promise_would),
	TEST(test_acceptor_floor_outlasts_a_restart_and_so_does_the_position),
	TEST(test_acceptor_floor_forgets_no_promise_in_any_crash),
	TEST(test_acceptor_floor_that_fails_forgets_nothing_and_is_tried_again),
	TEST(test_acceptor_floor_lets_cells_alone_that_changed_meanwhile),
	TEST(test_acceptor_floor_keeps_what_has_a_value_or_is_unknown),
	TEST(test_acceptor_floor_puts_copies_below_it_aside_until_it_votes_no_more),
	TEST(test_acceptor_floor_of_a_keeper_alone_needs_no_write),
	TEST(test_acceptor_floor_ends_with_its_epoch_whatever_the_disk_says),
	TEST(test_acceptor_floor_lets_no_promises_fill_the_table),
	TEST(test_acceptor_floor_while_the_disk_fails_the_table_does_not_fill_either),
	TEST(test_acceptor_floor_a_table_full_of_values_still_takes_a_successor),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
