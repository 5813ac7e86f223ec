/* daemon_net.c - where this host is: its own addresses (listed again when they change), advertised
 * ones, and the bootstrap nodes of the configuration. Names are resolved once, before the loop
 * runs; what does not resolve is said and left out. */
#include "cmd/daemon_internal.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct addr addr_of(const struct sockaddr *sa)
{
	struct addr a = { 0 };
	char host[NI_MAXHOST], port[NI_MAXSERV];

	/* As text and back: base/addr.h knows no sockets, and this is no hot path. */
	if (getnameinfo(sa, sa->sa_family == AF_INET ? 16 : 28, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0 ||
	    !ip_parse(&a.ip, host))
		return (struct addr){ 0 };
	a.port = (uint16_t)strtoul(port, NULL, 10);
	return a;
}

/* HOST:PORT to at most max addresses. */
static size_t look_up(struct daemon *d, const char *text, struct addr out[], size_t max)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM };
	struct addrinfo *found = NULL;
	const char *colon = strrchr(text, ':'), *from = text;
	size_t n = 0, len = (size_t)(colon - text);
	char host[256];
	int r;

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		from++;
		len -= 2;
	}
	snprintf(host, sizeof(host), "%.*s", (int)len, from);
	r = getaddrinfo(host, colon + 1, &hints, &found);
	if (r != 0) {
		log_warn(d->log, "%s does not resolve (%s) and is left out", text, gai_strerror(r));
		return 0;
	}
	for (struct addrinfo *i = found; i && n < max; i = i->ai_next) {
		out[n] = addr_of(i->ai_addr);
		n += out[n].port != 0;
	}
	freeaddrinfo(found);
	return n;
}

static int add_bootstrap(struct daemon *d, const char *text, char error[DAEMON_ERROR_MAX])
{
	const char *at = strchr(text, '@');
	struct addr found[DAEMON_BOOTSTRAP_ADDRESSES];
	struct daemon_bootstrap b = { .has_key = at != NULL };
	char key[KEY_TEXT_LEN];
	size_t n;

	if (at) {
		snprintf(key, sizeof(key), "%.*s", (int)(at - text), text);
		if ((size_t)(at - text) >= sizeof(key) || !key_parse(&b.key, key, &crypto_real)) {
			snprintf(error, DAEMON_ERROR_MAX,
				 "bootstrap '%.200s': what is before the @ is not a node's key", text);
			return -EINVAL;
		}
	}
	n = look_up(d, at ? at + 1 : text, found, DAEMON_BOOTSTRAP_ADDRESSES);
	for (size_t i = 0; i < n; i++) {
		b.addr = found[i];
		d->bootstraps[d->bootstrap_count++] = b;
	}
	return 0;
}

void daemon_bootstrap(struct daemon *d)
{
	for (size_t i = 0; i < d->bootstrap_count; i++) {
		const struct daemon_bootstrap *b = &d->bootstraps[i];
		char text[ADDR_TEXT_LEN];
		int r = node_bootstrap(d->node, b->has_key ? &b->key : NULL, &b->addr, boot_now());

		addr_text(text, &b->addr);
		if (r < 0)
			log_warn(d->log, "bootstrap %s: %s", text, strerror(-r));
	}
}

bool daemon_is_own(void *ctx, unsigned ifindex)
{
	struct daemon *d = ctx;

	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++)
		if (d->ports[i] && d->ports[i]->tap.ifindex == ifindex)
			return true;
	return false;
}

void daemon_tell_addresses(struct daemon *d)
{
	struct addr all[DAEMON_ADDRESSES_MAX];
	const struct addr *listen = &d->options->listen;
	size_t n = d->advertised_count, kept = n;

	memcpy(all, d->advertised, n * sizeof(*all));
	n += netlink_addresses(d->netlink, daemon_is_own, d, all + n, DAEMON_ADDRESSES_MAX - n);
	for (size_t i = kept; i < n; i++) {
		if (listen->ip.len && !ip_equal(&all[i].ip, &listen->ip))
			continue; /* nobody listens there */
		all[kept] = all[i];
		all[kept++].port = udp_port(d->udp);
	}
	node_set_addresses(d->node, all, kept, boot_now());
}

static void on_netlink(uv_poll_t *p, int status, int events)
{
	struct daemon *d = p->data;

	(void)status;
	(void)events;
	if (!netlink_changed(d->netlink))
		return;
	daemon_tell_addresses(d);
	daemon_list_lans(d);
}

bool daemon_prefix_taken(struct daemon *d, const struct prefix *p)
{
	return netlink_taken(d->netlink, p);
}

int daemon_open_net(struct daemon *d, char error[DAEMON_ERROR_MAX])
{
	const struct options *o = d->options;
	int r = netlink_open(&d->netlink);

	if (r < 0) {
		snprintf(error, DAEMON_ERROR_MAX, "cannot talk to the kernel by netlink: %s",
			 strerror(-r));
		return r;
	}
	for (size_t i = 0; i < o->advertise_count; i++)
		d->advertised_count += look_up(d, o->advertise[i],
					       d->advertised + d->advertised_count, 1);
	for (size_t i = 0; r == 0 && i < o->bootstrap_count; i++)
		r = add_bootstrap(d, o->bootstrap[i], error);
	if (r < 0)
		return r;
	return daemon_watch(d, &d->netlink_poll, netlink_fd(d->netlink), on_netlink, d);
}
