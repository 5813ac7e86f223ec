/* publish.c - a record of ours lives in rounds.
 *
 * A round finds the nodes nearest to the record's key and puts it there; whoever is known when few
 * are known (at most DHT_K contacts) gets it at once, before the lookup. Rounds follow a change of
 * body, a new signature at about half the lifetime, every ROUND_TIME (holders may have forgotten),
 * a lost holder, and puts that failed (backing off). Between rounds a new contact that is nearer
 * than the farthest replica, or comes while there are fewer than DHT_K, gets the record at once.
 *
 * Rounds wait in one queue and are started at PUBLISH_RATE, PUBLISH_LOOKUPS_MAX at a time.
 * The sequence number rises with the wall clock and with every signature, so each names one
 * signature of one record: a late answer to an older one finds nothing. A holder that has a higher
 * one of ours (from before the clock was set back) is asked for it, and we sign above it.
 * Without contacts the record is held here and nothing else happens. */
#include "dht/publish.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"

#define ROUND_TIME HOURS(1)
#define RETRY_FIRST SEC(2) /* after puts that failed; doubles up to ROUND_TIME */
#define LOST_WAIT SEC(2)   /* and up to as much again, after a holder was lost */
#define NEW_WAIT SEC(1)    /* and up to as much again: a full round after a new contact */
#define PUMP_WAIT MSEC(25)
#define CONFLICT_WAIT SEC(10) /* between two looks at a holder's higher sequence number */
#define LIFE_MIN 4            /* seconds; shorter lives are rounded up */
#define SEQ_SHIFT 20          /* signatures a second before the number runs ahead of the clock */

/* Who has the record, or is being sent it. */
struct replica {
	struct pubkey key;
	struct node_id id;
};

struct own_record {
	struct publisher *all;
	struct list in_due;
	struct timer timer;
	struct dht_topic topic;
	struct record_name name;
	uint8_t *body;
	size_t len;
	uint32_t lifetime; /* seconds */
	uint64_t seq;
	usec_t signed_at, retry, conflict_after;
	struct lookup *lookup;
	size_t missed, replicas;
	struct replica replica[PUBLISH_REPLICAS_MAX];
	size_t record_len;
	uint8_t record[RECORD_LEN_MAX];
};

static void pump(struct publisher *p, usec_t now);
static void round_done(void *ctx, struct lookup *l, usec_t now);

static usec_t jitter(struct publisher *p, usec_t span)
{
	uint32_t r;

	p->env->random(p->env->ctx, &r, sizeof(r));
	return span / 65536 * (r % 65536);
}

static void pump_fire(struct timer *t, usec_t now)
{
	pump(container_of(t, struct publisher, pump), now);
}

void publish_init(struct publisher *p, const uint8_t seed[16])
{
	assert(p->cfg && p->env && p->rpcs && p->table && p->lookups && p->store && p->timers);
	map_init(&p->by_name, offsetof(struct own_record, name), sizeof(struct record_name),
		 DHT_PUBLISHED_MAX, seed);
	map_init(&p->by_seq, offsetof(struct own_record, seq), sizeof(uint64_t), DHT_PUBLISHED_MAX,
		 seed);
	list_init(&p->due);
	timer_init(&p->pump, pump_fire);
	limit_init(&p->pace, PUBLISH_RATE, PUBLISH_RATE);
	p->ops = (struct lookup_ops){ .done = round_done, .ctx = p };
}

static void own_free(struct own_record *o)
{
	struct publisher *p = o->all;

	if (o->lookup) {
		lookup_cancel(o->lookup);
		p->looking--;
	}
	map_take(&p->by_name, &o->name);
	map_take(&p->by_seq, &o->seq);
	timer_cancel(p->timers, &o->timer);
	list_del(&o->in_due);
	sodium_memzero(&o->topic, sizeof(o->topic));
	if (o->body)
		sodium_memzero(o->body, o->len);
	free(o->body);
	free(o);
}

void publish_fini(struct publisher *p)
{
	struct own_record *o;
	size_t at;

	for (at = 0; (o = map_next(&p->by_name, &at)); at = 0)
		own_free(o);
	timer_cancel(p->timers, &p->pump);
	map_fini(&p->by_name);
	map_fini(&p->by_seq);
}

static void due_no_later(struct own_record *o, usec_t at)
{
	if (list_is_empty(&o->in_due) && (!timer_is_set(&o->timer) || o->timer.at > at))
		timer_set(o->all->timers, &o->timer, at);
}

static void enqueue(struct own_record *o)
{
	timer_cancel(o->all->timers, &o->timer);
	if (list_is_empty(&o->in_due))
		list_add_tail(&o->all->due, &o->in_due);
}

/* --- replicas --- */

static struct replica *replica_of(struct own_record *o, const struct pubkey *key)
{
	for (size_t i = 0; i < o->replicas; i++)
		if (key_equal(&o->replica[i].key, key))
			return &o->replica[i];
	return NULL;
}

static bool replica_remove(struct own_record *o, const struct pubkey *key)
{
	struct replica *r = replica_of(o, key);

	if (!r)
		return false;
	*r = o->replica[--o->replicas];
	return true;
}

static void replica_add(struct own_record *o, const struct pubkey *key)
{
	assert(o->replicas < PUBLISH_REPLICAS_MAX);
	o->replica[o->replicas++] = (struct replica){ *key, id_of(key) };
}

static struct replica *farthest(struct own_record *o)
{
	struct replica *far = NULL;

	for (size_t i = 0; i < o->replicas; i++)
		if (!far || id_xor_compare(&o->name.key, &o->replica[i].id, &far->id) > 0)
			far = &o->replica[i];
	return far;
}

/* --- signing --- */

/* The number held here under our key, from an earlier life, or 0. */
static uint64_t held_seq(struct publisher *p, const struct own_record *o, uint64_t wall)
{
	struct record held[DHT_SIGNERS_MAX];
	size_t n = dht_store_get(p->store, &o->name, wall, held, DHT_SIGNERS_MAX);

	for (size_t i = 0; i < n; i++)
		if (key_equal(&held[i].signer, &p->cfg->self.pub))
			return held[i].seq;
	return 0;
}

static void raise_seq(struct publisher *p, uint64_t seq)
{
	if (seq > p->last_seq && seq < UINT64_MAX / 2)
		p->last_seq = seq;
}

static void sign(struct own_record *o, usec_t now)
{
	struct publisher *p = o->all;
	uint64_t wall = wall_seconds(p->cfg->wall, now);
	struct record_draft d = { .topic = &o->topic, .body = o->body, .len = o->len };
	struct record r;
	bool ok;

	raise_seq(p, held_seq(p, o, wall));
	raise_seq(p, (wall << SEQ_SHIFT) - 1);
	if (o->seq)
		map_take(&p->by_seq, &o->seq);
	o->seq = d.seq = ++p->last_seq;
	map_put(&p->by_seq, o);
	d.expires = wall + o->lifetime;
	p->env->random(p->env->ctx, d.nonce, sizeof(d.nonce));
	o->record_len = record_write(o->record, &d, &p->cfg->self, p->cfg->crypto);
	o->signed_at = now;
	o->replicas = o->missed = 0;
	o->retry = RETRY_FIRST;
	ok = record_read(&r, o->record, o->record_len);
	assert(ok);
	(void)ok;
	dht_store_remove(p->store, &o->name, &p->cfg->self.pub);
	dht_store_put(p->store, &r, wall);
}

/* --- putting --- */

static void conflict_done(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	struct publisher *p = ctx;
	struct own_record *o = map_get(&p->by_seq, &r->owner.tag);

	for (size_t i = 0; o && m && i < m->records; i++) {
		struct record held;

		if (!record_read(&held, m->record[i].p, m->record[i].len) ||
		    !record_name_equal(&held.name, &o->name) || held.seq < o->seq ||
		    !key_equal(&held.signer, &p->cfg->self.pub) ||
		    record_check_signature(&held, p->cfg->crypto))
			continue;
		raise_seq(p, held.seq);
		sign(o, now);
		enqueue(o);
		break;
	}
	pump(p, now);
}

static void conflict(struct own_record *o, const struct pubkey *holder, usec_t now)
{
	struct rpc_owner owner = { .done = conflict_done, .ctx = o->all, .tag = o->seq };
	struct dht_msg m = { .type = DHT_MSG_GET, .name = o->name };

	if (now < o->conflict_after)
		return;
	o->conflict_after = now + CONFLICT_WAIT;
	rpc_call(o->all->rpcs, holder, &m, &owner, now);
}

static void put_failed(struct own_record *o, const struct pubkey *key, usec_t now)
{
	struct publisher *p = o->all;

	replica_remove(o, key);
	o->missed++;
	due_no_later(o, now + o->retry + jitter(p, o->retry));
}

static void put_done(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	struct publisher *p = ctx;
	struct own_record *o = map_get(&p->by_seq, &r->owner.tag);

	if (!o || !replica_of(o, &r->to))
		return; /* signed anew, withdrawn, or forgotten since */
	if (m && m->status == DHT_STORED_OK)
		return;
	put_failed(o, &r->to, now);
	if (m && m->status == DHT_STORED_OLDER)
		conflict(o, &r->to, now);
}

static void push(struct own_record *o, const struct pubkey *key, usec_t now)
{
	struct rpc_owner owner = { .done = put_done, .ctx = o->all, .tag = o->seq };
	struct dht_msg m = { .type = DHT_MSG_PUT, .records = 1 };

	if (replica_of(o, key))
		return;
	if (o->replicas == PUBLISH_REPLICAS_MAX)
		replica_remove(o, &farthest(o)->key);
	replica_add(o, key);
	m.record[0] = (struct dht_bytes){ o->record, o->record_len };
	if (rpc_call(o->all->rpcs, key, &m, &owner, now) < 0)
		put_failed(o, key, now);
}

/* --- rounds --- */

static void round_done(void *ctx, struct lookup *l, usec_t now)
{
	struct publisher *p = ctx;
	struct own_record *o = l->owner;
	struct pubkey near[DHT_K];
	size_t n = lookup_nearest(l, near, DHT_K);

	o->lookup = NULL;
	p->looking--;
	for (size_t i = 0; i < n; i++)
		push(o, &near[i], now);
	if (!list_is_empty(&p->due))
		timer_set(p->timers, &p->pump, now); /* not from here: we may be inside pump() */
}

static usec_t half_life(const struct own_record *o) { return SEC((uint64_t)o->lifetime) / 2; }

static usec_t round_time(const struct own_record *o) { return usec_min(ROUND_TIME, half_life(o)); }

static void due_fire(struct timer *t, usec_t now)
{
	struct own_record *o = container_of(t, struct own_record, timer);

	enqueue(o);
	pump(o->all, now);
}

static void push_to_few(struct own_record *o, usec_t now)
{
	const struct contact *c[DHT_K];
	size_t n;

	if (o->all->table->count > DHT_K)
		return;
	n = dht_table_nearest(o->all->table, &o->name.key, c, DHT_K);
	for (size_t i = 0; i < n; i++)
		push(o, &c[i]->key, now);
}

/* In a regular round everybody gets the record again; one after a failure only completes. */
static void regular_or_retry(struct own_record *o, usec_t span)
{
	if (o->missed) {
		o->retry = usec_min(2 * o->retry, span);
	} else {
		o->retry = RETRY_FIRST;
		o->replicas = 0;
	}
	o->missed = 0;
}

static void round_start(struct own_record *o, usec_t now)
{
	struct publisher *p = o->all;
	usec_t span = round_time(o);
	struct record_name target = { .key = o->name.key }; /* kind 0: nodes */

	timer_set(p->timers, &o->timer, now + span - jitter(p, span / 8));
	if (now >= o->signed_at + half_life(o) - half_life(o) / 8)
		sign(o, now);
	else
		regular_or_retry(o, span);
	if (p->table->count == 0)
		return;
	push_to_few(o, now);
	if (o->lookup)
		return;
	o->lookup = lookup_new(p->lookups, &p->ops, &target, o);
	p->looking++;
	lookup_start(o->lookup, now);
}

static void pump(struct publisher *p, usec_t now)
{
	struct list *next;

	while (!list_is_empty(&p->due) && p->looking < PUBLISH_LOOKUPS_MAX &&
	       limit_take(&p->pace, now)) {
		next = list_take(&p->due);
		round_start(container_of(next, struct own_record, in_due), now);
	}
	if (!list_is_empty(&p->due))
		timer_set(p->timers, &p->pump, now + PUMP_WAIT);
}

/* --- verbs and facts --- */

static struct own_record *own_new(struct publisher *p, const struct dht_topic *t)
{
	struct own_record *o = mem_new(sizeof(*o));

	o->all = p;
	o->topic = *t;
	o->name = record_name_of(t);
	list_init(&o->in_due);
	timer_init(&o->timer, due_fire);
	map_put(&p->by_name, o);
	return o;
}

int publish_put(struct publisher *p, const struct dht_topic *t, struct dht_bytes body,
		uint32_t lifetime, usec_t now)
{
	struct record_name name = record_name_of(t);
	struct own_record *o = map_get(&p->by_name, &name);

	if (body.len > DHT_BODY_MAX)
		return -EMSGSIZE;
	if (!o && p->by_name.count >= DHT_PUBLISHED_MAX)
		return -ENOSPC;
	if (!o)
		o = own_new(p, t);
	free(o->body);
	o->body = mem_copy(body.p, body.len);
	o->len = body.len;
	o->lifetime = lifetime < LIFE_MIN ? LIFE_MIN : lifetime;
	if (o->lifetime > RECORD_LIFE_MAX)
		o->lifetime = RECORD_LIFE_MAX;
	sign(o, now);
	enqueue(o);
	pump(p, now);
	return 0;
}

void publish_withdraw(struct publisher *p, const struct dht_topic *t)
{
	struct record_name name = record_name_of(t);
	struct own_record *o = map_get(&p->by_name, &name);

	if (!o)
		return;
	dht_store_remove(p->store, &name, &p->cfg->self.pub);
	own_free(o);
}

static bool wants(struct own_record *o, const struct pubkey *key)
{
	struct node_id id = id_of(key);

	return o->replicas < DHT_K || id_xor_compare(&o->name.key, &id, &farthest(o)->id) < 0;
}

void publish_contact_up(struct publisher *p, const struct pubkey *key, usec_t now)
{
	struct own_record *o;
	size_t at = 0, pushed = 0;

	while ((o = map_next(&p->by_name, &at))) {
		replica_remove(o, key);
		if (!wants(o, key))
			continue;
		if (pushed++ < PUBLISH_PUSH_MAX)
			push(o, key, now);
		if (replica_of(o, key) && o->replicas > DHT_K)
			continue;
		o->missed++; /* the round that follows only completes */
		due_no_later(o, now + NEW_WAIT + jitter(p, NEW_WAIT));
	}
}

void publish_contact_lost(struct publisher *p, const struct pubkey *key, usec_t now)
{
	struct own_record *o;
	size_t at = 0;

	while ((o = map_next(&p->by_name, &at))) {
		if (!replica_remove(o, key))
			continue;
		o->missed++;
		due_no_later(o, now + LOST_WAIT + jitter(p, LOST_WAIT));
	}
}
