/* mem.c - see mem.h: these functions return memory or do not return. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_die(void *p)
{
	if (!p) {
		fputs("vpnd: out of memory\n", stderr);
		abort();
	}
	return p;
}

/* Zero bytes are asked for as one, so that NULL always means that memory ran out. */
void *mem_new(size_t size) { return or_die(calloc(1, size ? size : 1)); }

void *mem_resize(void *p, size_t size) { return or_die(realloc(p, size ? size : 1)); }

void *mem_copy(const void *p, size_t size)
{
	void *copy = mem_new(size);

	if (size)
		memcpy(copy, p, size);
	return copy;
}

char *mem_text(const char *s) { return mem_copy(s, strlen(s) + 1); }
