/* drop.c - the texts of drop.h's list. */
#include "base/drop.h"

#include <assert.h>

static const struct {
	const char *name, *meaning;
} reasons[] = {
#define X(e, n, d) [DROP_##e] = { n, d },
	DROP_REASONS(X)
#undef X
};

const char *drop_name(enum drop d)
{
	assert(d < DROP_REASON_COUNT);
	return reasons[d].name;
}

const char *drop_meaning(enum drop d)
{
	assert(d < DROP_REASON_COUNT);
	return reasons[d].meaning;
}
