#include "p2p/index.h"

#include "tests/check.h"

#define COUNT 1000

static int items[COUNT];

/* Numbers that share their low bits: they lie in one run. */
static uint32_t crowded(size_t i) { return (uint32_t)(i / 4 + 1) << 12 | (uint32_t)(i % 4); }
static uint32_t counted(size_t i) { return (uint32_t)i + 1; }

static bool holds_exactly(const struct index *x, uint32_t (*number)(size_t), size_t from, size_t to)
{
	for (size_t i = 0; i < COUNT; i++)
		if (index_get(x, number(i)) != (i >= from && i < to ? &items[i] : NULL))
			return false;
	return x->count == to - from;
}

static void test_index_without_items_has_no_slots_and_finds_nothing(void)
{
	struct index x;

	index_init(&x);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(x.slots == NULL && x.size == 0);
		CHECK(index_get(&x, 0) == NULL && index_get(&x, 7) == NULL);
		index_put(&x, 7, &items[0]);
		CHECK(index_get(&x, 7) == &items[0] && index_get(&x, 8) == NULL);
		CHECK(index_get(&x, 0) == NULL);
		index_take(&x, 7);
	}
	index_fini(&x);
}

static void grow_and_shrink(uint32_t (*number)(size_t))
{
	struct index x;

	index_init(&x);
	for (size_t i = 0; i < COUNT; i++) {
		index_put(&x, number(i), &items[i]);
		CHECK(x.count * 8 <= x.size * 7 && (x.size & (x.size - 1)) == 0);
		if (i % 37 == 0)
			CHECK(holds_exactly(&x, number, 0, i + 1));
	}
	for (size_t i = 0; i < COUNT; i++) {
		index_take(&x, number(i));
		CHECK(x.size <= 8 || x.size <= x.count * 8);
		if (i % 37 == 0)
			CHECK(holds_exactly(&x, number, i + 1, COUNT));
	}
	CHECK(x.slots == NULL && x.size == 0);
	index_fini(&x);
}

static void test_index_grows_and_shrinks_with_its_items_and_loses_none(void)
{
	grow_and_shrink(counted);
}

static void test_index_of_crowded_numbers_closes_the_gaps_in_its_runs(void)
{
	grow_and_shrink(crowded);
}

static void test_index_at_its_edge_of_growth_does_not_swing(void)
{
	struct index x;
	size_t size;

	index_init(&x);
	for (size_t i = 0; i < 15; i++)
		index_put(&x, counted(i), &items[i]);
	size = x.size;
	for (unsigned i = 0; i < 10; i++) {
		index_take(&x, counted(14));
		CHECK_EQ_INT(x.size, size);
		index_put(&x, counted(14), &items[14]);
		CHECK_EQ_INT(x.size, size);
	}
	index_fini(&x);
}

static void test_index_replaced_item_is_found_under_the_same_number(void)
{
	struct index x;

	index_init(&x);
	for (size_t i = 0; i < 20; i++)
		index_put(&x, crowded(i), &items[i]);
	index_replace(&x, crowded(9), &items[500]);
	for (size_t i = 0; i < 20; i++)
		CHECK(index_get(&x, crowded(i)) == &items[i == 9 ? 500 : i]);
	CHECK_EQ_INT(x.count, 20);
	index_fini(&x);
}

static const struct test tests[] = {
	TEST(test_index_without_items_has_no_slots_and_finds_nothing),
	TEST(test_index_grows_and_shrinks_with_its_items_and_loses_none),
	TEST(test_index_of_crowded_numbers_closes_the_gaps_in_its_runs),
	TEST(test_index_at_its_edge_of_growth_does_not_swing),
	TEST(test_index_replaced_item_is_found_under_the_same_number),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
