/* tend.c - the table kept useful at little cost.
 *
 *   own id     looked up after the first contact, once more when we are no longer young, and when
 *              a session comes up with one of the OWN_NEAREST nearest: there our records are
 *   one FIND   each PAUSE, for a random id of the next bucket, or of a nearly empty one, to a
 *              contact with a session; of what it tells, TOLD_MAX keys are heard
 *   verifying  a heard key is pinged, and so a contact when it answers; one each VERIFY, and only
 *              while its bucket wants it
 *
 * The first YOUNG after the first contact the paces are quicker. Most contacts come for free: from
 * sessions, and from whoever answers our lookups. A client does none of this. With no contacts
 * there is no timer at all. */
#include "dht/impl.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

#define YOUNG MINUTES(2)
#define PAUSE_YOUNG SEC(16) /* and up to as much again, like all of these */
#define PAUSE SEC(160)
#define VERIFY_YOUNG SEC(10)
#define VERIFY MINUTES(2)
#define JOIN_WAIT SEC(2)
#define OWN_AGAIN MINUTES(1)
#define OWN_NEAREST 3
#define OWN_WANTED 3
#define TOLD_MAX 2
#define TOLD_MAX_YOUNG 4
#define NEAR_HEARD_MAX 8 /* of an own lookup */
#define HEARD_STEP 4     /* places made at a time */

static bool is_young(const struct dht *d, usec_t now) { return now < d->tend.young; }

static void no_later(struct dht *d, struct timer *t, usec_t at)
{
	if (!timer_is_set(t) || t->at > at)
		timer_set(&d->timers, t, at);
}

/* --- verifying --- */

static struct pubkey heard_take(struct tend *e)
{
	struct pubkey key = e->heard[0];

	e->heard_count--;
	memmove(&e->heard[0], &e->heard[1], e->heard_count * sizeof(e->heard[0]));
	if (e->heard_count == 0) {
		free(e->heard);
		e->heard = NULL;
	} else if (e->heard_count % HEARD_STEP == 0) {
		e->heard = mem_resize(e->heard, e->heard_count * sizeof(e->heard[0]));
	}
	return key;
}

static void verify_fire(struct timer *t, usec_t now)
{
	struct dht *d = container_of(t, struct dht, tend.verify);
	struct tend *e = &d->tend;

	while (e->heard_count) {
		struct pubkey key = heard_take(e);

		if (!dht_table_wants(&d->table, &key))
			continue;
		dht_ping(d, &key, false, now);
		break;
	}
	if (e->heard_count)
		timer_set(&d->timers, t, now + dht_jitter(d, is_young(d, now) ? VERIFY_YOUNG : VERIFY));
}

void tend_hear(struct dht *d, const struct pubkey *key, usec_t now)
{
	struct tend *e = &d->tend;

	if (d->cfg.client || e->heard_count == HEARD_MAX || !dht_table_wants(&d->table, key))
		return;
	for (size_t i = 0; i < e->heard_count; i++)
		if (key_equal(&e->heard[i], key))
			return;
	if (e->heard_count % HEARD_STEP == 0)
		e->heard = mem_resize(e->heard, (e->heard_count + HEARD_STEP) * sizeof(e->heard[0]));
	e->heard[e->heard_count++] = *key;
	if (!timer_is_set(&e->verify))
		timer_set(&d->timers, &e->verify,
			  now + dht_jitter(d, is_young(d, now) ? VERIFY_YOUNG : VERIFY));
}

/* --- one FIND --- */

/* An id that falls into bucket b: our own with bit b turned and everything after it random. */
static struct node_id id_in_bucket(struct dht *d, size_t b)
{
	struct node_id id, own = id_of(&d->cfg.self.pub);

	d->env.random(d->env.ctx, id.b, sizeof(id.b));
	for (size_t bit = 0; bit <= b; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8), as = own.b[bit / 8] & mask;

		if (bit == b)
			as ^= mask;
		id.b[bit / 8] = (uint8_t)((id.b[bit / 8] & ~mask) | as);
	}
	return id;
}

static void find_done(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	struct dht *d = ctx;
	size_t before = d->tend.heard_count;

	size_t max = before + (is_young(d, now) ? TOLD_MAX_YOUNG : TOLD_MAX);

	(void)r;
	for (size_t i = 0; m && i < m->keys && d->tend.heard_count < max; i++)
		tend_hear(d, &m->key[i], now);
}

/* A far bucket that is nearly empty, each second time at least; else the next one, the last being
 * that below the deepest. */
static size_t bucket_to_ask(struct dht *d, usec_t now)
{
	size_t next = d->tend.turn % (d->table.depth + 1u), poor = dht_table_poor(&d->table);

	d->tend.turn = (uint8_t)(next + 1);
	return poor < TABLE_BUCKETS && (is_young(d, now) || next % 2) ? poor : next;
}

static void find(struct dht *d, usec_t now)
{
	const struct contact *near[DHT_K];
	struct dht_msg m = { .type = DHT_MSG_FIND };
	struct rpc_owner owner = { .done = find_done, .ctx = d };
	struct pubkey to;
	size_t n, i = 0;

	m.name.key = id_in_bucket(d, bucket_to_ask(d, now));
	n = dht_table_nearest(&d->table, place_of_id(&m.name.key), near, DHT_K);
	while (i + 1 < n && !near[i]->live)
		i++;
	to = near[near[i]->live ? i : 0]->key;
	rpc_call(&d->rpcs, &to, &m, &owner, now);
}

/* --- our own id --- */

static void own_done(void *ctx, struct lookup *l, usec_t now)
{
	struct dht *d = ctx;
	struct pubkey near[DHT_K];
	size_t n = lookup_nearest(l, near, DHT_K, true), before = d->tend.heard_count;

	d->tend.looking = false;
	for (size_t i = 0; i < n && d->tend.heard_count < before + NEAR_HEARD_MAX; i++)
		tend_hear(d, &near[i], now);
}

static void own_lookup(struct dht *d, usec_t now)
{
	struct record_name name = { .key = id_of(&d->cfg.self.pub) };
	struct lookup *l = lookup_new(&d->lookups, &d->tend.ops, &name, NULL);

	d->tend.looking = true;
	d->tend.own_at = is_young(d, now) ? d->tend.young : USEC_NEVER;
	l->wanted = OWN_WANTED;
	l->confirm = 0;
	lookup_start(l, now);
}

static void tend_fire(struct timer *t, usec_t now)
{
	struct dht *d = container_of(t, struct dht, tend.timer);
	usec_t next;

	if (d->table.count == 0)
		return;
	if (now >= d->tend.own_at && !d->tend.looking)
		own_lookup(d, now);
	else
		find(d, now);
	next = now + dht_jitter(d, is_young(d, now) ? PAUSE_YOUNG : PAUSE);
	if (d->tend.own_at > now)
		next = usec_min(next, d->tend.own_at);
	no_later(d, t, next);
}

static bool is_of_nearest(const struct dht *d, const struct pubkey *key)
{
	const struct contact *near[OWN_NEAREST];
	size_t n = dht_table_nearest(&d->table, d->table.self, near, OWN_NEAREST);

	for (size_t i = 0; i < n; i++)
		if (key_equal(&near[i]->key, key))
			return true;
	return false;
}

void tend_contact_added(struct dht *d, const struct pubkey *key, bool live, usec_t now)
{
	struct tend *e = &d->tend;
	usec_t soon = now + dht_jitter(d, JOIN_WAIT);

	if (d->cfg.client)
		return;
	if (e->young == 0) {
		e->young = now + YOUNG;
		e->own_at = soon;
	} else if (live && !is_young(d, now) && is_of_nearest(d, key)) {
		e->own_at = usec_min(e->own_at, now + dht_jitter(d, OWN_AGAIN / 2));
	}
	no_later(d, &e->timer, e->own_at == USEC_NEVER ? now + dht_jitter(d, PAUSE) : e->own_at);
}

void tend_init(struct dht *d)
{
	d->tend.own_at = USEC_NEVER;
	d->tend.ops = (struct lookup_ops){ .done = own_done, .ctx = d };
	timer_init(&d->tend.timer, tend_fire);
	timer_init(&d->tend.verify, verify_fire);
}

void tend_fini(struct dht *d)
{
	timer_cancel(&d->timers, &d->tend.timer);
	timer_cancel(&d->timers, &d->tend.verify);
	free(d->tend.heard);
}
