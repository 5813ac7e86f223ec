/* sim_disk.c - the durable map: pairs in an array, writes under way in a list, in order.
 *
 * Like the real journal: writes reach the disk in the order in which they were begun. */
#include "cmd/sim_disk.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct pair {
	uint64_t op;
	uint32_t key_len, len;
	uint8_t *bytes; /* the key, then the value */
};

struct pairs { /* no memory while empty */
	struct pair *at;
	size_t count, size;
};

struct sim_store {
	struct pairs live, under_way;
};

struct sim_store *sim_store_new(void) { return mem_new(sizeof(struct sim_store)); }

static void pairs_free(struct pairs *ps)
{
	for (size_t i = 0; i < ps->count; i++)
		free(ps->at[i].bytes);
	free(ps->at);
	*ps = (struct pairs){ 0 };
}

void sim_store_free(struct sim_store *d)
{
	pairs_free(&d->live);
	pairs_free(&d->under_way);
	free(d);
}

static void append(struct pairs *ps, const struct pair *p)
{
	if (ps->count == ps->size) {
		ps->size = ps->size ? 2 * ps->size : 4;
		ps->at = mem_resize(ps->at, ps->size * sizeof(*ps->at));
	}
	ps->at[ps->count++] = *p;
}

static void remove_at(struct pairs *ps, size_t i)
{
	memmove(&ps->at[i], &ps->at[i + 1], (--ps->count - i) * sizeof(*ps->at));
	if (!ps->count)
		pairs_free(ps);
}

static bool same_key(const struct pair *a, const struct pair *b)
{
	return a->key_len == b->key_len && memcmp(a->bytes, b->bytes, a->key_len) == 0;
}

/* Takes the pair over. */
static void apply(struct sim_store *d, struct pair *p)
{
	for (size_t i = 0; i < d->live.count; i++)
		if (same_key(&d->live.at[i], p)) {
			free(d->live.at[i].bytes);
			remove_at(&d->live, i);
			break;
		}
	if (p->len)
		append(&d->live, p);
	else
		free(p->bytes);
}

struct sim_store *sim_store_copy(const struct sim_store *d)
{
	struct sim_store *to = sim_store_new();

	for (size_t i = 0; i < d->live.count; i++) {
		const struct pair *p = &d->live.at[i];

		append(&to->live, &(struct pair){ p->op, p->key_len, p->len,
						  mem_copy(p->bytes, p->key_len + p->len) });
	}
	return to;
}

void sim_store_begin(struct sim_store *d, uint64_t op, const uint8_t *key, size_t key_len,
		     const uint8_t *value, size_t len)
{
	uint8_t *bytes = mem_new(key_len + len);

	memcpy(bytes, key, key_len);
	if (len)
		memcpy(bytes + key_len, value, len);
	append(&d->under_way, &(struct pair){ op, (uint32_t)key_len, (uint32_t)len, bytes });
}

void sim_store_end(struct sim_store *d, uint64_t op)
{
	bool known = false;

	for (size_t i = 0; i < d->under_way.count; i++)
		known |= d->under_way.at[i].op == op;
	while (known) {
		struct pair p = d->under_way.at[0];

		remove_at(&d->under_way, 0);
		known = p.op != op;
		apply(d, &p);
	}
}

void sim_store_crash(struct sim_store *d, uint64_t luck)
{
	size_t keep = d->under_way.count ? luck % (d->under_way.count + 1) : 0;

	for (size_t i = 0; i < keep; i++) {
		struct pair p = d->under_way.at[0];

		remove_at(&d->under_way, 0);
		apply(d, &p);
	}
	pairs_free(&d->under_way);
}

static size_t place(const char *order, const struct pair *p)
{
	const char *at = strchr(order, p->bytes[0]);

	return at ? (size_t)(at - order) : strlen(order);
}

static bool comes_before(const char *order, const struct pair *a, const struct pair *b)
{
	size_t x = place(order, a), y = place(order, b), n;
	int c;

	if (x != y)
		return x < y;
	n = a->key_len < b->key_len ? a->key_len : b->key_len;
	c = memcmp(a->bytes, b->bytes, n);
	return c ? c < 0 : a->key_len < b->key_len;
}

void sim_store_each(struct sim_store *d, const char *order,
		    void (*each)(void *ctx, const uint8_t *key, size_t key_len,
				 const uint8_t *value, size_t len),
		    void *ctx)
{
	struct pairs *ps = &d->live;

	for (size_t i = 1; i < ps->count; i++)
		for (size_t j = i; j && comes_before(order, &ps->at[j], &ps->at[j - 1]); j--) {
			struct pair t = ps->at[j];

			ps->at[j] = ps->at[j - 1];
			ps->at[j - 1] = t;
		}
	for (size_t i = 0; i < ps->count; i++)
		each(ctx, ps->at[i].bytes, ps->at[i].key_len, ps->at[i].bytes + ps->at[i].key_len,
		     ps->at[i].len);
}
