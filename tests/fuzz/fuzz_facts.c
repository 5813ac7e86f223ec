/* fuzz_facts.c - a member that finds anything on its disk: facts, configurations of before and their
 * rivals, leases and transfers under way. Signatures are believed.
 *
 * Input: records: length of the key 1, key, length of the value 2, value. What a node writes it can
 * restore, and then knows the same. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dht/handover.h"
#include "dht/lease.h"
#include "dht/regs_impl.h"
#include "tests/fuzz/fuzz.h"

#define RECORDS_MAX 512

struct record {
	size_t key_len, len;
	uint8_t key[96];
	uint8_t *value;
};

struct life {
	struct regs *regs;
	struct leases *leases;
	struct wall wall;
	struct drops drops;
	struct key_pair key;
	struct settings settings;
	struct record disk[RECORDS_MAX];
	size_t count;
	uint64_t op, lease_op; /* of the last write */
	uint8_t drawn;
};

static void no_sign(uint8_t sig[SIG_LEN], const struct key_pair *k, const char *label,
		    const void *msg, size_t len)
{
	(void)k;
	(void)label;
	(void)msg;
	(void)len;
	memset(sig, 0, SIG_LEN);
}

static void on_random(void *ctx, void *out, size_t len)
{
	struct life *l = ctx;

	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = l->drawn += 7;
}

static void on_send(void *ctx, const struct pubkey *to, uint8_t service, const uint8_t *msg,
		    size_t len)
{
	(void)ctx;
	(void)to;
	assert(msg && len > 0 && (service == 4 || service == 7));
}

static void put(struct life *l, const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	struct record *r = l->disk;

	while (r < l->disk + l->count &&
	       (r->key_len != key_len || memcmp(r->key, key, key_len) != 0))
		r++;
	assert(key_len <= sizeof(r->key) && r < l->disk + RECORDS_MAX);
	if (r == l->disk + l->count)
		*(l->count++, r) = (struct record){ 0 };
	free(r->value);
	r->value = len ? mem_copy(value, len) : NULL;
	r->len = len;
	r->key_len = key_len;
	memcpy(r->key, key, key_len);
	if (!len)
		*r = l->disk[--l->count];
}

static void on_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
		       const uint8_t *value, size_t len)
{
	struct life *l = ctx;

	put(l, key, key_len, value, len);
	*(op & LEASE_OP && !(op & KEEPER_OP) ? &l->lease_op : &l->op) = op;
}

static void on_event(void *ctx, const struct regs_event *e)
{
	(void)ctx;
	(void)e;
}

static void on_lease(void *ctx, const struct lease_event *e)
{
	(void)ctx;
	(void)e;
}

static int on_submit(void *ctx, uint64_t op, const struct reg_op *req, usec_t now)
{
	struct life *l = ctx;

	return regs_submit(l->regs, op, req, NULL, now);
}

static int on_sign(void *ctx, struct reg_op *req, uint8_t out[REG_OP_MAX], usec_t now)
{
	struct life *l = ctx;

	return regs_sign(l->regs, req, out, now);
}

static int on_submit_signed(void *ctx, uint64_t op, const uint8_t *bytes, size_t len, usec_t now)
{
	struct life *l = ctx;

	return regs_submit_signed(l->regs, op, bytes, len, now);
}

static void on_hand(void *ctx, const struct pubkey *to, const struct handover *h)
{
	struct life *l = ctx;
	struct handover copy = *h;

	copy.peer = *to;
	regs_hand(l->regs, &copy, SEC(1000));
}

static void begin(struct life *l, const struct pubkey *root, const struct crypto *c)
{
	struct regs_config cfg = { .self = l->key, .root = *root, .crypto = c, .wall = &l->wall,
				   .drops = &l->drops, .same_machine = true };
	struct regs_env env = { l, on_random, on_send, on_persist, on_event };
	struct lease_config lc = { .self = l->key.pub, .lease = 86400, .same_machine = true,
				   .wall = &l->wall };
	struct lease_env le = { l, on_random, on_submit, on_persist, on_lease, on_sign,
				on_submit_signed, on_hand };

	prefix_parse(&lc.subnet, "10.7.0.0/16");
	nsid_of(lc.nsid, root);
	l->regs = regs_new(&cfg, &env, SEC(1000));
	l->leases = leases_new(&lc, &le, SEC(1000));
}

static bool restore(struct life *l, const uint8_t *key, size_t key_len, const uint8_t *value,
		    size_t len)
{
	return key_len && key[0] == LEASE_KEY ?
		       leases_restore(l->leases, key, key_len, value, len, SEC(1000)) :
		       regs_restore(l->regs, key, key_len, value, len);
}

static void live(struct life *l)
{
	usec_t now = SEC(1000);

	regs_started(l->regs, now);
	leases_started(l->leases, now);
	for (size_t i = 0; i < 40; i++) {
		usec_t next = usec_min(regs_deadline(l->regs), leases_deadline(l->leases));
		uint64_t op = l->op, lease_op = l->lease_op;

		l->op = l->lease_op = 0;
		if (op)
			regs_persisted(l->regs, op, 0, now);
		if (lease_op)
			leases_persisted(l->leases, lease_op, 0, now);
		if (next > SEC(1060))
			break;
		now = next > now ? next : now + 1;
		regs_tick(l->regs, now);
		leases_tick(l->leases, now);
	}
}

static void end(struct life *l)
{
	leases_free(l->leases);
	regs_free(l->regs);
}

static void take_record(struct life *l, struct rd *in)
{
	size_t key_len = rd_u8(in), len;
	const uint8_t *key = rd_bytes(in, key_len), *value;

	len = rd_u16(in);
	len = len < rd_left(in) ? len : rd_left(in);
	value = rd_bytes(in, len);
	if (key && value && restore(l, key, key_len, value, len))
		put(l, key, key_len, value, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct crypto gullible;
	struct rd in = rd_of(data, len);
	struct life *l = mem_new(sizeof(*l));
	struct checkpoint newest = { 0 };
	uint8_t seed[SEED_LEN] = { 1 };
	struct key_pair root;

	gullible = crypto_real;
	gullible.sign = no_sign;
	gullible.verify = fuzz_believe;
	l->wall = (struct wall){ 1800000000, 0 };
	while (!key_from_seed(&root, seed))
		seed[1]++;
	seed[0] = 3;
	while (!key_from_seed(&l->key, seed))
		seed[1]++;
	begin(l, &root.pub, &gullible);
	for (size_t i = 0; i < 64 && rd_left(&in); i++)
		take_record(l, &in);
	live(l);
	if (regs_keepers(l->regs))
		newest.epoch = regs_keepers(l->regs)->epoch;
	assert(!l->regs->facts.chain || l->regs->facts.chain->count <= CHAIN_KEEPER_MAX + 64);
	end(l);
	begin(l, &root.pub, &gullible);
	for (size_t i = 0; i < l->count; i++)
		assert(restore(l, l->disk[i].key, l->disk[i].key_len, l->disk[i].value,
			       l->disk[i].len));
	live(l);
	assert(!newest.epoch || regs_keepers(l->regs));
	end(l);
	for (size_t i = 0; i < l->count; i++)
		free(l->disk[i].value);
	free(l);
	return 0;
}
