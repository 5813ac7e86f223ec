/* ring.c - the ring as an object: link facts, timers, and next hops; docs/protocol.md 5.
 *
 * Its owner reports which sessions are up; the ring never decides that a link is dead. Links and
 * contacts stand in two tables sorted by clockwise distance from ourselves (ring_table.c), so the
 * kept links are simply the first and last RING_NEAR of the one table, in rings of every size: with
 * few nodes both ends overlap and everybody is everybody's neighbour. A nearer node replaces a
 * farther one only by being linked. Three deadlines: STATUS, FIND, and contacts to be tried. */
#include "p2p/ring.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/ring_impl.h"

#define INPUT_RATE 10 /* messages a second from one link */
#define INPUT_BURST 20
#define ROUTED_RATE 20 /* routed ones, of all sources together */
#define ROUTED_BURST 40
#define ANSWER_BURST 3
#define GREETING_BURST 8
#define AGENTS 8

struct ring *ring_new(const struct pubkey *self, const struct ring_env *env, usec_t now)
{
	struct ring *r = mem_new(sizeof(*r));

	r->self = *self;
	r->id = id_of(self);
	r->env = *env;
	table_init(&r->links, LINKS_MAX);
	table_init(&r->known, RING_CONTACTS_MAX);
	r->want_at = r->status_at = r->find_at = USEC_NEVER;
	r->changed_at = now;
	limit_init(&r->routed, ROUTED_RATE, ROUTED_BURST);
	limit_init(&r->find_answers, ROUTED_RATE, ROUTED_BURST);
	limit_init(&r->greetings, 1, GREETING_BURST);
	return r;
}

void ring_free(struct ring *r)
{
	if (!r)
		return;
	table_fini(&r->links);
	table_fini(&r->known);
	free(r);
}

uint32_t ring_draw(const struct ring *r, uint32_t bound)
{
	uint32_t v;

	assert(bound > 0);
	r->env.random(r->env.ctx, &v, sizeof(v));
	return v % bound;
}

usec_t ring_jitter(const struct ring *r, usec_t t)
{
	assert(t <= MINUTES(60));
	return t - t / 5 + ring_draw(r, (uint32_t)(2 * t / 5) + 1);
}

struct link *ring_link(const struct ring *r, const struct pubkey *key)
{
	struct place p = place_of(r, key);

	return (struct link *)table_find(&r->links, &p);
}

void ring_link_up(struct ring *r, const struct pubkey *peer, usec_t now)
{
	struct link *l;

	assert(!key_equal(peer, &r->self));
	if (ring_link(r, peer) || r->links.count == LINKS_MAX)
		return;
	want_forget(r, peer);
	l = mem_new(sizeof(*l));
	l->at = place_of(r, peer);
	l->id = id_of(peer);
	l->serial = ++r->serial;
	l->status_at = USEC_NEVER;
	limit_init(&l->input, INPUT_RATE, INPUT_BURST);
	limit_init(&l->answers, 1, ANSWER_BURST);
	talk_link_up(r, l, table_add(&r->links, &l->at), now);
	if (r->known.count)
		r->want_at = now;
}

void ring_link_remove(struct ring *r, struct link *l, usec_t now)
{
	size_t index = table_position(&r->links, &l->at);

	assert(link_at(r, index) == l);
	free(table_take(&r->links, index));
	talk_link_down(r, index, now);
	if (r->known.count)
		r->want_at = now;
}

/* It may only have been cut off, so it stays known; as one that failed, it hides nobody. */
void ring_link_down(struct ring *r, const struct pubkey *peer, usec_t now)
{
	struct link *l = ring_link(r, peer);
	struct pubkey key = *peer; /* it may be what ring_next returned: part of the link */
	struct known *k;

	if (!l)
		return;
	ring_link_remove(r, l, now);
	k = want_remember(r, &key, now);
	k->c.addr_count =
		(uint8_t)r->env.addresses(r->env.ctx, &key, k->c.addrs, RING_CONTACT_ADDRS);
	assert(k->c.addr_count <= RING_CONTACT_ADDRS);
	k->tries = 2;
	k->try_at = now + ring_jitter(r, SEC(1));
	k->flight_until = now;
}

void ring_tick(struct ring *r, usec_t now)
{
	if (r->want_at <= now)
		want_run(r, now);
	if (r->status_at <= now)
		talk_status_run(r, now);
	if (r->find_at <= now)
		talk_find_run(r, now);
}

usec_t ring_deadline(const struct ring *r)
{
	return usec_min(r->want_at, usec_min(r->status_at, r->find_at));
}

bool ring_keeps(const struct ring *r, const struct pubkey *peer)
{
	struct place p = place_of(r, peer);

	return table_find(&r->links, &p) && index_is_near(r, table_position(&r->links, &p));
}

void ring_leave(struct ring *r, usec_t now)
{
	(void)now;
	message_leave(r);
}

/* The first of at most three links from `at` on, going `way`, that is not `except`: ids are as good
 * as unique, so at most one is passed over. */
static struct link *beside(const struct ring *r, size_t at, size_t way,
			   const struct node_id *except)
{
	size_t n = r->links.count;

	for (size_t i = 0; i < 3 && i < n; i++, at += way) {
		struct link *l = link_at(r, at % n);

		if (!except || !id_equal(&l->id, except))
			return l;
	}
	return NULL;
}

const struct pubkey *ring_next(const struct ring *r, const struct node_id *to,
			       const struct node_id *except)
{
	struct place p = { .cw = id_clockwise(&r->id, to) };
	size_t n = r->links.count, at = table_position(&r->links, &p);
	struct link *after, *before, *best;

	if (n == 0)
		return NULL;
	after = beside(r, at, 1, except);
	before = beside(r, at + n - 1, n - 1, except);
	if (!after || !before)
		return NULL;
	best = id_ring_compare(to, &after->id, &before->id) <= 0 ? after : before;
	return id_ring_compare(to, &best->id, &r->id) < 0 ? &best->at.key : NULL;
}

const struct pubkey *ring_agent(const struct ring *r, unsigned attempt)
{
	size_t n = r->links.count < AGENTS ? r->links.count : AGENTS;
	struct link *best = NULL;
	uint64_t above = 0;

	/* The oldest links: those that have proved to last. */
	for (size_t k = 0; n && k <= attempt % n; k++, above = best->serial) {
		best = NULL;
		for (size_t i = 0; i < r->links.count; i++) {
			struct link *l = link_at(r, i);

			if (l->serial > above && (!best || l->serial < best->serial))
				best = l;
		}
		assert(best);
	}
	return best ? &best->at.key : NULL;
}

size_t ring_links(const struct ring *r, struct pubkey *out, size_t max)
{
	size_t n = r->links.count < max ? r->links.count : max;

	for (size_t i = 0; i < n; i++)
		out[i] = link_at(r, i)->at.key;
	return n;
}
