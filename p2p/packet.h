/* packet.h - outer packets: header bytes, types, services. docs/protocol.md 2, 4. */
#ifndef P2P_PACKET_H
#define P2P_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"

#define PACKET_VERSION 0x40 /* the two top bits of the first byte */
#define PACKET_HEADER_LEN 16
#define PACKET_TAG_LEN 16
#define PACKET_OVERHEAD (PACKET_HEADER_LEN + PACKET_TAG_LEN)
#define PACKET_HANDSHAKE_MAX 1200

enum packet_type {
	PACKET_INIT = 1,
	PACKET_RESPONSE = 2,
	PACKET_COOKIE = 3,
	PACKET_WHOIS = 4,
	PACKET_WHOIS_ANSWER = 5,
	PACKET_BEACON = 6, /* on a LAN only */
	PACKET_CONTROL = 16,
	PACKET_IP = 17,
	PACKET_ETHERNET = 18,
	PACKET_FRAGMENT = 19,
	PACKET_EXTENDED = 20,
	PACKET_PROBE = 21,
};

/* The first four bytes of the packets of section 3: version and type, three zero bytes. */
void packet_write_type(struct wr *w, enum packet_type type);
bool packet_read_type(struct rd *r, enum packet_type type); /* false: another */

/* Services of the reliable control channel, 4.5. */
enum service {
	SERVICE_RING = 1,
	SERVICE_DHT = 2,
	SERVICE_ATTACH = 3,
	SERVICE_REGISTER = 4,
	SERVICE_ADDRESSES = 5,
	SERVICE_GRANT = 6,
	SERVICE_MEMBER = 7,
	SERVICES
};

/* Services of ROUTED, 5.2. */
enum routed_service {
	ROUTED_HANDSHAKE = 1,
	ROUTED_SEALED = 2,
	ROUTED_DHT = 3,
	ROUTED_RING = 4,
	ROUTED_TRACE = 5,
	ROUTED_SERVICES
};

#endif
