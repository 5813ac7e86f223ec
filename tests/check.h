/* check.h - unit tests: a table of functions, TAP. After a failed CHECK the test goes on. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"

struct test {
	const char *name; /* test_like_a_sentence */
	void (*run)(void);
};
#define TEST(f) { #f, f }

static unsigned check_failures; /* of the test that runs */
#define CHECK(cond) ((cond) ? (void)0 : check_failed(__LINE__, #cond))
#define CHECK_EQ_INT(a, b) check_int((long long)(a), (long long)(b), #a " == " #b, __LINE__)
#define CHECK_MEM(a, b, len) check_mem(a, b, len, #a " and " #b " are the same bytes", __LINE__)

static inline void check_failed(int line, const char *what)
{
	check_failures++;
	printf("# line %d: failed: %s\n", line, what);
}

static inline void check_int(long long a, long long b, const char *what, int line)
{
	if (a != b) {
		check_failed(line, what);
		printf("# they are %lld and %lld\n", a, b);
	}
}

static inline void check_mem(const void *a, const void *b, size_t len, const char *what, int line)
{
	if (memcmp(a, b, len) != 0)
		check_failed(line, what);
}

static inline int run_tests(const struct test *t, size_t count)
{
	size_t failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", count);
	for (size_t i = 0; i < count; i++) {
		check_failures = 0;
		t[i].run();
		failed += check_failures != 0;
		printf("%s %zu - ", check_failures ? "not ok" : "ok", i + 1);
		for (const char *c = t[i].name + strlen("test_"); *c; c++)
			putchar(*c == '_' ? ' ' : *c);
		putchar('\n');
	}
	return failed != 0;
}

#endif
