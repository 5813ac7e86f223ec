/* node_verbs.h - what a person asks of a node. Implemented in node_verbs.c and node_root.c. */
#ifndef CMD_NODE_VERBS_H
#define CMD_NODE_VERBS_H

#include "cmd/node.h"
#include "dht/dht.h"

/* Verbs. `ns` is a namespace name; NULL = the only one. Each ends in one notice. */
struct node_create {
	const char *name, *domain, *host, *ifname;
	bool has_subnet; /* false: auto */
	struct prefix subnet;
	bool open;
	const char *overlay; /* share the overlay of this namespace; NULL = a new one */
	uint8_t keepers; /* at most 1, 3, 5 or 7, which choose themselves; 0 = people choose */
	bool hardened;
	uint32_t lease; /* seconds that two and more keepers give at most; 0 = a day */
};
void node_create(struct node *n, uint64_t op, const struct node_create *c, usec_t now);
struct node_invite {
	uint16_t uses;
	uint32_t expires; /* seconds from now */
	uint32_t rights;
	struct reg_groups groups;
	bool ephemeral;
};
void node_invite(struct node *n, uint64_t op, const char *ns, const struct node_invite *i, usec_t now);
struct node_join {
	const char *token, *host, *ifname;
	bool has_address;
	struct ip address;
};
void node_join(struct node *n, uint64_t op, const struct node_join *j, usec_t now);
void node_leave(struct node *n, uint64_t op, const char *ns, usec_t now);
void node_delete(struct node *n, uint64_t op, const char *ns, usec_t now);
void node_wait(struct node *n, uint64_t op, const char *ns, usec_t timeout, usec_t now);
void node_resolve(struct node *n, uint64_t op, const char *ns, const char *host, usec_t now);
void node_ping(struct node *n, uint64_t op, const char *ns, const char *host, usec_t now);
void node_token_revoke(struct node *n, uint64_t op, const char *ns, const char *id, bool members,
		       usec_t now);
void node_member_revoke(struct node *n, uint64_t op, const char *ns, const char *who, usec_t now);
void node_member_set(struct node *n, uint64_t op, const char *ns, const char *who, uint32_t add,
		     uint32_t remove, usec_t now);
void node_name_add(struct node *n, uint64_t op, const char *ns, const char *host, usec_t now);
void node_name_del(struct node *n, uint64_t op, const char *ns, const char *host, usec_t now);
struct node_lease_add {
	const char *address; /* NULL: any, `count` of them */
	uint32_t count;
};
void node_lease_add(struct node *n, uint64_t op, const char *ns, const struct node_lease_add *a,
		    usec_t now);
struct node_lease_transfer {
	const char *what, *to; /* address or host name; member's name or key */
};
void node_lease_transfer(struct node *n, uint64_t op, const char *ns,
			 const struct node_lease_transfer *t, usec_t now);
void node_lease_release(struct node *n, uint64_t op, const char *ns, const char *what, usec_t now);
void node_root_backup(struct node *n, uint64_t op, const char *ns, usec_t now);
/* What `root backup` printed: the root key for a member; with `new_era`, on a node that is none, the
 * whole namespace, whose keepers are gone for good. */
struct node_root_restore {
	const char *text, *host; /* host: NULL = the configured one */
	bool new_era;
};
void node_root_restore(struct node *n, uint64_t op, const struct node_root_restore *r, usec_t now);
/* A new era with this member, which has the root key, as the only keeper. */
void node_root_reset(struct node *n, uint64_t op, const char *ns, usec_t now);
void node_add_admin(struct node *n, uint64_t op, const char *ns, const char *who, usec_t now);

/* Along the ring to a host, or to a key, and back: NODE_OK with key, hops, rtt, direct. Asked again
 * after 0.5, 1 and 2 s; NODE_TIMEOUT after 4 s. `agent` (may be NULL): a link of the key's node. */
void node_trace(struct node *n, uint64_t op, const char *ns, const char *who, usec_t now);
void node_trace_key(struct node *n, uint64_t op, const struct pubkey *key,
		    const struct node_id *agent, usec_t now);
/* A record of our own in the DHT of the first overlay, for diagnosis and the simulator: kept alive
 * until it is put with len 0, which withdraws it. NODE_OK: the nodes that should hold it do. */
struct node_record {
	const uint8_t *body;
	size_t len;
	uint32_t lifetime; /* seconds */
};
void node_record_put(struct node *n, uint64_t op, const struct dht_topic *t,
		     const struct node_record *r, usec_t now);
/* NODE_OK with key = signer and body as soon as one good record is found; NODE_NO: none is. */
void node_record_get(struct node *n, uint64_t op, const struct dht_topic *t, usec_t now);

#endif
