/* table.c - bucket b holds up to DHT_K contacts that share exactly b leading bits with us.
 *
 * Nobody gets in by talking: only an answer to a request of ours or a session (proven by the
 * caller) makes a contact. A newcomer to a full bucket waits among TABLE_SPARES_MAX spares while
 * the contact longest unheard of is pinged; if that one stays silent, the latest spare takes its
 * place. Old contacts that answer are never pushed out, except that a contact with a session takes
 * the place of one without: it costs nothing to reach and is known to be up.
 * Memory follows the contacts: an empty table has no buckets. */
#include "dht/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NEAREST_MAX 64

struct bucket {
	size_t count, spares;
	struct contact contact[DHT_K];
	struct contact spare[TABLE_SPARES_MAX]; /* oldest first */
};

void dht_table_init(struct dht_table *t, const struct node_id *self)
{
	*t = (struct dht_table){ .self = *self };
}

void dht_table_fini(struct dht_table *t)
{
	for (size_t i = 0; i < TABLE_BUCKETS; i++)
		free(t->buckets[i]);
	*t = (struct dht_table){ 0 };
}

static struct contact *in(struct contact *c, size_t count, const struct pubkey *key)
{
	for (size_t i = 0; i < count; i++)
		if (key_equal(&c[i].key, key))
			return &c[i];
	return NULL;
}

static void take(struct contact *c, size_t *count, struct contact *gone)
{
	assert(*count > 0 && gone >= c && gone < c + *count);
	(*count)--;
	memmove(gone, gone + 1, (size_t)(c + *count - gone) * sizeof(*c));
}

/* Its bucket, or NULL when there is none yet. *index tells which; TABLE_BUCKETS = ourselves. */
static struct bucket *bucket_of(const struct dht_table *t, const struct pubkey *key, size_t *index)
{
	struct node_id id = id_of(key);

	*index = (size_t)id_common_bits(&t->self, &id);
	return *index < TABLE_BUCKETS ? t->buckets[*index] : NULL;
}

static void spare_add(struct bucket *b, const struct contact *c)
{
	struct contact *old = in(b->spare, b->spares, &c->key);

	if (!old && b->spares == TABLE_SPARES_MAX) {
		old = b->spare;
		if (!c->live && old->seen + TABLE_SPARE_STALE > c->seen)
			return;
	}
	if (old)
		take(b->spare, &b->spares, old);
	b->spare[b->spares++] = *c;
}

/* The contact without a session that was silent for longest, or NULL. */
static struct contact *oldest(struct bucket *b)
{
	struct contact *old = NULL;

	for (size_t i = 0; i < b->count; i++) {
		struct contact *c = &b->contact[i];

		if (!c->live && (!old || c->seen < old->seen))
			old = c;
	}
	return old;
}

static enum table_result add(struct dht_table *t, struct bucket *b, const struct contact *c,
			     struct pubkey *check)
{
	struct contact *spare = in(b->spare, b->spares, &c->key), *old;

	if (b->count < DHT_K) {
		if (spare)
			take(b->spare, &b->spares, spare);
		b->contact[b->count++] = *c;
		t->count++;
		return TABLE_ADDED;
	}
	old = oldest(b);
	if (c->live && old) {
		if (spare)
			take(b->spare, &b->spares, spare);
		spare_add(b, old);
		*old = *c;
		return TABLE_ADDED;
	}
	spare_add(b, c);
	if (old && !old->checking && old->seen + TABLE_CHECK_AFTER <= c->seen) {
		old->checking = true;
		*check = old->key;
	}
	return TABLE_SPARE;
}

enum table_result dht_table_seen(struct dht_table *t, const struct pubkey *key, bool live,
				 struct pubkey *check, usec_t now)
{
	size_t index;
	struct bucket *b = bucket_of(t, key, &index);
	struct contact *c, fresh = { .key = *key, .seen = now, .live = live };

	memset(check, 0, sizeof(*check));
	if (index == TABLE_BUCKETS)
		return TABLE_REFUSED;
	if (!b)
		b = t->buckets[index] = mem_new(sizeof(*b));
	c = in(b->contact, b->count, key);
	if (!c) {
		fresh.id = id_of(key);
		return add(t, b, &fresh, check);
	}
	c->seen = now;
	c->fails = 0;
	c->checking = false;
	c->live |= live;
	return TABLE_KNOWN;
}

bool dht_table_down(struct dht_table *t, const struct pubkey *key)
{
	size_t index;
	struct bucket *b = bucket_of(t, key, &index);
	struct contact *c = b ? in(b->contact, b->count, key) : NULL;

	if (!c)
		return false;
	c->live = false;
	if (c->fails < TABLE_FAILS_MAX - 1)
		c->fails = TABLE_FAILS_MAX - 1;
	return true;
}

static void forget(struct dht_table *t, struct bucket *b, struct contact *c, struct pubkey *instead)
{
	take(b->contact, &b->count, c);
	t->count--;
	if (b->spares == 0)
		return;
	b->contact[b->count] = b->spare[--b->spares];
	*instead = b->contact[b->count++].key;
	t->count++;
}

bool dht_table_failed(struct dht_table *t, const struct pubkey *key, struct pubkey *instead)
{
	size_t index;
	struct bucket *b = bucket_of(t, key, &index);
	struct contact *c = b ? in(b->contact, b->count, key) : NULL;
	bool replaced;

	memset(instead, 0, sizeof(*instead));
	if (!c)
		return false;
	if (c->fails < TABLE_FAILS_MAX)
		c->fails++;
	replaced = c->checking && b->spares > 0;
	c->checking = false;
	if (c->live || (c->fails < TABLE_FAILS_MAX && !replaced))
		return false; /* a session is the better witness: it says when it goes down */
	forget(t, b, c, instead);
	return true;
}

bool dht_table_wants(const struct dht_table *t, const struct pubkey *key, usec_t now)
{
	size_t index;
	struct bucket *b = bucket_of(t, key, &index);

	if (!b)
		return index < TABLE_BUCKETS;
	if (in(b->contact, b->count, key) || in(b->spare, b->spares, key))
		return false;
	return b->count < DHT_K || b->spares < TABLE_SPARES_MAX ||
	       b->spare[0].seen + TABLE_SPARE_STALE <= now;
}

bool dht_table_has_room(const struct dht_table *t, const struct pubkey *key)
{
	size_t index;
	struct bucket *b = bucket_of(t, key, &index);

	return index < TABLE_BUCKETS && (!b || b->count < DHT_K);
}

bool dht_table_knows(const struct dht_table *t, const struct pubkey *key)
{
	size_t index;
	struct bucket *b = bucket_of(t, key, &index);

	return b && (in(b->contact, b->count, key) || in(b->spare, b->spares, key));
}

const struct contact *dht_table_get(const struct dht_table *t, const struct pubkey *key)
{
	size_t index;
	struct bucket *b = bucket_of(t, key, &index);

	return b ? in(b->contact, b->count, key) : NULL;
}

/* Puts c in its place among the n nearest found so far. */
static size_t insert(const struct node_id *target, const struct contact *out[], size_t n,
		     const struct contact *c, size_t max)
{
	size_t i = n;

	while (i > 0 && id_xor_compare(target, &c->id, &out[i - 1]->id) < 0)
		i--;
	if (i == max)
		return n;
	if (n == max)
		n--;
	memmove(&out[i + 1], &out[i], (n - i) * sizeof(*out));
	out[i] = c;
	return n + 1;
}

size_t dht_table_nearest(const struct dht_table *t, const struct node_id *target,
			 const struct contact *out[], size_t max)
{
	size_t n = 0;

	assert(max > 0 && max <= NEAREST_MAX);
	for (size_t i = 0; i < TABLE_BUCKETS; i++) {
		const struct bucket *b = t->buckets[i];

		for (size_t j = 0; b && j < b->count; j++)
			if (b->contact[j].fails < TABLE_FAILS_MAX)
				n = insert(target, out, n, &b->contact[j], max);
	}
	return n;
}

size_t dht_table_depth(const struct dht_table *t)
{
	size_t depth = 0;

	for (size_t i = 0; i < TABLE_BUCKETS; i++)
		if (t->buckets[i] && t->buckets[i]->count)
			depth = i + 1;
	return depth;
}

size_t dht_table_size(const struct dht_table *t)
{
	size_t size = 0;

	for (size_t i = 0; i < TABLE_BUCKETS; i++)
		size += t->buckets[i] ? sizeof(struct bucket) : 0;
	return size;
}
