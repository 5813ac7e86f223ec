/* node_internal.h - what the files cmd/node*.c share. Nobody else includes it.
 *
 * struct node owns overlays and namespaces. Modules never call each other: an env function of
 * theirs either does something downwards (send, publish, persist) or queues an event, and
 * node_pump, called at the end of every entry, hands the queued events on one by one, when no
 * module is on the stack. That is the whole concurrency rule of the control path. */
#ifndef CMD_NODE_INTERNAL_H
#define CMD_NODE_INTERNAL_H

#include "cmd/node_query.h"
#include "cmd/node_verbs.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/timer.h"
#include "dht/dht.h"
#include "dht/token.h"
#include "p2p/p2p.h"

#define NODE_OUTBOX_MAX 256   /* control messages waiting for a session */
#define NODE_EVENTS_MAX 65536 /* events queued: a bug if ever reached */
#define NODE_PERSISTS_MAX 65536 /* more than all modules have under way: one lost is not answered */
#define NODE_QUERIES_MAX 1024 /* lookups on behalf of vnet and verbs */
#define NODE_AGENTS 64
#define NODE_DERIVED_GENERATION 1 /* of derived addresses, everywhere */
#define NODE_CONTACTS_MAX 8   /* remembered across restarts, per overlay */
#define NODE_PUBLISH_SECONDS (24 * 3600)

enum module { MODULE_NODE, MODULE_P2P, MODULE_DHT, MODULE_REGS, MODULE_LEASE, MODULE_VNET };

struct ns;
struct overlay;

/* One event, copied with its bytes behind it. */
struct queued {
	struct queued *next;
	enum module module;
	uint16_t owner; /* overlay or namespace number */
	union {
		struct p2p_event p2p;
		struct dht_event dht;
		struct regs_event regs;
		struct lease_event lease;
		struct vnet_event vnet;
	} e;
	uint8_t bytes[];
};

struct overlay {
	struct node *n;
	uint16_t number;
	uint8_t id[16]; /* H16 of the first key it had: its name in durable state */
	uint8_t key[32];
	bool open;
	struct p2p *p2p;
	struct dht *dht;
	uint8_t *contacts; /* as on the disk, newest first: overlay_contacts; NULL = none */
	size_t contacts_len;
	bool contacts_dirty;
	struct agent *agents; /* how to answer routed questions; node_event.c */
	size_t agent_count;
};

enum query_kind {
	QUERY_ADDRESS,
	QUERY_DERIVED,
	QUERY_NAME,
	QUERY_HOST,
	QUERY_VERB,
	QUERY_PING,
	QUERY_TRACE,
	QUERY_KEEPERS,
	QUERY_ENDPOINTS,
	QUERY_REVOCATIONS
};

/* One lookup: in the DHT first, then (addresses and names) at a keeper. */
struct query {
	uint64_t op; /* ours, towards dht and regs */
	enum query_kind kind;
	uint64_t caller;    /* vnet's or the verb's op */
	struct ip ip;
	struct reg_name name;
	bool asked_keeper, hit;
	unsigned secret; /* looked up under this one, 0 = the newest */
};

struct attached { /* a peer with an attached session in this namespace */
	struct pubkey key;
	uint32_t session, tag;
	char host[64];
	struct ip v4;
	uint64_t not_after;
	struct limit shows; /* GRANT messages from it: each may cost dozens of signatures */
};

#define VERBS_MAX 64

struct pending_verb {
	uint64_t op;	 /* ours, towards regs */
	uint64_t caller; /* of the person's request */
	/* Called once with the result; the verb is freed after it. */
	void (*finish)(struct ns *s, struct pending_verb *v, const struct regs_event *e, usec_t now);
	bool flag;
	char text[TOKEN_TEXT_MAX];
};

struct wait { /* a verb that ends when the namespace is ready */
	uint64_t op;
	bool is_join;
	usec_t until;
};

struct ns {
	struct node *n;
	struct overlay *o;
	uint16_t number;
	enum node_ns_state state;
	struct pubkey root;
	uint8_t nsid[NSID_LEN];
	uint8_t rendezvous[32];
	struct key_pair *root_key; /* NULL = it is not here */
	char name[33]; /* from the settings; "" before they are known */
	char host[64], ifname[16];
	char *trouble; /* what is wrong and what to do; NULL = nothing */
	char *refused; /* the last wanted address or name that somebody else owns; NULL = none */
	bool has_ask;
	struct ip ask;
	bool enrolling;
	usec_t joining_since; /* 0 = not yet */
	usec_t restore_at; /* when a backup's next era begins; 0 = it is not being restored */
	uint64_t restore_op;
	uint8_t token_seed[SEED_LEN];
	struct checkpoint checkpoint;
	struct regs *regs;
	struct leases *leases;
	struct vnet *vnet;
	bool port_up, leases_on;
	struct ip v4, v6, dns4, dns6;
	struct prefix subnet6;
	uint8_t salt;
	char held_host[64]; /* the name we hold */
	struct map attached;	/* of struct attached, by key */
	struct map queries;	/* of struct query, by op */
	struct regs_secret topic_secrets[2]; /* under which our records stand */
	size_t topic_count;
	struct limit keeper_reads;
	struct wait *waits; /* at most NODE_WAITS_MAX */
	size_t wait_count;
	struct timer chores; /* node_chores.c */
	uint64_t naming; /* op of `name add` under way, 0 = none */
	usec_t naming_until;
	char naming_host[64];
	struct lease_wait *lease_waits; /* node_lease_verbs.c */
	uint64_t start_op; /* of the start register, 0 = not under way */
	usec_t next_start;
	usec_t leaving; /* when to go at the latest; 0 = staying */
	uint64_t leave_op;
	usec_t next_keeper_try;
	unsigned keeper_try;
	struct map seeks;	 /* of struct seek, by key; node_endpoints.c */
	usec_t endpoints_due, endpoints_at; /* USEC_NEVER: need not be looked at; 0: not yet */
	uint8_t endpoints_hash[16]; /* of what was published last */
	struct fetch *fetch;	 /* node_revoked.c; NULL = none under way */
	usec_t fetch_due, fetched;
	uint64_t rumour, published_revocations; /* numbers */
	struct map verbs; /* of struct pending_verb, by op: operations a person asked for */
	struct witness *witness; /* node_witness.c; NULL = nobody wants to know */
	struct keepers_wait *keepers_wait; /* node_keepers.c; NULL = nobody waits */
};

struct persist_book { /* whose durable write this is */
	uint64_t op;
	enum module module;
	uint16_t owner;
	uint64_t module_op;
	struct list list;    /* in node.rewrites: a write of the node's own that failed */
	size_t key_len, len; /* of such a write: key and value, to repeat it */
	uint8_t bytes[];
};

struct outgoing {
	struct list list;
	struct overlay *o;
	struct pubkey to;
	uint8_t service;
	usec_t until;
	size_t len;
	uint8_t msg[];
};

struct node {
	struct node_config cfg;
	struct node_env env;
	struct wall wall;
	uint32_t start_counter;
	uint8_t boot_nonce[16];
	bool started, superseded;
	struct overlay *overlays[NODE_OVERLAYS_MAX];
	struct ns *ns[NODE_NAMESPACES_MAX];
	size_t overlay_top, ns_top; /* places in use lie below */
	struct queued *events, **events_tail;
	size_t event_count;
	bool pumping;
	usec_t now; /* of the entry being served, for env functions that send */
	usec_t rest;	 /* the first deadline of all but p2p, unless ... */
	bool rest_stale; /* ... something may have moved it */
	struct map persists; /* of struct persist_book, by op */
	struct list rewrites; /* of struct persist_book: to be tried again */
	bool start_saved;     /* the start counter is on the disk */
	struct list leftovers; /* of struct outgoing: keys to delete at the start */
	struct list outbox;
	size_t outbox_count;
	uint64_t next_op;
	struct addr *addrs; /* at most P2P_ADDRESSES_MAX; NULL when none */
	size_t addr_count;
	struct timers timers; /* of the node's own */
	struct map traces;  /* of struct trace, by id */
	struct map records; /* of struct record_op, by op */
	struct limit trace_answers;
	struct timer chores;
	uint8_t seed[16];   /* of the maps */
	struct drops drops; /* all but what lanes of vnet drop */
};

/* Every entry but packets and ticks, which know better, may have moved any deadline. */
static inline void node_enter(struct node *n, usec_t now)
{
	n->now = now;
	n->rest_stale = true;
}

/* node.c */
void node_pump(struct node *n, usec_t now);
struct queued *node_queue(struct node *n, enum module m, uint16_t owner, size_t bytes);
void node_notice(struct node *n, uint64_t op, enum node_result r, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
uint64_t node_op(struct node *n);
/* node_state.c: durable state. Keys: one byte of kind, then the owner's id, then its own key. */
void state_write(struct node *n, enum module m, uint16_t owner, uint64_t module_op,
		 const uint8_t *key, size_t key_len, const uint8_t *value, size_t len);
/* A write of the node's own was answered: one that failed is tried again. Takes b over. */
void state_written(struct node *n, struct persist_book *b, int result);
void state_write_again(struct node *n);
void state_fini(struct node *n);
void state_save_start(struct node *n);
void state_save_overlay(struct overlay *o);
void state_save_contacts(struct overlay *o);
void state_save_ns(struct ns *s);
void state_erase_ns(struct ns *s);
void state_erase_overlay(struct overlay *o);
void state_forget_ns(struct ns *s);
void state_erase_leftovers(struct node *n);
/* node_overlay.c */
struct overlay *overlay_new(struct node *n, const uint8_t key[32], bool open);
struct overlay *overlay_find(struct node *n, const uint8_t id[16]);
void overlay_start(struct overlay *o, usec_t now);
void overlay_free(struct overlay *o, usec_t now);
void overlay_release(struct overlay *o, usec_t now);
/* node_event.c */
void overlay_event(struct overlay *o, const struct p2p_event *e, usec_t now);
void overlay_dht_event(struct overlay *o, const struct dht_event *e, usec_t now);
void overlay_learn_contact(struct overlay *o, const struct pubkey *key, const struct addr *a,
			   size_t count);
void overlay_learn_peer(struct overlay *o, const struct pubkey *key, usec_t now); /* as p2p sees it */
/* Those remembered; returns how many. */
size_t overlay_contacts(const struct overlay *o, struct token_contact out[NODE_CONTACTS_MAX]);
/* Replaces them by what the bytes say: false if they say nothing of the kind. */
bool overlay_keep_contacts(struct overlay *o, const uint8_t *b, size_t len);
bool overlay_has_place(const struct overlay *o, const struct pubkey *key); /* free, or its own */
/* node_outbox.c: connects first if need be */
void overlay_send(struct overlay *o, const struct pubkey *to, uint8_t service, const uint8_t *msg,
		  size_t len, usec_t now);
void outbox_flush(struct overlay *o, const struct pubkey *peer, usec_t now);
void outbox_expire(struct node *n, usec_t now);
void outbox_drop(struct overlay *o);
/* The agent through which this key last spoke to us, or NULL. */
const struct node_id *overlay_agent(const struct overlay *o, const struct pubkey *key);
/* node_trace.c */
void node_trace_init(struct node *n);
void node_trace_start(struct overlay *o, uint64_t op, const struct pubkey *key,
		      const struct node_id *agent, usec_t now);
void node_trace_input(struct overlay *o, const struct p2p_event *e, usec_t now);
void node_trace_drop(struct node *n, const struct overlay *o); /* NULL: all */
/* node_record.c */
void node_record_init(struct node *n);
bool node_record_event(struct node *n, const struct dht_event *e); /* false: not ours */
void node_record_drop(struct node *n, const struct overlay *o);
struct overlay *node_overlay(struct node *n, uint64_t op); /* the first one; else op is refused */
/* node_env.c: what the modules of a namespace are given */
void ns_make_regs(struct ns *s);
void ns_make_leases(struct ns *s, usec_t now); /* once the settings are known */
int ns_open_port(struct ns *s, const struct settings *st, usec_t now);
/* node_ns.c */
struct ns *ns_new(struct node *n, struct overlay *o, const struct pubkey *root);
void ns_take_root_key(struct ns *s, const struct key_pair *root); /* copied */
void ns_free(struct ns *s, usec_t now);
void ns_start(struct ns *s, usec_t now);
void ns_regs_event(struct ns *s, const struct regs_event *e, usec_t now);
void ns_settings_changed(struct ns *s, usec_t now);
void ns_shut(struct ns *s, const char *why, usec_t now); /* out of it for good */
void ns_check_ready(struct ns *s, usec_t now);
void ns_no_trouble(struct ns *s);
void ns_trouble(struct ns *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct ns *ns_of_id(struct node *n, const uint8_t nsid[NSID_LEN], const struct overlay *o);
/* node_endpoints.c */
#define ENDPOINT_AGENTS 3
struct endpoints {
	bool leaf;
	uint8_t agent_count, addr_count;
	struct node_id agents[ENDPOINT_AGENTS];
	struct addr addrs[P2P_ADDRESSES_MAX];
};
void wr_endpoints(struct wr *w, const struct endpoints *e);
bool endpoints_read(struct endpoints *e, const uint8_t *b, size_t len);
void ns_endpoints_init(struct ns *s);
void ns_endpoints_fini(struct ns *s);
void ns_endpoints_soon(struct ns *s, usec_t now);  /* they may be others */
void ns_endpoints_again(struct ns *s, usec_t now); /* publish even if they are the same */
usec_t ns_endpoints_chore(struct ns *s, usec_t now);
void ns_endpoints_found(struct ns *s, const struct dht_event *e, usec_t now);
void ns_seek(struct ns *s, const struct pubkey *key, usec_t now); /* a session is wanted */
/* node_revoked.c */
void ns_revocations_init(struct ns *s);
void ns_revocations_fini(struct ns *s);
struct ns_part_name {
	char text[16];
	size_t len;
};
bool ns_revocations_part(struct ns_part_name *out, unsigned part); /* false: no list is so long */
void ns_publish_revocations(struct ns *s, usec_t now);
void ns_revocations_rumour(struct ns *s, uint64_t number, usec_t now);
usec_t ns_revocations_chore(struct ns *s, usec_t now);
void ns_revocations_found(struct ns *s, const struct dht_event *e);
void ns_revocations_done(struct ns *s, usec_t now);
/* node_chores.c */
extern const char ns_no_keeper[];
void ns_chores_init(struct ns *s);
void ns_chores_fini(struct ns *s);
void ns_tick(struct ns *s, usec_t now);
void ns_wake(struct ns *s, usec_t at); /* look after the chores then, or sooner */
void ns_want_keeper(struct ns *s, usec_t at); /* seek one then, or sooner */
void ns_finish_waits(struct ns *s, usec_t now);
void node_chores_init(struct node *n);
void node_wake(struct node *n, usec_t now); /* there is a message to expire or a write to repeat */
/* node_start.c: of two copies of one identity the newer lives */
/* node_witness.c: operations as regs_submit has them; what is told to node_env.audit */
int ns_submit(struct ns *s, uint64_t op, const struct reg_op *req, const struct key_pair *admin,
	      usec_t now);
int ns_submit_signed(struct ns *s, uint64_t op, const uint8_t *bytes, size_t len, usec_t now);
void ns_witness_result(struct ns *s, const struct regs_event *e, usec_t now);
void ns_witness_leases(struct ns *s, usec_t now);
void ns_witness_shown(struct ns *s, const struct grant *g, bool accepted, usec_t now);
void ns_witness_end(struct ns *s, usec_t now); /* this process uses nothing any more */
usec_t ns_start_register(struct ns *s, usec_t now); /* when to look again */
void ns_start_soon(struct ns *s, usec_t now);
void node_superseded(struct node *n, usec_t now);
bool ns_start_result(struct ns *s, const struct regs_event *e, usec_t now);
/* node_lease.c */
void ns_lease_event(struct ns *s, const struct lease_event *e, usec_t now);
/* node_lease_verbs.c: a lease's event may end a person's request; `why` of a failure */
void ns_lease_waits(struct ns *s, const struct lease_event *e, const char *why);
void ns_lease_waits_end(struct ns *s);
/* node_attach.c: attached peers, grants shown and asked for */
void ns_attached(struct ns *s, const struct p2p_event *e, usec_t now);
void ns_detached(struct ns *s, const struct pubkey *peer, bool forget, usec_t now);
void ns_show(struct ns *s, const struct pubkey *to, usec_t now);
void ns_show_all(struct ns *s, usec_t now);
bool ns_shows_all(const struct ns *s, usec_t now); /* one message has room for all addresses */
void ns_grant_message(struct overlay *o, const struct pubkey *from, const uint8_t *msg, size_t len,
		      usec_t now);
void ns_want_grant(struct ns *s, const struct pubkey *peer, const struct ip *ip, usec_t now);
void ns_drop_revoked(struct ns *s, usec_t now);
struct ip ns_derived(const struct ns *s, const struct pubkey *key, uint8_t salt);
/* node_resolve.c */
void ns_vnet_event(struct ns *s, const struct vnet_event *e, usec_t now);
void ns_query(struct ns *s, enum query_kind kind, uint64_t caller, const struct ip *ip,
	      const struct reg_name *name, usec_t now);
void ns_query_found(struct ns *s, const struct dht_event *e, usec_t now);
void ns_query_done(struct ns *s, uint64_t op, usec_t now);
bool ns_query_result(struct ns *s, const struct regs_event *e, usec_t now);
/* node_topic.c: records stand under every valid secret */
struct ns_record {
	enum dht_kind kind;
	const void *name;
	size_t len;
};
struct ns_record ns_record_of(const struct reg_name *name); /* points into it */
/* Secret 0 is the newest; false: there are not so many. */
bool ns_topic(const struct ns *s, unsigned secret, const struct ns_record *r, struct dht_topic *out);
void ns_publish(struct ns *s, const struct ns_record *r, const uint8_t *body, size_t len, usec_t now);
void ns_withdraw(struct ns *s, const struct ns_record *r, usec_t now);
/* A grant of ours. */
void ns_publish_grant(struct ns *s, const struct reg_name *name, const uint8_t *grant, size_t len,
		      usec_t now);
void ns_publish_derived(struct ns *s, usec_t now);
void ns_topics_changed(struct ns *s, usec_t now); /* the secrets may be others now */
void ns_unpublish(struct ns *s, usec_t now);
/* node_verbs.c, node_root.c: operations a person asked for */
bool verb_result(struct ns *s, const struct regs_event *e, usec_t now);
void verb_resolved(struct ns *s, const struct query *q, const struct owned_payload *p, usec_t now);
void verb_pong(struct ns *s, uint64_t op, usec_t rtt);
struct ns *verb_ns(struct node *n, uint64_t op, const char *name);
/* Answers when the namespace is ready, or `until` it is not. */
void verb_wait(struct ns *s, uint64_t op, usec_t until);
/* The overlay that a token names, made and started if need be, its contacts learnt. NULL: too many. */
struct overlay *verb_overlay(struct node *n, const struct token *t, usec_t now);
/* Everything of a token but its secret; false before the first keeper set is known. */
bool root_fill_token(struct ns *s, struct token *t, size_t contacts);
/* node_backup.c: shows keepers of a new era what those of the last one granted; when to go on. */
usec_t ns_restore_chore(struct ns *s, usec_t now);
usec_t ns_era_chore(struct ns *s, usec_t now);
/* As verb_ns, where this node is an admin. */
struct ns *root_admin_ns(struct node *n, uint64_t op, const char *name);
/* A member by what people call it: from the registers at a keeper, else from attached peers. */
bool root_find_member(struct ns *s, const char *who, struct reg_name *out);
void root_unknown_member(struct ns *s, uint64_t op, const char *who); /* the refusal */
/* At a keeper; 0 and an empty *mp when there is no such member. */
uint32_t root_rights_of(const struct ns *s, const struct reg_name *member, struct member_payload *mp);
/* node_keepers.c */
usec_t ns_keepers_chore(struct ns *s, usec_t now); /* when to look again */
void ns_keepers_fini(struct ns *s);

#endif
