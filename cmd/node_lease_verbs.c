/* node_lease_verbs.c - leases a person asks for: one more address or many, a transfer, giving back.
 *
 * What was asked ends when the lease's events say so, or in time. At most WAITS_MAX wait. */
#include "cmd/node_verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/node_internal.h"

#define WAITS_MAX 8
#define ADD_TIMEOUT SEC(30)
#define TRANSFER_SECONDS 20 /* for the heir to take it */
#define TRANSFER_TIMEOUT SEC(40)

struct lease_wait {
	struct lease_wait *next;
	struct ns *s;
	struct timer timer;
	uint64_t op;
	bool transfer;
	struct reg_name name; /* len 0: any address */
	uint32_t asked, left, got;
	char why[NODE_TROUBLE_MAX];
};

static void text_of(const struct reg_name *name, char out[72])
{
	struct ip ip = { .len = name->len };

	if (name->kind == REG_ADDRESS && name->len <= 16) {
		memcpy(ip.b, name->b, name->len);
		ip_text(out, &ip);
	} else {
		snprintf(out, 72, "%.*s", name->len, name->b);
	}
}

static void wait_free(struct lease_wait *w)
{
	struct lease_wait **at = &w->s->lease_waits;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	timer_cancel(&w->s->n->timers, &w->timer);
	free(w);
}

static void too_late(struct timer *t, usec_t now)
{
	struct lease_wait *w = container_of(t, struct lease_wait, timer);

	(void)now;
	if (w->transfer)
		node_notice(w->s->n, w->op, NODE_TIMEOUT, "%s",
			    w->why[0] ? w->why : "no answer in time; `vpnctl lease list` shows what is held "
						 "and what is being transferred");
	else
		node_notice(w->s->n, w->op, NODE_TIMEOUT, "%u of %u held by now%s%s; the rest is still asked "
							  "for (`vpnctl lease list`)", (unsigned)w->got,
			    (unsigned)w->asked, w->why[0] ? ": " : "", w->why);
	wait_free(w);
}

/* NULL: too many wait; the person was told. */
static struct lease_wait *wait_new(struct ns *s, uint64_t op, const struct reg_name *name,
				   usec_t until)
{
	struct lease_wait *w;
	size_t count = 0;

	for (w = s->lease_waits; w; w = w->next)
		count++;
	if (count >= WAITS_MAX) {
		node_notice(s->n, op, NODE_NO, "too many requests are waiting already");
		return NULL;
	}
	w = mem_new(sizeof(*w));
	w->s = s;
	w->op = op;
	w->name = *name;
	w->asked = w->left = 1;
	timer_init(&w->timer, too_late);
	timer_set(&s->n->timers, &w->timer, until);
	w->next = s->lease_waits;
	s->lease_waits = w;
	return w;
}

void ns_lease_waits_end(struct ns *s)
{
	while (s->lease_waits) {
		node_notice(s->n, s->lease_waits->op, NODE_NO, "the namespace was left");
		wait_free(s->lease_waits);
	}
}

static void one_more(struct lease_wait *w, const struct lease_event *e)
{
	char text[72];

	text_of(&e->name, text);
	w->left--;
	w->got += e->type == LEASE_GAINED;
	if (w->left)
		return;
	if (w->name.len == 0 && w->got != 1)
		snprintf(text, sizeof(text), "%u addresses", (unsigned)w->got);
	if (w->why[0] && w->asked > 1)
		node_notice(w->s->n, w->op, NODE_NO, "%u of %u held: %s", (unsigned)w->got,
			    (unsigned)w->asked, w->why);
	else if (w->why[0])
		node_notice(w->s->n, w->op, NODE_NO, "%s", w->why);
	else
		node_notice(w->s->n, w->op, NODE_OK, "%s", text);
	wait_free(w);
}

static void transfer_ended(struct lease_wait *w, const struct lease_event *e)
{
	char text[72], key[KEY_TEXT_LEN];

	text_of(&e->name, text);
	key_text(key, &e->holder);
	if (e->type == LEASE_HANDED)
		node_notice(w->s->n, w->op, NODE_OK, "%s is owned by %s now", text, key);
	else
		node_notice(w->s->n, w->op, NODE_NO, "%s stays with this node: %s", text,
			    w->why[0] ? w->why : "the other did not take it in time (`vpnctl ping` "
						 "tells whether it is there)");
	wait_free(w);
}

static bool concerns(const struct lease_wait *w, const struct lease_event *e)
{
	if (w->transfer || w->name.len)
		return reg_name_equal(&w->name, &e->name);
	return e->more && e->name.kind == REG_ADDRESS;
}

void ns_lease_waits(struct ns *s, const struct lease_event *e, const char *why)
{
	struct lease_wait *w, *next;
	bool failed;

	for (w = s->lease_waits; w; w = next) {
		next = w->next;
		if (!concerns(w, e))
			continue;
		failed = e->type == LEASE_FAILED || e->type == LEASE_REFUSED;
		if (failed)
			snprintf(w->why, sizeof(w->why), "%s", why);
		if (w->transfer && (e->type == LEASE_HANDED || e->type == LEASE_GAINED))
			transfer_ended(w, e);
		else if (!w->transfer && (e->type == LEASE_GAINED || failed))
			one_more(w, e);
	}
}

static bool can_lease(struct ns *s, uint64_t op)
{
	if (s && !s->leases_on)
		node_notice(s->n, op, NODE_NO, "%s cannot lease anything now (`vpnctl status`)", s->name);
	return s && s->leases_on;
}

static void add_one(struct ns *s, uint64_t op, const char *text, usec_t now)
{
	const struct prefix *subnet = &regs_settings(s->regs)->subnet;
	char net[PREFIX_TEXT_LEN];
	struct ip ip;
	struct reg_name name;
	int r = ip_parse(&ip, text) ? leases_add_address(s->leases, &ip, now) : -EINVAL;

	if (r == -EEXIST) {
		node_notice(s->n, op, NODE_OK, "%s is this node's already", text);
	} else if (r == -EINVAL) {
		prefix_text(net, subnet);
		node_notice(s->n, op, NODE_NO, "'%s' cannot be leased here: an address of %s can, but not its "
					       "first two and its last", text, net);
	} else if (r < 0) {
		node_notice(s->n, op, NODE_NO, "this node has %d leases already; `vpnctl lease release` "
					       "makes room", LEASES_MAX);
	} else {
		name = reg_name_address(&ip);
		wait_new(s, op, &name, now + ADD_TIMEOUT);
	}
}

static void add_many(struct ns *s, uint64_t op, uint32_t count, usec_t now)
{
	struct reg_name any = { .kind = REG_ADDRESS };
	struct lease_wait *w = wait_new(s, op, &any, now + ADD_TIMEOUT);
	uint32_t asked = 0;

	while (w && asked < count && leases_add_address(s->leases, NULL, now) == 0)
		asked++;
	if (w && asked == 0) {
		node_notice(s->n, op, NODE_NO, "this node has %d leases already, or the subnet no more "
					       "addresses; `vpnctl lease release` makes room", LEASES_MAX);
		wait_free(w);
	} else if (w) {
		w->asked = count;
		w->left = asked;
		if (asked < count)
			snprintf(w->why, sizeof(w->why), "a node has at most %d leases", LEASES_MAX);
	}
}

void node_lease_add(struct node *n, uint64_t op, const char *ns, const struct node_lease_add *a,
		    usec_t now)
{
	struct ns *s = verb_ns(n, op, ns);

	node_enter(n, now);
	if (!can_lease(s, op))
		return;
	if (a->address)
		add_one(s, op, a->address, now);
	else
		add_many(s, op, a->count ? a->count : 1, now);
	node_pump(n, now);
}

/* An address or a host name of this node's; false = none, and told. */
static bool take_name(struct ns *s, uint64_t op, const char *text, struct reg_name *out)
{
	struct lease_info li;
	size_t at = 0;
	struct ip ip;

	if (ip_parse(&ip, text))
		*out = reg_name_address(&ip);
	else if (!reg_name_host(out, text))
		*out = (struct reg_name){ 0 };
	while (leases_next(s->leases, &at, &li, s->n->now))
		if (reg_name_equal(&li.name, out))
			return true;
	node_notice(s->n, op, NODE_NO, "'%s' is not leased by this node (`vpnctl lease list`)", text);
	return false;
}

void node_lease_release(struct node *n, uint64_t op, const char *ns, const char *what, usec_t now)
{
	struct ns *s = verb_ns(n, op, ns);
	struct reg_name name;

	node_enter(n, now);
	if (!can_lease(s, op) || !take_name(s, op, what, &name))
		return;
	leases_release(s->leases, &name, now);
	node_notice(n, op, NODE_OK, "released %s", what);
	node_pump(n, now);
}

static void transfer(struct ns *s, uint64_t op, const struct reg_name *name,
		     const struct pubkey *heir, usec_t now)
{
	int r = leases_transfer(s->leases, name, heir, TRANSFER_SECONDS, now);
	struct lease_wait *w;

	if (r == -EAGAIN) {
		node_notice(s->n, op, NODE_NO, "not just now; try again in a second");
	} else if (r == -EINVAL) {
		node_notice(s->n, op, NODE_NO, "it is this node's already; name another member");
	} else if (r < 0) {
		node_notice(s->n, op, NODE_NO, "it cannot be transferred now: it is not held, or on its "
					       "way (`vpnctl lease list`)");
	} else {
		w = wait_new(s, op, name, now + TRANSFER_TIMEOUT);
		if (w)
			w->transfer = true;
	}
}

void node_lease_transfer(struct node *n, uint64_t op, const char *ns,
			 const struct node_lease_transfer *t, usec_t now)
{
	struct ns *s = verb_ns(n, op, ns);
	struct reg_name name, member;
	struct pubkey heir;

	node_enter(n, now);
	if (!can_lease(s, op) || !take_name(s, op, t->what, &name))
		return;
	if (!root_find_member(s, t->to, &member)) {
		node_notice(n, op, NODE_NO, "no member '%s' is known here; `vpnctl ping %s` first, or give its "
					    "key (`vpnctl status` there shows it)", t->to, t->to);
		return;
	}
	memcpy(heir.b, member.b, KEY_LEN);
	transfer(s, op, &name, &heir, now);
	node_pump(n, now);
}
