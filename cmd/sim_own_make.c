/* sim_own_make.c - how every schedule begins: for 1, 3 and 5 keepers the disks of people who are
 * members. The keepers' state is made by the product: the root enrols everybody through them. Their
 * own keys and the genesis are written by hand, as `create` would. */
#include <assert.h>
#include <string.h>

#include "base/list.h"
#include "cmd/sim_own_crypto.h"
#include "cmd/sim_own_impl.h"

#define RIGHTS_KEEPER (RIGHT_KEEPER | RIGHT_ADMIN)
#define EPOCH_SEED 99
#define INCARNATION 1000

static const uint8_t sizes[OW_SETS] = { 1, 3, 5 };

static void key_make(struct key_pair *k, uint8_t kind, uint8_t number)
{
	uint8_t seed[SEED_LEN] = { kind, number };

	while (!key_from_seed(k, seed))
		seed[2]++;
}

static void record(struct ow_process *p, char key, const void *b, size_t len)
{
	uint8_t k = (uint8_t)key;

	ow_disk_write(p, 0, &k, 1, b, len);
	p->w->now += SEC(1);
	for (uint64_t op = 0; ;) {
		int result;

		if (!ow_disk_due(p, &op, &result))
			break;
	}
}

static struct key_pair epoch_key(size_t i, uint8_t seed[SEED_LEN])
{
	struct key_pair k;

	memset(seed, 0, SEED_LEN);
	seed[0] = EPOCH_SEED;
	seed[1] = (uint8_t)i;
	while (!key_from_seed(&k, seed))
		seed[2]++;
	return k;
}

static void genesis(struct ow_world *w, struct config *cf, uint8_t count)
{
	*cf = (struct config){ .root = w->root.pub, .epoch = 1, .count = count,
			       .quorum = (uint8_t)(count / 2 + 1) };
	for (size_t i = 0; i < count; i++) {
		uint8_t seed[SEED_LEN];
		struct keeper *m = &cf->members[i];

		*m = (struct keeper){ .node = w->person[i].pub, .incarnation = INCARNATION + i,
				      .epoch_key = epoch_key(i, seed).pub };
		keeper_certify(m, cf, &w->person[i], &crypto_quick);
	}
	if (!config_genesis(cf, &w->root, &crypto_quick))
		assert(!"a genesis of 1, 3 or 5");
}

static void keeper_records(struct ow_process *p, size_t i)
{
	uint8_t b[64], seed[SEED_LEN];
	struct wr w = wr_of(b, sizeof(b));

	epoch_key(i, seed);
	wr_u8(&w, 1);
	wr_u32(&w, 0);
	wr_u32(&w, 1);
	wr_copy(&w, seed, SEED_LEN);
	record(p, 'e', b, wr_len(&w));
	w = wr_of(b, sizeof(b));
	wr_u8(&w, 1);
	wr_u64(&w, INCARNATION + i);
	wr_u64(&w, 1);
	record(p, 'k', b, wr_len(&w));
}

static void common_records(struct ow_process *p, const struct config *cf)
{
	struct ow_world *world = p->w;
	uint8_t b[SETTINGS_MAX], secret[32] = { 5 };
	struct wr w = wr_of(b, sizeof(b));
	size_t n;

	record(p, 'c', cf->bytes, cf->len);
	wr_u64(&w, OW_WALL);
	wr_u64(&w, 0);
	wr_u8(&w, 1);
	wr_u32(&w, 1);
	wr_copy(&w, secret, sizeof(secret));
	record(p, 'x', b, wr_len(&w));
	n = settings_write(b, sizeof(b), &world->settings, &crypto_quick, &world->root);
	assert(n);
	record(p, 's', b, n);
}

/* An operation of the root at the first keeper; its grant is left in w->answer. */
static void ask(struct ow_world *w, struct reg_op *req)
{
	w->answer_len = 0;
	ow_submit(&w->process[0], req, &w->root);
	ow_run(w, w->now + SEC(8));
	if (!w->answer_len)
		ow_wrong(w, "the root cannot make the namespace");
}

static void enrol(struct ow_world *w, size_t person, uint8_t keepers)
{
	struct member_payload p = { .rights = person < keepers || person < 8 ? RIGHTS_KEEPER : 0 };
	uint8_t payload[REG_PAYLOAD_MAX];
	struct wr out = wr_of(payload, sizeof(payload));
	struct reg_op req = { .verb = OP_MEMBER_SET, .payload = payload };

	req.name = reg_name_key(REG_MEMBER, w->person[person].pub.b, KEY_LEN);
	wr_member_payload(&out, &p);
	req.payload_len = wr_len(&out);
	ask(w, &req);
}

static void token(struct ow_world *w, const uint8_t seed[SEED_LEN], uint16_t uses)
{
	struct token_payload p = { .uses = uses, .expires = OW_WALL + 1000000 };
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

static void reset(struct ow_world *w)
{
	sim_rng_seed(&w->rng, 1);
	sim_audit_clear(w->audit);
	w->processes = 0;
	w->now = OW_BEGIN;
	w->end = USEC_NEVER;
	w->rules.net = (struct ow_net){ .delay = MSEC(5), .jitter = MSEC(5) };
	for (size_t i = 0; i < OW_PEOPLE; i++) {
		struct ow_process *p = ow_process_new(w, i);

		ow_disk_clear(p);
		p->quiet = true;
	}
}

static void make_one(struct ow_world *w, size_t set)
{
	uint8_t count = sizes[set];
	struct config cf;

	reset(w);
	w->rules.keepers = count;
	genesis(w, &cf, count);
	for (size_t i = 0; i < OW_PEOPLE; i++) {
		common_records(&w->process[i], &cf);
		if (i < count)
			keeper_records(&w->process[i], i);
	}
	for (size_t i = 0; i < count; i++)
		ow_start(&w->process[i], true);
	token(w, w->token_seed, REG_USES_MAX);
	token(w, w->single_seed, 1);
	for (size_t i = 0; i < OW_PEOPLE; i++) {
		enrol(w, i, count);
		record(&w->process[i], 'm', w->answer, w->answer_len);
	}
	ow_run(w, w->now + SEC(2));
	for (size_t i = 0; i < OW_PEOPLE; i++) {
		ow_stop(&w->process[i], false);
		ow_snapshot_take(w, &w->base[set][i], &w->process[i].disk);
	}
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
	for (size_t i = 0; i < OW_PERSONS; i++)
		key_make(&w->person[i], 2, (uint8_t)i);
	seed_of(w->token_seed, 3);
	seed_of(w->single_seed, 4);
	w->settings = (struct settings){ .root = w->root.pub, .number = 1, .name = "own",
					 .lease = OW_LEASE, .mtu = 1420 };
	prefix_parse(&w->settings.subnet, "10.7.0.0/29");
	reg_name_host(&w->hot_name, "web");
}

void ow_make(struct ow_world *w)
{
	for (size_t set = 0; set < OW_SETS; set++)
		make_one(w, set);
}
