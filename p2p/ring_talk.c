/* ring_talk.c - STATUS and FIND: when, and to whom; docs/protocol.md 5.1.
 *
 * STATUS: each link has its own time. Who comes up near is told at once who stands around it, and
 * makes links with those itself. So the others need not hear of it soon: they are told news some
 * seconds later, all of some seconds together, but not what they told us; and every 5 min a short
 * one that heals what was missed. After a loss those of that side are told everything, and asked
 * for the same. Who is far is told nothing; it may ask by FIND.
 *
 * FIND repairs what STATUS cannot: a joiner that knows one node, a side whose neighbours all died
 * at once, two rings that do not know of one another. Every other round asks for our own place
 * through some link, and, for each side that we are not sure of, for the middle between us and our
 * neighbour of that side, by way of that neighbour. Whoever stands nearest answers: a stranger is
 * a nearer neighbour, so each round halves the gap at least; the neighbour itself makes us sure,
 * until a nearer one comes up. Until both sides are sure rounds follow after 0.5, 0.5, 1, 2, 4 ...
 * 30 s, afterwards once in 20 s, then every 5 min, then with one side in turn and brief answers. */
#include <assert.h>

#include "p2p/ring_impl.h"

#define STATUS_STABLE MINUTES(5)
#define STATUS_SOON MSEC(100)
#define STATUS_GAP SEC(1)
#define NEWS_AFTER SEC(5)
#define NEWS_GAP SEC(15)
#define ANSWER_GAP SEC(1)

#define FIND_FIRST MSEC(500)
#define FIND_MAX SEC(30)
#define FIND_STABLE MINUTES(5)
#define FIND_CHECK SEC(20)
#define FIND_SOON MSEC(300)
#define GREETING_GAP SEC(1)
#define GREETING_BURST 8
#define GREETING_AFTER SEC(1)

static void status_by(struct ring *r, struct link *l, usec_t at)
{
	l->status_at = usec_min(l->status_at, at);
	r->status_at = usec_min(r->status_at, l->status_at);
}

static void status_soon(struct ring *r, struct link *l, usec_t at, usec_t gap)
{
	if (l->status_sent && at < l->status_sent + gap)
		at = l->status_sent + gap;
	status_by(r, l, at);
}

static unsigned near_sides(const struct ring *r, size_t i)
{
	return (i < r->near ? SIDE_CW : 0) | (i + r->near >= r->links.count ? SIDE_CCW : 0);
}

void talk_near_changed(struct ring *r, unsigned sides, bool ask, usec_t now)
{
	for (size_t i = 0; i < r->links.count; i++) {
		struct link *l = link_at(r, i);

		if (!(near_sides(r, i) & sides))
			continue;
		l->ask |= ask;
		l->news = true;
		if (ask)
			status_soon(r, l, now + ring_draw(r, STATUS_SOON), STATUS_GAP);
		else
			status_soon(r, l, now + ring_jitter(r, NEWS_AFTER), NEWS_GAP);
	}
}

static void find_soon(struct ring *r, unsigned next_attempt, usec_t now)
{
	usec_t at = next_attempt ? now + ring_draw(r, FIND_SOON) : now;

	r->attempt = next_attempt;
	r->find_at = usec_min(r->find_at, at);
}

void talk_link_up(struct ring *r, struct link *l, size_t index, usec_t now)
{
	unsigned side = (index == 0 ? SIDE_CW : 0) |
			(index + 1 == r->links.count ? SIDE_CCW : 0);

	l->stranger = true;
	status_by(r, l, now + ring_jitter(r, GREETING_AFTER));
	if (index_is_near(r, index)) {
		l->news = true;
		status_by(r, l, now + ring_draw(r, STATUS_SOON));
		talk_near_changed(r, SIDE_BOTH, false, now);
		ring_near_changed(r, now);
	}
	r->sure &= ~side;
	if (r->links.count == 1)
		find_soon(r, 0, now);
	else if (side)
		find_soon(r, 1, now); /* a nearer one, and perhaps not the nearest */
}

/* `index` is where it stood; it is out of the table already. */
void talk_link_down(struct ring *r, size_t index, usec_t now)
{
	unsigned side = (index < r->near ? SIDE_CW : 0) |
			(index + r->near > r->links.count ? SIDE_CCW : 0);

	if (side) {
		talk_near_changed(r, side, true, now);
		ring_near_changed(r, now);
	}
	if (index == 0)
		r->sure &= ~(unsigned)SIDE_CW;
	if (index == r->links.count)
		r->sure &= ~(unsigned)SIDE_CCW;
	if (r->links.count == 0)
		r->find_at = USEC_NEVER;
	else if (r->sure != SIDE_BOTH)
		find_soon(r, 1, now);
}

void talk_answer(struct ring *r, struct link *l, usec_t now)
{
	l->answer = true;
	status_by(r, l, l->status_sent ? l->status_sent + ANSWER_GAP : now);
}

struct query *talk_query(struct ring *r, uint64_t number, usec_t now)
{
	for (size_t i = 0; i < QUERIES; i++)
		if (r->queries[i].until > now && r->queries[i].number == number)
			return &r->queries[i];
	return NULL;
}

/* Does `from` stand nearest to the middle between us and our neighbour of this side: itself? */
static void found_side(struct ring *r, const struct pubkey *from, unsigned side)
{
	if (r->links.count &&
	    key_equal(&link_at(r, side == SIDE_CW ? 0 : r->links.count - 1)->at.key, from))
		r->sure |= side;
}

void talk_found(struct ring *r, const struct pubkey *from, const struct query *q, usec_t now)
{
	if (q == &r->queries[QUERY_CW])
		found_side(r, from, SIDE_CW);
	else if (q == &r->queries[QUERY_CCW])
		found_side(r, from, SIDE_CCW);
	else
		return;
	if (r->sure == SIDE_BOTH && r->find_at < now + FIND_CHECK)
		r->find_at = now + ring_jitter(r, FIND_CHECK);
}

/* A question of this kind, in place of the last one; `via` NULL: by no way in particular. */
struct query *talk_ask(struct ring *r, int which, const struct link *via, usec_t now)
{
	static const struct node_id nobody;
	struct query *q = &r->queries[which];

	r->env.random(r->env.ctx, &q->number, sizeof(q->number));
	q->via = via ? link_id(r, via) : nobody;
	q->until = now + QUERY_FOR;
	return q;
}

/* A link that is up for a second and has no part in our ring: there may be another one behind it.
 * While we are not sure of our own place, rounds ask by way of any link anyway. */
static void greet(struct ring *r, struct link *l, usec_t now)
{
	l->stranger = false;
	if (r->sure == SIDE_BOTH && ring_link_role(r, l) == RING_NONE &&
	    rate_take(&r->greeting_full, GREETING_GAP, GREETING_BURST, now))
		message_find(r, &r->id, talk_ask(r, QUERY_GREETING, l, now), FIND_BRIEF);
}

static void status_send(struct ring *r, struct link *l, bool near, usec_t now)
{
	enum write_status how = WRITE_BRIEF;

	if (l->ask || l->answer)
		how = WRITE_FULL;
	else if (l->news)
		how = WRITE_NEWS;
	if (message_status(r, l, how, l->ask && !l->leaf ? FLAG_ANSWER : 0))
		l->status_sent = now;
	l->ask = l->news = l->answer = false;
	l->status_at = near ? now + ring_jitter(r, STATUS_STABLE) : USEC_NEVER;
}

/* Who is far is told nothing unless it asks. */
static void link_run(struct ring *r, struct link *l, bool near, usec_t now)
{
	l->status_at = USEC_NEVER;
	if (l->stranger && !near && !l->leaf)
		greet(r, l, now);
	l->stranger = false;
	if (near || l->ask || l->answer)
		status_send(r, l, near, now);
}

void talk_status_run(struct ring *r, usec_t now)
{
	r->status_at = USEC_NEVER;
	for (size_t i = 0; i < r->links.count + r->leaves.count; i++) {
		bool leaf = i >= r->links.count;
		struct link *l = leaf ? leaf_link_at(r, i - r->links.count) : link_at(r, i);

		if (l->status_at <= now)
			link_run(r, l, !leaf && index_is_near(r, i), now);
		r->status_at = usec_min(r->status_at, l->status_at);
	}
}

/* Asks who stands in the middle between ourselves and our neighbour of one side. */
static void find_side(struct ring *r, unsigned side, usec_t now)
{
	struct link *l = link_at(r, side == SIDE_CW ? 0 : r->links.count - 1);
	struct node_id id = link_id(r, l), gap, target;

	gap = side == SIDE_CW ? l->at.cw : id_clockwise(&id, &r->id);
	gap = point_half(&gap);
	target = point_add(side == SIDE_CW ? &r->id : &id, &gap);
	message_find(r, &target, talk_ask(r, side == SIDE_CW ? QUERY_CW : QUERY_CCW, l, now),
		     FIND_BRIEF);
}

static usec_t find_pause(const struct ring *r)
{
	usec_t pause = FIND_FIRST;

	if (r->sure == SIDE_BOTH)
		return FIND_STABLE;
	for (unsigned i = 1; i < r->attempt && pause < FIND_MAX; i++)
		pause *= 2;
	return usec_min(pause, FIND_MAX);
}

void talk_find_run(struct ring *r, usec_t now)
{
	bool settled = r->sure == SIDE_BOTH;
	unsigned sides = settled ? 1 + (r->attempt & 1) : SIDE_BOTH & ~r->sure;
	struct link *any;

	r->find_at = USEC_NEVER;
	if (r->links.count == 0)
		return;
	any = link_at(r, ring_draw(r, (uint32_t)r->links.count));
	if (settled || r->attempt % 2 == 0)
		message_find(r, &r->id, talk_ask(r, QUERY_SELF, any, now),
			     settled ? FIND_BRIEF : 0);
	if (sides & SIDE_CW && r->attempt)
		find_side(r, SIDE_CW, now);
	if (sides & SIDE_CCW && r->attempt)
		find_side(r, SIDE_CCW, now);
	r->find_at = now + ring_jitter(r, find_pause(r));
	r->attempt++;
}
