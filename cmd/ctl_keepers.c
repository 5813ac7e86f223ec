/* ctl_keepers.c - `keepers` and everything under it, from and to JSON. */
#include "cmd/ctl_request.h"

#include <string.h>

#include "base/list.h"
#include "cmd/ctl_json.h"
#include "cmd/node_health.h"

#define KEEPERS_DEFAULT 5 /* of "auto" */

static void answer_text(json_t *reply, const struct node_notice *n)
{
	json_object_set_new(reply, "text", json_string(n->text));
}

/* --- showing --- */

static const char *state_of(const struct node_keeper *k)
{
	return k->lost	       ? "lost its state" :
	       !k->reachable   ? "no answer" :
	       k->sealed       ? "changing" :
	       !k->installed   ? "copying" :
				 "works";
}

static json_t *keeper_json(const struct node_keeper *k, const struct node_keepers_info *i)
{
	json_t *o = json_object();

	json_set_key(o, "key", &k->node);
	json_set_text(o, "name", k->name);
	json_set_flag(o, "self", k->self);
	json_set_number(o, "era", i->era);
	json_set_number(o, "epoch", i->epoch);
	json_set_number(o, "quorum", i->quorum);
	json_set_number(o, "of", i->count);
	if (!k->known)
		return o;
	json_set_text(o, "state", state_of(k));
	json_set_flag(o, "reachable", k->reachable);
	json_set_flag(o, "installed", k->installed);
	json_set_flag(o, "sealed", k->sealed);
	json_set_flag(o, "lost", k->lost);
	json_set_number(o, "behind", k->behind);
	if (k->was_heard)
		json_set_number(o, "heard_ms", k->heard / 1000);
	return o;
}

static void add_keepers(struct request *r, const struct node_ns_info *i, json_t *list)
{
	struct node_keepers_info info;
	struct node_keeper k;
	size_t at = 0;

	node_keepers_info(r->node, i->ns, &info, r->now);
	while (node_keeper_next(r->node, i->ns, &at, &k, r->now))
		json_array_append_new(list, keeper_json(&k, &info));
}

static const char *wait_text(enum candidate_wait w)
{
	static const char *const text[] = {
		[CANDIDATE_READY] = "ready", [CANDIDATE_ABSENT] = "absent", [CANDIDATE_PROOF] = "proof",
		[CANDIDATE_PAIR] = "pair",   [CANDIDATE_FULL] = "full",	    [CANDIDATE_MANUAL] = "manual",
	};
	_Static_assert(ARRAY_LEN(text) == CANDIDATE_WAIT_COUNT, "every reason has a word");

	return (unsigned)w < ARRAY_LEN(text) ? text[w] : "?";
}

static json_t *candidates_json(const struct request *r, const struct node_keepers_info *i)
{
	json_t *list = json_array();
	struct candidate c;
	char text[100];
	size_t at = 0;

	while (node_candidate_next(r->node, i->ns, &at, &c, r->now)) {
		json_t *o = json_object();

		json_set_key(o, "key", &c.node);
		node_member_name(r->node, i->ns, &c.node, text);
		json_set_text(o, "name", text);
		json_set_flag(o, "present", c.present);
		json_set_number(o, "present_percent", c.percent);
		json_set_text(o, "wait", wait_text(c.wait));
		if (c.wait == CANDIDATE_PROOF)
			json_set_number(o, "left_s", (c.left + SEC(1) - 1) / SEC(1));
		node_candidate_text(&c, i->most, text, sizeof(text));
		json_set_text(o, "why", text);
		json_array_append_new(list, o);
	}
	return list;
}

static void add_keys(json_t *o, const char *name, const struct pubkey *keys, size_t count)
{
	json_t *list = json_array();
	char text[KEY_TEXT_LEN];

	for (size_t i = 0; i < count; i++) {
		if (key_is_zero(&keys[i]))
			continue;
		key_text(text, &keys[i]);
		json_array_append_new(list, json_string(text));
	}
	json_object_set_new(o, name, list);
}

static json_t *evidence_json(const struct regs *regs)
{
	json_t *list = json_array();
	const struct evidence *e;

	for (size_t i = 0; (e = regs_evidence(regs, i)); i++) {
		struct pubkey owners[] = { e->side[0].owner, e->side[1].owner };
		char what[2 * REG_NAME_MAX + 1];
		json_t *o = json_object();

		request_reg_text(&e->name, what);
		json_set_text(o, "what", evidence_text(e->kind));
		json_set_number(o, "kind", e->name.kind);
		json_set_text(o, "name", what);
		json_set_number(o, "generation", e->generation);
		add_keys(o, "owners", owners, 2);
		add_keys(o, "keepers", e->liar, e->liars);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *set_json(const struct request *r, const struct node_ns_info *ns)
{
	const struct regs *regs = node_regs(r->node, ns->ns);
	struct node_keepers_info i;
	json_t *o = json_object();

	node_keepers_info(r->node, ns->ns, &i, r->now);
	json_set_text(o, "namespace", ns->name);
	json_set_number(o, "era", i.era);
	json_set_number(o, "epoch", i.epoch);
	json_set_number(o, "keepers", i.count);
	json_set_number(o, "quorum", i.quorum);
	json_set_flag(o, "hardened", i.hardened);
	json_set_text(o, "policy", i.most ? "auto" : "manual");
	if (i.most)
		json_set_number(o, "most", i.most);
	json_set_flag(o, "here", i.here);
	if (i.here) {
		json_set_number(o, "reachable", i.reachable);
		json_set_flag(o, "changing", i.changing);
	}
	if (i.last_change)
		json_set_number(o, "last_change_unix_s", i.last_change);
	json_object_set_new(o, "candidates", candidates_json(r, &i));
	json_object_set_new(o, "evidence", evidence_json(regs));
	json_set_number(o, "evidence_count", regs_evidence_count(regs));
	return o;
}

/* The list of keepers, and beside it what is true of each set as a whole. */
static void run_keepers(struct request *r)
{
	json_t *sets = json_array();
	struct node_ns_info i;
	size_t at = 0;

	while (node_ns_next(r->node, &at, &i, r->now))
		if (!r->ns || strcmp(r->ns, i.name) == 0)
			json_array_append_new(sets, set_json(r, &i));
	r->also = sets;
	r->also_key = "sets";
	request_each_ns(r, "keepers", add_keepers);
}

/* --- changing --- */

static bool take_names(struct request *r, const char **names, size_t *count)
{
	size_t n = json_array_size(r->args);

	for (*count = 0; *count < n && *count < KEEPERS_MAX; ++*count) {
		names[*count] = request_arg(r, *count);
		if (!names[*count])
			break;
	}
	if (n && *count == n)
		return true;
	request_refuse(r, "takes 1 to %d members' names or keys", KEEPERS_MAX);
	return false;
}

static void run_add(struct request *r)
{
	struct node_keepers_change c = { .added = 0 };

	if (take_names(r, c.add, &c.added))
		node_keepers_change(r->node, request_op(r, answer_text), r->ns, &c, r->now);
}

static void run_remove(struct request *r)
{
	struct node_keepers_change c = { .added = 0 };

	if (take_names(r, c.remove, &c.removed))
		node_keepers_change(r->node, request_op(r, answer_text), r->ns, &c, r->now);
}

static void run_replace(struct request *r)
{
	struct node_keepers_change c = { .remove = { request_arg(r, 0) }, .removed = 1,
					 .add = { request_arg(r, 1) }, .added = 1 };

	if (!c.remove[0] || !c.add[0])
		request_refuse(r, "takes two members: the keeper that goes and the one that comes");
	else
		node_keepers_change(r->node, request_op(r, answer_text), r->ns, &c, r->now);
}

static void run_grow(struct request *r)
{
	node_keepers_grow(r->node, request_op(r, answer_text), r->ns, r->now);
}

bool request_keepers(struct request *r, const char *text, uint8_t *most)
{
	static const struct {
		const char *text;
		uint8_t most;
	} rows[] = { { "auto", KEEPERS_DEFAULT }, { "manual", 0 }, { "1", 1 },
		     { "3", 3 }, { "5", 5 }, { "7", 7 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].text, text) == 0) {
			*most = rows[i].most;
			return true;
		}
	request_refuse(r, "there are at most 1, 3, 5 or 7 keepers, `auto` (5) or `manual`, not '%s'", text);
	return false;
}

static void run_max(struct request *r)
{
	struct node_keepers_max m = { .hardened = request_flag(r, "hardened"),
				      .sets_hardened = request_flag(r, "hardened") ||
						       request_flag(r, "no-hardened") };
	const char *arg = request_arg(r, 0);

	if (!arg)
		request_refuse(r, "takes 1, 3, 5, 7, auto or manual");
	else if (request_keepers(r, arg, &m.most))
		node_keepers_max(r->node, request_op(r, answer_text), r->ns, &m, r->now);
}

const struct ctl_command ctl_keepers[] = {
	{ "keepers", run_keepers },
	{ "keepers add", run_add },
	{ "keepers remove", run_remove },
	{ "keepers replace", run_replace },
	{ "keepers grow", run_grow },
	{ "keepers max", run_max },
	{ NULL, NULL },
};
