/* ring_want.c - contacts we have heard of, and which of them are to be linked.
 *
 * A contact is wanted while fewer nodes stand between it and us on one side than we keep there,
 * counting links and those contacts that have not failed yet; one that failed is tried again but
 * no longer hides those behind it. Each try is one env.want; a link coming up is the only success,
 * so a try that brought none by `try_at` has failed. Pauses double from 1 s to 30 s. After
 * WANT_TRIES it is given up: not tried and not believed for FAILED_FOR, while others may still tell
 * of it because they have not noticed yet; then forgotten.
 *
 * Everything here comes from peers that may lie. Bounds: RING_CONTACTS_MAX contacts, of one
 * informer KNOWN_PER_INFORMER; WANTS_MAX tries in flight, of one informer WANTS_PER_INFORMER;
 * WANT_ADDRESSES addresses in any second. A later informer replaces what an earlier one said only
 * after that has been tried in vain. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/ring_impl.h"

#define PAUSE_FIRST SEC(1)
#define PAUSE_MAX SEC(30)
#define BLOCKED_FOR MSEC(100) /* when a bound is in the way */
#define SWEEP SEC(10)

static size_t count_of_informer(const struct ring *r, const struct node_id *informer)
{
	size_t n = 0;

	for (size_t i = 0; i < r->known.count; i++) {
		struct known *k = known_at(r, i);

		n += k->has_informer && id_equal(&k->informer, informer);
	}
	return n;
}

/* The place in the middle of the table is the farthest from us on both sides. */
static void make_room(struct ring *r)
{
	if (r->known.count == RING_CONTACTS_MAX)
		free(table_take(&r->known, r->known.count / 2));
}

struct known *want_remember(struct ring *r, const struct pubkey *key, usec_t now)
{
	struct known *k = mem_new(sizeof(*k));

	make_room(r);
	k->at = ring_place(r, key);
	k->c.key = *key;
	k->c.id = id_of(key);
	k->heard = now;
	table_add(&r->known, &k->at);
	r->want_at = now;
	return k;
}

static void learn(struct known *k, const struct ring_contact *c, const struct node_id *informer)
{
	assert(c->addr_count <= RING_CONTACT_ADDRS);
	k->c.addr_count = c->addr_count;
	memcpy(k->c.addrs, c->addrs, sizeof(k->c.addrs));
	k->has_informer = informer != NULL;
	if (informer)
		k->informer = *informer;
	k->stale = false;
}

/* Asked for whatever stands between, until ring_shortcut.c forgets it. */
void want_shortcut(struct ring *r, const struct ring_contact *c, const struct node_id *agent,
		   usec_t now)
{
	struct place p = ring_place(r, &c->key);
	struct known *k = (struct known *)table_find(&r->known, &p);

	if (!k)
		k = want_remember(r, &c->key, now);
	learn(k, c, agent);
	k->shortcut = true;
	k->given_up = k->lost = false;
	k->tries = 0;
	k->try_at = r->want_at = now;
}

void want_hear(struct ring *r, const struct ring_contact *c, const struct node_id *informer,
	       usec_t now)
{
	struct place p = ring_place(r, &c->key);
	struct known *k;

	if (key_equal(&c->key, &r->self) || table_find(&r->links, &p))
		return;
	k = (struct known *)table_find(&r->known, &p);
	if (k) {
		k->heard = now;
		if (k->stale && !k->given_up)
			learn(k, c, informer);
		return;
	}
	if (informer && count_of_informer(r, informer) >= KNOWN_PER_INFORMER)
		return;
	learn(want_remember(r, &c->key, now), c, informer);
}

void want_give_up(struct known *k, usec_t until)
{
	k->given_up = true;
	k->wanted = false;
	k->try_at = until;
}

void want_forget(struct ring *r, const struct pubkey *key)
{
	struct place p = ring_place(r, key);
	size_t i = table_position(&r->known, &p);

	if (i < r->known.count && key_equal(&r->known.v[i]->key, key))
		free(table_take(&r->known, i));
}

uint32_t want_heard_of_by(const struct ring *r, const struct pubkey *key)
{
	struct place p = ring_place(r, key);
	const struct known *k = (struct known *)table_find(&r->known, &p);
	const struct link *l;
	struct node_id id;
	size_t i;

	if (!k || !k->has_informer)
		return 0;
	p = (struct place){ .cw = id_clockwise(&r->id, &k->informer) };
	i = table_position(&r->links, &p);
	if (i == r->links.count)
		return 0;
	l = link_at(r, i);
	id = link_id(r, l);
	return id_equal(&id, &k->informer) ? l->serial : 0;
}

static bool failed(const struct known *k, usec_t now)
{
	return k->tries > 1 || (k->tries == 1 && k->try_at <= now);
}

static bool in_flight(const struct known *k, usec_t now)
{
	return k->tries > 0 && !k->given_up && now < k->flight_until;
}

/* Forgets, gives up, and says of none but shortcuts that they are wanted: marking follows. */
static void sweep(struct ring *r, usec_t now)
{
	for (size_t i = r->known.count; i-- > 0;) {
		struct known *k = known_at(r, i);

		k->wanted = k->shortcut && !k->given_up;
		k->stale |= failed(k, now);
		if (k->given_up ? k->try_at <= now : k->heard + KNOWN_FOR <= now)
			free(table_take(&r->known, i));
		else if (!k->given_up && k->tries >= WANT_TRIES && k->try_at <= now)
			want_give_up(k, now + FAILED_FOR);
	}
}

static size_t from_end(size_t i, size_t count, unsigned side)
{
	return side == SIDE_CW ? i : count - 1 - i;
}

static void mark_side(struct ring *r, unsigned side, usec_t now)
{
	size_t l = 0, i = 0, nearer = 0;

	while (nearer < r->near && i < r->known.count) {
		struct known *k = known_at(r, from_end(i, r->known.count, side));

		if (l < r->links.count) {
			struct link *link = link_at(r, from_end(l, r->links.count, side));
			int c = place_compare(&link->at, &k->at);

			if (side == SIDE_CW ? c < 0 : c > 0) {
				l++;
				nearer++;
				continue;
			}
		}
		i++;
		k->wanted = !k->given_up;
		nearer += k->wanted && !failed(k, now);
	}
}

static size_t flying(const struct ring *r, const struct known *like, usec_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < r->known.count; i++) {
		struct known *k = known_at(r, i);

		if (!in_flight(k, now))
			continue;
		n += !like || (k->has_informer && like->has_informer &&
			       id_equal(&k->informer, &like->informer));
	}
	return n;
}

/* Takes n of the addresses that may be contacted in a second. */
static bool addresses_take(struct ring *r, unsigned n, usec_t now)
{
	if (r->address_free[(r->address_head + n - 1) % WANT_ADDRESSES] > now)
		return false;
	for (unsigned i = 0; i < n; i++)
		r->address_free[(r->address_head + i) % WANT_ADDRESSES] = now + SEC(1);
	r->address_head = (r->address_head + n) % WANT_ADDRESSES;
	return true;
}

static bool attempt(struct ring *r, struct known *k, usec_t now)
{
	usec_t pause = PAUSE_FIRST << (k->tries - (k->lost ? LOST_TRIES : 0));

	if (flying(r, NULL, now) >= WANTS_MAX || flying(r, k, now) >= WANTS_PER_INFORMER ||
	    !addresses_take(r, k->c.addr_count ? k->c.addr_count : 1, now))
		return false;
	k->tries++;
	k->try_at = now + ring_jitter(r, usec_min(pause, PAUSE_MAX));
	k->flight_until = usec_min(k->try_at, now + WANT_FLIGHT);
	r->env.want(r->env.ctx, &k->c, k->has_informer ? &k->informer : NULL);
	return true;
}

/* Nearest first, from both ends; those not tried yet before the others. */
static void attempt_all(struct ring *r, bool again, usec_t now)
{
	size_t n = r->known.count;

	for (size_t i = 0; i < n; i++) {
		struct known *k = known_at(r, from_end(i / 2, n, i % 2 ? SIDE_CCW : SIDE_CW));

		if (!k->wanted || (k->tries > 0) != again)
			continue;
		if (k->try_at <= now && !attempt(r, k, now))
			r->want_at = usec_min(r->want_at, now + BLOCKED_FOR);
		if (k->try_at > now)
			r->want_at = usec_min(r->want_at, k->try_at);
	}
}

void want_run(struct ring *r, usec_t now)
{
	sweep(r, now);
	mark_side(r, SIDE_CW, now);
	mark_side(r, SIDE_CCW, now);
	r->want_at = r->known.count ? now + SWEEP : USEC_NEVER;
	attempt_all(r, false, now);
	attempt_all(r, true, now);
}
