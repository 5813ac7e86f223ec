/* change_restore.c - what an earlier era granted, shown in this one. docs/protocol.md 8.10, rule R13.
 *
 * A generation's low 32 bits go on from era to era, the high ones name the era: an owner is
 * registered again as (era << 32) + its old low bits, and of several that were shown the highest
 * stands, whenever it comes. Of revocations nothing is ever lost: lists are united. */
#include "dht/change.h"

#include <errno.h>

#include "dht/pool.h"

static uint64_t in_era(const struct turn *t, uint64_t generation)
{
	return (uint64_t)t->w->era << 32 | (uint32_t)generation;
}

static void restore(struct turn *t, const struct grant *g, uint64_t generation)
{
	t->r->status = REG_OK;
	t->r->holder = g->owner;
	t->r->value = (struct reg_value){
		.state = g->state,
		.generation = generation,
		.owner = g->owner,
		.number = g->number,
		.lease = g->lease,
		.payload = g->payload,
		.payload_len = g->payload_len,
	};
}

/* Every key of `from` that `to` lacks; false = it did not fit. */
static bool unite(struct revocation_payload *to, const struct revocation_payload *from, bool *more)
{
	for (size_t i = 0; i < from->count; i++) {
		int rc = revocation_add(to, &from->who[i]);

		if (rc < 0 && rc != -EEXIST)
			return false;
		*more |= rc == 0;
	}
	return true;
}

static void restore_list(struct turn *t, const struct grant *g)
{
	struct wr w = wr_of(t->r->payload, sizeof(t->r->payload));
	struct revocation_payload shown, p;
	bool more = false;

	if (!revocation_payload_read(&shown, g->payload, g->payload_len) ||
	    !revocation_payload_read(&p, t->old->payload, t->old->payload_len)) {
		turn_status(t, REG_MALFORMED);
		return;
	}
	if (!unite(&p, &shown, &more)) {
		turn_status(t, REG_FULL);
		return;
	}
	if (!more && shown.number <= p.number) {
		turn_same(t);
		return;
	}
	p.number = (shown.number > p.number ? shown.number : p.number) + more;
	wr_revocation_payload(&w, &p);
	restore(t, g, turn_next_generation(t));
	t->r->value.payload = t->r->payload;
	t->r->value.payload_len = wr_len(&w);
	t->r->status = wr_ok(&w) ? REG_OK : REG_FULL;
}

/* A survivor of the old keepers may have the very value that is shown, not yet in this era. */
static bool stands(const struct turn *t, uint64_t generation)
{
	uint64_t here = in_era(t, t->old->generation);

	return generation < here || (generation == here && t->old->generation == here);
}

/* What stands in this era stands, unless what is shown is later by the owners' own count. */
void change_restore(struct turn *t)
{
	const struct grant *g = t->c->shown;
	uint64_t generation = in_era(t, g->generation);

	/* Once others may claim what nobody showed, it is too late: there would be two owners. */
	if (t->w->settings && !pool_is_settling(t->w->settings, t->w->era, t->w->wall))
		turn_status(t, REG_EXPIRED);
	else if (t->old && t->c->name.kind == REG_REVOCATION)
		restore_list(t, g);
	else if (t->old && stands(t, generation))
		turn_same(t);
	else
		restore(t, g, generation);
}
