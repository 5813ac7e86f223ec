/* fuzz_copy.c - cells that another keeper sends, docs/protocol.md 8.9.
 *
 * Input: one byte; bit 0: the acceptor votes; bit 1: its own copies are doubted; then pieces: length 2,
 * entries. Then: what is not taken is not kept; all that is here goes to a third acceptor, by copying
 * and from the disk, and is the same there. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dht/entry.h"
#include "tests/fuzz/fuzz.h"

#define NOW SEC(100000)
#define RECORDS_MAX 8192
#define LATE_MAX (1024 * 1024)

struct record {
	size_t key_len, len;
	uint8_t bytes[]; /* key, value */
};

struct shop { /* an acceptor with a disk that answers when told to */
	struct acceptor a;
	uint64_t first, last;
	struct record *disk[RECORDS_MAX]; /* all writes, in their order */
	size_t count;
	bool doubts;
};

static void on_random(void *ctx, void *out, size_t len)
{
	(void)ctx;
	memset(out, 9, len);
}

static void on_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
		       const uint8_t *value, size_t len)
{
	struct shop *s = ctx;
	struct record *r = mem_new(sizeof(*r) + key_len + len);

	assert(s->count < RECORDS_MAX);
	r->key_len = key_len;
	r->len = len;
	memcpy(r->bytes, key, key_len);
	if (len)
		memcpy(r->bytes + key_len, value, len);
	s->disk[s->count++] = r;
	s->last = op;
}

static void on_valued(void *ctx, struct cell *c, const struct reg_value *old,
		      const struct reg_value *new)
{
	(void)ctx;
	(void)c;
	(void)old;
	assert(new->payload_len <= REG_PAYLOAD_MAX);
}

static bool on_follows(void *ctx, const uint8_t *body, size_t len)
{
	(void)ctx;
	(void)body;
	return len > 0;
}

static enum copy_word on_copy(void *ctx, const struct acceptor_entry *e, const struct cell *c)
{
	struct shop *s = ctx;

	return s->doubts && c && c->value && c->value_len > rd_left(&e->value) ? COPY_REFUSED :
										 COPY_TRUSTED;
}

static struct shop *shop_new(uint32_t epoch, bool doubts)
{
	struct shop *s = mem_new(sizeof(*s));
	struct acceptor_env env = { s, on_random, on_persist, on_valued, on_follows, on_copy };

	s->first = 1;
	s->doubts = doubts;
	acceptor_init(&s->a, &env, 1);
	s->a.crypto = &crypto_real;
	s->a.epoch = epoch;
	return s;
}

static void shop_free(struct shop *s)
{
	acceptor_fini(&s->a);
	for (size_t i = 0; i < s->count; i++)
		free(s->disk[i]);
	free(s);
}

static void flush(struct shop *s)
{
	struct acceptor_reply reply;

	for (; s->first <= s->last; s->first++)
		acceptor_persisted(&s->a, s->first, 0, &reply, NOW);
}

static void same(const struct shop *s, const struct shop *as, bool ages)
{
	struct cell *c, *o;
	size_t at = 0;

	assert(s->a.cells.count == as->a.cells.count);
	while ((c = map_next(&s->a.cells, &at))) {
		o = acceptor_cell(&as->a, &c->name);
		assert(o && ballot_compare(&c->accepted, &o->accepted) == 0);
		assert(c->beacon == o->beacon && c->value_len == o->value_len);
		assert(memcmp(c->value, o->value, c->value_len) == 0);
		assert(!ages || (NOW - c->since) / SEC(1) == (NOW - o->since) / SEC(1));
	}
}

static void copied(struct shop *s)
{
	struct shop *to = shop_new(0, false);
	uint8_t *room = mem_new(COPY_ENTRIES_MAX);
	uint64_t position = 0, before;

	do {
		size_t n;
		struct rd in;

		before = position;
		n = acceptor_give(&s->a, &position, room, COPY_ENTRIES_MAX, NOW);
		in = rd_of(room, n);
		assert(acceptor_take(&to->a, &in, NOW));
		flush(to);
	} while (position != before);
	assert(position == s->a.position);
	same(s, to, true);
	free(room);
	shop_free(to);
}

static void restored(const struct shop *s)
{
	struct shop *to = shop_new(0, false);

	for (size_t i = 0; i < s->count; i++) {
		const struct record *r = s->disk[i];

		assert(acceptor_restore(&to->a, r->bytes + 1, r->key_len - 1,
					r->bytes + r->key_len, r->len));
	}
	acceptor_started(&to->a, NOW);
	assert(to->a.position == s->a.position);
	same(s, to, false);
	shop_free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rd in = rd_of(data, len);
	uint8_t how = rd_u8(&in);
	struct shop *s = shop_new(how & 1, how & 2);

	while (rd_left(&in) >= 2 && s->count < RECORDS_MAX / 2) {
		size_t n = rd_u16(&in), cells = s->a.cells.count;
		struct rd piece;

		n = n < rd_left(&in) ? n : rd_left(&in);
		piece = rd_of(rd_bytes(&in, n), n);
		if (!acceptor_take(&s->a, &piece, NOW))
			assert(s->a.cells.count == cells);
		assert(s->a.late_len <= LATE_MAX);
		flush(s);
	}
	s->a.sealed = true;
	while (!acceptor_take_late(&s->a, NOW))
		flush(s);
	assert(!s->a.late);
	flush(s);
	copied(s);
	restored(s);
	shop_free(s);
	return 0;
}
