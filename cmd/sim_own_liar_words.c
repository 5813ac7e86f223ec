/* sim_own_liar_words.c - words of a liar: what its keeper says, altered, and what it answers by itself.
 *
 * One function a type of message; each alters one thing or a few. Everything is encoded again by the
 * product's own writers, so that it is well-formed: what is malformed is the business of the fuzzers. */
#include <string.h>

#include "base/list.h"
#include "cmd/sim_own_crypto.h"
#include "cmd/sim_own_liar_impl.h"
#include "dht/entry.h"
#include "dht/membermsg.h"

static uint64_t some_time(struct ow_liar *l, uint64_t from)
{
	switch (liar_draw(l, 6)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return from + liar_draw(l, 120);
	case 3:
		return from - liar_draw(l, 120);
	case 4:
		return liar_wall(l) + liar_draw(l, 700);
	default:
		return liar_draw(l, 1000);
	}
}

static void twist_ballot(struct ow_liar *l, struct ballot *b)
{
	switch (liar_draw(l, 7)) {
	case 0:
		b->counter++;
		break;
	case 1:
		b->counter -= b->counter > 0;
		break;
	case 2:
		b->counter += 1 + liar_draw(l, 1000);
		break;
	case 3:
		b->counter += UINT64_C(1) << 31;
		break;
	case 4:
		b->proposer = (uint8_t)liar_draw(l, KEEPERS_MAX);
		break;
	case 5:
		b->epoch += (uint32_t)liar_draw(l, 3) - 1;
		break;
	default:
		*b = (struct ballot){ .proposer = liar_lot(l, 500) ? BALLOT_UNKNOWN : 0 };
		break;
	}
}

/* Something else about this register. False: nothing could be made. */
static bool other_value(struct ow_liar *l, struct regmsg *m, const struct reg_name *name)
{
	size_t why_len, len = liar_make(l, name, &why_len);

	if (!len)
		return false;
	m->bytes = l->made;
	m->len = len;
	m->why = l->why;
	m->why_len = why_len;
	return true;
}

/* Of which register a PROMISE speaks is known to who asked; one of those being asked about is likely. */
static const struct reg_name *some_name(struct ow_liar *l)
{
	return &l->name[liar_draw(l, liar_lot(l, 800) && l->names > 6 ? 6 : l->names)].name;
}

static void refuse(struct ow_liar *l, struct regmsg *m)
{
	static const uint8_t status[] = { REG_BUSY, REG_BUSY, REG_BUSY, REG_OTHER_EPOCH, REG_REFUSED };

	m->status = status[liar_draw(l, ARRAY_LEN(status))];
	m->ballot.counter += liar_lot(l, 300) ? liar_draw(l, UINT64_C(1) << 33) : liar_draw(l, 4);
}

static bool twist_promise(struct ow_liar *l, struct regmsg *m)
{
	switch (liar_draw(l, 8)) {
	case 0:
		refuse(l, m);
		break;
	case 1:
		twist_ballot(l, &m->accepted);
		break;
	case 2:
		m->age = some_time(l, m->age);
		break;
	case 3:
		m->beacon = some_time(l, m->beacon);
		break;
	case 4:
		m->len = 0;
		m->accepted = (struct ballot){ .proposer = liar_lot(l, 500) ? BALLOT_UNKNOWN : 0 };
		break;
	case 5:
		return false;
	default:
		m->status = REG_OK;
		other_value(l, m, some_name(l));
		m->accepted = m->ballot;
		m->accepted.counter -= liar_draw(l, 3);
		m->age = some_time(l, m->age);
		break;
	}
	return true;
}

static bool twist_accepted(struct ow_liar *l, struct regmsg *m)
{
	switch (liar_draw(l, 4)) {
	case 0:
		refuse(l, m);
		break;
	case 1:
		m->sig[0] ^= 1;
		break;
	case 2:
		twist_ballot(l, &m->ballot);
		break;
	default:
		return false;
	}
	return true;
}

static bool twist_prepare(struct ow_liar *l, struct regmsg *m)
{
	twist_ballot(l, &m->ballot);
	return true;
}

static bool twist_accept(struct ow_liar *l, struct regmsg *m)
{
	switch (liar_draw(l, 6)) {
	case 0:
		twist_ballot(l, &m->ballot);
		break;
	case 1:
		m->age = some_time(l, m->age);
		break;
	case 2:
		m->beacon = some_time(l, m->beacon);
		break;
	case 3:
		m->why_len = 0;
		break;
	default:
		other_value(l, m, &m->name);
		break;
	}
	return true;
}

static bool twist_stand(struct ow_liar *l, struct regmsg *m)
{
	size_t at = liar_draw(l, m->planned_count);

	m->planned[at] = l->w->person[liar_draw(l, l->w->size.members)].pub;
	return true;
}

static bool twist_candidate(struct ow_liar *l, struct regmsg *m)
{
	if (liar_lot(l, 300))
		m->behind = some_time(l, 0);
	else
		m->entry.epoch_key.b[0] ^= (uint8_t)liar_draw(l, 256);
	return !liar_lot(l, 100);
}

static bool twist_pull(struct ow_liar *l, struct regmsg *m)
{
	m->position = some_time(l, m->position);
	return true;
}

static void wr_entry(struct wr *w, const struct acceptor_entry *e)
{
	wr_reg_name(w, &e->name);
	wr_ballot(w, &e->accepted);
	wr_u64(w, e->age);
	wr_u64(w, e->beacon);
	wr_block(w, e->value.p, rd_left(&e->value));
}

/* What it shows of one register to who copies. False: it leaves it out. */
static bool twist_entry(struct ow_liar *l, struct acceptor_entry *e)
{
	size_t why_len, len;

	switch (liar_draw(l, 8)) {
	case 0:
		return false;
	case 1:
		e->age = some_time(l, e->age);
		break;
	case 2:
		e->beacon = some_time(l, e->beacon);
		break;
	case 3:
		e->accepted.counter += liar_draw(l, UINT64_C(1) << 31);
		break;
	case 4:
		e->accepted = (struct ballot){ .proposer = BALLOT_UNKNOWN };
		e->value = rd_of(NULL, 0);
		e->age = e->beacon = 0;
		break;
	default:
		len = liar_make(l, &e->name, &why_len);
		if (!len)
			break;
		e->value = rd_of(l->made, len);
		e->accepted.counter += liar_draw(l, 1000);
		e->age = some_time(l, e->age);
		break;
	}
	return true;
}

static bool twist_cells(struct ow_liar *l, struct regmsg *m)
{
	struct wr out = wr_of(l->cells, COPY_ENTRIES_MAX);
	struct rd r = rd_of(m->bytes, m->len);
	struct acceptor_entry e;

	if (liar_lot(l, 100))
		m->state.sealed = !m->state.sealed;
	if (liar_lot(l, 100))
		m->state.position = m->upto = some_time(l, m->upto);
	while (rd_left(&r) && rd_acceptor_entry(&r, &e))
		if (!liar_lot(l, 300) || twist_entry(l, &e))
			wr_entry(&out, &e);
	if (!wr_ok(&out))
		return false;
	m->bytes = l->cells;
	m->len = wr_len(&out);
	return true;
}

static bool twist_state(struct ow_liar *l, struct regmsg *m)
{
	switch (liar_draw(l, 5)) {
	case 0:
		m->state.sealed = !m->state.sealed;
		break;
	case 1:
		m->state.position = some_time(l, m->state.position);
		break;
	case 2:
		m->state.served.epoch += (uint32_t)liar_draw(l, 3) - 1;
		break;
	case 3:
		m->at.epoch += (uint32_t)liar_draw(l, 3);
		break;
	default:
		m->state.behind = some_time(l, m->state.behind);
		break;
	}
	return true;
}

/* Forged as far as it can: what stands in it is signed by others. REVOKED and SUPERSEDED would only
 * end a client. */
static bool twist_result(struct ow_liar *l, struct regmsg *m)
{
	static const uint8_t status[] = { REG_OK, REG_OK, REG_OK, REG_OWNED, REG_REFUSED, REG_QUOTA,
					  REG_OLD, REG_EXPIRED, REG_UNKNOWN, REG_BUSY, REG_FULL };
	size_t n = l->grants < LIAR_GRANTS ? l->grants : LIAR_GRANTS;

	m->status = status[liar_draw(l, ARRAY_LEN(status))];
	m->holder = l->w->person[liar_draw(l, l->w->size.members)].pub;
	m->hint = ip_v4((10u << 24 | 7u << 16 | 2) + (uint32_t)liar_draw(l, 5));
	m->len = 0;
	if (n && liar_lot(l, 700)) {
		const struct liar_bytes *g = &l->grant[liar_draw(l, n)];

		m->bytes = g->bytes;
		m->len = g->len;
	}
	return true;
}

static const struct {
	bool (*twist)(struct ow_liar *l, struct regmsg *m);
	enum liar_kind kind;
} types[REGMSG_TYPE_COUNT] = {
	[REGMSG_RESULT] = { twist_result, LIE_ANSWER },
	[REGMSG_PREPARE] = { twist_prepare, LIE_PROPOSAL },
	[REGMSG_PROMISE] = { twist_promise, LIE_REPORT },
	[REGMSG_ACCEPT] = { twist_accept, LIE_PROPOSAL },
	[REGMSG_ACCEPTED] = { twist_accepted, LIE_VOTE },
	[REGMSG_STAND] = { twist_stand, LIE_STANDING },
	[REGMSG_CANDIDATE] = { twist_candidate, LIE_STANDING },
	[REGMSG_PULL] = { twist_pull, LIE_STANDING },
	[REGMSG_CELLS] = { twist_cells, LIE_COPY },
	[REGMSG_STATE] = { twist_state, LIE_STATE },
};

bool liar_twist(struct ow_liar *l, struct regmsg *m)
{
	if (!types[m->type].twist || !liar_lies(l, types[m->type].kind))
		return true;
	return types[m->type].twist(l, m);
}

/* --- answers of its own --- */

static struct key_pair epoch_key(const struct config *cf, int self)
{
	struct key_pair k = { .pub = cf->members[self].epoch_key };

	memcpy(k.secret + SEED_LEN, k.pub.b, KEY_LEN); /* all that crypto_quick needs */
	return k;
}

/* Its own signature under whatever it is shown. */
void liar_vote(struct ow_liar *l, const struct regmsg *accept, uint8_t sig[SIG_LEN])
{
	struct rd r = rd_of(accept->bytes, accept->len);
	uint8_t body[GRANT_MAX], nsid[NSID_LEN];
	struct wr w = wr_of(body, sizeof(body));
	struct reg_value v;
	struct key_pair k;
	struct grant g;
	int self;
	const struct config *cf = liar_config(l, &self);

	memset(sig, 0, SIG_LEN);
	if (!cf || !rd_reg_value(&r, &v))
		return;
	k = epoch_key(cf, self);
	if (accept->name.kind == REG_SUCCESSOR) {
		struct config_choice c = { v.payload, v.payload_len, accept->ballot };

		config_sign(sig, &c, &k, &crypto_quick);
		return;
	}
	nsid_of(nsid, &l->w->root.pub);
	g = grant_of(nsid, &accept->name, &v);
	g.ballot = accept->ballot;
	g.beacon = accept->beacon;
	wr_grant_body(&w, &g);
	if (wr_ok(&w))
		crypto_quick.sign(sig, &k, GRANT_LABEL, body, wr_len(&w));
}

static void promise_anything(struct ow_liar *l, const struct pubkey *from, const struct regmsg *m)
{
	struct regmsg a = { .type = REGMSG_PROMISE, .request = m->request, .ballot = m->ballot };
	const struct liar_value *v = liar_recall(l, &m->name, liar_lot(l, 300));

	if (!liar_lies(l, LIE_REPORT))
		return;
	if (liar_lot(l, 500) && other_value(l, &a, &m->name)) {
		a.accepted = m->ballot;
		a.accepted.counter -= 1 + liar_draw(l, 2);
		a.beacon = liar_wall(l) - liar_draw(l, 90);
		a.age = some_time(l, liar_draw(l, 200));
	} else if (v && liar_lot(l, 700)) {
		a.accepted = v->ballot;
		a.beacon = v->beacon;
		a.age = some_time(l, 0);
		a.bytes = v->bytes;
		a.len = v->len;
	} else if (liar_lot(l, 300)) {
		refuse(l, &a);
	}
	liar_send(l, from, &a);
}

static void sign_anything(struct ow_liar *l, const struct pubkey *from, const struct regmsg *m)
{
	struct regmsg a = { .type = REGMSG_ACCEPTED, .request = m->request, .ballot = m->ballot };

	if (!liar_lies(l, LIE_VOTE))
		return;
	liar_vote(l, m, a.sig);
	liar_send(l, from, &a);
}

static void answer_anything(struct ow_liar *l, const struct pubkey *from, const struct regmsg *m)
{
	struct regmsg a = { .type = REGMSG_RESULT, .request = m->request };

	if (!liar_lies(l, LIE_ANSWER))
		return;
	twist_result(l, &a);
	liar_send(l, from, &a);
}

void liar_answers(struct ow_liar *l, const struct pubkey *from, const struct regmsg *m)
{
	if (m->type == REGMSG_PREPARE)
		promise_anything(l, from, m);
	else if (m->type == REGMSG_ACCEPT)
		sign_anything(l, from, m);
	else if (m->type == REGMSG_OPERATION)
		answer_anything(l, from, m);
}

/* --- to members: older news, or none. An ENROLLED of yesterday would deceive nobody but who asks. --- */

size_t liar_twist_member(struct ow_liar *l, const uint8_t *msg, size_t len)
{
	size_t n = l->grants < LIAR_GRANTS ? l->grants : LIAR_GRANTS;
	const struct liar_bytes *g = n ? &l->grant[liar_draw(l, n)] : NULL;
	struct membermsg m;

	if (!membermsg_read(&m, msg, len) || !liar_lies(l, LIE_MEMBER))
		return 0;
	if (m.type == MEMBERMSG_UPDATE) {
		if (liar_lot(l, 500))
			m.revocations.len = 0;
		if (g && liar_lot(l, 500))
			m.membership = (struct membermsg_block){ g->bytes, g->len };
		if (liar_lot(l, 300))
			m.config.len = 0;
	} else if (m.type == MEMBERMSG_SYNC) {
		m.held.epoch += (uint32_t)liar_draw(l, 3) - 1;
		m.held.revocations = liar_draw(l, 3);
	} else if (m.type == MEMBERMSG_CHAIN && m.shown_count) {
		m.shown_count = (uint8_t)liar_draw(l, m.shown_count);
	}
	return membermsg_write(l->out, sizeof(l->out), &m);
}
