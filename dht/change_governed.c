/* change_governed.c - registers whose changes the keepers check themselves: tokens, members, the
 * revocation list. docs/protocol.md 8.8; DESIGN of membership as registers.
 *
 * What an admin signed stays in the value as its proof while keepers count uses and renew. Every
 * change raises the generation. Counting a use is a set insertion, so that a repeated enrolment of
 * one key costs one use. */
#include "dht/change.h"

#include <errno.h>

#include "base/mutant.h"

/* A new governed value with the payload that `w` wrote into t->r->payload. */
static void govern(struct turn *t, const struct pubkey *owner, const struct wr *w)
{
	const struct reg_value *old = t->old;
	struct reg_value *v = &t->r->value;

	if (!wr_ok(w)) {
		turn_status(t, REG_FULL);
		return;
	}
	t->r->status = REG_OK;
	t->r->holder = *owner;
	*v = (struct reg_value){ .state = REG_GOVERNED, .owner = *owner };
	v->generation = turn_next_generation(t);
	v->payload = t->r->payload;
	v->payload_len = wr_len(w);
	if (old) {
		v->number = old->number;
		v->proof = old->proof;
		v->proof_len = old->proof_len;
	}
	if (t->c->op && t->c->verb != OP_TOKEN_USE) {
		v->number = t->c->op->number > v->number ? t->c->op->number : v->number;
		v->proof = t->c->proof;
		v->proof_len = t->c->proof_len <= REG_PROOF_MAX ? t->c->proof_len : 0;
	}
}

static struct wr payload_room(struct turn *t)
{
	return wr_of(t->r->payload, sizeof(t->r->payload));
}

/* The old payload; false = status set to UNKNOWN (or MALFORMED, which nobody could have written). */
static bool token_old(struct turn *t, struct token_payload *p)
{
	if (!t->old) {
		turn_status(t, REG_UNKNOWN);
		return false;
	}
	if (token_payload_read(p, t->old->payload, t->old->payload_len))
		return true;
	turn_status(t, REG_MALFORMED);
	return false;
}

static bool member_old(struct turn *t, struct member_payload *p)
{
	if (!t->old) {
		turn_status(t, REG_UNKNOWN);
		return false;
	}
	if (member_payload_read(p, t->old->payload, t->old->payload_len))
		return true;
	turn_status(t, REG_MALFORMED);
	return false;
}

static void token_set(struct turn *t, const struct pubkey *owner, const struct token_payload *p)
{
	struct wr w = payload_room(t);

	wr_token_payload(&w, p);
	govern(t, owner, &w);
}

static struct pubkey key_of(const struct reg_name *name)
{
	struct pubkey key;

	memcpy(key.b, name->b, KEY_LEN);
	return key;
}

static void member_set(struct turn *t, struct member_payload *p)
{
	struct pubkey owner = key_of(&t->c->name);
	struct wr w = payload_room(t);

	p->serial++;
	wr_member_payload(&w, p);
	govern(t, &owner, &w);
}

static uint64_t member_end(const struct turn *t, const struct member_payload *p)
{
	return t->w->wall + (p->ephemeral ? MEMBER_SECONDS_EPHEMERAL : MEMBER_SECONDS);
}

/* A repetition whose bytes were too long to be kept as proof: the same but for the uses. */
static bool is_same_token(const struct turn *t, const struct token_payload *new)
{
	struct token_payload old;

	if (t->old->number != t->c->op->number || !key_equal(&t->old->owner, &t->c->op->signer) ||
	    !token_payload_read(&old, t->old->payload, t->old->payload_len))
		return false;
	old.used = 0;
	memset(old.used_by, 0, sizeof(old.used_by));
	return old.uses == new->uses && old.expires == new->expires && !old.revoked &&
	       old.ephemeral == new->ephemeral && old.rights == new->rights && old.keepers == new->keepers &&
	       memcmp(&old.groups, &new->groups, sizeof(old.groups)) == 0;
}

void change_token_create(struct turn *t)
{
	struct token_payload p;

	if (!token_payload_read(&p, t->c->op->payload, t->c->op->payload_len) || p.used ||
	    p.revoked)
		turn_status(t, REG_MALFORMED);
	else if (t->old && is_same_token(t, &p))
		turn_same(t);
	else if (t->old)
		turn_status(t, REG_OWNED);
	else if (p.expires <= t->w->wall)
		turn_status(t, REG_EXPIRED);
	else
		token_set(t, &t->c->op->signer, &p);
}

static bool has_used(const struct token_payload *p, const uint8_t who[16])
{
	for (size_t i = 0; i < p->used; i++)
		if (memcmp(p->used_by[i], who, 16) == 0)
			return true;
	return false;
}

void change_token_use(struct turn *t)
{
	struct token_payload p;
	uint8_t who[16];

	if (!token_old(t, &p))
		return;
	token_use_hash(who, &t->c->op->signer);
	if (MUTANT(FREE_TOKEN))
		p.used = 0;
	if (p.revoked && !MUTANT(REVOKED_ENROLS)) {
		turn_status(t, REG_REVOKED);
	} else if (has_used(&p, who)) {
		turn_same(t);
	} else if (t->w->wall >= p.expires) {
		turn_status(t, REG_EXPIRED);
		t->r->detail = p.expires;
	} else if (p.used >= p.uses) {
		turn_status(t, REG_USED_UP);
	} else {
		memcpy(p.used_by[p.used++], who, sizeof(who));
		token_set(t, &t->old->owner, &p);
	}
}

/* Of an operation as it stands in the register, or on its way there. */
static bool means_members(const struct reg_op *op)
{
	return op->verb == OP_TOKEN_REVOKE && op->payload_len == 1 && op->payload[0];
}

bool change_token_takes_members(const struct reg_value *token)
{
	struct reg_op op;

	return reg_op_read(&op, token->proof, token->proof_len) && means_members(&op);
}

/* Once revoked, it is written again only to say that its members go too. */
void change_token_revoke(struct turn *t)
{
	struct token_payload p;

	if (!token_old(t, &p))
		return;
	if (p.revoked && !(t->c->op && means_members(t->c->op) &&
			   !change_token_takes_members(t->old))) {
		turn_same(t);
	} else { /* for good, so never too late: whatever numbers other admins have used */
		p.revoked = true;
		token_set(t, &t->old->owner, &p);
	}
}

/* Both sets; false = too many groups. */
static bool groups_join(struct reg_groups *to, const struct reg_groups *from)
{
	for (size_t i = 0; i < from->count; i++) {
		if (reg_groups_has(to, from->name[i]))
			continue;
		if (to->count >= REG_GROUPS_MAX)
			return false;
		memcpy(to->name[to->count++], from->name[i], sizeof(to->name[0]));
	}
	return true;
}

/* A second token of an unrevoked member adds to what it has; the same one changes nothing. */
static void member_join(struct turn *t, struct member_payload *p)
{
	const struct member_payload *gift = &t->c->member;

	if (MUTANT(REVOKED_ENROLS))
		p->revoked = false;
	p->rights |= gift->rights;
	p->ephemeral = p->ephemeral && gift->ephemeral;
	memcpy(p->token, gift->token, sizeof(p->token));
	memcpy(p->host, gift->host, sizeof(p->host));
	p->not_after = member_end(t, p);
	if (groups_join(&p->groups, &gift->groups))
		member_set(t, p);
	else
		turn_status(t, REG_FULL);
}

/* Has the right to be here, and keeps what an admin has made of it since. */
static void member_stay(struct turn *t, struct member_payload *p)
{
	if (p->not_after > t->w->wall) {
		turn_same(t);
		return;
	}
	p->not_after = member_end(t, p);
	member_set(t, p);
}

void change_member_enrol(struct turn *t)
{
	struct member_payload p = t->c->member;

	if (!t->old) {
		p.serial = 0;
		p.not_after = member_end(t, &p);
		member_set(t, &p);
	} else if (!member_old(t, &p)) {
		return;
	} else if (p.revoked && !MUTANT(REVOKED_ENROLS)) {
		turn_status(t, REG_REVOKED);
	} else if (!p.revoked && memcmp(p.token, t->c->member.token, sizeof(p.token)) == 0 &&
		   p.not_after > t->w->wall) {
		turn_same(t);
	} else if (!p.revoked && t->c->again && t->old->number) {
		member_stay(t, &p);
	} else {
		member_join(t, &p);
	}
}

/* Also makes a member without a token. Rights and groups are the admin's word, the rest is ours. */
void change_member_set(struct turn *t)
{
	struct member_payload p = { .serial = 0 }, new;

	if (!member_payload_read(&new, t->c->op->payload, t->c->op->payload_len)) {
		turn_status(t, REG_MALFORMED);
		return;
	}
	if (t->old && !member_old(t, &p))
		return;
	if (p.revoked) {
		turn_status(t, REG_REVOKED);
		return;
	}
	if (!turn_is_newer(t))
		return;
	if (new.host[0])
		memcpy(p.host, new.host, sizeof(p.host));
	p.rights = new.rights;
	p.groups = new.groups;
	p.not_after = member_end(t, &p);
	member_set(t, &p);
}

void change_member_renew(struct turn *t)
{
	struct member_payload p;

	if (!member_old(t, &p))
		return;
	if (p.revoked) {
		turn_status(t, REG_REVOKED);
	} else if (p.not_after >= t->w->wall + (member_end(t, &p) - t->w->wall) / 2) {
		turn_same(t);
	} else {
		p.not_after = member_end(t, &p);
		member_set(t, &p);
	}
}

void change_member_revoke(struct turn *t)
{
	struct member_payload p;

	if (!member_old(t, &p))
		return;
	if (p.revoked) {
		turn_same(t);
	} else {
		p.revoked = true;
		member_set(t, &p);
	}
}

void change_revoke_add(struct turn *t)
{
	struct revocation_payload p = { .number = 0 };
	struct wr w = payload_room(t);
	int err;

	if (t->old && !revocation_payload_read(&p, t->old->payload, t->old->payload_len)) {
		turn_status(t, REG_MALFORMED);
		return;
	}
	err = revocation_add(&p, &t->c->revoked);
	if (err == -EEXIST) {
		turn_same(t);
		return;
	}
	/* Only when it must be: the clock may be wrong, and then it forgets too much. */
	if (err)
		t->w->prune(t->w->ctx, &p);
	if (err && revocation_add(&p, &t->c->revoked) < 0) {
		turn_status(t, REG_FULL);
		return;
	}
	p.number++;
	wr_revocation_payload(&w, &p);
	govern(t, &t->w->root, &w);
}

/* Put if absent, and only once: what was accepted first by a quorum stands for ever. */
void change_succeed(struct turn *t)
{
	struct wr w = payload_room(t);

	if (t->old) {
		turn_same(t);
		return;
	}
	wr_copy(&w, t->c->body, t->c->body_len);
	govern(t, &t->w->root, &w);
}
