/* packet.c - see packet.h. */
#include "p2p/packet.h"

void packet_write_type(struct wr *w, enum packet_type type)
{
	wr_u8(w, (uint8_t)(PACKET_VERSION | type));
	wr_zero(w, 3);
}

bool packet_read_type(struct rd *r, enum packet_type type)
{
	uint8_t first = rd_u8(r);
	uint32_t zero = rd_u24(r);

	return rd_ok(r) && first == (PACKET_VERSION | type) && zero == 0;
}
