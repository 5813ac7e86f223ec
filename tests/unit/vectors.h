/* vectors.h - reads the published test values, when their folder stands beside the checkout
 * ($SRCDIR/../shared/vectors, else ../shared/vectors). One test a line, words, hexadecimal, - =
 * empty, # = comment. */
#ifndef TESTS_UNIT_VECTORS_H
#define TESTS_UNIT_VECTORS_H

#include <sodium.h>
#include <stdlib.h>

#include "tests/check.h"

#define VECTOR_WORDS 8
#define VECTOR_LINE_MAX 8192

struct bytes {
	uint8_t b[VECTOR_LINE_MAX / 2];
	size_t len;
};

static inline struct bytes bytes_of(const char *hex)
{
	struct bytes v = { .len = 0 };

	if (strcmp(hex, "-") != 0)
		CHECK(sodium_hex2bin(v.b, sizeof(v.b), hex, strlen(hex), NULL, &v.len, NULL) == 0);
	return v;
}

/* NULL, with a note, when the folder is not there. */
static inline FILE *vectors_open(const char *name)
{
	const char *src = getenv("SRCDIR");
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/../shared/vectors/%s", src ? src : ".", name);
	f = fopen(path, "r");
	if (!f)
		printf("# note: %s is not here, only the values in the test were run\n", name);
	return f;
}

/* Calls `run` with the words of each line; the number of lines. */
static inline unsigned vectors_run(FILE *f, size_t words, void (*run)(char *word[]))
{
	static char line[VECTOR_LINE_MAX];
	unsigned count = 0;

	while (fgets(line, sizeof(line), f)) {
		char *word[VECTOR_WORDS] = { NULL }, *save = NULL;
		size_t n = 0;

		if (line[0] == '#' || line[0] == '\n')
			continue;
		for (char *w = strtok_r(line, " \n", &save); w && n < VECTOR_WORDS;
		     w = strtok_r(NULL, " \n", &save))
			word[n++] = w;
		CHECK_EQ_INT(n, words);
		if (n == words)
			run(word);
		count++;
	}
	fclose(f);
	return count;
}

#endif
