/* shed.c - records of others that have enough nearer holders are given up before they expire.
 *
 * While a network grows, newcomers get what they stand nearer to (repair.c), and those whose place
 * they took would keep it for the rest of its life: a third of all that a node holds. How many
 * stand nearer to a record than we do follows from its distance and from how dense ids are around
 * us, which our NEAREST contacts that are known to be up show: where BEYOND are to be expected,
 * DHT_REPLICAS are nearly certain, and contacts that we lack make the estimate too low, not too
 * high. What stays in any case: our own; what came in the last SHED_AFTER minutes; and that to
 * which hardly anybody stands nearer on the ring: lookups that the ring carries begin there. Who
 * makes ids to stand around a node, so that it gives up what is not next to it, needs ten times
 * those that would surround the record itself. */
#include "dht/impl.h"

#define SHED_AFTER 3 /* minutes */
#define NEAREST 10
#define BEYOND 18
#define BESIDE 2 /* on the ring */
#define LOOKED_AT 32 /* contacts, for NEAREST of them */
#define UP_AFTER MINUTES(10) /* silence after which a contact without a session is not counted on */

_Static_assert(BEYOND > DHT_REPLICAS + DHT_REPLICAS / 2, "fewer are too uncertain");

struct horizon {
	const struct dht_table *table;
	uint64_t far; /* distance; farther: enough others are nearer */
};

static uint64_t ring_distance(uint64_t a, uint64_t b) { return a - b < b - a ? a - b : b - a; }

static bool is_stray(void *ctx, const struct record_name *name)
{
	const struct horizon *h = ctx;
	uint64_t target = place_of_id(&name->key), ours = ring_distance(h->table->self, target);
	const struct contact *c;
	size_t at = 0, beside = 0;

	if ((h->table->self ^ target) <= h->far)
		return false;
	while (beside < BESIDE && (c = dht_table_next(h->table, &at)))
		beside += !c->fails && ring_distance(c->place, target) < ours;
	return beside == BESIDE;
}

/* The distance within which NEAREST contacts are known to be up; 0 = there are too few. */
static uint64_t reach(const struct dht_table *t, usec_t now)
{
	const struct contact *near[LOOKED_AT];
	size_t n = dht_table_nearest(t, t->self, near, LOOKED_AT), up = 0;

	for (size_t i = 0; i < n; i++) {
		const struct contact *c = near[i];

		if (c->live || (!c->fails && SEC((usec_t)c->seen) + UP_AFTER > now))
			up++;
		if (up == NEAREST)
			return c->place ^ t->self;
	}
	return 0;
}

void shed_strays(struct dht *d, usec_t now)
{
	struct horizon h = { .table = &d->table, .far = reach(&d->table, now) / NEAREST };
	struct store_shed shed = { .minutes = SHED_AFTER, .is_stray = is_stray, .ctx = &h };

	if (!h.far)
		return;
	h.far = h.far > UINT64_MAX / BEYOND ? UINT64_MAX : h.far * BEYOND;
	dht_store_shed(&d->store, &shed, dht_wall(d, now));
}
