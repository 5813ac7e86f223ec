/* daemon.c - start, the loop, the end.
 *
 * Order of the start: state folder (its lock keeps a second daemon out before it can touch
 * anything), network, node restored, control socket, node started. Whatever fails on the way,
 * daemon_free undoes what was done: it copes with every half of a daemon. */
#include "cmd/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/daemon_internal.h"
#include "cmd/node_query.h"
#include "host/files.h"

#define FINAL_TURNS 1000 /* of the loop, for handles to close */

int daemon_watch(struct daemon *d, uv_poll_t *p, int fd, uv_poll_cb cb, void *data)
{
	int r = uv_poll_init(&d->loop, p, fd);

	if (r < 0)
		return r;
	p->data = data;
	return uv_poll_start(p, UV_READABLE, cb);
}

static uint64_t overlays_now(struct daemon *d)
{
	struct node_ns_info info;
	uint64_t set = 0;
	size_t at = 0;

	while (node_ns_next(d->node, &at, &info, boot_now()))
		set |= UINT64_C(1) << info.overlay;
	return set;
}

/* A verb may have brought an overlay, which knows no bootstrap node yet. */
static void bootstrap_new(struct daemon *d)
{
	uint64_t set;

	d->verbs_ran = false;
	set = d->bootstrap_count ? overlays_now(d) : 0;
	if (set & ~d->overlays_known)
		daemon_bootstrap(d);
	d->overlays_known = set;
}

/* Before the loop sleeps: see daemon_internal.h. */
static void settle(uv_prepare_t *p)
{
	struct daemon *d = p->data;

	daemon_deliver(d);
	if (d->verbs_ran)
		bootstrap_new(d);
	daemon_watch_writable(d);
	journal_flush(d->journal);
	daemon_arm(d);
}

static void on_end_signal(uv_signal_t *s, int number)
{
	struct daemon *d = s->data;

	log_info(d->log, "%s: stopping", strsignal(number));
	uv_signal_stop(s); /* a second one ends the process the hard way */
	daemon_stop(d, 0);
}

static void on_child(uv_signal_t *s, int number)
{
	struct daemon *d = s->data;

	(void)number;
	resolver_reap(d->resolver);
}

static int watch_signal(struct daemon *d, uv_signal_t *s, int number, uv_signal_cb cb)
{
	int r = uv_signal_init(&d->loop, s);

	s->data = d;
	return r < 0 ? r : uv_signal_start(s, cb, number);
}

static int start_loop(struct daemon *d)
{
	int r;

	signal(SIGPIPE, SIG_IGN);
	uv_prepare_init(&d->loop, &d->prepare);
	d->prepare.data = d;
	r = uv_prepare_start(&d->prepare, settle);
	if (r == 0)
		r = watch_signal(d, &d->sigterm, SIGTERM, on_end_signal);
	if (r == 0)
		r = watch_signal(d, &d->sigint, SIGINT, on_end_signal);
	return r < 0 ? r : watch_signal(d, &d->sigchld, SIGCHLD, on_child);
}

/* The lock of the state folder does not keep two daemons from one socket. */
static bool is_answered(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool answered;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	answered = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
	if (fd >= 0)
		close(fd);
	return answered;
}

static int open_control(struct daemon *d, char error[DAEMON_ERROR_MAX])
{
	const char *path = d->options->socket, *slash = strrchr(path, '/');
	char dir[FILES_PATH_MAX];
	int r = 0;

	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		snprintf(error, DAEMON_ERROR_MAX, "--socket %s is too long for a socket", path);
		return -ENAMETOOLONG;
	}
	if (is_answered(path)) {
		snprintf(error, DAEMON_ERROR_MAX, "another vpnd answers on %s; give this one another "
			 "--socket", path);
		return -EADDRINUSE;
	}
	if (slash && slash != path) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
		r = files_make_dir(dir, 0755);
	}
	if (r == 0)
		d->ctl = ctl_new(d, path, &r);
	if (r < 0)
		snprintf(error, DAEMON_ERROR_MAX, "cannot listen on %s: %s", path, strerror(-r));
	return r;
}

static int open_all(struct daemon *d, char error[DAEMON_ERROR_MAX])
{
	int r = start_loop(d);

	if (r == 0)
		r = daemon_open_state(d, error);
	if (r == 0)
		r = daemon_open_udp(d, error);
	if (r == 0)
		r = daemon_open_net(d, error);
	if (r == 0)
		r = daemon_open_clocks(d);
	if (r == 0)
		daemon_open_lan(d);
	if (r == 0)
		r = daemon_open_audit(d, error);
	if (r == 0)
		r = daemon_make_node(d, error);
	if (r == 0)
		r = open_control(d, error);
	if (r == 0)
		r = node_start(d->node, boot_now());
	if (r == -EALREADY)
		snprintf(error, DAEMON_ERROR_MAX,
			 "another copy of this node's identity started after this one and is the one "
			 "that lives; give this copy an empty --state, or start it with --take-over");
	if (r < 0 && !error[0])
		snprintf(error, DAEMON_ERROR_MAX, "cannot start: %s", strerror(-r));
	return r;
}

int daemon_start(struct daemon **out, const struct options *o, struct log *log,
		 char error[DAEMON_ERROR_MAX])
{
	struct daemon *d = mem_new(sizeof(*d));
	uint8_t seed[16];
	int r;

	*d = (struct daemon){ .options = o, .log = log, .timer = -1, .clock = -1 };
	error[0] = 0;
	d->started = boot_now();
	list_init(&d->notices);
	boot_random(seed, sizeof(seed));
	map_init(&d->ops, offsetof(struct waiting_op, op), sizeof(uint64_t), DAEMON_OPS_MAX, seed);
	frame_pool_init(&d->pool, DAEMON_FRAMES);
	d->large_in = mem_new(TAP_FRAME_MAX);
	d->large_out = mem_new(TAP_FRAME_MAX);
	d->resolver = resolver_new(log);
	r = uv_loop_init(&d->loop);
	if (r < 0)
		abort(); /* without memory or descriptors nothing can be undone either */
	r = open_all(d, error);
	if (r < 0) {
		daemon_free(d);
		return r;
	}
	daemon_tell_addresses(d);
	daemon_list_lans(d);
	daemon_bootstrap(d);
	d->overlays_known = overlays_now(d);
	*out = d;
	return 0;
}

int daemon_run(struct daemon *d)
{
	log_info(d->log, "vpnd " VPND_VERSION " is running: UDP port %u, state in %s",
		 udp_port(d->udp), d->options->state);
	daemon_notify("READY=1");
	uv_run(&d->loop, UV_RUN_DEFAULT);
	daemon_notify("STOPPING=1");
	return d->status;
}

void daemon_stop(struct daemon *d, int status)
{
	d->status = status;
	uv_stop(&d->loop);
}

/* `which` NULL: all. A pipe is the control socket's: it closes its own while it has turns. */
static void close_handle(uv_handle_t *h, void *which)
{
	if (!uv_is_closing(h) && (!which || uv_handle_get_type(h) != UV_NAMED_PIPE))
		uv_close(h, NULL);
}

/* Handles close in the loop's own time; bounded, because nothing may keep a daemon from ending. */
static void end_loop(struct daemon *d)
{
	uv_walk(&d->loop, close_handle, d);
	for (int i = 0; i < FINAL_TURNS && uv_run(&d->loop, UV_RUN_NOWAIT); i++)
		;
	uv_walk(&d->loop, close_handle, NULL);
	for (int i = 0; i < FINAL_TURNS && uv_run(&d->loop, UV_RUN_NOWAIT); i++)
		;
	if (uv_loop_close(&d->loop) < 0)
		log_warn(d->log, "something did not close");
}

void daemon_free(struct daemon *d)
{
	if (d->node)
		daemon_end_ops(d);
	if (d->prepare.data)
		uv_prepare_stop(&d->prepare);
	ctl_free(d->ctl);
	node_free(d->node, boot_now());
	for (uint16_t i = 0; i < NODE_NAMESPACES_MAX; i++)
		daemon_close_port(d, i);
	if (d->udp)
		udp_flush(d->udp);
	end_loop(d);
	daemon_close_audit(d);
	journal_close(d->journal); /* waits for what is still to be written */
	udp_close(d->udp);
	lan_close(d->lan);
	netlink_close(d->netlink);
	if (d->timer >= 0)
		close(d->timer);
	if (d->clock >= 0)
		close(d->clock);
	resolver_free(d->resolver);
	daemon_deliver(d); /* what is left has nobody waiting */
	map_fini(&d->ops);
	frame_pool_fini(&d->pool);
	free(d->large_in);
	free(d->large_out);
	free(d);
}

struct node *daemon_node(struct daemon *d) { return d->node; }

usec_t daemon_now(const struct daemon *d)
{
	(void)d;
	return boot_now();
}

struct uv_loop_s *daemon_loop(struct daemon *d) { return &d->loop; }

const char *daemon_version(const struct daemon *d)
{
	(void)d;
	return VPND_VERSION;
}

usec_t daemon_uptime(const struct daemon *d) { return boot_now() - d->started; }

uint16_t daemon_port(const struct daemon *d) { return udp_port(d->udp); }

void daemon_set_log_level(struct daemon *d, enum log_level level) { d->log->level = level; }

const char *daemon_ifname(const struct daemon *d, uint16_t ns)
{
	return ns < NODE_NAMESPACES_MAX && d->ports[ns] ? d->ports[ns]->tap.name : NULL;
}
