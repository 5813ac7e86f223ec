/* keeper_store.c - what makes a keeper this keeper, and what of it outlasts a restart.
 *
 * Durable: 'e' = version 2, count 1, count x (era 4, epoch 4, seed of that epoch's key 32); 'k' =
 * version 1, incarnation 8, starts 8; 'i' = version 1, era 4, epoch 4 served, sealed 1, position 8;
 * 'r...' = acceptor_store.c; 'p' = acceptor_floor.c. Writes become durable in the order in which they
 * were made, so the epoch key is on disk before the first signature made with it leaves; one that
 * fails silences the keeper until it has been repeated with success.
 *
 * At most two epoch keys are kept: of the newest set, and of the one that this node stands for. Those
 * of older sets are erased as soon as the proof of their successor is durable: nobody who gets hold
 * of this node later can sign another one. */
#include <assert.h>

#include "base/mutant.h"
#include "dht/keeper_impl.h"

#define KEYS_VERSION 2
#define RECORD_VERSION 1
#define WRITE_AGAIN SEC(1)
#define KEYS_MAX 2

bool own_is_durable(const struct own_write *own) { return !own->pending && !own->failed; }

static void own_store(struct keeper_role *k, struct own_write *own, char key, const struct wr *w)
{
	assert(wr_ok(w));
	own->op = k->next_op++;
	own->pending = true;
	k->env.persist(k->env.ctx, own->op, (const uint8_t *)&key, 1, w->start, wr_len(w));
}

static void keys_store(struct keeper_role *k)
{
	uint8_t record[2 + KEYS_MAX * (4 + 4 + SEED_LEN)], count = 0;
	struct wr w = wr_of(record, sizeof(record));

	for (size_t i = 0; i < KEYS_MAX; i++)
		count += k->keys[i].at.epoch != 0;
	wr_u8(&w, KEYS_VERSION);
	wr_u8(&w, count);
	for (size_t i = 0; i < KEYS_MAX; i++) {
		if (!k->keys[i].at.epoch)
			continue;
		wr_u32(&w, k->keys[i].at.era);
		wr_u32(&w, k->keys[i].at.epoch);
		wr_copy(&w, k->keys[i].pair.secret, SEED_LEN);
	}
	own_store(k, &k->own_keys, 'e', &w);
	sodium_memzero(record, sizeof(record));
}

static void life_store(struct keeper_role *k)
{
	uint8_t record[1 + 8 + 8];
	struct wr w = wr_of(record, sizeof(record));

	wr_u8(&w, RECORD_VERSION);
	wr_u64(&w, k->incarnation);
	wr_u64(&w, k->starts);
	own_store(k, &k->own_life, 'k', &w);
}

void keeper_mark_store(struct keeper_role *k, struct keeper_mark mark)
{
	uint8_t record[1 + 4 + 4 + 1 + 8];
	struct wr w = wr_of(record, sizeof(record));

	k->mark = mark;
	wr_u8(&w, RECORD_VERSION);
	wr_u32(&w, mark.served.era);
	wr_u32(&w, mark.served.epoch);
	wr_u8(&w, mark.sealed);
	wr_u64(&w, k->acceptor.position);
	own_store(k, &k->own_mark, 'i', &w);
}

static void own_answer(struct keeper_role *k, struct own_write *own, uint64_t op, int result)
{
	if (own->op != op)
		return;
	own->pending = false;
	own->failed = result < 0;
	if (own->failed)
		k->write_again = k->now + WRITE_AGAIN;
}

void keeper_own_persisted(struct keeper_role *k, uint64_t op, int result)
{
	own_answer(k, &k->own_keys, op, result);
	own_answer(k, &k->own_life, op, result);
	own_answer(k, &k->own_mark, op, result);
	if (op == k->own_mark.op && result >= 0 && k->mark.sealed &&
	    epoch_is(k->mark.served, epoch_served(k)))
		k->acceptor.sealed_durably = true;
}

void keeper_own_write_again(struct keeper_role *k)
{
	if (k->now < k->write_again)
		return;
	k->write_again = USEC_NEVER;
	if (k->own_keys.failed)
		keys_store(k);
	if (k->own_life.failed)
		life_store(k);
	if (k->own_mark.failed)
		keeper_mark_store(k, k->mark);
	if (!acceptor_write_again(&k->acceptor))
		k->write_again = k->now + WRITE_AGAIN;
}

/* --- epoch keys --- */

const struct epoch_key *keeper_key(const struct keeper_role *k, struct epoch_at at)
{
	for (size_t i = 0; i < KEYS_MAX; i++)
		if (at.epoch && epoch_is(k->keys[i].at, at))
			return &k->keys[i];
	return NULL;
}

/* The faults that a keeper without memory would make need a key that comes back after its loss. */
static void seed_draw(struct keeper_role *k, struct epoch_at at, uint8_t seed[SEED_LEN])
{
	k->env.random(k->env.ctx, seed, SEED_LEN);
	if (MUTANT(AMNESIA) || MUTANT(REINSTALL)) {
		struct key_pair pair;

		hash_of(seed, SEED_LEN, "mutant", &k->cfg.self.pub, KEY_LEN);
		seed[1] ^= (uint8_t)at.epoch;
		while (!key_from_seed(&pair, seed))
			seed[0]++;
	}
}

const struct epoch_key *keeper_key_make(struct keeper_role *k, struct epoch_at at)
{
	struct epoch_key *to = &k->keys[0];
	uint8_t seed[SEED_LEN];

	if (keeper_key(k, at))
		return keeper_key(k, at);
	/* The older of two is not of the newest set, else this would be the third epoch in use. */
	if (k->keys[0].at.epoch && (!k->keys[1].at.epoch ||
				    epoch_is_newer(k->keys[0].at, k->keys[1].at)))
		to = &k->keys[1];
	do
		seed_draw(k, at, seed);
	while (!key_from_seed(&to->pair, seed));
	to->at = at;
	keys_store(k);
	sodium_memzero(seed, sizeof(seed));
	return to;
}

void keeper_keys_retire(struct keeper_role *k, struct epoch_at before)
{
	bool any = false;

	for (size_t i = 0; i < KEYS_MAX; i++) {
		if (!k->keys[i].at.epoch || !epoch_is_newer(before, k->keys[i].at))
			continue;
		sodium_memzero(&k->keys[i], sizeof(k->keys[i]));
		any = true;
	}
	if (any)
		keys_store(k);
}

/* --- restart --- */

static bool keys_restore(struct keeper_role *k, const uint8_t *value, size_t len)
{
	struct rd r = rd_of(value, len);
	uint8_t version = rd_u8(&r), count = rd_u8(&r), seed[SEED_LEN];
	bool good = version == KEYS_VERSION && count <= KEYS_MAX;

	for (size_t i = 0; good && i < count; i++) {
		k->keys[i].at.era = rd_u32(&r);
		k->keys[i].at.epoch = rd_u32(&r);
		rd_copy(&r, seed, sizeof(seed));
		good = rd_ok(&r) && key_from_seed(&k->keys[i].pair, seed);
	}
	if (!good || !rd_done(&r))
		sodium_memzero(k->keys, sizeof(k->keys));
	sodium_memzero(seed, sizeof(seed));
	return good && rd_done(&r);
}

static bool life_restore(struct keeper_role *k, const uint8_t *value, size_t len)
{
	struct rd r = rd_of(value, len);
	uint8_t version = rd_u8(&r);

	k->incarnation = rd_u64(&r);
	k->starts = rd_u64(&r);
	k->has_life = rd_done(&r) && version == RECORD_VERSION;
	return k->has_life;
}

static bool mark_restore(struct keeper_role *k, const uint8_t *value, size_t len)
{
	struct rd r = rd_of(value, len);
	uint8_t version = rd_u8(&r);
	struct keeper_mark m = { .served = { .era = rd_u32(&r) } };
	uint64_t position;

	m.served.epoch = rd_u32(&r);
	m.sealed = rd_u8(&r);
	position = rd_u64(&r);
	if (!rd_done(&r) || version != RECORD_VERSION)
		return false;
	k->mark = m;
	k->acceptor.position = position;
	return true;
}

bool keeper_restore(struct keeper_role *k, const uint8_t *key, size_t key_len,
		    const uint8_t *value, size_t len)
{
	struct rd r = rd_of(key, key_len);

	switch (rd_u8(&r)) {
	case 'e': return rd_done(&r) && keys_restore(k, value, len);
	case 'k': return rd_done(&r) && life_restore(k, value, len);
	case 'i': return rd_done(&r) && mark_restore(k, value, len);
	case 'p': return rd_done(&r) && acceptor_restore_floor(&k->acceptor, value, len);
	case 'r': return acceptor_restore(&k->acceptor, r.p, rd_left(&r), value, len);
	default: return false;
	}
}

void keeper_started(struct keeper_role *k, usec_t now)
{
	k->now = now;
	if (!k->has_life)
		k->env.random(k->env.ctx, &k->incarnation, sizeof(k->incarnation));
	k->has_life = true;
	k->starts++;
	life_store(k);
	epoch_started(k);
	k->began_at = k->acceptor.position;
	if (keeper_enter(k, now))
		keeper_repair(k);
	keeper_leave(k, now);
}

/* Under the old one nothing is said any more, and what it knew is not to be trusted (R12). */
void keeper_reborn(struct keeper_role *k)
{
	k->env.random(k->env.ctx, &k->incarnation, sizeof(k->incarnation));
	life_store(k);
	sodium_memzero(k->keys, sizeof(k->keys));
	keys_store(k);
	copies_end(k);
	k->acceptor.era = k->acceptor.epoch = 0;
	k->acceptor.sealed = k->acceptor.sealed_durably = false;
	keeper_mark_store(k, (struct keeper_mark){ .sealed = false });
}

void keeper_genesis(struct keeper_role *k, const struct key_pair *root, uint32_t era,
		    struct config *out, usec_t now)
{
	struct epoch_at at = { era, 1 };
	struct keeper *self = &out->members[0];
	bool good;

	k->now = now;
	keeper_keys_retire(k, at);
	k->env.random(k->env.ctx, &k->incarnation, sizeof(k->incarnation));
	memset(out, 0, sizeof(*out));
	out->root = root->pub;
	out->era = era;
	out->epoch = at.epoch;
	out->quorum = out->count = 1;
	self->node = k->cfg.self.pub;
	self->incarnation = k->incarnation;
	self->epoch_key = keeper_key_make(k, at)->pair.pub;
	keeper_certify(self, out, &k->cfg.self, k->cfg.crypto);
	good = config_genesis(out, root, k->cfg.crypto);
	assert(good);
	(void)good;
	k->has_life = true;
	k->starts = 1;
	life_store(k);
	keeper_mark_store(k, (struct keeper_mark){ .served = at });
	acceptor_turn(&k->acceptor, era, at.epoch, now);
}
