/* test_reports.c - what sources show, kept once for all that show the same. */
#include "dht/reports.h"

#include "dht/regs.h"
#include "tests/unit/keeper_ops.h"

#define NOW SEC(10000)

struct said {
	uint32_t address;
	uint64_t counter, number, age;
	bool unknown;
};

static bool say(struct reports *r, uint8_t slot, struct said s)
{
	uint8_t value[REG_VALUE_MAX], entry[REG_VALUE_MAX];
	struct wr v = wr_of(value, sizeof(value)), w = wr_of(entry, sizeof(entry));
	struct reg_value held = { .state = REG_HELD, .generation = 1, .number = s.number,
				  .owner = *kit_pub(1), .lease = 7200 };
	struct ballot b = { 0, 1, s.counter, s.unknown ? BALLOT_UNKNOWN : 0 };
	struct reg_name name = nth_address(s.address);
	struct rd in;

	wr_reg_value(&v, &held);
	wr_reg_name(&w, &name);
	wr_ballot(&w, &b);
	wr_u64(&w, s.age);
	wr_u64(&w, 1);
	wr_block(&w, value, s.unknown ? 0 : wr_len(&v));
	CHECK(wr_ok(&w));
	in = rd_of(entry, wr_len(&w));
	return reports_take(r, slot, &in, NOW);
}

static struct reports *reports_begin(void)
{
	static const uint8_t seed[16] = { 1 };

	return reports_new(seed);
}

static struct reports_of *of(struct reports *r, uint32_t address)
{
	struct reg_name name = nth_address(address);

	return map_get(&r->regs, &name);
}

static void test_reports_keep_one_value_for_all_that_show_it(void)
{
	struct reports *r = reports_begin();
	struct report *p;

	CHECK(say(r, 0, (struct said){ .address = 9, .counter = 5, .age = 100 }));
	CHECK(say(r, 3, (struct said){ .address = 9, .counter = 5, .age = 40 }));
	CHECK(say(r, 13, (struct said){ .address = 9, .counter = 5, .age = 700 }));
	p = of(r, 9)->first;
	CHECK(p && !p->next && p->sources == (1u << 0 | 1u << 3 | 1u << 13));
	CHECK_EQ_INT(p->since, NOW - SEC(40)); /* the youngest word */
	reports_free(r);
}

static void test_reports_have_the_highest_ballot_first_and_a_source_once(void)
{
	struct reports *r = reports_begin();
	struct report *p;

	CHECK(say(r, 0, (struct said){ .address = 9, .counter = 5 }));
	CHECK(say(r, 1, (struct said){ .address = 9, .counter = 7, .number = 2 }));
	CHECK(say(r, 2, (struct said){ .address = 9, .counter = 6, .number = 2 }));
	p = of(r, 9)->first;
	CHECK(p->sources == 2 && p->next->sources == 4 && p->next->next->sources == 1);
	CHECK(report_same_value(p, p->next) && !report_same_value(p, p->next->next));
	CHECK(say(r, 0, (struct said){ .address = 9, .counter = 7, .number = 2 }));
	p = of(r, 9)->first;
	CHECK(p->sources == 3 && p->next->sources == 4 && !p->next->next);
	CHECK(r->kept[0] > 0 && r->kept[0] == r->kept[1]);
	reports_free(r);
}

static void test_reports_of_a_source_that_is_gone_go(void)
{
	struct reports *r = reports_begin();

	CHECK(say(r, 0, (struct said){ .address = 9, .counter = 5 }));
	CHECK(say(r, 1, (struct said){ .address = 9, .counter = 5 }));
	CHECK(say(r, 1, (struct said){ .address = 10, .counter = 5 }));
	reports_keep(r, 1);
	CHECK(of(r, 9)->first->sources == 1 && !of(r, 10));
	CHECK_EQ_INT(r->kept[1], 0);
	reports_settled(of(r, 9));
	CHECK(say(r, 2, (struct said){ .address = 9, .counter = 8 }));
	CHECK(of(r, 9)->settled && !of(r, 9)->first); /* too late */
	reports_free(r);
}

static void test_reports_tell_unknown_from_a_value(void)
{
	struct reports *r = reports_begin();

	CHECK(say(r, 0, (struct said){ .address = 9, .unknown = true }));
	CHECK_EQ_INT(of(r, 9)->first->len, 0);
	CHECK(!say(r, 0, (struct said){ .address = 9, .counter = 1, .unknown = true }));
	CHECK(!say(r, 0, (struct said){ .address = 9 })); /* a value without a ballot */
	reports_free(r);
}

static void test_reports_of_one_source_are_bounded(void)
{
	struct reports *r = reports_begin();

	CHECK(say(r, 4, (struct said){ .address = 9, .counter = 5 }));
	r->kept[4] = REPORTS_SOURCE_MAX;
	CHECK(!say(r, 4, (struct said){ .address = 10, .counter = 5 }) && !of(r, 10));
	CHECK(say(r, 4, (struct said){ .address = 9, .counter = 6 })); /* in its place */
	CHECK(say(r, 5, (struct said){ .address = 10, .counter = 5 }));
	reports_free(r);
}

static const struct test tests[] = {
	TEST(test_reports_keep_one_value_for_all_that_show_it),
	TEST(test_reports_have_the_highest_ballot_first_and_a_source_once),
	TEST(test_reports_of_a_source_that_is_gone_go),
	TEST(test_reports_tell_unknown_from_a_value),
	TEST(test_reports_of_one_source_are_bounded),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
