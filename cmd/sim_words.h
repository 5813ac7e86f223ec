/* sim_words.h - the words of a scenario: values with units, and the word that was meant. */
#ifndef CMD_SIM_WORDS_H
#define CMD_SIM_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

#define SIM_ERROR_LEN 300
#define SIM_WORDS_MAX 24
size_t sim_words_split(char *line,
		       char *words[SIM_WORDS_MAX]);       /* more than the maximum: maximum + 1 */
bool sim_read_time(usec_t *out, const char *w);           /* 5ms, 1.5h, 10m */
bool sim_read_share(uint64_t *millionths, const char *w); /* 0.1% */
bool sim_read_count(uint64_t *out, const char *w);
bool sim_read_number(double *out, const char *w, const char **rest); /* decimal, no exponent */
/* Writes the sentence; false. */
bool sim_wrong(char error[SIM_ERROR_LEN], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The nearest of the names, a NULL ends them; NULL if none is near. */
const char *sim_nearest_word(const char *w, const char *const *names);

#endif
