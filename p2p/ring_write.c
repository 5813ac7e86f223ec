/* ring_write.c - RING messages as they are written; docs/protocol.md 5.1.
 *
 * What we tell a node is who stands around it, as far as we know: of our links the nearest to it on
 * both sides. News go over a reliable channel, so what was told once need not be told again: links
 * carry the serial up to which the peer was told, and who told us of them. What is repeated anyway,
 * the short STATUS and LINKS, may be lost. Links in doubt are not told of. */
#include <assert.h>

#include "p2p/ring_impl.h"

struct writer {
	struct wr w;
	uint8_t *count; /* where the number of contacts goes */
};

/* Which of our links are told, around which node. */
struct around {
	const struct node_id *to;
	size_t a_side;
	uint32_t after; /* serials above this one only; */
	uint32_t by;	/* and not those that were heard of by the link with this one */
};

static void write_count(struct writer *out)
{
	out->count = wr_room(&out->w, 1);
	assert(out->count);
	*out->count = 0;
}

/* Leaves the message as it was when this one does not fit. */
static void write_contact(const struct ring *r, struct writer *out, const struct pubkey *key)
{
	struct addr addrs[RING_CONTACT_ADDRS];
	struct wr before = out->w;
	size_t n = r->env.addresses(r->env.ctx, key, addrs, RING_CONTACT_ADDRS);

	assert(n <= RING_CONTACT_ADDRS);
	if (*out->count == RING_STATUS_MAX)
		return;
	wr_copy(&out->w, key->b, KEY_LEN);
	wr_u8(&out->w, (uint8_t)n);
	for (size_t i = 0; i < n; i++)
		wr_addr(&out->w, &addrs[i]);
	if (wr_ok(&out->w))
		++*out->count;
	else
		out->w = before;
}

/* At most a->a_side links from index `at` on going `way`, of at most `room` to be looked at;
 * returns how many were looked at. */
static size_t write_side(const struct ring *r, struct writer *out, const struct around *a,
			 size_t at, size_t way, size_t room)
{
	size_t n = r->links.count, looked = 0;

	for (size_t found = 0; found < a->a_side && looked < room; looked++, at += way) {
		struct link *l = link_at(r, at % n);
		struct node_id id = link_id(r, l);

		if (l->doubt || id_equal(&id, a->to))
			continue;
		found++;
		if (l->serial > a->after && (!a->by || l->heard_of_by != a->by))
			write_contact(r, out, &l->at.key);
	}
	return looked;
}

static void write_around(const struct ring *r, struct writer *out, const struct around *a)
{
	struct place p = { .cw = id_clockwise(&r->id, a->to) };
	size_t n = r->links.count, at = table_position(&r->links, &p), looked;

	looked = write_side(r, out, a, at, 1, n);
	write_side(r, out, a, at + n - 1, n - 1, n - looked);
}

/* What later messages heal. */
static void tell(struct ring *r, const struct link *to, const uint8_t *msg, size_t len)
{
	(r->env.tell ? r->env.tell : r->env.send)(r->env.ctx, &to->at.key, msg, len);
}

/* False when there was no news and so nothing was sent. */
bool message_status(struct ring *r, struct link *to, enum write_status how, uint8_t flags)
{
	uint8_t buf[MESSAGE_MAX];
	struct writer out = { .w = wr_of(buf, sizeof(buf)) };
	struct node_id id = link_id(r, to);
	struct around a = { .to = &id, .a_side = r->near };
	uint32_t after = to->told_serial;

	if (how == WRITE_BRIEF)
		a.a_side = 1;
	else
		to->told_serial = r->serial;
	if (how == WRITE_NEWS) {
		a.after = after;
		a.by = to->serial;
	}
	wr_u8(&out.w, MSG_STATUS);
	wr_u8(&out.w, flags);
	write_count(&out);
	write_around(r, &out, &a);
	if (how == WRITE_NEWS && *out.count == 0)
		return false;
	if (how == WRITE_BRIEF)
		tell(r, to, buf, wr_len(&out.w));
	else
		r->env.send(r->env.ctx, &to->at.key, buf, wr_len(&out.w));
	return true;
}

void message_find(struct ring *r, const struct node_id *target, const struct query *q,
		  uint8_t flags)
{
	static const struct node_id nobody;
	uint8_t buf[1 + 8 + 1];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_u8(&w, MSG_FIND);
	wr_u64(&w, q->number);
	wr_u8(&w, flags);
	r->env.route(r->env.ctx, target, id_equal(&q->via, &nobody) ? NULL : &q->via, true, buf,
		     wr_len(&w));
}

/* The answer to FIND: ourselves first, since the seeker knows us from nowhere else. A near link was
 * told by STATUS what else we know: of that only the news. */
void message_found(struct ring *r, const struct ring_message *find, bool accepts)
{
	uint8_t buf[MESSAGE_MAX];
	struct writer out = { .w = wr_of(buf, sizeof(buf)) };
	struct node_id to = id_of(find->from);
	struct around a = { .to = &to, .a_side = find->flags & FIND_BRIEF ? 1 : r->near };
	const struct link *l = ring_link(r, find->from);

	if (l && l->told_serial) {
		a.after = l->told_serial;
		a.by = l->serial;
	}
	wr_u8(&out.w, MSG_FOUND);
	wr_u64(&out.w, find->query);
	wr_u8(&out.w, accepts ? FOUND_ACCEPTS : 0);
	write_count(&out);
	write_contact(r, &out, &r->self);
	if (!(find->flags & FIND_SHORTCUT))
		write_around(r, &out, &a);
	r->env.route(r->env.ctx, &to, find->agent, false, buf, wr_len(&out.w));
}

void message_leave(struct ring *r)
{
	uint8_t buf[MESSAGE_MAX];
	struct writer out = { .w = wr_of(buf, sizeof(buf)) };

	wr_u8(&out.w, MSG_LEAVE);
	write_count(&out);
	for (size_t i = 0; i < r->links.count; i++)
		if (index_is_near(r, i) && r->profile == RING_FULL)
			write_contact(r, &out, &link_at(r, i)->at.key);
	for (size_t i = 0; i < r->links.count; i++)
		if (ring_link_role(r, link_at(r, i)) != RING_NONE)
			r->env.send(r->env.ctx, &link_at(r, i)->at.key, buf, wr_len(&out.w));
	for (size_t i = 0; i < r->leaves.count; i++)
		r->env.send(r->env.ctx, &leaf_link_at(r, i)->at.key, buf, wr_len(&out.w));
}

void message_link(struct ring *r, const struct link *to)
{
	uint8_t buf[2] = { MSG_LINK };

	buf[1] = (uint8_t)((to->shortcut ? LINK_SHORTCUT : 0) | (to->refused ? LINK_REFUSED : 0) |
			   (r->profile == RING_LEAF ? LINK_LEAF : 0));
	r->env.send(r->env.ctx, &to->at.key, buf, sizeof(buf));
}

void message_links(struct ring *r, const struct link *to, const struct link *const *told,
		   size_t count)
{
	uint8_t buf[2 + 8 * RING_TOLD_MAX];
	struct wr w = wr_of(buf, sizeof(buf));

	assert(count <= RING_TOLD_MAX);
	wr_u8(&w, MSG_LINKS);
	wr_u8(&w, 0);
	for (size_t i = 0; i < count; i++) {
		struct node_id id = link_id(r, told[i]);

		if (told[i] == to)
			continue;
		wr_copy(&w, id.b, 8);
		buf[1]++;
	}
	tell(r, to, buf, wr_len(&w));
}
