/* chain.c - what a configuration is worth, by those that are known; see chain.h.
 *
 * Trust comes from the root (it signs a genesis), from a predecessor that is held (its quorum), from
 * a successor that is held (it names the hash) and from the token (it names a hash, too). What
 * nothing vouches for is not kept: whoever shows it is asked for what lies between (facts_chain.c).
 * Nothing goes back: what is newer by (era, epoch) is the newest for good, with one exception. Of
 * two geneses of one era, both signed by the root, the one with the larger hash counts everywhere.
 * Two proven successors of one configuration cannot be while the keepers follow the rules: nothing
 * newer of that era is believed then. */
#include "dht/chain.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct config *chain_copy(const struct config *c)
{
	size_t size = offsetof(struct config, members) + c->count * sizeof(c->members[0]);
	struct config *copy = mem_new(size + c->len);
	uint8_t *bytes = (uint8_t *)copy + size;

	memcpy(copy, c, size);
	memcpy(bytes, c->bytes, c->len);
	copy->bytes = bytes;
	return copy;
}

/* --- finding --- */

static int compare(const struct config *a, uint32_t era, uint32_t epoch)
{
	if (a->era != era)
		return a->era < era ? -1 : 1;
	return a->epoch < epoch ? -1 : a->epoch > epoch;
}

/* Links before the newest, then the newest; NULL = a rival, or no more. */
static size_t view_count(const struct chain_view *v)
{
	return (v->older ? v->older->count : 0) + (v->newest ? 1 : 0);
}

static const struct config *view_at(const struct chain_view *v, size_t i)
{
	size_t older = v->older ? v->older->count : 0;

	if (i >= older)
		return v->newest;
	return v->older->links[i].rival ? NULL : v->older->links[i].config;
}

static const struct chain_link *link_of(const struct chain_view *v, const struct config *cf)
{
	for (size_t i = 0; v->older && i < v->older->count; i++)
		if (v->older->links[i].config == cf)
			return &v->older->links[i];
	return NULL;
}

const struct config *chain_find(const struct chain_view *v, uint32_t era, uint32_t epoch)
{
	for (size_t i = view_count(v); i-- > 0;) {
		const struct config *cf = view_at(v, i);

		if (cf && compare(cf, era, epoch) == 0)
			return cf;
	}
	return NULL;
}

const struct config *chain_after(const struct chain_view *v, uint32_t era, uint32_t epoch)
{
	for (size_t i = 0; i < view_count(v); i++) {
		const struct config *cf = view_at(v, i);

		if (cf && compare(cf, era, epoch) > 0)
			return cf;
	}
	return NULL;
}

const struct config *chain_before(const struct chain_view *v, uint32_t era, uint32_t epoch)
{
	for (size_t i = view_count(v); i-- > 0;) {
		const struct config *cf = view_at(v, i);

		if (cf && compare(cf, era, epoch) < 0)
			return cf;
	}
	return NULL;
}

bool chain_is_proven(const struct chain_view *v, const struct config *cf)
{
	const struct chain_link *link = link_of(v, cf);

	return link ? link->proven : cf == v->newest && v->proven;
}

const struct config *chain_rival(const struct chain_view *v)
{
	for (size_t i = 0; v->newest && v->older && i < v->older->count; i++)
		if (v->older->links[i].rival && v->older->links[i].config->era == v->newest->era)
			return v->older->links[i].config;
	return NULL;
}

/* --- judging --- */

static bool is_named(const struct checkpoint *cp, const struct config *cf)
{
	return cp && compare(cf, cp->era, cp->epoch) == 0 &&
	       memcmp(cp->hash, cf->hash, sizeof(cf->hash)) == 0;
}

/* Epoch 1 was read, so the root has signed it. */
static bool is_genesis(const struct config *cf) { return cf->epoch == 1; }

static bool same_hash(const struct config *a, const struct config *b)
{
	return memcmp(a->hash, b->hash, sizeof(a->hash)) == 0;
}

static enum chain_verdict judge_known(const struct chain_view *v, const struct config *known,
				      const struct config *cf, bool proven)
{
	bool was = chain_is_proven(v, known);

	if (same_hash(known, cf))
		return proven && !was ? CHAIN_PROOF : CHAIN_HELD;
	if (!proven)
		return CHAIN_BAD;
	if (is_genesis(cf))
		return cf->era == v->newest->era && memcmp(cf->hash, known->hash, 32) > 0 ?
			       CHAIN_ERA :
			       CHAIN_HELD;
	return was ? CHAIN_FORK : CHAIN_BAD; /* else the hash is trusted, and this is not it */
}

static enum chain_verdict judge_first(const struct checkpoint *trust, const struct config *cf)
{
	if (is_named(trust, cf) || (is_genesis(cf) && (!trust || cf->era > trust->era)))
		return CHAIN_NEWEST;
	return !trust || compare(cf, trust->era, trust->epoch) > 0 ? CHAIN_GAP : CHAIN_BAD;
}

static enum chain_verdict judge_newer(const struct chain_view *v, const struct config *cf,
				      bool proven)
{
	const struct config *newest = v->newest;

	if (chain_rival(v) && cf->era == newest->era)
		return CHAIN_BAD;
	if (proven || is_named(v->trust, cf)) /* of a higher era: its genesis */
		return CHAIN_NEWEST;
	return cf->era == newest->era && cf->epoch == newest->epoch + 1 ? CHAIN_BAD : CHAIN_GAP;
}

static bool has_era(const struct chain_view *v, uint32_t era)
{
	const struct config *cf = chain_after(v, era, 0);

	return cf && cf->era == era;
}

static enum chain_verdict judge_older(const struct chain_view *v, const struct config *cf,
				      bool proven)
{
	const struct config *after = chain_find(v, cf->era, cf->epoch + 1);

	if (after && memcmp(after->previous, cf->hash, sizeof(cf->hash)) == 0)
		return CHAIN_OLDER;
	if (after)
		return CHAIN_BAD;
	/* Of an older era, that we did not see while it was the newest: its end, or how it began. */
	if (proven && cf->era < v->newest->era && (!is_genesis(cf) || !has_era(v, cf->era)))
		return CHAIN_OLDER;
	return CHAIN_GAP_BELOW;
}

enum chain_verdict chain_judge(const struct chain_view *v, const struct config *cf, bool *proven,
			       const struct crypto *c)
{
	const struct config *known = chain_find(v, cf->era, cf->epoch);
	const struct config *before = is_genesis(cf) ? NULL : chain_find(v, cf->era, cf->epoch - 1);
	struct config again;

	*proven = is_genesis(cf) ||
		  (before && config_read(&again, cf->bytes, cf->len, &cf->root, before, c));
	if (known)
		return judge_known(v, known, cf, *proven);
	if (!v->newest)
		return judge_first(v->trust, cf);
	if (config_is_newer(cf, v->newest))
		return judge_newer(v, cf, *proven);
	return judge_older(v, cf, *proven);
}

/* --- keeping --- */

struct chain_link *chain_put(struct chain *ch, const struct chain_link *link)
{
	const struct config *cf = link->config;
	size_t at = 0;

	while (at < ch->count && compare(ch->links[at].config, cf->era, cf->epoch) < 0)
		at++;
	for (; at < ch->count && compare(ch->links[at].config, cf->era, cf->epoch) == 0; at++)
		if (ch->links[at].rival == link->rival) {
			free(ch->links[at].config);
			ch->links[at] = *link;
			return &ch->links[at];
		}
	if (ch->count == ch->places) {
		ch->places = ch->places ? 2 * ch->places : 2;
		ch->links = mem_resize(ch->links, ch->places * sizeof(*ch->links));
	}
	memmove(&ch->links[at + 1], &ch->links[at], (ch->count - at) * sizeof(*ch->links));
	ch->count++;
	ch->links[at] = *link;
	return &ch->links[at];
}

void chain_drop(struct chain *ch, size_t at)
{
	free(ch->links[at].config);
	ch->count--;
	memmove(&ch->links[at], &ch->links[at + 1], (ch->count - at) * sizeof(*ch->links));
}

void chain_fini(struct chain *ch)
{
	for (size_t i = 0; i < ch->count; i++)
		free(ch->links[i].config);
	free(ch->links);
	*ch = (struct chain){ 0 };
}
