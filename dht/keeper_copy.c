/* keeper_copy.c - the registers of the set before: fetching them, and giving them (rule R11).
 *
 * copy.c asks and counts, the acceptor takes; here is whom to ask, and what may be built on: cells
 * that were served in the epoch before the newest, or copied from it. Everything older goes first,
 * also on the disk, lest something come back that was dropped since. A newcomer to a hardened set
 * takes nothing at once, but gathers what each of them shows (keeper_settle.c). Cells are given to members of
 * the newest set and to those planned, by whoever has them as a member that served them. */
#include <stdlib.h>

#include "base/mem.h"
#include "dht/judge.h"
#include "dht/keeper_impl.h"

#define CLEAR_BATCH 512 /* cells a step */

static void copy_send(void *ctx, const struct pubkey *to, const struct regmsg *m, usec_t now)
{
	(void)now;
	keeper_message(ctx, to, m);
}

static void copy_random(void *ctx, void *out, size_t len)
{
	struct keeper_role *k = ctx;

	k->env.random(k->env.ctx, out, len);
}

static bool copy_take(void *ctx, uint8_t slot, struct rd *entries, usec_t now)
{
	struct keeper_role *k = ctx;

	if (k->reports)
		return reports_take(k->reports, slot, entries, now);
	return acceptor_take(&k->acceptor, entries, now);
}

static bool copy_has_room(void *ctx)
{
	struct keeper_role *k = ctx;

	return k->acceptor.writes.count < COPY_WRITES_MAX;
}

void copies_end(struct keeper_role *k)
{
	free(k->copy);
	k->copy = NULL;
	reports_free(k->reports);
	k->reports = NULL;
	acceptor_drop_late(&k->acceptor);
}

static bool is_aimed(const struct keeper_role *k, const struct config *cf, bool hurries)
{
	return k->copy && epoch_is(k->copy->newest, epoch_of(cf)) && k->copy->hurries == hurries;
}

/* True: no registers are here but what may be built on. */
bool copies_clean(struct keeper_role *k)
{
	bool empty;

	if (k->acceptor.epoch || k->copy)
		return true;
	if (!own_is_durable(&k->own_mark)) /* the disk may still say that they were served */
		return false;
	empty = acceptor_clear(&k->acceptor, CLEAR_BATCH);
	if (empty)
		keeper_count_again(k);
	return empty;
}

/* Copies that were begun for the set before go on; older ones are of no use, and what was taken on
 * trust is of none where nobody is trusted. */
void copies_begin(struct keeper_role *k, const struct config *cf, bool installs)
{
	struct copy_env env = { k, copy_random, copy_send, copy_take, copy_has_room };
	const struct config *before =
		installs ? k->env.config_of(k->env.ctx, cf->era, cf->epoch - 1) : NULL;
	bool gathers = !k->acceptor.epoch && judge_is_hardened(before ? before : cf);

	if (is_aimed(k, cf, before != NULL))
		return;
	if (k->copy && k->copy->gathers != gathers)
		copies_end(k);
	if (!copies_clean(k))
		return;
	if (!k->copy) {
		k->copy = mem_new(sizeof(*k->copy));
		copy_init(k->copy, &env, k->nsid);
		k->copy->gathers = gathers;
	}
	copy_aim(k->copy, cf, before, &k->cfg.self.pub, k->now);
	if (gathers && !k->reports)
		k->reports = reports_new(k->acceptor.cells.seed);
	if (k->reports)
		reports_keep(k->reports, k->copy->stayed);
}

void copies_tick(struct keeper_role *k)
{
	if (k->copy)
		copy_tick(k->copy, k->now);
}

/* Registers, or copies of them, from before the set before the newest. */
void copies_drop_old(struct keeper_role *k, const struct config *cf)
{
	struct epoch_at at = epoch_of(cf);

	if (k->acceptor.epoch && !epoch_follows(at, epoch_served(k))) {
		k->acceptor.era = k->acceptor.epoch = 0;
		k->acceptor.sealed = k->acceptor.sealed_durably = false;
		keeper_mark_store(k, (struct keeper_mark){ .sealed = false });
	}
	if (k->copy && !epoch_is(k->copy->newest, at) && !epoch_follows(at, k->copy->newest))
		copies_end(k);
}

/* --- messages --- */

uint64_t copies_behind(const struct keeper_role *k)
{
	const struct config *cf = k->env.config(k->env.ctx);
	bool own = epoch_standing(k) == STANDING_SERVES;

	if (own && cf->count == 1)
		return 0;
	return k->copy && cf ? copy_behind(k->copy, (size_t)(cf->quorum - own)) : UINT64_MAX;
}

static bool may_pull(const struct keeper_role *k, const struct pubkey *from)
{
	const struct config *cf = k->env.config(k->env.ctx);

	return (cf && config_member(cf, from) >= 0) || peers_is_planned(k, from);
}

void copies_pull(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m)
{
	struct regmsg a = { .type = REGMSG_CELLS, .request = m->request, .at = k->seen };
	uint8_t *room;

	if (!epoch_has_served(k) || !may_pull(k, from))
		return;
	memcpy(a.nsid, k->nsid, NSID_LEN);
	a.state.served = epoch_served(k);
	a.state.sealed = k->acceptor.sealed_durably;
	a.state.incarnation = k->incarnation;
	a.upto = m->incarnation == k->incarnation ? m->position : 0;
	room = mem_new(COPY_ENTRIES_MAX);
	a.bytes = room;
	a.len = acceptor_give(&k->acceptor, &a.upto, room, COPY_ENTRIES_MAX, k->now);
	a.state.position = k->acceptor.position;
	keeper_message(k, from, &a);
	free(room);
}

void copies_cells(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m)
{
	if (!k->copy)
		return;
	copy_input(k->copy, from, m, k->now);
	epoch_step(k);
}
