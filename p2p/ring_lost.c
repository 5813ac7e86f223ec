/* ring_lost.c - links that went down without a word.
 *
 * When an overlay breaks in two, each half closes its ring and soon gives up the other half's
 * nodes. So that they find each other, every node remembers the links that it lost and tries one
 * of them in turn, about every 12 s during the first hour after the latest loss, then every
 * minute, for a day: when the halves can reach each other again, nearly every node has a link
 * across within seconds, and the rest is ordinary repair. Most tries are in vain, so they are as
 * cheap as can be: by address only, once. A leaf keeps here whom else it could link with. Bounds:
 * LOST_MAX nodes, one try at a time; the oldest gives way. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/ring_impl.h"

#define LOST_FOR HOURS(24)
#define TRY_OFTEN SEC(12)
#define TRY_SELDOM SEC(60)
#define OFTEN_FOR HOURS(1)

static void drop_at(struct ring *r, size_t i)
{
	free(r->lost[i]);
	r->lost_count--;
	memmove(&r->lost[i], &r->lost[i + 1], (r->lost_count - i) * sizeof(r->lost[0]));
	if (r->lost_count == 0) {
		free(r->lost);
		r->lost = NULL;
	}
}

void lost_forget(struct ring *r, const struct pubkey *key)
{
	for (size_t i = r->lost_count; i-- > 0;)
		if (key_equal(&r->lost[i]->key, key))
			drop_at(r, i);
}

/* Oldest first. */
void lost_add(struct ring *r, const struct pubkey *key, const struct addr *addrs, size_t count,
	      usec_t now)
{
	struct lost *l = mem_new(sizeof(*l) + count * sizeof(addrs[0]));

	assert(count <= RING_CONTACT_ADDRS);
	lost_forget(r, key);
	if (r->lost_count == (r->profile == RING_LEAF ? LEAF_CONTACTS : LOST_MAX))
		drop_at(r, 0);
	l->key = *key;
	l->at = l->tried = now;
	l->addr_count = (uint8_t)count;
	if (count)
		memcpy(l->addrs, addrs, count * sizeof(addrs[0]));
	r->lost = mem_resize(r->lost, (r->lost_count + 1u) * sizeof(r->lost[0]));
	r->lost[r->lost_count++] = l;
	if (r->profile == RING_LEAF)
		return;
	r->lost_latest = now;
	r->lost_at = usec_min(r->lost_at, now + ring_jitter(r, TRY_OFTEN));
}

void lost_try(struct ring *r, usec_t now)
{
	struct ring_contact c = { 0 };
	struct lost *next = NULL;

	for (size_t i = 0; i < r->lost_count; i++)
		if (!next || r->lost[i]->tried < next->tried)
			next = r->lost[i];
	if (!next)
		return;
	next->tried = now;
	c.key = next->key;
	c.id = id_of(&next->key);
	c.once = r->profile == RING_FULL;
	c.addr_count = next->addr_count;
	memcpy(c.addrs, next->addrs, next->addr_count * sizeof(c.addrs[0]));
	r->env.want(r->env.ctx, &c, NULL);
}

void lost_run(struct ring *r, usec_t now)
{
	bool often = now < r->lost_latest + OFTEN_FOR;

	r->lost_at = USEC_NEVER;
	for (size_t i = r->lost_count; i-- > 0;)
		if (r->lost[i]->at + LOST_FOR <= now)
			drop_at(r, i);
	if (r->lost_count == 0 || r->profile == RING_LEAF)
		return;
	lost_try(r, now);
	r->lost_at = now + ring_jitter(r, often ? TRY_OFTEN : TRY_SELDOM);
}
