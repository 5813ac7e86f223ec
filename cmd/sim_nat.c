/* sim_nat.c - see sim_nat.h. One array of remote endpoints, sorted by nothing: boxes of nodes have
 * dozens of them, and expired ones are swept out when the array is full. */
#include "cmd/sim_nat.h"

#include <stdlib.h>

#include "base/mem.h"

#define PORT_FIRST 1024
#define PORTS (65536 - PORT_FIRST)

struct peer {
	uint64_t to; /* address << 16 | port */
	usec_t used;
	uint16_t port; /* ours, as the world sees it */
};

struct sim_nat {
	enum sim_nat_kind kind;
	usec_t expiry;
	struct peer *peers;
	size_t count, size;
};

struct sim_nat *sim_nat_new(enum sim_nat_kind kind, usec_t expiry)
{
	struct sim_nat *n = mem_new(sizeof(*n));

	*n = (struct sim_nat){ .kind = kind, .expiry = expiry };
	return n;
}

void sim_nat_free(struct sim_nat *n)
{
	if (n)
		free(n->peers);
	free(n);
}

static bool alive(const struct sim_nat *n, const struct peer *p, usec_t now)
{
	return now < p->used + n->expiry;
}

static void sweep(struct sim_nat *n, usec_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->count; i++)
		if (alive(n, &n->peers[i], now))
			n->peers[kept++] = n->peers[i];
	n->count = kept;
}

static struct peer *room(struct sim_nat *n, usec_t now)
{
	struct peer *oldest;

	if (n->count == n->size)
		sweep(n, now);
	if (n->count == n->size && n->size < SIM_NAT_PEERS_MAX) {
		n->size = n->size ? 2 * n->size : 16;
		n->peers = mem_resize(n->peers, n->size * sizeof(*n->peers));
	}
	if (n->count < n->size)
		return &n->peers[n->count++];
	oldest = &n->peers[0];
	for (size_t i = 1; i < n->count; i++)
		if (n->peers[i].used < oldest->used)
			oldest = &n->peers[i];
	return oldest;
}

static bool port_in_use(const struct sim_nat *n, uint16_t port, usec_t now)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->peers[i].port == port && alive(n, &n->peers[i], now))
			return true;
	return false;
}

static uint16_t new_port(const struct sim_nat *n, uint64_t luck, usec_t now)
{
	uint16_t port = (uint16_t)(PORT_FIRST + luck % PORTS);

	while (port_in_use(n, port, now))
		port = port == UINT16_MAX ? PORT_FIRST : (uint16_t)(port + 1);
	return port;
}

uint16_t sim_nat_out(struct sim_nat *n, uint64_t to, uint64_t luck, usec_t now)
{
	uint16_t port = 0;
	struct peer *p;

	for (size_t i = 0; i < n->count; i++) {
		p = &n->peers[i];
		if (!alive(n, p, now))
			continue;
		if (p->to == to) {
			p->used = now;
			return p->port;
		}
		if (n->kind != SIM_NAT_SYMMETRIC)
			port = p->port;
	}
	if (!port)
		port = new_port(n, luck, now);
	p = room(n, now);
	*p = (struct peer){ to, now, port };
	return port;
}

bool sim_nat_in(struct sim_nat *n, uint64_t from, uint16_t port, usec_t now)
{
	for (size_t i = 0; i < n->count; i++) {
		const struct peer *p = &n->peers[i];

		if (p->port != port || !alive(n, p, now))
			continue;
		if (n->kind == SIM_NAT_FULL || p->to == from ||
		    (n->kind == SIM_NAT_RESTRICTED && p->to >> 16 == from >> 16))
			return true;
	}
	return false;
}
