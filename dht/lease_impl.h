/* lease_impl.h - what the files of lease.c share. Not for others.
 *
 * A lease is one register of ours, or one that is being claimed or given back. Its operation runs
 * through four phases: IDLE (nothing under way), DISK (the intent is being made durable), QUEUED
 * (durable; as many operations as may be are under way), ASKED (submitted; the answer comes as
 * leases_result). */
#ifndef DHT_LEASE_IMPL_H
#define DHT_LEASE_IMPL_H

#include "base/timer.h"
#include "dht/lease.h"
#include "dht/pool.h"

#define LEASE_HOST_MAX 54 /* characters: what fits into the payload of an address */

/* Of addresses and host names one each counts; further ones stand beside them, each for itself. */
enum lease_role { ROLE_ADDRESS, ROLE_NAME, ROLE_MORE_NAMES, ROLE_MORE_ADDRESSES, ROLE_COUNT };
#define WANTS (ROLE_NAME + 1) /* roles that look for candidates by themselves */
enum lease_phase { PHASE_IDLE, PHASE_DISK, PHASE_QUEUED, PHASE_ASKED };

struct lease {
	struct leases *of;
	size_t place; /* in leases.slot */
	struct reg_name name;
	enum lease_role role;
	enum lease_state state;
	enum lease_phase phase;
	bool releasing; /* being given back: never used again */
	bool asked;	/* a claim may have reached a keeper */
	bool any;	/* one more address, no matter which; `tried` candidates before it */
	bool taken;	/* by a transfer that may have reached a keeper: ours or nothing */
	uint16_t tried;
	struct transfer *transfer; /* while one is under way; NULL = none */
	uint64_t generation;
	usec_t end; /* of validity, BOOTTIME */
	uint8_t *grant; /* NULL = none */
	size_t grant_len;
	uint8_t verb; /* of the operation under way */
	uint64_t op, disk_op;
	usec_t sent; /* when it was first sent */
	uint8_t payload[REG_PAYLOAD_OWNED_MAX]; /* last sent */
	size_t payload_len;
	unsigned tries;
	enum reg_status told; /* the owner knows that keepers do not answer */
	usec_t next; /* next step of the phase */
	struct timer timer; /* the sooner of `next` and `end` */
};

#define TRANSFER_OP_MAX 512 /* bytes of a signed one */

struct transfer {
	bool incoming;	      /* we are the heir, and submit the operation */
	bool over;	      /* outgoing: given up, a renewal is to void it */
	bool refused;	      /* outgoing: the heir did not get it, as it says itself */
	struct pubkey peer;   /* the other side */
	uint64_t number;      /* of the operation, for the two to match messages */
	uint64_t deadline;    /* wall seconds */
	unsigned tries;
	usec_t sent;	      /* incoming: when it was first submitted */
	size_t len;
	uint8_t op[];	      /* signed */
};

struct lease_want {
	struct leases *of;
	enum lease_role role;
	bool active;
	struct ip ask; /* len 0 = any */
	char host[LEASE_HOST_MAX + 1];
	uint32_t attempt; /* next candidate's number */
	unsigned tried;	  /* since the last pause */
	struct timer timer;
};

struct leases {
	struct lease_config cfg;
	struct lease_env env;
	struct timers timers;
	struct lease **slot;
	size_t count, places; /* at most LEASES_MAX */
	struct lease_want want[WANTS];
	uint32_t more_attempt; /* of candidates for any more address */
	struct ip v6;
	uint32_t era; /* of the keepers */
	bool settling;
	uint64_t last_op;
	struct timer room; /* set while some are QUEUED: to submit them */
};

/* lease.c */
struct lease *lease_find(const struct leases *l, const struct reg_name *name);
/* The one of this role that counts: held, else being claimed; never one being given back. */
struct lease *lease_current(const struct leases *l, enum lease_role role);
struct lease *lease_add(struct leases *l, const struct reg_name *name, enum lease_role role);
void lease_drop(struct lease *e, usec_t now); /* forgets it, on disk too */
void lease_void(struct lease *e); /* what was granted counts no more, after a restart neither */
bool lease_is_dated(const struct lease *e, usec_t now); /* others still go by its grant */
bool lease_is_past(const struct lease *e, usec_t now); /* of an earlier era, and over */
void lease_tell(struct lease *e, enum lease_event_type type, enum reg_status status,
		const struct pubkey *holder);

/* lease_want.c */
void lease_want_fire(struct timer *t, usec_t now);
bool lease_is_wanted(const struct leases *l, enum lease_role role); /* it seeks candidates */
bool lease_is_asked_for(const struct lease *e);
void lease_retell(struct leases *l, usec_t now); /* renews what no longer says the truth */
void lease_retell_one(struct lease *e, usec_t now);
void lease_gained(struct lease *e, usec_t now);	 /* others of the role make room */
/* Drops it and tries the next candidate, unless there is none. */
void lease_refused(struct lease *e, const struct reg_answer *a, usec_t now);
void lease_pause(struct leases *l, enum lease_role role, usec_t now); /* want again later */
bool lease_may_start(const struct lease *e); /* names wait for the address */

/* lease_op.c */
bool lease_holding(const struct lease *e);
void lease_arm(struct lease *e, usec_t next);
void lease_fire(struct timer *t, usec_t now);
void lease_answer(struct lease *e, const struct reg_answer *a, usec_t now);
void lease_written(struct lease *e, int result, usec_t now);
void lease_room_fire(struct timer *t, usec_t now);
void lease_give_back(struct lease *e, usec_t now);
void lease_resume(struct lease *e, usec_t now); /* after a restart */
uint64_t lease_random(const struct leases *l, uint64_t below);

/* lease_transfer.c */
void lease_transfer_drop(struct lease *e);
/* The transfer's step when nothing is under way; false: none of its business any more. */
bool lease_transfer_step(struct lease *e, usec_t now);
void lease_transfer_send(struct lease *e, usec_t now); /* its operation is durable here */
int lease_transfer_submit(struct lease *e, usec_t now);
/* A keeper's answer to what an heir submitted; also what became of our own. */
void lease_transfer_taken(struct lease *e);
void lease_transfer_refused(struct lease *e, enum reg_status status, usec_t now);
void lease_transfer_unsure(struct lease *e); /* incoming: only a renewal can tell now */
void lease_transfer_is_over(struct lease *e, const struct pubkey *holder, usec_t now);
/* Outgoing, and won back in a later era, where nobody may have shown yet that the heir has it. */
bool lease_transfer_is_doubtful(const struct lease *e, const struct grant *g);
void lease_transfer_give_back(struct lease *e, usec_t now);
bool lease_is_outgoing(const struct lease *e);
bool lease_is_incoming(const struct lease *e);
usec_t lease_back_off(const struct lease *e);
void lease_idle(struct lease *e, usec_t next);
void lease_begin(struct lease *e, uint8_t verb, usec_t now);

/* lease_store.c */
uint64_t lease_store(struct lease *e);	/* the op of the write */
void lease_erase(struct lease *e);
bool lease_load(struct leases *l, const uint8_t *key, size_t key_len, const uint8_t *value,
		size_t len);
bool lease_payload(const struct lease *e, uint8_t out[REG_PAYLOAD_OWNED_MAX], size_t *len);

/* lease_name.c */
bool lease_usable(const struct leases *l, const struct ip *ip);
/* False when the subnet has no usable address at all. */
uint32_t lease_usable_count(const struct prefix *p); /* addresses of a subnet that may be leased */
bool lease_candidate(const struct leases *l, uint32_t attempt, struct reg_name *out);
void lease_host_clean(char out[LEASE_HOST_MAX + 1], const char *host);
/* In an era after the first every other one is a name of that era. */
bool lease_host_candidate(const char *host, uint32_t era, uint32_t attempt, struct reg_name *out);

#endif
