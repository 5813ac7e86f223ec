/* ring_shortcut.c - far links: who draws them, who may refuse them.
 *
 * With N nodes a node has ceil(log2 N) shortcuts, counting those that others drew and it accepted;
 * above 128 nodes, two for three of these: that costs a tenth of a hop and saves all a few links.
 * It draws half of them itself, and more while there are too few. To draw one: a distance from the
 * harmonic distribution, a random side, and a FIND to that point which says what it is for. The
 * node nearest to the point answers whether it would accept: it does not while it has accepted a
 * quarter more than it should have in all. That bounds the links of a node whose neighbours are far
 * away, which the drawn points hit more often. Then the link is made, and claimed by LINK; an
 * acceptor that was overtaken by others may still refuse by LINK.
 *
 *	NONE --FIND--> ASKED --FOUND, accepts--> FOUND --link up: LINK--> NONE
 *
 * One draw at a time. Three that brought nothing follow one another quickly, then pauses double
 * from 10 s to 60 s. Given up are shortcuts in excess, but not within 30 s of any change, and those
 * that were drawn when the ring was a quarter or four times as large, one by one, each after its
 * successor is up: until then they serve nearly as well, and a ring that grows has other work. */
#include "p2p/ring_impl.h"
#include "p2p/ring_sample.h"

#define FIRST_AFTER SEC(2)   /* of the first link, when both sides are sure; */
#define FIRST_ANYWAY SEC(15) /* or not */
#define NEXT_SOON MSEC(500)
#define ANSWER_WITHIN SEC(3)
#define LINK_WITHIN SEC(15)
#define PAUSE_FIRST SEC(10)
#define PAUSE_MAX SEC(60)
#define REPLACE_PAUSE SEC(20)
#define TRIM_AFTER SEC(30)
#define MISSES_QUICK 3
#define SAMPLES 8      /* points drawn until one is not among our near links */
#define ACCEPTS_MIN 3  /* by one that believes itself nearly alone */
#define EXCESS 1
#define TOTAL_FULL 7 /* up to so many, one for each doubling of the ring; then two for three */
#define STALE 16 /* eighths of a doubling: four times as many nodes, or a quarter */

static bool is_shortcut(const struct link *l, bool ours)
{
	return ours ? l->shortcut : l->accepted;
}

size_t shortcut_count(const struct ring *r, bool ours)
{
	size_t n = 0;

	for (size_t i = 0; i < r->links.count; i++)
		n += is_shortcut(link_at(r, i), ours);
	return n;
}

/* How many there should be, ours and accepted ones together. */
static size_t total_of(const struct ring *r)
{
	size_t all = r->level, most = (2 * all + 2) / 3;

	if (most < TOTAL_FULL)
		most = TOTAL_FULL;
	return all < most ? all : most;
}

/* How many of our own there should be. */
size_t shortcut_wanted(const struct ring *r)
{
	size_t around = 1 + 2 * (size_t)r->near, total = total_of(r), accepted, far, want;

	if (r->profile == RING_LEAF || r->size <= around)
		return 0;
	accepted = shortcut_count(r, false);
	want = (total + 1) / 2;
	if (accepted + want < total)
		want = total - accepted;
	far = (size_t)(r->size - around);
	far -= accepted < far ? accepted : far; /* not those that are linked with us anyway */
	want = want < far ? want : far;
	return want < RING_SHORTCUTS_MAX ? want : RING_SHORTCUTS_MAX;
}

static bool has_room(const struct ring *r)
{
	size_t most = total_of(r) < ACCEPTS_MIN ? ACCEPTS_MIN : total_of(r);

	most += most / 4;
	return shortcut_count(r, false) < (most < RING_SHORTCUTS_MAX ? most : RING_SHORTCUTS_MAX);
}

bool shortcut_accepts(const struct ring *r, const struct pubkey *from)
{
	const struct link *l = ring_link(r, from);

	return (l && (l->shortcut || l->accepted)) || has_room(r);
}

static void at_latest(struct ring *r, usec_t at)
{
	r->shortcut_at = usec_min(r->shortcut_at, at);
}

void shortcut_changed(struct ring *r, usec_t now)
{
	r->shortcut_changed = now;
	if (r->profile == RING_FULL && r->draw == DRAW_NONE)
		at_latest(r, now + ring_jitter(r, FIRST_AFTER));
}

/* ---- drawing ---- */

static void missed(struct ring *r, usec_t now)
{
	usec_t pause = PAUSE_FIRST;

	r->draw = DRAW_NONE;
	r->misses++;
	for (unsigned i = MISSES_QUICK; i < r->misses && pause < PAUSE_MAX; i++)
		pause *= 2;
	pause = r->misses < MISSES_QUICK ? NEXT_SOON : usec_min(pause, PAUSE_MAX);
	r->shortcut_at = now + ring_jitter(r, pause);
}

/* Would one of our near links answer for this point, or we ourselves? */
static bool is_around_us(const struct ring *r, uint64_t distance, bool clockwise)
{
	size_t n = r->links.count;

	if (n <= 2 * (size_t)r->near)
		return n == 0;
	if (clockwise)
		return distance < point_top(&link_at(r, r->near - 1u)->at.cw);
	return distance < 0 - point_top(&link_at(r, n - r->near)->at.cw);
}

static void draw(struct ring *r, usec_t now)
{
	uint64_t size = r->size < 4 ? 4 : r->size, distance = 0;
	struct node_id target;
	bool clockwise = false;
	unsigned i = 0;

	do {
		distance = ring_sample(r->env.random, r->env.ctx, size);
		clockwise = ring_draw(r, 2);
	} while (is_around_us(r, distance, clockwise) && ++i < SAMPLES);
	if (i == SAMPLES) {
		missed(r, now);
		return;
	}
	target = point_beside(&r->id, distance, clockwise);
	message_find(r, &target, talk_ask(r, QUERY_SHORTCUT, NULL, now), FIND_SHORTCUT);
	r->draw = DRAW_ASKED;
	r->draw_until = r->shortcut_at = now + ANSWER_WITHIN;
}

static void claim(struct ring *r, struct link *l, usec_t now)
{
	l->shortcut = true;
	l->drawn = (uint8_t)size_scale(r->size);
	r->draw = DRAW_NONE;
	r->misses = 0;
	r->shortcut_changed = now;
	r->shortcut_at = now + ring_jitter(r, NEXT_SOON);
	message_link(r, l);
	look_changed(r, now);
}

void shortcut_found(struct ring *r, const struct ring_message *m, usec_t now)
{
	const struct ring_contact *c = m->contacts;
	struct link *l = ring_link(r, m->from);

	if (r->draw != DRAW_ASKED)
		return;
	if (!(m->flags & FOUND_ACCEPTS) || m->count == 0 || !key_equal(&c->key, m->from) ||
	    (l && (ring_link_role(r, l) == RING_IS_NEAR || l->shortcut || l->accepted ||
		   l->leaf))) {
		missed(r, now);
	} else if (l) {
		claim(r, l, now);
	} else {
		r->draw = DRAW_FOUND;
		r->drawn = *m->from;
		r->draw_until = r->shortcut_at = now + LINK_WITHIN;
		want_shortcut(r, c, m->agent, now);
	}
}

bool shortcut_link_up(struct ring *r, struct link *l, usec_t now)
{
	if (r->draw != DRAW_FOUND || !key_equal(&l->at.key, &r->drawn))
		return false;
	claim(r, l, now);
	return true;
}

/* ---- what the other end says ---- */

static void hear_claim(struct ring *r, struct link *l, usec_t now)
{
	if (l->accepted)
		return;
	l->refused = !l->shortcut && !has_room(r);
	l->accepted = !l->refused;
	if (l->refused) {
		message_link(r, l);
	} else {
		r->shortcut_changed = now;
		look_changed(r, now);
	}
}

void shortcut_hear(struct ring *r, struct link *l, uint8_t flags, usec_t now)
{
	if (flags & LINK_REFUSED && l->shortcut) {
		l->shortcut = false;
		message_link(r, l);
		missed(r, now);
	}
	if (flags & LINK_SHORTCUT) {
		hear_claim(r, l, now);
	} else if (l->accepted) {
		l->accepted = false;
		shortcut_changed(r, now);
		look_changed(r, now);
	} else {
		l->refused = false;
	}
}

/* ---- giving up ---- */

/* How far the ring's size is from the one this was drawn for, in eighths of a doubling. */
static unsigned staleness(const struct ring *r, const struct link *l)
{
	unsigned now = size_scale(r->size);

	return now > l->drawn ? now - l->drawn : l->drawn - now;
}

/* Of our own the one drawn for the most different size, the youngest of those. */
static struct link *worst(const struct ring *r)
{
	struct link *w = NULL;

	for (size_t i = 0; i < r->links.count; i++) {
		struct link *l = link_at(r, i);

		if (l->shortcut &&
		    (!w || staleness(r, l) > staleness(r, w) ||
		     (staleness(r, l) == staleness(r, w) && l->serial > w->serial)))
			w = l;
	}
	return w;
}

static void release(struct ring *r, struct link *l, usec_t now)
{
	l->shortcut = false;
	message_link(r, l);
	r->shortcut_changed = now;
	look_changed(r, now);
}

static void draw_expired(struct ring *r, usec_t now)
{
	if (r->draw == DRAW_FOUND)
		want_forget(r, &r->drawn);
	missed(r, now);
}

/* Not at once after the first link: first come the neighbours, and the size they tell. */
static bool too_early(const struct ring *r, usec_t now)
{
	return r->sure != SIDE_BOTH && now < r->first_at + FIRST_ANYWAY;
}

/* One step: what is stale is replaced only when nothing is missing. */
static void adjust(struct ring *r, usec_t now)
{
	size_t own = shortcut_count(r, true), want = shortcut_wanted(r);
	size_t total = own + shortcut_count(r, false);
	struct link *w = worst(r);
	bool stale = w && staleness(r, w) >= STALE;

	if (own < want || (own == want && stale)) {
		draw(r, now);
	} else if (own > want && (stale || want == 0 || total > total_of(r) + EXCESS) &&
		   (stale || now >= r->shortcut_changed + TRIM_AFTER)) {
		release(r, w, now);
		r->shortcut_at = now + ring_jitter(r, REPLACE_PAUSE);
	}
}

void shortcut_run(struct ring *r, usec_t now)
{
	bool busy = now < r->shortcut_changed + MINUTES(2);

	if (r->profile == RING_LEAF || r->links.count == 0) {
		r->shortcut_at = USEC_NEVER;
		r->draw = DRAW_NONE;
		return;
	}
	r->shortcut_at = now + ring_jitter(r, busy ? PAUSE_FIRST : PAUSE_MAX);
	size_update(r, now);
	if (r->draw != DRAW_NONE && r->draw_until <= now)
		draw_expired(r, now);
	else if (r->draw != DRAW_NONE)
		r->shortcut_at = r->draw_until;
	else if (too_early(r, now))
		r->shortcut_at = now + ring_jitter(r, FIRST_AFTER);
	else
		adjust(r, now);
}
