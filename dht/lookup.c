/* lookup.c - one lookup: ask the nearest known, learn nearer ones, until nobody is nearer.
 *
 * Kademlia section 2.3, with two disjoint paths (S/Kademlia 4.4): what a node tells is followed
 * only on the path on which it was asked, and no key is on two paths, so one liar can lead astray
 * one path only.
 *
 *   first path    starts with one request along the ring to whoever is nearest to the target:
 *                 mostly that one knows all there is to know
 *   second path   starts from our contacts, when the first try of the first path is answered or
 *                 went unanswered, HEAD_START_MAX later at the latest; at once where there are
 *                 fewer than LOOKUP_PATHS_FROM: these are cheap to ask
 *
 * Without a ring both start from our contacts; a first path that the ring did not answer does so,
 * too. A record, an own one before the start or in an answer, holds the next requests back for
 * GRACE: an owner that has what it wants cancels meanwhile, so the best case is one request. Each
 * path keeps its nearest candidates in order and has DHT_ALPHA requests under way (one, where only
 * confirmation follows: once a record was found, and beside a ring that has answered in a lookup
 * for nodes); one that needed its second try is "slow" and no longer holds a place, so silent
 * nodes do not stall the rest.
 * The end: the nearest `wanted` of each path that have not failed have answered (`confirm` of the
 * second beside a ring; SINGLE_TIMES as many of a single path, and of the second when the first
 * ended with fewer); or, of a GET, LOOKUP_AGREE givers told nothing new, were complete and came
 * from two paths, or one path is over.
 * Keys that nobody has cost time: a path on which one stayed silent is asked by DHT_ALPHA again,
 * and what a liar told is dropped (path.c). Bounds: LOOKUP_TIME, PATH_MAX_CANDIDATES a path,
 * LOOKUP_ASKED_MAX keys asked, LOOKUP_CHECKS_MAX signatures (found.c): nothing that nodes answer
 * makes a lookup grow. */
#include "dht/lookup.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dht/found.h"

#define HEAD_START_MAX MSEC(400)
#define GRACE MSEC(5)
#define STARVED_WAIT MSEC(50) /* when the request table is full */
#define START_MAX DHT_K       /* contacts that a lookup starts from */
#define SINGLE_TIMES 2

static void begin(struct lookup *l, usec_t now);
static void step(struct lookup *l, usec_t now);

void lookup_init(struct lookups *ls)
{
	assert(ls->rpcs && ls->table && ls->timers && ls->crypto && ls->wall && ls->drops);
	list_init(&ls->running);
}

void lookup_fini(struct lookups *ls)
{
	while (!list_is_empty(&ls->running))
		lookup_cancel(container_of(ls->running.next, struct lookup, in_all));
}

void lookup_cancel(struct lookup *l)
{
	timer_cancel(l->all->timers, &l->timer);
	list_del(&l->in_all);
	free(l);
}

static void finish(struct lookup *l, usec_t now)
{
	l->ops->done(l->ops->ctx, l, now);
	lookup_cancel(l);
}

static void fire(struct timer *t, usec_t now)
{
	struct lookup *l = container_of(t, struct lookup, timer);

	if (l->paths == 0)
		begin(l, now);
	else if (now >= l->end)
		finish(l, now);
	else
		step(l, now);
}

struct lookup *lookup_new(struct lookups *ls, const struct lookup_ops *ops,
			  const struct record_name *name, void *owner)
{
	struct lookup *l = mem_new(sizeof(*l));

	l->all = ls;
	l->ops = ops;
	l->owner = owner;
	l->name = *name;
	l->target = place_of_id(&name->key);
	l->wanted = l->confirm = LOOKUP_WANTED;
	l->tag = ++ls->last_tag;
	timer_init(&l->timer, fire);
	list_add_tail(&ls->running, &l->in_all);
	return l;
}

static struct lookup *by_tag(struct lookups *ls, uint64_t tag)
{
	for (struct list *i = ls->running.next; i != &ls->running; i = i->next) {
		struct lookup *l = container_of(i, struct lookup, in_all);

		if (l->tag == tag)
			return l;
	}
	return NULL;
}

static struct candidate *candidate_of(struct lookup *l, const struct pubkey *key, size_t *path)
{
	for (size_t p = 0; p < l->paths; p++) {
		struct candidate *c = path_find(&l->path[p], key);

		if (!c)
			continue;
		*path = p;
		return c;
	}
	return NULL;
}

static bool is_new(struct lookup *l, const struct pubkey *key)
{
	size_t path;

	return !key_equal(key, &l->all->self) && !candidate_of(l, key, &path);
}

/* Every `every`-th of our nearest contacts, beginning with number `first`, starts a path. */
static void seed(struct lookup *l, size_t path, size_t first, size_t every)
{
	const struct contact *c[START_MAX];
	size_t n = dht_table_nearest(l->all->table, l->target, c, START_MAX);

	for (size_t i = first; i < n; i += every)
		if (is_new(l, &c[i]->key))
			path_add(&l->path[path], &c[i]->key, l->target ^ c[i]->place,
				 PATH_TOLD_OFTEN);
}

/* --- answers --- */

static void keys_take(struct lookup *l, const struct dht_msg *m, size_t path)
{
	uint8_t teller = m->keys ? path_teller(&l->path[path]) : PATH_TOLD_OFTEN;
	struct candidate *c;
	size_t of;

	for (size_t i = 0; i < m->keys; i++) {
		if (key_equal(&m->key[i], &l->all->self))
			continue;
		c = candidate_of(l, &m->key[i], &of);
		if (!c)
			path_add(&l->path[path], &m->key[i], l->target ^ place_of(&m->key[i]),
				 teller);
		else if (of == path)
			path_told_again(c, teller);
	}
}

/* A candidate is silent: perhaps nobody has its key. */
static void silent(struct lookup *l, struct candidate *c, size_t path)
{
	l->is_astray[path] = true;
	path_judge(&l->path[path], c, false);
}

/* Goes on now, or after the owner had its moment. */
static void proceed(struct lookup *l, bool gave, usec_t now)
{
	if (gave)
		timer_set(l->all->timers, &l->timer, usec_min(l->end, now + GRACE));
	else
		step(l, now);
}

static void candidate_done(struct lookup *l, struct candidate *c, enum candidate_state state)
{
	l->slow -= c->state == CANDIDATE_SLOW;
	c->state = state;
}

static void answered(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	struct lookup *l = by_tag(ctx, r->owner.tag);
	size_t path = 0;
	struct candidate *c = l ? candidate_of(l, &r->to, &path) : NULL;

	if (!c || c->state == CANDIDATE_ANSWERED)
		return;
	candidate_done(l, c, m ? CANDIDATE_ANSWERED : CANDIDATE_FAILED);
	if (m) {
		bool gave = found_take(l, m, path, now);

		path_judge(&l->path[path], c, true);
		keys_take(l, m, path);
		proceed(l, gave, now);
	} else {
		silent(l, c, path);
		step(l, now);
	}
}

static void slowed(void *ctx, const struct rpc *r, usec_t now)
{
	struct lookup *l = by_tag(ctx, r->owner.tag);
	size_t path;
	struct candidate *c = l ? candidate_of(l, &r->to, &path) : NULL;

	if (!c || c->state != CANDIDATE_ASKED)
		return;
	if (l->slow < LOOKUP_SLOW_MAX) {
		c->state = CANDIDATE_SLOW;
		l->slow++;
	}
	silent(l, c, path);
	step(l, now);
}

/* The ring's nearest: a candidate of the first path that has answered, whoever it is. When the
 * other path has met it before, its word counts there, and only once. */
static void ring_answered(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	struct lookup *l = by_tag(ctx, r->owner.tag);
	struct candidate *c;
	size_t path = 0;
	bool gave;

	if (!l)
		return;
	l->ring_waits = false;
	l->table_at = now;
	if (!m) {
		seed(l, 0, 0, 1);
		step(l, now);
		return;
	}
	l->ring = r->to;
	if (is_new(l, &r->to))
		path_add(&l->path[0], &r->to, l->target ^ place_of(&r->to), PATH_TOLD_OFTEN);
	c = candidate_of(l, &r->to, &path);
	if (c && c->state == CANDIDATE_ANSWERED)
		gave = false;
	else
		gave = found_take(l, m, path, now);
	if (c)
		candidate_done(l, c, CANDIDATE_ANSWERED);
	keys_take(l, m, 0);
	proceed(l, gave, now);
}

static void ring_slowed(void *ctx, const struct rpc *r, usec_t now)
{
	struct lookup *l = by_tag(ctx, r->owner.tag);

	if (!l)
		return;
	l->table_at = now;
	step(l, now);
}

/* --- asking --- */

static struct dht_msg request(const struct lookup *l)
{
	return (struct dht_msg){ .name = l->name,
				 .type = l->name.kind ? DHT_MSG_GET : DHT_MSG_FIND };
}

/* False when the request table is full. */
static bool ask(struct lookup *l, struct candidate *c, usec_t now)
{
	struct rpc_owner owner = { answered, slowed, l->all, l->tag };
	struct dht_msg m = request(l);

	if (rpc_call(l->all->rpcs, &c->key, &m, &owner, now) < 0)
		return false;
	c->state = CANDIDATE_ASKED;
	l->asked++;
	return true;
}

static bool ask_ring(struct lookup *l, usec_t now)
{
	struct rpc_owner owner = { ring_answered, ring_slowed, l->all, l->tag };
	struct dht_msg m = request(l);

	if (!l->all->rpcs->env->send_nearest || l->all->table->count == 0)
		return false;
	l->ring_waits = rpc_call_nearest(l->all->rpcs, &l->name.key, &m, &owner, now) == 0;
	l->asked += l->ring_waits;
	return l->ring_waits;
}

/* How many of a path's nearest must have answered, and how many may be asked at once. */
static size_t wanted_of(const struct lookup *l, size_t path)
{
	if (l->paths == 1 || (path > 0 && l->is_thin))
		return SINGLE_TIMES * l->wanted;
	return path > 0 && l->has_ring ? l->confirm : l->wanted;
}

static size_t alpha_of(const struct lookup *l, size_t path)
{
	bool confirms = l->founds || (path > 0 && !l->name.kind && !key_is_zero(&l->ring));

	return confirms && !l->is_astray[path] ? 1 : DHT_ALPHA;
}

/* Asks on one path as far as it may: true when the path is over. */
static bool path_step(struct lookup *l, size_t path, bool *starved, usec_t now)
{
	size_t wanted = wanted_of(l, path), alpha = alpha_of(l, path);
	size_t near = 0, asked = 0, open = 0;
	struct lookup_path *p = &l->path[path];

	for (size_t i = 0; i < p->count; i++)
		asked += p->candidate[i].state == CANDIDATE_ASKED;
	for (size_t i = 0; i < p->count && near < wanted; i++) {
		struct candidate *c = &p->candidate[i];

		if (c->state == CANDIDATE_FAILED)
			continue;
		if (c->state == CANDIDATE_NEW && l->asked == LOOKUP_ASKED_MAX)
			continue;
		near++;
		open += c->state != CANDIDATE_ANSWERED;
		if (c->state != CANDIDATE_NEW || asked >= alpha || *starved)
			continue;
		*starved = !ask(l, c, now);
		asked++;
	}
	if (path == 0 && open == 0 && near < wanted)
		l->is_thin = true;
	return open == 0;
}

static bool has_enough(const struct lookup *l, size_t over)
{
	size_t gave = 0;

	for (size_t p = 0; p < l->paths; p++)
		gave += l->path[p].gave;
	return l->agree >= LOOKUP_AGREE && (gave > 1 || over);
}

static void step(struct lookup *l, usec_t now)
{
	size_t over = 0, waiting = 0;
	bool starved = false, enough = has_enough(l, 0);
	usec_t next = l->end;

	for (size_t p = 0; p < l->paths && !enough; p++) {
		if (p == 0 ? l->ring_waits : now < l->table_at)
			waiting++;
		else
			over += path_step(l, p, &starved, now);
	}
	if (enough || over == l->paths || has_enough(l, over)) {
		finish(l, now);
		return;
	}
	if (now < l->table_at)
		next = usec_min(next, l->table_at);
	if (starved)
		next = usec_min(next, now + STARVED_WAIT);
	timer_set(l->all->timers, &l->timer, next);
}

static void begin(struct lookup *l, usec_t now)
{
	size_t known = l->all->table->count;

	l->table_at = now;
	l->has_ring = ask_ring(l, now);
	if (l->has_ring && known < LOOKUP_PATHS_FROM) {
		l->paths = LOOKUP_PATHS;
		seed(l, 1, 0, 1);
	} else if (l->has_ring) {
		l->paths = LOOKUP_PATHS;
		l->table_at = now + usec_min(rpc_timeout(l->all->rpcs), HEAD_START_MAX);
		seed(l, 1, 0, LOOKUP_PATHS);
	} else {
		l->paths = known >= LOOKUP_PATHS_FROM ? LOOKUP_PATHS : 1;
		for (size_t p = 0; p < l->paths; p++)
			seed(l, p, p, l->paths);
	}
	step(l, now);
}

void lookup_start(struct lookup *l, usec_t now)
{
	l->end = now + LOOKUP_TIME;
	if (l->founds && l->all->table->count)
		timer_set(l->all->timers, &l->timer, now + GRACE);
	else
		begin(l, now);
}

size_t lookup_nearest(const struct lookup *l, struct pubkey out[], size_t max, bool heard)
{
	size_t at[LOOKUP_PATHS] = { 0 }, n = 0;

	while (n < max) {
		const struct candidate *best = NULL;
		size_t of = 0;

		for (size_t p = 0; p < l->paths; p++) {
			const struct candidate *c = path_next(&l->path[p], &at[p], heard);

			if (!c || (best && c->far >= best->far))
				continue;
			best = c;
			of = p;
		}
		if (!best)
			break;
		out[n++] = best->key;
		at[of]++;
	}
	return n;
}
