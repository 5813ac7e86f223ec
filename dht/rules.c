/* rules.c - who may ask for what: membership, admins, subnet, reserved names, quotas.
 *
 * One row per verb. What is asked here depends on this keeper's own registers: with several keepers
 * the task has read the signer's membership through a quorum before. A check runs when an operation
 * arrives and again when its turn comes, so that a revocation in between counts. */
#include "base/list.h"
#include "base/mutant.h"
#include "dht/keeper_impl.h"
#include "dht/token.h"

#define PRUNE_MARGIN 86400 /* seconds after a membership's end */

enum reg_status rules_member(const struct keeper_role *k, const struct pubkey *key)
{
	struct reg_name name = reg_name_key(REG_MEMBER, key->b, KEY_LEN);
	struct member_payload m;

	if (!keeper_member(k, key, &m)) /* it may have been one of the last era, and not shown yet */
		return keeper_is_settling(k) ? REG_BUSY : REG_REFUSED;
	/* The list may be here and the member's own value not: in a new era, or when we were away. */
	if (m.revoked || keeper_is_listed(k, &name))
		return REG_REVOKED;
	return m.not_after > keeper_wall(k) ? REG_OK : REG_EXPIRED;
}

uint32_t rules_rights(const struct keeper_role *k, const struct pubkey *key)
{
	struct member_payload m;

	return keeper_member(k, key, &m) && !m.revoked ? m.rights : 0;
}

static bool is_root_admin(const struct keeper_role *k, const struct pubkey *key)
{
	const struct settings *s = k->env.settings(k->env.ctx);

	return s && settings_is_admin(s, key) && rules_member(k, key) != REG_REVOKED;
}

static bool is_admin(const struct keeper_role *k, const struct pubkey *key)
{
	return is_root_admin(k, key) ||
	       (rules_member(k, key) == REG_OK && (rules_rights(k, key) & RIGHT_ADMIN));
}

/* Its rights, the admin right also when the settings give it. */
static uint32_t standing(const struct keeper_role *k, const struct pubkey *key)
{
	const struct settings *s = k->env.settings(k->env.ctx);

	return rules_rights(k, key) | (s && settings_is_admin(s, key) ? RIGHT_ADMIN : 0);
}

/* In the subnet, and not its network, lowest (the namespace's own) or broadcast address. */
bool rules_address_fits(const struct keeper_role *k, const struct reg_name *name)
{
	const struct settings *s = k->env.settings(k->env.ctx);
	struct ip ip = { .len = 4 };
	uint32_t host;

	memcpy(ip.b, name->b, 4);
	if (!s || !prefix_has(&s->subnet, &ip))
		return false;
	host = ip_to_v4(&ip) & (UINT32_MAX >> s->subnet.bits);
	return host > 1 && host != UINT32_MAX >> s->subnet.bits;
}

static enum reg_status owned_allowed(const struct keeper_role *k, const struct reg_op *op)
{
	struct owned_payload p;
	bool fits = op->name.kind == REG_ADDRESS ? rules_address_fits(k, &op->name) :
						   !reg_name_is_reserved(&op->name);

	if (!owned_payload_read(&p, op->payload, op->payload_len))
		return REG_MALFORMED;
	return fits ? rules_member(k, &op->signer) : REG_REFUSED;
}

static enum reg_status transfer_allowed(const struct keeper_role *k, const struct reg_op *op)
{
	enum reg_status s = owned_allowed(k, op);

	return s == REG_OK ? rules_member(k, &op->heir) : s;
}

static enum reg_status release_allowed(const struct keeper_role *k, const struct reg_op *op)
{
	return op->payload_len ? REG_MALFORMED : rules_member(k, &op->signer);
}

static enum reg_status read_allowed(const struct keeper_role *k, const struct reg_op *op)
{
	return is_admin(k, &op->signer) ? REG_OK : release_allowed(k, op);
}

static enum reg_status start_allowed(const struct keeper_role *k, const struct reg_op *op)
{
	bool own = memcmp(op->name.b, op->signer.b, KEY_LEN) == 0;

	return own ? rules_member(k, &op->signer) : REG_REFUSED;
}

/* The admin right itself is the root's and its admins' to give. */
static enum reg_status rights_allowed(const struct keeper_role *k, const struct reg_op *op,
				      uint32_t rights)
{
	bool allowed = rights & RIGHT_ADMIN ? is_root_admin(k, &op->signer) :
					      is_admin(k, &op->signer);
	enum reg_status member = rules_member(k, &op->signer);

	if (allowed)
		return REG_OK;
	return member == REG_BUSY || member == REG_EXPIRED ? member : REG_REFUSED;
}

static enum reg_status token_create_allowed(const struct keeper_role *k, const struct reg_op *op)
{
	struct token_payload p;

	if (!token_payload_read(&p, op->payload, op->payload_len))
		return REG_MALFORMED;
	return rights_allowed(k, op, p.rights);
}

static enum reg_status token_use_allowed(const struct keeper_role *k, const struct reg_op *op)
{
	uint8_t id[32];

	(void)k;
	token_id(id, &op->second);
	if (op->payload_len)
		return REG_MALFORMED;
	return memcmp(id, op->name.b, sizeof(id)) == 0 ? REG_OK : REG_REFUSED;
}

/* What those who came by this token may do, all together. */
static uint32_t standing_of_token(const struct keeper_role *k, const uint8_t token[32])
{
	struct member_payload m;
	struct reg_name name;
	struct reg_value v;
	struct pubkey key;
	uint32_t all = 0;
	size_t at = 0;

	while (keeper_next(k, &at, &name, &v)) {
		if (name.kind != REG_MEMBER || !member_payload_read(&m, v.payload, v.payload_len) ||
		    memcmp(m.token, token, sizeof(m.token)) != 0)
			continue;
		memcpy(key.b, name.b, KEY_LEN);
		all |= standing(k, &key);
	}
	return all;
}

static enum reg_status token_revoke_allowed(const struct keeper_role *k, const struct reg_op *op)
{
	if (op->payload_len != 1 || op->payload[0] > 1)
		return REG_MALFORMED;
	return rights_allowed(k, op, op->payload[0] ? standing_of_token(k, op->name.b) : 0);
}

/* Rights that a plain admin may not touch count as asked for, whether given or taken away. */
static enum reg_status member_set_allowed(const struct keeper_role *k, const struct reg_op *op)
{
	struct member_payload p;
	struct pubkey key;

	memcpy(key.b, op->name.b, KEY_LEN);
	if (!member_payload_read(&p, op->payload, op->payload_len) || p.serial || p.not_after ||
	    p.revoked || p.ephemeral || !sodium_is_zero(p.token, sizeof(p.token)) ||
	    !k->cfg.crypto->key_valid(&key))
		return REG_MALFORMED;
	return rights_allowed(k, op, p.rights | standing(k, &key));
}

/* A keeper leaves by a change of the keeper set first. */
static enum reg_status member_revoke_allowed(const struct keeper_role *k, const struct reg_op *op)
{
	const struct config *cf = k->env.config(k->env.ctx);
	struct pubkey key;

	memcpy(key.b, op->name.b, KEY_LEN);
	if (op->payload_len)
		return REG_MALFORMED;
	if (cf && config_member(cf, &key) >= 0)
		return REG_REFUSED;
	return rights_allowed(k, op, standing(k, &key));
}

static enum reg_status (*const verbs[])(const struct keeper_role *k, const struct reg_op *op) = {
	[OP_CLAIM] = owned_allowed,
	[OP_RENEW] = owned_allowed,
	[OP_RELEASE] = release_allowed,
	[OP_TRANSFER] = transfer_allowed,
	[OP_READ] = read_allowed,
	[OP_TOKEN_CREATE] = token_create_allowed,
	[OP_TOKEN_USE] = token_use_allowed,
	[OP_TOKEN_REVOKE] = token_revoke_allowed,
	[OP_MEMBER_SET] = member_set_allowed,
	[OP_MEMBER_REVOKE] = member_revoke_allowed,
	[OP_START] = start_allowed,
};

/* The token may have been revoked since it was used; who is on the list stays out in any era. */
static enum reg_status enrol_allowed(const struct keeper_role *k, const struct change *c)
{
	struct reg_name name = reg_name_key(REG_TOKEN, c->member.token, sizeof(c->member.token));
	struct token_payload p;
	struct reg_value v;

	if (keeper_is_listed(k, &c->name) && !MUTANT(REVOKED_ENROLS))
		return REG_REVOKED;
	return cell_value(keeper_cell(k, &name), &v) &&
			       token_payload_read(&p, v.payload, v.payload_len) && p.revoked &&
			       !MUTANT(REVOKED_ENROLS) ?
		       REG_REVOKED :
		       REG_OK;
}

enum reg_status rules_allowed(const struct keeper_role *k, const struct change *c)
{
	if (c->verb == OP_MEMBER_ENROL)
		return enrol_allowed(k, c);
	if (!c->op)
		return REG_OK; /* derived from one that was allowed */
	if (c->op->verb >= ARRAY_LEN(verbs) || !verbs[c->op->verb])
		return REG_MALFORMED;
	return verbs[c->op->verb](k, c->op);
}

enum reg_status rules_room(void *ctx, const struct pubkey *owner, const struct reg_name *name)
{
	struct keeper_role *k = ctx;
	const struct cell *c = keeper_cell(k, name);

	return quota_room(&k->quota, owner, rules_rights(k, owner), name, !c || !c->value);
}

static void revocation_drop(struct revocation_payload *list, const struct node_id *who)
{
	for (size_t i = 0; i < list->count; i++) {
		if (!id_equal(&list->who[i], who))
			continue;
		list->count--;
		memmove(&list->who[i], &list->who[i + 1],
			(list->count - i) * sizeof(list->who[0]));
		return;
	}
}

void rules_prune(void *ctx, struct revocation_payload *list)
{
	struct keeper_role *k = ctx;
	struct reg_name name;
	struct reg_value v;
	size_t at = 0;

	while (keeper_next(k, &at, &name, &v)) {
		struct member_payload m;
		struct pubkey key;
		struct node_id who;

		if (name.kind != REG_MEMBER || !member_payload_read(&m, v.payload, v.payload_len) ||
		    !m.revoked || m.not_after + PRUNE_MARGIN >= keeper_wall(k))
			continue;
		memcpy(key.b, name.b, KEY_LEN);
		who = revoked_hash(&key);
		revocation_drop(list, &who);
	}
}
