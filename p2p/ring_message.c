/* ring_message.c - RING messages: written, read, acted upon; docs/protocol.md 5.1.
 *
 * What we tell a node: the links that stand nearest to it on both sides, then our own near links,
 * as far as one message goes. What we are told is judged before anything is done: counts, lengths
 * and keys. A link may say what it knows at any time, at a bounded rate. Who routes a message to us
 * is not proven, so from there contacts come only as the one answer to a FIND of ours. */
#include <assert.h>
#include <stdlib.h>

#include "p2p/ring_impl.h"

struct writer {
	struct wr w;
	uint8_t *count; /* where the number of contacts goes */
};

static void write_begin(struct ring *r, struct writer *out, uint8_t *buf, uint8_t type)
{
	out->w = wr_of(buf, MESSAGE_MAX);
	wr_u8(&out->w, type);
	out->count = NULL;
	r->mark++;
}

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

static void write_link(struct ring *r, struct writer *out, struct link *l, const struct node_id *to)
{
	if (l->told == r->mark || (to && id_equal(&l->id, to)))
		return;
	l->told = r->mark;
	write_contact(r, out, &l->at.key);
}

static void write_near(struct ring *r, struct writer *out, const struct node_id *to)
{
	for (size_t i = 0; i < r->links.count; i++)
		if (index_is_near(r, i))
			write_link(r, out, link_at(r, i), to);
}

/* The links that stand around `to`; one more a side, as it may be a link itself. */
static void write_around(struct ring *r, struct writer *out, const struct node_id *to)
{
	struct place p = { .cw = id_clockwise(&r->id, to) };
	size_t n = r->links.count, at = table_position(&r->links, &p);

	for (size_t i = 0; i <= RING_NEAR && i < n; i++) {
		write_link(r, out, link_at(r, (at + i) % n), to);
		write_link(r, out, link_at(r, (at + n - 1 - i) % n), to);
	}
}

void message_status(struct ring *r, const struct link *to, uint8_t flags)
{
	uint8_t buf[MESSAGE_MAX];
	struct writer out;

	write_begin(r, &out, buf, MSG_STATUS);
	wr_u8(&out.w, flags);
	write_count(&out);
	write_around(r, &out, &to->id);
	write_near(r, &out, &to->id);
	r->env.send(r->env.ctx, &to->at.key, buf, wr_len(&out.w));
}

/* The answer to FIND: ourselves first, since the seeker knows us from nowhere else. */
static void found_send(struct ring *r, const struct node_id *to, const struct ring_message *find)
{
	uint8_t buf[MESSAGE_MAX];
	struct writer out;

	write_begin(r, &out, buf, MSG_FOUND);
	wr_u64(&out.w, find->query);
	write_count(&out);
	write_contact(r, &out, &r->self);
	write_around(r, &out, to);
	write_near(r, &out, to);
	r->env.route(r->env.ctx, to, find->agent, false, buf, wr_len(&out.w));
}

void message_find(struct ring *r, const struct node_id *target, const struct query *q)
{
	uint8_t buf[1 + 8];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_u8(&w, MSG_FIND);
	wr_u64(&w, q->number);
	r->env.route(r->env.ctx, target, &q->via, true, buf, wr_len(&w));
}

void message_leave(struct ring *r)
{
	uint8_t buf[MESSAGE_MAX];
	struct writer out;

	write_begin(r, &out, buf, MSG_LEAVE);
	write_count(&out);
	write_near(r, &out, NULL);
	for (size_t i = 0; i < r->links.count; i++)
		if (index_is_near(r, i))
			r->env.send(r->env.ctx, &link_at(r, i)->at.key, buf, wr_len(&out.w));
}

/* ---- reading ---- */

/* Addresses that are nobody's, or everybody's, or mean another place here than there. */
static bool is_usable(const struct addr *a)
{
	static const struct ip none;

	return a->port != 0 && memcmp(a->ip.b, none.b, sizeof(none.b)) != 0 &&
	       !ip_is_multicast(&a->ip) && !ip_is_link_local(&a->ip);
}

static void contact_read(struct rd *r, struct ring_contact *c)
{
	uint8_t n;

	memset(c, 0, sizeof(*c));
	rd_copy(r, c->key.b, KEY_LEN);
	n = rd_u8(r);
	if (n > RING_CONTACT_ADDRS)
		r->bad = true;
	for (uint8_t i = 0; i < n && rd_ok(r); i++) {
		struct addr a = rd_addr(r);

		if (rd_ok(r) && is_usable(&a))
			c->addrs[c->addr_count++] = a;
	}
	c->id = id_of(&c->key);
}

static bool contacts_read(struct rd *r, struct ring_message *m)
{
	m->count = rd_u8(r);
	if (m->count > RING_STATUS_MAX)
		return false;
	for (uint8_t i = 0; i < m->count && rd_ok(r); i++)
		contact_read(r, &m->contacts[i]);
	return rd_done(r);
}

static bool status_read(struct rd *r, struct ring_message *m)
{
	m->flags = rd_u8(r);
	return contacts_read(r, m);
}

static bool find_read(struct rd *r, struct ring_message *m)
{
	m->query = rd_u64(r);
	return rd_done(r);
}

static bool found_read(struct rd *r, struct ring_message *m)
{
	m->query = rd_u64(r);
	return contacts_read(r, m);
}

/* ---- acting ---- */

/* Keys that we know were judged when they came; judging is dear. */
static bool keys_are_valid(const struct ring *r, const struct ring_message *m)
{
	for (uint8_t i = 0; i < m->count; i++) {
		struct place p = place_of(r, &m->contacts[i].key);

		if (!table_find(&r->links, &p) && !table_find(&r->known, &p) &&
		    !key_valid(&p.key))
			return false;
	}
	return true;
}

/* `informer` is whom to ask for a way to them, `via` for a way to the sender itself. */
static void hear_all(struct ring *r, const struct ring_message *m, const struct node_id *informer,
		     const struct node_id *via, usec_t now)
{
	for (uint8_t i = 0; i < m->count; i++) {
		const struct ring_contact *c = &m->contacts[i];

		want_hear(r, c, key_equal(&c->key, m->from) ? via : informer, now);
	}
}

static void status_handle(struct ring *r, const struct ring_message *m, usec_t now)
{
	struct node_id informer = id_of(m->from);

	if (!keys_are_valid(r, m))
		return;
	hear_all(r, m, &informer, NULL, now);
	if (m->flags & FLAG_ANSWER)
		talk_answer(r, ring_link(r, m->from), now);
}

static void find_handle(struct ring *r, const struct ring_message *m, usec_t now)
{
	struct node_id seeker = id_of(m->from);

	if (!key_equal(m->from, &r->self) && limit_take(&r->find_answers, now))
		found_send(r, &seeker, m);
}

static void found_handle(struct ring *r, const struct ring_message *m, usec_t now)
{
	struct query *q = talk_query(r, m->query, now);
	struct node_id informer = id_of(m->from);

	if (!q || !keys_are_valid(r, m))
		return;
	q->until = 0;
	hear_all(r, m, &informer, &q->via, now);
	talk_found(r, m->from, q->side);
}

static void leave_handle(struct ring *r, const struct ring_message *m, usec_t now)
{
	struct known *k;

	if (!keys_are_valid(r, m))
		return;
	ring_link_remove(r, ring_link(r, m->from), now);
	k = want_remember(r, m->from, now);
	want_give_up(k, now);
	hear_all(r, m, NULL, NULL, now);
}

/* An answer that we wait for is not one of the many that anybody may send us by the ring. */
static bool is_awaited(struct ring *r, struct rd msg, usec_t now)
{
	return rd_u8(&msg) == MSG_FOUND && talk_query(r, rd_u64(&msg), now);
}

enum { BY_LINK = 1, BY_ROUTE = 2 };

static const struct {
	const char *name;
	size_t len_min;
	unsigned ways;
	bool (*read)(struct rd *r, struct ring_message *m);
	void (*handle)(struct ring *r, const struct ring_message *m, usec_t now);
} messages[MSG_TYPES] = {
	[MSG_STATUS] = { "status", 2, BY_LINK, status_read, status_handle },
	[MSG_FIND] = { "find", 8, BY_ROUTE, find_read, find_handle },
	[MSG_LEAVE] = { "leave", 1, BY_LINK, contacts_read, leave_handle },
	[MSG_FOUND] = { "found", 9, BY_ROUTE, found_read, found_handle },
};

void ring_input(struct ring *r, const struct pubkey *from, bool from_link,
		const struct node_id *agent, struct rd msg, usec_t now)
{
	struct ring_message m = { .from = from, .from_link = from_link, .agent = agent };
	struct link *l = from_link ? ring_link(r, from) : NULL;

	if (from_link && !l)
		return;
	if (!(l == NULL && is_awaited(r, msg, now)) &&
	    !limit_take(l ? &l->input : &r->routed, now))
		return;
	m.type = rd_u8(&msg);
	if (m.type >= MSG_TYPES || !messages[m.type].name ||
	    !(messages[m.type].ways & (from_link ? BY_LINK : BY_ROUTE)) ||
	    rd_left(&msg) < messages[m.type].len_min || !messages[m.type].read(&msg, &m))
		return;
	messages[m.type].handle(r, &m, now);
}
