/* store.c - the held records by name, and one array of all.
 *
 * A record is one block: its place, and its bytes, which start with its name and end with its signer
 * and signature; nothing of that is kept twice. The first under each name is in a map.
 *
 * Bounds: DHT_RECORDS_MAX in all, DHT_SIGNERS_MAX under one name, DHT_ORIGIN_MAX of one signer.
 * None of them refuses our own records. Records are counted by signer only while there are so many
 * that one signer's could be too many. A full store keeps what lies near to us, where lookups
 * come: of SAMPLE records drawn at random the farthest gives way to a nearer newcomer, so a flood
 * of strange keys cannot push out the keys this node is asked for, and a put stays cheap.
 * The caller checks form, dates and signature; here only numbers and places count. */
#include "dht/store.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"

#define SAMPLE 16
#define ALL_STEP 8 /* places made at a time, or an eighth of what there is */
#define NAME_AT 1  /* in a record's bytes, after its version: kind and key, as record_name */

struct held_origin {
	struct pubkey signer;
	size_t count;
};

struct held_record {
	struct held_record *next; /* under the same name */
	uint64_t expires;
	uint32_t place; /* in `all` */
	uint16_t len;
	uint8_t bytes[]; /* of the record: read anew when somebody asks */
};

_Static_assert(RECORD_LEN_MAX <= UINT16_MAX, "len");

_Static_assert(sizeof(struct record_name) == 1 + ID_LEN, "a name is a map key without padding");
_Static_assert(sizeof(struct pubkey) == KEY_LEN && _Alignof(struct pubkey) == 1, "a key in place");

void dht_store_init(struct dht_store *s, const uint8_t seed[16])
{
	map_init(&s->names, offsetof(struct held_record, bytes) + NAME_AT,
		 sizeof(struct record_name), DHT_RECORDS_MAX, seed);
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

static size_t count_under(const struct dht_store *s, const struct record_name *name)
{
	size_t count = 0;

	for (const struct held_record *h = map_get(&s->names, name); h; h = h->next)
		count++;
	return count;
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

/* A name's map entry is its first record, so that changes with it. */
static void unlink_name(struct dht_store *s, struct held_record *h)
{
	struct held_record *first = map_take(&s->names, name_of(h)), **at = &first;

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	if (first)
		map_put(&s->names, first);
}

static void link_name(struct dht_store *s, struct held_record *h)
{
	h->next = map_take(&s->names, name_of(h));
	map_put(&s->names, h);
}

static void drop(struct dht_store *s, struct held_record *h)
{
	unlink_name(s, h);
	origins_dropped(s, h);
	s->all[h->place] = s->all[--s->count];
	s->all[h->place]->place = h->place;
	free(h);
	if (s->count == 0) {
		free(s->all);
		s->all = NULL;
		s->size = 0;
	}
}

void dht_store_fini(struct dht_store *s)
{
	while (s->count)
		drop(s, s->all[s->count - 1]);
	map_fini(&s->names);
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

static struct held_record *find(const struct dht_store *s, const struct record_name *name,
				const struct pubkey *signer)
{
	struct held_record *h = map_get(&s->names, name);

	while (h && !key_equal(signer_of(h), signer))
		h = h->next;
	return h;
}

static bool is_own(const struct dht_store *s, const struct pubkey *signer)
{
	return key_equal(signer, &s->self);
}

/* One under the name that may go: expired, or, when `any`, not our own. */
static struct held_record *goner(const struct dht_store *s, const struct record_name *name,
				 uint64_t wall, bool any)
{
	for (struct held_record *h = map_get(&s->names, name); h; h = h->next)
		if (h->expires <= wall || (any && !is_own(s, signer_of(h))))
			return h;
	return NULL;
}

enum store_result dht_store_ask(const struct dht_store *s, const struct record *r, uint64_t wall)
{
	struct held_record *h = find(s, &r->name, &r->signer);

	if (h && h->len == r->len && memcmp(h->bytes, r->bytes, r->len) == 0)
		return STORE_SAME;
	if (h && h->expires > wall && r->seq <= record_of(h).seq)
		return STORE_OLDER;
	if (h || is_own(s, &r->signer))
		return STORE_NEW;
	if (count_of(s, &r->signer) >= DHT_ORIGIN_MAX)
		return STORE_QUOTA;
	if (count_under(s, &r->name) >= DHT_SIGNERS_MAX && !goner(s, &r->name, wall, false))
		return STORE_FULL;
	return STORE_NEW;
}

/* When the store is full: makes room for r, or says no. */
static bool make_room(struct dht_store *s, const struct record *r, uint64_t wall)
{
	struct node_id self = id_of(&s->self);
	struct held_record *worst = NULL;

	if (s->count < DHT_RECORDS_MAX)
		return true;
	for (int i = 0; i < SAMPLE; i++) {
		struct held_record *h;
		uint32_t n;

		s->random(s->ctx, &n, sizeof(n));
		h = s->all[n % s->count];
		if (is_own(s, signer_of(h)))
			continue;
		if (h->expires <= wall) {
			drop(s, h);
			return true;
		}
		if (!worst || id_xor_compare(&self, &name_of(h)->key, &name_of(worst)->key) > 0)
			worst = h;
	}
	if (!worst ||
	    (!is_own(s, &r->signer) && id_xor_compare(&self, &r->name.key, &name_of(worst)->key) >= 0))
		return false;
	drop(s, worst);
	return true;
}

static void hold(struct dht_store *s, const struct record *r)
{
	struct held_record *h = mem_new(offsetof(struct held_record, bytes) + r->len);

	memcpy(h->bytes, r->bytes, r->len);
	h->len = (uint16_t)r->len;
	h->expires = r->expires;
	link_name(s, h);
	if (s->count == s->size) {
		s->size += ALL_STEP + s->size / 8;
		s->all = mem_resize(s->all, s->size * sizeof(*s->all));
	}
	h->place = (uint32_t)s->count;
	s->all[s->count++] = h;
	origins_held(s, h);
}

enum store_result dht_store_put(struct dht_store *s, const struct record *r, uint64_t wall)
{
	enum store_result result = dht_store_ask(s, r, wall);
	struct held_record *h = find(s, &r->name, &r->signer);

	if (result != STORE_NEW)
		return result;
	if (h)
		drop(s, h);
	if (count_under(s, &r->name) >= DHT_SIGNERS_MAX)
		drop(s, goner(s, &r->name, wall, is_own(s, &r->signer)));
	if (!make_room(s, r, wall))
		return STORE_FULL;
	hold(s, r);
	return STORE_NEW;
}

size_t dht_store_get(const struct dht_store *s, const struct record_name *name, uint64_t wall,
		     struct record out[], size_t max)
{
	size_t count = 0;

	for (struct held_record *h = map_get(&s->names, name); h && count < max; h = h->next)
		if (h->expires > wall)
			out[count++] = record_of(h);
	return count;
}

void dht_store_remove(struct dht_store *s, const struct record_name *name,
		      const struct pubkey *signer)
{
	struct held_record *h = find(s, name, signer);

	if (h)
		drop(s, h);
}

void dht_store_sweep(struct dht_store *s, uint64_t wall)
{
	for (size_t i = s->count; i-- > 0;)
		if (s->all[i]->expires <= wall)
			drop(s, s->all[i]);
}

bool dht_store_find(const struct dht_store *s, const struct record_name *name,
		    const struct pubkey *signer, struct record *out)
{
	struct held_record *h = find(s, name, signer);

	if (h)
		*out = record_of(h);
	return h != NULL;
}

struct record dht_store_at(const struct dht_store *s, size_t i)
{
	assert(i < s->count);
	return record_of(s->all[i]);
}

size_t dht_store_size(const struct dht_store *s)
{
	size_t size = (s->size + s->names.size + s->origins.size) * sizeof(void *);

	for (size_t i = 0; i < s->count; i++)
		size += offsetof(struct held_record, bytes) + s->all[i]->len;
	return size + s->origins.count * sizeof(struct held_origin);
}
