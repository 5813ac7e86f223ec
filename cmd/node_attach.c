/* node_attach.c - peers with an attached session: who they are, and which addresses they proved.
 *
 * When a session attaches, each side shows its grants (GRANT SHOW, docs/protocol.md 8.7); a peer
 * that sends from an address it has not shown is asked (WANT). Shown grants are verified here
 * and become bindings in vnet, which fences every inner source by them. */
#include "cmd/node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

enum { GRANT_SHOW = 1, GRANT_WANT = 2 };
enum { SHOWN_GRANT = 1, SHOWN_DERIVED = 2 };

#define SHOW_MAX 8
#define SHOWN_LEN_MAX 1200
#define SHOWS_A_SECOND 5 /* GRANT messages of one peer that are looked at; bursts of 20 */

/* docs/protocol.md 1.4. */
struct ip ns_derived(const struct ns *s, const struct pubkey *key, uint8_t salt)
{
	struct ip ip = s->subnet6.ip;
	struct hash h;

	hash_begin(&h, "vpnd iid", 16);
	hash_add(&h, s->nsid, NSID_LEN);
	hash_add(&h, key->b, KEY_LEN);
	hash_add(&h, &salt, 1);
	uint8_t iid[16];
	hash_end(&h, iid);
	memcpy(ip.b + 8, iid, 8);
	return ip;
}

static bool is_shown(const struct lease_info *li)
{
	return li->name.kind == REG_ADDRESS && li->grant_len && li->left &&
	       li->state != LEASE_LOST && li->state != LEASE_RENEW_FIRST;
}

/* The one asked for, then all others. */
static void wr_own_addresses(struct ns *s, struct wr *w, uint8_t *count,
			     const struct reg_name *asked, usec_t now)
{
	struct lease_info li;

	for (int others = 0; s->leases && others <= 1; others++)
		for (size_t at = 0; *count < SHOW_MAX && leases_next(s->leases, &at, &li, now);)
			if (is_shown(&li) && reg_name_equal(&li.name, asked) != others) {
				wr_u8(w, SHOWN_GRANT);
				wr_block(w, li.grant, li.grant_len);
				++*count;
			}
}

bool ns_shows_all(const struct ns *s, usec_t now)
{
	struct lease_info li;
	size_t at = 0, count = 1;

	while (count <= SHOW_MAX && leases_next(s->leases, &at, &li, now))
		count += is_shown(&li);
	return count <= SHOW_MAX;
}

/* Of many addresses the one that the peer asked for comes first. */
static void show(struct ns *s, const struct pubkey *to, const struct reg_name *asked, usec_t now)
{
	uint8_t buf[SHOW_MAX * (SHOWN_LEN_MAX + 3) + 32], count = 1;
	struct wr w = wr_of(buf, sizeof(buf));
	uint8_t *count_at;

	wr_u8(&w, GRANT_SHOW);
	wr_copy(&w, s->nsid, NSID_LEN);
	count_at = wr_room(&w, 1);
	wr_u8(&w, SHOWN_DERIVED);
	wr_block(&w, &s->salt, 1);
	wr_own_addresses(s, &w, &count, asked, now);
	assert(wr_ok(&w));
	*count_at = count;
	p2p_send(s->o->p2p, to, SERVICE_GRANT, buf, wr_len(&w), now);
}

void ns_show(struct ns *s, const struct pubkey *to, usec_t now)
{
	static const struct reg_name none;

	show(s, to, &none, now);
}

static void show_asked(struct ns *s, const struct pubkey *to, struct rd *r, usec_t now)
{
	struct reg_name name = { 0 }; /* stays so for derived addresses: they are always shown */
	struct ip ip = rd_ip(r);

	if (ip.len == 4)
		name = reg_name_address(&ip);
	if (rd_done(r))
		show(s, to, &name, now);
	else
		drop_add(&s->n->drops, DROP_MALFORMED);
}

void ns_show_all(struct ns *s, usec_t now)
{
	struct attached *a;
	size_t at = 0;

	while ((a = map_next(&s->attached, &at)))
		ns_show(s, &a->key, now);
}

/* What a membership grant tells about its holder. */
static void learn_member(struct attached *a, const uint8_t *grant, size_t len)
{
	struct member_payload mp;
	struct grant g;

	if (!grant_read(&g, grant, len) || !member_payload_read(&mp, g.payload, g.payload_len))
		return;
	memcpy(a->host, mp.host, sizeof(a->host));
	a->not_after = mp.not_after;
}

void ns_attached(struct ns *s, const struct p2p_event *e, usec_t now)
{
	struct attached *a = map_get(&s->attached, &e->peer);

	if (!a) {
		a = mem_new(sizeof(*a));
		a->key = e->peer;
		limit_init(&a->shows, SHOWS_A_SECOND, 4 * SHOWS_A_SECOND);
		if (map_put(&s->attached, a) != 0) {
			free(a);
			return;
		}
	}
	a->session = e->session;
	a->tag = e->tag;
	learn_member(a, e->msg, e->len);
	ns_wake(s, now); /* its grant ends some day */
	overlay_learn_peer(s->o, &e->peer, now);
	regs_peer_attached(s->regs, &e->peer, now);
	ns_show(s, &e->peer, now);
	if (s->vnet)
		vnet_peer_up(s->vnet, &e->peer, e->session, e->tag, now);
}

void ns_detached(struct ns *s, const struct pubkey *peer, bool forget, usec_t now)
{
	struct attached *a = map_take(&s->attached, peer);

	if (s->vnet && forget)
		vnet_peer_forget(s->vnet, peer, now);
	else if (s->vnet && a)
		vnet_peer_down(s->vnet, peer, now);
	if (!a)
		return;
	regs_peer_gone(s->regs, peer, now);
	if (regs_keepers(s->regs) && config_member(regs_keepers(s->regs), peer) >= 0)
		ns_want_keeper(s, now);
	free(a);
}

void ns_drop_revoked(struct ns *s, usec_t now)
{
	struct attached *a;
	size_t at = 0;

	while ((a = map_next(&s->attached, &at)))
		if (regs_is_revoked(s->regs, &a->key)) {
			struct pubkey key = a->key;

			p2p_detach(s->o->p2p, s->number, &key, now);
			ns_detached(s, &key, true, now);
			at = 0;
		}
}

/* A leased address: the grant says who owns it until when. */
static void bind_grant(struct ns *s, const struct pubkey *from, struct rd *b, usec_t now)
{
	struct attached *a = map_get(&s->attached, from);
	struct owned_payload op;
	struct grant g;
	uint64_t wall = wall_seconds(&s->n->wall, now), end;
	struct ip ip = { 0 };

	if (!regs_check(s->regs, &g, b->p, rd_left(b), now) || g.name.kind != REG_ADDRESS ||
	    g.state != REG_HELD || !key_equal(&g.owner, from)) {
		drop_add(&s->n->drops, DROP_SIGNATURE);
		regs_ask_chain(s->regs, from, b->p, rd_left(b), now);
		return;
	}
	end = grant_end(&g);
	ip.len = g.name.len;
	memcpy(ip.b, g.name.b, g.name.len);
	if (a && ip.len == 4)
		a->v4 = ip;
	if (a && owned_payload_read(&op, g.payload, g.payload_len) && op.host[0]) {
		memset(a->host, 0, sizeof(a->host));
		memcpy(a->host, op.host, strlen(op.host));
	}
	ns_witness_shown(s, &g,
			 vnet_bind(s->vnet, &ip, from, g.generation,
				   now + SEC(end > wall ? end - wall : 0), now), now);
}

static void bind_derived(struct ns *s, const struct pubkey *from, struct rd *b, usec_t now)
{
	struct ip ip = ns_derived(s, from, rd_u8(b));

	if (rd_done(b))
		vnet_bind(s->vnet, &ip, from, NODE_DERIVED_GENERATION, USEC_NEVER, now);
}

static void shown(struct ns *s, const struct pubkey *from, struct rd r, usec_t now)
{
	struct rd scan = r, b;
	size_t count = rd_u8(&scan);

	if (count > SHOW_MAX)
		return;
	for (size_t i = 0; i < count; i++) {
		rd_u8(&scan);
		rd_block(&scan, SHOWN_LEN_MAX);
	}
	if (!rd_done(&scan)) {
		drop_add(&s->n->drops, DROP_MALFORMED);
		return;
	}
	rd_u8(&r);
	for (size_t i = 0; i < count; i++) {
		uint8_t kind = rd_u8(&r);

		b = rd_block(&r, SHOWN_LEN_MAX);
		if (kind == SHOWN_GRANT)
			bind_grant(s, from, &b, now);
		else if (kind == SHOWN_DERIVED)
			bind_derived(s, from, &b, now);
	}
}

void ns_grant_message(struct overlay *o, const struct pubkey *from, const uint8_t *msg, size_t len,
		      usec_t now)
{
	struct rd r = rd_of(msg, len);
	uint8_t type = rd_u8(&r);
	const uint8_t *nsid = rd_bytes(&r, NSID_LEN);
	struct ns *s = nsid ? ns_of_id(o->n, nsid, o) : NULL;
	struct attached *a = s ? map_get(&s->attached, from) : NULL;

	if (!a || !s->vnet) {
		drop_add(&o->n->drops, DROP_UNKNOWN);
		return;
	}
	if (!limit_take(&a->shows, now)) {
		drop_add(&o->n->drops, DROP_RATE);
		return;
	}
	if (type == GRANT_SHOW)
		shown(s, from, r, now);
	else if (type == GRANT_WANT)
		show_asked(s, from, &r, now);
	else
		drop_add(&o->n->drops, DROP_UNKNOWN);
}

void ns_want_grant(struct ns *s, const struct pubkey *peer, const struct ip *ip, usec_t now)
{
	uint8_t buf[64];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_u8(&w, GRANT_WANT);
	wr_copy(&w, s->nsid, NSID_LEN);
	wr_ip(&w, ip);
	assert(wr_ok(&w));
	p2p_send(s->o->p2p, peer, SERVICE_GRANT, buf, wr_len(&w), now);
}
