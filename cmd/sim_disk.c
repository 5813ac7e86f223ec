/* sim_disk.c - the durable map: pairs in one block of bytes, writes under way in a list, in order.
 *
 * Like the real journal: writes reach the disk in the order in which they were begun. Thousands of
 * disks lie in memory and are hardly ever written to, so each is as long as what is on it, and a
 * value that others hold as well (what all members of a namespace know) stands once for all but the
 * first of them, in the one of VALUES_MAX places of the world that belongs to its hash. A value that
 * finds its place in use by another stands on each disk. */
#include "cmd/sim_disk.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "cmd/sim_world.h"

#define VALUES_MAX 1024
#define SHARED_MIN 24 /* bytes; a shorter value is not worth it */

struct shared {
	size_t users, len;
	uint8_t bytes[];
};

struct place {
	uint64_t seen; /* hash of the last value that looked here */
	struct shared *shared;
};

struct sim_values {
	struct place place[VALUES_MAX];
};

struct head { /* of a pair on the disk; then the key, then the value, or where it is shared */
	uint16_t len;
	uint8_t key_len;
	bool is_shared;
};

struct pair { /* a copy of the head, and where its key and value are */
	struct head head;
	const uint8_t *key, *value;
	struct shared *shared; /* NULL: it stands here */
};

struct write { /* under way */
	struct list list;
	uint64_t op;
	struct head head;
	uint8_t bytes[]; /* the key, then the value */
};

struct sim_store {
	struct sim_values *values;
	uint8_t *bytes; /* the pairs */
	size_t len;
	struct list under_way;
};

/* --- what is alike --- */

struct sim_values *sim_values_new(void) { return mem_new(sizeof(struct sim_values)); }

void sim_values_free(struct sim_values *v)
{
	for (size_t i = 0; v && i < VALUES_MAX; i++) {
		assert(!v->place[i].shared || !v->place[i].shared->users);
		free(v->place[i].shared);
	}
	free(v);
}

static bool is_same(const struct shared *s, const uint8_t *value, size_t len)
{
	return s->len == len && memcmp(s->bytes, value, len) == 0;
}

static struct shared *shared_new(const uint8_t *value, size_t len)
{
	struct shared *s = mem_new(sizeof(*s) + len);

	s->len = len;
	memcpy(s->bytes, value, len);
	return s;
}

/* What is written for the second time is shared from then on; NULL: it is new, or its place taken. */
static struct shared *share(struct sim_values *v, const uint8_t *value, size_t len)
{
	uint64_t hash = sim_mix_bytes(0, value, len);
	struct place *p = &v->place[(hash ^ hash >> 32) % VALUES_MAX];
	bool again = p->seen == hash;

	p->seen = hash;
	if (p->shared && is_same(p->shared, value, len))
		return p->shared;
	if (!again || (p->shared && p->shared->users))
		return NULL;
	free(p->shared);
	p->shared = shared_new(value, len);
	return p->shared;
}

/* --- one disk --- */

struct sim_store *sim_store_new(struct sim_values *values)
{
	struct sim_store *d = mem_new(sizeof(*d));

	d->values = values;
	list_init(&d->under_way);
	return d;
}

static void writes_forget(struct sim_store *d)
{
	struct list *l;

	while ((l = list_take(&d->under_way)))
		free(container_of(l, struct write, list));
}

static size_t size_of(const struct head *h)
{
	return sizeof(*h) + h->key_len + (h->is_shared ? sizeof(struct shared *) : h->len);
}

/* The pair at *at, which is then behind it; false at the end. */
static bool next(const struct sim_store *d, size_t *at, struct pair *p)
{
	if (*at == d->len)
		return false;
	memcpy(&p->head, d->bytes + *at, sizeof(p->head));
	p->key = d->bytes + *at + sizeof(p->head);
	p->value = p->key + p->head.key_len;
	p->shared = NULL;
	if (p->head.is_shared) {
		memcpy(&p->shared, p->value, sizeof(p->shared));
		p->value = p->shared->bytes;
	}
	*at += size_of(&p->head);
	return true;
}

void sim_store_free(struct sim_store *d)
{
	struct pair p;

	for (size_t at = 0; next(d, &at, &p);)
		if (p.shared)
			p.shared->users--;
	writes_forget(d);
	free(d->bytes);
	free(d);
}

static void remove_key(struct sim_store *d, const struct write *w)
{
	struct pair p;

	for (size_t at = 0, from = 0; next(d, &at, &p); from = at) {
		if (p.head.key_len != w->head.key_len ||
		    memcmp(p.key, w->bytes, p.head.key_len) != 0)
			continue;
		if (p.shared)
			p.shared->users--;
		memmove(d->bytes + from, d->bytes + at, d->len - at);
		d->len -= at - from;
		return;
	}
}

static void append(struct sim_store *d, struct write *w)
{
	const uint8_t *value = w->bytes + w->head.key_len;
	struct shared *s = NULL;
	uint8_t *to;

	if (w->head.len >= SHARED_MIN)
		s = share(d->values, value, w->head.len);
	w->head.is_shared = s != NULL;
	d->bytes = mem_resize(d->bytes, d->len + size_of(&w->head));
	to = d->bytes + d->len;
	memcpy(to, &w->head, sizeof(w->head));
	memcpy(to + sizeof(w->head), w->bytes, w->head.key_len);
	to += sizeof(w->head) + w->head.key_len;
	if (s) {
		s->users++;
		memcpy(to, &s, sizeof(s));
	} else {
		memcpy(to, value, w->head.len);
	}
	d->len += size_of(&w->head);
}

static void apply(struct sim_store *d, struct write *w)
{
	remove_key(d, w);
	if (w->head.len)
		append(d, w);
	free(w);
}

struct sim_store *sim_store_copy(const struct sim_store *d)
{
	struct sim_store *to = sim_store_new(d->values);
	struct pair p;

	if (d->len)
		to->bytes = mem_copy(d->bytes, d->len);
	to->len = d->len;
	for (size_t at = 0; next(to, &at, &p);)
		if (p.shared)
			p.shared->users++;
	return to;
}

void sim_store_begin(struct sim_store *d, uint64_t op, const uint8_t *key, size_t key_len,
		     const uint8_t *value, size_t len)
{
	struct write *w = mem_new(sizeof(*w) + key_len + len);

	w->op = op;
	assert(key_len <= UINT8_MAX && len <= UINT16_MAX);
	w->head = (struct head){ .len = (uint16_t)len, .key_len = (uint8_t)key_len };
	memcpy(w->bytes, key, key_len);
	if (len)
		memcpy(w->bytes + key_len, value, len);
	list_add_tail(&d->under_way, &w->list);
}

static struct write *take_first(struct sim_store *d)
{
	return container_of(list_take(&d->under_way), struct write, list);
}

void sim_store_end(struct sim_store *d, uint64_t op)
{
	bool known = false;

	for (struct list *l = d->under_way.next; l != &d->under_way; l = l->next)
		known |= container_of(l, struct write, list)->op == op;
	while (known) {
		struct write *w = take_first(d);

		known = w->op != op;
		apply(d, w);
	}
}

void sim_store_crash(struct sim_store *d, uint64_t luck)
{
	size_t count = 0;

	for (struct list *l = d->under_way.next; l != &d->under_way; l = l->next)
		count++;
	for (size_t keep = count ? luck % (count + 1) : 0; keep; keep--)
		apply(d, take_first(d));
	writes_forget(d);
}

static size_t rank(const char *order, const struct pair *p)
{
	const char *at = strchr(order, p->key[0]);

	return at ? (size_t)(at - order) : strlen(order);
}

static bool comes_before(const char *order, const struct pair *a, const struct pair *b)
{
	size_t x = rank(order, a), y = rank(order, b), n;
	int c;

	if (x != y)
		return x < y;
	n = a->head.key_len < b->head.key_len ? a->head.key_len : b->head.key_len;
	c = memcmp(a->key, b->key, n);
	return c ? c < 0 : a->head.key_len < b->head.key_len;
}

void sim_store_each(struct sim_store *d, const char *order,
		    void (*each)(void *ctx, const uint8_t *key, size_t key_len,
				 const uint8_t *value, size_t len),
		    void *ctx)
{
	struct pair *sorted = mem_new(d->len / sizeof(struct head) * sizeof(*sorted)), p;
	size_t count = 0;

	for (size_t at = 0; next(d, &at, &p); count++) {
		size_t i = count;

		for (; i && comes_before(order, &p, &sorted[i - 1]); i--)
			sorted[i] = sorted[i - 1];
		sorted[i] = p;
	}
	for (size_t i = 0; i < count; i++)
		each(ctx, sorted[i].key, sorted[i].head.key_len, sorted[i].value,
		     sorted[i].head.len);
	free(sorted);
}
