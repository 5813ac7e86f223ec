/* replay.c - runs a fuzz target without a fuzzer: every file of its corpus, every beginning of
 * each, and MUTATIONS copies of each with a few bytes changed by a fixed generator. TAP.
 *
 * The folder is $CORPUS/<decoder>, from the program's name fuzz_<decoder>, or argv[1]. Inputs are
 * handed over in blocks of exactly their length, so that sanitizers see every step past the end. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define FILE_MAX 65536
#define MUTATIONS 400
#define PREFIXES_MAX 2048 /* of one file: the first ones */

static void feed(const uint8_t *data, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);

	if (!exact)
		abort();
	memcpy(exact, data, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void feed_all(uint8_t *data, size_t len)
{
	uint32_t state = 1;

	feed(data, len);
	for (size_t n = 0; n < len && n < PREFIXES_MAX; n++)
		feed(data, n);
	for (int i = 0; len && i < MUTATIONS; i++) {
		uint8_t *at = data + next(&state) % len, old = *at;

		*at = (uint8_t)next(&state);
		feed(data, len);
		*at = old;
	}
}

static int replay(const char *folder, const char *name, int number)
{
	static uint8_t data[FILE_MAX];
	char path[4096];
	size_t len;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return 1;
	f = fopen(path, "rb");
	if (!f) {
		printf("not ok %d - cannot open %s\n", number, path);
		return 1;
	}
	len = fread(data, 1, sizeof(data), f);
	fclose(f);
	feed_all(data, len);
	printf("ok %d - %s\n", number, name);
	return 0;
}

static const char *decoder_of(const char *program)
{
	const char *at = strstr(program, "fuzz_"), *last = at;

	while (at) {
		last = at;
		at = strstr(at + 1, "fuzz_");
	}
	return last ? last + strlen("fuzz_") : program;
}

int main(int argc, char **argv)
{
	const char *corpus = getenv("CORPUS");
	char folder[2048];
	struct dirent **names;
	int n, count = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		snprintf(folder, sizeof(folder), "%s", argv[1]);
	else
		snprintf(folder, sizeof(folder), "%s/%s", corpus ? corpus : ".",
			 decoder_of(argv[0]));
	n = scandir(folder, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.')
			failed |= replay(folder, names[i]->d_name, ++count);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	if (count == 0) {
		printf("not ok 1 - %s has no inputs\n", folder);
		failed = count = 1;
	}
	printf("1..%d\n", count);
	return failed;
}
