/* sim_port.c - see sim_port.h. RFC 792, RFC 1624 for the checksum. */
#include "cmd/sim_port.h"

#include <string.h>

#define ETH 14
#define IPV4 20

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t t[6];

	memcpy(t, a, n);
	memcpy(a, b, n);
	memcpy(b, t, n);
}

size_t sim_echo(uint8_t *frame, size_t len)
{
	uint8_t *ip = frame + ETH, *icmp = ip + IPV4;
	uint32_t sum;

	if (len < ETH + IPV4 + 8 || frame[12] != 8 || frame[13] != 0 || ip[0] != 0x45 ||
	    ip[9] != 1 || icmp[0] != 8)
		return 0;
	swap(frame, frame + 6, 6);
	swap(ip + 12, ip + 16, 4);
	icmp[0] = 0; /* request 8 becomes reply 0: the sum grows by 0x0800 */
	sum = (uint32_t)(icmp[2] << 8 | icmp[3]) + 0x0800;
	sum = (sum & 0xffff) + (sum >> 16);
	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
	return len;
}

/* What a simulated host need not know. */
void sim_port_close(void *ctx, uint16_t ns) { (void)ctx, (void)ns; }

void sim_port_address(void *ctx, uint16_t ns, const struct ip *ip, uint8_t bits, bool add)
{
	(void)ctx, (void)ns, (void)ip, (void)bits, (void)add;
}

void sim_port_dns(void *ctx, uint16_t ns, const struct ip *dns4, const char *zone)
{
	(void)ctx, (void)ns, (void)dns4, (void)zone;
}

bool sim_prefix_taken(void *ctx, const struct prefix *p)
{
	(void)ctx, (void)p;
	return false;
}
