/* names.c - the DNS server at the lowest address of the subnet (dns4, dns6), UDP port 53. I12.
 *
 * Own names, "dns" and mechanical names are answered at once; others wait for the owner of this
 * module (VNET_RESOLVE_NAME, VNET_RESOLVE_HOST), VNET_QUERIES_MAX at most and QUERY_PATIENCE each;
 * overload and time out give SERVFAIL. A question repeated by the same port is asked once.
 * UDP checksums are not verified: they come from our own kernel, often left to be filled in. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "vnet/dns.h"
#include "vnet/state.h"

#define QUERY_PATIENCE SEC(3)
#define UDP_HEADER_LEN 8
#define NAME_DNS "dns"

/* Who asked: to be answered from `server`. */
struct client {
	struct ip ip, server;
	uint16_t port, server_port;
};

struct query {
	struct list age;
	uint64_t op;
	usec_t until;
	struct client client;
	enum dns_want want;
	struct dns_question q;
};

static struct dns_zone zone_of(const struct vnet *v)
{
	return (struct dns_zone){ v->cfg.name, v->cfg.domain, v->cfg.subnet, v->cfg.subnet6 };
}

static void answer(struct vnet *v, const struct client *c, const uint8_t *msg, size_t len)
{
	uint8_t body[UDP_HEADER_LEN + DNS_MESSAGE_MAX];
	struct wr w = wr_of(body, sizeof(body));

	if (!len)
		return;
	wr_u16(&w, c->server_port);
	wr_u16(&w, c->port);
	wr_u16(&w, (uint16_t)(UDP_HEADER_LEN + len));
	wr_u16(&w, 0);
	wr_copy(&w, msg, len);
	vnet_reply(v, &(struct ip_out){ .src = c->server, .dst = c->ip, .proto = IP_UDP,
					.hops = IP_HOPS_DEFAULT, .body = body,
					.body_len = wr_len(&w) });
}

bool vnet_local_name(const struct vnet *v, const char *host, struct vnet_name *out)
{
	const struct ip *v4 = vnet_own_first(v, 4), *v6 = vnet_own_first(v, 16);

	*out = (struct vnet_name){ 0 };
	if (strcmp(host, NAME_DNS) == 0) {
		*out = (struct vnet_name){ v->cfg.dns4, v->cfg.dns6 };
	} else if (*v->cfg.host && strcasecmp(host, v->cfg.host) == 0) {
		out->v4 = v4 ? *v4 : out->v4;
		out->v6 = v6 ? *v6 : out->v6;
	} else {
		dns_mechanical_parse(&v->cfg.subnet, host, &out->v4);
	}
	return out->v4.len || out->v6.len;
}

static const char *local_host(const struct vnet *v, const struct ip *ip)
{
	if (vnet_is_dns(v, ip))
		return NAME_DNS;
	return vnet_is_own(v, ip) ? v->cfg.host : NULL;
}

static struct query *find(const struct vnet *v, uint64_t op, enum dns_want want)
{
	for (struct list *l = v->queries.next; l != &v->queries; l = l->next) {
		struct query *q = container_of(l, struct query, age);

		if (q->op == op && q->want == want)
			return q;
	}
	return NULL;
}

static bool is_repeated(const struct vnet *v, const struct client *c, const struct dns_question *q)
{
	for (struct list *l = v->queries.next; l != &v->queries; l = l->next) {
		const struct query *old = container_of(l, struct query, age);

		if (old->q.id == q->id && old->client.port == c->port &&
		    ip_equal(&old->client.ip, &c->ip) && old->q.wire_len == q->wire_len &&
		    memcmp(old->q.wire, q->wire, q->wire_len) == 0)
			return true;
	}
	return false;
}

static void query_free(struct vnet *v, struct query *q)
{
	list_del(&q->age);
	v->query_count--;
	free(q);
}

static void query_fail(struct vnet *v, const struct client *c, const struct dns_question *q)
{
	uint8_t out[DNS_MESSAGE_MAX];

	answer(v, c, out, dns_servfail(q, out));
}

/* Keeps the question and asks. */
static void ask(struct vnet *v, const struct client *c, enum dns_want want,
		const struct dns_question *q, usec_t now)
{
	struct vnet_event e = { .type = want == DNS_NAME ? VNET_RESOLVE_NAME : VNET_RESOLVE_HOST,
				.ip = q->ip, .name = q->host };
	struct query *n;

	if (is_repeated(v, c, q))
		return;
	if (v->query_count >= VNET_QUERIES_MAX) {
		query_fail(v, c, q);
		return;
	}
	n = mem_new(sizeof(*n));
	*n = (struct query){ .op = ++v->next_op, .until = now + QUERY_PATIENCE, .client = *c,
			     .want = want, .q = *q };
	list_add_tail(&v->queries, &n->age);
	v->query_count++;
	e.op = n->op;
	v->env.event(v->env.ctx, &e);
}

static void serve(struct vnet *v, const struct client *c, const uint8_t *msg, size_t len,
		  usec_t now)
{
	struct dns_zone z = zone_of(v);
	uint8_t out[DNS_MESSAGE_MAX];
	size_t out_len;
	struct dns_question q;
	struct vnet_name n;
	const char *host;
	enum dns_want want = dns_query(&z, msg, len, &q, out, &out_len);

	if (want == DNS_IGNORE) {
		vnet_drop(v, DROP_MALFORMED);
	} else if (want == DNS_ANSWERED) {
		answer(v, c, out, out_len);
	} else if (want == DNS_NAME && vnet_local_name(v, q.host, &n)) {
		answer(v, c, out, dns_answer_name(&z, &q, &n.v4, &n.v6, out));
	} else if (want == DNS_HOST && (host = local_host(v, &q.ip))) {
		answer(v, c, out, dns_answer_host(&z, &q, host, out));
	} else {
		ask(v, c, want, &q, now);
	}
}

void names_input(struct vnet *v, const struct packet *p, usec_t now)
{
	struct rd r = rd_of(p->body, p->body_len);
	struct client c = { .ip = p->src, .server = p->dst };
	const uint8_t *msg;
	size_t len;

	c.port = rd_u16(&r);
	c.server_port = rd_u16(&r);
	len = rd_u16(&r);
	rd_u16(&r);
	msg = rd_bytes(&r, len < UDP_HEADER_LEN ? p->body_len : len - UDP_HEADER_LEN);
	if (!rd_ok(&r) || !c.port)
		vnet_drop(v, DROP_MALFORMED);
	else
		serve(v, &c, msg, len - UDP_HEADER_LEN, now);
}

void vnet_name_resolved(struct vnet *v, uint64_t op, const struct vnet_name *found, usec_t now)
{
	struct query *q = find(v, op, DNS_NAME);
	struct dns_zone z = zone_of(v);
	struct vnet_name n = { 0 };
	uint8_t out[DNS_MESSAGE_MAX];

	(void)now;
	if (!q)
		return; /* too late */
	if (found)
		n = *found;
	answer(v, &q->client, out, dns_answer_name(&z, &q->q, &n.v4, &n.v6, out));
	query_free(v, q);
}

void vnet_host_resolved(struct vnet *v, uint64_t op, const char *host, usec_t now)
{
	struct query *q = find(v, op, DNS_HOST);
	struct dns_zone z = zone_of(v);
	uint8_t out[DNS_MESSAGE_MAX];

	(void)now;
	if (!q)
		return;
	answer(v, &q->client, out, dns_answer_host(&z, &q->q, host, out));
	query_free(v, q);
}

void vnet_set_host(struct vnet *v, const char *host)
{
	size_t len = strlen(host);

	if (len >= sizeof(v->cfg.host))
		len = sizeof(v->cfg.host) - 1;
	memcpy(v->cfg.host, host, len);
	v->cfg.host[len] = 0;
}

usec_t names_deadline(const struct vnet *v)
{
	if (list_is_empty(&v->queries))
		return USEC_NEVER;
	return container_of(v->queries.next, struct query, age)->until;
}

void names_tick(struct vnet *v, usec_t now)
{
	while (names_deadline(v) <= now) {
		struct query *q = container_of(v->queries.next, struct query, age);

		query_fail(v, &q->client, &q->q);
		query_free(v, q);
	}
}

void names_free(struct vnet *v)
{
	while (!list_is_empty(&v->queries))
		query_free(v, container_of(v->queries.next, struct query, age));
}
