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

static void wr_hint(struct wr *w, const struct ip *hint)
{
	wr_u8(w, hint->len);
	wr_copy(w, hint->b, hint->len);
}

static struct ip rd_hint(struct rd *r)
{
	struct ip hint = { .len = rd_u8(r) };

	if (hint.len != 0 && hint.len != 4) {
		r->bad = true;
		return (struct ip){ 0 };
	}
	rd_copy(r, hint.b, hint.len);
	return hint;
}

static void result_write(struct wr *w, const struct regmsg *m)
{
	wr_u8(w, m->status);
	wr_copy(w, m->holder.b, KEY_LEN);
	wr_hint(w, &m->hint);
	wr_block(w, m->bytes, m->len);
	wr_block(w, m->config, m->config_len);
}

static void result_read(struct rd *r, struct regmsg *m)
{
	m->status = rd_status(r);
	rd_copy(r, m->holder.b, KEY_LEN);
	m->hint = rd_hint(r);
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
	wr_block(w, m->why, m->why_len);
}

static void accept_read(struct rd *r, struct regmsg *m)
{
	m->name = rd_reg_name(r);
	m->ballot = rd_ballot(r);
	m->age = rd_u64(r);
	m->beacon = rd_u64(r);
	rd_slice(r, REG_VALUE_MAX, &m->bytes, &m->len);
	rd_slice(r, REGMSG_WHY_MAX, &m->why, &m->why_len);
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

static void wr_at(struct wr *w, const struct epoch_at *at)
{
	wr_u32(w, at->era);
	wr_u32(w, at->epoch);
}

static struct epoch_at rd_at(struct rd *r)
{
	struct epoch_at at = { .era = rd_u32(r) };

	at.epoch = rd_u32(r);
	return at;
}

static bool rd_flag(struct rd *r)
{
	uint8_t flag = rd_u8(r);

	if (flag > 1)
		r->bad = true;
	return flag;
}

static void stand_write(struct wr *w, const struct regmsg *m)
{
	wr_at(w, &m->at);
	wr_u8(w, m->planned_count);
	for (size_t i = 0; i < m->planned_count; i++)
		wr_copy(w, m->planned[i].b, KEY_LEN);
}

static void stand_read(struct rd *r, struct regmsg *m)
{
	m->at = rd_at(r);
	m->planned_count = rd_u8(r);
	if (m->planned_count == 0 || m->planned_count > KEEPERS_MAX)
		r->bad = true;
	for (size_t i = 0; rd_ok(r) && i < m->planned_count; i++)
		rd_copy(r, m->planned[i].b, KEY_LEN);
}

static void candidate_write(struct wr *w, const struct regmsg *m)
{
	wr_at(w, &m->at);
	wr_u64(w, m->entry.incarnation);
	wr_copy(w, m->entry.epoch_key.b, KEY_LEN);
	wr_copy(w, m->entry.certificate, SIG_LEN);
	wr_u64(w, m->behind);
}

static void candidate_read(struct rd *r, struct regmsg *m)
{
	m->at = rd_at(r);
	m->entry.incarnation = rd_u64(r);
	rd_copy(r, m->entry.epoch_key.b, KEY_LEN);
	rd_copy(r, m->entry.certificate, SIG_LEN);
	m->behind = rd_u64(r);
}

static void pull_write(struct wr *w, const struct regmsg *m)
{
	wr_at(w, &m->at);
	wr_u64(w, m->incarnation);
	wr_u64(w, m->position);
}

static void pull_read(struct rd *r, struct regmsg *m)
{
	m->at = rd_at(r);
	m->incarnation = rd_u64(r);
	m->position = rd_u64(r);
}

static void cells_write(struct wr *w, const struct regmsg *m)
{
	wr_at(w, &m->at);
	wr_at(w, &m->state.served);
	wr_u8(w, m->state.sealed);
	wr_u64(w, m->state.incarnation);
	wr_u64(w, m->state.position);
	wr_u64(w, m->upto);
	wr_copy(w, m->bytes, m->len);
}

/* The entries are the rest of the message; who takes them checks them. */
static void cells_read(struct rd *r, struct regmsg *m)
{
	m->at = rd_at(r);
	m->state.served = rd_at(r);
	m->state.sealed = rd_flag(r);
	m->state.incarnation = rd_u64(r);
	m->state.position = rd_u64(r);
	m->upto = rd_u64(r);
	m->len = rd_left(r);
	m->bytes = rd_bytes(r, m->len);
}

static void state_write(struct wr *w, const struct regmsg *m)
{
	wr_at(w, &m->at);
	wr_at(w, &m->state.served);
	wr_u8(w, m->state.sealed);
	wr_u64(w, m->state.incarnation);
	wr_u64(w, m->state.starts);
	wr_u64(w, m->state.position);
	wr_u64(w, m->state.behind);
	wr_u64(w, m->state.cells);
	wr_u64(w, m->state.wall);
}

static void state_read(struct rd *r, struct regmsg *m)
{
	m->at = rd_at(r);
	m->state.served = rd_at(r);
	m->state.sealed = rd_flag(r);
	m->state.incarnation = rd_u64(r);
	m->state.starts = rd_u64(r);
	m->state.position = rd_u64(r);
	m->state.behind = rd_u64(r);
	m->state.cells = rd_u64(r);
	m->state.wall = rd_u64(r);
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
	[REGMSG_STAND] = { stand_write, stand_read },
	[REGMSG_CANDIDATE] = { candidate_write, candidate_read },
	[REGMSG_PULL] = { pull_write, pull_read },
	[REGMSG_CELLS] = { cells_write, cells_read },
	[REGMSG_STATE] = { state_write, state_read },
};
_Static_assert(ARRAY_LEN(types) == REGMSG_TYPE_COUNT, "every message type has a row");

enum { HAS_MARK = 1, HAS_ECHO = 2 };

static void marks_write(struct wr *w, const struct regmsg *m)
{
	wr_u8(w, (uint8_t)((m->mark.starts ? HAS_MARK : 0) | (m->echo.starts ? HAS_ECHO : 0)));
	if (m->mark.starts)
		wr_mark(w, &m->mark);
	if (m->echo.starts)
		wr_mark(w, &m->echo);
}

static void marks_read(struct rd *r, struct regmsg *m)
{
	uint8_t has = rd_u8(r);

	if (has > (HAS_MARK | HAS_ECHO))
		r->bad = true;
	if (has & HAS_MARK)
		m->mark = rd_mark(r);
	if (has & HAS_ECHO)
		m->echo = rd_mark(r);
}

size_t regmsg_write(uint8_t *out, size_t size, const struct regmsg *m)
{
	struct wr w = wr_of(out, size);

	wr_u8(&w, m->type);
	wr_copy(&w, m->nsid, NSID_LEN);
	wr_u64(&w, m->request);
	marks_write(&w, m);
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
	marks_read(&r, m);
	if (!rd_ok(&r) || m->type >= REGMSG_TYPE_COUNT || !types[m->type].read)
		return false;
	types[m->type].read(&r, m);
	return rd_done(&r);
}

bool regmsg_value_is_whole(const struct regmsg *m)
{
	struct rd r = rd_of(m->bytes, m->len);
	struct reg_value v;

	return m->type != REGMSG_PROMISE || !m->len || (rd_reg_value(&r, &v) && rd_done(&r));
}
