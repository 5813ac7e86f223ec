/* found.h - the records of one lookup. Private to lookup.c. */
#ifndef DHT_FOUND_H
#define DHT_FOUND_H

#include "dht/lookup.h"

/* What an answer on this path gave: true when there was a good record. */
bool found_take(struct lookup *l, const struct dht_msg *m, size_t path, usec_t now);

#endif
