/* sim_own_liar_book.c - what came of lies, and what must never have come of them.
 *
 * Every grant that liars put together or are shown is held against the others: a ballot has one
 * value, a generation of an address or name one owner, nobody is put out whom nobody put out, no
 * lease is shorter than was asked for, none begins in the future. What an accomplice was granted it
 * uses, by the owner's rules (its time runs from when the operation was signed): the audit is told
 * so, and others are shown it in frames. */
#include <string.h>

#include "cmd/sim_own_liar_impl.h"

#define DEED_ID (UINT64_C(1) << 40) /* in the audit, above those of real operations */
#define PPM 1000000
#define SURE_AHEAD 62 /* seconds: no honest keeper signs what is so far ahead of its clock */

const struct key_pair *liar_friend_key(const struct ow_liar *l, uint8_t i)
{
	return &l->w->person[l->friends[i]];
}

struct ow_process *liar_friend_process(const struct ow_liar *l, uint8_t i)
{
	return &l->w->process[l->friends[i]];
}

bool liar_is_owned_kind(const struct reg_name *n)
{
	return n->kind == REG_ADDRESS || n->kind == REG_HOST_NAME;
}

bool liar_value_read(struct reg_value *v, const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);

	return rd_reg_value(&r, v) && rd_done(&r);
}

/* --- the book --- */

static uint64_t body_of(const uint8_t *grant, const struct grant *g)
{
	uint8_t body[GRANT_MAX];
	struct wr w = wr_of(body, sizeof(body));

	(void)grant;
	wr_grant_body(&w, g);
	return sim_mix_bytes(1, body, wr_len(&w));
}

/* Where a majority decides one liar may be granted anything. */
void liar_wrong(struct ow_liar *l, const char *what)
{
	if (l->w->size.hardened)
		ow_wrong(l->w, what);
}

static bool is_asked_out(const struct ow_liar *l, const struct pubkey *who)
{
	size_t i = ow_person_of(l->w, who);

	return i < l->w->size.persons && l->asked_out >> i & 1;
}

/* Of members: who may be out, and what may they do? */
static void book_member(struct ow_liar *l, const struct grant *g)
{
	struct member_payload m;
	struct pubkey key;

	memcpy(key.b, g->name.b, KEY_LEN);
	if (!member_payload_read(&m, g->payload, g->payload_len))
		return;
	if (m.revoked && !is_asked_out(l, &key))
		liar_wrong(l, "a member was put out by nobody but a liar");
	if (m.rights & ~(uint32_t)RIGHT_KEEPER && !key_equal(&key, &l->w->person[0].pub))
		liar_wrong(l, "a liar gave a member rights");
}

static void book_list(struct ow_liar *l, const struct grant *g)
{
	struct revocation_payload p;

	if (!revocation_payload_read(&p, g->payload, g->payload_len))
		return;
	for (size_t i = 0; i < l->w->size.persons; i++)
		if (revocation_has(&p, &l->w->person[i].pub) && !(l->asked_out >> i & 1))
			liar_wrong(l, "a member was listed by nobody but a liar");
}

static void exclude(struct ow_liar *l, const struct liar_entry *a, const struct liar_entry *b)
{
	if (ballot_compare(&a->ballot, &b->ballot) == 0 && a->body != b->body)
		liar_wrong(l, "two values were granted under one ballot");
	if (liar_is_owned_kind(&a->name) && a->generation == b->generation &&
	    !key_equal(&a->owner, &b->owner))
		liar_wrong(l, "one generation was granted to two");
}

void liar_book(struct ow_liar *l, const uint8_t *b, size_t len)
{
	size_t n = l->booked < LIAR_BOOK ? l->booked : LIAR_BOOK;
	struct liar_entry e;
	struct grant g;

	if (!len || !grant_read(&g, b, len))
		return;
	e = (struct liar_entry){ .name = g.name, .ballot = g.ballot, .generation = g.generation,
				 .owner = g.owner, .body = body_of(b, &g) };
	for (size_t i = 0; i < n; i++) {
		if (!reg_name_equal(&l->book[i].name, &e.name))
			continue;
		if (l->book[i].body == e.body)
			return;
		exclude(l, &l->book[i], &e);
	}
	l->book[l->booked++ % LIAR_BOOK] = e;
	liar_keep_grant(l, b, len);
	if (g.name.kind == REG_MEMBER)
		book_member(l, &g);
	if (g.name.kind == REG_REVOCATION)
		book_list(l, &g);
}

/* --- what is granted to accomplices --- */

static void note(const struct ow_liar *l, uint8_t who, struct audit_note *n)
{
	struct ow_process *p = liar_friend_process(l, who);

	n->at = l->w->now;
	p->audit.note(p->audit.ctx, n);
}

void liar_deed_note(struct ow_liar *l, const struct reg_op *op, uint8_t who)
{
	struct liar_deed *d = &l->deed[l->deeds++ % LIAR_DEEDS];
	struct audit_note n = { .type = AUDIT_INVOKE, .id = DEED_ID + op->number, .name = &op->name,
				.verb = op->verb, .number = op->number };

	*d = (struct liar_deed){ .number = op->number, .at = l->w->now, .name = op->name,
				 .friend = who, .verb = op->verb };
	if (!liar_is_owned_kind(&op->name))
		return;
	note(l, who, &n);
	if (op->verb == OP_RELEASE || op->verb == OP_TRANSFER) {
		n = (struct audit_note){ .type = AUDIT_DROP, .name = &op->name };
		note(l, who, &n);
	}
}

static bool gave_up(const struct ow_liar *l, const struct liar_deed *d)
{
	for (size_t i = 0; i < LIAR_DEEDS; i++) {
		const struct liar_deed *x = &l->deed[i];

		if (x->number > d->number && x->friend == d->friend &&
		    (x->verb == OP_RELEASE || x->verb == OP_TRANSFER) &&
		    reg_name_equal(&x->name, &d->name))
			return true;
	}
	return false;
}

static void deed_done(struct ow_liar *l, struct liar_deed *d, const struct grant *g)
{
	struct audit_note n = { .type = AUDIT_OK, .id = DEED_ID + d->number, .name = &g->name,
				.number = g->generation };
	usec_t lease = SEC(g->lease) / PPM * (PPM - OW_PPM_MAX), end = d->at + lease;
	struct ow_process *p = liar_friend_process(l, d->friend);

	n.peer = g->state == REG_RELEASED ? NULL : &g->owner;
	d->done = g->generation;
	note(l, d->friend, &n);
	if ((d->verb != OP_CLAIM && d->verb != OP_RENEW) || gave_up(l, d) || end <= l->w->now)
		return;
	p->clock_from = 0; /* its clock is the world's: what is told is by it */
	p->clock_base = 0;
	p->clock_ppm = 0;
	n = (struct audit_note){ .type = AUDIT_HOLD, .name = &g->name, .number = g->generation,
				 .until = end };
	note(l, d->friend, &n);
}

void liar_shows(struct ow_liar *l, const struct grant *g, const uint8_t *b, size_t len)
{
	size_t who = ow_person_of(l->w, &g->owner);

	for (uint8_t i = 0; i < LIAR_FRIENDS; i++)
		if (who == l->friends[i] && g->name.kind == REG_ADDRESS)
			ow_net_say(liar_friend_process(l, i), liar_draw(l, l->w->rules.people),
				   OW_SERVICE_FRAME, rd_of(b, len));
}

void liar_granted(struct ow_liar *l, const struct liar_value *value, const uint8_t *b, size_t len)
{
	struct reg_value v;
	struct reg_op op;
	struct grant g;

	l->granted++;
	liar_book(l, b, len);
	if (!grant_read(&g, b, len))
		return;
	if (g.beacon > OW_WALL + l->w->now / PPM + l->w->rules.apart + SURE_AHEAD)
		liar_wrong(l, "a grant is of the future");
	if (!liar_is_owned_kind(&g.name))
		return;
	if (g.lease < l->w->settings.lease)
		liar_wrong(l, "a lease is shorter than was asked for");
	liar_shows(l, &g, b, len);
	if (!liar_value_read(&v, value->bytes, value->len) || !reg_op_read(&op, v.proof, v.proof_len))
		return;
	for (size_t i = 0; i < LIAR_DEEDS && i < l->deeds; i++) {
		struct liar_deed *d = &l->deed[i];

		if (d->number == op.number && key_equal(&op.signer, &liar_friend_key(l, d->friend)->pub) &&
		    !d->done)
			deed_done(l, d, &g);
	}
}
