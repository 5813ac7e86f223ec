/* node.h - one node: overlays (p2p and dht) and namespaces (registers, leases, vnet), composed.
 *
 * Verbs are in cmd/node_verbs.h, questions in cmd/node_query.h. Sans-I/O like everything it is made
 * of: vpnd and vpnsim run this same code. Inputs are frames, datagrams, durable answers and verbs;
 * outputs go through `struct node_env`, whose functions queue and never call back in. Asynchronous
 * verbs take an `op` of the caller's choice and end in one notice with that op. Not thread-safe:
 * one thread calls everything. */
#ifndef CMD_NODE_H
#define CMD_NODE_H

#include "base/frame.h"
#include "base/key.h"
#include "base/log.h"
#include "base/time.h"
#include "dht/lease.h"
#include "dht/regs.h"
#include "p2p/status.h"
#include "vnet/vnet.h"

#define NODE_NAMESPACES_MAX 16
#define NODE_OVERLAYS_MAX 16
#define NODE_WAITS_MAX 64

struct node;

struct node_port { /* what a TAP must be */
	char ifname[16]; /* wanted; "" = vpn0, vpn1, ... */
	uint16_t mtu;
};

enum node_result {
	NODE_OK = 0,
	NODE_NO,      /* refused or failed; text says why and what to do */
	NODE_TIMEOUT,
};

struct node_notice {
	uint64_t op;
	enum node_result result;
	const char *text; /* result of the verb (token, address, names), or the error; one line */
	struct ip v4, v6; /* node_resolve, node_join, node_wait */
	struct pubkey key;
	usec_t rtt;	  /* node_ping, node_trace */
	unsigned hops;	  /* node_trace: links that the question came over */
	bool direct;	  /* node_trace: there is a session over a path of its own */
	const uint8_t *body; /* node_record_get; valid during the call */
	size_t len;
};

struct node_env {
	void *ctx;
	void (*send)(void *ctx, uint8_t socket, const struct addr *to, const uint8_t *pkt, size_t len);
	void (*random)(void *ctx, void *out, size_t len);
	/* Durable map; last write wins, empty value deletes. Answered by node_persisted. */
	void (*persist)(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			const uint8_t *value, size_t len);
	/* Makes the namespace's TAP; fills the interface name and MAC it got. 0 or negative errno. */
	int (*port_open)(void *ctx, uint16_t ns, struct node_port *p, uint8_t mac[6]);
	void (*port_close)(void *ctx, uint16_t ns);
	/* Adds or removes an address with prefix length `bits` on it. */
	void (*port_address)(void *ctx, uint16_t ns, const struct ip *ip, uint8_t bits, bool add);
	/* Tells the host's resolver: questions about `zone` go to dns4. */
	void (*port_dns)(void *ctx, uint16_t ns, const struct ip *dns4, const char *zone);
	void (*to_port)(void *ctx, uint16_t ns, const uint8_t *frame, size_t len);
	void (*notice)(void *ctx, const struct node_notice *n);
	/* Does this prefix clash with a route or address of this host? (`--subnet auto`) */
	bool (*prefix_taken)(void *ctx, const struct prefix *p);
	/* This node must not go on (another copy of its identity lives): free it soon. */
	void (*stop)(void *ctx, const char *why);
	/* What happened to ownership, one line (cmd/node_audit.h); NULL: nobody wants to know. */
	void (*audit)(void *ctx, uint16_t ns, const char *line);
};

struct node_config {
	struct key_pair self;
	const struct crypto *crypto;
	const struct log *log;
	char host[64];	   /* default host name */
	bool aes;	   /* aead_has_aes() */
	bool leaf;	   /* one link, no duty for the ring or the DHT */
	bool same_machine; /* boot id and state directory as when the state was written */
	bool take_over;	   /* live again although another copy of this identity started later */
	uint16_t lan_port; /* our UDP port, for LAN beacons; 0 = none (p2p.h: P2P_SOCKET_LAN) */
	const char *version;
};

struct node *node_new(const struct node_config *cfg, const struct node_env *env,
		      uint64_t wall_seconds, usec_t now);
void node_free(struct node *n, usec_t now);
/* Every stored pair, sorted by the place of its key's first byte in node_state_order, then
 * node_start. False: damaged or not ours. */
extern const char node_state_order[];
bool node_restore(struct node *n, const uint8_t *key, size_t key_len, const uint8_t *value,
		  size_t len);
/* -EALREADY: another copy of this identity started after this one, and take_over is not set. */
int node_start(struct node *n, usec_t now);

void node_from_wire(struct node *n, struct frame *frames[], size_t count, usec_t now);
void node_from_port(struct node *n, uint16_t ns, struct frame *frames[], size_t count, usec_t now);
/* A datagram from this LAN (p2p_lan_input), and: there is another LAN. */
void node_lan_input(struct node *n, const struct addr *from, const uint8_t *pkt, size_t len,
		    usec_t now);
void node_lan_changed(struct node *n, usec_t now);
void node_persisted(struct node *n, uint64_t op, int result, usec_t now);
void node_tick(struct node *n, usec_t now);
usec_t node_deadline(const struct node *n);
void node_set_wall(struct node *n, uint64_t wall_seconds, usec_t now);
void node_set_addresses(struct node *n, const struct addr *addrs, size_t count, usec_t now);
void node_clocks_parted(struct node *n, usec_t now); /* a snapshot may have been restored: drop keys */
/* --bootstrap [KEY@]HOST:PORT, resolved by the caller; for every overlay. key NULL = WHOIS. */
int node_bootstrap(struct node *n, const struct pubkey *key, const struct addr *a, usec_t now);

#endif
