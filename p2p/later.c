/* later.c - see later.h. */
#include "p2p/later.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "p2p/addresses.h"
#include "p2p/connect.h"
#include "p2p/control.h"
#include "p2p/route.h"

struct later *later_put(struct p2p *p, enum later_kind kind, const void *body, size_t len)
{
	struct later *l;

	if (p->later_count >= LATER_MAX) {
		p2p_drop(p, DROP_FULL);
		return NULL;
	}
	l = mem_new(sizeof(*l) + len);
	l->kind = kind;
	l->len = len;
	if (len)
		memcpy(l->body, body, len);
	list_add_tail(&p->later, &l->list);
	p->later_count++;
	return l;
}

static void run_message(struct p2p *p, struct later *l, usec_t now)
{
	struct session *s = session_find(p, &l->key);
	struct rd r = rd_of(l->body, l->len);

	if (!s || !s->up)
		return; /* it went down meanwhile */
	session_touch(s);
	if (l->service == SERVICE_RING)
		ring_input(p->ring, &l->key, true, NULL, r, now);
	else if (l->service == SERVICE_ATTACH)
		attach_input(s, r, now);
	else
		addresses_input(s, r, now);
}

static void run_ring(struct p2p *p, struct later *l, usec_t now)
{
	ring_input(p->ring, &l->key, false, &l->agent, rd_of(l->body, l->len), now);
}

static void run_route(struct p2p *p, struct later *l, usec_t now)
{
	struct routed m = { .flags = l->nearest ? ROUTED_NEAREST : 0, .service = ROUTED_RING,
			    .to = l->to, .agent = l->agent, .body = l->body, .len = l->len };

	if (route_send(p, &m, now) < 0)
		p2p_drop(p, DROP_NO_ROUTE);
}

static void run_want(struct p2p *p, struct later *l, usec_t now)
{
	struct session *s = session_want(p, &l->contact.key, now);

	if (!s || s->up)
		return;
	for (size_t i = 0; i < l->contact.addr_count && i < RING_CONTACT_ADDRS; i++)
		if (addresses_usable(&l->contact.addrs[i]))
			paths_add(&s->paths, &l->contact.addrs[i], 0, true, now);
	s->agent = l->agent;
	if (l->contact.once) {
		connect_once(s, now);
		return;
	}
	connect_want(s, now);
	connect_hurry(s, now);
}

static void (*const run[])(struct p2p *p, struct later *l, usec_t now) = {
	[LATER_MESSAGE] = run_message,
	[LATER_RING] = run_ring,
	[LATER_ROUTE] = run_route,
	[LATER_WANT] = run_want,
};

bool later_run(struct p2p *p, usec_t now)
{
	struct list *item;

	for (size_t n = 0; n < LATER_MAX && (item = list_take(&p->later)); n++) {
		struct later *l = container_of(item, struct later, list);

		p->later_count--;
		run[l->kind](p, l, now);
		free(l);
	}
	return p->later_count > 0;
}

void later_clear(struct p2p *p)
{
	struct list *item;

	while ((item = list_take(&p->later)))
		free(container_of(item, struct later, list));
	p->later_count = 0;
}

static void ring_random(void *ctx, void *out, size_t len)
{
	p2p_random(ctx, out, len);
}

/* Ends in the channel, which is not the ring: no need to wait. */
static void ring_send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len)
{
	struct p2p *p = ctx;
	struct session *s = session_find(p, to);

	if (!s || !s->up)
		return;
	if (channel_send(&s->channel, SERVICE_RING, msg, len, p->now) < 0)
		p2p_drop(p, DROP_FULL);
	session_touch(s);
}

static void ring_tell(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len)
{
	struct p2p *p = ctx;
	struct session *s = session_find(p, to);

	if (!s || !s->up)
		return;
	control_message(s, SERVICE_RING, msg, len, p->now);
	session_touch(s);
}

static void ring_route(void *ctx, const struct node_id *to, const struct node_id *agent,
		       bool nearest, const uint8_t *msg, size_t len)
{
	struct later *l = later_put(ctx, LATER_ROUTE, msg, len);

	if (!l)
		return;
	l->to = *to;
	l->nearest = nearest;
	if (agent)
		l->agent = *agent;
}

static void ring_want(void *ctx, const struct ring_contact *c, const struct node_id *agent)
{
	struct later *l = later_put(ctx, LATER_WANT, NULL, 0);

	if (!l)
		return;
	l->contact = *c;
	if (agent)
		l->agent = *agent;
}

static size_t ring_addresses(void *ctx, const struct pubkey *peer, struct addr *out, size_t max)
{
	const struct p2p *p = ctx;
	const struct session *s = session_find(p, peer);
	size_t count = p->address_count < max ? p->address_count : max;

	if (!key_equal(peer, &p->cfg.self.pub))
		return s ? addresses_of(s, out, max) : 0;
	memcpy(out, p->addresses, count * sizeof(*out));
	return count;
}

struct ring_env later_ring_env(struct p2p *p)
{
	return (struct ring_env){ .ctx = p,
				  .random = ring_random,
				  .send = ring_send,
				  .route = ring_route,
				  .want = ring_want,
				  .addresses = ring_addresses,
				  .key_valid = p->cfg.crypto->key_valid,
				  .tell = ring_tell };
}
