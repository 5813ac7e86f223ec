/* publish.c - a record of ours lives in rounds.
 *
 * A round has the record passed on by its nearest holder and checks that it was (spread.c). Without
 * a ring, when that fails, and after a round most of whose puts did, it finds the nodes nearest to
 * the key and puts it there. Rounds follow a change of body, a new signature at about half the
 * lifetime, and the loss of a quarter of the holders, as far as we hear of it, at most every
 * PUBLISH_REPAIR (puts that failed: sooner, backing off). In between the holders themselves care
 * for newcomers (repair.c), but while there are fewer contacts than DHT_REPLICAS every new one gets
 * the record from us, and where there are PUBLISH_FEW contacts they get it at once. A node that has
 * just started does not know whether the others have as well: then its records go to the ring's
 * nearest only, and their first rounds wait for PUBLISH_SETTLE and are spread over PUBLISH_SPREAD.
 * Withdrawing = one last round with an empty body and a short life.
 *
 * Rounds wait in one queue and are started at PUBLISH_RATE, PUBLISH_LOOKUPS_MAX at a time.
 * Without contacts the record is held here and nothing else happens. */
#include "dht/publish.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dht/put.h"
#include "dht/spread.h"

#define LOST_WAIT SEC(2)   /* and up to as much again, after holders were lost */
#define SEED_WAIT SEC(4)   /* and up to as much again: a new node's put to the ring's nearest */
#define GREET_WAIT SEC(2)  /* and up to as much again, after a contact came up */
#define GREET_MORE MSEC(250)
#define PUMP_WAIT MSEC(50)
#define LIFE_MIN 4            /* seconds; shorter lives are rounded up */
#define WANTED 5              /* of the paths of a round's lookup */
#define CONFIRM 3
#define WANTED_CAREFUL 10     /* of both after a round in which most puts failed */

static void pump(struct publisher *p, usec_t now);
static void greet_fire(struct timer *t, usec_t now);
static void round_done(void *ctx, struct lookup *l, usec_t now);
static void spread_over(struct own_record *o, bool ok, usec_t now);

usec_t publish_jitter(struct publisher *p, usec_t span)
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
		 2 * DHT_PUBLISHED_MAX, seed);
	map_init(&p->by_seq, offsetof(struct own_record, seq), sizeof(uint64_t),
		 2 * DHT_PUBLISHED_MAX, seed);
	list_init(&p->due);
	timer_init(&p->pump, pump_fire);
	timer_init(&p->greet, greet_fire);
	limit_init(&p->pace, PUBLISH_RATE, PUBLISH_RATE);
	p->settled = USEC_NEVER;
	p->ops = (struct lookup_ops){ .done = round_done, .ctx = p };
	p->spread_over = spread_over;
}

void publish_fini(struct publisher *p)
{
	struct own_record *o;
	size_t at;

	for (at = 0; (o = map_next(&p->by_name, &at)); at = 0)
		own_free(o);
	timer_cancel(p->timers, &p->pump);
	timer_cancel(p->timers, &p->greet);
	map_fini(&p->by_name);
	map_fini(&p->by_seq);
}

void publish_due_no_later(struct own_record *o, usec_t at)
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

void publish_again(struct own_record *o, usec_t now)
{
	enqueue(o);
	pump(o->all, now);
}

void publish_seen(struct publisher *p, const struct record *r, usec_t now)
{
	struct own_record *o = map_get(&p->by_name, &r->name);

	if (!o || r->seq <= o->seq)
		return;
	own_raise_seq(p, r->seq);
	own_sign(o, now);
	enqueue(o);
	pump(p, now);
}

/* --- rounds --- */

static void round_end(struct own_record *o, usec_t now)
{
	struct publisher *p = o->all;

	p->looking--;
	o->gone = 0;
	o->puts = o->replicas;
	if (!list_is_empty(&p->due))
		timer_set(p->timers, &p->pump, now); /* not from here: we may be inside pump() */
	if (o->withdrawn)
		own_free(o);
}

static void round_done(void *ctx, struct lookup *l, usec_t now)
{
	struct own_record *o = l->owner;
	struct pubkey near[DHT_REPLICAS];
	size_t n = lookup_nearest(l, near, DHT_REPLICAS, l->wanted == WANTED);

	(void)ctx;
	o->lookup = NULL;
	for (size_t i = 0; i < n; i++)
		put_to(o, &near[i], now);
	if (!key_is_zero(&l->ring)) /* where lookups begin, though it need not be of the nearest */
		put_to(o, &l->ring, now);
	round_end(o, now);
}

static void look(struct own_record *o, bool is_careful, usec_t now)
{
	struct record_name target = { .key = o->name.key }; /* kind 0: nodes */
	struct publisher *p = o->all;

	o->lookup = lookup_new(p->lookups, &p->ops, &target, o);
	o->lookup->wanted = is_careful ? WANTED_CAREFUL : WANTED;
	o->lookup->confirm = is_careful ? WANTED_CAREFUL : CONFIRM;
	lookup_start(o->lookup, now);
}

static void spread_over(struct own_record *o, bool ok, usec_t now)
{
	struct pubkey missing[SPREAD_MISSING_MAX];
	size_t n = spread_missing(o, missing);

	spread_cancel(o);
	if (!ok) {
		o->replicas = 0; /* nobody shows that they have it */
		look(o, true, now);
		return;
	}
	for (size_t i = 0; i < n; i++)
		put_to(o, &missing[i], now);
	round_end(o, now);
}

static void due_fire(struct timer *t, usec_t now)
{
	struct own_record *o = container_of(t, struct own_record, timer);

	enqueue(o);
	pump(o->all, now);
}

static void push_to_few(struct own_record *o, usec_t now)
{
	const struct contact *c;
	size_t at = 0;

	if (o->all->table->count <= PUBLISH_FEW)
		while ((c = dht_table_next(o->all->table, &at)))
			put_to(o, &c->key, now);
}

bool publish_is_fresh(const struct publisher *p, usec_t now) { return now < p->settled; }

/* A new node's record: to whoever is nearest, and later its first round. */
static void seed(struct own_record *o, usec_t now)
{
	struct publisher *p = o->all;

	if (!o->seeded && p->env->send_nearest && p->table->count > PUBLISH_FEW)
		put_to_nearest(o, now);
	o->seeded = true;
	timer_set(p->timers, &o->timer, p->settled + publish_jitter(p, PUBLISH_SPREAD));
}

static void round_begin(struct own_record *o, usec_t now)
{
	struct publisher *p = o->all;
	bool is_careful = o->puts && 2 * o->gone >= o->puts;

	if (o->lookup || o->spread)
		return;
	o->round_at = now;
	p->looking++;
	if (p->env->send_nearest && !is_careful)
		spread_start(o, now);
	else
		look(o, is_careful, now);
}

static void round_start(struct own_record *o, usec_t now)
{
	struct publisher *p = o->all;
	usec_t half = own_half_life(o);

	if (now >= o->signed_at + half - half / 8)
		own_sign(o, now);
	else if (own_is_thin(o))
		o->retry = usec_min(2 * o->retry, PUBLISH_REPAIR);
	timer_set(p->timers, &o->timer, o->signed_at + half - publish_jitter(p, half / 8));
	push_to_few(o, now);
	if (p->table->count == 0 && o->withdrawn)
		own_free(o);
	else if (p->table->count == 0)
		return;
	else if (publish_is_fresh(p, now) && !o->withdrawn)
		seed(o, now);
	else
		round_begin(o, now);
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

static bool is_full(const struct publisher *p)
{
	return p->by_name.count - p->withdrawn >= DHT_PUBLISHED_MAX ||
	       p->by_name.count >= p->by_name.max;
}

static bool is_same(const struct own_record *o, struct dht_bytes body, uint32_t lifetime)
{
	return !o->withdrawn && o->lifetime == lifetime && o->len == body.len &&
	       memcmp(o->body, body.p, body.len) == 0;
}

/* After a change: now, or, with a new node, when it knows more. */
static void renew(struct own_record *o, usec_t now)
{
	struct publisher *p = o->all;

	own_sign(o, now);
	push_to_few(o, now);
	if (publish_is_fresh(p, now) && p->table->count && !o->withdrawn) {
		publish_due_no_later(o, now + SEED_WAIT + publish_jitter(p, SEED_WAIT));
		return;
	}
	enqueue(o);
	pump(p, now);
}

int publish_put(struct publisher *p, const struct dht_topic *t, struct dht_bytes body,
		uint32_t lifetime, usec_t now)
{
	struct record_name name = record_name_of(t);
	struct own_record *o = map_get(&p->by_name, &name);

	if (body.len == 0 || body.len > DHT_BODY_MAX)
		return -EMSGSIZE;
	if (!o && is_full(p))
		return -ENOSPC;
	lifetime = lifetime < LIFE_MIN ? LIFE_MIN : lifetime;
	lifetime = lifetime > RECORD_LIFE_MAX ? RECORD_LIFE_MAX : lifetime;
	if (o && is_same(o, body, lifetime))
		return 0;
	if (!o)
		o = own_new(p, t, due_fire);
	p->withdrawn -= o->withdrawn;
	o->withdrawn = o->seeded = false;
	free(o->body);
	o->body = mem_copy(body.p, body.len);
	o->len = body.len;
	o->lifetime = lifetime;
	renew(o, now);
	return 0;
}

void publish_withdraw(struct publisher *p, const struct dht_topic *t, usec_t now)
{
	struct record_name name = record_name_of(t);
	struct own_record *o = map_get(&p->by_name, &name);

	if (!o || o->withdrawn)
		return;
	if (o->replicas == 0 && !o->lookup && !o->spread) { /* nobody has it */
		dht_store_remove(p->store, &name, &p->cfg->self.pub);
		own_free(o);
		return;
	}
	o->withdrawn = true;
	p->withdrawn++;
	o->len = 0;
	renew(o, now);
}

/* The first contact begins the time in which a new node waits. */
static void settle(struct publisher *p, usec_t now)
{
	struct own_record *o;
	size_t at = 0;

	p->settled = now + PUBLISH_SETTLE;
	while ((o = map_next(&p->by_name, &at)))
		publish_due_no_later(o, now + SEED_WAIT + publish_jitter(p, SEED_WAIT));
}

/* Everybody is a holder while there are so few. */
static bool wants_more(const struct own_record *o, usec_t now)
{
	size_t known = o->all->table->count;

	if (known <= PUBLISH_FEW)
		return true;
	return known < DHT_REPLICAS && o->puts && !publish_is_fresh(o->all, now) && !o->withdrawn;
}

static void greet_fire(struct timer *t, usec_t now)
{
	struct publisher *p = container_of(t, struct publisher, greet);
	const struct contact *c;
	struct own_record *o;
	size_t at = 0, pushed = 0;

	while ((o = map_next(&p->by_name, &at)))
		for (size_t i = 0; wants_more(o, now) && (c = dht_table_next(p->table, &i));) {
			if (c->fails || own_replica(o, c->place))
				continue;
			if (pushed++ == PUBLISH_PUSH_MAX) {
				timer_set(p->timers, &p->greet, now + GREET_MORE);
				return;
			}
			put_to(o, &c->key, now);
		}
}

void publish_contact_up(struct publisher *p, const struct pubkey *key, usec_t now)
{
	uint64_t place = place_of(key);
	struct own_record *o;
	size_t at = 0;

	if (p->settled == USEC_NEVER)
		settle(p, now);
	while ((o = map_next(&p->by_name, &at)))
		if (o->puts < DHT_REPLICAS)
			own_replica_remove(o, place);
	if (p->by_name.count && !timer_is_set(&p->greet))
		timer_set(p->timers, &p->greet, now + GREET_WAIT + publish_jitter(p, GREET_WAIT));
}

void publish_contact_lost(struct publisher *p, const struct pubkey *key, usec_t now)
{
	uint64_t place = place_of(key);
	struct own_record *o;
	size_t at = 0;

	while ((o = map_next(&p->by_name, &at))) {
		usec_t soon = now + LOST_WAIT + publish_jitter(p, LOST_WAIT);

		put_lost(o, place, soon > o->round_at + PUBLISH_REPAIR ?
					       soon : o->round_at + PUBLISH_REPAIR);
	}
}
