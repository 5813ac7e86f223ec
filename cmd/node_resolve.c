/* node_resolve.c - "who owns this address?", "what is this name's address?": vnet's upcalls.
 *
 * One lookup = one query: first the DHT, whose every record carries a quorum's grant and is
 * checked here; if it knows nothing good, a READ at a keeper, rate-limited, so that a grant too
 * young to be found is found all the same. Derived addresses prove themselves by the key. */
#include "cmd/node.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

static void answer_address(struct ns *s, struct query *q, const struct grant *g, usec_t now)
{
	uint64_t wall = wall_seconds(&s->n->wall, now), end = g ? grant_end(g) : 0;

	if (s->vnet)
		vnet_resolved(s->vnet, &q->ip, g ? &g->owner : NULL, g ? g->generation : 0,
			      now + SEC(end > wall ? end - wall : 0), now);
}

static void answer_name(struct ns *s, struct query *q, const struct grant *g, usec_t now)
{
	struct owned_payload p = { 0 };
	struct vnet_name vn;
	bool found = g && owned_payload_read(&p, g->payload, g->payload_len);

	if (q->kind != QUERY_NAME) {
		verb_resolved(s, q, found ? &p : NULL, now);
		return;
	}
	vn = (struct vnet_name){ p.v4, p.v6 };
	if (s->vnet)
		vnet_name_resolved(s->vnet, q->caller, found ? &vn : NULL, now);
}

/* Whose name it is, not where: the question goes along the ring. */
static void answer_trace(struct ns *s, struct query *q, const struct grant *g, usec_t now)
{
	if (g)
		node_trace_start(s->o, q->caller, &g->owner, NULL, now);
	else
		verb_resolved(s, q, NULL, now);
}

static void answer_revocations(struct ns *s, struct query *q, const struct grant *g, usec_t now)
{
	(void)q, (void)g;
	ns_revocations_done(s, now);
}

static void answer_host(struct ns *s, struct query *q, const struct grant *g, usec_t now)
{
	struct owned_payload p = { 0 };
	bool found = g && owned_payload_read(&p, g->payload, g->payload_len);

	if (s->vnet)
		vnet_host_resolved(s->vnet, q->caller, found ? p.host : NULL, now);
}

static void answer_nothing(struct ns *s, struct query *q, const struct grant *g, usec_t now)
{
	(void)s, (void)q, (void)g, (void)now;
}

/* What each kind of query looks for, and whose answer it is. */
static const struct {
	enum dht_kind topic;
	bool keeper; /* a register stands behind it */
	void (*answer)(struct ns *s, struct query *q, const struct grant *g, usec_t now);
} kinds[] = {
	[QUERY_ADDRESS] = { DHT_ADDRESS, true, answer_address },
	[QUERY_DERIVED] = { DHT_DERIVED, false, answer_address },
	[QUERY_NAME] = { DHT_NAME, true, answer_name },
	[QUERY_HOST] = { DHT_ADDRESS, true, answer_host },
	[QUERY_VERB] = { DHT_NAME, true, answer_name },
	[QUERY_PING] = { DHT_NAME, true, answer_name },
	[QUERY_TRACE] = { DHT_NAME, true, answer_trace },
	[QUERY_KEEPERS] = { DHT_KEEPERS, false, answer_nothing },
	[QUERY_ENDPOINTS] = { DHT_ENDPOINTS, false, answer_nothing },
	[QUERY_REVOCATIONS] = { DHT_REVOCATIONS, false, answer_revocations },
};

/* False: there is no such secret (any more). */
static bool topic_of(const struct ns *s, const struct query *q, struct dht_topic *t)
{
	struct ns_record r = { kinds[q->kind].topic, q->name.b, q->name.len };

	if (q->kind == QUERY_KEEPERS) {
		r = (struct ns_record){ DHT_KEEPERS, "keepers", 7 };
		ns_topic(s, 0, &r, t);
		memcpy(t->secret, s->rendezvous, sizeof(t->secret));
		return q->secret == 0;
	}
	if (q->kind == QUERY_DERIVED)
		r = (struct ns_record){ DHT_DERIVED, q->ip.b, q->ip.len };
	return ns_topic(s, q->secret, &r, t);
}

static void query_end(struct ns *s, struct query *q, const struct grant *g, usec_t now)
{
	map_take(&s->queries, &q->op);
	kinds[q->kind].answer(s, q, g, now);
	free(q);
}

/* Nobody could tell. That is not "nobody owns it": vnet stays silent and asks again, DNS says
 * SERVFAIL; only a person who waits is told. */
static void query_fail(struct ns *s, struct query *q, usec_t now)
{
	map_take(&s->queries, &q->op);
	if (q->kind == QUERY_REVOCATIONS)
		ns_revocations_done(s, now);
	if (q->kind == QUERY_VERB || q->kind == QUERY_PING || q->kind == QUERY_TRACE)
		node_notice(s->n, q->caller, NODE_TIMEOUT,
			    "neither the DHT nor a keeper of %s answers for this name", s->name);
	free(q);
}

void ns_query(struct ns *s, enum query_kind kind, uint64_t caller, const struct ip *ip,
	      const struct reg_name *name, usec_t now)
{
	struct query *q = mem_new(sizeof(*q));
	struct dht_topic t;

	q->op = node_op(s->n);
	q->kind = kind;
	q->caller = caller;
	if (ip)
		q->ip = *ip;
	if (name)
		q->name = *name;
	topic_of(s, q, &t); /* before the first secret nothing is found */
	if (map_put(&s->queries, q) != 0 || dht_get(s->o->dht, q->op, &t, now) != 0)
		query_fail(s, q, now);
}

static bool right_grant(const struct ns *s, const struct query *q, struct grant *g, const uint8_t *b,
			size_t len, usec_t now)
{
	return regs_check(s->regs, g, b, len, now) && g->state == REG_HELD &&
	       reg_name_equal(&g->name, &q->name);
}

/* A record of its owner's, who is its signer. */
static void found_grant(struct ns *s, struct query *q, const struct dht_event *e, usec_t now)
{
	struct grant_known known = { .name = q->name, .owner = e->signer };
	uint8_t grant[GRANT_MAX];
	struct grant g;
	size_t len;

	memcpy(known.nsid, s->nsid, NSID_LEN);
	len = grant_restore(grant, sizeof(grant), &known, e->body, e->len);
	if (!len || !right_grant(s, q, &g, grant, len, now))
		return;
	dht_cancel(s->o->dht, q->op);
	query_end(s, q, &g, now);
}

static void found_derived(struct ns *s, struct query *q, const struct dht_event *e, usec_t now)
{
	struct rd r = rd_of(e->body, e->len);
	struct ip ip = ns_derived(s, &e->signer, rd_u8(&r));

	if (!rd_done(&r) || !ip_equal(&ip, &q->ip) || q->hit)
		return;
	q->hit = true;
	if (s->vnet)
		vnet_resolved(s->vnet, &ip, &e->signer, NODE_DERIVED_GENERATION, now + HOURS(1), now);
}

void ns_query_found(struct ns *s, const struct dht_event *e, usec_t now)
{
	struct query *q = map_get(&s->queries, &e->op);

	if (q->kind == QUERY_KEEPERS) {
		regs_offer_hint(s->regs, e->body, e->len, now);
	} else if (q->kind == QUERY_DERIVED) {
		found_derived(s, q, e, now);
	} else if (q->kind == QUERY_ENDPOINTS) {
		ns_endpoints_found(s, e, now);
	} else if (q->kind == QUERY_REVOCATIONS) {
		ns_revocations_found(s, e);
	} else {
		found_grant(s, q, e, now);
	}
}

/* Another query that waits for the same register, or NULL. */
static struct query *companion(struct ns *s, const struct query *of)
{
	struct query *q;
	size_t at = 0;

	while ((q = map_next(&s->queries, &at)))
		if (q != of && q->asked_keeper && reg_name_equal(&q->name, &of->name))
			return q;
	return NULL;
}

/* The registers keep one operation of ours in flight per name: who comes second waits with the
 * first. */
static void read_at_keeper(struct ns *s, struct query *q, usec_t now)
{
	struct reg_op read = { .verb = OP_READ, .name = q->name };

	q->asked_keeper = true;
	if (companion(s, q))
		return;
	if (!limit_take(&s->keeper_reads, now) || ns_submit(s, q->op, &read, NULL, now) != 0)
		query_fail(s, q, now);
}

void ns_query_done(struct ns *s, uint64_t op, usec_t now)
{
	struct query *q = map_get(&s->queries, &op);
	struct dht_topic t;

	q->secret++;
	if (!q->hit && topic_of(s, q, &t) && dht_get(s->o->dht, q->op, &t, now) == 0)
		return;
	if (q->kind == QUERY_DERIVED && q->hit) {
		map_take(&s->queries, &q->op);
		free(q);
		return;
	}
	if (!kinds[q->kind].keeper)
		query_end(s, q, NULL, now);
	else
		read_at_keeper(s, q, now);
}

static void answer_query(struct ns *s, struct query *q, const struct regs_event *e, usec_t now)
{
	struct grant g;

	if (e->len && right_grant(s, q, &g, e->grant, e->len, now))
		query_end(s, q, &g, now);
	else if (e->status == REG_OK || e->status == REG_UNKNOWN)
		query_end(s, q, NULL, now);
	else
		query_fail(s, q, now);
}

bool ns_query_result(struct ns *s, const struct regs_event *e, usec_t now)
{
	struct query *q = map_get(&s->queries, &e->op), of, *other;

	if (!q)
		return false;
	of = *q;
	answer_query(s, q, e, now);
	while ((other = companion(s, &of)))
		answer_query(s, other, e, now);
	return true;
}

static void want_owner(struct ns *s, const struct vnet_event *e, usec_t now)
{
	struct reg_name name;

	if (e->ip.len != 4) {
		ns_query(s, QUERY_DERIVED, 0, &e->ip, NULL, now);
		return;
	}
	name = reg_name_address(&e->ip);
	ns_query(s, QUERY_ADDRESS, 0, &e->ip, &name, now);
}

static void want_name(struct ns *s, const struct vnet_event *e, usec_t now)
{
	struct reg_name name;

	if (reg_name_host(&name, e->name))
		ns_query(s, QUERY_NAME, e->op, NULL, &name, now);
	else
		vnet_name_resolved(s->vnet, e->op, NULL, now);
}

/* Our own and attached peers' derived addresses have names; others are not asked about. */
static void host_of_derived(struct ns *s, const struct vnet_event *e, usec_t now)
{
	const char *host = ip_equal(&e->ip, &s->v6) ? s->held_host : NULL;
	struct attached *a;
	size_t at = 0;

	while (!host && (a = map_next(&s->attached, &at))) {
		struct ip ip = ns_derived(s, &a->key, 0);

		if (a->host[0] && ip_equal(&ip, &e->ip))
			host = a->host;
	}
	vnet_host_resolved(s->vnet, e->op, host, now);
}

/* Reverse: an address register carries its owner's host name; derived addresses are known from
 * attached peers only. */
static void want_host(struct ns *s, const struct vnet_event *e, usec_t now)
{
	struct reg_name name;

	if (e->ip.len != 4) {
		host_of_derived(s, e, now);
		return;
	}
	name = reg_name_address(&e->ip);
	ns_query(s, QUERY_HOST, e->op, &e->ip, &name, now);
}

static void want_attach(struct ns *s, const struct vnet_event *e, usec_t now)
{
	if (!key_equal(&e->peer, &s->n->cfg.self.pub)) {
		p2p_attach(s->o->p2p, s->number, &e->peer, now);
		ns_seek(s, &e->peer, now);
	}
}

static void want_grant(struct ns *s, const struct vnet_event *e, usec_t now)
{
	struct attached *a;
	size_t at = 0;

	while ((a = map_next(&s->attached, &at)))
		if (a->session == e->session) {
			ns_want_grant(s, &a->key, &e->ip, now);
			return;
		}
}

static void pong(struct ns *s, const struct vnet_event *e, usec_t now)
{
	(void)now;
	verb_pong(s, e->op, e->rtt);
}

static void (*const handlers[])(struct ns *s, const struct vnet_event *e, usec_t now) = {
	[VNET_RESOLVE] = want_owner,	 [VNET_RESOLVE_NAME] = want_name,
	[VNET_RESOLVE_HOST] = want_host, [VNET_ATTACH] = want_attach,
	[VNET_WANT_GRANT] = want_grant,	 [VNET_PONG] = pong,
};

void ns_vnet_event(struct ns *s, const struct vnet_event *e, usec_t now)
{
	assert(e->type < ARRAY_LEN(handlers));
	if (s->vnet)
		handlers[e->type](s, e, now);
}
