/* p2p_net.h - a virtual network of p2p nodes for tests: delay, loss, reordering, cut cables.
 *
 * One queue of datagrams ordered by arrival, one clock. Datagrams go through the fast path first,
 * as in the daemon, and through p2p_input when it says so. Events are counted and the last of each
 * type kept. Everything random comes from one seed. */
#ifndef TESTS_UNIT_P2P_NET_H
#define TESTS_UNIT_P2P_NET_H

#include <sodium.h>
#include <stdlib.h>

#include "base/mem.h"
#include "p2p/core.h"
#include "p2p/p2p.h"
#include "p2p/session.h"
#include "p2p/status.h"
#include "tests/check.h"

#ifndef NET_AES
#define NET_AES aead_has_aes() /* which suite the nodes agree on */
#endif
#define NODES 10      /* as many as most tests have */
#define NODES_MAX 128
#define EVENT_TYPES (P2P_DATA + 1)
#define LOG_MAX 4096

struct net;

struct node {
	struct net *net;
	struct p2p *p;
	struct key_pair key;
	struct drops drops; /* of all its lives */
	struct addr addr;
	struct addr seen_as; /* source its datagrams carry; normally addr */
	uint32_t starts;
	bool has_grant;
	unsigned grants_asked;
	bool refuses; /* every grant */
	bool leaf;    /* from the next start on */
	unsigned count[EVENT_TYPES];
	struct p2p_event last[EVENT_TYPES];
	uint8_t msg[P2P_MESSAGE_MAX]; /* of the last event that had one */
	size_t msg_len;
	enum p2p_event_type order[LOG_MAX];
	size_t events;
	uint64_t sent, data;
};

struct packet {
	usec_t at;
	uint64_t seq;
	int to;
	struct addr from;
	uint8_t *bytes;
	size_t len;
};

struct net {
	struct node *nodes;
	size_t count;
	struct packet *queue; /* heap by (at, seq) */
	size_t queued, size;
	uint64_t seq, seed;
	usec_t now, delay, jitter;
	unsigned loss; /* per thousand */
	bool cut[NODES_MAX][NODES_MAX];
	bool dead[NODES_MAX]; /* hears nothing, does nothing */
	/* Sees every datagram; false = it is lost. */
	bool (*tap)(struct net *n, int from, int to, const uint8_t *pkt, size_t len);
	void (*on_event)(struct net *n, int node, const struct p2p_event *e);
	uint8_t arrived[1024]; /* for on_event to note things in */
	uint64_t tapped, count_of_tap; /* for taps to count in */
	uint8_t kept[2048];
	size_t kept_len;
};

static const struct log net_log = { 0 };
static const uint8_t net_overlay[32] = { 1, 2, 3 };

static inline void net_random(void *ctx, void *out, size_t len)
{
	struct node *node = ctx;
	uint8_t seed[32] = { 0 };

	node->net->seed++;
	memcpy(seed, &node->net->seed, sizeof(node->net->seed));
	randombytes_buf_deterministic(out, len, seed);
}

static inline unsigned net_dice(struct net *n, unsigned sides)
{
	uint32_t v;

	net_random(&n->nodes[0], &v, sizeof(v));
	return v % sides;
}

/* Nodes that moved are looked for; the others' addresses count up. */
static inline int net_find(const struct net *n, const struct addr *a)
{
	size_t guess = (size_t)a->ip.b[a->ip.len - 1] - 1;

	if (guess < n->count && addr_equal(&n->nodes[guess].addr, a))
		return (int)guess;
	for (size_t i = 0; i < n->count; i++)
		if (addr_equal(&n->nodes[i].addr, a))
			return (int)i;
	return -1;
}

static inline bool net_before(const struct packet *a, const struct packet *b)
{
	return a->at < b->at || (a->at == b->at && a->seq < b->seq);
}

static inline void net_push(struct net *n, struct packet pkt)
{
	size_t i = n->queued++;

	for (; i && net_before(&pkt, &n->queue[(i - 1) / 2]); i = (i - 1) / 2)
		n->queue[i] = n->queue[(i - 1) / 2];
	n->queue[i] = pkt;
}

static inline struct packet net_pop(struct net *n)
{
	struct packet first = n->queue[0], last = n->queue[--n->queued];
	size_t i = 0;

	for (size_t child; (child = 2 * i + 1) < n->queued; i = child) {
		if (child + 1 < n->queued && net_before(&n->queue[child + 1], &n->queue[child]))
			child++;
		if (!net_before(&n->queue[child], &last))
			break;
		n->queue[i] = n->queue[child];
	}
	if (n->queued)
		n->queue[i] = last;
	return first;
}

static inline void net_inject(struct net *n, const struct addr *from, int to, const uint8_t *pkt,
			      size_t len, usec_t at)
{
	if (n->queued == n->size) {
		n->size = n->size ? 2 * n->size : 64;
		n->queue = mem_resize(n->queue, n->size * sizeof(*n->queue));
	}
	net_push(n, (struct packet){ at, n->seq++, to, *from, len ? mem_copy(pkt, len) : NULL,
				     len });
}

static inline void net_send(void *ctx, uint8_t socket, const struct addr *to, const uint8_t *pkt,
			    size_t len)
{
	struct node *node = ctx;
	struct net *n = node->net;
	int from = (int)(node - n->nodes), dest = net_find(n, to);

	CHECK(len > 0 && len <= 1700);
	CHECK_EQ_INT(socket, 0);
	node->sent++;
	if (n->tap && !n->tap(n, from, dest, pkt, len))
		return;
	if (dest < 0 || n->cut[from][dest] || net_dice(n, 1000) < n->loss)
		return;
	net_inject(n, &node->seen_as, dest, pkt, len,
		   n->now + n->delay + (n->jitter ? net_dice(n, (unsigned)n->jitter) : 0));
}

static inline void net_event(void *ctx, const struct p2p_event *e)
{
	struct node *node = ctx;

	node->count[e->type]++;
	node->last[e->type] = *e;
	node->last[e->type].msg = NULL;
	if (node->events < LOG_MAX)
		node->order[node->events++] = e->type;
	if (node->net->on_event)
		node->net->on_event(node->net, (int)(node - node->net->nodes), e);
	if (e->msg) {
		CHECK(e->len <= sizeof(node->msg));
		memcpy(node->msg, e->msg, e->len);
		node->msg_len = e->len;
	}
}

static inline bool net_grant_ok(void *ctx, uint16_t ns, const struct pubkey *peer,
				const uint8_t *grant, size_t len, usec_t now)
{
	(void)ns;
	(void)now;
	return !((struct node *)ctx)->refuses && len == 40 && !memcmp(grant, "a grant.", 8) &&
	       !memcmp(grant + 8, peer->b, KEY_LEN);
}

static inline size_t net_own_grant(void *ctx, uint16_t ns, uint8_t *out, size_t size)
{
	struct node *node = ctx;

	(void)ns;
	node->grants_asked++;
	CHECK(size >= 40);
	if (!node->has_grant)
		return 0;
	memcpy(out, "a grant.", 8);
	memcpy(out + 8, node->key.pub.b, KEY_LEN);
	return 40;
}

static inline void net_start(struct net *n, int i, const uint8_t overlay[32])
{
	struct node *node = &n->nodes[i];
	struct p2p_config cfg = { .self = node->key, .crypto = &crypto_real, .log = &net_log,
				  .start_counter = ++node->starts, .overlay_key_count = 1,
				  .aes = NET_AES, .leaf = node->leaf, .drops = &node->drops };
	struct p2p_env env = { node, net_send, net_random, net_event, net_grant_ok, net_own_grant };

	memcpy(cfg.overlay_keys[0], overlay, 32);
	node->p = p2p_new(&cfg, &env, n->now);
	CHECK(node->p != NULL);
	p2p_set_addresses(node->p, &node->addr, 1, n->now);
}

static inline struct net *net_new(size_t count)
{
	struct net *n = mem_new(sizeof(*n));

	n->now = SEC(1000);
	n->delay = MSEC(20);
	CHECK(count <= NODES_MAX);
	n->count = count;
	n->nodes = mem_new(count * sizeof(*n->nodes));
	for (size_t i = 0; i < count; i++) {
		struct node *node = &n->nodes[i];
		uint8_t seed[SEED_LEN] = { (uint8_t)(i + 1) };

		node->net = n;
		node->has_grant = true;
		while (!key_from_seed(&node->key, seed))
			seed[1]++;
		node->addr = (struct addr){ .ip = ip_v4(0xc0000201 + (uint32_t)i), .port = 24655 };
		node->seen_as = node->addr;
		net_start(n, (int)i, net_overlay);
	}
	return n;
}

static inline void net_free(struct net *n)
{
	for (size_t i = 0; i < n->count; i++)
		p2p_free(n->nodes[i].p, n->now);
	for (size_t i = 0; i < n->queued; i++)
		free(n->queue[i].bytes);
	free(n->queue);
	free(n->nodes);
	free(n);
}

static inline void net_deliver(struct net *n, struct packet *pkt)
{
	struct node *node = &n->nodes[pkt->to];
	struct frame f = { .len = (uint32_t)pkt->len, .remote = pkt->from }, *fs = &f;

	if (node->p && !n->dead[pkt->to] && pkt->len <= FRAME_LEN_MAX) {
		f.data = f.store + FRAME_HEAD;
		if (pkt->len)
			memcpy(f.data, pkt->bytes, pkt->len);
		p2p_open(p2p_view(node->p), p2p_lane(node->p, 0), &fs, 1, n->now);
		if (f.verdict == FRAME_CONTROL)
			p2p_input(node->p, 0, &pkt->from, f.data, f.len, n->now);
		else if (f.verdict == FRAME_OPENED)
			node->data++;
	}
	free(pkt->bytes);
}

static inline void net_run(struct net *n, usec_t span)
{
	usec_t end = n->now + span;
	unsigned still = 0; /* steps without progress of the clock */

	while (still < 5000) {
		usec_t at = n->queued ? n->queue[0].at : USEC_NEVER;
		int who = -1;

		for (size_t i = 0; i < n->count; i++)
			if (n->nodes[i].p && !n->dead[i] && p2p_deadline(n->nodes[i].p) < at) {
				at = p2p_deadline(n->nodes[i].p);
				who = (int)i;
			}
		if (at > end)
			break;
		still = at > n->now ? 0 : still + 1;
		n->now = at > n->now ? at : n->now;
		if (who >= 0) {
			p2p_tick(n->nodes[who].p, n->now);
		} else {
			struct packet pkt = net_pop(n);

			net_deliver(n, &pkt);
		}
	}
	CHECK(still < 5000); /* a deadline that never moves is a busy loop */
	n->now = end;
}

static inline struct p2p_peer_info net_info(struct net *n, int of, int about)
{
	struct p2p_peer_info info;
	size_t at = 0;

	while (p2p_peer_next(n->nodes[of].p, &at, &info, n->now))
		if (key_equal(&info.key, &n->nodes[about].key.pub))
			return info;
	return (struct p2p_peer_info){ 0 };
}

static inline bool net_up(struct net *n, int a, int b)
{
	return p2p_has_session(n->nodes[a].p, &n->nodes[b].key.pub);
}

static inline void net_boot(struct net *n, int who, int at)
{
	CHECK_EQ_INT(p2p_bootstrap(n->nodes[who].p, &n->nodes[at].key.pub, &n->nodes[at].addr, 1,
				   n->now), 0);
}

static inline int net_say(struct net *n, int from, int to, const char *text)
{
	return p2p_send(n->nodes[from].p, &n->nodes[to].key.pub, SERVICE_DHT,
			(const uint8_t *)text, strlen(text) + 1, n->now);
}

static inline struct session *net_session(struct net *n, int of, int about)
{
	return session_find(n->nodes[of].p, &n->nodes[about].key.pub);
}

/* One data packet of 100 bytes by the fast path, as the daemon does it. */
static inline bool net_data(struct net *n, int from, int to)
{
	struct node *node = &n->nodes[from];
	struct frame f = { .verdict = FRAME_TO_PEER, .type = PACKET_IP, .len = 100 }, *fs = &f;
	const struct session *s = net_session(n, from, to);
	const struct attachment *a = s ? attach_find(s->attachments, 0) : NULL;

	if (!a || a->state != ATTACH_UP)
		return false;
	f.data = f.store + FRAME_HEAD;
	memset(f.data, 0x45, f.len);
	f.session = s->handle;
	f.tag = a->tag_out;
	p2p_seal(p2p_view(node->p), p2p_lane(node->p, 0), &fs, 1, n->now);
	if (f.verdict == FRAME_TO_WIRE)
		net_send(node, f.socket, &f.remote, f.data, f.len);
	else if (f.verdict == FRAME_ROUTED)
		p2p_send_routed(node->p, &f, n->now);
	return f.verdict != FRAME_DROP;
}

#endif
