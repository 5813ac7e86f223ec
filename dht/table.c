/* table.c - bucket b holds up to DHT_K contacts that share exactly b leading bits with us.
 *
 * Nobody gets in by talking: only an answer to a request of ours or a session (proven by the
 * caller) makes a contact. A bucket with DHT_K contacts in deeper ones is far: of those without a
 * session it takes TABLE_FAR_MAX, and gives up what it has beyond that as others come; a lookup
 * needs the neighbours completely, but a few of each far bucket do. Old contacts that answer are
 * never pushed out, except that one with a session takes the place of one without: it costs nothing
 * to reach and is known to be up. A suspect gives way to whoever has just answered; where there is
 * none, the contact longest unheard of is pinged. Distances are compared by the first 64 bits of
 * ids, which a contact keeps beside its key. Memory follows the contacts: buckets are made when
 * needed and grow one by one. */
#include "dht/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/wire.h"

#define NEAREST_MAX 64

struct kbucket {
	uint8_t count, size;
	struct contact contact[];
};

/* The nearest found so far. */
struct ranking {
	uint64_t target;
	size_t count, max;
	bool suspects;
	const struct contact **out;
	uint64_t far[NEAREST_MAX];
};

uint64_t place_of_id(const struct node_id *id)
{
	struct rd r = rd_of(id->b, sizeof(id->b));

	return rd_u64(&r);
}

uint64_t place_of(const struct pubkey *key)
{
	struct node_id id = id_of(key);

	return place_of_id(&id);
}

void dht_table_init(struct dht_table *t, const struct node_id *self)
{
	*t = (struct dht_table){ .self = place_of_id(self) };
}

void dht_table_fini(struct dht_table *t)
{
	for (size_t i = 0; i < TABLE_BUCKETS; i++)
		free(t->buckets[i]);
	*t = (struct dht_table){ 0 };
}

/* The bucket of a place; TABLE_BUCKETS for our own. */
static size_t index_of(const struct dht_table *t, uint64_t place)
{
	uint64_t x = t->self ^ place;
	size_t bits = 0;

	while (x && !(x >> 63)) {
		x <<= 1;
		bits++;
	}
	return x ? bits : TABLE_BUCKETS;
}

static struct contact *find(const struct dht_table *t, const struct pubkey *key, size_t index)
{
	struct kbucket *b = index < TABLE_BUCKETS ? t->buckets[index] : NULL;

	for (size_t i = 0; b && i < b->count; i++)
		if (memcmp(b->contact[i].key.b, key->b, KEY_LEN) == 0)
			return &b->contact[i];
	return NULL;
}

static struct contact *find_key(const struct dht_table *t, const struct pubkey *key)
{
	return find(t, key, index_of(t, place_of(key)));
}

static bool is_near(const struct dht_table *t, size_t index)
{
	size_t count = 0;

	for (size_t i = index + 1; i < t->depth; i++)
		count += t->buckets[i] ? t->buckets[i]->count : 0;
	return count < DHT_K;
}

static bool has_room(const struct dht_table *t, size_t index, bool live)
{
	const struct kbucket *b = t->buckets[index];

	if (!b || b->count < TABLE_FAR_MAX)
		return true;
	return b->count < DHT_K && (live || is_near(t, index));
}

/* A contact without a session: a suspect if there is one, else that silent for longest. */
static struct contact *worst(struct kbucket *b)
{
	struct contact *w = NULL;

	for (size_t i = 0; b && i < b->count; i++) {
		struct contact *c = &b->contact[i];

		if (c->live)
			continue;
		if (!w || c->fails > w->fails || (c->fails == w->fails && c->seen < w->seen))
			w = c;
	}
	return w;
}

static struct contact *room_for_one(struct dht_table *t, size_t index)
{
	struct kbucket *b = t->buckets[index];
	size_t size = b ? b->size : 0;

	if (!b || b->count == b->size) {
		b = mem_resize(b, sizeof(*b) + (size + 1) * sizeof(struct contact));
		if (size == 0)
			b->count = 0;
		b->size = (uint8_t)(size + 1);
		t->buckets[index] = b;
	}
	if (index >= t->depth)
		t->depth = (uint8_t)(index + 1);
	t->count++;
	return &b->contact[b->count++];
}

/* The shallowest bucket that became far and holds too many gives up one. */
static void trim(struct dht_table *t)
{
	for (size_t i = 0; i < t->depth && !is_near(t, i); i++) {
		struct kbucket *b = t->buckets[i];
		struct contact *c = b && b->count > TABLE_FAR_MAX ? worst(b) : NULL;

		if (!c)
			continue;
		*c = b->contact[--b->count];
		t->count--;
		return;
	}
}

static enum table_result add(struct dht_table *t, size_t index, const struct contact *fresh,
			     struct pubkey *check)
{
	struct contact *old;

	if (has_room(t, index, fresh->live)) {
		*room_for_one(t, index) = *fresh;
		trim(t);
		return TABLE_ADDED;
	}
	old = worst(t->buckets[index]);
	if (!old)
		return TABLE_FULL;
	if (fresh->live || old->fails) {
		*old = *fresh;
		return TABLE_ADDED;
	}
	if (!old->checking && old->seen + TABLE_CHECK_AFTER / SEC(1) <= fresh->seen) {
		old->checking = true;
		*check = old->key;
	}
	return TABLE_FULL;
}

enum table_result dht_table_seen(struct dht_table *t, const struct pubkey *key, bool live,
				 struct pubkey *check, usec_t now)
{
	uint64_t place = place_of(key);
	size_t index = index_of(t, place);
	struct contact *c = find(t, key, index);
	struct contact fresh = { .key = *key, .place = place, .live = live };

	memset(check, 0, sizeof(*check));
	if (index == TABLE_BUCKETS)
		return TABLE_REFUSED;
	fresh.seen = (uint32_t)(now / SEC(1));
	fresh.since = c && !c->fails ? c->since : (uint16_t)(now / MINUTES(1));
	if (!c)
		return add(t, index, &fresh, check);
	fresh.live = live || c->live;
	*c = fresh;
	return TABLE_KNOWN;
}

bool dht_table_down(struct dht_table *t, const struct pubkey *key)
{
	struct contact *c = find_key(t, key);

	if (!c)
		return false;
	c->live = false;
	if (!c->fails)
		c->fails = 1;
	return true;
}

static void forget(struct dht_table *t, struct contact *c)
{
	size_t index = index_of(t, c->place);
	struct kbucket *b = t->buckets[index];

	*c = b->contact[--b->count];
	t->count--;
	if (b->count == 0) {
		free(b);
		t->buckets[index] = NULL;
	}
	while (t->depth && !t->buckets[t->depth - 1])
		t->depth--;
}

bool dht_table_failed(struct dht_table *t, const struct pubkey *key)
{
	struct contact *c = find_key(t, key);

	if (!c)
		return false;
	if (c->fails < TABLE_FAILS_MAX)
		c->fails++;
	if (c->live || (c->fails < TABLE_FAILS_MAX && !c->checking))
		return false; /* a session is the better witness: it says when it goes down */
	forget(t, c);
	return true;
}

bool dht_table_remove(struct dht_table *t, const struct pubkey *key)
{
	struct contact *c = find_key(t, key);

	if (c)
		forget(t, c);
	return c != NULL;
}

bool dht_table_wants(const struct dht_table *t, const struct pubkey *key)
{
	size_t index = index_of(t, place_of(key));
	const struct contact *c = find(t, key, index);

	if (c)
		return c->fails > 0;
	if (index == TABLE_BUCKETS)
		return false;
	if (has_room(t, index, false))
		return true;
	c = worst(t->buckets[index]);
	return c && c->fails;
}

bool dht_table_is_near(const struct dht_table *t, const struct pubkey *key)
{
	size_t index = index_of(t, place_of(key));

	return index < TABLE_BUCKETS && is_near(t, index);
}

const struct contact *dht_table_get(const struct dht_table *t, const struct pubkey *key)
{
	return find_key(t, key);
}

static void rank(struct ranking *r, const struct contact *c)
{
	uint64_t far = r->target ^ c->place;
	size_t i = r->count;

	if ((c->fails != 0) != r->suspects)
		return;
	while (i > 0 && far < r->far[i - 1])
		i--;
	if (i == r->max)
		return;
	if (r->count < r->max)
		r->count++;
	memmove(&r->far[i + 1], &r->far[i], (r->count - 1 - i) * sizeof(r->far[0]));
	memmove(&r->out[i + 1], &r->out[i], (r->count - 1 - i) * sizeof(r->out[0]));
	r->far[i] = far;
	r->out[i] = c;
}

static void rank_bucket(struct ranking *r, const struct kbucket *b)
{
	for (size_t i = 0; b && i < b->count; i++)
		rank(r, &b->contact[i]);
}

/* All of the target's own bucket are nearer to it than those of the deeper ones, and these, as a
 * whole, nearer than those of each shallower one in its turn. */
static void rank_all(struct ranking *r, const struct dht_table *t)
{
	size_t own = index_of(t, r->target);

	if (own < t->depth)
		rank_bucket(r, t->buckets[own]);
	if (r->count < r->max)
		for (size_t i = own + 1; i < t->depth; i++)
			rank_bucket(r, t->buckets[i]);
	for (size_t i = own < t->depth ? own : t->depth; i-- > 0 && r->count < r->max;)
		rank_bucket(r, t->buckets[i]);
}

size_t dht_table_nearest(const struct dht_table *t, uint64_t target, const struct contact *out[],
			 size_t max)
{
	struct ranking r;

	assert(max > 0 && max <= NEAREST_MAX);
	r.target = target;
	r.count = 0;
	r.max = max;
	r.out = out;
	r.suspects = false;
	rank_all(&r, t);
	if (r.count == 0) {
		r.suspects = true;
		rank_all(&r, t);
	}
	return r.count;
}

size_t dht_table_poor(const struct dht_table *t)
{
	size_t poor = TABLE_BUCKETS, least = TABLE_POOR;

	for (size_t i = 0; i < t->depth && !is_near(t, i); i++) {
		size_t count = t->buckets[i] ? t->buckets[i]->count : 0;

		if (count >= least)
			continue;
		poor = i;
		least = count;
	}
	return poor;
}

const struct contact *dht_table_next(const struct dht_table *t, size_t *at)
{
	size_t n = *at;

	for (size_t i = 0; i < t->depth; i++) {
		const struct kbucket *b = t->buckets[i];

		if (b && n < b->count) {
			++*at;
			return &b->contact[n];
		}
		n -= b ? b->count : 0;
	}
	return NULL;
}

size_t dht_table_size(const struct dht_table *t)
{
	size_t size = 0;

	for (size_t i = 0; i < t->depth; i++)
		if (t->buckets[i])
			size += sizeof(struct kbucket) +
				t->buckets[i]->size * sizeof(struct contact);
	return size;
}
