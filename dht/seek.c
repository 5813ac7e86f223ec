/* seek.c - asking for configurations that are missing, and telling them. docs/protocol.md 9.6.
 *
 * A node that is shown a configuration it cannot connect to its own asks for those after its own
 * newest, CHAIN_SHOWN at a time, first of whom showed it, then of the keepers it knows, until it
 * holds what it was shown; likewise downwards, when it has to judge a grant of an older epoch. Each
 * that comes is judged by itself (facts_chain.c), so it does not matter who answers. One search runs
 * at a time, for TRIES_MAX questions that bring nothing; after a fruitless one the next waits, so
 * that claims of configurations that are not there cost little. */
#include "dht/regs_impl.h"

#include <assert.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

#define TRIES_MAX 6
#define WHOLE_AFTER 2 /* questions: what follows ours may be of another history of the era */
#define RETRY MSEC(500) /* doubling */
#define PAUSE SEC(10)	/* after a search that found nothing */
#define ASKED_MAX 8
#define ANSWERS_A_SECOND 20 /* to others, and unasked from others */
#define ANSWERS_BURST 60

struct seek {
	struct regs *of;
	struct seek_want want;
	struct pubkey asked[ASKED_MAX]; /* who is said to know */
	size_t asked_count;
	unsigned tries; /* since the last answer that brought something */
	struct timer timer;
};

static bool in_time(struct regs *r, usec_t now)
{
	return bucket_take(&r->chain_bucket, ANSWERS_A_SECOND, ANSWERS_BURST, now);
}

static void send(struct regs *r, const struct pubkey *to, struct membermsg *m)
{
	uint8_t msg[MEMBERMSG_MAX];
	size_t n;

	memcpy(m->nsid, r->nsid, NSID_LEN);
	n = membermsg_write(msg, sizeof(msg), m);
	assert(n);
	r->env.send(r->env.ctx, to, REGS_SERVICE_MEMBER, msg, n);
}

/* --- asking --- */

static bool is_held(const struct regs *r, const struct seek_want *want)
{
	const struct config *cf = r->facts.config;

	if (!cf || want->other_genesis)
		return false; /* ends when all were asked */
	if (want->below || want->era < cf->era)
		return facts_config_of(r, want->era, want->epoch) != NULL;
	return cf->era != want->era ? cf->era > want->era : cf->epoch >= want->epoch;
}

static void ask(struct regs *r, const struct pubkey *to)
{
	const struct seek *s = r->facts.seek;
	const struct seek_want *want = &s->want;
	struct membermsg m = { .type = MEMBERMSG_CHAIN_WANT, .below = want->below };
	struct chain_view v = facts_chain(r);
	const struct config *at = want->below ? chain_after(&v, want->era, want->epoch) :
						chain_before(&v, want->era, want->epoch);

	if (at) {
		m.era = at->era;
		m.epoch = at->epoch;
	}
	if (want->other_genesis || (!want->below && s->tries > WHOLE_AFTER)) {
		m.era = want->era;
		m.epoch = 0;
	} else if (!at && r->has_trust) { /* the one that the token names comes first */
		m.era = r->trust.era;
		m.epoch = r->trust.epoch ? r->trust.epoch - 1 : 0;
	}
	send(r, to, &m);
}

static void seek_end(struct regs *r)
{
	struct seek *s = r->facts.seek;

	if (!s)
		return;
	timer_cancel(&r->timers, &s->timer);
	r->facts.seek = NULL;
	free(s);
}

/* Who showed it, by turns with a keeper; a keeper asks the others. */
static const struct pubkey *whom(const struct regs *r, const struct seek *s)
{
	const struct config *cf = r->facts.config;
	const struct pubkey *keeper = client_keeper(r, s->tries / 2);

	if (keeper && key_equal(keeper, &r->cfg.self.pub))
		keeper = cf->count > 1 ? &cf->members[s->tries / 2 % cf->count].node : NULL;
	if (s->asked_count && (s->tries % 2 == 0 || !keeper))
		return &s->asked[s->tries / 2 % s->asked_count];
	return keeper;
}

static void fire(struct timer *t, usec_t now)
{
	struct seek *s = container_of(t, struct seek, timer);
	struct regs *r = s->of;
	const struct pubkey *to = whom(r, s);

	if (is_held(r, &s->want) || s->tries == TRIES_MAX) {
		r->facts.seek_again = s->tries == TRIES_MAX ? now + PAUSE : 0;
		seek_end(r);
		return;
	}
	if (to && !key_equal(to, &r->cfg.self.pub))
		ask(r, to);
	timer_set(&r->timers, t, now + (RETRY << s->tries));
	s->tries++;
}

static void add_asked(struct seek *s, const struct pubkey *from)
{
	for (size_t i = 0; i < s->asked_count; i++)
		if (key_equal(&s->asked[i], from))
			return;
	if (s->asked_count < ASKED_MAX)
		s->asked[s->asked_count++] = *from;
}

void seek_begin(struct regs *r, const struct seek_want *want, const struct pubkey *from, usec_t now)
{
	struct seek *s = r->facts.seek;

	if (!s) {
		if (now < r->facts.seek_again)
			return;
		s = r->facts.seek = mem_new(sizeof(*s));
		s->of = r;
		s->want = *want;
		timer_init(&s->timer, fire);
		timer_set(&r->timers, &s->timer, now);
	}
	if (from)
		add_asked(s, from);
}

/* --- being told --- */

void seek_chain(struct regs *r, const struct pubkey *from, const struct membermsg *m, usec_t now)
{
	struct seek *s = r->facts.seek;
	bool newer = false;
	size_t held = r->facts.chain ? r->facts.chain->count : 0;

	if (!s && !in_time(r, now)) {
		drop_add(r->cfg.drops, DROP_RATE);
		return;
	}
	for (size_t i = 0; i < m->shown_count; i++)
		newer |= facts_take_config(r, from, m->shown[i].p, m->shown[i].len);
	r->updated |= newer;
	s = r->facts.seek;
	if (s && newer)
		s->want.other_genesis = false;
	if (s && is_held(r, &s->want)) {
		seek_end(r);
	} else if (s && (newer || (r->facts.chain && r->facts.chain->count > held))) {
		s->tries = 0;
		ask(r, from);
		timer_set(&r->timers, &s->timer, now + RETRY);
	}
	if (newer)
		member_chain_grew(r, from, now);
}

/* --- telling --- */

static void show(const struct regs *r, struct membermsg *m)
{
	struct chain_view v = facts_chain(r);
	uint32_t era = m->era, epoch = m->epoch;
	const struct config *cf;

	while (m->shown_count < CHAIN_SHOWN) {
		cf = m->below ? chain_before(&v, era, epoch) : chain_after(&v, era, epoch);
		if (!cf)
			break;
		era = cf->era;
		epoch = cf->epoch;
		if (chain_is_proven(&v, cf)) /* others may not trust the hash that we do */
			m->shown[m->shown_count++] =
				(struct membermsg_block){ cf->bytes, cf->len };
	}
	m->era = v.newest->era;
	m->epoch = v.newest->epoch;
}

void seek_tell(struct regs *r, const struct pubkey *to, uint32_t era, uint32_t epoch)
{
	struct membermsg m = { .type = MEMBERMSG_CHAIN, .era = era, .epoch = epoch };

	if (!r->facts.config)
		return;
	show(r, &m);
	if (m.shown_count)
		send(r, to, &m);
}

void seek_serve(struct regs *r, const struct pubkey *from, const struct membermsg *m, usec_t now)
{
	struct membermsg answer = { .type = MEMBERMSG_CHAIN, .request = m->request,
				    .below = m->below, .era = m->era, .epoch = m->epoch };

	if (!r->facts.config || !in_time(r, now)) {
		drop_add(r->cfg.drops, DROP_RATE);
		return;
	}
	show(r, &answer);
	send(r, from, &answer);
}

void seek_fini(struct regs *r) { seek_end(r); }
