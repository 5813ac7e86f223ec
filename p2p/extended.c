/* extended.c - see extended.h. Types to come: forwarded-for, service path, site path. */
#include "p2p/extended.h"

#include <stddef.h>

#define CRITICAL 0x8000

enum drop extended_skip(struct rd *r)
{
	size_t count = rd_u8(r);
	bool unknown = false;

	for (size_t i = 0; i < count; i++) {
		unknown |= (rd_u16(r) & CRITICAL) != 0;
		rd_block(r, UINT16_MAX);
	}
	if (!rd_ok(r) || rd_left(r) == 0)
		return DROP_MALFORMED;
	return unknown ? DROP_UNKNOWN : DROP_NONE;
}
