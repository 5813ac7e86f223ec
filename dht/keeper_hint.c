/* keeper_hint.c - another address for a claimant whose candidate has an owner.
 *
 * In a nearly full range a claimant would try one address after the other, at the rate that members
 * have. The keeper that answers looks through its own registers for one that seems free. That
 * proves nothing, for what counts is a quorum: it is the claimant's next candidate, no more. Where
 * the probes start and by which odd step they go depends on the claimant and the address refused,
 * so that of many who are refused at one time each is sent elsewhere; over a power of two such a
 * walk meets every address once. PROBES_MAX registers an answer. docs/protocol.md 8.8. */
#include "dht/keeper_impl.h"
#include "dht/pool.h"

#define PROBES_MAX 1024 /* a range of no more addresses is looked through as a whole */

enum use { USE_FREE, USE_TAKEN, USE_UNSURE };

struct walk {
	uint32_t at, step;
};

static struct walk walk_of(const struct keeper_role *k, const struct pubkey *who,
			   const struct reg_name *refused)
{
	uint8_t out[16];
	struct hash h;
	struct rd r = rd_of(out, sizeof(out));
	struct walk w;

	hash_begin(&h, "vpnd hint", sizeof(out));
	hash_add(&h, k->nsid, NSID_LEN);
	hash_add(&h, who->b, KEY_LEN);
	hash_add(&h, refused->b, refused->len);
	hash_end(&h, out);
	w.at = rd_u32(&r);
	w.step = rd_u32(&r) | 1;
	return w;
}

/* As change_claim would find it, by what is known here. */
static bool is_held(const struct keeper_role *k, const struct cell *c)
{
	struct reg_value v;

	return cell_value(c, &v) && v.state == REG_HELD &&
	       (k->now - c->since) / SEC(1) < change_lease_wait(v.lease);
}

static enum use use_of(const struct keeper_role *k, const struct pool *pool,
		       const struct reg_name *name)
{
	enum reg_status share = pool_answer(pool, name);

	if (!rules_address_fits(k, name) || share == REG_OWNED ||
	    is_held(k, keeper_cell(k, name)))
		return USE_TAKEN;
	return share == REG_OK && !proposer_is_busy(&k->proposer, name) ? USE_FREE : USE_UNSURE;
}

static enum reg_status look(const struct keeper_role *k, const struct pool *pool, struct walk w,
			    const struct reg_name *refused, struct ip *hint)
{
	uint32_t last = UINT32_MAX >> pool->subnet.bits;
	uint32_t base = ip_to_v4(&pool->subnet.ip) & ~last;
	uint32_t probes = last < PROBES_MAX ? last + 1 : PROBES_MAX;
	bool full = probes > last;

	for (uint32_t i = 0; i < probes; i++, w.at += w.step) {
		struct ip ip = ip_v4(base + (w.at & last));
		struct reg_name name = reg_name_address(&ip);
		enum use use =
			reg_name_equal(&name, refused) ? USE_TAKEN : use_of(k, pool, &name);

		if (use == USE_FREE) {
			*hint = ip;
			return REG_OWNED;
		}
		full &= use == USE_TAKEN;
	}
	return full ? REG_FULL : REG_OWNED;
}

enum reg_status keeper_hint(struct keeper_role *k, const struct pubkey *who,
			    const struct reg_name *refused, struct ip *hint)
{
	const struct settings *s = k->env.settings(k->env.ctx);
	struct change_world w;
	struct pool pool;

	keeper_world(k, &w);
	if (!s)
		return REG_OWNED;
	pool = (struct pool){ s->subnet, w.era, pool_is_settling(s, w.era, w.wall) };
	return look(k, &pool, walk_of(k, who, refused), refused, hint);
}
