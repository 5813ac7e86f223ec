/* ring_talk.c - STATUS and FIND: when, and to whom; docs/protocol.md 5.1.
 *
 * STATUS: each link has its own time. Near links: every 5 s while the near set changes (until 30 s
 * after the last change), then every 30 s, and within 100 ms of a change. Others: once, when they
 * come up, which tells each side whom the other knows around it.
 *
 * FIND repairs what STATUS cannot: a joiner that knows one node, a side whose neighbours all died
 * at once, two rings that do not know of one another. A round asks for our own place through one
 * link, and, for each side that we are not sure of, for the middle between us and our neighbour of
 * that side, by way of that neighbour. Whoever stands nearest answers: a stranger is a nearer
 * neighbour, so each round halves the gap at least; the neighbour itself makes us sure. Until both
 * sides are sure rounds follow after 0.5, 0.5, 1, 2, 4 ... 30 s, afterwards every 60 s. */
#include <assert.h>

#include "p2p/ring_impl.h"

#define STATUS_BUSY SEC(5)
#define STATUS_STABLE SEC(30)
#define CHANGING_FOR SEC(30)
#define STATUS_SOON MSEC(100)
#define STATUS_GAP MSEC(200)

#define FIND_FIRST MSEC(500)
#define FIND_MAX SEC(30)
#define FIND_STABLE SEC(60)
#define FIND_SOON MSEC(300)

static void status_by(struct ring *r, struct link *l, usec_t at)
{
	l->status_at = usec_min(l->status_at, at);
	r->status_at = usec_min(r->status_at, l->status_at);
}

static void status_soon(struct ring *r, struct link *l, usec_t now)
{
	usec_t at = now + ring_draw(r, STATUS_SOON);

	/* A neighbourhood that changes many times a second is told a few times. */
	if (l->status_sent && at < l->status_sent + STATUS_GAP)
		at = l->status_sent + STATUS_GAP;
	status_by(r, l, at);
}

static void near_changed(struct ring *r, bool ask, usec_t now)
{
	r->changed_at = now;
	for (size_t i = 0; i < r->links.count; i++) {
		if (!index_is_near(r, i))
			continue;
		link_at(r, i)->ask |= ask;
		status_soon(r, link_at(r, i), now);
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

	l->ask = l->fresh = true;
	status_soon(r, l, now);
	if (index_is_near(r, index))
		near_changed(r, false, now);
	if (r->links.count == 1)
		find_soon(r, 0, now);
	else if (side & ~r->sure)
		find_soon(r, 1, now); /* a nearer one, and perhaps not the nearest */
}

/* `index` is where it stood; it is out of the table already. */
void talk_link_down(struct ring *r, size_t index, usec_t now)
{
	size_t count = r->links.count + 1;

	if (index < RING_NEAR || index + RING_NEAR >= count)
		near_changed(r, true, now);
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
	if (limit_take(&l->answers, now))
		status_by(r, l, now);
}

struct query *talk_query(struct ring *r, uint64_t number, usec_t now)
{
	for (size_t i = 0; i < QUERIES; i++)
		if (r->queries[i].until > now && r->queries[i].number == number)
			return &r->queries[i];
	return NULL;
}

/* `from` stands nearest to the middle between us and our neighbour of `side`. */
void talk_found(struct ring *r, const struct pubkey *from, unsigned side)
{
	if (side && r->links.count &&
	    key_equal(&link_at(r, side == SIDE_CW ? 0 : r->links.count - 1)->at.key, from))
		r->sure |= side;
}

static void find(struct ring *r, int which, const struct node_id *target, const struct link *via,
		 usec_t now)
{
	struct query *q = &r->queries[which];

	r->env.random(r->env.ctx, &q->number, sizeof(q->number));
	q->via = via->id;
	q->side = which == QUERY_CW ? SIDE_CW : which == QUERY_CCW ? SIDE_CCW : 0;
	q->until = now + QUERY_FOR;
	message_find(r, target, q);
}

static void status_send(struct ring *r, struct link *l, bool near, usec_t now)
{
	bool changing = r->changed_at + CHANGING_FOR > now;
	bool fresh = l->fresh;

	message_status(r, l, l->ask ? FLAG_ANSWER : 0);
	l->ask = l->fresh = false;
	l->status_sent = now;
	l->status_at = USEC_NEVER;
	if (near)
		l->status_at = now + ring_jitter(r, changing ? STATUS_BUSY : STATUS_STABLE);
	else if (fresh && limit_take(&r->greetings, now))
		find(r, QUERY_GREETING, &r->id, l, now); /* its ring may not be ours */
}

void talk_status_run(struct ring *r, usec_t now)
{
	r->status_at = USEC_NEVER;
	for (size_t i = 0; i < r->links.count; i++) {
		struct link *l = link_at(r, i);

		if (l->status_at <= now)
			status_send(r, l, index_is_near(r, i), now);
		r->status_at = usec_min(r->status_at, l->status_at);
	}
}

static struct node_id half(struct node_id d)
{
	unsigned carry = 0;

	for (size_t i = 0; i < ID_LEN; i++) {
		unsigned v = d.b[i] | carry << 8;

		d.b[i] = (uint8_t)(v >> 1);
		carry = v & 1;
	}
	return d;
}

static struct node_id add(const struct node_id *a, const struct node_id *d)
{
	struct node_id sum;
	unsigned carry = 0;

	for (size_t i = ID_LEN; i-- > 0;) {
		carry += (unsigned)a->b[i] + d->b[i];
		sum.b[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return sum;
}

/* Asks who stands in the middle between ourselves and our neighbour of one side. */
static void find_side(struct ring *r, unsigned side, usec_t now)
{
	struct link *l = link_at(r, side == SIDE_CW ? 0 : r->links.count - 1);
	const struct node_id *from = side == SIDE_CW ? &r->id : &l->id;
	struct node_id gap = side == SIDE_CW ? l->at.cw : id_clockwise(&l->id, &r->id);
	struct node_id target;

	gap = half(gap);
	target = add(from, &gap);
	find(r, side == SIDE_CW ? QUERY_CW : QUERY_CCW, &target, l, now);
}

static struct link *any_link(struct ring *r)
{
	return link_at(r, ring_draw(r, (uint32_t)r->links.count));
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
	unsigned sides = r->sure == SIDE_BOTH ? SIDE_BOTH : SIDE_BOTH & ~r->sure;

	r->find_at = USEC_NEVER;
	if (r->links.count == 0)
		return;
	find(r, QUERY_SELF, &r->id, any_link(r), now);
	if (sides & SIDE_CW && r->attempt)
		find_side(r, SIDE_CW, now);
	if (sides & SIDE_CCW && r->attempt)
		find_side(r, SIDE_CCW, now);
	r->find_at = now + ring_jitter(r, find_pause(r));
	r->attempt++;
}
