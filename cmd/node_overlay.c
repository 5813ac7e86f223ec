/* node_overlay.c - one overlay of a node: its p2p and its dht, and what they are given.
 *
 * DHT messages never open sessions: they take the one there is, else the ring. A few peers
 * with the addresses they were seen at are remembered, so that a restarted node finds its way
 * back without the token. */
#include "cmd/node.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

/* Encoded they are shorter than that. */
#define CONTACTS_LEN_MAX (NODE_CONTACTS_MAX * sizeof(struct token_contact))

static void env_send(void *ctx, uint8_t socket, const struct addr *to, const uint8_t *pkt, size_t len)
{
	struct overlay *o = ctx;

	o->n->env.send(o->n->env.ctx, socket, to, pkt, len);
}

static void env_random(void *ctx, void *out, size_t len)
{
	struct overlay *o = ctx;

	o->n->env.random(o->n->env.ctx, out, len);
}

static void env_p2p_event(void *ctx, const struct p2p_event *e)
{
	struct overlay *o = ctx;
	struct queued *q = node_queue(o->n, MODULE_P2P, o->number, e->len);

	q->e.p2p = *e;
	if (e->len)
		memcpy(q->bytes, e->msg, e->len);
	q->e.p2p.msg = q->bytes;
}

static bool env_grant_ok(void *ctx, uint16_t number, const struct pubkey *peer, const uint8_t *grant,
			 size_t len, usec_t now)
{
	struct overlay *o = ctx;
	struct ns *s = number < NODE_NAMESPACES_MAX ? o->n->ns[number] : NULL;
	struct grant g;

	if (!s || regs_is_revoked(s->regs, peer))
		return false;
	if (!regs_check(s->regs, &g, grant, len, now)) {
		regs_ask_chain(s->regs, peer, grant, len, now);
		return false;
	}
	return g.name.kind == REG_MEMBER && memcmp(g.name.b, peer->b, KEY_LEN) == 0;
}

static size_t env_own_grant(void *ctx, uint16_t number, uint8_t *out, size_t size)
{
	struct overlay *o = ctx;
	struct ns *s = number < NODE_NAMESPACES_MAX ? o->n->ns[number] : NULL;
	const uint8_t *grant;
	size_t len = s ? regs_membership(s->regs, &grant) : 0;

	if (len == 0 || len > size)
		return 0;
	memcpy(out, grant, len);
	return len;
}

static void env_dht_event(void *ctx, const struct dht_event *e)
{
	struct overlay *o = ctx;
	struct queued *q = node_queue(o->n, MODULE_DHT, o->number, e->len);

	q->e.dht = *e;
	if (e->len)
		memcpy(q->bytes, e->body, e->len);
	q->e.dht.body = q->bytes;
}

static void env_dht_send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len,
			 unsigned way)
{
	struct overlay *o = ctx;
	struct node_id id, link;

	if (p2p_has_session(o->p2p, to)) {
		p2p_send(o->p2p, to, SERVICE_DHT, msg, len, o->n->now);
		return;
	}
	id = id_of(to);
	link = p2p_link(o->p2p, way);
	p2p_route(o->p2p, &id, way ? &link : overlay_agent(o, to), ROUTED_DHT, msg, len, o->n->now);
}

static void env_dht_send_nearest(void *ctx, const struct node_id *target, const uint8_t *msg,
				 size_t len, unsigned way)
{
	struct overlay *o = ctx;
	struct node_id link = p2p_link(o->p2p, way);

	p2p_route_nearest(o->p2p, target, way ? &link : NULL, ROUTED_DHT, msg, len, o->n->now);
}

struct overlay *overlay_find(struct node *n, const uint8_t id[16])
{
	for (size_t i = 0; i < NODE_OVERLAYS_MAX; i++)
		if (n->overlays[i] && memcmp(n->overlays[i]->id, id, 16) == 0)
			return n->overlays[i];
	return NULL;
}

/* Not started yet: no packet leaves before overlay_start. NULL when there are too many. */
struct overlay *overlay_new(struct node *n, const uint8_t key[32], bool open)
{
	struct overlay *o;
	size_t i = 0;

	while (i < NODE_OVERLAYS_MAX && n->overlays[i])
		i++;
	if (i == NODE_OVERLAYS_MAX)
		return NULL;
	o = mem_new(sizeof(*o));
	o->n = n;
	o->number = (uint16_t)i;
	o->open = open;
	memcpy(o->key, key, 32);
	hash_of(o->id, sizeof(o->id), "vpnd overlay id", key, 32);
	n->overlays[i] = o;
	if (n->overlay_top <= i)
		n->overlay_top = i + 1;
	return o;
}

static void start_modules(struct overlay *o, usec_t now)
{
	struct node *n = o->n;
	struct p2p_config pc = { .self = n->cfg.self,
				 .crypto = n->cfg.crypto,
				 .log = n->cfg.log,
				 .drops = &n->drops,
				 .start_counter = n->start_counter,
				 .overlay_key_count = 1,
				 .aes = n->cfg.aes,
				 .leaf = n->cfg.leaf,
				 .lan_port = n->cfg.lan_port };
	struct dht_config dc = { .self = n->cfg.self,
				 .crypto = n->cfg.crypto,
				 .log = n->cfg.log,
				 .wall = &n->wall,
				 .drops = &n->drops,
				 .client = n->cfg.leaf };

	memcpy(pc.overlay_keys[0], o->key, 32);
	o->p2p = p2p_new(&pc,
			 &(struct p2p_env){ o, env_send, env_random, env_p2p_event, env_grant_ok,
					    env_own_grant },
			 now);
	o->dht = dht_new(&dc,
			 &(struct dht_env){ .ctx = o,
					    .random = env_random,
					    .send = env_dht_send,
					    .event = env_dht_event,
					    .send_nearest = env_dht_send_nearest },
			 now);
	sodium_memzero(&pc, sizeof(pc));
	sodium_memzero(&dc, sizeof(dc));
}

void overlay_start(struct overlay *o, usec_t now)
{
	struct token_contact all[NODE_CONTACTS_MAX];
	size_t known = overlay_contacts(o, all);

	if (o->p2p)
		return;
	start_modules(o, now);
	p2p_set_addresses(o->p2p, o->n->addrs, o->n->addr_count, now);
	for (size_t i = 0; i < known; i++)
		p2p_bootstrap(o->p2p, &all[i].key, all[i].addrs, all[i].addr_count, now);
}

void overlay_free(struct overlay *o, usec_t now)
{
	o->n->overlays[o->number] = NULL;
	while (o->n->overlay_top && !o->n->overlays[o->n->overlay_top - 1])
		o->n->overlay_top--;
	outbox_drop(o);
	node_trace_drop(o->n, o);
	node_record_drop(o->n, o);
	if (o->p2p) {
		p2p_free(o->p2p, now);
		dht_free(o->dht);
	}
	free(o->agents);
	free(o->contacts);
	sodium_memzero(o->key, sizeof(o->key));
	free(o);
}

/* An overlay goes with the last namespace that lives in it. */
void overlay_release(struct overlay *o, usec_t now)
{
	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++)
		if (o->n->ns[i] && o->n->ns[i]->o == o)
			return;
	state_erase_overlay(o);
	overlay_free(o, now);
}

size_t overlay_contacts(const struct overlay *o, struct token_contact out[NODE_CONTACTS_MAX])
{
	struct rd r = rd_of(o->contacts, o->contacts_len);
	size_t count = 0;

	while (rd_left(&r) && count < NODE_CONTACTS_MAX)
		rd_token_contact(&r, &out[count++]);
	return count;
}

bool overlay_keep_contacts(struct overlay *o, const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);
	struct token_contact c;
	size_t count = 0;

	while (rd_ok(&r) && rd_left(&r) && count++ < NODE_CONTACTS_MAX)
		rd_token_contact(&r, &c);
	if (!rd_done(&r))
		return false;
	free(o->contacts);
	o->contacts = len ? mem_copy(b, len) : NULL;
	o->contacts_len = len;
	return true;
}

static size_t place_of_key(const struct token_contact all[], size_t count, const struct pubkey *key)
{
	size_t i = 0;

	while (i < count && !key_equal(&all[i].key, key))
		i++;
	return i;
}

bool overlay_has_place(const struct overlay *o, const struct pubkey *key)
{
	struct token_contact all[NODE_CONTACTS_MAX];
	size_t count = overlay_contacts(o, all);

	return count < NODE_CONTACTS_MAX || place_of_key(all, count, key) < count;
}

/* Field by field: padding is nobody's. */
static bool same_contact(const struct token_contact *a, const struct token_contact *b)
{
	if (!key_equal(&a->key, &b->key) || a->addr_count != b->addr_count)
		return false;
	for (size_t i = 0; i < a->addr_count; i++)
		if (!addr_equal(&a->addrs[i], &b->addrs[i]))
			return false;
	return true;
}

void overlay_learn_contact(struct overlay *o, const struct pubkey *key, const struct addr *a,
			   size_t count)
{
	struct token_contact all[NODE_CONTACTS_MAX], c = { .key = *key };
	size_t known = overlay_contacts(o, all), at = place_of_key(all, known, key);
	uint8_t b[CONTACTS_LEN_MAX];
	struct wr w = wr_of(b, sizeof(b));

	c.addr_count = (uint8_t)(count < TOKEN_CONTACT_ADDRS ? count : TOKEN_CONTACT_ADDRS);
	memcpy(c.addrs, a, c.addr_count * sizeof(*a));
	if (at < known && same_contact(&all[at], &c))
		return;
	wr_token_contact(&w, &c);
	for (size_t i = 0; i < known && i < NODE_CONTACTS_MAX - (at == known); i++)
		if (i != at)
			wr_token_contact(&w, &all[i]);
	assert(wr_ok(&w));
	overlay_keep_contacts(o, b, wr_len(&w));
	o->contacts_dirty = true;
	node_wake(o->n, o->n->now);
}

/* Remembers where a peer with a live direct path was found. */
void overlay_learn_peer(struct overlay *o, const struct pubkey *key, usec_t now)
{
	struct p2p_peer_info info;
	size_t at = 0;

	while (p2p_peer_next(o->p2p, &at, &info, now)) {
		struct addr a[TOKEN_CONTACT_ADDRS];
		size_t count = 0;

		if (!key_equal(&info.key, key))
			continue;
		for (size_t i = 0; i < info.path_count && count < TOKEN_CONTACT_ADDRS; i++)
			if (info.paths[i].proven)
				a[count++] = info.paths[i].addr;
		if (count)
			overlay_learn_contact(o, key, a, count);
		return;
	}
}
