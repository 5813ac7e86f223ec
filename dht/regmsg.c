/* regmsg.c - REGISTER messages; see regmsg.h. One row per type: how its body is written and
 * read. */
#include "dht/regmsg.h"

#include "base/list.h"

static void rd_slice(struct rd *r, size_t max, const uint8_t **at, size_t *len)
{
	struct rd in = rd_block(r, max);

	*at = in.p;
	*len = rd_left(&in);
}

static uint8_t rd_status(struct rd *r)
{
	uint8_t s = rd_u8(r);

	if (s >= REG_STATUS_COUNT)
		r->bad = true;
	return s;
}

static void operation_write(struct wr *w, const struct regmsg *m) { wr_copy(w, m->bytes, m->len); }

/* The operation is the rest of the message; its own reader checks it. */
static void operation_read(struct rd *r, struct regmsg *m)
{
	m->len = rd_left(r);
	m->bytes = rd_bytes(r, m->len);
	if (m->len > REG_OP_MAX)
		r->bad = true;
}

static void result_write(struct wr *w, const struct regmsg *m)
{
	wr_u8(w, m->status);
	wr_copy(w, m->holder.b, KEY_LEN);
	wr_block(w, m->bytes, m->len);
	wr_block(w, m->config, m->config_len);
}

static void result_read(struct rd *r, struct regmsg *m)
{
	m->status = rd_status(r);
	rd_copy(r, m->holder.b, KEY_LEN);
	rd_slice(r, GRANT_MAX, &m->bytes, &m->len);
	rd_slice(r, CONFIG_MAX, &m->config, &m->config_len);
}

static void prepare_write(struct wr *w, const struct regmsg *m)
{
	wr_reg_name(w, &m->name);
	wr_ballot(w, &m->ballot);
}

static void prepare_read(struct rd *r, struct regmsg *m)
{
	m->name = rd_reg_name(r);
	m->ballot = rd_ballot(r);
}

static void promise_write(struct wr *w, const struct regmsg *m)
{
	wr_u8(w, m->status);
	wr_ballot(w, &m->ballot);
	wr_ballot(w, &m->accepted);
	wr_u64(w, m->age);
	wr_u64(w, m->beacon);
	wr_block(w, m->bytes, m->len);
}

static void promise_read(struct rd *r, struct regmsg *m)
{
	m->status = rd_status(r);
	m->ballot = rd_ballot(r);
	m->accepted = rd_ballot(r);
	m->age = rd_u64(r);
	m->beacon = rd_u64(r);
	rd_slice(r, REG_VALUE_MAX, &m->bytes, &m->len);
}

static void accept_write(struct wr *w, const struct regmsg *m)
{
	wr_reg_name(w, &m->name);
	wr_ballot(w, &m->ballot);
	wr_u64(w, m->age);
	wr_u64(w, m->beacon);
	wr_block(w, m->bytes, m->len);
}

static void accept_read(struct rd *r, struct regmsg *m)
{
	m->name = rd_reg_name(r);
	m->ballot = rd_ballot(r);
	m->age = rd_u64(r);
	m->beacon = rd_u64(r);
	rd_slice(r, REG_VALUE_MAX, &m->bytes, &m->len);
}

static void accepted_write(struct wr *w, const struct regmsg *m)
{
	wr_u8(w, m->status);
	wr_ballot(w, &m->ballot);
	wr_copy(w, m->sig, SIG_LEN);
}

static void accepted_read(struct rd *r, struct regmsg *m)
{
	m->status = rd_status(r);
	m->ballot = rd_ballot(r);
	rd_copy(r, m->sig, SIG_LEN);
}

static const struct {
	void (*write)(struct wr *w, const struct regmsg *m);
	void (*read)(struct rd *r, struct regmsg *m);
} types[] = {
	[REGMSG_OPERATION] = { operation_write, operation_read },
	[REGMSG_RESULT] = { result_write, result_read },
	[REGMSG_PREPARE] = { prepare_write, prepare_read },
	[REGMSG_PROMISE] = { promise_write, promise_read },
	[REGMSG_ACCEPT] = { accept_write, accept_read },
	[REGMSG_ACCEPTED] = { accepted_write, accepted_read },
};
_Static_assert(ARRAY_LEN(types) == REGMSG_TYPE_COUNT, "every message type has a row");

size_t regmsg_write(uint8_t *out, size_t size, const struct regmsg *m)
{
	struct wr w = wr_of(out, size);

	wr_u8(&w, m->type);
	wr_copy(&w, m->nsid, NSID_LEN);
	wr_u64(&w, m->request);
	types[m->type].write(&w, m);
	return wr_ok(&w) ? wr_len(&w) : 0;
}

bool regmsg_read(struct regmsg *m, const uint8_t *msg, size_t len)
{
	struct rd r = rd_of(msg, len);

	memset(m, 0, sizeof(*m));
	m->type = rd_u8(&r);
	rd_copy(&r, m->nsid, NSID_LEN);
	m->request = rd_u64(&r);
	if (!rd_ok(&r) || m->type >= REGMSG_TYPE_COUNT || !types[m->type].read)
		return false;
	types[m->type].read(&r, m);
	return rd_done(&r);
}
