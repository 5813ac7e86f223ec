/* test_acceptor_floor.c - promises of which nothing came: forgotten, but not what they promised. */
#include "dht/acceptor.h"

#include "tests/unit/acceptor_desk.h"

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
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
