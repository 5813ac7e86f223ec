/* p2p.c - one overlay as an object: its tables, its verbs, its clock.
 *
 * The public face; the work is done in (in the order of a packet's way) dispatch, respond and
 * connect, slot and fast, control, later, attach, addresses, route; session.c holds it together.
 * Every entry notes `now`, does its work, and settles: what was put off is run, deadlines are
 * computed, views published. Env callbacks never call back in, so no entry is re-entered. */
#include "p2p/p2p.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "p2p/addresses.h"
#include "p2p/connect.h"
#include "p2p/core.h"
#include "p2p/lan.h"
#include "p2p/later.h"
#include "p2p/route.h"
#include "p2p/session.h"
#include "p2p/transmit.h"

#define INITS_A_SECOND 20 /* more than that is load: cookies */
#define WHOIS_A_SECOND 10
#define SLEPT SEC(20) /* a tick later than its deadline by more: we stood still */

uint32_t p2p_random32(const struct p2p *p)
{
	uint8_t b[4];
	struct rd r = rd_of(b, sizeof(b));

	p2p_random(p, b, sizeof(b));
	return rd_u32(&r);
}

void p2p_emit(struct p2p *p, const struct p2p_event *e)
{
	if (!p->closing)
		p->env.event(p->env.ctx, e);
}

struct handshake_offer p2p_offer(const struct p2p *p, uint64_t instance)
{
	uint32_t aes = p->cfg.aes ? HANDSHAKE_FEATURE_AES : 0;
	uint32_t leaf = p->cfg.leaf ? HANDSHAKE_FEATURE_LEAF : 0;

	return (struct handshake_offer){ .features = aes | leaf, .instance = instance, .lanes = 1 };
}

static void tables_init(struct p2p *p)
{
	uint8_t seed[16];

	p2p_random(p, seed, sizeof(seed));
	map_init(&p->sessions, offsetof(struct session, peer), KEY_LEN, P2P_SESSIONS_MAX, seed);
	map_init(&p->sessions_by_id, offsetof(struct session, id), ID_LEN, P2P_SESSIONS_MAX, seed);
	stamps_init(&p->stamps);
	index_init(&p->view.slots);
	index_init(&p->view.peers);
	timers_init(&p->timers);
	p->lane.drops = p->cfg.drops;
	p->addresses = mem_new(0);
	p->dirty_end = &p->dirty;
	list_init(&p->later);
	limit_init(&p->inits, INITS_A_SECOND, INITS_A_SECOND);
	limit_init(&p->whois, WHOIS_A_SECOND, WHOIS_A_SECOND);
}

struct p2p *p2p_new(const struct p2p_config *cfg, const struct p2p_env *env, usec_t now)
{
	struct p2p *p = mem_new(sizeof(*p));
	struct ring_env ring_env;

	assert(cfg->overlay_key_count >= 1 && cfg->overlay_key_count <= P2P_OVERLAY_KEYS_MAX);
	assert(cfg->drops);
	assert(env->send && env->random && env->event && env->grant_ok && env->own_grant);
	p->cfg = *cfg;
	p->env = *env;
	p->now = now;
	p->id = id_of(&cfg->self.pub);
	if (!handshake_self_init(&p->self, &cfg->self, cfg->crypto)) {
		free(p);
		return NULL;
	}
	tables_init(p);
	ring_env = later_ring_env(p);
	p->ring = ring_new(&cfg->self.pub, cfg->leaf ? RING_LEAF : RING_FULL, &ring_env, now);
	lan_init(p, now);
	return p;
}

void p2p_free(struct p2p *p, usec_t now)
{
	struct session *s;
	size_t at = 0;

	if (!p)
		return;
	p->now = now;
	ring_leave(p->ring, now);
	session_settle(p, now);
	p->closing = true;
	while ((s = map_next(&p->sessions, &at)))
		session_close(s, now);
	later_clear(p);
	for (at = 0; (s = map_next(&p->sessions, &at)); at = 0)
		session_free(s);
	ring_free(p->ring);
	lan_fini(p);
	stamps_fini(&p->stamps);
	map_fini(&p->sessions);
	map_fini(&p->sessions_by_id);
	index_fini(&p->view.slots);
	index_fini(&p->view.peers);
	timers_fini(&p->timers);
	boots_fini(&p->boots);
	free(p->sources);
	free(p->addresses);
	if (p->ns)
		sodium_memzero(p->ns, p->ns_count * sizeof(*p->ns));
	free(p->ns);
	sodium_memzero(p, sizeof(*p));
	free(p);
}

/* What the fast path marked: those sessions' deadlines are other ones now. */
static void poll_lane(struct p2p *p, usec_t now)
{
	struct peer_use *use;

	if (!p->lane.used || now < p->lane.used + POLL_GAP)
		return;
	p->lane.used = 0;
	while ((use = p->lane.marked)) {
		p->lane.marked = use->marked_next;
		use->marked = false;
		session_touch(container_of(use, struct session, use));
	}
	session_settle(p, now);
}

/* The process was stopped, or the machine slept. */
static void wake(struct p2p *p, usec_t then, usec_t now)
{
	struct session *s;
	size_t at = 0;

	log_info(p->cfg.log, "p2p: %u s late", (unsigned)((now - then) / SEC(1)));
	while ((s = map_next(&p->sessions, &at)))
		session_wake(s, then, now);
	session_settle(p, now);
}

/* Only who was not called at all for so long can have slept: a deadline alone may be an old one of
 * something that was at rest. Packets may have waited for us, so not only ticks look. */
void p2p_enter(struct p2p *p, usec_t now)
{
	usec_t then = now > p->now + SLEPT ? p2p_deadline(p) : now;

	p->now = now;
	if (then + SLEPT < now)
		wake(p, then, now);
}

void p2p_tick(struct p2p *p, usec_t now)
{
	p2p_enter(p, now);
	poll_lane(p, now);
	boot_tick(p, now);
	lan_tick(p, now);
	if (ring_deadline(p->ring) <= now)
		ring_tick(p->ring, now);
	session_settle(p, now);
	timers_run(&p->timers, now);
	addresses_mind_agent(p, now);
	session_settle(p, now);
}

usec_t p2p_deadline(const struct p2p *p)
{
	usec_t at = usec_min(timers_next(&p->timers), ring_deadline(p->ring));

	if (p->later_count)
		return p->now;
	if (p->lane.used)
		at = usec_min(at, p->lane.used + POLL_GAP);
	return usec_min(at, usec_min(boot_deadline(p), lan_deadline(p)));
}

void p2p_set_addresses(struct p2p *p, const struct addr *addrs, size_t count, usec_t now)
{
	p2p_enter(p, now);
	if (addresses_set(p, addrs, count))
		addresses_tell_all(p, now);
	session_settle(p, now);
}

/* A session that the owner wants; NULL when there can be none. */
static struct session *ask_for(struct p2p *p, const struct pubkey *peer, usec_t now)
{
	struct session *s = session_want(p, peer, now);

	if (!s)
		return NULL;
	s->used_at = heard_unit(now);
	if (!s->up) {
		s->asked = true;
		connect_want(s, now);
		connect_hurry(s, now);
	}
	session_touch(s);
	return s;
}

int p2p_connect(struct p2p *p, const struct pubkey *peer, usec_t now)
{
	struct session *s;

	p2p_enter(p, now);
	s = ask_for(p, peer, now);
	if (!s)
		return -ENOSPC;
	if (s->up)
		p2p_emit(p, &(struct p2p_event){ .type = P2P_SESSION_UP, .peer = s->peer,
						 .session = s->handle, .leaf = s->peer_is_leaf });
	session_settle(p, now);
	return 0;
}

int p2p_send(struct p2p *p, const struct pubkey *peer, uint8_t service, const uint8_t *msg,
	     size_t len, usec_t now)
{
	struct session *s;
	int r;

	p2p_enter(p, now);
	s = session_find(p, peer);
	if (!s || !s->up)
		return -ENOTCONN;
	r = channel_send(&s->channel, service, msg, len, now);
	session_use(s, service, now);
	session_touch(s);
	session_settle(p, now);
	return r;
}

bool p2p_has_session(const struct p2p *p, const struct pubkey *peer)
{
	const struct session *s = session_find(p, peer);

	return s && s->up;
}

static int route_message(struct p2p *p, struct routed *m, usec_t now)
{
	int r;

	if (m->len == 0 || m->len > P2P_ROUTED_MAX)
		return -EMSGSIZE;
	p2p_enter(p, now);
	r = route_send(p, m, now);
	session_settle(p, now);
	return r;
}

int p2p_route(struct p2p *p, const struct node_id *to, const struct node_id *agent, uint8_t service,
	      const uint8_t *msg, size_t len, usec_t now)
{
	struct routed m = { .service = service, .to = *to, .body = msg, .len = len };

	if (agent)
		m.agent = *agent;
	return route_message(p, &m, now);
}

int p2p_route_nearest(struct p2p *p, const struct node_id *target, const struct node_id *agent,
		      uint8_t service, const uint8_t *msg, size_t len, usec_t now)
{
	struct routed m = { .flags = ROUTED_NEAREST, .service = service, .to = *target,
			    .body = msg, .len = len };

	if (agent)
		m.agent = *agent;
	return route_message(p, &m, now);
}

struct node_id p2p_link(const struct p2p *p, unsigned turn) { return route_link(p, turn); }

int p2p_locate(struct p2p *p, const struct pubkey *peer, const struct addr *addrs, size_t count,
	       const struct node_id *agent, usec_t now)
{
	struct session *s;

	p2p_enter(p, now);
	s = session_want(p, peer, now);
	if (!s)
		return -ENOSPC;
	for (size_t i = 0; i < count && i < P2P_ADDRESSES_MAX; i++)
		if (addresses_usable(&addrs[i]))
			paths_add(&s->paths, &addrs[i], 0, true, now);
	if (agent)
		s->agent = *agent;
	if (!s->up)
		s->made = heard_unit(now); /* remembered for what the owner is about to ask */
	session_settle(p, now);
	return 0;
}

struct node_id p2p_agent(const struct p2p *p)
{
	return route_agent(p, NULL);
}

/* The place of this namespace, made if need be. */
static struct namespace *ns_at(struct p2p *p, uint16_t ns)
{
	const size_t count = (size_t)ns + 1, old = p->ns_count * sizeof(*p->ns);
	struct namespace *list;

	assert(ns < P2P_NAMESPACES_MAX);
	if (ns >= p->ns_count) {
		list = mem_new(count * sizeof(*list));
		if (old) {
			memcpy(list, p->ns, old);
			sodium_memzero(p->ns, old);
		}
		free(p->ns);
		p->ns = list;
		p->ns_count = (uint16_t)count;
	}
	return &p->ns[ns];
}

int p2p_namespace_set(struct p2p *p, uint16_t ns, const struct p2p_secret *secrets, size_t count,
		      usec_t now)
{
	struct namespace *n;

	(void)now;
	if (ns >= P2P_NAMESPACES_MAX || count < 1 || count > ARRAY_LEN(n->secrets))
		return -EINVAL;
	n = ns_at(p, ns);
	n->set = true;
	n->secret_count = (uint8_t)count;
	memcpy(n->secrets, secrets, count * sizeof(*secrets));
	return 0;
}

void p2p_namespace_del(struct p2p *p, uint16_t ns, usec_t now)
{
	struct session *s;
	size_t at = 0;

	if (ns >= p->ns_count)
		return;
	p2p_enter(p, now);
	while ((s = map_next(&p->sessions, &at)))
		attach_drop(s, ns, now);
	sodium_memzero(&p->ns[ns], sizeof(p->ns[ns]));
	session_settle(p, now);
}

void p2p_namespace_revocation(struct p2p *p, uint16_t ns, uint64_t number)
{
	struct session *s;
	size_t at = 0;

	if (ns_at(p, ns)->revocation == number)
		return;
	p->ns[ns].revocation = number;
	while ((s = map_next(&p->sessions, &at)))
		if (attach_find(s->attachments, ns)) {
			s->keepalive.told = 0; /* at the next tick */
			session_touch(s);
		}
	session_settle(p, p->now);
}

int p2p_attach(struct p2p *p, uint16_t ns, const struct pubkey *peer, usec_t now)
{
	struct session *s;

	if (ns >= p->ns_count || !p->ns[ns].set)
		return -EINVAL;
	p2p_enter(p, now);
	s = ask_for(p, peer, now);
	if (!s)
		return -ENOSPC;
	attach_want(s, ns, now);
	session_settle(p, now);
	return 0;
}

void p2p_detach(struct p2p *p, uint16_t ns, const struct pubkey *peer, usec_t now)
{
	struct session *s;

	p2p_enter(p, now);
	s = session_find(p, peer);
	if (s)
		attach_drop(s, ns, now);
	session_settle(p, now);
}

void p2p_send_routed(struct p2p *p, const struct frame *f, usec_t now)
{
	const struct peer_view *v;

	p2p_enter(p, now);
	v = index_get(&p->view.peers, f->session);
	if (v && v->send)
		transmit_packet(v->send->session, f->data, f->len, now);
	else
		p2p_drop(p, DROP_NO_SESSION);
	session_settle(p, now);
}

/* Ends all sessions, silently towards the peers (a clone may be talking to them), and makes those
 * anew that were in use. */
void p2p_drop_keys(struct p2p *p, usec_t now)
{
	struct session *s;
	size_t at = 0;

	p2p_enter(p, now);
	while ((s = map_next(&p->sessions, &at))) {
		bool was_up = s->up;

		session_down(s, now);
		if (was_up)
			connect_want(s, now);
	}
	session_settle(p, now);
}

const struct p2p_view *p2p_view(const struct p2p *p)
{
	return &p->view;
}

struct p2p_lane *p2p_lane(struct p2p *p, unsigned lane)
{
	assert(lane == 0);
	(void)lane;
	return &p->lane;
}

struct ring_info p2p_ring_info(const struct p2p *p)
{
	return ring_info(p->ring);
}
