/* copy.c - pulling cells (rule R11): who asks sets the pace, who answers keeps no state.
 *
 * Every source has its own position: PULL asks for all above it, CELLS brings a piece and says how
 * far that reaches and how far the source is; one question is under way at each source, and the next
 * leaves when the answer was taken. A position belongs to one incarnation, which never gives it
 * twice; one that was lost begins at 0 again. Copying before the seal only saves time after it: all
 * that matters is what copy_is_complete counts, each source for what it was when its last piece came:
 *   sealed   a member of the set before, sealed for good, had no more than is here; a quorum of them
 *            has everything that was chosen there, as nothing will be added any more (acceptor.c);
 *   whole    a member of the newest set that has itself been complete: it has all of it, and more.
 * Less is never enough: one sealed member of three may have missed what the two others chose.
 *
 * A newcomer to a hardened set gathers (keeper_settle.c): no source counts alone, so it needs as many
 * that are whole as a quorum of the newest set has; and one of both sets counts as sealed when it is
 * whole, as what it has came of what it had. Where trust ends with this change, one that is whole
 * counts when it was trusted before. */
#include "dht/copy.h"

#include <stdlib.h>

#include "base/mutant.h"
#include "dht/entry.h"
#include "dht/judge.h"

#define AGAIN_FIRST MSEC(300) /* no answer */
#define AGAIN_DOUBLINGS 4
#define LOOK MSEC(500)	      /* everything is here: is there more? */
#define LOOK_HURRIED MSEC(50) /* ... is it sealed, or installed, by now? */
#define WAIT MSEC(20)	      /* for the disk */

void copy_init(struct copy *c, const struct copy_env *env, const uint8_t nsid[NSID_LEN])
{
	memset(c, 0, sizeof(*c));
	c->env = *env;
	memcpy(c->nsid, nsid, NSID_LEN);
	env->random(env->ctx, &c->next_request, sizeof(c->next_request));
}

static struct copy_source *source_of(struct copy *c, const struct pubkey *node,
				     uint64_t incarnation)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->source[i].incarnation == incarnation &&
		    key_equal(&c->source[i].node, node))
			return &c->source[i];
	return NULL;
}

static struct copy_source *source_add(struct copy *c, const struct keeper *k, struct copy *was,
				      usec_t now)
{
	struct copy_source *s = source_of(c, &k->node, k->incarnation);
	const struct copy_source *before = source_of(was, &k->node, k->incarnation);

	if (s)
		return s;
	s = &c->source[c->count++];
	*s = (struct copy_source){ .node = k->node, .incarnation = k->incarnation };
	if (before) {
		s->position = before->position;
		s->end = before->end;
		s->heard = before->heard;
		s->slot = before->slot;
		c->stayed |= (uint16_t)(1u << s->slot);
	}
	s->next = now;
	return s;
}

/* The new ones get what the others have left. */
static void slots_give(struct copy *c, struct copy *was)
{
	uint16_t taken = c->stayed;

	for (size_t i = 0; i < c->count; i++) {
		struct copy_source *s = &c->source[i];

		if (source_of(was, &s->node, s->incarnation))
			continue;
		for (s->slot = 0; taken & 1u << s->slot;)
			s->slot++;
		taken |= (uint16_t)(1u << s->slot);
	}
}

void copy_aim(struct copy *c, const struct config *newest, const struct config *before,
	      const struct pubkey *self, usec_t now)
{
	struct copy was = *c;

	c->count = 0;
	c->stayed = 0;
	c->newest = (struct epoch_at){ newest->era, newest->epoch };
	c->old_quorum = before ? before->quorum : 0;
	c->new_quorum = judge_is_hardened(newest) ? newest->quorum : 1;
	c->guards = judge_is_hardened(newest) && before && !judge_is_hardened(before);
	c->hurries = before != NULL;
	for (size_t i = 0; before && i < before->count; i++)
		if (!key_equal(&before->members[i].node, self))
			source_add(c, &before->members[i], &was, now)->is_old = true;
	for (size_t i = 0; i < newest->count; i++)
		if (!key_equal(&newest->members[i].node, self))
			source_add(c, &newest->members[i], &was, now)->is_new = true;
	slots_give(c, &was);
}

static bool is_done(const struct copy_source *s)
{
	return s->sealed || s->whole;
}

static void ask(struct copy *c, struct copy_source *s, usec_t now)
{
	unsigned doublings = s->tries < AGAIN_DOUBLINGS ? s->tries : AGAIN_DOUBLINGS;
	struct regmsg m = { .type = REGMSG_PULL, .request = ++c->next_request, .at = c->newest,
			    .incarnation = s->incarnation, .position = s->position };

	memcpy(m.nsid, c->nsid, NSID_LEN);
	s->request = m.request;
	s->tries += s->tries < UINT8_MAX;
	s->next = now + (AGAIN_FIRST << doublings);
	c->env.pull(c->env.ctx, &s->node, &m, now);
}

void copy_tick(struct copy *c, usec_t now)
{
	for (size_t i = 0; i < c->count; i++) {
		struct copy_source *s = &c->source[i];

		if (s->next > now || (c->hurries && is_done(s)))
			continue;
		if (c->env.has_room(c->env.ctx))
			ask(c, s, now);
		else
			s->next = now + WAIT;
	}
}

usec_t copy_deadline(const struct copy *c)
{
	usec_t next = USEC_NEVER;

	for (size_t i = 0; i < c->count; i++)
		if (!(c->hurries && is_done(&c->source[i])))
			next = usec_min(next, c->source[i].next);
	return next;
}

static bool is_before(const struct copy *c, const struct epoch_at *at)
{
	return at->era == c->newest.era && at->epoch + 1 == c->newest.epoch;
}

static bool is_newest(const struct copy *c, const struct epoch_at *at)
{
	return at->era == c->newest.era && at->epoch == c->newest.epoch;
}

/* What the source is worth, when nothing more is there. */
static void judge(struct copy *c, struct copy_source *s, const struct keeper_state *st)
{
	if (s->is_new && is_newest(c, &st->served))
		s->whole = true;
	else if (s->is_old && st->sealed && is_before(c, &st->served))
		s->sealed = true;
}

/* Nobody has accepted a ballot of an epoch after the one that it serves. Taken from a liar, it would
 * stand in the way of every ballot to come, also when the liar has long been replaced. */
static bool is_of_its_time(struct rd entries, const struct epoch_at *served)
{
	struct acceptor_entry e;

	while (rd_left(&entries)) {
		if (!rd_acceptor_entry(&entries, &e) || e.accepted.era > served->era ||
		    (e.accepted.era == served->era && e.accepted.epoch > served->epoch))
			return false;
	}
	return true;
}

void copy_input(struct copy *c, const struct pubkey *from, const struct regmsg *m, usec_t now)
{
	struct copy_source *s = source_of(c, from, m->state.incarnation);
	struct rd entries = rd_of(m->bytes, m->len);
	bool more = m->upto < m->state.position;

	if (!s || !s->request || s->request != m->request || m->upto < s->position)
		return;
	s->request = 0;
	s->tries = 0;
	s->next = now + (c->hurries ? LOOK_HURRIED : LOOK);
	if ((!is_newest(c, &m->state.served) && !is_before(c, &m->state.served)) ||
	    !is_of_its_time(entries, &m->state.served) ||
	    !c->env.take(c->env.ctx, s->slot, &entries, now))
		return;
	if (more && m->upto > s->position)
		s->next = now;
	s->heard = true;
	s->position = m->upto;
	s->end = m->state.position;
	if (!more)
		judge(c, s, &m->state);
	copy_tick(c, now);
}

uint16_t copy_heard(const struct copy *c, bool of_newest)
{
	uint16_t slots = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct copy_source *s = &c->source[i];

		if (of_newest ? s->whole : s->is_old && is_done(s))
			slots |= (uint16_t)(1u << s->slot);
	}
	return slots;
}

bool copy_heard_all(const struct copy *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->source[i].is_old && !is_done(&c->source[i]))
			return false;
	return true;
}

static bool is_gathered(const struct copy *c)
{
	return (c->old_quorum &&
		__builtin_popcount(copy_heard(c, false)) >= c->old_quorum) ||
	       __builtin_popcount(copy_heard(c, true)) >= c->new_quorum;
}

bool copy_is_complete(const struct copy *c, bool own)
{
	size_t sealed = own;

	if (c->gathers)
		return is_gathered(c);
	for (size_t i = 0; i < c->count; i++) {
		if (c->source[i].whole && (!c->guards || c->source[i].is_old))
			return true;
		sealed += c->source[i].sealed;
	}
	return c->old_quorum && sealed >= (MUTANT(ONE_SNAPSHOT) ? 1u : c->old_quorum);
}

static int ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

uint64_t copy_behind(const struct copy *c, size_t quorum)
{
	uint64_t left[COPY_SOURCES_MAX];

	if (quorum == 0)
		return 0;
	if (quorum > c->count)
		return UINT64_MAX;
	for (size_t i = 0; i < c->count; i++)
		left[i] = c->source[i].heard ? c->source[i].end - c->source[i].position :
					       UINT64_MAX;
	qsort(left, c->count, sizeof(left[0]), ascending);
	return left[quorum - 1];
}
