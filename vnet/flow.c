/* flow.c - open addressing with linear probing and removal by moving back; keyed hash.
 *
 * The key of the hash is random and never leaves the process, so that nobody can choose addresses
 * that collide. Flows have numbers (`slot`) so that what lanes note about them (use, packets) lies
 * in arrays of the lanes and not in the flow: the fast path never writes into the table.
 *
 * Table and marks start small and grow by doubling up to VNET_FLOWS_MAX flows. Eviction is second
 * chance over the list `age`: exact recency order would have the fast path move list items. */
#include "vnet/flow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "vnet/ip.h"

#define SIZE_START 8
#define EXAMINED 64

static size_t home_of(const struct flows *t, const struct ip *ip)
{
	uint64_t half[2];
	unsigned __int128 product;

	memcpy(half, ip->b, sizeof(half));
	product = (unsigned __int128)(half[0] ^ t->seed[0]) * (half[1] ^ t->seed[1]);
	return (size_t)((uint64_t)product ^ (uint64_t)(product >> 64)) & t->mask;
}

/* The place of this address, else the empty place where it would go. */
static size_t find(const struct flows *t, const struct ip *ip)
{
	size_t i = home_of(t, ip);

	while (t->slots[i] && !ip_same(&t->slots[i]->ip, ip))
		i = (i + 1) & t->mask;
	return i;
}

static void resize(struct flows *t, size_t size)
{
	free(t->slots);
	t->slots = mem_new(2 * size * sizeof(*t->slots));
	t->mask = 2 * size - 1;
	for (size_t i = 0; i < t->size; i++)
		if (t->all[i])
			t->slots[find(t, &t->all[i]->ip)] = t->all[i];
	t->all = mem_resize(t->all, size * sizeof(*t->all));
	t->marks->of = mem_resize(t->marks->of, size * sizeof(*t->marks->of));
	for (size_t i = t->size; i < size; i++) {
		t->all[i] = NULL;
		t->marks->of[i] = (struct flow_mark){ 0 };
	}
	t->size = t->marks->size = size;
}

void flows_init(struct flows *t, struct flow_marks *marks, const uint64_t seed[2], void *ctx)
{
	*t = (struct flows){ .marks = marks, .ctx = ctx, .seed = { seed[0], seed[1] } };
	list_init(&t->age);
	resize(t, SIZE_START);
}

void flows_fini(struct flows *t)
{
	for (size_t i = 0; i < t->size; i++)
		free(t->all[i]);
	free(t->all);
	free(t->slots);
	free(t->marks->of);
	*t->marks = (struct flow_marks){ 0 };
	*t = (struct flows){ 0 };
}

struct flow *flow_find(const struct flows *t, const struct ip *ip) { return t->slots[find(t, ip)]; }

static uint32_t free_number(const struct flows *t)
{
	for (size_t i = 0; i < t->size; i++)
		if (!t->all[(t->count + i) % t->size])
			return (uint32_t)((t->count + i) % t->size);
	assert(!"a table that is not full has a free number");
	return 0;
}

struct flow *flow_add(struct flows *t, const struct ip *ip, usec_t now)
{
	struct flow *f = mem_new(sizeof(*f));

	assert(t->count < VNET_FLOWS_MAX && !flow_find(t, ip));
	if (t->count == t->size)
		resize(t, t->size * 2);
	f->ip = *ip;
	f->table = t;
	f->slot = free_number(t);
	f->seen = now;
	held_queue_init(&f->held);
	list_init(&f->of_owner);
	list_add_tail(&t->age, &f->age);
	t->all[f->slot] = t->slots[find(t, ip)] = f;
	t->marks->of[f->slot] = (struct flow_mark){ .used = now };
	t->count++;
	return f;
}

/* Closes the gap: what was pushed past the hole moves back. */
static void unlink_at(struct flows *t, size_t hole)
{
	for (size_t i = (hole + 1) & t->mask; t->slots[i]; i = (i + 1) & t->mask) {
		size_t home = home_of(t, &t->slots[i]->ip);

		if (((i - home) & t->mask) < ((i - hole) & t->mask))
			continue; /* its home lies behind the hole */
		t->slots[hole] = t->slots[i];
		hole = i;
	}
	t->slots[hole] = NULL;
}

void flow_del(struct flow *f)
{
	struct flows *t = f->table;

	assert(!f->owner && !f->held.count && !timer_is_set(&f->timer));
	unlink_at(t, find(t, &f->ip));
	t->all[f->slot] = NULL;
	t->count--;
	list_del(&f->age);
	free(f);
}

struct flow *flow_victim(struct flows *t)
{
	struct flow *victim = NULL;

	for (size_t i = 0; i < EXAMINED && i < t->count; i++) {
		struct flow *f = container_of(t->age.next, struct flow, age);
		usec_t used = flow_mark(f)->used;

		if (used <= f->seen)
			return f;
		if (!victim || used < flow_mark(victim)->used)
			victim = f;
		f->seen = used;
		list_del(&f->age);
		list_add_tail(&t->age, &f->age);
	}
	return victim;
}

struct flow *flow_next(const struct flows *t, size_t *at)
{
	while (*at < t->size)
		if (t->all[(*at)++])
			return t->all[*at - 1];
	return NULL;
}
