/* node_kit.h - whole nodes on a table: one clock, a network with a delay, disks. For test_node*.c.
 *
 * The network is a list ordered by time; addresses are 9.0.0.1 + index. Hosts behind a port answer
 * nothing. Smaller than the simulator, and nobody's figures come from it. */
#ifndef TESTS_UNIT_NODE_KIT_H
#define TESTS_UNIT_NODE_KIT_H

#include "cmd/node.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cmd/node_internal.h"
#include "tests/check.h"

#define KIT_MAX 128
#define KIT_TEXT 1700
#define KIT_DELAY MSEC(10)

struct kit_pair { /* of a disk */
	struct kit_pair *next;
	size_t key_len, len;
	uint8_t bytes[];
};

struct kit_event {
	usec_t at;
	uint64_t seq;
	bool write; /* a durable answer, else a packet */
	unsigned to, life;
	uint64_t op;
	struct addr from;
	size_t len;
	uint8_t bytes[];
};

struct kit;

struct kit_node {
	struct kit *k;
	struct node *n;
	struct key_pair key;
	struct addr addr;
	struct kit_pair *disk;
	usec_t wake;
	unsigned life;
	bool deaf; /* hears nothing and is not heard */
	bool shy;  /* hears only those it has sent to: behind a NAT */
	bool leaf; /* from its next start on */
	uint64_t heard[KIT_MAX / 64];
	uint64_t op; /* of the last notice */
	unsigned oks, noes; /* notices of success, and of refusal */
	struct node_notice notice;
	char text[KIT_TEXT];
	uint8_t body[1200];
	uint64_t sent, bytes, writes, wakes; /* bytes of IP, headers included */
};

struct kit {
	struct kit_node node[KIT_MAX];
	size_t count;
	usec_t now;
	uint64_t seq, dice, last_op;
	struct kit_event **heap;
	size_t events, size;
	struct frame frame;
	struct log log;
};

static inline bool kit_before(const struct kit_event *a, const struct kit_event *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static inline void kit_push(struct kit *k, struct kit_event *e)
{
	size_t i = k->events++;

	if (k->events > k->size) {
		k->size = k->size ? 2 * k->size : 64;
		k->heap = mem_resize(k->heap, k->size * sizeof(*k->heap));
	}
	e->seq = ++k->seq;
	for (; i > 0 && kit_before(e, k->heap[(i - 1) / 2]); i = (i - 1) / 2)
		k->heap[i] = k->heap[(i - 1) / 2];
	k->heap[i] = e;
}

static inline struct kit_event *kit_pop(struct kit *k)
{
	struct kit_event *top = k->heap[0], *last = k->heap[--k->events];
	size_t i = 0;

	for (size_t c; (c = 2 * i + 1) < k->events; i = c) {
		c += c + 1 < k->events && kit_before(k->heap[c + 1], k->heap[c]);
		if (!kit_before(k->heap[c], last))
			break;
		k->heap[i] = k->heap[c];
	}
	k->heap[i] = last;
	return top;
}

static inline struct kit_event *kit_event(struct kit *k, const struct kit_node *to, usec_t after,
					  const uint8_t *bytes, size_t len)
{
	struct kit_event *e = mem_new(sizeof(*e) + len);

	e->to = (unsigned)(to - k->node);
	e->life = to->life;
	e->at = k->now + after;
	e->len = len;
	if (len)
		memcpy(e->bytes, bytes, len);
	return e;
}

static inline void kit_random(void *ctx, void *out, size_t len)
{
	struct kit *k = ((struct kit_node *)ctx)->k;

	for (size_t i = 0; i < len; i++) {
		k->dice = k->dice * 6364136223846793005u + 1442695040888963407u;
		((uint8_t *)out)[i] = (uint8_t)(k->dice >> 56);
	}
}

static inline bool kit_hears(struct kit_node *from, struct kit_node *to)
{
	size_t f = (size_t)(from - from->k->node), t = (size_t)(to - to->k->node);

	from->heard[t / 64] |= UINT64_C(1) << t % 64;
	return to->n && !from->deaf && !to->deaf && (!to->shy || to->heard[f / 64] >> f % 64 & 1);
}

static inline void kit_send(void *ctx, uint8_t socket, const struct addr *to, const uint8_t *pkt,
			    size_t len)
{
	struct kit_node *h = ctx;
	uint32_t i = to->ip.len == 4 ? ip_to_v4(&to->ip) - 0x09000001 : UINT32_MAX;
	struct kit_event *e;

	(void)socket;
	h->sent++;
	h->bytes += len + 28;
	if (i >= h->k->count || !kit_hears(h, &h->k->node[i]))
		return;
	e = kit_event(h->k, &h->k->node[i], KIT_DELAY, pkt, len);
	e->from = h->addr;
	kit_push(h->k, e);
}

static inline void kit_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			       const uint8_t *value, size_t len)
{
	struct kit_node *h = ctx;
	struct kit_pair **p = &h->disk, *new;
	struct kit_event *e = kit_event(h->k, h, MSEC(1), NULL, 0);

	e->write = true;
	e->op = op;
	kit_push(h->k, e);
	h->writes++;
	while (*p && ((*p)->key_len != key_len || memcmp((*p)->bytes, key, key_len) != 0))
		p = &(*p)->next;
	if (*p) {
		new = *p;
		*p = new->next;
		free(new);
	}
	if (!len)
		return;
	new = mem_new(sizeof(*new) + key_len + len);
	new->key_len = key_len;
	new->len = len;
	memcpy(new->bytes, key, key_len);
	memcpy(new->bytes + key_len, value, len);
	new->next = h->disk;
	h->disk = new;
}

static inline int kit_port_open(void *ctx, uint16_t ns, struct node_port *p, uint8_t mac[6])
{
	(void)ctx;
	snprintf(p->ifname, sizeof(p->ifname), "vpn%u", ns);
	memcpy(mac, (uint8_t[]){ 2, 0, 0, 0, 0, 1 }, 6);
	return 0;
}

static inline void kit_port_close(void *ctx, uint16_t ns)
{
	(void)ctx, (void)ns;
}

static inline void kit_port_address(void *ctx, uint16_t ns, const struct ip *ip, uint8_t bits, bool add)
{
	(void)ctx, (void)ns, (void)ip, (void)bits, (void)add;
}

static inline void kit_port_dns(void *ctx, uint16_t ns, const struct ip *dns4, const char *zone)
{
	(void)ctx, (void)ns, (void)dns4, (void)zone;
}

static inline void kit_to_port(void *ctx, uint16_t ns, const uint8_t *frame, size_t len)
{
	(void)ctx, (void)ns, (void)frame, (void)len;
}

static inline void kit_notice(void *ctx, const struct node_notice *n)
{
	struct kit_node *h = ctx;

	h->op = n->op;
	h->oks += n->result == NODE_OK;
	h->noes += n->result == NODE_NO;
	h->notice = *n;
	snprintf(h->text, sizeof(h->text), "%s", n->text);
	if (n->len && n->len <= sizeof(h->body))
		memcpy(h->body, n->body, n->len);
}

static inline bool kit_prefix_taken(void *ctx, const struct prefix *p)
{
	(void)ctx, (void)p;
	return false;
}

static inline void kit_stop(void *ctx, const char *why)
{
	(void)ctx, (void)why;
}

/* After anything was asked of a node: its deadline may have moved. */
static inline void kit_touch(struct kit_node *h)
{
	h->wake = h->n ? node_deadline(h->n) : USEC_NEVER;
}

static inline void kit_start(struct kit *k, size_t i)
{
	struct kit_node *h = &k->node[i];
	struct node_env env = { h, kit_send, kit_random, kit_persist, kit_port_open, kit_port_close,
				kit_port_address, kit_port_dns, kit_to_port, kit_notice,
				kit_prefix_taken, kit_stop, NULL };
	struct node_config cfg = { .self = h->key, .crypto = &crypto_real, .log = &k->log,
				   .same_machine = true, .leaf = h->leaf, .version = "kit" };

	snprintf(cfg.host, sizeof(cfg.host), "node%zu", i);
	h->life++;
	h->n = node_new(&cfg, &env, 1800000000 + k->now / SEC(1), k->now);
	for (const char *kind = node_state_order; *kind; kind++)
		for (struct kit_pair *p = h->disk; p; p = p->next)
			if (p->bytes[0] == (uint8_t)*kind)
				CHECK(node_restore(h->n, p->bytes, p->key_len, p->bytes + p->key_len,
						   p->len));
	node_set_addresses(h->n, &h->addr, 1, k->now);
	CHECK_EQ_INT(node_start(h->n, k->now), 0);
	kit_touch(h);
}

static inline void kit_crash(struct kit *k, size_t i)
{
	struct kit_node *h = &k->node[i];
	bool deaf = h->deaf;

	h->deaf = true; /* its last words are not heard */
	node_free(h->n, k->now);
	h->deaf = deaf;
	h->n = NULL;
	h->wake = USEC_NEVER;
}

static inline void kit_log(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	printf("# %s: %s\n", log_level_text(level), line);
}

/* All are running. */
static inline struct kit *kit_new(uint64_t seed, size_t count)
{
	struct kit *k = mem_new(sizeof(*k));
	uint8_t b[SEED_LEN];

	*k = (struct kit){ .count = count, .now = SEC(1000), .dice = seed };
	k->log = (struct log){ .sink = kit_log, .level = LOG_LEVEL_ERROR };
	for (size_t i = 0; i < count; i++) {
		struct kit_node *h = &k->node[i];

		h->k = k;
		do
			kit_random(h, b, sizeof(b));
		while (!key_from_seed(&h->key, b));
		h->addr = (struct addr){ .ip = ip_v4(0x09000001 + (uint32_t)i), .port = 24655 };
		kit_start(k, i);
	}
	return k;
}

static inline void kit_free(struct kit *k)
{
	for (size_t i = 0; i < k->count; i++) {
		struct kit_pair *p;

		node_free(k->node[i].n, k->now);
		while ((p = k->node[i].disk)) {
			k->node[i].disk = p->next;
			free(p);
		}
	}
	while (k->events)
		free(kit_pop(k));
	free(k->heap);
	free(k);
}

static inline void kit_deliver(struct kit *k, struct kit_event *e)
{
	struct kit_node *h = &k->node[e->to];
	struct frame *f = &k->frame;

	if (!h->n || e->life != h->life)
		return;
	if (e->write) {
		node_persisted(h->n, e->op, 0, k->now);
	} else {
		f->data = f->store + FRAME_HEAD;
		f->len = (uint32_t)e->len;
		memcpy(f->data, e->bytes, e->len);
		f->remote = e->from;
		f->socket = 0;
		node_from_wire(h->n, &f, 1, k->now);
	}
	kit_touch(h);
}

/* The next thing that happens, if it does before `until`. */
static inline bool kit_step(struct kit *k, usec_t until)
{
	struct kit_node *first = &k->node[0];
	struct kit_event *e;

	for (size_t i = 1; i < k->count; i++)
		if (k->node[i].wake < first->wake)
			first = &k->node[i];
	if (k->events && k->heap[0]->at <= usec_min(first->wake, until)) {
		e = kit_pop(k);
		k->now = e->at > k->now ? e->at : k->now;
		kit_deliver(k, e);
		free(e);
		return true;
	}
	if (first->wake > until)
		return false;
	k->now = first->wake > k->now ? first->wake : k->now + 1;
	first->wakes++;
	node_tick(first->n, k->now);
	kit_touch(first);
	return true;
}

static inline void kit_run(struct kit *k, usec_t span)
{
	usec_t until = k->now + span;

	while (kit_step(k, until))
		;
	k->now = until;
}

/* The notice of `op` at node i within `span`; NULL: none came. */
static inline const struct node_notice *kit_wait(struct kit *k, size_t i, uint64_t op, usec_t span)
{
	usec_t until = k->now + span;

	kit_touch(&k->node[i]);
	while (k->node[i].op != op && kit_step(k, until))
		;
	if (k->node[i].op == op)
		return &k->node[i].notice;
	k->now = until;
	return NULL;
}

/* Node 0 creates "kit". */
static inline void kit_create(struct kit *k)
{
	struct node_create c = { .name = "kit", .has_subnet = true };
	uint64_t op = ++k->last_op;

	CHECK(prefix_parse(&c.subnet, "10.9.0.0/16"));
	node_create(k->node[0].n, op, &c, k->now);
	CHECK(kit_wait(k, 0, op, SEC(10)) && k->node[0].notice.result == NODE_OK);
}

/* A token of node 0's, in its text. */
static inline const char *kit_invite(struct kit *k)
{
	struct node_invite v = { .uses = 128, .expires = 86400 };
	uint64_t op = ++k->last_op;

	node_invite(k->node[0].n, op, NULL, &v, k->now);
	CHECK(kit_wait(k, 0, op, SEC(5)) && k->node[0].notice.result == NODE_OK);
	return k->node[0].text;
}

static inline const struct node_notice *kit_join(struct kit *k, size_t i, const char *token)
{
	struct node_join j = { .token = token };
	uint64_t op = ++k->last_op;

	node_join(k->node[i].n, op, &j, k->now);
	return kit_wait(k, i, op, SEC(60));
}

/* Nodes 0..count-1 are ready members of one namespace. */
static inline struct kit *kit_members(uint64_t seed, size_t count)
{
	struct kit *k = kit_new(seed, count);
	char token[KIT_TEXT];

	kit_create(k);
	memcpy(token, kit_invite(k), sizeof(token));
	for (size_t i = 1; i < count; i++)
		CHECK(kit_join(k, i, token) && k->node[i].notice.result == NODE_OK);
	return k;
}

static inline struct ns *kit_ns(struct kit *k, size_t i)
{
	return k->node[i].n->ns[0];
}

#endif
