/* ring_message.c - RING messages as they arrive: read, judged, acted upon; docs/protocol.md 5.1.
 *
 * What we are told is judged before anything is done: counts, lengths and keys. A link may say what
 * it knows at any time, at a bounded rate. Who routes a message to us is not proven, so from there
 * contacts come only as the one answer to a FIND of ours. A leaf takes nothing but contacts and
 * answers nobody. */
#include "p2p/ring_impl.h"

#define INPUT_GAP MSEC(100) /* between the messages of one link */
#define INPUT_BURST 20
#define ROUTED_GAP MSEC(50) /* of routed ones, from all sources together */
#define ROUTED_BURST 40

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
	m->flags = rd_u8(r);
	return rd_done(r);
}

static bool found_read(struct rd *r, struct ring_message *m)
{
	m->query = rd_u64(r);
	m->flags = rd_u8(r);
	return contacts_read(r, m);
}

static bool link_read(struct rd *r, struct ring_message *m)
{
	m->flags = rd_u8(r);
	return rd_done(r);
}

static bool links_read(struct rd *r, struct ring_message *m)
{
	m->count = rd_u8(r);
	m->ids = *r;
	return m->count <= RING_TOLD_MAX && rd_left(r) == 8 * (size_t)m->count;
}

/* ---- acting ---- */

/* Keys that we know were judged when they came; judging is dear. */
static bool keys_are_valid(const struct ring *r, const struct ring_message *m)
{
	for (uint8_t i = 0; i < m->count; i++) {
		const struct ring_contact *c = &m->contacts[i];
		struct place p = { .cw = id_clockwise(&r->id, &c->id), .key = c->key };

		if (!table_find(&r->links, &p) && !table_find(&r->known, &p) &&
		    !r->env.key_valid(&p.key))
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

		if (r->profile == RING_LEAF)
			leaf_hear(r, c, now);
		else
			want_hear(r, c, key_equal(&c->key, m->from) ? via : informer, now);
	}
}

static void status_handle(struct ring *r, const struct ring_message *m, usec_t now)
{
	struct node_id informer = link_id(r, m->link);

	if (!keys_are_valid(r, m))
		return;
	hear_all(r, m, &informer, NULL, now);
	if (m->flags & FLAG_ANSWER && r->profile == RING_FULL)
		talk_answer(r, m->link, now);
}

static void find_handle(struct ring *r, const struct ring_message *m, usec_t now)
{
	if (r->profile == RING_FULL && !key_equal(m->from, &r->self) &&
	    rate_take(&r->find_full, ROUTED_GAP, ROUTED_BURST, now))
		message_found(r, m, m->flags & FIND_SHORTCUT && shortcut_accepts(r, m->from));
}

static void found_handle(struct ring *r, const struct ring_message *m, usec_t now)
{
	struct query *q = talk_query(r, m->query, now);
	struct node_id informer;

	if (!q || !keys_are_valid(r, m))
		return;
	q->until = 0;
	if (q == &r->queries[QUERY_SHORTCUT]) {
		shortcut_found(r, m, now);
		return;
	}
	informer = id_of(m->from);
	hear_all(r, m, &informer, &q->via, now);
	talk_found(r, m->from, q, now);
}

static void leave_handle(struct ring *r, const struct ring_message *m, usec_t now)
{
	bool full = r->profile == RING_FULL && !m->link->leaf;

	if (!keys_are_valid(r, m))
		return;
	ring_link_remove(r, m->link, now);
	if (full)
		want_give_up(want_remember(r, m->from, now), now + LEFT_FOR);
	hear_all(r, m, NULL, NULL, now);
}

static void link_handle(struct ring *r, const struct ring_message *m, usec_t now)
{
	if (r->profile == RING_LEAF && m->flags & (LINK_REFUSED | LINK_LEAF))
		leaf_refused(r, m->link, now);
	else if (r->profile == RING_FULL && m->flags & LINK_LEAF)
		leaf_take(r, m->link, now);
	else if (r->profile == RING_FULL && !m->link->leaf)
		shortcut_hear(r, m->link, m->flags, now);
}

static void links_handle(struct ring *r, const struct ring_message *m, usec_t now)
{
	(void)now;
	if (r->profile == RING_FULL && !m->link->leaf)
		reach_hear(r, m->link, m->ids);
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
	[MSG_FIND] = { "find", 9, BY_ROUTE, find_read, find_handle },
	[MSG_LEAVE] = { "leave", 1, BY_LINK, contacts_read, leave_handle },
	[MSG_FOUND] = { "found", 10, BY_ROUTE, found_read, found_handle },
	[MSG_LINK] = { "link", 1, BY_LINK, link_read, link_handle },
	[MSG_LINKS] = { "links", 1, BY_LINK, links_read, links_handle },
};

void ring_input(struct ring *r, const struct pubkey *from, bool from_link,
		const struct node_id *agent, struct rd msg, usec_t now)
{
	struct pubkey source = *from; /* it may be part of a link that goes */
	struct ring_message m = { .from = &source, .agent = agent };

	m.link = from_link ? ring_link(r, from) : NULL;
	if (from_link && !m.link)
		return;
	if (m.link ? !rate_take(&m.link->input_full, INPUT_GAP, INPUT_BURST, now) :
	    !is_awaited(r, msg, now) && !rate_take(&r->routed_full, ROUTED_GAP, ROUTED_BURST, now))
		return;
	m.type = rd_u8(&msg);
	if (m.type >= MSG_TYPES || !messages[m.type].name ||
	    !(messages[m.type].ways & (from_link ? BY_LINK : BY_ROUTE)) ||
	    rd_left(&msg) < messages[m.type].len_min || !messages[m.type].read(&msg, &m))
		return;
	messages[m.type].handle(r, &m, now);
}
