/* handover.c - the messages of a transfer between its two sides; see handover.h.
 *
 * HANDOVER and HANDED are REGISTER messages like others, but no keeper is concerned: they go between
 * members, may be lost, and are repeated by the lease they belong to. What a HANDED with status ok
 * shows must be a grant to the heir. docs/protocol.md 8.12. */
#include "dht/handover.h"

#include <assert.h>
#include <errno.h>

#include "dht/regs_impl.h"

#define MESSAGE_MAX (64 + GRANT_MAX)

void regs_hand(struct regs *r, const struct handover *h, usec_t now)
{
	uint8_t msg[MESSAGE_MAX];
	struct wr w = wr_of(msg, sizeof(msg));

	assert(h->len <= GRANT_MAX);
	r->now = now;
	wr_u8(&w, h->done ? REGMSG_HANDED : REGMSG_HANDOVER);
	wr_copy(&w, r->nsid, NSID_LEN);
	wr_u64(&w, h->number);
	if (h->done)
		wr_u8(&w, (uint8_t)h->status);
	wr_block(&w, h->bytes, h->len);
	assert(wr_ok(&w));
	regs_send(r, &h->peer, msg, wr_len(&w));
}

static bool read(struct handover *h, const struct regs *r, const uint8_t *msg, size_t len)
{
	struct rd in = rd_of(msg, len), block;
	uint8_t type = rd_u8(&in);
	const uint8_t *nsid = rd_bytes(&in, NSID_LEN);

	h->number = rd_u64(&in);
	h->done = type == REGMSG_HANDED;
	h->status = h->done ? (enum reg_status)rd_u8(&in) : REG_OK;
	block = rd_block(&in, GRANT_MAX);
	h->bytes = block.p;
	h->len = rd_left(&block);
	return rd_done(&in) && (h->done || type == REGMSG_HANDOVER) && h->status < REG_STATUS_COUNT &&
	       memcmp(nsid, r->nsid, NSID_LEN) == 0;
}

/* That it went to the heir is proven, that it did not is only said. */
static bool is_proven(const struct regs *r, const struct handover *h)
{
	struct grant g;

	if (!h->done || h->status != REG_OK)
		return true;
	return facts_check(r, &g, h->bytes, h->len) && g.state == REG_HELD &&
	       key_equal(&g.owner, &h->peer);
}

bool handover_input(struct regs *r, const struct pubkey *from, const uint8_t *msg, size_t len,
		    usec_t now)
{
	struct handover h = { .peer = *from };
	struct regs_event e = { .type = REGS_HANDOVER };

	if (!len || (msg[0] != REGMSG_HANDOVER && msg[0] != REGMSG_HANDED))
		return false;
	if (!limit_take(&r->sync_limit, now)) {
		drop_add(r->cfg.drops, DROP_RATE);
	} else if (!read(&h, r, msg, len)) {
		drop_add(r->cfg.drops, DROP_MALFORMED);
	} else if (!is_proven(r, &h)) {
		drop_add(r->cfg.drops, DROP_SIGNATURE);
	} else {
		e.op = h.number;
		e.holder = *from;
		e.detail = h.done;
		e.status = h.status;
		e.grant = h.bytes;
		e.len = h.len;
		regs_tell(r, &e);
	}
	return true;
}

struct handover regs_handover(const struct regs_event *e)
{
	return (struct handover){ .peer = e->holder, .number = e->op, .done = e->detail != 0,
				  .status = e->status, .bytes = e->grant, .len = e->len };
}

int regs_sign(struct regs *r, struct reg_op *req, uint8_t out[REG_OP_MAX], usec_t now)
{
	int len;

	assert(r->started);
	r->now = now;
	len = client_sign(r, req, out);
	regs_settle(r, now);
	return len;
}

int regs_submit_signed(struct regs *r, uint64_t op, const uint8_t *bytes, size_t len, usec_t now)
{
	int rc;

	assert(r->started);
	r->now = now;
	rc = client_submit_signed(r, op, bytes, len, now);
	regs_settle(r, now);
	return rc;
}
