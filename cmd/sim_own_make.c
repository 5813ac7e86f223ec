/* sim_own_make.c - how every schedule begins: for 1, 3 and 5 keepers the disks of people who are
 * members. All of it is made by the product: one creates the namespace, the others enrol by a
 * token, the keeper set grows, and each time everybody is stopped and the disks are kept. */
#include <assert.h>
#include <string.h>

#include "base/list.h"
#include "cmd/sim_own_impl.h"

#define OP_WAIT SEC(8)
#define CHANGE_WAIT SEC(60)
#define OW_GROWN 10

static const uint8_t sizes[OW_SETS] = { 1, 3, 5, 7 };

static void key_make(struct key_pair *k, uint8_t kind, uint8_t number)
{
	uint8_t seed[SEED_LEN] = { kind, number };

	while (!key_from_seed(k, seed))
		seed[2]++;
}

static void seed_of(uint8_t seed[SEED_LEN], uint8_t kind)
{
	struct key_pair k;

	memset(seed, 0, SEED_LEN);
	seed[0] = kind;
	while (!key_from_seed(&k, seed))
		seed[2]++;
}

void ow_people(struct ow_world *w)
{
	key_make(&w->root, 1, 0);
	for (size_t i = 0; i < w->size.persons; i++)
		key_make(&w->person[i], (uint8_t)(2 + 8 * (i >> 8)), (uint8_t)i);
	for (size_t i = 0; i < OW_TOKEN_SETS; i++)
		seed_of(w->token_seed[i], (uint8_t)(100 + i));
	seed_of(w->single_seed, 4);
	w->settings = (struct settings){ .root = w->root.pub, .number = 1, .name = "own",
					 .subnet = w->settings.subnet, .lease = w->size.lease,
					 .mtu = 1420, .hardened = w->size.hardened };
	reg_name_host(&w->hot_name, "web");
}

/* An operation of the root at the first keeper; its grant is left in w->answer. */
static void ask(struct ow_world *w, struct reg_op *req)
{
	w->answer_len = 0;
	ow_submit(&w->process[0], req, &w->root);
	ow_settle(&w->process[0]);
	ow_run(w, w->now + OP_WAIT);
	if (!w->answer_len)
		ow_wrong(w, "the root cannot make a token");
}

static void token(struct ow_world *w, const uint8_t seed[SEED_LEN], uint16_t uses)
{
	struct token_payload p = { .uses = uses, .expires = OW_WALL + 1000000,
				   .rights = uses > 1 ? RIGHT_KEEPER : 0 };
	uint8_t payload[REG_PAYLOAD_MAX], id[32];
	struct wr out = wr_of(payload, sizeof(payload));
	struct reg_op req = { .verb = OP_TOKEN_CREATE, .payload = payload };
	struct key_pair k;

	key_from_seed(&k, seed);
	token_id(id, &k.pub);
	req.name = reg_name_key(REG_TOKEN, id, sizeof(id));
	wr_token_payload(&out, &p);
	req.payload_len = wr_len(&out);
	ask(w, &req);
}

void ow_enrol(struct ow_process *p, const struct config *cf, const uint8_t seed[SEED_LEN])
{
	struct checkpoint cp = { .era = cf->era, .epoch = cf->epoch };
	struct pubkey keepers[KEEPERS_MAX];

	memcpy(cp.hash, cf->hash, sizeof(cp.hash));
	for (size_t k = 0; k < cf->count; k++)
		keepers[k] = cf->members[(k + p->person) % cf->count].node;
	regs_trust(p->regs, &cp, keepers, cf->count);
	regs_enrol(p->regs, ++p->last_op, seed, "node", ow_now(p));
	ow_settle(p);
}

static void create(struct ow_world *w)
{
	struct ow_process *first = &w->process[0];

	ow_start(first);
	regs_create(first->regs, &w->root, &w->settings, "first", ow_now(first));
	ow_settle(first);
	ow_run(w, w->now + OP_WAIT);
	if (!regs_is_keeper(first->regs)) {
		ow_wrong(w, "nobody can create a namespace");
		return;
	}
	for (size_t i = 0; i * OW_TOKEN_USES < w->size.members; i++)
		token(w, w->token_seed[i], REG_USES_MAX);
	token(w, w->single_seed, 1);
	for (size_t i = 1; i < w->size.members; i++) {
		ow_start(&w->process[i]);
		ow_enrol(&w->process[i], regs_keepers(first->regs), w->token_seed[i / OW_TOKEN_USES]);
		if (i % 10 == 0) /* keepers take so many a second */
			ow_run(w, w->now + SEC(1));
	}
	ow_run(w, w->now + OP_WAIT);
}

/* The first `count` people become the keepers. */
static void grow(struct ow_world *w, uint8_t count)
{
	struct regs *r = w->process[0].regs;
	struct keeper_set set = { .count = count,
				  .quorum = regs_keeper_quorum(count, w->size.hardened) };
	usec_t end = w->now + CHANGE_WAIT;

	for (size_t i = 0; i < count; i++)
		set.node[i] = w->person[i].pub;
	if (regs_change_keepers(r, &set, ow_now(&w->process[0])) != 0)
		ow_wrong(w, "the keeper set does not grow");
	ow_settle(&w->process[0]);
	while (w->now < end && (regs_keepers(r)->count != count || regs_is_changing(r)))
		ow_run(w, w->now + SEC(1));
	if (regs_keepers(r)->count != count)
		ow_wrong(w, "the keeper set did not grow");
	ow_run(w, w->now + OP_WAIT); /* everybody has heard of it, and disks are quiet */
}

static size_t sets_of(const struct ow_world *w)
{
	return w->size.hardened ? OW_SETS : OW_SETS - 1;
}

static void keep(struct ow_world *w, size_t set)
{
	for (size_t i = 0; i < w->size.members; i++) {
		ow_stop(&w->process[i], false);
		ow_snapshot_take(w, &w->base[set][i], &w->process[i].disk);
	}
	for (size_t i = 0; set + 1 < sets_of(w) && i < w->size.members; i++)
		ow_start(&w->process[i]);
	ow_run(w, w->now + OP_WAIT);
}

void ow_load(struct ow_world *w, size_t set)
{
	for (size_t i = 0; i < w->size.persons; i++) {
		ow_disk_load(ow_process_new(w, i), &w->base[set][i]);
		ow_snapshot_clear(w, &w->old[i]);
	}
}

void ow_make(struct ow_world *w)
{
	sim_rng_seed(&w->rng, 1);
	w->now = OW_BEGIN;
	w->end = USEC_NEVER;
	w->rules.keepers = OW_GROWN; /* those attach to each other */
	w->rules.net = (struct ow_net){ .delay = MSEC(5), .jitter = MSEC(5) };
	for (size_t i = 0; i < w->size.members; i++)
		ow_disk_clear(ow_process_new(w, i));
	create(w);
	for (size_t set = 0; set < sets_of(w) && !w->wrong[0]; set++) {
		if (sizes[set] > 1)
			grow(w, sizes[set]);
		if (!w->wrong[0])
			keep(w, set);
	}
	assert(w->now < 2 * OW_BEGIN); /* schedules begin then */
}
