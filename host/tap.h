/* tap.h - one TAP: Ethernet frames to and from this host. Not thread-safe; goes away with its fd. */
#ifndef HOST_TAP_H
#define HOST_TAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/frame.h"

#define TAP_BATCH 64
#define TAP_NAME_LEN 16

struct tap {
	int fd;
	char name[TAP_NAME_LEN];
	unsigned ifindex;
	uint8_t mac[6];
	uint16_t mtu;
	uint64_t dropped; /* frames the host did not take, or that were too long for us */
};

/* Makes the TAP `name` ("" = the first free of vpn0, vpn1, ...) with a random, locally administered
 * MAC and this MTU, and sets it up. 0 or negative errno: -EBUSY when the name is taken, -EPERM. */
int tap_open(struct tap *t, const char *name, uint16_t mtu);
void tap_close(struct tap *t);
/* At most max frames of the pool; the caller puts them back. */
size_t tap_read(struct tap *t, struct frame_pool *pool, struct frame *out[], size_t max);
void tap_write(struct tap *t, const uint8_t *frame, size_t len);

#endif
