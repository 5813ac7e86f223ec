/* store.c - the held records: one array, sorted by name.
 *
 * A record is one block: its bytes, which start with its name and end with its signer and
 * signature; nothing of that is kept twice, for every node holds many. Moving half an array of
 * pointers for a newcomer costs less than checking its signature.
 *
 * Bounds: DHT_RECORDS_MAX in all, DHT_SIGNERS_MAX under one name, DHT_ORIGIN_MAX of one signer.
 * None of them refuses our own records. Records are counted by signer only while there are so many
 * that one signer's could be too many. A full store keeps what lies near to us, where lookups
 * come: of SAMPLE records drawn at random the farthest gives way to a nearer newcomer, so a flood
 * of strange keys cannot push out the keys this node is asked for, and a put stays cheap. Its owner
 * says which of others' records have no business here any more (dht_store_shed).
 * The caller checks form, dates and signature; here only numbers and places count. */
#include "dht/store.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SAMPLE 16
#define ALL_STEP 8 /* places made at a time, or an eighth of what there is */
#define NAME_AT 1  /* in a record's bytes, after its version: kind and key, as record_name */
#define EXPIRES_AT (NAME_AT + 1 + ID_LEN + 8) /* after the sequence */

struct held_origin {
	struct pubkey signer;
	size_t count;
};

struct held_record {
	uint16_t since; /* minutes of the wall clock, wrapping: when it came */
	uint16_t len;
	uint8_t bytes[]; /* of the record: read anew when somebody asks */
};

_Static_assert(RECORD_LEN_MAX <= UINT16_MAX, "len");

_Static_assert(sizeof(struct record_name) == 1 + ID_LEN, "a name is a map key without padding");
_Static_assert(sizeof(struct pubkey) == KEY_LEN && _Alignof(struct pubkey) == 1, "a key in place");

void dht_store_init(struct dht_store *s, const uint8_t seed[16])
{
	map_init(&s->origins, offsetof(struct held_origin, signer), KEY_LEN, DHT_RECORDS_MAX, seed);
}

static const struct record_name *name_of(const struct held_record *h)
{
	return (const struct record_name *)(h->bytes + NAME_AT);
}

static const struct pubkey *signer_of(const struct held_record *h)
{
	return (const struct pubkey *)(h->bytes + h->len - SIG_LEN - KEY_LEN);
}

static uint16_t minutes(uint64_t wall) { return (uint16_t)(wall / 60); }

static uint64_t expires_of(const struct held_record *h)
{
	struct rd r = rd_of(h->bytes + EXPIRES_AT, 8);

	return rd_u64(&r);
}

/* The place of the first record under the name, or where it would stand. */
static size_t first_of(const struct dht_store *s, const struct record_name *name)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(name_of(s->all[middle]), name, sizeof(*name)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Iterates over a name's records: i from first_of on. */
static bool is_under(const struct dht_store *s, size_t i, const struct record_name *name)
{
	return i < s->count && memcmp(name_of(s->all[i]), name, sizeof(*name)) == 0;
}

static size_t count_under(const struct dht_store *s, const struct record_name *name)
{
	size_t first = first_of(s, name), i = first;

	while (is_under(s, i, name))
		i++;
	return i - first;
}

/* --- how many each signer has --- */

static void origin_add(struct dht_store *s, const struct pubkey *signer)
{
	struct held_origin *o = map_get(&s->origins, signer);

	if (!o) {
		o = mem_new(sizeof(*o));
		o->signer = *signer;
		map_put(&s->origins, o);
	}
	o->count++;
}

static void origins_forget(struct dht_store *s)
{
	struct held_origin *o;
	size_t at = 0;

	while ((o = map_next(&s->origins, &at))) {
		map_take_at(&s->origins, &at);
		free(o);
	}
}

/* One more is held: number DHT_ORIGIN_MAX lets the counting begin. */
static void origins_held(struct dht_store *s, const struct held_record *h)
{
	if (s->origins.count)
		origin_add(s, signer_of(h));
	else if (s->count >= DHT_ORIGIN_MAX)
		for (size_t i = 0; i < s->count; i++)
			origin_add(s, signer_of(s->all[i]));
}

/* One is to go; far below what makes counting begin, it ends. */
static void origins_dropped(struct dht_store *s, const struct held_record *h)
{
	struct held_origin *o = s->origins.count ? map_get(&s->origins, signer_of(h)) : NULL;

	if (o && --o->count == 0) {
		map_take(&s->origins, &o->signer);
		free(o);
	}
	if (s->count <= DHT_ORIGIN_MAX / 2)
		origins_forget(s);
}

static size_t count_of(const struct dht_store *s, const struct pubkey *signer)
{
	const struct held_origin *o = map_get(&s->origins, signer);

	return o ? o->count : 0;
}

/* --- holding and dropping --- */

static void resize(struct dht_store *s, size_t size)
{
	s->size = size;
	if (size) {
		s->all = mem_resize(s->all, size * sizeof(*s->all));
		return;
	}
	free(s->all);
	s->all = NULL;
}

static void drop(struct dht_store *s, size_t i)
{
	struct held_record *h = s->all[i];

	origins_dropped(s, h);
	memmove(&s->all[i], &s->all[i + 1], (--s->count - i) * sizeof(*s->all));
	free(h);
	if (s->count + 2 * ALL_STEP + s->size / 4 < s->size || !s->count)
		resize(s, s->count);
}

void dht_store_fini(struct dht_store *s)
{
	while (s->count)
		drop(s, s->count - 1);
	map_fini(&s->origins);
}

static struct record record_of(const struct held_record *h)
{
	struct record r;
	bool ok = record_read(&r, h->bytes, h->len);

	assert(ok);
	(void)ok;
	return r;
}

/* Its place, or `count`. */
static size_t find(const struct dht_store *s, const struct record_name *name,
		   const struct pubkey *signer)
{
	for (size_t i = first_of(s, name); is_under(s, i, name); i++)
		if (key_equal(signer_of(s->all[i]), signer))
			return i;
	return s->count;
}

static bool is_own(const struct dht_store *s, const struct pubkey *signer)
{
	return key_equal(signer, &s->self);
}

/* One under the name that may go: expired, or, when `any`, not our own. Its place, or `count`. */
static size_t goner(const struct dht_store *s, const struct record_name *name, uint64_t wall,
		    bool any)
{
	for (size_t i = first_of(s, name); is_under(s, i, name); i++)
		if (expires_of(s->all[i]) <= wall || (any && !is_own(s, signer_of(s->all[i]))))
			return i;
	return s->count;
}

enum store_result dht_store_ask(const struct dht_store *s, const struct record *r, uint64_t wall)
{
	size_t at = find(s, &r->name, &r->signer);
	const struct held_record *h = at < s->count ? s->all[at] : NULL;

	if (h && h->len == r->len && memcmp(h->bytes, r->bytes, r->len) == 0)
		return STORE_SAME;
	if (h && expires_of(h) > wall && r->seq <= record_of(h).seq)
		return STORE_OLDER;
	if (h || is_own(s, &r->signer))
		return STORE_NEW;
	if (count_of(s, &r->signer) >= DHT_ORIGIN_MAX)
		return STORE_QUOTA;
	if (count_under(s, &r->name) >= DHT_SIGNERS_MAX && goner(s, &r->name, wall, false) == s->count)
		return STORE_FULL;
	return STORE_NEW;
}

/* When the store is full: makes room for r, or says no. */
static bool make_room(struct dht_store *s, const struct record *r, uint64_t wall)
{
	struct node_id self = id_of(&s->self);
	const struct held_record *worst = NULL;
	size_t worst_at = 0;

	if (s->count < DHT_RECORDS_MAX)
		return true;
	for (int i = 0; i < SAMPLE; i++) {
		const struct held_record *h;
		uint32_t n;

		s->random(s->ctx, &n, sizeof(n));
		n %= s->count;
		h = s->all[n];
		if (is_own(s, signer_of(h)))
			continue;
		if (expires_of(h) <= wall) {
			drop(s, n);
			return true;
		}
		if (!worst || id_xor_compare(&self, &name_of(h)->key, &name_of(worst)->key) > 0) {
			worst = h;
			worst_at = n;
		}
	}
	if (!worst ||
	    (!is_own(s, &r->signer) && id_xor_compare(&self, &r->name.key, &name_of(worst)->key) >= 0))
		return false;
	drop(s, worst_at);
	return true;
}

static void hold(struct dht_store *s, const struct record *r, uint64_t wall)
{
	struct held_record *h = mem_new(offsetof(struct held_record, bytes) + r->len);
	size_t at = first_of(s, &r->name);

	memcpy(h->bytes, r->bytes, r->len);
	h->len = (uint16_t)r->len;
	h->since = minutes(wall);
	if (s->count == s->size)
		resize(s, s->size + ALL_STEP + s->size / 8);
	memmove(&s->all[at + 1], &s->all[at], (s->count++ - at) * sizeof(*s->all));
	s->all[at] = h;
	origins_held(s, h);
}

enum store_result dht_store_put(struct dht_store *s, const struct record *r, uint64_t wall)
{
	enum store_result result = dht_store_ask(s, r, wall);
	size_t at = find(s, &r->name, &r->signer);

	if (result != STORE_NEW)
		return result;
	if (at < s->count)
		drop(s, at);
	if (count_under(s, &r->name) >= DHT_SIGNERS_MAX)
		drop(s, goner(s, &r->name, wall, is_own(s, &r->signer)));
	if (!make_room(s, r, wall))
		return STORE_FULL;
	hold(s, r, wall);
	return STORE_NEW;
}

size_t dht_store_get(const struct dht_store *s, const struct record_name *name, uint64_t wall,
		     struct record out[], size_t max)
{
	size_t count = 0;

	for (size_t i = first_of(s, name); count < max && is_under(s, i, name); i++)
		if (expires_of(s->all[i]) > wall)
			out[count++] = record_of(s->all[i]);
	return count;
}

void dht_store_remove(struct dht_store *s, const struct record_name *name,
		      const struct pubkey *signer)
{
	size_t at = find(s, name, signer);

	if (at < s->count)
		drop(s, at);
}

void dht_store_sweep(struct dht_store *s, uint64_t wall)
{
	for (size_t i = s->count; i-- > 0;)
		if (expires_of(s->all[i]) <= wall)
			drop(s, i);
}

void dht_store_shed(struct dht_store *s, const struct store_shed *shed, uint64_t wall)
{
	for (size_t i = s->count; i-- > 0;) {
		const struct held_record *h = s->all[i];
		uint16_t age = (uint16_t)(minutes(wall) - h->since);

		if (age >= shed->minutes && !is_own(s, signer_of(h)) &&
		    shed->is_stray(shed->ctx, name_of(h)))
			drop(s, i);
	}
}

bool dht_store_find(const struct dht_store *s, const struct record_name *name,
		    const struct pubkey *signer, struct record *out)
{
	size_t at = find(s, name, signer);

	if (at < s->count)
		*out = record_of(s->all[at]);
	return at < s->count;
}

struct record dht_store_at(const struct dht_store *s, size_t i)
{
	assert(i < s->count);
	return record_of(s->all[i]);
}

size_t dht_store_size(const struct dht_store *s)
{
	size_t size = (s->size + s->origins.size) * sizeof(void *);

	for (size_t i = 0; i < s->count; i++)
		size += offsetof(struct held_record, bytes) + s->all[i]->len;
	return size + s->origins.count * sizeof(struct held_origin);
}
