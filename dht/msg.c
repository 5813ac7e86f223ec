/* msg.c - one row per message: name, shortest body, read, write. docs/protocol.md 6.
 *
 * A message is a type, a request id and a body of exactly its fields. Reading makes a struct and
 * decides nothing else: what a record says is checked by who wants it. Requests are odd types,
 * their answers the even ones after them; a request with the bit DHT_MSG_CLIENT comes from a node
 * that must not become a contact. */
#include "dht/msg.h"

#include <assert.h>

#include "base/list.h"
#include "base/wire.h"

static void nothing_read(struct rd *r, struct dht_msg *m) { (void)r, (void)m; }
static void nothing_write(struct wr *w, const struct dht_msg *m) { (void)w, (void)m; }

static void keys_read(struct rd *r, struct dht_msg *m)
{
	m->keys = rd_u8(r);
	if (m->keys > DHT_K) {
		r->bad = true;
		m->keys = 0;
	}
	for (size_t i = 0; i < m->keys; i++)
		rd_copy(r, m->key[i].b, KEY_LEN);
}

static void keys_write(struct wr *w, const struct dht_msg *m)
{
	assert(m->keys <= DHT_K);
	wr_u8(w, (uint8_t)m->keys);
	for (size_t i = 0; i < m->keys; i++)
		wr_copy(w, m->key[i].b, KEY_LEN);
}

static void record_bytes_read(struct rd *r, struct dht_bytes *b)
{
	struct rd in = rd_block(r, RECORD_LEN_MAX);

	*b = (struct dht_bytes){ in.p, rd_left(&in) };
}

static void find_read(struct rd *r, struct dht_msg *m) { rd_copy(r, m->name.key.b, ID_LEN); }
static void find_write(struct wr *w, const struct dht_msg *m) { wr_copy(w, m->name.key.b, ID_LEN); }

static void get_read(struct rd *r, struct dht_msg *m)
{
	m->name.kind = rd_u8(r);
	rd_copy(r, m->name.key.b, ID_LEN);
}

static void get_write(struct wr *w, const struct dht_msg *m)
{
	wr_u8(w, m->name.kind);
	wr_copy(w, m->name.key.b, ID_LEN);
}

static void values_read(struct rd *r, struct dht_msg *m)
{
	uint8_t count = rd_u8(r);

	m->more = count & DHT_MSG_MORE;
	m->records = count & ~DHT_MSG_MORE;
	if (m->records > DHT_MSG_RECORDS_MAX) {
		r->bad = true;
		m->records = 0;
	}
	for (size_t i = 0; i < m->records; i++)
		record_bytes_read(r, &m->record[i]);
	keys_read(r, m);
}

static void values_write(struct wr *w, const struct dht_msg *m)
{
	assert(m->records <= DHT_MSG_RECORDS_MAX);
	wr_u8(w, (uint8_t)(m->records | (m->more ? DHT_MSG_MORE : 0)));
	for (size_t i = 0; i < m->records; i++)
		wr_block(w, m->record[i].p, m->record[i].len);
	keys_write(w, m);
}

static void put_read(struct rd *r, struct dht_msg *m)
{
	m->records = 1;
	record_bytes_read(r, &m->record[0]);
	m->wish = rd_u8(r);
}

static void put_write(struct wr *w, const struct dht_msg *m)
{
	assert(m->records == 1);
	wr_block(w, m->record[0].p, m->record[0].len);
	wr_u8(w, m->wish);
}

static void stored_read(struct rd *r, struct dht_msg *m)
{
	m->status = rd_u8(r);
	keys_read(r, m);
}

static void stored_write(struct wr *w, const struct dht_msg *m)
{
	wr_u8(w, m->status);
	keys_write(w, m);
}

static const struct {
	const char *name;
	size_t len_min; /* of the body */
	void (*read)(struct rd *r, struct dht_msg *m);
	void (*write)(struct wr *w, const struct dht_msg *m);
} msgs[] = {
	[DHT_MSG_PING] = { "ping", 0, nothing_read, nothing_write },
	[DHT_MSG_PONG] = { "pong", 0, nothing_read, nothing_write },
	[DHT_MSG_FIND] = { "find", ID_LEN, find_read, find_write },
	[DHT_MSG_NODES] = { "nodes", 1, keys_read, keys_write },
	[DHT_MSG_GET] = { "get", 1 + ID_LEN, get_read, get_write },
	[DHT_MSG_VALUES] = { "values", 2, values_read, values_write },
	[DHT_MSG_PUT] = { "put", 3, put_read, put_write },
	[DHT_MSG_STORED] = { "stored", 2, stored_read, stored_write },
};
_Static_assert(ARRAY_LEN(msgs) == DHT_MSG_TYPES, "every message type has a row");

enum drop dht_msg_read(struct dht_msg *m, const uint8_t *bytes, size_t len)
{
	struct rd r = rd_of(bytes, len);
	uint8_t first = rd_u8(&r), type = first & ~DHT_MSG_CLIENT;
	uint64_t id = rd_u64(&r);

	*m = (struct dht_msg){ .id = id, .client = first & DHT_MSG_CLIENT };
	if (!rd_ok(&r))
		return DROP_SHORT;
	if (type >= DHT_MSG_TYPES || !msgs[type].read ||
	    (m->client && !dht_msg_is_request(type)))
		return DROP_UNKNOWN;
	if (rd_left(&r) < msgs[type].len_min)
		return DROP_SHORT;
	m->type = type;
	msgs[type].read(&r, m);
	return rd_done(&r) ? DROP_NONE : DROP_MALFORMED;
}

size_t dht_msg_write(uint8_t *out, size_t size, const struct dht_msg *m)
{
	struct wr w = wr_of(out, size);

	assert(m->type > 0 && m->type < DHT_MSG_TYPES);
	assert(!m->client || dht_msg_is_request(m->type));
	wr_u8(&w, (uint8_t)(m->type | (m->client ? DHT_MSG_CLIENT : 0)));
	wr_u64(&w, m->id);
	msgs[m->type].write(&w, m);
	assert(wr_ok(&w));
	return wr_len(&w);
}

bool dht_msg_is_request(enum dht_msg_type type) { return type % 2 == 1; }

bool dht_msg_has(const struct dht_msg *m)
{
	return m->type == DHT_MSG_STORED &&
	       (m->status == DHT_STORED_OK || m->status == DHT_STORED_HELD);
}

const char *dht_msg_name(enum dht_msg_type type)
{
	assert(type > 0 && type < DHT_MSG_TYPES);
	return msgs[type].name;
}
