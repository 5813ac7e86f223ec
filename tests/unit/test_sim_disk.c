#include "cmd/sim_disk.h"

#include <string.h>

#include "tests/check.h"

#define LONG "what all members of a namespace know, and each has on its disk"
#define OTHER "what all members of a namespace know a little later than this."

static void write_text(struct sim_store *d, const char *key, const char *value)
{
	static uint64_t op;

	sim_store_begin(d, ++op, (const uint8_t *)key, strlen(key), (const uint8_t *)value,
			strlen(value));
	sim_store_end(d, op);
}

struct seen {
	char text[512];
};

static void note(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	struct seen *s = ctx;
	size_t at = strlen(s->text);

	snprintf(s->text + at, sizeof(s->text) - at, "%.*s=%.*s;", (int)key_len, (const char *)key,
		 (int)len, (const char *)value);
}

static bool holds(struct sim_store *d, const char *want)
{
	struct seen s = { "" };

	sim_store_each(d, "ab", note, &s);
	if (strcmp(s.text, want) != 0)
		printf("# %s\n# instead of %s\n", s.text, want);
	return strcmp(s.text, want) == 0;
}

static void test_disk_values_alike_on_many_disks_come_back_from_each(void)
{
	struct sim_values *v = sim_values_new();
	struct sim_store *d[5];

	for (size_t i = 0; i < 5; i++) {
		d[i] = sim_store_new(v);
		write_text(d[i], "b", "short");
		write_text(d[i], "a1", LONG);
	}
	write_text(d[1], "a1", OTHER); /* replaced on one, deleted on another, one disk is gone */
	write_text(d[2], "a1", "");
	sim_store_free(d[3]);
	CHECK(holds(d[0], "a1=" LONG ";b=short;"));
	CHECK(holds(d[1], "a1=" OTHER ";b=short;"));
	CHECK(holds(d[2], "b=short;"));
	CHECK(holds(d[4], "a1=" LONG ";b=short;"));
	write_text(d[2], "a1", LONG);
	CHECK(holds(d[2], "a1=" LONG ";b=short;"));
	for (size_t i = 0; i < 5; i++)
		if (i != 3)
			sim_store_free(d[i]);
	sim_values_free(v);
}

static void test_disk_a_copy_stays_when_the_first_is_gone(void)
{
	struct sim_values *v = sim_values_new();
	struct sim_store *a = sim_store_new(v), *b = sim_store_new(v), *copy;

	write_text(a, "a", LONG);
	write_text(b, "a", LONG);
	copy = sim_store_copy(b);
	sim_store_free(a);
	sim_store_free(b);
	CHECK(holds(copy, "a=" LONG ";"));
	sim_store_free(copy);
	sim_values_free(v);
}

static void test_disk_more_values_than_are_remembered_all_come_back(void)
{
	struct sim_values *v = sim_values_new();
	struct sim_store *d[2][200];
	char value[80], want[100];

	for (size_t half = 0; half < 2; half++)
		for (int i = 0; i < 200; i++) {
			snprintf(value, sizeof(value), "%s %d", LONG, half ? 199 - i : i);
			d[half][i] = sim_store_new(v);
			write_text(d[half][i], "a", value);
		}
	for (size_t half = 0; half < 2; half++)
		for (int i = 0; i < 200; i++) {
			snprintf(want, sizeof(want), "a=%s %d;", LONG, half ? 199 - i : i);
			CHECK(holds(d[half][i], want));
			sim_store_free(d[half][i]);
		}
	sim_values_free(v);
}

static void test_disk_a_crash_keeps_a_prefix_of_the_writes_under_way(void)
{
	struct sim_values *v = sim_values_new();
	struct sim_store *d = sim_store_new(v);

	write_text(d, "a", LONG);
	sim_store_begin(d, 1000, (const uint8_t *)"a", 1, (const uint8_t *)"one", 3);
	sim_store_begin(d, 1001, (const uint8_t *)"b", 1, (const uint8_t *)"two", 3);
	CHECK(holds(d, "a=" LONG ";"));
	sim_store_crash(d, 1);
	CHECK(holds(d, "a=one;"));
	sim_store_free(d);
	sim_values_free(v);
}

static const struct test tests[] = {
	TEST(test_disk_values_alike_on_many_disks_come_back_from_each),
	TEST(test_disk_a_copy_stays_when_the_first_is_gone),
	TEST(test_disk_more_values_than_are_remembered_all_come_back),
	TEST(test_disk_a_crash_keeps_a_prefix_of_the_writes_under_way),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
