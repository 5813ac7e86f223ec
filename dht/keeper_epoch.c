/* keeper_epoch.c - from one keeper set to the next, at one keeper (rules R2, R11, R12).
 *
 * Nobody leads this. Every keeper compares what it serves (the set whose registers it has, durable as
 * its mark) with the newest configuration it knows and holds the proof of:
 *
 *   SERVES     they are the same, and the configuration names its incarnation and a key it has. Once
 *              sealed it votes for successors only, and proposes what it accepted itself when nobody
 *              else finishes that within a second or two.
 *   INSTALLS   the newest names it, but it serves the one before, or none: it is sealed for good, says
 *              so in its mark, and copies until nothing that was ever chosen can be missing
 *              (copy.c); when all of that is durable it writes the mark, and when the mark is durable
 *              it serves. In between it answers nothing in either epoch.
 *   LEAVES     the newest does not name it: sealed, it lets itself be copied until a quorum of the new
 *              set says that it serves; then it forgets the registers.
 *   LEARNS     it was asked to stand: it copies in advance.
 *   NONE       none of that; left-over copies go, if the newest set does not name it at all.
 *
 * A keeper that the newest set names with an incarnation that is not its own, or with a key that it
 * has not, has lost what the set counts on. It is born again under a new incarnation, as a stranger
 * who knows nothing, and may stand as such: an incarnation that has voted never votes again without
 * its memory. What is older than the set before the newest is no source of anything, so registers of
 * such an epoch are dropped before copying begins. */
#include <stdlib.h>

#include "base/mutant.h"
#include "dht/judge.h"
#include "dht/keeper_impl.h"

#define STEP MSEC(50)
#define STEP_LATER SEC(1)
#define SOON SEC(10) /* after a new set was learnt */
#define LEAVE_LATE MINUTES(10) /* a quorum serves, but not all of a hardened set */
#define FINISH SEC(1)	/* a sealed keeper waits so long for others, and as long again at random */

bool epoch_is_newer(struct epoch_at a, struct epoch_at b)
{
	return a.era != b.era ? a.era > b.era : a.epoch > b.epoch;
}

bool epoch_is(struct epoch_at a, struct epoch_at b)
{
	return a.era == b.era && a.epoch == b.epoch;
}

struct epoch_at epoch_of(const struct config *cf)
{
	return (struct epoch_at){ cf->era, cf->epoch };
}

bool epoch_follows(struct epoch_at a, struct epoch_at after)
{
	return a.era == after.era && a.epoch == after.epoch + 1;
}

struct epoch_at epoch_served(const struct keeper_role *k)
{
	return (struct epoch_at){ k->acceptor.era, k->acceptor.epoch };
}

static const struct config *newest(const struct keeper_role *k)
{
	return k->env.config(k->env.ctx);
}

static const struct keeper *seat_of(const struct keeper_role *k, const struct config *cf)
{
	int at = cf ? config_member(cf, &k->cfg.self.pub) : -1;

	return at < 0 ? NULL : &cf->members[at];
}

/* The set names us as we are, and the key that it names is here. */
static bool is_ours(const struct keeper_role *k, const struct config *cf)
{
	const struct keeper *m = seat_of(k, cf);
	const struct epoch_key *key = m ? keeper_key(k, epoch_of(cf)) : NULL;

	return key && m->incarnation == k->incarnation &&
	       key_equal(&m->epoch_key, &key->pair.pub);
}

/* The registers of this set are here as they were when it was served. */
bool epoch_has_served(const struct keeper_role *k)
{
	struct epoch_at at = epoch_served(k);
	const struct keeper *m =
		at.epoch ? seat_of(k, k->env.config_of(k->env.ctx, at.era, at.epoch)) : NULL;

	return m && m->incarnation == k->incarnation;
}

enum standing epoch_standing(const struct keeper_role *k)
{
	const struct config *cf = newest(k);

	if (!cf)
		return STANDING_NONE;
	if (is_ours(k, cf)) {
		if (epoch_is(epoch_served(k), epoch_of(cf)))
			return STANDING_SERVES;
		return cf->epoch > 1 ? STANDING_INSTALLS : STANDING_NONE;
	}
	if (!seat_of(k, cf) && epoch_has_served(k) && epoch_is_newer(epoch_of(cf), epoch_served(k)))
		return STANDING_LEAVES;
	return peers_is_planned(k, &k->cfg.self.pub) ? STANDING_LEARNS : STANDING_NONE;
}

const struct config *epoch_config(const struct keeper_role *k)
{
	return epoch_standing(k) == STANDING_SERVES ? newest(k) : NULL;
}

/* --- a new set is known --- */

/* What the acceptor needs to know of the set that it votes in. */
static void vote_in(struct keeper_role *k, const struct config *cf)
{
	const struct epoch_key *key = keeper_key(k, epoch_served(k));

	if (key)
		k->acceptor.epoch_key = key->pair;
	else
		sodium_memzero(&k->acceptor.epoch_key, sizeof(k->acceptor.epoch_key));
	k->acceptor.alone = cf->count == 1 && epoch_is(epoch_served(k), epoch_of(cf));
}

/* What was served is over, whether or not we had a part in that. */
static void seal(struct keeper_role *k)
{
	if (!k->acceptor.epoch)
		return;
	k->acceptor.sealed = true;
	if (!k->acceptor.sealed_durably)
		keeper_mark_store(k, (struct keeper_mark){ epoch_served(k), true });
	proposer_abort(&k->proposer, REG_OTHER_EPOCH, k->now);
}

/* The newest names this node, but neither what it is nor what it has. */
static bool is_lost(const struct keeper_role *k, const struct config *cf)
{
	bool has_anything = k->acceptor.epoch || keeper_key(k, epoch_of(cf));

	return seat_of(k, cf) && !is_ours(k, cf) && has_anything;
}

/* What a keeper without memory would do (base/mutant.h), and R12 forbids. */
static void pretend(struct keeper_role *k, const struct config *cf)
{
	const struct keeper *m = seat_of(k, cf);

	if (!m || epoch_standing(k) != STANDING_NONE)
		return;
	k->incarnation = m->incarnation;
	keeper_key_make(k, epoch_of(cf));
	if (MUTANT(AMNESIA)) {
		k->acceptor.era = cf->era;
		k->acceptor.epoch = cf->epoch;
	}
}

void epoch_look(struct keeper_role *k)
{
	const struct config *cf = newest(k);

	if (!cf || epoch_is(k->seen, epoch_of(cf)))
		return;
	k->seen = epoch_of(cf);
	k->seen_at = k->now;
	k->seen_wall = keeper_wall(k);
	free(k->succession);
	k->succession = NULL;
	k->planned_until = 0;
	memset(k->plans, 0, sizeof(k->plans));
	if (MUTANT(REINSTALL))
		pretend(k, cf);
	if (is_lost(k, cf)) {
		log_warn(k->cfg.log, "keeper: its state is not what the keeper set counts on: "
				     "it is a stranger until a later set names it");
		keeper_reborn(k);
	} else if (epoch_is_newer(epoch_of(cf), epoch_served(k)) && !MUTANT(NO_SEAL)) {
		seal(k);
	}
	vote_in(k, cf);
	peers_aim(k);
	k->next_finish = USEC_NEVER;
	k->next_step = k->next_state = k->now;
}

void epoch_started(struct keeper_role *k)
{
	const struct config *cf = newest(k);

	k->acceptor.era = k->mark.served.era;
	k->acceptor.epoch = k->mark.served.epoch;
	k->acceptor.sealed = k->mark.sealed;
	acceptor_started(&k->acceptor, k->now);
	if (cf && (MUTANT(AMNESIA) || MUTANT(REINSTALL)))
		pretend(k, cf);
}

/* --- installing, leaving --- */

static void serve(struct keeper_role *k, const struct config *cf)
{
	copies_end(k);
	acceptor_turn(&k->acceptor, cf->era, cf->epoch, k->now);
	keeper_count_again(k);
	vote_in(k, cf);
	peers_tell(k);
	k->env.installed(k->env.ctx);
}

static void install_step(struct keeper_role *k, const struct config *cf)
{
	bool own;

	if (epoch_is(k->mark.served, epoch_of(cf))) { /* complete; the mark says so */
		copies_end(k); /* also when it is long in coming: nobody asks for the rest any more */
		if (own_is_durable(&k->own_mark))
			serve(k, cf);
		return;
	}
	copies_drop_old(k, cf);
	if (!copies_clean(k))
		return;
	copies_begin(k, cf, true);
	copies_tick(k);
	if (!k->copy)
		return;
	own = k->acceptor.epoch && k->acceptor.sealed_durably;
	/* Not before the set itself is on the disk, lest a restart go back to the one before. */
	if (acceptor_take_late(&k->acceptor, k->now) && copy_is_complete(k->copy, own) &&
	    copies_settle(k) && acceptor_is_quiet(&k->acceptor) && k->env.config_durable(k->env.ctx))
		keeper_mark_store(k, (struct keeper_mark){ .served = epoch_of(cf) });
}

/* One that is late needs a quorum of the others, or of us. Where liars are expected, what one says of
 * itself may be all that makes a quorum: so all, but not for ever, as one may be lost. */
static bool is_needed(const struct keeper_role *k, const struct config *cf)
{
	size_t serve = peers_installed(k);

	return serve < cf->quorum || (judge_is_hardened(cf) && serve < cf->count &&
				      k->now < k->seen_at + LEAVE_LATE);
}

static void leave_step(struct keeper_role *k, const struct config *cf)
{
	copies_end(k);
	if (k->acceptor.epoch && is_needed(k, cf) &&
	    epoch_follows(epoch_of(cf), epoch_served(k)))
		return;
	k->acceptor.era = k->acceptor.epoch = 0;
	k->acceptor.sealed = k->acceptor.sealed_durably = false;
	keeper_mark_store(k, (struct keeper_mark){ .sealed = false });
}

static void learn_step(struct keeper_role *k, const struct config *cf)
{
	if (!copies_clean(k))
		return;
	copies_begin(k, cf, false);
	copies_tick(k);
}

/* A sealed keeper alone cannot undo the seal; what it accepted, or another value, will be chosen. */
static void finish_step(struct keeper_role *k)
{
	struct reg_name name = acceptor_successor(k->acceptor.era, k->acceptor.epoch);
	struct reg_value v;
	uint32_t draw;

	if (!k->acceptor.sealed || k->body) {
		k->next_finish = USEC_NEVER;
		return;
	}
	if (k->now < k->next_finish && k->next_finish != USEC_NEVER)
		return;
	if (k->next_finish != USEC_NEVER && cell_value(keeper_cell(k, &name), &v))
		change_propose(k, v.payload, v.payload_len);
	k->env.random(k->env.ctx, &draw, sizeof(draw));
	k->next_finish = k->now + FINISH + draw % FINISH;
}

static void serve_step(struct keeper_role *k, const struct config *cf)
{
	finish_step(k);
	if (peers_is_planned(k, &k->cfg.self.pub) && cf->count > 1) {
		copies_begin(k, cf, false);
		copies_tick(k);
	} else {
		copies_end(k);
	}
}

static void keys_step(struct keeper_role *k, const struct config *cf)
{
	if (k->env.config_durable(k->env.ctx)) {
		keeper_keys_retire(k, epoch_of(cf));
		vote_in(k, cf);
	} else {
		k->next_step = k->now + STEP;
	}
}

void epoch_step(struct keeper_role *k)
{
	const struct config *cf = newest(k);

	k->next_step = USEC_NEVER;
	if (!cf)
		return;
	keys_step(k, cf);
	switch (epoch_standing(k)) {
	case STANDING_SERVES: serve_step(k, cf); return;
	case STANDING_INSTALLS: install_step(k, cf); break;
	case STANDING_LEAVES: leave_step(k, cf); break;
	case STANDING_LEARNS: learn_step(k, cf); break;
	case STANDING_NONE:
		copies_end(k);
		/* Who has lost its seat may be the last to have the registers: for an era reset. */
		if (seat_of(k, cf) || copies_clean(k))
			return;
	}
	k->next_step = k->now + (k->now < k->seen_at + SOON ? STEP : STEP_LATER);
}

usec_t epoch_deadline(const struct keeper_role *k)
{
	usec_t next = usec_min(k->next_step, k->next_finish);

	return k->copy ? usec_min(next, copy_deadline(k->copy)) : next;
}
