/* membermsg.c - MEMBER messages: one row per type, each with its reader and writer.
 *
 * Forms only: what is signed inside the blocks is checked by member.c. docs/protocol.md 9. */
#include "dht/membermsg.h"

#include "base/list.h"

static void write_block(struct wr *w, const struct membermsg_block *b)
{
	wr_block(w, b->p, b->len);
}

static struct membermsg_block read_block(struct rd *r, size_t max)
{
	struct rd in = rd_block(r, max);

	return (struct membermsg_block){ in.p, rd_left(&in) };
}

static void enrol_write(struct wr *w, const struct membermsg *m)
{
	wr_block(w, m->host, strnlen(m->host, MEMBER_HOST_MAX));
	wr_copy(w, m->op.p, m->op.len);
}

static void enrol_read(struct rd *r, struct membermsg *m)
{
	struct rd host = rd_block(r, MEMBER_HOST_MAX);
	size_t n = rd_left(&host);

	rd_copy(&host, m->host, n);
	if (rd_ok(r) && n && memchr(m->host, 0, n))
		r->bad = true; /* the text would end early */
	m->op.len = rd_left(r);
	m->op.p = rd_bytes(r, m->op.len);
	if (m->op.len > REG_OP_MAX)
		r->bad = true;
}

static void state_write(struct wr *w, const struct membermsg *m)
{
	wr_u8(w, m->status);
	wr_u64(w, m->detail);
	write_block(w, &m->membership);
	write_block(w, &m->settings);
	write_block(w, &m->config);
	wr_u8(w, m->secret_count);
	for (size_t i = 0; i < m->secret_count; i++) {
		wr_u32(w, m->secrets[i].number);
		wr_copy(w, m->secrets[i].b, sizeof(m->secrets[i].b));
	}
	write_block(w, &m->revocations);
}

static void state_read(struct rd *r, struct membermsg *m)
{
	m->status = rd_u8(r);
	m->detail = rd_u64(r);
	m->membership = read_block(r, GRANT_MAX);
	m->settings = read_block(r, SETTINGS_MAX);
	m->config = read_block(r, CONFIG_MAX);
	m->secret_count = rd_u8(r);
	if (m->status >= REG_STATUS_COUNT || m->secret_count > ARRAY_LEN(m->secrets)) {
		r->bad = true;
		return;
	}
	for (size_t i = 0; i < m->secret_count; i++) {
		m->secrets[i].number = rd_u32(r);
		rd_copy(r, m->secrets[i].b, sizeof(m->secrets[i].b));
	}
	/* Numbers start at 1; newest first. */
	for (size_t i = 0; i < m->secret_count; i++)
		if (m->secrets[i].number == 0 ||
		    (i && m->secrets[i].number >= m->secrets[i - 1].number))
			r->bad = true;
	m->revocations = read_block(r, GRANT_MAX);
}

static void sync_write(struct wr *w, const struct membermsg *m)
{
	wr_u64(w, m->held.settings);
	wr_u32(w, m->held.secret);
	wr_u64(w, m->held.revocations);
	wr_u32(w, m->held.era);
	wr_u32(w, m->held.epoch);
	wr_u64(w, m->held.serial);
}

static void sync_read(struct rd *r, struct membermsg *m)
{
	m->held.settings = rd_u64(r);
	m->held.secret = rd_u32(r);
	m->held.revocations = rd_u64(r);
	m->held.era = rd_u32(r);
	m->held.epoch = rd_u32(r);
	m->held.serial = rd_u64(r);
}

static void want_write(struct wr *w, const struct membermsg *m)
{
	wr_u8(w, m->below);
	wr_u32(w, m->era);
	wr_u32(w, m->epoch);
}

static void want_read(struct rd *r, struct membermsg *m)
{
	uint8_t below = rd_u8(r);

	if (below > 1)
		r->bad = true;
	m->below = below == 1;
	m->era = rd_u32(r);
	m->epoch = rd_u32(r);
}

static void chain_write(struct wr *w, const struct membermsg *m)
{
	want_write(w, m);
	wr_u8(w, m->shown_count);
	for (size_t i = 0; i < m->shown_count; i++)
		write_block(w, &m->shown[i]);
}

static void chain_read(struct rd *r, struct membermsg *m)
{
	want_read(r, m);
	m->shown_count = rd_u8(r);
	if (m->shown_count > CHAIN_SHOWN) {
		r->bad = true;
		return;
	}
	for (size_t i = 0; i < m->shown_count; i++)
		m->shown[i] = read_block(r, CONFIG_MAX);
}

static void show_write(struct wr *w, const struct membermsg *m)
{
	wr_u8(w, m->shown_count);
	for (size_t i = 0; i < m->shown_count; i++)
		write_block(w, &m->shown[i]);
}

static void show_read(struct rd *r, struct membermsg *m)
{
	m->shown_count = rd_u8(r);
	if (m->shown_count > GRANTS_SHOWN) {
		r->bad = true;
		return;
	}
	for (size_t i = 0; i < m->shown_count; i++)
		m->shown[i] = read_block(r, GRANT_MAX);
}

static const struct {
	void (*write)(struct wr *w, const struct membermsg *m);
	void (*read)(struct rd *r, struct membermsg *m);
} rows[] = {
	[MEMBERMSG_ENROL] = { enrol_write, enrol_read },
	[MEMBERMSG_ENROLLED] = { state_write, state_read },
	[MEMBERMSG_SYNC] = { sync_write, sync_read },
	[MEMBERMSG_UPDATE] = { state_write, state_read },
	[MEMBERMSG_CHAIN_WANT] = { want_write, want_read },
	[MEMBERMSG_CHAIN] = { chain_write, chain_read },
	[MEMBERMSG_SHOW] = { show_write, show_read },
};
_Static_assert(ARRAY_LEN(rows) == MEMBERMSG_TYPE_COUNT, "every message type has a row");

size_t membermsg_write(uint8_t *out, size_t size, const struct membermsg *m)
{
	struct wr w = wr_of(out, size);

	wr_u8(&w, m->type);
	wr_copy(&w, m->nsid, NSID_LEN);
	wr_u64(&w, m->request);
	rows[m->type].write(&w, m);
	return wr_ok(&w) ? wr_len(&w) : 0;
}

bool membermsg_read(struct membermsg *m, const uint8_t *msg, size_t len)
{
	struct rd r = rd_of(msg, len);

	*m = (struct membermsg){ .type = rd_u8(&r) };
	rd_copy(&r, m->nsid, NSID_LEN);
	m->request = rd_u64(&r);
	if (!rd_ok(&r) || m->type == 0 || m->type >= MEMBERMSG_TYPE_COUNT)
		return false;
	rows[m->type].read(&r, m);
	return rd_done(&r);
}
