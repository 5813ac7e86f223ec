/* offer.c - see offer.h. Fixed fields, then a block of TLVs of which unknown ones are skipped. */
#include "p2p/offer.h"

#include <assert.h>

#include "base/wire.h"

enum extension { EXTENSION_ADDR = 1, EXTENSION_START = 2 };

static void write_extensions(struct wr *w, const struct handshake_offer *o)
{
	uint8_t *all = wr_open(w), *one;

	if (o->observed.ip.len) {
		wr_u16(w, EXTENSION_ADDR);
		one = wr_open(w);
		wr_addr(w, &o->observed);
		wr_close(w, one);
	}
	if (o->start_counter) {
		wr_u16(w, EXTENSION_START);
		one = wr_open(w);
		wr_u32(w, o->start_counter);
		wr_close(w, one);
	}
	wr_close(w, all);
}

/* At most HANDSHAKE_EXT_MAX / 4 rounds. An extension that is known must be whole and come once. */
static bool read_extensions(struct rd *r, struct handshake_offer *o)
{
	struct rd all = rd_block(r, HANDSHAKE_EXT_MAX);

	o->observed = (struct addr){ 0 };
	o->start_counter = 0;
	while (rd_left(&all)) {
		uint16_t type = rd_u16(&all);
		struct rd one = rd_block(&all, HANDSHAKE_EXT_MAX);

		if (type != EXTENSION_ADDR && type != EXTENSION_START)
			continue;
		if (type == EXTENSION_ADDR ? o->observed.ip.len != 0 : o->start_counter != 0)
			return false;
		if (type == EXTENSION_ADDR)
			o->observed = rd_addr(&one);
		else
			o->start_counter = rd_u32(&one);
		if (!rd_done(&one))
			return false;
	}
	return rd_done(&all) && rd_done(r);
}

static bool lanes_ok(uint8_t lanes)
{
	return lanes >= 1 && lanes <= HANDSHAKE_LANES_MAX;
}

void offer_write_init(struct wr *w, const struct offer_init *o)
{
	assert(lanes_ok(o->offer.lanes));
	wr_u32(w, o->start_counter);
	wr_u64(w, o->boottime);
	wr_copy(w, o->node.b, KEY_LEN);
	wr_u8(w, OFFER_VERSION);
	wr_u8(w, OFFER_VERSION);
	wr_u8(w, o->offer.lanes);
	wr_u8(w, 0);
	wr_u32(w, o->offer.features);
	wr_u64(w, o->offer.instance);
	write_extensions(w, &o->offer);
}

bool offer_read_init(struct rd r, struct offer_init *out)
{
	uint8_t lowest, highest, zero;

	out->start_counter = rd_u32(&r);
	out->boottime = rd_u64(&r);
	rd_copy(&r, out->node.b, KEY_LEN);
	lowest = rd_u8(&r);
	highest = rd_u8(&r);
	out->offer.lanes = rd_u8(&r);
	zero = rd_u8(&r);
	out->offer.features = rd_u32(&r);
	out->offer.instance = rd_u64(&r);
	return read_extensions(&r, &out->offer) && lowest <= OFFER_VERSION &&
	       highest >= OFFER_VERSION && lanes_ok(out->offer.lanes) && zero == 0;
}

void offer_write_response(struct wr *w, const struct handshake_offer *o)
{
	assert(lanes_ok(o->lanes));
	wr_u8(w, OFFER_VERSION);
	wr_u8(w, o->lanes);
	wr_u32(w, o->features);
	wr_u64(w, o->instance);
	wr_u16(w, 0);
	write_extensions(w, o);
}

bool offer_read_response(struct rd r, struct handshake_offer *out)
{
	uint8_t version = rd_u8(&r);
	uint16_t zero;

	out->lanes = rd_u8(&r);
	out->features = rd_u32(&r);
	out->instance = rd_u64(&r);
	zero = rd_u16(&r);
	return read_extensions(&r, out) && version == OFFER_VERSION && lanes_ok(out->lanes) &&
	       zero == 0;
}
