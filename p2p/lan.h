/* lan.h - what an overlay does with LAN beacons: sends them in time, answers some by a handshake.
 * docs/protocol.md 5.3. */
#ifndef P2P_LAN_H
#define P2P_LAN_H

#include "base/time.h"

struct p2p;

/* Does nothing, and costs nothing, for an overlay without a LAN (p2p_config.lan_port 0). */
void lan_init(struct p2p *p, usec_t now);
void lan_fini(struct p2p *p);
void lan_tick(struct p2p *p, usec_t now);
usec_t lan_deadline(const struct p2p *p);

#endif
