/* pace.h - what a round of a proposer takes, and so how long one that was refused pauses: whoever is
 * in its way needs about as long, with slow disks many times as long as with fast ones. Who came back
 * sooner would stop the other, be stopped by it, and so on. Private to dht/. */
#ifndef DHT_PACE_H
#define DHT_PACE_H

#include "base/time.h"

#define PACE_MIN MSEC(50)
#define PACE_MAX SEC(1)

struct pace {
	usec_t usual; /* of rounds that succeeded; 0 = there was none */
};

void pace_note(struct pace *p, usec_t took);
/* The first pause is at most this long; `so_far` = of the round that was refused. */
usec_t pace_unit(const struct pace *p, usec_t so_far);

#endif
