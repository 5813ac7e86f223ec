/* ring_demand.c - links because of traffic.
 *
 * Eight routed messages within ten seconds with one node, and a link with it is asked for. It is
 * kept until two minutes pass without such traffic. What a leaf sends is not told here: a link with
 * it would cost it more than the messages do. Sources of routed messages are not proven, so
 * there are bounds: DEMAND_MAX nodes counted and as many such links, one asked for a second. */
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/ring_impl.h"

#define MESSAGES 8
#define WITHIN SEC(10)
#define KEPT_FOR MINUTES(2)
#define WANT_AGAIN SEC(30)
#define WANT_GAP SEC(1)
#define WANT_BURST 4
#define SWEEP SEC(15)

static size_t links_count(const struct ring *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->links.count; i++)
		n += link_at(r, i)->demand;
	return n;
}

static bool is_over(const struct demand *d, usec_t now)
{
	return d->count == 0 || now >= (d->wanted ? d->wanted + WANT_AGAIN : d->since + WITHIN);
}

/* The count of this node, a new one in place of one that is over, or NULL when all are in use. */
static struct demand *count_of(struct ring *r, const struct pubkey *peer, usec_t now)
{
	struct demand *free_one = NULL;

	if (!r->demand) {
		r->demand = mem_new(DEMAND_MAX * sizeof(r->demand[0]));
		r->demand_at = now + SWEEP;
	}
	for (size_t i = 0; i < DEMAND_MAX; i++) {
		struct demand *d = &r->demand[i];

		if (is_over(d, now))
			free_one = free_one ? free_one : d;
		else if (key_equal(&d->key, peer))
			return d;
	}
	if (free_one)
		*free_one = (struct demand){ .key = *peer, .since = now };
	return free_one;
}

static void keep(struct ring *r, struct link *l, usec_t now)
{
	if (links_count(r) >= DEMAND_MAX)
		return;
	l->demand = true;
	l->traffic_at = now;
	look_changed(r, now);
}

static void want(struct ring *r, struct demand *d, usec_t now)
{
	struct ring_contact c = { .key = d->key, .id = id_of(&d->key) };

	if (!rate_take(&r->demand_full, WANT_GAP, WANT_BURST, now))
		return;
	d->wanted = now;
	r->env.want(r->env.ctx, &c, NULL);
}

void ring_traffic(struct ring *r, const struct pubkey *peer, usec_t now)
{
	struct link *l = ring_link(r, peer);
	struct demand *d;

	if (r->profile == RING_LEAF || key_equal(peer, &r->self) || (l && l->leaf))
		return;
	if (l && l->demand) {
		l->traffic_at = now;
		return;
	}
	d = count_of(r, peer, now);
	if (!d || ++d->count < MESSAGES || d->wanted)
		return;
	if (l)
		keep(r, l, now);
	else if (links_count(r) < DEMAND_MAX)
		want(r, d, now);
}

void demand_link_up(struct ring *r, struct link *l, usec_t now)
{
	for (size_t i = 0; r->demand && i < DEMAND_MAX; i++)
		if (r->demand[i].wanted && key_equal(&r->demand[i].key, &l->at.key)) {
			r->demand[i] = (struct demand){ .count = 0 };
			keep(r, l, now);
		}
}

static size_t expire(struct ring *r, usec_t now)
{
	size_t left = 0;

	for (size_t i = 0; i < r->links.count; i++) {
		struct link *l = link_at(r, i);

		if (l->demand && l->traffic_at + KEPT_FOR <= now) {
			l->demand = false;
			look_changed(r, now);
		}
		left += l->demand;
	}
	for (size_t i = 0; i < DEMAND_MAX; i++)
		left += !is_over(&r->demand[i], now);
	return left;
}

void demand_run(struct ring *r, usec_t now)
{
	r->demand_at = USEC_NEVER;
	if (!r->demand)
		return;
	if (expire(r, now)) {
		r->demand_at = now + SWEEP;
		return;
	}
	free(r->demand);
	r->demand = NULL;
}
