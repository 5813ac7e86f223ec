/* attach.c - ATTACH. docs/protocol.md 4.6.
 *
 *	proposer			acceptor
 *	WANTED (session, own grant)
 *	PROPOSED  -- PROPOSE -->	secret known? own grant there? (else WAITING)
 *		  <-- ACCEPT --		ACCEPTED
 *	grant good? UP  -- CONFIRM -->	grant good? UP
 *
 * One attachment for each (session, namespace). Names are bound to a handshake of this session:
 * a sender uses that of the key it sends under, a receiver tries those of all the keys it holds,
 * so that a rekey on the way does not matter. Whatever is wrong is answered with one and the same
 * REFUSE. Of two proposals that cross, the one of the smaller node id survives. */
#include "p2p/attach.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "p2p/core.h"
#include "p2p/session.h"

#define NAME_LEN 32
#define NAMES_MAX 2
#define PROPOSALS_A_SECOND 10 /* of one peer */
#define PROPOSALS_BURST (P2P_NAMESPACES_MAX + 16)
#define WANTED_GAP SEC(1) /* own grant not there yet: look again */

enum attach_type { TYPE_PROPOSE = 1, TYPE_ACCEPT, TYPE_CONFIRM, TYPE_REFUSE, TYPE_DETACH, TYPES };
enum role { ROLE_INITIATOR = 1, ROLE_RESPONDER = 2 };

struct message {
	uint32_t id, tag;
	uint8_t count;
	const uint8_t *names; /* count x NAME_LEN */
	struct rd grant;
};

static struct attachments *attachments_of(struct session *s)
{
	struct attachments *as = s->attachments;

	if (as)
		return as;
	as = s->attachments = mem_new(sizeof(*as));
	as->tag_next = p2p_random32(s->p) & 0xffffff;
	as->tag_step = (p2p_random32(s->p) | 1) & 0xffffff;
	return as;
}

void attach_clear(struct session *s)
{
	struct attachments *as = s->attachments;

	if (!as)
		return;
	assert(!as->view);
	for (size_t i = 0; i < as->count; i++)
		early_free(&as->list[i].early);
	free(as->list);
	free(as);
	s->attachments = NULL;
}

struct attachment *attach_find(const struct attachments *as, uint16_t ns)
{
	for (size_t i = 0; i < attach_count(as); i++)
		if (as->list[i].ns == ns)
			return &as->list[i];
	return NULL;
}

static struct attachment *find_id(const struct attachments *as, uint32_t id)
{
	for (size_t i = 0; i < attach_count(as); i++)
		if (as->list[i].state != ATTACH_WANTED && as->list[i].id == id)
			return &as->list[i];
	return NULL;
}

bool attach_tells(const struct session *s)
{
	for (size_t i = 0; i < attach_count(s->attachments); i++)
		if (s->attachments->list[i].state == ATTACH_UP &&
		    s->p->ns[s->attachments->list[i].ns].revocation)
			return true;
	return false;
}

static struct attachment *add(struct session *s, uint16_t ns)
{
	struct attachments *as = attachments_of(s);

	assert(as->count < P2P_NAMESPACES_MAX && !attach_find(as, ns));
	as->list = mem_resize(as->list, (as->count + 1) * sizeof(*as->list));
	as->list[as->count] = (struct attachment){ .ns = ns };
	return &as->list[as->count++];
}

static void take(struct session *s, struct attachment *a)
{
	struct attachments *as = s->attachments;

	s->stale_view |= a->state == ATTACH_UP;
	early_free(&a->early);
	*a = as->list[--as->count];
	session_touch(s);
}

static uint32_t fresh_tag(struct attachments *as)
{
	do
		as->tag_next = (as->tag_next + as->tag_step) & 0xffffff;
	while (!as->tag_next);
	return as->tag_next;
}

static void tell(const struct session *s, enum p2p_event_type type, uint16_t ns)
{
	p2p_emit(s->p, &(struct p2p_event){ .type = type, .ns = ns, .peer = s->peer,
					    .session = s->handle });
}

static void name_of(uint8_t out[NAME_LEN], const struct key_slot *k, bool ours,
		    const struct p2p_secret *secret)
{
	uint8_t head[5];
	struct wr w = wr_of(head, sizeof(head));
	struct hash h;

	wr_u8(&w, k->initiator == ours ? ROLE_INITIATOR : ROLE_RESPONDER);
	wr_u32(&w, secret->number);
	hash_begin(&h, "vpnd attach", NAME_LEN);
	hash_add(&h, k->transcript, sizeof(k->transcript));
	hash_add(&h, head, sizeof(head));
	hash_add(&h, secret->b, sizeof(secret->b));
	hash_end(&h, out);
}

/* Does the peer's `name` prove this namespace's secret? *reply = our name for the same pair. */
static bool proves(const struct session *s, const struct namespace *ns, const uint8_t *name,
		   uint8_t reply[NAME_LEN])
{
	const struct key_slot *keys[] = { s->current, s->previous, s->next };
	uint8_t want[NAME_LEN];

	for (size_t k = 0; k < ARRAY_LEN(keys); k++)
		for (size_t i = 0; keys[k] && i < ns->secret_count; i++) {
			name_of(want, keys[k], false, &ns->secrets[i]);
			if (sodium_memcmp(want, name, NAME_LEN) != 0)
				continue;
			name_of(reply, keys[k], true, &ns->secrets[i]);
			return true;
		}
	return false;
}

static void post(struct session *s, const struct wr *w, usec_t now)
{
	assert(wr_ok(w));
	if (channel_send(&s->channel, SERVICE_ATTACH, w->start, wr_len(w), now) < 0)
		drop_add(s->p->cfg.drops, DROP_FULL); /* the other side's patience ends */
	session_touch(s);
}

static void send_id(struct session *s, enum attach_type type, uint32_t id, usec_t now)
{
	uint8_t msg[8];
	struct wr w = wr_of(msg, sizeof(msg));

	wr_u8(&w, type);
	wr_u32(&w, id);
	post(s, &w, now);
}

/* ACCEPT with a name, CONFIRM without. False when there is no grant to show. */
static bool send_grant(struct session *s, const struct attachment *a, const uint8_t *name,
		       usec_t now)
{
	struct p2p *p = s->p;
	uint8_t msg[ATTACH_MESSAGE_MAX], grant[ATTACH_GRANT_MAX];
	struct wr w = wr_of(msg, sizeof(msg));
	size_t len = p->env.own_grant(p->env.ctx, a->ns, grant, sizeof(grant));

	if (!len || len > sizeof(grant))
		return false;
	wr_u8(&w, name ? TYPE_ACCEPT : TYPE_CONFIRM);
	wr_u32(&w, a->id);
	if (name) {
		wr_copy(&w, name, NAME_LEN);
		wr_u24(&w, a->tag_in);
	}
	wr_block(&w, grant, len);
	post(s, &w, now);
	return true;
}

static bool has_grant(const struct p2p *p, uint16_t ns)
{
	uint8_t grant[ATTACH_GRANT_MAX];

	return p->env.own_grant(p->env.ctx, ns, grant, sizeof(grant)) > 0;
}

static void propose(struct session *s, struct attachment *a, usec_t now)
{
	const struct namespace *ns = &s->p->ns[a->ns];
	uint8_t msg[8 + NAMES_MAX * NAME_LEN + 3], name[NAME_LEN];
	struct wr w = wr_of(msg, sizeof(msg));

	a->next = now + WANTED_GAP;
	if (!s->current || !ns->secret_count || !has_grant(s->p, a->ns))
		return;
	a->state = ATTACH_PROPOSED;
	a->id = p2p_random32(s->p);
	a->tag_in = fresh_tag(s->attachments);
	a->until = now + ATTACH_PATIENCE;
	wr_u8(&w, TYPE_PROPOSE);
	wr_u32(&w, a->id);
	wr_u8(&w, ns->secret_count);
	for (size_t i = 0; i < ns->secret_count; i++) {
		name_of(name, s->current, true, &ns->secrets[i]);
		wr_copy(&w, name, NAME_LEN);
	}
	wr_u24(&w, a->tag_in);
	post(s, &w, now);
}

static void accept_waiting(struct session *s, struct attachment *a, usec_t now)
{
	a->next = now + WANTED_GAP;
	if (!send_grant(s, a, a->name, now))
		return;
	a->state = ATTACH_ACCEPTED;
	a->until = now + ATTACH_PATIENCE;
}

static void up(struct session *s, struct attachment *a, const struct rd *grant)
{
	a->state = ATTACH_UP;
	a->until = a->next = USEC_NEVER;
	s->stale_view = true;
	session_touch(s);
	p2p_emit(s->p, &(struct p2p_event){ .type = P2P_ATTACHED, .ns = a->ns, .peer = s->peer,
					    .session = s->handle, .tag = a->tag_out,
					    .msg = grant->p, .len = rd_left(grant) });
	early_release(s, a);
}

static bool grant_ok(const struct session *s, uint16_t ns, const struct rd *grant, usec_t now)
{
	return s->p->env.grant_ok(s->p->env.ctx, ns, &s->peer, grant->p, rd_left(grant), now);
}

/* It ends for a reason that lies with the peer; the owner hears of it. */
static void refused(struct session *s, struct attachment *a)
{
	uint16_t ns = a->ns;
	bool was_up = a->state == ATTACH_UP;

	take(s, a);
	if (was_up)
		tell(s, P2P_DETACHED, ns);
	tell(s, P2P_REFUSED, ns);
}

static void propose_handle(struct session *s, const struct message *m, usec_t now)
{
	struct p2p *p = s->p;
	struct attachment *a;
	uint8_t reply[NAME_LEN];
	uint16_t ns = P2P_NAMESPACES_MAX;

	if (!session_takes(s, LIMIT_PROPOSALS, PROPOSALS_A_SECOND, PROPOSALS_BURST, now)) {
		drop_add(p->cfg.drops, DROP_RATE);
		return;
	}
	for (uint16_t i = 0; i < p->ns_count && ns == P2P_NAMESPACES_MAX; i++)
		for (size_t n = 0; p->ns[i].set && n < m->count; n++)
			if (proves(s, &p->ns[i], m->names + n * NAME_LEN, reply))
				ns = i;
	if (ns == P2P_NAMESPACES_MAX || !m->tag) {
		send_id(s, TYPE_REFUSE, m->id, now);
		return;
	}
	a = attach_find(s->attachments, ns);
	if (a && a->state == ATTACH_PROPOSED && memcmp(p->id.b, s->id.b, ID_LEN) < 0)
		return; /* ours survives */
	if (a && a->state == ATTACH_UP)
		tell(s, P2P_DETACHED, ns); /* it lost it, and begins again */
	if (a)
		take(s, a);
	a = add(s, ns);
	a->state = ATTACH_WAITING;
	a->id = m->id;
	a->tag_out = m->tag;
	a->tag_in = fresh_tag(s->attachments);
	a->until = now + ATTACH_GRANT_WAIT;
	memcpy(a->name, reply, NAME_LEN);
	accept_waiting(s, a, now);
}

static void accept_handle(struct session *s, const struct message *m, usec_t now)
{
	struct attachment *a = find_id(s->attachments, m->id);
	uint8_t reply[NAME_LEN];

	if (!a || a->state != ATTACH_PROPOSED)
		return;
	if (!m->tag || !proves(s, &s->p->ns[a->ns], m->names, reply) ||
	    !grant_ok(s, a->ns, &m->grant, now) || !send_grant(s, a, NULL, now)) {
		send_id(s, TYPE_REFUSE, m->id, now);
		refused(s, a);
		return;
	}
	a->tag_out = m->tag;
	up(s, a, &m->grant);
}

static void confirm_handle(struct session *s, const struct message *m, usec_t now)
{
	struct attachment *a = find_id(s->attachments, m->id);

	if (!a || a->state != ATTACH_ACCEPTED)
		return;
	if (grant_ok(s, a->ns, &m->grant, now)) {
		up(s, a, &m->grant);
		return;
	}
	send_id(s, TYPE_REFUSE, m->id, now);
	refused(s, a);
}

static void refuse_handle(struct session *s, const struct message *m, usec_t now)
{
	struct attachment *a = find_id(s->attachments, m->id);

	(void)now;
	if (a)
		refused(s, a);
}

static void detach_handle(struct session *s, const struct message *m, usec_t now)
{
	(void)now;
	for (size_t i = 0; i < attach_count(s->attachments); i++) {
		struct attachment *a = &s->attachments->list[i];
		uint16_t ns = a->ns;
		bool was_up = a->state == ATTACH_UP;

		if (a->state == ATTACH_WANTED || a->tag_in != m->tag)
			continue;
		take(s, a);
		if (was_up)
			tell(s, P2P_DETACHED, ns);
		return;
	}
}

static bool propose_read(struct rd *r, struct message *m)
{
	m->id = rd_u32(r);
	m->count = rd_u8(r);
	m->names = rd_bytes(r, (size_t)m->count * NAME_LEN);
	m->tag = rd_u24(r);
	return rd_done(r) && m->count >= 1 && m->count <= NAMES_MAX;
}

static bool accept_read(struct rd *r, struct message *m)
{
	m->id = rd_u32(r);
	m->names = rd_bytes(r, NAME_LEN);
	m->tag = rd_u24(r);
	m->grant = rd_block(r, ATTACH_GRANT_MAX);
	return rd_done(r);
}

static bool confirm_read(struct rd *r, struct message *m)
{
	m->id = rd_u32(r);
	m->grant = rd_block(r, ATTACH_GRANT_MAX);
	return rd_done(r);
}

static bool refuse_read(struct rd *r, struct message *m)
{
	m->id = rd_u32(r);
	return rd_done(r);
}

static bool detach_read(struct rd *r, struct message *m)
{
	m->tag = rd_u24(r);
	return rd_done(r);
}

static const struct {
	const char *name;
	size_t len_min;
	bool (*read)(struct rd *r, struct message *m);
	void (*handle)(struct session *s, const struct message *m, usec_t now);
} types[] = {
	[TYPE_PROPOSE] = { "propose", 40, propose_read, propose_handle },
	[TYPE_ACCEPT] = { "accept", 41, accept_read, accept_handle },
	[TYPE_CONFIRM] = { "confirm", 6, confirm_read, confirm_handle },
	[TYPE_REFUSE] = { "refuse", 4, refuse_read, refuse_handle },
	[TYPE_DETACH] = { "detach", 3, detach_read, detach_handle },
};
_Static_assert(ARRAY_LEN(types) == TYPES, "every ATTACH message has a row");

void attach_input(struct session *s, struct rd r, usec_t now)
{
	struct message m = { 0 };
	uint8_t type = rd_u8(&r);

	if (type == 0 || type >= TYPES) {
		drop_add(s->p->cfg.drops, DROP_UNKNOWN);
	} else if (rd_left(&r) < types[type].len_min || !types[type].read(&r, &m)) {
		drop_add(s->p->cfg.drops, DROP_MALFORMED);
	} else {
		types[type].handle(s, &m, now);
		session_touch(s);
	}
}

void attach_want(struct session *s, uint16_t ns, usec_t now)
{
	struct attachment *a = attach_find(s->attachments, ns);

	if (a)
		return;
	a = add(s, ns);
	a->state = ATTACH_WANTED;
	a->until = USEC_NEVER;
	a->next = now;
	if (s->up)
		propose(s, a, now);
	session_touch(s);
}

void attach_drop(struct session *s, uint16_t ns, usec_t now)
{
	struct attachment *a = attach_find(s->attachments, ns);
	uint8_t msg[4];
	struct wr w = wr_of(msg, sizeof(msg));

	if (!a)
		return;
	if (s->up && (a->state == ATTACH_UP || a->state == ATTACH_ACCEPTED)) {
		wr_u8(&w, TYPE_DETACH);
		wr_u24(&w, a->tag_out);
		post(s, &w, now);
	} else if (s->up && a->state != ATTACH_WANTED) {
		send_id(s, TYPE_REFUSE, a->id, now);
	}
	take(s, a);
}

void attach_tick(struct session *s, usec_t now)
{
	for (size_t i = attach_count(s->attachments); i-- > 0;) {
		struct attachment *a = &s->attachments->list[i];

		if (a->until <= now && a->state == ATTACH_WAITING) {
			send_id(s, TYPE_REFUSE, a->id, now);
			take(s, a);
		} else if (a->until <= now) {
			refused(s, a);
		} else if (a->state == ATTACH_WANTED && a->next <= now) {
			propose(s, a, now);
		} else if (a->state == ATTACH_WAITING && a->next <= now) {
			accept_waiting(s, a, now);
		}
	}
}

usec_t attach_deadline(const struct session *s)
{
	usec_t at = USEC_NEVER;

	for (size_t i = 0; i < attach_count(s->attachments); i++) {
		const struct attachment *a = &s->attachments->list[i];

		at = usec_min(at, a->until);
		if (a->state == ATTACH_WANTED || a->state == ATTACH_WAITING)
			at = usec_min(at, a->next);
	}
	return at;
}
