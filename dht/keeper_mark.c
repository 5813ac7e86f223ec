/* keeper_mark.c - a keeper that is shown more of its own log than it has. docs/protocol.md 8.14.
 *
 * Its disk was rolled back (a restored snapshot, a copied directory), or it runs twice: either way
 * it may have promised and accepted what it knows nothing of, and whatever it judges now may
 * contradict that. So it gives its incarnation up, durably, before it answers another word: with
 * others it may stand again as a stranger who knows nothing, alone only a new era goes on. What it
 * shows of its log is durable, so a crash never looks like that. */
#include "dht/keeper_impl.h"

#include "base/mutant.h"

static void mark_make(struct keeper_role *k)
{
	struct mark *m = &k->own;

	if (m->starts == k->starts && m->position == k->acceptor.durable &&
	    epoch_is(k->own_at, epoch_served(k)))
		return;
	*m = (struct mark){ .starts = k->starts, .position = k->acceptor.durable };
	mark_sign(m, &k->acceptor.epoch_key, k->cfg.crypto);
	k->own_at = epoch_served(k);
}

/* Which messages show our mark, and which show the receiver its own. */
static const struct {
	bool mark, echo;
} shows[REGMSG_TYPE_COUNT] = {
	[REGMSG_RESULT] = { true, false },  [REGMSG_PREPARE] = { false, true },
	[REGMSG_PROMISE] = { true, true },  [REGMSG_ACCEPT] = { false, true },
	[REGMSG_ACCEPTED] = { true, true }, [REGMSG_STATE] = { true, true },
};

void keeper_mark_fill(struct keeper_role *k, const struct pubkey *to, struct regmsg *m)
{
	const struct config *cf = epoch_config(k);
	const struct mark *seen;
	int at;

	if (!cf)
		return;
	if (shows[m->type].mark && k->acceptor.durable) {
		mark_make(k);
		m->mark = k->own;
	}
	at = shows[m->type].echo ? config_member(cf, to) : -1;
	seen = at < 0 ? NULL : marks_of(k->marks, cf, (uint8_t)at);
	if (seen)
		m->echo = *seen;
}

static void fall_silent(struct keeper_role *k, const struct mark *echo)
{
	const struct config *cf = epoch_config(k);

	log_error(k->cfg.log,
		  "keeper: shown position %llu of its own log, which ends at %llu here: this state was "
		  "rolled back or is a copy. It judges no more%s",
		  (unsigned long long)echo->position, (unsigned long long)k->acceptor.position,
		  cf && cf->count > 1 ? "; the other keepers replace it" :
					", and there is no other keeper: `vpnctl root reset`");
	keeper_reborn(k);
}

/* Of an earlier start: we began with all that it had shown, or did not. */
static bool is_beyond_us(const struct keeper_role *k, const struct mark *echo)
{
	if (echo->starts != k->starts)
		return echo->starts > k->starts || echo->position > k->began_at;
	return echo->position > k->acceptor.position;
}

bool keeper_mark_take(struct keeper_role *k, const struct pubkey *from, const struct regmsg *m)
{
	const struct config *cf = epoch_config(k);
	const struct mark *echo = &m->echo;
	int at;

	if (!cf)
		return true;
	if (echo->starts && is_beyond_us(k, echo) && !MUTANT(AMNESIA) && !MUTANT(REINSTALL) &&
	    mark_is_signed(echo, &k->acceptor.epoch_key.pub, k->cfg.crypto)) {
		fall_silent(k, echo);
		return false;
	}
	at = m->mark.starts ? config_member(cf, from) : -1;
	if (at >= 0)
		marks_note(&k->marks, cf, (uint8_t)at, &m->mark);
	return true;
}
