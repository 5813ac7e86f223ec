/* tap.h - one TAP: Ethernet frames to and from this host. Not thread-safe; goes away with its fd.
 *
 * With offloads the host hands over TCP packets of up to 64 KiB uncut, and checksums half done, and
 * takes such packets too; struct tap_offload says what is left to do with a frame. */
#ifndef HOST_TAP_H
#define HOST_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAP_NAME_LEN 16
#define TAP_FRAME_MAX (65535 + 14)

enum tap_gso { TAP_WHOLE, TAP_TCP4, TAP_TCP6, TAP_OTHER };

struct tap_offload { /* offsets from the start of the Ethernet frame */
	enum tap_gso gso;
	bool partial; /* the checksum at csum_start + csum_offset is to be finished */
	uint16_t header_len, mss;
	uint16_t csum_start, csum_offset;
};

struct tap {
	int fd;
	char name[TAP_NAME_LEN];
	unsigned ifindex;
	uint8_t mac[6];
	uint16_t mtu;
	uint64_t dropped; /* frames the host did not take */
};

/* Makes the TAP `name` ("" = the first free of vpn0, vpn1, ...) with a random, locally administered
 * MAC and this MTU, with TCP offloads, and sets it up. 0 or negative errno: -EBUSY when the name is
 * taken, -EPERM. */
int tap_open(struct tap *t, const char *name, uint16_t mtu);
void tap_close(struct tap *t);
/* One frame into buf, which has TAP_FRAME_MAX bytes: its length, 0 when there is none. */
size_t tap_read(struct tap *t, uint8_t *buf, struct tap_offload *o);
/* o NULL: an ordinary frame. */
void tap_write(struct tap *t, const uint8_t *frame, size_t len, const struct tap_offload *o);

#endif
