/* mac.h - mac1 and mac2, the last 32 bytes of INIT and RESPONSE. docs/protocol.md 3.1. */
#ifndef P2P_MAC_H
#define P2P_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/key.h"
#include "base/wire.h"

#define MAC_LEN 16
#define MACS_LEN (2 * MAC_LEN) /* mac1, mac2 */

/* H32(label, overlay key, node key): who knows neither is a stranger. */
void mac_key(uint8_t out[32], const char *label, const uint8_t overlay_key[32],
	     const struct pubkey *node);
/* mac1 over len bytes, for this receiver. */
void mac1_of(uint8_t out[MAC_LEN], const uint8_t overlay_key[32], const struct pubkey *receiver,
	     const uint8_t *msg, size_t len);
/* mac2 over len bytes (mac1 included). */
void mac2_of(uint8_t out[MAC_LEN], const uint8_t cookie[16], const uint8_t *msg, size_t len);
bool mac_equal(const uint8_t a[MAC_LEN], const uint8_t b[MAC_LEN]); /* in constant time */
/* Is the mac1 of this whole message right? len >= MACS_LEN. */
bool mac1_fits(const uint8_t *pkt, size_t len, const uint8_t overlay_key[32],
	       const struct pubkey *receiver);
/* Appends both; cookie NULL = a zero mac2. Gives back where mac1 stands. */
const uint8_t *mac_append(struct wr *w, const uint8_t overlay_key[32],
			  const struct pubkey *receiver, const uint8_t *cookie);

#endif
