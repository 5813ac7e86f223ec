/* sim_nat.h - a NAT box before one host. RFC 4787 words:
 *
 *	full		endpoint-independent mapping and filtering
 *	restricted	endpoint-independent mapping, address-dependent filtering
 *	port		endpoint-independent mapping, address and port-dependent filtering
 *	symmetric	address and port-dependent mapping and filtering
 *
 * A mapping lives while packets go out; when it is forgotten, the next one has another port. */
#ifndef CMD_SIM_NAT_H
#define CMD_SIM_NAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"
#include "cmd/sim.h"

#define SIM_NAT_PEERS_MAX 4096 /* remote endpoints; the one used longest ago makes room */

struct sim_nat;

struct sim_nat *sim_nat_new(enum sim_nat_kind kind, usec_t expiry);
void sim_nat_free(struct sim_nat *n);
/* A packet to `to` (address << 16 | port) goes out: the source port the world sees. `luck` chooses
 * it where a new one is needed. */
uint16_t sim_nat_out(struct sim_nat *n, uint64_t to, uint64_t luck, usec_t now);
/* Is a packet from `from` to this port of the box for the host behind it? */
bool sim_nat_in(struct sim_nat *n, uint64_t from, uint16_t port, usec_t now);

#endif
