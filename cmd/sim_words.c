/* sim_words.c - the words of a scenario: numbers with units, and what a wrong one was meant to be.
 */
#include "cmd/sim_words.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "cmd/sim.h"

#define WORD_MAX 31 /* longer ones have no nearest */

bool sim_wrong(char error[SIM_ERROR_LEN], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(error, SIM_ERROR_LEN, fmt, args);
	va_end(args);
	return false;
}

size_t sim_words_split(char *line, char *words[SIM_WORDS_MAX])
{
	size_t count = 0;
	char *save = NULL;

	line[strcspn(line, "#\r\n")] = 0;
	for (char *w = strtok_r(line, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (count == SIM_WORDS_MAX)
			return count + 1;
		words[count++] = w;
	}
	return count;
}

bool sim_read_number(double *out, const char *w, const char **rest)
{
	size_t digits = strspn(w, "0123456789"), end = digits;

	if (digits == 0 || digits > 15)
		return false;
	if (w[end] == '.') {
		size_t more = strspn(w + end + 1, "0123456789");

		if (more == 0 || more > 9)
			return false;
		end += 1 + more;
	}
	*out = strtod(w, NULL);
	*rest = w + end;
	return true;
}

bool sim_read_time(usec_t *out, const char *w)
{
	static const struct {
		const char *name;
		double us;
	} units[] = { { "us", 1 },  { "ms", 1e3 },  { "s", 1e6 },
		      { "m", 6e7 }, { "h", 3.6e9 }, { "d", 8.64e10 } };
	const char *unit;
	double x;

	if (!sim_read_number(&x, w, &unit))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(unit, units[i].name) == 0 && x * units[i].us <= 1e14) {
			*out = (usec_t)(x * units[i].us + 0.5);
			return true;
		}
	return false;
}

bool sim_read_share(uint64_t *millionths, const char *w)
{
	const char *rest;
	double x;

	if (!sim_read_number(&x, w, &rest) || strcmp(rest, "%") != 0 || x > 100)
		return false;
	*millionths = (uint64_t)(x * SIM_PERCENT + 0.5);
	return true;
}

bool sim_read_count(uint64_t *out, const char *w)
{
	if (!*w || strlen(w) > 18 || strspn(w, "0123456789") != strlen(w))
		return false;
	*out = strtoull(w, NULL, 10);
	return true;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein, letter case aside. */
static unsigned distance(const char *a, const char *b)
{
	size_t n = strlen(b);
	unsigned row[WORD_MAX + 1];

	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; *a; a++, i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			unsigned same =
				tolower((unsigned char)*a) == tolower((unsigned char)b[j - 1]);
			unsigned here = least(row[j] + 1, row[j - 1] + 1, diagonal + !same);

			diagonal = row[j];
			row[j] = here;
		}
	}
	return row[n];
}

const char *sim_nearest_word(const char *w, const char *const *names)
{
	const char *best = NULL;
	unsigned least_so_far = (unsigned)strlen(w) / 2 + 1;

	if (strlen(w) > WORD_MAX)
		return NULL;
	for (; *names; names++) {
		unsigned d = strlen(*names) <= WORD_MAX ? distance(w, *names) : WORD_MAX;

		if (d < least_so_far) {
			least_so_far = d;
			best = *names;
		}
	}
	return best;
}
