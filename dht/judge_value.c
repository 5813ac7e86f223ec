/* judge_value.c - in a hardened set: is this value what a right operation makes of ours? See judge.c.
 *
 * An operation that a client signed comes along (`why`), or in a new era the grant of an earlier one
 * that somebody showed. It is applied to our own value, with our own clock, registers and ages; what
 * comes out must be what is offered, but for dates that depend on the proposer's clock. What keepers
 * derive carries neither and must follow from our own registers: a membership from a token that
 * counts the key, a member's end from its token's, an entry of the revocation list from a revoked
 * member, a renewal from the calendar. A register that we have never seen is no reason to refuse: it
 * is read first (JUDGE_FETCH). */
#include <assert.h>

#include "base/list.h"
#include "base/mutant.h"
#include "dht/judge.h"

struct trial {
	const struct judge_env *env;
	const struct judge_offer *o;
	struct change_world world;
	struct reg_name *need;
};

static uint64_t apart(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }

static bool same_bytes(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static uint64_t end_of(const struct reg_value *v)
{
	struct member_payload m;

	return v && member_payload_read(&m, v->payload, v->payload_len) ? m.not_after : 0;
}

/* Ends of memberships are the proposer's clock plus a constant. Of what others report it may be any
 * clock of the past: else what was half-written would never be known to come of anything again. But
 * nothing that is written makes a membership shorter. */
static bool end_fits(const struct judge_offer *o, uint64_t end, uint64_t made)
{
	return apart(end, made) <= 2 * JUDGE_CLOCKS_APART_HARDENED ||
	       (o->earlier && end < made && end >= end_of(o->old));
}

static bool same_member(const struct judge_offer *o, const struct reg_value *a,
			const struct reg_value *b)
{
	struct member_payload x, y;
	uint8_t buf[2][REG_PAYLOAD_MAX];
	struct wr w[2] = { wr_of(buf[0], sizeof(buf[0])), wr_of(buf[1], sizeof(buf[1])) };

	if (!member_payload_read(&x, a->payload, a->payload_len) ||
	    !member_payload_read(&y, b->payload, b->payload_len) ||
	    !end_fits(o, x.not_after, y.not_after))
		return false;
	x.not_after = y.not_after;
	wr_member_payload(&w[0], &x);
	wr_member_payload(&w[1], &y);
	return same_bytes(buf[0], wr_len(&w[0]), buf[1], wr_len(&w[1]));
}

/* The lease is to the second what the operation gets: if it could be shorter, a liar would end that of
 * an owner who goes by the grant before. While settings change, one waits for the other. */
static bool same_value(const struct judge_offer *o, const struct reg_value *made)
{
	const struct reg_value *v = o->new;

	if (v->state != made->state || v->generation != made->generation ||
	    v->number != made->number || !key_equal(&v->owner, &made->owner) ||
	    (v->lease != made->lease && !MUTANT(TAKES_LEASES)) ||
	    !same_bytes(v->proof, v->proof_len, made->proof, made->proof_len))
		return false;
	return o->name->kind == REG_MEMBER ?
		       same_member(o, v, made) :
		       same_bytes(v->payload, v->payload_len, made->payload, made->payload_len);
}

static enum judge_word fetch(const struct trial *t, const struct reg_name *name)
{
	struct reg_value v;

	if (t->env->value(t->env->ctx, name, &v))
		return JUDGE_REFUSE;
	*t->need = *name;
	return JUDGE_FETCH;
}

static enum judge_word fetch_member(const struct trial *t, const struct pubkey *key)
{
	struct reg_name name = reg_name_key(REG_MEMBER, key->b, KEY_LEN);

	return fetch(t, &name);
}

static enum judge_word try_change(const struct trial *t, const struct change *c)
{
	struct change_result r;

	change_apply(&r, c, &t->world, t->o->old, t->o->age);
	return r.status == REG_OK && !r.same && same_value(t->o, &r.value) ? JUDGE_TAKE :
									     JUDGE_REFUSE;
}

/* What a client or an admin signed. One whose signer we do not know may be known to the others. */
static enum judge_word by_operation(const struct trial *t)
{
	const struct judge_offer *o = t->o;
	struct change c = { .name = *o->name, .proof = o->why, .proof_len = o->why_len };
	struct reg_op op;

	if (!reg_op_read(&op, o->why, o->why_len) || op.verb == OP_READ ||
	    memcmp(op.nsid, t->env->nsid, NSID_LEN) != 0 || !reg_name_equal(&op.name, o->name) ||
	    !reg_op_verify(&op, o->why, o->why_len, t->env->crypto))
		return JUDGE_REFUSE;
	c.verb = op.verb;
	c.op = &op;
	if (t->env->allowed(t->env->ctx, &c) == REG_OK)
		return try_change(t, &c);
	if (fetch_member(t, &op.signer) == JUDGE_FETCH)
		return JUDGE_FETCH;
	return op.verb == OP_TRANSFER ? fetch_member(t, &op.heir) : JUDGE_REFUSE;
}

/* R13: what an earlier era granted, as its keepers signed it. */
static enum judge_word by_shown(const struct trial *t)
{
	const struct judge_offer *o = t->o;
	struct change c = { .verb = OP_RESTORE, .name = *o->name, .proof = o->why,
			    .proof_len = o->why_len };
	struct grant g;
	enum judge_word word;

	if (!grant_read(&g, o->why, o->why_len) || !reg_name_equal(&g.name, o->name))
		return JUDGE_REFUSE;
	word = t->env->shown(t->env->ctx, &g, o->why, o->why_len);
	if (word != JUDGE_TAKE)
		return word;
	c.shown = &g;
	return try_change(t, &c);
}

static enum judge_word by_what_came_along(const struct trial *t)
{
	struct reg_op op;

	return reg_op_read(&op, t->o->why, t->o->why_len) ? by_operation(t) : by_shown(t);
}

/* Revoked with its members, as an admin signed: of one that fell with a member, or was revoked alone,
 * the others stay. */
static bool takes_members(const struct trial *t, const uint8_t id[32])
{
	struct reg_name name = reg_name_key(REG_TOKEN, id, 32);
	struct token_payload p;
	struct reg_value v;

	return t->env->value(t->env->ctx, &name, &v) &&
	       token_payload_read(&p, v.payload, v.payload_len) && p.revoked &&
	       change_token_takes_members(&v);
}

/* A token falls with a member that came by it. */
static enum judge_word by_fallen_member(const struct trial *t)
{
	struct change c = { .verb = OP_TOKEN_REVOKE, .name = *t->o->name };
	struct member_payload m;
	struct pubkey key;
	size_t at = 0;

	while (t->env->member(t->env->ctx, &at, &key, &m))
		if (m.revoked && memcmp(m.token, t->o->name->b, sizeof(m.token)) == 0)
			return try_change(t, &c);
	return JUDGE_REFUSE;
}

static bool has_used(const struct token_payload *p, const struct pubkey *key)
{
	uint8_t who[16];

	token_use_hash(who, key);
	for (size_t i = 0; i < p->used; i++)
		if (memcmp(p->used_by[i], who, sizeof(who)) == 0)
			return true;
	return false;
}

/* The gift is our own token's; the host name is a hint that the joiner chose. That it counts a use does
 * not say when that was: what an admin has taken away since, it does not give back. */
static enum judge_word by_token(const struct trial *t, const struct member_payload *new)
{
	struct reg_name token = reg_name_key(REG_TOKEN, new->token, sizeof(new->token));
	struct change c = { .verb = OP_MEMBER_ENROL, .name = *t->o->name };
	struct token_payload p;
	struct reg_value v;
	struct pubkey key;

	memcpy(key.b, t->o->name->b, KEY_LEN);
	if (!t->env->value(t->env->ctx, &token, &v))
		return fetch(t, &token);
	if (!token_payload_read(&p, v.payload, v.payload_len) || p.revoked)
		return JUDGE_REFUSE;
	if (!has_used(&p, &key)) { /* we may have missed that it was used */
		*t->need = token;
		return JUDGE_FETCH;
	}
	c.member.rights = token_rights(&p, &key);
	c.member.groups = p.groups;
	c.member.ephemeral = p.ephemeral;
	memcpy(c.member.token, new->token, sizeof(c.member.token));
	memcpy(c.member.host, new->host, sizeof(c.member.host));
	c.again = true;
	return try_change(t, &c);
}

static enum judge_word member_derived(const struct trial *t)
{
	struct change renew = { .verb = OP_MEMBER_RENEW, .name = *t->o->name };
	struct change revoke = { .verb = OP_MEMBER_REVOKE, .name = *t->o->name };
	struct member_payload new;

	if (!member_payload_read(&new, t->o->new->payload, t->o->new->payload_len))
		return JUDGE_REFUSE;
	if (new.revoked)
		return takes_members(t, new.token) ? try_change(t, &revoke) : JUDGE_REFUSE;
	if (t->o->old && try_change(t, &renew) == JUDGE_TAKE)
		return JUDGE_TAKE;
	return sodium_is_zero(new.token, sizeof(new.token)) ? JUDGE_REFUSE : by_token(t, &new);
}

static bool is_listed(const struct reg_value *v, const struct node_id *who)
{
	struct revocation_payload p;

	if (!v || !revocation_payload_read(&p, v->payload, v->payload_len))
		return false;
	for (size_t i = 0; i < p.count; i++)
		if (id_equal(&p.who[i], who))
			return true;
	return false;
}

/* Exactly one is added, and it is a member that was revoked. One we do not know to be: wait. */
static enum judge_word list_derived(const struct trial *t)
{
	struct change c = { .verb = OP_REVOKE_ADD, .name = *t->o->name };
	struct member_payload m;
	struct pubkey key;
	size_t at = 0;

	while (t->env->member(t->env->ctx, &at, &key, &m)) {
		c.revoked = revoked_hash(&key);
		if (m.revoked && is_listed(t->o->new, &c.revoked) &&
		    !is_listed(t->o->old, &c.revoked))
			return try_change(t, &c);
	}
	return JUDGE_REFUSE;
}

static enum judge_word nothing_derived(const struct trial *t)
{
	(void)t;
	return JUDGE_REFUSE;
}

static enum judge_word (*const derived[])(const struct trial *t) = {
	[REG_ADDRESS] = nothing_derived,    [REG_HOST_NAME] = nothing_derived,
	[REG_TOKEN] = by_fallen_member,	    [REG_MEMBER] = member_derived,
	[REG_START] = nothing_derived,	    [REG_REVOCATION] = list_derived,
};

enum judge_word judge_value(const struct judge_env *env, const struct judge_offer *o,
			    struct reg_name *need)
{
	struct trial t = { .env = env, .o = o, .need = need };

	env->world(env->ctx, &t.world);
	if ((o->beacon > t.world.wall + JUDGE_CLOCKS_APART_HARDENED && !MUTANT(TAKES_DATES)) ||
	    o->name->kind >= ARRAY_LEN(derived) || !derived[o->name->kind])
		return JUDGE_REFUSE;
	if (MUTANT(TAKES_DERIVED) && !o->why_len)
		return JUDGE_TAKE;
	return o->why_len ? by_what_came_along(&t) : derived[o->name->kind](&t);
}
