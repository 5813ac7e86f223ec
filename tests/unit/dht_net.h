/* dht_net.h - a virtual network of DHT instances for tests: delay, loss, junk, all from a seed.
 *
 * Messages and wake-ups are timers of one heap. A message is proven when the two have a session
 * (net_link), else it counts as routed. Nodes that are gone receive nothing; nodes that are junk
 * answer requests with nonsense. Signatures are labelled hashes: anybody could make them, which
 * honest test code does not, and nonsense does not verify. */
#ifndef TESTS_UNIT_DHT_NET_H
#define TESTS_UNIT_DHT_NET_H

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/timer.h"
#include "dht/dht.h"
#include "dht/msg.h"
#include "dht/table.h"

#define NET_MAX 1000
#define NET_HASH 4096
#define NET_WALL 1800000000u

struct net;

struct net_seen {
	size_t found, done, count, len;
	uint64_t op, seq;
	usec_t found_at, done_at;
	uint8_t body[DHT_BODY_MAX];
	struct pubkey signer;
};

struct net_node {
	struct net *net;
	size_t index;
	struct key_pair self;
	struct node_id id;
	struct drops drops; /* of all its lives */
	struct dht *dht;
	struct timer wake;
	bool gone, junk, client;
	struct net_seen seen;
	size_t sent, sent_max_routed; /* messages; the longest answer to an unproven requester */
	size_t ip; /* bytes of IP packets that its messages cost, all hops together */
	struct pubkey asked[4];	      /* the last few it wrote to */
};

struct net {
	usec_t now;
	struct timers timers;
	struct wall wall;
	const struct crypto *crypto;
	uint64_t random;
	unsigned loss; /* per cent */
	bool ring; /* nodes started from now on have send_nearest */
	usec_t delay_min, delay_span;
	size_t count;
	struct net_node node[NET_MAX];
	bool link[NET_MAX][NET_MAX];
	size_t messages, lost_keys; /* delivered; sent to nobody */
	size_t told_client;	    /* answers that named a client */
	size_t ip_of[DHT_MSG_TYPES], count_of[DHT_MSG_TYPES]; /* what each kind of message cost */
	size_t hops;		    /* tenths of links on a routed message's way, for the cost alone */
	uint64_t place[NET_MAX];    /* of each node's id: its first 64 bits */
	uint16_t by_key[NET_HASH];  /* index + 1 of a node, by its key */
	uint16_t circle[NET_MAX];   /* indices in the order of the ids */
};

struct net_msg {
	struct timer timer;
	struct net *net;
	size_t from, to, len;
	bool proven;
	uint8_t bytes[];
};

static inline uint64_t net_random(struct net *n)
{
	n->random ^= n->random << 13;
	n->random ^= n->random >> 7;
	n->random ^= n->random << 17;
	return n->random >> 16;
}

static inline void net_fill(struct net *n, void *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = (uint8_t)net_random(n);
}

static inline void dummy_sign(uint8_t sig[SIG_LEN], const struct key_pair *k, const char *label,
			      const void *msg, size_t len)
{
	struct hash h;

	hash_begin(&h, label, SIG_LEN);
	hash_add(&h, k->pub.b, KEY_LEN);
	hash_add(&h, msg, len);
	hash_end(&h, sig);
}

static inline bool dummy_verify(const uint8_t sig[SIG_LEN], const struct pubkey *k,
				const char *label, const void *msg, size_t len)
{
	struct key_pair pair = { .pub = *k };
	uint8_t want[SIG_LEN];

	dummy_sign(want, &pair, label, msg, len);
	return memcmp(want, sig, SIG_LEN) == 0;
}

/* Dear in earnest, and honest keys are honest. */
static inline bool dummy_valid(const struct pubkey *k) { return !(k->b[KEY_LEN - 1] & 0x80); }

static const struct crypto crypto_dummy = { .sign = dummy_sign, .verify = dummy_verify,
						     .key_valid = dummy_valid };

static inline void net_rewake(struct net_node *x)
{
	usec_t at = x->gone ? USEC_NEVER : dht_deadline(x->dht);

	timer_set(&x->net->timers, &x->wake, at == USEC_NEVER || at > x->net->now ? at
										   : x->net->now);
}

static inline void net_wake(struct timer *t, usec_t now)
{
	struct net_node *x = container_of(t, struct net_node, wake);

	x->net->now = now;
	dht_tick(x->dht, now);
	net_rewake(x);
}

static inline void net_post(struct net *n, size_t from, size_t to, const uint8_t *bytes, size_t len);

/* Nonsense of several kinds, with the right request id where it has one. */
static inline void net_junk(struct net_node *x, const struct net_msg *q)
{
	struct dht_msg m = { 0 }, in;
	uint8_t out[DHT_MSG_MAX], record[300];
	size_t len = 40;

	if (dht_msg_read(&in, q->bytes, q->len) || !dht_msg_is_request(in.type))
		return;
	net_fill(x->net, out, len);
	net_fill(x->net, record, sizeof(record));
	m.id = in.id;
	m.type = (enum dht_msg_type)(in.type + 1);
	if (m.type == DHT_MSG_NODES || m.type == DHT_MSG_VALUES)
		for (m.keys = 0; m.keys < DHT_K; m.keys++)
			net_fill(x->net, &m.key[m.keys], KEY_LEN);
	if (m.type == DHT_MSG_VALUES) {
		record[0] = 1;
		record[1] = in.name.kind;
		memcpy(record + 2, in.name.key.b, ID_LEN);
		memset(record + 30, 0, 4);
		record[38] = 0;
		record[39] = 300 - 136;
		m.record[m.records++] = (struct dht_bytes){ record, sizeof(record) };
	}
	switch (net_random(x->net) % 4) {
	case 0:
		return;
	case 1:
		break;
	default:
		len = dht_msg_write(out, sizeof(out), &m);
	}
	net_post(x->net, x->index, q->from, out, len);
}

static inline void net_deliver(struct timer *t, usec_t now)
{
	struct net_msg *m = container_of(t, struct net_msg, timer);
	struct net *n = m->net;
	struct net_node *x = &n->node[m->to];

	n->now = now;
	n->messages++;
	if (!x->gone && x->junk) {
		net_junk(x, m);
	} else if (!x->gone) {
		dht_input(x->dht, &n->node[m->from].self.pub, m->proven, m->bytes, m->len, now);
		net_rewake(x);
	}
	free(m);
}

static inline void net_post(struct net *n, size_t from, size_t to, const uint8_t *bytes, size_t len)
{
	struct net_msg *m;

	if (net_random(n) % 100 < n->loss)
		return;
	m = mem_new(sizeof(*m) + len);
	m->net = n;
	m->from = from;
	m->to = to;
	m->len = len;
	m->proven = n->link[from][to];
	memcpy(m->bytes, bytes, len);
	timer_init(&m->timer, net_deliver);
	timer_set(&n->timers, &m->timer,
		  n->now + n->delay_min + net_random(n) % (n->delay_span + 1));
}

static inline size_t net_hash(const struct pubkey *key)
{
	return ((size_t)key->b[1] << 8 | key->b[2]) % NET_HASH;
}

static inline struct net_node *net_by_key(struct net *n, const struct pubkey *key)
{
	for (size_t at = net_hash(key); n->by_key[at]; at = (at + 1) % NET_HASH) {
		struct net_node *x = &n->node[n->by_key[at] - 1];

		if (memcmp(x->self.pub.b, key->b, KEY_LEN) == 0)
			return x;
	}
	return NULL;
}

/* What a message costs: over a session one packet of 60 bytes of headers, service, and its
 * acknowledgement; routed the route header as well, and all of that on every hop. */
static inline void net_cost(struct net_node *x, const struct net_node *y, const uint8_t *msg,
			    size_t len)
{
	struct net *n = x->net;
	bool linked = y && n->link[x->index][y->index];
	size_t cost = linked ? len + 150 : (len + 180) * n->hops / 10;

	struct dht_msg m;

	x->ip += cost;
	if (!dht_msg_read(&m, msg, len))
		for (size_t i = 0; i < m.keys; i++) {
			struct net_node *z = net_by_key(n, &m.key[i]);

			n->told_client += z && z->client;
		}
	n->ip_of[msg[0] & ~DHT_MSG_CLIENT] += cost;
	n->count_of[msg[0] & ~DHT_MSG_CLIENT]++;
}

static inline void net_send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len,
			    unsigned way)
{
	struct net_node *x = ctx, *y = net_by_key(x->net, to);

	(void)way; /* all are as good */
	x->asked[x->sent++ % 4] = *to;
	net_cost(x, y, msg, len);
	if (!y) {
		x->net->lost_keys++;
		return;
	}
	if (!x->net->link[x->index][y->index] && msg[0] % 2 == 0 && len > x->sent_max_routed)
		x->sent_max_routed = len;
	net_post(x->net, x->index, y->index, msg, len);
}

static inline bool net_is_linked(const struct net *n, size_t i)
{
	for (size_t j = 0; j < n->count; j++)
		if (n->link[i][j])
			return true;
	return false;
}

/* The ring: whoever of those present is nearest on the circle. */
static inline void net_send_nearest(void *ctx, const struct node_id *target, const uint8_t *msg,
				    size_t len, unsigned way)
{
	struct net_node *x = ctx, *best = NULL;
	struct net *n = x->net;
	uint64_t at = place_of_id(target), least = UINT64_MAX;

	for (size_t i = 0; i < n->count; i++) {
		struct net_node *y = &n->node[i];
		uint64_t d = n->place[i] - at;

		d = d > -d ? -d : d; /* the shorter way round */
		if (d >= least || y == x || y->gone || !net_is_linked(n, i))
			continue;
		best = y;
		least = d;
	}
	(void)way;
	x->sent++;
	net_cost(x, NULL, msg, len);
	if (best && net_is_linked(n, x->index))
		net_post(n, x->index, best->index, msg, len);
}

static inline void net_random_bytes(void *ctx, void *out, size_t len)
{
	net_fill(((struct net_node *)ctx)->net, out, len);
}

static inline void net_event(void *ctx, const struct dht_event *e)
{
	struct net_node *x = ctx;
	struct net_seen *s = &x->seen;

	s->op = e->op;
	s->count = e->count;
	if (e->type == DHT_DONE) {
		s->done++;
		s->done_at = x->net->now;
		return;
	}
	if (s->found++ == 0)
		s->found_at = x->net->now;
	s->seq = e->seq;
	s->signer = e->signer;
	s->len = e->len;
	memcpy(s->body, e->body, e->len);
}

static inline void net_start(struct net *n, size_t i)
{
	struct net_node *x = &n->node[i];
	struct dht_env env = { x, net_random_bytes, net_send, net_event, NULL };
	struct dht_config cfg = { .self = x->self, .crypto = n->crypto, .wall = &n->wall,
				  .drops = &x->drops };

	if (n->ring)
		env.send_nearest = net_send_nearest;
	cfg.client = x->client;
	x->id = id_of(&x->self.pub);
	n->place[i] = place_of_id(&x->id);
	x->dht = dht_new(&cfg, &env, n->now);
	net_rewake(x);
}

static inline void net_enter(struct net *n, size_t i)
{
	size_t at = net_hash(&n->node[i].self.pub);

	while (n->by_key[at])
		at = (at + 1) % NET_HASH;
	n->by_key[at] = (uint16_t)(i + 1);
}

static inline struct net *net_make(size_t count, uint64_t seed, bool ring)
{
	struct net *n = mem_new(sizeof(*n));
	uint8_t key_seed[SEED_LEN];

	n->random = seed * 0x9e3779b97f4a7c15u + 1;
	n->now = SEC(1000);
	n->wall = (struct wall){ .base = NET_WALL, .at = n->now };
	n->crypto = &crypto_dummy;
	n->delay_min = MSEC(10);
	n->delay_span = MSEC(40);
	n->count = count;
	n->ring = ring;
	n->hops = 40;
	timers_init(&n->timers);
	for (size_t i = 0; i < count; i++) {
		struct net_node *x = &n->node[i];

		x->net = n;
		x->index = i;
		timer_init(&x->wake, net_wake);
		do
			net_fill(n, key_seed, sizeof(key_seed));
		while (!key_from_seed(&x->self, key_seed));
		net_enter(n, i);
		net_start(n, i);
	}
	return n;
}

static inline struct net *net_new(size_t count, uint64_t seed)
{
	return net_make(count, seed, false);
}

static inline void net_free(struct net *n)
{
	for (size_t i = 0; i < n->count; i++) {
		dht_free(n->node[i].dht);
		timer_cancel(&n->timers, &n->node[i].wake);
	}
	while (n->timers.count) {
		struct timer *t = n->timers.heap[1].timer;

		timer_cancel(&n->timers, t);
		free(container_of(t, struct net_msg, timer));
	}
	timers_fini(&n->timers);
	free(n);
}

static inline void net_run(struct net *n, usec_t span)
{
	usec_t end = n->now + span, at;

	while ((at = timers_next(&n->timers)) <= end) {
		n->now = at;
		timers_run(&n->timers, at);
	}
	n->now = end;
}

static inline void net_link(struct net *n, size_t a, size_t b)
{
	if (a == b || n->link[a][b])
		return;
	n->link[a][b] = n->link[b][a] = true;
	dht_contact_up(n->node[a].dht, &n->node[b].self.pub, n->now);
	dht_contact_up(n->node[b].dht, &n->node[a].self.pub, n->now);
	net_rewake(&n->node[a]);
	net_rewake(&n->node[b]);
}

static inline struct dht_topic net_topic(const char *name)
{
	struct dht_topic t = { .kind = DHT_NAME, .secret = "the secret" };

	t.name_len = (uint8_t)strlen(name);
	memcpy(t.name, name, t.name_len);
	return t;
}

static inline int net_publish(struct net *n, size_t i, const char *name, const char *body)
{
	struct dht_topic t = net_topic(name);
	int err = dht_publish(n->node[i].dht, &t, (const uint8_t *)body, strlen(body), 3600, n->now);

	net_rewake(&n->node[i]);
	return err;
}

static inline void net_get(struct net *n, size_t i, const char *name)
{
	struct dht_topic t = net_topic(name);

	n->node[i].seen = (struct net_seen){ 0 };
	dht_get(n->node[i].dht, 7, &t, n->now);
	net_rewake(&n->node[i]);
}

static inline bool net_got(struct net *n, size_t i, const char *body)
{
	const struct net_seen *s = &n->node[i].seen;

	return s->found > 0 && s->len == strlen(body) && memcmp(s->body, body, s->len) == 0;
}

#endif
