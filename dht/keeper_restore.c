/* keeper_restore.c - registers of an earlier era, written again from the grants that members show.
 * docs/protocol.md 8.10, rule R13.
 *
 * A grant is what a quorum of its own keepers signed, whoever shows it. It counts until the leases of
 * that era are surely over; an owner's only while its lease runs, a member's unless the revocation
 * list names the key. What is here already, as new or newer, costs nothing. In a hardened set the grant
 * goes along, and every acceptor judges it as well (judge_value.c). */
#include <errno.h>

#include "dht/keeper_impl.h"
#include "dht/pool.h"

/* Every key of the list that is shown, and a number as high. */
static bool list_is_here(const struct reg_value *v, const struct grant *g)
{
	struct revocation_payload here, shown;
	struct node_id who;

	if (!revocation_payload_read(&here, v->payload, v->payload_len) ||
	    !revocation_payload_read(&shown, g->payload, g->payload_len))
		return false;
	for (size_t i = 0; i < shown.count; i++) {
		who = shown.who[i];
		if (revocation_add(&here, &who) != -EEXIST)
			return false;
	}
	return here.number >= shown.number;
}

static bool is_here(const struct keeper_role *k, const struct grant *g)
{
	uint64_t first = (uint64_t)k->acceptor.era << 32;
	struct reg_value v;

	if (!cell_value(keeper_cell(k, &g->name), &v) || v.generation < first)
		return false;
	return g->name.kind == REG_REVOCATION ? list_is_here(&v, g) :
						v.generation >= first + (uint32_t)g->generation;
}

bool keeper_is_settling(const struct keeper_role *k)
{
	const struct settings *s = k->env.settings(k->env.ctx);

	return s && pool_is_settling(s, k->acceptor.era, keeper_wall(k));
}

bool restore_counts(const struct keeper_role *k, const struct grant *g)
{
	if (g->ballot.era >= k->acceptor.era || !keeper_is_settling(k))
		return false;
	switch (g->name.kind) {
	case REG_ADDRESS:
	case REG_HOST_NAME: return g->state == REG_HELD && grant_end(g) > keeper_wall(k);
	case REG_MEMBER: return !keeper_is_listed(k, &g->name);
	case REG_REVOCATION: return true;
	default: return false;
	}
}

void keeper_shown(struct keeper_role *k, const uint8_t *grant, size_t len, usec_t now)
{
	struct grant g;

	if (!grant_read(&g, grant, len) || !keeper_enter(k, now))
		return;
	if (restore_counts(k, &g) && !is_here(k, &g))
		task_restore(k, grant, len);
	keeper_leave(k, now);
}
