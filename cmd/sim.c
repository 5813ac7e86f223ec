/* sim.c - the world: events in a heap, nodes that come and go, a network that loses, a disk that
 * answers late. See sim.h. A node's wake-up is one event at a time; a stale one finds an earlier
 * deadline recorded and is dropped. */
#include "cmd/sim.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/sim_disk.h"
#include "cmd/sim_port.h"
#include "cmd/sim_world.h"

#define START SEC(1000)		/* virtual BOOTTIME at the beginning */
#define WALL 1800000000ull	/* virtual seconds since 1970 then */
#define EVENTS_PER_RUN 200000000ull
#define PORT 24655
#define PORT_DELAY 20 /* microseconds */
#define SPIN_WAKES 2000 /* of one node within SPIN_TIME; at most one a microsecond is possible */
#define SPIN_TIME MSEC(10)

enum kind { DELIVER, WAKE, WRITTEN, FROM_PORT };

struct event {
	struct sim_item item; /* first */
	enum kind kind;
	uint32_t node, from;
	uint64_t life; /* of the node it was meant for: a restarted one does not get it */
	uint64_t op;
	int result;
	size_t len;
	uint8_t bytes[];
};

struct sim_host {
	struct sim *s;
	uint32_t index;
	struct node *node;
	struct key_pair key;
	struct addr addr;
	struct sim_store *disk;
	uint64_t life;
	usec_t wake; /* of the event that is in the heap, or USEC_NEVER */
	bool copied; /* the state folder was written on another machine */
	usec_t spin_from;
	unsigned spin; /* wake-ups since then */
	int side;
	struct sim_result results[SIM_NOTICES_MAX];
	size_t result_at;
	struct log log;
};

struct sim {
	usec_t now;
	uint64_t next_op;
	struct sim_rng rng;
	struct sim_heap heap;
	struct sim_host *hosts;
	size_t nodes;
	struct sim_net net;
	struct sim_disk disk;
	struct sim_stats stats;
	struct frame_pool pool;
	crypto_generichash_state trace;
};

static bool chance(struct sim *s, unsigned per_mille)
{
	return per_mille && sim_rng_next(&s->rng) % 1000 < per_mille;
}

static struct event *event_new(struct sim *s, enum kind kind, const struct sim_host *h, usec_t at,
			       size_t len)
{
	struct event *e = mem_new(sizeof(*e) + len);

	e->kind = kind;
	e->node = h->index;
	e->life = h->life;
	e->item.at = at > s->now ? at : s->now + 1; /* nothing answers within the same instant */
	e->len = len;
	return e;
}

static struct sim_host *host_at(struct sim *s, const struct addr *a)
{
	uint32_t i = a->ip.len == 4 ? ip_to_v4(&a->ip) - (9u << 24 | 1) : UINT32_MAX;

	return i < s->nodes ? &s->hosts[i] : NULL;
}

static void env_send(void *ctx, uint8_t socket, const struct addr *to, const uint8_t *pkt, size_t len)
{
	struct sim_host *h = ctx, *dest = host_at(h->s, to);
	struct sim *s = h->s;
	int copies = 1 + chance(s, s->net.duplicate);

	(void)socket;
	s->stats.sent++;
	s->stats.bytes += len + 28;
	if (!dest || !dest->node || dest->side != h->side || chance(s, s->net.loss)) {
		s->stats.lost++;
		return;
	}
	while (copies--) {
		usec_t delay = s->net.delay + (s->net.jitter ? sim_rng_next(&s->rng) % s->net.jitter : 0);
		struct event *e;

		if (chance(s, s->net.reorder))
			delay *= 3;
		e = event_new(s, DELIVER, dest, s->now + delay, len);
		e->from = h->index;
		memcpy(e->bytes, pkt, len);
		sim_heap_push(&s->heap, &e->item);
	}
}

static void env_random(void *ctx, void *out, size_t len)
{
	struct sim_host *h = ctx;

	sim_rng_fill(&h->s->rng, out, len);
}

static void env_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			const uint8_t *value, size_t len)
{
	struct sim_host *h = ctx;
	struct sim *s = h->s;
	struct event *e = event_new(s, WRITTEN, h, s->now + s->disk.delay, 0);

	s->stats.writes++;
	e->op = op;
	e->result = chance(s, s->disk.fail) ? -EIO : 0;
	if (e->result == 0)
		sim_store_begin(h->disk, op, key, key_len, value, len);
	sim_heap_push(&s->heap, &e->item);
}

static int env_port_open(void *ctx, uint16_t ns, struct node_port *p, uint8_t mac[6])
{
	struct sim_host *h = ctx;

	snprintf(p->ifname, sizeof(p->ifname), "vpn%u", ns);
	memcpy(mac, (uint8_t[]){ 2, 0, 0, (uint8_t)ns, (uint8_t)(h->index >> 8), (uint8_t)h->index }, 6);
	return 0;
}

/* The host behind the port answers pings, after a moment. */
static void env_to_port(void *ctx, uint16_t ns, const uint8_t *frame, size_t len)
{
	struct sim_host *h = ctx;
	struct event *e = event_new(h->s, FROM_PORT, h, h->s->now + PORT_DELAY, len);

	memcpy(e->bytes, frame, len);
	e->op = ns;
	if (sim_echo(e->bytes, len))
		sim_heap_push(&h->s->heap, &e->item);
	else
		free(e);
}

static void env_notice(void *ctx, const struct node_notice *n)
{
	struct sim_host *h = ctx;
	struct sim_result *r = &h->results[h->result_at++ % SIM_NOTICES_MAX];

	*r = (struct sim_result){ .op = n->op, .result = n->result, .at = h->s->now, .rtt = n->rtt };
	snprintf(r->text, sizeof(r->text), "%s", n->text);
}

/* The scenario looks at what it says and ends it. */
static void env_stop(void *ctx, const char *why)
{
	(void)ctx, (void)why;
}

static void env_log(void *ctx, enum log_level level, const char *line)
{
	struct sim_host *h = ctx;

	fprintf(stderr, "%10.6f %u %s: %s\n", (double)(h->s->now - START) / 1e6, h->index,
		log_level_text(level), line);
}

static uint64_t wall_now(const struct sim *s)
{
	return WALL + (s->now - START) / SEC(1);
}

/* One wake-up per node stands in the heap; an earlier deadline adds one, a later one waits. */
static void arm(struct sim *s, struct sim_host *h)
{
	usec_t at = node_deadline(h->node);

	if (at >= h->wake)
		return;
	h->wake = at > s->now ? at : s->now + 1;
	sim_heap_push(&s->heap, &event_new(s, WAKE, h, h->wake, 0)->item);
}

static void restore(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	bool ok = node_restore(ctx, key, key_len, value, len);

	assert(ok);
	(void)ok;
}

void sim_start(struct sim *s, size_t i)
{
	struct sim_host *h = &s->hosts[i];
	struct node_config cfg = { .self = h->key, .crypto = &crypto_real, .log = &h->log,
				   .same_machine = !h->copied, .version = "sim" };
	struct node_env env = { h, env_send, env_random, env_persist, env_port_open,
				sim_port_close, sim_port_address, sim_port_dns, env_to_port,
				env_notice, sim_prefix_taken, env_stop };

	assert(!h->node);
	snprintf(cfg.host, sizeof(cfg.host), "node%zu", i);
	h->life++;
	h->wake = USEC_NEVER;
	h->node = node_new(&cfg, &env, wall_now(s), s->now);
	sim_store_each(h->disk, node_state_order, restore, h->node);
	node_set_addresses(h->node, &h->addr, 1, s->now);
	if (node_start(h->node, s->now) == 0) {
		arm(s, h);
		return;
	}
	node_free(h->node, s->now); /* an older copy of another one */
	h->node = NULL;
}

void sim_crash(struct sim *s, size_t i)
{
	struct sim_host *h = &s->hosts[i];
	struct node *n = h->node;
	int side = h->side;

	/* Its last words are lost, and of the writes under way about half reached the disk. */
	h->side = -1;
	h->node = NULL;
	h->life++;
	node_free(n, s->now);
	h->side = side;
	sim_store_crash(h->disk, sim_rng_next(&s->rng));
}

void sim_clone(struct sim *s, size_t from, size_t to)
{
	struct sim_host *h = &s->hosts[to];

	assert(from != to);
	if (h->node)
		sim_crash(s, to);
	sim_store_free(h->disk);
	h->disk = sim_store_copy(s->hosts[from].disk);
	h->key = s->hosts[from].key;
	h->copied = true;
}

/* One frame of an event, borrowed from the pool; the caller gives it back. */
static struct frame *frame_of(struct sim *s, const struct event *e)
{
	struct frame *f;

	if (e->len > FRAME_LEN_MAX)
		return NULL;
	f = frame_get(&s->pool);
	memcpy(f->data, e->bytes, e->len);
	f->len = (uint32_t)e->len;
	return f;
}

static void deliver(struct sim *s, struct sim_host *h, const struct event *e)
{
	struct frame *f = frame_of(s, e);

	if (!f)
		return;
	f->remote = s->hosts[e->from].addr;
	node_from_wire(h->node, &f, 1, s->now);
	if (f->verdict == FRAME_TO_PORT)
		env_to_port(h, f->ns, f->data, f->len);
	frame_put(&s->pool, f);
}

static void from_port(struct sim *s, struct sim_host *h, const struct event *e)
{
	struct frame *f = frame_of(s, e);

	if (!f)
		return;
	node_from_port(h->node, (uint16_t)e->op, &f, 1, s->now);
	if (f->verdict == FRAME_TO_WIRE)
		env_send(h, f->socket, &f->remote, f->data, f->len);
	frame_put(&s->pool, f);
}

/* A deadline in the past that no tick moves: virtual time would hardly go on. */
static void watch_spin(struct sim *s, struct sim_host *h)
{
	if (s->now > h->spin_from + SPIN_TIME) {
		h->spin_from = s->now;
		h->spin = 0;
	}
	if (++h->spin > SPIN_WAKES)
		s->stats.spinning = true;
}

static void handle(struct sim *s, struct event *e)
{
	struct sim_host *h = &s->hosts[e->node];

	if (e->life != h->life || !h->node)
		return;
	crypto_generichash_update(&s->trace, (uint8_t *)&e->item.at, sizeof(e->item.at));
	crypto_generichash_update(&s->trace, (uint8_t *)&e->node, sizeof(e->node));
	crypto_generichash_update(&s->trace, e->bytes, e->len);
	if (e->kind == WAKE) {
		if (e->item.at != h->wake)
			return;
		h->wake = USEC_NEVER;
		s->stats.wakes++;
		watch_spin(s, h);
		node_tick(h->node, s->now);
	} else if (e->kind == DELIVER) {
		deliver(s, h, e);
	} else if (e->kind == FROM_PORT) {
		from_port(s, h, e);
	} else {
		sim_store_end(h->disk, e->op);
		node_persisted(h->node, e->op, e->result, s->now);
	}
	arm(s, h);
}

bool sim_until(struct sim *s, usec_t at, bool (*done)(struct sim *s, void *ctx), void *ctx)
{
	for (uint64_t i = 0; i < EVENTS_PER_RUN; i++) {
		struct event *e;

		if (done && done(s, ctx))
			return true;
		if (!s->heap.count || s->heap.v[0]->at > at) {
			s->now = at;
			return !done;
		}
		e = (struct event *)sim_heap_pop(&s->heap);
		s->now = e->item.at;
		s->stats.events++;
		handle(s, e);
		free(e);
	}
	return false;
}

bool sim_run(struct sim *s, usec_t at)
{
	return sim_until(s, at, NULL, NULL);
}

struct sim *sim_new(uint64_t number, size_t nodes)
{
	struct sim *s = mem_new(sizeof(*s));

	assert(nodes <= SIM_NODES_MAX);
	sim_rng_seed(&s->rng, number);
	s->now = START;
	s->nodes = nodes;
	s->hosts = mem_new(nodes * sizeof(*s->hosts));
	s->net = (struct sim_net){ .delay = MSEC(10), .jitter = MSEC(1) };
	s->disk = (struct sim_disk){ .delay = MSEC(2) };
	frame_pool_init(&s->pool, 4);
	crypto_generichash_init(&s->trace, NULL, 0, 16);
	for (size_t i = 0; i < nodes; i++) {
		struct sim_host *h = &s->hosts[i];
		uint8_t b[SEED_LEN];

		*h = (struct sim_host){ .s = s, .index = (uint32_t)i, .wake = USEC_NEVER };
		do
			sim_rng_fill(&s->rng, b, sizeof(b));
		while (!key_from_seed(&h->key, b));
		h->addr = (struct addr){ .ip = ip_v4((9u << 24 | 1) + (uint32_t)i), .port = PORT };
		h->log = (struct log){ h, env_log,
				       getenv("VPNSIM_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR };
		h->disk = sim_store_new();
		sim_start(s, i);
	}
	return s;
}

void sim_free(struct sim *s)
{
	for (size_t i = 0; i < s->nodes; i++) {
		if (s->hosts[i].node)
			sim_crash(s, i);
		sim_store_free(s->hosts[i].disk);
	}
	while (s->heap.count)
		free(sim_heap_pop(&s->heap));
	frame_pool_fini(&s->pool);
	free(s->heap.v);
	free(s->hosts);
	free(s);
}

void sim_set_net(struct sim *s, const struct sim_net *net)
{
	s->net = *net;
}

void sim_set_disk(struct sim *s, const struct sim_disk *disk)
{
	s->disk = *disk;
}

void sim_set_side(struct sim *s, size_t node, int side)
{
	s->hosts[node].side = side;
}

usec_t sim_now(const struct sim *s)
{
	return s->now;
}

struct node *sim_node(struct sim *s, size_t i)
{
	return s->hosts[i].node;
}

size_t sim_count(const struct sim *s)
{
	return s->nodes;
}

uint64_t sim_op(struct sim *s, size_t i)
{
	(void)i;
	return ++s->next_op;
}

const struct sim_result *sim_result(const struct sim *s, size_t i, uint64_t op)
{
	for (size_t k = 0; k < SIM_NOTICES_MAX; k++)
		if (s->hosts[i].results[k].op == op)
			return &s->hosts[i].results[k];
	return NULL;
}

void sim_touch(struct sim *s, size_t i)
{
	arm(s, &s->hosts[i]);
}

unsigned sim_draw(struct sim *s, unsigned sides)
{
	return (unsigned)(sim_rng_next(&s->rng) % sides);
}

void sim_trace(const struct sim *s, char out[33])
{
	crypto_generichash_state copy = s->trace;
	uint8_t h[16];

	crypto_generichash_final(&copy, h, sizeof(h));
	sodium_bin2hex(out, 33, h, sizeof(h));
}

struct sim_stats sim_stats(const struct sim *s)
{
	return s->stats;
}
