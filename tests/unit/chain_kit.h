/* chain_kit.h - chains of keeper sets, made by hand, with every key known: of epoch e the members are
 * chain_node(e, i) with the epoch keys chain_key(e, i), three of them, but one in a genesis. */
#ifndef TESTS_UNIT_CHAIN_KIT_H
#define TESTS_UNIT_CHAIN_KIT_H

#include <stdlib.h>

#include "dht/chain.h"
#include "tests/unit/keeper_ops.h"

static inline struct key_pair chain_root(void) { return kit_key(1); }

/* One member stays from epoch to epoch. */
static inline struct key_pair chain_node(uint32_t epoch, uint32_t i)
{
	return kit_key(1000 + epoch + i);
}

static inline struct key_pair chain_key(uint32_t era, uint32_t epoch, uint32_t i)
{
	return kit_key(100000 * (era + 1) + 10 * epoch + i);
}

static inline void chain_members(struct config *cf, uint32_t era, uint32_t epoch)
{
	memset(cf, 0, sizeof(*cf));
	cf->root = chain_root().pub;
	cf->era = era;
	cf->epoch = epoch;
	cf->count = epoch == 1 ? 1 : 3;
	cf->quorum = epoch == 1 ? 1 : 2;
	for (uint32_t i = 0; i < cf->count; i++) {
		struct key_pair node = chain_node(epoch, i);

		cf->members[i] = (struct keeper){ .node = node.pub, .incarnation = 7,
						  .epoch_key = chain_key(era, epoch, i).pub };
		keeper_certify(&cf->members[i], cf, &node, &crypto_real);
	}
}

/* `salt` makes geneses of one era, and successors of one set, differ. */
static inline struct config *chain_genesis(uint32_t era, uint64_t salt)
{
	struct key_pair root = chain_root(), node = chain_node(1, 0);
	struct config cf;

	chain_members(&cf, era, 1);
	cf.members[0].incarnation += salt;
	keeper_certify(&cf.members[0], &cf, &node, &crypto_real);
	CHECK(config_genesis(&cf, &root, &crypto_real));
	return chain_copy(&cf);
}

static inline struct config *chain_prove(const struct config *before, struct config *next)
{
	uint8_t body[CONFIG_BODY_MAX], out[CONFIG_MAX], sigs[KEEPERS_MAX][SIG_LEN];
	struct config_choice choice = { .body = body };
	struct config made;
	size_t len;

	choice.ballot = (struct ballot){ .era = before->era, .epoch = before->epoch, .counter = 3 };
	choice.len = config_body_write(body, sizeof(body), next);
	CHECK(choice.len > 0);
	for (uint32_t i = 0; i < before->quorum; i++) {
		struct key_pair k = chain_key(before->era, before->epoch, i);

		config_sign(sigs[i], &choice, &k, &crypto_real);
	}
	len = config_assemble(out, sizeof(out), &choice, (uint8_t)((1u << before->quorum) - 1), sigs);
	CHECK(config_read(&made, out, len, &before->root, before, &crypto_real));
	return chain_copy(&made);
}

static inline struct config *chain_next(const struct config *before, uint64_t salt)
{
	struct config cf;

	chain_members(&cf, before->era, before->epoch + 1);
	memcpy(cf.previous, before->hash, sizeof(cf.previous));
	for (uint32_t i = 0; i < cf.count; i++) {
		struct key_pair node = chain_node(cf.epoch, i);

		cf.members[i].incarnation += salt;
		keeper_certify(&cf.members[i], &cf, &node, &crypto_real);
	}
	return chain_prove(before, &cf);
}

/* made[e] is of epoch e, from 1 to `last`. */
static inline void chain_make(struct config **made, uint32_t era, uint32_t last)
{
	made[1] = chain_genesis(era, 0);
	for (uint32_t e = 2; e <= last; e++)
		made[e] = chain_next(made[e - 1], 0);
}

static inline void chain_free(struct config **made, uint32_t last)
{
	for (uint32_t e = 1; e <= last; e++)
		free(made[e]);
}

static inline struct checkpoint chain_checkpoint(const struct config *cf)
{
	struct checkpoint cp = { .era = cf->era, .epoch = cf->epoch };

	memcpy(cp.hash, cf->hash, sizeof(cp.hash));
	return cp;
}

/* A grant of an address, by a quorum of that epoch. */
static inline size_t chain_grant(uint8_t *out, size_t size, const struct config *cf,
				 const struct pubkey *owner, const struct reg_name *name)
{
	uint8_t body[GRANT_MAX], sigs[KEEPERS_MAX][SIG_LEN];
	struct wr w = wr_of(body, sizeof(body));
	struct grant g = { .name = *name, .state = REG_HELD, .generation = 1, .owner = *owner,
			   .number = 1, .lease = 86400, .beacon = 1800000000 };

	nsid_of(g.nsid, &cf->root);
	g.ballot = (struct ballot){ .era = cf->era, .epoch = cf->epoch, .counter = 1 };
	wr_grant_body(&w, &g);
	for (uint32_t i = 0; i < cf->quorum; i++) {
		struct key_pair k = chain_key(cf->era, cf->epoch, i);

		crypto_real.sign(sigs[i], &k, GRANT_LABEL, body, wr_len(&w));
	}
	return grant_write(out, size, &g, (uint8_t)((1u << cf->quorum) - 1), sigs);
}

#endif
