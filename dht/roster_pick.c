/* roster_pick.c - the set of keepers that should be; see roster.h.
 *
 * Legal sets have 1, 3, 5 or 7: an even one survives no more losses than the next smaller odd one.
 * In this order of preference they are made of
 *   stays    keepers of now with the right, that are there or away for less than ROSTER_AWAY,
 *   spares   others with the right that have been there for a while (candidate_wait),
 *   late     keepers that are away for less than LATE_MAX, or without the right since UNFIT_MAX,
 * those that are there first, then by score, then by key. As many as now, or, when nobody is
 * missing, as many more as candidates that have proven themselves allow; fewer when the settings
 * say so or when late ones have run out. Who is there stays: a better candidate drives nobody out,
 * so every change has a cause outside, an absence or an arrival that lasted, and the set cannot
 * swing by itself.
 *
 * Nothing is wanted unless a quorum of the set of now lives and a quorum of the new one does. The
 * lowest keeper that is there acts; each next one waits TURN longer, in case that one does not see
 * what they see. A change that did not come about counts against those it would have brought in. */
#include <assert.h>

#include "base/list.h"
#include "dht/roster_impl.h"

#define GAP SEC(60)	   /* between changes */
#define TURN SEC(60)	   /* the next keeper waits so much longer */
#define LATE_MAX HOURS(1)  /* away so long, and no spare: the set shrinks */
#define UNFIT_MAX MINUTES(15) /* who lost the right waits so long for a spare, which may be unheard of */
#define WAIT_SOON SEC(60)  /* of a candidate: to replace somebody, or below three keepers */
#define WAIT_LONG MINUTES(30) /* to make three more than three */
#define WAIT_MAX DAYS(1)   /* however often it has fallen */
#define FULL_SHIFT 30	   /* of a score */

struct pick {
	struct pubkey node;
	bool present;
	uint32_t score;
};

struct picks { /* the best, in this order: no set needs more */
	struct pick pick[KEEPERS_MAX];
	size_t count;
};

struct draft {
	const struct roster *r;
	const struct roster_view *v;
	usec_t now;
	bool hurry;
	bool unfit; /* a keeper of now may not be one any more */
	bool lost;  /* one has lost its state, and is there */
	struct picks stays, spares, growers, late;
};

const char *roster_change_text(enum roster_change c)
{
	static const char *const text[] = {
		[ROSTER_STAY] = "stays",	 [ROSTER_GROW] = "grows",
		[ROSTER_REPLACE] = "replaces",	 [ROSTER_SHRINK] = "shrinks",
		[ROSTER_EXPEL] = "puts out who lost the right",
		[ROSTER_RESEAT] = "is made anew",
	};
	_Static_assert(ARRAY_LEN(text) == ROSTER_CHANGE_COUNT, "every change has a text");

	return (unsigned)c < ARRAY_LEN(text) ? text[c] : "unknown";
}

uint8_t roster_quorum(uint8_t count, bool hardened)
{
	static const uint8_t plain[KEEPERS_MAX + 1] = { [1] = 1, [3] = 2, [5] = 3, [7] = 4 };
	static const uint8_t hard[KEEPERS_MAX + 1] = { [1] = 1, [3] = 2, [5] = 4, [7] = 6 };

	return count > KEEPERS_MAX ? 0 : hardened ? hard[count] : plain[count];
}

/* The largest allowed size that is not above n; 0 when there is none. */
static size_t legal(size_t n)
{
	return n >= 7 ? 7 : n >= 5 ? 5 : n >= 3 ? 3 : n >= 1 ? 1 : 0;
}

static bool is_better(const struct pick *a, const struct pick *b)
{
	if (a->present != b->present)
		return a->present;
	if (a->score != b->score)
		return a->score > b->score;
	return memcmp(a->node.b, b->node.b, KEY_LEN) < 0;
}

static void pick_add(struct picks *p, const struct roster_entry *e)
{
	struct pick new = { .node = e->node, .present = e->present, .score = e->score };
	size_t i = p->count;

	if (i < KEEPERS_MAX)
		p->count++;
	else if (is_better(&new, &p->pick[--i]))
		p->pick[i] = new;
	else
		return;
	for (; i > 0 && is_better(&new, &p->pick[i - 1]); i--)
		p->pick[i] = p->pick[i - 1];
	p->pick[i] = new;
}

static const struct roster_seat *seat_of(const struct roster_view *v, const struct pubkey *node)
{
	for (size_t i = 0; i < v->count; i++)
		if (key_equal(&v->seat[i].node, node))
			return &v->seat[i];
	return NULL;
}

static usec_t candidate_wait(const struct roster_entry *e, usec_t base)
{
	return usec_min(base << e->falls, WAIT_MAX);
}

static bool has_waited(const struct draft *d, const struct roster_entry *e, usec_t base)
{
	return d->hurry || d->now >= e->since + candidate_wait(e, base);
}

static usec_t growth_wait(const struct roster_view *v)
{
	return v->count < 3 ? WAIT_SOON : WAIT_LONG;
}

static void sort_seat(struct draft *d, const struct roster_seat *seat)
{
	const struct roster_entry *e = roster_find(d->r, &seat->node);
	usec_t away = !e || e->present ? 0 : d->now - e->since;

	if (!e || !e->right) {
		d->unfit = true;
		if (e && d->now < e->unfit + UNFIT_MAX)
			pick_add(&d->late, e);
	} else if (seat->lost && e->present) {
		d->lost = true;
		pick_add(&d->spares, e); /* with its new incarnation */
	} else if (!seat->lost && away < ROSTER_AWAY && (e->present || !d->hurry)) {
		pick_add(&d->stays, e);
	} else if (away < LATE_MAX) {
		pick_add(&d->late, e);
	}
}

static void sort_members(struct draft *d)
{
	for (size_t i = 0; i < d->v->count; i++)
		sort_seat(d, &d->v->seat[i]);
	for (size_t i = 0; i < d->r->count; i++) {
		const struct roster_entry *e = &d->r->entry[i];

		if (!e->right || !e->present || seat_of(d->v, &e->node))
			continue;
		if (d->unfit || d->lost || has_waited(d, e, WAIT_SOON))
			pick_add(&d->spares, e);
		if (has_waited(d, e, growth_wait(d->v)))
			pick_add(&d->growers, e);
	}
}

static bool all_there(const struct picks *p)
{
	return p->count == 0 || p->pick[p->count - 1].present; /* those away come last */
}

static void take(struct keeper_set *want, size_t *alive, const struct picks *from, size_t size)
{
	for (size_t i = 0; i < from->count && want->count < size; i++) {
		want->node[want->count++] = from->pick[i].node;
		*alive += from->pick[i].present;
	}
}

static size_t at_most(size_t n, size_t most) { return n < most ? n : most; }

/* One step is quick, from one keeper to three; all others take their time. */
static size_t growth_limit(const struct draft *d)
{
	return d->v->count < 3 && !d->hurry ? 3 : KEEPERS_MAX;
}

/* The set itself; false: there is none that works. */
static bool make_set(const struct draft *d, struct keeper_set *want)
{
	const struct roster_view *v = d->v;
	size_t alive = 0, size;
	bool whole = d->stays.count == v->count && all_there(&d->stays);

	size = at_most(legal(d->stays.count + d->spares.count + d->late.count), legal(v->count));
	if (whole)
		size = at_most(legal(v->count + d->growers.count), growth_limit(d));
	size = at_most(size, legal(v->most));
	if (size < v->count && v->quorum > roster_quorum(v->count, false))
		return false; /* what is hardened does not shrink: docs/protocol.md 8.13 */
	*want = (struct keeper_set){ .count = 0 };
	take(want, &alive, &d->stays, size);
	take(want, &alive, whole ? &d->growers : &d->spares, size);
	take(want, &alive, &d->late, size);
	want->quorum = roster_quorum((uint8_t)size, v->hardened);
	return size && want->count == size && alive >= want->quorum;
}

static size_t newcomers(const struct roster_view *v, const struct keeper_set *want)
{
	size_t n = 0;

	for (size_t i = 0; i < want->count; i++)
		n += !seat_of(v, &want->node[i]);
	return n;
}

static enum roster_change kind_of(const struct draft *d, const struct keeper_set *want)
{
	const struct roster_view *v = d->v;
	bool same = want->count == v->count && newcomers(v, want) == 0;

	if (same)
		return d->lost || want->quorum != v->quorum ? ROSTER_RESEAT : ROSTER_STAY;
	if (d->unfit)
		return ROSTER_EXPEL;
	return want->count > v->count ? ROSTER_GROW :
	       want->count < v->count ? ROSTER_SHRINK :
					ROSTER_REPLACE;
}

static size_t living(const struct roster_view *v, size_t below)
{
	size_t n = 0;

	for (size_t i = 0; i < below; i++)
		n += v->seat[i].reachable || i == v->self;
	return n;
}

/* What should be, whoever acts, and whenever. */
static enum roster_change draft_set(const struct roster *r, const struct roster_view *v, bool hurry,
				    struct keeper_set *want, usec_t now)
{
	struct draft d = { .r = r, .v = v, .now = now, .hurry = hurry };

	if (!v->most || living(v, v->count) < v->quorum)
		return ROSTER_STAY;
	sort_members(&d);
	return make_set(&d, want) ? kind_of(&d, want) : ROSTER_STAY;
}

enum roster_change roster_decide(struct roster *r, const struct roster_view *v, bool hurry,
				 struct keeper_set *want, usec_t now)
{
	enum roster_change c;

	assert(v->self < v->count && v->count <= KEEPERS_MAX);
	c = draft_set(r, v, hurry, want, now);
	if (c == ROSTER_STAY) {
		r->pending = USEC_NEVER;
		return c;
	}
	if (r->pending == USEC_NEVER)
		r->pending = now;
	if (!v->settled)
		return ROSTER_STAY;
	if (hurry)
		return c;
	return now >= r->changed + GAP && now >= r->pending + living(v, v->self) * TURN ?
		       c :
		       ROSTER_STAY;
}

void roster_begun(struct roster *r, const struct roster_view *v, const struct keeper_set *want,
		  usec_t now)
{
	for (size_t i = 0; i < r->tried.count; i++) {
		struct roster_entry *e = roster_find(r, &r->tried.node[i]);

		if (!e)
			continue;
		roster_fall(e); /* whichever of them it was that did not answer */
		e->since = now;
	}
	r->tried.count = 0;
	for (size_t i = 0; i < want->count; i++)
		if (!seat_of(v, &want->node[i]))
			r->tried.node[r->tried.count++] = want->node[i];
	r->changed = now;
}

void roster_changed(struct roster *r, usec_t now)
{
	r->tried.count = 0;
	r->changed = now;
	r->pending = USEC_NEVER;
}

/* --- why candidates wait --- */

static enum candidate_wait why(const struct roster *r, const struct roster_view *v,
			    const struct roster_entry *e, usec_t *left, usec_t now)
{
	usec_t end = e->since + candidate_wait(e, growth_wait(v));
	size_t there = 0;

	if (!v->most)
		return CANDIDATE_MANUAL;
	if (!e->present)
		return CANDIDATE_ABSENT;
	if (v->count >= legal(v->most))
		return CANDIDATE_FULL;
	for (size_t i = 0; i < r->count; i++)
		there += r->entry[i].right && r->entry[i].present &&
			 !seat_of(v, &r->entry[i].node);
	if (legal(v->count + there) <= v->count)
		return CANDIDATE_PAIR;
	if (now < end) {
		*left = end - now;
		return CANDIDATE_PROOF;
	}
	return CANDIDATE_READY;
}

bool roster_next(const struct roster *r, const struct roster_view *v, size_t *at,
		 struct candidate *out, usec_t now)
{
	const struct roster_entry *e;

	while (*at < r->count &&
	       (!r->entry[*at].right || seat_of(v, &r->entry[*at].node)))
		++*at;
	if (*at >= r->count)
		return false;
	e = &r->entry[(*at)++];
	*out = (struct candidate){ .node = e->node, .present = e->present };
	out->percent = (uint8_t)((uint64_t)e->score * 100 >> FULL_SHIFT);
	out->wait = why(r, v, e, &out->left, now);
	return true;
}
