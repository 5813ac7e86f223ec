/* sim_net.c - the network: host i has the address 9.0.0.1 + i, and behind a NAT box, which then has
 * that one, 172.16.0.1 + i. Every host has an access line of its own: the delay between two is the
 * median, moved by both lines. Delay, loss, duplication and reordering are drawn for each packet.
 */
#include "cmd/sim_impl.h"

#include <string.h>

#define PUBLIC (9u << 24 | 1)
#define PRIVATE (172u << 24 | 16u << 16 | 1)
#define ACCESS_MAX 65535 /* of sim_host.access */

static struct addr public_addr(const struct sim_host *h)
{
	return (struct addr){ .ip = ip_v4(PUBLIC + h->index), .port = SIM_PORT };
}

void sim_net_init(struct sim_host *h)
{
	h->addr = public_addr(h);
	h->access = (uint16_t)sim_rng_next(&h->s->rng);
}

void sim_net_nat(struct sim_host *h, enum sim_nat_kind kind, usec_t expiry)
{
	sim_nat_free(h->nat);
	h->nat = kind == SIM_NAT_NONE ? NULL : sim_nat_new(kind, expiry);
	h->addr = public_addr(h);
	if (h->nat)
		h->addr.ip = ip_v4(PRIVATE + h->index);
}

static struct sim_host *host_at(struct sim *s, const struct addr *a)
{
	uint32_t i = a->ip.len == 4 ? ip_to_v4(&a->ip) - PUBLIC : UINT32_MAX;

	return i < s->nodes ? &s->hosts[i] : NULL;
}

static uint64_t packed(const struct addr *a) { return (uint64_t)ip_to_v4(&a->ip) << 16 | a->port; }

/* The source as the world sees it. */
static uint64_t source_of(struct sim_host *h, const struct addr *to)
{
	struct sim *s = h->s;
	struct addr from = public_addr(h);

	if (h->nat)
		from.port = sim_nat_out(h->nat, packed(to), sim_rng_next(&s->rng), s->now);
	return packed(&from);
}

struct addr sim_net_source(const struct sim_event *e)
{
	return (struct addr){ .ip = ip_v4((uint32_t)(e->tag >> 32)),
			      .port = (uint16_t)(e->tag >> 16) };
}

bool sim_net_accepts(struct sim_host *h, uint64_t tag)
{
	uint16_t port = (uint16_t)tag;

	if (!h->nat)
		return port == SIM_PORT;
	return sim_nat_in(h->nat, tag >> 16, port, h->s->now);
}

static usec_t draw_delay(struct sim *s, const struct sim_host *a, const struct sim_host *b)
{
	int64_t delay = (int64_t)s->net.delay, lines = (int64_t)a->access + b->access - ACCESS_MAX;

	delay += delay * s->net.spread / 100 * lines / ACCESS_MAX;
	if (s->net.jitter)
		delay += (int64_t)(sim_rng_next(&s->rng) % s->net.jitter) -
			 (int64_t)(s->net.jitter / 2);
	if (sim_chance(s, s->net.reorder))
		delay *= 3;
	return delay > 0 ? (usec_t)delay : 0;
}

void sim_host_send(struct sim_host *h, uint8_t socket, const struct addr *to, const uint8_t *bytes,
		   size_t len, size_t overhead)
{
	struct sim *s = h->s;
	struct sim_host *dest = host_at(s, to);
	int copies = 1;
	uint64_t source;

	(void)socket;
	if (h->mute)
		return;
	s->stats.sent++;
	s->stats.bytes += len + overhead + SIM_IP_UDP;
	source = to->ip.len == 4 ? source_of(h, to) : 0; /* the box opens even if nobody is there */
	if (!dest || !dest->actor || dest->side != h->side || sim_chance(s, s->net.loss)) {
		s->stats.lost++;
		return;
	}
	copies += sim_chance(s, s->net.duplicate);
	while (copies--) {
		struct sim_event *e = sim_event_new(s, dest->index, len);

		e->tag = source << 16 | to->port;
		memcpy(e->bytes, bytes, len);
		sim_event_push(s, SIM_PACKET, e, draw_delay(s, h, dest));
	}
}
