#include "p2p/offer.h"

#include "tests/check.h"

static struct offer_init sample(void)
{
	struct offer_init o = {
		.start_counter = 0x01020304,
		.boottime = 0x1122334455667788,
		.node = { { 9, 8, 7 } },
		.offer = { .features = 0xf0000001, .instance = 0xabcdef, .lanes = 16 },
	};

	return o;
}

static size_t write_init(uint8_t *buf, const struct offer_init *o)
{
	struct wr w = wr_of(buf, OFFER_MAX);

	offer_write_init(&w, o);
	CHECK(wr_ok(&w));
	return wr_len(&w);
}

static void test_offer_init_comes_back(void)
{
	struct offer_init o = sample(), got;
	uint8_t buf[OFFER_MAX];
	size_t len = write_init(buf, &o);

	CHECK_EQ_INT(len, OFFER_INIT_MIN);
	CHECK(offer_read_init(rd_of(buf, len), &got));
	CHECK_EQ_INT(got.start_counter, o.start_counter);
	CHECK(got.boottime == o.boottime);
	CHECK(key_equal(&got.node, &o.node));
	CHECK_EQ_INT(got.offer.features, o.offer.features);
	CHECK_EQ_INT(got.offer.instance, o.offer.instance);
	CHECK_EQ_INT(got.offer.lanes, 16);
	CHECK_EQ_INT(got.offer.observed.ip.len, 0);
}

static void test_offer_response_comes_back_with_its_address(void)
{
	struct handshake_offer o = { .features = 5, .instance = 6, .lanes = 1,
				     .start_counter = 77 }, got;
	uint8_t buf[OFFER_MAX];
	struct wr w = wr_of(buf, sizeof(buf));

	addr_parse(&o.observed, "[2001:db8::7]:9");
	offer_write_response(&w, &o);
	CHECK_EQ_INT(wr_len(&w), OFFER_RESPONSE_MIN + 4 + 19 + 4 + 4);
	CHECK(offer_read_response(rd_of(buf, wr_len(&w)), &got));
	CHECK(addr_equal(&got.observed, &o.observed));
	CHECK_EQ_INT(got.features, 5);
	CHECK_EQ_INT(got.instance, 6);
	CHECK_EQ_INT(got.start_counter, 77);
	for (size_t n = 0; n < wr_len(&w); n++)
		CHECK(!offer_read_response(rd_of(buf, n), &got));
}

static void test_offer_fixed_fields_are_judged(void)
{
	static const struct {
		size_t at;
		uint8_t value;
		bool ok;
	} cases[] = {
		{ 44, 0, true },   /* lowest version 0: 1 is in the range */
		{ 44, 2, false },  /* 2..1 */
		{ 45, 9, true },   /* up to 9 */
		{ 45, 0, false },  /* 1..0 */
		{ 46, 1, true },   /* lanes */
		{ 46, 0, false },
		{ 46, 17, false },
		{ 47, 1, false },  /* must be zero */
	};
	struct offer_init o = sample(), got;
	uint8_t buf[OFFER_MAX];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = write_init(buf, &o);

		buf[cases[i].at] = cases[i].value;
		CHECK(offer_read_init(rd_of(buf, len), &got) == cases[i].ok);
	}
}

static void test_offer_response_fixed_fields_are_judged(void)
{
	static const struct {
		size_t at;
		uint8_t value;
	} cases[] = { { 0, 0 }, { 0, 2 }, { 1, 0 }, { 1, 17 }, { 14, 1 }, { 15, 1 } };
	struct handshake_offer o = { .lanes = 3 }, got;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t buf[OFFER_MAX];
		struct wr w = wr_of(buf, sizeof(buf));

		offer_write_response(&w, &o);
		CHECK(offer_read_response(rd_of(buf, wr_len(&w)), &got));
		buf[cases[i].at] = cases[i].value;
		CHECK(!offer_read_response(rd_of(buf, wr_len(&w)), &got));
	}
}

struct extensions {
	const char *what;
	size_t len; /* of bytes */
	bool ok;
	uint8_t bytes[32];
};

static bool reads_with(const uint8_t *ext, size_t len, struct offer_init *got)
{
	uint8_t buf[OFFER_MAX + 16];
	struct offer_init o = sample();
	struct wr w = wr_of(buf, sizeof(buf));

	offer_write_init(&w, &o);
	w.p -= 2; /* its empty block */
	wr_block(&w, ext, len);
	CHECK(wr_ok(&w));
	return offer_read_init(rd_of(buf, wr_len(&w)), got);
}

static void test_offer_extensions_unknown_are_skipped_malformed_are_refused(void)
{
	static const struct extensions table[] = {
		{ "none", 0, true, { 0 } },
		{ "unknown", 6, true, { 0x12, 0x34, 0, 2, 9, 9 } },
		{ "unknown, empty", 4, true, { 0x12, 0x34, 0, 0 } },
		{ "address", 11, true, { 0, 1, 0, 7, 4, 192, 0, 2, 1, 0, 9 } },
		{ "unknown, then address", 15, true,
		  { 0, 3, 0, 0, 0, 1, 0, 7, 4, 192, 0, 2, 1, 0, 9 } },
		{ "start", 8, true, { 0, 2, 0, 4, 0, 0, 0, 7 } },
		{ "start cut", 7, false, { 0, 2, 0, 3, 0, 0, 7 } },
		{ "start with a byte left", 9, false, { 0, 2, 0, 5, 0, 0, 0, 7, 0 } },
		{ "two starts", 16, false,
		  { 0, 2, 0, 4, 0, 0, 0, 7, 0, 2, 0, 4, 0, 0, 0, 7 } },
		{ "half a type", 1, false, { 0 } },
		{ "no length", 2, false, { 0x12, 0x34 } },
		{ "longer than the block", 5, false, { 0x12, 0x34, 0, 2, 9 } },
		{ "length over the bound", 4, false, { 0x12, 0x34, 0xff, 0xff } },
		{ "address of length 5", 12, false, { 0, 1, 0, 8, 5, 192, 0, 2, 1, 1, 0, 9 } },
		{ "address cut", 10, false, { 0, 1, 0, 6, 4, 192, 0, 2, 1, 0 } },
		{ "address with a byte left", 12, false, { 0, 1, 0, 8, 4, 192, 0, 2, 1, 0, 9, 0 } },
		{ "empty address", 4, false, { 0, 1, 0, 0 } },
		{ "two addresses", 22, false,
		  { 0, 1, 0, 7, 4, 192, 0, 2, 1, 0, 9, 0, 1, 0, 7, 4, 192, 0, 2, 1, 0, 9 } },
	};
	struct offer_init got;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		bool ok = reads_with(table[i].bytes, table[i].len, &got);

		CHECK(ok == table[i].ok);
		if (ok != table[i].ok)
			printf("# %s\n", table[i].what);
	}
	CHECK(reads_with(table[4].bytes, table[4].len, &got));
	CHECK_EQ_INT(got.offer.observed.port, 9);
}

static void test_offer_extensions_fill_the_bound_and_no_more(void)
{
	uint8_t ext[HANDSHAKE_EXT_MAX + 4] = { 0 };
	struct offer_init got;

	for (size_t i = 0; i < sizeof(ext); i += 4)
		ext[i] = 0x7f; /* empty unknown ones, as many as there can be */
	CHECK(reads_with(ext, HANDSHAKE_EXT_MAX, &got));
	CHECK(!reads_with(ext, HANDSHAKE_EXT_MAX + 4, &got));
}

static void test_offer_cut_or_longer_payload_is_refused(void)
{
	struct offer_init o = sample(), got;
	uint8_t buf[OFFER_MAX] = { 0 };
	size_t len = write_init(buf, &o);

	for (size_t n = 0; n < len + 20; n++)
		CHECK(offer_read_init(rd_of(buf, n), &got) == (n == len));
}

static const struct test tests[] = {
	TEST(test_offer_init_comes_back),
	TEST(test_offer_response_comes_back_with_its_address),
	TEST(test_offer_fixed_fields_are_judged),
	TEST(test_offer_response_fixed_fields_are_judged),
	TEST(test_offer_extensions_unknown_are_skipped_malformed_are_refused),
	TEST(test_offer_extensions_fill_the_bound_and_no_more),
	TEST(test_offer_cut_or_longer_payload_is_refused),
};

int main(void)
{
	return run_tests(tests, ARRAY_LEN(tests));
}
