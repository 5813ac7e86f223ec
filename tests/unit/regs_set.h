/* regs_set.h - several keepers from the start in the world of regs_world.h: what growing would have
 * left on their disks is written by hand. */
#ifndef TESTS_UNIT_REGS_SET_H
#define TESTS_UNIT_REGS_SET_H

#include "tests/unit/regs_people.h"

static inline void rw_record(struct rw_node *n, const void *key, size_t key_len, const void *value,
			     size_t len)
{
	struct rw_stored s = { .key_len = key_len, .len = len, .value = mem_copy(value, len) };

	memcpy(s.key, key, key_len);
	rw_to_disk(n, &s);
}

static inline void rw_keeper_records(struct rw_node *n, const struct config *cf,
				     const uint8_t seed[SEED_LEN])
{
	uint8_t b[64];
	struct wr w = wr_of(b, sizeof(b));

	wr_u8(&w, 2);
	wr_u8(&w, 1);
	wr_u32(&w, cf->era);
	wr_u32(&w, cf->epoch);
	wr_copy(&w, seed, SEED_LEN);
	rw_record(n, "e", 1, b, wr_len(&w));
	w = wr_of(b, sizeof(b));
	wr_u8(&w, 1);
	wr_u32(&w, cf->era);
	wr_u32(&w, cf->epoch);
	wr_u8(&w, 0);
	wr_u64(&w, 0);
	rw_record(n, "i", 1, b, wr_len(&w));
	w = wr_of(b, sizeof(b));
	wr_u8(&w, 1);
	wr_u64(&w, n->index + 1);
	wr_u64(&w, 1);
	rw_record(n, "k", 1, b, wr_len(&w));
}

/* Nodes 0 to count-1 become the keeper set, in place of node 0 alone, and restart. */
static inline void rw_make_set(struct rw_world *w, size_t count)
{
	struct config *cf = mem_new(sizeof(*cf));
	uint8_t seed[SEED_LEN];

	cf->epoch = 1;
	cf->root = w->root.pub;
	cf->count = (uint8_t)count;
	cf->quorum = (uint8_t)(count / 2 + 1);
	for (size_t i = 0; i < count; i++)
		rw_stop(&w->node[i], true);
	for (size_t i = 0; i < count; i++) {
		struct rw_node *n = &w->node[i];
		struct key_pair epoch_key;

		memset(seed, 0, sizeof(seed));
		seed[0] = 99;
		seed[1] = (uint8_t)i;
		while (!key_from_seed(&epoch_key, seed))
			seed[2]++;
		cf->members[i] = (struct keeper){ .node = n->key.pub, .incarnation = i + 1,
						  .epoch_key = epoch_key.pub };
		keeper_certify(&cf->members[i], cf, &n->key, &crypto_real);
		rw_keeper_records(n, cf, seed);
	}
	CHECK(config_genesis(cf, &w->root, &crypto_real));
	for (size_t i = 0; i < count; i++)
		rw_record(&w->node[i], "c", 1, cf->bytes, cf->len);
	for (size_t k = 0; k < w->node[0].disk_count; k++) {
		const struct rw_stored *s = &w->node[0].disk[k];

		for (size_t i = 1; s->key[0] == 'r' && i < count; i++)
			rw_record(&w->node[i], s->key, s->key_len, s->value, s->len);
	}
	for (size_t i = 0; i < count; i++)
		rw_start(&w->node[i]);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			rw_attach(&w->node[i], &w->node[k]);
	free(cf);
	rw_run(w, SEC(7));
	for (size_t i = 0; i < count; i++)
		CHECK(regs_is_keeper(w->node[i].regs));
}

/* A namespace with that many keepers and a token (1) for more members. */
static inline struct rw_world *rw_new_set(uint64_t seed, size_t keepers)
{
	struct rw_world *w = rw_new(seed);

	CHECK(rw_create(w));
	CHECK_EQ_INT(rw_token(w, 1, 100, 86400), REG_OK);
	for (size_t i = 1; i < keepers; i++)
		rw_join(w, 1, "keeper");
	rw_make_set(w, keepers);
	return w;
}

#endif
