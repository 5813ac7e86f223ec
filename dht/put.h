/* put.h - one record of ours brought to one node. Private to publish.c and spread.c. */
#ifndef DHT_PUT_H
#define DHT_PUT_H

#include "dht/own.h"

/* To a key that does not have it yet, as far as we know. */
void put_to(struct own_record *o, const struct pubkey *key, usec_t now);
/* To whoever is nearest on the ring. */
void put_to_nearest(struct own_record *o, usec_t now);
/* A holder has a later one of ours, from an earlier life: it is asked, and we sign above it. */
void put_conflict(struct own_record *o, const struct pubkey *holder, usec_t now);
/* A holder is gone. When too many are, there is a round at `at`. */
void put_lost(struct own_record *o, uint64_t place, usec_t at);

#endif
