/* sim_light.c - a node that is a ring and a DHT and nothing else, so that 100 000 of them fit into
 * one process: no sessions, no namespaces. Its packets are short stand-ins; `overhead` makes each
 * count what the real one takes. See sim_light_impl.h for its parts.
 *
 * Bootstrap: while there is no link, one contact after another is asked, after 1 s doubling to
 * 30 s. Calls from the ring or the DHT send at once or are queued (light_route_later); every entry
 * ends in settle(), which empties that queue. */
#include "cmd/sim_light_impl.h"

#include <stdlib.h>

#include "base/mem.h"

#define BOOT_PAUSE SEC(1)
#define BOOT_DOUBLINGS 5 /* 32 s */
#define BOOT_AT_ONCE 3

static void env_random(void *ctx, void *out, size_t len)
{
	struct light *l = ctx;

	sim_host_random(l->host, out, len);
}

static struct light_link *link_that_is_up(const struct light *l, const struct pubkey *key)
{
	struct light_link *k = light_link_find(l, key);

	return k && k->state == LINK_UP ? k : NULL;
}

/* What a liar says in place of it, by a link that is up. */
static void ring_say(struct light *l, const struct pubkey *to, const uint8_t *msg, size_t len,
		     void (*say)(struct light *l, struct light_link *k, const uint8_t *msg,
				 size_t len))
{
	struct light_link *k = link_that_is_up(l, to);
	uint8_t lie[LIGHT_LIE_MAX];

	if (!k)
		return;
	msg = light_fault_ring(l, msg, &len, lie);
	say(l, k, msg, len);
}

static void say_surely(struct light *l, struct light_link *k, const uint8_t *msg, size_t len)
{
	light_link_message(l, k, LIGHT_RING, msg, len);
}

static void env_ring_send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len)
{
	ring_say(ctx, to, msg, len, say_surely);
}

static void env_ring_tell(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len)
{
	ring_say(ctx, to, msg, len, light_link_tell);
}

static void env_ring_route(void *ctx, const struct node_id *to, const struct node_id *agent,
			   bool nearest, const uint8_t *msg, size_t len)
{
	struct light_routed m = { .flags = nearest ? LIGHT_NEAREST : 0, .service = LIGHT_RING,
				  .to = *to };
	uint8_t lie[LIGHT_LIE_MAX];

	m.body = light_fault_ring(ctx, msg, &len, lie);
	m.len = len;
	if (agent)
		m.agent = *agent;
	light_route_later(ctx, &m);
}

static void env_ring_want(void *ctx, const struct ring_contact *c, const struct node_id *agent)
{
	light_link_want(ctx, c, agent);
}

static size_t env_ring_addresses(void *ctx, const struct pubkey *peer, struct addr *out, size_t max)
{
	const struct light *l = ctx;
	const struct light_link *k = light_link_find(l, peer);

	if (max == 0 || (!k && !key_equal(peer, &sim_host_key(l->host)->pub)))
		return 0;
	out[0] = k ? k->addr : *sim_host_addr(l->host);
	return 1;
}

static void set_agent(struct light *l, struct light_routed *m, unsigned way)
{
	const struct pubkey *agent = ring_agent(l->ring, l->turn + way);

	if (way && agent)
		m->agent = id_of(agent);
}

void light_dht_send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len, unsigned way)
{
	struct light *l = ctx;
	struct light_link *k = link_that_is_up(l, to);
	struct light_routed m = { .service = LIGHT_DHT, .body = msg, .len = len };

	if (k) {
		light_link_message(l, k, LIGHT_DHT, msg, len);
		return;
	}
	m.to = id_of(to);
	for (size_t i = 0; i < LIGHT_AGENTS; i++)
		if (key_equal(&l->agents[i].key, to))
			m.agent = l->agents[i].agent;
	set_agent(l, &m, way);
	light_route_later(l, &m);
}

static void env_dht_send_nearest(void *ctx, const struct node_id *to, const uint8_t *msg, size_t len,
				 unsigned way)
{
	struct light_routed m = { .flags = LIGHT_NEAREST, .service = LIGHT_DHT, .to = *to,
				  .body = msg, .len = len };

	set_agent(ctx, &m, way);
	light_route_later(ctx, &m);
}

static void env_dht_event(void *ctx, const struct dht_event *e)
{
	light_work_event(ctx, e);
}

static void enter(struct light *l, usec_t now)
{
	l->now = now;
}

static void settle(struct light *l)
{
	light_work_settle(l);
	light_route_run(l);
	if (l->stirred)
		l->parts_at = usec_min(ring_deadline(l->ring), dht_deadline(l->dht));
	l->stirred = false;
}

static void make_parts(struct light *l)
{
	struct ring_env ring = { .ctx = l, .random = env_random, .send = env_ring_send,
				 .route = env_ring_route, .want = env_ring_want,
				 .addresses = env_ring_addresses, .tell = env_ring_tell,
				 .key_valid = sim_host_crypto(l->host)->key_valid };
	struct dht_env dht = { .ctx = l, .random = env_random, .send = light_dht_send,
			       .send_nearest = env_dht_send_nearest, .event = env_dht_event };
	struct dht_config cfg = { .self = *sim_host_key(l->host),
				  .crypto = sim_host_crypto(l->host),
				  .log = sim_host_log(l->host), .wall = &l->wall,
				  .drops = &l->drops };

	l->ring = ring_new(&cfg.self.pub, RING_FULL, &ring, l->now);
	l->dht = dht_new(&cfg, &dht, l->now);
}

static void *light_start(struct sim_host *h, usec_t now)
{
	struct light *l = mem_new(sizeof(*l));
	uint8_t seed[16];

	l->host = h;
	l->id = id_of(&sim_host_key(h)->pub);
	l->wall = (struct wall){ sim_host_wall(h), now };
	l->links_at = l->sends_at = USEC_NEVER;
	l->boot_at = now;
	sim_host_random(h, seed, sizeof(seed));
	map_init(&l->by_key, offsetof(struct light_link, key), KEY_LEN, UINT16_MAX, seed);
	list_init(&l->later);
	list_init(&l->sends);
	list_init(&l->lookups);
	l->turn = light_random(l, 1 << 16);
	enter(l, now);
	make_parts(l);
	l->stirred = true;
	settle(l);
	return l;
}

static void light_stop(void *actor, bool graceful, usec_t now)
{
	struct light *l = actor;

	enter(l, now);
	if (graceful)
		ring_leave(l->ring, now);
	settle(l);
	light_work_clear(l);
	light_link_clear(l, graceful);
	ring_free(l->ring);
	dht_free(l->dht);
	free(l);
}

static void message_input(struct light *l, struct light_link *k, struct rd r)
{
	uint8_t service = rd_u8(&r);
	struct pubkey from = k->key;

	l->stirred = true;
	if (service == LIGHT_RING)
		ring_input(l->ring, &from, true, NULL, r, l->now);
	else if (service == LIGHT_DHT && !light_fault_dht(l, &from, r.p, rd_left(&r)))
		dht_input(l->dht, &from, true, r.p, rd_left(&r), l->now);
}

static void light_input(void *actor, uint8_t socket, const struct addr *from, uint8_t *bytes,
			size_t len, usec_t now)
{
	struct light *l = actor;
	struct rd r = rd_of(bytes, len);
	uint8_t type = len ? bytes[0] : 0;
	struct light_link *k;

	(void)socket;
	enter(l, now);
	if (type == LIGHT_REQUEST || type == LIGHT_ACCEPT) {
		light_link_shake(l, from, r);
	} else if ((k = light_link_input(l, from, &r))) {
		if (type == LIGHT_MESSAGE || type == LIGHT_TOLD)
			message_input(l, k, r);
		else if (type == LIGHT_ROUTED)
			light_route_input(l, k, r);
		else if (type == LIGHT_CLOSE)
			light_link_lost(l, k);
	}
	settle(l);
}

static void boot_tick(struct light *l)
{
	struct ring_contact c = { .addr_count = 1 };
	struct pubkey link;
	size_t count = 0, first;

	if (l->boot_at > l->now)
		return;
	l->boot_at = l->now + (BOOT_PAUSE << (l->boot_tries < BOOT_DOUBLINGS ? l->boot_tries :
									     BOOT_DOUBLINGS));
	l->boot_at += light_random(l, (uint32_t)BOOT_PAUSE);
	if (ring_links(l->ring, &link, 1)) {
		l->boot_tries = 0;
		l->boot_at = l->now + (BOOT_PAUSE << BOOT_DOUBLINGS);
		return;
	}
	l->boot_tries++;
	while (sim_host_bootstrap(l->host, count, &c.key, &c.addrs[0]))
		count++;
	first = count ? light_random(l, (uint32_t)count) : 0;
	for (size_t i = 0; i < count && i < BOOT_AT_ONCE; i++) {
		sim_host_bootstrap(l->host, (first + i) % count, &c.key, &c.addrs[0]);
		c.id = id_of(&c.key);
		light_link_want(l, &c, NULL);
	}
}

static void light_tick(void *actor, usec_t now)
{
	struct light *l = actor;

	enter(l, now);
	boot_tick(l);
	light_link_tick(l);
	light_work_tick(l);
	if (l->stirred || l->parts_at <= now) {
		ring_tick(l->ring, now);
		dht_tick(l->dht, now);
		l->stirred = true;
	}
	settle(l);
}

static usec_t light_deadline(const void *actor)
{
	const struct light *l = actor;

	return usec_min(usec_min(l->parts_at, l->boot_at), usec_min(l->links_at, l->sends_at));
}

/* The nearest links clockwise and counter-clockwise. */
static void find_neighbours(const struct light *l, struct sim_facts *out)
{
	struct node_id cw, ccw, best_cw = { { 0 } }, best_ccw = { { 0 } };
	bool any = false;

	for (uint32_t i = 0; i < l->slots; i++) {
		const struct light_link *k = l->slot[i].link;

		if (!k || k->state != LINK_UP)
			continue;
		cw = id_clockwise(&l->id, &k->id);
		ccw = id_clockwise(&k->id, &l->id);
		if (!any || memcmp(cw.b, best_cw.b, ID_LEN) < 0) {
			best_cw = cw;
			out->next = k->key;
		}
		if (!any || memcmp(ccw.b, best_ccw.b, ID_LEN) < 0) {
			best_ccw = ccw;
			out->previous = k->key;
		}
		any = true;
	}
}

static void light_facts(const void *actor, struct sim_facts *out, usec_t now)
{
	const struct light *l = actor;
	struct dht_info dht = dht_info(l->dht);

	(void)now;
	*out = (struct sim_facts){ .ring = ring_info(l->ring), .contacts = dht.contacts,
				   .records = dht.records, .sessions = l->by_key.count,
				   .queued = l->later_count };
	find_neighbours(l, out);
}

static void enter_parts(struct light *l, usec_t now)
{
	enter(l, now);
	l->stirred = true;
}

static void publish(void *actor, uint64_t op, uint64_t topic, usec_t now)
{
	enter_parts(actor, now);
	light_publish(actor, op, topic);
	settle(actor);
}

static void lookup(void *actor, uint64_t op, uint64_t topic, usec_t now)
{
	enter_parts(actor, now);
	light_lookup(actor, op, topic);
	settle(actor);
}

static void send(void *actor, uint64_t op, const struct pubkey *to, usec_t now)
{
	enter_parts(actor, now);
	light_send(actor, op, to);
	settle(actor);
}

const struct sim_actor_ops sim_light = {
	.name = "light", .start = light_start, .stop = light_stop, .input = light_input,
	.tick = light_tick, .deadline = light_deadline, .facts = light_facts, .publish = publish,
	.lookup = lookup, .send = send,
};
