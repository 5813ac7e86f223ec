/* keeper_view.c - what this keeper knows: registers, members, and the grants it keeps for others.
 *
 * The last grant of every governed register is kept in memory and told by env.changed. After a
 * restart there is none: who asks for one starts a READ, which proposes the same value again. */
#include <stdlib.h>

#include "base/mem.h"
#include "dht/keeper_impl.h"

#define GRANT_EPOCHS 16 /* after so many a grant is made anew: members keep the newest sets only */

struct cell *keeper_cell(const struct keeper_role *k, const struct reg_name *name)
{
	return acceptor_cell(&k->acceptor, name);
}

bool keeper_next(const struct keeper_role *k, size_t *at, struct reg_name *name,
		 struct reg_value *v)
{
	struct cell *c;

	while ((c = map_next(&k->acceptor.cells, at))) {
		if (!cell_value(c, v))
			continue;
		*name = c->name;
		return true;
	}
	return false;
}

bool keeper_member(const struct keeper_role *k, const struct pubkey *key,
		   struct member_payload *out)
{
	struct reg_name name = reg_name_key(REG_MEMBER, key->b, KEY_LEN);
	struct reg_value v;

	return cell_value(keeper_cell(k, &name), &v) &&
	       member_payload_read(out, v.payload, v.payload_len);
}

static bool is_governed(const struct reg_name *name)
{
	return name->kind == REG_TOKEN || name->kind == REG_MEMBER ||
	       name->kind == REG_REVOCATION;
}

static uint64_t grant_generation(const struct cell *c)
{
	struct grant g;

	return c->grant_len && grant_read(&g, c->grant, c->grant_len) ? g.generation : 0;
}

static bool grant_is_old(const struct keeper_role *k, const struct cell *c)
{
	struct grant g;

	return !c->grant_len || !grant_read(&g, c->grant, c->grant_len) ||
	       g.ballot.era != k->acceptor.era || g.ballot.epoch + GRANT_EPOCHS < k->acceptor.epoch;
}

void keeper_keep_grant(struct keeper_role *k, const struct reg_name *name,
		       const struct outcome *o)
{
	struct cell *c = keeper_cell(k, name);
	uint64_t before;

	if (!c || !o->len || !is_governed(name))
		return;
	before = grant_is_old(k, c) ? 0 : grant_generation(c);
	free(c->grant);
	c->grant = mem_copy(o->grant, o->len);
	c->grant_len = o->len;
	if (grant_generation(c) != before)
		k->env.changed(k->env.ctx, name, o->grant, o->len);
}

static void refresh(struct keeper_role *k, struct cell *c, enum reg_verb verb)
{
	if (c->is_refreshing)
		return;
	c->is_refreshing = true;
	if (task_internal(k, &(struct change){ .verb = (uint8_t)verb, .name = c->name }) < 0)
		c->is_refreshing = false;
}

/* The kept one, if there is one; a newer one is on its way when the value has gone on. */
static size_t grant_of_cell(struct keeper_role *k, struct cell *c, const uint8_t **grant)
{
	struct reg_value v;

	if (!cell_value(c, &v) || !is_governed(&c->name))
		return 0;
	if (grant_generation(c) != v.generation || grant_is_old(k, c))
		refresh(k, c, OP_READ);
	*grant = c->grant;
	return c->grant_len;
}

size_t keeper_grant(struct keeper_role *k, const struct reg_name *name, const uint8_t **grant,
		    usec_t now)
{
	struct cell *c = keeper_cell(k, name);
	size_t len = 0;

	*grant = NULL;
	if (c && keeper_enter(k, now)) {
		len = grant_of_cell(k, c, grant);
		keeper_leave(k, now);
	}
	return len;
}

static bool is_past_half(const struct keeper_role *k, const struct member_payload *m)
{
	uint64_t life = m->ephemeral ? MEMBER_SECONDS_EPHEMERAL : MEMBER_SECONDS;

	return !m->revoked && m->not_after < keeper_wall(k) + life / 2;
}

static bool is_of_old_epoch(const struct keeper_role *k, const struct cell *c)
{
	return c->accepted.era != k->acceptor.era ||
	       c->accepted.epoch + GRANT_EPOCHS < k->acceptor.epoch;
}

void keeper_member_renew(struct keeper_role *k, const struct pubkey *key, usec_t now)
{
	struct reg_name name = reg_name_key(REG_MEMBER, key->b, KEY_LEN);
	struct cell *c = keeper_cell(k, &name);
	struct member_payload m;

	if (!c || !keeper_enter(k, now))
		return;
	if (keeper_member(k, key, &m) && is_past_half(k, &m))
		refresh(k, c, OP_MEMBER_RENEW);
	else if (c->value && is_of_old_epoch(k, c))
		refresh(k, c, OP_READ);
	keeper_leave(k, now);
}

size_t keeper_member_grant(struct keeper_role *k, const struct pubkey *key, const uint8_t **grant,
			   usec_t now)
{
	struct reg_name name = reg_name_key(REG_MEMBER, key->b, KEY_LEN);

	keeper_member_renew(k, key, now);
	return keeper_grant(k, &name, grant, now);
}

size_t keeper_revocation_grant(struct keeper_role *k, const uint8_t **grant, usec_t now)
{
	struct reg_name name = reg_name_key(REG_REVOCATION, NULL, 0);

	return keeper_grant(k, &name, grant, now);
}

/* Who was away asks a quorum, whatever it has itself. */
void keeper_look_at_revocations(struct keeper_role *k)
{
	struct change c = { .verb = OP_READ, .name = reg_name_key(REG_REVOCATION, NULL, 0) };
	const uint8_t *grant;

	k->look_at_revocations = USEC_NEVER;
	if (k->missed_revocations)
		task_internal(k, &c);
	else
		keeper_revocation_grant(k, &grant, k->now);
	k->missed_revocations = false;
}

bool keeper_is_listed(const struct keeper_role *k, const struct reg_name *member)
{
	struct reg_name name = reg_name_key(REG_REVOCATION, NULL, 0);
	struct revocation_payload p;
	struct reg_value v;
	struct pubkey key;

	memcpy(key.b, member->b, KEY_LEN);
	return cell_value(keeper_cell(k, &name), &v) &&
	       revocation_payload_read(&p, v.payload, v.payload_len) && revocation_has(&p, &key);
}

static bool is_keeper(const struct keeper_role *k, const struct reg_name *member)
{
	const struct config *cf = k->env.config(k->env.ctx);
	struct pubkey key;

	memcpy(key.b, member->b, KEY_LEN);
	return cf && config_member(cf, &key) >= 0;
}

/* Revoked, not past its end, and missing from the list. */
static bool is_unlisted(const struct keeper_role *k, const struct reg_name *member,
			const struct member_payload *m)
{
	return m->revoked && m->not_after > keeper_wall(k) && !keeper_is_listed(k, member);
}

static bool is_victim(const struct keeper_role *k, const struct reg_name *name,
		      const struct member_payload *m)
{
	return m->revoked ? is_unlisted(k, name, m) : !is_keeper(k, name);
}

bool keeper_find_victim(const struct keeper_role *k, const uint8_t token[32],
			struct reg_name *name, struct member_payload *m)
{
	struct reg_value v;
	size_t at = 0;

	while (keeper_next(k, &at, name, &v))
		if (name->kind == REG_MEMBER &&
		    member_payload_read(m, v.payload, v.payload_len) &&
		    memcmp(m->token, token, sizeof(m->token)) == 0 && is_victim(k, name, m))
			return true;
	return false;
}

void keeper_repair(struct keeper_role *k)
{
	struct member_payload m;
	struct reg_name name;
	struct reg_value v;
	size_t at = 0;

	while (keeper_next(k, &at, &name, &v))
		if (name.kind == REG_MEMBER &&
		    member_payload_read(&m, v.payload, v.payload_len) && is_unlisted(k, &name, &m)) {
			task_internal(k, &(struct change){ .verb = OP_READ, .name = name });
			return;
		}
}

/* Revoked is who is so by a quorum: what stands here may be a vote that came to nothing, and is chosen
 * or gone when it was read. */
void keeper_repaired(struct keeper_role *k, const struct change *done, const struct outcome *o)
{
	struct change add = { .verb = OP_REVOKE_ADD, .name = reg_name_key(REG_REVOCATION, NULL, 0) };
	struct member_payload m;
	struct pubkey key;
	struct grant g;

	if (done->verb == OP_REVOKE_ADD) {
		keeper_repair(k); /* the next */
	} else if (done->verb == OP_READ && done->name.kind == REG_MEMBER && o->grant &&
		   grant_read(&g, o->grant, o->len) &&
		   member_payload_read(&m, g.payload, g.payload_len) &&
		   is_unlisted(k, &done->name, &m)) {
		memcpy(key.b, done->name.b, KEY_LEN);
		add.revoked = revoked_hash(&key);
		task_internal(k, &add);
	}
}

void keeper_count_again(struct keeper_role *k)
{
	struct cell *c;
	uint8_t seed[16];
	size_t at = 0;

	k->env.random(k->env.ctx, seed, sizeof(seed));
	quota_fini(&k->quota);
	quota_init(&k->quota, seed);
	while ((c = map_next(&k->acceptor.cells, &at))) {
		struct reg_value v;

		if (cell_value(c, &v))
			quota_valued(&k->quota, &c->name, NULL, &v);
	}
}
