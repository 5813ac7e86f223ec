/* roster.c - who may be keeper, and how reliable each has been. See roster.h; the decision itself
 * is in roster_pick.c.
 *
 * Score: the share of the last days that a member was there, as a sum that forgets with a half
 * life of four days, counted in whole minutes and integers. Falls: absences of ROSTER_AWAY or more
 * of the last days; each doubles the time that a candidate has to be there before it is taken, so
 * one that comes and goes is soon left alone. While nobody else at all is there it is probably we
 * who are cut off: then nothing is counted against anybody. Bounded: ROSTER_MAX entries; a member
 * too many takes the place of the worst that is not there, or is not watched. */
#include "dht/roster.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/wire.h"
#include "dht/roster_impl.h"

#define ROSTER_VERSION 1
#define ROSTER_FULL (UINT32_C(1) << 30)
#define FORGET_SHIFT 13 /* 1/8192 a minute: half is forgotten after 3.9 days */
#define SCORE_STEP MINUTES(1)
#define STEPS_MAX 60 /* of one tick: nobody knows who was there while we slept */
#define FALLS_MAX 8 /* doublings of a candidate's wait */
#define FALLS_HALVED DAYS(1)
#define PLACES_FIRST 4

struct roster_entry *roster_find(const struct roster *r, const struct pubkey *node)
{
	for (size_t i = 0; i < r->count; i++)
		if (key_equal(&r->entry[i].node, node))
			return &r->entry[i];
	return NULL;
}

void roster_fall(struct roster_entry *e)
{
	if (e->falls < FALLS_MAX)
		e->falls++;
}

struct roster *roster_new(usec_t now)
{
	struct roster *r = mem_new(sizeof(*r));

	r->scored = r->aged = r->changed = now;
	r->pending = USEC_NEVER;
	return r;
}

void roster_free(struct roster *r)
{
	if (!r)
		return;
	free(r->entry);
	free(r);
}

/* The worst of those that are not there; NULL: all are. Who has no right any more is the worst. */
static struct roster_entry *worst(const struct roster *r)
{
	struct roster_entry *found = NULL;

	for (size_t i = 0; i < r->count; i++) {
		struct roster_entry *e = &r->entry[i];

		if (e->present && e->right)
			continue;
		if (!found || (found->right && !e->right) ||
		    (found->right == e->right && e->score < found->score))
			found = e;
	}
	return found;
}

bool roster_admit(struct roster *r, const struct pubkey *node, usec_t now)
{
	struct roster_entry *e;

	if (roster_find(r, node))
		return true;
	if (r->count == ROSTER_MAX) {
		e = worst(r);
	} else {
		if (r->count == r->places) {
			r->places = r->places ? 2 * r->places : PLACES_FIRST;
			r->entry = mem_resize(r->entry, r->places * sizeof(*r->entry));
		}
		e = &r->entry[r->count++];
	}
	if (!e)
		return false;
	*e = (struct roster_entry){ .node = *node, .since = now, .unfit = now };
	return true;
}

size_t roster_count(const struct roster *r) { return r->count; }

const struct pubkey *roster_node(const struct roster *r, size_t i)
{
	assert(i < r->count);
	return &r->entry[i].node;
}

void roster_see(struct roster *r, const struct pubkey *node, bool right, bool present, usec_t now)
{
	struct roster_entry *e = roster_find(r, node);

	if (!e)
		return;
	if (e->right && !right)
		e->unfit = now;
	e->right = right;
	if (e->present == present)
		return;
	e->present = present;
	e->since = now;
	e->fell = false;
}

void roster_heard(struct roster *r, const struct pubkey *node, usec_t now)
{
	struct roster_entry *e = roster_find(r, node);

	if (e)
		e->heard = now;
}

bool roster_was_heard(const struct roster *r, const struct pubkey *node, usec_t now)
{
	const struct roster_entry *e = roster_find(r, node);

	return e && e->heard && now < e->heard + ROSTER_ABSENT;
}

static bool is_cut_off(const struct roster *r)
{
	size_t present = 0;

	for (size_t i = 0; i < r->count; i++)
		present += r->entry[i].present;
	return present < 2; /* ourselves */
}

static void count_minute(struct roster_entry *e)
{
	e->score -= e->score >> FORGET_SHIFT;
	if (e->present)
		e->score += ROSTER_FULL >> FORGET_SHIFT;
}

static void count_minutes(struct roster *r, unsigned steps)
{
	for (size_t i = 0; i < r->count; i++)
		for (unsigned k = 0; k < steps; k++)
			count_minute(&r->entry[i]);
}

void roster_tick(struct roster *r, usec_t now)
{
	usec_t steps = (now - r->scored) / SCORE_STEP;
	bool cut_off = is_cut_off(r);

	r->scored += steps * SCORE_STEP;
	if (!cut_off)
		count_minutes(r, steps < STEPS_MAX ? (unsigned)steps : STEPS_MAX);
	for (size_t i = 0; i < r->count && !cut_off; i++) {
		struct roster_entry *e = &r->entry[i];

		if (e->present || e->fell || now < e->since + ROSTER_AWAY)
			continue;
		e->fell = true;
		roster_fall(e);
	}
	if (now < r->aged + FALLS_HALVED)
		return;
	r->aged = now;
	for (size_t i = 0; i < r->count; i++)
		r->entry[i].falls /= 2;
}

size_t roster_write(const struct roster *r, uint8_t *out, size_t size)
{
	struct wr w = wr_of(out, size);

	wr_u8(&w, ROSTER_VERSION);
	wr_u8(&w, (uint8_t)r->count);
	for (size_t i = 0; i < r->count; i++) {
		wr_copy(&w, r->entry[i].node.b, KEY_LEN);
		wr_u32(&w, r->entry[i].score);
		wr_u8(&w, r->entry[i].falls);
	}
	return wr_ok(&w) ? wr_len(&w) : 0;
}

bool roster_read(struct roster *r, const uint8_t *b, size_t len, usec_t now)
{
	struct rd rd = rd_of(b, len);
	bool version = rd_u8(&rd) == ROSTER_VERSION;
	size_t count = rd_u8(&rd);

	if (!rd_ok(&rd) || !version || count > ROSTER_MAX ||
	    rd_left(&rd) != count * (KEY_LEN + 5))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct roster_entry *e;
		struct pubkey node;

		rd_copy(&rd, node.b, KEY_LEN);
		roster_admit(r, &node, now);
		e = roster_find(r, &node);
		e->score = rd_u32(&rd) % ROSTER_FULL;
		e->falls = rd_u8(&rd) % (FALLS_MAX + 1);
	}
	return true;
}
