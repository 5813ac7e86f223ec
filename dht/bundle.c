/* bundle.c - see bundle.h.
 *
 * One lane a destination; its bytes are the bundle as it will be sent, so that closing it is
 * writing one number. A lane with a single message sends that message as it is. Lanes exist only
 * while something waits: at most LANES_MAX of BUNDLE_MAX bytes. docs/protocol.md 8.5. */
#include "dht/bundle.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define LANES_MAX 16
#define HEAD_LEN (1 + NSID_LEN + 8 + 1) /* type, nsid, request (zero), number of parts */
#define ROOM_FIRST 1024

struct lane {
	struct pubkey to;
	uint8_t *bytes;
	size_t len, room, parts;
};

struct bundles {
	struct lane lanes[LANES_MAX];
	size_t count;
};

static void lane_send(struct lane *l, const struct bundles_way *way)
{
	if (l->parts == 1) {
		way->send(way->ctx, &l->to, l->bytes + HEAD_LEN + 2, l->len - HEAD_LEN - 2);
	} else if (l->parts > 1) {
		l->bytes[HEAD_LEN - 1] = (uint8_t)l->parts;
		way->send(way->ctx, &l->to, l->bytes, l->len);
	}
	l->parts = 0;
	l->len = HEAD_LEN;
}

static void lane_room(struct lane *l, size_t need)
{
	if (l->room >= need)
		return;
	while (l->room < need)
		l->room = l->room ? 2 * l->room : ROOM_FIRST;
	l->bytes = mem_resize(l->bytes, l->room);
}

static void lane_add(struct lane *l, const struct bundles_way *way, const uint8_t *msg, size_t len)
{
	struct wr w;

	if (l->parts == BUNDLE_PARTS_MAX || l->len + 2 + len > BUNDLE_MAX)
		lane_send(l, way);
	lane_room(l, l->len + 2 + len);
	w = wr_of(l->bytes + l->len, l->room - l->len);
	wr_block(&w, msg, len);
	assert(wr_ok(&w));
	l->len += wr_len(&w);
	l->parts++;
}

static void lane_open(struct lane *l, const struct bundles_way *way, const struct pubkey *to)
{
	struct wr w;

	*l = (struct lane){ .to = *to };
	lane_room(l, HEAD_LEN);
	w = wr_of(l->bytes, HEAD_LEN);
	wr_u8(&w, REGMSG_BUNDLE);
	wr_copy(&w, way->nsid, NSID_LEN);
	wr_u64(&w, 0);
	wr_u8(&w, 0);
	assert(wr_ok(&w) && wr_len(&w) == HEAD_LEN);
	l->len = HEAD_LEN;
}

static struct lane *lane_find(struct bundles *b, const struct pubkey *to)
{
	for (size_t i = 0; i < b->count; i++)
		if (key_equal(&b->lanes[i].to, to))
			return &b->lanes[i];
	return NULL;
}

void bundles_add(struct bundles **all, const struct bundles_way *way, const struct pubkey *to,
		const uint8_t *msg, size_t len)
{
	struct lane *l = *all ? lane_find(*all, to) : NULL;

	assert(len > 0);
	if (len > BUNDLE_PART_MAX) {
		if (l)
			lane_send(l, way); /* the order to one destination stays */
		way->send(way->ctx, to, msg, len);
		return;
	}
	if (!l && *all && (*all)->count == LANES_MAX)
		bundles_flush(all, way);
	if (!*all)
		*all = mem_new(sizeof(**all));
	if (!l) {
		l = &(*all)->lanes[(*all)->count++];
		lane_open(l, way, to);
	}
	lane_add(l, way, msg, len);
}

void bundles_flush(struct bundles **all, const struct bundles_way *way)
{
	struct bundles *b = *all;

	for (size_t i = 0; b && i < b->count; i++)
		lane_send(&b->lanes[i], way);
	bundles_free(all);
}

void bundles_free(struct bundles **all)
{
	struct bundles *b = *all;

	for (size_t i = 0; b && i < b->count; i++)
		free(b->lanes[i].bytes);
	free(b);
	*all = NULL;
}

bool bundle_open(struct bundle *b, const uint8_t *msg, size_t len, const uint8_t nsid[NSID_LEN])
{
	struct rd r = rd_of(msg, len), scan;
	uint8_t type = rd_u8(&r);
	const uint8_t *id = rd_bytes(&r, NSID_LEN);
	uint64_t request = rd_u64(&r);
	size_t count = rd_u8(&r);

	if (!rd_ok(&r) || len > BUNDLE_MAX || type != REGMSG_BUNDLE || request != 0 ||
	    memcmp(id, nsid, NSID_LEN) != 0 || count < 2 || count > BUNDLE_PARTS_MAX)
		return false;
	scan = r;
	for (size_t i = 0; i < count; i++) {
		struct rd part = rd_block(&scan, BUNDLE_PART_MAX);

		if (rd_u8(&part) == REGMSG_BUNDLE || !rd_ok(&part))
			return false;
	}
	*b = (struct bundle){ .rest = r, .left = count };
	return rd_done(&scan);
}

bool bundle_next(struct bundle *b, const uint8_t **part, size_t *len)
{
	struct rd in;

	if (b->left == 0)
		return false;
	b->left--;
	in = rd_block(&b->rest, BUNDLE_PART_MAX);
	*part = in.p;
	*len = rd_left(&in);
	return true;
}
