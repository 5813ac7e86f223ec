/* ring.c - the ring as an object: links coming and going, timers; docs/protocol.md 5.
 *
 * Its owner reports which sessions are up; the ring never decides that a link is dead. Links and
 * contacts stand in two tables sorted by clockwise distance from ourselves (ring_table.c), so the
 * near links are simply the first and last of the one table, in rings of every size: with few nodes
 * both ends overlap and everybody is everybody's neighbour. A nearer node replaces a farther one
 * only by being linked. Links with leaves stand apart. Every part has one deadline of its own. */
#include "p2p/ring.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/ring_impl.h"

#define SCAN_MAX 1024 /* up to so many links it is quicker to look than to hash */

struct ring *ring_new(const struct pubkey *self, enum ring_profile profile,
		      const struct ring_env *env, usec_t now)
{
	struct ring *r = mem_new(sizeof(*r));

	r->self = *self;
	r->id = id_of(self);
	r->profile = profile;
	r->env = *env;
	r->near = RING_NEAR;
	r->size = 1;
	table_init(&r->links, LINKS_MAX);
	table_init(&r->leaves, LINKS_MAX);
	table_init(&r->known, RING_CONTACTS_MAX);
	r->want_at = r->status_at = r->find_at = r->links_at = USEC_NEVER;
	r->shortcut_at = r->lost_at = r->demand_at = r->leaf_at = USEC_NEVER;
	(void)now;
	return r;
}

void ring_free(struct ring *r)
{
	if (!r)
		return;
	while (r->lost_count)
		lost_forget(r, &r->lost[0]->key);
	for (size_t i = 0; i < r->links.count; i++)
		reach_remove(r, link_at(r, i));
	table_fini(&r->links);
	table_fini(&r->leaves);
	table_fini(&r->known);
	free(r->demand);
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
	struct place p;
	struct link *l;

	if (r->links.count + r->leaves.count <= SCAN_MAX) {
		l = (struct link *)table_scan(&r->links, key);
		return l ? l : (struct link *)table_scan(&r->leaves, key);
	}
	p = ring_place(r, key);
	l = (struct link *)table_find(&r->links, &p);
	return l ? l : (struct link *)table_find(&r->leaves, &p);
}

size_t ring_link_index(const struct ring *r, const struct link *l)
{
	size_t i = table_position(&r->links, &l->at);

	assert(i < r->links.count && link_at(r, i) == l);
	return i;
}

static void links_changed(struct ring *r, usec_t now)
{
	look_changed(r, now);
	if (r->known.count)
		r->want_at = now;
}

void ring_near_changed(struct ring *r, usec_t now)
{
	shortcut_changed(r, now);
	links_changed(r, now);
}

void ring_link_up(struct ring *r, const struct pubkey *peer, usec_t now)
{
	uint32_t heard_of_by;
	struct link *l;
	size_t index;

	assert(!key_equal(peer, &r->self));
	if (ring_link(r, peer) || r->links.count + r->leaves.count >= LINKS_MAX)
		return;
	heard_of_by = want_heard_of_by(r, peer);
	want_forget(r, peer);
	lost_forget(r, peer);
	if (r->links.count == 0)
		r->first_at = now;
	l = mem_new(sizeof(*l));
	l->at = ring_place(r, peer);
	l->serial = ++r->serial;
	l->heard_of_by = heard_of_by;
	l->direct = true;
	l->status_at = USEC_NEVER;
	index = table_add(&r->links, &l->at);
	reach_add(r, l);
	if (r->profile == RING_LEAF) {
		leaf_link_up(r, l, now);
		return;
	}
	if (!shortcut_link_up(r, l, now))
		demand_link_up(r, l, now);
	talk_link_up(r, l, index, now);
	links_changed(r, now);
}

void ring_link_remove(struct ring *r, struct link *l, usec_t now)
{
	bool kept = l->shortcut || l->accepted || l->demand, leaf = l->leaf;
	struct table *t = leaf ? &r->leaves : &r->links;
	size_t index = table_position(t, &l->at);

	assert(t->v[index] == &l->at);
	table_take(t, index);
	if (!leaf)
		reach_remove(r, l);
	free(l);
	if (leaf)
		return;
	if (r->profile == RING_LEAF) {
		leaf_link_down(r, now);
		return;
	}
	if (kept)
		shortcut_changed(r, now);
	talk_link_down(r, index, now);
	links_changed(r, now);
}

/* It may only have been cut off, so it is remembered; as a contact that failed, it hides nobody. */
void ring_link_down(struct ring *r, const struct pubkey *peer, usec_t now)
{
	struct link *l = ring_link(r, peer);
	struct pubkey key = *peer; /* it may be what ring_next returned: part of the link */
	struct addr addrs[RING_CONTACT_ADDRS];
	enum ring_role role;
	struct known *k;
	size_t n;

	if (!l)
		return;
	role = ring_link_role(r, l);
	n = r->env.addresses(r->env.ctx, &key, addrs, RING_CONTACT_ADDRS);
	assert(n <= RING_CONTACT_ADDRS);
	if (role != RING_NONE && role != RING_OF_LEAF)
		lost_add(r, &key, addrs, n, now);
	ring_link_remove(r, l, now);
	if (r->profile == RING_LEAF || role != RING_IS_NEAR)
		return;
	k = want_remember(r, &key, now);
	k->c.addr_count = (uint8_t)n;
	memcpy(k->c.addrs, addrs, n * sizeof(addrs[0]));
	k->tries = LOST_TRIES;
	k->lost = true;
	k->try_at = now + ring_jitter(r, SEC(1));
	k->flight_until = now;
}

void ring_link_state(struct ring *r, const struct pubkey *peer, bool direct, bool doubt)
{
	struct link *l = ring_link(r, peer);

	if (!l)
		return;
	if (l->direct != direct && r->profile == RING_FULL) /* no `now` here: soon enough */
		r->links_at = usec_min(r->links_at, r->links_sent + LINKS_PAUSE);
	l->direct = direct;
	l->doubt = doubt;
}

/* ---- timers ---- */

static const struct {
	size_t at; /* of the deadline in struct ring */
	void (*run)(struct ring *r, usec_t now);
} timers[] = {
	{ offsetof(struct ring, want_at), want_run },
	{ offsetof(struct ring, status_at), talk_status_run },
	{ offsetof(struct ring, find_at), talk_find_run },
	{ offsetof(struct ring, links_at), look_run },
	{ offsetof(struct ring, shortcut_at), shortcut_run },
	{ offsetof(struct ring, lost_at), lost_run },
	{ offsetof(struct ring, demand_at), demand_run },
	{ offsetof(struct ring, leaf_at), leaf_run },
};
#define TIMERS (sizeof(timers) / sizeof(timers[0]))

static usec_t deadline(const struct ring *r, size_t i)
{
	usec_t at;

	memcpy(&at, (const uint8_t *)r + timers[i].at, sizeof(at));
	return at;
}

void ring_tick(struct ring *r, usec_t now)
{
	for (size_t i = 0; i < TIMERS; i++)
		if (deadline(r, i) <= now)
			timers[i].run(r, now);
}

usec_t ring_deadline(const struct ring *r)
{
	usec_t at = USEC_NEVER;

	for (size_t i = 0; i < TIMERS; i++)
		at = usec_min(at, deadline(r, i));
	return at;
}

void ring_leave(struct ring *r, usec_t now)
{
	(void)now;
	message_leave(r);
}

/* ---- what others ask ---- */

/* Whom a node keeps that counts one more a side, because it thinks the ring a bit larger, ought to
 * keep it too. */
static bool is_kept_near(const struct ring *r, size_t i)
{
	size_t near = r->size > RING_LARGE / 3 * 2 ? RING_NEAR_MAX : r->near;

	return i < near || i + near >= r->links.count;
}

enum ring_role ring_link_role(const struct ring *r, const struct link *l)
{
	if (r->profile == RING_LEAF)
		return l->uplink ? RING_UPLINK : RING_NONE;
	if (l->leaf)
		return l->refused ? RING_NONE : RING_OF_LEAF;
	if (is_kept_near(r, ring_link_index(r, l)))
		return RING_IS_NEAR;
	if (l->shortcut || l->accepted)
		return l->shortcut ? RING_SHORTCUT : RING_ACCEPTED;
	return l->demand ? RING_DEMAND : RING_NONE;
}

enum ring_role ring_role(const struct ring *r, const struct pubkey *peer)
{
	const struct link *l = ring_link(r, peer);

	return l ? ring_link_role(r, l) : RING_NONE;
}

const char *ring_role_text(enum ring_role role)
{
	static const char *const text[] = {
		[RING_NONE] = "none", [RING_IS_NEAR] = "near", [RING_SHORTCUT] = "shortcut",
		[RING_ACCEPTED] = "accepted", [RING_DEMAND] = "demand",
		[RING_OF_LEAF] = "leaf", [RING_UPLINK] = "uplink",
	};

	return text[role];
}

size_t ring_links(const struct ring *r, struct pubkey *out, size_t max)
{
	size_t n = r->links.count < max ? r->links.count : max;

	for (size_t i = 0; i < n; i++)
		out[i] = link_at(r, i)->at.key;
	return n;
}

static size_t table_bytes(const struct table *t, size_t item)
{
	return t->size * (sizeof(t->v[0]) + sizeof(t->mark[0])) + t->count * item;
}

static size_t bytes(const struct ring *r)
{
	size_t n = sizeof(*r) + table_bytes(&r->links, sizeof(struct link)) +
		   table_bytes(&r->leaves, sizeof(struct link)) +
		   table_bytes(&r->known, sizeof(struct known)) +
		   r->lost_count * (sizeof(r->lost[0]) + sizeof(struct lost)) +
		   (r->demand ? DEMAND_MAX * sizeof(struct demand) : 0);

	n += r->reach.count * sizeof(r->reach.entry[0]) +
	     r->reach.slots * sizeof(r->reach.slot[0]);
	for (size_t i = 0; i < r->lost_count; i++)
		n += r->lost[i]->addr_count * sizeof(struct addr);
	return n;
}

struct ring_info ring_info(const struct ring *r)
{
	uint64_t least = r->links.count + 1; /* the estimate is made now and then */
	struct ring_info info = {
		.size = r->size > least ? r->size : least, .links = r->links.count, .leaves = r->leaves.count,
		.shortcuts = shortcut_count(r, true), .accepted = shortcut_count(r, false),
		.contacts = r->known.count, .lost = r->lost_count,
		.shortcuts_wanted = shortcut_wanted(r), .sure = r->sure == SIDE_BOTH,
		.bytes = bytes(r),
	};

	for (size_t i = 0; i < r->links.count; i++) {
		info.near += r->profile == RING_FULL && index_is_near(r, i);
		info.demand += link_at(r, i)->demand;
	}
	return info;
}
