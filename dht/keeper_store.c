/* keeper_store.c - the birth of a keeper and what it keeps over a restart.
 *
 * Durable: 'e' = version 1, era 4, epoch 4, seed of the epoch key 32; 'k' = version 1, incarnation
 * 8, starts 8; 'r...' = acceptor.c. Writes become durable in the order in which they were made, so
 * the epoch key is on disk before the first signature made with it leaves; one that fails silences
 * the keeper until it has been repeated with success. */
#include <assert.h>

#include "dht/keeper_impl.h"

#define RECORD_VERSION 1
#define WRITE_AGAIN SEC(1)

static void own_store(struct keeper_role *k, struct own_write *own, char key, const struct wr *w)
{
	own->op = k->next_op++;
	k->env.persist(k->env.ctx, own->op, (const uint8_t *)&key, 1, w->start, wr_len(w));
}

static void key_store(struct keeper_role *k)
{
	uint8_t record[1 + 4 + 4 + SEED_LEN];
	struct wr w = wr_of(record, sizeof(record));

	wr_u8(&w, RECORD_VERSION);
	wr_u32(&w, k->key_era);
	wr_u32(&w, k->key_epoch);
	wr_copy(&w, k->acceptor.epoch_key.secret, SEED_LEN);
	assert(wr_ok(&w));
	own_store(k, &k->own_key, 'e', &w);
	sodium_memzero(record, sizeof(record));
}

static void life_store(struct keeper_role *k)
{
	uint8_t record[1 + 8 + 8];
	struct wr w = wr_of(record, sizeof(record));

	wr_u8(&w, RECORD_VERSION);
	wr_u64(&w, k->incarnation);
	wr_u64(&w, k->starts);
	assert(wr_ok(&w));
	own_store(k, &k->own_life, 'k', &w);
}

static void own_answer(struct keeper_role *k, struct own_write *own, uint64_t op, int result)
{
	if (own->op != op)
		return;
	own->failed = result < 0;
	if (own->failed)
		k->write_again = k->now + WRITE_AGAIN;
}

void keeper_own_persisted(struct keeper_role *k, uint64_t op, int result)
{
	own_answer(k, &k->own_key, op, result);
	own_answer(k, &k->own_life, op, result);
}

void keeper_own_write_again(struct keeper_role *k)
{
	if (k->now < k->write_again)
		return;
	k->write_again = USEC_NEVER;
	if (k->own_key.failed)
		key_store(k);
	if (k->own_life.failed)
		life_store(k);
}

static bool key_restore(struct keeper_role *k, const uint8_t *value, size_t len)
{
	struct rd r = rd_of(value, len);
	uint8_t version = rd_u8(&r), seed[SEED_LEN];

	k->key_era = rd_u32(&r);
	k->key_epoch = rd_u32(&r);
	rd_copy(&r, seed, sizeof(seed));
	k->has_key = rd_done(&r) && version == RECORD_VERSION &&
		     key_from_seed(&k->acceptor.epoch_key, seed);
	sodium_memzero(seed, sizeof(seed));
	return k->has_key;
}

static bool life_restore(struct keeper_role *k, const uint8_t *value, size_t len)
{
	struct rd r = rd_of(value, len);
	uint8_t version = rd_u8(&r);

	k->incarnation = rd_u64(&r);
	k->starts = rd_u64(&r);
	return rd_done(&r) && version == RECORD_VERSION;
}

bool keeper_restore(struct keeper_role *k, const uint8_t *key, size_t key_len,
		    const uint8_t *value, size_t len)
{
	struct rd r = rd_of(key, key_len);

	switch (rd_u8(&r)) {
	case 'e': return rd_done(&r) && key_restore(k, value, len);
	case 'k': return rd_done(&r) && life_restore(k, value, len);
	case 'r': return acceptor_restore(&k->acceptor, r.p, rd_left(&r), value, len);
	default: return false;
	}
}

void keeper_started(struct keeper_role *k, usec_t now)
{
	acceptor_started(&k->acceptor, now);
	if (!keeper_enter(k, now))
		return;
	k->starts++;
	life_store(k);
	keeper_repair(k);
	keeper_leave(k, now);
}

void keeper_genesis(struct keeper_role *k, const struct key_pair *root, uint32_t era,
		    struct config *out, usec_t now)
{
	uint8_t seed[SEED_LEN];
	struct keeper *self = &out->members[0];
	bool good;

	k->now = now;
	do
		k->env.random(k->env.ctx, seed, sizeof(seed));
	while (!key_from_seed(&k->acceptor.epoch_key, seed));
	k->env.random(k->env.ctx, &k->incarnation, sizeof(k->incarnation));
	memset(out, 0, sizeof(*out));
	out->root = root->pub;
	out->era = era;
	out->epoch = 1;
	out->quorum = out->count = 1;
	self->node = k->cfg.self.pub;
	self->incarnation = k->incarnation;
	self->epoch_key = k->acceptor.epoch_key.pub;
	keeper_certify(self, out, &k->cfg.self, k->cfg.crypto);
	good = config_genesis(out, root, k->cfg.crypto);
	assert(good);
	(void)good;
	k->has_key = true;
	k->key_era = era;
	k->key_epoch = out->epoch;
	k->starts = 1;
	key_store(k);
	life_store(k);
	sodium_memzero(seed, sizeof(seed));
}
