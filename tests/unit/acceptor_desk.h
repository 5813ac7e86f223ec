/* acceptor_desk.h - one acceptor, and a disk that answers when it is told to. For tests of acceptor*.c. */
#ifndef TESTS_UNIT_ACCEPTOR_DESK_H
#define TESTS_UNIT_ACCEPTOR_DESK_H

#include <stdlib.h>

#include "dht/acceptor.h"
#include "dht/entry.h"
#include "dht/regs.h"
#include "tests/unit/keeper_ops.h"

#define NOW SEC(10000)
#define RECORD_MAX 400
#define RECORDS 1200
struct record {
	uint8_t key[80], value[RECORD_MAX];
	size_t key_len, len;
};

struct desk { /* an acceptor, and a disk that answers when it is told to */
	struct acceptor a;
	uint64_t first, last; /* writes not answered yet */
	struct record *log; /* all writes, by op - 1; NULL: they are only counted */
	struct acceptor_reply reply;
};

static inline void desk_random(void *ctx, void *out, size_t len)
{
	(void)ctx;
	memset(out, 9, len);
}

static inline void desk_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			 const uint8_t *value, size_t len)
{
	struct desk *d = ctx;
	struct record *r;

	d->last = op;
	if (!d->log)
		return;
	CHECK(op <= RECORDS && len <= RECORD_MAX);
	r = &d->log[op - 1];
	memcpy(r->key, key, r->key_len = key_len);
	if (len)
		memcpy(r->value, value, len);
	r->len = len;
}

static inline void desk_valued(void *ctx, struct cell *c, const struct reg_value *old,
			const struct reg_value *new)
{
	(void)ctx, (void)c, (void)old, (void)new;
}

static inline bool desk_follows(void *ctx, const uint8_t *body, size_t len)
{
	(void)ctx;
	return len == 4 && memcmp(body, "next", 4) == 0;
}

static inline void desk_open(struct desk *d, size_t keep, bool logs)
{
	struct acceptor_env env = { .ctx = d, .random = desk_random, .persist = desk_persist,
				    .valued = desk_valued, .follows = desk_follows };

	memset(d, 0, sizeof(*d));
	d->first = 1;
	d->log = logs ? calloc(RECORDS, sizeof(*d->log)) : NULL;
	acceptor_init(&d->a, &env, 1);
	d->a.crypto = &crypto_real;
	d->a.epoch = 1;
	d->a.epoch_key = kit_key(100);
	if (keep)
		d->a.promises.keep = keep;
}

static inline void desk_close(struct desk *d)
{
	acceptor_fini(&d->a);
	free(d->log);
}

/* One write ends. */
static inline void desk_answer(struct desk *d, int result)
{
	acceptor_persisted(&d->a, d->first++, result, &d->reply, NOW);
}

static inline void desk_flush(struct desk *d, int result)
{
	while (d->first <= d->last)
		desk_answer(d, result);
}

static inline bool is_last_of_key(const struct desk *d, size_t at, size_t writes)
{
	const struct record *r = &d->log[at];

	for (size_t i = at + 1; i < writes; i++)
		if (d->log[i].key_len == r->key_len &&
		    memcmp(d->log[i].key, r->key, r->key_len) == 0)
			return false;
	return true;
}

/* What starts from a disk on which the first `writes` are. */
static inline void desk_restart(struct desk *to, const struct desk *d, size_t writes)
{
	desk_open(to, d->a.promises.keep, false);
	for (size_t i = 0; i < writes; i++) {
		const struct record *r = &d->log[i];

		if (!r->len || !is_last_of_key(d, i, writes))
			continue;
		CHECK(r->key[0] == 'p' ?
			      acceptor_restore_floor(&to->a, r->value, r->len) :
			      acceptor_restore(&to->a, r->key + 1, r->key_len - 1, r->value,
					       r->len));
	}
	acceptor_started(&to->a, NOW);
}

static inline size_t held(uint8_t out[200], uint8_t owner)
{
	struct reg_value v = { .state = REG_HELD, .generation = 1, .lease = 60 };
	struct wr w = wr_of(out, 200);

	v.owner.b[0] = owner;
	wr_reg_value(&w, &v);
	return wr_len(&w);
}

/* True: refused at once. */
static inline bool accept(struct desk *d, uint32_t n, uint64_t counter)
{
	uint8_t value[200];
	struct regmsg m = { .type = REGMSG_ACCEPT, .request = counter, .name = nth_address(n),
			    .ballot = { 0, d->a.epoch, counter, 0 }, .bytes = value };
	struct pubkey from = kit_key(1).pub;

	m.len = held(value, 7);
	return acceptor_accept(&d->a, &from, &m, &d->reply, NOW);
}

static inline bool prepare(struct desk *d, uint32_t n, uint64_t counter)
{
	struct regmsg m = { .type = REGMSG_PREPARE, .request = counter, .name = nth_address(n),
			    .ballot = { 0, d->a.epoch, counter, 0 } };
	struct pubkey from = { { 1 } };

	return acceptor_prepare(&d->a, &from, &m, &d->reply, NOW);
}

static inline bool has(const struct desk *d, uint32_t n)
{
	struct reg_name name = nth_address(n);

	return acceptor_cell(&d->a, &name) != NULL;
}

static inline uint64_t promised(const struct desk *d, uint32_t n)
{
	struct reg_name name = nth_address(n);

	return acceptor_promised(&d->a, &name).counter;
}

/* Of `keep` + 1 names the oldest has been forgotten, and with it what was promised: 9. */
static inline void desk_forget(struct desk *d, size_t keep)
{
	desk_open(d, keep, true);
	CHECK(!prepare(d, 1, 9));
	for (uint32_t n = 2; n <= keep + 1; n++)
		CHECK(!prepare(d, n, 3));
	desk_flush(d, 0);
	CHECK(!has(d, 1));
	CHECK_EQ_INT(d->a.cells.count, keep);
}

#endif
