/* client_impl.h - which keeper is asked, and how long it has to answer; client_keeper.c. Private. */
#ifndef DHT_CLIENT_IMPL_H
#define DHT_CLIENT_IMPL_H

#include "dht/regs_impl.h"

struct client_times {
	usec_t end;	    /* the answer, also "no quorum", is there within 5 s */
	usec_t patience[4]; /* with the first keeper asked, the second, ...; the last for all others */
	usec_t usual_max;   /* twice the usual time of an answer is waited for, but no longer */
	usec_t queue;	    /* nor longer than this for one that settles others meanwhile */
	usec_t silent;	    /* who did not answer is asked last for so long */
	usec_t settle;	    /* after "no quorum" or "other epoch" */
	usec_t busy;	    /* doubling, with jitter */
};
extern const struct client_times client_times;

/* What is learnt about the keepers while operations are under way. */
struct client_load {
	usec_t heard[KEEPERS_MAX]; /* when each settled something last */
	usec_t best;		   /* the quickest answer; 0 = none yet */
	usec_t cut;		   /* when the window was made smaller last */
	uint32_t window; /* CLAIM, RENEW, RELEASE, TRANSFER: so many under way, others' as well */
};

struct client_load *client_load_new(void);
/* May one more operation with this verb be under way? */
bool client_has_room(const struct client *c, uint8_t verb);

/* Of this operation's round the best that was not asked yet; ourselves when we judge; or NULL. */
const struct pubkey *client_next_keeper(struct client_op *o);
/* How long the one asked last has to answer, before the next is asked. */
usec_t client_patience(const struct client_op *o);
/* Until when the one asked last is busy with others of ours rather than silent; 0 = it is silent. */
usec_t client_keeper_works(const struct client_op *o);
void client_keeper_is_silent(struct client_op *o);
void client_keeper_answered(struct client_op *o, size_t k, enum reg_status status, usec_t now);

#endif
