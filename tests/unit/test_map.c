#include "base/map.h"

#include <errno.h>

#include "tests/check.h"

#define ITEMS 1000

struct item {
	char pad[3];
	uint8_t key[4];
	unsigned seen;
	bool in;
};

static const uint8_t seed[16] = { 1, 2, 3 };

static void items_make(struct item *items, size_t n)
{
	memset(items, 0, n * sizeof(*items));
	for (size_t i = 0; i < n; i++) {
		items[i].key[0] = (uint8_t)i;
		items[i].key[1] = (uint8_t)(i >> 8);
	}
}

static void map_make(struct map *m, size_t max)
{
	map_init(m, offsetof(struct item, key), sizeof(((struct item *)0)->key), max, seed);
}

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void test_map_gives_back_what_was_put_under_its_key(void)
{
	static struct item items[ITEMS];
	struct map m;

	items_make(items, ITEMS);
	map_make(&m, ITEMS);
	for (size_t i = 0; i < ITEMS; i++)
		CHECK_EQ_INT(map_put(&m, &items[i]), 0);
	CHECK_EQ_INT(m.count, ITEMS);
	for (size_t i = 0; i < ITEMS; i++)
		CHECK(map_get(&m, items[i].key) == &items[i]);
	CHECK(map_get(&m, "none") == NULL);
	map_fini(&m);
}

static void test_map_refuses_a_second_item_with_the_same_key(void)
{
	struct item a = { .key = "abc" }, b = { .key = "abc" };
	struct map m;

	map_make(&m, 1);
	CHECK_EQ_INT(map_put(&m, &a), 0);
	CHECK_EQ_INT(map_put(&m, &b), -EEXIST); /* also when it is full */
	CHECK(map_get(&m, "abc") == &a);
	CHECK_EQ_INT(m.count, 1);
	map_fini(&m);
}

static void test_map_refuses_more_than_its_maximum_until_one_is_taken(void)
{
	static struct item items[11];
	struct map m;

	items_make(items, 11);
	map_make(&m, 10);
	for (size_t i = 0; i < 10; i++)
		CHECK_EQ_INT(map_put(&m, &items[i]), 0);
	CHECK_EQ_INT(map_put(&m, &items[10]), -ENOSPC);
	CHECK(map_get(&m, items[10].key) == NULL);
	CHECK(map_take(&m, items[3].key) == &items[3]);
	CHECK_EQ_INT(map_put(&m, &items[10]), 0);
	CHECK_EQ_INT(m.count, 10);
	map_fini(&m);
}

static void test_map_taking_what_is_not_there_gives_null(void)
{
	struct item a = { .key = "abc" };
	struct map m;

	map_make(&m, 4);
	CHECK(map_take(&m, "abc") == NULL);
	CHECK_EQ_INT(map_put(&m, &a), 0);
	CHECK(map_take(&m, "abc") == &a);
	CHECK(map_take(&m, "abc") == NULL);
	CHECK_EQ_INT(m.count, 0);
	map_fini(&m);
}

static void test_map_agrees_with_a_plain_array_through_random_puts_and_takes(void)
{
	static struct item items[200];
	uint32_t state = 7;
	size_t count = 0;
	struct map m;

	items_make(items, ARRAY_LEN(items));
	map_make(&m, ARRAY_LEN(items));
	for (int step = 0; step < 20000; step++) {
		struct item *it = &items[next(&state) % ARRAY_LEN(items)];

		if (it->in) {
			CHECK(map_take(&m, it->key) == it);
			count--;
		} else {
			CHECK_EQ_INT(map_put(&m, it), 0);
			count++;
		}
		it->in = !it->in;
		CHECK_EQ_INT(m.count, count);
		it = &items[next(&state) % ARRAY_LEN(items)];
		CHECK(map_get(&m, it->key) == (it->in ? it : NULL));
	}
	map_fini(&m);
}

/* Many small maps with different seeds: among them are runs that wrap around the end. */
static void walk_and_take(uint8_t map_seed, unsigned take_every)
{
	static struct item items[48];
	uint8_t s[16] = { map_seed };
	size_t n = 6 + map_seed % 43, at = 0, seen = 0, left = n;
	struct item *it;
	struct map m;

	items_make(items, ARRAY_LEN(items));
	map_init(&m, offsetof(struct item, key), 4, ARRAY_LEN(items), s);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ_INT(map_put(&m, &items[i]), 0);
	while ((it = map_next(&m, &at))) {
		CHECK_EQ_INT(it->seen++, 0);
		if (++seen % take_every == 0) {
			map_take_at(&m, &at);
			CHECK(map_get(&m, it->key) == NULL);
			left--;
		}
	}
	CHECK_EQ_INT(seen, n);
	CHECK_EQ_INT(m.count, left);
	CHECK(map_next(&m, &at) == NULL);
	map_fini(&m);
}

static void test_map_walk_meets_every_item_once_while_some_are_taken_out(void)
{
	for (unsigned s = 0; s < 256; s++)
		for (unsigned every = 1; every <= 3; every++)
			walk_and_take((uint8_t)s, every);
}

static void test_map_walk_without_taking_meets_every_item_once(void)
{
	for (unsigned s = 0; s < 256; s++)
		walk_and_take((uint8_t)s, 1000);
}

static void test_map_walk_of_an_empty_map_ends_at_once(void)
{
	size_t at = 0;
	struct map m;

	map_make(&m, 4);
	CHECK(map_next(&m, &at) == NULL);
	map_fini(&m);
}

/* The names of the items in order of the walk. */
static void order_of(uint8_t *out, struct item *items, size_t n, const uint8_t s[16])
{
	struct item *it;
	size_t at = 0;
	struct map m;

	map_init(&m, offsetof(struct item, key), 4, n, s);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ_INT(map_put(&m, &items[i]), 0);
	while ((it = map_next(&m, &at)))
		*out++ = it->key[0];
	map_fini(&m);
}

static void test_map_order_depends_on_the_seed_and_not_on_pointers(void)
{
	static struct item here[64], there[96];
	static const uint8_t other_seed[16] = { 9 };
	uint8_t a[64], b[64], c[64];

	items_make(here, 64);
	items_make(there, 96);
	memmove(there + 32, there, 64 * sizeof(there[0]));
	order_of(a, here, 64, seed);
	order_of(b, there + 32, 64, seed);
	order_of(c, here, 64, other_seed);
	CHECK_MEM(a, b, 64);
	CHECK(memcmp(a, c, 64) != 0);
}

static void test_map_that_was_large_shrinks_with_the_next_puts_and_loses_nothing(void)
{
	static struct item items[ITEMS];
	size_t large, kept = 20;
	struct map m;

	items_make(items, ITEMS);
	map_make(&m, ITEMS);
	for (size_t i = 0; i < ITEMS; i++)
		CHECK_EQ_INT(map_put(&m, &items[i]), 0);
	large = m.size;
	for (size_t i = kept; i < ITEMS; i++)
		CHECK(map_take(&m, items[i].key) == &items[i]);
	CHECK_EQ_INT(m.size, large); /* taking out is legal in a walk: the slots stay */
	for (unsigned i = 0; i < 10; i++) {
		CHECK_EQ_INT(map_put(&m, &items[kept]), 0);
		for (size_t k = 0; k <= kept; k++)
			CHECK(map_get(&m, items[k].key) == &items[k]);
		CHECK(map_take(&m, items[kept].key) == &items[kept]);
	}
	CHECK(m.size <= 8 * (kept + 1));
	CHECK_EQ_INT(m.count, kept);
	map_fini(&m);
}

static void test_map_has_no_slots_before_the_first_item_and_after_the_last(void)
{
	struct item a = { .key = "abc" };
	size_t at = 0;
	struct map m;

	map_make(&m, 4);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(m.slots == NULL && m.size == 0);
		CHECK(map_get(&m, "abc") == NULL);
		CHECK_EQ_INT(map_put(&m, &a), 0);
		CHECK(m.slots != NULL && map_get(&m, "abc") == &a);
		CHECK(map_take(&m, "abc") == &a);
	}
	CHECK_EQ_INT(map_put(&m, &a), 0);
	CHECK(map_next(&m, &at) == &a);
	map_take_at(&m, &at);
	CHECK(m.slots == NULL && map_next(&m, &at) == NULL);
	map_fini(&m);
}

static const struct test tests[] = {
	TEST(test_map_gives_back_what_was_put_under_its_key),
	TEST(test_map_refuses_a_second_item_with_the_same_key),
	TEST(test_map_refuses_more_than_its_maximum_until_one_is_taken),
	TEST(test_map_taking_what_is_not_there_gives_null),
	TEST(test_map_agrees_with_a_plain_array_through_random_puts_and_takes),
	TEST(test_map_walk_meets_every_item_once_while_some_are_taken_out),
	TEST(test_map_walk_without_taking_meets_every_item_once),
	TEST(test_map_walk_of_an_empty_map_ends_at_once),
	TEST(test_map_order_depends_on_the_seed_and_not_on_pointers),
	TEST(test_map_that_was_large_shrinks_with_the_next_puts_and_loses_nothing),
	TEST(test_map_has_no_slots_before_the_first_item_and_after_the_last),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
