/* own.h - one record of ours. Private to publish.c, put.c and spread.c. */
#ifndef DHT_OWN_H
#define DHT_OWN_H

#include "dht/publish.h"

#define OWN_REPLICAS_MAX 14 /* holders remembered */

struct own_record {
	struct publisher *all;
	struct list in_due;
	struct timer timer;
	struct record_name name;
	uint8_t secret[32]; /* of its topic */
	uint8_t *body;
	size_t len;
	uint32_t lifetime; /* seconds */
	uint64_t seq;
	usec_t signed_at, round_at, retry, conflict_after;
	struct lookup *lookup; /* a round is under way: this, or a */
	struct spread *spread;
	bool withdrawn;
	bool seeded; /* it was put to the ring's nearest */
	uint8_t replicas, puts, gone; /* holders; puts of the last round; holders lost since */
	uint32_t replica[OWN_REPLICAS_MAX]; /* begins of the places of who has it, or is being sent it */
};

struct own_record *own_new(struct publisher *p, const struct dht_topic *t,
			   void (*due)(struct timer *timer, usec_t now));
void own_free(struct own_record *o);
/* Signs it anew, above whatever is held under its name here: nobody else has it yet. */
void own_sign(struct own_record *o, usec_t now);
void own_raise_seq(struct publisher *p, uint64_t seq);
usec_t own_half_life(const struct own_record *o);
/* The PUT of it. False when there is nothing to put: one of an earlier life stands there. */
bool own_put_request(struct own_record *o, struct dht_msg *m);

/* Who has it, or is being sent it. The farthest gives way when there are too many. */
bool own_replica(const struct own_record *o, uint64_t place);
bool own_replica_remove(struct own_record *o, uint64_t place);
void own_replica_add(struct own_record *o, uint64_t place);
/* A quarter of those the last round put it to is gone. */
bool own_is_thin(const struct own_record *o);

/* publish.c, for put.c and spread.c. */
usec_t publish_jitter(struct publisher *p, usec_t span); /* less than span */
void publish_due_no_later(struct own_record *o, usec_t at); /* a round */
void publish_again(struct own_record *o, usec_t now);	    /* a round as soon as may be */

#endif
