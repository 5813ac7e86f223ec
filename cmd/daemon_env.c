/* daemon_env.c - the outputs of the node, and the verbs that wait for a notice.
 *
 * The node calls these from within its entries, and none of them calls it back: answers of the disk
 * come over a descriptor, notices wait in a list until the loop settles. */
#include "cmd/daemon_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void env_send(void *ctx, uint8_t socket, const struct addr *to, const uint8_t *pkt,
		     size_t len)
{
	struct daemon *d = ctx;

	if (socket == P2P_SOCKET_LAN)
		lan_send(d->lan, pkt, len);
	else /* one pair of sockets: the family of the address chooses */
		udp_send(d->udp, to, pkt, len);
}

static void env_random(void *ctx, void *out, size_t len)
{
	(void)ctx;
	boot_random(out, len);
}

static void env_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			const uint8_t *value, size_t len)
{
	daemon_persist(ctx, op, &(struct journal_pair){ key, value, key_len, len });
}

static int env_port_open(void *ctx, uint16_t ns, struct node_port *want, uint8_t mac[6])
{
	struct daemon *d = ctx;
	struct port *p = mem_new(sizeof(*p));
	int r;

	assert(ns < NODE_NAMESPACES_MAX && !d->ports[ns]);
	p->d = d;
	p->ns = ns;
	r = tap_open(&p->tap, want->ifname, want->mtu);
	if (r < 0) {
		log_error(d->log, "cannot make the interface %s: %s%s",
			  want->ifname[0] ? want->ifname : "vpnN", strerror(-r),
			  r == -EPERM ? " (vpnd needs root, or CAP_NET_ADMIN)" : "");
		free(p);
		return r;
	}
	r = netlink_keep_secondaries(d->netlink, p->tap.ifindex);
	if (r < 0)
		log_warn(d->log, "%s: when one of several addresses goes, the kernel may take "
				 "others along: %s", p->tap.name, strerror(-r));
	r = daemon_watch_port(p);
	if (r < 0) {
		tap_close(&p->tap);
		free(p);
		return r;
	}
	d->ports[ns] = p;
	snprintf(want->ifname, sizeof(want->ifname), "%s", p->tap.name);
	memcpy(mac, p->tap.mac, 6);
	log_info(d->log, "%s is up, MTU %u", p->tap.name, want->mtu);
	return 0;
}

static void port_freed(uv_handle_t *h)
{
	struct port *p = h->data;

	tap_close(&p->tap); /* only now: libuv must not watch a closed descriptor */
	free(p);
}

void daemon_close_port(struct daemon *d, uint16_t ns)
{
	struct port *p = d->ports[ns];

	if (!p)
		return;
	if (p->resolver_set)
		resolver_unset(d->resolver, p->tap.name);
	d->ports[ns] = NULL;
	uv_close((uv_handle_t *)&p->poll, port_freed);
}

static void env_port_close(void *ctx, uint16_t ns)
{
	daemon_close_port(ctx, ns);
}

static void env_port_address(void *ctx, uint16_t ns, const struct ip *ip, uint8_t bits, bool add)
{
	struct daemon *d = ctx;
	struct port *p = d->ports[ns];
	char text[IP_TEXT_LEN];
	int r = p ? netlink_address(d->netlink, p->tap.ifindex, ip, bits, add) : -ENODEV;

	ip_text(text, ip);
	if (r < 0)
		log_error(d->log, "cannot %s %s/%u: %s", add ? "set" : "remove", text, bits,
			  strerror(-r));
	else
		log_info(d->log, "%s %s %s/%u", p->tap.name, add ? "has" : "gives up", text, bits);
}

static void env_port_dns(void *ctx, uint16_t ns, const struct ip *dns4, const char *zone)
{
	struct daemon *d = ctx;
	struct port *p = d->ports[ns];

	if (!p)
		return;
	resolver_set(d->resolver, p->tap.name, dns4, zone);
	p->resolver_set = true;
}

static void env_to_port(void *ctx, uint16_t ns, const uint8_t *frame, size_t len)
{
	daemon_to_port(ctx, ns, frame, len);
}

static void env_notice(void *ctx, const struct node_notice *n)
{
	struct daemon *d = ctx;
	const char *text = n->text ? n->text : "";
	size_t len = strlen(text) + 1;
	struct queued_notice *q = mem_new(sizeof(*q) + len);

	q->n = *n;
	memcpy(q->text, text, len);
	q->n.text = q->text;
	list_add_tail(&d->notices, &q->list);
}

static bool env_prefix_taken(void *ctx, const struct prefix *p)
{
	return daemon_prefix_taken(ctx, p);
}

static void env_stop(void *ctx, const char *why)
{
	struct daemon *d = ctx;

	log_error(d->log, "%s", why);
	daemon_stop(d, 1);
}

struct node_env daemon_env(struct daemon *d)
{
	return (struct node_env){ .ctx = d,
				  .send = env_send,
				  .random = env_random,
				  .persist = env_persist,
				  .port_open = env_port_open,
				  .port_close = env_port_close,
				  .port_address = env_port_address,
				  .port_dns = env_port_dns,
				  .to_port = env_to_port,
				  .notice = env_notice,
				  .prefix_taken = env_prefix_taken,
				  .audit = d->audit ? daemon_audit : NULL,
				  .stop = env_stop };
}

uint64_t daemon_op(struct daemon *d, void (*done)(void *ctx, const struct node_notice *n),
		   void *ctx)
{
	struct waiting_op *w = mem_new(sizeof(*w));
	int r;

	*w = (struct waiting_op){ ++d->last_op, done, ctx };
	d->verbs_ran = true;
	r = map_put(&d->ops, w);
	assert(r == 0); /* the node itself refuses long before */
	(void)r;
	return w->op;
}

static void end_op(struct daemon *d, const struct node_notice *n)
{
	struct waiting_op *w = map_take(&d->ops, &n->op);

	if (w)
		w->done(w->ctx, n);
	free(w);
}

void daemon_deliver(struct daemon *d)
{
	struct list *l;

	/* What a receiver does may end another verb at once; those few come in the same go. */
	for (size_t i = 0; i < DAEMON_OPS_MAX && (l = list_take(&d->notices)); i++) {
		struct queued_notice *q = container_of(l, struct queued_notice, list);

		end_op(d, &q->n);
		free(q);
	}
}

void daemon_end_ops(struct daemon *d)
{
	struct waiting_op *w;
	size_t at = 0;

	daemon_deliver(d);
	while ((w = map_next(&d->ops, &at))) {
		struct node_notice n = { .op = w->op, .result = NODE_NO, .text = "vpnd is stopping" };

		map_take_at(&d->ops, &at);
		w->done(w->ctx, &n);
		free(w);
	}
}
