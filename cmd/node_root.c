/* node_root.c - what takes an admin's signature: tokens, members, the root key itself.
 *
 * The operation is signed here, with the root key where this node has it, else with the node's own
 * key if it is an admin's; keepers check it and answer, and the answer ends the verb. */
#include "cmd/node.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

#define INVITE_CONTACTS 3
#define KEEPER_INVITES 2 /* the first two invited members may become keepers (DESIGN 12.21) */

static uint32_t own_rights(const struct ns *s)
{
	struct member_payload mp;
	const uint8_t *b;
	size_t len = regs_membership(s->regs, &b);
	struct grant g;

	return len && grant_read(&g, b, len) && member_payload_read(&mp, g.payload, g.payload_len) ?
		       mp.rights :
		       0;
}

/* The root's, or ours: keepers know the admins of the settings and members with the admin right. */
static const struct key_pair *admin_key(const struct ns *s)
{
	const struct settings *st = regs_settings(s->regs);

	if (s->root_key)
		return s->root_key;
	return (st && settings_is_admin(st, &s->n->cfg.self.pub)) || own_rights(s) & RIGHT_ADMIN ?
		       &s->n->cfg.self :
		       NULL;
}

struct ns *root_admin_ns(struct node *n, uint64_t op, const char *name)
{
	struct ns *s = verb_ns(n, op, name);

	if (s && !admin_key(s)) {
		node_notice(n, op, NODE_NO, "this node is no admin of %s; run it on the node that "
					    "created it, or there `vpnctl root add-admin` this node",
			    s->name);
		return NULL;
	}
	return s;
}

bool verb_result(struct ns *s, const struct regs_event *e, usec_t now)
{
	struct pending_verb *v = map_take(&s->verbs, &e->op);

	if (!v)
		return false;
	v->finish(s, v, e, now);
	sodium_memzero(v, sizeof(*v));
	free(v);
	return true;
}

static void finish_plain(struct ns *s, struct pending_verb *v, const struct regs_event *e, usec_t now)
{
	(void)now;
	if (e->status == REG_OK)
		node_notice(s->n, v->caller, NODE_OK, "%s", v->text);
	else
		node_notice(s->n, v->caller, NODE_NO, "refused: %s", reg_status_text(e->status));
}

/* Submits a governed operation; `text` is what a success says. */
static void govern(struct ns *s, uint64_t caller, const struct reg_op *req, const char *text,
		   usec_t now)
{
	struct pending_verb *v = mem_new(sizeof(*v));

	v->op = node_op(s->n);
	v->caller = caller;
	v->finish = finish_plain;
	snprintf(v->text, sizeof(v->text), "%s", text);
	if (map_put(&s->verbs, v) != 0) {
		node_notice(s->n, caller, NODE_NO, "too many operations at once");
		free(v);
		return;
	}
	if (ns_submit(s, v->op, req, admin_key(s), now) != 0)
		verb_result(s, &(struct regs_event){ .op = v->op, .status = REG_BUSY }, now);
	node_pump(s->n, now);
}

/* How many this token has let in with the keeper right, or still may. */
static unsigned promised(const struct token_payload *t, uint64_t wall)
{
	unsigned uses = !t->revoked && t->expires > wall ? t->uses : t->used;

	if (t->rights & RIGHT_KEEPER)
		return uses;
	return uses < t->keepers ? uses : t->keepers;
}

/* To how many users of a new token the keeper right is given without being asked for it: to the
 * first two members ever invited (DESIGN 12.21), unless people choose the keepers. */
static uint8_t keepers_to_invite(const struct ns *s, const struct token_payload *new, usec_t now)
{
	uint64_t wall = wall_seconds(&s->n->wall, now);
	struct token_payload t;
	struct reg_name name;
	struct reg_value v;
	unsigned given = 0;
	size_t at = 0;

	if (!regs_settings(s->regs)->keepers || !regs_is_keeper(s->regs) ||
	    new->rights & RIGHT_KEEPER || new->ephemeral)
		return 0;
	while (given < KEEPER_INVITES && regs_next(s->regs, &at, &name, &v))
		if (name.kind == REG_TOKEN && token_payload_read(&t, v.payload, v.payload_len))
			given += promised(&t, wall);
	if (given >= KEEPER_INVITES)
		return 0;
	given = KEEPER_INVITES - given;
	return (uint8_t)(given < new->uses ? given : new->uses);
}

/* Whom a joiner may knock at: ourselves, then peers with proven addresses. */
static void token_contacts(struct ns *s, struct token *t, size_t most)
{
	struct token_contact *c = &t->contacts[t->contact_count++], all[NODE_CONTACTS_MAX];
	size_t known = overlay_contacts(s->o, all);

	c->key = s->n->cfg.self.pub;
	for (size_t i = 0; i < s->n->addr_count && c->addr_count < TOKEN_CONTACT_ADDRS; i++)
		c->addrs[c->addr_count++] = s->n->addrs[i];
	for (size_t i = 0; i < known && t->contact_count < most; i++)
		t->contacts[t->contact_count++] = all[i];
}

bool root_fill_token(struct ns *s, struct token *t, size_t contacts)
{
	const struct config *cf = regs_keepers(s->regs);

	if (!cf)
		return false;
	*t = (struct token){ .root = s->root };
	memcpy(t->rendezvous, s->rendezvous, sizeof(t->rendezvous));
	memcpy(t->overlay_key, s->o->key, sizeof(t->overlay_key));
	t->checkpoint.era = cf->era;
	t->checkpoint.epoch = cf->epoch;
	memcpy(t->checkpoint.hash, cf->hash, sizeof(t->checkpoint.hash));
	token_contacts(s, t, contacts);
	return true;
}

static bool make_token(struct ns *s, struct key_pair *key, char *text, size_t size)
{
	struct token t;

	if (!root_fill_token(s, &t, INVITE_CONTACTS))
		return false;
	do
		s->n->env.random(s->n->env.ctx, t.seed, SEED_LEN);
	while (!key_from_seed(key, t.seed));
	size = token_write(text, size, &t);
	sodium_memzero(&t, sizeof(t));
	return size > 0;
}

void node_invite(struct node *n, uint64_t op, const char *ns, const struct node_invite *i, usec_t now)
{
	struct token_payload tp = { .uses = i->uses, .rights = i->rights, .groups = i->groups,
				    .ephemeral = i->ephemeral };
	uint8_t id[32], payload[REG_PAYLOAD_MAX];
	struct wr w = wr_of(payload, sizeof(payload));
	struct reg_op req = { .verb = OP_TOKEN_CREATE };
	char text[TOKEN_TEXT_MAX];
	struct key_pair key;
	struct ns *s;

	node_enter(n, now);
	s = root_admin_ns(n, op, ns);
	if (!s)
		return;
	if (n->addr_count == 0) {
		node_notice(n, op, NODE_NO, "no address of this node is known that a token could "
					    "name; connect it to a network or use --advertise HOST:PORT");
		return;
	}
	if (!make_token(s, &key, text, sizeof(text))) {
		node_notice(n, op, NODE_NO, "%s is not ready yet (`vpnctl wait`)", s->name);
		return;
	}
	tp.expires = wall_seconds(&n->wall, now) + i->expires;
	tp.keepers = keepers_to_invite(s, &tp, now);
	wr_token_payload(&w, &tp);
	assert(wr_ok(&w));
	token_id(id, &key.pub);
	req.name = reg_name_key(REG_TOKEN, id, sizeof(id));
	req.payload = payload;
	req.payload_len = wr_len(&w);
	govern(s, op, &req, text, now);
	sodium_memzero(&key, sizeof(key));
	sodium_memzero(text, sizeof(text));
}

/* Finds one register of a kind at this keeper by a prefix of its name's hex, or a member by host
 * name or key. */
static bool find_register(const struct ns *s, enum reg_kind kind, const char *text,
			  struct reg_name *out)
{
	struct reg_value v;
	size_t at = 0, len = strlen(text), hits = 0;
	struct reg_name name;

	while (regs_next(s->regs, &at, &name, &v)) {
		char hex[2 * KEY_LEN + 1], b64[KEY_TEXT_LEN];
		struct member_payload mp;
		struct pubkey key;

		if (name.kind != kind || name.len != KEY_LEN)
			continue;
		memcpy(key.b, name.b, KEY_LEN);
		key_text(b64, &key);
		sodium_bin2hex(hex, sizeof(hex), name.b, KEY_LEN);
		if ((len >= 6 && (strncmp(hex, text, len) == 0 || strncmp(b64, text, len) == 0)) ||
		    (kind == REG_MEMBER && member_payload_read(&mp, v.payload, v.payload_len) &&
		     strcmp(mp.host, text) == 0)) {
			*out = name;
			hits++;
		}
	}
	return hits == 1;
}

bool root_find_member(struct ns *s, const char *who, struct reg_name *out)
{
	struct attached *a;
	struct pubkey key;
	size_t at = 0;

	if (s->held_host[0] && strcmp(s->held_host, who) == 0) {
		*out = reg_name_key(REG_MEMBER, s->n->cfg.self.pub.b, KEY_LEN);
		return true;
	}
	while ((a = map_next(&s->attached, &at)))
		if (strcmp(a->host, who) == 0) {
			*out = reg_name_key(REG_MEMBER, a->key.b, KEY_LEN);
			return true;
		}
	if (find_register(s, REG_MEMBER, who, out))
		return true;
	if (!key_parse(&key, who, s->n->cfg.crypto))
		return false;
	*out = reg_name_key(REG_MEMBER, key.b, KEY_LEN);
	return true;
}

void root_unknown_member(struct ns *s, uint64_t op, const char *who)
{
	if (regs_is_keeper(s->regs))
		node_notice(s->n, op, NODE_NO, "no member '%s'; `vpnctl member list` shows them", who);
	else
		node_notice(s->n, op, NODE_NO, "no member '%s' is known here; name it by its key, or run it "
			    "on a keeper (`vpnctl keepers`)", who);
}

void node_token_revoke(struct node *n, uint64_t op, const char *ns, const char *id, bool members,
		       usec_t now)
{
	uint8_t flag = members;
	struct reg_op req = { .verb = OP_TOKEN_REVOKE, .payload = &flag, .payload_len = 1 };
	struct token t;
	struct key_pair key;
	uint8_t tid[32];
	struct ns *s;

	node_enter(n, now);
	s = root_admin_ns(n, op, ns);
	if (!s)
		return;
	if (!token_parse(&t, id, n->cfg.crypto) && key_from_seed(&key, t.seed)) {
		token_id(tid, &key.pub);
		req.name = reg_name_key(REG_TOKEN, tid, sizeof(tid));
	} else if (!find_register(s, REG_TOKEN, id, &req.name)) {
		node_notice(n, op, NODE_NO, "no token '%s' here; `vpnctl token list` shows their ids", id);
		return;
	}
	govern(s, op, &req, "revoked", now);
}

static bool is_keeper(const struct ns *s, const struct reg_name *member)
{
	const struct config *cf = regs_keepers(s->regs);
	struct pubkey key;

	memcpy(key.b, member->b, KEY_LEN);
	return cf && config_member(cf, &key) >= 0;
}

/* Keepers refuse it: whoever is put out of a set first leaves it in order (DESIGN 12.8). */
static void refuse_keeper(struct ns *s, uint64_t op, const char *who)
{
	if (regs_settings(s->regs)->keepers)
		node_notice(s->n, op, NODE_NO, "%s is a keeper and has to leave the set first: `vpnctl "
			    "member set %s --no-right keeper`; `vpnctl keepers` shows when it has", who,
			    who);
	else
		node_notice(s->n, op, NODE_NO, "%s is a keeper and has to leave the set first: `vpnctl "
			    "keepers replace %s OTHER` (or remove)", who, who);
}

void node_member_revoke(struct node *n, uint64_t op, const char *ns, const char *who, usec_t now)
{
	struct reg_op req = { .verb = OP_MEMBER_REVOKE };
	struct ns *s;

	node_enter(n, now);
	s = root_admin_ns(n, op, ns);
	if (!s)
		return;
	if (!root_find_member(s, who, &req.name))
		root_unknown_member(s, op, who);
	else if (is_keeper(s, &req.name))
		refuse_keeper(s, op, who);
	else
		govern(s, op, &req, "revoked", now);
}

uint32_t root_rights_of(const struct ns *s, const struct reg_name *member, struct member_payload *mp)
{
	struct reg_name name;
	struct reg_value v;
	size_t at = 0;

	while (regs_next(s->regs, &at, &name, &v))
		if (reg_name_equal(&name, member) &&
		    member_payload_read(mp, v.payload, v.payload_len))
			return mp->rights;
	memset(mp, 0, sizeof(*mp));
	return 0;
}

void node_member_set(struct node *n, uint64_t op, const char *ns, const char *who, uint32_t add,
		     uint32_t remove, usec_t now)
{
	struct reg_op req = { .verb = OP_MEMBER_SET };
	uint8_t payload[REG_PAYLOAD_MAX];
	struct wr w = wr_of(payload, sizeof(payload));
	struct member_payload mp, new = { .serial = 0 }; /* dates and the like are the keepers' */
	struct ns *s;

	node_enter(n, now);
	s = root_admin_ns(n, op, ns);
	if (!s)
		return;
	if (!root_find_member(s, who, &req.name) || !regs_is_keeper(s->regs)) {
		node_notice(n, op, NODE_NO, "no member '%s' in the registers here; run it on a keeper "
					    "and see `vpnctl member list`", who);
		return;
	}
	new.rights = (root_rights_of(s, &req.name, &mp) | add) & ~remove;
	new.groups = mp.groups;
	wr_member_payload(&w, &new);
	assert(wr_ok(&w));
	req.payload = payload;
	req.payload_len = wr_len(&w);
	govern(s, op, &req, "rights set", now);
}

void node_add_admin(struct node *n, uint64_t op, const char *ns, const char *who, usec_t now)
{
	struct ns *s = verb_ns(n, op, ns);
	struct reg_name member;
	struct settings st;
	struct pubkey key;

	node_enter(n, now);
	if (!s)
		return;
	if (!s->root_key || !regs_settings(s->regs)) {
		node_notice(n, op, NODE_NO, "only the node with the root key of %s can do this", s->name);
		return;
	}
	settings_copy(&st, regs_settings(s->regs));
	if (!root_find_member(s, who, &member)) {
		root_unknown_member(s, op, who);
		return;
	}
	memcpy(key.b, member.b, KEY_LEN);
	if (settings_is_admin(&st, &key)) {
		node_notice(n, op, NODE_NO, "%s is an admin already", who);
		return;
	}
	if (st.admin_count == ADMINS_MAX) {
		node_notice(n, op, NODE_NO, "%s has %d admins already", s->name, ADMINS_MAX);
		return;
	}
	st.admins[st.admin_count++] = key;
	st.number++;
	if (regs_change_settings(s->regs, &st, s->root_key, now) != 0)
		node_notice(n, op, NODE_NO, "run it on a keeper of %s (`vpnctl keepers`)", s->name);
	else
		node_notice(n, op, NODE_OK, "%s is an admin of %s", who, s->name);
	node_pump(n, now);
}
