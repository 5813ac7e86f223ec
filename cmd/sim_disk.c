/* sim_disk.c - the durable map: pairs in one block of bytes, writes under way in a list, in order.
 *
 * Like the real journal: writes reach the disk in the order in which they were begun. Thousands of
 * disks lie in memory and are hardly ever written to, so each is as long as what is on it. */
#include "cmd/sim_disk.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

struct head { /* of a pair on the disk; then the key, then the value */
	uint32_t key_len, len;
};

struct pair { /* a copy of the head, and where its key and value are */
	struct head head;
	const uint8_t *key, *value;
};

struct write { /* under way */
	struct list list;
	uint64_t op;
	struct head head;
	uint8_t bytes[]; /* the key, then the value */
};

struct sim_store {
	uint8_t *bytes; /* the pairs */
	size_t len;
	struct list under_way;
};

struct sim_store *sim_store_new(void)
{
	struct sim_store *d = mem_new(sizeof(*d));

	list_init(&d->under_way);
	return d;
}

static void writes_forget(struct sim_store *d)
{
	struct list *l;

	while ((l = list_take(&d->under_way)))
		free(container_of(l, struct write, list));
}

void sim_store_free(struct sim_store *d)
{
	writes_forget(d);
	free(d->bytes);
	free(d);
}

static size_t size_of(const struct head *h) { return sizeof(*h) + h->key_len + h->len; }

/* The pair at *at, which is then behind it; false at the end. */
static bool next(const struct sim_store *d, size_t *at, struct pair *p)
{
	if (*at == d->len)
		return false;
	memcpy(&p->head, d->bytes + *at, sizeof(p->head));
	p->key = d->bytes + *at + sizeof(p->head);
	p->value = p->key + p->head.key_len;
	*at += size_of(&p->head);
	return true;
}

static void remove_key(struct sim_store *d, const struct write *w)
{
	struct pair p;

	for (size_t at = 0, from = 0; next(d, &at, &p); from = at) {
		if (p.head.key_len != w->head.key_len ||
		    memcmp(p.key, w->bytes, p.head.key_len) != 0)
			continue;
		memmove(d->bytes + from, d->bytes + at, d->len - at);
		d->len -= at - from;
		return;
	}
}

static void apply(struct sim_store *d, struct write *w)
{
	size_t size = w->head.key_len + w->head.len;

	remove_key(d, w);
	if (w->head.len) {
		d->bytes = mem_resize(d->bytes, d->len + size_of(&w->head));
		memcpy(d->bytes + d->len, &w->head, sizeof(w->head));
		memcpy(d->bytes + d->len + sizeof(w->head), w->bytes, size);
		d->len += size_of(&w->head);
	}
	free(w);
}

struct sim_store *sim_store_copy(const struct sim_store *d)
{
	struct sim_store *to = sim_store_new();

	if (d->len)
		to->bytes = mem_copy(d->bytes, d->len);
	to->len = d->len;
	return to;
}

void sim_store_begin(struct sim_store *d, uint64_t op, const uint8_t *key, size_t key_len,
		     const uint8_t *value, size_t len)
{
	struct write *w = mem_new(sizeof(*w) + key_len + len);

	w->op = op;
	w->head = (struct head){ (uint32_t)key_len, (uint32_t)len };
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

static size_t place(const char *order, const struct pair *p)
{
	const char *at = strchr(order, p->key[0]);

	return at ? (size_t)(at - order) : strlen(order);
}

static bool comes_before(const char *order, const struct pair *a, const struct pair *b)
{
	size_t x = place(order, a), y = place(order, b), n;
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
