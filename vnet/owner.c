/* owner.c - what the owner of this module tells: who owns an address, which peer is attached.
 *
 * Every binding passes the fence first: lower generations are ignored, two owners at one generation
 * make the address nobody's until a higher one comes. A higher generation moves the flow at once.
 * A lease that its peer shows before any lookup told of it counts at once, and is looked up too
 * soon after when it is in use: an old grant shown again loses against the newer one that is found.
 * A peer that goes down keeps its flows; they hold frames until it is back. */
#include "vnet/state.h"

#include <assert.h>

#include "base/mutant.h"

#define LOOK_UP_AFTER MSEC(500) /* what a peer has shown; frames pass meanwhile */

/* The peer, its session, its flows and the packets held for it all go. */
static void peer_drop(struct vnet *v, struct peer *p)
{
	guard_forget(v, p);
	peer_set_session(&v->peers, p, 0, 0);
	p->pinned = true;
	while (!list_is_empty(&p->flows))
		resolve_flow_drop(v, container_of(p->flows.next, struct flow, of_owner),
				  DROP_NO_DEST);
	p->pinned = false;
	peer_release(&v->peers, p);
}

/* Finds or makes; one without session goes when there are too many. NULL when all have one: p2p
 * holds no more sessions than that. */
static struct peer *peer_wanted(struct vnet *v, const struct pubkey *key)
{
	struct peer *p = peer_get(&v->peers, key), *victim;

	if (p)
		return p;
	victim = peer_victim(&v->peers);
	if (!victim)
		return NULL;
	peer_drop(v, victim);
	return peer_get(&v->peers, key);
}

static void disowned(struct vnet *v, struct flow *f)
{
	struct peer *old = f->owner;

	f->owner = NULL;
	list_del(&f->of_owner);
	if (old)
		peer_release(&v->peers, old);
}

static void set_session(struct flow *f, uint32_t session, uint32_t tag)
{
	f->session = session;
	f->tag = tag;
}

/* Who asked by ARP is answered as soon as there is an owner; frames need its session as well. */
static void serve_waiting(struct vnet *v, struct flow *f, usec_t now)
{
	struct ip asker = f->asker;

	f->asker.len = 0;
	if (asker.len && now < f->until)
		resolve_answer_neighbour(v, &f->ip, &asker);
	resolve_flush(v, f, now);
}

static struct flow *install(struct vnet *v, const struct ip *ip, struct peer *p, usec_t now)
{
	struct flow *f;

	p->pinned = true; /* making room for the flow must not free it */
	f = flow_find(&v->flows, ip);
	if (!f)
		f = resolve_flow_new(v, ip, now);
	if (f->owner != p) {
		disowned(v, f);
		f->owner = p;
		list_add_tail(&p->flows, &f->of_owner);
		f->until = 0;
	}
	p->pinned = false;
	f->state = FLOW_OWNED;
	set_session(f, p->session, p->tag);
	return f;
}

/* A binding that passed the fence, for a flow of its owner. The same one shown again never shortens
 * itself: an older copy of a grant may arrive after a newer one. */
static void settle(struct vnet *v, struct flow *f, uint64_t generation, usec_t until, usec_t now)
{
	struct peer *p = f->owner;

	if (generation > f->generation || until > f->until)
		f->until = until;
	f->generation = generation;
	f->refresh = resolve_refresh_at(f->until, now);
	if (f->shown && !MUTANT(FIRST_SIGHT))
		f->refresh = usec_min(f->refresh, now + LOOK_UP_AFTER);
	resolve_timer(f, now);
	serve_waiting(v, f, now);
	if (p->held.count)
		guard_release(v, p, now);
}

static void conflict(struct vnet *v, const struct ip *ip, usec_t now)
{
	struct flow *f = flow_find(&v->flows, ip);
	char text[IP_TEXT_LEN];

	ip_text(text, ip);
	if (limit_take(&v->alarms, now))
		log_error(v->cfg.log, "%s: two owners of %s are shown for one generation; neither is "
				      "believed", v->cfg.name, text);
	if (!f)
		return;
	disowned(v, f);
	resolve_nobody(v, f, now);
}

static bool judge(struct vnet *v, const struct ip *ip, const struct pubkey *owner,
		  uint64_t generation, usec_t now)
{
	enum fence_word word = fence_judge(&v->fence, ip, owner, generation);

	if (word == FENCE_CONFLICT)
		conflict(v, ip, now);
	return word == FENCE_PASS;
}

/* "Nobody" ends a binding that still holds only when it knows of its generation. */
static void resolved_nobody(struct vnet *v, const struct ip *ip, uint64_t generation, usec_t now)
{
	struct flow *f = flow_find(&v->flows, ip);

	if (!f)
		return;
	if (f->state == FLOW_OWNED && now < f->until &&
	    (generation == 0 || generation < f->generation))
		return;
	disowned(v, f);
	resolve_nobody(v, f, now);
}

void vnet_resolved(struct vnet *v, const struct ip *ip, const struct pubkey *owner,
		   uint64_t generation, usec_t until, usec_t now)
{
	struct flow *f;
	struct peer *p;

	if (!vnet_is_remote(v, ip))
		return;
	if (!owner) {
		resolved_nobody(v, ip, generation, now);
		return;
	}
	if (!judge(v, ip, owner, generation, now))
		return;
	p = peer_wanted(v, owner);
	if (!p)
		return;
	f = install(v, ip, p, now);
	f->shown = 0;
	settle(v, f, generation, until, now);
	resolve_attach(v, p, now);
}

/* A lease that no lookup has told of, and none is under way: its peer's word alone. */
static bool is_first_sight(const struct flow *f, uint64_t generation, usec_t until)
{
	if (until == USEC_NEVER || (f && f->state == FLOW_ASKING && f->asked))
		return false;
	return !f || f->state != FLOW_OWNED || f->generation < generation;
}

bool vnet_bind(struct vnet *v, const struct ip *ip, const struct pubkey *owner, uint64_t generation,
	       usec_t until, usec_t now)
{
	bool first = is_first_sight(flow_find(&v->flows, ip), generation, until);
	struct flow *f;
	struct peer *p;

	if (!vnet_is_remote(v, ip) || !judge(v, ip, owner, generation, now))
		return false;
	p = peer_wanted(v, owner);
	if (!p)
		return false;
	f = install(v, ip, p, now);
	if (first)
		f->shown = now;
	settle(v, f, generation, until, now);
	return true;
}

void vnet_peer_up(struct vnet *v, const struct pubkey *peer, uint32_t session, uint32_t tag,
		  usec_t now)
{
	struct peer *p = peer_wanted(v, peer), *other;

	assert(session);
	if (!p)
		return;
	other = peer_of_session(&v->peers, session);
	if (other && other != p)
		vnet_peer_down(v, &other->key, now);
	if (p->session != session)
		guard_forget(v, p);
	peer_set_session(&v->peers, p, session, tag);
	for (struct list *l = p->flows.next; l != &p->flows; l = l->next)
		set_session(container_of(l, struct flow, of_owner), session, tag);
	for (struct list *l = p->flows.next; l != &p->flows; l = l->next)
		serve_waiting(v, container_of(l, struct flow, of_owner), now);
}

void vnet_peer_down(struct vnet *v, const struct pubkey *peer, usec_t now)
{
	struct peer *p = peer_find(&v->peers, peer);

	(void)now;
	if (!p)
		return;
	guard_forget(v, p);
	peer_set_session(&v->peers, p, 0, 0);
	for (struct list *l = p->flows.next; l != &p->flows; l = l->next)
		set_session(container_of(l, struct flow, of_owner), 0, 0);
	peer_release(&v->peers, p);
}

void vnet_peer_forget(struct vnet *v, const struct pubkey *peer, usec_t now)
{
	struct peer *p = peer_find(&v->peers, peer);

	(void)now;
	if (p)
		peer_drop(v, p);
}
