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

#define START SEC(1000)		/* virtual BOOTTIME at the beginning */
#define WALL 1800000000ull	/* virtual seconds since 1970 then */
#define EVENTS_PER_RUN 200000000ull
#define PORT 24655
#define PORT_DELAY 20 /* microseconds */
#define SPIN_EVENTS 10000 /* of one node within SPIN_TIME: a deadline that never moves */
#define SPIN_TIME MSEC(1)

enum kind { DELIVER, WAKE, WRITTEN, FROM_PORT };

struct event {
	usec_t at;
	uint64_t seq;
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
	usec_t spin_from;
	unsigned spin; /* wake-ups since then */
	int side;
	struct sim_result results[SIM_NOTICES_MAX];
	size_t result_at;
	struct log log;
};

struct sim {
	usec_t now;
	uint64_t seq, rng[4], next_op;
	struct event **heap;
	size_t count, size;
	struct sim_host *hosts;
	size_t nodes;
	struct sim_net net;
	struct sim_disk disk;
	struct sim_stats stats;
	struct frame_pool pool;
	crypto_generichash_state trace;
};

/* xoshiro256** (Blackman, Vigna 2018), seeded by splitmix64. */
static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static uint64_t next(struct sim *s)
{
	uint64_t *r = s->rng, out = rotl(r[1] * 5, 7) * 9, t = r[1] << 17;

	r[2] ^= r[0];
	r[3] ^= r[1];
	r[1] ^= r[2];
	r[0] ^= r[3];
	r[2] ^= t;
	r[3] = rotl(r[3], 45);
	return out;
}

static void seed(struct sim *s, uint64_t x)
{
	for (size_t i = 0; i < 4; i++) {
		uint64_t z = x += 0x9e3779b97f4a7c15ull;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ z >> 27) * 0x94d049bb133111ebull;
		s->rng[i] = z ^ z >> 31;
	}
}

static bool chance(struct sim *s, unsigned per_mille)
{
	return per_mille && next(s) % 1000 < per_mille;
}

static void fill(struct sim *s, void *out, size_t len)
{
	uint8_t *b = out;

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)(next(s) >> 32);
}

static bool before(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void push(struct sim *s, struct event *e)
{
	size_t i = s->count++;

	if (s->count > s->size) {
		s->size = s->size ? s->size * 2 : 1024;
		s->heap = mem_resize(s->heap, s->size * sizeof(*s->heap));
	}
	e->seq = s->seq++;
	for (; i && before(e, s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = e;
}

static struct event *pop(struct sim *s)
{
	struct event *top = s->heap[0], *last = s->heap[--s->count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < s->count) {
		if (child + 1 < s->count && before(s->heap[child + 1], s->heap[child]))
			child++;
		if (!before(s->heap[child], last))
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = last;
	return top;
}

static struct event *event_new(struct sim *s, enum kind kind, const struct sim_host *h, usec_t at,
			       size_t len)
{
	struct event *e = mem_new(sizeof(*e) + len);

	e->kind = kind;
	e->node = h->index;
	e->life = h->life;
	e->at = at > s->now ? at : s->now + 1; /* nothing answers within the same instant */
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
		usec_t delay = s->net.delay + (s->net.jitter ? next(s) % s->net.jitter : 0);
		struct event *e;

		if (chance(s, s->net.reorder))
			delay *= 3;
		e = event_new(s, DELIVER, dest, s->now + delay, len);
		e->from = h->index;
		memcpy(e->bytes, pkt, len);
		push(s, e);
	}
}

static void env_random(void *ctx, void *out, size_t len)
{
	struct sim_host *h = ctx;

	fill(h->s, out, len);
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
	push(s, e);
}

static int env_port_open(void *ctx, uint16_t ns, struct node_port *p, uint8_t mac[6])
{
	struct sim_host *h = ctx;

	snprintf(p->ifname, sizeof(p->ifname), "vpn%u", ns);
	memcpy(mac, (uint8_t[]){ 2, 0, 0, (uint8_t)ns, (uint8_t)(h->index >> 8), (uint8_t)h->index }, 6);
	return 0;
}

static void env_port_close(void *ctx, uint16_t ns)
{
	(void)ctx, (void)ns;
}

static void env_port_address(void *ctx, uint16_t ns, const struct ip *ip, uint8_t bits, bool add)
{
	(void)ctx, (void)ns, (void)ip, (void)bits, (void)add;
}

static void env_port_dns(void *ctx, uint16_t ns, const struct ip *dns4, const char *zone)
{
	(void)ctx, (void)ns, (void)dns4, (void)zone;
}

/* The host behind the port answers pings, after a moment. */
static void env_to_port(void *ctx, uint16_t ns, const uint8_t *frame, size_t len)
{
	struct sim_host *h = ctx;
	struct event *e = event_new(h->s, FROM_PORT, h, h->s->now + PORT_DELAY, len);

	memcpy(e->bytes, frame, len);
	e->op = ns;
	if (sim_echo(e->bytes, len))
		push(h->s, e);
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

static bool env_prefix_taken(void *ctx, const struct prefix *p)
{
	(void)ctx, (void)p;
	return false;
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
	push(s, event_new(s, WAKE, h, h->wake, 0));
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
				   .same_machine = true, .version = "sim" };
	struct node_env env = { h, env_send, env_random, env_persist, env_port_open,
				env_port_close, env_port_address, env_port_dns, env_to_port,
				env_notice, env_prefix_taken };

	assert(!h->node);
	snprintf(cfg.host, sizeof(cfg.host), "node%zu", i);
	h->life++;
	h->wake = USEC_NEVER;
	h->node = node_new(&cfg, &env, wall_now(s), s->now);
	sim_store_each(h->disk, node_state_order, restore, h->node);
	node_set_addresses(h->node, &h->addr, 1, s->now);
	node_start(h->node, s->now);
	arm(s, h);
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
	sim_store_crash(h->disk, next(s));
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

static void handle(struct sim *s, struct event *e)
{
	struct sim_host *h = &s->hosts[e->node];

	if (e->life != h->life || !h->node)
		return;
	crypto_generichash_update(&s->trace, (uint8_t *)&e->at, sizeof(e->at));
	crypto_generichash_update(&s->trace, (uint8_t *)&e->node, sizeof(e->node));
	crypto_generichash_update(&s->trace, e->bytes, e->len);
	if (e->kind == WAKE) {
		if (e->at != h->wake)
			return;
		h->wake = USEC_NEVER;
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
		if (!s->count || s->heap[0]->at > at) {
			s->now = at;
			return !done;
		}
		e = pop(s);
		s->now = e->at;
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
	seed(s, number);
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
			fill(s, b, sizeof(b));
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
	while (s->count)
		free(pop(s));
	frame_pool_fini(&s->pool);
	free(s->heap);
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
