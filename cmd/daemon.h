/* daemon.h - one node on this operating system: sockets, TAPs, files, timer, signals around a
 * struct node, on one libuv loop. One thread calls everything. */
#ifndef CMD_DAEMON_H
#define CMD_DAEMON_H

#include <uv.h>

#include "base/log.h"
#include "base/time.h"
#include "cmd/config.h"
#include "cmd/node.h"

#define DAEMON_ERROR_MAX 1280
#define DAEMON_OPS_MAX 8192 /* more than the node lets wait */

struct daemon;

/* Opens everything, restores the node's state and starts it. `log` may change its level later
 * through daemon_set_log_level; it and the options outlive the daemon. 0, or negative errno and a
 * line in `error`. */
int daemon_start(struct daemon **out, const struct options *o, struct log *log,
		 char error[DAEMON_ERROR_MAX]);
/* Until daemon_stop or a signal to end; the exit status. */
int daemon_run(struct daemon *d);
void daemon_stop(struct daemon *d, int status);
/* Says goodbye to peers, undoes what was done to the host, waits for durable writes. Verbs still
 * waiting get a notice NODE_NO. */
void daemon_free(struct daemon *d);

/* A new op for one verb of the node. `done` is called once, from the loop and never from within the
 * verb, so it may call the node; texts in the notice live until it returns. */
uint64_t daemon_op(struct daemon *d, void (*done)(void *ctx, const struct node_notice *n),
		   void *ctx);
struct node *daemon_node(struct daemon *d);
usec_t daemon_now(const struct daemon *d);
struct uv_loop_s *daemon_loop(struct daemon *d);
/* Of the configuration, for every overlay the node has; called by itself after verbs too. */
void daemon_bootstrap(struct daemon *d);

const char *daemon_version(const struct daemon *d);
usec_t daemon_uptime(const struct daemon *d);
uint16_t daemon_port(const struct daemon *d); /* UDP */
void daemon_set_log_level(struct daemon *d, enum log_level level);
/* The TAP of a namespace number; NULL = it has none. */
const char *daemon_ifname(const struct daemon *d, uint16_t ns);

#endif
