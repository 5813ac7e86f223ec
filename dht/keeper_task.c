/* keeper_task.c - what was asked of this keeper, as a chain of changes with one answer.
 *
 * Most operations are one change. Three are chains, every link of which may be repeated, so that a
 * chain broken by a crash is finished by asking again:
 *   enrolment            TOKEN_USE on token:ID, then MEMBER_ENROL on member:KEY
 *   MEMBER_REVOKE        the member; then REVOKE_ADD on the list; then TOKEN_REVOKE of its token
 *   TOKEN_REVOKE (all)   the token; then for every member it admitted MEMBER_REVOKE, REVOKE_ADD
 * The answer is the status of the link that failed, else ok; its grant is that of the register that
 * was asked about (of an enrolment, of the member).
 * With several keepers the membership of a signer, and of an heir, that is unknown here is read through
 * a quorum first; who could not be read is asked to try again, not refused. */
#include "dht/keeper_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dht/judge.h"
#include "dht/regs.h"

#define PARTIES_MAX 2 /* signer and heir */
#define LINKS_MAX (2 * REG_USES_MAX + 8) /* of one chain */

struct task {
	struct task_key key;
	struct pubkey to;
	uint64_t request;
	uint8_t *bytes; /* the operation, or NULL of an internal task */
	size_t len;
	struct reg_op op; /* points into bytes */
	uint8_t *old;	    /* RESTORE: the grant's bytes, which `shown` points into */
	struct grant shown;
	char host[64];
	struct change next; /* the link that runs */
	bool fetches; /* it reads a membership */
	uint8_t parties; /* whose membership is here, or was read */
	unsigned links;
	uint8_t token[32];	    /* whose members go, TOKEN_REVOKE */
	struct member_payload gift; /* what the token gives, of an enrolment */
	bool again;		    /* the token had admitted this key before */
	struct outcome outcome;	    /* of the link that answers */
	uint8_t *grant;		    /* owned; outcome.grant points here */
};

void tasks_init(struct keeper_role *k, const uint8_t seed[16])
{
	map_init(&k->tasks, offsetof(struct task, key), sizeof(struct task_key), TASKS_MAX, seed);
}

static void task_free(struct task *t)
{
	free(t->bytes);
	free(t->old);
	free(t->grant);
	free(t);
}

void tasks_fini(struct keeper_role *k)
{
	struct task *t;
	size_t at = 0;

	while ((t = map_next(&k->tasks, &at))) {
		map_take_at(&k->tasks, &at);
		task_free(t);
	}
	map_fini(&k->tasks);
}

static struct task_key key_of(enum task_kind kind, const struct pubkey *who, uint64_t request)
{
	struct task_key key = { .kind = (uint8_t)kind };
	struct wr w = wr_of(key.request, sizeof(key.request));

	memcpy(key.who, who->b, KEY_LEN);
	wr_u64(&w, request);
	return key;
}

static void result_send(struct keeper_role *k, const struct task *t, const struct keeper_answer *a)
{
	struct regmsg m = { .type = REGMSG_RESULT, .request = t->request, .holder = a->holder,
			    .hint = a->hint, .status = (uint8_t)a->status, .bytes = a->grant,
			    .len = a->len };

	if (a->status == REG_OTHER_EPOCH) {
		task_elsewhere(k, &t->to, t->request);
		return;
	}
	memcpy(m.nsid, k->nsid, NSID_LEN);
	keeper_message(k, &t->to, &m);
}

/* Not by us, or not by this set any more: the newest says by whom. */
void task_elsewhere(struct keeper_role *k, const struct pubkey *to, uint64_t request)
{
	const struct config *cf = k->env.config(k->env.ctx);
	struct regmsg m = { .type = REGMSG_RESULT, .request = request, .status = REG_OTHER_EPOCH };

	memcpy(m.nsid, k->nsid, NSID_LEN);
	if (cf) {
		m.config = cf->bytes;
		m.config_len = cf->len;
	}
	keeper_message(k, to, &m);
}

static void task_end(struct keeper_role *k, struct task *t, enum reg_status status)
{
	struct keeper_answer a = { .status = status, .holder = t->outcome.holder,
				   .detail = t->outcome.detail, .grant = t->outcome.grant,
				   .len = t->outcome.len };
	struct cell *c;

	if (status == REG_OWNED && t->op.verb == OP_CLAIM && t->op.name.kind == REG_ADDRESS)
		a.status = keeper_hint(k, &t->op.signer, &t->op.name, &a.hint);
	map_take(&k->tasks, &t->key);
	switch ((enum task_kind)t->key.kind) {
	case TASK_REMOTE: result_send(k, t, &a); break;
	case TASK_LOCAL: k->env.result(k->env.ctx, t->request, &a); break;
	case TASK_ENROL: k->env.enrolled(k->env.ctx, &t->to, t->request, &a); break;
	case TASK_INTERNAL:
		c = keeper_cell(k, &t->next.name);
		if (c)
			c->is_refreshing = false;
		if (status == REG_OK)
			keeper_repaired(k, &t->next, &t->outcome);
		if (t->next.verb == OP_SUCCEED)
			change_over(k, status, &t->outcome);
		break;
	}
	task_free(t);
}

/* The link that carries the operation itself. */
static struct change own_link(const struct task *t)
{
	struct change c = { .verb = t->op.verb, .name = t->op.name, .op = &t->op,
			    .proof = t->bytes, .proof_len = t->len };

	return c;
}

/* Among liars a use is never known to be the first (judge_value.c). */
static bool enrol_next(struct keeper_role *k, struct task *t)
{
	const struct config *cf = k->env.config(k->env.ctx);
	bool again = t->again || (cf && judge_is_hardened(cf));

	if (t->links != 1)
		return false;
	t->next = (struct change){ .verb = OP_MEMBER_ENROL, .member = t->gift, .again = again,
				   .name = reg_name_key(REG_MEMBER, t->op.signer.b, KEY_LEN) };
	return true;
}

static void revoke_add(struct task *t, const struct reg_name *member)
{
	struct pubkey key;

	memcpy(key.b, member->b, KEY_LEN);
	t->next = (struct change){ .verb = OP_REVOKE_ADD, .revoked = revoked_hash(&key),
				   .name = reg_name_key(REG_REVOCATION, NULL, 0) };
}

static bool member_revoke_next(struct keeper_role *k, struct task *t)
{
	struct member_payload m;
	struct pubkey key;

	memcpy(key.b, t->op.name.b, KEY_LEN);
	if (t->links == 1) {
		revoke_add(t, &t->op.name);
		return true;
	}
	if (t->links != 2 || !keeper_member(k, &key, &m) ||
	    sodium_is_zero(m.token, sizeof(m.token)))
		return false;
	t->next = (struct change){ .verb = OP_TOKEN_REVOKE,
				   .name = reg_name_key(REG_TOKEN, m.token, sizeof(m.token)) };
	return true;
}

static bool token_revoke_next(struct keeper_role *k, struct task *t)
{
	struct member_payload m;
	struct reg_name name;

	if (t->op.payload[0] == 0 || t->links >= LINKS_MAX ||
	    !keeper_find_victim(k, t->op.name.b, &name, &m))
		return false;
	if (m.revoked)
		revoke_add(t, &name);
	else
		t->next = (struct change){ .verb = OP_MEMBER_REVOKE, .name = name };
	return true;
}

static bool (*const nexts[])(struct keeper_role *k, struct task *t) = {
	[OP_TOKEN_USE] = enrol_next,
	[OP_MEMBER_REVOKE] = member_revoke_next,
	[OP_TOKEN_REVOKE] = token_revoke_next,
};

static bool task_next(struct keeper_role *k, struct task *t)
{
	return t->bytes && t->op.verb < ARRAY_LEN(nexts) && nexts[t->op.verb] &&
	       nexts[t->op.verb](k, t);
}

/* What a used token gives to this user: rights and groups as the admin signed them. */
static bool gift_take(struct task *t)
{
	struct token_payload p;
	struct grant g;

	if (!t->outcome.grant || !grant_read(&g, t->outcome.grant, t->outcome.len) ||
	    !token_payload_read(&p, g.payload, g.payload_len))
		return false;
	t->gift.rights = token_rights(&p, &t->op.signer);
	t->gift.groups = p.groups;
	t->gift.ephemeral = p.ephemeral;
	memcpy(t->gift.token, t->op.name.b, sizeof(t->gift.token));
	memcpy(t->gift.host, t->host, sizeof(t->gift.host));
	return true;
}

static void outcome_keep(struct task *t, const struct outcome *o)
{
	free(t->grant);
	t->grant = o->len ? mem_copy(o->grant, o->len) : NULL;
	t->outcome = *o;
	t->outcome.grant = t->grant;
}

static void task_start(struct keeper_role *k, struct task *t)
{
	if (proposer_start(&k->proposer, &t->next, t, k->now) < 0)
		task_end(k, t, REG_BUSY);
}

/* The token's refusal answers an enrolment, but the token's grant is nobody else's business. */
static void outcome_hide(struct task *t)
{
	if (t->key.kind != TASK_ENROL || t->next.verb == OP_MEMBER_ENROL)
		return;
	t->outcome.grant = NULL;
	t->outcome.len = 0;
	memset(&t->outcome.holder, 0, sizeof(t->outcome.holder));
}

static bool link_answers(const struct task *t)
{
	return t->links == 0 || t->next.verb == OP_MEMBER_ENROL;
}

/* A revocation goes on to the member's token, which may be of an earlier era: then it is gone. */
static bool is_nothing_left(const struct task *t, const struct outcome *o)
{
	return t->next.verb == OP_TOKEN_REVOKE && !t->next.op && o->status == REG_UNKNOWN;
}

/* One keeper knows all there is. Several: this one may have missed a membership, or that it was renewed. */
static bool is_missed(const struct keeper_role *k, const struct pubkey *key)
{
	enum reg_status here = rules_member(k, key);

	return here == REG_REFUSED || here == REG_BUSY || here == REG_EXPIRED;
}

/* Whose membership counts, one after the other; NULL = nobody's. */
static const struct pubkey *party(const struct keeper_role *k, const struct task *t)
{
	const struct pubkey *signer = &t->op.signer;

	if (t->parties)
		return t->op.verb == OP_TRANSFER ? &t->op.heir : NULL;
	return settings_is_admin(k->env.settings(k->env.ctx), signer) ? NULL : signer;
}

/* Reads the next membership that this keeper may have missed; false = no more of them. */
static bool task_fetch(struct keeper_role *k, struct task *t)
{
	const struct config *cf = k->env.config(k->env.ctx);
	const struct pubkey *key;

	if (!cf || cf->count == 1 || t->op.verb == OP_TOKEN_USE)
		return false;
	for (; t->parties < PARTIES_MAX; t->parties++) {
		key = party(k, t);
		if (!key || !is_missed(k, key))
			continue;
		t->fetches = true;
		t->next = (struct change){ .verb = OP_READ,
					   .name = reg_name_key(REG_MEMBER, key->b, KEY_LEN) };
		task_start(k, t);
		return true;
	}
	return false;
}

/* A member by what was read, and not by what is here: that has not arrived, or was kept out. */
static bool is_ahead_of_us(const struct keeper_role *k, const struct task *t, const struct outcome *o)
{
	const struct pubkey *key = party(k, t);
	struct member_payload m;
	struct grant g;

	return key && o->len && grant_read(&g, o->grant, o->len) &&
	       member_payload_read(&m, g.payload, g.payload_len) && !m.revoked &&
	       m.not_after > keeper_wall(k) && is_missed(k, key);
}

/* Whoever is unknown to a quorum, too, is refused by the rules. */
static void task_fetched(struct keeper_role *k, struct task *t, const struct outcome *o)
{
	t->fetches = false;
	if (o->status != REG_OK && o->status != REG_UNKNOWN) {
		task_end(k, t, o->status);
	} else if (is_ahead_of_us(k, t, o)) {
		task_end(k, t, REG_BUSY);
	} else {
		t->parties++;
		if (task_fetch(k, t))
			return;
		t->next = own_link(t);
		task_start(k, t);
	}
}

void task_done(void *ctx, void *tag, const struct outcome *o, usec_t now)
{
	struct keeper_role *k = ctx;
	struct task *t = tag;

	(void)now;
	keeper_keep_grant(k, &t->next.name, o);
	if (t->fetches) {
		task_fetched(k, t, o);
		return;
	}
	if (link_answers(t))
		outcome_keep(t, o);
	if (o->status == REG_OK && t->key.kind == TASK_ENROL && t->links == 0 && !gift_take(t)) {
		task_end(k, t, REG_MALFORMED);
		return;
	}
	t->again |= t->links == 0 && o->same;
	t->links++;
	if (o->status == REG_OK && task_next(k, t)) {
		task_start(k, t);
		return;
	}
	outcome_hide(t);
	task_end(k, t, is_nothing_left(t, o) ? REG_OK : o->status);
}

/* Of a register that the only keeper has never heard of: nothing to agree about, and nothing to
 * keep, when the answer is a refusal. */
static enum reg_status judge_unknown(struct keeper_role *k, struct task *t)
{
	const struct config *cf = k->env.config(k->env.ctx);
	struct cell *c = keeper_cell(k, &t->op.name);
	struct change_world world;
	struct change_result r;

	if (!cf || cf->count != 1 || (c && c->value) ||
	    proposer_is_busy(&k->proposer, &t->op.name))
		return REG_OK;
	keeper_world(k, &world);
	change_apply(&r, &t->next, &world, NULL, 0);
	t->outcome.detail = r.detail;
	return r.status;
}

static struct task *task_new(struct keeper_role *k, enum task_kind kind,
			     const struct keeper_ask *ask)
{
	struct task *t = mem_new(sizeof(*t));

	t->key = key_of(kind, &ask->from, ask->request);
	t->to = ask->from;
	t->request = ask->request;
	if (map_put(&k->tasks, t) == 0)
		return t;
	free(t);
	return NULL;
}

static enum reg_status task_read(struct keeper_role *k, struct task *t,
				 const struct keeper_ask *ask)
{
	bool enrols = t->key.kind == TASK_ENROL;

	t->bytes = mem_copy(ask->op, ask->len);
	t->len = ask->len;
	if (ask->host && strlen(ask->host) < sizeof(t->host))
		memcpy(t->host, ask->host, strlen(ask->host));
	if (!reg_op_read(&t->op, t->bytes, t->len) ||
	    memcmp(t->op.nsid, k->nsid, NSID_LEN) != 0 ||
	    (t->host[0] && !reg_host_valid(t->host, strlen(t->host))))
		return REG_MALFORMED;
	if (enrols == (t->op.verb == OP_TOKEN_USE) &&
	    (!enrols || key_equal(&ask->from, &t->op.signer)) &&
	    reg_op_verify(&t->op, t->bytes, t->len, k->cfg.crypto))
		return REG_OK;
	drop_add(k->cfg.drops, DROP_SIGNATURE);
	return REG_REFUSED;
}

/* May be answered within the call. */
static void task_begin(struct keeper_role *k, struct task *t)
{
	enum reg_status status;

	if (task_fetch(k, t))
		return;
	t->next = own_link(t);
	status = rules_allowed(k, &t->next);
	if (status == REG_OK)
		status = judge_unknown(k, t);
	if (status == REG_OK)
		task_start(k, t);
	else
		task_end(k, t, status);
}

/* This very request of somebody's is under way: its answer is on its way too. */
bool task_is_asked(const struct keeper_role *k, const struct pubkey *who, uint64_t request)
{
	struct task_key key = key_of(TASK_REMOTE, who, request);

	return map_get(&k->tasks, &key) != NULL;
}

/* 0, also when the same is under way. -EBUSY, and -EINVAL of a local one, are not answered. */
int task_operation(struct keeper_role *k, enum task_kind kind, const struct keeper_ask *ask)
{
	struct task_key key = key_of(kind, &ask->from, ask->request);
	enum reg_status status;
	struct task *t;

	if (map_get(&k->tasks, &key))
		return 0;
	t = task_new(k, kind, ask);
	if (!t)
		return -EBUSY;
	status = task_read(k, t, ask);
	if (status == REG_OK) {
		task_begin(k, t);
	} else if (kind == TASK_LOCAL) {
		map_take(&k->tasks, &key);
		task_free(t);
		return -EINVAL;
	} else {
		task_end(k, t, status);
	}
	return 0;
}

int task_internal(struct keeper_role *k, const struct change *c)
{
	struct keeper_ask ask = { .from = k->cfg.self.pub, .request = k->next_request++ };
	struct task *t = task_new(k, TASK_INTERNAL, &ask);

	if (!t)
		return -EBUSY;
	t->next = *c;
	task_start(k, t);
	return 0;
}

/* A grant of an earlier era, verified: so that it stands in this one. */
int task_restore(struct keeper_role *k, const uint8_t *grant, size_t len)
{
	struct keeper_ask ask = { .from = k->cfg.self.pub, .request = k->next_request++ };
	struct task *t = task_new(k, TASK_INTERNAL, &ask);

	if (!t)
		return -EBUSY;
	t->old = mem_copy(grant, len);
	if (!grant_read(&t->shown, t->old, len)) {
		map_take(&k->tasks, &t->key);
		task_free(t);
		return -EINVAL;
	}
	t->next = (struct change){ .verb = OP_RESTORE, .name = t->shown.name, .shown = &t->shown,
				   .proof = t->old, .proof_len = len };
	task_start(k, t);
	return 0;
}
