/* get.c - a lookup for records, its topic, and the body last opened.
 *
 * Records held here are shown to the lookup before it asks anybody; without contacts it is over at
 * once. A record counts when it opens under the topic's secret. */
#include "dht/get.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

struct get {
	struct list in_all;
	uint64_t op;
	struct dht_topic topic;
	struct lookup *lookup;
	size_t len, found;
	uint8_t body[DHT_BODY_MAX];
};

static bool opens(void *ctx, struct lookup *l, const struct record *r)
{
	struct get *g = l->owner;
	int len = record_open(g->body, r, &g->topic);

	(void)ctx;
	if (len < 0)
		return false;
	g->len = (size_t)len;
	return true;
}

static void found(void *ctx, struct lookup *l, const struct record *r)
{
	struct gets *gs = ctx;
	struct get *g = l->owner;
	struct dht_event e = { .type = DHT_FOUND, .op = g->op, .signer = r->signer, .seq = r->seq };

	if (record_is_empty(r))
		return; /* withdrawn: only so that an older one is not told */
	e.body = g->body;
	e.len = g->len;
	e.count = ++g->found;
	gs->env->event(gs->env->ctx, &e);
}

static void forget(struct gets *gs, struct get *g)
{
	list_del(&g->in_all);
	gs->count--;
	sodium_memzero(g, sizeof(*g));
	free(g);
}

static void done(void *ctx, struct lookup *l, usec_t now)
{
	struct gets *gs = ctx;
	struct get *g = l->owner;
	struct dht_event e = { .type = DHT_DONE, .op = g->op, .count = g->found };

	(void)now;
	forget(gs, g);
	gs->env->event(gs->env->ctx, &e);
}

void gets_init(struct gets *gs)
{
	assert(gs->cfg && gs->env && gs->lookups && gs->store);
	gs->ops = (struct lookup_ops){ opens, found, done, gs };
	list_init(&gs->all);
}

static void cancel(struct gets *gs, struct get *g)
{
	lookup_cancel(g->lookup);
	forget(gs, g);
}

void gets_fini(struct gets *gs)
{
	while (!list_is_empty(&gs->all))
		cancel(gs, container_of(gs->all.next, struct get, in_all));
}

int gets_start(struct gets *gs, uint64_t op, const struct dht_topic *t, usec_t now)
{
	struct record_name name = record_name_of(t);
	struct record held[DHT_SIGNERS_MAX];
	size_t n = dht_store_get(gs->store, &name, wall_seconds(gs->cfg->wall, now), held,
				 DHT_SIGNERS_MAX);
	struct get *g;

	if (gs->count >= GETS_MAX)
		return -ENOSPC;
	g = mem_new(sizeof(*g));
	g->op = op;
	g->topic = *t;
	g->lookup = lookup_new(gs->lookups, &gs->ops, &name, g);
	list_add_tail(&gs->all, &g->in_all);
	gs->count++;
	for (size_t i = 0; i < n; i++)
		lookup_record(g->lookup, &held[i], now);
	lookup_start(g->lookup, now);
	return 0;
}

void gets_cancel(struct gets *gs, uint64_t op)
{
	struct list *i = gs->all.next, *next;

	for (; i != &gs->all; i = next) {
		struct get *g = container_of(i, struct get, in_all);

		next = i->next;
		if (g->op == op)
			cancel(gs, g);
	}
}
