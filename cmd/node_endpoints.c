/* node_endpoints.c - where a member is: ENDPOINTS records, docs/protocol.md 6.2.
 *
 * The ring leads to every node by its id, but to no leaf, which stands nowhere in it. So leaves
 * publish their addresses and their links' ids (their agents) under their keys; whoever wants a
 * session with a member and has none after SEEK_WAIT looks for a record, and hands the addresses
 * and one agent after another to p2p, which tries on meanwhile. Full nodes may publish one as well,
 * and do not: it would be one more record in four for next to nothing.
 *
 * What is published follows the truth at a distance: at most once a minute, looked at when links
 * come and go. A seek is remembered for a while, so that a member that is down is not looked for
 * at every packet. */
#include "cmd/node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

#define ENDPOINTS_LEN_MAX (2 + ENDPOINT_AGENTS * ID_LEN + 1 + P2P_ADDRESSES_MAX * 19)
#define PUBLISH_GAP SEC(60)
#define PUBLISH_FIRST SEC(1)
#define SEEK_WAIT MSEC(1500)
#define SEEK_TURN SEC(3)      /* until the next agent is tried */
#define SEEK_REST SEC(30)     /* until the same member may be looked up again */
#define SEEKS_MAX 64

struct seek {
	struct pubkey key;
	struct ns *s;
	enum { SEEK_NEW, SEEK_ASKED, SEEK_FOUND } state;
	usec_t rest; /* until when it is kept */
	struct endpoints where;
	unsigned turn;
	struct timer timer;
};

/* --- the record --- */

void wr_endpoints(struct wr *w, const struct endpoints *e)
{
	wr_u8(w, e->leaf);
	wr_u8(w, e->agent_count);
	for (size_t i = 0; i < e->agent_count; i++)
		wr_copy(w, e->agents[i].b, ID_LEN);
	wr_u8(w, e->addr_count);
	for (size_t i = 0; i < e->addr_count; i++)
		wr_addr(w, &e->addrs[i]);
}

bool endpoints_read(struct endpoints *e, const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);

	*e = (struct endpoints){ .leaf = rd_u8(&r) & 1 };
	e->agent_count = rd_u8(&r);
	if (e->agent_count > ENDPOINT_AGENTS)
		return false;
	for (size_t i = 0; i < e->agent_count; i++)
		rd_copy(&r, e->agents[i].b, ID_LEN);
	e->addr_count = rd_u8(&r);
	if (e->addr_count > P2P_ADDRESSES_MAX)
		return false;
	for (size_t i = 0; i < e->addr_count; i++)
		e->addrs[i] = rd_addr(&r);
	return rd_done(&r);
}

/* --- our own --- */

static void add_agent(struct endpoints *e, const struct node_id *id)
{
	static const struct node_id nobody;

	if (id_equal(id, &nobody) || e->agent_count == ENDPOINT_AGENTS)
		return;
	for (size_t i = 0; i < e->agent_count; i++)
		if (id_equal(&e->agents[i], id))
			return;
	e->agents[e->agent_count++] = *id;
}

static struct endpoints own_endpoints(const struct ns *s, usec_t now)
{
	struct endpoints e = { .leaf = s->n->cfg.leaf };
	struct node_id id = p2p_agent(s->o->p2p);
	struct p2p_peer_info info;
	size_t at = 0;

	add_agent(&e, &id);
	while (p2p_peer_next(s->o->p2p, &at, &info, now)) {
		id = id_of(&info.key);
		if (info.up && info.near)
			add_agent(&e, &id);
	}
	e.addr_count = (uint8_t)p2p_own_addresses(s->o->p2p, e.addrs);
	return e;
}

static struct ns_record own_record(const struct ns *s)
{
	return (struct ns_record){ DHT_ENDPOINTS, s->n->cfg.self.pub.b, KEY_LEN };
}

static void publish(struct ns *s, usec_t now)
{
	struct endpoints e = own_endpoints(s, now);
	struct ns_record r = own_record(s);
	uint8_t b[ENDPOINTS_LEN_MAX], hash[16];
	struct wr w = wr_of(b, sizeof(b));

	wr_endpoints(&w, &e);
	assert(wr_ok(&w));
	hash_of(hash, sizeof(hash), "vpnd endpoints", b, wr_len(&w));
	if (e.agent_count == 0 || memcmp(hash, s->endpoints_hash, sizeof(hash)) == 0)
		return; /* without a link there is nobody to tell */
	memcpy(s->endpoints_hash, hash, sizeof(hash));
	s->endpoints_at = now;
	ns_publish(s, &r, b, wr_len(&w), now);
}

usec_t ns_endpoints_chore(struct ns *s, usec_t now)
{
	if (now < s->endpoints_due)
		return s->endpoints_due;
	s->endpoints_due = USEC_NEVER;
	publish(s, now);
	return USEC_NEVER;
}

void ns_endpoints_soon(struct ns *s, usec_t now)
{
	usec_t at;
	uint32_t r;

	if (!s->n->cfg.leaf || !s->port_up || s->endpoints_due != USEC_NEVER)
		return;
	s->n->env.random(s->n->env.ctx, &r, sizeof(r));
	at = now + PUBLISH_FIRST / 4 + r % PUBLISH_FIRST;
	if (s->endpoints_at && at < s->endpoints_at + PUBLISH_GAP)
		at = s->endpoints_at + PUBLISH_GAP + r % PUBLISH_FIRST;
	s->endpoints_due = at;
	ns_wake(s, at);
}

/* Under new secrets, or no more. */
void ns_endpoints_again(struct ns *s, usec_t now)
{
	memset(s->endpoints_hash, 0, sizeof(s->endpoints_hash));
	ns_endpoints_soon(s, now);
}

/* --- others' --- */

static void seek_free(struct seek *k)
{
	map_take(&k->s->seeks, &k->key);
	timer_cancel(&k->s->n->timers, &k->timer);
	free(k);
}

static void seek_lookup(struct seek *k, usec_t now)
{
	struct reg_name name = reg_name_key(REG_MEMBER, k->key.b, KEY_LEN);

	k->state = SEEK_ASKED;
	k->rest = now + SEEK_REST;
	timer_set(&k->s->n->timers, &k->timer, k->rest);
	ns_query(k->s, QUERY_ENDPOINTS, 0, NULL, &name, now);
}

static void seek_try(struct seek *k, usec_t now)
{
	const struct endpoints *e = &k->where;
	const struct node_id *agent = k->turn < e->agent_count ? &e->agents[k->turn] : NULL;

	k->turn++;
	p2p_locate(k->s->o->p2p, &k->key, e->addrs, e->addr_count, agent, now);
	p2p_attach(k->s->o->p2p, k->s->number, &k->key, now);
	timer_set(&k->s->n->timers, &k->timer,
		  k->turn < e->agent_count ? usec_min(k->rest, now + SEEK_TURN) : k->rest);
}

static void seek_fire(struct timer *t, usec_t now)
{
	struct seek *k = container_of(t, struct seek, timer);
	bool over = k->state != SEEK_NEW && now >= k->rest;

	if (over || p2p_has_session(k->s->o->p2p, &k->key))
		seek_free(k);
	else if (k->state == SEEK_NEW)
		seek_lookup(k, now);
	else
		seek_try(k, now);
}

void ns_seek(struct ns *s, const struct pubkey *key, usec_t now)
{
	struct seek *k;

	if (p2p_has_session(s->o->p2p, key) || map_get(&s->seeks, key))
		return;
	k = mem_new(sizeof(*k));
	k->key = *key;
	k->s = s;
	timer_init(&k->timer, seek_fire);
	if (map_put(&s->seeks, k) != 0) {
		free(k);
		return;
	}
	timer_set(&s->n->timers, &k->timer, now + SEEK_WAIT);
}

void ns_endpoints_found(struct ns *s, const struct dht_event *e, usec_t now)
{
	struct seek *k = map_get(&s->seeks, &e->signer); /* nobody speaks for another */
	struct endpoints where;

	if (!k || k->state == SEEK_NEW || p2p_has_session(s->o->p2p, &k->key))
		return;
	if (!endpoints_read(&where, e->body, e->len)) {
		drop_add(&s->n->drops, DROP_MALFORMED);
		return;
	}
	k->state = SEEK_FOUND;
	k->where = where;
	k->turn = 0;
	seek_try(k, now);
}

void ns_endpoints_init(struct ns *s)
{
	s->endpoints_due = USEC_NEVER;
	map_init(&s->seeks, offsetof(struct seek, key), KEY_LEN, SEEKS_MAX, s->n->seed);
}

void ns_endpoints_fini(struct ns *s)
{
	struct seek *k;
	size_t at = 0;

	while ((k = map_next(&s->seeks, &at))) {
		map_take_at(&s->seeks, &at);
		timer_cancel(&s->n->timers, &k->timer);
		free(k);
	}
	map_fini(&s->seeks);
}
