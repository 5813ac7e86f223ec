/* spread.h - a record of ours that its nearest holder passes on. Private to publish.c. */
#ifndef DHT_SPREAD_H
#define DHT_SPREAD_H

#include "dht/own.h"

#define SPREAD_CHECKS_MAX 6  /* nodes asked whether they were given it */
#define SPREAD_MISSING_MAX 4 /* nodes that we bring it ourselves since it was not passed to them */

struct spread;

/* Starts it; p->spread_over hears of the end. */
void spread_start(struct own_record *o, usec_t now);
void spread_cancel(struct own_record *o);
/* In spread_over: who should have the record and was left out. Returns how many. */
size_t spread_missing(const struct own_record *o, struct pubkey out[SPREAD_MISSING_MAX]);

#endif
