/* sim_port.h - the host behind a simulated node's port: a kernel that answers pings. */
#ifndef CMD_SIM_PORT_H
#define CMD_SIM_PORT_H

#include <stddef.h>
#include <stdint.h>

/* Turns an ICMP echo request (Ethernet, IPv4, no options) into its reply in place. 0 = it is none,
 * else the length of the reply. */
size_t sim_echo(uint8_t *frame, size_t len);

#endif
