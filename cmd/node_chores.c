/* node_chores.c - what a namespace does by the clock: each chore says when it is due again.
 *
 * A namespace in which nothing is pending sleeps: it is woken by whoever changes something that a
 * chore looks at (ns_wake), and otherwise by its modules' own timers. The node's chores at the end
 * are armed in the same way. */
#include "cmd/node.h"

#include <assert.h>
#include <stdlib.h>

#include "cmd/node_internal.h"

#define JOIN_PATIENCE SEC(4) /* said within five */
#define JOIN_LOOK SEC(1)
#define LAPSE_LOOK HOURS(1) /* at the latest: the wall clock may have been set */
#define NODE_CHORE SEC(1)   /* how late the node's own are */

const char ns_no_keeper[] =
	"cannot reach a keeper of the namespace; trying on (is UDP to the bootstrap node open, "
	"and is the token of this overlay?)";

/* One attached session to some keeper is kept: renewals, revocations and the beacon come by it. */
static usec_t seek_keeper(struct ns *s, usec_t now)
{
	const struct config *cf = regs_keepers(s->regs);
	bool found = false;

	for (size_t i = 0; cf && i < cf->count; i++)
		if (key_equal(&cf->members[i].node, &s->n->cfg.self.pub) ||
		    map_get(&s->attached, &cf->members[i].node))
			found = true;
	if (!cf || found) { /* ns_wake is called when one is lost, and when there are others */
		s->keeper_try = 0;
		return USEC_NEVER;
	}
	if (now < s->next_keeper_try)
		return s->next_keeper_try;
	p2p_attach(s->o->p2p, s->number, &cf->members[s->keeper_try % cf->count].node, now);
	ns_seek(s, &cf->members[s->keeper_try % cf->count].node, now);
	s->keeper_try++;
	s->next_keeper_try = now + SEC(1) * (s->keeper_try < 10 ? s->keeper_try : 10);
	if (s->keeper_try % 4 == 3)
		ns_query(s, QUERY_KEEPERS, 0, NULL, NULL, now);
	return s->next_keeper_try;
}

/* Memberships end; an attachment does not outlive the grant it was made with. Who has a newer one
 * attaches anew, as soon as there is something to say. */
static usec_t end_lapsed(struct ns *s, usec_t now)
{
	uint64_t wall = wall_seconds(&s->n->wall, now);
	usec_t next = s->attached.count ? now + LAPSE_LOOK : USEC_NEVER;
	struct attached *a;
	size_t at = 0;

	while ((a = map_next(&s->attached, &at)))
		if (a->not_after && a->not_after < wall) {
			struct pubkey key = a->key;

			p2p_detach(s->o->p2p, s->number, &key, now); /* no event follows */
			ns_detached(s, &key, false, now);
			at = 0;
		} else if (a->not_after && a->not_after - wall < LAPSE_LOOK / SEC(1)) {
			next = usec_min(next, now + SEC(a->not_after - wall + 1));
		}
	return next;
}

/* Says after five seconds what is wrong; looks for the keepers in the DHT meanwhile. */
static usec_t still_joining(struct ns *s, usec_t now)
{
	if (!regs_keepers(s->regs))
		ns_query(s, QUERY_KEEPERS, 0, NULL, NULL, now);
	if (!s->joining_since)
		s->joining_since = now;
	else if (now - s->joining_since >= JOIN_PATIENCE && !s->trouble)
		ns_trouble(s, "%s", ns_no_keeper);
	return now + JOIN_LOOK;
}

void ns_finish_waits(struct ns *s, usec_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->wait_count; i++) {
		struct wait *w = &s->waits[i];
		struct node_notice n = { .op = w->op, .v4 = s->v4, .v6 = s->v6 };
		char v4[IP_TEXT_LEN];

		ip_text(v4, &s->v4);
		n.text = s->state == NODE_NS_READY ? v4 : s->trouble ? s->trouble : "";
		n.result = s->state == NODE_NS_READY ? NODE_OK : NODE_NO;
		if (s->state == NODE_NS_READY || s->state == NODE_NS_REFUSED ||
		    s->state == NODE_NS_OUT)
			s->n->env.notice(s->n->env.ctx, &n);
		else if (now >= w->until)
			node_notice(s->n, w->op, NODE_TIMEOUT, "%s",
				    s->trouble ? s->trouble :
						    "not ready in time; see `vpnctl status`");
		else
			s->waits[kept++] = *w;
	}
	s->wait_count = kept;
	if (kept == 0) {
		free(s->waits);
		s->waits = NULL;
	}
}

static bool holds_anything(const struct ns *s, usec_t now)
{
	struct lease_info li;
	size_t at = 0;

	return s->leases && leases_next(s->leases, &at, &li, now);
}

/* The end of `leave`: what was held is given back, or two seconds are over. */
static void go(struct ns *s, usec_t now)
{
	struct node *n = s->n;
	struct overlay *o = s->o;
	uint64_t op = s->leave_op;

	state_erase_ns(s);
	ns_free(s, now);
	overlay_release(o, now);
	node_notice(n, op, NODE_OK, "left");
}

/* False: it is gone. */
static bool leave(struct ns *s, usec_t now)
{
	if (!s->leaving || (now < s->leaving && holds_anything(s, now)))
		return true;
	go(s, now);
	return false;
}

static usec_t end_naming(struct ns *s, usec_t now)
{
	if (!s->naming)
		return USEC_NEVER;
	if (now < s->naming_until)
		return s->naming_until;
	node_notice(s->n, s->naming, NODE_TIMEOUT, "no answer for this name yet; it goes on "
						   "(`vpnctl name list`)");
	s->naming = 0;
	return USEC_NEVER;
}

static usec_t first_wait(const struct ns *s)
{
	usec_t at = USEC_NEVER;

	for (size_t i = 0; i < s->wait_count; i++)
		at = usec_min(at, s->waits[i].until);
	return at;
}

static void chores_fire(struct timer *t, usec_t now)
{
	struct ns *s = container_of(t, struct ns, chores);
	usec_t at = s->leaving ? s->leaving : USEC_NEVER;

	if (!leave(s, now))
		return;
	if (s->restore_at) {
		at = usec_min(at, ns_restore_chore(s, now));
	} else if (s->state == NODE_NS_ENROLLED || s->state == NODE_NS_READY) {
		at = usec_min(at, seek_keeper(s, now));
		at = usec_min(at, end_lapsed(s, now));
		at = usec_min(at, ns_start_register(s, now));
		at = usec_min(at, ns_endpoints_chore(s, now));
		at = usec_min(at, ns_revocations_chore(s, now));
		at = usec_min(at, ns_era_chore(s, now));
	} else if (s->state == NODE_NS_JOINING && s->enrolling) {
		at = usec_min(at, still_joining(s, now));
	}
	at = usec_min(at, end_naming(s, now));
	at = usec_min(at, ns_keepers_chore(s, now));
	ns_finish_waits(s, now);
	ns_wake(s, usec_min(at, first_wait(s)));
}

void ns_wake(struct ns *s, usec_t at)
{
	if (!timer_is_set(&s->chores) || at < s->chores.at)
		timer_set(&s->n->timers, &s->chores, at);
}

void ns_want_keeper(struct ns *s, usec_t at)
{
	s->next_keeper_try = at;
	ns_wake(s, at);
}

void ns_chores_init(struct ns *s)
{
	timer_init(&s->chores, chores_fire);
}

void ns_chores_fini(struct ns *s)
{
	timer_cancel(&s->n->timers, &s->chores);
	if (s->restore_at)
		node_notice(s->n, s->restore_op, NODE_NO, "the namespace was left");
	for (size_t i = 0; i < s->wait_count; i++)
		node_notice(s->n, s->waits[i].op, NODE_NO, "the namespace was left");
	free(s->waits);
	ns_keepers_fini(s);
}

void ns_tick(struct ns *s, usec_t now)
{
	regs_tick(s->regs, now);
	if (s->leases && s->leases_on)
		leases_tick(s->leases, now);
	if (s->vnet)
		vnet_tick(s->vnet, now);
}

static void node_fire(struct timer *t, usec_t now)
{
	struct node *n = container_of(t, struct node, chores);

	outbox_expire(n, now);
	state_write_again(n);
	for (size_t i = 0; i < NODE_OVERLAYS_MAX; i++)
		if (n->overlays[i])
			state_save_contacts(n->overlays[i]);
	if (n->outbox_count || !list_is_empty(&n->rewrites))
		node_wake(n, now);
}

void node_wake(struct node *n, usec_t now)
{
	if (!timer_is_set(&n->chores))
		timer_set(&n->timers, &n->chores, now + NODE_CHORE);
}

void node_chores_init(struct node *n)
{
	timers_init(&n->timers);
	timer_init(&n->chores, node_fire);
}
