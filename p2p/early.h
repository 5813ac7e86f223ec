/* early.h - data that overtook the CONFIRM of its attachment: kept until it is clear whose it
 * is. */
#ifndef P2P_EARLY_H
#define P2P_EARLY_H

#include <stddef.h>
#include <stdint.h>

#define EARLY_MAX 16 /* packets for each attachment; as many as wait on the other side */

struct attachment;
struct session;

struct early { /* one packet; a chain, oldest first, is owned by its attachment */
	struct early *next;
	uint8_t type;
	size_t len;
	uint8_t bytes[];
};

void early_free(struct early **chain);
/* CONFIRM was good: out with it, after ATTACHED. */
void early_release(struct session *s, struct attachment *a);

#endif
