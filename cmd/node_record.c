/* node_record.c - records of the caller's own in the DHT, for diagnosis and the simulator.
 *
 * Nothing here knows namespaces: the caller gives secret and name. A put ends when its first round
 * does, a get with the first good record. */
#include "cmd/node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

#define RECORD_OPS_MAX 256

struct record_op {
	uint64_t op; /* ours, towards the DHT */
	uint64_t caller;
	struct overlay *o;
};

struct overlay *node_overlay(struct node *n, uint64_t op)
{
	for (size_t i = 0; i < NODE_OVERLAYS_MAX; i++)
		if (n->overlays[i] && n->overlays[i]->p2p)
			return n->overlays[i];
	node_notice(n, op, NODE_NO, "this node is in no overlay");
	return NULL;
}

static struct record_op *op_new(struct overlay *o, uint64_t caller)
{
	struct record_op *r = mem_new(sizeof(*r));

	r->op = node_op(o->n);
	r->caller = caller;
	r->o = o;
	if (map_put(&o->n->records, r) == 0)
		return r;
	free(r);
	node_notice(o->n, caller, NODE_NO, "too many records at once");
	return NULL;
}

static void op_end(struct node *n, struct record_op *r, enum node_result result, const char *text)
{
	uint64_t caller = r->caller;

	map_take(&n->records, &r->op);
	free(r);
	node_notice(n, caller, result, "%s", text);
}

void node_record_put(struct node *n, uint64_t op, const struct dht_topic *t,
		     const struct node_record *r, usec_t now)
{
	struct overlay *o = node_overlay(n, op);

	node_enter(n, now);
	if (!o)
		return;
	if (r->len == 0)
		dht_withdraw(o->dht, t, now);
	else if (dht_publish(o->dht, t, r->body, r->len, r->lifetime, now) != 0) {
		node_notice(n, op, NODE_NO, "the record is too long, or too many are published");
		return;
	}
	node_notice(n, op, NODE_OK, "published");
	node_pump(n, now);
}

void node_record_get(struct node *n, uint64_t op, const struct dht_topic *t, usec_t now)
{
	struct overlay *o = node_overlay(n, op);
	struct record_op *r = o ? op_new(o, op) : NULL;

	node_enter(n, now);
	if (!r)
		return;
	if (dht_get(o->dht, r->op, t, now) != 0)
		op_end(n, r, NODE_NO, "too many lookups at once");
	node_pump(n, now);
}

bool node_record_event(struct node *n, const struct dht_event *e)
{
	struct record_op *r = map_get(&n->records, &e->op);
	struct node_notice nt = { .text = "found", .key = e->signer, .body = e->body, .len = e->len };

	if (!r)
		return false;
	if (e->type == DHT_DONE) {
		op_end(n, r, NODE_NO, "no such record was found");
		return true;
	}
	nt.op = r->caller;
	dht_cancel(r->o->dht, r->op);
	map_take(&n->records, &r->op);
	free(r);
	n->env.notice(n->env.ctx, &nt);
	return true;
}

/* Of an overlay that goes; NULL: all. */
void node_record_drop(struct node *n, const struct overlay *o)
{
	struct record_op *r;
	size_t at = 0;

	while ((r = map_next(&n->records, &at)))
		if (!o || r->o == o) {
			map_take_at(&n->records, &at);
			if (o)
				node_notice(n, r->caller, NODE_NO, "the overlay was left");
			free(r);
		}
}

void node_record_init(struct node *n)
{
	map_init(&n->records, offsetof(struct record_op, op), sizeof(uint64_t), RECORD_OPS_MAX,
		 n->seed);
}
