/* repair.c - holders give records on to newcomers, so that these survive their owners' absence.
 *
 * Whoever stands nearer to a record's key than the DHT_REPLICAS-th node is asked for it. When such
 * a node turns up (its session comes up, or it is a near stranger that looks its own id up, as all
 * do that join), the GIVERS holders nearest to the key put the record there: those that know fewer
 * nearer ones that are up, and have been for SOLID_AFTER (the newcomer left out). Two, because one
 * may lack the record or not have noticed; what comes twice costs a message. Newcomers wait in a
 * queue for REPAIR_WAIT; then one record goes out each REPAIR_PACE. While we are new ourselves,
 * until REPAIR_AFTER our first contact, nobody is a newcomer to us. Bounds: REPAIR_QUEUE_MAX
 * newcomers, REPAIR_PUTS_MAX records for each, SCAN_MAX records looked at in one turn. */
#include "dht/impl.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

#define REPAIR_WAIT SEC(2) /* and up to as much again */
#define REPAIR_AFTER SEC(60)
#define REPAIR_PACE MSEC(200)
#define SCAN_MAX 64
#define GIVERS 2
#define SOLID_AFTER 2 /* minutes */
#define UP_AFTER MINUTES(10) /* silence after which a contact without a session is not counted on */

static void put_done(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	(void)ctx, (void)r, (void)m, (void)now; /* the next newcomer, or the owner, cares */
}

static bool is_solid(const struct contact *c, usec_t now)
{
	uint16_t since = (uint16_t)(now / MINUTES(1) - c->since);

	return !c->fails && since >= SOLID_AFTER &&
	       (c->live || SEC((usec_t)c->seen) + UP_AFTER > now);
}

/* Whether it belongs there, and we are the one to bring it. */
static bool is_ours_to_give(const struct dht *d, const struct record *r, const struct newcomer *n,
			    usec_t now)
{
	uint64_t target = place_of_id(&r->name.key);
	uint64_t mine = d->table.self ^ target, theirs = n->place ^ target;
	size_t at = 0, nearer = mine < theirs, before_us = 0;
	const struct contact *c;

	if (key_equal(&r->signer, &n->key) || r->expires <= dht_wall(d, now))
		return false;
	if (key_equal(&r->signer, &d->cfg.self.pub) && d->table.count < DHT_REPLICAS)
		return false; /* publish.c does */
	while ((c = dht_table_next(&d->table, &at))) {
		uint64_t far = c->place ^ target;

		if (c->place == n->place)
			continue;
		nearer += far < theirs;
		before_us += far < mine && is_solid(c, now);
		if (nearer >= DHT_REPLICAS || before_us >= GIVERS)
			return false;
	}
	return true;
}

/* What goes over a session arrives, and needs no answer. */
static void bring(struct dht *d, struct newcomer *n, struct dht_msg *m, usec_t now)
{
	const struct contact *c = dht_table_get(&d->table, &n->key);
	struct rpc_owner owner = { .done = put_done };
	uint8_t out[DHT_PUT_MAX];

	n->puts++;
	if (c && c->live) {
		m->wish = DHT_WISH_SILENCE;
		d->env.send(d->env.ctx, &n->key, out, dht_msg_write(out, sizeof(out), m), 0);
	} else {
		rpc_call(&d->rpcs, &n->key, m, &owner, now);
	}
}

/* True when a record was sent. */
static bool give(struct dht *d, struct newcomer *n, usec_t now)
{

	for (size_t i = 0; i < SCAN_MAX && n->at < d->store.count; i++) {
		struct record r = dht_store_at(&d->store, n->at++);
		struct dht_msg m = { .type = DHT_MSG_PUT, .records = 1 };

		if (!is_ours_to_give(d, &r, n, now))
			continue;
		m.record[0] = (struct dht_bytes){ r.bytes, r.len };
		bring(d, n, &m, now);
		return true;
	}
	return false;
}

static void forget_first(struct repair *re)
{
	re->count--;
	memmove(&re->queue[0], &re->queue[1], re->count * sizeof(re->queue[0]));
	if (re->count)
		return;
	free(re->queue);
	re->queue = NULL;
}

static void repair_fire(struct timer *t, usec_t now)
{
	struct dht *d = container_of(t, struct dht, repair.timer);
	struct repair *re = &d->repair;
	usec_t next = now + REPAIR_PACE;

	if (!give(d, &re->queue[0], now))
		next = now + MSEC(1);
	if (re->queue[0].at >= d->store.count || re->queue[0].puts >= REPAIR_PUTS_MAX)
		forget_first(re);
	if (re->count)
		timer_set(&d->timers, t, next);
}

void repair_newcomer(struct dht *d, const struct pubkey *key, usec_t now)
{
	struct repair *re = &d->repair;

	if (d->store.count == 0 || re->count == REPAIR_QUEUE_MAX ||
	    publish_is_fresh(&d->publisher, now) ||
	    now < d->publisher.settled - PUBLISH_SETTLE + REPAIR_AFTER)
		return;
	for (size_t i = 0; i < re->count; i++)
		if (key_equal(&re->queue[i].key, key))
			return;
	if (!re->queue)
		re->queue = mem_new(REPAIR_QUEUE_MAX * sizeof(re->queue[0]));
	re->queue[re->count++] = (struct newcomer){ .key = *key, .place = place_of(key) };
	if (!timer_is_set(&re->timer))
		timer_set(&d->timers, &re->timer, now + dht_jitter(d, REPAIR_WAIT));
}

void repair_init(struct dht *d)
{
	timer_init(&d->repair.timer, repair_fire);
}

void repair_fini(struct dht *d)
{
	timer_cancel(&d->timers, &d->repair.timer);
	free(d->repair.queue);
}
