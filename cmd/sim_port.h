/* sim_port.h - the host behind a simulated node's port: a kernel that answers pings. */
#ifndef CMD_SIM_PORT_H
#define CMD_SIM_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* Turns an ICMP echo request (Ethernet, IPv4, no options) into its reply in place. 0 = it is none,
 * else the length of the reply. */
size_t sim_echo(uint8_t *frame, size_t len);

/* Functions of struct node_env that a simulated host takes no notice of. */
void sim_port_close(void *ctx, uint16_t ns);
void sim_port_address(void *ctx, uint16_t ns, const struct ip *ip, uint8_t bits, bool add);
void sim_port_dns(void *ctx, uint16_t ns, const struct ip *dns4, const char *zone);
bool sim_prefix_taken(void *ctx, const struct prefix *p);

#endif
