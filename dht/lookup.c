/* lookup.c - one lookup: ask the nearest known, learn nearer ones, until nobody is nearer.
 *
 * Kademlia section 2.3, with two disjoint paths (S/Kademlia 4.4): what a node tells is followed
 * only on the path on which it was asked, and no key is on two paths, so one liar can lead astray
 * one path only. Each path keeps its nearest candidates in order and has DHT_ALPHA requests under
 * way; one that needed its second try is "slow" and no longer holds a place, so silent nodes do
 * not stall the rest. A path is over when its nearest that have not failed have answered
 * (DHT_K of a single path, PATH_WANTED of each of two).
 * Records are checked here once, and their owner hears of each signer's highest only.
 * Bounds: LOOKUP_TIME, LOOKUP_PATH_MAX candidates, LOOKUP_ASKED_MAX keys asked, LOOKUP_CHECKS_MAX
 * signatures: nothing that nodes answer makes a lookup grow. */
#include "dht/lookup.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define STARVED_WAIT MSEC(50)       /* when the request table is full */
#define START_MAX (2 * DHT_K)       /* contacts that a lookup starts from */
#define PATH_WANTED (DHT_K / 2 + 2) /* of each of two paths: both together see the DHT_K nearest */

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
	for (size_t p = 0; p < l->paths; p++)
		for (size_t i = 0; i < l->path[p].count; i++)
			free(l->path[p].candidate[i]);
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

	if (now >= l->end)
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

static struct candidate *candidate_of(struct lookup *l, const struct pubkey *key)
{
	for (size_t p = 0; p < l->paths; p++)
		for (size_t i = 0; i < l->path[p].count; i++)
			if (key_equal(&l->path[p].candidate[i]->key, key))
				return l->path[p].candidate[i];
	return NULL;
}

/* In a full path the farthest that was not asked yet gives way to a nearer one. */
static bool path_make_room(struct lookup_path *p, const struct node_id *target,
			   const struct node_id *id)
{
	size_t i = p->count;

	if (p->count < LOOKUP_PATH_MAX)
		return true;
	while (i > 0 && p->candidate[i - 1]->state != CANDIDATE_NEW)
		i--;
	if (i == 0 || id_xor_compare(target, id, &p->candidate[i - 1]->id) >= 0)
		return false;
	free(p->candidate[i - 1]);
	p->count--;
	memmove(&p->candidate[i - 1], &p->candidate[i],
		(p->count - (i - 1)) * sizeof(struct candidate *));
	return true;
}

static void candidate_add(struct lookup *l, const struct pubkey *key, size_t path)
{
	struct lookup_path *p = &l->path[path];
	struct node_id id;
	struct candidate *c;
	size_t i;

	if (key_equal(key, &l->all->self) || candidate_of(l, key))
		return;
	id = id_of(key);
	if (!path_make_room(p, &l->name.key, &id))
		return;
	i = p->count;
	while (i > 0 && id_xor_compare(&l->name.key, &id, &p->candidate[i - 1]->id) < 0)
		i--;
	c = mem_new(sizeof(*c));
	*c = (struct candidate){ .key = *key, .id = id, .path = (uint8_t)path };
	memmove(&p->candidate[i + 1], &p->candidate[i],
		(p->count - i) * sizeof(struct candidate *));
	p->candidate[i] = c;
	p->count++;
}

static bool is_told(struct lookup *l, const struct record *r)
{
	for (size_t i = 0; i < l->founds; i++)
		if (key_equal(&l->found[i].signer, &r->signer))
			return l->found[i].seq >= r->seq;
	return l->founds == LOOKUP_RECORDS_MAX;
}

static void told(struct lookup *l, const struct record *r)
{
	size_t i = 0;

	while (i < l->founds && !key_equal(&l->found[i].signer, &r->signer))
		i++;
	assert(i < LOOKUP_RECORDS_MAX);
	l->found[i] = (struct found_record){ r->signer, r->seq };
	if (i == l->founds)
		l->founds++;
}

/* Opening is cheap and needs the secret: what does not open costs no signature check. */
static enum drop record_judge(struct lookup *l, const struct record *r, usec_t now)
{
	enum drop why = record_check_dates(r, wall_seconds(l->all->wall, now));

	if (why)
		return why;
	if (!l->ops->opens(l->ops->ctx, l, r))
		return DROP_SEAL;
	if (l->checks == LOOKUP_CHECKS_MAX)
		return DROP_QUOTA;
	l->checks++;
	return record_check_signature(r, l->all->crypto);
}

void lookup_record(struct lookup *l, const struct record *r, usec_t now)
{
	enum drop why;

	if (is_told(l, r))
		return;
	why = record_judge(l, r, now);
	if (why) {
		drop_add(l->all->drops, why);
		return;
	}
	told(l, r);
	l->ops->found(l->ops->ctx, l, r);
}

/* What an answer gave: true when there was a record that may be good. */
static bool records_take(struct lookup *l, const struct dht_msg *m, usec_t now)
{
	bool gave = false;

	for (size_t i = 0; i < m->records; i++) {
		struct record r;

		if (!record_read(&r, m->record[i].p, m->record[i].len) ||
		    !record_name_equal(&r.name, &l->name)) {
			drop_add(l->all->drops, DROP_MALFORMED);
			continue;
		}
		lookup_record(l, &r, now);
		gave |= is_told(l, &r);
	}
	return gave;
}

static void keys_take(struct lookup *l, const struct dht_msg *m, size_t path)
{
	for (size_t i = 0; i < m->keys; i++)
		candidate_add(l, &m->key[i], path);
}

static void answered(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	struct lookup *l = by_tag(ctx, r->owner.tag);
	struct candidate *c = l ? candidate_of(l, &r->to) : NULL;

	if (!c)
		return;
	l->slow -= c->state == CANDIDATE_SLOW;
	c->state = m ? CANDIDATE_ANSWERED : CANDIDATE_FAILED;
	if (m) {
		l->givers += records_take(l, m, now);
		keys_take(l, m, c->path);
	}
	step(l, now);
}

static void slowed(void *ctx, const struct rpc *r, usec_t now)
{
	struct lookup *l = by_tag(ctx, r->owner.tag);
	struct candidate *c = l ? candidate_of(l, &r->to) : NULL;

	if (!c || l->slow == LOOKUP_SLOW_MAX)
		return;
	c->state = CANDIDATE_SLOW;
	l->slow++;
	step(l, now);
}

/* False when the request table is full. */
static bool ask(struct lookup *l, struct candidate *c, usec_t now)
{
	struct rpc_owner owner = { answered, slowed, l->all, l->tag };
	struct dht_msg m = { .name = l->name };

	m.type = l->name.kind ? DHT_MSG_GET : DHT_MSG_FIND;
	if (rpc_call(l->all->rpcs, &c->key, &m, &owner, now) < 0)
		return false;
	c->state = CANDIDATE_ASKED;
	l->asked++;
	return true;
}

/* Asks on one path as far as it may: true when the path is over. */
static bool path_step(struct lookup *l, struct lookup_path *p, bool *starved, usec_t now)
{
	size_t wanted = l->paths == 1 ? DHT_K : PATH_WANTED, near = 0, asked = 0, open = 0;

	for (size_t i = 0; i < p->count; i++)
		asked += p->candidate[i]->state == CANDIDATE_ASKED;
	for (size_t i = 0; i < p->count && near < wanted; i++) {
		struct candidate *c = p->candidate[i];

		if (c->state == CANDIDATE_FAILED)
			continue;
		if (c->state == CANDIDATE_NEW && l->asked == LOOKUP_ASKED_MAX)
			continue;
		near++;
		open += c->state != CANDIDATE_ANSWERED;
		if (c->state != CANDIDATE_NEW || asked >= DHT_ALPHA || *starved)
			continue;
		*starved = !ask(l, c, now);
		asked++;
	}
	return open == 0;
}

static void step(struct lookup *l, usec_t now)
{
	bool over = true, starved = false;

	for (size_t p = 0; p < l->paths; p++)
		over &= path_step(l, &l->path[p], &starved, now);
	if (over || l->givers >= LOOKUP_ENOUGH)
		finish(l, now);
	else
		timer_set(l->all->timers, &l->timer,
			  starved ? usec_min(l->end, now + STARVED_WAIT) : l->end);
}

void lookup_start(struct lookup *l, usec_t now)
{
	const struct contact *c[START_MAX];
	size_t n = dht_table_nearest(l->all->table, &l->name.key, c, START_MAX);

	l->end = now + LOOKUP_TIME;
	l->paths = n >= LOOKUP_PATHS_FROM ? LOOKUP_PATHS : 1;
	for (size_t i = 0; i < n; i++)
		candidate_add(l, &c[i]->key, i % l->paths);
	step(l, now);
}

size_t lookup_nearest(const struct lookup *l, struct pubkey out[], size_t max)
{
	size_t at[LOOKUP_PATHS] = { 0 }, n = 0;

	while (n < max) {
		const struct candidate *best = NULL;

		for (size_t p = 0; p < l->paths; p++) {
			const struct lookup_path *path = &l->path[p];

			while (at[p] < path->count &&
			       path->candidate[at[p]]->state != CANDIDATE_ANSWERED)
				at[p]++;
			if (at[p] == path->count)
				continue;
			if (!best || id_xor_compare(&l->name.key, &path->candidate[at[p]]->id,
						    &best->id) < 0)
				best = path->candidate[at[p]];
		}
		if (!best)
			break;
		out[n++] = best->key;
		at[best->path]++;
	}
	return n;
}
