/* nearest.c - edit distance (Levenshtein) over short words, row by row. */
#include "base/nearest.h"

#include <string.h>

#define WORD_MAX 31

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

static size_t distance(const char *a, const char *b, size_t len_b)
{
	size_t row[WORD_MAX + 1];

	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			size_t above = row[j];

			row[j] = min3(row[j] + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1]));
			corner = above;
		}
	}
	return row[len_b];
}

const char *nearest_word(const char *wrong, const char *const words[], size_t n)
{
	size_t best = strlen(wrong) / 2 + 1;
	const char *found = NULL;

	if (strlen(wrong) > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t d, len = strlen(words[i]);

		if (len > WORD_MAX)
			continue;
		d = distance(wrong, words[i], len);
		if (d < best) {
			best = d;
			found = words[i];
		}
	}
	return found;
}
