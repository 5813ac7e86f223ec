/* control.h - what arrives inside a session: control packets and the services handled here. 4.2. */
#ifndef P2P_CONTROL_H
#define P2P_CONTROL_H

#include "p2p/core.h"
#include "p2p/session.h"

enum control_kind {
	CONTROL_KEEPALIVE = 0,
	CONTROL_SEGMENT = 1,
	CONTROL_ACK = 2,
	CONTROL_ROUTED = 3,
	CONTROL_CLOSE = 4,
	CONTROL_MESSAGE = 5,
	CONTROL_KINDS
};

#define CONTROL_MESSAGE_MAX 1200 /* bytes of a message that is not acknowledged */

enum close_reason {
	CLOSE_DONE = 0,
	CLOSE_SUPERSEDED = 1, /* a process that started later has the receiver's key */
};

/* The plaintext of a CONTROL packet. */
void control_input(struct session *s, struct rd r, usec_t now);
/* A message of at most CONTROL_MESSAGE_MAX bytes that may be lost; of service RING only. */
void control_message(struct session *s, uint8_t service, const uint8_t *msg, size_t len, usec_t now);
/* The session's channel begins. */
void control_channel(struct session *s);

#endif
