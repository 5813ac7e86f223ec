#include "base/wire.h"

#include "tests/check.h"

static void test_wire_numbers_are_big_endian_both_ways(void)
{
	static const uint8_t want[] = { 1,  2,  3,  4,  5,  6,  7,  8,  9,
					10, 11, 12, 13, 14, 15, 16, 17, 18 };
	uint8_t buf[sizeof(want)];
	struct wr w = wr_of(buf, sizeof(buf));
	struct rd r = rd_of(want, sizeof(want));

	wr_u8(&w, 1);
	wr_u16(&w, 0x0203);
	wr_u24(&w, 0x040506);
	wr_u32(&w, 0x0708090a);
	wr_u64(&w, 0x0b0c0d0e0f101112);
	CHECK(wr_ok(&w));
	CHECK_EQ_INT(wr_len(&w), sizeof(want));
	CHECK_MEM(buf, want, sizeof(want));

	CHECK_EQ_INT(rd_u8(&r), 1);
	CHECK_EQ_INT(rd_u16(&r), 0x0203);
	CHECK_EQ_INT(rd_u24(&r), 0x040506);
	CHECK_EQ_INT(rd_u32(&r), 0x0708090a);
	CHECK(!rd_done(&r));
	CHECK_EQ_INT(rd_u64(&r), 0x0b0c0d0e0f101112);
	CHECK(rd_done(&r));
}

static void test_wire_read_past_the_end_fails_for_good_and_yields_zero(void)
{
	static const uint8_t bytes[3] = { 0xff, 0xff, 0xff };
	uint8_t copy[2] = { 7, 7 };
	struct rd r = rd_of(bytes, sizeof(bytes));

	CHECK_EQ_INT(rd_u32(&r), 0);
	CHECK(!rd_ok(&r));
	CHECK_EQ_INT(rd_u8(&r), 0); /* though a byte would have been there */
	CHECK(rd_bytes(&r, 1) == NULL);
	CHECK_EQ_INT(rd_left(&r), 0);
	rd_copy(&r, copy, sizeof(copy));
	CHECK(copy[0] == 0 && copy[1] == 0);
	CHECK(!rd_done(&r));
}

static void test_wire_read_of_nothing_is_done(void)
{
	struct rd r = rd_of(NULL, 0);

	CHECK(rd_done(&r));
	rd_bytes(&r, 0);
	CHECK(rd_done(&r));
	CHECK_EQ_INT(rd_u8(&r), 0);
	CHECK(!rd_ok(&r));
}

static void test_wire_write_into_nothing_fails(void)
{
	struct wr w = wr_of(NULL, 0);

	wr_copy(&w, NULL, 0);
	wr_zero(&w, 0);
	wr_room(&w, 0);
	CHECK(wr_ok(&w));
	wr_u8(&w, 1);
	CHECK(!wr_ok(&w));
}

static void test_wire_bytes_are_taken_in_place(void)
{
	static const uint8_t bytes[4] = { 1, 2, 3, 4 };
	struct rd r = rd_of(bytes, sizeof(bytes));

	CHECK(rd_bytes(&r, 3) == bytes);
	CHECK_EQ_INT(rd_left(&r), 1);
	CHECK(rd_bytes(&r, SIZE_MAX) == NULL);
	CHECK(!rd_ok(&r));
}

static void test_wire_write_past_the_end_fails_and_writes_nothing(void)
{
	uint8_t buf[4] = { 9, 9, 9, 9 };
	struct wr w = wr_of(buf, 3);

	wr_u16(&w, 0x0102);
	wr_u16(&w, 0x0304);
	wr_u8(&w, 5); /* would fit, but the writer has failed */
	CHECK(!wr_ok(&w));
	CHECK_EQ_INT(wr_len(&w), 2);
	CHECK(buf[2] == 9 && buf[3] == 9);
	CHECK(wr_room(&w, 0) == NULL);
}

static void test_wire_block_comes_back_as_a_cursor_over_its_inside(void)
{
	uint8_t buf[16];
	struct wr w = wr_of(buf, sizeof(buf));
	struct rd r, in;

	wr_block(&w, "abc", 3);
	wr_block(&w, NULL, 0);
	wr_u8(&w, 0x55);
	r = rd_of(buf, wr_len(&w));
	in = rd_block(&r, 3);
	CHECK_EQ_INT(rd_left(&in), 3);
	CHECK_MEM(rd_bytes(&in, 3), "abc", 3);
	CHECK_EQ_INT(rd_u8(&in), 0); /* does not reach what follows the block */
	CHECK(!rd_ok(&in));
	in = rd_block(&r, 3);
	CHECK(rd_done(&in));
	CHECK_EQ_INT(rd_u8(&r), 0x55);
	CHECK(rd_done(&r));
}

static void test_wire_block_longer_than_its_maximum_is_refused(void)
{
	static const uint8_t bytes[] = { 0, 3, 1, 2, 3 };
	struct rd r = rd_of(bytes, sizeof(bytes));
	struct rd in = rd_block(&r, 2);

	CHECK(!rd_ok(&r));
	CHECK(!rd_ok(&in));
	CHECK_EQ_INT(rd_left(&in), 0);
}

static void test_wire_block_longer_than_the_rest_is_refused(void)
{
	static const uint8_t bytes[] = { 0, 4, 1, 2, 3 };
	struct rd r = rd_of(bytes, sizeof(bytes));
	struct rd in = rd_block(&r, 100);

	CHECK(!rd_ok(&r) && !rd_ok(&in));
}

static void test_wire_block_over_65535_bytes_is_not_written(void)
{
	static uint8_t in[65536], out[65600];
	struct wr w = wr_of(out, sizeof(out));

	wr_block(&w, in, 65536);
	CHECK(!wr_ok(&w));
	w = wr_of(out, sizeof(out));
	wr_block(&w, in, 65535);
	CHECK(wr_ok(&w));
	CHECK_EQ_INT(wr_len(&w), 65537);
}

static void test_wire_open_block_gets_its_length_when_closed(void)
{
	static const uint8_t want[] = { 0, 3, 0xaa, 0, 0 };
	uint8_t buf[8], *at;
	struct wr w = wr_of(buf, sizeof(buf));

	at = wr_open(&w);
	wr_u8(&w, 0xaa);
	wr_zero(&w, 2);
	wr_close(&w, at);
	CHECK(wr_ok(&w));
	CHECK_EQ_INT(wr_len(&w), sizeof(want));
	CHECK_MEM(buf, want, sizeof(want));
}

static void test_wire_open_block_over_65535_bytes_is_refused(void)
{
	static uint8_t out[65600];
	struct wr w = wr_of(out, sizeof(out));
	uint8_t *at = wr_open(&w);

	wr_zero(&w, 65536);
	wr_close(&w, at);
	CHECK(!wr_ok(&w));
}

static void test_wire_open_block_without_room_fails(void)
{
	uint8_t buf[1];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_close(&w, wr_open(&w));
	CHECK(!wr_ok(&w));
}

static const struct test tests[] = {
	TEST(test_wire_numbers_are_big_endian_both_ways),
	TEST(test_wire_read_past_the_end_fails_for_good_and_yields_zero),
	TEST(test_wire_read_of_nothing_is_done),
	TEST(test_wire_write_into_nothing_fails),
	TEST(test_wire_bytes_are_taken_in_place),
	TEST(test_wire_write_past_the_end_fails_and_writes_nothing),
	TEST(test_wire_block_comes_back_as_a_cursor_over_its_inside),
	TEST(test_wire_block_longer_than_its_maximum_is_refused),
	TEST(test_wire_block_longer_than_the_rest_is_refused),
	TEST(test_wire_block_over_65535_bytes_is_not_written),
	TEST(test_wire_open_block_gets_its_length_when_closed),
	TEST(test_wire_open_block_over_65535_bytes_is_refused),
	TEST(test_wire_open_block_without_room_fails),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
