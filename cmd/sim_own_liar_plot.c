/* sim_own_liar_plot.c - what a liar makes up and proposes.
 *
 * Values: those that it has heard, altered; those that operations make, of its accomplices or of
 * anybody, by the product's own change_apply in a world that allows everything; and what keepers
 * derive. Each is offered to some of the keepers under some ballot, two of them perhaps under one;
 * who signs is noted, and as soon as that is a quorum with the liars' own signatures there is a
 * grant. Keeper sets likewise. */
#include <string.h>

#include "base/list.h"
#include "cmd/sim_own_crypto.h"
#include "cmd/sim_own_liar_impl.h"
#include "dht/acceptor.h"
#include "dht/change.h"
#include "dht/vote.h"


/* --- what its accomplices sign --- */

/* Signed for the register as it seems to stand. Into l->why; bytes or 0. */
static size_t sign_op(struct ow_liar *l, const struct reg_name *name, const struct reg_value *old)
{
	static const uint8_t verbs[] = { OP_CLAIM, OP_CLAIM, OP_CLAIM, OP_CLAIM, OP_RENEW, OP_RELEASE,
					 OP_TRANSFER };
	uint8_t who = (uint8_t)liar_draw(l, LIAR_FRIENDS);
	struct reg_op op = { .name = *name, .number = ++l->next_number };
	size_t len;

	if (!liar_is_owned_kind(name))
		return 0;
	nsid_of(op.nsid, &l->w->root.pub);
	op.verb = verbs[liar_draw(l, ARRAY_LEN(verbs))];
	op.signer = liar_friend_key(l, who)->pub;
	op.deadline = liar_wall(l) + 500;
	if (op.verb == OP_TRANSFER) {
		op.heir = l->w->person[liar_draw(l, l->w->size.members)].pub;
		op.generation = old ? old->generation : 1;
	} else if (op.verb != OP_CLAIM && old && liar_lot(l, 500)) {
		op.generation = old->generation;
	}
	len = reg_op_write(l->why, sizeof(l->why), &op, &crypto_quick, liar_friend_key(l, who), NULL);
	if (len)
		liar_deed_note(l, &op, who);
	return len;
}

/* --- values --- */

static enum reg_status any_room(void *ctx, const struct pubkey *owner, const struct reg_name *name)
{
	(void)ctx, (void)owner, (void)name;
	return REG_OK;
}

static void no_prune(void *ctx, struct revocation_payload *list) { (void)ctx, (void)list; }

static size_t encode(struct ow_liar *l, const struct reg_value *v)
{
	struct wr w = wr_of(l->made, sizeof(l->made));

	wr_reg_value(&w, v);
	return wr_ok(&w) ? wr_len(&w) : 0;
}

static size_t apply(struct ow_liar *l, struct change *c, const struct reg_value *old)
{
	struct change_result r = { 0 };
	int self;
	const struct config *cf = liar_config(l, &self);
	struct change_world w = { .room = any_room, .prune = no_prune, .root = l->w->root.pub,
				  .wall = liar_wall(l), .lease_max = l->w->settings.lease };

	if (!cf)
		return 0;
	w.era = cf->era;
	w.epoch = cf->epoch;
	change_apply(&r, c, &w, old, UINT64_MAX);
	if (liar_lot(l, 30))
		r.value.lease = (uint32_t)liar_draw(l, 60);
	return r.status == REG_OK && !r.same ? encode(l, &r.value) : 0;
}

static size_t by_operation(struct ow_liar *l, const struct reg_name *name, const struct reg_value *old,
			   size_t len)
{
	struct change c = { .name = *name, .proof = l->why, .proof_len = len };
	struct reg_op op;

	if (!len || !reg_op_read(&op, l->why, len))
		return 0;
	c.verb = op.verb;
	c.op = &op;
	return apply(l, &c, old);
}

/* One that it has heard: perhaps withheld, perhaps of long ago. */
static size_t heard_op(struct ow_liar *l, const struct reg_name *name)
{
	size_t n = l->ops < LIAR_OPS ? l->ops : LIAR_OPS, at = liar_draw(l, n);
	struct reg_op op;

	for (size_t i = 0; i < n; i++) {
		const struct liar_op *o = &l->op[(at + i) % n];

		if (reg_op_read(&op, o->bytes, o->len) && reg_name_equal(&op.name, name)) {
			memcpy(l->why, o->bytes, o->len);
			return o->len;
		}
	}
	return 0;
}

static size_t derived(struct ow_liar *l, const struct reg_name *name, const struct reg_value *old)
{
	static const uint8_t verbs[] = { OP_MEMBER_REVOKE, OP_MEMBER_RENEW, OP_MEMBER_ENROL,
					 OP_TOKEN_REVOKE, OP_REVOKE_ADD };
	struct change c = { .verb = verbs[liar_draw(l, ARRAY_LEN(verbs))], .name = *name };
	size_t who = liar_draw(l, l->w->size.persons);

	if (name->kind == REG_TOKEN)
		c.verb = OP_TOKEN_REVOKE;
	else if (name->kind == REG_REVOCATION)
		c.verb = OP_REVOKE_ADD;
	else if (name->kind != REG_MEMBER || c.verb == OP_TOKEN_REVOKE || c.verb == OP_REVOKE_ADD)
		return 0;
	c.revoked = revoked_hash(&l->w->person[who].pub);
	c.member.rights = liar_lot(l, 500) ? RIGHTS_ALL : RIGHT_KEEPER;
	c.again = liar_lot(l, 500);
	for (size_t i = 0; i < l->names; i++)
		if (l->name[i].name.kind == REG_TOKEN && liar_lot(l, 700))
			memcpy(c.member.token, l->name[i].name.b, sizeof(c.member.token));
	return apply(l, &c, old);
}

static size_t altered(struct ow_liar *l, const struct reg_value *old)
{
	struct reg_value v = *old;

	switch (liar_draw(l, 7)) {
	case 0:
		v.generation++;
		break;
	case 1:
		v.generation -= v.generation > 1;
		break;
	case 2:
		v.owner = liar_friend_key(l, (uint8_t)liar_draw(l, LIAR_FRIENDS))->pub;
		break;
	case 3:
		v.state = v.state == REG_HELD ? REG_RELEASED : v.state;
		break;
	case 4:
		v.lease = (uint32_t)liar_draw(l, 100000);
		break;
	case 5:
		v.number += liar_draw(l, 1000);
		break;
	default:
		v.owner = liar_friend_key(l, 0)->pub;
		v.generation++;
		break;
	}
	return encode(l, &v);
}

size_t liar_make(struct ow_liar *l, const struct reg_name *name, size_t *why_len)
{
	const struct liar_value *base = liar_recall(l, name, liar_lot(l, 700));
	struct reg_value v, *old = base && liar_value_read(&v, base->bytes, base->len) ? &v : NULL;
	uint64_t what = liar_draw(l, 10);
	size_t len = 0;

	*why_len = 0;
	if (what < 5)
		*why_len = liar_is_owned_kind(name) && what < 4 ? sign_op(l, name, old) :
							     heard_op(l, name);
	if (*why_len)
		return by_operation(l, name, liar_lot(l, 850) ? old : NULL, *why_len);
	if (what == 5 && old)
		len = altered(l, old);
	else if (what == 6)
		len = derived(l, name, old);
	if (len || !l->values)
		return len;
	if (!base || liar_lot(l, 100)) /* another register's */
		base = &l->value[liar_draw(l, l->values < LIAR_VALUES ? l->values : LIAR_VALUES)];
	memcpy(l->made, base->bytes, base->len);
	return base->len;
}

/* --- rounds --- */

static struct vote vote_of(const struct liar_round *r, const uint8_t nsid[NSID_LEN])
{
	struct vote v = { .nsid = nsid, .name = &r->v.name, .ballot = r->v.ballot,
			  .beacon = r->v.beacon };

	liar_value_read(&v.value, r->v.bytes, r->v.len);
	return v;
}

/* Another set than the one that follows? */
static void successor_proven(struct ow_liar *l, const uint8_t *b, size_t len)
{
	struct config cf;

	l->granted++;
	if (!config_read_unproven(&cf, b, len, &l->w->root.pub, &crypto_quick))
		return;
	for (size_t i = 0; i < l->w->rules.people; i++) {
		const struct ow_process *p = &l->w->process[i];
		const struct config *known = p->regs ? regs_keepers(p->regs) : NULL;

		if (known && known->era == cf.era && known->epoch == cf.epoch &&
		    memcmp(known->hash, cf.hash, sizeof(cf.hash)) != 0)
			liar_wrong(l, "a liar has proofs of another successor");
	}
}

static void complete(struct ow_liar *l, struct liar_round *r)
{
	uint8_t proof[GRANT_MAX], nsid[NSID_LEN];
	int self;
	const struct config *cf = liar_config(l, &self);
	struct vote v;
	size_t len;

	if (r->used || !cf || r->v.ballot.era != cf->era || r->v.ballot.epoch != cf->epoch ||
	    (size_t)__builtin_popcount(r->signers) < cf->quorum)
		return;
	nsid_of(nsid, &l->w->root.pub);
	v = vote_of(r, nsid);
	r->used = true;
	len = vote_proof(proof, sizeof(proof), &v, r->signers,
			 (const uint8_t(*)[SIG_LEN])r->sigs);
	if (len && r->v.name.kind == REG_SUCCESSOR)
		successor_proven(l, proof, len);
	else if (len)
		liar_granted(l, &r->v, proof, len);
}

/* Whoever of them is a keeper. */
static void sign_all(struct ow_liar *l, const struct regmsg *m, struct liar_round *r)
{
	uint8_t speaker = l->person;
	int self;

	for (size_t i = 0; i < l->count; i++) {
		l->person = l->persons[i];
		if (!liar_config(l, &self))
			continue;
		liar_vote(l, m, r->sigs[self]);
		r->signers |= (uint8_t)(1u << self);
	}
	l->person = speaker;
}

void liar_offered(struct ow_liar *l, const struct regmsg *m)
{
	struct liar_round *r;
	struct reg_value v;
	int self;

	if (m->len > LIAR_VALUE_MAX || !liar_config(l, &self) || !liar_value_read(&v, m->bytes, m->len))
		return;
	r = &l->round[l->rounds++ % LIAR_ROUNDS];
	memset(r, 0, sizeof(*r));
	r->v = (struct liar_value){ .name = m->name, .ballot = m->ballot, .beacon = m->beacon,
				    .len = (uint32_t)m->len };
	memcpy(r->v.bytes, m->bytes, m->len);
	r->request = m->request;
	sign_all(l, m, r);
}

void liar_signed(struct ow_liar *l, const struct pubkey *by, const struct regmsg *m)
{
	int self;
	const struct config *cf = liar_config(l, &self);
	int at = cf ? config_member(cf, by) : -1;
	uint8_t nsid[NSID_LEN];

	if (at < 0 || m->status != REG_OK)
		return;
	nsid_of(nsid, &l->w->root.pub);
	for (size_t i = 0; i < LIAR_ROUNDS; i++) {
		struct liar_round *r = &l->round[i];
		struct vote v;

		if (!r->v.len || r->request != m->request)
			continue;
		v = vote_of(r, nsid);
		if (!vote_signed(&v, m->sig, &cf->members[at].epoch_key, &crypto_quick))
			continue;
		memcpy(r->sigs[at], m->sig, SIG_LEN);
		r->signers |= (uint8_t)(1u << at);
		complete(l, r);
	}
}

static void offer(struct ow_liar *l, const struct config *cf, struct regmsg *m, unsigned to)
{
	struct regmsg prepare = *m;

	prepare.type = REGMSG_PREPARE;
	m->type = REGMSG_ACCEPT;
	liar_offered(l, m);
	for (size_t i = 0; i < cf->count; i++) {
		if (!(to >> i & 1))
			continue;
		if (liar_lot(l, 500))
			liar_send(l, &cf->members[i].node, &prepare);
		liar_send(l, &cf->members[i].node, m);
	}
}

static struct regmsg round_new(struct ow_liar *l, const struct config *cf, int self,
			       const struct reg_name *name)
{
	struct liar_name *n = liar_name(l, name);
	struct regmsg m = { .request = ++l->next_request, .name = *name, .beacon = liar_wall(l) };

	m.ballot = (struct ballot){ cf->era, cf->epoch, n->counter + liar_draw(l, 4),
				    (uint8_t)self };
	if (liar_lot(l, 50))
		m.ballot.proposer = (uint8_t)liar_draw(l, cf->count);
	if (m.ballot.counter > n->counter)
		n->counter = m.ballot.counter;
	if (liar_lot(l, 200))
		m.beacon += liar_draw(l, liar_lot(l, 700) ? 90 : 100000) - 30;
	m.age = liar_lot(l, 300) ? UINT64_MAX : liar_lot(l, 500) ? liar_draw(l, 300) : 0;
	return m;
}

/* To some of them, or one thing to some and another to the rest, under one ballot. */
void liar_propose(struct ow_liar *l)
{
	int self;
	const struct config *cf = liar_config(l, &self);
	const struct reg_name name =
		l->name[liar_draw(l, liar_lot(l, 800) && l->names > 6 ? 6 : l->names)].name;
	bool two = liar_lot(l, 250);
	unsigned to = liar_lot(l, 600) ? 0xff : (unsigned)liar_draw(l, 256);
	struct regmsg m;

	if (!cf || name.kind == REG_SUCCESSOR)
		return;
	m = round_new(l, cf, self, &name);
	for (int i = 0; i <= two; i++, to = ~to) {
		m.len = liar_make(l, &name, &m.why_len);
		m.bytes = l->made;
		m.why = l->why;
		if (m.len && m.len <= LIAR_VALUE_MAX)
			offer(l, cf, &m, to);
		if (two && i == 0 && liar_lot(l, 500))
			to = (unsigned)liar_draw(l, 256);
	}
}

/* Itself and those that stand, and perhaps an accomplice, whom nobody plays. */
static void members(struct ow_liar *l, struct config *next)
{
	size_t at = liar_draw(l, l->entries);

	for (size_t i = 0; i < l->entries && next->count < KEEPERS_MAX; i++)
		if (liar_lot(l, 900))
			next->members[next->count++] = l->entry[(at + i) % l->entries];
	for (size_t i = 0; i < 1 + LIAR_FRIENDS && next->count < KEEPERS_MAX; i++) {
		size_t who = i ? l->friends[i - 1] : l->person;
		struct keeper k = { .node = l->w->person[who].pub, .incarnation = 1 + l->names,
				    .epoch_key = { { 1, (uint8_t)who, (uint8_t)l->next_request } } };

		if (!liar_lot(l, i ? 150 : 700))
			continue;
		keeper_certify(&k, next, &l->w->person[who], &crypto_quick);
		next->members[next->count++] = k;
	}
}

/* Of candidates that it has heard of, in any number. */
void liar_propose_successor(struct ow_liar *l)
{
	int self;
	const struct config *cf = liar_config(l, &self);
	struct config next = { .root = l->w->root.pub };
	struct reg_value v = { .state = REG_GOVERNED, .generation = 1, .owner = l->w->root.pub };
	uint8_t body[CONFIG_BODY_MAX];
	struct reg_name name;
	struct regmsg m;

	if (!cf || !l->entries || l->entry_at.era != cf->era || l->entry_at.epoch != cf->epoch)
		return;
	next.era = cf->era;
	next.epoch = cf->epoch + 1;
	memcpy(next.previous, cf->hash, sizeof(next.previous));
	members(l, &next);
	next.quorum = liar_lot(l, 700) ? regs_keeper_quorum(next.count, true) :
					 (uint8_t)(1 + liar_draw(l, next.count));
	v.payload = body;
	v.payload_len = config_body_write(body, sizeof(body), &next);
	if (!v.payload_len)
		return;
	name = acceptor_successor(cf->era, cf->epoch);
	m = round_new(l, cf, self, &name);
	m.len = encode(l, &v);
	m.bytes = l->made;
	offer(l, cf, &m, liar_lot(l, 500) ? 0xff : (unsigned)liar_draw(l, 256));
}

/* An accomplice asks an honest keeper, as anybody may; or shows a grant that it has. */
void liar_friend_acts(struct ow_liar *l)
{
	int self;
	const struct config *cf = liar_config(l, &self);
	const struct reg_name name = l->name[liar_draw(l, 6)].name;
	const struct liar_value *base = liar_recall(l, &name, true);
	struct regmsg m = { .type = REGMSG_OPERATION, .request = ++l->next_request };
	size_t n = l->grants < LIAR_GRANTS ? l->grants : LIAR_GRANTS;
	struct reg_value v, *old = base && liar_value_read(&v, base->bytes, base->len) ? &v : NULL;
	struct grant g;

	if (n && liar_lot(l, 600)) {
		const struct liar_bytes *b = &l->grant[liar_draw(l, n)];

		if (grant_read(&g, b->bytes, b->len))
			liar_shows(l, &g, b->bytes, b->len);
		return;
	}
	m.len = cf ? sign_op(l, &name, old) : 0;
	m.bytes = l->why;
	nsid_of(m.nsid, &l->w->root.pub);
	m.len = m.len ? regmsg_write(l->out, sizeof(l->out), &m) : 0;
	if (m.len)
		ow_net_say(liar_friend_process(l, l->deed[(l->deeds - 1) % LIAR_DEEDS].friend),
			   ow_person_of(l->w, &cf->members[liar_draw(l, cf->count)].node),
			   REGS_SERVICE_REGISTER, rd_of(l->out, m.len));
}
