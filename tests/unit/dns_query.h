/* dns_query.h - DNS queries for tests, written by hand so that broken ones are easy. */
#ifndef TESTS_UNIT_DNS_QUERY_H
#define TESTS_UNIT_DNS_QUERY_H

#include <string.h>

#include "base/wire.h"

#define QUERY_ID 0x1234
#define QUERY_FLAGS 0x0100 /* recursion desired, as stub resolvers send it */

/* name: "a.b.c" without a dot at the end, "" = root. Returns the length. */
static inline size_t query_write(uint8_t *out, size_t size, const char *name, uint16_t type)
{
	struct wr w = wr_of(out, size);

	wr_u16(&w, QUERY_ID);
	wr_u16(&w, QUERY_FLAGS);
	wr_u16(&w, 1);
	wr_zero(&w, 6);
	while (*name) {
		size_t n = strcspn(name, ".");

		wr_u8(&w, (uint8_t)n);
		wr_copy(&w, name, n);
		name += n + (name[n] == '.');
	}
	wr_u8(&w, 0);
	wr_u16(&w, type);
	wr_u16(&w, 1);
	return wr_ok(&w) ? wr_len(&w) : 0;
}

#endif
