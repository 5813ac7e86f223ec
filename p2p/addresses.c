/* addresses.c - telling peers where we may be reached, and trying what they tell.
 *
 * What we tell: what the owner set, then where peers that proved themselves see us (the newest
 * OBSERVED_MAX); nothing on a direct path when there is one address only. What a peer tells becomes
 * candidates: the peer is authenticated and asked for it, yet a told address may be somebody
 * else's, so there are at most eight candidates, each with a schedule that thins out (path.c), and
 * one such message a second. A leaf tells its agent, too: the ring leads to it by way of that one
 * only. */
#include "p2p/addresses.h"

#include <string.h>

#include "base/mem.h"
#include "p2p/later.h"
#include "p2p/route.h"
#include "p2p/transmit.h"

#define ADDRESSES_A_SECOND 1 /* messages of one peer */
#define ADDRESSES_BURST 5

bool addresses_usable(const struct addr *a)
{
	return a->ip.len && a->port && !ip_is_multicast(&a->ip) && !ip_is_link_local(&a->ip);
}

static bool is_in(const struct addr *list, size_t count, const struct addr *a)
{
	for (size_t i = 0; i < count; i++)
		if (addr_equal(&list[i], a))
			return true;
	return false;
}

size_t p2p_own_addresses(const struct p2p *p, struct addr out[P2P_ADDRESSES_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < p->address_count; i++)
		if (addresses_usable(&p->addresses[i]) && !is_in(out, count, &p->addresses[i]))
			out[count++] = p->addresses[i];
	for (size_t i = 0; i < OBSERVED_MAX && count < P2P_ADDRESSES_MAX; i++)
		if (p->observed[i].ip.len && !is_in(out, count, &p->observed[i]))
			out[count++] = p->observed[i];
	return count;
}

void addresses_tell(struct session *s, usec_t now)
{
	struct addr list[P2P_ADDRESSES_MAX];
	uint8_t msg[1 + 19 * P2P_ADDRESSES_MAX + ID_LEN];
	struct wr w = wr_of(msg, sizeof(msg));
	struct node_id agent = route_agent(s->p, s);
	size_t count = p2p_own_addresses(s->p, list);

	if (!s->up)
		return;
	wr_u8(&w, (uint8_t)count);
	for (size_t i = 0; i < count; i++)
		wr_addr(&w, &list[i]);
	if (s->p->cfg.leaf) /* the ring finds others by themselves */
		wr_copy(&w, agent.b, ID_LEN);
	if (channel_send(&s->channel, SERVICE_ADDRESSES, msg, wr_len(&w), now) < 0)
		p2p_drop(s->p, DROP_FULL);
	session_touch(s);
}

/* Who reached our only address, or was seen at it, knows it. The first packet under a new key must
 * come from the initiator. */
void addresses_greet(struct session *s, usec_t now)
{
	struct addr list[P2P_ADDRESSES_MAX];

	if (s->kind != P2P_PATH_DIRECT || s->p->cfg.leaf || p2p_own_addresses(s->p, list) != 1)
		addresses_tell(s, now);
	else if (s->initiator)
		transmit_keepalive(s, now);
}

void addresses_tell_all(struct p2p *p, usec_t now)
{
	struct session *s;
	size_t at = 0;

	while ((s = map_next(&p->sessions, &at)))
		addresses_tell(s, now);
}

/* A network that stirs says so often; peers hear of it when what they are told is different. */
bool addresses_set(struct p2p *p, const struct addr *addrs, size_t count)
{
	struct addr before[P2P_ADDRESSES_MAX], after[P2P_ADDRESSES_MAX];
	size_t old = p2p_own_addresses(p, before), new;
	bool same;

	p->address_count = count < P2P_ADDRESSES_MAX ? count : P2P_ADDRESSES_MAX;
	p->addresses = mem_resize(p->addresses, p->address_count * sizeof(*addrs));
	if (p->address_count)
		memcpy(p->addresses, addrs, p->address_count * sizeof(*addrs));
	new = p2p_own_addresses(p, after);
	same = old == new;
	for (size_t i = 0; i < new; i++)
		same = same && is_in(before, old, &after[i]);
	return !same;
}

void addresses_mind_agent(struct p2p *p, usec_t now)
{
	struct node_id agent;

	if (!p->cfg.leaf)
		return;
	agent = route_agent(p, NULL);
	if (id_equal(&agent, &p->told_agent))
		return;
	p->told_agent = agent;
	addresses_tell_all(p, now);
}

/* Loopback is believed only by nodes that are reachable there themselves. */
static bool may_be_tried(const struct p2p *p, const struct addr *a)
{
	if (!addresses_usable(a))
		return false;
	if (!ip_is_loopback(&a->ip))
		return true;
	for (size_t i = 0; i < p->address_count; i++)
		if (ip_is_loopback(&p->addresses[i].ip))
			return true;
	return false;
}

/* Those of the list that may be tried, at its start; their number. */
static size_t usable_first(const struct p2p *p, struct addr *list, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (may_be_tried(p, &list[i]))
			list[kept++] = list[i];
	return kept;
}

static void add_told(struct session *s, const struct addr *list, size_t count, usec_t now)
{
	int place;

	for (int i = 0; i < s->paths.count; i++)
		s->paths.list[i].told = false;
	for (size_t i = 0; i < count; i++) {
		place = paths_add(&s->paths, &list[i], 0, true, now);
		if (place >= 0)
			s->paths.list[place].told = true;
	}
}

void addresses_input(struct session *s, struct rd r, usec_t now)
{
	struct addr list[P2P_ADDRESSES_MAX];
	struct node_id agent = { { 0 } };
	size_t count = rd_u8(&r);

	if (count > P2P_ADDRESSES_MAX) {
		p2p_drop(s->p, DROP_MALFORMED);
		return;
	}
	for (size_t i = 0; i < count; i++)
		list[i] = rd_addr(&r);
	if (rd_left(&r))
		rd_copy(&r, agent.b, ID_LEN);
	if (!rd_done(&r)) {
		p2p_drop(s->p, DROP_MALFORMED);
		return;
	}
	if (!session_takes(s, LIMIT_ADDRESSES, ADDRESSES_A_SECOND, ADDRESSES_BURST, now)) {
		p2p_drop(s->p, DROP_RATE);
		return;
	}
	if (!id_equal(&agent, &(struct node_id){ { 0 } }))
		s->agent = agent;
	add_told(s, list, usable_first(s->p, list, count), now);
}

void addresses_observed(struct p2p *p, const struct addr *a, usec_t now)
{
	size_t oldest = 0;

	if (!addresses_usable(a))
		return;
	for (size_t i = 0; i < OBSERVED_MAX; i++) {
		if (p->observed[i].ip.len && addr_equal(&p->observed[i], a)) {
			p->observed_at[i] = now;
			return;
		}
		if (p->observed_at[i] < p->observed_at[oldest])
			oldest = i;
	}
	p->observed[oldest] = *a;
	p->observed_at[oldest] = now;
	p->observed[oldest].scope = 0;
}

size_t addresses_of(const struct session *s, struct addr *out, size_t max)
{
	size_t count = 0;

	if (s->paths.used >= 0 && count < max)
		out[count++] = s->paths.list[s->paths.used].addr;
	for (int i = 0; i < s->paths.count && count < max; i++) {
		const struct path *path = &s->paths.list[i];

		if (path->proven && !is_in(out, count, &path->addr))
			out[count++] = path->addr;
	}
	for (int i = 0; i < s->paths.count && count < max; i++) {
		const struct path *path = &s->paths.list[i];

		if (path->told && !is_in(out, count, &path->addr))
			out[count++] = path->addr;
	}
	return count;
}
