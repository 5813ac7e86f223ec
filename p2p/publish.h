/* publish.h - puts a session into the fast path's view. See fast.c. */
#ifndef P2P_PUBLISH_H
#define P2P_PUBLISH_H

#include "p2p/session.h"

void publish(struct session *s); /* nothing for one that is not up */
void publish_remove(struct session *s);

#endif
