/* test_acceptor_many.c - thousands of promises and values: what is bounded stays so. */
#include "dht/acceptor.h"

#include "tests/unit/acceptor_desk.h"

/* 140 000 names that nobody has, a hundred at a time. */
static void test_acceptor_many_lets_no_promises_fill_the_table(void)
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
static void test_acceptor_many_while_the_disk_fails_the_table_does_not_fill_either(void)
{
	struct desk d;

	desk_open(&d, 0, false);
	for (uint32_t n = 0; n < 140000; n++) {
		CHECK(!prepare(&d, n, 1));
		desk_flush(&d, -5);
	}
	CHECK_EQ_INT(d.a.cells.count, PROMISES_KEPT + ACCEPTOR_WRITES_MAX);
	CHECK(!acceptor_write_again(&d.a)); /* no more than that at once: asked again */
	desk_flush(&d, 0);
	while (!acceptor_write_again(&d.a))
		desk_flush(&d, 0);
	desk_flush(&d, 0);
	CHECK(d.a.cells.count <= PROMISES_KEPT);
	CHECK(!prepare(&d, 150000, 2));
	desk_flush(&d, 0);
	desk_close(&d);
}

/* A promise that is on the disk when the acceptor starts. */
static void promise_restore(struct desk *d, uint32_t n, uint64_t counter)
{
	struct reg_name name = nth_address(n);
	struct ballot promised = { 0, d->a.epoch, counter, 0 }, none = { 0 };
	uint8_t key[1 + REG_NAME_MAX], value[100];
	struct wr w = wr_of(value, sizeof(value));

	key[0] = name.kind;
	memcpy(key + 1, name.b, name.len);
	wr_u8(&w, 2);
	wr_u64(&w, n + 1);
	wr_ballot(&w, &promised);
	wr_ballot(&w, &none);
	wr_u64(&w, 0);
	wr_block(&w, NULL, 0);
	CHECK(acceptor_restore(&d->a, key, (size_t)name.len + 1, value, wr_len(&w)));
}

/* Of an older version, or of deletions that failed. Nobody asks but for new names. */
static void test_acceptor_many_starts_with_more_promises_than_it_lets_in(void)
{
	struct desk d;

	desk_open(&d, 8, false);
	for (uint32_t n = 0; n < ACCEPTOR_WRITES_MAX + 10; n++)
		promise_restore(&d, n, 5);
	acceptor_started(&d.a, NOW);
	desk_flush(&d, 0);
	CHECK_EQ_INT(d.a.promises.count, 8);
	CHECK_EQ_INT(promised(&d, 0), 5);
	d.reply.msg.status = REG_BUSY;
	CHECK(!prepare(&d, 50000, 6));
	desk_flush(&d, 0);
	CHECK_EQ_INT(d.reply.msg.status, REG_OK);
	desk_close(&d);
}

/* An owner loses writes beyond some thousands under way. */
static void test_acceptor_many_an_epoch_turns_without_too_many_deletions_at_once(void)
{
	struct desk d;
	uint64_t last;

	desk_open(&d, 0, false);
	for (uint32_t n = 0; n < 10000; n++) {
		CHECK(!prepare(&d, n, 5));
		desk_flush(&d, 0);
	}
	last = d.last;
	acceptor_turn(&d.a, 0, 2, NOW);
	CHECK(d.last - last > 1000 && d.last - last < 5000);
	CHECK(!prepare(&d, 0, 1)); /* whether gone or not: of no harm */
	CHECK(!prepare(&d, 9999, 1));
	CHECK(!accept(&d, 9998, 1));
	for (uint32_t epoch = 3; epoch < 6; epoch++) {
		desk_flush(&d, 0);
		acceptor_turn(&d.a, 0, epoch, NOW);
	}
	CHECK_EQ_INT(d.a.cells.count, 1);
	desk_close(&d);
}

/* As many as an owner takes: the call comes again. */
static void test_acceptor_many_what_was_put_aside_is_taken_piece_by_piece(void)
{
	struct desk d, from;
	static uint8_t room[60000];
	uint64_t position = 0, last;
	struct rd r;

	desk_forget(&d, 4);
	free(d.log);
	d.log = NULL;
	desk_open(&from, 4, false);
	for (uint32_t n = 100; n < 3100; n++)
		CHECK(!accept(&from, n, 8));
	desk_flush(&from, 0);
	while (position < from.a.position) {
		r = rd_of(room, acceptor_give(&from.a, &position, room, sizeof(room), NOW));
		CHECK(acceptor_take(&d.a, &r, NOW));
	}
	CHECK(!has(&d, 100));
	d.a.sealed = true;
	last = d.last;
	CHECK(!acceptor_take_late(&d.a, NOW));
	CHECK(has(&d, 100) && !has(&d, 3099));
	CHECK(d.last - last < 2000);
	CHECK(!acceptor_take_late(&d.a, NOW));
	CHECK(acceptor_take_late(&d.a, NOW));
	CHECK(!d.a.late);
	for (uint32_t n = 100; n < 3100; n++)
		CHECK(has(&d, n));
	desk_flush(&d, 0);
	desk_close(&from);
	desk_close(&d);
}

static void test_acceptor_many_promises_stand_in_no_register_s_place(void)
{
	struct acceptor_entry e = { .accepted = { 0, 1, 1, 0 } };
	uint8_t value[200];
	struct desk d;

	desk_open(&d, 0, false);
	e.value = rd_of(value, held(value, 7));
	for (uint32_t n = 0; n < REGS_REGISTERS_MAX - 2000; n++) {
		e.name = nth_address(n);
		CHECK(acceptor_put(&d.a, &e, NOW));
		desk_flush(&d, 0);
	}
	for (uint32_t n = REGS_REGISTERS_MAX; n < REGS_REGISTERS_MAX + 5000; n++) {
		CHECK(!prepare(&d, n, n));
		desk_flush(&d, 0);
		CHECK_EQ_INT(d.reply.msg.status, REG_OK);
	}
	CHECK(d.a.promises.count > 1000);
	desk_close(&d);
}

static void test_acceptor_many_a_table_full_of_values_still_takes_a_successor(void)
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
	TEST(test_acceptor_many_lets_no_promises_fill_the_table),
	TEST(test_acceptor_many_while_the_disk_fails_the_table_does_not_fill_either),
	TEST(test_acceptor_many_starts_with_more_promises_than_it_lets_in),
	TEST(test_acceptor_many_an_epoch_turns_without_too_many_deletions_at_once),
	TEST(test_acceptor_many_what_was_put_aside_is_taken_piece_by_piece),
	TEST(test_acceptor_many_promises_stand_in_no_register_s_place),
	TEST(test_acceptor_many_a_table_full_of_values_still_takes_a_successor),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
