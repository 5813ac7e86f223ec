/* node_keepers.c - who judges ownership: what a person may change about it, and what is shown.
 *
 * A change by hand goes to regs_change_keepers as a whole set; it is over when the set is in force
 * (regs_keepers says so) or when no change is under way any more: looked at every second while
 * somebody waits for it, one at a time in a namespace. What is shown is what this node knows: all
 * of it at a keeper, elsewhere the names of the set only. */
#include "cmd/node_keepers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

#define CHANGE_LOOK SEC(1)
#define CHANGE_PATIENCE SEC(90) /* then whoever asked is told that it goes on */

struct keepers_wait {
	uint64_t caller;
	struct keeper_set want;
	usec_t until;
};

/* --- changing the set --- */

static bool is_in(const struct config *cf, const struct keeper_set *want)
{
	for (size_t i = 0; i < want->count; i++)
		if (config_member(cf, &want->node[i]) < 0)
			return false;
	return cf->count == want->count;
}

/* In the new set, as far as this node can tell: it has what it needs to judge, or left. */
static bool is_at_work(const struct ns *s, const struct config *cf)
{
	return regs_is_keeper(s->regs) || config_member(cf, &s->n->cfg.self.pub) < 0;
}

static void end_wait(struct ns *s, enum node_result r, const char *text)
{
	node_notice(s->n, s->keepers_wait->caller, r, "%s", text);
	free(s->keepers_wait);
	s->keepers_wait = NULL;
}

usec_t ns_keepers_chore(struct ns *s, usec_t now)
{
	const struct keepers_wait *w = s->keepers_wait;
	const struct config *cf = regs_keepers(s->regs);
	char text[100];
	bool done;

	if (!w)
		return USEC_NEVER;
	snprintf(text, sizeof(text), "%s has %u keeper%s now", s->name, w->want.count,
		 w->want.count == 1 ? "" : "s");
	done = cf && is_in(cf, &w->want);
	if (done && is_at_work(s, cf))
		end_wait(s, NODE_OK, text);
	else if (!done && !regs_is_changing(s->regs))
		end_wait(s, NODE_NO, "the change came to nothing: one of the new keepers, or a majority "
				     "of the present ones, did not answer (`vpnctl keepers`)");
	else if (now >= w->until)
		end_wait(s, NODE_TIMEOUT, "the change is not over yet; it goes on (`vpnctl keepers`)");
	else
		return usec_min(now + CHANGE_LOOK, w->until);
	return USEC_NEVER;
}

void ns_keepers_fini(struct ns *s) { free(s->keepers_wait); }

static void refuse_change(struct ns *s, uint64_t op, int error)
{
	static const struct {
		int error;
		const char *text;
	} why[] = {
		{ -EPERM, "this node is no working keeper; run it on one (`vpnctl keepers`)" },
		{ -EBUSY, "a change of the keepers is under way; `vpnctl keepers` shows when it is "
			  "over" },
		{ -EINVAL, "these are the keepers already" },
		{ -ENOENT, "nobody can be taken in: `vpnctl keepers` names the candidates and why each "
			   "waits" },
	};

	for (size_t i = 0; i < ARRAY_LEN(why); i++)
		if (why[i].error == error) {
			node_notice(s->n, op, NODE_NO, "%s", why[i].text);
			return;
		}
	node_notice(s->n, op, NODE_NO, "the keepers cannot be changed now (error %d); try again in a "
				       "minute", -error);
}

/* A change that regs has begun, or refused. */
static void begun(struct ns *s, uint64_t op, const struct keeper_set *want, int error, usec_t now)
{
	if (error) {
		refuse_change(s, op, error);
		return;
	}
	if (s->keepers_wait)
		end_wait(s, NODE_NO, "another change was begun");
	s->keepers_wait = mem_new(sizeof(*s->keepers_wait));
	*s->keepers_wait = (struct keepers_wait){ op, *want, now + CHANGE_PATIENCE };
	ns_wake(s, now);
}

/* Where the set can be changed: at a keeper that reaches a majority. NULL: *op* is refused. */
static struct ns *keeper_ns(struct ns *s, uint64_t op, usec_t now)
{
	struct keeper_info info[KEEPERS_MAX];
	size_t count, alive = 0;

	if (!s)
		return NULL;
	count = regs_keeper_infos(s->regs, info, now);
	for (size_t i = 0; i < count; i++)
		alive += info[i].reachable;
	if (!regs_is_keeper(s->regs))
		refuse_change(s, op, -EPERM);
	else if (alive < regs_keepers(s->regs)->quorum)
		node_notice(s->n, op, NODE_NO, "only %zu of %zu keepers can be reached, too few to decide; "
			    "bring one back, or if they are gone for good, `vpnctl keepers reset` on "
			    "the node with the root key", alive, count);
	else
		return s;
	return NULL;
}

static int place_of(const struct keeper_set *set, const struct pubkey *node)
{
	for (int i = 0; i < set->count; i++)
		if (key_equal(&set->node[i], node))
			return i;
	return -1;
}

static bool member_of(struct ns *s, uint64_t op, const char *who, struct pubkey *out)
{
	struct reg_name name;

	if (!root_find_member(s, who, &name)) {
		root_unknown_member(s, op, who);
		return false;
	}
	memcpy(out->b, name.b, KEY_LEN);
	return true;
}

static bool set_remove(struct ns *s, uint64_t op, const char *who, struct keeper_set *set)
{
	struct pubkey node;
	int at;

	if (!member_of(s, op, who, &node))
		return false;
	at = place_of(set, &node);
	if (at < 0) {
		node_notice(s->n, op, NODE_NO, "%s is no keeper (`vpnctl keepers`)", who);
		return false;
	}
	set->node[at] = set->node[--set->count];
	return true;
}

static bool set_add(struct ns *s, uint64_t op, const char *who, struct keeper_set *set)
{
	struct member_payload mp;
	struct reg_name name;
	struct pubkey node;

	if (!member_of(s, op, who, &node))
		return false;
	name = reg_name_key(REG_MEMBER, node.b, KEY_LEN);
	if (place_of(set, &node) >= 0)
		node_notice(s->n, op, NODE_NO, "%s is a keeper already (`vpnctl keepers`)", who);
	else if (!(root_rights_of(s, &name, &mp) & RIGHT_KEEPER))
		node_notice(s->n, op, NODE_NO, "%s may not be a keeper; `vpnctl member set %s --right "
					       "keeper` first", who, who);
	else if (set->count == KEEPERS_MAX)
		node_notice(s->n, op, NODE_NO, "there are at most %d keepers", KEEPERS_MAX);
	else {
		set->node[set->count++] = node;
		return true;
	}
	return false;
}

static bool is_size(struct ns *s, uint64_t op, const struct keeper_set *set)
{
	if (regs_keeper_quorum(set->count, false))
		return true;
	node_notice(s->n, op, NODE_NO, "this would make %u keepers, which survive no more losses than "
		    "%u: there are 1, 3, 5 or 7. Name one more, or use `vpnctl keepers replace OLD "
		    "NEW`", set->count, set->count ? set->count - 1u : 0u);
	return false;
}

void node_keepers_change(struct node *n, uint64_t op, const char *ns,
			 const struct node_keepers_change *c, usec_t now)
{
	struct keeper_set want = { .count = 0 };
	const struct config *cf;
	struct ns *s;

	node_enter(n, now);
	s = keeper_ns(root_admin_ns(n, op, ns), op, now);
	if (!s)
		return;
	cf = regs_keepers(s->regs);
	for (size_t i = 0; i < cf->count; i++)
		want.node[want.count++] = cf->members[i].node;
	for (size_t i = 0; i < c->removed; i++)
		if (!set_remove(s, op, c->remove[i], &want))
			return;
	for (size_t i = 0; i < c->added; i++)
		if (!set_add(s, op, c->add[i], &want))
			return;
	if (!is_size(s, op, &want))
		return;
	if (want.count < cf->count && regs_is_hardened(s->regs)) {
		node_notice(n, op, NODE_NO, "the keepers of %s are hardened: others may take their places "
			    "(`vpnctl keepers replace`), but there will not be fewer until `vpnctl keepers "
			    "reset`", s->name);
		return;
	}
	want.quorum = regs_keeper_quorum(want.count, regs_settings(s->regs)->hardened ||
							   regs_is_hardened(s->regs));
	begun(s, op, &want, regs_change_keepers(s->regs, &want, now), now);
	node_pump(n, now);
}

/* Needs no admin: it is what keepers do by themselves, only sooner. */
void node_keepers_grow(struct node *n, uint64_t op, const char *ns, usec_t now)
{
	struct keeper_set want;
	struct ns *s;

	node_enter(n, now);
	s = keeper_ns(verb_ns(n, op, ns), op, now);
	if (!s)
		return;
	if (!regs_settings(s->regs)->keepers)
		node_notice(n, op, NODE_NO, "the keepers of %s are chosen by people: `vpnctl keepers add "
			    "NAME NAME`, or `vpnctl keepers max 5` lets them choose themselves", s->name);
	else
		begun(s, op, &want, regs_keepers_grow(s->regs, &want, now), now);
	node_pump(n, now);
}

/* --- settings --- */

void node_keepers_max(struct node *n, uint64_t op, const char *ns, const struct node_keepers_max *m,
		      usec_t now)
{
	struct ns *s = verb_ns(n, op, ns);
	struct settings st;

	node_enter(n, now);
	if (!s)
		return;
	if (!s->root_key || !regs_settings(s->regs)) {
		node_notice(n, op, NODE_NO, "only the node with the root key of %s can do this", s->name);
		return;
	}
	settings_copy(&st, regs_settings(s->regs));
	st.keepers = m->most;
	if (m->sets_hardened)
		st.hardened = m->hardened;
	st.number++;
	if (!st.hardened && regs_is_hardened(s->regs))
		node_notice(n, op, NODE_NO, "the keepers of %s are hardened, and so are all that follow them "
			    "until `vpnctl keepers reset`", s->name);
	else if (regs_change_settings(s->regs, &st, s->root_key, now) != 0)
		node_notice(n, op, NODE_NO, "run it on a keeper of %s (`vpnctl keepers`)", s->name);
	else if (!st.keepers)
		node_notice(n, op, NODE_OK, "the keepers of %s are chosen by people: `vpnctl keepers "
			    "add|remove|replace`", s->name);
	else
		node_notice(n, op, NODE_OK, "%s has at most %u keeper%s, which choose themselves%s",
			    s->name, st.keepers, st.keepers == 1 ? "" : "s",
			    st.hardened ? "; hardened" : "");
	node_pump(n, now);
}

/* --- what is known --- */

static void fill_info(const struct ns *s, const struct keeper_info *i, struct node_keeper *out,
		      usec_t now)
{
	out->known = true;
	out->reachable = i->reachable;
	out->installed = i->installed;
	out->sealed = i->sealed;
	out->lost = i->lost;
	out->behind = i->behind;
	out->heard = i->heard && now > i->heard ? now - i->heard : 0;
	out->was_heard = i->heard != 0 && !key_equal(&i->node, &s->n->cfg.self.pub);
}

bool node_keeper_next(const struct node *n, uint16_t ns, size_t *at, struct node_keeper *out,
		      usec_t now)
{
	const struct ns *s = ns < NODE_NAMESPACES_MAX ? n->ns[ns] : NULL;
	const struct config *cf = node_keepers(n, ns);
	struct keeper_info info[KEEPERS_MAX];
	size_t count;

	if (!s || !cf || *at >= cf->count)
		return false;
	count = regs_keeper_infos(s->regs, info, now);
	*out = (struct node_keeper){ .node = cf->members[*at].node };
	out->self = key_equal(&out->node, &n->cfg.self.pub);
	if (count == cf->count)
		fill_info(s, &info[*at], out, now);
	node_member_name(n, ns, &out->node, out->name);
	++*at;
	return true;
}

bool node_candidate_next(const struct node *n, uint16_t ns, size_t *at, struct candidate *out,
			 usec_t now)
{
	const struct regs *r = node_regs(n, ns);

	return r && regs_candidate(r, at, out, now);
}

void node_keepers_info(const struct node *n, uint16_t ns, struct node_keepers_info *out, usec_t now)
{
	const struct regs *r = node_regs(n, ns);
	const struct settings *st = r ? regs_settings(r) : NULL;
	const struct config *cf = node_keepers(n, ns);
	struct node_keeper k;
	size_t at = 0;

	*out = (struct node_keepers_info){ .ns = ns };
	if (!cf || !st)
		return;
	out->count = cf->count;
	out->quorum = cf->quorum;
	out->era = cf->era;
	out->epoch = cf->epoch;
	out->most = st->keepers;
	out->hardened = st->hardened;
	out->here = regs_is_keeper(r);
	out->changing = regs_is_changing(r);
	out->last_change = regs_last_change(r);
	while (node_keeper_next(n, ns, &at, &k, now))
		out->reachable += k.known && k.reachable;
}
