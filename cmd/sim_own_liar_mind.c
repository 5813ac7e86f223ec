/* sim_own_liar_mind.c - what liars hear and remember: values, operations, grants, candidates.
 *
 * Everything is kept in rings, the oldest is forgotten first. */
#include <string.h>

#include "cmd/sim_own_liar_impl.h"
#include "dht/bundle.h"
#include "dht/entry.h"
#include "dht/membermsg.h"

struct liar_name *liar_name(struct ow_liar *l, const struct reg_name *name)
{
	struct liar_name *n;

	for (size_t i = 0; i < l->names; i++)
		if (reg_name_equal(&l->name[i].name, name))
			return &l->name[i];
	n = l->names < LIAR_NAMES ? &l->name[l->names++] : &l->name[liar_draw(l, LIAR_NAMES)];
	*n = (struct liar_name){ .name = *name };
	return n;
}

static void keep_value(struct ow_liar *l, const struct liar_value *head, const uint8_t *b, size_t len)
{
	struct liar_value *v = &l->value[l->values++ % LIAR_VALUES];

	*v = *head;
	v->len = (uint32_t)len;
	memcpy(v->bytes, b, len);
}

/* The highest ballot, or any. */
const struct liar_value *liar_recall(struct ow_liar *l, const struct reg_name *name, bool newest)
{
	size_t n = l->values < LIAR_VALUES ? l->values : LIAR_VALUES, at = liar_draw(l, n);
	const struct liar_value *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct liar_value *v = &l->value[(at + i) % n];

		if (!reg_name_equal(&v->name, name))
			continue;
		if (!newest)
			return v;
		if (!best || ballot_compare(&v->ballot, &best->ballot) > 0)
			best = v;
	}
	return best;
}

void liar_keep_op(struct ow_liar *l, const uint8_t *b, size_t len)
{
	struct reg_op op;
	struct liar_op *o;

	if (!len || len > LIAR_OP_MAX || !reg_op_read(&op, b, len) || op.verb == OP_READ)
		return;
	for (size_t i = 0; i < LIAR_OPS; i++)
		if (l->op[i].len == len && memcmp(l->op[i].bytes, b, len) == 0)
			return;
	o = &l->op[l->ops++ % LIAR_OPS];
	o->len = (uint32_t)len;
	memcpy(o->bytes, b, len);
	liar_name(l, &op.name);
}

void liar_keep_grant(struct ow_liar *l, const uint8_t *b, size_t len)
{
	struct liar_bytes *g;

	if (!len || len > LIAR_GRANT_MAX)
		return;
	g = &l->grant[l->grants++ % LIAR_GRANTS];
	g->len = (uint32_t)len;
	memcpy(g->bytes, b, len);
}

static void hear_value(struct ow_liar *l, const struct liar_value *head, const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);
	struct reg_value v;
	struct liar_name *n = liar_name(l, &head->name);

	if (head->ballot.counter > n->counter)
		n->counter = head->ballot.counter;
	if (!len || len > LIAR_VALUE_MAX || !rd_reg_value(&r, &v) || !rd_done(&r))
		return;
	liar_keep_op(l, v.proof, v.proof_len);
	keep_value(l, head, b, len);
}

static void hear_cells(struct ow_liar *l, const struct regmsg *m)
{
	struct rd r = rd_of(m->bytes, m->len);
	struct acceptor_entry e;

	if (!acceptor_entries_read(r))
		return;
	while (rd_left(&r) && rd_acceptor_entry(&r, &e)) {
		struct liar_value head = { .name = e.name, .ballot = e.accepted,
					   .beacon = e.beacon };

		hear_value(l, &head, e.value.p, rd_left(&e.value));
	}
}

static void hear_candidate(struct ow_liar *l, const struct pubkey *from, const struct regmsg *m)
{
	struct keeper e = m->entry;

	e.node = *from;
	if (l->entry_at.epoch != m->at.epoch || l->entry_at.era != m->at.era)
		l->entries = 0;
	l->entry_at = m->at;
	for (size_t i = 0; i < l->entries; i++)
		if (key_equal(&l->entry[i].node, from)) {
			l->entry[i] = e;
			return;
		}
	if (l->entries < KEEPERS_MAX)
		l->entry[l->entries++] = e;
	if (liar_lot(l, 100) && liar_lies(l, LIE_SUCCESSOR))
		liar_propose_successor(l);
}

static void hear(struct ow_liar *l, const struct pubkey *from, const struct regmsg *m)
{
	struct liar_value head = { .name = m->name, .ballot = m->ballot, .beacon = m->beacon };

	switch (m->type) {
	case REGMSG_OPERATION:
		liar_keep_op(l, m->bytes, m->len);
		break;
	case REGMSG_RESULT:
		liar_book(l, m->bytes, m->len);
		break;
	case REGMSG_PREPARE:
		hear_value(l, &head, NULL, 0);
		break;
	case REGMSG_ACCEPT:
		liar_keep_op(l, m->why, m->why_len);
		hear_value(l, &head, m->bytes, m->len);
		break;
	case REGMSG_ACCEPTED:
		liar_signed(l, from, m);
		break;
	case REGMSG_CANDIDATE:
		hear_candidate(l, from, m);
		break;
	case REGMSG_CELLS:
		hear_cells(l, m);
		break;
	default:
		break;
	}
	if (liar_lot(l, l->at_once))
		liar_answers(l, from, m);
}

static void hear_member(struct ow_liar *l, const uint8_t *msg, size_t len)
{
	struct membermsg m;

	if (!membermsg_read(&m, msg, len))
		return;
	liar_keep_op(l, m.op.p, m.op.len);
	liar_keep_grant(l, m.membership.p, m.membership.len);
	liar_keep_grant(l, m.revocations.p, m.revocations.len);
}

void ow_liar_hears(struct ow_process *p, const struct ow_packet *k)
{
	struct ow_liar *l = p->w->liar;
	const struct pubkey *from = &p->w->person[p->w->process[k->from].person].pub;
	const uint8_t *part = k->bytes;
	uint8_t nsid[NSID_LEN];
	size_t len = k->len;
	struct regmsg m;
	struct bundle b;

	if (!ow_liar_is(p))
		return;
	l->person = (uint8_t)p->index;
	if (k->service == REGS_SERVICE_MEMBER)
		hear_member(l, k->bytes, k->len);
	if (k->service != REGS_SERVICE_REGISTER)
		return;
	nsid_of(nsid, &p->w->root.pub);
	if (!bundle_open(&b, k->bytes, k->len, nsid)) {
		if (regmsg_read(&m, part, len))
			hear(l, from, &m);
		return;
	}
	while (bundle_next(&b, &part, &len))
		if (regmsg_read(&m, part, len))
			hear(l, from, &m);
}
