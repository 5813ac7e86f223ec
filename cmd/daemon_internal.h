/* daemon_internal.h - what the files cmd/daemon*.c share. Nobody else includes it.
 *
 * Everything that libuv calls does its work on the node and returns; what every entry may have
 * left behind (notices, an earlier deadline, a full socket) is settled in one place, before the
 * loop sleeps: daemon_settle. So verbs called from anywhere need no second call. */
#ifndef CMD_DAEMON_INTERNAL_H
#define CMD_DAEMON_INTERNAL_H

#include "cmd/daemon.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "cmd/ctl.h"
#include "host/boot.h"
#include "host/journal.h"
#include "host/lan.h"
#include "host/netlink.h"
#include "host/resolver.h"
#include "host/tap.h"
#include "host/udp.h"

#define DAEMON_FRAMES 256  /* in the pool: four batches */
#define DAEMON_BATCH 64
#define DAEMON_ROUNDS 8	   /* batches (TAP: reads / 8) per wake-up of one descriptor */
#define DAEMON_ADDRESSES_MAX P2P_ADDRESSES_MAX
#define DAEMON_BOOTSTRAP_ADDRESSES 4 /* per name */

struct port {
	struct daemon *d;
	uint16_t ns;
	struct tap tap;
	uv_poll_t poll;
	bool resolver_set;
};

struct waiting_op { /* a verb that has not ended */
	uint64_t op;
	void (*done)(void *ctx, const struct node_notice *n);
	void *ctx;
};

struct queued_notice {
	struct list list;
	struct node_notice n; /* n.text is the text behind it */
	char text[];
};

struct daemon_bootstrap {
	bool has_key;
	struct pubkey key;
	struct addr addr;
};

struct daemon {
	const struct options *options;
	struct log *log;
	uv_loop_t loop;
	struct node *node;
	int status;
	usec_t started;
	struct frame_pool pool;
	/* Descriptors and what watches them. */
	struct udp *udp;
	uv_poll_t udp_poll[UDP_FAMILIES];
	bool udp_writable[UDP_FAMILIES]; /* watched for writability too */
	struct lan *lan;		 /* NULL = no LAN beacons */
	uv_poll_t lan_poll[LAN_FAMILIES];
	struct journal *journal;
	uv_poll_t journal_poll;
	struct netlink *netlink;
	uv_poll_t netlink_poll;
	int timer, clock; /* timerfds: the node's deadline; changes of the wall clock */
	uv_poll_t timer_poll, clock_poll;
	usec_t armed;	    /* what `timer` is set to */
	int64_t difference; /* wall clock minus BOOTTIME when last looked */
	uv_prepare_t prepare;
	uv_signal_t sigterm, sigint, sigchld;
	struct resolver *resolver;
	struct ctl *ctl;
	struct port *ports[NODE_NAMESPACES_MAX];
	uint8_t *large_in, *large_out; /* TAP_FRAME_MAX each: uncut packets, from and to TAPs */
	/* Verbs and their notices. */
	struct map ops; /* of struct waiting_op */
	uint64_t last_op;
	struct list notices;
	bool verbs_ran; /* since the last settling: there may be a new overlay */
	uint64_t overlays_known; /* bit set of overlays that were given the bootstrap nodes */
	/* Resolved once, at the start. */
	struct daemon_bootstrap bootstraps[CONFIG_BOOTSTRAPS_MAX * DAEMON_BOOTSTRAP_ADDRESSES];
	size_t bootstrap_count;
	struct addr advertised[CONFIG_ADVERTISE_MAX];
	size_t advertised_count;
	uint8_t stamp[BOOT_STAMP_LEN];
	struct daemon_audit *audit; /* daemon_audit.c; NULL = nobody wants it */
};

/* daemon.c */
int daemon_watch(struct daemon *d, uv_poll_t *p, int fd, uv_poll_cb cb, void *data);
/* daemon_state.c: identity, journal, restoring */
int daemon_open_state(struct daemon *d, char error[DAEMON_ERROR_MAX]);
int daemon_make_node(struct daemon *d, char error[DAEMON_ERROR_MAX]);
void daemon_persist(struct daemon *d, uint64_t op, const struct journal_pair *p);
/* daemon_env.c: what the node is given; notices */
struct node_env daemon_env(struct daemon *d);
void daemon_deliver(struct daemon *d); /* notices to who asked */
void daemon_end_ops(struct daemon *d);
void daemon_close_port(struct daemon *d, uint16_t ns);
/* daemon_audit.c: --audit FILE */
int daemon_open_audit(struct daemon *d, char error[DAEMON_ERROR_MAX]);
void daemon_audit(void *d, uint16_t ns, const char *line);
void daemon_close_audit(struct daemon *d);
/* daemon_io.c: sockets */
int daemon_open_udp(struct daemon *d, char error[DAEMON_ERROR_MAX]);
void daemon_watch_writable(struct daemon *d);
/* Does what the node decided about a batch and gives the frames back. */
void daemon_finish(struct daemon *d, struct frame *const frames[], size_t count);
/* daemon_port.c: TAPs */
int daemon_watch_port(struct port *p);
void daemon_to_port(struct daemon *d, uint16_t ns, const uint8_t *frame, size_t len);
void daemon_to_ports(struct daemon *d, struct frame *const frames[], size_t count);
/* daemon_clock.c: timer, wall clock */
int daemon_open_clocks(struct daemon *d);
void daemon_arm(struct daemon *d);
/* daemon_net.c: this host's addresses, names of the configuration */
int daemon_open_net(struct daemon *d, char error[DAEMON_ERROR_MAX]);
void daemon_tell_addresses(struct daemon *d);
bool daemon_prefix_taken(struct daemon *d, const struct prefix *p);
bool daemon_is_own(void *d, unsigned ifindex); /* a TAP of ours? */
/* daemon_lan.c: LAN beacons */
void daemon_open_lan(struct daemon *d);
void daemon_list_lans(struct daemon *d);
/* daemon_notify.c: the service manager */
void daemon_notify(const char *state);

#endif
