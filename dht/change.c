/* change.c - the table of change functions, and what they share. docs/protocol.md 8.8.
 *
 * Every function looks at the old value, its age and the operation, and says: refused (why, and who
 * holds it), the same (the old value is the answer), or a new value. None has state or effects, so
 * a proposer may apply one again after a conflict. An operation whose very bytes are the proof of
 * the present value has been done already: it gets the same answer again (R6). */
#include "dht/change.h"

#include "base/list.h"
#include "base/mutant.h"

static change_fn *const verbs[] = {
	[OP_CLAIM] = change_claim,
	[OP_RENEW] = change_renew,
	[OP_RELEASE] = change_release,
	[OP_TRANSFER] = change_transfer,
	[OP_READ] = change_read,
	[OP_TOKEN_CREATE] = change_token_create,
	[OP_TOKEN_USE] = change_token_use,
	[OP_TOKEN_REVOKE] = change_token_revoke,
	[OP_MEMBER_ENROL] = change_member_enrol,
	[OP_MEMBER_SET] = change_member_set,
	[OP_MEMBER_REVOKE] = change_member_revoke,
	[OP_MEMBER_RENEW] = change_member_renew,
	[OP_REVOKE_ADD] = change_revoke_add,
	[OP_START] = change_start,
	[OP_RESTORE] = change_restore,
	[OP_SUCCEED] = change_succeed,
};

void turn_status(struct turn *t, enum reg_status status)
{
	t->r->status = status;
	if (t->old && t->old->state != REG_RELEASED)
		t->r->holder = t->old->owner;
}

void turn_same(struct turn *t)
{
	turn_status(t, REG_OK);
	t->r->same = true;
}

/* The last epochs of an era share one beginning; nothing is dropped there (acceptor_store.c). */
uint64_t change_first_generation(uint32_t era, uint32_t epoch)
{
	uint64_t since = epoch ? epoch - 1 : 0;

	return ((uint64_t)era << 32) + ((since < UINT16_MAX ? since : UINT16_MAX) << 16) + 1;
}

/* Rising within an era; every era starts above all of those before (R13). */
uint64_t turn_next_generation(const struct turn *t)
{
	uint64_t first = t->old ? change_first_generation(t->w->era, 0) :
				  change_first_generation(t->w->era, t->w->epoch);
	uint64_t next = t->old ? t->old->generation + 1 : first;

	return next > first ? next : first;
}

bool turn_is_newer(struct turn *t)
{
	if (!t->c->op || !t->old || t->c->op->number > t->old->number)
		return true;
	turn_status(t, REG_OLD);
	return false;
}

static bool is_done_already(const struct turn *t)
{
	return t->old && t->c->proof_len && t->old->proof_len == t->c->proof_len &&
	       memcmp(t->old->proof, t->c->proof, t->c->proof_len) == 0;
}

static bool is_late(const struct turn *t)
{
	const struct reg_op *op = t->c->op;

	return op && op->deadline && t->w->wall > op->deadline;
}

void change_apply(struct change_result *r, const struct change *c, const struct change_world *w,
		  const struct reg_value *old, uint64_t age)
{
	struct turn t = { r, c, w, old, age };

	memset(r, 0, offsetof(struct change_result, payload));
	if (is_done_already(&t)) {
		turn_same(&t);
	} else if (is_late(&t)) {
		turn_status(&t, REG_EXPIRED);
		r->detail = c->op->deadline;
	} else if (c->verb < ARRAY_LEN(verbs) && verbs[c->verb]) {
		verbs[c->verb](&t);
	} else {
		turn_status(&t, REG_MALFORMED);
	}
}

/* lease x (1 + eps) / (1 - eps) + 60 s with eps = 0.5 %, rounded up. */
uint64_t change_lease_wait(uint32_t lease)
{
	return MUTANT(NO_MARGIN) ? lease : ((uint64_t)lease * 201 + 198) / 199 + 60;
}
