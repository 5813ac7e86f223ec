/* test_nearest.c - suggestions for wrong words. */
#include "base/nearest.h"

#include <string.h>

#include "base/list.h"
#include "tests/check.h"

static const char *const words[] = { "status", "peers", "member", "invite", "ping" };

static void test_nearest_one_letter_off_is_found(void)
{
	CHECK(strcmp(nearest_word("stauts", words, ARRAY_LEN(words)), "status") == 0);
	CHECK(strcmp(nearest_word("invit", words, ARRAY_LEN(words)), "invite") == 0);
}

static void test_nearest_something_else_has_no_neighbour(void)
{
	CHECK(nearest_word("xyzzy", words, ARRAY_LEN(words)) == NULL);
	CHECK(nearest_word("", words, ARRAY_LEN(words)) == NULL);
}

static void test_nearest_long_words_are_never_near(void)
{
	char longer[64];

	memset(longer, 'a', sizeof(longer) - 1);
	longer[63] = 0;
	CHECK(nearest_word(longer, words, ARRAY_LEN(words)) == NULL);
}

static const struct test tests[] = {
	TEST(test_nearest_one_letter_off_is_found),
	TEST(test_nearest_something_else_has_no_neighbour),
	TEST(test_nearest_long_words_are_never_near),
};

int main(void)
{
	return run_tests(tests, ARRAY_LEN(tests));
}
