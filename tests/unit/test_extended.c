/* test_extended.c - TLVs before a packet: unknown ones are skipped, unless they are critical. */
#include "p2p/extended.h"

#include "base/list.h"
#include "tests/check.h"

static enum drop skip(const uint8_t *b, size_t n, size_t *left)
{
	struct rd r = rd_of(b, n);
	enum drop why = extended_skip(&r);

	*left = rd_left(&r);
	return why;
}

static void test_extended_unknown_types_are_skipped(void)
{
	static const uint8_t b[] = { 2, 0, 9, 0, 3, 1, 2, 3, 0, 10, 0, 0, 0x45, 0x00 };
	size_t left;

	CHECK_EQ_INT(skip(b, sizeof(b), &left), DROP_NONE);
	CHECK_EQ_INT(left, 2);
}

static void test_extended_unknown_critical_type_refuses_the_packet(void)
{
	static const uint8_t b[] = { 1, 0x80, 9, 0, 0, 0x45 };
	size_t left;

	CHECK_EQ_INT(skip(b, sizeof(b), &left), DROP_UNKNOWN);
}

static void test_extended_truncated_or_without_packet_is_malformed(void)
{
	static const uint8_t b[] = { 1, 0, 9, 0, 2, 7, 7, 0x45 };
	size_t left;

	for (size_t n = 0; n < sizeof(b); n++)
		CHECK_EQ_INT(skip(b, n, &left), DROP_MALFORMED);
	CHECK_EQ_INT(skip(b, sizeof(b), &left), DROP_NONE);
}

static const struct test tests[] = {
	TEST(test_extended_unknown_types_are_skipped),
	TEST(test_extended_unknown_critical_type_refuses_the_packet),
	TEST(test_extended_truncated_or_without_packet_is_malformed),
};

int main(void)
{
	return run_tests(tests, ARRAY_LEN(tests));
}
