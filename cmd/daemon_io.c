/* daemon_io.c - frames between the UDP sockets and the node, in batches; daemon_port.c has the
 * TAPs.
 *
 * A wake-up reads at most DAEMON_ROUNDS batches of one descriptor: full queues are emptied with few
 * system calls, and no descriptor starves the others. Frames go back to the pool before the next
 * batch is read, so the pool never runs out. */
#include "cmd/daemon_internal.h"

#include <stdio.h>
#include <string.h>

void daemon_finish(struct daemon *d, struct frame *const frames[], size_t count)
{
	daemon_to_ports(d, frames, count);
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
		daemon_finish(d, frames, n);
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
