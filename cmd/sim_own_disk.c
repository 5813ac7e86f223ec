/* sim_own_disk.c - a process's durable map: writes end in the order in which they were made, after
 * `delay`; a power failure leaves some first part of those under way. Values of the template are
 * shared and belong to it: ow_alloc made what is in a record, so every record owns its value. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "cmd/sim_own_impl.h"

void *ow_alloc(struct ow_pool *p, size_t len)
{
	struct ow_block *b;
	uint8_t size = 0;

	while ((size_t)128 << 2 * size < len + sizeof(*b))
		size++;
	assert(size < OW_CLASSES);
	b = p->free[size];
	if (b)
		p->free[size] = b->next;
	else
		b = mem_new((size_t)128 << 2 * size);
	b->size = size;
	return b->bytes;
}

void ow_free(struct ow_pool *p, void *bytes)
{
	struct ow_block *b;

	if (!bytes)
		return;
	b = container_of(bytes, struct ow_block, bytes);
	b->next = p->free[b->size];
	p->free[b->size] = b;
}

void ow_pool_fini(struct ow_pool *p)
{
	for (size_t i = 0; i < OW_CLASSES; i++)
		while (p->free[i]) {
			struct ow_block *b = p->free[i];

			p->free[i] = b->next;
			free(b);
		}
}

static uint32_t hash_of_key(const uint8_t *key, size_t len)
{
	uint32_t h = (uint32_t)len;

	for (size_t i = 0; i < len; i++)
		h = (h ^ key[i]) * 16777619u;
	return h;
}

static struct ow_record *find(struct ow_disk *d, const struct ow_record *r)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->record[i].hash == r->hash && d->record[i].key_len == r->key_len &&
		    memcmp(d->record[i].key, r->key, r->key_len) == 0)
			return &d->record[i];
	return NULL;
}

/* Takes r->value. */
static void apply(struct ow_process *p, struct ow_record *r)
{
	struct ow_disk *d = &p->disk;
	struct ow_record *old = find(d, r);

	if (old) {
		ow_free(&p->w->pool, old->value);
		*old = r->len ? *r : d->record[--d->count];
	} else if (r->len) {
		assert(d->count < OW_RECORDS);
		d->record[d->count++] = *r;
	}
}

void ow_disk_write(struct ow_process *p, uint64_t op, const uint8_t *key, size_t key_len,
		    const uint8_t *value, size_t len)
{
	struct ow_world *w = p->w;
	struct ow_disk *d = &p->disk;
	struct ow_write *t;
	usec_t last;

	w->writes++;
	if (d->dies_in && --d->dies_in == 0)
		p->dies = true;
	if (d->writing == OW_WRITES) /* a disk that hangs for long: lost as if it had failed late */
		return;
	last = d->writing ? d->write[(d->first + d->writing - 1) % OW_WRITES].at : 0;
	t = &d->write[(d->first + d->writing++) % OW_WRITES];
	assert(key_len <= sizeof(t->r.key));
	t->op = op;
	t->at = last > w->now ? last : w->now + d->delay / 2 + ow_draw(w, d->delay);
	t->r = (struct ow_record){ .key_len = (uint8_t)key_len, .len = (uint32_t)len,
				    .stamp = p->stamp, .hash = hash_of_key(key, key_len) };
	memcpy(t->r.key, key, key_len);
	if (len) {
		t->r.value = ow_alloc(&w->pool, len);
		memcpy(t->r.value, value, len);
	}
	if (t->at != last) /* else one flush does for both */
		ow_push(w, t->at, OW_WRITTEN, p);
}

bool ow_disk_due(struct ow_process *p, uint64_t *op, int *result)
{
	struct ow_disk *d = &p->disk;
	struct ow_write *t = &d->write[d->first];

	if (!d->writing || t->at > p->w->now || d->hangs)
		return false;
	d->first = (d->first + 1) % OW_WRITES;
	d->writing--;
	*op = t->op;
	*result = d->fails;
	if (d->fails)
		ow_free(&p->w->pool, t->r.value);
	else
		apply(p, &t->r);
	return true;
}

void ow_disk_stop(struct ow_process *p, bool power)
{
	struct ow_disk *d = &p->disk;
	size_t there = d->fails || d->hangs ? 0 : ow_draw(p->w, d->writing + 1);

	(void)power;
	for (; d->writing; d->writing--, d->first = (d->first + 1) % OW_WRITES) {
		struct ow_write *t = &d->write[d->first];

		if (there) {
			apply(p, &t->r);
			there--;
		} else {
			ow_free(&p->w->pool, t->r.value);
		}
	}
	d->first = 0;
}

void ow_disk_clear(struct ow_process *p)
{
	struct ow_disk *d = &p->disk;

	while (d->writing) {
		ow_free(&p->w->pool, d->write[d->first].r.value);
		d->first = (d->first + 1) % OW_WRITES;
		d->writing--;
	}
	while (d->count)
		ow_free(&p->w->pool, d->record[--d->count].value);
	d->first = 0; /* what is left of records and writes is not looked at */
	d->fails = 0;
	d->hangs = false;
	d->dies_in = 0;
}

static uint8_t *copy(struct ow_pool *pool, const void *b, size_t len)
{
	return len ? memcpy(ow_alloc(pool, len), b, len) : NULL;
}

void ow_disk_load(struct ow_process *p, const struct ow_snapshot *s)
{
	ow_disk_clear(p);
	for (size_t i = 0; i < s->count; i++) {
		p->disk.record[i] = s->record[i];
		p->disk.record[i].value = copy(&p->w->pool, s->record[i].value, s->record[i].len);
	}
	p->disk.count = s->count;
}

void ow_snapshot_take(struct ow_world *w, struct ow_snapshot *s, const struct ow_disk *d)
{
	ow_snapshot_clear(w, s);
	for (size_t i = 0; i < d->count; i++) {
		s->record[i] = d->record[i];
		s->record[i].value = copy(&w->pool, d->record[i].value, d->record[i].len);
	}
	s->count = d->count;
}

void ow_snapshot_clear(struct ow_world *w, struct ow_snapshot *s)
{
	while (s->count)
		ow_free(&w->pool, s->record[--s->count].value);
}
