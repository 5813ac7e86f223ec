/* nearest.h - the right word for a wrong one, for error messages. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/* The word of words[0..n) that is closest to `wrong` by edit distance, at most half of it wrong;
 * NULL when none is. Words over 31 characters are never near. */
const char *nearest_word(const char *wrong, const char *const words[], size_t n);

#endif
