/* ring_leaf.c - a leaf's one link, and our links with leaves; docs/protocol.md 5.1.
 *
 * A leaf keeps one link, its uplink, and tells every peer by LINK that it is a leaf. Where its
 * owner needs another session anyhow, that is made the uplink. It has no
 * neighbours, asks nothing of the ring, and hears contacts only to have somebody else when the
 * uplink goes down: then another link that is up becomes it, or those whom it has heard of are
 * tried in turn, with pauses from 1 s to 30 s.
 *
 * A peer moves the link into a table of its own: not near, not told of, a next hop to nobody but
 * itself. LEAVES_MAX are kept; the others are refused by LINK and go elsewhere. */
#include "p2p/ring_impl.h"

#define TRY_FIRST SEC(1)
#define TRY_MAX SEC(30)
#define ASK_EVERY MINUTES(30)

/* ---- being one ---- */

static struct link *uplink(const struct ring *r)
{
	for (size_t i = 0; i < r->links.count; i++)
		if (link_at(r, i)->uplink)
			return link_at(r, i);
	return NULL;
}

/* The oldest link that is in order. */
static struct link *candidate(const struct ring *r)
{
	struct link *best = NULL;

	for (size_t i = 0; i < r->links.count; i++) {
		struct link *l = link_at(r, i);

		if (l->direct && !l->doubt && !l->refused && (!best || l->serial < best->serial))
			best = l;
	}
	return best;
}

static void choose(struct ring *r, usec_t now)
{
	struct link *l = uplink(r) ? NULL : candidate(r);

	if (l) {
		l->uplink = true;
		r->leaf_tries = 0;
	}
	r->leaf_at = uplink(r) ? now + ring_jitter(r, ASK_EVERY) : now;
}

void leaf_link_up(struct ring *r, struct link *l, usec_t now)
{
	message_link(r, l);
	choose(r, now);
}

void leaf_link_down(struct ring *r, usec_t now) { choose(r, now); }

void leaf_refused(struct ring *r, struct link *l, usec_t now)
{
	l->uplink = false;
	l->refused = true;
	choose(r, now);
}

void leaf_hear(struct ring *r, const struct ring_contact *c, usec_t now)
{
	if (!key_equal(&c->key, &r->self) && !ring_link(r, &c->key))
		lost_add(r, &c->key, c->addrs, c->addr_count, now);
}

bool ring_uplink(struct ring *r, const struct pubkey *peer, usec_t now)
{
	struct link *l = ring_link(r, peer), *old = uplink(r);

	if (!l || !old || l == old || !l->direct || l->doubt || l->refused)
		return false;
	old->uplink = false;
	l->uplink = true;
	r->leaf_at = now + ring_jitter(r, ASK_EVERY);
	return true;
}

void leaf_run(struct ring *r, usec_t now)
{
	static const uint8_t ask[] = { MSG_STATUS, FLAG_ANSWER, 0 };
	struct link *l = uplink(r);
	usec_t pause = TRY_FIRST;

	if (l) {
		r->env.send(r->env.ctx, &l->at.key, ask, sizeof(ask));
		r->leaf_at = now + ring_jitter(r, ASK_EVERY);
		return;
	}
	for (unsigned i = 0; i < r->leaf_tries && pause < TRY_MAX; i++)
		pause *= 2;
	r->leaf_tries++;
	lost_try(r, now);
	r->leaf_at = now + ring_jitter(r, usec_min(pause, TRY_MAX));
}

/* ---- having some ---- */

static void move_away(struct ring *r, struct link *l, usec_t now)
{
	size_t index = ring_link_index(r, l);

	table_take(&r->links, index);
	reach_remove(r, l);
	*l = (struct link){ .at = l->at, .serial = l->serial, .direct = l->direct,
			    .doubt = l->doubt, .status_at = now, .status_sent = l->status_sent,
			    .input_full = l->input_full, .leaf = true, .answer = true };
	table_add(&r->leaves, &l->at);
	talk_link_down(r, index, now);
}

void leaf_take(struct ring *r, struct link *l, usec_t now)
{
	size_t kept = 0;

	if (l->leaf)
		return;
	for (size_t i = 0; i < r->leaves.count; i++)
		kept += !leaf_link_at(r, i)->refused;
	move_away(r, l, now);
	l->refused = kept >= LEAVES_MAX;
	if (l->refused)
		message_link(r, l);
}
