/* eras.c - what others may ask of the chain of keeper sets, and tell it. See eras.h. */
#include "dht/eras.h"

#include "dht/regs_impl.h"

#define HINT_VERSION 1

const struct config *regs_config_of(const struct regs *r, uint32_t era, uint32_t epoch)
{
	return facts_config_of(r, era, epoch);
}

bool regs_is_forked(const struct regs *r) { return r->facts.forked; }

size_t regs_hint(const struct regs *r, uint8_t *out, size_t size)
{
	const struct config *cf = r->facts.config;
	struct wr w = wr_of(out, size);

	if (!cf)
		return 0;
	wr_u8(&w, HINT_VERSION);
	wr_u32(&w, cf->era);
	wr_u32(&w, cf->epoch);
	wr_copy(&w, cf->hash, sizeof(cf->hash));
	wr_u8(&w, cf->count);
	for (size_t i = 0; i < cf->count; i++)
		wr_copy(&w, cf->members[i].node.b, KEY_LEN);
	return wr_ok(&w) ? wr_len(&w) : 0;
}

struct hint {
	uint32_t era, epoch;
	uint8_t hash[32];
	uint8_t count;
	struct pubkey node[KEEPERS_MAX];
};

static bool hint_read(struct hint *h, const uint8_t *b, size_t len, const struct crypto *c)
{
	struct rd r = rd_of(b, len);

	if (rd_u8(&r) != HINT_VERSION)
		return false;
	h->era = rd_u32(&r);
	h->epoch = rd_u32(&r);
	rd_copy(&r, h->hash, sizeof(h->hash));
	h->count = rd_u8(&r);
	if (h->count == 0 || h->count > KEEPERS_MAX)
		return false;
	for (size_t i = 0; i < h->count; i++)
		rd_copy(&r, h->node[i].b, KEY_LEN);
	for (size_t i = 0; rd_ok(&r) && i < h->count; i++)
		if (!c->key_valid(&h->node[i]))
			return false;
	return rd_done(&r);
}

/* A set of our era that is not ours: of two geneses of one era one counts, so they are compared. */
static bool is_other(const struct regs *r, const struct hint *h)
{
	const struct config *cf = r->facts.config, *known = facts_config_of(r, h->era, h->epoch);

	return known && h->era == cf->era && memcmp(h->hash, known->hash, sizeof(h->hash)) != 0;
}

static bool is_newer(const struct config *cf, const struct hint *h)
{
	if (!cf || h->era != cf->era)
		return !cf || h->era > cf->era;
	return h->epoch > cf->epoch;
}

bool regs_offer_hint(struct regs *r, const uint8_t *b, size_t len, usec_t now)
{
	struct seek_want want;
	struct hint h;

	r->now = now;
	if (!hint_read(&h, b, len, r->cfg.crypto))
		return false;
	if (h.era > r->facts.rumoured)
		r->facts.rumoured = h.era;
	want = (struct seek_want){ .era = h.era, .epoch = h.epoch, .other_genesis = is_other(r, &h) };
	if (!want.other_genesis && !is_newer(r->facts.config, &h))
		return false;
	for (size_t i = 0; i < h.count; i++)
		seek_begin(r, &want, &h.node[i], now);
	return true;
}

void regs_look_for_era(struct regs *r, const struct pubkey *member, usec_t now)
{
	const struct config *cf = r->facts.config;

	r->now = now;
	if (cf && !regs_judges(r))
		seek_begin(r, &(struct seek_want){ .era = cf->era + 1, .epoch = 1 }, member, now);
}

/* Whether the next one held on that side is of the same era. */
static bool reaches(const struct regs *r,
		    const struct config *(*next)(const struct chain_view *, uint32_t, uint32_t),
		    const struct seek_want *want)
{
	struct chain_view v = facts_chain(r);
	const struct config *cf = next(&v, want->era, want->epoch);

	return cf && cf->era == want->era;
}

void regs_ask_chain(struct regs *r, const struct pubkey *from, const uint8_t *grant, size_t len,
		    usec_t now)
{
	const struct config *cf = r->facts.config;
	struct seek_want want;
	struct grant g;

	r->now = now;
	if (!cf || !grant_read(&g, grant, len) || facts_check(r, &g, grant, len))
		return;
	want = (struct seek_want){ .era = g.ballot.era, .epoch = g.ballot.epoch };
	want.other_genesis = facts_config_of(r, want.era, want.epoch) != NULL;
	want.below = want.era < cf->era || (want.era == cf->era && want.epoch < cf->epoch);
	/* What is missing of an older era is its end, or all of it: that began with the root's word. */
	if (want.below && (reaches(r, chain_before, &want) || !reaches(r, chain_after, &want)))
		want.below = false;
	seek_begin(r, &want, from, now);
}
