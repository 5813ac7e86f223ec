/* daemon_io.c - frames between the descriptors and the node, in batches.
 *
 * A wake-up reads at most DAEMON_ROUNDS batches of one descriptor: full queues are emptied with few
 * system calls, and no descriptor starves the others. Frames go back to the pool before the next
 * batch is read, so the pool never runs out. */
#include "cmd/daemon_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void to_ports(struct daemon *d, struct frame *const frames[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (frames[i]->verdict == FRAME_TO_PORT)
			daemon_to_port(d, frames[i]->ns, frames[i]->data, frames[i]->len);
}

/* Does what the node decided and gives the frames back. */
static void finish(struct daemon *d, struct frame *const frames[], size_t count)
{
	to_ports(d, frames, count);
	udp_send_frames(d->udp, frames, count);
	for (size_t i = 0; i < count; i++)
		frame_put(&d->pool, frames[i]);
}

static void drain_udp(struct daemon *d, enum udp_family f)
{
	struct frame *frames[DAEMON_BATCH];

	for (int round = 0; round < DAEMON_ROUNDS || udp_pending(d->udp); round++) {
		size_t n = udp_receive(d->udp, f, &d->pool, frames, DAEMON_BATCH);

		if (n == 0)
			break;
		node_from_wire(d->node, frames, n, boot_now());
		finish(d, frames, n);
	}
}

static void on_udp(uv_poll_t *p, int status, int events)
{
	struct daemon *d = p->data;

	if (status == 0 && (events & UV_WRITABLE))
		udp_flush(d->udp);
	/* An error that ICMP reported is fetched by receiving, too. */
	if (status < 0 || (events & UV_READABLE))
		drain_udp(d, p == &d->udp_poll[UDP_V6] ? UDP_V6 : UDP_V4);
}

static void on_port(uv_poll_t *poll, int status, int events)
{
	struct port *p = poll->data;
	struct daemon *d = p->d;
	uint16_t ns = p->ns;
	struct frame *frames[DAEMON_BATCH];

	(void)events;
	if (status < 0) { /* taken away by the administrator */
		log_error(d->log, "%s is gone: %s; restart vpnd to have it again", p->tap.name,
			  uv_strerror(status));
		uv_poll_stop(poll);
		return;
	}
	/* What a frame brings about may close the port: look again each time. */
	for (int round = 0; round < DAEMON_ROUNDS && d->ports[ns] == p; round++) {
		size_t n = tap_read(&p->tap, &d->pool, frames, DAEMON_BATCH);

		if (n == 0)
			break;
		node_from_port(d->node, ns, frames, n, boot_now());
		finish(d, frames, n);
	}
}

int daemon_watch_port(struct port *p)
{
	return daemon_watch(p->d, &p->poll, p->tap.fd, on_port, p);
}

void daemon_to_port(struct daemon *d, uint16_t ns, const uint8_t *frame, size_t len)
{
	if (ns < NODE_NAMESPACES_MAX && d->ports[ns])
		tap_write(&d->ports[ns]->tap, frame, len);
}

/* Watches for writability only while something waits for it. */
void daemon_watch_writable(struct daemon *d)
{
	for (size_t f = 0; f < UDP_FAMILIES; f++) {
		bool want = udp_waiting(d->udp, (enum udp_family)f);

		if (want == d->udp_writable[f] || udp_fd(d->udp, (enum udp_family)f) < 0)
			continue;
		d->udp_writable[f] = want;
		uv_poll_start(&d->udp_poll[f], UV_READABLE | (want ? UV_WRITABLE : 0), on_udp);
	}
}

int daemon_open_udp(struct daemon *d, char error[DAEMON_ERROR_MAX])
{
	char text[ADDR_TEXT_LEN];
	int r = udp_open(&d->udp, &d->options->listen, d->log);

	addr_text(text, &d->options->listen);
	if (r < 0) {
		snprintf(error, DAEMON_ERROR_MAX, "cannot listen on UDP %s: %s", text, strerror(-r));
		return r;
	}
	for (size_t f = 0; r == 0 && f < UDP_FAMILIES; f++) {
		int fd = udp_fd(d->udp, (enum udp_family)f);

		if (fd >= 0)
			r = daemon_watch(d, &d->udp_poll[f], fd, on_udp, d);
	}
	return r;
}
