/* extended.h - what stands before the packet in an EXTENDED packet. docs/protocol.md 4.4. */
#ifndef P2P_EXTENDED_H
#define P2P_EXTENDED_H

#include "base/drop.h"
#include "base/wire.h"

/* Reads past the TLVs, up to the IP packet. DROP_NONE, DROP_UNKNOWN for a critical type that is not
 * known here (none is yet), DROP_MALFORMED. */
enum drop extended_skip(struct rd *r);

#endif
