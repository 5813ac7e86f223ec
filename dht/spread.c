/* spread.c - a record of ours is passed on by its nearest holder, and we check that it was.
 *
 *   1. PUT along the ring to whoever is nearest to the key, with the wish to spread: it gives the
 *      record to the other DHT_REPLICAS - 1 nearest that it knows, mostly over links of its own,
 *      and tells us who they are.
 *   2. CHECK_WAIT later PUT to two more: along the ring to a point a few nodes beside the key,
 *      where somebody else answers, who tells whom it knows as well; and to one of those named,
 *      chosen by us. They say whether they were given it before.
 *   3. CHECKS_GOOD that were: done. Fewer: more of the named are asked, SPREAD_CHECKS_MAX in all,
 *      and then it has failed: publish.c looks the nodes up and brings it to each itself.
 *
 * So whoever swallows records, or names keys that nobody has, only costs us time. Those of the
 * MUST_HAVE nearest that the one beside knows and the first left out are brought the record by us,
 * when both speak of the same neighbourhood. */
#include "dht/spread.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dht/put.h"

#define CHECK_WAIT SEC(2) /* for what is passed on to arrive */
#define CHECKS_GOOD 2
#define MUST_HAVE 7 /* of the nearest: readers meet these */
#define BESIDE 4 /* nodes between the key and the point beside it, about */

struct spread {
	struct own_record *o;
	struct timer timer;
	struct pubkey by; /* who passes it on */
	size_t named_count, missing_count;
	struct pubkey named[DHT_K], missing[SPREAD_MISSING_MAX];
	uint32_t asked; /* a bit for each of the named */
	uint8_t checks, waiting, good;
};

_Static_assert(DHT_K <= 32, "a bit for each of the named");

void spread_cancel(struct own_record *o)
{
	struct spread *s = o->spread;

	if (!s)
		return;
	timer_cancel(o->all->timers, &s->timer);
	o->spread = NULL;
	free(s);
}

size_t spread_missing(const struct own_record *o, struct pubkey out[SPREAD_MISSING_MAX])
{
	memcpy(out, o->spread->missing, o->spread->missing_count * sizeof(out[0]));
	return o->spread->missing_count;
}

static void over(struct spread *s, bool ok, usec_t now) { s->o->all->spread_over(s->o, ok, now); }

static bool is_named(const struct spread *s, const struct pubkey *key)
{
	for (size_t i = 0; i < s->named_count; i++)
		if (key_equal(&s->named[i], key))
			return true;
	return key_equal(key, &s->by) || key_equal(key, &s->o->all->cfg->self.pub);
}

static size_t good_enough(const struct spread *s)
{
	return s->named_count < CHECKS_GOOD ? s->named_count : CHECKS_GOOD;
}

/* --- checks --- */

static void check_named(struct spread *s, usec_t now);

static struct spread *spread_of(void *ctx, const struct rpc *r)
{
	struct publisher *p = ctx;
	struct own_record *o = map_get(&p->by_seq, &r->owner.tag);

	return o ? o->spread : NULL;
}

static void go_on(struct spread *s, usec_t now)
{
	if (s->good >= good_enough(s))
		over(s, true, now);
	else if (s->waiting == 0 && s->checks < SPREAD_CHECKS_MAX)
		check_named(s, now);
	else if (s->waiting == 0)
		over(s, false, now);
}

static void named_done(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	struct spread *s = spread_of(ctx, r);

	if (!s)
		return;
	s->waiting--;
	s->good += m && m->status == DHT_STORED_HELD;
	go_on(s, now);
}

/* One of the named that was not asked yet, at random. */
static void check_named(struct spread *s, usec_t now)
{
	struct own_record *o = s->o;
	struct rpc_owner owner = { .done = named_done, .ctx = o->all, .tag = o->seq };
	struct dht_msg m;
	size_t tries = s->named_count, at;
	uint8_t start;

	o->all->env->random(o->all->env->ctx, &start, sizeof(start));
	at = start % s->named_count;
	while (tries && s->asked & 1u << at) {
		at = (at + 1) % s->named_count;
		tries--;
	}
	if (!tries || !own_put_request(o, &m) ||
	    rpc_call(o->all->rpcs, &s->named[at], &m, &owner, now) < 0) {
		s->checks = SPREAD_CHECKS_MAX;
		if (s->waiting == 0)
			over(s, false, now);
		return;
	}
	s->asked |= 1u << at;
	s->checks++;
	s->waiting++;
}

static size_t shared(const struct spread *s, const struct dht_msg *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->keys; i++)
		n += is_named(s, &m->key[i]);
	return n;
}

/* How many of those named, and of those told before, are nearer. */
static size_t rank(const struct spread *s, uint64_t far)
{
	uint64_t target = place_of_id(&s->o->name.key);
	size_t n = (place_of(&s->by) ^ target) < far;

	for (size_t i = 0; i < s->named_count; i++)
		n += (place_of(&s->named[i]) ^ target) < far;
	for (size_t i = 0; i < s->missing_count; i++)
		n += (place_of(&s->missing[i]) ^ target) < far;
	return n;
}

/* Of the nearest, and told by somebody who knows at least half of the named. */
static void note_missing(struct spread *s, const struct dht_msg *m)
{
	uint64_t target = place_of_id(&s->o->name.key);

	if (2 * shared(s, m) < s->named_count)
		return;
	for (size_t i = 0; i < m->keys && s->missing_count < SPREAD_MISSING_MAX; i++)
		if (!is_named(s, &m->key[i]) &&
		    rank(s, place_of(&m->key[i]) ^ target) < MUST_HAVE)
			s->missing[s->missing_count++] = m->key[i];
}

static void beside_done(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	struct spread *s = spread_of(ctx, r);

	if (!s)
		return;
	s->waiting--;
	if (m && dht_msg_has(m) && !key_equal(&r->to, &s->by)) {
		note_missing(s, m);
		s->good += m->status == DHT_STORED_HELD;
		for (size_t i = 0; i < s->named_count; i++)
			if (key_equal(&s->named[i], &r->to))
				s->asked |= 1u << i;
		if (!own_replica(s->o, place_of(&r->to)))
			own_replica_add(s->o, place_of(&r->to));
	}
	go_on(s, now);
}

/* BESIDE nodes away: how near these stand to each other, our own neighbours show. */
static struct node_id point_beside(const struct own_record *o)
{
	const struct contact *near[BESIDE];
	const struct dht_table *t = o->all->table;
	size_t n = dht_table_nearest(t, t->self, near, BESIDE), bit = 0;
	uint64_t far = n == BESIDE ? near[BESIDE - 1]->place ^ t->self : 0;
	struct node_id at = o->name.key;

	while (bit < 63 && far && !(far >> (63 - bit)))
		bit++;
	at.b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	return at;
}

static void check_beside(struct spread *s, usec_t now)
{
	struct own_record *o = s->o;
	struct rpc_owner owner = { .done = beside_done, .ctx = o->all, .tag = o->seq };
	struct node_id at = point_beside(o);
	struct dht_msg m;

	if (!own_put_request(o, &m))
		return;
	m.wish = DHT_WISH_KEYS;
	s->waiting += rpc_call_nearest(o->all->rpcs, &at, &m, &owner, now) == 0;
	s->checks++;
}

static void check_fire(struct timer *t, usec_t now)
{
	struct spread *s = container_of(t, struct spread, timer);

	check_beside(s, now);
	check_named(s, now);
}

/* --- the first step --- */

static void given(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	struct spread *s = spread_of(ctx, r);

	if (!s)
		return;
	if (m && m->status == DHT_STORED_OLDER)
		put_conflict(s->o, &r->to, now);
	if (!m || !dht_msg_has(m)) {
		over(s, false, now);
		return;
	}
	s->by = r->to;
	own_replica_add(s->o, place_of(&r->to));
	for (size_t i = 0; i < m->keys; i++) {
		if (is_named(s, &m->key[i]))
			continue;
		s->named[s->named_count++] = m->key[i];
		if (!own_replica(s->o, place_of(&m->key[i])))
			own_replica_add(s->o, place_of(&m->key[i]));
	}
	if (s->named_count)
		timer_set(s->o->all->timers, &s->timer, now + CHECK_WAIT);
	else
		over(s, false, now);
}

void spread_start(struct own_record *o, usec_t now)
{
	struct rpc_owner owner = { .done = given, .ctx = o->all, .tag = o->seq };
	struct spread *s = mem_new(sizeof(*s));
	struct dht_msg m;

	assert(!o->spread);
	s->o = o;
	o->spread = s;
	timer_init(&s->timer, check_fire);
	if (own_put_request(o, &m)) {
		m.wish = DHT_WISH_SPREAD;
		if (rpc_call_nearest(o->all->rpcs, &o->name.key, &m, &owner, now) == 0)
			return;
	}
	over(s, false, now);
}
