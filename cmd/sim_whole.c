/* sim_whole.c - an actor that is a whole node: env functions on one side, the sans-I/O entries on
 * the other. Durable writes are answered late, from the host's disk; the machine behind the TAP is
 * one that answers pings. A record's topic is the op's number under a secret of all zeros. */
#include "cmd/sim_whole.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/sim_impl.h"
#include "cmd/sim_port.h"

#define PORT_DELAY 20 /* microseconds */
#define RECORD_SECONDS (24 * 3600)
#define LATER_WRITTEN (1ull << 32) /* else the tag is a namespace: a frame from its port */

struct whole {
	struct sim_host *h;
	struct node *node;
	usec_t deadline; /* of the node, while it is known: since the last entry */
	bool is_known;
};

struct written {
	uint64_t op;
	int64_t result;
};

struct sim_results {
	struct sim_result r[SIM_RESULTS_MAX];
	size_t at;
};

/* --- what the node may do --- */

static void env_send(void *ctx, uint8_t socket, const struct addr *to, const uint8_t *pkt,
		     size_t len)
{
	struct whole *w = ctx;

	sim_host_send(w->h, socket, to, pkt, len, 0);
}

static void env_random(void *ctx, void *out, size_t len)
{
	struct whole *w = ctx;

	sim_host_random(w->h, out, len);
}

static void env_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			const uint8_t *value, size_t len)
{
	struct whole *w = ctx;
	struct sim *s = w->h->s;
	struct written answer = { op, sim_chance(s, s->disk.fail) ? -EIO : 0 };

	s->stats.writes++;
	if (answer.result == 0)
		sim_store_begin(sim_host_disk(w->h), op, key, key_len, value, len);
	sim_host_later(w->h, s->disk.delay, LATER_WRITTEN, &answer, sizeof(answer));
}

static int env_port_open(void *ctx, uint16_t ns, struct node_port *p, uint8_t mac[6])
{
	struct whole *w = ctx;
	uint32_t i = w->h->index;

	snprintf(p->ifname, sizeof(p->ifname), "vpn%u", ns);
	memcpy(mac,
	       (uint8_t[]){ 2, 0, (uint8_t)ns, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i },
	       6);
	return 0;
}

/* The machine behind the port answers pings, after a moment. */
static void env_to_port(void *ctx, uint16_t ns, const uint8_t *frame, size_t len)
{
	struct whole *w = ctx;
	uint8_t reply[FRAME_LEN_MAX];

	if (len > sizeof(reply))
		return;
	memcpy(reply, frame, len);
	if (sim_echo(reply, len))
		sim_host_later(w->h, PORT_DELAY, ns, reply, len);
}

static void env_notice(void *ctx, const struct node_notice *n)
{
	struct whole *w = ctx;
	struct sim *s = w->h->s;
	struct sim_result *r;

	if (n->op & SIM_OP_WORK) {
		sim_host_done(w->h, n->op, n->result == NODE_OK, n->hops);
		return;
	}
	if (!s->results)
		s->results = mem_new(sizeof(*s->results));
	r = &s->results->r[s->results->at++ % SIM_RESULTS_MAX];
	free(r->text);
	*r = (struct sim_result){ .op = n->op, .result = n->result, .at = s->now, .rtt = n->rtt };
	r->text = mem_text(n->text ? n->text : "");
}

/* The scenario looks at what the node says, and ends it. */
static void env_stop(void *ctx, const char *why) { (void)ctx, (void)why; }

/* --- coming and going --- */

static void restore(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	bool ok = node_restore(ctx, key, key_len, value, len);

	assert(ok);
	(void)ok;
}

static void *whole_start(struct sim_host *h, usec_t now)
{
	struct node_config cfg = { .self = h->key,
				   .crypto = h->s->crypto,
				   .log = &h->log,
				   .same_machine = !h->copied,
				   .version = "sim" };
	struct whole *w = mem_new(sizeof(*w));
	struct node_env env = { w,
				env_send,
				env_random,
				env_persist,
				env_port_open,
				sim_port_close,
				sim_port_address,
				sim_port_dns,
				env_to_port,
				env_notice,
				sim_prefix_taken,
				env_stop,
				NULL };

	snprintf(cfg.host, sizeof(cfg.host), "node%u", h->index);
	w->h = h;
	w->node = node_new(&cfg, &env, sim_host_wall(h), now);
	if (h->disk)
		sim_store_each(h->disk, node_state_order, restore, w->node);
	node_set_addresses(w->node, &h->addr, 1, now);
	if (node_start(w->node, now) == 0)
		return w;
	node_free(w->node, now); /* an older copy of another one */
	free(w);
	return NULL;
}

static void whole_stop(void *actor, bool graceful, usec_t now)
{
	struct whole *w = actor;

	(void)graceful; /* the host is mute if it is not */
	node_free(w->node, now);
	free(w);
}

/* --- what comes in --- */

/* The engine asks for the deadline again before anything else happens here; it is a look at all
 * parts of the node. */
static void entered(struct whole *w)
{
	w->deadline = node_deadline(w->node);
	w->is_known = true;
}

static void frame_init(struct frame *f, const uint8_t *bytes, size_t len)
{
	memset(f, 0, offsetof(struct frame, store));
	f->data = f->store + FRAME_HEAD;
	f->len = (uint32_t)len;
	memcpy(f->data, bytes, len);
}

static void whole_input(void *actor, uint8_t socket, const struct addr *from, uint8_t *bytes,
			size_t len, usec_t now)
{
	struct whole *w = actor;
	struct frame frame, *f = &frame;

	if (len > FRAME_LEN_MAX)
		return;
	frame_init(f, bytes, len);
	f->socket = socket;
	f->remote = *from;
	node_from_wire(w->node, &f, 1, now);
	if (f->verdict == FRAME_TO_PORT)
		env_to_port(w, f->ns, f->data, f->len);
	entered(w);
}

static void from_port(struct whole *w, uint16_t ns, const uint8_t *bytes, size_t len, usec_t now)
{
	struct frame frame, *f = &frame;

	frame_init(f, bytes, len);
	node_from_port(w->node, ns, &f, 1, now);
	if (f->verdict == FRAME_TO_WIRE)
		env_send(w, f->socket, &f->remote, f->data, f->len);
}

static void whole_later(void *actor, uint64_t tag, uint8_t *bytes, size_t len, usec_t now)
{
	struct whole *w = actor;
	struct written answer;

	w->is_known = false;
	if (tag != LATER_WRITTEN) {
		from_port(w, (uint16_t)tag, bytes, len, now);
		return;
	}
	assert(len == sizeof(answer));
	memcpy(&answer, bytes, sizeof(answer));
	if (answer.result == 0)
		sim_store_end(w->h->disk, answer.op);
	node_persisted(w->node, answer.op, (int)answer.result, now);
}

static void whole_tick(void *actor, usec_t now)
{
	struct whole *w = actor;

	node_tick(w->node, now);
	entered(w);
}

static usec_t whole_deadline(const void *actor)
{
	const struct whole *w = actor;

	return w->is_known ? w->deadline : node_deadline(w->node);
}

static void whole_sent(const void *actor, struct p2p_sent *sum)
{
	const struct whole *w = actor;

	node_sent(w->node, sum);
}

static void whole_clock(void *actor, usec_t now)
{
	struct whole *w = actor;

	w->is_known = false;
	node_set_wall(w->node, sim_host_wall(w->h), now);
	node_clocks_parted(w->node, now);
}

/* --- questions and work --- */

static void whole_facts(const void *actor, struct sim_facts *out, usec_t now)
{
	const struct whole *w = actor;
	struct node_counts c = node_counts(w->node, now);
	struct node_ring ring;
	size_t at = 0;

	*out = (struct sim_facts){ .contacts = c.contacts,
				   .records = c.records,
				   .sessions = c.sessions,
				   .timers = c.timers,
				   .queued = c.queued };
	if (!node_ring_next(w->node, &at, &ring, now))
		return;
	out->ring = ring.ring;
	out->next = ring.next;
	out->previous = ring.previous;
}

static struct dht_topic topic_of(uint64_t number)
{
	struct dht_topic t = { .kind = DHT_NAME, .name_len = sizeof(number) };

	memcpy(t.name, &number, sizeof(number));
	return t;
}

static void whole_publish(void *actor, uint64_t op, uint64_t topic, usec_t now)
{
	struct whole *w = actor;
	struct dht_topic t = topic_of(topic);
	struct node_record r = { (const uint8_t *)"as good as any", 14, RECORD_SECONDS };

	w->is_known = false;
	node_record_put(w->node, op, &t, &r, now);
}

static void whole_lookup(void *actor, uint64_t op, uint64_t topic, usec_t now)
{
	struct whole *w = actor;
	struct dht_topic t = topic_of(topic);

	w->is_known = false;
	node_record_get(w->node, op, &t, now);
}

static void whole_send(void *actor, uint64_t op, const struct pubkey *to, usec_t now)
{
	struct whole *w = actor;

	w->is_known = false;
	node_trace_key(w->node, op, to, NULL, now);
}

const struct sim_actor_ops sim_whole = {
	.name = "whole",
	.start = whole_start,
	.stop = whole_stop,
	.input = whole_input,
	.tick = whole_tick,
	.deadline = whole_deadline,
	.facts = whole_facts,
	.publish = whole_publish,
	.lookup = whole_lookup,
	.send = whole_send,
	.later = whole_later,
	.clock = whole_clock,
	.sent = whole_sent,
};

struct node *sim_node(struct sim *s, size_t i)
{
	struct whole *w = s->hosts[i].actor;

	assert(s->ops == &sim_whole);
	if (!w)
		return NULL;
	w->is_known = false; /* whoever asks for it is about to call it */
	return w->node;
}

void sim_results_free(struct sim_results *results)
{
	for (size_t k = 0; results && k < SIM_RESULTS_MAX; k++)
		free(results->r[k].text);
	free(results);
}

const struct sim_result *sim_result(const struct sim *s, uint64_t op)
{
	for (size_t k = 0; s->results && k < SIM_RESULTS_MAX; k++)
		if (s->results->r[k].op == op)
			return &s->results->r[k];
	return NULL;
}
