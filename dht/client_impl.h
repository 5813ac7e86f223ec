/* client_impl.h - which keeper is asked, and how long it has to answer; client_keeper.c. Private. */
#ifndef DHT_CLIENT_IMPL_H
#define DHT_CLIENT_IMPL_H

#include "dht/regs_impl.h"

struct client_times {
	usec_t end;	    /* the answer, also "no quorum", is there within 5 s */
	usec_t patience[4]; /* with the first keeper asked, the second, ...; the last for all others */
	usec_t usual_max;   /* twice the usual time of an answer is waited for, but no longer */
	usec_t silent;	    /* who did not answer is asked last for so long */
	usec_t settle;	    /* after "no quorum" or "other epoch" */
	usec_t busy;	    /* doubling, with jitter */
};
extern const struct client_times client_times;

/* Of this operation's round the best that was not asked yet; ourselves when we judge; or NULL. */
const struct pubkey *client_next_keeper(struct client_op *o);
/* How long the one asked last has to answer, before the next is asked. */
usec_t client_patience(const struct client_op *o);
void client_keeper_is_silent(struct client_op *o);
void client_keeper_answered(struct client_op *o, size_t k, usec_t now);

#endif
