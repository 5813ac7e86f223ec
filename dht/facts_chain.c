/* facts_chain.c - keeper configurations as this node keeps them: the newest is a fact, those before
 * it are links of a chain; what each is worth says chain.c.
 *
 * Durable: 'h', era 4, epoch 4 = a configuration before the newest; 'y', era, epoch = a rival of
 * one, the evidence of a fork, which therefore outlasts a restart. What comes from our own disk was
 * judged before: a record that was damaged is refused by its certificates, and one whose proofs do
 * not fit is kept for judging grants, but never told to others. The newest is written after the one
 * that it follows, so after a crash one of them is there. A keeper keeps CHAIN_KEEPER_MAX, others
 * CHAIN_MEMBER_MAX; rivals, one an era, are kept. */
#include "dht/regs_impl.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define LINK_KEY 'h'
#define RIVAL_KEY 'y'
#define LINK_KEY_LEN 9
#define WRITE_AGAIN SEC(1)

struct chain_view facts_chain(const struct regs *r)
{
	return (struct chain_view){ .newest = r->facts.config,
				    .proven = r->facts.config_proven,
				    .older = r->facts.chain,
				    .trust = r->has_trust ? &r->trust : NULL };
}

const struct config *facts_config_of(const struct regs *r, uint32_t era, uint32_t epoch)
{
	struct chain_view v = facts_chain(r);

	return chain_find(&v, era, epoch);
}

/* --- the disk --- */

static void link_persist(struct regs *r, struct chain_link *l, size_t len)
{
	uint8_t key[LINK_KEY_LEN];
	struct wr w = wr_of(key, sizeof(key));

	wr_u8(&w, l->rival ? RIVAL_KEY : LINK_KEY);
	wr_u32(&w, l->config->era);
	wr_u32(&w, l->config->epoch);
	assert(wr_ok(&w));
	l->op = ++r->facts.last_op;
	l->dirty = false;
	r->env.persist(r->env.ctx, l->op, key, sizeof(key), l->config->bytes, len);
}

void facts_chain_write(struct regs *r)
{
	struct chain *ch = r->facts.chain;

	for (size_t i = 0; ch && i < ch->count; i++)
		if (ch->links[i].dirty && !ch->links[i].op)
			link_persist(r, &ch->links[i], ch->links[i].config->len);
}

bool facts_chain_persisted(struct regs *r, uint64_t op, int result)
{
	struct chain *ch = r->facts.chain;

	for (size_t i = 0; ch && i < ch->count; i++) {
		struct chain_link *l = &ch->links[i];

		if (l->op != op)
			continue;
		l->op = 0;
		l->dirty |= result < 0;
		if (l->dirty)
			timer_set(&r->timers, &r->facts.timer, r->now + WRITE_AGAIN);
		return true;
	}
	return false;
}

bool facts_chain_durable(const struct regs *r)
{
	const struct chain *ch = r->facts.chain;

	for (size_t i = 0; ch && i < ch->count; i++)
		if (ch->links[i].dirty || ch->links[i].op)
			return false;
	return true;
}

bool facts_chain_restore(struct regs *r, const uint8_t *key, size_t key_len, const uint8_t *value,
			 size_t len)
{
	struct rd in = rd_of(key, key_len);
	uint8_t kind = rd_u8(&in);
	uint32_t era = rd_u32(&in), epoch = rd_u32(&in);
	struct chain_link l = { .rival = kind == RIVAL_KEY };
	struct config cf;

	if (!rd_done(&in) || (kind != LINK_KEY && kind != RIVAL_KEY) ||
	    !config_read_unproven(&cf, value, len, &r->cfg.root, r->cfg.crypto) ||
	    cf.era != era || cf.epoch != epoch)
		return false;
	l.config = chain_copy(&cf);
	if (!r->facts.chain)
		r->facts.chain = mem_new(sizeof(*r->facts.chain));
	chain_put(r->facts.chain, &l);
	return true;
}

/* --- keeping --- */

static void look_for_fork(struct regs *r)
{
	struct chain_view v = facts_chain(r);

	r->facts.forked = chain_rival(&v) != NULL;
}

static void forget(struct regs *r, size_t at)
{
	link_persist(r, &r->facts.chain->links[at], 0); /* deletes it */
	chain_drop(r->facts.chain, at);
}

static void trim(struct regs *r)
{
	struct chain *ch = r->facts.chain;
	size_t max = r->keeper ? CHAIN_KEEPER_MAX : CHAIN_MEMBER_MAX, count = 0;

	for (size_t i = 0; i < ch->count; i++)
		count += !ch->links[i].rival;
	for (size_t i = 0; i < ch->count && count > max;)
		if (ch->links[i].rival) {
			i++;
		} else {
			forget(r, i);
			count--;
		}
}

/* Takes l->config over. */
static void keep(struct regs *r, const struct chain_link *l)
{
	if (!r->facts.chain)
		r->facts.chain = mem_new(sizeof(*r->facts.chain));
	chain_put(r->facts.chain, l)->dirty = true;
	trim(r);
	facts_chain_write(r);
}

static void become(struct regs *r, const struct config *cf, bool proven)
{
	struct facts *f = &r->facts;
	struct chain_link old = { .config = f->config, .proven = f->config_proven };

	f->config = chain_copy(cf);
	f->config_proven = proven;
	if (old.config)
		keep(r, &old);
	look_for_fork(r); /* a new era leaves it behind */
	facts_write(r, FACT_CONFIG);
}

void facts_own_config(struct regs *r, const struct config *c) { become(r, c, true); }

/* The newest era never was: another genesis of it counts. */
static void leave_era(struct regs *r)
{
	struct chain *ch = r->facts.chain;
	uint32_t era = r->facts.config->era;

	for (size_t i = ch ? ch->count : 0; i-- > 0;)
		if (ch->links[i].config->era == era)
			forget(r, i);
	free(r->facts.config);
	r->facts.config = NULL;
}

/* --- taking --- */

static void replace_proof(struct regs *r, const struct config *cf)
{
	struct facts *f = &r->facts;

	if (cf->era == f->config->era && cf->epoch == f->config->epoch) {
		free(f->config);
		f->config = chain_copy(cf);
		f->config_proven = true;
		facts_write(r, FACT_CONFIG);
		return;
	}
	keep(r, &(struct chain_link){ .config = chain_copy(cf), .proven = true });
}

static void report_fork(struct regs *r, const struct config *cf)
{
	struct regs_event e = { .type = REGS_FORKED, .detail = cf->epoch };

	if (r->facts.forked && cf->era == r->facts.config->era) /* once is enough */
		return;
	keep(r, &(struct chain_link){ .config = chain_copy(cf), .proven = true, .rival = true });
	look_for_fork(r);
	log_error(r->cfg.log,
		  "keepers have chosen two successors of one keeper set (era %u, epoch %u): stopped; "
		  "whoever holds the root key has to start a new era (`vpnctl keepers reset`)",
		  cf->era, cf->epoch);
	regs_tell(r, &e);
}

/* A keeper leads others from any epoch to the newest: it has the whole era, as far as it may. */
static void want_history(struct regs *r, const struct pubkey *from)
{
	struct seek_want want = { .below = true, .epoch = 1 };

	if (!r->keeper || !r->facts.config || config_member(r->facts.config, &r->cfg.self.pub) < 0)
		return;
	want.era = r->facts.config->era;
	if (!facts_config_of(r, want.era, 1) && r->facts.config->epoch <= CHAIN_KEEPER_MAX)
		seek_begin(r, &want, from, r->now);
}

/* Who turned to us as a keeper learns whom to turn to. */
static void tell_members(struct regs *r, uint32_t era, uint32_t epoch)
{
	const struct peer *p;
	size_t at = 0;

	if (!r->keeper || config_member(r->facts.config, &r->cfg.self.pub) >= 0)
		return;
	while ((p = map_next(&r->peers, &at)))
		seek_tell(r, &p->key, era, epoch);
}

static bool take(struct regs *r, const struct pubkey *from, const struct config *cf)
{
	struct chain_view v = facts_chain(r);
	struct seek_want want = { .era = cf->era, .epoch = cf->epoch };
	bool proven;

	switch (chain_judge(&v, cf, &proven, r->cfg.crypto)) {
	case CHAIN_ERA:
		leave_era(r);
		/* fall through */
	case CHAIN_NEWEST:
		if (r->started && config_member(cf, &r->cfg.self.pub) >= 0)
			regs_keeper(r);
		become(r, cf, proven);
		if (v.newest)
			tell_members(r, want.era, want.epoch - 1);
		want_history(r, from);
		return true;
	case CHAIN_OLDER:
		keep(r, &(struct chain_link){ .config = chain_copy(cf), .proven = proven });
		return false;
	case CHAIN_PROOF: replace_proof(r, cf); return false;
	case CHAIN_GAP: seek_begin(r, &want, from, r->now); return false;
	case CHAIN_FORK: report_fork(r, cf); return false;
	case CHAIN_GAP_BELOW:
		want.below = true; /* another genesis of this era? Ours decides. */
		if (cf->epoch == 1 && cf->era == v.newest->era)
			seek_begin(r, &want, from, r->now); /* then it is compared */
		return false;
	default: return false;
	}
}

/* Most that is shown is known: no signature is looked at then. */
static bool is_known(const struct regs *r, const uint8_t *b, size_t len)
{
	struct checkpoint cp = config_peek(b, len);
	const struct config *cf = facts_config_of(r, cp.era, cp.epoch);

	return cf && cf->len == len && memcmp(cf->bytes, b, len) == 0;
}

bool facts_take_config(struct regs *r, const struct pubkey *from, const uint8_t *b, size_t len)
{
	struct config cf;

	return !is_known(r, b, len) &&
	       config_read_unproven(&cf, b, len, &r->cfg.root, r->cfg.crypto) && take(r, from, &cf);
}

/* --- life --- */

/* A record that holds the newest as well, or one newer than the newest (whose own is damaged). */
static void settle_newest(struct regs *r)
{
	struct facts *f = &r->facts;
	struct chain *ch = f->chain;

	for (size_t i = ch->count; i-- > 0;) {
		struct chain_link *l = &ch->links[i];

		if (l->rival)
			continue;
		if (f->config && config_is_newer(f->config, l->config))
			return;
		if (!f->config || config_is_newer(l->config, f->config)) {
			free(f->config);
			f->config = chain_copy(l->config);
			facts_write(r, FACT_CONFIG);
		}
		forget(r, i);
	}
}

static bool has_proof(const struct regs *r, const struct config *cf)
{
	const struct config *before =
		cf->epoch > 1 ? facts_config_of(r, cf->era, cf->epoch - 1) : NULL;
	struct config again;

	return config_read(&again, cf->bytes, cf->len, &r->cfg.root, before, r->cfg.crypto);
}

void facts_chain_started(struct regs *r)
{
	struct chain *ch = r->facts.chain;

	if (ch)
		settle_newest(r);
	for (size_t i = 0; ch && i < ch->count; i++)
		ch->links[i].proven = has_proof(r, ch->links[i].config);
	if (r->facts.config)
		r->facts.config_proven = has_proof(r, r->facts.config);
	look_for_fork(r);
	want_history(r, NULL);
}

void facts_chain_fini(struct regs *r)
{
	if (r->facts.chain)
		chain_fini(r->facts.chain);
	free(r->facts.chain);
	r->facts.chain = NULL;
}
